"""The accountant against numbers from elsewhere, and against the properties that every privacy curve has."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm
from tests.tables import accounting as tables

from reticent.privacy import EpsilonDelta, Guarantee, Laplace, Plan, Relation, SampledGaussian
from reticent.privacy.accounting import composed, delta_at, epsilon_at, merged, true_positive_rates
from reticent.privacy.losses import compose

ADD = Relation.ADD_OR_REMOVE_ONE
REPLACE = Relation.REPLACE_ONE


def ours(setting: tables.Setting, delta: float) -> float:
    return epsilon_at((SampledGaussian(setting.noise, setting.rate, setting.steps),), ADD, delta)


def on_grid(setting: tables.Setting, delta: float, spread: float) -> float:
    """Epsilon on a coarser or finer grid."""
    losses = SampledGaussian(setting.noise, setting.rate).losses(ADD)
    return max(compose([(loss, setting.steps)], spread=spread).epsilon(delta) for loss in losses)


def exact_delta(mu: float, epsilon: float) -> float:
    """Balle and Wang (2018), theorem 8, in logarithms so that a large epsilon does not overflow."""
    return float(norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu)))


def exact_epsilon(mu: float, delta: float) -> float:
    return float(brentq(lambda epsilon: exact_delta(mu, epsilon) - delta, 0, 200, xtol=1e-13, rtol=1e-14))


def rdp_epsilon(setting: tables.Setting, delta: float) -> float:
    event = GaussianDpEvent(setting.noise)
    if setting.rate < 1:
        event = PoissonSampledDpEvent(setting.rate, event)
    return float(RdpAccountant().compose(event, setting.steps).get_epsilon(delta))


@pytest.mark.parametrize("row", tables.EXACT_GAUSSIAN, ids=str)
def test_gaussian_is_exact_and_rounded_up(row: tables.Exact) -> None:
    assert exact_epsilon(row.mu, row.delta) == pytest.approx(row.epsilon, rel=1e-9)
    epsilon = epsilon_at((SampledGaussian(1 / row.mu),), ADD, row.delta)
    assert row.epsilon - 1e-9 <= epsilon <= row.epsilon + 1e-4


@settings(max_examples=10, deadline=None)
@given(mu=st.floats(0.05, 2), epsilon=st.floats(0, 8))
def test_delta_of_a_gaussian_is_exact_and_rounded_up(mu: float, epsilon: float) -> None:
    truth = exact_delta(mu, epsilon)
    got = delta_at((SampledGaussian(1 / mu),), ADD, epsilon)
    assert truth * (1 - 1e-9) - 1e-15 <= got <= truth + 1e-6


def test_three_gaussians_that_together_have_mu_1() -> None:
    noise, rate, steps = tables.MU_1_STEPS
    guarantee = Guarantee((SampledGaussian(noise, rate, steps),))
    assert guarantee.delta(1.0) == pytest.approx(tables.MU_1_DELTA_AT_1, abs=5e-6)
    assert guarantee.true_positive_rate(0.1) == pytest.approx(tables.MU_1_TPR_AT_10_PERCENT, abs=1e-5)


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, marks=pytest.mark.slow if row.setting.noise < 0.9 else ()) for row in tables.DP_ACCOUNTING],
    ids=str,
)
def test_numbers_of_dp_accounting(row: tables.Known) -> None:
    epsilon = ours(row.setting, row.delta)
    assert epsilon == pytest.approx(row.pld, rel=1e-4, abs=1e-6)
    assert rdp_epsilon(row.setting, row.delta) == pytest.approx(row.rdp, abs=1e-6), "the table itself is wrong"
    assert epsilon <= row.rdp


def test_delta_and_coarse_epsilon_of_dp_accounting() -> None:
    (noise, rate, steps), delta = tables.DELTA_AT_1
    assert delta_at((SampledGaussian(noise, rate, steps),), ADD, 1.0) == pytest.approx(delta, abs=2e-6)
    setting, delta, epsilon = tables.COARSE_EPSILON
    assert ours(setting, delta) == pytest.approx(epsilon, rel=1e-3)


@pytest.mark.parametrize("row", tables.TRUE_POSITIVE_RATES, ids=str)
def test_true_positive_rates_of_dp_accounting(row: tuple[tables.Setting, float, float, float]) -> None:
    (noise, rate, steps), false, true, digit = row
    got = Guarantee((SampledGaussian(noise, rate, steps),)).true_positive_rate(false)
    assert got == pytest.approx(true, rel=2e-3, abs=digit)


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param(row, marks=pytest.mark.slow if row.noise < 2 or row.rate == 0.2 else ())
        for row in tables.PRV_UPPER_BOUNDS
    ],
    ids=str,
)
def test_upper_bounds_of_the_prv_accountant(setting: tables.Setting) -> None:
    bound = tables.PRV_UPPER_BOUNDS[setting]
    allowed = tables.PRV_SLACK_OF_THE_LARGEST if bound == max(tables.PRV_UPPER_BOUNDS.values()) else tables.PRV_SLACK
    assert 0 <= bound - ours(setting, tables.PRV_DELTA) <= allowed


def test_numbers_of_opacus() -> None:
    setting, prv = tables.OPACUS_PRV
    assert 0 <= prv - ours(setting, tables.OPACUS_DELTA) <= tables.PRV_SLACK
    setting, rdp = tables.OPACUS_RDP
    assert ours(setting, tables.OPACUS_DELTA) <= rdp


def test_the_gdp_accountant_of_opacus_promises_too_much() -> None:
    """Negative: whoever replaces our accountant by the central limit theorem fails here."""
    setting, (low, high) = tables.OPACUS_GDP
    mu = setting.rate * math.sqrt(setting.steps * (math.exp(setting.noise**-2) - 1))  # Bu et al., 2020
    gdp = exact_epsilon(mu, tables.OPACUS_DELTA)
    assert low < gdp < high
    assert ours(setting, tables.OPACUS_DELTA) > high


@pytest.mark.parametrize("row", tables.OPACUS_CALIBRATED, ids=str)
def test_noise_multipliers_of_opacus(row: tuple[int, float, float]) -> None:
    steps, prv, rdp = row
    plan = Plan.calibrate(epsilon=8, delta=1e-5, dataset_size=25_000, batch_size=1_000, steps=steps)
    assert plan.sample_rate == 0.04
    assert plan.noise_multiplier <= rdp
    assert plan.noise_multiplier == pytest.approx(prv, rel=5e-3)


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, marks=pytest.mark.slow if row.rdp < 1.6 else ()) for row in tables.CALIBRATED],
    ids=str,
)
def test_noise_multipliers_of_dp_accounting(row: tables.Calibrated) -> None:
    plan = Plan.calibrate(
        epsilon=row.epsilon, delta=row.delta, dataset_size=row.size, batch_size=row.batch, steps=row.steps
    )
    assert plan.noise_multiplier == pytest.approx(row.pld, rel=3e-3)
    assert plan.noise_multiplier < row.rdp


@pytest.mark.parametrize("relation", Relation)
@pytest.mark.parametrize(("rate", "noise", "epsilon"), [(0.2, 0.9, 0.3), (0.05, 1.3, 0.1)])
def test_one_sampled_step_against_integration(relation: Relation, rate: float, noise: float, epsilon: float) -> None:
    """Delta of one step, integrated numerically from the two densities that are hardest to tell apart."""

    x = np.linspace(-12 * noise - 1, 12 * noise + 1, 100_001)

    def density(centre: int) -> npt.NDArray[np.float64]:  # a unit that is absent leaves the sum at 0
        return (1 - rate) * norm.pdf(x, 0, noise) + rate * norm.pdf(x, centre, noise)

    def integrated(p: int, q: int) -> float:
        return float(np.trapezoid(np.maximum(0, density(p) - math.exp(epsilon) * density(q)), x))

    truth = max(integrated(1, 0), integrated(0, 1)) if relation is ADD else integrated(1, -1)
    got = delta_at((SampledGaussian(noise, rate),), relation, epsilon)
    assert truth - 1e-8 <= got <= truth + 1e-5


@pytest.mark.parametrize("setting", [tables.Setting(1.0, 0.01, 1000), tables.Setting(0.7, 0.05, 3000)], ids=str)
def test_every_grid_bounds_from_above_and_finer_is_closer(setting: tables.Setting) -> None:
    """The error falls with the square of the interval, so a grid 400 times finer stands for the truth."""
    truth = on_grid(setting, 1e-5, 5e-5 / 400)
    errors = [on_grid(setting, 1e-5, spread) / truth - 1 for spread in (5e-3, 5e-4, 5e-5)]
    assert 0 < errors[2] < errors[1] < errors[0]
    assert errors[2] < 1e-4
    assert errors[1] / errors[2] == pytest.approx(10, rel=0.2)


@pytest.mark.parametrize("spread", [1e-2, 1e-3, 5e-5])
def test_a_gaussian_on_every_grid(spread: float) -> None:
    exact = exact_epsilon(1.0, 1e-5)
    assert exact <= on_grid(tables.Setting(10.0, 1.0, 100), 1e-5, spread) <= exact * (1 + spread)


def test_merged_joins_equal_mechanisms_in_order_of_first_appearance() -> None:
    a, b = SampledGaussian(1.0, 0.1, 3), Laplace(2.0, 5)
    again = SampledGaussian(1.0, 0.1, 4)
    other = SampledGaussian(1.0, 0.2, 4)
    assert merged([a, b, again, other, b]) == (SampledGaussian(1.0, 0.1, 7), Laplace(2.0, 10), other)
    assert merged([]) == ()
    assert merged([a, SampledGaussian(1.0, 0.1, 0)]) == (a,)


def test_nothing_released_has_no_loss() -> None:
    free = (SampledGaussian(1.0, 0.0, 9), SampledGaussian(0.0, 0.5, 0), Laplace(0.0, 0), EpsilonDelta(0.0))
    assert composed(free, ADD) == ()
    assert (epsilon_at(free, ADD, 1e-9), delta_at(free, ADD, 0.0)) == (0.0, 0.0)
    assert true_positive_rates(free, ADD, np.array([0.0, 0.3, 1.0])).tolist() == [0.0, 0.3, 1.0]


def test_no_noise_has_no_bound() -> None:
    naked = (SampledGaussian(2.0, 0.1, 5), SampledGaussian(0.0, 0.01, 1))
    assert epsilon_at(naked, ADD, 0.5) == math.inf
    assert delta_at(naked, ADD, 100.0) == 1.0
    assert true_positive_rates(naked, ADD, np.array([0.0, 0.3])).tolist() == [1.0, 1.0]


@settings(max_examples=4, deadline=None)
@given(
    noise=st.floats(1.2, 5),
    rate=st.floats(1e-3, 0.2),
    steps=st.integers(1, 100),
    delta=st.floats(1e-8, 1e-3),
    worse=st.floats(1.05, 2.0),
)
def test_epsilon_is_monotone_in_every_argument(
    noise: float, rate: float, steps: int, delta: float, worse: float
) -> None:
    setting = tables.Setting(noise, rate, steps)
    base = ours(setting, delta)
    hair = 1e-4 * base + 1e-6  # the grid depends on the setting
    assert base >= 0
    assert ours(setting._replace(noise=noise * worse), delta) <= base + hair
    assert ours(setting._replace(rate=min(1.0, rate * worse)), delta) >= base - hair
    assert ours(setting._replace(steps=math.ceil(steps * worse)), delta) >= base - hair
    assert ours(setting, delta / worse) >= base - hair


@pytest.mark.parametrize(("units", "batch", "noise", "epochs", "delta", "theirs"), tables.TF_PRIVACY_RDP)
def test_epsilons_of_tf_privacy(units, batch, noise, epochs, delta, theirs) -> None:
    promise = Guarantee((SampledGaussian(noise, batch / units, math.ceil(epochs * units / batch)),))
    assert promise.renyi_epsilon(delta) <= theirs * (1 + 1e-6)
    if theirs < 100:
        assert promise.renyi_epsilon(delta) == pytest.approx(theirs, rel=1e-6)
    assert promise.epsilon(delta) < promise.renyi_epsilon(delta)


@pytest.mark.parametrize(("noise", "rate", "steps", "rdp", "pld"), tables.TF_PRIVACY_PLD)
def test_distributions_of_tf_privacy(noise, rate, steps, rdp, pld) -> None:
    promise = Guarantee((SampledGaussian(noise, rate, steps),))
    assert pld * (1 - 1e-7) <= promise.epsilon(1e-5) <= pld * (1 + 1e-4)
    assert promise.epsilon(1e-5) <= promise.renyi_epsilon(1e-5) <= rdp


def test_three_samples_of_dp_accounting() -> None:
    setting, epsilon, delta = tables.THREE_SAMPLES
    assert Guarantee((SampledGaussian(*setting),)).delta(epsilon) == pytest.approx(delta, abs=1e-4)
