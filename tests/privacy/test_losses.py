"""Composed losses against closed forms, against dp-accounting, and against themselves on finer grids."""

from __future__ import annotations

import math

import numpy as np
import pytest
from dp_accounting.pld import privacy_loss_distribution as pld
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from reticent.privacy.losses import Loss, compose
from reticent.privacy.pairs import fixed_size_gaussian, gaussian, laplace, replaced_gaussian, two_point

noises = st.floats(0.4, 30.0)
rates = st.one_of(st.just(1.0), st.floats(1e-4, 0.9))


def exact_delta(mu: float, epsilon: float) -> float:
    """Balle and Wang (2018), theorem 8."""
    return float(norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu)))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(noise=noises, rate=rates, steps=st.integers(2, 3000), delta=st.floats(-10, -3).map(lambda x: 10**x))
@example(noise=0.5, rate=1e-4, steps=2, delta=1e-10)  # the truth, integrated in 30 digits, is 2.188
def test_never_below_a_grid_that_is_ten_times_finer(noise: float, rate: float, steps: int, delta: float) -> None:
    """Each adds what rounding may have taken from it; the finer one, of more points, adds more, below 1e-12."""
    both = [gaussian(noise_multiplier=noise, sample_rate=rate, removed=removed) for removed in (True, False)]
    got = max(compose([(step, steps)]).epsilon(delta) for step in both)
    finer = [compose([(step, steps)], spread=5e-7) for step in both]
    assert max(composed.epsilon(delta + 1e-12) for composed in finer) * (1 - 1e-4) - 1e-12 <= got
    assert got <= max(composed.epsilon(delta) for composed in finer) * (1 + 3e-4) + 1e-6


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(noise=noises, rate=st.floats(1e-4, 0.9), delta=st.floats(-12, -3).map(lambda x: 10**x), removed=st.booleans())
def test_one_sampled_step_in_closed_form(noise: float, rate: float, delta: float, removed: bool) -> None:
    """The smallest epsilon at which the divergence of the two mixtures, integrated exactly, is delta."""

    def divergence(epsilon: float) -> float:
        sign = 1.0 if removed else -1.0
        rest = math.expm1(sign * epsilon) + rate
        if rest <= 0:
            return 0.0
        x = noise * math.log(rest / rate) + 0.5 / noise
        tail = norm.sf if removed else norm.cdf
        without, mixed = tail(x), (1 - rate) * tail(x) + rate * tail(x - 1 / noise)
        p, q = (mixed, without) if removed else (without, mixed)
        return float(p - math.exp(epsilon) * q)

    got = compose([(gaussian(noise_multiplier=noise, sample_rate=rate, removed=removed), 1)]).epsilon(delta)
    assert divergence(got) <= delta * (1 + 1e-6)
    if got > 0 and removed:  # the other one is the smaller, and ends within few points of the grid
        assert divergence(got * (1 - 1e-3) - 1e-9) >= delta * (1 - 1e-6)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(noise=st.floats(0.9, 8.0), rate=rates, steps=st.integers(1, 300), replaced=st.booleans())
def test_within_a_thousandth_of_dp_accounting(noise: float, rate: float, steps: int, replaced: bool) -> None:
    from dp_accounting import NeighboringRelation

    relation = NeighboringRelation.REPLACE_ONE if replaced else NeighboringRelation.ADD_OR_REMOVE_ONE
    theirs = pld.from_gaussian_mechanism(
        noise, sampling_prob=rate, value_discretization_interval=2e-4, neighboring_relation=relation
    ).self_compose(steps)
    if replaced:
        ours = [compose([(replaced_gaussian(noise_multiplier=noise, sample_rate=rate), steps)])]
    else:
        ours = [
            compose([(gaussian(noise_multiplier=noise, sample_rate=rate, removed=removed), steps)])
            for removed in (True, False)
        ]
    for delta in (1e-3, 1e-5, 1e-8):
        got = max(one.epsilon(delta) for one in ours)
        wanted = theirs.get_epsilon_for_delta(delta)
        assert got <= wanted * (1 + 1e-3) + 1e-6
        if wanted > 0.05:  # below, their interval is too coarse
            assert got >= wanted * (1 - 1e-3) - 3e-4


@pytest.mark.parametrize("steps", [1, 100, 10_000])
@pytest.mark.parametrize("mu", [0.1, 1.0, 3.0])
def test_deltas_keep_their_digits_far_out(steps: int, mu: float) -> None:
    """Without a tilt, rounding would hide deltas below 1e-13."""
    step = gaussian(noise_multiplier=math.sqrt(steps) / mu, removed=True)
    loss = compose([(step, steps)])
    for epsilon in (0.0, mu, 3 * mu, 6 * mu, 7 * mu):
        truth = exact_delta(mu, epsilon)
        if truth > 1e-13:
            assert truth * (1 - 1e-9) <= loss.delta(epsilon) <= truth * 1.02 + 3e-16


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(noises, rates, st.integers(1, 50)), min_size=2, max_size=4))
def test_the_order_of_mechanisms_does_not_matter(parts: list[tuple[float, float, int]]) -> None:
    steps = [(gaussian(noise_multiplier=s, sample_rate=q, removed=True), n) for s, q, n in parts]
    forward, backward = compose(steps).epsilon(1e-6), compose(steps[::-1]).epsilon(1e-6)
    assert forward == pytest.approx(backward, rel=1e-9)
    each = [compose([step]).epsilon(1e-6) for step in steps]
    assert forward >= max(each) * (1 - 1e-3)


