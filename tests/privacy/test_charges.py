"""What noise costs beside a sampler: the sampler's charge, one Gaussian mechanism, or a refusal."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.privacy.test_toeplitz import dense

from reticent.errors import UsageError
from reticent.evidence import canonical_json
from reticent.privacy import (
    Banded,
    BufferedToeplitz,
    Clipping,
    CorrelatedGaussian,
    Cyclic,
    FixedSize,
    Guarantee,
    Plan,
    Poisson,
    PoissonRows,
    RandomAllocation,
    Relation,
    SampledGaussian,
    Sampler,
    Schedule,
    Shuffled,
    Streamed,
    TruncatedPoisson,
    Unit,
    WithReplacement,
)

ADD, REPLACE = Relation.ADD_OR_REMOVE_ONE, Relation.REPLACE_ONE
BANDS, BUFFERS = Banded.optimal(100, 4), BufferedToeplitz.optimal(100, 2, separation=10)
SAMPLERS = [
    Poisson(),
    PoissonRows(3),
    TruncatedPoisson(80),
    FixedSize(),
    WithReplacement(),
    Shuffled(),
    Streamed(),
    RandomAllocation(),
    RandomAllocation(uses=3),
    Cyclic(4),
]
DOWN = Schedule(((30, 2.0), (25, 1.5), (45, 1.0)))


def plan_of(noise=2.0, size=1000, batch=50, steps=100, **how):
    return Plan(noise, size, batch, steps, delta=1e-5, **how)


# Independent noise and amplified correlation ----------------------------------------------------------------------


@pytest.mark.parametrize("relation", Relation)
def test_one_band_is_dp_sgd(relation):
    plain = plan_of(relation=relation)
    one = plan_of(relation=relation, correlation=Banded.independent(), sampling=Cyclic(1))
    assert one.guarantee().mechanisms == plain.guarantee().mechanisms == (SampledGaussian(2.0, 0.05, 100),)
    assert one.noise_scale == plain.noise_scale == 1.0
    assert plan_of(relation=relation, correlation=BufferedToeplitz((), ())).noise_scale == 1.0


@pytest.mark.parametrize("relation", Relation)
@pytest.mark.parametrize("groups", [4, 5, 20])
def test_bands_up_to_the_groups_are_charged_as_independent_noise(relation, groups):
    plan = plan_of(relation=relation, correlation=BANDS, sampling=Cyclic(groups))
    assert plan.guarantee().mechanisms == (SampledGaussian(2.0, groups * 0.05, -(-100 // groups)),)
    assert plan.noise_scale == pytest.approx(math.sqrt(sum(c**2 for c in BANDS.coefficients)))
    assert plan.guarantee(steps=groups).mechanisms == (SampledGaussian(2.0, groups * 0.05, 1),)
    assert any("charged as independent noise" in text for text in plan.guarantee().assumptions)


def hockey_stick(weights, means, noise, epsilon, points=400):
    """The divergence of a mixture of Gaussians in the plane from one at the origin, both ways, on a fine grid."""
    reach = 7 * noise
    low, high = means.min(axis=0) - reach, means.max(axis=0) + reach
    axes = [np.linspace(a, b, points) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    area = math.prod(axis[1] - axis[0] for axis in axes)

    def density(mean):
        return np.exp(-((grid - mean) ** 2).sum(-1) / (2 * noise**2)) / (2 * math.pi * noise**2)

    p = sum(weight * density(mean) for weight, mean in zip(weights, means, strict=True))
    q = density(np.zeros(2))
    return max(float(np.maximum(one - math.exp(epsilon) * two, 0).sum() * area) for one, two in ((p, q), (q, p)))


def by_brute_force(encoder, groups, rate, noise, epsilon):
    """A unit that may take part in steps 0 and `groups`: the outputs' divergence, in the plane of its two columns."""
    steps = 2 * groups
    columns = dense(encoder.encoder(steps), steps)[:, [0, groups]]
    plane = np.linalg.qr(columns)[1].T  # coordinates of the two columns in their plane
    coins = list(itertools.product((0, 1), repeat=2))
    weights = [math.prod(rate if coin else 1 - rate for coin in both) for both in coins]
    return hockey_stick(weights, np.array([np.array(both) @ plane for both in coins]), noise, epsilon)


