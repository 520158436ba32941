"""What agreement saves: above the exact divergence of these votes, below the promise, and no promise itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm
from tests.oracles.votes import neighbours, renyi_divergence, winning

from reticent.errors import UsageError
from reticent.privacy import GNMax, Guarantee, Voting
from reticent.privacy.agreement import data_dependent_cost, renyi_if_likely
from reticent.privacy.renyi import ORDERS
from reticent.privacy.voting import Answers
from reticent.randomness import Randomness


def theorem_six(q: float, order: float, noise: float) -> float:
    """Papernot et al. (2018), theorem 6 with proposition 10, as printed."""
    second = noise * math.sqrt(math.log(1 / q))
    first = second + 1
    one, two = first / noise**2, second / noise**2
    holds = (
        first >= order
        and second > 1
        and q <= math.exp((second - 1) * two) / (first / (first - 1) * second / (second - 1)) ** second
    )
    if not holds:
        return order / noise**2
    a = (1 - q) / (1 - (q * math.exp(two)) ** ((second - 1) / second))
    b = math.exp(one) / q ** (1 / (first - 1))
    return min(order / noise**2, math.log((1 - q) * a ** (order - 1) + q * b ** (order - 1)) / (order - 1))


@pytest.mark.parametrize("noise", [0.7, 3.0, 20.0])
@pytest.mark.parametrize("q", [0.4, 0.02, 1e-4, 1e-10, 1e-40])
def test_is_the_papers_formula(noise, q):
    got = renyi_if_likely(math.log(q), 1 / noise**2)
    wanted = [theorem_six(q, float(order), noise) for order in ORDERS if order < 60]
    np.testing.assert_allclose(got[ORDERS < 60], wanted, rtol=1e-7, atol=1e-14)


@pytest.mark.parametrize("votes", [[20, 2, 1], [14, 6, 3], [23, 0, 0], [9, 8, 6], [17, 3, 3]])
@pytest.mark.parametrize("noise", [2.0, 4.0])
def test_bounds_the_exact_divergence_to_every_neighbour(votes, noise):
    counts = np.array(votes, dtype=float)
    here = winning(counts, noise)
    union = float(norm.sf((counts[0] - counts[1:]) / (noise * math.sqrt(2))).sum())
    assert 1 - here[0] <= union + 1e-9
    bound = renyi_if_likely(min(math.log(union), math.log(2 / 3)), 1 / noise**2)
    for order in (1.5, 2.0, 4.0, 8.0):
        place = int(np.argmin(np.abs(ORDERS - order)))
        for other in neighbours(counts):
            assert renyi_divergence(here, winning(other, noise), float(ORDERS[place])) <= bound[place] + 1e-9


def test_agreement_saves_and_disagreement_does_not():
    voting, source = Voting(20.0), Randomness.simulated(1)
    sure, torn = np.tile([240, 6, 4], (300, 1)), np.tile([90, 82, 78], (300, 1))
    promise = Guarantee((GNMax(20.0, 300),))
    costs = [data_dependent_cost(c, voting, voting.answers(c, source), delta=1e-5) for c in (sure, torn)]
    assert costs[0].epsilon < 0.2 * promise.epsilon(1e-5)
    assert costs[1].epsilon == pytest.approx(promise.renyi_epsilon(1e-5), rel=1e-9)


def test_tests_count_and_unasked_questions_do_not():
    voting, counts = Voting(20.0, 150.0, 40.0), np.tile([160, 50, 40], (6, 1))
    asked = [
        data_dependent_cost(counts, voting, Answers(np.array(labels), n), delta=1e-5).epsilon
        for labels, n in (([-1] * 6, 0), ([-1] * 6, 3), ([0, -1, 1, -1, -1, -1], 3), ([0] * 6, 6))
    ]
    assert asked[0] < asked[1] < asked[2] < asked[3]


def test_no_promise_can_be_made_of_it():
    voting, counts = Voting(20.0), np.tile([240, 6, 4], (3, 1))
    cost = data_dependent_cost(counts, voting, voting.answers(counts, Randomness.simulated(1)), delta=1e-5)
    with pytest.raises(UsageError, match="Expected mechanisms"):
        Guarantee((cost,))  # type: ignore[arg-type]
    assert "itself about the data; not a promise" in str(cost)
    for wrong, how in ((counts[:2], voting), (counts, Voting(20.0, law="laplace")), (counts, Voting(0.0))):
        with pytest.raises(UsageError, match="votes of 3 questions under Gaussian noise"):
            data_dependent_cost(wrong, how, Answers(np.zeros(3, dtype=np.int64), 3), delta=1e-5)
