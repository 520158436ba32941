"""Noisy votes cost what theory says, for every pair of neighbouring votes, and less than the paper's formula."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from tests.oracles.votes import gaussian_delta, gaussian_epsilon, hockey_stick, neighbours, winning

from reticent.privacy import EpsilonDelta, GNMax, Guarantee, Laplace, LNMax, Mechanism, Relation, VoteTest, renyi
from reticent.privacy.mechanisms import mechanism_from_dict, mechanism_to_dict

SIZES = [(40.0, 1), (40.0, 100), (20.0, 1000), (5.0, 7), (1.0, 1), (150.0, 3000)]


@pytest.mark.parametrize("relation", Relation)
@pytest.mark.parametrize(("noise", "count"), SIZES)
def test_answers_cost_what_a_gaussian_sum_of_sensitivity_root_two_does(noise, count, relation):
    guarantee = Guarantee((GNMax(noise, count),), relation=relation)
    for delta in (1e-3, 1e-5, 1e-8):
        exact = gaussian_epsilon(math.sqrt(2 * count) / noise, delta)
        assert exact * (1 - 1e-9) <= guarantee.epsilon(delta) <= exact * (1 + 2e-4)


@pytest.mark.parametrize(("noise", "count"), SIZES)
def test_tests_cost_what_a_gaussian_sum_of_sensitivity_one_does(noise, count):
    guarantee = Guarantee((VoteTest(noise, count),))
    exact = gaussian_epsilon(math.sqrt(count) / noise, 1e-5)
    assert exact * (1 - 1e-9) <= guarantee.epsilon(1e-5) <= exact * (1 + 2e-4)


@pytest.mark.parametrize(("noise", "count"), SIZES)
def test_never_above_the_papers_renyi_formula(noise, count):
    """Papernot et al. (2018), proposition 8: (order, order / noise^2), converted as there (Mironov, 2017, prop. 3)."""
    orders = np.linspace(1.01, 2000, 200_000)
    theirs = np.min(count * orders / noise**2 + math.log(1e5) / (orders - 1))
    ours = Guarantee((GNMax(noise, count),))
    assert ours.epsilon(1e-5) < 0.97 * theirs
    assert ours.epsilon(1e-5) <= ours.renyi_epsilon(1e-5) <= theirs * (1 + 1e-2)
    np.testing.assert_allclose(GNMax(noise).renyi(Relation.REPLACE_ONE), renyi.ORDERS / noise**2)


@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_no_pair_of_votes_gives_more_away_than_promised(noise):
    """Every vote of seven teachers on three classes and each of its neighbours, exactly."""
    promise = Guarantee((GNMax(noise),))
    worst = {epsilon: 0.0 for epsilon in (0.0, 0.3, 1.0, 2.0)}
    for a in range(8):
        for b in range(8 - a):
            votes = np.array([a, b, 7 - a - b], dtype=float)
            p = winning(votes, noise)
            for other in neighbours(votes):
                q = winning(other, noise)
                worst = {epsilon: max(delta, hockey_stick(p, q, epsilon)) for epsilon, delta in worst.items()}
    for epsilon, delta in worst.items():
        assert delta <= promise.delta(epsilon) + 1e-9
    assert worst[0.0] > 0.9 * promise.delta(0.0)  # and hardly less


@pytest.mark.parametrize("epsilon", [0.1, 0.7, 2.0])
def test_no_smaller_promise_holds_for_two_classes(epsilon):
    """With the gap where the best test has its threshold, one answer gives away all that is charged."""
    noise, separation = 2.0, math.sqrt(2.0) / 2.0
    exact, attained = gaussian_delta(separation, epsilon), 0.0
    for gap in np.linspace(-12.0, 12.0, 241):
        p, q = winning(np.array([20.0, 20.0 + gap]), noise), winning(np.array([21.0, 19.0 + gap]), noise)
        attained = max(attained, hockey_stick(p, q, epsilon), hockey_stick(q, p, epsilon))
    assert exact * 0.998 <= attained <= exact * (1 + 1e-9)


@pytest.mark.parametrize("noise", [0.8, 5.0, 40.0])
@pytest.mark.parametrize("count", [1, 3, 50])
def test_laplace_answers_cost_two_laplace_sums_each(noise, count):
    answers, sums = Guarantee((LNMax(noise, count),)), Guarantee((Laplace(noise, 2 * count),))
    for epsilon in (0.0, 0.3 * count / noise, 1.2 * count / noise):
        assert answers.delta(epsilon) == pytest.approx(sums.delta(epsilon), rel=2e-3, abs=1e-9)
    assert answers.epsilon(1e-4) == pytest.approx(sums.epsilon(1e-4), rel=2e-3)
    pure = Guarantee((EpsilonDelta(2 / noise, 0.0, count),))
    assert answers.epsilon(1e-6) <= pure.epsilon(1e-6) * (1 + 1e-4)
    np.testing.assert_allclose(
        LNMax(noise).renyi(Relation.ADD_OR_REMOVE_ONE), 2 * renyi.laplace(renyi.ORDERS, scale=noise)
    )


def test_one_laplace_answer_is_purely_private():
    for noise in (0.002, 0.5, 20.0):
        assert Guarantee((LNMax(noise),)).epsilon(1e-13) == pytest.approx(2 / noise, rel=1e-4)


@pytest.mark.parametrize("kind", [GNMax, LNMax, VoteTest])
def test_without_noise_nothing_is_promised_and_without_questions_nothing_is_given(kind):
    assert Guarantee((kind(0.0),)).epsilon(1e-5) == math.inf
    assert Guarantee((kind(0.0, 0),)).epsilon(1e-5) == 0.0
    assert np.isinf(kind(0.0).renyi(Relation.REPLACE_ONE)).all()


@pytest.mark.parametrize("mechanism", [GNMax(40.0, 3), LNMax(20.0, 2), VoteTest(150.0, 1000)], ids=repr)
def test_survive_json_and_name_their_numbers(mechanism: Mechanism):
    assert mechanism_from_dict(json.loads(json.dumps(mechanism_to_dict(mechanism)))) == mechanism
    assert str(mechanism.count) in mechanism.text()
    assert f"{mechanism.noise:g}" in mechanism.text()  # type: ignore[attr-defined]
