"""What is printed of a promise is never below it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.privacy.rounding import round_down, round_up


@given(value=st.floats(min_value=1e-300, max_value=1e300), digits=st.integers(1, 8))
def test_never_below_and_never_far_above(value, digits):
    found = round_up(value, digits)
    assert value <= found <= value * (1 + 10.0 ** (1 - digits)) * (1 + 1e-12)
    assert round_up(found, digits) == found


@given(value=st.floats(min_value=1e-300, max_value=1e300), digits=st.integers(1, 8))
def test_never_above_and_never_far_below(value, digits):
    found = round_down(value, digits)
    assert value * (1 - 10.0 ** (1 - digits)) * (1 - 1e-12) <= found <= value
    assert round_down(found, digits) == found


@pytest.mark.parametrize("value", [0.0, math.inf, 0.5, 3.0, 1e-5])
def test_what_has_few_digits_stays(value):
    assert round_up(value) == round_down(value) == value
