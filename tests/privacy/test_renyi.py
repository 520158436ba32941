"""Renyi divergences against numerical integration, dp-accounting, and the loss distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent, LaplaceDpEvent, PoissonSampledDpEvent
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from tests.tables import accounting as tables

from reticent.privacy import EpsilonDelta, Guarantee, Laplace, Relation, SampledGaussian, renyi

WHOLE = np.array([2.0, 3, 5, 8, 11, 20, 64])


@pytest.mark.parametrize(("rate", "noise"), [(0.01, 1.0), (0.3, 0.7), (1e-4, 0.5), (0.5, 5.0)])
def test_whole_orders_are_those_of_dp_accounting(rate: float, noise: float) -> None:
    accountant = RdpAccountant(orders=list(WHOLE)).compose(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)))
    found = renyi.gaussian(WHOLE, noise_multiplier=noise, sample_rate=rate)
    np.testing.assert_allclose(found, accountant._rdp, rtol=1e-7, atol=1e-15)


@pytest.mark.parametrize("setting", tables.RENYI, ids=str)
def test_extreme_settings_by_mpmath(setting: tuple[float, float, float]) -> None:
    rate, noise, order = setting
    found = renyi.gaussian(np.array([order]), noise_multiplier=noise, sample_rate=rate)[0]
    assert found == pytest.approx(tables.RENYI[setting], rel=1e-6)


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("order", [1.05, 1.5, 2.0, 3.7, 9.9])
def test_orders_between_them_by_integration(order: float, replaced: bool) -> None:
    rate, noise = 0.2, 1.1

    def mixture(x: float, mean: float) -> float:
        return float(
            np.logaddexp(math.log(1 - rate) + norm.logpdf(x, 0, noise), math.log(rate) + norm.logpdf(x, mean, noise))
        )

    def moment(x: float) -> float:
        other = mixture(x, -1) if replaced else float(norm.logpdf(x, 0, noise))
        return math.exp(order * mixture(x, 1) + (1 - order) * other)

    truth = math.log(quad(moment, -14, 30, epsabs=1e-14, epsrel=1e-12, limit=400)[0]) / (order - 1)
    found = renyi.gaussian(np.array([order]), noise_multiplier=noise, sample_rate=rate, replaced=replaced)[0]
    assert found == pytest.approx(truth, rel=1e-8)


def test_laplace_and_randomised_response() -> None:
    accountant = RdpAccountant(orders=list(WHOLE)).compose(LaplaceDpEvent(2.0))
    np.testing.assert_allclose(renyi.laplace(WHOLE, scale=2.0), accountant._rdp, rtol=1e-12)
    p = 1 / (1 + math.exp(-0.7))
    moments = p**WHOLE * (1 - p) ** (1 - WHOLE) + (1 - p) ** WHOLE * p ** (1 - WHOLE)
    np.testing.assert_allclose(renyi.randomised_response(WHOLE, epsilon=0.7), np.log(moments) / (WHOLE - 1), rtol=1e-10)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    noise=st.floats(0.6, 8.0),
    rate=st.one_of(st.just(1.0), st.floats(1e-3, 0.5)),
    steps=st.integers(1, 2000),
    relation=st.sampled_from(Relation),
)
def test_the_second_opinion_is_never_smaller(noise: float, rate: float, steps: int, relation: Relation) -> None:
    promise = Guarantee((SampledGaussian(noise, rate, steps),), relation=relation)
    for delta in (1e-3, 1e-6):
        assert promise.renyi_epsilon(delta) >= promise.epsilon(delta) * (1 - 1e-4) - 1e-9


def test_exchanging_a_unit_is_charged_twice() -> None:
    """dp-accounting 0.6 forgets the factor of 2 here."""
    once = Guarantee((SampledGaussian(2.0),)).renyi_epsilon(1e-5)
    exchanged = Guarantee((SampledGaussian(4.0),), relation=Relation.REPLACE_ONE).renyi_epsilon(1e-5)
    assert exchanged == pytest.approx(once, rel=1e-12)


def test_conversions_are_inverse() -> None:
    divergences = 40 * renyi.gaussian(renyi.ORDERS, noise_multiplier=8.0)
    epsilon = renyi.epsilon_of(divergences, renyi.ORDERS, delta=1e-6)
    assert renyi.delta_of(divergences, renyi.ORDERS, epsilon=epsilon) == pytest.approx(1e-6, rel=1e-6)
    assert renyi.delta_of(1e3 * divergences, renyi.ORDERS, epsilon=0.0) == 1.0


def test_what_has_no_divergence_is_infinite() -> None:
    for mechanism in (EpsilonDelta(1.0, 1e-6), SampledGaussian(0.0), Laplace(0.0)):
        assert Guarantee((mechanism,)).renyi_epsilon(1e-5) == math.inf
    assert Guarantee(()).renyi_epsilon(1e-5) == 0.0
    assert Guarantee((SampledGaussian(1.0, 0.0, 5),)).renyi_epsilon(1e-5) == 0.0
