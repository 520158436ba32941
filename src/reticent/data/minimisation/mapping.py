"""What to keep of each column of a table, fitted, as a file that anybody can read.

Promise: a map does the same to every table: columns that it drops may be missing, values that it never saw fall where
they belong (a band, "(other)", a month), missing cells stay missing, cells of another type are read as the type they
had or count as unreadable. Columns that the map does not name are dropped: what was not found to be needed is not kept.
The file is JSON with a version, checked when it is read; it holds cut points and names of categories that at least ten
rows had, and nothing else of the rows. Large sources are mapped in pieces, with the same result.

Example:
    >>> from reticent.data.minimisation.mapping import Generalisation, Mapped
    >>> from reticent.data.minimisation.rules import Banded, Dropped, Kept
    >>> from reticent.data.tables import Table
    >>> less = Generalisation((
    ...     Mapped("age", "number", Banded((40.0,), (30.0, 60.0))), Mapped("name", "text", Dropped()),
    ...     Mapped("city", "text", Kept())), label="ill")
    >>> table, problems = less.apply(Table.of({"city": ["Lund", None], "age": ["41", "old"], "shoe": [38, 44]}))
    >>> table.names, table["age"].cells().tolist(), problems[0].what
    (('age', 'city'), [60, None], "cells of 'age' that cannot be read as number")
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from reticent import _checks
from reticent.data.minimisation.rules import Dropped, Rule, applied, as_dict, as_kind, rule_from
from reticent.data.tables import KINDS, Column, Problem, Source, Table, read_all
from reticent.data.tables.dates import check_format
from reticent.errors import UsageError
from reticent.evidence import canonical_json, parse, write_whole

__all__ = ["FORMAT", "LEFT_MISSING", "Generalisation", "Mapped", "unreadable_words"]

FORMAT: Final = "reticent-minimisation-map/2"
LEFT_MISSING: Final = "left missing"
_FIELDS: Final = {"name", "kind", "rule", "dates"}
_CUSTOM: Final = ("%d.%m.%Y",)


@dataclasses.dataclass(frozen=True)
class Mapped:
    """What to keep of a column.

    Args:
        name: of the column.
        kind: what its values were: one of `reticent.data.tables.KINDS`.
        rule: what is kept.
        dates: the formats in which its dates were written, if they were texts (`reticent.data.tables.dates`).
    """

    name: str
    kind: str
    rule: Rule
    dates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _checks.one_of(KINDS, kind=self.kind)
        object.__setattr__(self, "dates", tuple(self.dates))
        for one in self.dates:
            check_format(one)
        wanted = {"banded": "number", "truncated": "date", "prefixed": "text", "grouped": "text"}.get(self.rule.kind)
        if not isinstance(self.name, str) or wanted not in (None, self.kind):
            raise UsageError(
                f"Expected a rule for values of kind {self.kind}, got {self.rule.kind}.", "Write the map as saved."
            )


@dataclasses.dataclass(frozen=True)
class Generalisation:
    """A map from tables to tables that hold less.

    Args:
        columns: what to keep of each, in the order of the result.
        label: a column that is kept as it is where there is one.
    """

    columns: tuple[Mapped, ...]
    label: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        names = [one.name for one in self.columns]
        if len(set(names)) < len(names) or self.label in names:
            raise UsageError("Expected a map that names every column once, got one twice.", "Write it as saved.")
        if not self.kept and self.label is None:
            raise UsageError("Expected a map that keeps a column, got one that keeps none.", "Keep one.")

    @property
    def kept(self) -> tuple[Mapped, ...]:
        """Columns of which something is kept: all that has to be collected."""
        return tuple(one for one in self.columns if not isinstance(one.rule, Dropped))

    @property
    def dropped(self) -> tuple[str, ...]:
        """Columns of which nothing is kept."""
        return tuple(one.name for one in self.columns if isinstance(one.rule, Dropped))

    def apply(self, table: Any, *, missing: Sequence[str] = ("",)) -> tuple[Table, tuple[Problem, ...]]:
        """What is kept of a table, and what could not be read in it.

        Args:
            table: a `Table`, a frame, a dictionary of columns, a path, or the address of a database.
            missing: texts that mean a missing value in columns that are no text.

        Raises:
            UsageError: a column is missing of which something is kept.
        """
        given = _given(table, [one.name for one in self.kept if one.kind == "date"])
        absent = [one.name for one in self.kept if one.name not in given]
        if absent:
            raise UsageError(
                f"Expected all columns that are kept, got none of the name {', '.join(map(repr, absent))}.",
                "Check the names; columns that are dropped may be missing.",
            )
        found, problems = [], []
        for one in self.kept:
            column = _blanked(given[one.name], one.kind, missing)
            # with formats, a cell is read alike whatever cells are beside it: pieces of a file do not matter
            column, unreadable = as_kind(column, one.kind, one.dates or _CUSTOM)
            found.append(applied(one.rule, column))
            if unreadable:
                problems.append(Problem(unreadable_words(one), LEFT_MISSING, unreadable))
        if self.label is not None and self.label in given:
            found.append(given[self.label])
        if not found:
            raise UsageError("Expected a column that is kept, got none.", "This map keeps nothing but the label.")
        return Table(found), tuple(problems)

    def pieces(self, source: Source, *, missing: Sequence[str] = ("",)) -> Iterator[tuple[Table, tuple[Problem, ...]]]:
        """What is kept of a source, piece by piece."""
        wanted = {one.name for one in self.kept} | {self.label}
        texts = {one.name for one in self.kept if one.kind == "text"} | {self.label}
        for piece in source.pieces():
            batch = piece.batch
            names = [name for name in batch.schema.names if name in wanted]
            columns = []
            for name in names:
                values = batch.column(batch.schema.names.index(name))
                column = Column.of(name, values)
                if name in texts and column.kind == "text":
                    column = _blanked(column, "number", missing)  # an empty cell of a file is a missing one
                columns.append(column)
            if not columns:
                raise UsageError("Expected columns that are kept, got none.", "Check the names.")
            yield self.apply(Table(columns), missing=missing)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "format": FORMAT,
            "label": self.label,
            "columns": [
                {"name": one.name, "kind": one.kind, "rule": as_dict(one.rule), "dates": list(one.dates)}
                for one in self.columns
            ],
        }

    @classmethod
    def from_dict(cls, values: object) -> Generalisation:
        """The map that `as_dict` wrote.

        Raises:
            UsageError: another format, or anything in it that no map has.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise UsageError(f"Expected a map of format {FORMAT}, got something else.", "Pass a map that was saved.")
        columns, label = values.get("columns"), values.get("label")
        whole = set(values) == {"format", "label", "columns"} and isinstance(columns, list)
        if not whole or not (label is None or isinstance(label, str)):
            raise UsageError("Expected the fields of a map, got others.", "Write it as saved.")
        found = []
        for one in columns if isinstance(columns, list) else []:
            if not isinstance(one, Mapping) or set(one) != _FIELDS or not isinstance(one["name"], str):
                raise UsageError(f"Expected {sorted(_FIELDS)} of every column, got others.", "Write it as saved.")
            dates = one["dates"]
            if not isinstance(dates, list) or not all(isinstance(each, str) for each in dates):
                raise UsageError("Expected formats of dates as texts, got others.", "Write it as saved.")
            found.append(Mapped(one["name"], one["kind"], rule_from(one["rule"]), tuple(dates)))
        return cls(tuple(found), label)

    def save(self, path: str | Path) -> Path:
        """Write it as JSON: whole or not at all."""
        if Path(path).suffix.lower() != ".json":
            raise UsageError(f"Expected a path that ends in .json, got {str(path)!r}.", "Choose another name.")
        return write_whole(path, canonical_json(self.as_dict()) + b"\n")

    @classmethod
    def load(cls, path: str | Path) -> Generalisation:
        """The map in a file.

        Raises:
            UsageError: no such file, or no map in it.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise UsageError(f"Expected a map that can be read, got {str(path)!r}.", "Check the name.") from error
        return cls.from_dict(parse(content))


def _given(table: Any, dates: Sequence[str]) -> Table:
    """The table; of what is read here, dates stay as they are written until they are read as the map has it."""
    if not isinstance(table, str | Path):
        return Table.of(table)
    (whole,) = read_all([table], kinds=dict.fromkeys(dates, "text"))
    return whole


def unreadable_words(column: Mapped) -> str:
    """What is said of cells that are no value of the kind that a column had."""
    return f"cells of {column.name!r} that cannot be read as {column.kind}"


def _blanked(column: Column, kind: str, missing: Sequence[str]) -> Column:
    """A column of texts without those that mean a missing value, unless it is to stay text."""
    if column.kind != "text" or kind == "text":
        return column
    return column.mapped([None if value in missing else value for value in column.values.tolist()])
