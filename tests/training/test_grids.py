"""Clipped gradients in whole numbers: exactly bounded, exactly summed, with noise of the promised law."""

from __future__ import annotations

import itertools
import math
import socket
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.oracles import gradients as oracle

import reticent as rt
from reticent.errors import UsageError
from reticent.privacy import OnGrid, Plan, SampledGaussian
from reticent.privacy.mechanisms.lattice import SMOOTHING, fitted_grid
from reticent.randomness import Randomness
from reticent.training import PerExampleModel, PrivateSum, grids
from reticent.training.engine import Gathered
from reticent.training.grids import whole_count_noise, whole_sum, with_whole_noise

ALPHA = 1e-6


def gradients(size, seed=0, dtype=torch.float64, spread=1.0):
    draw = torch.from_numpy(np.random.default_rng(seed).normal(size=(size, 11))).to(dtype) * spread
    return {"a": draw[:, :6].reshape(size, 2, 3), "b": draw[:, 6:10], "c": draw[:, 10]}


def groups_of(given_):
    return dict.fromkeys(given_, 0)


def squares(steps):
    """The squared length of one example's whole numbers, by Python's own."""
    return sum(int(value) ** 2 for part in steps.values() for value in part.reshape(-1).tolist())


@pytest.mark.parametrize("scale", [1e-3, 0.3, 1.0, 1e6])
def test_equals_the_loop_up_to_a_step_for_each_example(scale):
    given_ = gradients(9, spread=scale)
    expected, _ = oracle.clipped_sum(given_, 1.0)
    found = whole_sum(Gathered.of(given_), groups_of(given_), [1.0], grid=2.0**-20)
    assert found.ignored == 0
    for name, total in expected.items():
        difference = found.steps[name].double() * 2.0**-20 - total
        assert found.steps[name].dtype == torch.int64
        assert difference.abs().max() <= 9 * (2.0**-20 + 2.0**-18)


magnitudes = st.sampled_from([0.0, 1e-30, 1e-8, 0.01, 1.0, 100.0, 1e15, 1e30, 1e38, float("inf"), float("nan")])


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000),
    magnitudes,
    st.sampled_from([2.0**-26, 2.0**-20, 1e-3, 0.1, 0.5, 1.0]),
    st.sampled_from([1e-3, 1.0, 30.0]),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    st.booleans(),
    st.sampled_from([1.0, 64.0]),
)
def test_no_example_contributes_more_than_the_norm_in_steps_exactly(seed, size, grid, clip, dtype, normalised, scale):
    one = {name: (g * size).to(dtype) for name, g in gradients(1, seed=seed).items()}
    found = whole_sum(
        Gathered.of(one),
        groups_of(one),
        [clip],
        grid=grid,
        clipping=rt.Clipping(normalised=normalised),
        scale=scale,
    )
    assert Fraction(squares(found.steps)) * Fraction(grid) ** 2 <= 1
    assert found.short in ([1], [-1], [0])
    if not math.isfinite(size):
        assert (found.ignored, squares(found.steps)) == (1, 0)


def test_one_that_points_along_an_axis_keeps_its_whole_length():
    """... but for one step, which the margin takes; and a longer one gains nothing from being rounded."""
    for length in (1.0, 0.5, 7.0):
        found = whole_sum(Gathered.of({"w": torch.tensor([[0.0, length]])}), {"w": 0}, [1.0], grid=2.0**-10)
        assert found.steps["w"].tolist() == [0, min(1024, int(length * 1024)) - 1]


def test_gradients_that_are_rounded_too_long_are_caught(monkeypatch):
    """A planted fault: rounding up instead of towards zero."""
    planted = {"w": torch.full((3, 100), 0.1)}
    assert whole_sum(Gathered.of(planted), {"w": 0}, [1.0], grid=0.01).ignored == 0

    def up(values, factors, usable, space):
        return torch.ceil(values.double() * factors[:, None])

    monkeypatch.setattr(grids, "_rounded", up)
    found = whole_sum(Gathered.of({"w": torch.full((3, 100), 0.0999)}), {"w": 0}, [1.0], grid=0.0099)
    assert (found.ignored, found.steps["w"].tolist()) == (
        3,
        [0] * 100,
    )  # eleven steps of a hundred dimensions: too long
    for plant in (lambda x: x + 1, lambda x: x * 2.0**50, lambda x: x * 0 - 2.0**31):  # also where squares are rounded
        monkeypatch.setattr(grids, "_rounded", lambda *args, plant=plant: plant(up(*args)))
        found = whole_sum(Gathered.of(planted), {"w": 0}, [1.0], grid=0.01)
        assert (found.ignored, found.steps["w"].tolist()) == (3, [0] * 100)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-(2**27), 2**27), min_size=1, max_size=30), st.integers(1, 2**52), st.integers(-1, 1))
