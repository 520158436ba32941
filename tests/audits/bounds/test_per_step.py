"""Single steps: closed forms, coverage of the noise they imply, and checks that find planted faults."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta, binomtest, chi2, norm

from reticent.audits.bounds import check_inclusion, check_noise, per_step
from reticent.errors import DataError, UsageError
from reticent.privacy import Guarantee, SampledGaussian


def steps(draw, count, noise, rate=1.0):
    taken = draw.random(count) < rate
    return taken + noise * draw.normal(size=count), noise * draw.normal(size=count), taken


def test_the_bound_is_the_accountants_epsilon_of_the_implied_noise():
    inside, outside, _ = steps(np.random.default_rng(0), 3000, 0.7)
    bound = per_step(inside, outside, steps=100, sample_rate=1.0, delta=1e-5)
    named, wrong = (inside > 0.5).sum(), (outside > 0.5).sum()
    true, false = beta.ppf(0.025, named, 3001 - named), beta.ppf(0.975, wrong + 1, 3000 - wrong)
    noise = 1 / (norm.ppf(true) - norm.ppf(false))
    assert bound.details["noise_multiplier_at_most"] == pytest.approx(noise)
    assert 0.7 < noise < 0.8
    whole = Guarantee((SampledGaussian(noise_multiplier=noise, count=100),)).epsilon(1e-5)
    assert whole * 0.998 < bound.epsilon < whole
    assert bound.trials == 6000


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1.0, 0.5])
@pytest.mark.parametrize("known", [True, False])
def test_the_implied_noise_is_seldom_below_the_true_one(rate, known):
    """And so the bound is seldom above the true epsilon. More than 17 of 100 at 5 % have probability 5e-6."""
    draw = np.random.default_rng(1)
    false, found = 0, []
    for _ in range(100):
        inside, outside, taken = steps(draw, 2000, 0.5, rate)
        bound = per_step(
            inside, outside, steps=1, sample_rate=rate, delta=1e-5, inserted=taken if known else None,
            thresholds=(0.5, 1.0),
        )  # fmt: skip
        multiplier = bound.details["noise_multiplier_at_most"]
        false += multiplier < 0.5
        found.append(multiplier)
    assert false <= 17
    assert np.median(found) < 0.65, "and it is not far above it"


def test_more_canaries_than_the_rate_allows_are_no_statement_about_noise():
    draw = np.random.default_rng(2)
    inside, outside, _ = steps(draw, 500, 0.1, rate=1.0)
    bound = per_step(inside, outside, steps=10, sample_rate=0.2, delta=1e-5)
    assert bound.details["taken_too_often"]
    assert bound.epsilon == 0.0
    inside, outside, _ = steps(draw, 500, 0.5, rate=0.2)
    assert not per_step(inside, outside, steps=10, sample_rate=0.2, delta=1e-5).details["taken_too_often"]


def test_noise_that_hides_everything_gives_nothing():
    inside, outside, _ = steps(np.random.default_rng(3), 100, 50.0)
    bound = per_step(inside, outside, steps=10, sample_rate=0.1, delta=1e-5)
    assert (bound.epsilon, bound.details["noise_multiplier_at_most"]) == (0.0, None)


# Checks


def test_checks_of_noise_are_chi_square():
    noise = np.random.default_rng(4).normal(0, 1.1, 300)
    check = check_noise(noise, 1.0, significance=0.02)
    ratio = float((noise**2).sum())
    assert check.p_small == pytest.approx(chi2.cdf(ratio, 300))
    assert check.p_large == pytest.approx(chi2.sf(ratio, 300))
    assert check.observed.low == pytest.approx(math.sqrt(ratio / chi2.ppf(0.99, 300)))
    assert check.observed.high == pytest.approx(math.sqrt(ratio / chi2.ppf(0.01, 300)))
    unknown = check_noise(noise + 7.0, 1.0, mean=None)
    assert unknown.observed.value == pytest.approx(noise.std(ddof=1))
    assert unknown.p_large == pytest.approx(chi2.sf(299 * noise.var(ddof=1), 299))


def test_checks_of_inclusion_are_binomial():
    check = check_inclusion(30, 1000, 0.02, significance=0.05)
    assert check.p_large == pytest.approx(binomtest(30, 1000, 0.02, "greater").pvalue)
    assert check.p_small == pytest.approx(binomtest(30, 1000, 0.02, "less").pvalue)
    interval = binomtest(30, 1000).proportion_ci(0.95, "exact")
    assert (check.observed.low, check.observed.high) == pytest.approx((interval.low, interval.high))
    assert "too large" in str(check_inclusion(1000, 1000, 0.02))
    assert check_inclusion(0, 1000, 0.02).too_small
    assert "no deviation found" in str(check_inclusion(0, 10, 0.02))
    assert check.as_dict()["observed"]["n"] == 1000


def test_checks_call_true_claims_wrong_as_seldom_as_they_say_and_find_faults():
    """More than 26 of 1,000 at 1 % have probability 1e-5."""
    draw = np.random.default_rng(5)
    wrong = [check_noise(draw.normal(0, 2, 200), 2.0) for _ in range(1000)]
    assert sum(check.too_small or check.too_large for check in wrong) <= 26
    counts = draw.binomial(500, 0.1, 1000)
    assert sum((c := check_inclusion(int(n), 500, 0.1)).too_small or c.too_large for n in counts) <= 26
    assert all(check_noise(draw.normal(0, 1.4, 200), 2.0).too_small for _ in range(50))
    assert all(check_noise(draw.normal(0, 2.8, 200), 2.0).too_large for _ in range(50))


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"with_canary": []}, DataError, "1 or more finite"),
        ({"without_canary": [math.inf]}, DataError, "finite statistics"),
        ({"inserted": [1, 0, 1]}, DataError, "booleans"),
        ({"inserted": [True]}, DataError, "booleans of shape"),
        ({"inserted": [False] * 3}, DataError, "1 or more finite"),
        ({"sample_rate": 0.0}, UsageError, "sample_rate > 0"),
        ({"thresholds": ()}, UsageError, "finite thresholds"),
        ({"steps": 0}, UsageError, "steps >= 1"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(changed, error, text):
    fields = {"with_canary": np.ones(3), "without_canary": np.zeros(3), "steps": 3, "sample_rate": 0.5, "delta": 1e-5}
    fields.update(changed)
    with pytest.raises(error, match=text):
        per_step(fields.pop("with_canary"), fields.pop("without_canary"), **fields)


def test_checks_of_nothing_are_refused():
    with pytest.raises(DataError, match="2 or more finite"):
        check_noise([1.0], 1.0)
    with pytest.raises(UsageError, match="count <= steps"):
        check_inclusion(5, 4, 0.5)
