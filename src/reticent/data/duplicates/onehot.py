"""Runs of columns of nought and one of which exactly one is one: a single cell in many columns.

Promise: a run is taken for one cell only if in every row exactly one of its columns is 1 and the rest are 0; columns
that merely exclude each other stay as they are.

Shapes: codes (columns, rows).

Example:
    >>> from reticent.data.duplicates.onehot import runs
    >>> from reticent.data.tables import Table
    >>> table = Table.of({"age": [34, 51, 34], "dog": [1, 0, 0], "cat": [0, 1, 0], "cow": [0, 0, 1], "new": [1, 0, 1]})
    >>> runs(table)
    [('age',), ('dog', 'cat', 'cow'), ('new',)]
"""

from __future__ import annotations

import numpy as np

from reticent.data.tables import Column, Table

__all__ = ["merged", "runs"]

_LEAST = 2  # complementary columns are one cell, written twice


def runs(table: Table) -> list[tuple[str, ...]]:
    """The names of columns, in order, those of one cell together."""
    found: list[tuple[str, ...]] = []
    names, place = table.names, 0
    while place < len(names):
        length = _length(table, place)
        found.append(names[place : place + length])
        place += length
    return found


def merged(table: Table, names: tuple[str, ...]) -> Column:
    """The column that says which of the columns is one."""
    if len(names) == 1:
        return table[names[0]]
    codes = np.zeros(len(table), np.int32)
    for place, name in enumerate(names):
        codes[_ones(table[name])] = place
    order = np.argsort(np.array(names, dtype=object))
    place_of = np.empty(len(names), np.int32)
    place_of[order] = np.arange(len(names), dtype=np.int32)
    return Column(names[0], place_of[codes], np.array(names, dtype=object)[order])


def _length(table: Table, first: int) -> int:
    """How many columns from here on are one cell; 1 if they are not."""
    total = np.zeros(len(table), np.int64)
    for place in range(first, len(table.names)):
        column = table[table.names[place]]
        if not _binary(column):
            return 1
        total[_ones(column)] += 1
        if total.max(initial=0) > 1:
            return 1
        if total.all() and place - first + 1 >= _LEAST:
            return place - first + 1
    return 1


def _binary(column: Column) -> bool:
    whole = column.kind in ("number", "yes or no") and not column.missing.any()
    return whole and 0 < len(column.values) <= 2 and set(column.values.tolist()) <= {0, 1}


def _ones(column: Column) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    one = np.asarray(column.values, np.float64) == 1
    ones: np.ndarray[tuple[int], np.dtype[np.bool_]] = one[column.codes]
    return ones