@pytest.mark.parametrize("encoder", [Banded((1.0, 0.5)), Banded((1.0, 0.9)), Banded((1.0, -0.7))], ids=str)
@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_the_charge_is_what_an_attacker_gets(encoder, rate):
    """Two steps in reach of the same unit, two groups, two bands: exact up to the grid of the brute force."""
    plan = Plan(1.5, 20, round(10 * rate), 4, delta=1e-2, sampling=Cyclic(2), correlation=encoder)
    noise = 1.5 * plan.noise_scale
    for epsilon in (0.0, 0.3, 1.0):
        found = by_brute_force(encoder, 2, rate, noise, epsilon)
        assert found == pytest.approx(plan.guarantee().delta(epsilon), abs=2e-4)


def test_bands_beyond_the_groups_would_cost_more():
    """Why they are not amplified: the same charge for three bands and two groups would be wrong."""
    encoder = Banded((1.0, 0.9, 0.9))
    noise = 1.5 * encoder.sensitivity(4, participations=1)
    charged = Guarantee((SampledGaussian(1.5, 0.9, 2),)).delta(0.3)
    assert by_brute_force(encoder, 2, 0.9, noise, 0.3) > charged + 0.01


def test_amplification_spares_noise():
    for epsilon in (0.5, 2.0, 8.0):
        promise = {"epsilon": epsilon, "delta": 1e-5, "dataset_size": 1000, "batch_size": 50, "steps": 100}
        amplified = Plan.calibrate(**promise, sampling=Cyclic(4), correlation=BANDS)
        known = CorrelatedGaussian(amplified.noise_multiplier * amplified.noise_scale, BANDS, 100, 4)
        assert Guarantee((known,)).epsilon(1e-5) > 1.2 * epsilon


# One Gaussian mechanism -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("relation", Relation)
def test_wider_correlation_is_one_gaussian_mechanism(relation):
    plan = plan_of(relation=relation, correlation=BUFFERS, sampling=Cyclic(10))
    (release,) = plan.guarantee().mechanisms
    assert (release.steps, release.separation, release.participations) == (100, 10, 10)
    assert release.noise_multiplier == pytest.approx(2.0, rel=1e-12)
    one = Guarantee((SampledGaussian(2.0),), relation=relation)
    assert plan.guarantee().epsilon(1e-5) == pytest.approx(one.epsilon(1e-5), rel=1e-6)
    (half,) = plan.guarantee(steps=41).mechanisms
    assert (half.steps, half.participations, half.deviation) == (41, 5, release.deviation)
    assert plan.guarantee(steps=41).epsilon(1e-5) < plan.guarantee().epsilon(1e-5)
    assert plan.guarantee(steps=0).epsilon(1e-5) == 0.0
    assert any("counts as known" in text for text in plan.guarantee().assumptions)


def test_bands_wider_than_the_groups_are_not_amplified():
    (release,) = plan_of(correlation=BANDS, sampling=Cyclic(3)).guarantee().mechanisms
    assert isinstance(release, CorrelatedGaussian)
    assert release.separation == 3


@pytest.mark.parametrize("sampling", [Shuffled(), Streamed()], ids=str)
def test_a_unit_may_be_last_in_one_pass_and_first_in_the_next(sampling):
    (release,) = plan_of(relation=REPLACE, correlation=BUFFERS, sampling=sampling).guarantee().mechanisms
    assert (release.separation, release.participations) == (1, 5)


