"""Fifty times `kill -9` at a random moment: what was spent is never below the truth, and nothing else is lost.

Children are forked from a process that holds torch already, and killed by the parent. Each writes down every noisy sum
that it computes, one byte for each, before the journal's word could be wrong: that is the truth.
"""

from __future__ import annotations

import os
import signal
import time

import pytest
import torch

import reticent as rt
from reticent.privacy import Cyclic, Poisson, RandomAllocation, Shuffled
from reticent.randomness import Randomness
from reticent.training.journal import begun_in, journal_path
from reticent.training.mechanism import PrivateSum

N, BATCH, STEPS = 60, 10, 60
X = torch.linspace(-1, 1, 4 * N).reshape(N, 4)
Y = (X[:, 0] > 0).long()


def plan_of(sampler):
    relation = sampler.relations[0]
    return rt.Plan(1.0, dataset_size=N, batch_size=BATCH, steps=STEPS, delta=1e-3, relation=relation, sampling=sampler)


def network():
    model = torch.nn.Linear(4, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return model


def fit(sampler, randomness, state=None, truth=None, pause=0.0):
    def progress(done, total):
        time.sleep(pause)

    original = PrivateSum.finish

    def finish(self):
        result = original(self)
        if truth is not None:
            with open(truth, "ab") as file:
                file.write(b".")
        return result

    PrivateSum.finish = finish
    try:
        return rt.train(
            network(), (X, Y), plan=plan_of(sampler), optimizer=lambda p: torch.optim.Adam(p, lr=0.1),
            randomness=randomness, state=state, save_every=5 if state else None, progress=progress,
        )  # fmt: skip
    finally:
        PrivateSum.finish = original


def killed(work, after):
    """Whether a child that does the work lived longer than so many seconds."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def moments(number, longest, seed):
    return (longest * Randomness.simulated(seed).uniform(number)).tolist()


@pytest.mark.slow
def test_a_simulation_that_was_killed_ends_where_an_uninterrupted_one_does(tmp_path):
    """25 kills over 5 trainings; parameters equal to the bit."""
    whole = fit(RandomAllocation(), Randomness.simulated(1))
    deaths = 0
    for turn, times in enumerate(zip(*[iter(moments(25, 0.25, 1))] * 5, strict=True)):
        state = tmp_path / f"{turn}.state"
        for after in times:
            deaths += killed(lambda: fit(RandomAllocation(), Randomness.simulated(1), state, pause=0.01), after)  # noqa: B023
        run = fit(RandomAllocation(), Randomness.simulated(1), state)
        for one, other in zip(run.model.parameters(), whole.model.parameters(), strict=True):
            assert torch.equal(one, other)
        assert run.guarantee.mechanisms == whole.guarantee.mechanisms
        assert not journal_path(state).exists()
    assert deaths >= 10  # otherwise nothing has been tried


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [Poisson(), RandomAllocation(), Shuffled(), Cyclic(3), Cyclic(2)], ids=repr)
def test_what_was_spent_is_never_below_the_truth(tmp_path, sampler):
    """Five kills for each of five samplers; after each, and at the end, at least as many batches as noisy sums."""
    state, truth = tmp_path / "run.state", tmp_path / "truth"
    truth.touch()
    deaths = 0
    for after in moments(5, 0.25, 2):
        deaths += killed(lambda: fit(sampler, Randomness.secure(), state, truth, pause=0.01), after)
        place = journal_path(state)
        assert begun_in(place) >= truth.stat().st_size
    run = fit(sampler, Randomness.secure(), state, truth)
    executed = truth.stat().st_size
    assert run.steps == STEPS >= executed
    # The whole guarantee is at least that of what was executed, and at most the plan's.
    charged = run.guarantee.epsilon(1e-3)
    assert plan_of(sampler).guarantee(steps=executed).epsilon(1e-3) <= charged
    assert charged == plan_of(sampler).guarantee().epsilon(1e-3)
    assert deaths >= 3


def test_a_planted_run_without_a_journal_spends_less_than_the_truth(tmp_path):
    """The check above would see it: a training that counts from its saved state only."""
    state, truth = tmp_path / "run.state", tmp_path / "truth"
    truth.touch()

    def stops(done, total):
        if done == 8:  # three steps after the last saved state
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rt.train(
            network(), (X, Y), plan=plan_of(Poisson()), optimizer=lambda p: torch.optim.Adam(p, lr=0.1), state=state,
            save_every=5, progress=stops,
        )  # fmt: skip
    place = journal_path(state)
    assert begun_in(place) == 8
    run = fit(Poisson(), Randomness.secure(), state, truth)
    assert truth.stat().st_size == STEPS - 8
    assert run.steps == STEPS
    # Planted: with the journal set back, three steps more are taken than are charged.
    other, count = tmp_path / "other.state", tmp_path / "count"
    count.touch()
    with pytest.raises(KeyboardInterrupt):
        rt.train(
            network(), (X, Y), plan=plan_of(Poisson()), optimizer=lambda p: torch.optim.Adam(p, lr=0.1), state=other,
            save_every=5, progress=stops,
        )  # fmt: skip
    whole = journal_path(other).read_bytes()
    assert whole.endswith(b"8\n")
    journal_path(other).write_bytes(whole[:-2] + b"5\n")
    fit(Poisson(), Randomness.secure(), other, count)
    assert 8 + count.stat().st_size > STEPS


def test_a_journal_without_its_state_is_not_overlooked(tmp_path):
    state = tmp_path / "run.state"
    fit(Poisson(), Randomness.secure(), state)
    state.unlink()
    with pytest.raises(rt.errors.UsageError, match="got its journal only, with 60 steps"):
        fit(Poisson(), Randomness.secure(), state)


def test_a_loop_of_ones_own_is_charged_for_what_a_stop_lost(tmp_path):
    def start():
        model = network()
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=BATCH, shuffle=True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        return rt.make_private(model, optimizer, loader, plan=plan_of(Poisson()))

    first = start()
    taken = 0
    path = tmp_path / "run.state"
    while taken < 9:
        for x, y in first.loader:
            torch.nn.functional.cross_entropy(first.model(x), y).backward()
            first.optimizer.step()
            taken += 1
            if taken == 5:
                first.save(path)
            if taken == 9:
                break
    second = start()
    second.restore(path)
    assert second.loader.drawn == 9
    assert second.guarantee.mechanisms == plan_of(Poisson()).guarantee(steps=9).mechanisms
    assert begun_in(journal_path(path)) == 9
