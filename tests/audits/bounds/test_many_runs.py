"""Bounds from many runs: published ceilings, scipy's intervals, coverage, and rates without intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta, binom, norm

from reticent.audits.bounds import many_runs
from reticent.audits.bounds.curves import epsilon_of
from reticent.audits.bounds.many_runs import rate_at_least, rate_at_most
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness

CEILINGS = [(100, 3.28), (250, 4.21), (500, 4.91), (1000, 5.60), (5000, 7.21)]


@pytest.mark.parametrize(("runs", "ceiling"), CEILINGS)
def test_perfect_separation_has_its_known_ceiling(runs, ceiling):
    bound = many_runs(np.ones(runs), np.zeros(runs), delta=1e-9, threshold=0.5)
    assert bound.epsilon == pytest.approx(ceiling, abs=0.005)


@pytest.mark.parametrize("runs", [1, 7, 200])
def test_rates_are_bounded_by_clopper_and_pearson(runs):
    counts = np.arange(runs + 1)
    low, high = rate_at_least(counts, runs, 0.025), rate_at_most(counts, runs, 0.025)
    assert low[1:] == pytest.approx(beta.ppf(0.025, counts[1:], runs - counts[1:] + 1))
    assert high[:-1] == pytest.approx(beta.ppf(0.975, counts[:-1] + 1, runs - counts[:-1]))
    assert (low[0], high[-1]) == (0.0, 1.0)
    # Each end is where so extreme a count has just that probability.
    assert binom.sf(counts[1:] - 1, runs, low[1:]) == pytest.approx(np.full(runs, 0.025))


def test_the_bound_is_the_formula_of_its_counts():
    draw = np.random.default_rng(0)
    inside, outside = draw.normal(1.5, 1, 400), draw.normal(0, 1, 300)
    named, wrong = (inside > 1.0).sum(), (outside > 1.0).sum()
    true, false = beta.ppf(0.025, named, 401 - named), beta.ppf(0.975, wrong + 1, 300 - wrong)
    expected = max(math.log((true - 0.01) / false), math.log((1 - false - 0.01) / (1 - true)))
    bound = many_runs(inside, outside, delta=0.01, threshold=1.0)
    assert bound.epsilon == pytest.approx(expected)
    assert (bound.trials, bound.details["true_positives"], bound.mu) == (700, named, None)
    mu = norm.ppf(true) - norm.ppf(false)
    gaussian = many_runs(inside, outside, delta=0.01, threshold=1.0, method="gaussian")
    assert gaussian.mu == pytest.approx(mu)
    assert gaussian.epsilon == pytest.approx(epsilon_of(mu, 0.01))
    assert any("Gaussian" in text for text in gaussian.assumptions)


def test_the_other_direction_counts_too():
    """Nobody is named wrongly, few rightly; and everybody is named, few wrongly spared: the same by complements."""
    one = many_runs(np.repeat([1.0, 0.0], [30, 70]), np.zeros(100), delta=1e-6, threshold=0.5)
    other = many_runs(np.ones(100), np.repeat([0.0, 1.0], [30, 70]), delta=1e-6, threshold=0.5)
    assert one.epsilon == pytest.approx(other.epsilon)
    assert one.epsilon > 1.5


def test_nothing_and_the_reverse_give_nothing_at_a_fixed_threshold():
    draw = np.random.default_rng(1)
    assert many_runs(draw.normal(size=50), draw.normal(size=50), delta=1e-5, threshold=0.0).epsilon == 0.0
    assert many_runs(np.zeros(50), np.ones(50), delta=1e-5, threshold=0.5).epsilon == 0.0
    assert many_runs([1.0], [0.0], delta=1e-5, threshold=0.5, method="gaussian").epsilon == 0.0
    # Halves find the direction as well.
    turned = many_runs(np.zeros(200), np.ones(200), delta=1e-5, threshold=Randomness.simulated(0))
    assert (turned.details["direction"], turned.epsilon) == (-1, pytest.approx(3.28, abs=0.005))
    assert turned.trials == 200


def laplace(draw, runs, epsilon):
    """Every threshold beyond both means is tight."""
    return draw.laplace(epsilon, 1, runs), draw.laplace(0, 1, runs)


def gaussian(draw, runs, epsilon):
    return draw.normal(1.0, 1, runs), draw.normal(0, 1, runs)


TRUE = {"clopper-pearson": (laplace, 1.0), "gaussian": (gaussian, epsilon_of(1.0, 1e-5))}


def false_violations(method, trials, threshold):
    kind, epsilon = TRUE[method]
    false = 0
    for seed in range(trials):
        inside, outside = kind(np.random.default_rng(seed), 200, epsilon)
        found = many_runs(inside, outside, delta=1e-5, method=method, threshold=threshold(seed, inside, outside))
        false += found.epsilon > epsilon
    return false


# At a rate of 5 % more than 33 of 300 have probability 2e-5.
@pytest.mark.parametrize("method", TRUE)
def test_bounds_cover_at_fixed_thresholds_and_on_halves(method):
    assert false_violations(method, 300, lambda *_: 1.0) <= 33
    assert false_violations(method, 300, lambda seed, *_: Randomness.simulated(seed)) <= 33


def test_the_same_count_rejects_rates_without_intervals_where_they_look_best():
    """The planted mistake: shares taken for rates, at the threshold with the largest of the bounds they give."""
    kind, epsilon = TRUE["gaussian"]
    false = 0
    for seed in range(300):
        inside, outside = kind(np.random.default_rng(seed), 200, epsilon)
        places = np.linspace(-1, 2, 13)[:, None]
        true, wrong = ((values > places).mean(axis=1) for values in (inside, outside))
        false += (norm.ppf(true) - norm.ppf(wrong)).max() > 1.0
    assert false > 33


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"with_canary": []}, DataError, "Expected 1 or more"),
        ({"without_canary": [math.nan]}, DataError, "none of them NaN"),
        ({"with_canary": [1.0], "threshold": Randomness.simulated(0)}, DataError, "Expected 2 or more"),
        ({"method": "bayes"}, UsageError, "method to be one of"),
        ({"delta": 1.0}, UsageError, "0 < delta < 1"),
        ({"confidence": 1.0}, UsageError, "0 < confidence < 1"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(changed, error, text):
    fields = {"with_canary": np.ones(5), "without_canary": np.zeros(5), "delta": 1e-5, "threshold": 0.5, **changed}
    with pytest.raises(error, match=text):
        many_runs(fields.pop("with_canary"), fields.pop("without_canary"), **fields)
