"""Batches as lists, and as tables of which unit is in which batch."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from reticent.privacy import Batches, Poisson, Sampler
from reticent.randomness import Randomness


def batches_of(
    size: int, batch_size: int, steps: int, source: Randomness, sampler: Sampler | None = None
) -> list[npt.NDArray[np.int64]]:
    """The first batches of a sampler: Poisson samples by default."""
    batches = Batches(Poisson() if sampler is None else sampler, size, batch_size, source)
    return [batches[number] for number in range(steps)]


def incidence(batches: Iterable[npt.NDArray[np.int64]], size: int) -> npt.NDArray[np.bool_]:
    """(steps, units) which unit is in which batch; none may be there twice."""
    rows = []
    for batch in batches:
        row = np.zeros(size, dtype=bool)
        row[batch] = True
        assert row.sum() == len(batch), "a unit occurs twice in a batch"
        rows.append(row)
    return np.stack(rows)
