"""Batches that are what the accountant thinks they are.

Promise: `poisson_batches` gives exactly `steps` batches; in each, every index takes part independently with the same
probability. Empty batches are given too: skipping one would tell something about the data and would not be accounted.
`fixed_size_batches` gives batches of one size, each a uniform choice among all sets of that size, independent of the
others. `planned_batches` gives those that a plan is accounted for.

Example:
    >>> from reticent.randomness import Randomness
    >>> from reticent.training import poisson_batches
    >>> batches = list(poisson_batches(1000, sample_rate=0.05, steps=20, randomness=Randomness.secure()))
    >>> len(batches), all(len(batch) < 150 for batch in batches)
    (20, True)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import Plan
from reticent.randomness import Randomness, required

__all__ = ["fixed_size_batches", "planned_batches", "poisson_batches", "shuffled_batches"]


def poisson_batches(
    size: int, *, sample_rate: float, steps: int, randomness: Randomness, start: int = 0
) -> Iterator[npt.NDArray[np.int64]]:
    """`steps` sorted index arrays, each a fresh Poisson sample of 0 .. size-1.

    Each batch has a stream of its own, so that a repeatable run can go on at batch `start` without drawing the others.
    """
    _checks.at_least(1, size=size)
    _checks.fraction(sample_rate=sample_rate)
    required(randomness)
    for number in range(start, start + _checks.at_least(0, steps=steps)):
        yield np.flatnonzero(randomness.spawn(f"batch {number}").bernoulli(sample_rate, size))


def fixed_size_batches(
    size: int, *, batch_size: int, steps: int, randomness: Randomness, start: int = 0
) -> Iterator[npt.NDArray[np.int64]]:
    """`steps` sorted arrays of `batch_size` different indices of 0 .. size-1; a tie of two keys is the only bias."""
    _checks.at_least(1, size=size)
    if _checks.at_least(1, batch_size=batch_size) > size:
        raise UsageError(f"Expected batch_size <= {size}, got batch_size={batch_size}.", "Pass a smaller batch.")
    required(randomness)
    for number in range(start, start + _checks.at_least(0, steps=steps)):
        keys = randomness.spawn(f"batch {number}").bits(size)
        yield np.sort(np.argpartition(keys, batch_size - 1)[:batch_size])


def planned_batches(
    plan: Plan, *, steps: int, randomness: Randomness, start: int = 0
) -> Iterator[npt.NDArray[np.int64]]:
    """`steps` batches of the kind that the plan is accounted for, from the one with number `start` on."""
    if plan.sampling == "fixed_size":
        return fixed_size_batches(
            plan.dataset_size, batch_size=plan.batch_size, steps=steps, randomness=randomness, start=start
        )
    return poisson_batches(
        plan.dataset_size, sample_rate=plan.sample_rate, steps=steps, randomness=randomness, start=start
    )


def shuffled_batches(
    size: int, *, batch_size: int, randomness: Randomness, epoch: int = 0
) -> Iterator[npt.NDArray[np.int64]]:
    """One pass over 0 .. size-1 in random order, for training without a promise; the last batch may be smaller."""
    _checks.at_least(1, batch_size=batch_size)
    order = required(randomness).spawn(f"epoch {epoch}").permutation(size)
    for start in range(0, size, batch_size):
        yield order[start : start + batch_size]
