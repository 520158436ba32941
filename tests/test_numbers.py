"""Numbers as they are printed: few digits, places instead of powers, and nothing that is not quite so shown as so."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent._numbers import confidence, count, level, outwards, p_value, percent, percentage, points, shown, span


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
    assert (percent(0.00412), percent(0.9999999), percent(-0.004)) == ("0.41 %", ">99.9 %", "-0.40 %")
    assert count(1234567) == "1\u202f234\u202f567"


@given(st.floats(0, 1).filter(lambda share: share == 1 or share < 1 - 1e-10))
def test_a_share_is_all_or_nothing_only_where_it_is(share: float) -> None:
    assert (percent(share) == "100.0 %") == (share == 1)
    assert (percent(share) in ("0.0 %", "0.00 %")) == (share == 0)


@pytest.mark.parametrize(("digits", "text"), [(2, ">99 %"), (3, ">99.9 %"), (4, ">99.99 %")])
def test_nearly_everybody_in_few_digits(digits: int, text: str) -> None:
    assert percentage(1 - 1e-9, digits) == text


@given(st.floats(1e-12, 1, exclude_max=True))
def test_what_is_rounded_claims_no_more(value: float) -> None:
    assert float(p_value(value)) >= value * (1 - 1e-9)
    assert float(level(value).removesuffix(" %").strip(">")) >= 100 * value * (1 - 1e-9) or level(value)[0] == ">"
    assert float(confidence(value).removesuffix(" %").strip(">")) <= 100 * value * (1 + 1e-9)


@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(1, 3))
def test_intervals_are_rounded_outwards(a: float, b: float, places: int) -> None:
    low, high = sorted((a, b))
    ends = outwards(low, high, places)
    assert float(ends[0]) <= low + 1e-11
    assert high - 1e-11 <= float(ends[1])
    assert [len(end.partition(".")[2]) for end in ends] == [places] * 2


def test_what_is_exact_stays() -> None:
    assert (span(0.57, 0.738), confidence(0.95), level(1 - 0.95), p_value(0.05)) == (
        "57.0 to 73.8",
        "95 %",
        "5 %",
        "0.05",
    )
    assert confidence(0.99375) == "99.37 %"
    assert (p_value(0.0), p_value(0.9999)) == ("<1e-300", "1")


def test_points_have_a_sign_unless_they_are_none() -> None:
    assert points(-0.00004, -0.00004, 0.0) == "0.0 points (-0.1 to 0.0)"
    assert points(0.0123, 0.0101, 0.0149) == "+1.2 points (+1.0 to +1.5)"
