"""Columns of Toeplitz matrices against the matrices, every participation pattern, and other people's optima."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import toeplitz as dense_toeplitz

from reticent.privacy import toeplitz

WORK = toeplitz.workload(120, momentum=0.7, decay=0.95)


def dense(column, steps):
    return dense_toeplitz(toeplitz.padded(np.asarray(column, dtype=float), steps), np.zeros(steps))


def every_pattern(steps, separation, participations):
    for count in range(1, participations + 1):
        for pattern in itertools.combinations(range(steps), count):
            if all(later - earlier >= separation for earlier, later in itertools.pairwise(pattern)):
                yield pattern


def by_trying_all(column, steps, separation, participations):
    """The largest norm over all patterns and all signs of one-dimensional contributions.

    Vectors of contributions do no more harm than signs where products of columns are not negative.
    """
    matrix = dense(column, steps)
    return max(
        np.linalg.norm(matrix[:, list(pattern)] @ signs)
        for pattern in every_pattern(steps, separation, participations)
        for signs in itertools.product((1.0, -1.0), repeat=len(pattern))
    )


falling = st.lists(st.floats(0, 1), min_size=1, max_size=7).map(lambda u: np.cumsum([*u, 0.1][::-1])[::-1])


@settings(max_examples=40, deadline=None)
@given(column=falling, steps=st.integers(1, 8), separation=st.integers(1, 8), participations=st.integers(1, 4))
def test_the_sensitivity_is_that_of_the_worst_pattern(column, steps, separation, participations):
    found = toeplitz.sensitivity_squared(toeplitz.padded(column, steps), separation, participations)
    wanted = by_trying_all(column, steps, separation, participations)
    assert math.sqrt(found) == pytest.approx(wanted, rel=1e-12)


def test_a_column_that_rises_has_worse_patterns_than_the_formula_says():
    """Why the formula is given for columns that fall only."""
    column = np.array([1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    assert not toeplitz.falls(column)
    assert by_trying_all(column, 6, 1, 2) ** 2 > toeplitz.sensitivity_squared(column, 1, 2) + 0.5


@pytest.mark.parametrize(
    ("column", "wanted"),
    [([1.0], True), ([1.0, 1.0, 0.0], True), ([1.0, 1.1], False), ([1.0, -0.1], False), ([1.0, 0.2, 0.3], False)],
)
def test_falls(column, wanted):
    assert toeplitz.falls(np.array(column)) is wanted


@settings(max_examples=40, deadline=None)
@given(column=falling, steps=st.integers(1, 30))
def test_errors_are_those_of_the_matrices(column, steps):
    column = column / column[0]
    product = np.tril(np.ones((steps, steps))) @ np.linalg.inv(dense(column, steps))
    response = toeplitz.response(column, np.ones(steps))
    np.testing.assert_allclose(response, product[:, 0], rtol=1e-9, atol=1e-9)
    squares = (product**2).sum(axis=1)
    assert toeplitz.errors(response, worst=False) == pytest.approx(squares.mean(), rel=1e-9)
    assert toeplitz.errors(response, worst=True) == pytest.approx(squares.max(), rel=1e-9)


def test_the_square_root_is_one():
    column = toeplitz.square_root(50)
    np.testing.assert_allclose(
        dense(column, 50) @ dense(column, 50), np.tril(np.ones((50, 50))), rtol=1e-12, atol=1e-15
    )
    assert column[10] == pytest.approx(math.comb(20, 10) / 4**10, rel=1e-14)


def product(column, steps, separation, participations, worst):
    response = toeplitz.response(column, np.ones(steps))
    squared = toeplitz.sensitivity_squared(toeplitz.padded(column, steps), separation, participations)
    return math.sqrt(toeplitz.errors(response, worst=worst) * squared)


def test_no_toeplitz_matrix_has_a_smaller_worst_error_than_the_square_root():
    """Known in closed form, so the search has to stop where it starts, and elsewhere has to come back to it."""
    steps = 60
    column = toeplitz.best_bands(np.ones(steps), steps, separation=steps, participations=1, worst=True)
    np.testing.assert_allclose(column, toeplitz.square_root(steps), rtol=1e-6, atol=1e-9)
    least = product(toeplitz.square_root(steps), steps, steps, 1, True)
    for moved in (0.9, 1.1):
        other = toeplitz.square_root(steps) * np.append(1.0, np.full(steps - 1, moved))
        assert product(other, steps, steps, 1, True) > least * (1 + 1e-4)


def dense_optimum(steps, rounds=60):
    """The least mean error of any factorisation with one participation, and a bound below it.

    The fixed point of Denisov et al. (2022), theorem 3.2: X = C^T C with unit diagonal minimises tr(A^T A X^-1).
    """
    prefix = np.tril(np.ones((steps, steps)))
    gram = prefix.T @ prefix
    dual = np.ones(steps)
    for _ in range(rounds):
        roots = np.sqrt(dual)
        values, vectors = np.linalg.eigh(roots[:, None] * gram * roots)
        middle = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
        dual = np.diag(middle)
    below = 2 * np.trace(middle) - dual.sum()
    encoded = middle / roots[:, None] / roots
    scaled = encoded / np.sqrt(np.outer(np.diag(encoded), np.diag(encoded)))
    return math.sqrt(np.trace(gram @ np.linalg.inv(scaled)) / steps), math.sqrt(below / steps)


def test_bands_come_close_to_the_best_of_all_matrices():
    steps = 64
    least, below = dense_optimum(steps)
    assert below <= least * (1 + 1e-9)
    assert least <= below * 1.001, "the fixed point was not reached"
    found = product(
        toeplitz.best_bands(np.ones(steps), steps, separation=steps, participations=1), steps, steps, 1, False
    )
    assert below < found < 1.05 * least  # a Toeplitz matrix is at most so much worse


@pytest.mark.parametrize(("bands", "separation", "participations"), [(3, 10, 4), (8, 8, 5), (40, 40, 1), (12, 5, 3)])
@pytest.mark.parametrize("worst", [False, True])
def test_no_step_nearby_is_better(bands, separation, participations, worst):
    """Random directions, kept falling, from the column that the search gives: none is better by more than 1e-6."""
    steps = 40
    column = toeplitz.best_bands(
        np.ones(steps), bands, separation=separation, participations=participations, worst=worst
    )
    least = product(column, steps, separation, participations, worst)
    assert least <= product(toeplitz.square_root(bands), steps, separation, participations, worst)
    directions = np.random.default_rng(1).normal(size=(200, bands))
    for size in (1e-1, 1e-2, 1e-3):
        for direction in directions:
            moved = column + size * direction * np.append(0.0, np.ones(bands - 1))
            if toeplitz.falls(moved):
                assert product(moved, steps, separation, participations, worst) > least * (1 - 1e-6)


def test_gradients_are_those_of_differences():
    generator = np.random.default_rng(2)
    for bands in (5, 80):  # by dot products, and by Fourier transform
        column = toeplitz.square_root(bands) * generator.uniform(0.9, 1.0, bands)
        _, gradient = toeplitz._loss(column, WORK[:120], 7, 4, False)
        for place in (0, 1, bands - 1):
            moved = np.zeros(bands)
            moved[place] = 1e-6
            above, below = (toeplitz._loss(column + sign * moved, WORK[:120], 7, 4, False)[0] for sign in (1, -1))
            assert gradient[place] == pytest.approx((above - below) / 2e-6, rel=1e-4, abs=1e-7)
    decays, others = np.array([0.98, 0.7]), np.array([0.9, 0.3])
    _, gradient = toeplitz._buffer_loss(decays, others, WORK[:50], 7, 4, True)
    for place in range(4):
        values = []
        for sign in (1, -1):
            moved = np.array([0.98, 0.9, 0.7, 0.3])
            moved[place] += sign * 1e-6
            values.append(toeplitz._buffer_loss(moved[0::2], moved[1::2], WORK[:50], 7, 4, True)[0])
        assert gradient[place] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4)


def test_two_buffers_are_those_that_others_found():
    """JAX Privacy 2.2, buffered_toeplitz_test.py, test_optimize_single_participation_golden: 100,000 steps."""
    decays, scales = toeplitz.best_buffers(np.ones(100_000), 2, separation=100_000, participations=1, worst=True)
    np.testing.assert_allclose(decays, [0.9999528892, 0.9857068667], rtol=1e-6)
    np.testing.assert_allclose(scales, [0.0122853238, 0.1878393665], rtol=1e-4)


@pytest.mark.parametrize(
    ("steps", "buffers", "most"),
    [(10, 1, 1.04), (100, 2, 1.03), (1000, 2, 1.04), (1000, 3, 1.03), (10_000, 1, 1.45), (10_000, 4, 1.03)],
)
def test_buffers_are_as_good_as_those_of_others(steps, buffers, most):
    """JAX Privacy 2.2, test_optimize_single_participation_near_optimal: worst error over 1 + log(n) / pi (Mathias)."""
    decays, scales = toeplitz.best_buffers(np.ones(steps), buffers, separation=steps, participations=1, worst=True)
    column = toeplitz.buffered(decays, scales, steps)
    response = toeplitz.buffered_response(decays, scales, np.ones(steps))
    error = math.sqrt(toeplitz.errors(response, worst=True) * float(column @ column))
    assert error <= most * (1 + math.log(steps) / math.pi)


@settings(max_examples=25, deadline=None)
@given(
    logs=st.lists(st.floats(-4, 1), min_size=2, max_size=8).filter(lambda logs: len(logs) % 2 == 0),
    steps=st.integers(1, 40),
)
def test_interlaced_decays_are_a_falling_column_and_its_inverse(logs, steps):
    depths, _ = toeplitz._depths(np.array(logs))
    decays, others = -np.expm1(-depths[0::2]), -np.expm1(-depths[1::2])
    column = toeplitz._cascade(toeplitz.padded(np.ones(1), steps), others, decays)
    assert (np.diff(column) <= 1e-12).all()
    assert (column >= 0).all()
    if np.diff(-np.sort(-np.concatenate([decays, others]))).max() < -1e-6:  # well apart
        scales = np.array([np.prod(t - others) / np.prod(np.delete(t - decays, k)) for k, t in enumerate(decays)])
        np.testing.assert_allclose(toeplitz.buffered(decays, scales, steps), column, atol=1e-9)
        np.testing.assert_allclose(toeplitz.inverse_decays(decays, scales), others, atol=1e-7)
        response = toeplitz.buffered_response(decays, scales, np.ones(steps))
        np.testing.assert_allclose(response, toeplitz.response(column, np.ones(steps)), atol=1e-7)


def test_buffers_of_no_use_are_left_out():
    """Where every unit takes part in every step, independent noise is best."""
    decays, scales = toeplitz.best_buffers(np.ones(200), 4, separation=1, participations=200)
    assert scales.sum() < 1e-4
    assert len(decays) < 4


def test_more_memory_is_never_worse():
    errors = [
        product(toeplitz.best_bands(np.ones(200), b, separation=b, participations=1), 200, b, 1, False)
        for b in (1, 2, 8, 32)
    ]
    assert errors == sorted(errors, reverse=True)
    losses = []
    for buffers in (1, 2, 3, 4):
        decays, scales = toeplitz.best_buffers(np.ones(200), buffers, separation=200, participations=1)
        losses.append(product(toeplitz.buffered(decays, scales, 200), 200, 200, 1, False))
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in itertools.pairwise(losses))
