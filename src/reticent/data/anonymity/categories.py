"""Dates, texts and other values said less exactly: parts of dates, prefixes, trees, and "other" for rare values.

Promise: each step can be worked out from the one before. A tree knows no other values than its own (such rows are left
out); among frequent values all others are "other". The frequent values of a column are learned from it and are saved.

Example:
    >>> from reticent.data.anonymity.categories import Prefixes
    >>> Prefixes((3,)).images(["02139", "10001"], 1)
    ['021*', '100*']
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from reticent import _checks
from reticent.data.anonymity.ladders import EVERYBODY, OTHER, plain, rising
from reticent.data.tables import Column
from reticent.errors import DataError, UsageError

__all__ = ["Dates", "Fixed", "Frequent", "Prefixes", "Rare", "Tree"]

_DATE_STEPS: Final = ("day", "month", "quarter", "year", "decade")


@dataclasses.dataclass(frozen=True)
class Fixed:
    """A column that is left as it is."""

    steps: int = 0

    def fitted(self, column: Column) -> Fixed:
        """Itself."""
        return self

    def images(self, values: Any, step: int) -> list[Any]:  # pragma: no cover (there is no step)
        """There is no step."""
        raise UsageError(f"Expected no step of a fixed column, got {step}.", "Choose another hierarchy.")


@dataclasses.dataclass(frozen=True)
class Dates:
    """Dates by day, month, quarter, year or decade.

    Args:
        parts: from the finest, of "day", "month", "quarter", "year", "decade".
    """

    parts: tuple[str, ...] = ("day", "month", "year", "decade")

    def __post_init__(self) -> None:
        places = [_DATE_STEPS.index(_checks.one_of(_DATE_STEPS, part=part)) for part in self.parts]
        if not places or places != sorted(set(places)):
            raise UsageError(f"Expected parts from the finest, got {list(self.parts)}.", "Begin with the finest.")

    @property
    def steps(self) -> int:
        """One for each part."""
        return len(self.parts)

    def fitted(self, column: Column) -> Dates:
        """Itself: nothing is learned."""
        return self

    def images(self, values: Any, step: int) -> list[Any]:
        """2023-04-01, 2023-04, 2023 Q2, 2023, 2020s."""
        dates = np.asarray(values)
        if dates.dtype.kind != "M":
            raise DataError("Expected dates for a hierarchy of dates, got others.", "Choose another hierarchy.")
        part = self.parts[step - 1]
        months = [str(one) for one in dates.astype("datetime64[M]")]
        if part == "day":
            return [str(one) for one in dates.astype("datetime64[D]")]
        if part == "quarter":
            return [f"{one[:-3]} Q{(int(one[-2:]) + 2) // 3}" for one in months]
        years = [int(one[:-3]) for one in months]
        return {"month": months, "year": [str(one) for one in years]}.get(part, [f"{one // 10}0s" for one in years])


@dataclasses.dataclass(frozen=True)
class Prefixes:
    """Texts by their first characters, as postcodes are.

    Args:
        lengths: falling.
    """

    lengths: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.lengths or list(self.lengths) != sorted(set(self.lengths), reverse=True) or self.lengths[-1] < 1:
            raise UsageError(
                f"Expected falling lengths of at least 1, got {list(self.lengths)}.", "Begin with the most."
            )

    @property
    def steps(self) -> int:
        """One for each length."""
        return len(self.lengths)

    def fitted(self, column: Column) -> Prefixes:
        """Itself: nothing is learned."""
        return self

    def images(self, values: Any, step: int) -> list[Any]:
        """The first characters and a star; shorter texts stay."""
        length = self.lengths[step - 1]
        texts = [str(one) for one in np.asarray(values).tolist()]
        return [one if len(one) <= length else f"{one[:length]}{EVERYBODY}" for one in texts]


@dataclasses.dataclass(frozen=True)
class Rare:
    """Values that few rows have, as one "other"; becomes `Frequent` when fitted.

    Args:
        counts: rising: at each step, values of fewer rows are "other".
    """

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        rising("counts", self.counts)

    @property
    def steps(self) -> int:
        """One for each count."""
        return len(self.counts)

    def fitted(self, column: Column) -> Frequent:
        """The values that are kept, of this column."""
        rows = column.counts()
        values = [plain(one) for one in column.values]
        kept = [
            tuple(value for value, count in zip(values, rows, strict=True) if count >= least) for least in self.counts
        ]
        return Frequent(tuple(one for i, one in enumerate(kept) if not i or one != kept[i - 1]))

    def images(self, values: Any, step: int) -> list[Any]:
        """Not before it is fitted."""
        raise UsageError("Expected a fitted hierarchy, got one that has not seen its column.", "Call fitted(column).")


@dataclasses.dataclass(frozen=True)
class Frequent:
    """Values that are kept at each step; all others are "other".

    Args:
        kept: for each step; those of a later one are among those of the one before.
    """

    kept: tuple[tuple[Any, ...], ...]

    @property
    def steps(self) -> int:
        """One for each list."""
        return len(self.kept)

    def fitted(self, column: Column) -> Frequent:
        """Itself."""
        return self

    def images(self, values: Any, step: int) -> list[Any]:
        """The value as text, or "other"."""
        kept = set(self.kept[step - 1])
        return [str(one) if one in kept else OTHER for one in (plain(value) for value in np.asarray(values))]


@dataclasses.dataclass(frozen=True)
class Tree:
    """What each value is part of, step by step, as a person has decided.

    Args:
        parents: value (as text) to its ancestors, the nearest first; as many for every value.
    """

    parents: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parents", {str(key): tuple(path) for key, path in self.parents.items()})
        lengths = {len(path) for path in self.parents.values()}
        above: dict[tuple[int, str], str] = {}
        nested = all(
            above.setdefault((i, a), b) == b
            for path in self.parents.values()
            for i, (a, b) in enumerate(itertools.pairwise(path))
        )
        if len(lengths) != 1 or lengths == {0} or not nested:
            raise UsageError(
                "Expected as many ancestors for every value, at least one, and one parent for each of them.",
                "Repeat an ancestor where a branch is shorter.",
            )

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.parents.items())))

    @property
    def steps(self) -> int:
        """As many as ancestors."""
        return len(next(iter(self.parents.values())))

    def fitted(self, column: Column) -> Tree:
        """Itself, if it has all values of the column.

        Raises:
            DataError: it lacks some.
        """
        lacking = sum(str(plain(value)) not in self.parents for value in column.compacted().values)
        if lacking:
            raise DataError(
                f"Expected a tree of all values of column {column.name!r}, but {lacking} are not in it.", "Add them."
            )
        return self

    def images(self, values: Any, step: int) -> list[Any]:
        """The ancestor; None for a value that the tree does not have."""
        found = (self.parents.get(str(plain(value))) for value in np.asarray(values))
        return [None if path is None else path[step - 1] for path in found]
