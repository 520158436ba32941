"""Classes of rows that are alike, and how often each sensitive value occurs in each: what every measure is made of.

Promise: one pass over the rows, whatever is measured afterwards. A missing sensitive value is left out or is a value of
its own, as asked; it is never dropped in silence, because whoever counts the pairs is told how many there were.

How: a class and a value make one whole number; equal numbers are counted by sorting. Everything later works on the
distinct pairs, sorted by class and then by value, never on rows.

Shapes: (pairs,) int64 each, sorted; figures per class are (classes,) float64 or int64.

Sources: distinct, entropy and recursive diversity: Machanavajjhala et al. (2007), definitions 4.1 to 4.3; the earth
mover's distances: Li, Li and Venkatasubramanian (2007), section 4; gains: Cao and Karras (2012), definition 2; log
ratios: Brickell and Shmatikov (2008), definition 2.

Example:
    >>> from reticent.data.anonymity.counting import paired, distinct
    >>> pairs = paired([0, 0, 1, 1], [0, 1, 1, 1])
    >>> pairs.rows.tolist(), distinct(pairs, 2).tolist()
    ([1, 1, 2], [2, 1])
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "Pairs",
    "distances",
    "distinct",
    "entropies",
    "gains",
    "largest",
    "log_ratios",
    "paired",
    "recursive",
    "regrouped",
    "totals",
]

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Pairs(NamedTuple):
    """How many rows have a value within a class.

    Attributes:
        of: (pairs,) the class, from 0.
        value: (pairs,) the value's code.
        rows: (pairs,) how many, at least 1.
    """

    of: Ints
    value: Ints
    rows: Ints


def paired(of: Any, value: Any, count: Any = None) -> Pairs:
    """The distinct pairs of classes and values; negative values (missing ones) are left out.

    Args:
        of: (n,) classes.
        value: (n,) codes of values.
        count: (n,) how many rows stand behind each; one, if not given.
    """
    classes, values = np.asarray(of, dtype=np.int64), np.asarray(value, dtype=np.int64)
    known = values >= 0
    weights = None if count is None else np.asarray(count, dtype=np.int64)
    if not known.all():
        classes, values = classes[known], values[known]
        weights = None if weights is None else weights[known]
    span = int(values.max()) + 1 if len(values) else 1
    keys = classes * span + values
    if weights is None:
        keys.sort()
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.diff(starts, append=len(keys))
    else:
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.add.reduceat(weights[order], starts) if len(starts) else np.zeros(0, np.int64)
    found = keys[starts]
    return Pairs(found // span, found % span, counts.astype(np.int64))


def regrouped(pairs: Pairs, classes: Ints) -> Pairs:
    """The pairs after classes were merged: class i is part of class `classes[i]`."""
    return paired(classes[pairs.of], pairs.value, pairs.rows)


def totals(pairs: Pairs, classes: int) -> Ints:
    """(classes,) rows with a known value."""
    return np.bincount(pairs.of, weights=pairs.rows, minlength=classes).astype(np.int64)


def distinct(pairs: Pairs, classes: int) -> Ints:
    """(classes,) how many values occur."""
    return np.bincount(pairs.of, minlength=classes).astype(np.int64)


def entropies(pairs: Pairs, classes: int) -> Floats:
    """(classes,) entropy of the values, in natural units; 0 where none is known."""
    share = pairs.rows / totals(pairs, classes)[pairs.of]
    return np.maximum(np.bincount(pairs.of, weights=-share * np.log(share), minlength=classes), 0.0)


def largest(pairs: Pairs, classes: int) -> Floats:
    """(classes,) share of the most frequent value; 0 where none is known."""
    found = np.zeros(classes)
    np.maximum.at(found, pairs.of, pairs.rows / totals(pairs, classes)[pairs.of])
    return found


def recursive(pairs: Pairs, classes: int, l: int) -> Floats:  # noqa: E741 (the symbol of the literature)
    """(classes,) r_1 / (r_l + ... + r_m): the counts in falling order; infinite with fewer than l values, 0 with none.

    A class is (c, l)-diverse if and only if this is below c.
    """
    order = np.lexsort((-pairs.rows, pairs.of))
    of, count = pairs.of[order], pairs.rows[order]
    starts = np.searchsorted(of, np.arange(classes))
    rank = np.arange(len(of)) - starts[of]
    tail = np.bincount(of, weights=np.where(rank >= l - 1, count, 0), minlength=classes)
    first = np.bincount(of, weights=np.where(rank == 0, count, 0), minlength=classes)
    found = np.zeros(classes)
    known = first > 0
    with np.errstate(divide="ignore"):
        found[known] = first[known] / tail[known]
    return found


def distances(pairs: Pairs, classes: int, overall: Floats, *, ordered: bool) -> Floats:
    """(classes,) earth mover's distance between a class's values and everybody's; 0 where none is known.

    Args:
        pairs: of the classes.
        classes: how many there are.
        overall: (values,) share of each value among everybody.
        ordered: whether moving from a value to the next costs 1/(values - 1); else any move costs 1.
    """
    sizes = totals(pairs, classes)
    share = pairs.rows / sizes[pairs.of]
    if not ordered or len(overall) < 2:
        # Half of the sum of differences is the sum of the positive ones, and those are at values that occur.
        more = np.maximum(share - overall[pairs.value], 0.0)
        return np.bincount(pairs.of, weights=more, minlength=classes).astype(np.float64)
    return _moved(pairs, share, sizes > 0, overall)


def _moved(pairs: Pairs, share: Floats, known: npt.NDArray[np.bool_], overall: Floats) -> Floats:
    # Between two values that occur in a class its distribution function is flat, and everybody's rises: the sum of
    # their differences is closed, once it is known where the one crosses the other.
    classes, m = len(known), len(overall)
    whole = np.cumsum(overall)
    summed = np.append(0.0, np.cumsum(whole))
    ends = np.cumsum(share)
    first = np.searchsorted(pairs.of, np.arange(classes))
    before = np.append(0.0, ends)[first]
    height = ends - before[pairs.of]
    last = np.append(pairs.of[1:] != pairs.of[:-1], True) if len(pairs.of) else np.zeros(0, bool)
    until = np.where(last, m, np.append(pairs.value[1:], m)) if len(pairs.of) else pairs.value
    start = np.zeros(classes, dtype=np.int64)
    start[known] = pairs.value[first[known]]
    found: Floats = summed[start]  # up to the first value: everybody's alone
    crossing = np.clip(np.searchsorted(whole, height), pairs.value, until)
    under = height * (crossing - pairs.value) - (summed[crossing] - summed[pairs.value])
    over = (summed[until] - summed[crossing]) - height * (until - crossing)
    found = found + np.bincount(pairs.of, weights=under + over, minlength=classes)
    return np.where(known, found / (m - 1), 0.0)


def gains(pairs: Pairs, classes: int, overall: Floats) -> Floats:
    """(pairs,) (q - p)/p: by how much seeing the class makes a value more likely, relative to before."""
    share = pairs.rows / totals(pairs, classes)[pairs.of]
    before = overall[pairs.value]
    return (share - before) / before


def log_ratios(pairs: Pairs, classes: int, overall: Floats) -> Floats:
    """(pairs,) the absolute value of log(q/p), natural, of values that occur in the class."""
    return np.abs(np.log1p(gains(pairs, classes, overall)))
