"""What duplicates were found: counts, persons, leakage between sets, and what to do about them.

Promise: counts are of the rows given, exact ones without error; near ones miss pairs, and `check` says how many of a
random sample of rows had a twin that was missed, with an interval. Copies among the rows of one person are counted
apart from those between people. `deduplicated` keeps the first row of each group and says what it removed; `split`
keeps groups, and all rows of a person, on one side. No cell is shown.
Not covered: groups are chains: a is near b, b is near c, and so a and c are of one group, near or not (`largest` shows
when chains become long). Removing duplicates is no protection by itself: a single copy can be remembered too.

Shapes: group, exact (rows,) int64, numbered from 0; rows of the second set follow those of the first.

Example:
    >>> from reticent.data.duplicates import find_duplicates
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> notes = Table.of({"note": ["Has a cough since Monday.", "Broken arm.", "has a cough since  Monday."]})
    >>> found = find_duplicates(notes, Randomness.simulated(0))
    >>> found.group.tolist(), found.exact.tolist()
    ([0, 1, 0], [0, 1, 2])
    >>> found.deduplicated(notes).removed
    {'exact': 0, 'near': 1}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from reticent import _checks
from reticent.data.records import Records
from reticent.data.tables import Table
from reticent.errors import DataError
from reticent.evidence import Estimate, Record, now, software
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness, required

__all__ = ["Deduplicated", "Duplicates", "components"]

Ints = npt.NDArray[np.int64]
Data = TypeVar("Data", Table, Records)


class Deduplicated(NamedTuple):
    """What is left of a set, which rows those are, and how many copies were removed, by kind."""

    data: Any
    rows: Ints
    removed: dict[str, int]


@dataclasses.dataclass(frozen=True, eq=False)
class Duplicates:
    """Groups of rows that are copies of each other.

    Attributes:
        group: (rows,) equal for rows of one group, exact and near copies alike.
        exact: (rows,) equal for rows that are equal.
        first: how many rows are of the first set.
        owners: (rows,) whose row each is, or None.
        labels: (rows,) classes of records, or None.
        settings: how near ones were looked for, in plain values.
        check: what a sample of rows says about missed ones, by name; empty if none were looked for.
    """

    group: Ints
    exact: Ints
    first: int
    owners: Ints | None
    labels: Ints | None
    settings: Mapping[str, Any]
    check: Mapping[str, Estimate]

    def __repr__(self) -> str:
        counts = self.counts(self.group), self.counts(self.exact)
        text = f"{self.first} rows: {counts[0]['surplus']} too many, {counts[1]['surplus']} of them exact"
        leaks = "" if self.against is None else f", {int(self.leaked.sum())} of {self.against} in both sets"
        return f"Duplicates({text}{leaks})"

    @property
    def against(self) -> int | None:
        """How many rows the second set has, or None."""
        return len(self.group) - self.first if len(self.group) > self.first else None

    @property
    def leaked(self) -> npt.NDArray[np.bool_]:
        """(rows of the second set,) which of them have a copy, exact or near, in the first one."""
        return np.isin(self.group[self.first :], self.group[: self.first])

    def counts(self, group: Ints) -> dict[str, int]:
        """Groups of at least two rows of the first set, and the rows that are too many.

        With owners, too many among the rows of one person ("within persons") and beyond ("between persons") add up
        to all of them.
        """
        mine = group[: self.first]
        sizes = np.bincount(mine)
        found = {
            "groups": int((sizes > 1).sum()),
            "rows": int(sizes[sizes > 1].sum()),
            "surplus": int(np.maximum(sizes - 1, 0).sum()),
            "largest": int(sizes.max(initial=0)),
        }
        if self.owners is not None:
            persons = len(np.unique(mine * (int(self.owners.max()) + 1) + self.owners[: self.first]))
            found["within persons"] = self.first - persons
            found["between persons"] = persons - int((sizes > 0).sum())
        if self.labels is not None:
            pairs = np.unique(np.stack([mine, self.labels[: self.first]], axis=1), axis=0)
            found["groups of several classes"] = int((np.bincount(pairs[:, 0]) > 1).sum())
        return found

    def leakage(self, *, confidence: float = 0.95) -> dict[str, Estimate]:
        """Shares of the second set's rows that have a copy in the first one; empty without a second set.

        Intervals are for the population that the second set was drawn from.
        """
        if self.against is None:
            return {}
        found = {}
        for name, group in (("exact copy", self.exact), ("copy, exact or near", self.group)):
            hits = np.isin(group[self.first :], group[: self.first])
            found[f"rows with an {name}" if name[0] == "e" else f"rows with a {name}"] = rate(
                int(hits.sum()), self.against, method="rows of the second set", confidence=confidence
            )
        if self.owners is not None:
            known = np.isin(self.owners[self.first :], self.owners[: self.first])
            found["rows of people who are in both sets"] = rate(
                int(known.sum()), self.against, method="rows of the second set", confidence=confidence
            )
            span = int(self.owners.max()) + 1
            pairs = self.group * span + self.owners
            same = np.isin(pairs[self.first :], pairs[: self.first])
            found["rows with a copy that is of somebody else alone"] = rate(
                int((self.leaked & ~same).sum()), self.against, method="rows of the second set", confidence=confidence
            )
        return found

    def deduplicated(self, data: Data, *, near: bool = True) -> Deduplicated:
        """The first set with one row of each group, the first one.

        Args:
            data: the first set, as it was given.
            near: whether near copies go, too.

        Raises:
            DataError: another number of rows.
        """
        if len(data) != self.first:
            raise DataError(
                f"Expected the set of {self.first} rows, got one of {len(data)}.", "Pass what was looked at."
            )
        group = self.group if near else self.exact
        kept = np.sort(np.unique(group[: self.first], return_index=True)[1]).astype(np.int64)
        exact = self.counts(self.exact)["surplus"]
        removed = {"exact": exact, "near": self.first - len(kept) - exact}
        return Deduplicated(data.take(kept), kept, removed)

    def split(self, share: float, randomness: Randomness) -> tuple[Ints, Ints]:
        """Rows of the first set for training and for testing; groups, and all rows of a person, stay together.

        Args:
            share: of the rows, for testing; met as nearly as groups drawn at random allow.
            randomness: for the draw.

        Raises:
            DataError: one group holds so many rows that one side would be empty.
        """
        share = _checks.open_fraction(share=share)
        mine = self.group[: self.first]
        units = mine
        if self.owners is not None:
            owners = self.owners[: self.first] + int(mine.max()) + 1
            units = components(int(owners.max()) + 1, np.stack([mine, owners], axis=1))[mine]
        _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
        order = required(randomness).spawn("split").permutation(len(sizes))
        taken = np.zeros(len(sizes), bool)
        wanted = share * self.first
        reached = 0
        for one in order:
            if abs(reached + sizes[one] - wanted) < abs(reached - wanted):
                taken[one] = True
                reached += int(sizes[one])
        test = taken[unit.reshape(-1)]
        if test.all() or not test.any():
            raise DataError(
                "Expected groups that can be divided, but one side would be empty.",
                "Ask for another share, or look for closer copies.",
            )
        return np.flatnonzero(~test), np.flatnonzero(test)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        sizes = np.bincount(np.bincount(self.group[: self.first]))
        return {
            "rows": self.first,
            "against": self.against,
            "people": None if self.owners is None else len(np.unique(self.owners[: self.first])),
            "exact": self.counts(self.exact),
            "near": self.counts(self.group),
            "sizes": {str(size): int(count) for size, count in enumerate(sizes) if size > 1 and count},
            "leakage": {name: one.as_dict() for name, one in self.leakage().items()},
            "settings": dict(self.settings),
            "check": {name: one.as_dict() for name, one in self.check.items()},
            "software": software(),
        }

    def record(self) -> Record:
        """The record of kind "duplicates"."""
        return Record("duplicates", self.as_dict(), created=now())

    def save(self, path: str | Path) -> Path:
        """Write the page (`.html`) or the record (`.json`).

        Raises:
            UsageError: another ending, or a place that cannot be written.
        """
        from reticent.reports import save

        return save(self.record(), path)


def components(size: int, pairs: Ints) -> Ints:
    """(size,) numbers that are equal for what pairs connect, in order of first appearance."""
    graph = coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    _, found = connected_components(graph, directed=False)
    first = np.unique(found, return_index=True)[1]
    place = np.empty(len(first), np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(first))
    numbered: Ints = place[found]
    return numbered
