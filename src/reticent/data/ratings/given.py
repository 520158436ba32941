"""A release that somebody made, beside the ratings that it was made from: both under the same numbers.

Promise: people and items of both files get one set of numbers by their names, compared as texts, so that an attack can
be scored where it is known whose row is whose; dates and values are brought onto one calendar and one scale, as a
reader of both files would. What was understood of the release stands in `Release.meaning`; nothing of a file is
dropped: a released rating without a value or a date stays, as one without.

Whose row is whose (`truth`): nothing ("unknown": rows are then strangers, and no share re-identified can be told);
"kept", if the released names are the original ones; or a table of pseudonyms and original names. Somebody whose row is
named by no truth, or whose original name is not in the original, is a stranger. People who are certainly not in the
release are known only if the truth says of every row whose it is. A truth by which rows resemble the people whom it
names no more than other people is refused: whoever attacked with it would find nobody.

Not covered: items under other names, several rows of one person, people merged into one row.

Shapes: `present`, `absent` (people,) bool; strangers have the numbers after the people of the original.

Example:
    >>> from reticent.data.ratings import Columns, read_given
    >>> original = {"who": ["ann", "ann", "bob"], "film": [1, 2, 1], "stars": [5, 3, 1],
    ...             "when": ["2005-03-01", "2005-03-09", "2005-04-02"]}
    >>> released = {"row": ["x", "x"], "film": [1, 2], "stars": [5, 3], "when": ["2005-03", "2005-03"]}
    >>> truth = {"row": ["x"], "who": ["ann"]}
    >>> found = read_given(original, released, truth, columns=Columns("who", "film", "stars", "when"),
    ...                    released_columns=Columns("row", "film", "stars", "when"), truth_columns=("row", "who"))
    >>> found.truth, found.present.tolist(), found.absent.tolist(), found.release.blur.period
    ('file', [True, False], [False, True], 31)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.ratings.coarse import Dates, Scale, dates_seen, scale_given, scale_seen
from reticent.data.ratings.parts import NO_DATE, Days, Names, Progress, Values, read_parts
from reticent.data.ratings.releases import Blur, Release
from reticent.data.ratings.store import NO_DAY, NO_SCORE, Block, Ratings, assembled, checked_days, checked_values
from reticent.errors import DataError, UsageError

__all__ = ["Columns", "Given", "read_given"]

Array = npt.NDArray[Any]

_KEPT: Final = "kept"
_LOOKED_AT: Final = 500  # people, to see whether a truth can be believed


@dataclasses.dataclass(frozen=True)
class Columns:
    """What the columns of ratings are called.

    Args:
        person: whose rating it is.
        item: of what.
        rating: values, or None.
        date: dates, or None.
        dates_are: "dates", or "days" or "seconds" since 1970 in numbers.
    """

    person: str = "person"
    item: str = "item"
    rating: str | None = "rating"
    date: str | None = "date"
    dates_are: str = "dates"


@dataclasses.dataclass(frozen=True, eq=False)
class Given:
    """What `read_given` found.

    Attributes:
        ratings: the original.
        release: what was given away, under the same numbers.
        truth: "kept", "file", or "unknown".
        present: (people,) who of the original is known to be in the release.
        absent: (people,) who of the original is known not to be in it.
        counts: what was read, in plain numbers.
    """

    ratings: Ratings
    release: Release
    truth: str
    present: npt.NDArray[np.bool_]
    absent: npt.NDArray[np.bool_]
    counts: Mapping[str, int]


def read_given(
    original: Any,
    released: Any,
    truth: Any = None,
    *,
    columns: Columns | None = None,
    released_columns: Columns | None = None,
    truth_columns: tuple[str, str] = ("pseudonym", "person"),
    blur: Blur | None = None,
    scale: Mapping[float, float] | None = None,
    stands_for: str | None = None,
    name: str = "the release",
    header: bool | None = None,
    progress: Progress | None = None,
) -> Given:
    """Read both files.

    Args:
        original: what `open_sources` takes: a path, an address, a frame.
        released: the same.
        truth: None, "kept", or a table of pseudonyms and original names.
        columns: of the original.
        released_columns: of the release; those of the original by default.
        truth_columns: of the truth: the released name, the original one.
        blur: what else is known of how the release was made; its `period` is found out where it is 1.
        scale: original value to released one; found out by default.
        stands_for: "start", "middle" or "end": which day of its period a coarse date is; found out by default.
        name: of the release.
        header: whether the first row of CSV files names the columns; by default that is found out.
        progress: called with the number of lines read so far, of one file after the other.

    Raises:
        UsageError: a source is not one table, or lacks a column.
        DataError: a cell that cannot be read, or rows that are lost; no item in both; a truth that contradicts itself,
            or names nobody.
    """
    ours = columns or Columns()
    theirs = released_columns or ours
    known = (Names(ours.person), Names(ours.item), Values(ours.rating), Days(ours.date, ours.dates_are))
    read_parts(original, known, progress, header=header)
    seen = (
        Names(theirs.person),
        Names(theirs.item),
        Values(theirs.rating, gaps=True),
        Days(theirs.date, theirs.dates_are, gaps=True),
    )
    read_parts(released, seen, progress, header=header)
    (who, people), (their_who, rows) = known[0].numbered(), seen[0].numbered()
    (what, items), (their_what, their_items) = known[1].numbered(), seen[1].numbered()
    whose, said, whole = _whose(_texts(rows), _texts(people), truth, truth_columns, header)
    which = _placed(_texts(their_items), _texts(items))
    if not (which < len(items)).any():
        raise DataError("Expected items that both files have, got none.", "Check the columns of items.")
    count = len(people) + int((whose >= len(people)).sum())
    item_count = len(items) + int((which >= len(items)).sum())
    scale_, codes, their_codes = _scaled(known[2], seen[2], scale)
    first, days, their_days, dates = _dated(known[3], seen[3], stands_for)
    shape: Any = {"values": scale_.values, "first_day": first, "count": count, "items": item_count}
    made = assembled(_blocks(who, what, codes, days), **shape)
    theirs_made = assembled(
        _blocks([whose[one] for one in their_who], [which[one] for one in their_what], their_codes, their_days), **shape
    )
    told = blur or Blur()
    if told.period == 1:
        told = dataclasses.replace(told, period=dates.period)
    lacking = {"value": _gaps(theirs_made.scores, NO_SCORE), "date": _gaps(theirs_made.days, NO_DAY)}
    missing = [f"{count} ratings have no {what}." for what, count in lacking.items() if count]
    sentences = [one for one in (scale_.said, dates.said, *missing) if one]
    release = Release(name, theirs_made, " ".join(["Read from a file.", *sentences]), blur=told)
    present, absent = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    present[whose[whose < len(people)]] = True
    absent[: len(people)] = ~present[: len(people)] if whole else False
    if said != "unknown":
        _believed(made, theirs_made, np.flatnonzero(present))
    return Given(
        made,
        release,
        said,
        present[: len(people)],
        absent[: len(people)],
        {
            "people": len(people),
            "rows": len(rows),
            "strangers": count - len(people),
            "people known to be in it": int(present.sum()),
            "people known not to be in it": int(absent.sum()),
            "items in both": int((which < len(items)).sum()),
            "released ratings": len(theirs_made),
            "without a value": len(theirs_made) if theirs_made.scores is None else lacking["value"],
            "without a date": len(theirs_made) if theirs_made.days is None else lacking["date"],
            "repeated": theirs_made.repeated,
        },
    )


def _texts(names: Array) -> Array:
    return names.astype(str).astype(object)


def _placed(names: Array, among: Array) -> npt.NDArray[np.int32]:
    """(names,) the number that each has among others; new ones come after them."""
    places = {name: place for place, name in enumerate(among.tolist())}
    found, new = np.empty(len(names), dtype=np.int32), len(among)
    for row, name in enumerate(names.tolist()):
        place = places.get(name, -1)
        if place < 0:
            place, new = new, new + 1
        found[row] = place
    return found


def _whose(
    rows: Array, people: Array, truth: Any, columns: tuple[str, str], header: bool | None
) -> tuple[npt.NDArray[np.int32], str, bool]:
    """(rows,) the number of each row's person; what the truth is, and whether it tells of every row."""
    if truth is None:
        return np.arange(len(people), len(people) + len(rows), dtype=np.int32), "unknown", False
    if isinstance(truth, str) and truth == _KEPT:
        found, said, whole = _placed(rows, people), _KEPT, True
    else:
        named = _truth(truth, columns, header)
        whose = [named.get(row) for row in rows.tolist()]
        found, said, whole = _placed(np.array(whose, dtype=object), people), "file", None not in whose
    if not (found < len(people)).any():
        raise DataError(
            "Expected rows of people whom the original has, got none.", "Check the truth and the columns of people."
        )
    return found, said, whole


