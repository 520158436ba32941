"""Ratings from files: one line for each, with a person, an item and, where there are such, a value and a date.

Promise: every line is read or the file is refused with the reason; of several ratings by one person for one item the
last line counts, and `Ratings.repeated` says how many others there were. The file is read once, in pieces; what is kept
of a rating meanwhile are 13 bytes. Names of people and items become numbers in the order of the names, and are not
kept.

Dates are dates, or whole numbers of whose unit the reader is told; nothing is guessed. Times of day are cut off (UTC).

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.ratings import read_ratings
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "seen.csv"
    >>> _ = path.write_text("who,film,stars,when\\nann,7,4,2005-03-01\\nbob,7,2,2005-03-09\\nbob,9,5,2005-03-09\\n")
    >>> read_ratings(path, person="who", item="film", rating="stars", date="when")
    Ratings(3 of 2 people, 2 items, 3 values, 9 days)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.ratings.store import Block, Ratings, assembled, checked_days, checked_values
from reticent.data.tables import open_sources
from reticent.data.tables.columns import arrow
from reticent.errors import DataError, UsageError

__all__ = ["DATES_ARE", "read_packaged_ratings", "read_ratings"]

Array = npt.NDArray[Any]
Progress = Callable[[int], None]

DATES_ARE: Final = ("dates", "days", "seconds")
_DAY: Final = 86_400
_LAST_DAY: Final = 2_932_897  # of the year 9999
_ROWS: Final = 1 << 20
_WIDEST: Final = 1 << 27  # numbers below it are looked up in an array; others in a dictionary


def read_ratings(
    path: str | Path,
    *,
    person: str = "person",
    item: str = "item",
    rating: str | None = "rating",
    date: str | None = "date",
    dates_are: str = "dates",
    header: bool | None = None,
    progress: Progress | None = None,
) -> Ratings:
    """The ratings of a CSV or Parquet file (or of what else `open_sources` reads).

    Args:
        path: one table.
        person: the column that says whose rating it is.
        item: the column that says of what.
        rating: the column of values, or None.
        date: the column of dates, or None.
        dates_are: "dates", or "days" or "seconds" since 1970 in numbers.
        header: whether the first row of a CSV file names the columns; by default that is found out.
        progress: called with the number of lines read so far.

    Raises:
        UsageError: not one table, or no such column.
        DataError: rows are lost, for the file is cut off or damaged; a cell without a person, item, rating or date;
            values that are no numbers; more than 255 distinct ratings or 65 536 days.
    """
    _checks.one_of(DATES_ARE, dates_are=dates_are)
    sources = open_sources(path, header=header)
    if len(sources) != 1:
        raise UsageError(f"Expected one table, got {len(sources)}.", "Name one of them.")
    people, items, scores, days = _Names(person), _Names(item), _Values(rating), _Days(date, dates_are)
    parts = [part for part in (people, items, scores, days) if part.name is not None]
    done = 0
    for piece in sources[0].pieces(rows=_ROWS):
        missing = [part.name for part in parts if part.name not in piece.batch.schema.names]
        if missing:
            _checks.one_of(piece.batch.schema.names, column=missing[0])
        for part in parts:
            part.add(_whole(piece.batch.column(part.name), str(part.name)))
        done += piece.batch.num_rows
        if progress is not None:
            progress(done)
    if lost := next((one for one in sources[0].problems if one.lost), None):
        raise DataError(
            f"Expected {sources[0].name} whole, but {lost.what}{f' ({lost.where})' if lost.where else ''}.",
            "Get it again.",
        )
    if not done:
        raise DataError("Expected at least one rating, got none.", "Check the file.")
    return _assembled(people, items, scores, days)


def read_packaged_ratings(name: str, *, cache: str | os.PathLike[str] | None = None) -> Ratings:
    """A set of ratings of the catalogue: "movielens-100k".

    Raises:
        UsageError: another name.
        FetchError: it was not fetched yet.
    """
    import pyarrow.csv

    from reticent.data.catalogue import entry
    from reticent.data.fetch import fetched

    _checks.one_of(("movielens-100k",), name=name)
    table = pyarrow.csv.read_csv(
        fetched(entry(name), cache=cache) / "ml-100k.inter", parse_options=pyarrow.csv.ParseOptions(delimiter="\t")
    )
    people, items, values, times = (column.to_numpy() for column in table.columns)
    _, who = np.unique(people, return_inverse=True)
    _, what = np.unique(items, return_inverse=True)
    return Ratings.of(who, what, scores=values, days=np.floor_divide(times.astype(np.int64), _DAY))


def _assembled(people: _Names, items: _Names, scores: _Values, days: _Days) -> Ratings:
    who, count = people.numbered()
    what, item_count = items.numbered()
    values, codes = scores.numbered()
    first, since = days.numbered()
    blocks = []
    while who:  # from the back, so that nothing is held twice
        blocks.append(
            Block(who.pop(), what.pop(), codes.pop() if codes else None, since.pop() if since is not None else None)
        )
    blocks.reverse()
    return assembled(blocks, values=values, first_day=first, count=count, items=item_count)


def _whole(column: Any, name: str) -> Any:
    import pyarrow.compute as pc

    pa = arrow()
    empty = column.null_count
    if pa.types.is_string(column.type):
        empty += pc.sum(pc.equal(column, "")).as_py() or 0
    if empty:
        raise DataError(f"Expected no empty cell in column {name!r}, got {empty}.", "Leave them out.")
    return column


class _Names:
    """A column of names, or of numbers that are names, read in pieces."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._pieces: list[Any] = []
        self._numbers = True

    def add(self, column: Any) -> None:
        pa = arrow()
        if pa.types.is_integer(column.type) and self._numbers:
            numbers = column.to_numpy(zero_copy_only=False)
            if len(numbers) and (numbers.min() < 0 or numbers.max() >= _WIDEST):
                self._spread_out()
                self._pieces.append(column.cast(pa.string()).dictionary_encode())
            else:
                self._pieces.append(numbers.astype(np.int32))
            return
        self._spread_out()
        self._pieces.append(column.cast(pa.string()).dictionary_encode())

    def _spread_out(self) -> None:
        if not self._numbers:
            return
        pa = arrow()
        self._numbers = False
        self._pieces = [pa.array(piece).cast(pa.string()).dictionary_encode() for piece in self._pieces]

    def numbered(self) -> tuple[list[Array], int]:
        """The pieces as numbers from 0 without gaps, and how many names there are."""
        if self._numbers:
            most = max(int(piece.max()) for piece in self._pieces if len(piece)) + 1
            used = np.zeros(most, dtype=bool)
            for piece in self._pieces:
                used[piece] = True
            places = (np.cumsum(used) - 1).astype(np.int32)
            return [places[piece] for piece in self._emptied()], int(used.sum())
        joined = arrow().chunked_array(self._pieces).unify_dictionaries()
        self._pieces = []
        names = joined.chunk(0).dictionary.to_numpy(zero_copy_only=False)
        places = np.empty(len(names), dtype=np.int32)
        places[np.argsort(names)] = np.arange(len(names), dtype=np.int32)
        return [places[chunk.indices.to_numpy(zero_copy_only=False)] for chunk in joined.chunks], len(names)

    def _emptied(self) -> list[Array]:
        found, self._pieces = self._pieces, []
        return found


