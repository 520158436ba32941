"""Which hierarchy a column has: chosen by hand, written in a word, or by default; and how they are saved.

Promise: `automatic` looks at a column's kind and at how its values are spread, never at what they mean: it knows
nothing of regions or trades, so a tree that a person makes is better. Every choice is part of the result and can be
replaced.

Level 0 is the value as it is, then come the hierarchy's steps, and the last level is `*` for everybody (missing values
too), except for `Fixed`, which has level 0 only. Below the last level a missing value stays missing: that it is, is
seen.

By default: whole years, months and days of dates; numbers in widths of about a sixteenth of their range, doubled four
times (in quantiles, where most rows would share an interval); codes such as postcodes by their first characters; other
texts as "other" if few rows have them.

In a word (the command line): `widths:5,10,20`, `quantiles:16,8,4`, `rounding:10,100`, `dates:month,year`,
`prefixes:4,3`, `rare:10,50`, `top:90`, `bottom:18`, `fixed`.

Example:
    >>> from reticent.data.anonymity.hierarchies import automatic, hierarchy_in_words, levels_of
    >>> from reticent.data.tables import Column
    >>> automatic(Column.of("age", list(range(17, 91))))
    Widths(widths=(5.0, 10.0, 20.0, 40.0, 80.0), origin=0.0, low=None, high=None)
    >>> levels_of(hierarchy_in_words("prefixes:4,3,2"))
    5
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final, cast

import numpy as np

from reticent import _checks
from reticent.data.anonymity.categories import Dates, Fixed, Frequent, Prefixes, Rare, Tree
from reticent.data.anonymity.ladders import EVERYBODY, Hierarchy
from reticent.data.anonymity.numbers import Intervals, Quantiles, Rounding, TopBottom, Widths
from reticent.data.tables import Column
from reticent.errors import DataError, UsageError

__all__ = [
    "automatic",
    "groups_of",
    "hierarchy_from",
    "hierarchy_in_words",
    "images_at",
    "levels_of",
    "saved",
]

_FEW_VALUES: Final = 4
_LOPSIDED: Final = 0.5
_LONGEST_CODE: Final = 12


def levels_of(hierarchy: Hierarchy) -> int:
    """How many levels there are: the value, the steps, and `*`."""
    return 1 if isinstance(hierarchy, Fixed) else hierarchy.steps + 2


def images_at(hierarchy: Hierarchy, values: Any, level: int) -> list[Any]:
    """What is said of each value at a level; None for a value that the hierarchy does not know."""
    if level == 0:
        return list(values)
    if level == levels_of(hierarchy) - 1:
        return [EVERYBODY] * len(values)
    return hierarchy.images(values, level)


def groups_of(column: Column, hierarchy: Hierarchy) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """For each level (distinct + 1,) to which group each value belongs, and last of all a missing one.

    Raises:
        UsageError: the hierarchy is not nested.
        DataError: there are values that it does not know.
    """
    count = len(column.values)
    found = [np.arange(count + 1)]
    for level in range(1, levels_of(hierarchy)):
        if level == levels_of(hierarchy) - 1:
            found.append(np.zeros(count + 1, dtype=np.int64))
            continue
        said = images_at(hierarchy, column.values, level)
        if lacking := sum(one is None for one in said):
            raise DataError(
                f"Expected values that its hierarchy knows in column {column.name!r}, got {lacking} that it does not.",
                "Mend them, or choose another hierarchy (infinite numbers fit quantiles, intervals and caps).",
            )
        images = np.array([str(one) for one in said], dtype=object)
        names, groups = np.unique(images, return_inverse=True) if count else (images, np.zeros(0, np.int64))
        found.append(np.append(groups, len(names)).astype(np.int64))
        above = np.full(int(found[-2].max()) + 1, -1)
        above[found[-2]] = found[-1]
        if (above[found[-2]] != found[-1]).any():
            raise UsageError(
                f"Expected a nested hierarchy for column {column.name!r}, but level {level} splits what level "
                f"{level - 1} had put together.",
                "Let each step join groups of the step before.",
            )
    return found


def automatic(column: Column) -> Hierarchy:
    """A hierarchy for a column of which nothing is known but its values; see the module for the rules."""
    used = column.compacted()
    if len(used.values) <= _FEW_VALUES:
        return Rounding(())  # the values, or everybody
    if used.kind == "date":
        return Dates(("day", "month", "year", "decade"))
    if used.kind == "number":
        return _of_numbers(used)
    lengths = {len(str(one)) for one in used.values}
    digits = all(any(letter.isdigit() for letter in str(one)) for one in used.values)
    longest = max(lengths)
    if digits and longest <= _LONGEST_CODE and longest > 1:
        return Prefixes(tuple(range(longest - 1, 0, -1)))
    rows = int(used.counts().sum())
    least = sorted({max(2, math.ceil(rows * share)) for share in (0.001, 0.005, 0.02, 0.08)})
    return Rare(tuple(least)).fitted(used)


def _of_numbers(column: Column) -> Hierarchy:
    values = column.numbers()
    known = values[~np.isnan(values)]
    if np.isinf(known).any():
        return Quantiles((16, 8, 4, 2)).fitted(column)
    width = _round_number((known.max() - known.min()) / 16)
    cells = np.floor(known / width)
    if np.unique(cells, return_counts=True)[1].max() > _LOPSIDED * len(known):
        return Quantiles((16, 8, 4, 2)).fitted(column)
    return Widths(tuple(width * factor for factor in (1, 2, 4, 8, 16)))


def _round_number(number: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... from a number on."""
    power = 10.0 ** math.floor(math.log10(number))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= number * (1 - 1e-9))


