"""Which columns make rows stand out: minimal sample uniques, the smallest sets of columns in which a row is alone.

Promise: counts only, of rows and of sets; no value is shown. All sets of up to `largest` columns are looked at, none is
sampled; where that would be too many, it is refused. A row without such a set may still be unique in more columns.

How: a set of columns makes a row unique or not; the set is minimal for the row if no smaller set within it does, and
one column less is all that needs to be asked. The score of a row is that of SUDA: each of its minimal sets of s
columns counts (c - s) (c - s - 1) ... (c - m) for c columns and sets of at most m, so small sets count most.

Sources: Elliot, Manning and Ford (2002); Manning, Haglin and Keane (2008), SUDA2.

Example:
    >>> from reticent.data.tables import Table
    >>> from reticent.data.anonymity import minimal_uniques
    >>> people = Table.of({"age": [30, 30, 30, 90], "sex": ["f", "f", "m", "m"], "job": ["a", "b", "a", "a"]})
    >>> found = minimal_uniques(people, ["age", "sex", "job"])
    >>> found.rows_with, found.sets, found.columns["age"].rows
    (4, {1: 2, 2: 2, 3: 0}, 2)
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.anonymity.counting import Floats
from reticent.data.anonymity.measures import roles
from reticent.data.tables import Table
from reticent.errors import UsageError

__all__ = ["InColumn", "MinimalUniques", "minimal_uniques"]

_MOST_SETS: Final = 5_000


@dataclasses.dataclass(frozen=True)
class InColumn:
    """A column's part in what makes rows stand out.

    Attributes:
        rows: that have a minimal set with this column.
        share: of the total score, that of sets with this column.
    """

    rows: int
    share: float


@dataclasses.dataclass(frozen=True, eq=False)
class MinimalUniques:
    """What makes rows stand out.

    Attributes:
        rows: of the table.
        largest: how many columns a set had at most.
        rows_with: rows that have a minimal set.
        sets: number of columns to the number of minimal sets, over all rows.
        columns: for each column, its part.
        smallest: (rows,) columns of a row's smallest set; 0 if it has none. Not part of the record.
        scores: (rows,) SUDA's score. Not part of the record.
    """

    rows: int
    largest: int
    rows_with: int
    sets: Mapping[int, int]
    columns: Mapping[str, InColumn]
    smallest: npt.NDArray[np.int8]
    scores: Floats

    def as_dict(self) -> dict[str, Any]:
        """Plain values; counts only."""
        return {
            "rows": self.rows,
            "largest": self.largest,
            "rows_with": self.rows_with,
            "sets": {str(size): count for size, count in self.sets.items()},
            "columns": {name: dataclasses.asdict(one) for name, one in self.columns.items()},
        }


def minimal_uniques(table: Table, names: Sequence[str], *, largest: int = 3) -> MinimalUniques:
    """Find the minimal sample uniques of at most so many columns.

    Args:
        table: the rows.
        names: columns that an attacker may know.
        largest: the most columns of a set.

    Raises:
        UsageError: a column is not there, or there are more than 5,000 sets to look at.
    """
    roles(table, names)
    most = min(_checks.at_least(1, largest=largest), len(names))
    sets = sum(math.comb(len(names), size) for size in range(1, most + 1))
    if sets > _MOST_SETS:
        raise UsageError(
            f"Expected at most {_MOST_SETS} sets of columns, got {sets}.", "Name fewer columns, or smaller sets."
        )
    counts = dict.fromkeys(range(1, most + 1), 0)
    smallest = np.zeros(table.rows, dtype=np.int8)
    scores, by_column = np.zeros(table.rows), {name: 0.0 for name in names}
    rows_of = {name: np.zeros(table.rows, dtype=bool) for name in names}
    before: dict[tuple[str, ...], npt.NDArray[np.bool_]] = {}
    for size in range(1, most + 1):
        weight = float(math.prod(len(names) - i for i in range(size, most + 1) if i < len(names)))
        found = {}
        for chosen in itertools.combinations(names, size):
            classes = table.classes(list(chosen))
            alone = (classes.sizes == 1)[classes.of_rows]
            found[chosen] = alone
            minimal = alone.copy()
            for less in itertools.combinations(chosen, size - 1):
                minimal &= ~before[less] if less else True
            number = int(minimal.sum())
            counts[size] += number
            if number:
                scores[minimal] += weight
                smallest[minimal & (smallest == 0)] = size
                for name in chosen:
                    rows_of[name] |= minimal
                    by_column[name] += weight * number
        before = found
    total = float(scores.sum())
    columns = {name: InColumn(int(rows_of[name].sum()), by_column[name] / total if total else 0.0) for name in names}
    return MinimalUniques(table.rows, most, int((smallest > 0).sum()), counts, columns, smallest, scores)
