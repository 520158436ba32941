"""A bootstrap over models and people of millions of trials, in which a draw costs no sorting.

Promise: `binned` sorts all trials once, by score; `Tallies` then gives, for each draw of models and people with
replacement, how many member and non-member trials lie in each bin, exactly. A ROC curve that is made of them is exact
at the ends of bins, and between them as wrong as a bin is high or wide: with at most 4,000 different scores there is
one bin for each and no error; with more, a bin holds at most a thousandth of the members' and of the others' trials,
or the trials of one score, and less near the left end (a hundredth of those to its left). With
`parts` other than 1,000 all of these change in proportion.

How: a trial's weight in a draw is its model's times its person's (the pigeonhole bootstrap of Owen, 2007). For one
model the tally is a sparse matrix (bins by people) times the people's weights; all draws are multiplied at once.

Shapes: scores and membership are (models, records); `owner` is (records,) whole numbers from 0; weights are (draws,
models) and (draws, people); tallies are (2, draws, bins), members first, bins from the highest score down.

Example:
    >>> import numpy as np
    >>> from reticent.audits.bootstrap import Tallies, binned
    >>> scores, membership = np.array([[3.0, 1.0], [2.0, 2.0]]), np.array([[True, False], [True, False]])
    >>> bins = binned(scores, membership)
    >>> Tallies(bins, membership, np.array([0, 1])).of(np.ones((1, 2)), np.array([[1.0, 2.0]]))[:, 0].tolist()
    [[1.0, 1.0, 0.0], [0.0, 2.0, 2.0]]
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from reticent.randomness import Randomness

__all__ = ["Bins", "Tallies", "area", "binned", "draws", "interpolate"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

_PARTS = 1000
_SOME = 4  # different scores for each part: with fewer there is no need to thin them
_FINER = 10  # a bin holds at most so many parts of the trials to its left
_AT_ONCE = 50  # draws


@dataclasses.dataclass(frozen=True)
class Bins:
    """Which bin each trial is in.

    Attributes:
        index: (models, records) the bin, 0 for the highest scores.
        count: how many bins there are.
        members: (count,) member trials in each.
        others: (count,) non-member trials in each.
    """

    index: npt.NDArray[np.int32]
    count: int
    members: Floats
    others: Floats


def binned(scores: Floats, membership: Flags, *, exact: bool = False, parts: int = _PARTS) -> Bins:
    """Bins of the trials' scores.

    Args:
        scores: larger for "member".
        membership: the truth.
        exact: one bin for each different score, however many there are.
        parts: otherwise, of the members' and of the others' trials a bin may hold one part of so many.
    """
    flat, inside = scores.reshape(-1), membership.reshape(-1)
    order = np.argsort(-flat, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(flat[order]) != 0, True))  # last trial of each tie
    if len(ends) > _SOME * parts and not exact:
        ends = _thinned(ends, inside[order], parts)
    of_sorted = np.zeros(len(flat), dtype=np.int32)
    of_sorted[ends[:-1] + 1] = 1
    np.cumsum(of_sorted, out=of_sorted)
    index = np.empty(len(flat), dtype=np.int32)
    index[order] = of_sorted
    members = np.bincount(index[inside], minlength=len(ends)).astype(np.float64)
    others = np.bincount(index[~inside], minlength=len(ends)).astype(np.float64)
    return Bins(index.reshape(scores.shape), len(ends), members, others)


def _thinned(ends: Counts, inside: Flags, parts: int) -> Counts:
    """Some of the ends, the last among them."""
    members, others = np.cumsum(inside)[ends], np.cumsum(~inside)[ends]
    wanted = [np.searchsorted(side, side[-1] * np.arange(1, parts + 1) / parts) for side in (members, others)]
    for side in (members, others):
        rare = np.geomspace(1, max(side[-1], 2), math.ceil(math.log(max(side[-1], 2)) * parts / _FINER))
        wanted.append(np.searchsorted(side, rare))
    kept = np.unique(np.concatenate([*wanted, [len(ends) - 1]]))
    return np.asarray(ends[kept[kept < len(ends)]])


def draws(models: int, people: int, count: int, randomness: Randomness) -> Iterator[tuple[Floats, Floats]]:
    """Weights of `count` draws with replacement, some at a time: (draws, models) and (draws, people)."""
    for start in range(0, count, _AT_ONCE):
        some = min(_AT_ONCE, count - start)
        rows, columns = np.empty((some, models)), np.empty((some, people))
        for i in range(some):
            rows[i] = np.bincount(randomness.integers(models, models), minlength=models)
            columns[i] = np.bincount(randomness.integers(people, people), minlength=people)
        yield rows, columns


class Tallies:
    """Weighted counts of the trials of some records in each bin.

    Args:
        bins: from `binned`.
        membership: (models, records) the truth.
        owner: (records,) whose record it is.
        records: which of the records are counted; all by default.
    """

    def __init__(self, bins: Bins, membership: Flags, owner: Counts, records: Counts | None = None) -> None:
        records = np.arange(len(owner)) if records is None else records
        self._count, self._people = bins.count, int(owner.max()) + 1
        whose = owner[records]
        ones = np.ones(len(records), dtype=np.float32)  # whole numbers are exact up to 2^24 for one model and bin
        shape = (2 * bins.count, self._people)
        self._models = [
            csr_array((ones, (index[records] + np.where(inside[records], 0, bins.count), whose)), shape=shape)
            for index, inside in zip(bins.index, membership, strict=True)
        ]

    def of(self, rows: Floats, columns: Floats) -> Floats:
        """(2, draws, bins) tallies of draws with weights of models (draws, models) and of people (draws, people)."""
        people = np.ascontiguousarray(columns.T, dtype=np.float32)
        total = np.zeros((2 * self._count, len(rows)))
        for one, weights in zip(self._models, rows.T, strict=True):
            total += (one @ people) * weights
        return np.ascontiguousarray(total.T).reshape(len(rows), 2, self._count).transpose(1, 0, 2)


def area(members: Floats, others: Floats) -> Floats:
    """(draws,) areas under ROC curves from tallies (draws, bins), ties within a bin counting half."""
    below = others.sum(axis=-1, keepdims=True) - np.cumsum(others, axis=-1)
    won = (members * (below + others / 2)).sum(axis=-1)
    return np.asarray(won / (members.sum(axis=-1) * others.sum(axis=-1)))


def interpolate(grid: Floats, fpr: Floats, tpr: Floats) -> Floats:
    """A curve's height over the grid, linear between its points; where it rises vertically, its top."""
    last = np.searchsorted(fpr, grid, side="right") - 1  # the last point at or left of each grid value
    following = np.minimum(last + 1, len(fpr) - 1)
    gap = fpr[following] - fpr[last]
    share = np.divide(grid - fpr[last], gap, out=np.zeros_like(grid), where=gap > 0)
    return np.asarray(tpr[last] + share * (tpr[following] - tpr[last]))
