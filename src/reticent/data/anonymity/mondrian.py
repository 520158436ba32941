"""Multidimensional partitioning (Mondrian): the table is halved again and again, as long as both halves reach the goal.

Promise: every part reaches the goal, and no row is left out. A part is cut at the median of the column in which it is
widest (values between its ends, as a share of the whole column); if a half would miss the goal, the next widest column
is tried. Parts are generalised each for itself, so the same value can be said exactly in one part and roughly in
another: less is lost than with whole columns, and analyses that compare rows have to cope with ranges of different
widths.

How: all parts of a round are cut at once: rows are sorted by part and value, medians are read off, and the goal is
judged for all halves together. Numbers and dates are cut by value; texts by their order, or by that of a tree if they
have one. Greedy, not optimal.

Missing values come before all others. New rows go down the same cuts; a text that was not there before, and a missing
value where there was none, belong to no part.

Source: LeFevre, DeWitt and Ramakrishnan (2006), strict partitioning.

Shapes: ranks (rows, columns) int64; cuts are numbered from the root, 0; leaves have no column (-1).

Example:
    >>> import numpy as np
    >>> from reticent.data.anonymity.goals import Cells, Goal
    >>> from reticent.data.anonymity.mondrian import partition
    >>> cells = lambda of, parts: Cells(np.bincount(of, minlength=parts), None, ())
    >>> found = partition(np.array([[1], [2], [3], [4]]), cells, Goal(k=2))
    >>> found.part.tolist(), found.column.tolist(), found.cut.tolist()
    ([1, 1, 2, 2], [0, -1, -1], [2, -1, -1])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.anonymity.counting import Floats, Ints
from reticent.data.anonymity.goals import Cells, Goal
from reticent.errors import NotEnoughEvidence

__all__ = ["Cuts", "down", "partition", "regions"]

Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, eq=False)
class Cuts:
    """A tree of cuts, and where rows came to.

    Attributes:
        column: (nodes,) which column is cut; -1 at a leaf.
        cut: (nodes,) ranks up to this one go left; -1 at a leaf.
        left: (nodes,) the node of those; the right one is the next. -1 at a leaf.
        part: (rows,) the leaf of each row.
    """

    column: Ints
    cut: Ints
    left: Ints
    part: Ints


def partition(
    ranks: Ints,
    cells: Callable[[Ints, int], Cells],
    goal: Goal,
    *,
    places: tuple[Floats, ...] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Cuts:
    """Cut a table into parts that reach a goal.

    Args:
        ranks: (rows, columns) the place of each value among its column's, from 0.
        cells: what the goal has to know of classes of rows, given each row's class (or -1 for none) and their number.
        goal: to reach.
        places: for each column (distinct,) where its values lie, to say how wide a part is; the ranks if not given.
        progress: called with rows in finished parts, and all rows.

    Raises:
        NotEnoughEvidence: the table as a whole misses the goal.
    """
    rows, width = ranks.shape
    if goal.violating(cells(np.zeros(rows, dtype=np.int64), 1)).any():
        raise NotEnoughEvidence(
            f"Expected a table that reaches {goal} at least as one part, got one that does not.", "Ask for less."
        )
    at = places or tuple(np.arange(int(ranks[:, j].max()) + 1, dtype=np.float64) for j in range(width))
    column, cut, left = [-1], [-1], [-1]
    part, open_rows = np.zeros(rows, dtype=np.int64), np.arange(rows)
    while len(open_rows):
        nodes, local = np.unique(part[open_rows], return_inverse=True)
        chosen, where = _cut(ranks[open_rows], local, len(nodes), open_rows, cells, goal, at, rows)
        done = chosen < 0
        for i in np.flatnonzero(~done):
            column[nodes[i]], cut[nodes[i]], left[nodes[i]] = int(chosen[i]), int(where[i]), len(column)
            column += [-1, -1]
            cut += [-1, -1]
            left += [-1, -1]
        open_rows, local = open_rows[~done[local]], local[~done[local]]
        over = ranks[open_rows, chosen[local]] > where[local]
        part[open_rows] = np.asarray(left, dtype=np.int64)[nodes[local]] + over
        if progress is not None:
            progress(rows - len(open_rows), rows)
    return Cuts(np.array(column), np.array(cut), np.array(left), part)


def _cut(
    ranks: Ints,
    local: Ints,
    parts: int,
    open_rows: Ints,
    cells: Callable[[Ints, int], Cells],
    goal: Goal,
    at: tuple[Floats, ...],
    rows: int,
) -> tuple[Ints, Ints]:
    """For each open part the column to cut and the last rank on the left; -1 where no cut reaches the goal."""
    width = ranks.shape[1]
    spread = np.zeros((parts, width))
    for j in range(width):
        low, high = np.full(parts, np.iinfo(np.int64).max), np.full(parts, -1)
        np.minimum.at(low, local, ranks[:, j])
        np.maximum.at(high, local, ranks[:, j])
        whole = at[j][-1] - at[j][0]
        spread[:, j] = np.where(high > low, (at[j][high] - at[j][low]) / (whole or 1.0), -1.0)
    order = np.argsort(-spread, axis=1, kind="stable")
    chosen, where = np.full(parts, -1), np.full(parts, -1)
    for turn in range(width):
        wanted = (chosen < 0) & (spread[np.arange(parts), order[:, turn]] >= 0)
        if not wanted.any():
            continue
        mine = wanted[local]
        columns = order[:, turn]
        value = ranks[mine, columns[local[mine]]]
        medians = _medians(value, local[mine], parts)
        side = value > medians[local[mine]]
        of = np.full(rows, -1, dtype=np.int64)
        of[open_rows[mine]] = 2 * local[mine] + side
        judged = cells(of, 2 * parts)
        bad = goal.violating(judged) | (judged.rows == 0)
        fine = wanted & ~(bad[0::2] | bad[1::2])
        chosen[fine], where[fine] = columns[fine], medians[fine]
    return chosen, where


def _medians(value: Ints, local: Ints, parts: int) -> Ints:
    """(parts,) the cut that halves each part best: the lower median, or just below it if that leaves nobody above."""
    span = int(value.max()) + 1
    keys = np.sort(local * span + value)
    part = keys // span
    starts = np.searchsorted(part, np.arange(parts))
    ends = np.searchsorted(part, np.arange(parts), side="right")
    found = np.full(parts, -1)
    there = ends > starts
    middle = keys[(starts + (ends - starts - 1) // 2)[there]] % span
    top = keys[ends[there] - 1] % span
    # If the median is the largest value too, all that is smaller goes left: the rank just below it.
    found[there] = np.where(middle == top, middle - 1, middle)
    return found


def down(ranks: Ints, cuts: Cuts) -> Ints:
    """(rows,) the leaf of each row; -1 where a rank that a cut asks for is negative (unknown)."""
    part = np.zeros(len(ranks), dtype=np.int64)
    unknown = (ranks < 0).any(axis=1)
    while True:
        column = cuts.column[part]
        going = column >= 0
        if not going.any():
            return np.where(unknown, -1, part)
        value = ranks[np.flatnonzero(going), column[going]]
        part[going] = cuts.left[part[going]] + (value > cuts.cut[part[going]])


def regions(cuts: Cuts, width: int) -> dict[int, list[tuple[int, int | None]]]:
    """For each leaf and column the ranks that belong there: above the first, up to the second (None: to the end)."""
    found: dict[int, list[tuple[int, int | None]]] = {}
    waiting: list[tuple[int, list[tuple[int, int | None]]]] = [(0, [(-1, None)] * width)]
    while waiting:
        node, box = waiting.pop()
        j = int(cuts.column[node])
        if j < 0:
            found[node] = box
            continue
        low, high = box[j]
        cut: Any = int(cuts.cut[node])
        waiting.append((int(cuts.left[node]), [*box[:j], (low, cut), *box[j + 1 :]]))
        waiting.append((int(cuts.left[node]) + 1, [*box[:j], (cut, high), *box[j + 1 :]]))
    return found
