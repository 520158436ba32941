"""Checks of single values, called as `positive(noise_multiplier=x)`.

Promise: a check returns its value unchanged (as the type it names) or raises `UsageError` whose message reads
"Expected RULE, got NAME=VALUE." and ends with the remedy. NaN never passes a numeric check.

Example:
    >>> from reticent import _checks
    >>> _checks.positive(l2_clip_norm=1)
    1.0
    >>> _checks.positive(l2_clip_norm=-1.0)
    Traceback (most recent call last):
    reticent.errors.UsageError: Expected l2_clip_norm > 0, got l2_clip_norm=-1.0. Pass a positive finite number.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any, TypeVar, cast

from reticent.errors import UsageError

__all__ = [
    "at_least",
    "delta",
    "fraction",
    "kind_in",
    "non_negative",
    "one_of",
    "open_fraction",
    "positive",
    "suggested_delta",
]


_SHORT = 6
T = TypeVar("T")


def _only(named: dict[str, object]) -> tuple[str, object]:
    if len(named) != 1:
        raise TypeError("a check takes exactly one name=value")
    return next(iter(named.items()))


def _number(name: str, value: object, rule: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    except OverflowError:  # a whole number or fraction beyond every float
        number = math.nan
    if math.isnan(number):
        raise UsageError(f"Expected {rule}, got {name}={value!r}.", "Pass a number.")
    return number


def positive(**named: object) -> float:
    """A finite number above zero."""
    name, value = _only(named)
    rule = f"{name} > 0"
    number = _number(name, value, rule)
    if not 0 < number < math.inf:
        raise UsageError(f"Expected {rule}, got {name}={value!r}.", "Pass a positive finite number.")
    return number


def non_negative(*, or_infinite: bool = False, **named: object) -> float:
    """A number at or above zero, finite unless `or_infinite`."""
    name, value = _only(named)
    rule = f"{name} >= 0"
    number = _number(name, value, rule)
    if number < 0 or (number == math.inf and not or_infinite):
        raise UsageError(f"Expected {rule}, got {name}={value!r}.", "Pass a finite number that is not negative.")
    return number


def fraction(**named: object) -> float:
    """A number in [0, 1]."""
    name, value = _only(named)
    rule = f"0 <= {name} <= 1"
    number = _number(name, value, rule)
    if not 0 <= number <= 1:
        raise UsageError(f"Expected {rule}, got {name}={value!r}.", "Pass a fraction, not a percentage.")
    return number


def open_fraction(**named: object) -> float:
    """A number strictly between 0 and 1."""
    name, value = _only(named)
    rule = f"0 < {name} < 1"
    number = _number(name, value, rule)
    if not 0 < number < 1:
        raise UsageError(f"Expected {rule}, got {name}={value!r}.", "Pass a fraction strictly between 0 and 1.")
    return number


def delta(*, dataset_size: int | None = None, **named: object) -> float:
    """A delta of (epsilon, delta): in (0, 1), and below 1/n when the number of protected units n is known.

    At delta >= 1/n a mechanism that publishes one whole record at random meets the definition, so such a promise
    protects nobody (Dwork and Roth, 2014, section 2.3).
    """
    name, value = _only(named)
    rule = f"0 < {name} < 1"
    number = _number(name, value, rule)
    if not 0 < number < 1:
        raise UsageError(f"Expected {rule}, got {name}={value!r}.", "Did you swap epsilon and delta?")
    if dataset_size is not None and number >= 1 / dataset_size:
        raise UsageError(
            f"Expected {name} < 1/n = {1 / dataset_size:.3g} for n={dataset_size}, got {name}={value!r}.",
            f"With a larger one, publishing a whole record would pass; try {name}={suggested_delta(dataset_size):.1g}.",
        )
    return number


def suggested_delta(dataset_size: int) -> float:
    """The largest power of ten at or below 1/(2n)."""
    return 10.0 ** math.floor(math.log10(1 / (2 * dataset_size)) + 1e-12)


def at_least(minimum: int, **named: object) -> int:
    """A whole number at or above `minimum`."""
    name, value = _only(named)
    rule = f"a whole number {name} >= {minimum}"
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < minimum:
        raise UsageError(f"Expected {rule}, got {name}={value!r}.", f"Pass {minimum} or more.")
    return int(value)


def one_of(options: Iterable[str], **named: object) -> str:
    """One of the given words; the message offers the nearest one."""
    name, value = _only(named)
    words = list(options)
    if isinstance(value, str) and value in words:
        return value
    near = difflib.get_close_matches(str(value), words, n=1)
    if near and len(words) > _SHORT:  # a long list would hide the answer
        raise UsageError(f"Expected a known {name}, got {name}={value!r}.", f"Did you mean {near[0]!r}?")
    remedy = f"Did you mean {near[0]!r}?" if near else "Choose one of them."
    raise UsageError(f"Expected {name} to be one of {', '.join(words)}; got {name}={value!r}.", remedy)


def kind_in(kinds: Mapping[str, type[T]], values: object) -> tuple[type[T], dict[str, Any]]:
    """The dataclass that saved values name by their "kind", and exactly its fields."""
    fields = dict(values) if isinstance(values, dict) else {}
    name = one_of(kinds, kind=fields.pop("kind", None))
    if set(fields) != {field.name for field in dataclasses.fields(cast(Any, kinds[name]))}:
        raise UsageError(f"Expected the fields of {name}, got {sorted(fields)}.", "Write them as saved.")
    return kinds[name], fields
