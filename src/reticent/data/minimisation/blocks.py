"""Columns that were taken apart into zeros and ones, put together again.

Promise: only what is one-hot in every row becomes one column: columns that share a beginning up to a separator, hold
nothing but 0 and 1, and of which each row has exactly one 1. Everything else stays as it is, in its place.

Example:
    >>> from reticent.data.minimisation import regrouped
    >>> from reticent.data.tables import Table
    >>> table = Table.of({"age": [30, 40], "sex_Female": [1, 0], "sex_Male": [0, 1], "has_car": [1, 1]})
    >>> whole = regrouped(table)
    >>> whole.names, whole["sex"].cells().tolist()
    (('age', 'sex', 'has_car'), ['Female', 'Male'])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from reticent.data.tables import Column, Table

__all__ = ["regrouped"]


def regrouped(table: Table, separator: str = "_") -> Table:
    """The table with a column of texts for each block of one-hot columns.

    Args:
        table: with columns such as `sex_Female` and `sex_Male`.
        separator: ends the name of the column, and begins that of the category.

    Returns:
        A table in which each block stands where its first column stood.
    """
    blocks: dict[str, tuple[str, tuple[str, ...]]] = {}
    flags = [column.name for column in table.columns if _is_flag(column)]
    for name, members in _blocks(table, flags, separator, 1):
        blocks |= dict.fromkeys(members, (name, tuple(members)))
    found, done = [], set()
    for column in table.columns:
        if column.name not in blocks:
            found.append(column)
            continue
        name, group = blocks[column.name]
        if name not in done:
            found.append(_together(table, name, group, separator))
            done.add(name)
    return Table(found)


def _is_flag(column: Column) -> bool:
    return (
        column.kind in ("number", "yes or no")
        and not column.missing.any()
        and bool(np.isin(column.values.astype(np.float64), (0.0, 1.0)).all())
    )


def _blocks(table: Table, names: Sequence[str], separator: str, depth: int) -> Iterator[tuple[str, list[str]]]:
    """Names of blocks and their columns; where a shared beginning is no block, a longer one may be."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        parts = name.split(separator)
        if len(parts) > depth:
            groups.setdefault(tuple(parts[:depth]), []).append(name)
    for members in groups.values():
        if len(members) < 2:
            continue
        ones = sum(table[name].numbers() for name in members)
        if bool(np.all(ones == 1)):
            name = _shared(members, separator)
            if name not in table:
                yield name, members
        else:
            yield from _blocks(table, members, separator, depth + 1)


def _shared(names: Sequence[str], separator: str) -> str:
    """The longest beginning, up to a separator, that all names share."""
    parts = [name.split(separator)[:-1] for name in names]
    shared = []
    for several in zip(*parts, strict=False):
        if len(set(several)) > 1:
            break
        shared.append(several[0])
    return separator.join(shared)


def _together(table: Table, name: str, members: Sequence[str], separator: str) -> Column:
    which = np.stack([table[member].numbers() for member in members]).argmax(axis=0)
    whole = Column.of(name, [member[len(name) + len(separator) :] for member in members])
    return whole.take(which)
