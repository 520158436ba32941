"""Clipping bounds what one example can do; the noise is as large as the accountant thinks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from tests.oracles import gradients as oracle

from reticent.errors import UsageError
from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training import PrivateSum, clipped_sum
from reticent.training.engine import Gathered

PLAN = Plan(noise_multiplier=1.3, dataset_size=1000, batch_size=50, steps=10, l2_clip_norm=0.7, delta=1e-4)


def batch(size, seed=0, scale=1.0, dtype=torch.float64):
    draw = torch.from_numpy(np.random.default_rng(seed).normal(size=(size, 11))).to(dtype) * scale
    return {"a": draw[:, :6].reshape(size, 2, 3), "b": draw[:, 6:10], "c": draw[:, 10]}


def norm(totals):
    return float(torch.sqrt(sum((total.double() ** 2).sum() for total in totals.values())))


def difference(one, other):
    return norm({name: one[name].double() - other[name].double() for name in one})


def test_noise_that_others_share_is_refused():
    shared = Randomness.shared(bytes(32))
    for source in (shared, shared.spawn("noise")):
        with pytest.raises(UsageError, match="own, got a generator that others share"):
            PrivateSum(PLAN, {"a": torch.zeros(3)}, source)


def noisy(sizes, plan, source, dtype=torch.float64):
    """A step of a private sum over parameters that got no gradient: the noise alone, over the expected batch size."""
    return PrivateSum(plan, {name: torch.zeros(size, dtype=dtype) for name, size in sizes.items()}, source)


@pytest.mark.parametrize("scale", [1e-3, 0.3, 1.0, 1e6])
def test_equals_the_loop(scale):
    gradients = batch(9, scale=scale)
    found, ignored = clipped_sum(gradients, l2_clip_norm=1.0)
    expected, _ = oracle.clipped_sum(gradients, 1.0)
    assert ignored == 0
    for name, total in expected.items():
        torch.testing.assert_close(found[name], total, rtol=1e-12, atol=1e-14)


def test_the_norm_is_over_all_parameters_together():
    total, _ = clipped_sum({"a": torch.tensor([[3.0]]), "b": torch.tensor([[4.0]])}, l2_clip_norm=1.0)
    assert total["a"].item() == pytest.approx(0.6)
    assert total["b"].item() == pytest.approx(0.8)


def test_short_gradients_are_left_as_they_are():
    gradients = batch(5, scale=1e-6)
    total, _ = clipped_sum(gradients, l2_clip_norm=1.0)
    torch.testing.assert_close(total["a"], gradients["a"].sum(0), rtol=1e-12, atol=0)


def test_the_callers_gradients_are_not_changed():
    gradients = batch(5, scale=10.0, dtype=torch.float32)
    gradients["b"][2, 1] = torch.nan
    before = {name: g.clone() for name, g in gradients.items()}
    clipped_sum(gradients, l2_clip_norm=0.1)
    for name, gradient in before.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=0, atol=0, equal_nan=True)


magnitudes = st.sampled_from([0.0, 1e-30, 1e-8, 0.01, 1.0, 100.0, 1e15, 1e30, 1e38, float("inf"), float("nan")])
clips = st.sampled_from([1e-3, 0.5, 1.0, 30.0])
dtypes = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])
CONTENTS = st.tuples(st.lists(magnitudes, min_size=1, max_size=6), clips, dtypes)
SEEDS = st.integers(0, 10_000)


def examples(sizes, dtype, seed):
    gradients = batch(len(sizes), seed=seed)
    factors = torch.tensor(sizes, dtype=torch.float64)
    return {name: (g * factors.reshape(-1, *[1] * (g.ndim - 1))).to(dtype) for name, g in gradients.items()}


@settings(max_examples=150, deadline=None)
@given(seed=SEEDS, position=st.integers(0, 5), contents=CONTENTS)
def test_adding_or_removing_one_example_moves_the_sum_by_at_most_the_clip_norm(seed, position, contents):
    sizes, clip, dtype = contents
    gradients = examples(sizes, dtype, seed)
    kept = [i for i in range(len(sizes)) if i != position % len(sizes)]
    whole, _ = clipped_sum(gradients, l2_clip_norm=clip)
    without, _ = clipped_sum({name: g[kept] for name, g in gradients.items()}, l2_clip_norm=clip)
    assert difference(whole, without) <= clip * (1 + 1e-6)
    assert all(bool(torch.isfinite(total).all()) for total in whole.values())


@settings(max_examples=150, deadline=None)
@given(seed=SEEDS, position=st.integers(0, 5), other=magnitudes, contents=CONTENTS)
def test_replacing_one_example_moves_the_sum_by_at_most_twice_the_clip_norm(seed, position, other, contents):
    sizes, clip, dtype = contents
    position %= len(sizes)
    gradients, replacement = examples(sizes, dtype, seed), examples([other], dtype, seed + 1)
    neighbour = {name: g.clone() for name, g in gradients.items()}
    for name, gradient in neighbour.items():
        gradient[position] = replacement[name][0]
    whole, _ = clipped_sum(gradients, l2_clip_norm=clip)
    replaced, _ = clipped_sum(neighbour, l2_clip_norm=clip)
    assert difference(whole, replaced) <= 2 * clip * (1 + 1e-6)


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, cuts=st.lists(st.integers(0, 12), max_size=4))
def test_the_split_into_physical_batches_changes_nothing(seed, cuts):
    gradients = batch(12, seed=seed, scale=2.0)
    whole, _ = clipped_sum(gradients, l2_clip_norm=1.0)
    edges = [0, *sorted(cuts), 12]
    parts = [
        clipped_sum({name: g[a:b] for name, g in gradients.items()}, l2_clip_norm=1.0)[0]
        for a, b in itertools.pairwise(edges)
    ]
    assert difference(whole, {name: sum(part[name] for part in parts) for name in whole}) < 1e-12


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_an_example_that_is_not_finite_counts_and_contributes_zero(bad):
    gradients = batch(5)
    gradients["b"][3, 2] = bad
    found, ignored = clipped_sum(gradients, l2_clip_norm=1.0)
    kept, none = clipped_sum({name: g[[0, 1, 2, 4]] for name, g in gradients.items()}, l2_clip_norm=1.0)
    assert (ignored, none) == (1, 0)
    assert difference(found, kept) < 1e-15


def test_single_precision_gradients_whose_square_overflows_are_clipped():
    gradients = {"w": torch.tensor([[3e30, 4e30], [0.0, 0.5]])}
    total, ignored = clipped_sum(gradients, l2_clip_norm=1.0)
    torch.testing.assert_close(total["w"], torch.tensor([0.6, 1.3]))
    assert ignored == 0


def test_double_precision_gradients_whose_square_overflows_contribute_nothing_harmful():
    gradients = {"w": torch.tensor([[3e300, 4e300], [0.0, 0.5]], dtype=torch.float64)}
    total, ignored = clipped_sum(gradients, l2_clip_norm=1.0)
    assert ignored == 1
    assert total["w"].tolist() == [0.0, 0.5]


def test_zero_gradients():
    total, ignored = clipped_sum({"w": torch.zeros(3, 2)}, l2_clip_norm=1.0)
    assert (total["w"].tolist(), ignored) == ([0.0, 0.0], 0)


def test_no_examples():
    total, ignored = clipped_sum({"w": torch.zeros(0, 2, 3, dtype=torch.bfloat16)}, l2_clip_norm=1.0)
    assert total["w"].shape == (2, 3)
    assert total["w"].dtype == torch.float32
    assert (float(total["w"].abs().sum()), ignored) == (0.0, 0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_sums_are_in_single_precision_also_under_autocast(dtype):
    """In bfloat16 a thousand equal contributions stop adding up at 256 times one of them."""
    gradients = {"w": torch.full((1000, 3), 0.5, dtype=dtype)}
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            total, _ = clipped_sum(gradients, l2_clip_norm=0.1)
        assert total["w"].dtype == torch.float32
        torch.testing.assert_close(total["w"], torch.full((3,), 100 / 3**0.5), rtol=1e-5, atol=0)


def test_mixed_precisions_keep_the_bound():
    gradients = {"a": torch.full((1, 2), 1e3), "b": torch.full((1, 2), 1e3, dtype=torch.float64)}
    total, _ = clipped_sum(gradients, l2_clip_norm=1.0)
    assert (total["a"].dtype, total["b"].dtype) == (torch.float32, torch.float64)
    assert norm(total) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("size", [10**6, pytest.param(10**8, marks=pytest.mark.slow)])
def test_the_bound_holds_for_millions_of_parameters(size):
    """A running sum in single precision misses 0.001 % of the norm of 1e6 numbers, and 0.6 % of that of 1e8."""
    gradients = {"w": torch.arange(size, dtype=torch.float32).mul_(1 / size).reshape(1, size)}
    total, _ = clipped_sum(gradients, l2_clip_norm=1.0)
    assert norm(total) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("clip", [0.0, -1.0, float("nan"), float("inf")])
def test_clip_norms_that_bound_nothing_are_refused(clip):
    with pytest.raises(ValueError, match="l2_clip_norm > 0"):
        clipped_sum(batch(2), l2_clip_norm=clip)


def accepts(values, deviation, alpha=1e-6):
    """Two-sided chi-square test of the standard deviation of centred Gaussian numbers, wrong with probability alpha."""
    statistic = float((values**2).sum()) / deviation**2
    return chi2.ppf(alpha / 2, len(values)) <= statistic <= chi2.isf(alpha / 2, len(values))


def test_noise_is_as_large_as_planned():
    """1e6 draws: false alarm 1e-6 by the test's level; at 2/3 and 3/2 of the deviation it misses below 1e-100."""
    drawn = noisy({"w": (1000, 1000)}, PLAN, Randomness.secure()).finish()["w"].reshape(-1).numpy()
    planned = PLAN.noise_multiplier * PLAN.l2_clip_norm / PLAN.batch_size
    assert accepts(drawn, planned)
    assert not accepts(drawn, planned * 2 / 3)
    assert not accepts(drawn, planned * 3 / 2)
    assert abs(drawn.mean()) < 5 * planned / 1000  # 5 standard errors: false alarm below 1e-6


