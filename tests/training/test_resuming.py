"""A training that was interrupted after any step ends with the same parameters and the same guarantee."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import reticent as rt
from reticent.errors import IntegrityError, UsageError
from reticent.training.seeding import seeded
from reticent.training.state import save_state

X = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()
STEPS = 8
PLAN = rt.Plan(1.0, 50, 10, STEPS, delta=1e-3, clipping=rt.Clipping(quantile=0.5))


def network():
    with seeded(rt.Randomness.simulated(3)):
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))


def started(plan=PLAN, seed=4, model=None, optimizer=torch.optim.Adam, **options):
    model = network() if model is None else model
    loader = DataLoader(TensorDataset(X, Y), batch_size=10, shuffle=True)
    made = optimizer(model.parameters(), lr=0.01)
    return rt.make_private(model, made, loader, plan=plan, randomness=rt.Randomness.simulated(seed), **options)


def go_on(private, until=STEPS):
    while private.loader.drawn < until:
        for x, y in private.loader:
            nn.functional.cross_entropy(private.model(x), y).backward()
            private.optimizer.step()
            if private.loader.drawn == until and private.loader.between_batches:
                break


def numbers_of(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


@pytest.mark.parametrize("options", [{}, {"physical_batch_size": 3}, {"views": 2}])
def test_interrupted_after_every_step(tmp_path, options):
    with seeded(rt.Randomness.simulated(9)):
        whole = started(**options)
        go_on(whole)
    with seeded(rt.Randomness.simulated(9)):
        for step in range(STEPS):
            private = started(**options)
            if step:
                private.restore(tmp_path / "run.state")
            assert private.loader.drawn == step
            go_on(private, step + 1)
            private.save(tmp_path / "run.state")
            torch.rand(7)  # whoever ran in between used torch's generator
    assert torch.equal(numbers_of(private.model.module), numbers_of(whole.model.module))
    assert private.guarantee == whole.guarantee
    assert private.guarantee.epsilon(1e-3) == PLAN.guarantee().epsilon(1e-3)


@pytest.mark.parametrize("plan", [PLAN, None])
def test_train_goes_on_from_its_file(tmp_path, plan):
    class Stop(Exception):
        pass

    def stop(done, total):
        if done % 3 == 2:
            raise Stop

    options = {"plan": plan} if plan is not None else {"epochs": 2, "batch_size": 13}
    source = rt.Randomness.simulated(6)
    whole = rt.train(network(), (X, Y), randomness=source, **options)
    path, attempts = tmp_path / "run.state", 0
    while True:
        attempts += 1
        try:
            run = rt.train(
                network(),
                (X, Y),
                randomness=source,
                state=path,
                save_every=1,
                progress=stop if attempts < 4 else None,
                **options,
            )
            break
        except Stop:
            continue
    assert attempts > 2
    assert torch.equal(numbers_of(run.model), numbers_of(whole.model))
    assert run.guarantee == whole.guarantee
    assert run.steps == whole.steps
    again = rt.train(network(), (X, Y), randomness=source, state=path, **options)  # nothing is left to do
    assert torch.equal(numbers_of(again.model), numbers_of(whole.model))


def test_a_secure_run_goes_on_under_the_same_promise(tmp_path):
    loader = DataLoader(TensorDataset(X, Y), batch_size=10, shuffle=True)
    for step in range(STEPS):
        model = network()
        private = rt.make_private(model, torch.optim.SGD(model.parameters(), lr=0.1), loader, plan=PLAN)
        if step:
            private.restore(tmp_path / "run.state")
        go_on(private, step + 1)
        private.save(tmp_path / "run.state")
    assert private.guarantee.epsilon(1e-3) == PLAN.guarantee().epsilon(1e-3)
    assert "simulation" not in private.guarantee.text(1e-3)


def test_what_belongs_to_another_training_is_refused_and_nothing_changes(tmp_path):
    private = started()
    go_on(private, 2)
    path = private.save(tmp_path / "run.state")
    wide = nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 2))
    others = {
        "plan": started(rt.Plan(2.0, 50, 10, STEPS, delta=1e-3)),
        "randomness": started(seed=5),
        "optimizer": started(optimizer=torch.optim.SGD),
        "network": started(model=wide),
    }
    for what, other in others.items():
        before = numbers_of(other.model.module)
        with pytest.raises(UsageError, match=f"its {what} differs"):
            other.restore(path)
        assert torch.equal(numbers_of(other.model.module), before)
    with pytest.raises(IntegrityError, match="state of a training"):
        started().restore(save_state(tmp_path / "other", {"x": 1}))


def test_saving_and_restoring_in_the_middle_is_refused(tmp_path):
    private = started(physical_batch_size=3)
    batches = iter(private.loader)
    x, y = next(batches)
    with pytest.raises(UsageError, match="not stepped on"):
        private.save(tmp_path / "a")
    nn.functional.cross_entropy(private.model(x), y).backward()
    private.optimizer.step()
    if not private.loader.between_batches:
        with pytest.raises(UsageError, match="not stepped on"):
            private.save(tmp_path / "a")
    with pytest.raises(UsageError, match="before the first batch"):
        private.restore(tmp_path / "a")
