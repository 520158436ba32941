"""What is kept of a column: all of it, nothing, or something coarser. Fitted rules, as plain values.

Promise: a rule works on values that it never saw, on missing ones, and on a column that a file wrote as another type;
it never fails on a cell. A rule holds cut points (round numbers where there is room), lengths and names of categories
that many rows share; never a value that few people have.

* `Kept`, `Dropped`.
* `Banded`: numbers in bands, each written as one number inside it.
* `Truncated`: dates as the first day of their month, quarter, year or decade, or as the day.
* `Prefixed`: the first characters of codes, such as postcodes.
* `Grouped`: categories as the names of groups; what is not listed is `OTHER`.

Shapes: rules take a `Column` and give one of as many rows; a missing cell stays missing.

Example:
    >>> from reticent.data.minimisation.rules import Banded, applied
    >>> from reticent.data.tables import Column
    >>> rule = Banded(edges=(25.0, 50.0), values=(20.0, 35.0, 60.0))
    >>> applied(rule, Column.of("age", [24, 25, None, 90])).cells().tolist(), rule.words
    ([20, 35, None, 60], '3 bands, cut at 25, 50')
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.tables import Column
from reticent.errors import UsageError

__all__ = [
    "OTHER",
    "UNITS",
    "Banded",
    "Dropped",
    "Grouped",
    "Kept",
    "Prefixed",
    "Rule",
    "Truncated",
    "applied",
    "as_kind",
    "rule_from",
]

Array = npt.NDArray[Any]

OTHER: Final = "(other)"
UNITS: Final = ("day", "month", "quarter", "year", "decade")
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12, "decade": 120}


@dataclasses.dataclass(frozen=True)
class Kept:
    """The column as it is."""

    kind: ClassVar[str] = "kept"

    @property
    def words(self) -> str:
        """What is kept, in words without contents."""
        return "as it is"

    def images(self, values: Array) -> Array:
        """What each distinct value becomes."""
        return values


@dataclasses.dataclass(frozen=True)
class Dropped:
    """Nothing."""

    kind: ClassVar[str] = "dropped"

    @property
    def words(self) -> str:
        """What is kept, in words without contents."""
        return "nothing"

    def images(self, values: Array) -> Array:
        """What each distinct value becomes: missing."""
        return np.full(len(values), None, dtype=object)


@dataclasses.dataclass(frozen=True)
class Banded:
    """Numbers in bands.

    Args:
        edges: rising; a number that equals an edge is in the band above it.
        values: one number for each band, rising, one more than there are edges.
    """

    edges: tuple[float, ...]
    values: tuple[float, ...]
    kind: ClassVar[str] = "banded"

    def __post_init__(self) -> None:
        for name in ("edges", "values"):
            found = tuple(float(one) for one in getattr(self, name))
            if not all(math.isfinite(one) for one in found) or list(found) != sorted(set(found)):
                raise UsageError(f"Expected {name} of bands that rise, got others.", "Write them as saved.")
            object.__setattr__(self, name, found)
        if len(self.values) != len(self.edges) + 1:
            raise UsageError(
                f"Expected one value more than edges, got {len(self.values)} and {len(self.edges)}.",
                "Write them as saved.",
            )

    @property
    def words(self) -> str:
        """What is kept, in words without contents."""
        cuts = [f"{edge:.12g}" for edge in self.edges]
        shown = ", ".join(cuts[:8]) + (f" and {len(cuts) - 8} more" if len(cuts) > 8 else "")
        return f"{len(self.values)} bands, cut at {shown}" if cuts else "whether there is a value"

    def images(self, values: Array) -> Array:
        """What each distinct value becomes."""
        found = np.asarray(self.values)[np.searchsorted(self.edges, values.astype(np.float64), side="right")]
        return found.astype(np.int64) if all(one.is_integer() and abs(one) < 2**53 for one in self.values) else found


@dataclasses.dataclass(frozen=True)
class Truncated:
    """Dates without their days, months or years.

    Args:
        unit: one of `UNITS`.
    """

    unit: str
    kind: ClassVar[str] = "truncated"

    def __post_init__(self) -> None:
        _checks.one_of(UNITS, unit=self.unit)

    @property
    def words(self) -> str:
        """What is kept, in words without contents."""
        return f"the {self.unit}"

    def images(self, values: Array) -> Array:
        """What each distinct value becomes."""
        if self.unit == "day":
            return values.astype("datetime64[D]").astype("datetime64[us]")
        months = values.astype("datetime64[M]").astype(np.int64)
        # months are counted from 1970, which begins a month, a quarter, a year and a decade
        first = months // _MONTHS[self.unit] * _MONTHS[self.unit]
        return first.astype("datetime64[M]").astype("datetime64[us]")


@dataclasses.dataclass(frozen=True)
class Prefixed:
    """The first characters of a text.

    Args:
        length: how many.
    """

    length: int
    kind: ClassVar[str] = "prefixed"

    def __post_init__(self) -> None:
        _checks.at_least(1, length=self.length)

    @property
    def words(self) -> str:
        """What is kept, in words without contents."""
        return "the first character" if self.length == 1 else f"the first {self.length} characters"

    def images(self, values: Array) -> Array:
        """What each distinct value becomes."""
        return np.array([str(value)[: self.length] for value in values], dtype=object)


@dataclasses.dataclass(frozen=True)
class Grouped:
    """Categories as groups of them.

    Args:
        groups: category to the name of its group; all others are `OTHER`.
    """

    groups: Mapping[str, str] = dataclasses.field(repr=False)  # they are values of the table
    kind: ClassVar[str] = "grouped"

    def __post_init__(self) -> None:
        if not all(isinstance(one, str) for pair in self.groups.items() for one in pair):
            raise UsageError("Expected groups as texts, got others.", "Write them as saved.")
        object.__setattr__(self, "groups", dict(self.groups))

    @property
    def words(self) -> str:
        """What is kept, in words without contents."""
        count = len(set(self.groups.values()))
        if count == len(self.groups):
            return f"the {count} most frequent values; all others are one"
        return f"{count} groups of values; all others are one"

    def images(self, values: Array) -> Array:
        """What each distinct value becomes."""
        return np.array([self.groups.get(str(value), OTHER) for value in values], dtype=object)


Rule = Kept | Dropped | Banded | Truncated | Prefixed | Grouped
_RULES: Final[dict[str, type[Any]]] = {one.kind: one for one in (Kept, Dropped, Banded, Truncated, Prefixed, Grouped)}


def applied(rule: Rule, column: Column) -> Column:
    """The column as the rule leaves it; of a dropped one, missing cells."""
    return column if isinstance(rule, Kept) else column.mapped(rule.images(column.values))


def rule_from(values: object) -> Rule:
    """The rule that `as_dict` wrote.

    Raises:
        UsageError: an unknown kind, a field that is missing or unknown, or values that no rule has.
    """
    kind, fields = _checks.kind_in(_RULES, values)
    try:
        rule: Rule = kind(**fields)
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"Expected a rule as saved, got another: {error}", "Save it again.") from error
    return rule


def as_dict(rule: Rule) -> dict[str, Any]:
    """Plain values."""
    return {"kind": rule.kind, **dataclasses.asdict(rule)}


def as_kind(column: Column, kind: str) -> tuple[Column, int]:
    """The column as numbers, dates, yes or no, or text; and how many cells could not be read so and are missing."""
    if column.kind == kind:
        return column, 0
    if kind == "text":
        return column.mapped([_text(value) for value in column.values.tolist()]), 0
    if kind == "date":
        found = column.mapped(_dates(column))
    else:
        numbers = np.array([_number(value) for value in column.values.tolist()], dtype=np.float64)
        if kind == "yes or no":
            images = [None if value not in (0.0, 1.0) else value == 1.0 for value in numbers.tolist()]
            found = column.mapped(images)
        else:
            whole = np.isnan(numbers) | ((numbers == np.floor(numbers)) & (np.abs(numbers) < 2**53))
            listed = [None if math.isnan(value) else value for value in numbers.tolist()]
            if whole.all():
                listed = [None if value is None else int(value) for value in listed]
            found = column.mapped(listed)
    return found, int(found.missing.sum() - column.missing.sum())


def _number(value: object) -> float:
    words = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
    if isinstance(value, str):
        try:
            found = words[value.strip().lower()] if value.strip().lower() in words else float(value.replace("_", "x"))
        except ValueError:
            return math.nan
        return found if math.isfinite(found) else math.nan
    return float(value) if isinstance(value, bool | int | float) else math.nan


def _dates(column: Column) -> list[Any]:
    if column.kind != "text":
        return [None] * len(column.values)
    found: list[Any] = []
    for value in column.values.tolist():
        try:
            found.append(np.datetime64(value.strip().removesuffix("Z"), "us") if value.strip()[:4].isdigit() else None)
        except ValueError:
            found.append(None)
    return [None if one is None or np.isnat(one) else one.astype(object) for one in found]


def _text(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)