def _truth(truth: Any, columns: tuple[str, str], header: bool | None) -> dict[str, str]:
    """Pseudonym to original name."""
    if len(columns) != 2:
        raise UsageError("Expected two columns of the truth.", "Name that of released names, then that of originals.")
    parts = tuple(Names(column) for column in columns)
    read_parts(truth, parts, header=header)
    pieces = [part.numbered() for part in parts]
    given, meant = (_texts(names)[np.concatenate(places)] for places, names in pieces)
    found: dict[str, str] = {}
    for pseudonym, person in zip(given.tolist(), meant.tolist(), strict=True):
        if found.setdefault(pseudonym, person) != person:
            raise DataError("Expected one person for each pseudonym, got several.", "Mend the truth.")
    if len(set(found.values())) < len(found):
        raise DataError(
            "Expected one pseudonym for each person, got several.", "Give each person's rows one pseudonym first."
        )
    return found


def _believed(ratings: Ratings, released: Ratings, present: npt.NDArray[Any]) -> None:
    """Refuse a truth by which a row fits its person no better than it fits the next one."""
    few = present[:: max(len(present) // _LOOKED_AT, 1)]
    if len(few) < 2:
        return
    rows, people = released.of_people(few), ratings.of_people(few)
    own, other = 0, 0
    for place in range(len(few)):
        items = rows.items[rows.of(place)]
        own += int(np.isin(items, people.items[people.of(place)]).sum())
        other += int(np.isin(items, people.items[people.of((place + 1) % len(few))]).sum())
    if own <= other and len(rows.items):
        raise DataError(
            f"Expected rows that share more items with the people whom the truth names than with others, got {own} and "
            f"{other} items.",
            "Check the truth: are the released names really the original ones?",
        )


def _scaled(
    known: Values, seen: Values, scale: Mapping[float, float] | None
) -> tuple[Scale, list[Array] | None, list[Array] | None]:
    """One scale, and the scores of both on it."""
    values, codes = known.numbered()
    levels, their_codes = seen.numbered()
    if not codes or not len(levels):
        if scale is not None:
            raise UsageError("Expected values in both files for a scale, got none.", "Leave it out.")
        same = np.arange(len(values), dtype=np.uint8)
        return Scale(np.asarray(values), same, same[:0], ""), codes or None, None
    counts = _counted(codes, len(values))
    their_counts = _counted([piece[piece >= 0] for piece in their_codes], len(levels))
    found = scale_seen(values, counts, levels, their_counts) if scale is None else scale_given(values, levels, scale)
    checked_values(found.values)
    images = np.append(found.released, np.uint8(NO_SCORE))  # the last one stands for a gap, whose code is -1
    return found, [found.known[piece] for piece in codes], [images[piece] for piece in their_codes]


def _counted(codes: list[Array], values: int) -> Array:
    """(values,) how many ratings have each."""
    found = np.zeros(values, dtype=np.int64)
    for piece in codes:
        found += np.bincount(piece, minlength=values)
    return found


def _dated(
    known: Days, seen: Days, stands_for: str | None
) -> tuple[int, list[Array] | None, list[Array] | None, Dates]:
    """The first day, the days of both since then, and how the released ones were read."""
    ours, theirs = known.in_days(), seen.in_days()
    nothing = Dates(np.zeros(0, dtype=np.int64), 1, "")
    if not ours or not len(seen.distinct):
        first = min((int(piece.min()) for piece in ours if len(piece)), default=0)
        last = max((int(piece.max()) for piece in ours if len(piece)), default=0)
        checked_days(last - first)
        return first, [(piece - first).astype(np.uint16) for piece in ours] or None, None, nothing
    own = np.unique(np.concatenate([np.unique(piece) for piece in ours]))
    mean = sum(float(piece.sum(dtype=np.float64)) for piece in ours) / sum(map(len, ours))
    their = [piece[piece != NO_DATE] for piece in theirs]
    their_mean = sum(float(piece.sum(dtype=np.float64)) for piece in their) / sum(map(len, their))
    found = dates_seen(seen.distinct, seen.unit, (int(own[0]), int(own[-1]), len(own), mean), their_mean, stands_for)
    first = min(int(own[0]), int(found.images.min()))
    checked_days(max(int(own[-1]), int(found.images.max())) - first)
    images = (found.images - first).astype(np.uint16)
    placed = []
    for piece in theirs:
        there = piece != NO_DATE
        days = np.full(len(piece), NO_DAY, dtype=np.uint16)
        days[there] = images[np.searchsorted(seen.distinct, piece[there])]
        placed.append(days)
    return first, [(piece - first).astype(np.uint16) for piece in ours], placed, found


def _blocks(who: list[Array], what: list[Array], codes: list[Array] | None, days: list[Array] | None) -> list[Block]:
    """One for each piece."""
    return [
        Block(one, what[i], None if codes is None else codes[i], None if days is None else days[i])
        for i, one in enumerate(who)
    ]


def _gaps(cells: Array | None, gap: int) -> int:
    return 0 if cells is None else int((cells == gap).sum())
