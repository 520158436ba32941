"""What duplicates were found: counts, persons, leakage between sets, and what to do about them.

Promise: counts are of the rows given, exact ones without error; near ones miss pairs, and `check` says how many of a
random sample of rows were near one that was missed, with an interval; `chance` says how many there would be if nobody
were copied. A group is one row and those near it, never a chain. Copies among the rows of one person are counted apart
from those between people. `deduplicated` removes only rows that are equal to, or near, a row that stays or (if asked)
one of the second set, and says how many of each; `split` keeps all that is connected, and all rows of a person, on one
side. `listed` says which row is a copy of which. No cell is shown.
Not covered: removing duplicates is no protection by itself: a single copy can be remembered too.

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
    {'exact': 0, 'near': 1, 'leaked': 0}
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.duplicates.groups import among, components, stars
from reticent.data.records import Records
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError
from reticent.evidence import Estimate, Record, now, software
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness, required

__all__ = ["DROPPED", "Deduplicated", "Duplicates"]

DROPPED: Final = ("copies", "own", "leaked")
"""Rows to do without: copies of another row; copies of one of the same person; copies of a row of the second set."""

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
        exact: (rows,) equal for rows that are equal, numbered by their first rows.
        pairs: (pairs, 2) of those numbers: whose rows are near each other.
        differing: (pairs,) in how many cells they differ, or None if it is not by cells.
        first: how many rows are of the first set.
        owners: (rows,) whose row each is, or None.
        labels: (rows,) classes of records, or None.
        settings: how near ones were looked for, in plain values.
        check: what a sample of rows says about missed ones, by name; empty if none were looked for.
        chance: shares found, of how many rows, and by chance, by name; empty where nothing is known of chance.
    """

    exact: Ints
    pairs: Ints
    differing: Ints | None
    first: int
    owners: Ints | None
    labels: Ints | None
    settings: Mapping[str, Any]
    check: Mapping[str, Estimate]
    chance: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def group(self) -> Ints:
        """(rows,) equal for rows of one group, exact and near copies alike: a row and those near it."""
        return stars(self._distinct, self.pairs)[self.exact]

    @property
    def _distinct(self) -> int:
        return int(self.exact.max(initial=-1)) + 1

    def __repr__(self) -> str:
        counts = self.counts(self.group), self.counts(self.exact)
        text = f"{self.first} rows: {counts[0]['surplus']} too many, {counts[1]['surplus']} of them exact"
        leaks = "" if self.against is None else f", {int(self.leaked.sum())} of {self.against} in both sets"
        return f"Duplicates({text}{leaks})"

    @property
    def against(self) -> int | None:
        """How many rows the second set has, or None."""
        return len(self.exact) - self.first if len(self.exact) > self.first else None

    @property
    def leaked(self) -> npt.NDArray[np.bool_]:
        """(rows of the second set,) which of them are equal to, or near, a row of the first one."""
        return self._met(self.exact[self.first :], self.exact[: self.first])

    def _met(self, rows: Ints, others: Ints, *, near: bool = True) -> npt.NDArray[np.bool_]:
        """Which rows have an equal or near one among the others; both as numbers of `exact`."""
        present = np.zeros(self._distinct, bool)
        present[others] = True
        met = present[rows]
        if near:
            place, partner = among(rows, self.pairs)
            met[place[present[partner]]] = True
        return met

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
        method, mine, theirs = "rows of the second set", self.exact[: self.first], self.exact[self.first :]
        hits = {"rows with an exact copy": self._met(theirs, mine, near=False)}
        if self.settings["near"]:
            hits["rows with a copy, exact or near"] = self.leaked
        if self.owners is not None:
            hits["rows of people who are in both sets"] = np.isin(self.owners[self.first :], self.owners[: self.first])
            hits["rows with a copy that is of somebody else alone"] = self.leaked & ~self._own_copies(self.owners)
        return {
            name: rate(int(one.sum()), self.against, method=method, confidence=confidence) for name, one in hits.items()
        }

    def _own_copies(self, owners: Ints) -> npt.NDArray[np.bool_]:
        """(rows of the second set,) which of them have a copy in the first one that is of the same person."""
        span = int(owners.max()) + 1
        known = np.unique(self.exact[: self.first] * span + owners[: self.first])
        theirs, persons = self.exact[self.first :], owners[self.first :]
        own = np.isin(theirs * span + persons, known)
        place, partner = among(theirs, self.pairs)
        own[place[np.isin(partner * span + persons[place], known)]] = True
        return own

    def deduplicated(self, data: Data, *, near: bool = True, drop: Collection[str] | None = None) -> Deduplicated:
        """The first set without copies.

        Args:
            data: the first set, as it was given.
            near: whether near copies go, too.
            drop: which rows go, of `DROPPED`: "copies" of a row that stays, whoever's, or "own": of a row of the same
                person alone; and "leaked": those that are copies of a row of the second set. By default "own" if owners
                are known and else "copies", and with a second set "leaked", too.

        Raises:
            UsageError: an unknown word, or one that needs owners or a second set.
            DataError: another number of rows.
        """
        if len(data) != self.first:
            raise DataError(
                f"Expected the set of {self.first} rows, got one of {len(data)}.", "Pass what was looked at."
            )
        dropped = self._dropped(drop)
        mine = self.exact[: self.first]
        leaked = np.zeros(self.first, bool)
        if "leaked" in dropped:
            leaked = self._met(mine, self.exact[self.first :], near=near)
        rows = np.flatnonzero(~leaked)
        kept, exact = rows, 0
        if "own" in dropped or "copies" in dropped:
            owners = np.zeros(self.first, np.int64) if "copies" in dropped or self.owners is None else self.owners
            kept, exact = self._thinned(rows, owners, near=near)
        removed = {"exact": exact, "near": len(rows) - len(kept) - exact, "leaked": int(leaked.sum())}
        return Deduplicated(data.take(kept), kept, removed)

    def _dropped(self, drop: Collection[str] | None) -> Collection[str]:
        if drop is None:
            return ("copies" if self.owners is None else "own", *(() if self.against is None else ("leaked",)))
        for one in drop:
            _checks.one_of(DROPPED, drop=one)
        if "own" in drop and self.owners is None:
            raise UsageError("Expected owners to drop their own copies, got none.", "Say whose row each is (owner).")
        if "leaked" in drop and self.against is None:
            raise UsageError("Expected a second set to drop its rows, got none.", "Pass it (against).")
        return drop

    def _thinned(self, rows: Ints, owners: Ints, *, near: bool) -> tuple[Ints, int]:
        """The first row of each group among rows of one owner, and how many of the rest are exact copies."""
        span = int(owners.max(initial=0)) + 1
        keys, node = np.unique(self.exact[rows] * span + owners[rows], return_inverse=True)
        node = node.reshape(-1)
        groups = np.arange(len(keys))
        if near:
            place, partner = among(keys // span, self.pairs)
            wanted = partner * span + keys[place] % span
            at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            same = keys[at] == wanted
            groups = stars(len(keys), np.stack([place[same], at[same]], axis=1))
        kept: Ints = rows[np.sort(np.unique(groups[node], return_index=True)[1])]
        return kept, len(rows) - len(keys)

    def listed(self) -> Table:
        """Which row is a copy of which, both counted from 1 in their set: no cell, and one line for each pair.

        A row that is equal to others stands once, beside the first of them; near rows stand pair by pair, the first row
        of equal ones for all.
        """
        first = np.unique(self.exact, return_index=True)[1].astype(np.int64)
        equal = np.flatnonzero(first[self.exact] != np.arange(len(self.exact)))
        one = np.concatenate([equal, first[self.pairs.max(axis=1)] if len(self.pairs) else first[:0]])
        other = np.concatenate(
            [first[self.exact[equal]], first[self.pairs.min(axis=1)] if len(self.pairs) else first[:0]]
        )
        sets = np.array(["first", "second"], dtype=object)
        values: dict[str, Any] = {
            "kind": ["exact"] * len(equal) + ["near"] * len(self.pairs),
            "set": sets[(one >= self.first).astype(int)].tolist(),
            "row": one - np.where(one >= self.first, self.first, 0) + 1,
            "of set": sets[(other >= self.first).astype(int)].tolist(),
            "of row": other - np.where(other >= self.first, self.first, 0) + 1,
        }
        if self.differing is not None:
            values["cells that differ"] = np.concatenate([np.zeros(len(equal), np.int64), self.differing])
        return Table.of(values)

    def split(self, share: float, randomness: Randomness) -> tuple[Ints, Ints]:
        """Rows of the first set for training and for testing; copies, and all rows of a person, stay together.

        Args:
            share: of the rows, for testing; met as nearly as groups drawn at random allow.
            randomness: for the draw.

        Raises:
            DataError: one group holds so many rows that one side would be empty.
        """
        share = _checks.open_fraction(share=share)
        whole = components(self._distinct, self.pairs)[self.exact]
        mine = whole[: self.first]
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
            "chance": {name: {**one, "by chance": one["by chance"].as_dict()} for name, one in self.chance.items()},
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
