"""Searches against functions whose answer is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.privacy.calibrating import asked_steps, largest, least_noise


@given(wanted=st.floats(0.1, 1e5), power=st.floats(0.5, 3), guess=st.floats(1e-2, 1e4))
def test_noise_is_enough_and_hardly_more(wanted, power, guess):
    found = least_noise(lambda noise: (wanted / noise) ** power, target=1.0, guess=guess)
    assert (wanted / found) ** power <= 1.0
    assert found <= wanted * 1.001


def test_noise_that_is_never_enough_or_always():
    assert least_noise(lambda noise: 2.0, target=1.0, guess=1.0) is None
    assert least_noise(lambda noise: 0.5, target=1.0, guess=1.0) == pytest.approx(0.05, rel=0.3)


@given(wanted=st.integers(1, 10**6), limit=st.integers(1, 10**6))
def test_the_largest_number(wanted, limit):
    assert largest(lambda number: number <= wanted, limit) == min(wanted, limit)


@pytest.mark.parametrize(("epochs", "steps"), [(1.5, 15), (0.1, 1), (7, 70), (0.7, 7)])
def test_epochs_are_counted_without_rounding_errors(epochs: float, steps: int) -> None:
    assert asked_steps(1.0, 1e-3, 100, 10, epochs, None, None) == steps
    assert asked_steps(1.0, 1e-3, 100, 10, None, 12, None) == 12
    assert asked_steps(1.0, 1e-3, 100, 10, None, None, 2.0) is None
