"""Ways of holding a column less precisely, from the finest to the coarsest, before they are fitted to rows.

Promise: a step is fitted to training rows only and gives a `Rule`. What it takes from them is rounded as far as it can
be without changing much: a cut point is the roundest number in a stretch around a quantile, and a category is named
only if at least `LEAST` rows have it.

* numbers: 32, 16, 8, 4, 2 bands of about as many rows each, a value that is more frequent than that having its own; or
  16, 8, 4, 3, 2 bands whose rows have like labels: neighbours, joined as the groups below are, of single values if at
  most 256 are there, else of 64 fine bands.
* dates: the day, month, quarter, year or decade.
* texts: the frequent ones by name; 16, 8, 4, 2 groups of those whose rows have like labels (Ward's criterion on
  their mean labels, drawn towards the mean of all); codes of one length also by their first characters.

Labels are used for groups. Where a step is judged, it is fitted without the rows that judge it.

Shapes: effects (rows, classes) are one-hot labels, or (rows, 1) numbers.

Example:
    >>> import numpy as np
    >>> from reticent.data.minimisation.steps import Step, fitted, ladders
    >>> from reticent.data.tables import Column
    >>> age = Column.of("age", np.arange(1000) % 90)
    >>> [[step.level for step in ladder] for ladder in ladders(age)]
    [[32, 16, 8, 4, 2], [16, 8, 4, 3, 2]]
    >>> fitted(Step("bands", 4), age, np.zeros((1000, 1))).words
    '4 bands, cut at 20, 50, 70'
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.minimisation.rules import (
    UNITS,
    Banded,
    Dropped,
    Grouped,
    Kept,
    Prefixed,
    Rule,
    Truncated,
)
from reticent.data.tables import Column

__all__ = ["DROP", "KEEP", "LEAST", "Step", "fitted", "ladders", "roundest"]

Array = npt.NDArray[Any]

LEAST: Final = 10
_BANDS: Final = (32, 16, 8, 4, 2)
_CUTS: Final = (16, 8, 4, 3, 2)
_FINE: Final = 64
_GROUPS: Final = (16, 8, 4, 2)
_FREQUENT: Final = 0.01
_NAMED: Final = 256  # categories that groups are formed of, at most
_LONG: Final = 60
_CODES: Final = 50  # texts of one length are taken for codes if there are more than so many


@dataclasses.dataclass(frozen=True, order=True)
class Step:
    """What to keep of a column, not yet fitted.

    Args:
        kind: "keep", "drop", "bands", "cuts", "date", "frequent", "groups" or "prefix".
        level: bands, groups or characters; the place in `UNITS` for dates; 0 elsewhere.
    """

    kind: str
    level: int = 0


KEEP: Final = Step("keep")
DROP: Final = Step("drop")


def ladders(column: Column) -> tuple[tuple[Step, ...], ...]:
    """The ways of holding a column less precisely, each from its finest step to its coarsest.

    A column has no ladder if it has two values, and several if there are several ways.
    """
    distinct = int((column.counts() > 0).sum())
    if distinct <= 2:
        return ()
    if column.kind == "number":
        return tuple(
            tuple(Step(kind, count) for count in counts if count < distinct)
            for kind, counts in (("bands", _BANDS), ("cuts", _CUTS))
        )
    if column.kind == "date":
        found, left = [], distinct
        for place, unit in enumerate(UNITS):
            images = len(np.unique(Truncated(unit).images(column.values)))
            if images < left:
                found.append(Step("date", place))
                left = images
        return (tuple(found),) if found else ()
    several = [(Step("frequent"), *(Step("groups", count) for count in _GROUPS if count < distinct))]
    lengths = np.array([len(value) for value in column.values.tolist()])
    if distinct > _CODES and 3 <= lengths.max() <= 12 and (lengths == lengths.max()).mean() > 0.9:
        several.insert(0, tuple(Step("prefix", length) for length in range(int(lengths.max()) - 1, 0, -1)))
    return tuple(several)


def fitted(step: Step, column: Column, effects: Array) -> Rule:
    """The rule that a step gives on these rows.

    Args:
        step: what to keep.
        column: training rows of it.
        effects: (rows, classes) their labels.
    """
    if step.kind == "keep":
        return Kept()
    if step.kind == "drop":
        return Dropped()
    if step.kind == "date":
        return Truncated(UNITS[step.level])
    if step.kind == "prefix":
        return Prefixed(step.level)
    if step.kind == "bands":
        return _banded(column, step.level)
    if step.kind == "cuts":
        return _cut(column, effects, step.level)
    if step.kind == "frequent":
        least = max(LEAST, math.ceil(_FREQUENT * len(column)))
        return Grouped({str(column.values[k]): str(column.values[k]) for k in np.flatnonzero(column.counts() >= least)})
    return _grouped(column, effects, step.level)


def roundest(low: float, high: float) -> float:
    """The number above `low` and at most `high` with the fewest digits: multiples of 1, then 5, then 2.

    Example:
        >>> roundest(23.7, 31.2), roundest(0.0, 114.0), roundest(-3.0, 8.0), roundest(1987.3, 1987.4)
        (30.0, 100.0, 0.0, 1987.4)
    """
    if low < 0 <= high:
        return 0.0
    for power in range(math.ceil(math.log10(max(abs(low), abs(high)))), -13, -1):
        for times in (5, 2, 1) if power < 0 else (1, 5, 2):
            unit = times * 10.0**power
            found = round(math.floor(high / unit) * unit, max(0, -power))
            if low < found <= high:
                return found
    return high


def _banded(column: Column, bands: int) -> Banded:
    counts = column.counts()
    used = counts > 0
    values, counts = column.values[used].astype(np.float64), counts[used]
    if len(values) < 2:
        return Banded((), (_middle(values, counts) if len(values) else 0.0,))
    return _with_values(_edges(values, counts, bands), values, counts)


def _with_values(edges: list[float], values: Array, counts: Array) -> Banded:
    if not len(values):
        return Banded((), (0.0,))
    places = np.searchsorted(edges, values, side="right")
    # a band that hardly anybody is in joins the next
    rows = np.bincount(places, weights=counts, minlength=len(edges) + 1)
    kept, waiting = [], 0.0
    for place, edge in enumerate(edges):
        waiting += rows[place]
        if waiting >= LEAST and rows[place + 1 :].sum() >= LEAST:
            kept.append(edge)
            waiting = 0.0
    places = np.searchsorted(kept, values, side="right")
    found = [_middle(values[places == band], counts[places == band]) for band in range(len(kept) + 1)]
    return Banded(tuple(kept), tuple(found))


def _cut(column: Column, effects: Array, bands: int) -> Banded:
    """Neighbours among values, or among fine bands of them, joined as long as their rows have like labels."""
    present = column.codes >= 0
    counts = column.counts()
    used = counts > 0
    values = column.values[used].astype(np.float64)
    few = 2 <= len(values) <= _NAMED
    edges = [roundest(*pair) for pair in itertools.pairwise(values.tolist())] if few else []
    edges = edges or list(_banded(column, _FINE).edges)
    places = np.searchsorted(edges, column.numbers()[present], side="right")
    size = len(edges) + 1
    weights = np.bincount(places, minlength=size).astype(np.float64)
    sums = np.stack([np.bincount(places, weights=one[present], minlength=size) for one in effects.T], axis=1)
    means = (sums + LEAST * effects.mean(axis=0)) / (weights[:, None] + LEAST)
    while len(edges) + 1 > bands:
        gaps = ((means[1:] - means[:-1]) ** 2).sum(axis=1)
        at = int((gaps * weights[1:] * weights[:-1] / np.maximum(weights[1:] + weights[:-1], 1.0)).argmin())
        both = weights[at] + weights[at + 1]
        means[at] = (weights[at] * means[at] + weights[at + 1] * means[at + 1]) / max(both, 1.0)
        weights[at] = both
        means, weights = np.delete(means, at + 1, axis=0), np.delete(weights, at + 1)
        edges.pop(at)
    return _with_values(edges, values, counts[used])


def _edges(values: Array, counts: Array, bands: int) -> list[float]:
    """Cut points: on both sides of frequent values, and between about equally many of the others."""
    alone = counts > counts.sum() / bands
    if alone.sum() > bands // 2:
        alone = np.zeros(len(values), dtype=bool)
        alone[np.argsort(-counts, kind="stable")[: bands // 2]] = True
    found: set[float] = set()
    for place in np.flatnonzero(alone):
        if place:
            found.add(float(values[place]))
        if place + 1 < len(values):
            found.add(_above(values, counts, int(place)))
    rest, weights = values[~alone], counts[~alone].astype(np.float64)
    parts = bands - int(alone.sum())
    if len(rest) > 1 and parts > 1:
        shares = np.cumsum(weights) / weights.sum()
        for cut in range(1, parts):
            at = [min(int(np.searchsorted(shares, (cut + by) / parts)), len(rest) - 1) for by in (-0.25, 0.0, 0.25)]
            low = rest[max(at[0] - 1, 0)] if at[0] == at[2] else rest[at[0]]
            found.add(roundest(float(low), float(rest[at[2]])) if low < rest[at[2]] else float(rest[at[1]]))
    cuts = sorted(one for one in found if values[0] < one <= values[-1])
    return _thinned(cuts, values, counts, bands)


def _thinned(cuts: list[float], values: Array, counts: Array, bands: int) -> list[float]:
    """At most as many bands as asked for: the emptiest neighbours join first."""
    while len(cuts) + 1 > bands:
        rows = np.bincount(np.searchsorted(cuts, values, side="right"), weights=counts, minlength=len(cuts) + 1)
        cuts.pop(int((rows[:-1] + rows[1:]).argmin()))
    return cuts


def _above(values: Array, counts: Array, place: int) -> float:
    """A round number above a frequent value, below nearly all that are greater."""
    above, weights = values[place + 1 :], counts[place + 1 :]
    tenth = above[int(np.searchsorted(np.cumsum(weights), 0.02 * weights.sum()))]
    return roundest(float(values[place]), float(tenth))


def _middle(values: Array, counts: Array) -> float:
    """A round number in the middle half of these."""
    shares = np.cumsum(counts) / counts.sum()
    low, high = (float(values[min(int(np.searchsorted(shares, at)), len(values) - 1)]) for at in (0.25, 0.75))
    return high if low == high else roundest(low, high)


def _grouped(column: Column, effects: Array, groups: int) -> Grouped:
    counts = column.counts()
    named = np.flatnonzero(counts >= LEAST)
    named = named[np.argsort(-counts[named], kind="stable")][:_NAMED]
    if not len(named):
        return Grouped({})
    present = column.codes >= 0
    sums = np.stack(
        [np.bincount(column.codes[present], weights=one[present], minlength=len(counts)) for one in effects.T], axis=1
    )
    means = (sums[named] + LEAST * effects.mean(axis=0)) / (counts[named, None] + LEAST)
    members = _ward(means, counts[named].astype(np.float64), groups)
    found: dict[str, str] = {}
    for number, group in enumerate(sorted(members, key=min), start=1):
        names = [str(column.values[named[k]]) for k in sorted(group)]
        joined = " / ".join(names)
        name = joined if len(joined) <= _LONG else f"group {number}: {names[0][:30]} and {len(names) - 1} more"
        found |= dict.fromkeys(names, name)
    return Grouped(found)


def _ward(means: Array, weights: Array, groups: int) -> list[list[int]]:
    """Groups by merging, again and again, the two whose merging adds least to the squares within groups."""
    members: list[list[int]] = [[k] for k in range(len(means))]
    means, weights = means.copy(), weights.copy()
    gaps = ((means[:, None] - means[None]) ** 2).sum(axis=2)
    costs = gaps * (weights[:, None] * weights[None]) / (weights[:, None] + weights[None])
    np.fill_diagonal(costs, np.inf)
    alive = len(means)
    while alive > groups:
        one, two = sorted(divmod(int(costs.argmin()), len(costs)))
        means[one] = (weights[one] * means[one] + weights[two] * means[two]) / (weights[one] + weights[two])
        weights[one] += weights[two]
        members[one] += members[two]
        members[two] = []
        costs[two, :] = costs[:, two] = np.inf
        there = np.array([k != one and bool(members[k]) for k in range(len(members))])
        with_it = ((means - means[one]) ** 2).sum(axis=1) * weights * weights[one] / (weights + weights[one])
        costs[one, :] = costs[:, one] = np.where(there, with_it, np.inf)
        alive -= 1
    return [group for group in members if group]