def test_noise_is_added_once_to_the_sum_which_is_divided_by_the_expected_batch_size():
    gradients = {"a": torch.full((3, 2, 3), 0.01, dtype=torch.float64), "b": torch.zeros(3, 4, dtype=torch.float64)}
    total = noisy({"a": (2, 3), "b": (4,)}, PLAN, Randomness.simulated(4))
    for _ in range(2):  # two physical batches of one step
        total.add([Gathered.of(gradients)])
    source = Randomness.simulated(4).spawn("step 0")
    found = total.finish()
    drawn = source.normal(10, standard_deviation=1.3 * 0.7)  # small sums get theirs together
    for name, sum_of_six, noise in (("a", 0.06, drawn[:6].reshape(2, 3)), ("b", 0.0, drawn[6:])):
        torch.testing.assert_close(found[name], (sum_of_six + torch.from_numpy(noise)) / 50, rtol=1e-13, atol=1e-16)


def test_every_step_starts_from_nothing():
    total = noisy({"a": (2, 3)}, Plan(0.0, dataset_size=100, batch_size=1, steps=1, delta=1e-4), Randomness.secure())
    total.add([Gathered.of({"a": torch.ones(3, 2, 3, dtype=torch.float64)})])
    assert total.finish()["a"].sum() > 0
    assert total.finish()["a"].sum() == 0


