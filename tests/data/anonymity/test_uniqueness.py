"""Estimates of uniqueness, against formulas by loops and against simulated populations whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reticent.data.anonymity import population_uniqueness
from reticent.data.anonymity.uniqueness import _histogram, _match, dis, pitman, snb, zayatz
from reticent.errors import UsageError
from reticent.randomness import Randomness


def simulated(seed: int, people: int, cells: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(0, spread, cells)
    return rng.choice(cells, people, p=weight / weight.sum())


def sampled(of: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, float]:
    """Sizes of the sample's classes, and the truth of what DIS estimates."""
    rng = np.random.default_rng(seed)
    there = np.bincount(of)
    inside = np.bincount(of[rng.permutation(len(of))[: round(len(of) * fraction)]], minlength=len(there))
    alone = inside == 1
    return inside[inside > 0], float(alone.sum() / there[alone].sum())


def test_dis_by_hand() -> None:
    assert dis(10, 5, 0.5) == pytest.approx(0.5 * 10 / (0.5 * 10 + 2 * 0.5 * 5))
    assert (dis(0, 3, 0.1), dis(4, 0, 0.1), dis(7, 9, 1.0)) == (0.0, 1.0, 1.0)


def test_zayatz_is_bayes_rule_by_a_loop() -> None:
    sizes, people = [1] * 30 + [2] * 10 + [7] * 3, 400
    n = sum(sizes)
    top = bottom = 0.0
    for j in (1, 2, 7):
        shown = j * math.comb(people - j, n - 1) / math.comb(people, n)  # P(one of j is drawn)
        bottom += sizes.count(j) / len(sizes) * shown
        top += sizes.count(j) / len(sizes) * shown * (j == 1)
    assert zayatz(sizes, people) == pytest.approx(30 * top / bottom / (n / people) / people)


def test_snb_finds_its_own_population_again() -> None:
    # A population of classes of 1 + NB(alpha, beta), sampled: the equations' solution is the truth, up to drawing.
    alpha, beta, classes = 0.8, 0.15, 40_000
    sizes = 1 + stats.nbinom.rvs(alpha, beta, size=classes, random_state=4)
    truth = (sizes == 1).sum() / sizes.sum()
    inside = np.random.default_rng(5).binomial(sizes, 0.4)
    found = snb(inside[inside > 0], round(inside.sum() / 0.4))
    assert found == pytest.approx(truth, rel=0.1)


def crp(people: int, theta: float, alpha: float, seed: int) -> np.ndarray:
    """A Pitman partition, one person after another."""
    rng = np.random.default_rng(seed)
    of, tables = np.zeros(people, int), [1]
    for i in range(1, people):
        if rng.random() * (theta + i) < theta + alpha * len(tables):
            of[i] = len(tables)
            tables.append(1)
            continue
        while True:  # a random person's table, kept with probability (size - alpha)/size
            one = of[rng.integers(i)]
            if rng.random() < (tables[one] - alpha) / tables[one]:
                break
        of[i] = one
        tables[one] += 1
    return of


def test_pitman_finds_its_own_population_again() -> None:
    of = crp(20_000, 30.0, 0.6, 1)
    truth = (np.bincount(of) == 1).sum() / len(of)
    inside, _ = sampled(of, 0.05, 2)
    assert pitman(inside, len(of)) == pytest.approx(truth, rel=0.2)
    assert pitman(inside, int(inside.sum())) == pytest.approx((inside == 1).sum() / inside.sum())


def test_with_everybody_in_the_sample_all_know_the_truth() -> None:
    sizes = [1] * 40 + [2] * 20 + [9] * 5
    for model in (zayatz, snb, pitman):
        assert model(sizes, sum(sizes)) == pytest.approx(40 / sum(sizes), rel=1e-6)


@pytest.mark.parametrize(("people", "cells", "spread"), [(50_000, 20_000, 1.5), (50_000, 100_000, 2.0)])
@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.6])
def test_against_populations_with_known_truth(people: int, cells: int, spread: float, fraction: float) -> None:
    of = simulated(7, people, cells, spread)
    truth = (np.bincount(of) == 1).sum() / people
    sizes, right = sampled(of, fraction, 8)
    found = population_uniqueness(sizes, population=people, randomness=Randomness.simulated(1), draws=40)
    assert found.match.value == pytest.approx(right, abs=0.03)
    # The models are wrong here, as ever: above a tenth the rule is within 4 points, else within 10.
    assert found.estimate.value == pytest.approx(truth, abs=0.04 if fraction > 0.1 else 0.1)
    assert found.chosen == ("pitman" if fraction <= 0.1 else "snb")
    assert found.estimate.low < found.estimate.value < found.estimate.high


@pytest.mark.parametrize(
    ("people", "cells", "spread", "fraction"),
    [(2_000, 20_000, 1.0, 0.02), (2_000, 20_000, 1.0, 0.05), (20_000, 8_000, 1.5, 0.2), (20_000, 8_000, 1.5, 0.6)],
)
def test_intervals_of_a_right_match_cover_it(people: int, cells: int, spread: float, fraction: float) -> None:
    """60 fresh populations each: fewer than 46 hits have probability below 1e-6 at 0.95.

    In the first two a sample has no class of two rows, or one: percentiles of numbers drawn anew (as it was before)
    covered the truth in one case of ten, and in four.
    """
    hits = 0
    for seed in range(60):
        of = simulated(100 + seed, people, cells, spread)
        sizes, right = sampled(of, fraction, seed)
        found = _match(_histogram(sizes), int(sizes.sum()), fraction, 0.95)
        hits += found.contains(right)
    assert hits >= 46
    assert not _match(_histogram([1] * 800 + [2] * 200), 1_200, 0.02, 0.95).contains(dis(800, 200, 0.2))


def test_no_pair_among_few_uniques_shows_little() -> None:
    found = population_uniqueness([1] * 10, population=1_000, randomness=Randomness.simulated(1))
    assert (found.match.value, found.match.high) == (1.0, 1.0)
    share = 1 - 0.025 ** (1 / 10)  # Clopper and Pearson's upper end for none of ten; a little widened
    assert found.match.low == pytest.approx(0.01 * (1 - share) / (0.01 * (1 - share) + 2 * 0.99 * share), rel=0.01)
    whole = population_uniqueness([1] * 10 + [2] * 5, population=20, randomness=Randomness.simulated(1))
    assert (whole.match.low, whole.match.value, whole.match.high) == (1.0, 1.0, 1.0)


def test_large_classes_are_no_trouble() -> None:
    sizes = [1] * 200 + [2] * 60 + [5_000, 80_000, 400_000]
    found = population_uniqueness(sizes, population=1_000_000, randomness=Randomness.simulated(1), draws=20)
    assert set(found.models) == {"zayatz", "snb", "pitman"}
    assert found.estimate.value < 1e-3


def test_no_answer_has_a_reason() -> None:
    found = population_uniqueness([1] * 20, population=1_000, randomness=Randomness.simulated(1))
    assert set(found.reasons) == {"snb", "pitman"}
    assert (found.chosen, found.match.value) == ("zayatz", 1.0)
    none = population_uniqueness([2, 3], population=100, randomness=Randomness.simulated(1))
    assert (none.chosen, none.estimate.value) == ("none", 0.0)
    for sizes, people in (([], 5), ([0, 1], 5), ([3, 3], 5)):
        with pytest.raises(UsageError):
            population_uniqueness(sizes, population=people, randomness=Randomness.simulated(1))
