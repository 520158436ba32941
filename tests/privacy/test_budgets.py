"""Filters stop in time whatever is asked of them; odometers never read too little."""

from __future__ import annotations

import json
import math
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.errors import BudgetExhausted, UsageError
from reticent.privacy import (
    Budget,
    EpsilonDelta,
    Guarantee,
    Laplace,
    Odometer,
    Relation,
    SampledGaussian,
    Unit,
    renyi,
)

mechanisms = st.one_of(
    st.builds(SampledGaussian, st.floats(0.5, 30), st.sampled_from([0.01, 0.2, 1.0]), st.integers(0, 20)),
    st.builds(Laplace, st.floats(1, 30), st.integers(0, 5)),
    st.builds(EpsilonDelta, st.floats(0.01, 0.5)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(mechanisms, max_size=25), st.floats(0.3, 8.0), st.sampled_from(Relation))
def test_what_was_allowed_keeps_the_promise(asked: list, epsilon: float, relation: Relation) -> None:
    """Composed as if it had been fixed before, what was spent costs at most the promise."""
    budget = Budget(epsilon=epsilon, delta=1e-5, relation=relation)
    for mechanism in asked:
        allowed = budget.allows(mechanism)
        if allowed:
            budget.spend(mechanism)
        else:
            with pytest.raises(BudgetExhausted, match="Expected room for"):
                budget.spend(mechanism)
    assert Guarantee(budget.spent, relation=relation).epsilon(1e-5) <= epsilon * (1 + 1e-4)
    assert 0 <= budget.share_left <= 1
    assert budget.guarantee().epsilon(1e-5) <= epsilon * (1 + 1e-9)


def test_a_refusal_costs_nothing() -> None:
    budget = Budget(epsilon=1.0, delta=1e-5)
    with pytest.raises(BudgetExhausted):
        budget.spend(SampledGaussian(0.1))
    assert (budget.share_left, budget.spent) == (1.0, ())


@pytest.mark.parametrize(("epsilon", "delta"), [(1.0, 1e-5), (8.0, 1e-6), (0.2, 1e-9)])
def test_gaussian_sums_use_nearly_all_of_it(epsilon: float, delta: float) -> None:
    """As many as Renyi accounting with the best order allows for a number that was fixed before."""
    budget, one = Budget(epsilon=epsilon, delta=delta), SampledGaussian(50.0)
    while budget.allows(one):
        budget.spend(one)
    count = len(budget.spent)
    fixed = next(
        n
        for n in range(count, 10 * count)
        if Guarantee((SampledGaussian(50.0, count=n + 1),)).renyi_epsilon(delta) > epsilon
    )
    assert count <= fixed <= 1.02 * count + 1


def test_adding_up_loss_distributions_would_promise_too_much() -> None:
    """Negative: a filter that adds up the epsilons of fixed compositions allows more than this one."""
    budget, one = Budget(epsilon=2.0, delta=1e-5), SampledGaussian(20.0)
    while budget.allows(one):
        budget.spend(one)
    more = Guarantee((SampledGaussian(20.0, count=len(budget.spent) + 5),))
    assert more.epsilon(1e-5) < 2.0


def test_threads_cannot_overdraw() -> None:
    budget, one = Budget(epsilon=1.0, delta=1e-5), SampledGaussian(60.0)
    most = int(budget._room / budget._cost(one))

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
    assert len(budget.spent) == most


def test_a_budget_is_saved_with_what_was_spent() -> None:
    budget = Budget(epsilon=2.0, delta=1e-6, unit=Unit.PERSON, relation=Relation.REPLACE_ONE, order=12.0)
    budget.spend(SampledGaussian(9.0, 0.1, 3))
    again = Budget.from_dict(json.loads(json.dumps(budget.as_dict())))
    assert again.as_dict() == budget.as_dict()
    assert again.share_left == budget.share_left
    for values in ({}, {**budget.as_dict(), "more": 1}, {**budget.as_dict(), "unit": "nobody"}):
        with pytest.raises(UsageError, match="budget as written"):
            Budget.from_dict(values)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match=r"one of renyi\.ORDERS"):
        Budget(epsilon=1.0, delta=1e-5, order=2.123)
    with pytest.raises(UsageError, match="leaves room"):
        Budget(epsilon=0.1, delta=1e-5, order=float(renyi.ORDERS[3]))
    for account in (Budget(epsilon=1.0, delta=1e-5), Odometer(delta=1e-5)):
        with pytest.raises(UsageError, match="Expected a mechanism"):
            account.spend(0.5)  # type: ignore[arg-type]
    with pytest.raises(BudgetExhausted):
        Budget(epsilon=1.0, delta=1e-5).spend(EpsilonDelta(0.1, 1e-9))  # no divergence: cannot be added up


def test_an_odometer_reads_no_less_than_a_fixed_composition() -> None:
    odometer = Odometer(delta=1e-5)
    assert odometer.epsilon == 0.0
    readings = []
    for done in range(1, 60):
        odometer.spend(SampledGaussian(20.0))
        readings.append(odometer.epsilon)
        assert odometer.epsilon >= Guarantee((SampledGaussian(20.0, count=done),)).epsilon(1e-5)
    assert readings == sorted(readings)
    assert readings[-1] <= 2.5 * Guarantee((SampledGaussian(20.0, count=59),)).epsilon(1e-5)
    odometer.spend(SampledGaussian(0.0, 0.5, 0))  # nothing
    assert odometer.epsilon == readings[-1]
    odometer.spend(EpsilonDelta(1.0, 1e-6))
    assert odometer.epsilon == math.inf


def test_readings_hold_at_all_times() -> None:
    """Simulation, 4000 runs: the loss of adaptively chosen noise exceeds some reading in at most delta of them.

    The chooser takes less noise while it is lucky. With delta = 0.05 the count is at most 260 but for 1e-4 of the time;
    a reading without the shared-out delta's logarithm is exceeded far more often.
    """
    source, runs, exceeded, naive = np.random.default_rng(1), 4000, 0, 0
    for _ in range(runs):
        odometer, loss, over, low = Odometer(delta=0.05), 0.0, False, False
        spent = 0.0
        for _ in range(12):
            noise = 2.0 if loss > 0 else 4.0
            output = 1.0 + noise * source.standard_normal()
            loss += (2 * output - 1) / (2 * noise**2)
            odometer.spend(SampledGaussian(noise))
            spent += 1 / (2 * noise**2)
            over |= loss > odometer.epsilon
            low |= loss > spent
        exceeded += over
        naive += low
    assert exceeded <= 260
    assert naive > 1000
