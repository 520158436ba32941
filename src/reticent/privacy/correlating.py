"""Which correlation of noise to take: the plan of least error among those that keep a promise.

Promise: the plan that is returned keeps the promise, as every calibrated plan does, and no other candidate has a
smaller `prefix_error`. DP-SGD with independent noise is a candidate, so nothing is lost in this measure by asking.

The measure is the root mean square error that noise leaves in the running sums of gradients, which is what gradient
descent at a constant learning rate adds up; `momentum` and `decay` weigh steps otherwise. How it translates into
accuracy depends on the network and the data: measure it. Where a loss pulls parameters back, old noise is forgotten
anyway, and cancelling it is worth little (a smaller `decay` says so). Correlation pays where epsilon is large or passes
are few; where epsilon is small, amplification by sampling from all units is worth more.

Candidates: Poisson samples with independent noise; 2, 4, 8 ... groups with as many bands (Choquette-Choo et al., 2023);
a fixed order, in groups that come whole, with up to five buffers (McMahan, Xu and Zhang, 2024).

Example:
    >>> from reticent.privacy import correlated_plan, prefix_error
    >>> plans = [
    ...     correlated_plan(epsilon=epsilon, delta=1e-5, dataset_size=10_000, batch_size=500, epochs=5)
    ...     for epsilon in (0.5, 8.0)
    ... ]
    >>> [plan.correlation.text() for plan in plans]
    ['independent noise', 'noise correlated by 8 bands']
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypedDict

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import toeplitz
from reticent.privacy.correlations import Banded, BufferedToeplitz, Correlation, workload
from reticent.privacy.plan import Plan
from reticent.privacy.samplers import Sampler
from reticent.privacy.turns import Cyclic

__all__ = ["correlated_plan", "prefix_error"]

_MOST_BUFFERS = 5


class _Work(TypedDict):
    momentum: float
    decay: float
    worst: bool


def prefix_error(plan: Plan, *, momentum: float = 0.0, decay: float = 1.0, worst: bool = False) -> float:
    """The root mean square (or largest) error of the running sums of gradients, in clipping norms, for each number.

    Args:
        plan: whose noise.
        momentum: of the optimizer: see `workload`.
        decay: of parameters: see `workload`.
        worst: the largest error instead of the mean one.

    Raises:
        UsageError: a schedule changes the noise on the way.
    """
    if not (plan.noise_schedule.is_constant and plan.clip_schedule.is_constant):
        raise UsageError("Expected a plan without schedules, got one that has some.", "Compare plans without them.")
    response = plan.correlation.response(workload(plan.steps, momentum=momentum, decay=decay))
    return plan.noise_multiplier * plan.noise_scale * math.sqrt(toeplitz.errors(response, worst=worst))


def correlated_plan(
    *, memory: int = 16, momentum: float = 0.0, decay: float = 1.0, worst: bool = False, **promise: Any
) -> Plan:
    """The plan of least `prefix_error` that keeps a promise.

    Args:
        memory: noise may remember at most so many numbers for each parameter.
        momentum: of the optimizer: see `workload`.
        decay: of parameters: see `workload`.
        worst: compare the largest error of a running sum instead of the mean one.
        promise: epsilon, delta, dataset_size, batch_size, and epochs or steps; and what else `Plan.calibrate` takes
            beside noise, sampling, correlation and schedules.

    Raises:
        UsageError: see `Plan.calibrate`.
    """
    mine = {"noise_multiplier", "sampling", "correlation", "noise_schedule", "clip_schedule"} & set(promise)
    if mine:
        raise UsageError(f"Expected {min(mine)} to be found, got it.", "Leave it out, or use Plan.calibrate.")
    memory = _checks.at_least(0, memory=memory)
    plan = Plan.calibrate(**promise)
    work: _Work = {"momentum": momentum, "decay": decay, "worst": worst}
    found = [plan]
    found += [
        Plan.calibrate(**promise, sampling=sampling, correlation=correlation)
        for sampling, correlation in _candidates(plan, memory, work)
    ]
    return min(found, key=lambda plan: prefix_error(plan, **work))


def _candidates(plan: Plan, memory: int, work: _Work) -> Iterator[tuple[Sampler, Correlation]]:
    groups = plan.dataset_size // plan.batch_size
    bands = 2
    while bands <= min(groups, plan.steps, memory + 1):
        yield Cyclic(bands), Banded.optimal(plan.steps, bands, **work)
        bands *= 2
    if groups > 1 and memory:
        buffers, apart = min(memory, _MOST_BUFFERS), min(groups, plan.steps)
        yield Cyclic(groups), BufferedToeplitz.optimal(plan.steps, buffers, separation=apart, **work)
