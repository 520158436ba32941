"""Kernel densities against closed forms: they integrate to one, and find a known density."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import gaussian_kde, norm

from reticent.attacks.synthetic import Encoded, Kernel
from reticent.errors import UsageError


def numbers(values: np.ndarray) -> Encoded:
    return Encoded(values.reshape(len(values), -1), np.zeros((len(values), 0), np.int32), np.zeros(0, np.int64))


def test_against_scipy() -> None:
    rng = np.random.default_rng(0)
    rows, asked = rng.normal(size=200), rng.normal(size=20)
    other = gaussian_kde(rows, bw_method=0.3 / rows.std(ddof=1))
    found = Kernel(0.3, 0.1).log_density(numbers(asked), numbers(rows))
    assert np.exp(found) == pytest.approx(other(asked), rel=1e-9)


def test_it_sums_to_one_over_codes_and_integrates_to_one_over_numbers() -> None:
    rng = np.random.default_rng(1)
    rows = Encoded(rng.normal(size=(5, 1)), rng.integers(0, 3, (5, 1)).astype(np.int32), np.array([3]))
    grid = np.linspace(-8, 8, 4001)
    asked = Encoded(np.tile(grid, 3)[:, None], np.repeat([0, 1, 2], 4001)[:, None].astype(np.int32), np.array([3]))
    total = np.exp(Kernel(0.2, 0.3).log_density(asked, rows)).sum() * (grid[1] - grid[0])
    assert total == pytest.approx(1.0, abs=1e-6)


def test_the_chosen_widths_come_near_a_known_density_and_the_floor_holds() -> None:
    rng = np.random.default_rng(2)
    reference = numbers(rng.normal(size=4000))
    kernel = Kernel.chosen(reference)
    grid = np.linspace(-2, 2, 41)
    assert kernel.log_density(numbers(grid), reference) == pytest.approx(norm.logpdf(grid), abs=0.25)
    far = kernel.log_density(numbers(np.array([50.0, 500.0])), reference)
    assert far.tolist() == [kernel.floor, kernel.floor]
    assert kernel.floor < norm.logpdf(2)


def test_codes_that_say_nothing_are_given_wide_kernels_and_those_that_do_narrow_ones() -> None:
    rng = np.random.default_rng(3)
    tied = np.repeat(rng.integers(0, 4, 800)[:, None], 4, axis=1).astype(np.int32)
    free = rng.integers(0, 4, (800, 4)).astype(np.int32)
    sizes, none = np.full(4, 4, dtype=np.int64), np.zeros((800, 0))
    assert Kernel.chosen(Encoded(none, tied, sizes)).change < Kernel.chosen(Encoded(none, free, sizes)).change


def test_widths_that_mean_nothing() -> None:
    for width, change in ((0.0, 0.1), (0.1, 0.0), (0.1, 1.5), (math.nan, 0.1)):
        with pytest.raises(UsageError):
            Kernel(width, change)