@pytest.mark.parametrize(
    ("sampling", "relation"),
    [
        (Poisson(), ADD),
        (TruncatedPoisson(80), ADD),
        (RandomAllocation(), ADD),
        (PoissonRows(3), ADD),
        (FixedSize(), REPLACE),
        (WithReplacement(), REPLACE),
    ],
    ids=str,
)
@pytest.mark.parametrize("encoder", [BANDS, BUFFERS], ids=["bands", "buffers"])
def test_batches_whose_secrecy_is_charged_get_independent_noise(sampling, relation, encoder):
    with pytest.raises(UsageError, match=r"independent noise with .* Pass sampling=Cyclic\(groups="):
        plan_of(sampling=sampling, relation=relation, correlation=encoder, unit=Unit.PERSON)


def test_what_has_no_sensitivity_is_refused():
    with pytest.raises(UsageError, match="bands that rise"):
        plan_of(sampling=Cyclic(2), correlation=Banded((1.0, 0.1, 0.5)))


# Schedules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("relation", Relation)
def test_every_step_is_charged_with_its_own_noise(relation):
    plan = plan_of(1.2, relation=relation, noise_schedule=DOWN)
    wanted = (SampledGaussian(2.4, 0.05, 30), SampledGaussian(1.2 * 1.5, 0.05, 25), SampledGaussian(1.2, 0.05, 45))
    assert plan.guarantee().mechanisms == wanted
    assert plan.guarantee().epsilon(1e-5) == Guarantee(wanted, relation=relation).epsilon(1e-5)
    assert plan.guarantee(steps=40).mechanisms == (wanted[0], wanted[1].times(10))
    multipliers = [plan.noise_multiplier_at(step) for step in (0, 29, 30, 54, 55, 99)]
    assert multipliers == pytest.approx([2.4, 2.4, 1.8, 1.8, 1.2, 1.2])
    assert plan.guarantee(steps=0).epsilon(1e-5) == 0.0
    assert any("schedule was fixed" in text for text in plan.guarantee().assumptions)


def test_turns_are_charged_with_their_least_noise():
    shuffled = plan_of(relation=REPLACE, sampling=Shuffled(), noise_schedule=DOWN).guarantee().mechanisms
    assert shuffled == (SampledGaussian(4.0, 1.0, 1), SampledGaussian(3.0, 1.0, 1), SampledGaussian(2.0, 1.0, 3))
    cyclic = plan_of(sampling=Cyclic(10), noise_schedule=DOWN, correlation=BANDS).guarantee().mechanisms
    assert cyclic == (SampledGaussian(4.0, 0.5, 3), SampledGaussian(3.0, 0.5, 2), SampledGaussian(2.0, 0.5, 5))
    allocated = plan_of(sampling=RandomAllocation(), noise_schedule=DOWN).guarantee().mechanisms
    assert [(m.noise_multiplier, m.count) for m in allocated] == [(4.0, 1), (3.0, 1), (2.0, 3)]


def test_no_schedule_of_noise_without_a_theorem():
    with pytest.raises(UsageError, match="no theorem"):
        plan_of(sampling=Cyclic(10), correlation=BUFFERS, noise_schedule=DOWN)


def test_clipping_norms_cost_nothing():
    plan = plan_of(sampling=Cyclic(10), correlation=BUFFERS, clip_schedule=DOWN)
    assert plan.guarantee().mechanisms == dataclasses.replace(plan, clip_schedule=Schedule()).guarantee().mechanisms
    assert [plan.l2_clip_norm_at(step) for step in (0, 30, 99, 1000)] == [2.0, 1.5, 1.0, 1.0]
    with pytest.raises(UsageError, match="quantile or a schedule"):
        plan_of(clipping=Clipping(quantile=0.5), clip_schedule=DOWN)


# Plans ------------------------------------------------------------------------------------------------------------

HOW = [
    {},
    {"noise_schedule": DOWN},
    {"sampling": Cyclic(4), "correlation": BANDS},
    {
        "sampling": Cyclic(10),
        "correlation": BANDS,
        "noise_schedule": Schedule.exponential(2.0, 1.0, steps=100, pieces=5),
    },
    {"sampling": Cyclic(10), "correlation": BUFFERS, "clip_schedule": DOWN},
    {"sampling": Shuffled(), "relation": REPLACE, "correlation": BUFFERS},
    {"sampling": Shuffled(), "relation": REPLACE, "noise_schedule": DOWN},
]


