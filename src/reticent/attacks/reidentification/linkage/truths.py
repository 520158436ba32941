"""Whose row each is, from a list of pairs that stands apart from both tables.

Promise: a pair says that a row of the release and a row of the register are of one person. Rows are meant by their
number from 0, or by the value of a column (a key, such as a pseudonym that replaced a number of persons). Rows that
hang together through pairs, or have one key, are of one person; a row that no pair names is of a person of its own, who
is not in the other table. Pairs of which one half is missing say nothing; pairs of keys that no row has are warned of.

Columns: of the pairs, those called "release" and "register" if there are such; or the only two, in this order; else
they have to be named. A column that is called as one of the table it is of holds keys, any other row numbers.

Example:
    >>> from reticent.attacks.reidentification.linkage import People
    >>> from reticent.data.tables import Table
    >>> release, register = Table.of({"pseudonym": ["x7", "k2"]}), Table.of({"name": ["ann", "bob", "cid"]})
    >>> people = People.of_pairs(release, register, {"pseudonym": ["x7"], "row": [2]})
    >>> (people.release[:, None] == people.register).tolist(), people.columns
    ([[False, False, True], [False, False, False]], ('pseudonym',))
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from reticent.data.tables import Column, Table
from reticent.errors import DataError, DataWarning, UsageError

__all__ = ["column_of", "people"]

Ints = npt.NDArray[np.int64]

_NAMES = ("release", "register")


def column_of(table: Table, name: str) -> Column:
    """A column by its name without blanks around it.

    Raises:
        UsageError: there is none.
    """
    known = {one.strip(): one for one in table.names}
    return table[known.get(name.strip(), name)]


def people(
    release: Table,
    register: Table,
    pairs: Table,
    *,
    columns: tuple[str, str] | None = None,
    keys: tuple[str | None, str | None] | None = None,
) -> tuple[Ints, Ints, tuple[str, ...]]:
    """Whose row each is, of release and register, and the names of the key columns.

    Args:
        release, register: the tables.
        pairs: of rows.
        columns: of the pairs: that of the release, and that of the register.
        keys: the column of the release, and of the register, whose values the pairs hold; None for row numbers.

    Raises:
        UsageError: columns that are not there, or of which it is unclear which they are.
        DataError: row numbers that no row has, or no pair of both tables.
    """
    tables, halves = (release, register), columns or _halves(pairs)
    if keys is None:
        have = [[one.strip() for one in table.names] for table in tables]
        keys = (halves[0] if halves[0] in have[0] else None, halves[1] if halves[1] in have[1] else None)
    ends = [
        _ends(table, key, column_of(pairs, half), which)
        for table, key, half, which in zip(tables, keys, halves, _NAMES, strict=True)
    ]
    (left, first), (right, second) = ends
    named = (first != _SILENT) & (second != _SILENT)
    good = (first >= 0) & (second >= 0)
    if not good.any():
        raise DataError(
            f"Expected pairs of rows that both tables have, got none in {len(pairs)}.",
            "Check which columns of the pairs are meant, and whether they hold row numbers from 0 or values of a key.",
        )
    if lost := int((named & ~good).sum()):
        warnings.warn(
            f"{lost} of {int(named.sum())} pairs of the truth name a key that no row has; they are left out.",
            DataWarning,
            stacklevel=3,
        )
    count = int(left.max()) + 1
    nodes = count + int(right.max()) + 1
    edges = coo_matrix((np.ones(int(good.sum())), (first[good], count + second[good])), shape=(nodes, nodes))
    _, person = connected_components(edges, directed=False)
    person = person.astype(np.int64)
    return person[left], person[count + right], tuple(dict.fromkeys(key for key in keys if key is not None))


_SILENT = -1  # the pair has no value there
_UNKNOWN = -2  # no row has the value


def _halves(pairs: Table) -> tuple[str, str]:
    names = [name.strip() for name in pairs.names]
    if set(_NAMES) <= set(names):
        return _NAMES
    if len(names) != 2:
        raise UsageError(
            f"Expected two columns in the list of pairs, got {', '.join(names)}.",
            "Name that of the release and that of the register.",
        )
    return names[0], names[1]


def _ends(table: Table, key: str | None, half: Column, which: str) -> tuple[Ints, Ints]:
    """The node of each row, and of each pair (or `_SILENT`, `_UNKNOWN`)."""
    rows = np.arange(len(table))
    if key is None:
        return rows, _numbers(half, len(table), which)
    column = column_of(table, key)
    known = {_text(value): place for place, value in enumerate(column.values)}
    own = np.array([known[_text(value)] for value in column.values] + [-1], np.int64)[column.codes]
    nodes = np.where(own < 0, len(column.values) + rows, own)
    values = np.array([known.get(_text(value), _UNKNOWN) for value in half.values] + [_SILENT], np.int64)
    return nodes, values[half.codes]


def _numbers(half: Column, rows: int, which: str) -> Ints:
    """Row numbers, which have to be those of rows."""
    values = np.array([float(text) if text.isdigit() else -1.0 for text in map(_text, half.values)] + [0.0])
    if ((values[:-1] < 0) | (values[:-1] >= rows)).any():
        raise DataError(
            f"Expected row numbers from 0 to {rows - 1} of the {which} in column {half.name!r}, got others.",
            f"Count rows from 0 (without the line of names), or name the column of the {which} whose values these are.",
        )
    return np.where(half.codes < 0, _SILENT, values[half.codes].astype(np.int64))


def _text(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float | np.floating) else str(value).strip()
