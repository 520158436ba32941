"""How somebody made dates and values coarser, told from what can be seen: what an attacker would do first.

Promise: nothing here looks at whose rating is whose; what was found is said in a sentence that stands in the report,
and can be overruled. It is a reading of two columns, not a proof: a wrong one makes an attack weaker, never a figure
false.

Dates: written as years or months; or whole dates that are all the first (or last, or n-th) of months, so many months
apart; or all a multiple of the same number of days apart; or all the same. What may be so by chance does not count. A
date stands for a period, of which the file may have the first, the middle or the last day: that is seen in the calendar
for months, and otherwise by which of them brings the means of both columns closest.

Values: the same numbers, unless an original value with 5 % of all ratings is not among the released ones; values of
which there are more than in the original go to the nearest original one, if they lie among these; all others are
matched by their ranks, so that as large a share lies below (exact for every growing scale that joins or renames
values, if the same people, or people drawn at random, are in both). Both files are then read on one scale: a released
value stands for the mean of the original values that it may be.

Shapes: days are int64 since 1970; scores are places in ascending values.

Example:
    >>> import numpy as np
    >>> from reticent.data.ratings.coarse import dates_seen, scale_seen
    >>> firsts = np.array(["2005-01-01", "2005-02-01", "2005-04-01"], "datetime64[D]").astype(int)
    >>> seen = dates_seen(firsts, "days", (12784, 12904, 90, 12840.0), 12830.0)
    >>> seen.period, seen.images.astype("datetime64[D]").astype(str).tolist()
    (31, ['2005-01-16', '2005-02-16', '2005-04-16'])
    >>> scale = scale_seen(np.array([1.0, 2, 3, 4, 5]), np.array([1, 1, 2, 3, 3]), np.array([0.0, 1]), np.array([2, 8]))
    >>> scale.values.tolist(), scale.known.tolist(), scale.released.tolist()
    ([1.5, 4.0], [0, 0, 1, 1, 1], [0, 1])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import DataError

__all__ = ["STANDS_FOR", "Dates", "Scale", "Seen", "dates_seen", "scale_given", "scale_seen"]

Array = npt.NDArray[Any]

STANDS_FOR: Final = ("start", "middle", "end")
_MONTHS: Final = {"months": 1, "years": 12}
_CHANCE: Final = 1000  # a pattern of dates that one in so many columns has by chance is none
_FEW: Final = 10  # times as many days in the original, and a pattern of few dates is one
_MISSED: Final = 0.05  # the share of an original value that must not be absent by chance


class Seen(NamedTuple):
    """Days of the original: first, last, how many distinct ones there are, and their mean over ratings."""

    first: int
    last: int
    distinct: int
    mean: float


class Dates(NamedTuple):
    """How released dates are read.

    Attributes:
        images: (distinct,) the day that each stands for, in days since 1970.
        period: how many days it may stand for; 1 is the day itself.
        said: in a sentence; "" if dates are days.
    """

    images: Array
    period: int
    said: str


class Scale(NamedTuple):
    """One scale for known and released values.

    Attributes:
        values: ascending.
        known: (original values,) the place of each.
        released: (released values,) the place of each.
        said: in a sentence; "" if the numbers are the same.
    """

    values: npt.NDArray[np.float64]
    known: npt.NDArray[np.uint8]
    released: npt.NDArray[np.uint8]
    said: str


def dates_seen(
    distinct: Array, unit: str, original: tuple[int, int, int, float], mean: float, stands_for: str | None = None
) -> Dates:
    """What released dates stand for.

    Args:
        distinct: the released days, ascending.
        unit: how they are written: "days", "months", "years".
        original: what `Seen` holds.
        mean: of the released days, over ratings.
        stands_for: which day of a period the file has, as `STANDS_FOR`; found out by default.
    """
    if stands_for is not None:
        _checks.one_of(STANDS_FOR, stands_for=stands_for)
    seen, days = Seen(*original), np.asarray(distinct, dtype=np.int64)
    if unit in _MONTHS:
        return _by_calendar(days, _MONTHS[unit], "start", f"Dates are written as {unit}.")
    few = seen.distinct >= _FEW * len(days)
    if len(days) == 1:
        whole = seen.last - seen.first + 1
        images = np.full(1, seen.first + whole // 2)
        return Dates(images, whole, "There is one date, for all of it.") if few else Dates(days, 1, "")
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    of_month, of_next = days - _start_of(months), _start_of(months + 1) - days
    first, last = bool((of_month == 0).all()), bool((of_next == 1).all())
    if (few or len(days) > 3) and (last or len(set(of_month.tolist())) == 1):
        every = int(np.gcd.reduce(np.diff(months.astype(np.int64))))
        length = every * 30
        moves = {"start": length / 2, "middle": 0.0, "end": -length / 2}
        plain = {(True, False): "start", (False, True): "end"}.get((first, last), "middle") if every == 1 else None
        kind = stands_for or plain or _closest(moves, mean, seen.mean)
        said = f"Dates are whole months apart ({every}): each stands for so many, as their {kind}."
        return _by_calendar(days, every, kind, said)
    step = int(np.gcd.reduce(np.diff(days)))
    if step < 2 or not (float(step) ** min(len(days) - 2, 64) >= _CHANCE or (few and step >= 28)):
        return Dates(days, 1, "")
    # From the start of a period to its middle, nothing, and from its end back.
    jumps = {"start": step // 2, "middle": 0, "end": step // 2 - step + 1}
    kind = stands_for or _closest(jumps, mean, seen.mean)
    said = f"Dates are multiples of {step} days apart: each stands for so many, as their {kind}."
    return Dates(days + jumps[kind], step, said)


def _closest(moves: Mapping[str, float], mean: float, wanted: float) -> str:
    return min(moves, key=lambda one: abs(mean + moves[one] - wanted))


def _start_of(months: Array) -> Array:
    return months.astype("datetime64[D]").astype(np.int64)


def _by_calendar(days: Array, every: int, kind: str, said: str) -> Dates:
    """So many months: from that of the day on, up to it, or around the day."""
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    if kind == "middle" and every == 1:
        kind = "start"  # a day of a month stands for that month
    begin = months - (every - 1) if kind == "end" else months
    length = int((_start_of(begin + every) - _start_of(begin)).max())
    length = max(length, {1: 31, 12: 366}.get(every, 0))
    return Dates(days if kind == "middle" else _start_of(begin) + length // 2, length, said)


def scale_given(values: Array, released: Array, images: Mapping[float, float]) -> Scale:
    """One scale from a table that says which released value each original one became.

    Args:
        values: of the original, ascending.
        released: of the release, ascending.
        images: original value to released one.

    Raises:
        DataError: an original value without an image, or a released value that is none.
    """
    given = np.array([images.get(float(one), np.nan) for one in values])
    if not np.isfinite(given).all():
        raise DataError(
            f"Expected a released value for each of {len(values)} original ones, got {int(np.isfinite(given).sum())}.",
            "Write one pair for each value.",
        )
    if not np.isin(released, given).all():
        raise DataError("Expected released values that the scale names, got others.", "Name all of them.")
    levels = np.unique(given)
    where = np.searchsorted(levels, given)
    return _joined(values, where, levels, np.searchsorted(levels, released), "Values were changed as was stated.")


def scale_seen(values: Array, counts: Array, released: Array, released_counts: Array) -> Scale:
    """One scale from what both files have.

    Args:
        values: of the original, ascending.
        counts: how many ratings have each.
        released: of the release, ascending.
        released_counts: the same.
    """
    same = np.isin(released, values)
    common = counts >= _MISSED * counts.sum()
    if same.all() and np.isin(values[common], released).all():
        return Scale(
            np.asarray(values, dtype=np.float64),
            np.arange(len(values), dtype=np.uint8),
            np.searchsorted(values, released).astype(np.uint8),
            "",
        )
    gap = float(np.diff(values).max(initial=1.0))
    among = values[0] - gap <= released[0] and released[-1] <= values[-1] + gap
    if len(released) > len(values):
        where = _nearest(values, released) if among else _by_rank(released_counts, counts)
        how = "the nearest original one" if among else "the original one of its rank"
        said = f"{len(released)} released values, {len(values)} original ones: each stands for {how}."
        return Scale(
            np.asarray(values, dtype=np.float64), np.arange(len(values), dtype=np.uint8), where.astype(np.uint8), said
        )
    if len(released) == len(values):
        where, how = np.arange(len(values)), "one by one, in their order"
    else:
        where, how = _by_rank(counts, released_counts), "by their ranks"
    pairs = ", ".join(f"{old:g} as {released[new]:g}" for old, new in zip(values, where, strict=True))
    return _joined(values, where, released, np.arange(len(released)), f"Values were read {how}: {pairs}.")


def _nearest(values: Array, released: Array) -> Array:
    middles = (values[1:] + values[:-1]) / 2
    found: Array = np.searchsorted(middles, released, side="right")
    return found


def _by_rank(counts: Array, other: Array) -> Array:
    """(values,) the value of the other column in which the middle of each one's ratings lies."""
    middles = (np.cumsum(counts) - counts / 2) / counts.sum()
    ends = np.cumsum(other) / other.sum()
    found: Array = np.minimum(np.searchsorted(ends, middles), len(other) - 1)
    return found


def _joined(values: Array, where: Array, levels: Array, released: Array, said: str) -> Scale:
    """A level stands for the mean of the values that it may be; without any, it lies between its neighbours."""
    used = np.bincount(where, minlength=len(levels)) > 0
    sums = np.bincount(where, weights=values, minlength=len(levels))
    means = np.full(len(levels), np.nan)
    means[used] = sums[used] / np.bincount(where, minlength=len(levels))[used]
    if not used.all():
        means = np.interp(np.arange(len(levels)), np.flatnonzero(used), means[used])
    order = np.argsort(means, kind="stable")  # a scale may fall
    kept, place = np.unique(means[order], return_inverse=True)
    of_level = np.empty(len(levels), dtype=np.int64)
    of_level[order] = place
    return Scale(kept, of_level[where].astype(np.uint8), of_level[released].astype(np.uint8), said)
