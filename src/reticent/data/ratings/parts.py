"""Columns of ratings, read in pieces: names that become numbers, values, and days.

Promise: what a column holds is read or refused with the reason, and never shown; of a rating are kept 4 bytes for each
name and for its day, and 1 for its value. With `gaps`, cells of values and dates may be empty, values may be many (up
to 65 536 distinct ones), and dates may be months (2005-03) or years (2005): for files that somebody made coarser.

Example:
    >>> import pyarrow as pa
    >>> from reticent.data.ratings.parts import Days, Values
    >>> days, values = Days("when", "dates", gaps=True), Values("stars", gaps=True)
    >>> days.add(pa.array(["2005-03", None])); values.add(pa.array(["4.5", ""]))
    >>> days.unit, days.distinct.tolist(), [piece.tolist() for piece in values.numbered()[1]]
    ('months', [12843], [[0, -1]])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.ratings.store import checked_days, checked_values
from reticent.data.tables import open_sources
from reticent.data.tables.columns import arrow
from reticent.errors import DataError, UsageError

__all__ = ["DATES_ARE", "NO_DATE", "Days", "Names", "Progress", "Values", "read_parts"]

Array = npt.NDArray[Any]
Progress = Callable[[int], None]

DATES_ARE: Final = ("dates", "days", "seconds")
NO_DATE: Final = np.iinfo(np.int32).min
"""Instead of a day, where there is none."""
_DAY: Final = 86_400
_LAST_DAY: Final = 2_932_897  # of the year 9999
_ROWS: Final = 1 << 20
_WIDEST: Final = 1 << 27  # numbers below it are looked up in an array; others in a dictionary
_MANY: Final = 1 << 16  # distinct values in a file with gaps
_FORMS: Final = {"years": r"^\d{4}$", "months": r"^\d{4}-\d{2}$"}


def read_parts(
    where: Any,
    parts: Sequence[Names | Values | Days],
    progress: Progress | None = None,
    *,
    header: bool | None = None,
) -> None:
    """Read columns of one table; parts whose name is None are left as they are.

    Args:
        where: what `open_sources` takes.
        parts: what to read.
        progress: called with the number of lines read so far.
        header: whether the first row of a CSV file names the columns; by default that is found out.

    Raises:
        UsageError: not one table, or no such column.
        DataError: nothing in it, rows that are lost, or a cell that cannot be read.
    """
    sources = open_sources(where, header=header)
    if len(sources) != 1:
        raise UsageError(f"Expected one table, got {len(sources)}.", "Name one of them.")
    asked = [part for part in parts if part.name is not None]
    done = 0
    for piece in sources[0].pieces(rows=_ROWS):
        missing = [part.name for part in asked if part.name not in piece.batch.schema.names]
        if missing:
            _checks.one_of(piece.batch.schema.names, column=missing[0])
        for part in asked:
            part.add(piece.batch.column(part.name))
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


class Names:
    """A column of names, or of numbers that are names."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._pieces: list[Any] = []
        self._numbers = True

    def add(self, column: Any) -> None:
        """Read a piece."""
        pa = arrow()
        column = _whole(column, self.name)
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

    def numbered(self) -> tuple[list[Array], Array]:
        """The pieces as numbers from 0 without gaps, and the names in their order; empties this."""
        if self._numbers:
            most = max(int(piece.max()) for piece in self._pieces if len(piece)) + 1
            used = np.zeros(most, dtype=bool)
            for piece in self._pieces:
                used[piece] = True
            places = (np.cumsum(used) - 1).astype(np.int32)
            return [places[piece] for piece in self._emptied()], np.flatnonzero(used)
        joined = arrow().chunked_array(self._pieces).unify_dictionaries()
        self._pieces = []
        names = joined.chunk(0).dictionary.to_numpy(zero_copy_only=False)
        order = np.argsort(names)
        places = np.empty(len(names), dtype=np.int32)
        places[order] = np.arange(len(names), dtype=np.int32)
        return [places[chunk.indices.to_numpy(zero_copy_only=False)] for chunk in joined.chunks], names[order]

    def _emptied(self) -> list[Array]:
        found, self._pieces = self._pieces, []
        return found


