"""Duplicates found: exact ones by the hash of the row, near ones by sketches and then by exact comparison.

Promise: every group of equal rows is found. Near rows of a table differ in at most `differ` of their cells and agree,
in the rest, in more than chance explains: the bar is set so that tables shuffled among alike rows have at most the
share `chance` of the near pairs found (`chance` module), and what chance gives stands beside what was found. Texts are
near by their similarity, pictures by their distance; for them there is no figure of chance. Pairs at the threshold are
compared with at least the probability `recall` (`settings["curve"]`); sets of at most 2,000 rows, and points of at most
twelve dimensions, wholly. Whatever is named near was compared exactly. A random sample of rows is compared with all
rows without sketches; how many of them are near a row that was missed stands in `check`. The same seed gives the same
groups.
Not covered: copies that were edited beyond the threshold, translated, or cut into pieces; images that were cropped,
turned or mirrored; copies in tables whose columns tell so little that chance makes rows as near.

Shapes: see `reticent.data.duplicates.found`.

Example:
    >>> import numpy as np
    >>> from reticent.data.duplicates import find_duplicates
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> values = np.random.default_rng(0).normal(100, 20, size=(60, 5)).round(1)
    >>> train = Table.of({f"value {place}": values[:, place] for place in range(5)})
    >>> values[7, 2] = 3.0  # one cell of row 7 is changed
    >>> test = Table.of({f"value {place}": values[5:9, place] for place in range(5)})
    >>> find_duplicates(train, Randomness.simulated(0), against=test)
    Duplicates(60 rows: 0 too many, 0 of them exact, 4 of 4 in both sets)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.duplicates.bands import Bands
from reticent.data.duplicates.blocking import Plan
from reticent.data.duplicates.cells import Cells
from reticent.data.duplicates.checking import check, shares
from reticent.data.duplicates.found import Duplicates
from reticent.data.duplicates.rows import Rows, rows_of
from reticent.data.duplicates.searching import (
    Chance,
    Found,
    cells_found,
    exact_by_chance,
    points_found,
    sets_found,
)
from reticent.data.duplicates.sketches import SHINGLE, Points, Sets
from reticent.errors import UsageError
from reticent.randomness import Randomness, required

__all__ = ["find_duplicates"]

_SIMILARITY = 0.8
_DISTANCE = 0.1
_CHANCE = 0.05
Report = Callable[[str, int, int], None]


def find_duplicates(
    data: Any,
    randomness: Randomness,
    *,
    against: Any = None,
    columns: Sequence[str] | None = None,
    owner: str | None = None,
    way: str = "auto",
    differ: int | None = None,
    threshold: float | None = None,
    chance: float | None = None,
    recall: float = 0.99,
    near: bool = True,
    checked: int = 500,
    confidence: float = 0.95,
    progress: Report | None = None,
) -> Duplicates:
    """Find rows that stand several times.

    Args:
        data: a `Table` or what `Table.of` takes, a path to one table, or `Records`.
        randomness: for sketches, shuffled tables and the sample.
        against: a second set (for testing), whose rows are looked for in the first one.
        columns: of tables, that are compared; by default all but the owner's.
        owner: of tables, the column that says whose row it is.
        way: what near means, one of `WAYS`, or "auto".
        differ: of cells, the most that may differ in near rows; by default one, or a tenth of them if that is more.
        threshold: the least Jaccard similarity of texts (default 0.8), or the largest distance of numbers and images,
            in robust standard deviations (at most 0.1 by default).
        chance: of cells and numbers, the largest share of near pairs that chance may explain (default 0.05; 1: any, and
            also if a `threshold` of numbers is given).
        recall: the least probability that a pair at the threshold is found.
        near: whether to look for near ones at all.
        checked: how many rows to compare with all others without sketches.
        confidence: of the intervals.
        progress: called with a name, how much is done, and of how much.

    Raises:
        UsageError: an option out of its range, or one that does not fit the data.
        DataError: no rows, or two sets that cannot be compared.
    """
    source = required(randomness)
    _checks.open_fraction(recall=recall)
    _checks.at_least(0, checked=checked)
    rows = rows_of(data, against, way=way, columns=columns, owner=owner)
    _fitting(rows.way, differ, threshold, chance)
    settings: dict[str, Any] = {"way": rows.way, "columns": list(rows.columns), "repeatable": not source.is_secure}
    report: Report = progress or (lambda *_: None)
    alone = np.unique(rows.exact, return_index=True)[1]  # one row of each exact group
    second = alone >= rows.first
    cells, equal = _cells(rows, alone, source.spawn("equal"), report)
    if not near:
        by = shares(None, equal, rows, alone, confidence)
        none = np.zeros((0, 2), np.int64)
        return Duplicates(
            rows.exact, none, None, rows.first, rows.owners, rows.labels, {**settings, "near": False}, {}, by
        )
    compared: Any = cells if rows.way == "cells" else rows.compared(alone, lambda done, of: report("reading", done, of))
    found = _found(
        compared,
        differ,
        threshold,
        chance,
        source,
        recall=recall,
        second=second,
        report=report,
        picture=rows.way == "images",
    )
    settings |= {"near": True, "recall": recall, **_said(compared, found, differ, threshold, chance)}
    settings["shingle"] = SHINGLE if rows.way == "text" else None
    return Duplicates(
        rows.exact,
        found.pairs,
        found.differing,
        rows.first,
        rows.owners,
        rows.labels,
        settings,
        check(compared, found, settings["differ"], checked, source.spawn("check"), confidence),
        shares(found, equal, rows, alone, confidence),
    )


def _fitting(way: str, differ: int | None, threshold: float | None, chance: float | None) -> None:
    if differ is not None:
        _checks.at_least(0, differ=differ)
        if way != "cells":
            raise UsageError(f"Expected differ for cells only, got it for {way}.", "Choose a threshold instead.")
    if threshold is not None and way == "cells":
        raise UsageError(
            "Expected no threshold for cells, got one.",
            "Say how many cells may differ (differ), or choose another way (text, numbers).",
        )
    if threshold is not None:
        (_checks.open_fraction if way == "text" else _checks.positive)(threshold=threshold)
    if chance is not None:
        _checks.fraction(chance=chance)
        if way in ("text", "images"):
            raise UsageError(f"Expected chance for cells and numbers only, got it for {way}.", "Choose a threshold.")


def _cells(
    rows: Rows, alone: npt.NDArray[np.int64], randomness: Randomness, report: Report
) -> tuple[Cells, Chance | None]:
    """The distinct rows as cells, and how many rows chance makes equal; of texts and pictures nothing is known."""
    if rows.way not in ("cells", "numbers") or not rows.has_cells:
        return Cells.none(len(alone)), None
    report("reading", 0, 1)
    cells = Cells.of_table(rows.table(alone))
    report("reading", 1, 1)
    if not cells.columns:
        return cells, None
    return cells, exact_by_chance(cells.take(rows.exact), np.arange(len(rows)) >= rows.first, randomness)


def _found(
    compared: Cells | Points | Sets,
    differ: int | None,
    threshold: float | None,
    chance: float | None,
    source: Randomness,
    *,
    recall: float,
    second: npt.NDArray[np.bool_],
    report: Report,
    picture: bool,
) -> Found:
    if isinstance(compared, Sets):
        bar = _SIMILARITY if threshold is None else threshold
        return sets_found(compared, bar, source, recall=recall, report=report)
    if isinstance(compared, Points):
        bar = _DISTANCE if threshold is None else threshold
        share = chance if chance is not None else _CHANCE if threshold is None else 1.0
        return points_found(
            compared, bar, source, recall=recall, chance=share, second=second, report=report, control=not picture
        )
    most = _most(compared, differ)
    share = _CHANCE if chance is None else chance
    return cells_found(compared, most, source, recall=recall, chance=share, second=second, report=report)


def _most(cells: Cells, asked: int | None) -> int:
    """How many cells may differ; at least one must not."""
    if asked is None:
        return min(max(1, cells.columns // 10), max(0, cells.columns - 1))
    if asked and asked >= cells.columns:
        raise UsageError(
            f"Expected differ below the number of cells that vary, which is {cells.columns}, got {asked}.",
            "Let fewer cells differ, or compare more columns.",
        )
    return asked


def _said(
    compared: Cells | Points | Sets, found: Found, differ: int | None, threshold: float | None, chance: float | None
) -> dict[str, Any]:
    """How near rows were looked for, in plain values."""
    said: dict[str, Any] = {
        "differ": None,
        "cells": None,
        "threshold": None,
        "short texts": None,
        "chance": chance,
        "bands": None,
        "rows of a band": None,
        "curve": None,
        "pairs looked at": found.looked,
        "pairs before calibration": found.loose,
        "near pairs": len(found.pairs),
        "rows in crowded buckets": found.crowded,
        "by chance": None if found.by_chance is None else _by_chance(found.by_chance),
    }
    bars = [float(one) if math.isfinite(one) else None for one in found.bars]
    if isinstance(compared, Cells):
        most = _most(compared, differ)
        said |= {"measure": "cells that differ", "differ": most, "cells": compared.columns, "bits": bars[: most + 1]}
        said["chance"] = _CHANCE if chance is None else chance
        if isinstance(found.plan, Plan):
            reach = range(min(compared.columns, 2 * most + 2) + 1)
            said |= {"bands": len(found.plan.bands), "curve": [[place, found.plan.chance(place)] for place in reach]}
        return said
    if isinstance(compared, Sets):
        bar = _SIMILARITY if threshold is None else threshold
        filled = np.diff(compared.starts)[compared.filled]
        short = filled * (1 - bar) < SHINGLE * (1 + bar)  # (n - 5) / (n + 5) is less than the threshold
        said |= {
            "measure": "Jaccard similarity",
            "threshold": bar,
            "short texts": float(short.mean()) if len(short) else 0.0,
        }
    else:
        said |= {"measure": "distance in robust standard deviations"}
        said |= {"threshold": found.limit, "asked": found.asked}
        if found.by_chance is not None:
            said["chance"] = chance if chance is not None else _CHANCE if threshold is None else 1.0
    if isinstance(found.plan, Bands):
        said |= {"bands": found.plan.bands, "rows of a band": found.plan.rows}
        said["curve"] = _curve(compared, found.plan, found.asked)
    return said


def _by_chance(chance: Chance) -> dict[str, Any]:
    return {
        "tables": len(chance.pairs),
        "near pairs": sum(chance.pairs) / len(chance.pairs),
        "most near pairs": max(chance.pairs),
        "pairs before calibration": sum(chance.loose) / len(chance.loose),
    }


def _curve(compared: Sets | Points, bands: Bands, bar: float) -> list[list[float]]:
    """The S-curve: nearness, and the probability that a pair of that nearness is looked at."""
    if isinstance(compared, Sets):
        return [[place / 40, bands.chance(compared.agreement(place / 40))] for place in range(41)]
    return [[bar * place / 10, bands.chance(compared.agreement(place / 10))] for place in range(81)]
