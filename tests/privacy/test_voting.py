"""Votes get their noise, once for each count; nothing is answered beyond the budget; what is promised is kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, chi2, norm
from tests.oracles.votes import winning

from reticent.errors import UsageError
from reticent.evidence import canonical_json
from reticent.privacy import GaussianBudget, GNMax, Guarantee, LNMax, VoteTest, Voting
from reticent.randomness import Randomness

ERROR_RATE = 1e-4


class Forgetful(Randomness):
    """Planted: the count of the second class gets no noise."""

    def normal(self, shape, *, standard_deviation=1.0):
        drawn = super().normal(shape, standard_deviation=standard_deviation)
        drawn[..., 1] = 0.0
        return drawn


class Repeating(Randomness):
    """Planted: two questions after each other get the same noise."""

    def normal(self, shape, *, standard_deviation=1.0):
        drawn = super().normal(shape, standard_deviation=standard_deviation)
        drawn[1::2] = drawn[::2]
        return drawn


class Quiet(Randomness):
    """Planted: a quarter of the noise that was asked for."""

    def normal(self, shape, *, standard_deviation=1.0):
        return super().normal(shape, standard_deviation=standard_deviation / 4)


def source_of(kind: type[Randomness], seed: int) -> Randomness:
    made = kind.simulated(seed)
    assert type(made) is kind
    return made


def rejects(observed: np.ndarray, expected: np.ndarray, error_rate: float = ERROR_RATE) -> bool:
    """Pearson's chi-square test of counts."""
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return statistic > chi2.isf(error_rate, observed.size - 1)


# The law of an answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "caught"), [(Randomness, False), (Forgetful, True)])
@pytest.mark.parametrize("votes", [[7, 5, 3], [4, 4, 2], [9, 0, 0]])
def test_answers_follow_their_law(votes, kind, caught):
    """40,000 answers against quadrature, at an error rate of 1e-4; noise that is forgotten on one class is noticed."""
    runs, noise = 40_000, 4.0
    labels = Voting(noise).answers(np.tile(votes, (runs, 1)), source_of(kind, 5)).labels
    observed = np.bincount(labels, minlength=3)
    assert rejects(observed, runs * winning(np.array(votes, dtype=float), noise)) == caught


@pytest.mark.parametrize(("kind", "caught"), [(Randomness, False), (Repeating, True)])
def test_each_question_has_noise_of_its_own(kind, caught):
    """Pairs of answers to one question asked twice, against independence, at an error rate of 1e-4."""
    pairs, votes, noise = 20_000, np.array([5.0, 4.0, 3.0]), 4.0
    labels = Voting(noise).answers(np.tile(votes, (2 * pairs, 1)), source_of(kind, 6)).labels.reshape(pairs, 2)
    observed = np.zeros((3, 3))
    np.add.at(observed, (labels[:, 0], labels[:, 1]), 1)
    law = winning(votes, noise)
    assert rejects(observed.ravel(), pairs * np.outer(law, law).ravel()) == caught


def test_laplace_answers_follow_their_law():
    """Two classes: the noisy gap is a sum of two Laplace numbers, whose tail is (2 + g) e^-g / 4 (Papernot 2017)."""
    runs, noise, gap = 40_000, 3.0, 4.0
    labels = (
        Voting(noise, law="laplace").answers(np.tile([10.0, 10.0 - gap], (runs, 1)), source_of(Randomness, 7)).labels
    )
    loses = (2 + gap / noise) * math.exp(-gap / noise) / 4
    assert not rejects(np.bincount(labels, minlength=2), runs * np.array([1 - loses, loses]))


@pytest.mark.parametrize("above", [-20.0, 0.0, 10.0])
def test_questions_pass_as_often_as_they_should(above):
    """5,000 questions against the normal distribution, at an error rate of 1e-4."""
    runs, voting = 5000, Voting(1.0, threshold=60.0, threshold_noise=15.0)
    labels = voting.answers(np.tile([60.0 + above, 5.0], (runs, 1)), source_of(Randomness, 8)).labels
    passes = float(norm.cdf(above / 15.0))
    assert not rejects(np.array([(labels >= 0).sum(), (labels < 0).sum()]), runs * np.array([passes, 1 - passes]))