_KINDS: Final[dict[str, type[Any]]] = {
    one.__name__: one
    for one in (Fixed, Widths, Intervals, Quantiles, Rounding, Dates, Prefixes, TopBottom, Rare, Frequent, Tree)
}
_WORDS: Final = ("widths", "quantiles", "rounding", "dates", "prefixes", "rare", "top", "bottom", "fixed")


def hierarchy_from(values: object) -> Hierarchy:
    """The hierarchy that was saved as its class's name ("kind") and its fields.

    Raises:
        UsageError: no kind of hierarchy, or other fields.
    """
    kind, fields = _checks.kind_in(_KINDS, values)
    found: Hierarchy = kind(**{name: _tupled(value) for name, value in fields.items()})
    return found


def saved(hierarchy: Hierarchy) -> dict[str, Any]:
    """Plain values, for `hierarchy_from`."""
    return {"kind": type(hierarchy).__name__, **dataclasses.asdict(cast(Any, hierarchy))}


def _tupled(value: Any) -> Any:
    return tuple(_tupled(one) for one in value) if isinstance(value, list) else value


def hierarchy_in_words(text: str) -> Hierarchy:
    """The hierarchy that a word and its numbers stand for.

    Raises:
        UsageError: another word, or numbers that do not fit.
    """
    word, _, rest = text.partition(":")
    _checks.one_of(_WORDS, hierarchy=word)
    parts = [one.strip() for one in rest.split(",") if one.strip()]
    if word == "dates":
        return Dates(tuple(parts))
    if word == "fixed":
        return Fixed()
    try:
        numbers = tuple(float(one) for one in parts)
        if word in ("top", "bottom"):
            (cap,) = numbers
            return TopBottom(high=cap) if word == "top" else TopBottom(low=cap)
        if word in ("widths", "rounding"):
            return Widths(numbers) if word == "widths" else Rounding(numbers)
        whole = tuple(int(one) for one in parts)
    except ValueError as error:
        raise UsageError(
            f"Expected {word} with its numbers, got {text!r}.", "Write widths:5,10,20, or top:90."
        ) from error
    kinds: dict[str, Any] = {"quantiles": Quantiles, "prefixes": Prefixes, "rare": Rare}
    return cast(Hierarchy, kinds[word](whole))