@pytest.mark.slow
@settings(max_examples=14, deadline=None)
@given(how=st.sampled_from(HOW), epsilon=st.floats(0.3, 10), steps=st.integers(1, 150), delta=st.floats(1e-8, 9e-4))
def test_calibration_never_overshoots_and_hardly_undershoots(how, epsilon, steps, delta):
    plan = Plan.calibrate(epsilon=epsilon, delta=delta, dataset_size=1000, batch_size=50, steps=steps, **how)
    assert plan.guarantee().epsilon(delta) <= epsilon
    less = dataclasses.replace(plan, noise_multiplier=plan.noise_multiplier * 0.999)
    assert less.guarantee().epsilon(delta) > epsilon or plan.noise_multiplier < 0.08


@pytest.mark.parametrize("how", HOW, ids=str)
def test_plans_round_trip(how):
    plan = plan_of(**how)
    again = Plan.from_dict(json.loads(canonical_json(plan.as_dict())))
    assert again == plan
    assert again.guarantee() == plan.guarantee()
    assert Guarantee.from_dict(json.loads(canonical_json(plan.guarantee().as_dict()))) == plan.guarantee()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"correlation": (1.0, 0.5)}, r"Expected a Correlation, got correlation=.*Banded\.optimal"),
        ({"noise_schedule": 0.9}, r"Expected a Schedule, got noise_schedule=0.9"),
        ({"clip_schedule": DOWN.segments}, r"Expected a Schedule, got clip_schedule="),
    ],
)
def test_other_kinds_are_refused(how, message):
    with pytest.raises(UsageError, match=message):
        plan_of(**how)


def test_steps_and_batches_are_found_for_amplified_noise():
    promise = {"epsilon": 3.0, "delta": 1e-5, "dataset_size": 10_000, "noise_multiplier": 2.0, "sampling": Cyclic(4)}
    plan = Plan.calibrate(**promise, batch_size=100, correlation=BANDS)
    assert plan.steps > 100
    assert (
        plan.guarantee().epsilon(1e-5)
        <= 3.0
        < dataclasses.replace(plan, steps=plan.steps + 4).guarantee().epsilon(1e-5)
    )


def test_batches_are_found_up_to_the_size_of_a_group():
    plan = Plan.calibrate(
        epsilon=50.0,
        delta=1e-4,
        dataset_size=1024,
        steps=4,
        noise_multiplier=5.0,
        sampling=Cyclic(4),
        correlation=BANDS,
    )
    assert plan.batch_size == 256


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_blocks_are_what_is_charged_as_one(sampler):
    """So that a schedule may charge each block with its least noise: nothing is saved by looking at parts of one."""
    size, batch = 1000, 60
    length = sampler.block(size, batch)
    one = sampler.mechanisms(1.0, size, batch, 1)
    for steps in (1, length, length + 1, 3 * length, 3 * length + 1):
        blocks = -(-steps // length)
        assert sampler.mechanisms(1.0, size, batch, steps) == tuple(m.times(m.count * blocks) for m in one)
    if sampler.reach > 1:
        assert sampler.reach == length


def test_every_sampler_is_looked_at():
    assert {type(sampler) for sampler in SAMPLERS} == {
        kind for kind in Sampler.__subclasses__() if "privacy" in kind.__module__
    }


def test_steps_of_one_mechanism_are_not_found():
    """Its noise is in units of what all steps cost together, so that more steps would cost nothing more."""
    with pytest.raises(UsageError, match="noise to be found"):
        Plan.calibrate(
            epsilon=3.0, delta=1e-5, dataset_size=1000, batch_size=50, noise_multiplier=2.0, sampling=Cyclic(10),
            correlation=BUFFERS,
        )  # fmt: skip
