"""Whose rows are whose: from the units that a sampler draws to the rows that a step trains on.

Promise: what a person (or client) contributes to a step is one gradient, the mean over `rows_per_unit` of her rows, and
it is clipped as one. However many rows she owns, the promise is to all of them together.

A drawn unit gives `rows_per_unit` of its rows: different ones, chosen at random, if it owns so many; otherwise all of
them, each as often as the others or once more. (User-level sampling; McMahan et al., 2018; Charles et al., 2024.)

The other way is to draw rows (`PoissonRows(most)`), each clipped by itself, and to charge for `most` of them at once:
no more computing than for a promise to rows, and often more noise.

Example:
    >>> import numpy as np
    >>> from reticent.randomness import Randomness
    >>> from reticent.training.owning import Owners
    >>> owners = Owners(np.array([0, 1, 0, 0, 2]))
    >>> owners.count, owners.most
    (3, 3)
    >>> owners.rows(np.array([1, 2]), 2, Randomness.secure()).tolist()  # who owns one row gives it twice
    [[1, 1], [4, 4]]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.records import plain, refuse_missing
from reticent.errors import DataError, UsageError
from reticent.privacy import Plan, Sampler, Unit
from reticent.randomness import Randomness

__all__ = ["Owners", "Units", "units_in", "units_of"]

Rows = npt.NDArray[np.int64]


class Owners:
    """Who owns which rows.

    Args:
        names: (n,) an identifier of the owner of each row, of any kind that can be sorted.
    """

    def __init__(self, names: Any) -> None:
        listed = np.asarray(plain(names))
        if listed.ndim != 1 or listed.dtype == object:
            raise DataError(
                f"Expected one owner for each row, got {listed.dtype} of shape {listed.shape}.",
                "Pass an array of numbers or of texts.",
            )
        refuse_missing(listed)
        _, owner, counts = np.unique(listed, return_inverse=True, return_counts=True)
        self._owner = owner.reshape(-1).astype(np.int64)
        self._counts = counts.astype(np.int64)
        self._order = np.argsort(self._owner, kind="stable")  # rows of the first owner, of the second, ...
        self._starts = np.concatenate([[0], np.cumsum(self._counts)[:-1]])

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._owner)

    @property
    def count(self) -> int:
        """Number of owners."""
        return len(self._counts)

    @property
    def most(self) -> int:
        """The most rows that one of them owns."""
        return int(self._counts.max(initial=0))

    def rows(self, units: Rows, number: int, source: Randomness) -> Rows:
        """(units, number) rows of each of these owners."""
        counts = self._counts[units]
        total = int(counts.sum())
        whose = np.repeat(np.arange(len(units)), counts)
        first = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        place = np.arange(total) - first[whose]  # 0, 1, ... within each owner's rows
        rows = self._order[self._starts[units][whose] + place]
        if (counts > 1).any():  # each owner's rows in random order
            rows = rows[np.lexsort((source.bits(total), whose))]
        chosen = first[:, None] + np.arange(number) % np.maximum(counts, 1)[:, None]
        return rows[chosen] if total else np.empty((0, number), dtype=np.int64)


class Units:
    """The units of a training and their rows.

    Attributes:
        count: how many units there are: what the plan has to be made for.
        rows_per_unit: how many rows a drawn unit gives.
        assumptions: what the promise to them rests on, in words.
    """

    def __init__(
        self, count: int, owners: Owners | None = None, rows_per_unit: int = 1, assumptions: tuple[str, ...] = ()
    ) -> None:
        self.count, self.rows_per_unit, self.assumptions = count, rows_per_unit, assumptions
        self._owners = owners

    def rows(self, units: Rows, number: int, source: Randomness) -> Rows:
        """(units, rows_per_unit) the rows that batch `number` trains on."""
        if self._owners is None:
            return units[:, None]
        return self._owners.rows(units, self.rows_per_unit, source.spawn(f"rows {number}"))


def units_of(plan: Plan, owners: Any, size: int, *, example_level: bool = False) -> Units:
    """What the plan's sampler draws from these data.

    Args:
        plan: its unit and its sampler decide.
        owners: (n,) who owns each row; None: nobody said.
        size: number of rows.
        example_level: that the promise may be to single rows although some people own several.

    Raises:
        UsageError: a promise to rows of people who own several, without the word; a unit with more rows than the
            sampler is charged for.
        DataError: not one owner for each row.
    """
    known = None if owners is None else Owners(owners)
    if known is not None and len(known) != size:
        raise DataError(f"Expected one owner for each of {size} rows, got {len(known)}.", "List them row by row.")
    if plan.unit is Unit.EXAMPLE:
        if known is None or known.count == size:
            return Units(size)
        if not example_level:
            raise UsageError(
                f"Expected a promise to people, got Unit.EXAMPLE for {size} rows of {known.count} owners: the promise "
                "to a single row is weaker for whoever owns several.",
                "Plan with unit=Unit.PERSON and dataset_size=the number of owners; or pass example_level=True, and "
                "the guarantee will say so.",
            )
        weaker = f"the promise is to single rows: some people own up to {known.most}"
        return Units(size, assumptions=(weaker,))
    if plan.sampling.most_rows is not None:
        return Units(size, assumptions=_limited(plan, known))
    if known is None:
        return Units(size, assumptions=(f"every {plan.unit.value} owns one row",))
    return Units(known.count, known, plan.rows_per_unit, (f"the owners say which rows are of one {plan.unit.value}",))


def units_in(unit: Unit | None, sampling: Sampler | None, owners: Any, size: int) -> int:
    """How many units a plan has to be made for: owners where units are drawn, and rows otherwise."""
    if owners is None or unit in (None, Unit.EXAMPLE) or (sampling is not None and sampling.most_rows is not None):
        return size
    return Owners(owners).count


def _limited(plan: Plan, known: Owners | None) -> tuple[str, ...]:
    """Rows are drawn: nobody may own more of them than the charge is for."""
    limit = plan.sampling.most_rows or 1
    if known is None:
        return (f"no {plan.unit.value} owns more than {limit} rows",)
    if known.most > limit:
        raise UsageError(
            f"Expected at most {limit} rows for each {plan.unit.value}, got one with {known.most}.",
            f"Keep {limit} of them at random (Records.limited), or plan with PoissonRows({known.most}).",
        )
    return ()