def test_noise_differs_between_parameters_and_steps():
    """Correlations of 1e5 pairs have standard deviation 0.0032: beyond 0.016 with probability below 1e-6 each."""
    total = noisy({"a": 100_000, "b": 100_000}, PLAN, Randomness.secure(), torch.float32)
    steps = [total.finish() for _ in range(2)]
    drawn = np.stack([step[name].numpy() for step in steps for name in ("a", "b")])
    off = np.corrcoef(drawn)[~np.eye(4, dtype=bool)]
    assert np.abs(off).max() < 0.016


def test_an_empty_batch_gets_noise_too():
    total = noisy({"w": 20_000}, PLAN, Randomness.secure())
    total.add([Gathered.of({"w": torch.zeros(0, 20_000)})])
    drawn = total.finish()["w"].numpy()
    assert accepts(drawn, PLAN.noise_multiplier * PLAN.l2_clip_norm / PLAN.batch_size)


def test_no_noise_means_the_plain_mean():
    plan = Plan(noise_multiplier=0.0, dataset_size=1000, batch_size=50, steps=10, l2_clip_norm=100.0, delta=1e-4)
    total = noisy({"w": 3}, plan, Randomness.secure(), torch.float32)
    total.add([Gathered.of({"w": torch.full((1, 3), 5.0)})])
    torch.testing.assert_close(total.finish()["w"], torch.full((3,), 0.1))
