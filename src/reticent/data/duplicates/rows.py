"""What users hold, one set or two, as rows that can be compared.

Promise: nothing but the chosen columns is compared; a column that says whose row it is, and labels, never count. Rows
of a second set follow those of the first one.

Example:
    >>> from reticent.data.duplicates.rows import rows_of
    >>> from reticent.data.tables import Table
    >>> train, test = Table.of({"age": [34, 51], "who": [1, 2]}), Table.of({"who": [7], "age": [51.0]})
    >>> both = rows_of(train, test, owner="who")
    >>> both.way, both.first, both.exact.tolist(), both.owners.tolist()
    ('cells', 2, [0, 1, 1], [0, 1, 2])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.duplicates.canonical import array_hashes, groups_of, row_hashes
from reticent.data.duplicates.sketches import Points, Progress, Sets
from reticent.data.records import Records
from reticent.data.tables import Column, Table, as_table
from reticent.errors import DataError, UsageError

__all__ = ["WAYS", "Rows", "joined", "rows_of", "table_of"]

Ints = npt.NDArray[np.int64]

WAYS: Final = ("text", "cells", "numbers", "images")
"""What near means: shared shingles of texts, few cells that differ, close numbers, or close pictures."""
_WIDE: Final = 200  # features of records from which on they are compared as points


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one set, or of two after each other.

    Attributes:
        way: one of `WAYS`.
        first: how many rows are of the first set.
        exact: (rows,) equal for rows that are equal.
        owners: (rows,) whose row each is, or None.
        labels: (rows,) of records, or None.
        columns: that are compared; none for records.
    """

    way: str
    first: int
    exact: Ints
    owners: Ints | None
    labels: Ints | None
    columns: tuple[str, ...]
    _data: Table | npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.exact)

    @property
    def has_cells(self) -> bool:
        """Whether rows can be seen as cells."""
        if isinstance(self._data, Table):
            return True
        return self.way != "images" and 0 < self._data.reshape(len(self._data), -1).shape[1] <= _WIDE

    def table(self, rows: Ints) -> Table:
        """Some rows as a table of the columns that are compared."""
        if isinstance(self._data, Table):
            return self._data.take(rows)
        wide = np.asarray(self._data)[rows].reshape(len(rows), -1)
        return Table.of({f"feature {place}": wide[:, place] for place in range(wide.shape[1])})

    def compared(self, rows: Ints, progress: Progress | None = None) -> Sets | Points:
        """Some rows as they are compared for being near; cells are made of `table`."""
        if self.way == "images":
            return Points.of_images(np.asarray(self._data)[rows])
        if not isinstance(self._data, Table):
            return Points.of_columns(self._data[rows])
        table = self._data.take(rows)
        if self.way == "numbers":
            return Points.of_columns(np.stack([column.numbers() for column in table.columns], axis=1))
        parts = [["" if cell is None else str(cell) for cell in column.cells()] for column in table.columns]
        return Sets.of_texts(
            parts[0] if len(parts) == 1 else [" ".join(one) for one in zip(*parts, strict=True)], progress
        )


def rows_of(
    data: Any,
    against: Any = None,
    *,
    way: str = "auto",
    columns: Sequence[str] | None = None,
    owner: str | None = None,
) -> Rows:
    """Rows of one set or two.

    Args:
        data: a `Table` or what `as_table` takes (a frame, a path, an address), or `Records`.
        against: a second set of the same kind.
        way: one of `WAYS`, or "auto": text for a single column of texts, else cells; of records, images for several
            dimensions and numbers for very many.
        columns: of tables, that are compared; by default all but the owner's.
        owner: of tables, the column that says whose row it is; records know it themselves.

    Raises:
        UsageError: an unknown way or column, or options that do not fit the data.
        DataError: no rows, or two sets that cannot be compared.
    """
    if way != "auto":
        _checks.one_of(WAYS, way=way)
    if isinstance(data, Records):
        if columns is not None or owner is not None:
            raise UsageError("Expected columns and owner for tables only, got them for records.", "Leave them out.")
        return _of_records(data, against, way)
    table = table_of(data)
    first = len(table)
    if against is not None:
        table = joined(table, table_of(against))
    if not first:
        raise DataError("Expected at least one row, got none.", "Check the file.")
    owners = None
    if owner is not None:
        table.require([owner])
        if table[owner].missing.any():
            raise DataError(
                f"Expected an owner for every row, but column {owner!r} has gaps.",
                "Give each of these rows an owner of its own, if nothing else is known.",
            )
        owners = table[owner].codes.astype(np.int64)
    names = [name for name in table.names if name != owner] if columns is None else list(columns)
    chosen = table.select(names) if names else table
    return Rows(_way(chosen, way), first, groups_of(row_hashes(chosen)), owners, None, chosen.names, chosen)


