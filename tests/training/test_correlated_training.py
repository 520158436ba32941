"""Correlated noise and schedules inside trainings: what every step gets, what is saved, and what a stop changes."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch
from tests.privacy.test_toeplitz import dense
from tests.training.test_noise import looks_right
from torch.utils.data import DataLoader, TensorDataset

import reticent as rt
from reticent.errors import UsageError
from reticent.privacy import Banded, BufferedToeplitz, Clipping, Cyclic, Plan, Schedule
from reticent.randomness import Randomness
from reticent.training import PrivateSum
from reticent.training.engine import Gathered
from reticent.training.ranks import Ranks
from reticent.training.state import load_state

N, BATCH, STEPS = 60, 6, 20
X = torch.linspace(-1, 1, 4 * N).reshape(N, 4)
Y = (X[:, 0] > 0).long()
ENCODERS = [Banded.optimal(STEPS, 3), Banded.optimal(STEPS, 10), BufferedToeplitz.optimal(STEPS, 2, separation=10)]
SCHEDULE = Schedule(((4, 2.0), (5, 1.0), (1, 3.0)))


def plan_of(encoder, noise=1.5, **how):
    return Plan(noise, N, BATCH, STEPS, l2_clip_norm=0.5, delta=1e-3, sampling=Cyclic(10), correlation=encoder, **how)


def parameters(dtype=torch.float64, small=7, large=20_000):
    sizes = {"large": (large,), "one": (small,), "other": (2, 3)}
    return {name: torch.zeros(size, dtype=dtype) for name, size in sizes.items()}


def noise_of(plan, source, steps=STEPS, **sizes):
    """The sums of a training without examples, as (steps, numbers)."""
    return noise_of_sum(PrivateSum(plan, parameters(**sizes), source), steps)


def noise_of_sum(total, steps):
    return np.stack([
        np.concatenate([part.numpy().reshape(-1) for part in total.finish().values()]) for _ in range(steps)
    ])  # fmt: skip


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
@pytest.mark.parametrize("how", [{}, {"clip_schedule": SCHEDULE}], ids=["constant", "clip schedule"])
def test_every_step_gets_its_row_of_the_inverse(encoder, how):
    """Against the dense inverse, from the same independent numbers: first those of large parameters, then the rest."""
    plan = plan_of(encoder, **how)
    found = noise_of(plan, Randomness.simulated(3))
    fresh = [Randomness.simulated(3).spawn(f"step {step}") for step in range(STEPS)]
    independent = np.stack([np.concatenate([source.normal(20_000), source.normal(13)]) for source in fresh])
    correlated = np.linalg.solve(dense(encoder.encoder(STEPS), STEPS), independent)
    norms = np.array([plan.l2_clip_norm_at(step) for step in range(STEPS)])
    wanted = correlated * 1.5 * plan.noise_scale * norms[:, None] / BATCH
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-10)


def test_noise_follows_its_schedule():
    plan = dataclasses.replace(plan_of(ENCODERS[0]), noise_schedule=SCHEDULE)
    found, plain = (noise_of(one, Randomness.simulated(3)) for one in (plan, plan_of(ENCODERS[0])))
    np.testing.assert_allclose(found, plain * SCHEDULE.factors(STEPS)[:, None], rtol=1e-9)
    independent = Plan(
        1.5, N, BATCH, STEPS, delta=1e-3, noise_schedule=SCHEDULE, clip_schedule=Schedule.linear(1, 2, steps=20)
    )
    found = noise_of(independent, Randomness.simulated(3))
    wanted = 1.5 * SCHEDULE.factors(STEPS) * Schedule.linear(1, 2, steps=20).factors(STEPS) / BATCH
    spread = found.std(axis=1) / wanted
    assert np.abs(spread - 1).max() < 6 / np.sqrt(2 * 20_000)


def test_the_clipping_norm_follows_its_schedule():
    plan = Plan(0.0, N, BATCH, STEPS, l2_clip_norm=0.5, delta=1e-3, clip_schedule=SCHEDULE)
    total = PrivateSum(plan, {"w": torch.zeros(3)}, Randomness.secure())
    lengths = []
    for _ in range(12):
        total.add([Gathered.of({"w": torch.tensor([[3.0, 0.0, 4.0]])})])
        lengths.append(float(total.finish()["w"].norm()) * BATCH)
    assert lengths == pytest.approx([1.0] * 4 + [0.5] * 5 + [1.5] * 3)


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_the_law_is_the_one_that_is_accounted(encoder):
    """Secure noise of a whole training in single precision; a false alarm once in a million runs."""
    plan = plan_of(encoder)
    values = noise_of(plan, Randomness.secure(), dtype=torch.float32, large=30_000)
    unit = values * BATCH / (1.5 * plan.noise_scale * 0.5)
    assert looks_right(unit, encoder)
    assert not looks_right(unit, Banded.independent())
    assert not looks_right(unit * 0.98, encoder)


def test_counts_of_short_gradients_are_correlated_like_gradients():
    """Thresholds move by what the counts' noise says, and by nothing else: batches are empty."""
    encoder = ENCODERS[2]
    plan = plan_of(encoder, clipping=Clipping(quantile=0.5, learning_rate=0.01))
    moved = []
    for seed in range(150):
        total = PrivateSum(plan, {"w": torch.zeros(1)}, Randomness.simulated(seed))
        steps = []
        for _ in range(STEPS):
            before = total.thresholds[0]
            total.finish()
            steps.append(np.log(before / total.thresholds[0]) / 0.01)
        moved.append(steps)
    deviation = plan.clipping.count_noise(1.5, BATCH, groups=1) * plan.noise_scale
    values = np.array(moved).T * BATCH / deviation
    assert looks_right(values, encoder)
    assert not looks_right(values, Banded.independent())