class Values:
    """A column of ratings.

    Args:
        name: of the column; None if there is none.
        gaps: whether cells may be empty (-1), and values many.
    """

    def __init__(self, name: str | None, *, gaps: bool = False) -> None:
        self.name, self._gaps = name, gaps
        self._known = np.zeros(0)
        self._pieces: list[Array] = []

    def add(self, column: Any) -> None:
        """Read a piece."""
        column = _emptied(column) if self._gaps else _whole(column, str(self.name))
        values = _floats(column, str(self.name))
        there = ~np.isnan(values) if self._gaps else np.ones(len(values), dtype=bool)
        new = np.setdiff1d(np.unique(values[there]), self._known)
        self._known = np.append(self._known, new)
        if not self._gaps:
            checked_values(self._known)
        elif len(self._known) > _MANY or not np.isfinite(new).all():
            raise DataError(
                f"Expected at most {_MANY} distinct ratings, all of them finite.", "Round them, or leave them out."
            )
        order = np.argsort(self._known)
        codes = np.full(len(values), -1, dtype=np.int32)
        if len(order):
            codes[there] = order[np.searchsorted(self._known[order], values[there])]
        self._pieces.append(codes if self._gaps else codes.astype(np.uint8))

    def numbered(self) -> tuple[Array, list[Array]]:
        """The distinct values, ascending, and the pieces as places in them; empties this."""
        order = np.argsort(self._known)
        kind = np.int32 if self._gaps else np.uint8
        places = np.full(len(order) + 1, -1 if self._gaps else 0, dtype=kind)  # the last one stands for a gap
        places[order] = np.arange(len(order), dtype=kind)
        found, self._pieces = self._pieces, []
        return self._known[order], [places[piece] for piece in found]


class Days:
    """A column of dates.

    Args:
        name: of the column; None if there is none.
        dates_are: "dates", or "days" or "seconds" since 1970 in numbers.
        gaps: whether cells may be empty (`NO_DATE`), and dates months or years.

    Attributes:
        unit: "days"; or "months" or "years", of which the first day stands for all.
        distinct: which days there are, ascending.
    """

    def __init__(self, name: str | None, dates_are: str, *, gaps: bool = False) -> None:
        self.name, self._dates_are, self._gaps = name, _checks.one_of(DATES_ARE, dates_are=dates_are), gaps
        self.unit = "days"
        self.distinct: Array = np.zeros(0, dtype=np.int32)
        self._pieces: list[Array] = []

    def add(self, column: Any) -> None:
        """Read a piece."""
        if not self._gaps:
            self._pieces.append(self._read(_whole(column, str(self.name))))
            return
        column = _emptied(column)
        there = column.is_valid().to_numpy(zero_copy_only=False)
        days = np.full(len(column), NO_DATE, dtype=np.int32)
        if there.any():
            days[there] = self._read(self._in_full(column.drop_null()))
        self.distinct = np.union1d(self.distinct, days[there]).astype(np.int32)
        self._pieces.append(days)

    def _in_full(self, column: Any) -> Any:
        """Months and years as their first days."""
        import pyarrow.compute as pc

        pa = arrow()
        if self._dates_are != "dates":
            return column
        if pa.types.is_integer(column.type):
            column = column.cast(pa.string())
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            return column
        forms = [unit for unit, form in _FORMS.items() if pc.all(pc.match_substring_regex(column, form)).as_py()]
        unit = forms[0] if forms else "days"
        if len(self.distinct) and unit != self.unit:
            raise DataError(
                f"Expected dates of one form in column {self.name!r}, got {self.unit} and {unit}.",
                "Write all of them alike.",
            )
        self.unit = unit
        ending = {"days": "", "months": "-01", "years": "-01-01"}[unit]
        return pc.binary_join_element_wise(column.cast(pa.string()), ending, "") if ending else column

    def _read(self, column: Any) -> Array:
        pa = arrow()
        if self._dates_are != "dates":
            numbers = np.floor(_floats(column, str(self.name)) / (_DAY if self._dates_are == "seconds" else 1))
            if not (np.abs(numbers) < _LAST_DAY).all():  # which what is no number is not, either
                raise DataError(
                    f"Expected {self._dates_are} since 1970 in column {self.name!r}, got numbers beyond the year 9999.",
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

    def in_days(self) -> list[Array]:
        """The pieces, in days since 1970; empties this."""
        found, self._pieces = self._pieces, []
        return found

    def numbered(self) -> tuple[int, list[Array] | None]:
        """The first day, and the pieces as days since then; None if there is no column. Empties this."""
        if not self._pieces:
            return 0, None
        first = min(int(piece.min()) for piece in self._pieces if len(piece))
        checked_days(max(int(piece.max()) for piece in self._pieces if len(piece)) - first)
        return first, [(piece - first).astype(np.uint16) for piece in self.in_days()]


def _whole(column: Any, name: str) -> Any:
    import pyarrow.compute as pc

    pa = arrow()
    empty = column.null_count
    if pa.types.is_string(column.type):
        empty += pc.sum(pc.equal(column, "")).as_py() or 0
    if empty:
        raise DataError(f"Expected no empty cell in column {name!r}, got {empty}.", "Leave them out.")
    return column


def _emptied(column: Any) -> Any:
    """Empty texts, and numbers that are none, become nothing."""
    import pyarrow.compute as pc

    pa = arrow()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), pa.scalar(None, column.type), column)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


def _floats(column: Any, name: str) -> Array:
    pa = arrow()
    try:
        found: Array = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"Expected numbers in column {name!r}.", "Name another column, or none.") from error
    return found
