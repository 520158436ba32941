"""Predicates fit one row of the release, weigh little, and isolate by luck as often as theory says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reticent.attacks.synthetic import Encoded, Predicates, predicates
from reticent.attacks.synthetic.singling_out import lucky
from reticent.randomness import Randomness


def rows(rng: np.random.Generator, count: int) -> Encoded:
    return Encoded(
        rng.normal(size=(count, 2)), rng.integers(0, 6, (count, 4)).astype(np.int32), np.full(4, 6, dtype=np.int64)
    )


def test_each_fits_one_row_of_the_release_and_matches_what_a_loop_says() -> None:
    rng = np.random.default_rng(0)
    release, others = rows(rng, 300), rows(rng, 50)
    found = predicates(release, Randomness.simulated(1), count=40, weight=0.001)
    assert len(found) == 40
    assert (found.matches(release).sum(axis=1) == 1).all()
    matrix = found.matches(others)
    for i in range(40):
        for j in range(50):
            fits = all(found.low[i] <= others.numbers[j]) and all(others.numbers[j] <= found.high[i])
            fits = fits and all(c in (-1, o) for c, o in zip(found.codes[i], others.codes[j], strict=True))
            assert matrix[i, j] == fits


def test_their_weight_in_the_population_is_about_what_was_asked() -> None:
    """Columns are independent, so the product of shares is the weight; it holds up to the release's own errors."""
    rng = np.random.default_rng(1)
    found = predicates(rows(rng, 2000), Randomness.simulated(2), count=300, weight=0.001)
    weights = found.matches(rows(rng, 20_000)).mean(axis=1)
    assert 0 < weights.mean() < 0.0015


def test_luck_is_what_the_formula_says() -> None:
    assert lucky(0.01, 100) == pytest.approx(0.37, abs=0.001)
    assert max(lucky(weight, 1000) for weight in np.geomspace(1e-5, 0.1, 2000)) == pytest.approx(
        math.exp(-1), abs=0.001
    )
    rng = np.random.default_rng(3)
    weight = 0.004
    always = Predicates(np.zeros((1, 1)), np.full((1, 1), weight), np.zeros((1, 0), np.int32))
    hits = [
        int(
            always.matches(Encoded(rng.random((200, 1)), np.zeros((200, 0), np.int32), np.zeros(0, np.int64))).sum()
            == 1
        )
        for _ in range(4000)
    ]
    expected = lucky(weight, 200)
    assert abs(np.mean(hits) - expected) < 6 * math.sqrt(expected * (1 - expected) / 4000)  # false alarm 1e-9


def test_a_release_in_which_nobody_is_alone_gives_none() -> None:
    twins = Encoded(np.zeros((50, 1)), np.zeros((50, 2), np.int32), np.array([2, 2]))
    assert len(predicates(twins, Randomness.simulated(1), count=10, weight=0.01)) == 0
    assert predicates(twins, Randomness.simulated(1), count=10, weight=0.01).matches(twins).shape == (0, 50)
