"""Which few columns single out most rows: combinations of values that only one row has.

Promise: `singled_out` counts, for every set of up to three columns that was looked at, how many rows have a
combination that no other row has, and says of how many rows that holds. While the keys of all rows fit into memory the
counts are of all rows (but for equal keys of different values: probability below n² 2^-56); of a longer table they are
of its first rows, and then overstate: who is the only one among some rows need not be so among all. Who is unique in a
sample of people need not be unique among the people it was drawn from; who knows nothing of the columns singles out
nobody.

How it works: a row's key for a set of columns is a sum of its values' keys, each multiplied by another odd number and
mixed. Sets are ranked by 30,000 rows, evenly spread; the best of each size are counted over all.

Sources: Sweeney 2000 (87 % of the US by ZIP code, sex and date of birth); Rocher, Hendrickx and de Montjoye 2019.

Shapes: keys (columns, rows) uint64, 0 where the cell is missing.

Example:
    >>> import numpy as np
    >>> from reticent.data.scan.uniqueness import alone
    >>> int(alone(np.array([[1, 1, 2, 2], [7, 8, 8, 8]], np.uint64)).sum())
    2
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.scan.values import mixed

__all__ = ["CELLS_HELD", "Held", "SingledOut", "alone", "singled_out"]

CELLS_HELD: Final = 1 << 25
"""Keys of cells that are kept in memory: 268 MB of them."""

_RANKED_BY: Final = 30_000
_CANDIDATES: Final = 14
_LARGEST: Final = 3
_RANKED: Final = "singles out most of its size"
_REPORTED: Final = 8
Keys = npt.NDArray[np.uint64]


@dataclasses.dataclass(frozen=True)
class SingledOut:
    """How many rows a set of columns singles out.

    Attributes:
        columns: of the set.
        rows: how many rows have a combination of their own.
        of: how many rows were counted.
        whole: whether these were all rows; of some of them, first ones or a sample, the count overstates.
        because: why this set was looked at.
    """

    columns: tuple[str, ...]
    rows: int
    of: int
    whole: bool
    because: str

    @property
    def share(self) -> float:
        """Of the rows that were counted."""
        return self.rows / self.of

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**dataclasses.asdict(self), "columns": list(self.columns), "share": self.share}


class Held:
    """The keys of a table's first rows, column by column, as they come."""

    def __init__(self, columns: Sequence[str], limit: int = CELLS_HELD) -> None:
        self.columns = tuple(columns)
        self._most = max(1, limit // max(1, len(self.columns)))
        self._parts: list[list[Keys]] = [[] for _ in self.columns]
        self.rows = 0
        self.whole = True

    def add(self, keys: Sequence[Keys]) -> None:
        """Some more rows: of each column, (rows,)."""
        count = len(keys[0]) if keys else 0
        room = min(count, self._most - self.rows)
        self.whole &= room == count
        for parts, more in zip(self._parts, keys, strict=True):
            parts.append(more[:room])
        self.rows += room

    def of(self, place: int) -> Keys:
        """(rows,) keys of one column."""
        parts = self._parts[place]
        if len(parts) != 1:
            self._parts[place] = [np.concatenate(parts) if parts else np.zeros(0, np.uint64)]
        return self._parts[place][0]

    def distinct(self, place: int) -> int:
        """How many different values one column has among these rows, missing ones left out."""
        found = np.sort(self.of(place))  # several times as fast as numpy.unique
        found = found[found > 0]
        return int((found[1:] != found[:-1]).sum()) + int(len(found) > 0)


def _together(keys: Sequence[Keys]) -> Keys:
    total = np.zeros(len(keys[0]), dtype=np.uint64)
    for place, one in enumerate(keys):
        total += mixed(one * np.uint64(2 * place + 3) + np.uint64(place + 1))
    return mixed(total)


def alone(keys: Sequence[Keys] | Keys) -> npt.NDArray[np.bool_]:
    """(rows,) whose combination no other row has.

    Args:
        keys: of each column of the set, (rows,).
    """
    together = _together(list(keys))
    order = np.argsort(together, kind="stable")
    ordered = together[order]
    same = ordered[1:] == ordered[:-1]
    found = np.ones(len(together), dtype=bool)
    found[order] = ~(np.append(same, False) | np.append(False, same))[: len(together)]
    return found


def _count(keys: Sequence[Keys]) -> int:
    together = np.sort(_together(keys))
    if not len(together):
        return 0
    same = together[1:] == together[:-1]
    return int((~(np.append(same, False) | np.append(False, same))).sum())


def singled_out(
    held: Held,
    candidates: Sequence[str],
    hinted: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> list[SingledOut]:
    """The sets of up to three columns that single out most rows, those of recognised columns first.

    Args:
        held: keys of rows.
        candidates: columns that may be known to others, the likeliest first.
        hinted: those of them whose kind was recognised; all of them together are counted too.
        progress: called with the number of sets that are done, and of all.
    """
    chosen = list(candidates)[:_CANDIDATES]
    if not held.rows or not chosen:
        return []
    keys = {name: held.of(held.columns.index(name)) for name in chosen}
    ranked = _ranked(keys, held.rows)
    reported = [(names, _RANKED) for names in ranked]
    known = tuple(name for name in chosen if name in hinted)
    if len(known) > _LARGEST:
        reported.append((known, "all recognised quasi-identifiers together"))
    if len(chosen) > len(known) and len(chosen) > _LARGEST:
        reported.append((tuple(chosen), "all candidates together"))
    found = []
    for done, (names, why) in enumerate(reported):
        rows = _count([keys[name] for name in names])
        if rows or why != _RANKED:  # what singles out nobody is no finding of a search for what does
            found.append(SingledOut(names, rows, held.rows, held.whole, why))
        if progress is not None:
            progress(done + 1, len(reported))
    return sorted(found, key=lambda one: (len(one.columns), -one.rows))


def _ranked(keys: dict[str, Keys], rows: int) -> list[tuple[str, ...]]:
    """The best sets of each size, by the rows that an even choice of rows leaves."""
    if rows > _RANKED_BY:
        places = np.linspace(0, rows - 1, _RANKED_BY).astype(np.int64)
        keys = {name: one[places] for name, one in keys.items()}
    found: list[tuple[str, ...]] = []
    for size in range(1, _LARGEST + 1):
        sets = list(itertools.combinations(keys, size))
        scores = [_count([keys[name] for name in names]) for names in sets]
        order = sorted(range(len(sets)), key=lambda place: -scores[place])
        found += [sets[place] for place in order[: _REPORTED // 2 if size > 1 else _REPORTED]]
    return found
