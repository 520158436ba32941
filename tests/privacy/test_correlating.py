"""The plan of least error: it keeps the promise, and beats what it was compared with."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.privacy.test_toeplitz import dense

from reticent.errors import UsageError
from reticent.privacy import (
    Banded,
    BufferedToeplitz,
    Cyclic,
    Plan,
    Poisson,
    Relation,
    Schedule,
    correlated_plan,
    prefix_error,
)

PROMISE = {"delta": 1e-5, "dataset_size": 2000, "batch_size": 100, "steps": 60}


@pytest.mark.parametrize("worst", [False, True])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"sampling": Cyclic(4), "correlation": Banded((1.0, 0.5, 0.2))},
        {"sampling": Cyclic(4), "correlation": BufferedToeplitz((0.9,), (0.3,))},
    ],
    ids=["independent", "bands", "buffers"],
)
def test_the_error_is_that_of_the_noise_that_is_made(how, worst):
    plan = Plan(1.3, 2000, 100, 30, delta=1e-5, **how)
    rows = np.tril(np.ones((30, 30))) @ np.linalg.inv(dense(plan.correlation.encoder(30), 30))
    errors = 1.3 * plan.noise_scale * np.sqrt((rows**2).sum(axis=1))
    wanted = errors.max() if worst else math.sqrt((errors**2).mean())
    assert prefix_error(plan, worst=worst) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(epsilon=st.floats(0.2, 20), memory=st.integers(0, 20), relation=st.sampled_from(Relation), worst=st.booleans())
def test_it_keeps_the_promise_and_is_never_worse_than_dp_sgd(epsilon, memory, relation, worst):
    plan = correlated_plan(epsilon=epsilon, memory=memory, worst=worst, relation=relation, **PROMISE)
    plain = Plan.calibrate(epsilon=epsilon, relation=relation, **PROMISE)
    assert plan.guarantee().epsilon(1e-5) <= epsilon
    assert prefix_error(plan, worst=worst) <= prefix_error(plain, worst=worst)
    assert plan.correlation.buffers <= memory
    assert (plan.relation, plan.steps) == (relation, 60)


def test_amplification_wins_at_small_epsilon_and_correlation_at_large():
    little, much = (correlated_plan(epsilon=epsilon, **PROMISE) for epsilon in (0.2, 16.0))
    assert (little.sampling, little.correlation) == (Poisson(), Banded.independent())
    assert not much.correlation.is_independent
    assert prefix_error(much) < 0.7 * prefix_error(Plan.calibrate(epsilon=16.0, **PROMISE))


def test_noise_that_is_forgotten_need_not_be_taken_back():
    plan = correlated_plan(epsilon=4.0, decay=0.3, **PROMISE)
    other = correlated_plan(epsilon=4.0, **PROMISE)
    assert plan.correlation.buffers < other.correlation.buffers
    assert prefix_error(plan, decay=0.3) <= prefix_error(other, decay=0.3)


def test_whole_batches_leave_nothing_to_choose():
    plan = correlated_plan(epsilon=1.0, delta=1e-5, dataset_size=100, batch_size=100, steps=5)
    assert plan.correlation.is_independent


@pytest.mark.parametrize("name", ["noise_multiplier", "sampling", "correlation", "noise_schedule", "clip_schedule"])
def test_what_is_to_be_found_is_not_given(name):
    with pytest.raises(UsageError, match=f"Expected {name} to be found"):
        correlated_plan(epsilon=1.0, **PROMISE, **{name: None})


def test_nonsense_is_refused():
    with pytest.raises(UsageError, match="memory >= 0"):
        correlated_plan(epsilon=1.0, memory=-1, **PROMISE)
    with pytest.raises(UsageError, match="without schedules"):
        prefix_error(Plan(1.0, 100, 10, 5, delta=1e-3, noise_schedule=Schedule(((1, 2.0),))))
