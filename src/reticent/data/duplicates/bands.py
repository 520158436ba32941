"""Which pairs of rows are worth a look: those whose sketches agree in a whole band (locality-sensitive hashing).

Promise: two rows whose sketches agree in each place with probability p become a pair with probability
`Bands.chance(p)` = 1 - (1 - p^rows)^bands, the S-curve. For MinHash p is the rows' Jaccard similarity; for rounded
projections see `sketches.Points`. `Bands.chosen` takes the cheapest sketch that finds pairs at the threshold with at
least the probability that was asked for, and far ones seldom.
A bucket of very many rows gives each of them only its next `NEIGHBOURS` neighbours as pairs; `Pairs.crowded` counts the
rows of such buckets, for which the curve does not hold.

Sources: Broder (1997), MinHash; Indyk and Motwani (1998); Leskovec, Rajaraman and Ullman (2020), section 3.4.

Shapes: keys (rows, bands) uint64; pairs (pairs, 2) int64, the smaller row first, each once.

Example:
    >>> from reticent.data.duplicates import Bands
    >>> bands = Bands.chosen(0.8, far=0.2, recall=0.99)
    >>> bands, round(bands.chance(0.8), 3), round(bands.chance(0.2), 4)
    (Bands(bands=16, rows=6), 0.992, 0.001)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import DataError, UsageError

__all__ = ["MOST", "NEIGHBOURS", "Bands", "Pairs", "few_enough", "pairs_of"]

NEIGHBOURS = 64
MOST = 50_000_000
_MOST_ROWS = 24
_MOST_PLACES = 4096
_FAR = 2e-3


class Bands(NamedTuple):
    """A sketch of `bands` bands with `rows` places each."""

    bands: int
    rows: int

    @property
    def places(self) -> int:
        """How long the sketch is."""
        return self.bands * self.rows

    def chance(self, agreement: float) -> float:
        """The probability that a pair is looked at, if its sketches agree in each place with this probability."""
        return float(1 - (1 - agreement**self.rows) ** self.bands)

    @classmethod
    def chosen(cls, near: float, *, far: float, recall: float) -> Bands:
        """The shortest sketch with `chance(near) >= recall`, and `chance(far)` at most 0.2 % if that is possible.

        Args:
            near: agreement of pairs at the threshold, in (0, 1].
            far: agreement of pairs that are nothing to each other, below `near`.
            recall: the least probability of finding a pair at the threshold.
        """
        _checks.open_fraction(recall=recall)
        if not 0 <= far < near <= 1:
            raise UsageError(f"Expected far < near, got far={far}, near={near}.", "Ask for more similar pairs.")
        found = []
        for rows in range(1, _MOST_ROWS + 1):
            missed = 1 - near**rows
            bands = 1 if missed <= 0 else max(1, math.ceil(math.log(1 - recall) / math.log(missed)))
            if bands * rows <= _MOST_PLACES:
                found.append(cls(bands, rows))
        quiet = [one for one in found if one.chance(far) <= _FAR]
        return min(quiet, key=lambda one: one.places) if quiet else min(found, key=lambda one: one.chance(far))


class Pairs(NamedTuple):
    """Pairs to look at.

    Attributes:
        pairs: (pairs, 2).
        crowded: how many rows stand in buckets in which not every pair was made.
    """

    pairs: npt.NDArray[np.int64]
    crowded: int


def pairs_of(keys: npt.NDArray[np.uint64]) -> Pairs:
    """The pairs of rows that agree in some band.

    Args:
        keys: (rows, bands), equal where a whole band of two sketches is.

    Raises:
        DataError: more than `MOST` pairs: the sketches tell nothing apart.
    """
    rows = len(keys)
    found, crowded = np.zeros(0, np.int64), np.zeros(rows, bool)
    for band in range(keys.shape[1]):
        order = np.argsort(keys[:, band], kind="stable")
        ranked = keys[order, band]
        fresh = []
        for apart in range(1, min(NEIGHBOURS, rows - 1) + 1):
            same = np.flatnonzero(ranked[apart:] == ranked[:-apart])
            if not len(same):
                break
            first, second = order[same], order[same + apart]
            fresh.append(np.minimum(first, second) * rows + np.maximum(first, second))
        else:
            beyond = NEIGHBOURS + 1
            if rows > beyond:
                full = np.flatnonzero(ranked[beyond:] == ranked[:-beyond])
                crowded[order[full]] = crowded[order[full + beyond]] = True
        if fresh:
            found = _distinct(np.concatenate([found, *fresh]))
            few_enough(len(found))
    return Pairs(np.stack(np.divmod(found, max(1, rows)), axis=1), int(crowded.sum()))


def _distinct(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sorted, each once: for millions of whole numbers several times as fast as `numpy.unique` by hashes."""
    values = np.sort(values)
    fresh = np.ones(len(values), bool)
    fresh[1:] = values[1:] != values[:-1]
    return values[fresh]


def few_enough(pairs: int) -> None:
    """Raise `DataError` for more pairs than can be compared."""
    if pairs > MOST:
        raise DataError(
            f"Expected at most {MOST} pairs of rows to be near, or to look it, got more.",
            "Ask for closer copies (threshold), or compare more columns.",
        )
