"""Noisy sums over samples, against closed forms, brute force over all samples, and dp-accounting."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm
from tests.tables import accounting as tables

from reticent.errors import UsageError
from reticent.privacy import (
    FixedSizeGaussian,
    Guarantee,
    Plan,
    Relation,
    SampledGaussian,
    TruncatedGaussian,
    TruncatedPoisson,
    WithReplacementGaussian,
)
from reticent.privacy.losses import compose
from reticent.privacy.pairs import gaussian, mixed, replaced_gaussian

ADD, REPLACE = Relation.ADD_OR_REMOVE_ONE, Relation.REPLACE_ONE


def hockey_stick(p, q, noise, epsilon):
    """Between two mixtures of normals, given as (weight, mean), by a sum over a fine grid of outputs."""
    x = np.linspace(-12 * noise - 8, 12 * noise + 8, 400_001)
    density = []
    for one in (p, q):
        weights = {mean: sum(w for w, other in one if other == mean) for _, mean in one}
        density.append(sum(w * norm.pdf(x, mean, noise) for mean, w in weights.items()))
    return float(np.maximum(density[0] - math.exp(epsilon) * density[1], 0.0).sum() * (x[1] - x[0]))


def test_replacing_moves_a_gaussian_sum_twice_as_far() -> None:
    for steps in (1, 7):
        replace = Guarantee((SampledGaussian(2.6, 1.0, steps),), relation=REPLACE)
        add = Guarantee((SampledGaussian(1.3, 1.0, steps),))
        assert replace.epsilon(1e-5) == pytest.approx(add.epsilon(1e-5), rel=1e-6)
        assert replace.delta(0.5) == pytest.approx(add.delta(0.5), rel=1e-5)


def truncated(values, rate, most):
    """The means of a truncated Poisson sample's sum over these units, with their probabilities."""
    found = []
    for coins in itertools.product((0, 1), repeat=len(values)):
        drawn = [value for value, coin in zip(values, coins, strict=True) if coin]
        probability = math.prod(rate if coin else 1 - rate for coin in coins)
        chosen = list(itertools.combinations(drawn, min(most, len(drawn))))
        found += [(probability / len(chosen), float(sum(kept))) for kept in chosen]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("others", [(-1, -1, -1), (-1, 1, -1), (0, 0, 0)])
def test_truncation_is_never_charged_below_brute_force(rate: float, others: tuple[int, ...]) -> None:
    """All samples of three units and one more, cut to two; the hardest others pull the other way."""
    noise, most = 1.5, 2
    exchanged = Guarantee((TruncatedGaussian(noise, rate, 1, dataset_size=4, most=most),), relation=REPLACE)
    without, with_one, with_other = (truncated((*others, *more), rate, most) for more in ((), (1,), (-1,)))
    for epsilon in (0.0, 0.3, 1.0, 2.0):
        for size in (3, 4):  # whichever of the two neighbours it is that the plan was made for
            promise = Guarantee((TruncatedGaussian(noise, rate, 1, dataset_size=size, most=most),))
            for one, other in ((without, with_one), (with_one, without)):
                assert hockey_stick(one, other, noise, epsilon) <= promise.delta(epsilon) + 1e-9
        assert hockey_stick(with_one, with_other, noise, epsilon) <= exchanged.delta(epsilon) + 1e-9
    # The bound is not idle: at epsilon 0 the hardest of these comes within a factor of two.
    if others == (-1, -1, -1):
        assert hockey_stick(with_one, without, noise, 0.0) >= 0.5 * promise.delta(0.0)


@pytest.mark.parametrize(("size", "batch", "most", "steps"), [(20, 10, 2, 20), (40, 20, 4, 30), (100, 50, 10, 100)])
def test_hard_cuts_are_charged_for_fewer_others_too(size: int, batch: int, most: int, steps: int) -> None:
    """Samples cut to a fifth of what is expected: a unit among fewer others is in the batch more often.

    Exact for one pair: others pull by -1, the unit by +1, and samples are full but for a probability below 1e-4.
    """
    plan = Plan.calibrate(
        epsilon=3, delta=1e-3, dataset_size=size, batch_size=batch, steps=steps, sampling=TruncatedPoisson(most)
    )
    within = most / size * binom.sf(most, size, plan.sample_rate) / binom.sf(most - 1, size - 1, plan.sample_rate)
    exact = max(
        compose([(gaussian(noise_multiplier=plan.noise_multiplier / 2, sample_rate=within, removed=removed), steps)])
        .epsilon(1e-3)
        for removed in (True, False)
    )  # fmt: skip
    assert 2.9 < exact <= plan.guarantee().epsilon(1e-3) <= 3.0
    (charged,) = plan.guarantee().mechanisms
    planted = [compose([(loss, steps)]).epsilon(1e-3) for loss in charged.losses(ADD)[2:]]  # n others alone
    assert max(planted) < exact


