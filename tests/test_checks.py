"""Checks of single values: what passes comes back as the named type, what does not is refused in one form of words."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent import _checks
from reticent.errors import UsageError

Check = Callable[..., Any]
NUMERIC: list[Check] = [
    _checks.positive,
    _checks.non_negative,
    _checks.fraction,
    _checks.open_fraction,
    _checks.delta,
]
BOUNDS: list[tuple[Check, Callable[[float], bool]]] = [
    (_checks.positive, lambda x: 0 < x < math.inf),
    (_checks.non_negative, lambda x: 0 <= x < math.inf),
    (lambda **named: _checks.non_negative(or_infinite=True, **named), lambda x: x >= 0),
    (_checks.fraction, lambda x: 0 <= x <= 1),
    (_checks.open_fraction, lambda x: 0 < x < 1),
    (_checks.delta, lambda x: 0 < x < 1),
]
EDGES = [0.0, -0.0, 1.0, 5e-324, -5e-324, math.nextafter(1, 0), math.nextafter(1, 2), 1e308, math.inf, -math.inf]


@pytest.mark.parametrize(("check", "holds"), BOUNDS)
@given(value=st.one_of(st.sampled_from(EDGES), st.floats(), st.floats(-2, 2)))
def test_exactly_the_named_range_passes(check: Check, holds: Callable[[float], bool], value: float) -> None:
    if not math.isnan(value) and holds(value):
        assert check(x=value) == value
    else:
        with pytest.raises(UsageError, match=r"^Expected .*x.*, got x="):
            check(x=value)


@pytest.mark.parametrize("check", NUMERIC)
@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        math.nan,
        np.float32("nan"),
        np.bool_(True),
        "0.5",
        b"0.5",
        None,
        [0.5],
        np.array([0.5]),
        0.5j,
        Decimal("0.5"),
        np.array(0.5),
        object,
        {},
        10**400,
        Fraction(10**400),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_refused(check: Check, value: Any) -> None:
    with pytest.raises(UsageError, match=r"^Expected .*, got x=(.|\n)* Pass a number\.$"):
        check(x=value)


@pytest.mark.parametrize("check", NUMERIC)
@pytest.mark.parametrize("value", [0.5, np.float64(0.5), np.float32(0.5), np.float16(0.5), Fraction(1, 2)], ids=repr)
def test_numbers_of_every_kind_become_floats(check: Check, value: Any) -> None:
    got = check(x=value)
    assert type(got) is float
    assert got == 0.5


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)], ids=repr)
def test_whole_numbers_become_floats(value: Any) -> None:
    assert type(_checks.positive(x=value)) is float
    assert type(_checks.non_negative(x=value)) is float


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), 2**80], ids=repr)
def test_at_least_returns_an_int(value: Any) -> None:
    got = _checks.at_least(3, x=value)
    assert type(got) is int
    assert got == value


@pytest.mark.parametrize(
    "value", [2, -(2**80), 3.0, np.float64(3), "3", None, True, np.bool_(True), math.nan, Fraction(3), [3]], ids=repr
)
def test_at_least_refuses(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^Expected a whole number x >= 3, got x=.*\. Pass 3 or more\.$"):
        _checks.at_least(3, x=value)


def test_true_is_not_one() -> None:
    with pytest.raises(UsageError, match="got x=True"):
        _checks.at_least(0, x=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _checks.positive(c=-1.0), "Expected c > 0, got c=-1.0. Pass a positive finite number."),
        (lambda: _checks.non_negative(c=-1), "Expected c >= 0, got c=-1. Pass a finite number that is not negative."),
        (lambda: _checks.fraction(c=50), "Expected 0 <= c <= 1, got c=50. Pass a fraction, not a percentage."),
        (
            lambda: _checks.open_fraction(c=1),
            "Expected 0 < c < 1, got c=1. Pass a fraction strictly between 0 and 1.",
        ),
        (lambda: _checks.delta(c=3), "Expected 0 < c < 1, got c=3. Did you swap epsilon and delta?"),
        (
            lambda: _checks.delta(dataset_size=1000, c=0.001),
            "Expected c < 1/n = 0.001 for n=1000, got c=0.001. "
            "With a larger one, publishing a whole record would pass; try c=0.0001.",
        ),
        (lambda: _checks.at_least(1, c=0), "Expected a whole number c >= 1, got c=0. Pass 1 or more."),
        (
            lambda: _checks.one_of(["mean", "sum"], c="men"),
            "Expected c to be one of mean, sum; got c='men'. Did you mean 'mean'?",
        ),
        (
            lambda: _checks.one_of(["mean", "sum"], c="xyz"),
            "Expected c to be one of mean, sum; got c='xyz'. Choose one of them.",
        ),
    ],
)
def test_messages(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert str(caught.value) == message


@given(n=st.integers(1, 10**12))
def test_the_suggested_delta_would_pass(n: int) -> None:
    suggested = _checks.suggested_delta(n)
    exponent = math.log10(suggested)
    assert exponent == pytest.approx(round(exponent), abs=1e-12), "not a power of ten"
    assert suggested <= 1 / (2 * n) * (1 + 1e-9) < 10 * suggested
    assert _checks.delta(dataset_size=n, delta=suggested) == suggested
    with pytest.raises(UsageError, match=r"^Expected .*delta < 1"):
        _checks.delta(dataset_size=n, delta=1 / n)


@pytest.mark.parametrize(("n", "expected"), [(5, 0.1), (6, 0.01), (50, 0.01), (51, 0.001), (500_000, 1e-6)])
def test_suggested_deltas(n: int, expected: float) -> None:
    assert _checks.suggested_delta(n) == pytest.approx(expected, rel=1e-12)


def test_one_of_returns_the_word_and_takes_any_iterable() -> None:
    assert _checks.one_of(iter(("a", "b")), x="b") == "b"
    assert _checks.one_of({"a": 1}, x="a") == "a"


@pytest.mark.parametrize("value", ["", "A", None, 1, ["a"], "a "], ids=repr)
def test_one_of_refuses(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^Expected x to be one of a, b; got x="):
        _checks.one_of(["a", "b"], x=value)


@pytest.mark.parametrize("check", NUMERIC)
def test_exactly_one_value_is_checked(check: Check) -> None:
    for named in ({}, {"x": 0.5, "y": 0.5}):
        with pytest.raises(TypeError, match="exactly one name=value"):
            check(**named)