def test_lengths_are_compared_exactly(values, longest, more):
    """Against Python's whole numbers; the limit is also moved to where one more or less decides."""
    exact = sum(value**2 for value in values)
    for limit in {longest, min(max(1, exact + more), 2**52)}:
        steps = {"w": torch.tensor([values], dtype=torch.float64)}
        assert grids._short_enough(steps, {"w": 0}, 1, limit).tolist() == [exact <= limit]
        many = {"w": torch.tensor([values] * 20, dtype=torch.float64)}
        assert grids._short_enough(many, {"w": 0}, 1, limit).tolist() == [exact <= limit] * 20


def test_groups_have_steps_of_their_own():
    given_ = gradients(5, spread=3.0)
    groups, thresholds = {"a": 0, "b": 1, "c": 1}, [0.3, 2.0]
    found = whole_sum(Gathered.of(given_), groups, thresholds, grid=2.0**-16)
    for group, threshold in enumerate(thresholds):
        own = {name: g for name, g in given_.items() if groups[name] == group}
        expected, _ = oracle.clipped_sum(own, threshold)
        for name, total in expected.items():
            step = 2.0**-16 * threshold
            assert (found.steps[name].double() * step - total).abs().max() <= 5 * step
    assert found.short == [-5, found.short[1]]


def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv1d(2, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(24, 5), torch.nn.Linear(5, 3)
    ).double()


def summed(model, x, y, plan, cuts=()):
    private = PerExampleModel(model)
    total = PrivateSum(plan, dict(model.named_parameters()), Randomness.secure())
    edges = [0, *cuts, len(x)]
    for first, last in itertools.pairwise(edges):
        torch.nn.functional.cross_entropy(private(x[first:last]), y[first:last], reduction="sum").backward()
        total.add(private.take())
    model.zero_grad()
    return total.finish()


def test_a_networks_gradients_are_summed_alike_with_and_without_a_grid_and_to_the_bit_in_parts(monkeypatch):
    model, x, y = network(), torch.randn(7, 2, 8).double(), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    settings_ = {"dataset_size": 100, "batch_size": 7, "steps": 1, "delta": 1e-3, "l2_clip_norm": 0.2}
    plain = summed(model, x, y, Plan(0.0, **settings_))
    whole = summed(model, x, y, Plan(0.0, **settings_, grid=2.0**-26))
    for name, total in plain.items():
        torch.testing.assert_close(whole[name], total, rtol=0, atol=2.0**-18)
    parts = summed(model, x, y, Plan(0.0, **settings_, grid=2.0**-26), cuts=(2, 3, 6))
    monkeypatch.setattr("reticent.training.engine.tape._FEW", 400)  # a few examples at a time
    chunks = summed(model, x, y, Plan(0.0, **settings_, grid=2.0**-26))
    for name, total in whole.items():
        assert (parts[name] == total).all()
        assert (chunks[name] == total).all()


def fits(values, deviation):
    """Two-sided chi-square test of the deviation of centred numbers, wrong with probability ALPHA."""
    statistic = float((values**2).sum()) / deviation**2
    return stats.chi2.ppf(ALPHA / 2, len(values)) <= statistic <= stats.chi2.isf(ALPHA / 2, len(values))


