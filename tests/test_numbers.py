"""Numbers as they are printed: few digits, places instead of powers, and nothing that is not quite so shown as so."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent._numbers import count, percent, percentage, shown


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (330.4, 2, "330"),
        (0.0, 3, "0"),
        (-0.25, 3, "-0.25"),
        (1.0, 2, "1"),
        (0.999999, 4, ">0.9999"),
        (1.0000001, 4, "1"),
        (0.00012, 2, "0.00012"),
        (0.00001, 2, "1e-05"),
        (1e12, 3, "1000000000000"),
        (math.inf, 3, "infinite"),
        (-math.inf, 3, "minus infinite"),
        (math.nan, 3, "not a number"),
    ],
)
def test_shown(value: float, digits: int, text: str) -> None:
    assert shown(value, digits) == text


@given(st.floats(1e-4, 1e15), st.integers(2, 6))
def test_what_is_shown_is_written_out_and_near(value: float, digits: int) -> None:
    text = shown(value, digits)
    assert "e" not in text
    if text.startswith(">"):
        assert float(text[1:]) < 1
        assert float(f"{value:.{digits}g}") == 1
    else:
        assert float(text) == pytest.approx(value, rel=10.0 ** (1 - digits))


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.95, "95 %"), (0.99375, "99.38 %"), (1.0, "100 %"), (0.9999999, ">99.99 %"), (0.0, "0 %"), (0.001, "0.1 %")],
)
def test_percentage(share: float, text: str) -> None:
    assert percentage(share) == text


@given(st.floats(0, 1, exclude_max=True))
def test_less_than_everybody_is_never_everybody(share: float) -> None:
    assert percentage(share) != "100 %"


def test_measured_shares_and_counts() -> None:
    assert (percent(0.00412), percent(0.9999999), percent(-0.004)) == ("0.41 %", "100.0 %", "-0.40 %")
    assert count(1234567) == "1\u202f234\u202f567"
