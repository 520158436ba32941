"""The index holds what a dictionary of dictionaries holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.data.ratings.store import Block, Ratings, assembled
from reticent.errors import DataError

LINES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 5), st.sampled_from([1.0, 2.5, 5.0]), st.integers(100, 400)),
    min_size=1,
    max_size=60,
)


def held(ratings: Ratings) -> dict[tuple[int, int], tuple[float, int]]:
    assert ratings.scores is not None
    assert ratings.days is not None
    return {
        (int(ratings.people[i]), item): (
            float(ratings.values[ratings.scores[i]]),
            int(ratings.days[i]) + ratings.first_day,
        )
        for item in range(ratings.item_count)
        for i in range(*ratings.list_of(item).indices(len(ratings)))
    }


@given(LINES)
def test_the_last_rating_of_a_person_and_item_is_held(lines: list[tuple[int, int, float, int]]) -> None:
    who, what, stars, when = (list(column) for column in zip(*lines, strict=True))
    ratings = Ratings.of(who, what, scores=stars, days=when)
    expected = {(person, item): (value, day) for person, item, value, day in lines}
    assert held(ratings) == expected
    assert ratings.repeated == len(lines) - len(expected)
    for item in range(ratings.item_count):
        people = ratings.people[ratings.list_of(item)]
        assert (np.diff(people) > 0).all()
    for person in range(ratings.count):
        assert ratings.sizes[person] == sum(key[0] == person for key in expected)


@given(LINES, st.integers(1, 7))
def test_blocks_give_what_one_array_gives(lines: list[tuple[int, int, float, int]], size: int) -> None:
    who, what, stars, when = (np.array(column) for column in zip(*lines, strict=True))
    whole = Ratings.of(who, what, scores=stars, days=when, count=7, item_count=6)
    _, codes = np.unique(stars, return_inverse=True)
    blocks = [
        Block(who[i : i + size], what[i : i + size], codes[i : i + size], (when - whole.first_day)[i : i + size])
        for i in range(0, len(who), size)
    ]
    parts = assembled(blocks, values=whole.values, first_day=whole.first_day, count=7, items=6)
    assert held(parts) == held(whole)
    assert parts.repeated == whole.repeated


@given(LINES, st.permutations(range(7)))
def test_rows_are_those_of_the_people_in_the_order_asked_for(
    lines: list[tuple[int, int, float, int]], order: list[int]
) -> None:
    who, what, stars, when = (list(column) for column in zip(*lines, strict=True))
    ratings = Ratings.of(who, what, scores=stars, days=when, count=7)
    rows = ratings.of_people(order[:4])
    assert rows.scores is not None
    for place, person in enumerate(order[:4]):
        mine = rows.of(place)
        found = {
            int(item): float(ratings.values[score])
            for item, score in zip(rows.items[mine], rows.scores[mine], strict=True)
        }
        assert found == {key[1]: value[0] for key, value in held(ratings).items() if key[0] == person}


def test_keeping_some_ratings_keeps_the_numbers() -> None:
    ratings = Ratings.of([0, 1, 2, 1], [0, 0, 1, 2])
    less = ratings.keeping(ratings.people == 1)
    assert (less.count, less.item_count, less.supports.tolist(), less.sizes.tolist()) == (3, 3, [1, 0, 1], [0, 2, 0])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"people": [], "items": []}, "at least one rating"),
        ({"people": [0], "items": [0, 1]}, "one length"),
        ({"people": list(range(300)), "items": [0] * 300, "scores": np.arange(300) / 7}, "at most 255"),
        ({"people": [0], "items": [0], "scores": [np.nan]}, "finite"),
        ({"people": [0, 1], "items": [0, 0], "days": [0, 70_000]}, "65535 days"),
    ],
)
def test_what_cannot_be_held_is_refused(arguments: dict[str, object], text: str) -> None:
    with pytest.raises(DataError, match=text):
        Ratings.of(**arguments)  # type: ignore[arg-type]


def test_nothing_but_sizes_is_shown() -> None:
    assert repr(Ratings.of([41, 41], [7, 8], scores=[1, 2])) == "Ratings(2 of 42 people, 9 items, 2 values)"
