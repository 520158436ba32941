"""What is known is the person's own, as far off as said and no further, and wrong where it should be."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.attacks.reidentification import Knowledge, eligible, learned
from reticent.data.ratings import Ratings, simulated_ratings
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness

MADE = simulated_ratings(500, 150, 15_000, Randomness.simulated(1))
SOURCE = Randomness.simulated(2)


def truth(ratings: Ratings) -> dict[tuple[int, int], tuple[int, int]]:
    rows = ratings.of_people(range(ratings.count))
    assert rows.scores is not None
    assert rows.days is not None
    return {
        (person, int(rows.items[i])): (int(rows.scores[i]), int(rows.days[i]))
        for person in range(ratings.count)
        for i in range(*rows.of(person).indices(len(rows.items)))
    }


TRUTH = truth(MADE)


def test_exact_knowledge_is_the_truth() -> None:
    targets = eligible(MADE, Knowledge(8))[:60]
    known = learned(MADE, targets, Knowledge(8, days=0), SOURCE)
    assert known.days is not None
    for row, person in enumerate(targets.tolist()):
        assert len(set(known.items[row].tolist())) == 8
        for item, score, day in zip(known.items[row], known.scores[row], known.days[row], strict=True):
            assert TRUTH[person, int(item)] == (score, day)


def test_dates_and_values_are_off_as_said() -> None:
    targets = eligible(MADE, Knowledge(8))
    knowledge = Knowledge(8, days=3, moved=0.4)
    known = learned(MADE, targets, knowledge, SOURCE)
    assert known.days is not None
    pairs = [
        (TRUTH[person, int(item)], (int(score), int(day)))
        for row, person in enumerate(targets.tolist())
        for item, score, day in zip(known.items[row], known.scores[row], known.days[row], strict=True)
    ]
    shifts = np.array([there[1] - here[1] for here, there in pairs]) + 3
    # a few thousand draws of 7 values: 6 deviations are about 0.04
    assert np.abs(np.bincount(shifts, minlength=7) / len(shifts) - 1 / 7).max() < 0.04
    steps = np.array([there[0] - here[0] for here, there in pairs])
    assert set(np.unique(steps)) == {-1, 0, 1}
    assert abs((steps != 0).mean() - 0.4) < 0.05


def test_every_own_rating_is_alike_likely() -> None:
    person = int(np.flatnonzero(MADE.sizes == 20)[0]) if (MADE.sizes == 20).any() else int(np.argmax(MADE.sizes >= 10))
    size = int(MADE.sizes[person])
    items = [int(learned(MADE, [person], Knowledge(1), SOURCE.spawn(f"{i}")).items[0, 0]) for i in range(1500)]
    _, counts = np.unique(items, return_counts=True)
    assert len(counts) == size
    # chi squared with size - 1 degrees of freedom: far above means a preference
    statistic = ((counts - 1500 / size) ** 2 / (1500 / size)).sum()
    assert statistic < size + 8 * np.sqrt(2 * size)


def test_wrong_items_are_somebody_elses() -> None:
    knowledge = Knowledge(6, days=0, wrong=2)
    targets = eligible(MADE, knowledge)[:80]
    known = learned(MADE, targets, knowledge, SOURCE)
    assert known.days is not None
    seen = {}
    for (_, item), value in TRUTH.items():
        seen.setdefault(item, set()).add(value)
    for row, person in enumerate(targets.tolist()):
        own = [(person, int(item)) in TRUTH for item in known.items[row]]
        assert own == [True] * 4 + [False] * 2
        for place in (4, 5):
            there = (int(known.scores[row, place]), int(known.days[row, place]))
            assert there in seen[int(known.items[row, place])]
    # who has exactly as many ratings as must be right is enough
    few = Ratings.of([0, 0, 1, 1, 1], [0, 1, 2, 3, 4])
    assert eligible(few, Knowledge(3, days=None, wrong=1)).tolist() == [0, 1]
    assert learned(few, [0], Knowledge(3, days=None, wrong=1), SOURCE).items.shape == (1, 3)


def test_popular_items_are_left_out() -> None:
    knowledge = Knowledge(4, beyond=30)
    targets = eligible(MADE, knowledge)
    popular = set(np.argsort(-MADE.supports, kind="stable")[:30].tolist())
    known = learned(MADE, targets, knowledge, SOURCE)
    assert not popular & set(known.items.ravel().tolist())
    assert len(targets) < len(eligible(MADE, Knowledge(4)))


def test_what_cannot_be_known_is_refused() -> None:
    with pytest.raises(UsageError, match="some right items"):
        Knowledge(2, wrong=2)
    with pytest.raises(DataError, match="with dates"):
        learned(Ratings.of([0], [0]), [0], Knowledge(1), SOURCE)
    with pytest.raises(DataError, match="at least 3 ratings"):
        learned(Ratings.of([0, 0], [0, 1]), [0], Knowledge(3, days=None), SOURCE)
    with pytest.raises(DataError, match="rate everything"):
        learned(Ratings.of([0, 0, 1], [0, 1, 0]), [0], Knowledge(2, days=None, wrong=1), SOURCE)


def test_knowledge_in_words() -> None:
    assert Knowledge(8, days=14, wrong=2, moved=0.1, beyond=100).text == (
        "8 items, 2 of them wrong, none of the 100 most popular, 10% of the values off by one, dates within 14 days"
    )
    assert Knowledge(2, days=None, values=False).text == "2 items, no values, no dates"