@pytest.mark.parametrize(
    "clipping", [rt.Clipping(), rt.Clipping(groups={"w": 1.0, "v": 2.0}), rt.Clipping(quantile=0.5)]
)
def test_noise_is_whole_and_as_large_as_planned(clipping):
    """2e5 draws each; at 0.97 of the deviation a test misses below 1e-12."""
    plan = Plan(1.3, dataset_size=1000, batch_size=64, steps=1, delta=1e-4, l2_clip_norm=0.7, clipping=clipping)
    plan = rt.Plan.from_dict({**plan.as_dict(), "grid": 2.0**-12})
    shapes = {"w": torch.zeros(200_000, dtype=torch.float64), "v": torch.zeros(9_000, dtype=torch.float64)}
    total = PrivateSum(plan, shapes, Randomness.secure())
    thresholds, count = list(total.thresholds), len(total.thresholds)
    multiplier = clipping.gradient_noise_multiplier(1.3, 64, groups=count) * math.sqrt(count)
    drawn = total.finish()["w"].numpy()
    deviation, step = fitted_grid(multiplier, 2.0**-12)
    assert 2.0**-13 < step <= 2.0**-12
    assert float(deviation) * step == pytest.approx(multiplier, rel=1e-5)  # 5 / deviation^2 more, in variance
    step *= thresholds[0] / 64
    assert np.abs(drawn / step - np.rint(drawn / step)).max() < 1e-9
    assert fits(drawn, multiplier * thresholds[0] / 64)
    assert not fits(drawn, 0.97 * multiplier * thresholds[0] / 64)
    if clipping.quantile is not None:
        assert total.thresholds != thresholds  # moved by noise alone


def test_noise_on_counts_has_its_law():
    drawn = whole_count_noise(7.0, 200_000, Randomness.secure())
    assert drawn.dtype == np.int64
    assert fits(drawn.astype(float), math.sqrt(49 + 5))
    assert not whole_count_noise(0.0, 5, Randomness.secure()).any()


@settings(max_examples=200, deadline=None)
@given(st.floats(0.05, 30.0), st.floats(2.0**-23, 1.0))
def test_the_step_that_is_used_makes_the_noise_what_is_charged(noise, grid):
    deviation, step = fitted_grid(noise, grid)
    assert step <= grid * (1 + 1e-12)
    charged = Fraction(noise) / Fraction(step)
    assert (
        charged**2 + Fraction(SMOOTHING)
        <= deviation**2
        <= (charged**2 + Fraction(SMOOTHING)) * (1 + Fraction(1, 2**45))
    )


def test_the_sum_is_exact_where_floating_point_is_not():
    """Adding one step to 2^60 is lost in float64; whole numbers keep it until the noisy sum is rounded."""
    total = torch.tensor([2**60 + 1, 2**60])
    one = whole_sum(Gathered.of({"w": torch.ones(4, 1)}), {"w": 0}, [1.0], grid=2.0**-26)
    assert one.steps["w"].item() == 4 * (2**26 - 2**8)
    noisy = with_whole_noise(total, Fraction(0), Randomness.secure())
    assert noisy.tolist() == [2**60 + 1, 2**60]
    drawn = with_whole_noise(torch.zeros(1000, dtype=torch.int64), Fraction(2**28), Randomness.simulated(3))
    again = with_whole_noise(torch.zeros(1000, dtype=torch.int64), Fraction(2**28), Randomness.simulated(3))
    assert (drawn == again).all()
    assert fits(drawn.double().numpy(), 2.0**28)


def test_a_training_on_a_grid_says_so_and_nothing_about_rounding():
    x, y = torch.randn(200, 4), torch.arange(200) % 2
    x[:, 0] += 3 * y
    settings_ = {"epsilon": 5, "delta": 1e-3, "dataset_size": 200, "batch_size": 40, "epochs": 4}
    plan, plain = Plan.calibrate(**settings_, grid=2.0**-20), Plan.calibrate(**settings_)
    assert plan.noise_multiplier == plain.noise_multiplier
    assert plan.guarantee().epsilon(1e-3) == plain.guarantee().epsilon(1e-3) <= 5
    assert Plan.from_dict(plan.as_dict()) == plan
    run = rt.train(
        torch.nn.Linear(4, 2),
        (x, y),
        plan=plan,
        optimizer=lambda p: torch.optim.SGD(p, lr=1.0),
        randomness=Randomness.simulated(2),
    )
    with torch.no_grad():
        assert (run.model(x).argmax(1) == y).float().mean() > 0.85
    (mechanism,) = run.guarantee.mechanisms
    assert isinstance(mechanism, OnGrid)
    assert mechanism.mechanisms == (SampledGaussian(plan.noise_multiplier, 0.2, 1),)
    assert mechanism.deviation * mechanism.step == pytest.approx(plan.noise_multiplier, rel=1e-9)
    assert 0.99 * 2.0**-20 < mechanism.step <= 2.0**-20
    assert "rounding" not in run.guarantee.text(1e-3)
    assert "whole steps" in run.guarantee.text(1e-3)
    assert "rounding of noise" in plain.guarantee().text(1e-3)
    assert rt.Guarantee.from_dict(run.guarantee.as_dict()) == run.guarantee


