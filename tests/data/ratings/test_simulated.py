"""Ratings of nobody have the shape that is said."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.data.ratings import simulated_ratings
from reticent.errors import UsageError
from reticent.randomness import Randomness


def test_the_shape_is_as_said() -> None:
    made = simulated_ratings(3000, 500, 200_000, Randomness.simulated(2), days=900)
    assert made.scores is not None
    assert made.days is not None
    assert 0.9 * 200_000 < len(made) <= 200_000
    assert made.repeated == 0
    assert made.values.tolist() == [1, 2, 3, 4, 5]
    assert made.span <= 900
    supports = np.sort(made.supports)[::-1]
    assert supports[0] > 20 * np.median(supports) / 4  # a few films are rated far more than most
    sizes = made.sizes[made.sizes > 0]
    assert np.quantile(sizes, 0.95) > 5 * np.quantile(sizes, 0.3)
    assert np.bincount(made.scores).min() > 0


def test_the_same_generator_gives_the_same_ratings() -> None:
    one, two = (simulated_ratings(200, 50, 2000, Randomness.simulated(3)) for _ in range(2))
    assert np.array_equal(one.people, two.people)
    assert one.days is not None
    assert two.days is not None
    assert np.array_equal(one.days, two.days)


def test_nothing_cannot_be_made() -> None:
    with pytest.raises(UsageError, match="people"):
        simulated_ratings(0, 1, 1, Randomness.simulated(1))
