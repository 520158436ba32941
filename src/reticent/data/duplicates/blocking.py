"""Which pairs of rows are worth comparing cell by cell: those that agree in a few columns drawn at random.

Promise: a band is some columns; two rows that agree in all of them are compared. Bands are drawn until a pair that
differs in the most cells that near rows may, and is equal in the rest, is compared with at least the probability
`recall` (`Plan.chance` says how probable it is); half of the bands take close numbers and similar texts for equal,
with a probability that falls with their distance. A small set is compared pair by pair. A band that could not tell rows
apart even with all the columns it may have is left out (`Plan.dropped`); `Plan.chance` knows of that.

Sources: Indyk and Motwani (1998), bit sampling; Leskovec, Rajaraman and Ullman (2020), section 3.4.

Shapes: keys (rows, bands) uint64; pairs (pairs, 2) int64.

Example:
    >>> from reticent.data.duplicates.blocking import Band, Plan
    >>> plan = Plan(7, (Band((0, 1, 2), False), Band((3, 4, 6), True)), 0)
    >>> [round(plan.chance(changed), 3) for changed in (0, 1, 7)]
    [1.0, 0.816, 0.0]
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.data.duplicates.bands import Pairs, pairs_of
from reticent.data.duplicates.cells import Cells
from reticent.data.duplicates.sketches import Progress, mixed
from reticent.randomness import Randomness

__all__ = ["EVERY", "Band", "Plan", "candidates", "planned"]

EVERY = 2_000
"""The most rows of which all pairs are compared."""
_SAMPLE = 20_000
_LEAST, _MOST = 32, 192  # bands
_CROWD, _PAIRS = 16, 300_000  # the most pairs per row, or pairs in all, that a band may make
_TRIES = 4


class Band(NamedTuple):
    """Columns whose agreement makes a pair; coarse: agreement of what is close."""

    columns: tuple[int, ...]
    coarse: bool


class Plan(NamedTuple):
    """The bands of rows with so many cells, and how many more were of no use."""

    cells: int
    bands: tuple[Band, ...]
    dropped: int

    def chance(self, changed: int) -> float:
        """The probability that two rows are compared that differ in so many cells and are equal in the rest."""
        if self.cells < 1:
            return 0.0
        missed = 1.0
        for band in self.bands:
            size = len(band.columns)
            missed *= 1 - math.comb(self.cells - changed, size) / math.comb(self.cells, size)
        return 1 - missed


def planned(cells: Cells, most: int, recall: float, randomness: Randomness) -> Plan | None:
    """Bands for rows of which near ones differ in at most so many cells; none if all pairs are to be compared."""
    rows = len(cells)
    if rows <= EVERY:
        return None
    sample = cells.take(np.sort(randomness.permutation(rows)[:_SAMPLE]))
    found: list[Band] = []
    missed, dropped = 1.0, 0
    while len(found) < _LEAST or (missed > 1 - recall and len(found) < _MOST):
        band = _band(sample, rows, most, len(found) % 2 == 1, randomness)
        if band is None:
            dropped += 1
            if dropped > _TRIES * (len(found) + _LEAST):
                break
            continue
        found.append(band)
        size = len(band.columns)
        missed *= 1 - math.comb(cells.columns - most, size) / math.comb(cells.columns, size)
    return Plan(cells.columns, tuple(found), dropped)


def candidates(cells: Cells, plan: Plan | None, randomness: Randomness, progress: Progress | None = None) -> Pairs:
    """The pairs that are worth comparing."""
    rows = len(cells)
    if plan is None:
        one, other = np.triu_indices(rows, 1)
        return Pairs(np.stack([one, other], axis=1).astype(np.int64), 0)
    keys = np.zeros((rows, len(plan.bands)), np.uint64)
    for place, band in enumerate(plan.bands):
        for at in band.columns:
            keys[:, place] = _with(keys[:, place], cells, at, band.coarse, randomness)
        if progress is not None:
            progress(place + 1, len(plan.bands))
    return pairs_of(keys)


def _band(sample: Cells, rows: int, most: int, coarse: bool, randomness: Randomness) -> Band | None:
    """Columns in random order until few enough rows agree in all of them."""
    order = randomness.permutation(sample.columns)[: max(1, sample.columns - most)]
    keys = np.zeros(len(sample), np.uint64)
    scale = (rows / len(sample)) ** 2
    pairs = math.inf
    for place, at in enumerate(order):
        keys = _with(keys, sample, int(at), coarse, randomness)
        counts = np.unique(keys, return_counts=True)[1].astype(np.float64)
        pairs = float((counts * (counts - 1)).sum()) / 2 * scale
        if pairs <= rows:
            return Band(tuple(int(one) for one in order[: place + 1]), coarse)
    return Band(tuple(int(one) for one in order), coarse) if pairs <= max(_CROWD * rows, _PAIRS) else None


def _with(
    keys: npt.NDArray[np.uint64], cells: Cells, at: int, coarse: bool, randomness: Randomness
) -> npt.NDArray[np.uint64]:
    """The keys with one more column in them."""
    buckets = mixed(cells.features[at].buckets(randomness, coarse=coarse) + (np.uint64(at + 1) << np.uint64(48)))
    return mixed(keys ^ buckets[cells.codes[at]])
