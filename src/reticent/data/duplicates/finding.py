"""Duplicates found: exact ones by the hash of the row, near ones by sketches and then by exact comparison.

Promise: every group of equal rows is found. Rows that are near each other at the threshold are looked at with at least
the probability `recall`, nearer ones more surely (`settings["curve"]`); points of at most twelve dimensions are all
found, by a tree. Whatever is looked at is compared exactly, so no pair is joined that is not near. A random sample of
rows is compared with all rows without sketches; how many of them had a twin that was missed stands in `check`. The same
seed gives the same groups.
Not covered: copies that were edited beyond the threshold, translated, or cut into pieces; images that were cropped,
turned or mirrored.

Shapes: see `reticent.data.duplicates.found`.

Example:
    >>> from reticent.data.duplicates import find_duplicates
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> train = Table.of({"height": [170.0, 181.5, 170.0], "weight": [60.0, 77.0, 90.5]})
    >>> test = Table.of({"height": [181.51], "weight": [77.0]})
    >>> find_duplicates(train, Randomness.simulated(0), against=test)
    Duplicates(3 rows: 0 too many, 0 of them exact, 1 of 1 in both sets)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reticent import _checks
from reticent.data.duplicates.bands import Bands, pairs_of
from reticent.data.duplicates.found import Duplicates, Ints, components
from reticent.data.duplicates.rows import rows_of
from reticent.data.duplicates.sketches import SHINGLE, Points, Sets
from reticent.evidence import Estimate
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness, required

__all__ = ["find_duplicates"]

_SIMILARITY = 0.8
_DISTANCE = 0.1
_AT_ONCE = 2_000_000
_FEW = 12  # dimensions in which a tree finds all pairs
Report = Callable[[str, int, int], None]


def find_duplicates(
    data: Any,
    randomness: Randomness,
    *,
    against: Any = None,
    columns: Sequence[str] | None = None,
    owner: str | None = None,
    way: str = "auto",
    threshold: float | None = None,
    recall: float = 0.99,
    near: bool = True,
    checked: int = 500,
    confidence: float = 0.95,
    progress: Report | None = None,
) -> Duplicates:
    """Find rows that stand several times.

    Args:
        data: a `Table` or what `Table.of` takes, a path to one table, or `Records`.
        randomness: for sketches and the sample.
        against: a second set (for testing), whose rows are looked for in the first one.
        columns: of tables, that are compared; by default all but the owner's.
        owner: of tables, the column that says whose row it is.
        way: what near means, one of `WAYS`, or "auto".
        threshold: the least Jaccard similarity of texts and of cells (default 0.8), or the largest distance of numbers
            and images, in standard deviations (default 0.1).
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
    settings = {"way": rows.way, "columns": list(rows.columns), "repeatable": not source.is_secure}
    if not near:
        return Duplicates(rows.exact, rows.exact, rows.first, rows.owners, rows.labels, {**settings, "near": False}, {})
    report: Report = progress or (lambda *_: None)
    alone = np.unique(rows.exact, return_index=True)[1]  # one row of each exact group
    compared = rows.compared(alone, lambda done, of: report("reading", done, of))
    bar = _bar(compared, threshold)
    bands = None
    if isinstance(compared, Points) and compared.values.shape[1] <= _FEW:
        pairs = compared.all_pairs(bar)
        looked, crowded = len(pairs), 0
    else:
        bands = _bands(compared, bar, recall)
        pairs, looked, crowded = _near(compared, bands, bar, source.spawn("sketches"), report)
    joined = components(len(alone), pairs)
    group = joined[rows.exact]
    settings |= {
        "near": True,
        "threshold": bar,
        "measure": "Jaccard similarity" if isinstance(compared, Sets) else "distance in standard deviations",
        "shingle": SHINGLE if rows.way == "text" else None,
        "bands": bands and bands.bands,
        "rows of a band": bands and bands.rows,
        "curve": bands and _curve(compared, bands, bar),
        "pairs looked at": looked,
        "near pairs": len(pairs),
        "rows in crowded buckets": crowded,
    }
    check = _check(compared, joined, bar, min(checked, len(alone)), source.spawn("check"), confidence)
    return Duplicates(group, rows.exact, rows.first, rows.owners, rows.labels, settings, check)


def _bar(compared: Sets | Points, asked: float | None) -> float:
    if isinstance(compared, Points):
        return _checks.positive(threshold=_DISTANCE if asked is None else asked)
    return _checks.open_fraction(threshold=_SIMILARITY if asked is None else asked)


def _bands(compared: Sets | Points, bar: float, recall: float) -> Bands:
    if isinstance(compared, Sets):
        return Bands.chosen(bar, far=bar / 4, recall=recall)
    return Bands.chosen(compared.agreement(1.0), far=compared.agreement(4.0), recall=recall)


def _near(
    compared: Sets | Points, bands: Bands, bar: float, randomness: Randomness, report: Report
) -> tuple[Ints, int, int]:
    """The pairs that are near, how many were looked at, and how many rows were in crowded buckets."""
    filled = compared.filled
    keys = compared.keys(bands, randomness, bar, lambda done, of: report("sketching", done, of))
    made = pairs_of(keys)
    near, total = [np.zeros((0, 2), np.int64)], len(made.pairs)
    for first in range(0, total, _AT_ONCE):
        part = filled[made.pairs[first : first + _AT_ONCE]]
        near.append(part[compared.near(compared.nearness(part), bar)])
        report("comparing", min(first + _AT_ONCE, total), total)
    return np.concatenate(near), total, made.crowded


def _curve(compared: Sets | Points, bands: Bands, bar: float) -> list[list[float]]:
    """The S-curve: nearness, and the probability that a pair of that nearness is looked at."""
    if isinstance(compared, Sets):
        return [[place / 40, bands.chance(compared.agreement(place / 40))] for place in range(41)]
    return [[bar * place / 10, bands.chance(compared.agreement(place / 10))] for place in range(81)]


def _check(
    compared: Sets | Points, group: Ints, bar: float, wanted: int, randomness: Randomness, confidence: float
) -> dict[str, Estimate]:
    """A sample of rows, without sketches: which have a near twin, and which of them one that is not in their group."""
    if not wanted:
        return {}
    sample = np.sort(randomness.permutation(len(group))[:wanted])
    pairs = compared.neighbours(sample, bar)
    apart = pairs[group[pairs[:, 0]] != group[pairs[:, 1]]]
    twins, missed = len(np.unique(pairs[:, 0])), len(np.unique(apart[:, 0]))
    method = "distinct rows drawn at random and compared with all others"
    found = {
        "rows with a near twin": rate(twins, wanted, method=method, confidence=confidence),
        "rows with a twin that was missed": rate(missed, wanted, method=method, confidence=confidence),
    }
    if twins:
        method = "rows with a near twin among those drawn"
        found["rows all of whose twins were found"] = rate(twins - missed, twins, method=method, confidence=confidence)
    return found
