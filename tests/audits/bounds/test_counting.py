"""The two theorems on guesses in one run: published values, a linear program, and binomials written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import binom, norm

from reticent.audits.bounds.counting import (
    f_dp,
    largest_parameters,
    least_chances,
    refuted,
    steinke,
    steinke_epsilons,
    steinke_p_value,
)
from reticent.audits.bounds.curves import GAUSSIAN, approximate, epsilon_of
from reticent.errors import UsageError

# m, guesses, correct, delta, epsilon at 95 %: computed before from the theorem, by another program.
STEINKE = [
    (100, 100, 90, 0.0, 1.631),
    (1000, 1000, 600, 1e-5, 0.297),
    (1000, 200, 180, 1e-5, 1.796),
    (1000, 100, 100, 1e-5, 3.465),
    (5000, 1500, 1429, 1e-5, 2.795),
    (10000, 500, 480, 1e-5, 2.770),
]


@pytest.mark.parametrize(("canaries", "guesses", "correct", "delta", "epsilon"), STEINKE)
def test_steinkes_bound_has_its_known_values(canaries, guesses, correct, delta, epsilon):
    assert steinke(canaries, guesses, correct, delta) == pytest.approx(epsilon, abs=1e-3)


@pytest.mark.parametrize("canaries", [100, 1000, 10_000])
def test_steinkes_bound_of_perfect_guesses_is_its_closed_form(canaries):
    """All m of m correct has the probability q^m, so epsilon is -ln(0.05^(-1/m) - 1): 3.49, 5.81, 8.11."""
    assert steinke(canaries, canaries, canaries) == pytest.approx(-math.log(0.05 ** (-1 / canaries) - 1), abs=1e-6)


def plain_steinke(canaries, guesses, correct, epsilon, delta):
    """The theorem, term by term."""
    chance = math.exp(epsilon) / (1 + math.exp(epsilon))
    law = binom(guesses, chance)
    beta = sum(law.pmf(k) for k in range(correct, guesses + 1))
    alpha = max(sum(law.pmf(k) for k in range(correct - i, correct)) / i for i in range(1, correct + 1))
    return min(1.0, beta + 2 * canaries * delta * alpha)


@pytest.mark.parametrize("delta", [0.0, 1e-6, 1e-3, 0.05])
@pytest.mark.parametrize(("guesses", "correct"), [(1, 1), (7, 0), (7, 3), (40, 39), (60, 20), (150, 149)])
@pytest.mark.parametrize("epsilon", [0.0, 0.7, 3.0])
def test_steinkes_p_value_is_the_theorem_term_by_term(guesses, correct, epsilon, delta):
    expected = plain_steinke(200, guesses, correct, epsilon, delta) if correct else 1.0
    found = steinke_p_value(200, guesses, correct, epsilon, delta)
    # what lies ten deviations below the mean is bounded instead of computed
    assert expected - 1e-12 <= found <= expected * (1 + 1e-9) + 1e-12


def test_steinkes_epsilons_are_those_of_single_lanes():
    made, right = np.array([20.0, 50.0, 50.0]), np.array([20.0, 40.0, 20.0])
    chances = np.array([0.05, 0.01, 0.05])
    found = steinke_epsilons(100, made, right, chances, 1e-4)
    assert found == pytest.approx(
        [steinke(100, 20, 20, 1e-4), steinke(100, 50, 40, 1e-4, confidence=0.99), 0.0], abs=1e-8
    )


# The recursion


def by_linear_program(canaries, guesses, correct, curve):
    """The most probability of `correct` or more, over all laws that obey every inequality; curve: (slope, height)s."""
    levels = np.arange(guesses + 1)
    rows, limits = [], []
    for least in range(1, guesses + 1):
        right = np.where(levels >= least, levels, 0) / canaries
        wrong = np.where(levels >= least - 1, guesses - levels, 0) / canaries
        for slope, height in curve:
            rows.append(right - slope * wrong)
            limits.append(height)
    found = linprog(
        -(levels >= correct).astype(float),
        rows,
        limits,
        np.ones((1, guesses + 1)),
        [1.0],
        bounds=(0, 1),
        method="highs",
    )
    assert found.status == 0
    return -found.fun


@pytest.mark.parametrize("delta", [0.0, 1e-4, 0.02])
@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0])
@pytest.mark.parametrize(("canaries", "guesses", "correct"), [(30, 30, 25), (30, 12, 12), (50, 20, 15), (12, 12, 3)])
def test_the_recursion_solves_the_linear_program(canaries, guesses, correct, epsilon, delta):
    lines = [(math.exp(epsilon), delta), (math.exp(-epsilon), 1 - math.exp(-epsilon) * (1 - delta)), (0.0, 1.0)]
    expected = by_linear_program(canaries, guesses, correct, lines)
    found = least_chances(approximate(delta), epsilon, canaries, np.array([guesses]), np.array([correct]))
    # The program has the inequalities above `correct` too, which can only lower it.
    assert found[0] >= expected - 1e-6
    assert found[0] == pytest.approx(expected, rel=2e-2, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("mu", [0.3, 1.0, 2.5])
@pytest.mark.parametrize(("canaries", "guesses", "correct"), [(30, 30, 25), (40, 12, 12), (50, 20, 15)])
def test_the_recursion_solves_it_for_gaussian_curves_too(canaries, guesses, correct, mu):
    # Tangents of the curve: a program with finitely many of them allows a little more.
    rates = np.geomspace(1e-9, 0.5, 300)
    rates = np.concatenate([rates, 1 - rates[::-1]])
    places = norm.ppf(rates)
    slopes, heights = np.exp(-mu * places - mu * mu / 2), norm.cdf(places + mu)
    lines = list(zip(slopes, heights - slopes * rates, strict=True))
    expected = by_linear_program(canaries, guesses, correct, lines)
    found = least_chances(GAUSSIAN, mu, canaries, np.array([guesses]), np.array([correct]))
    assert found[0] == pytest.approx(expected, rel=2e-2, abs=1e-6)


@pytest.mark.parametrize("delta", [0.0, 1e-4, 0.01])
@pytest.mark.parametrize("epsilon", [0.3, 1.5])
def test_the_recursion_is_never_below_randomised_response(epsilon, delta):
    """It answers truly with the probability of the theorem's binomial, or, with delta, gives the coin away."""
    chance = delta + (1 - delta) * math.exp(epsilon) / (1 + math.exp(epsilon))
    right = np.arange(0, 61)
    found = least_chances(approximate(delta), epsilon, 60, np.full(61, 60), right)
    assert (found >= binom.sf(right - 1, 60, chance) - 1e-9).all()


