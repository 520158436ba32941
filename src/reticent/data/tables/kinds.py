"""What kind of values a column of a table holds: decided here, for every way of reading a table whole.

Promise: a column of texts becomes dates if every one of its cells is a date (`reticent.data.tables.dates`), however it
is written; else it stays text, and if many of its cells look like dates, that is noted with counts. Whoever says a
column's kind, or the formats of its dates, gets that: cells that do not fit become missing, and are noted, with how
many they are and where the first stands. Nothing is lost in silence, and no cell is shown. Where it cannot be told
whether day or month comes first, and it matters, the answer is asked for.

Example:
    >>> from reticent.data.tables import Column
    >>> from reticent.data.tables.kinds import Declared, decided
    >>> from reticent.data.tables.pieces import Notes
    >>> notes = Notes()
    >>> born = Column.of("born", ["1957-09-07", "13.4.1960", "7 Sep 1957", None])
    >>> decided(born, Declared(), notes), notes.problems()
    (Column('born': 4 rows, 2 distinct, 1 missing, date), ())
    >>> decided(Column.of("age", ["34", "old"]), Declared.of({"age": "number"}), notes).cells().tolist()
    [34, None]
    >>> notes.problems()[0].what, notes.problems()[0].where
    ("1 of 2 cells of 'age' cannot be read as number, and are missing", 'first in row 2')
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.tables.columns import KINDS, Column
from reticent.data.tables.dates import Dates, check_format, dates_in
from reticent.data.tables.pieces import Notes
from reticent.errors import DataError, UsageError

__all__ = ["Declared", "as_kind", "decided", "looks_like_dates"]

_PARTLY: Final = 0.2  # of the cells look like dates: then it is said


@dataclasses.dataclass(frozen=True)
class Declared:
    """What somebody says of columns.

    Attributes:
        kinds: column to one of `KINDS`.
        dates: column to the formats of its dates, as in `reticent.data.tables.dates`.
    """

    kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)
    dates: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls, kinds: Mapping[str, str] | None = None, dates: Mapping[str, str | Sequence[str]] | None = None
    ) -> Declared:
        """What is said, checked.

        Raises:
            UsageError: another kind, a format that cannot be read, or dates of a column that is to be no date.
        """
        found = {name: _checks.one_of(KINDS, kind=kind) for name, kind in (kinds or {}).items()}
        listed = {name: (one,) if isinstance(one, str) else tuple(one) for name, one in (dates or {}).items()}
        for name, formats in listed.items():
            if found.get(name, "date") != "date" or not formats:
                raise UsageError(f"Expected dates in column {name!r} only, with a format.", "Leave one of them out.")
            for one in formats:
                check_format(one)
        return cls(found, listed)

    def require(self, names: Sequence[str]) -> None:
        """Raise `UsageError` for a column that is not there."""
        for name in (*self.kinds, *self.dates):
            _checks.one_of(names, column=name)


def decided(column: Column, declared: Declared, notes: Notes) -> Column:
    """The column with the kind that it has, or is said to have.

    Args:
        column: as its source gave it.
        declared: what is said of columns.
        notes: where it goes what could not be read, and what was decided by other cells.

    Raises:
        DataError: it is said to hold dates, and it cannot be told whether day or month comes first.
    """
    name = column.name
    kind = declared.kinds.get(name) or ("date" if name in declared.dates else None)
    if kind is None:
        found = _looked_at(column, notes) if column.kind == "text" else column
        return found if found.written is not None else dataclasses.replace(found, written=())
    formats = declared.dates.get(name, ())
    if kind == "date" and column.kind == "text" and not formats:
        dates = _dates_of(column, ())
        if dates.either:
            raise DataError(
                f"Expected to know whether day or month comes first in column {name!r}; {dates.either} cells could be "
                "read either way.",
                f"Say it: dates={{{name!r}: '%d/%m/%Y'}}, or --dates '{name}=%d/%m/%Y'.",
            )
        _settled(name, dates, notes)
    made, unread = as_kind(column, kind, formats)
    if unread:
        cells = int((~column.missing).sum())
        first = int(np.flatnonzero(made.missing & ~column.missing)[0]) + 1
        notes.add(f"{unread} of {cells} cells of {name!r} cannot be read as {kind}, and are missing", _row(first))
    return made if made.written is not None else dataclasses.replace(made, written=())


def looks_like_dates(column: Column) -> tuple[int, int, int]:
    """How many cells of a column of texts have a value, look like dates, and could be read as dates."""
    counts = column.counts()
    found = _dates_of(column, ())
    return int(counts.sum()), int(counts[found.looks].sum()), int(counts[~np.isnat(found.moments)].sum())


def _dates_of(column: Column, formats: Sequence[str]) -> Dates:
    return dates_in([str(value) for value in column.values.tolist()], column.counts(), formats)


def _looked_at(column: Column, notes: Notes) -> Column:
    """A column of texts, as dates if all of them are; what looks like dates and cannot be read so is noted."""
    if not len(column.values):
        return column
    found = _dates_of(column, ())
    used = column.counts() > 0
    unread = used & np.isnat(found.moments)
    if not unread.any():
        if not used.any():
            return column
        _settled(column.name, found, notes)
        return _as_dates(column, found)
    counts = column.counts()
    cells, looking, missed = (int(counts[one].sum()) for one in (used, used & found.looks, unread))
    if looking < _PARTLY * cells:
        return column
    why = f"; {found.either} could have the day or the month first" if found.either else ""
    first = int(np.flatnonzero(np.append(unread, False)[column.codes])[0]) + 1
    notes.add(
        f"{column.name!r} is kept as text: {looking} of {cells} cells look like dates, but {missed} cannot be read as "
        f"one{why}. If they are dates, say so: --kind '{column.name}=date' (what cannot be read is then missing, and "
        f"counted) or, with formats, --dates '{column.name}=%d.%m.%Y,%m/%d/%Y'; in Python read(..., kinds=, dates=)",
        _row(first),
    )
    return column


def _row(number: int) -> str:
    return f"first in row {number}"


def _settled(name: str, found: Dates, notes: Notes) -> None:
    for one in found.settled:
        if one.evidence:
            notes.add(
                f"{one.cells} cells of {name!r} could have the day or the month first; they are read as {one.format}, "
                f"as {one.evidence} others of the column must be"
            )


def _as_dates(column: Column, found: Dates) -> Column:
    """The column with its moments; it remembers how they were written."""
    return dataclasses.replace(column.mapped(found.moments), written=found.formats)


def as_kind(column: Column, kind: str, dates: Sequence[str] = ()) -> tuple[Column, int]:
    """The column as numbers, dates, yes or no, or text; and how many cells could not be read so and are missing.

    Args:
        column: as it was read.
        kind: one of `KINDS`.
        dates: formats of dates; with them, a cell is read in the same way whatever other cells there are.
    """
    if column.kind == kind:
        return column, 0
    if kind == "text":
        return column.mapped([_text(value) for value in column.values.tolist()]), 0
    if kind == "date":
        found = column.mapped(np.full(len(column.values), np.datetime64("NaT", "us")))
        if column.kind == "text" or (column.kind == "number" and dates):
            found = _as_dates(column, _dates_of(column, dates))
    else:
        numbers = np.array([_number(value) for value in column.values.tolist()], dtype=np.float64)
        if kind == "yes or no":
            found = column.mapped([None if value not in (0.0, 1.0) else value == 1.0 for value in numbers.tolist()])
        else:
            found = column.mapped(_listed(numbers))
    return found, int(found.missing.sum() - column.missing.sum())


def _listed(numbers: npt.NDArray[np.float64]) -> list[Any]:
    """Numbers, whole ones as such if all are, None for those that are none."""
    whole = np.isnan(numbers) | ((numbers == np.floor(numbers)) & (np.abs(numbers) < 2**53))
    kind = int if whole.all() else float
    return [None if math.isnan(value) else kind(value) for value in numbers.tolist()]


def _number(value: object) -> float:
    words = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
    if isinstance(value, str):
        try:
            found = words[value.strip().lower()] if value.strip().lower() in words else float(value.replace("_", "x"))
        except ValueError:
            return math.nan
        return found if math.isfinite(found) else math.nan
    return float(value) if isinstance(value, bool | int | float) else math.nan


def _text(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)
