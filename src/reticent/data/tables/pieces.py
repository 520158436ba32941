"""What a source of rows is: a table in pieces of bounded size, and what was wrong with it, said with its place.

Promise: a problem names what happened, how often and where it happened first (lines, rows, columns), and never what
stands there. `lost` says whether rows are missing because of it; a table that is read whole is refused then.

Shapes: a piece is an arrow record batch; all pieces of one source have the same columns.

Example:
    >>> from reticent.data.tables.pieces import Notes
    >>> notes = Notes()
    >>> for line in (3, 17, 20):
    ...     notes.add("rows that are too short", line)
    >>> notes.problems()
    (Problem(what='rows that are too short', where='lines 3, 17, 20', count=3, lost=False),)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from reticent import _checks
from reticent.data.tables.columns import Column
from reticent.errors import UsageError

__all__ = [
    "ROWS_AT_ONCE",
    "File",
    "Notes",
    "Piece",
    "Problem",
    "Source",
    "chosen",
    "empty",
    "text_column",
    "unique_names",
]

ROWS_AT_ONCE: Final = 1 << 16
_SHOWN: Final = 5  # places of a problem that are named


class Piece(NamedTuple):
    """Some rows of a source.

    Attributes:
        batch: an arrow record batch of them.
        first: the number of the first one, from 0.
    """

    batch: Any
    first: int


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something that a source could not be read as.

    Attributes:
        what: it is, in words, without contents.
        where: the first places, in words ("line 17").
        count: how often.
        lost: whether something of the source was not read because of it.
    """

    what: str
    where: str
    count: int
    lost: bool = False


class Source(Protocol):
    """One table, or one text."""

    @property
    def name(self) -> str:
        """What to call it: a path below the folder that was asked for, or a table's name."""

    @property
    def kind(self) -> str:
        """Of "csv", "parquet", "json lines", "text", "sql", "frame"."""

    @property
    def bytes(self) -> int | None:
        """How large it is, if that is known before it is read."""

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = ROWS_AT_ONCE) -> Iterator[Piece]:
        """Its rows in order, at most so many at a time; some columns, or all of them."""

    @property
    def problems(self) -> Sequence[Problem]:
        """What the last reading came upon; complete when `pieces` is used up."""

    def column(self, name: str, cells: Any, missing: Collection[str] = ("",)) -> Column:
        """A column in memory, of all its cells, with the types that this kind of source can tell."""


@dataclasses.dataclass
class _Note:
    unit: str
    places: list[str]
    count: int
    lost: bool


class Notes:
    """Problems as they are come upon, added up by what they are."""

    def __init__(self) -> None:
        self._notes: dict[str, _Note] = {}

    def add(self, what: str, place: object = "", *, unit: str = "line", count: int = 1, lost: bool = False) -> None:
        """One more problem, or `count` of them, the first at this place: a number of its unit, or words."""
        note = self._notes.setdefault(what, _Note(unit if isinstance(place, int) else "", [], 0, lost))
        note.count += count
        note.lost |= lost
        if len(note.places) < _SHOWN and place != "":
            note.places.append(str(place))

    def problems(self) -> tuple[Problem, ...]:
        """All of them, those first that came first."""
        return tuple(Problem(what, _where(note), note.count, note.lost) for what, note in self._notes.items())


@dataclasses.dataclass
class File:
    """What all files have that are sources.

    Args:
        path: where it lies.
        name: what to call it.
    """

    path: Path
    name: str
    _notes: Notes = dataclasses.field(default_factory=Notes, repr=False, init=False)

    @property
    def bytes(self) -> int | None:
        """The size of the file."""
        return self.path.stat().st_size if self.path.is_file() else None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Of the last reading."""
        return self._notes.problems()


def _where(note: _Note) -> str:
    unit = f"{note.unit}{'s' if len(note.places) > 1 else ''} " if note.unit else ""
    more = f", and {note.count - len(note.places)} more" if note.places and note.count > len(note.places) else ""
    return f"{unit}{', '.join(note.places)}{more}"


def unique_names(names: Iterable[str], notes: Notes) -> list[str]:
    """Names that differ and are not empty; what had to be changed is noted."""
    found: dict[str, None] = {}
    listed = [name.strip() for name in names]
    taken = set(listed)
    for number, name in enumerate(listed, start=1):
        new = name
        if not name:
            notes.add("columns without a name, called by their number", number, unit="column")
            new = _free(f"column {number}", taken)
        elif name in found:
            notes.add("columns with the name of another, which got a number", number, unit="column")
            new = _free(name, taken)
        taken.add(new)
        found[new] = None
    return list(found)


def _free(name: str, taken: set[str]) -> str:
    new, number = name, 2
    while new in taken:
        new, number = f"{name} ({number})", number + 1
    return new


def chosen(names: Sequence[str], columns: Sequence[str] | None, source: str) -> list[str]:
    """The columns that are asked for, or all.

    Raises:
        UsageError: one that is not there, one twice, or none.
    """
    if columns is None:
        return list(names)
    if not columns or len(set(columns)) < len(columns):
        raise UsageError(f"Expected columns of {source}, each once, got {list(columns)}.", "Name at least one.")
    known = set(names)
    return [one if one in known else _checks.one_of(names, column=one) for one in columns]


def empty(names: Sequence[str], pa: Any) -> Piece:
    """A piece without rows, which says what the columns are called."""
    return Piece(pa.RecordBatch.from_pydict({name: pa.array([], pa.string()) for name in names}), 0)


def text_column(name: str, cells: Any, missing: Collection[str]) -> Column:
    """The column of texts that are meant as texts, without those that mean a missing value."""
    column = Column.of(name, cells)
    if column.kind == "text" and any(value in missing for value in column.values):
        column = column.mapped([None if value in missing else value for value in column.values.tolist()])
    return column
