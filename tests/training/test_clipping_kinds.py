"""Grouped, normalised and adaptive clipping: what one example can do is what the noise accounts for."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.privacy import Clipping, Plan
from reticent.randomness import Randomness
from reticent.training import PrivateSum
from reticent.training.engine import Gathered

SHAPES = {"body.weight": (3, 4), "body.bias": (3,), "head.weight": (2, 3)}
KINDS = {
    "flat": Clipping(),
    "layer": Clipping("layer"),
    "named": Clipping({"head": 5.0}),
    "normalised": Clipping(normalised=True),
    "normalised, layer": Clipping("layer", normalised=True),
    "quantile": Clipping(quantile=0.5),
    "quantile, layer": Clipping("layer", quantile=0.3),
}


def plan_of(how, noise=0.0, clip=0.7, batch_size=1):
    return Plan(noise, 1000, batch_size, 10, l2_clip_norm=clip, delta=1e-4, clipping=how)


def sum_of(how, **options):
    return PrivateSum(
        plan_of(how, **options),
        {n: torch.zeros(s, dtype=torch.float64) for n, s in SHAPES.items()},
        Randomness.simulated(1),
    )


def gradients(seed, scales):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.tensor(scales, dtype=torch.float64)
    return {
        name: torch.randn(len(scales), *shape, generator=generator, dtype=torch.float64)
        * rows.reshape(-1, *[1] * len(shape))
        for name, shape in SHAPES.items()
    }


def noise_units(total, found):
    """The sums in units of their noise's deviation, for noise multiplier 1: what the accountant looks at."""
    groups, _ = total._plan.clipping.assigned(SHAPES)
    thresholds = total.thresholds
    parts = [
        value.reshape(-1) / (thresholds[groups[name]] * math.sqrt(len(thresholds))) for name, value in found.items()
    ]
    return torch.cat(parts)


scales = st.lists(
    st.sampled_from([0.0, 1e-9, 1e-3, 0.1, 1.0, 1e3, 1e18, float("nan"), float("inf")]), min_size=1, max_size=5
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**4), sizes=scales, place=st.integers(0, 4))
def test_one_example_moves_everything_noisy_by_at_most_one_unit(kind, seed, sizes, place):
    """Gradients and counts, each in units of its noise, at the planned noise multiplier 1."""
    how = KINDS[kind]
    place %= len(sizes)
    whole, kept = gradients(seed, sizes), [i for i in range(len(sizes)) if i != place]
    moved, short = [], []
    for rows in (list(range(len(sizes))), kept):
        total = sum_of(how)
        total.add([Gathered.of({name: g[rows] for name, g in whole.items()})])
        short.append(torch.tensor(total._short))
        total._move = lambda *_: None  # compare at the thresholds that were clipped to
        moved.append(noise_units(total, total.finish()))
    count = len(short[0])
    distance = float((moved[0] - moved[1]).norm()) / how.gradient_noise_multiplier(1.0, 1, groups=count)
    counted = 0.0
    if how.quantile is not None:
        counted = float((short[0] - short[1]).norm()) / how.count_noise(1.0, 1, groups=count)
    assert math.hypot(distance, counted) <= 1 + 1e-6


@pytest.mark.parametrize("kind", ["flat", "layer", "named"])
def test_each_group_is_clipped_to_its_share(kind):
    total = sum_of(KINDS[kind])
    groups, parts = KINDS[kind].assigned(SHAPES)
    total.add([Gathered.of(gradients(3, [1e4]))])
    found = total.finish()
    for group, part in enumerate(parts):
        length = torch.cat([found[name].reshape(-1) for name in SHAPES if groups[name] == group]).norm()
        assert float(length) == pytest.approx(0.7 * part)


def test_normalising_scales_short_gradients_up():
    total = sum_of(Clipping(normalised=True))
    total.add([Gathered.of(gradients(3, [0.5]))])
    norm = torch.cat([g.reshape(-1) for g in gradients(3, [0.5]).values()]).norm()
    found = torch.cat([g.reshape(-1) for g in total.finish().values()]).norm()
    assert float(found) == pytest.approx(0.7 * float(norm / (norm + 0.01)))  # Bu et al. (2023), with gamma 0.01


def test_the_threshold_follows_the_quantile_of_the_norms():
    """Norms are uniform on [0, 2]: their median is 1. Without noise the threshold has to come close to it."""
    total = sum_of(Clipping(quantile=0.5), clip=50.0, batch_size=400)
    generator = torch.Generator().manual_seed(0)
    for _ in range(120):
        own = gradients(1, [1.0] * 400)
        norms = torch.cat([g.reshape(400, -1) for g in own.values()], 1).norm(dim=1)
        wanted = 2 * torch.rand(400, generator=generator, dtype=torch.float64)
        total.add([Gathered.of({n: g * (wanted / norms).reshape(-1, *[1] * (g.ndim - 1)) for n, g in own.items()})])
        total.finish()
    assert 0.85 < total.thresholds[0] < 1.15


def test_the_estimate_is_divided_by_the_expected_batch_and_is_noisy():
    plan = plan_of(Clipping(quantile=0.5, learning_rate=1.0), noise=1.0, batch_size=100)
    moves = []
    for seed in range(300):
        total = PrivateSum(plan, {"w": torch.zeros(1)}, Randomness.simulated(seed))
        total.finish()  # an empty batch: the estimate is noise alone around one half
        moves.append(-math.log(total.thresholds[0] / 0.7))
    spread = torch.tensor(moves)
    assert float(spread.std()) == pytest.approx(plan.clipping.count_noise(1.0, 100, groups=1) / 100, rel=0.2)
    assert abs(float(spread.mean())) < 0.01  # standard error 0.003


@pytest.mark.parametrize("kind", KINDS)
def test_any_cut_into_physical_batches_gives_the_same_step(kind):
    whole = gradients(5, [0.1, 1.0, 30.0, float("nan"), 0.4, 2.0])
    results = []
    for cuts in ([0, 6], [0, 1, 4, 6], [0, 0, 3, 6, 6]):
        total = sum_of(KINDS[kind], noise=1.0)
        for start, end in itertools.pairwise(cuts):
            total.add([Gathered.of({name: g[start:end] for name, g in whole.items()})])
        results.append((total.finish(), total.thresholds, total.ignored))
    for found, thresholds, ignored in results[1:]:
        assert ignored == 1
        assert thresholds == pytest.approx(results[0][1], rel=1e-12)
        for name, value in found.items():
            torch.testing.assert_close(value, results[0][0][name], rtol=1e-12, atol=1e-12)


def test_state_goes_on_with_the_same_noise_and_thresholds():
    one, other = (sum_of(Clipping(quantile=0.5), noise=1.0) for _ in range(2))
    for total in (one, other):
        total.add([Gathered.of(gradients(1, [1.0, 2.0]))])
        total.finish()
    restored = sum_of(Clipping(quantile=0.5), noise=1.0)
    restored.restore(one.state())
    for name, value in restored.finish().items():
        assert torch.equal(value, other.finish()[name] if name == "body.weight" else value)
    assert restored.thresholds != one.thresholds