class _Values:
    """A column of ratings, read in pieces."""

    def __init__(self, name: str | None) -> None:
        self.name = name
        self._known = np.zeros(0)
        self._pieces: list[Array] = []

    def add(self, column: Any) -> None:
        values = _floats(column, str(self.name))
        new = np.setdiff1d(np.unique(values), self._known)
        self._known = np.append(self._known, new)
        checked_values(self._known)
        order = np.argsort(self._known)
        self._pieces.append(order[np.searchsorted(self._known[order], values)].astype(np.uint8))

    def numbered(self) -> tuple[Array, list[Array]]:
        order = np.argsort(self._known)
        places = np.empty(len(order), dtype=np.uint8)
        places[order] = np.arange(len(order), dtype=np.uint8)
        found, self._pieces = self._pieces, []
        return self._known[order], [places[piece] for piece in found]


class _Days:
    """A column of dates, read in pieces."""

    def __init__(self, name: str | None, dates_are: str) -> None:
        self.name, self._unit = name, dates_are
        self._pieces: list[Array] = []

    def add(self, column: Any) -> None:
        self._pieces.append(self._days(column))

    def _days(self, column: Any) -> Array:
        pa = arrow()
        if self._unit != "dates":
            numbers = np.floor(_floats(column, str(self.name)) / (_DAY if self._unit == "seconds" else 1))
            if not (np.abs(numbers) < _LAST_DAY).all():  # which what is no number is not, either
                raise DataError(
                    f"Expected {self._unit} since 1970 in column {self.name!r}, got numbers beyond the year 9999.",
                    "Check the unit of the dates, and leave out what is no date.",
                )
            return numbers.astype(np.int32)
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            raise DataError(
                f"Expected dates in column {self.name!r}, got numbers.", "Say what they count: dates_are='seconds'."
            )
        try:
            if pa.types.is_string(column.type):
                column = column.cast(pa.timestamp("us"))
            days = column.cast(pa.timestamp("us")).cast(pa.date32(), safe=False).cast(pa.int32())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(
                f"Expected dates as 2005-03-01 in column {self.name!r}.", "Write all of them like that."
            ) from error
        found: Array = days.to_numpy(zero_copy_only=False)
        return found

    def numbered(self) -> tuple[int, list[Array] | None]:
        if not self._pieces:
            return 0, None
        first = min(int(piece.min()) for piece in self._pieces if len(piece))
        checked_days(max(int(piece.max()) for piece in self._pieces if len(piece)) - first)
        found, self._pieces = self._pieces, []
        return first, [(piece - first).astype(np.uint16) for piece in found]


def _floats(column: Any, name: str) -> Array:
    pa = arrow()
    try:
        found: Array = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"Expected numbers in column {name!r}.", "Name another column, or none.") from error
    return found
