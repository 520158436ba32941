"""Randomised response: its loss, by adding up over all answers; and the law of answers does not beat its promise."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reticent.errors import UsageError
from reticent.privacy import EpsilonDelta, Guarantee, RandomisedResponse, Relation
from reticent.privacy.discrete import answers
from reticent.privacy.renyi import ORDERS
from reticent.randomness import Randomness

REPLACE = Relation.REPLACE_ONE


def promise(*mechanisms: RandomisedResponse) -> Guarantee:
    return Guarantee(mechanisms, relation=REPLACE)


def truth(asked: float, *mechanisms: RandomisedResponse) -> float:
    """delta at an epsilon: the sum over all sequences of answers, for two different truths."""
    laws = []
    for one in mechanisms:
        p = [one.honest, one.lie] + [one.lie] * (one.categories - 2)
        q = [one.lie, one.honest] + [one.lie] * (one.categories - 2)
        laws += [list(zip(p, q, strict=True))] * one.count
    total = 0.0
    for outputs in itertools.product(*laws):
        p, q = (math.prod(output[side] for output in outputs) for side in (0, 1))
        total += max(0.0, p - math.exp(asked) * q)
    return total


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 6.0), st.integers(2, 6), st.integers(1, 3), st.floats(0.0, 1.2))
def test_the_loss_is_that_of_all_answers(epsilon: float, categories: int, count: int, share: float) -> None:
    one = RandomisedResponse(epsilon, categories, count)
    asked = share * count * epsilon
    found = promise(one).delta(asked)
    exact = truth(asked, one)
    assert exact - 1e-12 <= found <= exact + count * 2e-4
    if share > 1:
        assert found <= 1e-9


def test_different_answers_compose() -> None:
    several = (RandomisedResponse(0.7, 3, 2), RandomisedResponse(1.1, 5, 1), RandomisedResponse(0.25, 2, 2))
    for asked in (0.0, 0.5, 1.3, 2.0):
        exact = truth(asked, *several)
        assert exact - 1e-12 <= promise(*several).delta(asked) <= exact + 2e-3


def test_two_categories_are_the_worst_mechanism_with_this_epsilon() -> None:
    for epsilon in (0.1, 1.0, 3.0):
        two = promise(RandomisedResponse(epsilon, 2))
        worst = Guarantee((EpsilonDelta(epsilon),), relation=REPLACE)
        for asked in (0.0, 0.3 * epsilon, epsilon):
            assert two.delta(asked) == pytest.approx(worst.delta(asked), abs=1e-9)
            assert promise(RandomisedResponse(epsilon, 7)).delta(asked) <= two.delta(asked) + 1e-12


@pytest.mark.parametrize("categories", [2, 3, 10])
def test_renyi_divergences_are_the_sum_over_the_answers(categories: int) -> None:
    one = RandomisedResponse(1.3, categories)
    for order, found in zip(ORDERS.tolist(), one.renyi(REPLACE).tolist(), strict=True):
        if order < 100:
            moment = one.honest**order * one.lie ** (1 - order) + one.lie**order * one.honest ** (1 - order)
            moment += (categories - 2) * one.lie
            assert found == pytest.approx(math.log(moment) / (order - 1), abs=1e-9)
    assert promise(one).epsilon(1e-5) <= promise(one).renyi_epsilon(1e-5)


def test_ends() -> None:
    assert promise(RandomisedResponse(0.0)).epsilon(1e-9) == 0
    assert promise(RandomisedResponse(1.0, 5, 0)).epsilon(1e-9) == 0
    assert promise(RandomisedResponse(800.0)).epsilon(1e-9) == math.inf
    assert promise(RandomisedResponse(1.0, 5)).epsilon(1e-12) <= 1.0 + 1e-6
    one = promise(RandomisedResponse(1.0, 5, 3))
    assert Guarantee.from_dict(json.loads(json.dumps(one.as_dict()))) == one
    assert "among 5 categories" in one.text(1e-5)
    with pytest.raises(UsageError, match="REPLACE_ONE for randomised response"):
        Guarantee((RandomisedResponse(1.0),)).epsilon(1e-5)
    for wrong in ((-1.0, 2), (1.0, 1), (math.nan, 2), (1.0, 2.5)):
        with pytest.raises(UsageError, match=r"^Expected"):
            RandomisedResponse(*wrong)  # type: ignore[arg-type]


def lower_bound(sampled: RandomisedResponse, alpha: float) -> float:
    """An epsilon that the answers of this mechanism show to be broken, wrong with probability alpha (Clopper-Pearson).

    The event is the answer 0, for the truths 0 and 1.
    """
    n = 400_000
    seen = []
    for value in (0, 1):
        given_ = answers(
            np.full(n, value), categories=sampled.categories, epsilon=sampled.epsilon, randomness=Randomness.secure()
        )
        seen.append(int((given_ == 0).sum()))
    low = stats.beta.ppf(alpha / 2, seen[0], n - seen[0] + 1)
    high = stats.beta.isf(alpha / 2, seen[1] + 1, n - seen[1])
    return float(math.log(low / high))


@pytest.mark.parametrize(("epsilon", "categories"), [(0.5, 2), (1.0, 10), (3.0, 4)])
def test_what_is_drawn_keeps_its_promise_and_less_noise_would_be_caught(epsilon: float, categories: int) -> None:
    """False alarm 1e-6. An epsilon that is 6 % too large is caught: it lies 5 and more standard errors away."""
    assert lower_bound(RandomisedResponse(epsilon, categories), 1e-6) <= epsilon
    assert lower_bound(RandomisedResponse(epsilon * 1.12, categories), 1e-6) > epsilon