def table_of(data: Any) -> Table:
    """A table from a path, an address, a frame, a dictionary of columns, or a `Table`."""
    return as_table(data)


def joined(first: Table, second: Table) -> Table:
    """The columns that the first table has, of both, one after the other.

    Raises:
        DataError: the second table lacks one of them.
    """
    missing = [name for name in first.names if name not in second]
    if missing:
        raise DataError(
            f"Expected the same columns in both sets, but the second one lacks {missing[0]!r}.", "Rename or drop it."
        )
    return Table(_joined(first[name], second[name]) for name in first.names)


def _joined(first: Column, second: Column) -> Column:
    mine, theirs = first.values, second.values
    if len(mine) and len(theirs) and (first.kind != second.kind or _rounds(mine, theirs)):
        mine, own = _as_texts(mine)
        theirs, other = _as_texts(theirs)
        first = Column(first.name, own[first.codes], mine)
        second = Column(second.name, other[second.codes], theirs)
    if not len(mine) or not len(theirs):
        values = mine if len(mine) else theirs
    else:
        values = np.unique(np.concatenate([mine, theirs]))
    codes = [
        np.append(np.searchsorted(values, own) if len(own) else np.zeros(0, int), -1)[column.codes].astype(np.int32)
        for own, column in ((mine, first), (theirs, second))
    ]
    return Column(first.name, np.concatenate(codes), values)


_TIMES: Final = ("datetime64[D]", "datetime64[s]", "datetime64[us]")  # written as the first that has all of it


def _rounds(mine: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> bool:
    """Whether whole numbers of one array would be rounded if they became the other one's."""
    kinds = {mine.dtype.kind, theirs.dtype.kind}
    whole = mine if mine.dtype.kind == "i" else theirs
    return kinds == {"i", "f"} and bool((np.abs(whole) > 2**53).any())


def _as_texts(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """The values as they are usually written, sorted, and the place of each among them; -1 at the end."""
    texts = [_text(value) for value in values]
    listed = np.array(sorted(set(texts)), dtype=object)
    place = {text: at for at, text in enumerate(listed)}
    return listed, np.array([*(place[text] for text in texts), -1], np.int32)


def _text(value: Any) -> str:
    """34.0 as 34, a day as 2020-01-31, yes or no as true or false."""
    if isinstance(value, np.datetime64):
        return str(next(one for one in map(value.astype, _TIMES) if one == value))
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _way(table: Table, asked: str) -> str:
    kinds = [column.kind for column in table.columns]
    numeric = all(kind != "text" for kind in kinds) and all(map(_finite, table.columns))
    if asked == "images" or (asked == "numbers" and not numeric):
        raise UsageError(
            f"Expected way to fit a table of {', '.join(sorted(set(kinds)))}, got {asked!r}.", "Choose cells."
        )
    if asked != "auto":
        return asked
    return "text" if kinds == ["text"] else "cells"


def _finite(column: Column) -> bool:
    return column.values.dtype.kind != "f" or bool(np.isfinite(column.values).all())


def _of_records(data: Records, against: Any, way: str) -> Rows:
    if against is not None and not isinstance(against, Records):
        raise UsageError("Expected two sets of one kind, got records and something else.", "Make records of both.")
    whole = data if against is None else data.joined(against)
    width = int(np.prod(whole.features.shape[1:]))
    if way == "text" or (way == "images" and whole.features.ndim < 3) or (way == "cells" and width > _WIDE):
        raise UsageError(f"Expected way to fit features {whole.features.shape[1:]}, got {way!r}.", "Choose numbers.")
    if way == "auto":
        way = "images" if whole.features.ndim in (3, 4) else "cells" if width <= _WIDE else "numbers"
    owners = None if whole.owners is None else whole.owner_index()
    exact = groups_of(array_hashes(whole.features))
    return Rows(way, len(data), exact, owners, whole.labels, (), whole.features)
