"""One training, one count: from whichever of its states it goes on, and however often."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch.nn.functional import cross_entropy

import reticent as rt
from reticent.errors import UsageError
from reticent.privacy import Cyclic, Poisson, Shuffled
from reticent.training.journal import begun_in, journal_path

N = 60
DATA = torch.utils.data.TensorDataset(torch.randn(N, 3), torch.arange(N) % 2)


def start(sampler=None, **more):
    sampler = sampler or Poisson()
    plan = rt.Plan(
        1.0, dataset_size=N, batch_size=10, steps=30, delta=1e-3, sampling=sampler, relation=sampler.relations[0]
    )
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return rt.make_private(model, optimizer, torch.utils.data.DataLoader(DATA, batch_size=10), plan=plan, **more)


def take(private, until):
    while private.loader.drawn < until:
        for x, y in private.loader:
            cross_entropy(private.model(x), y).backward()
            private.optimizer.step()
            if private.loader.drawn == until:
                break


def test_all_states_of_a_training_share_its_count(tmp_path):
    first = start()
    for number in (8, 16):
        take(first, number)
        first.save(tmp_path / f"{number}.state")
    take(first, 20)
    (tmp_path / "deep").mkdir()
    first.save(tmp_path / "deep" / "20.state")
    second = start()
    second.restore(tmp_path / "16.state")
    assert second.loader.drawn == 20
    take(second, 30)
    for name in ("8.state", "deep/20.state"):
        third = start()
        third.restore(tmp_path / name)
        assert third.loader.drawn == 30  # all is spent, from wherever one goes on
    assert [path.name for path in tmp_path.rglob("*.spent")] == ["8.state.spent"]


def test_a_state_without_its_journal_is_refused(tmp_path):
    first = start()
    take(first, 8)
    first.save(tmp_path / "a.state")
    shutil.copy(tmp_path / "a.state", tmp_path / "b.state")
    copied = start()
    copied.restore(tmp_path / "b.state")  # it names the journal of the first
    assert copied.loader.drawn == 8
    journal_path(tmp_path / "a.state").unlink()
    with pytest.raises(UsageError, match="Expected the journal of this training"):
        start().restore(tmp_path / "a.state")


def test_a_mistyped_path_leaves_nothing_behind(tmp_path):
    with pytest.raises(UsageError, match="got no file"):
        start().restore(tmp_path / "no.state")
    assert list(tmp_path.iterdir()) == []


def test_a_new_training_may_be_saved_in_place_of_an_old_one(tmp_path):
    old = start()
    take(old, 8)
    old.save(tmp_path / "a.state")
    old.save(tmp_path / "kept.state")
    new = start()
    take(new, 3)
    new.save(tmp_path / "a.state")
    assert begun_in(journal_path(tmp_path / "a.state")) == 3
    with pytest.raises(UsageError, match="got another training's"):
        start().restore(tmp_path / "kept.state")
    # The old one is still running: it would count in the new one's journal.
    with pytest.raises(UsageError, match="the only training that goes on"):
        take(old, 9)


def test_two_that_go_on_from_one_state_are_noticed(tmp_path):
    first = start()
    take(first, 8)
    first.save(tmp_path / "a.state")
    one, other = start(), start()
    one.restore(tmp_path / "a.state")
    other.restore(tmp_path / "a.state")
    take(one, 9)
    with pytest.raises(UsageError, match="the only training that goes on"):
        take(other, 9)


@pytest.mark.parametrize("sampler", [Poisson(), Shuffled(), Cyclic(3)], ids=repr)
def test_a_loader_is_iterated_over_in_one_place_at_a_time(sampler):
    """Planted: an iterator that is left, and taken up after another has gone on, would give a batch twice."""
    private = start(sampler)
    left = iter(private.loader)
    x, y = next(left)
    cross_entropy(private.model(x), y).backward()
    private.optimizer.step()
    for x, y in private.loader:
        cross_entropy(private.model(x), y).backward()
        private.optimizer.step()
        if private.loader.drawn == 3:
            break
    with pytest.raises(UsageError, match="Expected batch 3 of the plan, got batch 1"):
        next(left)


def test_a_simulation_has_no_journal(tmp_path):
    private = start(randomness=rt.Randomness.simulated(1))
    take(private, 4)
    private.save(tmp_path / "a.state")
    assert [path.name for path in tmp_path.iterdir()] == ["a.state"]
    again = start(randomness=rt.Randomness.simulated(1))
    again.restore(tmp_path / "a.state")
    assert again.loader.drawn == 4