@pytest.mark.parametrize("law", ["gaussian", "laplace"])
def test_without_noise_the_ensemble_decides_and_ties_are_broken_by_lot(law):
    draw = np.random.default_rng(3)
    counts = draw.integers(0, 50, size=(500, 6))
    counts[np.arange(500), draw.integers(6, size=500)] += 50  # no ties
    assert (Voting(0.0, law=law).answers(counts, source_of(Randomness, 1)).labels == counts.argmax(axis=1)).all()
    tied = Voting(0.0, law=law).answers(np.tile([3, 7, 7, 1, 7], (9000, 1)), source_of(Randomness, 2)).labels
    assert set(tied.tolist()) == {1, 2, 4}
    assert not rejects(np.bincount(tied)[[1, 2, 4]], np.full(3, 3000.0))


# Budgets ----------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.floats(3.0, 60.0),
    st.floats(0.3, 6.0),
    st.one_of(st.none(), st.tuples(st.floats(1.0, 90.0), st.floats(5.0, 90.0))),
    st.one_of(st.none(), st.integers(0, 30)),
)
def test_a_budget_is_never_exceeded_whatever_the_votes(seed, noise, epsilon, test, most):
    counts = np.random.default_rng(seed).multinomial(100, [0.7, 0.2, 0.1], size=60)
    voting = Voting(noise, *((None, None) if test is None else test))
    budget = GaussianBudget(epsilon=epsilon, delta=1e-5)
    labels, asked = voting.answers(counts, Randomness.simulated(seed), budget=budget, most=most)
    answered = int((labels >= 0).sum())
    spent = {type(one): one.count for one in budget.spent}
    assert spent.get(GNMax, 0) == answered
    assert spent.get(VoteTest, 0) == (0 if test is None else asked)
    assert (labels[asked:] == -1).all()
    assert Guarantee(budget.spent).epsilon(1e-5) <= epsilon * (1 + 2e-4)
    if asked < len(counts) and answered != most:  # it stopped because the next question could not be paid
        assert not budget.allows(*(one for one in (voting.test, voting.answer) if one is not None))


@pytest.mark.parametrize("epsilon", [0.5, 3.0, 12.0])
@pytest.mark.parametrize("answers", [1, 50, 1000])
def test_calibrated_noise_is_the_least(epsilon, answers):
    for law, kind in (("gaussian", GNMax), ("laplace", LNMax)):
        noise = Voting.calibrate(epsilon=epsilon, delta=1e-5, answers=answers, law=law).noise
        assert Guarantee((kind(noise, answers),)).epsilon(1e-5) <= epsilon
        assert Guarantee((kind(noise * 0.999, answers),)).epsilon(1e-5) > epsilon


def test_calibrated_tests_and_answers_share_the_promise():
    voting = Voting.calibrate(epsilon=3.0, delta=1e-5, answers=100, threshold=70.0, tests=400, test_share=0.3)
    assert 2.99 < Guarantee(voting.mechanisms(400, 100)).epsilon(1e-5) <= 3.0
    assert 400 / voting.threshold_noise**2 == pytest.approx(0.3 / 0.7 * 2 * 100 / voting.noise**2)
    assert voting.mechanisms(400, 100) == (VoteTest(voting.threshold_noise, 400), GNMax(voting.noise, 100))


@pytest.mark.parametrize("law", ["gaussian", "laplace"])
def test_as_many_answers_as_fit(law):
    voting = Voting(30.0, law=law)
    count = voting.fitting(epsilon=2.0, delta=1e-5, most=10_000)
    assert Guarantee((voting.answer.times(count),)).epsilon(1e-5) <= 2.0
    assert Guarantee((voting.answer.times(count + 1),)).epsilon(1e-5) > 2.0
    assert voting.fitting(epsilon=2.0, delta=1e-5, most=3) == 3
    assert Voting(0.0, law=law).fitting(epsilon=2.0, delta=1e-5, most=3) == 0


# What it protects from --------------------------------------------------------------------------------------------