def test_truncation_by_dp_accounting() -> None:
    """Theirs, built from our pairs the way it is described, and ours, which charges one exchange instead of two."""
    charged = tuple(
        TruncatedGaussian(noise, rate, count, dataset_size=size - 1, most=most)
        for size, rate, most, noise, count in tables.TRUNCATED
    )
    assert Guarantee(charged).epsilon(1e-6) < tables.TRUNCATED_EPSILON
    theirs = []
    for removed in (True, False):
        parts = []
        for size, rate, most, noise, count in tables.TRUNCATED:
            full = binom.sf(most - 1, size - 1, rate)
            within = binom.sf(most, size, rate) * most / full / size
            one = gaussian(noise_multiplier=noise, sample_rate=rate, removed=removed)
            two = replaced_gaussian(noise_multiplier=noise / 2, sample_rate=within)
            parts.append((mixed([(1 - full, one), (full, two)]), count))
        theirs.append(compose(parts).epsilon(1e-6))
    assert max(theirs) == pytest.approx(tables.TRUNCATED_EPSILON, abs=2e-4)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(most=st.integers(120, 400), relation=st.sampled_from(Relation), noise=st.floats(0.6, 5.0))
def test_truncation_costs_something_and_a_roomy_one_nothing(most: int, relation: Relation, noise: float) -> None:
    def epsilon(limit: int) -> float:
        cut = TruncatedGaussian(noise, 0.05, 20, dataset_size=2000, most=limit)
        return Guarantee((cut,), relation=relation).epsilon(1e-6)

    whole = Guarantee((SampledGaussian(noise, 0.05, 20),), relation=relation).epsilon(1e-6)
    assert epsilon(most) >= epsilon(most + 10) * (1 - 1e-5) >= whole * (1 - 2e-5)
    assert epsilon(400) == pytest.approx(whole, rel=1e-5)
    both = Guarantee((TruncatedGaussian(noise, 0.05, 20, dataset_size=2000, most=most),), relation=relation)
    assert both.renyi_epsilon(1e-6) >= both.epsilon(1e-6) * (1 - 1e-4)


def test_draws_with_replacement_are_never_charged_below_brute_force() -> None:
    """Two draws of one of three: the exchanged unit is drawn 0, 1 or 2 times, and moves the sum by 2 for each."""
    noise = 1.2
    promise = Guarantee((WithReplacementGaussian(noise, 3, 2, 1),), relation=REPLACE)
    times = [binom.pmf(k, 2, 1 / 3) for k in range(3)]
    for others in (0, 1):
        p = [(w, k + others * (2 - k)) for k, w in enumerate(times)]
        q = [(w, -k + others * (2 - k)) for k, w in enumerate(times)]
        for epsilon in (0.0, 0.5, 1.5):
            assert hockey_stick(p, q, noise, epsilon) <= promise.delta(epsilon) + 1e-9
    whole = Guarantee((WithReplacementGaussian(noise, 1, 1, 1),), relation=REPLACE)
    assert whole.epsilon(1e-5) == pytest.approx(Guarantee((SampledGaussian(noise),), relation=REPLACE).epsilon(1e-5))


def test_one_draw_with_replacement_is_a_sample_of_size_one() -> None:
    once = Guarantee((WithReplacementGaussian(0.9, 50, 1, 30),), relation=REPLACE)
    fixed = Guarantee((FixedSizeGaussian(0.9, 1 / 50, 30),), relation=REPLACE)
    assert once.epsilon(1e-5) == pytest.approx(fixed.epsilon(1e-5), rel=1e-6)
    more = Guarantee((WithReplacementGaussian(0.9, 50, 5, 30),), relation=REPLACE)
    assert more.epsilon(1e-5) > Guarantee((FixedSizeGaussian(0.9, 0.1, 30),), relation=REPLACE).epsilon(1e-5)


def test_fixed_samples_have_no_removal() -> None:
    for mechanism in (FixedSizeGaussian(1.0, 0.1, 3), WithReplacementGaussian(1.0, 30, 3, 3)):
        with pytest.raises(UsageError, match="REPLACE_ONE for samples of fixed size"):
            Guarantee((mechanism,)).epsilon(1e-5)
