"""Rows of a group are equal, groups are large enough, and the profile is what its members rated."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.data.ratings import Ratings, grouped, simulated_ratings
from reticent.data.ratings.grouping import groups_of
from reticent.errors import UsageError
from reticent.randomness import Randomness

MADE = simulated_ratings(203, 60, 5_000, Randomness.simulated(4), days=300)


@pytest.mark.parametrize("k", [2, 5, 20])
def test_groups_have_at_least_k_and_fewer_than_2k(k: int) -> None:
    sizes = np.bincount(groups_of(MADE, k, Randomness.simulated(1)))
    assert sizes.min() >= k
    assert sizes.max() < 2 * k
    assert sizes.sum() == MADE.count


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_profiles_are_what_members_rated(share: float) -> None:
    release = grouped(MADE, 5, Randomness.simulated(2), share=share)
    assert MADE.scores is not None
    assert MADE.days is not None
    before, after = MADE.of_people(range(MADE.count)), release.ratings.of_people(range(MADE.count))
    assert before.scores is not None
    assert after.scores is not None
    assert before.days is not None
    assert after.days is not None
    for group in range(int(release.groups.max()) + 1):
        members = np.flatnonzero(release.groups == group)
        rated: dict[int, list[tuple[float, int]]] = {}
        for one in members:
            mine = before.of(int(one))
            for item, score, day in zip(before.items[mine], before.scores[mine], before.days[mine], strict=True):
                rated.setdefault(int(item), []).append((float(MADE.values[score]), int(day)))
        expected = {item for item, those in rated.items() if len(those) >= max(share * len(members), 1)}
        for one in members:
            mine = after.of(int(one))
            assert set(after.items[mine].tolist()) == expected
            for item, score, day in zip(after.items[mine], after.scores[mine], after.days[mine], strict=True):
                stars, days = zip(*rated[int(item)], strict=True)
                assert abs(release.ratings.values[score] - np.mean(stars)) <= 0.5
                assert abs(int(day) - np.mean(days)) <= 0.5


def test_similar_people_are_together() -> None:
    """Two tastes that share nothing: no group is mixed (with room for the one that is split)."""
    source = Randomness.simulated(3)
    one = simulated_ratings(100, 30, 1500, source.spawn("a"))
    two = simulated_ratings(100, 30, 1500, source.spawn("b"))
    people = np.concatenate((one.people, two.people + 100))
    items = np.concatenate((one.items_of_ratings(), two.items_of_ratings() + 30))
    groups = groups_of(Ratings.of(people, items, count=200), 5, source)
    mixed = [len(set((np.flatnonzero(groups == group) >= 100).tolist())) for group in range(groups.max() + 1)]
    assert np.mean([count == 1 for count in mixed]) > 0.8


def test_more_than_there_are_cannot_be_grouped() -> None:
    with pytest.raises(UsageError, match="k <= 203"):
        grouped(MADE, 204, Randomness.simulated(1))
