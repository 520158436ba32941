"""Probabilities by Bayes' rule, assignments and thresholds by trying all."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from reticent.attacks.reidentification.linkage import matching
from reticent.attacks.reidentification.linkage.matching import assigned, best_of_each, cut, marginals, probabilities


def whole(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.divmod(np.arange(factors.size), factors.shape[1])
    return rows, columns, factors.reshape(-1)


def test_probabilities_are_bayes_rule_at_the_share_that_explains_most() -> None:
    factors = np.random.default_rng(1).normal(0, 4, size=(30, 12))
    found, share = probabilities(*whole(factors), rows=factors.shape)
    odds = np.exp(factors) * share / 12
    wanted = odds / (1 - share + odds.sum(axis=1, keepdims=True))
    assert found.reshape(factors.shape) == pytest.approx(wanted)
    assert share == pytest.approx((found.sum() + 0.5) / 31)
    # A grid: the likelihood of the share, with half a row of either kind added.
    grid = np.linspace(0.001, 0.999, 999)
    ratio = np.exp(factors).mean(axis=1)
    likelihood = np.log(grid[:, None] * ratio + 1 - grid[:, None]).sum(axis=1) + 0.5 * np.log(grid * (1 - grid))
    assert abs(grid[likelihood.argmax()] - share) < 0.002


def test_the_share_of_people_present_is_found() -> None:
    """Of 4000 rows 30 % have one register row with evidence N(6, 2), the rest noise; deviations of 5 are no chance."""
    generator = np.random.default_rng(2)
    present = generator.random(4000) < 0.3
    # log likelihood ratios of N(mu, s^2) against N(-mu, s^2) with s^2 = 2 mu: mean mu for matches
    factors = generator.normal(-6, np.sqrt(12), size=(4000, 20))
    factors[present, 0] = generator.normal(6, np.sqrt(12), size=present.sum())
    found, share = probabilities(*whole(factors), rows=(4000, 20))
    assert abs(share - present.mean()) < 5 * np.sqrt(0.3 * 0.7 / 4000)
    right = np.zeros((4000, 20), bool)
    right[present, 0] = True
    chances = found.reshape(4000, 20)
    for low, high in itertools.pairwise([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.01]):
        inside = (chances >= low) & (chances < high)
        expected, n = chances[inside].mean(), inside.sum()
        assert abs(right[inside].mean() - expected) < 5.5 * np.sqrt(expected * (1 - expected) / n) + 1e-6


def test_evidence_beyond_floats_and_a_known_share() -> None:
    found, share = probabilities(np.array([0, 1]), np.array([0, 1]), np.array([2000.0, -2000.0]), rows=(2, 2))
    assert found == pytest.approx([1, 0])
    assert 0 < share < 1
    given_, same = probabilities(np.array([0]), np.array([0]), np.array([0.0]), rows=(1, 4), present=0.8)
    assert (given_[0], same) == (pytest.approx(0.2 / (0.2 + 0.2)), 0.8)


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10**6))
def test_assignments_are_the_best_of_all(many: int, others: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    chances = generator.random((many, others)) * (generator.random((many, others)) < 0.7)
    rows, columns, values = whole(chances)
    kept = values > 0.002
    rows, columns, values = rows[kept], columns[kept], values[kept]
    found = assigned(rows, columns, values, rows=(many, others))
    assert len(set(rows[found])) == len(found) == len(set(columns[found]))
    best = max(
        sum(chances[row, column] for row, column in enumerate(choice) if column < others)
        for choice in itertools.permutations(range(others + many), many)
    )
    assert values[found].sum() == pytest.approx(best)


def test_the_likeliest_pair_of_each_row() -> None:
    rows, values = np.array([2, 0, 0, 2, 2]), np.array([0.1, 0.3, 0.6, 0.5, 0.5])
    assert best_of_each(rows, values).tolist() == [2, 3]
    assert assigned(np.array([0]), np.array([0]), np.array([1e-6]), rows=(1, 1)).tolist() == []


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.1, 10))
def test_the_threshold_has_the_largest_expected_f1(values: list[float], missed: float) -> None:
    ranked = np.sort(np.array(values))[::-1]
    expected = float(ranked.sum()) + missed
    count = cut(ranked, expected=expected)
    if not values:
        assert count == 0
        return
    scores = [2 * ranked[:kept].sum() / (kept + expected) for kept in range(1, len(values) + 1)]
    assert scores[count - 1] == pytest.approx(max(scores))


def by_all_pairings(weights: np.ndarray) -> np.ndarray:
    """Marginals by trying every pairing, each as heavy as the product of its pairs."""
    many, others = weights.shape
    total, found = 0.0, np.zeros_like(weights)
    for choice in itertools.product(range(others + 1), repeat=many):
        taken = [column for column in choice if column < others]
        if len(set(taken)) < len(taken):
            continue
        heavy = float(np.prod([weights[row, column] for row, column in enumerate(choice) if column < others]))
        total += heavy
        for row, column in enumerate(choice):
            if column < others:
                found[row, column] += heavy
    return found / total


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6))
def test_marginals_without_circles_are_those_of_all_pairings(seed: int) -> None:
    """A path: row 0 - column 0 - row 1 - column 1 - row 2, and so on."""
    generator = np.random.default_rng(seed)
    log_odds = np.full((4, 4), -np.inf)
    for row in range(4):
        log_odds[row, row] = generator.normal(0, 4)
        if row:
            log_odds[row, row - 1] = generator.normal(0, 4)
    rows, columns = np.nonzero(np.isfinite(log_odds))
    found = marginals(rows, columns, log_odds[rows, columns], rows=(4, 4), share=0.25)
    wanted = by_all_pairings(np.exp(log_odds) / 0.75**2)
    assert found == pytest.approx(wanted[rows, columns], abs=1e-6)


def test_marginals_with_circles_are_close_and_sum_to_at_most_one() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        log_odds = generator.normal(-1, 2, (4, 5))
        found = marginals(*whole(log_odds), rows=(4, 5), share=0.2).reshape(4, 5)
        wanted = by_all_pairings(np.exp(log_odds) / (0.8 * (1 - 0.2 * 4 / 5)))
        assert np.abs(found - wanted).max() < 0.06
        assert (found.sum(axis=0) < 1 + 1e-6).all()
        assert (found.sum(axis=1) < 1 + 1e-6).all()


def test_a_candidate_that_is_taken_is_left_to_its_owner() -> None:
    """Row 0 fits both columns alike; column 0 is row 1's for sure. So row 0 is column 1's, however sure the weights."""
    rows, columns = np.array([0, 0, 1]), np.array([0, 1, 0])
    log_odds = np.array([3.0, 3.0, 60.0])
    assert marginals(rows, columns, log_odds, rows=(2, 2), share=0.9)[:2] == pytest.approx([0, 1], abs=0.01)
    several = marginals(rows, columns, log_odds, rows=(2, 2), share=0.9, one_to_one=False)
    assert several[:2] == pytest.approx([0.5, 0.5], abs=0.01)
    assert marginals(rows, columns, np.full(3, -50.0), rows=(2, 2), share=0.1) == pytest.approx(0, abs=1e-9)


def test_pairs_that_come_to_nothing_are_set_aside() -> None:
    """Every row is taken for sure; weak pairs beside come to next to nothing, and leave the sure ones as they were."""
    rows, columns = np.divmod(np.arange(60 * 60), 60)
    log_odds = np.where(rows == columns, 60.0, -5.0)
    found = marginals(rows, columns, log_odds, rows=(60, 60), share=0.99)
    assert found[rows == columns] == pytest.approx(1)
    assert found[rows != columns].max() < 1e-7


def test_parts_are_solved_apart_and_together_take_what_one_problem_would() -> None:
    """A thousand parts of one to six rows: the same gain as the whole matrix solved at once."""
    generator = np.random.default_rng(7)
    left, right = generator.integers(0, 3000, 5000), generator.integers(0, 3000, 5000)
    pairs = np.unique(left * 3000 + right)
    left, right = generator.permutation(3000)[pairs // 3000], pairs % 3000
    chances = generator.random(len(pairs))
    taken = assigned(left, right, chances, rows=(3000, 3000))
    assert len(set(left[taken])) == len(set(right[taken])) == len(taken)
    assert (np.diff(left[taken]) > 0).all()
    gain = np.zeros((3000, 3000))
    gain[left, right] = chances
    assert chances[taken].sum() == pytest.approx(gain[linear_sum_assignment(gain, maximize=True)].sum())


def test_many_rows_do_not_take_the_square_of_their_time() -> None:
    """A problem of 100,000 single pairs took 18 s as one; apart, a fraction of a second."""
    rows = np.arange(100_000)
    began = time.process_time()
    taken = assigned(rows, rows[::-1], np.full(100_000, 0.9), rows=(100_000, 100_000))
    assert (taken == rows).all()
    assert time.process_time() - began < 5


@pytest.mark.parametrize("tied", [False, True])
def test_what_hangs_together_in_too_many_rows_is_taken_surest_first(
    monkeypatch: pytest.MonkeyPatch, tied: bool
) -> None:
    generator = np.random.default_rng(8)
    pairs = np.unique(generator.integers(0, 300 * 300, 6000))
    left, right = pairs // 300, pairs % 300
    chances = np.full(len(pairs), 0.3) if tied else generator.random(len(pairs))
    whole_gain = chances[assigned(left, right, chances, rows=(300, 300))].sum()
    monkeypatch.setattr(matching, "_TOGETHER", 200)
    taken = assigned(left, right, chances, rows=(300, 300))
    assert len(set(left[taken])) == len(set(right[taken])) == len(taken)
    assert 0.9 * whole_gain < chances[taken].sum() <= whole_gain + 1e-9
    order = sorted(range(len(pairs)), key=lambda pair: -chances[pair])
    rows, columns, kept = set(), set(), set()
    for pair in order:  # one by one
        if left[pair] not in rows and right[pair] not in columns:
            rows.add(left[pair])
            columns.add(right[pair])
            kept.add(pair)
    assert tied or set(taken) == kept


def test_alike_rows_that_all_hang_together_are_soon_solved() -> None:
    """30,000 rows with 20 equal pairs each: seconds, where the largest number took the square of the rows."""
    generator = np.random.default_rng(9)
    pairs = np.unique(np.repeat(np.arange(30_000), 20) * 30_000 + generator.integers(0, 30_000, 600_000))
    began = time.process_time()
    taken = assigned(pairs // 30_000, pairs % 30_000, np.full(len(pairs), 0.04), rows=(30_000, 30_000))
    assert len(taken) > 27_000
    assert time.process_time() - began < 6