@pytest.mark.slow
@given(
    canaries=st.integers(2, 400),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    confidence=st.sampled_from([0.8, 0.95, 0.999]),
)
@settings(max_examples=60, deadline=None)
def test_bounds_and_p_values_agree_and_grow_with_what_is_found(canaries, shares, confidence):
    guesses = max(1, round(shares[0] * canaries))
    correct = round(shares[1] * guesses)
    made, right, chance = np.array([guesses]), np.array([correct]), 1 - confidence
    mu = largest_parameters(GAUSSIAN, canaries, made, right, np.array([chance]))
    if mu[0] > 0:
        assert refuted(GAUSSIAN, mu, canaries, made, right, chance)[0]
        assert least_chances(GAUSSIAN, mu * (1 - 1e-6), canaries, made, right)[0] <= chance * (1 + 1e-5)
        assert least_chances(GAUSSIAN, mu + 1e-3, canaries, made, right)[0] >= chance * (1 - 1e-5)
    fewer = largest_parameters(GAUSSIAN, canaries, made, np.maximum(right - 1, 0), np.array([chance]))
    surer = largest_parameters(GAUSSIAN, canaries, made, right, np.array([chance / 2]))
    larger = largest_parameters(GAUSSIAN, canaries, np.minimum(made + 1, canaries), right, np.array([chance]))
    assert max(fewer[0], surer[0], larger[0]) <= mu[0] + 1e-6


def test_f_dp_translates_mu_by_the_gaussian_curve():
    mu = largest_parameters(GAUSSIAN, 1000, np.array([200]), np.array([180]), np.array([0.05]))[0]
    assert f_dp(1000, 200, 180, delta=1e-5) == epsilon_of(mu, 1e-5)
    assert f_dp(1000, 200, 180, delta=1e-5) > f_dp(1000, 200, 180, delta=1e-5, confidence=0.99)


@pytest.mark.parametrize(("canaries", "guesses", "correct", "delta", "epsilon"), STEINKE)
def test_the_recursion_without_a_shape_is_about_as_good_as_steinkes_bound(canaries, guesses, correct, delta, epsilon):
    found = f_dp(canaries, guesses, correct, delta=delta, curve="any")
    assert found == pytest.approx(epsilon, rel=0.02)


def test_what_shows_nothing_gives_nothing():
    assert steinke(100, 100, 0) == steinke(100, 100, 50, 1e-5) == 0.0
    assert f_dp(100, 100, 0, delta=1e-5) == f_dp(100, 100, 50, delta=1e-5) == 0.0
    assert f_dp(100, 100, 50, delta=1e-5, curve="any") == 0.0
    assert least_chances(GAUSSIAN, 1.0, 10, np.array([10]), np.array([0]))[0] == 1.0


@pytest.mark.parametrize("counts", [(10, 11, 5), (10, 5, 6), (0, 1, 1), (10, 0, 0), (10, 5, -1)])
def test_counts_that_cannot_be_are_refused(counts):
    for bound in (steinke, steinke_p_value):
        with pytest.raises(UsageError, match="Expected"):
            bound(*counts, 0.5)
    with pytest.raises(UsageError, match="Expected"):
        f_dp(*counts, delta=1e-5)
    with pytest.raises(UsageError, match="curve to be one of"):
        f_dp(10, 5, 5, delta=1e-5, curve="laplace")
