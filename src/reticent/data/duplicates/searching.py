"""Near pairs of cells, of points and of sets, each with a score; and of shuffled tables, what chance gives.

Promise: whatever is named near was compared exactly. `cells_found` and `points_found` calibrate: the bar is the least
score at which controls (`chance`) have at most the share `chance` of the pairs found; figures of chance are from other
controls than those that made the bar. With `chance=1` nothing is left out, and the figures of chance stand beside.

Shapes: pairs (pairs, 2) int64 of rows; scores (pairs,): bits of cells, minus the distance of points, similarities.

Example:
    >>> import numpy as np
    >>> from reticent.data.duplicates.cells import Cells
    >>> from reticent.data.duplicates.searching import cells_found
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> values = np.random.default_rng(0).normal(size=(200, 6))
    >>> values[1] = values[0] + [0, 0, 3, 0, 0, 0.001]
    >>> cells = Cells.of_table(Table.of({f"c{place}": values[:, place] for place in range(6)}))
    >>> found = cells_found(cells, 1, Randomness.simulated(0), recall=0.99, chance=0.05)
    >>> found.pairs.tolist(), found.differing.tolist(), found.by_chance.pairs
    ([[0, 1]], [1], [0, 0, 0, 0, 0])
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.data.duplicates.bands import Bands, pairs_of
from reticent.data.duplicates.blocking import Plan, candidates, planned
from reticent.data.duplicates.cells import Cells
from reticent.data.duplicates.chance import Shuffled, bar, runs_for, tied
from reticent.data.duplicates.sketches import Points, Sets, mixed
from reticent.randomness import Randomness

__all__ = ["Chance", "Found", "Scored", "cells_found", "exact_by_chance", "points_found", "sets_found"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Report = Callable[[str, int, int], None]
_AT_ONCE = 2_000_000
_DIMENSIONS = 32
_WIDE, _ROWS = 512, 5_000  # of points whose columns' ranks are compared
_STRATA = 4  # pairs that differ in 0, 1, 2 and more cells have a bar each
_FEW = 12  # dimensions in which a tree finds all pairs


class Scored(NamedTuple):
    """Pairs with scores; the number of cells in which they differ, of cells."""

    pairs: Ints
    scores: Floats
    differing: Ints | None
    looked: int
    crowded: int

    def above(self, bars: Floats) -> Scored:
        """Those at or above the bar of their stratum."""
        kept = self.scores >= bars[self.strata(len(bars))]
        differing = None if self.differing is None else self.differing[kept]
        return self._replace(pairs=self.pairs[kept], scores=self.scores[kept], differing=differing)

    def strata(self, count: int) -> Ints:
        """(pairs,) cells in which a pair differs, in so many strata: the more differ, the more is chance."""
        if self.differing is None:
            return np.zeros(len(self.pairs), np.int64)
        return np.minimum(self.differing, count - 1)


@dataclasses.dataclass(frozen=True)
class Chance:
    """What controls have.

    Attributes:
        pairs: near pairs of each control.
        loose: pairs of each that would be near without the bar.
        rows: of the first set, in all controls together.
        near: how many of these are near another of the first set.
        second: rows of the second set, in all controls together.
        across: how many of these are near one of the first set.
    """

    pairs: list[int]
    loose: list[int]
    rows: int
    near: int
    second: int
    across: int


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """Near pairs, how they were looked for, and what chance gives."""

    pairs: Ints
    differing: Ints | None
    bars: Floats
    loose: int
    looked: int
    crowded: int
    plan: Plan | Bands | None
    by_chance: Chance | None
    asked: float = math.nan
    """The threshold that was asked for, of points and sets."""

    @property
    def limit(self) -> float | None:
        """The threshold that was kept to, of points and sets; None if nothing stands out."""
        if not np.isfinite(self.bars[0]):
            return self.asked if self.bars[0] < 0 else None
        return abs(float(self.bars[0]))


def cells_found(
    cells: Cells,
    most: int,
    randomness: Randomness,
    *,
    recall: float,
    chance: float,
    second: npt.NDArray[np.bool_] | None = None,
    report: Report = lambda *_: None,
) -> Found:
    """Rows that differ in at most so many cells, and agree in more than chance explains.

    Args:
        cells: distinct rows.
        most: the largest number of cells that may differ.
        randomness: for bands and controls.
        recall: the least probability that such a pair is compared.
        chance: the largest share of the pairs that chance may explain.
        second: (rows,) which rows are of a second set.
        report: progress.
    """
    plan = planned(cells, most, recall, randomness.spawn("bands"))

    def search(some: Cells, source: Randomness, name: str) -> Scored:
        made = candidates(some, plan, source, lambda done, of: report(name, done, of))
        judged = some.judged(made.pairs, most)
        return Scored(made.pairs[judged.kept], judged.bits, judged.differing, len(made.pairs), made.crowded)

    found = search(cells, randomness.spawn("sketches"), "sketching")
    shuffled = _shuffled(cells, randomness)

    def control(source: Randomness, name: str) -> tuple[Scored, Ints]:
        some = cells.shuffled(shuffled.orders(source.spawn("orders")))
        distinct = np.sort(np.unique(_hashed(some.codes), return_index=True)[1]).astype(np.int64)
        scored = search(some.take(distinct), source.spawn("sketches"), name)
        return scored._replace(pairs=distinct[scored.pairs]), distinct

    return _calibrated(found, plan, control, len(cells), chance, second, randomness, report)


def points_found(
    points: Points,
    most: float,
    randomness: Randomness,
    *,
    recall: float,
    chance: float,
    second: npt.NDArray[np.bool_] | None = None,
    report: Report = lambda *_: None,
    control: bool = True,
) -> Found:
    """Points that are at most so far apart, and nearer than chance explains; see `cells_found`.

    Without `control` nothing is shuffled (pictures: their places mean nothing alone) and nothing left out.
    """
    few = points.values.shape[1] <= _FEW
    plan = None if few else Bands.chosen(points.agreement(1.0), far=points.agreement(4.0), recall=recall)

    def search(some: Points, source: Randomness, name: str) -> Scored:
        if plan is None:
            pairs = some.all_pairs(most)
            return Scored(pairs, -some.nearness(pairs), None, len(pairs), 0)
        return _compared(some, plan, most, source, name, report)

    found = search(points, randomness.spawn("sketches"), "sketching")
    if not control:
        return Found(
            found.pairs, None, np.array([-most]), len(found.pairs), found.looked, found.crowded, plan, None, most
        )
    mixing = _mixing(points, randomness)

    def shuffled(source: Randomness, name: str) -> tuple[Scored, Ints]:
        moved = np.take_along_axis(points.values, mixing.orders(source.spawn("orders")).T, axis=0)
        distinct = np.sort(np.unique(moved, axis=0, return_index=True)[1]).astype(np.int64)
        scored = search(Points(moved[distinct]), source.spawn("sketches"), name)
        return scored._replace(pairs=distinct[scored.pairs]), distinct

    judged = _calibrated(found, plan, shuffled, len(points), chance, second, randomness, report)
    return dataclasses.replace(judged, asked=most)


def sets_found(sets: Sets, least: float, randomness: Randomness, *, recall: float, report: Report) -> Found:
    """Sets that are at least so similar."""
    plan = Bands.chosen(least, far=least / 4, recall=recall)
    found = _compared(sets, plan, least, randomness.spawn("sketches"), "sketching", report)
    return Found(found.pairs, None, np.array([least]), len(found.pairs), found.looked, found.crowded, plan, None, least)


def exact_by_chance(cells: Cells, second: npt.NDArray[np.bool_] | None, randomness: Randomness) -> Chance:
    """How many rows of controls are equal to another one; cells of all rows, equal ones too."""
    shuffled = _shuffled(cells, randomness)
    theirs = np.zeros(len(cells), bool) if second is None else second
    total = np.zeros(4, np.int64)
    pairs = []
    for run in range(runs_for(len(cells))):
        some = cells.shuffled(shuffled.orders(randomness.spawn(f"run {run}")))
        _, group, sizes = np.unique(_hashed(some.codes), return_inverse=True, return_counts=True)
        group = group.reshape(-1)
        mine = np.bincount(group[~theirs], minlength=len(sizes))
        total += [
            int((~theirs).sum()),
            int((mine[group[~theirs]] > 1).sum()),
            int(theirs.sum()),
            int((mine[group[theirs]] > 0).sum()),
        ]
        pairs.append(int((sizes * (sizes - 1) // 2).sum()))
    rows, near, rest, across = (int(one) for one in total)
    return Chance(pairs, pairs, rows, near, rest, across)


def _shuffled(cells: Cells, randomness: Randomness) -> Shuffled:
    source = randomness.spawn("alike")
    return Shuffled.of(
        cells.cluster, lambda columns: cells.sketches(_DIMENSIONS, columns, source), randomness.spawn("leaves")
    )


def _mixing(points: Points, randomness: Randomness) -> Shuffled:
    source, values = randomness.spawn("alike"), points.values

    def sketch(columns: Ints) -> npt.NDArray[np.float32]:
        if len(columns) <= _DIMENSIONS:
            return values[:, columns]
        made: npt.NDArray[np.float32] = values[:, columns] @ source.normal((len(columns), _DIMENSIONS)).astype(
            np.float32
        )
        return made

    width = values.shape[1]
    cluster = np.zeros(width, np.int64)
    if 1 < width <= _WIDE and len(values) > 2:
        ordered = np.argsort(np.argsort(values[:_ROWS], axis=0), axis=0)
        cluster = tied(np.atleast_2d(np.corrcoef(ordered, rowvar=False)) ** 2)
    return Shuffled.of(cluster, sketch, randomness.spawn("leaves"))


def _calibrated(
    found: Scored,
    plan: Plan | Bands | None,
    control: Callable[[Randomness, str], tuple[Scored, Ints]],
    rows: int,
    share: float,
    second: npt.NDArray[np.bool_] | None,
    randomness: Randomness,
    report: Report,
) -> Found:
    """What is found above the bar, with figures of controls that did not make the bar."""
    runs = runs_for(rows)
    strata = 1 if found.differing is None else _STRATA
    bars = np.full(strata, -math.inf)
    if share < 1:
        made = [control(randomness.spawn(f"bar {run}"), "by chance")[0] for run in range(runs)]
        mine = found.strata(strata)
        for one in range(strata):
            chance = np.concatenate([each.scores[each.strata(strata) == one] for each in made])
            bars[one] = bar(found.scores[mine == one], chance, runs, share)
    theirs = np.zeros(rows, bool) if second is None else second
    pairs, loose, total = [], [], np.zeros(4, np.int64)
    for run in range(runs):
        scored, distinct = control(randomness.spawn(f"figures {run}"), "by chance")
        near = scored.above(bars).pairs
        pairs.append(len(near))
        loose.append(len(scored.pairs))
        own = near[~theirs[near].any(axis=1)]
        across = near[theirs[near].sum(axis=1) == 1]
        hit = np.unique(across[theirs[across]])
        total += [int((~theirs[distinct]).sum()), len(np.unique(own)), int(theirs[distinct].sum()), len(hit)]
    chosen = found.above(bars)
    report("calibrating", 1, 1)
    by_chance = Chance(pairs, loose, *(int(one) for one in total))
    return Found(chosen.pairs, chosen.differing, bars, len(found.pairs), found.looked, found.crowded, plan, by_chance)


def _compared(
    compared: Sets | Points, plan: Bands, limit: float, randomness: Randomness, name: str, report: Report
) -> Scored:
    """Pairs whose sketches agree in a band, compared."""
    filled = compared.filled
    made = pairs_of(compared.keys(plan, randomness, limit, lambda done, of: report(name, done, of)))
    total = len(made.pairs)
    near, scores = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    for first in range(0, total, _AT_ONCE):
        part = filled[made.pairs[first : first + _AT_ONCE]]
        nearness = compared.nearness(part)
        kept = compared.near(nearness, limit)
        near.append(part[kept])
        scores.append(nearness[kept] if isinstance(compared, Sets) else -nearness[kept])
        report("comparing", min(first + _AT_ONCE, total), total)
    return Scored(np.concatenate(near), np.concatenate(scores), None, total, made.crowded)


def _hashed(codes: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """(rows,) equal for rows of equal codes."""
    found = np.zeros(codes.shape[1], np.uint64)
    for at, column in enumerate(codes):
        found = mixed(found ^ mixed(column.astype(np.int64).astype(np.uint64) + (np.uint64(at + 1) << np.uint64(48))))
    return found