def network():
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    with torch.no_grad():
        for place, parameter in enumerate(model.parameters()):
            parameter.copy_(torch.linspace(-1, 1 + place, parameter.numel()).reshape(parameter.shape))
    return model


def fit(plan, randomness, **options):
    return rt.train(
        network(), (X, Y), plan=plan, optimizer=lambda p: torch.optim.SGD(p, lr=0.3), randomness=randomness, **options
    )


class Stopped(Exception):
    pass


def stop_after(steps):
    def progress(done, total):
        if done == steps:
            raise Stopped

    return progress


HOW = [
    {"correlation": ENCODERS[0]},
    {"correlation": ENCODERS[2]},
    {"correlation": ENCODERS[0], "noise_schedule": SCHEDULE, "clip_schedule": SCHEDULE},
    {"correlation": ENCODERS[2], "clipping": Clipping(quantile=0.5)},
]


@pytest.mark.parametrize("how", HOW, ids=["bands", "buffers", "schedules", "quantile"])
@pytest.mark.parametrize("stop", [1, 13])
def test_a_simulated_run_that_was_taken_up_repeats_to_the_bit(how, stop, tmp_path):
    plan = Plan(1.0, N, BATCH, STEPS, l2_clip_norm=0.5, delta=1e-3, sampling=Cyclic(10), **how)
    whole = fit(plan, Randomness.simulated(7))
    state = tmp_path / "run.state"
    with pytest.raises(Stopped):
        fit(plan, Randomness.simulated(7), state=state, save_every=1, progress=stop_after(stop))
    resumed = fit(plan, Randomness.simulated(7), state=state)
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert resumed.guarantee == whole.guarantee


def loop(private, steps):
    taken = 0
    while taken < steps:
        for x, y in private.loader:
            private.optimizer.zero_grad()
            torch.nn.functional.cross_entropy(private.model(x), y).backward()
            private.optimizer.step()
            taken += 1
            if taken == steps:
                return


