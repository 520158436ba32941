"""Trade-off curves: closed forms, the accountant's own numbers, and hulls that are nowhere below what they hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from reticent.audits.bounds.curves import GAUSSIAN, approximate, claimed, delta_of, epsilon_of, mu_of
from reticent.privacy import EpsilonDelta, Guarantee, Laplace, RandomisedResponse, Relation, SampledGaussian

RATES = np.concatenate([np.geomspace(1e-9, 0.5, 60), 1 - np.geomspace(1e-9, 0.5, 60)[::-1]])


@pytest.mark.parametrize("mu", [0.1, 1.0, 4.0])
def test_gaussian_curves_invert_their_definition(mu):
    false = norm.cdf(norm.ppf(RATES) - mu)
    assert GAUSSIAN.least(RATES, np.full(len(RATES), mu)) == pytest.approx(false, rel=1e-9)


@pytest.mark.parametrize(("epsilon", "delta"), [(0.0, 0.0), (1.0, 0.0), (2.0, 0.01), (0.0, 0.1)])
def test_approximate_curves_invert_their_definition(epsilon, delta):
    found = approximate(delta).least(RATES, np.full(len(RATES), epsilon))
    assert ((found >= 0) & (found <= RATES + 1e-12)).all()
    allowed = np.minimum(math.exp(epsilon) * found + delta, 1 - math.exp(-epsilon) * (1 - delta - found))
    assert (allowed >= RATES - 1e-9).all()
    positive = found > 1e-12
    less = found[positive] * (1 - 1e-6)
    still = np.minimum(math.exp(epsilon) * less + delta, 1 - math.exp(-epsilon) * (1 - delta - less))
    assert (still < RATES[positive]).all()


@pytest.mark.parametrize("epsilon", [0.01, 1.0, 8.0, 60.0])
@pytest.mark.parametrize("delta", [1e-10, 1e-5, 0.1])
def test_epsilon_and_mu_invert_each_other(epsilon, delta):
    mu = mu_of(epsilon, delta)
    assert delta_of(mu, epsilon) == pytest.approx(delta, rel=1e-6)
    assert epsilon_of(mu, delta) == pytest.approx(epsilon, abs=1e-6)


@pytest.mark.parametrize("noise", [0.3, 1.0, 5.0])
def test_epsilon_is_the_accountants_and_not_above_it(noise):
    accountant = Guarantee((SampledGaussian(noise_multiplier=noise),)).epsilon(1e-5)
    assert epsilon_of(1 / noise, 1e-5) <= accountant
    assert epsilon_of(1 / noise, 1e-5) == pytest.approx(accountant, rel=1e-3)


def test_epsilon_at_the_edges():
    assert epsilon_of(0.0, 1e-5) == epsilon_of(1e-6, 1e-5) == 0.0
    assert epsilon_of(1.0, 0.0) == math.inf
    assert delta_of(0.0, 0.0) == 0.0
    assert mu_of(0.0, 0.1) == pytest.approx(2 * norm.ppf(0.55))


CLAIMS = {
    "gaussian": (SampledGaussian(noise_multiplier=1.0),),
    "sampled": (SampledGaussian(noise_multiplier=0.8, sample_rate=0.02, count=500),),
    "response": (RandomisedResponse(1.0, 2),),
    "laplace": (Laplace(1.0),),
    "given": (EpsilonDelta(1.0, 1e-3),),
    "nothing": (),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claims_hull_is_nowhere_below_its_curve_and_not_far_above(name):
    relation = Relation.REPLACE_ONE if name == "response" else Relation.ADD_OR_REMOVE_ONE
    guarantee = Guarantee(CLAIMS[name], relation=relation)
    # Off the hull's own grid: T(least(x)) would be x on the curve itself.
    rates = np.random.default_rng(0).uniform(0, 1, 2000) ** 3
    heights = np.asarray(guarantee.true_positive_rate(rates))
    inner = heights < 1 - 1e-9
    found = claimed(guarantee).least(heights, np.zeros(len(rates)))
    assert (found[inner] <= rates[inner] + 1e-12).all()
    reached = np.asarray(guarantee.true_positive_rate(np.minimum(found[inner] * 1.02 + 1e-9, 1.0)))
    # Between the two directions' curves the hull may be higher than either.
    assert (reached >= heights[inner] - 2e-3).all()


def test_a_gaussian_claim_is_the_gaussian_curve():
    rates = np.geomspace(1e-8, 1 - 1e-6, 50)
    found = claimed(Guarantee(CLAIMS["gaussian"])).least(rates, np.zeros(50))
    exact = GAUSSIAN.least(rates, np.ones(50))
    assert (found <= exact).all()
    assert found[10:] == pytest.approx(exact[10:], rel=0.02, abs=1e-9)


def test_a_claim_without_noise_allows_everything():
    curve = claimed(Guarantee((SampledGaussian(noise_multiplier=0.0),)))
    assert (curve.least(np.array([1e-9, 0.5, 1.0]), np.zeros(3)) == 0).all()