@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_laplace_ends_where_it_ends(scale: float, count: int) -> None:
    """Pure privacy: no delta is left at count / scale, and there is some just below."""
    loss = compose([(laplace(scale=scale), count)])
    assert loss.delta(count / scale * (1 + 1e-9)) <= 1e-15
    if count == 1:
        for epsilon in (0.0, 0.3 / scale, 0.99 / scale):
            assert loss.delta(epsilon) == pytest.approx(1 - math.exp((epsilon - 1 / scale) / 2), rel=2e-4)


@pytest.mark.parametrize(("epsilon", "delta", "count"), [(1.0, 0.0, 1), (0.1, 1e-3, 10), (0.0, 1e-3, 5), (3.0, 0.0, 7)])
def test_two_points_compose_as_a_binomial(epsilon: float, delta: float, count: int) -> None:
    """Kairouz, Oh and Viswanath (2015), theorem 3.3, summed directly."""
    loss = compose([(two_point(epsilon=epsilon, delta=delta), count)])
    p = 1 / (1 + math.exp(-epsilon))
    for asked in (0.0, epsilon * 0.5, epsilon, epsilon * (count - 1)):
        total = 0.0
        for ups in range(count + 1):
            at = (2 * ups - count) * epsilon
            mass = math.comb(count, ups) * p**ups * (1 - p) ** (count - ups)
            total += mass * max(0.0, 1 - math.exp(asked - at))
        wanted = 1 - (1 - delta) ** count * (1 - total)
        assert loss.delta(asked) == pytest.approx(wanted, rel=1e-6, abs=1e-12)


def test_rates_of_a_gaussian() -> None:
    """The trade-off curve of mu-Gaussian privacy, from one side and from the other (Dong, Roth and Su, 2022)."""
    loss = compose([(gaussian(noise_multiplier=10.0, removed=True), 100)])
    false = np.array([1e-6, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999])
    truth = norm.sf(norm.isf(false) - 1.0)
    found = np.minimum(loss.most(false), loss.most_reflected(false))
    assert (found >= truth * (1 - 1e-12)).all()
    np.testing.assert_allclose(found, truth, rtol=3e-4)


def test_a_grid_that_rounds_down_is_noticed() -> None:
    """Planted fault: half an interval too low, and the bound falls below the truth."""
    step = gaussian(noise_multiplier=10.0, removed=True)

    class Low(Loss):
        def on_grid(self, interval: float):  # type: ignore[no-untyped-def]
            first, masses, infinite = super().on_grid(interval)
            moved = 0.5 * (masses + np.roll(masses, -1))
            return first, moved, infinite

    low = Low(step.between, step.lowest, step.highest)
    truth = 4.3771780957
    assert compose([(step, 100)]).epsilon(1e-5) >= truth
    assert compose([(low, 100)]).epsilon(1e-5) < truth


@pytest.mark.parametrize(
    ("noise", "rate", "steps"), [(0.3, 0.08, 300_000), (5.0, 1.0, 900_000), (0.05, 1.0, 1), (25.0, 1e-6, 150_000)]
)
def test_extremes_have_an_answer(noise: float, rate: float, steps: int) -> None:
    loss = compose([(gaussian(noise_multiplier=noise, sample_rate=rate, removed=True), steps)])
    assert 0 <= loss.epsilon(1e-6) < math.inf
    assert 0 <= loss.delta(1.0) <= 1


@settings(max_examples=40, deadline=None)
@given(noise=st.floats(0.7, 20.0), rate=rates, epsilon=st.floats(0.0, 3.0))
def test_one_sample_of_fixed_size_in_closed_form(noise: float, rate: float, epsilon: float) -> None:
    """Balle, Barthe and Gaboardi (2018), theorem 9, for two sums that are two clipping norms apart."""
    inner = math.log1p(math.expm1(epsilon) / rate)
    truth = rate * exact_delta(2 / noise, inner)
    got = compose([(fixed_size_gaussian(noise_multiplier=noise, sample_rate=rate), 1)]).delta(epsilon)
    assert truth * (1 - 1e-9) - 1e-15 <= got <= truth * 1.01 + 1e-9


@pytest.mark.parametrize("steps", [1, 30, 2000])
def test_samples_of_fixed_size_cost_more_than_either_direction(steps: int) -> None:
    """They are at least as bad as both of the mixtures that they are made of, and exact where all units take part."""
    fixed = compose([(fixed_size_gaussian(noise_multiplier=2.0, sample_rate=0.01), steps)]).epsilon(1e-6)
    for removed in (True, False):
        mixture = gaussian(noise_multiplier=1.0, sample_rate=0.01, removed=removed)
        assert fixed >= compose([(mixture, steps)]).epsilon(1e-6) * (1 - 1e-4)
    whole = compose([(fixed_size_gaussian(noise_multiplier=2 * math.sqrt(steps), sample_rate=1.0), steps)])
    assert 4.3771780957 <= whole.epsilon(1e-5) <= 4.3771780957 * (1 + 2e-4)
