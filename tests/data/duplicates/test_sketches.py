"""Similarities against sets in plain Python; sketches against the S-curve; neighbours against all pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.duplicates.bands import Bands
from reticent.data.duplicates.sketches import SHINGLE, Points, Sets, tidied
from reticent.randomness import Randomness


def shingles(text: str) -> set[str]:
    """By a loop: runs of characters, the end being marked by characters that no text has."""
    plain = tidied(text)
    padded = plain + "\0" * (SHINGLE - 1)
    return {padded[place : place + SHINGLE] for place in range(len(plain))}


def jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def every_pair(count: int) -> np.ndarray:
    return np.array(list(itertools.combinations(range(count), 2)), np.int64).reshape(-1, 2)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="ab c\u00e9ÄK\u2126\U0001f600", max_size=25), min_size=2, max_size=8))
def test_similarities_are_those_of_the_sets_of_shingles(texts: list[str]) -> None:
    sets = Sets.of_texts(texts)
    assert np.diff(sets.starts).tolist() == [len(shingles(text)) for text in texts]
    pairs = every_pair(len(texts))
    wanted = [jaccard(shingles(texts[one]), shingles(texts[other])) for one, other in pairs]
    assert sets.nearness(pairs).tolist() == pytest.approx(wanted)


def test_texts_are_compared_without_case_and_surplus_blanks() -> None:
    sets = Sets.of_texts(["Straße  in \t Köln", "STRASSE in köln"])
    assert sets.nearness(np.array([[0, 1]])).tolist() == [1.0]


def of_similarity(shared: int, alone: int, pairs: int, generator: np.random.Generator) -> Sets:
    """Pairs of sets (2i, 2i+1) with similarity shared / (shared + 2 alone)."""
    rows = []
    for _ in range(pairs):
        items = generator.choice(2**32, shared + 2 * alone, replace=False).astype(np.uint32)
        rows += [np.sort(items[: shared + alone]), np.sort(np.concatenate([items[:shared], items[shared + alone :]]))]
    return Sets(np.concatenate(rows), np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64))


@pytest.mark.parametrize(("shared", "alone"), [(40, 5), (32, 4), (20, 10), (10, 20)])
def test_sketches_agree_as_often_as_sets_are_similar(shared: int, alone: int) -> None:
    """4000 pairs; a miss of 5.5 deviations either way has probability below 1e-7."""
    sets = of_similarity(shared, alone, 4000, np.random.default_rng(5))
    keys = sets.keys(Bands(4, 2), Randomness.simulated(1), 0.8)
    similarity = shared / (shared + 2 * alone)
    for band in range(4):
        rate = (keys[::2, band] == keys[1::2, band]).mean()
        wanted = similarity**2
        assert abs(rate - wanted) < 5.5 * np.sqrt(wanted * (1 - wanted) / 4000)
    both = (keys[::2] == keys[1::2]).any(axis=1).mean()
    wanted = Bands(4, 2).chance(similarity)
    assert abs(both - wanted) < 5.5 * np.sqrt(wanted * (1 - wanted) / 4000) + 1e-3


def test_a_sketch_that_forgets_places_would_be_noticed() -> None:
    """The planted fault: one place for all bands. Then bands agree together, and the curve does not hold."""
    sets = of_similarity(20, 10, 4000, np.random.default_rng(6))
    keys = np.repeat(sets.keys(Bands(1, 1), Randomness.simulated(1), 0.8), 4, axis=1)
    both, wanted = (keys[::2] == keys[1::2]).any(axis=1).mean(), Bands(4, 1).chance(0.5)
    assert abs(both - wanted) > 5.5 * np.sqrt(wanted * (1 - wanted) / 4000)


@pytest.mark.parametrize("apart", [0.5, 1.0, 2.0, 5.0])
def test_rounded_projections_agree_as_the_closed_form_says(apart: float) -> None:
    generator = np.random.default_rng(3)
    first = generator.normal(size=(6000, 24))
    away = generator.normal(size=first.shape)
    away *= apart * 0.1 * np.sqrt(24) / np.linalg.norm(away, axis=1, keepdims=True)
    points = Points(np.stack([first, first + away], axis=1).reshape(-1, 24).astype(np.float32))
    keys = points.keys(Bands(3, 1), Randomness.simulated(2), 0.1)
    wanted = points.agreement(apart)
    for band in range(3):  # the law holds over projections: each band is one of them, rows average over directions
        rate = (keys[::2, band] == keys[1::2, band]).mean()
        assert abs(rate - wanted) < 0.06
    spread = [(points.keys(Bands(40, 1), Randomness.simulated(9), 0.1)[side::2]) for side in (0, 1)]
    assert abs((spread[0] == spread[1]).mean() - wanted) < 0.015


def test_distances_are_root_mean_squares_and_pairs_are_all_of_them() -> None:
    values = np.random.default_rng(4).normal(size=(150, 3)).astype(np.float32)
    points, pairs = Points(values), every_pair(150)
    wanted = np.array([np.sqrt(((values[a].astype(float) - values[b]) ** 2).mean()) for a, b in pairs])
    assert points.nearness(pairs) == pytest.approx(wanted)
    assert {tuple(sorted(pair)) for pair in points.all_pairs(0.3).tolist()} == {
        tuple(pair) for pair in pairs[wanted <= 0.3].tolist()
    }


@pytest.mark.parametrize("bar", [0.3, 0.6, 0.9])
def test_neighbours_are_all_of_them(bar: float) -> None:
    generator = np.random.default_rng(8)
    texts = ["".join(generator.choice(list("ab "), 14)) for _ in range(120)] + ["", "a"]
    texts += [text[:-1] for text in texts[:30]]
    for compared in (Sets.of_texts(texts), Points(generator.normal(size=(120, 30)).astype(np.float32) / 2)):
        rows = np.arange(0, len(compared), 3)
        pairs = every_pair(len(compared))
        near = pairs[compared.near(compared.nearness(pairs), bar)]
        wanted = {(a, b) for a, b in near.tolist()} | {(b, a) for a, b in near.tolist()}
        found = [tuple(pair) for pair in compared.neighbours(rows, bar).tolist()]
        assert len(found) == len(set(found))
        assert set(found) == {pair for pair in wanted if pair[0] % 3 == 0}


def test_columns_count_by_their_quarters_and_constant_ones_not_at_all() -> None:
    values = np.array([[0.0, 0, 7, 0], [1, 1000, 7, 0], [2, 2000, 7, 0], [3, 3000, 7, 0], [np.nan, 9e6, 7, 1]])
    points = Points.of_columns(values)
    assert points.values.shape == (5, 3)
    quarter = (2.25 - 0.75) / 1.349  # what is missing stands at the mean
    assert points.values[:, 0] == pytest.approx(np.array([-1.5, -0.5, 0.5, 1.5, 0]) / quarter)
    assert points.values[1, 1] - points.values[0, 1] == pytest.approx(
        1000 / (2000 / 1.349), rel=1e-3
    )  # one large value or not
    assert points.values[4, 2] - points.values[0, 2] == pytest.approx(1 / 0.4)  # half are equal: the deviation


def test_least_items_agree_as_often_as_sets_are_similar() -> None:
    sets = of_similarity(32, 4, 4000, np.random.default_rng(5))
    least = sets.least(Randomness.simulated(3))
    assert abs((least[::2] == least[1::2]).mean() - 0.8) < 5.5 * np.sqrt(0.16 / 4000)


def test_images_are_near_whatever_their_size_brightness_and_contrast() -> None:
    generator = np.random.default_rng(2)
    picture = generator.random((1, 32, 32, 3))
    small = Points.of_images(np.concatenate([picture, 0.3 + 0.5 * picture, generator.random((1, 32, 32, 3))]))
    assert small.values.shape == (3, 256)
    near = small.nearness(np.array([[0, 1], [0, 2]]))
    assert near[0] < 1e-5
    assert near[1] > 1
    first = Points.of_images(np.moveaxis(picture, 3, 1))
    assert first.values == pytest.approx(small.values[:1], abs=1e-5)


def test_sketches_are_drawn_anew_and_repeatable() -> None:
    sets = Sets.of_texts(["some words", "other words"])
    one, again, other = (sets.keys(Bands(2, 2), Randomness.simulated(seed), 0.8) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).all()
