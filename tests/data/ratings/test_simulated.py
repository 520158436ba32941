"""Ratings of nobody have the shape that is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.ratings import simulated_ratings
from reticent.data.ratings.simulated import _sample, _supports
from reticent.errors import UsageError
from reticent.randomness import Randomness


def test_the_shape_is_as_said() -> None:
    made = simulated_ratings(3000, 500, 200_000, Randomness.simulated(2), days=900)
    assert made.scores is not None
    assert made.days is not None
    assert len(made) == 200_000
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


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 40), st.floats(0, 1))
def test_there_are_exactly_as_many_as_asked_for(people: int, items: int, share: float) -> None:
    """From one rating to half of all there could be."""
    most = items * max(people // 2, 1)
    asked = max(round(share * most), 1)
    made = simulated_ratings(people, items, asked, Randomness.simulated(5))
    assert (len(made), made.repeated) == (asked, 0)
    assert made.supports.max() <= max(people // 2, 1)
    for item in range(items):
        assert (np.diff(made.people[made.list_of(item)]) > 0).all()
    with pytest.raises(UsageError, match=f"ratings <= {most}"):
        simulated_ratings(people, items, most + 1, Randomness.simulated(5))


def test_the_supports_of_the_netflix_prize_add_up() -> None:
    found = _supports(480_189, 17_770, 100_480_507)
    assert found.sum() == 100_480_507
    assert found.min() >= 2
    assert found.max() <= 480_189 // 2
    assert (np.diff(found) <= 1_100).all()  # as popular as its rank, but for the rest that is given out


def test_whoever_is_drawn_last_is_drawn_by_activity() -> None:
    """One dominates, so that rounds of drawing end early; the rest come by clocks, and the active ones more often."""
    activity = np.array([1e9, 4.0, 1.0])
    reach = np.cumsum(activity) / activity.sum()
    source = Randomness.simulated(6)
    drawn = [_sample(activity, reach, 2, source).tolist() for _ in range(2000)]
    second = np.mean([pair == [0, 1] for pair in drawn])
    assert all(pair[0] == 0 for pair in drawn)
    assert abs(second - 0.8) < 5 * np.sqrt(0.8 * 0.2 / 2000)
