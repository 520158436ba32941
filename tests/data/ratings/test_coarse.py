"""Coarse dates and other scales are told by what can be seen, and what is not coarse is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.ratings.coarse import Dates, dates_seen, scale_given, scale_seen
from reticent.errors import DataError, UsageError

TRUE = np.arange("2003-01-01", "2006-01-01", dtype="datetime64[D]").astype(np.int64)
SEEN = (int(TRUE[0]), int(TRUE[-1]), len(TRUE), float(TRUE.mean()))


def seen(released: np.ndarray, unit: str = "days", stands_for: str | None = None) -> tuple[Dates, np.ndarray]:
    """How they are read, and the day that each true day is then taken for."""
    distinct, places = np.unique(released, return_inverse=True)
    found = dates_seen(distinct, unit, SEEN, float(released.mean()), stands_for)
    return found, found.images[places]


def covered(found: Dates, images: np.ndarray) -> bool:
    """Whether each true day is one that its date may stand for, as attacks take a period."""
    before = TRUE - images
    return bool((before >= -(found.period // 2)).all() and (before < found.period - found.period // 2).all())


@pytest.mark.parametrize("months", [1, 3, 12])
@pytest.mark.parametrize("day", ["first", "last", "fifteenth", "written"])
def test_periods_of_the_calendar(months: int, day: str) -> None:
    month = TRUE.astype("datetime64[D]").astype("datetime64[M]")
    begin = month - month.astype(np.int64) % months
    released = (begin + (months if day == "last" else 0)).astype("datetime64[D]").astype(np.int64) - (day == "last")
    if day == "fifteenth":
        released = (begin + months // 2).astype("datetime64[D]").astype(np.int64) + 14
    if day == "written" and months == 3:
        return  # nobody writes quarters as dates
    found, images = seen(released, {1: "months", 12: "years"}[months] if day == "written" else "days")
    assert found.period == {1: 31, 3: 92, 12: 366}[months]
    assert found.said
    around = day == "fifteenth" and months > 1  # which of the days is the middle one, nothing says exactly
    assert np.abs(TRUE - images).max() < found.period / 2 + 20 if around else covered(found, images)


@pytest.mark.parametrize("step", [2, 7, 30, 90, 365])
@pytest.mark.parametrize("kind", ["start", "middle", "end"])
def test_periods_of_so_many_days_whichever_of_them_is_written(step: int, kind: str) -> None:
    true = np.arange(TRUE[0], TRUE[0] + len(TRUE) // step * step)
    released = true[0] + (true - true[0]) // step * step + {"start": 0, "middle": step // 2, "end": step - 1}[kind]
    distinct, places = np.unique(released, return_inverse=True)
    seen_there = (int(true[0]), int(true[-1]), len(true), float(true.mean()))
    for stated in (kind, None):
        found = dates_seen(distinct, "days", seen_there, float(released.mean()), stated)
        before = true - found.images[places]
        assert found.period == step
        assert -(step // 2) <= before.min() <= before.max() < step - step // 2


def test_days_stay_days() -> None:
    draw = np.random.default_rng(1)
    for size in (2, 3, 5, 20, 300):
        for _ in range(50):
            released = np.sort(draw.choice(TRUE, size, replace=False))
            found = dates_seen(released, "days", (SEEN[0], SEEN[1], 9 * size, SEEN[3]), float(released.mean()))
            assert (found.period, found.said) == (1, "")
            assert np.array_equal(found.images, released)
    assert seen(TRUE)[0].period == 1


def test_one_date_for_all_says_nothing() -> None:
    found, images = seen(np.full(len(TRUE), TRUE[5]))
    assert (found.period, covered(found, images)) == (len(TRUE), True)


def test_what_dates_stand_for_is_one_of_three() -> None:
    with pytest.raises(UsageError, match="stands_for"):
        seen(TRUE, stands_for="noon")


STARS = np.arange(1.0, 6.0)
COUNTS = np.array([6, 11, 27, 34, 22])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.booleans(), min_size=4, max_size=4), st.floats(0.1, 50), st.floats(-100, 100))
def test_every_growing_scale_that_joins_values_is_found(joined: list[bool], factor: float, shift: float) -> None:
    level = np.concatenate(([0], np.cumsum(~np.array(joined))))
    levels = np.unique(level) * factor + shift
    counts = np.bincount(level, weights=COUNTS)
    if len(levels) < 2:
        return
    scale = scale_seen(STARS, COUNTS, levels, counts)
    # What is one level is one value, in the middle of what it may be.
    assert np.array_equal(scale.known, scale.released[level])
    for one in range(len(levels)):
        mean = STARS[level == one].mean()
        assert np.isclose(scale.values[scale.released[one]], mean) or not scale.said


def test_the_same_numbers_are_the_same() -> None:
    scale = scale_seen(STARS, COUNTS, STARS[1:], COUNTS[1:])  # 6 % of the ratings are 1: cannot be absent by chance
    assert scale.said
    rare = scale_seen(STARS, np.array([1, 20, 30, 30, 30]), STARS[1:], COUNTS[1:])
    assert (rare.said, rare.released.tolist(), rare.known.tolist()) == ("", [1, 2, 3, 4], [0, 1, 2, 3, 4])


def test_noised_values_go_to_the_nearest_or_to_those_of_their_rank() -> None:
    noisy = np.linspace(0.55, 5.35, 49)
    near = scale_seen(STARS, COUNTS, noisy, np.ones(49))
    assert near.values.tolist() == STARS.tolist()
    assert near.released.tolist() == [int(np.abs(STARS - one).argmin()) for one in noisy]
    far = scale_seen(STARS, COUNTS, np.arange(100.0) * 10, np.ones(100))
    assert np.bincount(far.released).tolist() == pytest.approx(COUNTS.tolist(), abs=1)


def test_a_stated_scale_may_fall() -> None:
    scale = scale_given(STARS, np.array([0.0, 1.0]), {1: 1, 2: 1, 3: 1, 4: 0, 5: 0})
    assert scale.values.tolist() == [2.0, 4.5]
    assert (scale.known.tolist(), scale.released.tolist()) == ([0, 0, 0, 1, 1], [1, 0])
    with pytest.raises(DataError, match="each of 5 original"):
        scale_given(STARS, np.array([0.0]), {1: 0})
    with pytest.raises(DataError, match="that the scale names"):
        scale_given(STARS, np.array([9.0]), dict.fromkeys(range(1, 6), 0))
