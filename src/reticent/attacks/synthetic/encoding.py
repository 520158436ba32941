"""Rows of several tables as numbers and codes that can be compared.

Promise: equal cells are encoded alike in every table, whatever else the tables hold; the encoding looks at what the
attacker has (the release and the reference) and never at who was in the source. A column is a number in all tables or
in none; one whose kinds do not fit is refused by name.

How: numbers and dates are divided by a robust deviation (the span from the 5th to the 95th percentile over 3.29, which
is the standard deviation of a normal column; the standard deviation itself where that span is empty). Everything else
is a code, the same for the same value in every table; values that no table had when the encoding was fitted share one.
A missing value is a value of its own: a code, and for numbers the middle of the column with a mark beside it.

Shapes: `numbers` is (rows, number columns) float64; `codes` is (rows, other columns) int32 from 0.

Example:
    >>> from reticent.attacks.synthetic import Encoding
    >>> from reticent.data.tables import Table
    >>> people = Table.of({"age": [30, 40, None], "town": ["a", "b", None]})
    >>> rows = Encoding.fitted([people], [people]).of(people)
    >>> rows.codes.tolist()  # the town, and whether the age is missing
    [[1, 0], [2, 0], [0, 1]]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.tables import Column, Table
from reticent.errors import DataError, UsageError

__all__ = ["Encoded", "Encoding"]

Floats = npt.NDArray[np.float64]

_NUMBERS = ("number", "date")
_NORMAL_SPAN = 3.2897072539  # deviations between the 5th and the 95th percentile of a normal column


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """Rows that can be compared.

    Attributes:
        numbers: (rows, number columns), in robust deviations.
        codes: (rows, other columns) int32; equal where the values are.
        sizes: (other columns,) how many codes there are in each of them.
    """

    numbers: Floats
    codes: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: npt.NDArray[Any]) -> Encoded:
        """Some rows, by number or by a mask."""
        return Encoded(self.numbers[rows], self.codes[rows], self.sizes)


@dataclasses.dataclass(frozen=True, eq=False)
class _Number:
    name: str
    centre: float
    scale: float
    marked: bool


@dataclasses.dataclass(frozen=True, eq=False)
class _Words:
    name: str
    values: npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Encoding:
    """How the columns of some tables are encoded; `fitted` makes one."""

    numbers: tuple[_Number, ...]
    words: tuple[_Words, ...]

    @classmethod
    def fitted(cls, basis: Sequence[Table], tables: Sequence[Table], columns: Sequence[str] | None = None) -> Encoding:
        """The encoding of the columns of some tables.

        Args:
            basis: the tables whose spread scales the numbers: the release and the reference.
            tables: all tables that will be encoded; only which values there are is taken from them.
            columns: only these; by default those of the first table of the basis.

        Raises:
            UsageError: no column, or one that a table does not have.
            DataError: a column that is text in one table and numbers in another.
        """
        names = list(basis[0].names if columns is None else columns)
        if not names:
            raise UsageError("Expected at least one column, got none.", "Name the columns that are compared.")
        for table in (*basis, *tables):
            table.require(names)
        numbers, words = [], []
        for name in names:
            found = [table[name] for table in (*basis, *tables)]
            kind = _kind(name, found)
            if kind in _NUMBERS:
                numbers.append(_number(name, [table[name] for table in basis], found))
            else:
                words.append(_Words(name, _union(found)))
        return cls(tuple(numbers), tuple(words))

    def of(self, table: Table) -> Encoded:
        """The table's rows."""
        numbers = np.zeros((table.rows, len(self.numbers)))
        codes = []
        for place, one in enumerate(self.numbers):
            values = table[one.name].numbers()
            numbers[:, place] = np.where(np.isnan(values), 0.0, (values - one.centre) / one.scale)
        for each in self.words:
            column = table[each.name]
            texts = column.values.astype(str)
            places = np.searchsorted(each.values, texts)
            known = np.append(each.values, "")[places] == texts
            known &= places < len(each.values)
            of_values = np.where(known, places + 1, len(each.values) + 1)
            codes.append(np.append(of_values, 0)[column.codes].astype(np.int32))
        codes += [table[one.name].missing.astype(np.int32) for one in self.numbers if one.marked]
        sizes = [len(each.values) + 2 for each in self.words] + [2] * (len(codes) - len(self.words))
        stacked = np.stack(codes, axis=1) if codes else np.zeros((table.rows, 0), np.int32)
        return Encoded(numbers, np.ascontiguousarray(stacked), np.array(sizes, dtype=np.int64))


def _kind(name: str, found: Sequence[Column]) -> str:
    kinds = {column.kind for column in found if len(column.values)}  # a column of missing values fits every kind
    if len(kinds) > 1:
        raise DataError(
            f"Expected column {name!r} to be of one kind in all tables, got {' and '.join(sorted(kinds))}.",
            "Convert it, or leave it out.",
        )
    return kinds.pop() if kinds else "text"


def _number(name: str, basis: Sequence[Column], found: Sequence[Column]) -> _Number:
    values = np.concatenate([column.numbers() for column in basis if len(column.values)] or [np.zeros(0)])
    values = values[~np.isnan(values)]
    marked = any(column.missing.any() for column in found)
    if not len(values):
        return _Number(name, 0.0, 1.0, marked)
    low, centre, high = np.quantile(values, [0.05, 0.5, 0.95])
    scale = (high - low) / _NORMAL_SPAN or values.std() or 1.0
    return _Number(name, float(centre), float(scale), marked)


def _union(found: Sequence[Column]) -> npt.NDArray[Any]:
    return np.unique(np.concatenate([column.values.astype(object) for column in found]).astype(str))
