"""A table in memory, column by column, each cell a code of its column's distinct values.

Promise: rows keep their order, columns keep their names and types (`Column`), and what a table cannot hold is refused
with the column's name and without its contents. Tables do not change: every method gives a new one that shares what is
the same. The `repr` shows sizes only.

Sources: CSV, Parquet, JSON lines, SQL tables (`reticent.data.tables.read`); pandas, polars and other frames that speak
the Arrow interface; dictionaries of columns.

Shapes: a table has `rows` rows; classes are numbered (rows,) int64 from 0, in order of first appearance.

Example:
    >>> from reticent.data.tables import Table
    >>> people = Table.of({"age": [34, 34, 51], "zip": ["02139", "02139", "10001"]})
    >>> people
    Table(3 rows: age, zip)
    >>> people.classes(["age", "zip"]).sizes.tolist()
    [2, 1]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.tables.columns import Column, arrow
from reticent.errors import DataError, UsageError

__all__ = ["Classes", "Table"]


class Classes(NamedTuple):
    """Rows that are alike in some columns.

    Attributes:
        of_rows: (rows,) the class of each row, from 0, in order of first appearance.
        sizes: (classes,) how many rows each has.
        first: (classes,) its first row.
    """

    of_rows: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]


class Table:
    """Columns of the same length.

    Args:
        columns: in their order; names differ.

    Raises:
        DataError: no column, lengths that differ, or a name twice.
    """

    __slots__ = ("_columns", "rows")

    def __init__(self, columns: Iterable[Column]) -> None:
        listed = list(columns)
        self._columns = {column.name: column for column in listed}
        if not listed or len(self._columns) < len(listed):
            raise DataError("Expected at least one column, and names that differ.", "Name every column once.")
        lengths = {len(column) for column in listed}
        if len(lengths) > 1:
            raise DataError(f"Expected columns of one length, got {sorted(lengths)}.", "Fill up the shorter ones.")
        (self.rows,) = lengths
        """How many rows there are."""

    @classmethod
    def of(cls, values: Any) -> Table:
        """The table of a dictionary of columns, or of a frame that speaks the Arrow interface (pandas, polars, arrow).

        Raises:
            DataError: something else, a name twice, or columns without single values.
        """
        if isinstance(values, Table):
            return values
        if isinstance(values, Mapping):
            return cls(Column.of(str(name), value) for name, value in values.items())
        pa = arrow()
        try:
            found = values if isinstance(values, pa.Table) else pa.table(values)
        except (TypeError, ValueError, pa.ArrowInvalid, pa.ArrowTypeError):
            raise DataError(
                f"Expected a table, got {type(values).__name__}.",
                "Pass a frame of pandas or polars, an arrow table, or a dictionary of columns.",
            ) from None  # whose text may show a cell
        kept = [name for name in found.column_names if not name.startswith("__index_level_")]
        return cls(Column.of(name, found.column(found.column_names.index(name))) for name in kept)

    def __repr__(self) -> str:
        names = list(self._columns)
        shown = ", ".join(names[:8]) + (f", and {len(names) - 8} more" if len(names) > 8 else "")
        return f"Table({self.rows} rows: {shown})"

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, name: str) -> Column:
        self.require([name])
        return self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in order."""
        return tuple(self._columns)

    @property
    def columns(self) -> tuple[Column, ...]:
        """In order."""
        return tuple(self._columns.values())

    def require(self, names: Sequence[str]) -> None:
        """Raise `UsageError` for a name that no column has, with the nearest one."""
        for name in names:
            if name not in self._columns:
                _checks.one_of(self.names, column=name)

    def take(self, rows: npt.NDArray[Any]) -> Table:
        """Some rows, by number or by a mask."""
        return Table(column.take(rows) for column in self.columns)

    def select(self, names: Sequence[str]) -> Table:
        """Some columns, in the order given."""
        self.require(names)
        return Table(self._columns[name] for name in names)

    def without(self, names: Sequence[str]) -> Table:
        """All other columns.

        Raises:
            UsageError: no column has the name, or none would be left.
        """
        self.require(names)
        if not set(self.names) - set(names):
            raise UsageError("Expected at least one column to be left, got none.", "Leave one out.")
        return Table(column for column in self.columns if column.name not in names)

    def replaced(self, columns: Iterable[Column]) -> Table:
        """The table with these columns for those of the same names; others are added at the end."""
        return Table({**self._columns, **{column.name: column for column in columns}}.values())

    def classes(self, names: Sequence[str] | None = None) -> Classes:
        """Rows that are alike in these columns, missing values being alike; all columns if none are named."""
        chosen = self.columns if names is None else [self[name] for name in names]
        keys = np.zeros(self.rows, dtype=np.int64)
        span = 1
        for column in chosen:
            size = len(column.values) + 1
            if span * size >= 2**62:
                keys, span = _renumbered(keys)
            keys = keys * size + (column.codes.astype(np.int64) + 1)
            span *= size
        of_rows, count = _renumbered(keys)
        first = np.empty(count, dtype=np.int64)
        first[of_rows[::-1]] = np.arange(self.rows - 1, -1, -1)
        return Classes(of_rows, np.bincount(of_rows, minlength=count).astype(np.int64), first)

    def to_arrow(self) -> Any:
        """An arrow table."""
        return arrow().table({column.name: column.to_arrow() for column in self.columns})

    def save(self, path: str | Path) -> Path:
        """Write it as `.csv`, `.parquet` or `.jsonl`: whole or not at all.

        Raises:
            UsageError: another ending, or a place that cannot be written.
        """
        from reticent.data.tables.writing import write_table

        return write_table(self, path)


def _renumbered(keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    """Numbers from 0 in order of first appearance, and how many there are."""
    encoded = arrow().array(keys).dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), len(encoded.dictionary)