def test_make_private_takes_the_same_plan():
    data = torch.utils.data.TensorDataset(torch.randn(60, 4), torch.arange(60) % 2)
    plan = Plan(1.0, dataset_size=60, batch_size=20, steps=3, delta=1e-3, grid=2.0**-20)
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    private = rt.make_private(
        model, optimizer, torch.utils.data.DataLoader(data, batch_size=20, shuffle=True), plan=plan
    )
    for x, y in private.loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(private.model(x), y).backward()
        optimizer.step()
        # What an update adds is a whole number of steps, in float32.
        steps = model.weight.grad.double() * 20 / private.guarantee.mechanisms[0].step
        assert (steps - steps.round()).abs().max() < 1e-7 * steps.abs().max() + 1e-9
    assert isinstance(private.guarantee.mechanisms[0], OnGrid)


def test_grids_that_cannot_be_are_refused():
    settings_ = {"dataset_size": 60, "batch_size": 20, "steps": 3, "delta": 1e-3}
    for grid in (0.0, -1.0, 2.0, 2.0**-27, float("nan"), "x"):
        with pytest.raises(UsageError, match="grid"):
            Plan(1.0, **settings_, grid=grid)
    with pytest.raises(UsageError, match="coarser grid"):
        Plan(5.0, **settings_, grid=2.0**-26)
    plan = Plan(2.0, **settings_, grid=2.0**-26, clipping=rt.Clipping(groups="layer"))
    parameters = {f"layer{i}.w": torch.zeros(3) for i in range(9)}
    with pytest.raises(UsageError, match="coarser grid"):
        PrivateSum(plan, parameters, Randomness.secure())
    # Calibration tries noise that does not fit onto the grid, and ends with what does.
    fine = Plan.calibrate(epsilon=5, delta=1e-3, dataset_size=60, batch_size=20, steps=3, grid=2.0**-26)
    assert fine.noise_multiplier < 2


PROGRAM = """
import sys
import numpy as np
import torch
import torch.distributed as dist
import reticent as rt

if len(sys.argv) > 2:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{sys.argv[2]}", rank=int(sys.argv[3]), world_size=2)
x = torch.arange(600, dtype=torch.float64).reshape(100, 6).sin()
more = {"grid": 2.0**-20, "clipping": rt.Clipping(quantile=0.5)}
plan = rt.Plan(1.0, dataset_size=100, batch_size=30, steps=4, delta=1e-3, **more)
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()
data, source = (x, torch.arange(100) % 2), rt.Randomness.simulated(5)
run = rt.train(model, data, plan=plan, optimizer=lambda p: torch.optim.SGD(p, lr=1.0), randomness=source)
np.save(sys.argv[1], torch.cat([p.detach().reshape(-1) for p in run.model.parameters()]).numpy())
if len(sys.argv) > 2:
    dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_add_up_the_same_whole_numbers_as_one(tmp_path):
    """Whole numbers add up alike in any order: what is left is the rounding of gradients in batches of other sizes."""
    (tmp_path / "program.py").write_text(PROGRAM)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = [
        subprocess.Popen([sys.executable, str(tmp_path / "program.py"), str(tmp_path / name), *more])
        for name, more in (("alone.npy", []), ("first.npy", [port, "0"]), ("second.npy", [port, "1"]))
    ]
    assert [process.wait(timeout=300) for process in started] == [0, 0, 0]
    alone, first, second = (np.load(tmp_path / f"{name}.npy") for name in ("alone", "first", "second"))
    assert (first == second).all()
    np.testing.assert_allclose(first, alone, atol=4 * 2.0**-20, rtol=0)
