"""What is kept of reference models: for each record and side, how many models, their mean, and their spread.

Promise: counts, means and sums of squared deviations are those of the definition, computed around the means, so that a
large common offset costs no digits; `without` gives what is left when one model is taken out, without a second look at
the others.

Shapes: (2, records) everywhere, members' side first.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership.moments import Moments
    >>> values = np.array([[1.0, 5.0], [3.0, 6.0], [9.0, 8.0]])
    >>> membership = np.array([[True, False], [True, False], [False, False]])
    >>> kept = Moments.of(values, membership)
    >>> kept.count.tolist(), float(kept.mean[0, 0]), float(kept.residual[0, 0])
    ([[2, 0], [1, 3]], 2.0, 2.0)
    >>> float(kept.without(0, values[0], membership[0]).mean[0, 0])
    3.0
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Moments"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
_BLOCK = 4096  # records at a time: what is worked on stays in the cache


@dataclasses.dataclass(frozen=True)
class Moments:
    """Counts, means and sums of squared deviations from them, of reference models with (0) and without (1) a record.

    Attributes:
        count: (2, records) models on a side.
        mean: (2, records) their mean; of no meaning where there are none.
        residual: (2, records) sum of squared deviations from the mean.
    """

    count: npt.NDArray[np.int64]
    mean: Floats
    residual: Floats

    @classmethod
    def of(cls, values: Floats, membership: Booleans) -> Moments:
        """The moments of (models, records) values."""
        records = values.shape[1]
        count = np.empty((2, records), dtype=np.int64)
        mean, residual = np.empty((2, records)), np.empty((2, records))
        for start in range(0, records, _BLOCK):
            part = slice(start, start + _BLOCK)
            centre = values[:, part].mean(axis=0)
            moved = values[:, part] - centre
            for side, own in enumerate((membership[:, part], ~membership[:, part])):
                count[side, part] = own.sum(axis=0)
                middle = (moved * own).sum(axis=0) / np.maximum(count[side, part], 1)
                mean[side, part] = centre + middle
                residual[side, part] = (np.square(moved - middle) * own).sum(axis=0)
        return cls(count, mean, residual)

    def without(self, model: int, row: Floats, inside: Booleans) -> Moments:
        """What is left without one of the models.

        Args:
            model: its number; not needed here.
            row: (records,) its values.
            inside: (records,) its membership.
        """
        own = np.stack([inside, ~inside])
        count = self.count - own
        step = (row - self.mean) * own
        mean = self.mean - step / np.maximum(count, 1)
        left = np.maximum(self.residual - step * (row - mean), 0.0)
        return Moments(count, np.where(count > 0, mean, 0.0), np.where(count > 1, left, 0.0))

    def take(self, records: Any) -> Moments:
        """Those of some records: numbers, or a slice."""
        return Moments(self.count[:, records], self.mean[:, records], self.residual[:, records])

    def within(self, side: int) -> float | None:
        """The variance of a model's value around its record's mean, pooled over records; None if no record tells."""
        free = int(np.maximum(self.count[side] - 1, 0).sum())
        return float(self.residual[side].sum() / free) if free else None
