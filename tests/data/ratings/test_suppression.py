"""What is promised of combinations holds for every one of them, counted one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.ratings import Ratings, simulated_ratings, suppressed
from reticent.data.ratings.suppression import rarest_combination
from reticent.errors import UsageError
from reticent.randomness import Randomness


def baskets(ratings: Ratings) -> list[set[int]]:
    rows = ratings.of_people(range(ratings.count))
    return [set(rows.items[rows.of(person)].tolist()) for person in range(ratings.count)]


def rarest(ratings: Ratings, size: int) -> int:
    """One by one."""
    people = baskets(ratings)
    seen = {one for basket in people for one in itertools.combinations(sorted(basket), size)}
    return min((sum(set(one) <= basket for basket in people) for one in seen), default=0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 6)), min_size=5, max_size=60),
    st.integers(2, 4),
    st.integers(1, 3),
)
def test_every_combination_is_shared(lines: list[tuple[int, int]], k: int, m: int) -> None:
    who, what = zip(*lines, strict=True)
    ratings = Ratings.of(who, what)
    for size in (1, 2, 3):
        assert rarest_combination(ratings, size) == rarest(ratings, size)
    if not (ratings.supports >= k).any():
        with pytest.raises(UsageError, match="none at k="):
            suppressed(ratings, k=k, m=m)
        return
    made = suppressed(ratings, k=k, m=m)
    for size in range(1, m + 1):
        found = rarest(made.ratings, size)
        assert found == 0 or found >= k


def test_items_are_not_left_out_without_need() -> None:
    same = Ratings.of(np.repeat(np.arange(10), 5), np.tile(np.arange(5), 10))
    assert len(suppressed(same, k=10, m=3).ratings) == 50
    # One more person with one item more: only that item goes.
    more = Ratings.of(np.append(np.repeat(np.arange(10), 5), 10), np.append(np.tile(np.arange(5), 10), 5))
    assert len(suppressed(more, k=10, m=2).ratings) == 50


def test_values_and_dates_can_go_too() -> None:
    made = simulated_ratings(300, 60, 3_000, Randomness.simulated(1))
    release = suppressed(made, k=5, m=1, items_alone=True)
    assert release.ratings.scores is None
    assert release.ratings.days is None
    assert release.ratings.supports[release.ratings.supports > 0].min() >= 5


def test_what_would_take_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = simulated_ratings(300, 60, 3_000, Randomness.simulated(1))
    with pytest.raises(UsageError, match="m <= 3"):
        suppressed(made, k=5, m=4)
    monkeypatch.setattr("reticent.data.ratings.suppression._WORK", 10.0)
    with pytest.raises(UsageError, match="combinations of 2 items"):
        suppressed(made, k=5, m=2)
    monkeypatch.undo()
    monkeypatch.setattr("reticent.data.ratings.suppression._EDGES", 1)
    with pytest.raises(UsageError, match="too few people share"):
        suppressed(made, k=20, m=2)