def test_make_private_goes_on_too(tmp_path):
    plan = plan_of(ENCODERS[1])

    def start():
        model = network()
        loader = DataLoader(TensorDataset(X, Y), batch_size=BATCH, shuffle=True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
        return model, rt.make_private(model, optimizer, loader, plan=plan, randomness=Randomness.simulated(5))

    whole, private = start()
    loop(private, 9)
    path = private.save(tmp_path / "run.state")
    loop(private, STEPS - 9)
    other, again = start()
    again.restore(path)
    loop(again, STEPS - 9)
    for one, two in zip(whole.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    assert again.guarantee == private.guarantee
    assert again.guarantee.mechanisms == plan.guarantee().mechanisms


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_a_state_holds_past_noise_until_the_last_step_and_not_after(encoder, tmp_path):
    state = tmp_path / "run.state"
    with pytest.raises(Stopped):
        fit(plan_of(encoder), Randomness.secure(), state=state, save_every=1, progress=stop_after(5))
    kept = load_state(state)["sum"]["noise"]
    assert sum(float(piece["kept"].abs().sum()) for piece in kept.values()) > 0
    fit(plan_of(encoder), Randomness.secure(), state=state)
    assert load_state(state)["sum"]["noise"] == {}


def test_the_noise_in_a_state_takes_that_of_the_outputs_away(tmp_path):
    """Why a state is as secret as the data: with it, the sums of the last steps are bare."""
    plan = plan_of(Banded((1.0, 0.5, 0.25)))
    total = PrivateSum(plan, {"w": torch.zeros(3, dtype=torch.float64)}, Randomness.secure())
    total.add([Gathered.of({"w": torch.tensor([[0.3, 0.0, 0.4]], dtype=torch.float64)})])
    output = total.finish()["w"]
    (piece,) = total.state()["noise"].values()
    bare = output * BATCH - piece["kept"][0] * 1.5 * plan.noise_scale * 0.5
    np.testing.assert_allclose(bare, [0.3, 0.0, 0.4], atol=1e-12)


def test_lost_steps_share_no_noise_with_those_that_come(tmp_path):
    """Taken up two steps later than saved: noise as of a first step, of the right step's size."""
    plan = plan_of(ENCODERS[0], noise_schedule=SCHEDULE)
    first = PrivateSum(plan, {"w": torch.zeros(5, dtype=torch.float64)}, Randomness.simulated(1))
    for _ in range(6):
        first.finish()
    later = PrivateSum(plan, {"w": torch.zeros(5, dtype=torch.float64)}, Randomness.simulated(1))
    later.restore(first.state(), at=9)
    found = later.finish()["w"].numpy()
    wanted = Randomness.simulated(1).spawn("step 9").normal(5) * 3.0 * 1.5 * plan.noise_scale * 0.5 / BATCH
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    exact = PrivateSum(plan, {"w": torch.zeros(5, dtype=torch.float64)}, Randomness.simulated(1))
    exact.restore(first.state(), at=6)
    assert torch.equal(exact.finish()["w"], first.finish()["w"])


def test_a_state_without_its_noise_is_refused():
    total = PrivateSum(plan_of(ENCODERS[0]), {"w": torch.zeros(5)}, Randomness.simulated(1))
    total.finish()
    with pytest.raises(UsageError, match="Expected past noise in the state"):
        PrivateSum(plan_of(ENCODERS[0]), {"w": torch.zeros(5)}, Randomness.simulated(1)).restore(
            {**total.state(), "noise": {}}
        )


def test_a_run_that_was_killed_starts_its_noise_anew(tmp_path):
    """`kill -9` between two saves: the journal is ahead of the state, the run goes on after it, with fresh noise."""
    plan, state = plan_of(ENCODERS[0]), tmp_path / "run.state"
    child = os.fork()
    if not child:
        try:
            fit(
                plan,
                Randomness.secure(),
                state=state,
                save_every=5,
                progress=lambda done, _: time.sleep(600 * (done == 8)),
            )
        finally:
            os._exit(1)
    deadline = time.time() + 60
    journal = tmp_path / "run.state.spent"
    while not (journal.exists() and journal.read_text().strip().endswith("08")) and time.time() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    seen = []
    original = PrivateSum.restore

    def restore(self, saved, *, at=None):
        seen.append((saved["steps"], at))
        original(self, saved, at=at)
        assert self._stream.state() == {}

    PrivateSum.restore = restore
    try:
        run = fit(plan, Randomness.secure(), state=state)
    finally:
        PrivateSum.restore = original
    assert seen == [(5, 8)]
    assert run.guarantee.mechanisms == plan.guarantee().mechanisms


def test_no_noise_is_no_noise():
    found = noise_of(plan_of(ENCODERS[0], noise=0.0), Randomness.secure())
    assert not found.any()


def test_a_guarantee_counts_what_was_executed():
    plan = plan_of(ENCODERS[2])
    model = network()
    loader = DataLoader(TensorDataset(X, Y), batch_size=BATCH, shuffle=True)
    private = rt.make_private(model, torch.optim.SGD(model.parameters(), lr=0.3), loader, plan=plan)
    assert private.guarantee.epsilon(1e-3) == 0.0
    loop(private, 11)
    (release,) = private.guarantee.mechanisms
    assert (release.steps, release.participations) == (11, 2)
    assert private.guarantee.epsilon(1e-3) < plan.guarantee().epsilon(1e-3)


def _of_two(rank, folder, encoders):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    found = {}
    for place, encoder in enumerate(encoders):
        for name, source in (("simulated", Randomness.simulated(3)), ("secure", Randomness.secure())):
            total = PrivateSum(plan_of(encoder), parameters(), source, ranks=Ranks.of("all"))
            found[f"{name} {place}"] = noise_of_sum(total, 8)
            found[f"{name} {place} kept"] = total.state()["noise"] is not None
    np.savez(f"{folder}/found{rank}.npz", **found)
    torch.distributed.destroy_process_group()


def test_two_processes_make_the_noise_of_one(tmp_path):
    """Each draws for the numbers that it owns; a simulation is that of one process, to the bit."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_of_two, args=(rank, tmp_path, ENCODERS[1:])) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0, 0]
    one, other = (dict(np.load(tmp_path / f"found{rank}.npz")) for rank in range(2))
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])
    for place, encoder in enumerate(ENCODERS[1:]):
        alone = noise_of_sum(PrivateSum(plan_of(encoder), parameters(), Randomness.simulated(3)), 8)
        np.testing.assert_array_equal(one[f"simulated {place}"], alone)
        unit = one[f"secure {place}"] * BATCH / (1.5 * plan_of(encoder).noise_scale * 0.5)
        assert looks_right(unit, encoder)
        assert bool(one[f"simulated {place} kept"])
        assert not bool(one[f"secure {place} kept"])


def test_noise_that_was_not_saved_starts_anew():
    total = PrivateSum(plan_of(ENCODERS[0]), parameters(), Randomness.simulated(1))
    total.finish()
    other = PrivateSum(plan_of(ENCODERS[0]), parameters(), Randomness.simulated(1))
    other.restore({**total.state(), "noise": None})
    wanted = (
        Randomness.simulated(1).spawn("step 1").normal(20_000) * 1.5 * plan_of(ENCODERS[0]).noise_scale * 0.5 / BATCH
    )
    np.testing.assert_allclose(other.finish()["large"].numpy(), wanted, rtol=1e-12)
