"""Columns that say who somebody is: no model is to learn from them, so none is given them.

Promise: what the scan finds to be direct identifiers in most of a column's cells (`reticent.data.scan`: names by the
column's name, numbers with check digits, addresses, telephone numbers), texts that nearly no two rows share, and free
text. Numbers that nearly no two rows share may be measurements: they are told apart, for the search to drop first.

Not covered: names in columns that are not called so; codes that many rows share; quasi-identifiers, which only together
say who somebody is.

How: the scan looks at `LOOKED_AT` rows at most, spread evenly; whether values are shared is counted over all rows.

Example:
    >>> from reticent.data.minimisation.identifiers import identifiers
    >>> from reticent.data.tables import Table
    >>> people = {"Patient Name": ["Ann Lee", "Bob Ray"] * 40, "code": [f"A{i:03}x" for i in range(80)]}
    >>> identifiers(Table.of({**people, "age": [34] * 80})).direct
    {'Patient Name': 'name', 'code': 'unique code'}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from reticent.data.scan import scan
from reticent.data.tables import Column, Table

__all__ = ["LOOKED_AT", "Identifiers", "identifiers"]

LOOKED_AT: Final = 20_000
_UNIQUE: Final = 0.98
_LEAST: Final = 50


class Identifiers(NamedTuple):
    """What was found.

    Attributes:
        direct: column to the kind of identifier that it is.
        unique: columns of whole numbers that nearly no two rows share.
    """

    direct: Mapping[str, str]
    unique: tuple[str, ...]


def identifiers(table: Table) -> Identifiers:
    """Columns that say who somebody is."""
    step = max(1, -(-table.rows // LOOKED_AT))
    some = table.take(np.arange(0, table.rows, step))
    there = {column.name: int((~column.missing).sum()) for column in some.columns}
    direct: dict[str, str] = {}
    for one in scan(some, texts="none").found:
        most = 2 * one.cells >= there[one.column] and not one.in_text
        if most and (one.group == "direct" or one.kind == "free text"):
            direct.setdefault(one.column, one.kind)
    alone = [column for column in table.columns if column.name not in direct and _is_unique(column)]
    direct |= {column.name: "unique code" for column in alone if column.kind == "text" and not _measured(column)}
    return Identifiers(direct, tuple(column.name for column in alone if column.values.dtype.kind == "i"))


def _is_unique(column: Column) -> bool:
    cells = int((~column.missing).sum())
    return cells >= _LEAST and len(column.compacted().values) >= _UNIQUE * cells


def _measured(column: Column) -> bool:
    """Whether most texts are numbers with decimals, as costs are, or dates."""
    texts = [str(value) for value in column.values.tolist()]
    decimals = sum(text.replace(",", "").replace(".", "").isdigit() and ("." in text or "," in text) for text in texts)
    return 2 * decimals >= len(texts)
