"""Scores are what the formulas say, person by person, written as loops over a dictionary."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from reticent.attacks.reidentification import Knowledge, Likelihood, Scoreboard, ScoreboardRH, learned
from reticent.attacks.reidentification.methods import _day_kernel, _value_kernel
from reticent.data.ratings import Blur, Ratings, Release, releases, simulated_ratings
from reticent.randomness import Randomness

MADE = simulated_ratings(60, 25, 500, Randomness.simulated(1), days=200)
Cells = dict[tuple[int, int], tuple[float | None, int | None]]


def cells(ratings: Ratings) -> Cells:
    rows = ratings.of_people(range(ratings.count))
    return {
        (person, int(rows.items[i])): (
            None if rows.scores is None else float(ratings.values[rows.scores[i]]),
            None if rows.days is None else int(rows.days[i]),
        )
        for person in range(ratings.count)
        for i in range(*rows.of(person).indices(len(rows.items)))
    }


def similarity(known: tuple[float, int], released: tuple[float | None, int | None]) -> float:
    total, terms = 0.0, 0
    if released[0] is not None:
        total, terms = total + math.exp(-abs(known[0] - released[0]) / 1.5), terms + 1
    if released[1] is not None:
        total, terms = total + math.exp(-abs(known[1] - released[1]) / 30), terms + 1
    return total if terms else 1.0


def without(held: Cells, person: int) -> Cells:
    return {key: value for key, value in held.items() if key[0] != person}


def aux(seed: int, knowledge: Knowledge) -> tuple[int, list[int], list[int], list[int]]:
    person = int(np.flatnonzero(MADE.sizes >= knowledge.items)[seed])
    known = learned(MADE, [person], knowledge, Randomness.simulated(seed))
    assert known.days is not None
    return person, known.items[0].tolist(), known.scores[0].tolist(), known.days[0].tolist()


@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize("period", ["as it is", "month", "none"])
@pytest.mark.parametrize("seed", [0, 5])
def test_scoreboards_are_the_formulas(seed: int, period: str, absent: bool) -> None:
    release = releases.as_it_is(MADE) if period == "as it is" else releases.with_dates(MADE, period)
    knowledge = Knowledge(4, days=3, wrong=1)
    person, items, values, days = aux(seed, knowledge)
    held = without(cells(release.ratings), person) if absent else cells(release.ratings)
    weighted, least = np.zeros(MADE.count), np.zeros(MADE.count)
    for one in range(MADE.count):
        found = []
        for item, value, day in zip(items, values, days, strict=True):
            support = sum(key[1] == item for key in held)
            alike = similarity((MADE.values[value], day), held[one, item]) if (one, item) in held else 0.0
            found.append(alike)
            weighted[one] += alike / math.log(max(support, 2))
        least[one] = min(found)
    others = np.arange(MADE.count) != person if absent else np.ones(MADE.count, bool)
    for method, expected in ((ScoreboardRH(), weighted), (Scoreboard(), least)):
        scorer = method.prepared(release, knowledge)
        for _ in range(2):  # the array is used again
            scores = scorer.scores(items, values, days, without=person if absent else -1)
        assert scores[others] == pytest.approx(expected[others], abs=1e-5)


def day_probability(known: int, released: int, blur: Blur, off: int) -> float:
    """By adding up every true day and every noise."""
    total = 0.0
    for offset in range(-(blur.period // 2), blur.period - blur.period // 2):
        for moved in range(-blur.days, blur.days + 1):
            true = released + offset + moved
            total += (abs(known - true) <= off) / (2 * off + 1) / blur.period / (2 * blur.days + 1)
    return total


@pytest.mark.parametrize("blur", [Blur(), Blur(period=30), Blur(days=4), Blur(period=7, days=2)])
def test_kernels_of_days_add_up_every_case(blur: Blur) -> None:
    kernel, middle = _day_kernel(blur.period, blur.days, 3)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    for place, value in enumerate(kernel):
        assert value == pytest.approx(day_probability(100 + place - middle, 100, blur, 3), abs=1e-6)


def test_kernels_of_values_are_probabilities() -> None:
    for released, known in ((0.0, 0.0), (0.3, 0.0), (0.2, 0.4)):
        kernel = _value_kernel(5, released, known)
        assert kernel.sum(axis=0) == pytest.approx(np.ones(5), abs=1e-6)
    assert np.array_equal(_value_kernel(5, 0, 0), np.eye(5))
    # a released 3 was a 3, or a 2 or 4 that moved: a known 2 comes from a true 2 alone
    assert _value_kernel(5, 0.3, 0.0)[1, 2] == pytest.approx(0.15 / (0.7 + 0.15 + 0.15))
    assert _value_kernel(1, 0.3, 0.1).tolist() == [[1.0]]


@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize(
    ("release", "doubt"),
    [
        (releases.as_it_is(MADE), 0.05),
        (releases.with_dates(MADE, "month"), 0.2),
        (releases.with_noise(MADE, moved=0.2, days=2, randomness=Randomness.simulated(2)), 0.1),
        (releases.sampled(MADE, 0.6, Randomness.simulated(3)), 0.1),
    ],
    ids=lambda value: value.name if isinstance(value, Release) else "",
)
def test_the_likelihood_ratio_is_the_formula(release: Release, doubt: float, absent: bool) -> None:
    knowledge = Knowledge(4, days=3, moved=0.1)
    person, items, values, days = aux(3, knowledge)
    held = without(cells(release.ratings), person) if absent else cells(release.ratings)
    ratings, blur = release.ratings, release.blur
    chance = _value_kernel(5, blur.moved, knowledge.moved)
    own = (1 - doubt) * blur.kept

    def kernel(one: int, item: int, value: int, day: int) -> float:
        if (one, item) not in held:
            return 0.0
        stars, when = held[one, item]
        assert stars is not None
        assert when is not None
        seen = float(chance[value, int(np.flatnonzero(ratings.values == stars)[0])])
        return seen * day_probability(day, when, blur, 3)

    most_day = max(day_probability(100 + off, 100, blur, 3) for off in range(-40, 41))
    expected = np.zeros(MADE.count)
    sizes = [sum(key[0] == one for key in held) for one in range(MADE.count)]
    for item, value, day in zip(items, values, days, strict=True):
        fits = [kernel(one, item, value, day) for one in range(MADE.count)]
        mean = (sum(fits) + float(chance[value].max()) * most_day / 2) / len(ratings)
        for one in range(MADE.count):
            expected[one] += math.log(1 - own + own * fits[one] / max(sizes[one], 1) / mean)
    scorer = Likelihood(doubt).prepared(release, knowledge)
    scores = scorer.scores(items, values, days, without=person if absent else -1)
    others = np.arange(MADE.count) != person if absent else np.ones(MADE.count, bool)
    assert scores[others] == pytest.approx(expected[others], rel=1e-4, abs=1e-4)


def test_items_alone_looks_at_items_alone() -> None:
    knowledge = Knowledge(3, days=1)
    _, items, values, days = aux(2, knowledge)
    method = Likelihood(0.4, items_alone=True)
    seen = method.prepared(releases.as_it_is(MADE), knowledge).scores(items, values, days)
    other = method.prepared(releases.as_it_is(MADE), knowledge).scores(items, [0, 0, 0], [0, 0, 0])
    assert np.array_equal(seen, other)
    assert "items alone" in method.name


def test_days_far_outside_fit_nobody() -> None:
    scorer = Likelihood(0.1).prepared(releases.as_it_is(MADE), Knowledge(1, days=3))
    base = scorer.scores([0], [2], [5_000]).copy()
    assert np.ptp(base) == 0
    assert np.array_equal(base, scorer.scores([0], [2], [-900]))


def test_what_is_missing_says_neither_yes_nor_no() -> None:
    """A rating without value and day adds no similarity, and what any value on any day adds to the odds."""
    seen = Ratings.of([0, 1, 2, 3], [0, 0, 0, 1], scores=[5, 1, 5, 3], days=[0, 20, 9, 40])
    assert seen.scores is not None
    assert seen.days is not None
    scores, days = seen.scores.copy(), seen.days.copy()
    scores[2], days[2] = 255, 65_535
    release = releases.as_it_is(dataclasses.replace(seen, scores=scores, days=days))
    assert release.ratings.span == 41
    known = Knowledge(1, days=1)
    similar = ScoreboardRH().prepared(release, known).scores([0], [2], [0])
    assert similar[2] == 0 < similar[1] < similar[0]
    # Values 1, 3, 5, alike likely; 41 days; three days that a known one may be: 1/3 * 1/41 beside 1 * 1/3.
    doubt, kernel = 0.1, np.array([1 / 3, 0.0, 1 / 3 / 41])
    mass = kernel.sum() + 1 / 3 / 2
    ratio = kernel * (1 - doubt) / doubt * 4 / mass
    expected = np.log(doubt) + np.log1p(ratio)
    assert np.allclose(Likelihood(doubt).prepared(release, known).scores([0], [2], [0])[:3], expected, rtol=1e-5)