def lower_bound(hits: int, false: int, runs: int, delta: float, confidence: float) -> float:
    """Clopper-Pearson: epsilon is at least this, at the given confidence (Jagielski, Ullman and Oprea, 2020)."""
    each = (1 - confidence) / 2
    true_rate = beta.ppf(each, hits, runs - hits + 1) if hits else 0.0
    false_rate = beta.ppf(1 - each, false + 1, runs - false) if false < runs else 1.0
    return math.log(max(true_rate - delta, 1e-300) / false_rate)


@pytest.mark.parametrize(("kind", "caught"), [(Randomness, False), (Quiet, True)])
def test_an_attack_learns_no_more_than_promised(kind, caught):
    """One vote of ten moves; 60,000 answers each way; the bound is right in all but 1e-4 of the runs.

    With a quarter of the noise the same attack proves that the promise is broken.
    """
    runs, delta = 60_000, 1e-5
    promise = Guarantee((GNMax(2.0),)).epsilon(delta)
    with_it, without = (
        Voting(2.0).answers(np.tile(votes, (runs, 1)), source_of(kind, seed)).labels == 0
        for seed, votes in ((1, [6.0, 4.0]), (2, [5.0, 5.0]))
    )
    # Whoever sees another class than the likely one says that the vote moved.
    bounds = [
        lower_bound(int((~without).sum()), int((~with_it).sum()), runs, delta, 1 - ERROR_RATE),
        lower_bound(int(with_it.sum()), int(without.sum()), runs, delta, 1 - ERROR_RATE),
    ]
    assert (max(bounds) > promise) == caught
    assert max(bounds) > 0.3


# Edges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Voting(-1.0), "Expected noise >= 0"),
        (lambda: Voting(1.0, threshold=5.0), "threshold and threshold_noise, or neither"),
        (lambda: Voting(1.0, threshold=0.0, threshold_noise=1.0), "Expected threshold > 0"),
        (lambda: Voting(1.0, threshold=5.0, threshold_noise=1.0, law="laplace"), "Gaussian noise with a threshold"),
        (lambda: Voting(1.0, law="cauchy"), "Expected law to be one of"),
        (
            lambda: Voting.calibrate(epsilon=1, delta=1e-5, answers=9, threshold=5.0),
            "number tests >= 9, got tests=None",
        ),
        (lambda: Voting.calibrate(epsilon=1, delta=1e-5, answers=0), "answers >= 1"),
        (
            lambda: Voting.calibrate(epsilon=1, delta=1e-5, answers=1, threshold=5.0, tests=2, law="laplace"),
            "Gaussian noise with a threshold",
        ),
        (lambda: Voting(9.0, 5.0, 3.0).fitting(epsilon=1, delta=1e-5, most=3), "a voting without a threshold"),
        (lambda: Voting(1.0).answers([[1.0]], Randomness.simulated(1)), "two classes or more, got shape"),
        (lambda: Voting(1.0).answers([[1.0, -1.0]], Randomness.simulated(1)), "counts of votes"),
        (lambda: Voting(1.0).answers([[1.0, 2.0]], 7), "Expected a Randomness"),
        (
            lambda: Voting(9.0, law="laplace").answers(
                [[1, 2]], Randomness.simulated(1), budget=GaussianBudget(epsilon=1, delta=1e-5)
            ),
            "Expected a Gaussian mechanism",
        ),
        (lambda: Voting.from_dict({"noise": 1.0}), "Expected the fields of a voting"),
    ],
)
def test_what_cannot_be_is_refused(build, message):
    with pytest.raises(UsageError, match=message):
        build()


def test_survives_json():
    for voting in (Voting(40), Voting(40.0, 150, 60), Voting(2.5, law="laplace")):
        assert Voting.from_dict(voting.as_dict()) == voting
        assert canonical_json(voting.as_dict())


def test_no_questions_and_no_votes():
    assert Voting(3.0).answers(np.empty((0, 3)), Randomness.simulated(1)).labels.shape == (0,)
    nobody = Voting(0.0).answers(np.zeros((300, 3)), Randomness.simulated(1)).labels
    assert set(nobody.tolist()) == {0, 1, 2}
