"""Releases change what they say they change, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.data.ratings import Ratings, releases, simulated_ratings
from reticent.errors import UsageError
from reticent.randomness import Randomness

MADE = simulated_ratings(800, 120, 20_000, Randomness.simulated(1))


def days(ratings: Ratings) -> np.ndarray:
    assert ratings.days is not None
    return ratings.days.astype(int)


def scores(ratings: Ratings) -> np.ndarray:
    assert ratings.scores is not None
    return ratings.scores.astype(int)


@pytest.mark.parametrize(("period", "length"), [("week", 7), ("month", 30), ("year", 365)])
def test_dates_tell_the_period_and_no_more(period: str, length: int) -> None:
    made = releases.with_dates(MADE, period)
    before, after = days(MADE), days(made.ratings)
    assert (before // length == after // length).all()
    assert (after % length == length // 2).all()
    assert made.blur.period == length
    assert np.array_equal(scores(MADE), scores(made.ratings))


def test_noise_has_the_law_that_is_said() -> None:
    made = releases.with_noise(MADE, moved=0.3, days=5, randomness=Randomness.simulated(2))
    step = scores(made.ratings) - scores(MADE)
    assert set(np.unique(step)) == {-1, 0, 1}
    # 20 000 coins: 6 deviations are 0.02
    assert abs((step != 0).mean() - 0.3) < 0.02
    assert scores(made.ratings).max() == 4
    inner = (scores(MADE) > 0) & (scores(MADE) < 4)
    assert abs((step[inner] == 1).mean() - 0.15) < 0.02
    assert (step[scores(MADE) == 0] >= 0).all()
    shift = days(made.ratings) - days(MADE)
    assert (shift.min(), shift.max()) == (-5, 5)
    middle = (days(MADE) > 5) & (days(MADE) < MADE.span - 6)
    assert np.abs(np.bincount(shift[middle] + 5) / middle.sum() - 1 / 11).max() < 0.015


def test_rare_items_go() -> None:
    made = releases.without_rare(MADE, 50)
    kept = made.ratings.supports
    assert (kept[kept > 0] >= 50).all()
    assert np.array_equal(kept[MADE.supports >= 50], MADE.supports[MADE.supports >= 50])


def test_samples_are_of_ratings_or_of_people() -> None:
    source = Randomness.simulated(3)
    half = releases.sampled(MADE, 0.5, source)
    assert abs(len(half.ratings) / len(MADE) - 0.5) < 0.03
    assert half.blur.kept == 0.5
    people = releases.sampled(MADE, 0.5, source, of="people")
    there = people.ratings.sizes > 0
    assert np.array_equal(people.ratings.sizes[there], MADE.sizes[there])
    assert abs(there.mean() - 0.5) < 0.12
    with pytest.raises(UsageError, match="nothing"):
        releases.sampled(MADE, 0.0, source)


def test_what_there_is_not_cannot_be_coarsened() -> None:
    bare = releases.with_dates(MADE, "none")
    assert bare.ratings.days is None
    with pytest.raises(UsageError, match="Expected ratings with dates"):
        releases.with_dates(bare.ratings, "week")
    with pytest.raises(UsageError, match="period"):
        releases.with_dates(MADE, "decade")


def test_a_release_says_what_it_is_without_its_contents() -> None:
    said = releases.as_it_is(MADE).as_dict()
    assert said["promise"] == "Nothing."
    assert said["people"] == (MADE.sizes > 0).sum()
    assert set(said) == {"name", "meaning", "promise", "ratings", "people", "items", "blur", "smallest_group"}
