"""Gaussian filters stop in time whatever is asked of them, and cost no more than what was fixed before."""

from __future__ import annotations

import json
import math
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.votes import gaussian_delta, gaussian_epsilon

from reticent.errors import BudgetExhausted, UsageError
from reticent.privacy import (
    Budget,
    EpsilonDelta,
    GaussianBudget,
    GNMax,
    Guarantee,
    LNMax,
    Relation,
    SampledGaussian,
    Unit,
    VoteTest,
)
from reticent.privacy.gaussian_budgets import separation_for, separation_of

mechanisms = st.one_of(
    st.builds(GNMax, st.floats(0.5, 200), st.integers(0, 50)),
    st.builds(VoteTest, st.floats(0.5, 200), st.integers(0, 50)),
    st.builds(SampledGaussian, st.floats(0.5, 30), st.just(1.0), st.integers(0, 5)),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(mechanisms, max_size=25), st.floats(0.3, 8.0), st.sampled_from(Relation))
def test_what_was_allowed_keeps_the_promise(asked, epsilon, relation):
    """Composed as if it had been fixed before, what was spent costs at most the promise."""
    budget = GaussianBudget(epsilon=epsilon, delta=1e-5, relation=relation)
    for mechanism in asked:
        if budget.allows(mechanism):
            budget.spend(mechanism)
        else:
            left = budget.share_left, budget.spent
            with pytest.raises(BudgetExhausted, match="Expected room for"):
                budget.spend(mechanism)
            assert (budget.share_left, budget.spent) == left
    assert Guarantee(budget.spent, relation=relation).epsilon(1e-5) <= epsilon * (1 + 2e-4)
    assert 0 <= budget.share_left <= 1
    assert budget.guarantee().epsilon(1e-5) <= epsilon


@pytest.mark.parametrize("delta", [1e-9, 1e-5, 1e-2])
@pytest.mark.parametrize("epsilon", [0.01, 0.5, 3.0, 30.0, 300.0])
def test_separations_are_the_largest_that_keep_a_promise(epsilon, delta):
    found = separation_for(epsilon, delta)
    assert gaussian_epsilon(found, delta) <= epsilon * (1 + 1e-9)
    assert gaussian_delta(found * 1.001, epsilon) > delta


def test_a_filter_lets_through_what_a_fixed_composition_would_and_more_than_one_by_divergences():
    filtered, by_divergences, one = (
        GaussianBudget(epsilon=2.0, delta=1e-5),
        Budget(epsilon=2.0, delta=1e-5),
        GNMax(60.0),
    )
    counts = []
    for budget in (filtered, by_divergences):
        count = 0
        while budget.allows(one):
            budget.spend(one)
            count += 1
        counts.append(count)
    assert Guarantee((GNMax(60.0, counts[0] + 2),)).epsilon(1e-5) > 2.0
    assert counts[0] > 1.1 * counts[1]


def losses_of_a_chooser(draw: np.random.Generator, runs: int, room: float, *, late: bool) -> np.ndarray:
    """Privacy losses of somebody who spends boldly while lucky, on the data set that the losses speak for.

    With `late`, the filter is asked after the fact: planted.
    """
    loss, used, alive = np.zeros(runs), np.zeros(runs), np.ones(runs, dtype=bool)
    for _ in range(12):
        wanted = np.where(loss > 0.3, 0.5 * room, 0.08 * room)
        fits = used <= room if late else used + wanted <= room
        alive &= fits
        own = np.where(alive, wanted, 0.0)
        loss += own / 2 + np.sqrt(own) * draw.normal(size=runs)
        used += own
    return loss


@pytest.mark.parametrize("late", [False, True])
def test_adaptive_choices_stay_within_the_curve(late):
    """400,000 runs: the divergence at four epsilons is at most the filter's, but for 1e-4 of the time.

    A filter that is asked after the fact is caught.
    """
    separation, runs = 1.2, 400_000
    losses = losses_of_a_chooser(np.random.default_rng(1), runs, separation**2, late=late)
    for epsilon in (0.5, 1.0, 2.0, 3.0):
        gains = np.maximum(-np.expm1(epsilon - losses), 0.0)
        low = gains.mean() - 4 * gains.std() / math.sqrt(runs)
        if late:
            assert low > gaussian_delta(separation, epsilon)
        else:
            assert low <= gaussian_delta(separation, epsilon)


def test_threads_cannot_overdraw():
    budget, one = GaussianBudget(epsilon=1.0, delta=1e-5), VoteTest(60.0)
    most = int(budget.separation**2 / separation_of(one, budget.relation) ** 2)

    def spend() -> None:
        for _ in range(most):
            try:
                budget.spend(one)
            except BudgetExhausted:
                return

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.spent == (VoteTest(60.0, most),)


def test_exchanging_costs_sums_twice_and_votes_once():
    for relation, times in ((Relation.ADD_OR_REMOVE_ONE, 1), (Relation.REPLACE_ONE, 2)):
        assert separation_of(SampledGaussian(4.0, 1.0, 9), relation) == pytest.approx(times * 3 / 4)
        assert separation_of(GNMax(4.0, 2), relation) == pytest.approx(0.5)
        assert separation_of(VoteTest(4.0, 4), relation) == pytest.approx(0.5)


def test_other_mechanisms_are_refused():
    budget = GaussianBudget(epsilon=1.0, delta=1e-5)
    for mechanism in (SampledGaussian(9.0, 0.5), EpsilonDelta(0.01), LNMax(100.0)):
        with pytest.raises(UsageError, match="Expected a Gaussian mechanism"):
            budget.spend(mechanism)
    with pytest.raises(UsageError, match=r"Expected a mechanism, got 0\.5"):
        budget.spend(0.5)  # type: ignore[arg-type]
    for noiseless in (GNMax(0.0), SampledGaussian(0.0)):
        with pytest.raises(BudgetExhausted):
            budget.spend(noiseless)
    budget.spend(GNMax(0.0, 0))
    assert (budget.share_left, budget.spent) == (1.0, ())
    with pytest.raises(UsageError, match="that a Gaussian mechanism can have"):
        GaussianBudget(epsilon=1e6, delta=1e-5)


def test_a_budget_is_saved_with_what_was_spent():
    budget = GaussianBudget(epsilon=2.0, delta=1e-6, unit=Unit.PERSON, relation=Relation.REPLACE_ONE)
    for _ in range(7):
        budget.spend(VoteTest(90.0), GNMax(30.0))
    again = GaussianBudget.from_dict(json.loads(json.dumps(budget.as_dict())))
    assert again.as_dict() == budget.as_dict()
    assert again.share_left == pytest.approx(budget.share_left, rel=1e-12)
    assert budget.guarantee().unit is Unit.PERSON
    over = {**budget.as_dict(), "epsilon": 0.1}
    for values in ({}, {**budget.as_dict(), "more": 1}, {**budget.as_dict(), "unit": "nobody"}, over):
        with pytest.raises(UsageError, match="budget as written"):
            GaussianBudget.from_dict(values)
