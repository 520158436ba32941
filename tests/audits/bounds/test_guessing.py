"""Counts of correct guesses by a loop; ties by all orders; budgets add up and are what their page says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reticent.audits.bounds.guessing import Budgets, as_budgets, checked, correct_guesses
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness


def by_loop(order, included, each):
    """Guesses from a ranking, lowest first."""
    right = 0
    for place in order[:each]:
        right += not included[place]
    for place in order[len(order) - each :]:
        right += included[place]
    return right


@pytest.mark.parametrize("canaries", [2, 3, 10, 101])
def test_counts_are_those_of_a_loop(canaries):
    draw = np.random.default_rng(canaries)
    scores, included = draw.normal(size=canaries), draw.random(canaries) < 0.5
    each = range(1, canaries // 2 + 1)
    expected = [by_loop(np.argsort(scores), included, k) for k in each]
    assert correct_guesses(scores, included, each).tolist() == expected
    assert correct_guesses(scores, included, each, Randomness.simulated(0)).tolist() == expected


@pytest.mark.slow
@given(
    scores=arrays.arrays(np.float64, 6, elements=st.sampled_from([0.0, 1.0, 2.0])),
    included=arrays.arrays(np.bool_, 6),
)
def test_ties_count_as_the_worst_order_does(scores, included):
    found = correct_guesses(scores, included, (1, 2, 3))
    broken = correct_guesses(scores, included, (1, 2, 3), Randomness.simulated(1))
    orders = [list(order) for order in itertools.permutations(range(6)) if (np.diff(scores[list(order)]) >= 0).all()]
    for place, each in enumerate((1, 2, 3)):
        counts = {by_loop(order, included, each) for order in orders}
        assert found[place] == min(counts)
        assert broken[place] in counts


def test_constant_scores_show_nothing_when_ties_are_broken_at_random():
    chance = Randomness.simulated(2)
    included = chance.bernoulli(0.5, 4000)
    assert correct_guesses(np.zeros(4000), included, (500,))[0] == 0
    assert 400 < correct_guesses(np.zeros(4000), included, (500,), chance)[0] < 600


@pytest.mark.parametrize("canaries", [2, 3, 10, 200, 1000, 100_000])
def test_budgets_share_the_whole_error_probability_and_fit(canaries):
    for budgets in (Budgets.weighted(canaries), Budgets.weighted(canaries, 10), Budgets.even(canaries)):
        assert sum(budgets.weights) == pytest.approx(1.0)
        assert len(set(budgets.each)) == len(budgets.each)
        assert 1 <= min(budgets.each) <= max(budgets.each) <= canaries // 2


def test_budgets_are_what_their_page_says():
    assert len(Budgets.even(1000).each) == 10
    assert (Budgets.even(1000).each[0], Budgets.even(1000).each[-1]) == (10, 500)
    weighted = Budgets.weighted(1000)
    assert dict(zip(weighted.each, weighted.weights, strict=True))[95] == 0.5
    assert as_budgets(100, 1000) == Budgets.single(50)
    assert as_budgets(None, 1000) == weighted
    assert as_budgets(weighted, 1000) is weighted


@pytest.mark.parametrize("guesses", [0, 1, 3, 1002, Budgets.single(501), 2.0])
def test_budgets_that_cannot_be_are_refused(guesses):
    with pytest.raises(UsageError, match="Expected"):
        as_budgets(guesses, 1000)


@pytest.mark.parametrize("fields", [((), ()), ((1,), (0.5, 0.5)), ((1, 2), (0.7, 0.7)), ((0,), (1.0,)), ((1,), (0.0,))])
def test_shares_of_more_than_the_whole_are_refused(fields):
    with pytest.raises(UsageError, match="Expected"):
        Budgets(*fields)


def test_coins_that_were_not_fair_are_refused():
    with pytest.raises(DataError, match="coins that were fair, got 700 of 1000"):
        checked(np.arange(1000.0), np.arange(1000) < 700)
    with pytest.raises(DataError, match="coins that were fair, got 0 of 50"):
        checked(np.arange(50.0), np.zeros(50, bool))
    assert checked([1, 2], [1, 0])[1].tolist() == [True, False]


@pytest.mark.parametrize(
    ("scores", "included", "text"),
    [
        (np.zeros(3), np.zeros(4, bool), "shapes"),
        (np.zeros((3, 2)), np.zeros((3, 2), bool), "shapes"),
        (np.zeros(1), np.zeros(1, bool), "two or more"),
        (np.array([0.0, np.nan]), np.array([True, False]), "1 NaN"),
        (np.zeros(2), np.array([0.5, 1.0]), "True or False"),
    ],
)
def test_scores_that_cannot_be_used_are_refused(scores, included, text):
    with pytest.raises(DataError, match=text):
        checked(scores, included)
