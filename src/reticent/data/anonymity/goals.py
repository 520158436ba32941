"""What a table is to reach, and which classes do not.

Promise: a class that is not named as violating meets the goal exactly as `measures` measures it on the rows that are
kept. Merging classes that meet k and distinct l gives one that does; for the others (entropy, recursive, t) that holds
only while nothing is left out, and the search takes that into account.

Example:
    >>> from reticent.data.anonymity.goals import Goal
    >>> Goal(k=5, l=2)
    Goal(k=5, l=2, diversity='distinct', c=None, t=None)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.anonymity import counting
from reticent.data.anonymity.measures import coded, overall
from reticent.data.tables import Table
from reticent.errors import UsageError

__all__ = ["DIVERSITIES", "Cells", "Goal", "Secret", "cells_of"]

DIVERSITIES: Final = ("distinct", "entropy", "recursive")
_SLACK: Final = 1e-12
Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Goal:
    """At least so much, for every class and every sensitive column.

    Args:
        k: rows (or people) of a class, at least.
        l: diversity of the sensitive values, at least; None for none asked.
        diversity: "distinct": so many values; "entropy": e to the entropy; "recursive": with `c`.
        c: of recursive (c, l)-diversity: r_1 < c (r_l + ... + r_m).
        t: distance of a class's sensitive values from everybody's, at most; None for none asked.
    """

    k: int = 5
    l: float | None = None  # noqa: E741 (the symbol of the literature)
    diversity: str = "distinct"
    c: float | None = None
    t: float | None = None

    def __post_init__(self) -> None:
        _checks.at_least(1, k=self.k)
        _checks.one_of(DIVERSITIES, diversity=self.diversity)
        if self.l is not None:
            _checks.positive(l=self.l)
        if self.t is not None:
            _checks.fraction(t=self.t)
        if (self.diversity == "recursive") != (self.c is not None) or (self.c is not None and self.l is None):
            raise UsageError("Expected c and l with recursive diversity, and c with no other.", "Pass l=2, c=3.")
        if self.c is not None:
            _checks.positive(c=self.c)
            _checks.at_least(1, l=int(self.l or 0))

    @property
    def of_values(self) -> bool:
        """Whether something is asked of sensitive values."""
        return self.l is not None or self.t is not None

    @property
    def always_monotone(self) -> bool:
        """Whether merging never makes a class worse that meets the goal, whatever it is merged with."""
        return self.t is None and (self.l is None or self.diversity == "distinct")

    def basic(self, cells: Cells) -> Mask:
        """(classes,) those that miss k or distinct diversity: what merging always mends."""
        missed = cells.people < self.k
        if self.l is not None and self.diversity == "distinct":
            for secret in cells.secrets:
                missed = missed | secret.short_of(self.l, cells.classes)
        return missed

    def violating(self, cells: Cells) -> Mask:
        """(classes,) those to leave out, so that all others meet the goal on the rows that are kept."""
        missed = self.basic(cells)
        if self.always_monotone:
            return missed
        while True:
            more = missed | self._beyond(cells, missed)
            if (more == missed).all() or more.all():
                return more
            if self.t is None:
                return more
            missed = more  # everybody's shares have changed: look again

    def _beyond(self, cells: Cells, out: Mask) -> Mask:
        missed = np.zeros(cells.classes, dtype=bool)
        for secret in cells.secrets:
            known = counting.totals(secret.pairs, cells.classes) > 0
            if self.l is not None and self.diversity == "entropy":
                entropy = counting.entropies(secret.pairs, cells.classes)
                missed |= known & (entropy < np.log(self.l) - _SLACK)
            if self.l is not None and self.c is not None:
                ratio = counting.recursive(secret.pairs, cells.classes, int(self.l))
                missed |= known & ~(ratio < self.c)
            if self.t is not None:
                missed |= secret.distances(~out, cells.classes) > self.t + _SLACK
        return missed


@dataclasses.dataclass(frozen=True, eq=False)
class Secret:
    """A sensitive column, by class.

    Attributes:
        pairs: of classes and values.
        values: how many there are.
        ordered: whether they are.
        everybody: (values,) shares to compare with; None for those of the rows that are kept.
    """

    pairs: counting.Pairs
    values: int
    ordered: bool
    everybody: counting.Floats | None = None

    def distances(self, kept: Mask, classes: int) -> counting.Floats:
        """(classes,) distance of the classes that are kept from everybody who is kept; 0 for the others."""
        inside = kept[self.pairs.of]
        pairs = counting.Pairs(self.pairs.of[inside], self.pairs.value[inside], self.pairs.rows[inside])
        if not len(pairs.of):
            return np.zeros(classes)
        if self.everybody is not None:
            return counting.distances(pairs, classes, self.everybody, ordered=self.ordered)
        # Values that nobody has any more are no steps on the way from one to another.
        share = overall(pairs, self.values)
        there = share > 0
        places = (np.cumsum(there) - 1).astype(np.int64)
        found = counting.Pairs(pairs.of, places[pairs.value], pairs.rows)
        return counting.distances(found, classes, share[there], ordered=self.ordered)

    def short_of(self, least: float, classes: int) -> Mask:
        """(classes,) those with known values, but too few different ones."""
        numbers = counting.distinct(self.pairs, classes)
        return (numbers > 0) & (numbers < least)


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """Classes, and what has to be known of them to judge them.

    Attributes:
        rows: (classes,) rows of each.
        owners: pairs of classes and people; None if every row is somebody else's.
        secrets: one for each sensitive column.
    """

    rows: counting.Ints
    owners: counting.Pairs | None
    secrets: tuple[Secret, ...]

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.rows)

    @property
    def people(self) -> counting.Ints:
        """(classes,) people of each, or rows."""
        return self.rows if self.owners is None else counting.distinct(self.owners, self.classes)

    def merged(self, of: counting.Ints, classes: int) -> Cells:
        """The cells when class i becomes part of class `of[i]`."""
        return Cells(
            np.bincount(of, weights=self.rows, minlength=classes).astype(np.int64),
            None if self.owners is None else counting.regrouped(self.owners, of),
            tuple(dataclasses.replace(one, pairs=counting.regrouped(one.pairs, of)) for one in self.secrets),
        )


def cells_of(
    table: Table,
    of_rows: counting.Ints,
    classes: int,
    *,
    goal: Goal,
    sensitive: Sequence[str],
    person: str | None,
    missing: str = "left out",
    ordered: Mapping[str, bool] | None = None,
    fixed: bool = False,
) -> Cells:
    """The cells of classes of a table's rows, with as much as the goal needs.

    Args:
        table: the rows.
        of_rows: (rows,) the class of each; -1 for rows that are not to be judged.
        classes: how many there are.
        goal: what is asked.
        sensitive: columns of which it is asked.
        person: the column that says whose row it is.
        missing: what a missing sensitive value is, as in `measures`.
        ordered: for a column, whether its values are ordered; by default numbers and dates are.
        fixed: compare with the shares of the whole table, whatever is left out.

    Raises:
        UsageError: the goal asks something of sensitive values, and no column is named.
    """
    if goal.of_values and not sensitive:
        raise UsageError(f"Expected a sensitive column for {goal}, got none.", "Name one, or leave out l and t.")
    inside = of_rows >= 0
    secrets: list[Secret] = []
    for name in sensitive if goal.of_values else ():
        column = table[name]
        codes, values = coded(column, missing)
        gone = missing == "value" and bool(column.missing.any())
        in_order = dict(ordered or {}).get(name, column.kind in ("number", "date")) and not gone
        share = np.bincount(codes[codes >= 0], minlength=values) / max(int((codes >= 0).sum()), 1) if fixed else None
        secrets.append(Secret(counting.paired(of_rows[inside], codes[inside]), values, in_order, share))
    owners = None if person is None else counting.paired(of_rows[inside], table[person].codes[inside])
    sizes: Any = np.bincount(of_rows[inside], minlength=classes)
    return Cells(sizes.astype(np.int64), owners, tuple(secrets))
