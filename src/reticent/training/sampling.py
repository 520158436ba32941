"""The batches of a training: those that a plan is accounted for, and ordinary shuffled ones.

Promise: `planned_batches` are drawn by the plan's own sampler (`reticent.privacy.samplers`), the object that its charge
comes from. `shuffled_batches` are for training without a promise.

Example:
    >>> import reticent as rt
    >>> from reticent.training import planned_batches
    >>> plan = rt.Plan(1.0, dataset_size=1000, batch_size=50, steps=20)
    >>> batches = planned_batches(plan, rt.Randomness.secure())
    >>> all(len(batches[number]) < 150 for number in range(plan.steps))
    True
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.privacy import Batches, Plan
from reticent.randomness import Randomness, required

__all__ = ["planned_batches", "shuffled_batches"]


def planned_batches(plan: Plan, randomness: Randomness) -> Batches:
    """The batches that the plan is accounted for, by their numbers."""
    return Batches(plan.sampling, plan.dataset_size, plan.batch_size, randomness)


def shuffled_batches(
    size: int, *, batch_size: int, randomness: Randomness, epoch: int = 0
) -> Iterator[npt.NDArray[np.int64]]:
    """One pass over 0 .. size-1 in random order, for training without a promise; the last batch may be smaller."""
    _checks.at_least(1, batch_size=batch_size)
    order = required(randomness).spawn(f"epoch {epoch}").permutation(size)
    for start in range(0, size, batch_size):
        yield order[start : start + batch_size]
