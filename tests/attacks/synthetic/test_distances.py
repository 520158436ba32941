"""Distances against a loop over all pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.attacks.synthetic import Encoded, fewest_differences, nearest
from reticent.errors import UsageError


def drawn(rng: np.random.Generator, rows: int, numbers: int, codes: int) -> Encoded:
    return Encoded(
        rng.normal(size=(rows, numbers)).round(1),
        rng.integers(0, 3, (rows, codes)).astype(np.int32),
        np.full(codes, 3, dtype=np.int64),
    )


def slowly(one: Encoded, other: Encoded, i: int, j: int) -> float:
    total = sum((a - b) ** 2 for a, b in zip(one.numbers[i], other.numbers[j], strict=True))
    return math.sqrt(total + sum(a != b for a, b in zip(one.codes[i], other.codes[j], strict=True)))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2**31))
def test_against_a_loop(numbers: int, codes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = drawn(rng, 7, numbers, codes), drawn(rng, 9, numbers, codes)
    found = nearest(one, other, 3)
    fewest = fewest_differences(one, other, close=0.0)
    for i in range(7):
        all_of_them = sorted(slowly(one, other, i, j) for j in range(9))
        assert found[i] == pytest.approx(all_of_them[:3], abs=1e-7)
        differing = [sum(one.numbers[i] != other.numbers[j]) + sum(one.codes[i] != other.codes[j]) for j in range(9)]
        assert fewest[i] == min(differing)


def test_an_equal_row_is_at_distance_zero_exactly_also_far_out() -> None:
    rng = np.random.default_rng(2)
    rows = Encoded(rng.normal(size=(300, 4)) * 1e6, np.zeros((300, 0), np.int32), np.zeros(0, np.int64))
    assert (nearest(rows, rows)[:, 0] == 0).all()
    assert (nearest(rows, rows, 2)[:, 1] > 0).all()


def test_numbers_that_are_close_count_as_the_same() -> None:
    one = Encoded(np.array([[0.0, 0.0]]), np.zeros((1, 0), np.int32), np.zeros(0, np.int64))
    other = Encoded(np.array([[0.005, 0.5]]), np.zeros((1, 0), np.int32), np.zeros(0, np.int64))
    assert fewest_differences(one, other).tolist() == [1]
    assert fewest_differences(one, other, close=0.0).tolist() == [2]


def test_too_few_rows() -> None:
    rows = drawn(np.random.default_rng(0), 2, 1, 1)
    with pytest.raises(UsageError, match="at least 3 rows to compare with, got 2"):
        nearest(rows, rows, 3)
