"""What an ordinary loop could do wrong, and what cannot be promised, is refused with the remedy."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, WeightedRandomSampler

from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training import make_private

N = 60
DATA = TensorDataset(torch.zeros(N, 4), torch.arange(N) % 2)
PLAN = Plan(1.0, N, 6, 30, delta=1e-3)


def attempt(model=None, optimizer=None, loader=None, **options):
    model = nn.Linear(4, 2) if model is None else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1) if optimizer is None else optimizer
    loader = DataLoader(DATA, batch_size=6, shuffle=True) if loader is None else loader
    options = options or {"plan": PLAN}
    return make_private(model, optimizer, loader, randomness=Randomness.simulated(3), **options)


def not_empty(private):
    """The loader's batches that hold something; the others get their step."""
    for x, y in private.loader:
        if len(x):
            yield x, y
        else:
            private.optimizer.step()


def forward(private, x, y):
    nn.functional.cross_entropy(private.model(x), y).backward()


def test_a_batch_from_elsewhere_is_refused():
    private = attempt()
    x, y = next(not_empty(private))
    with pytest.raises(ValueError, match=f"drew a batch of {len(x)} and the model saw a batch of {len(x) + 1}"):
        _step_on(private, torch.zeros(len(x) + 1, 4), torch.zeros(len(x) + 1, dtype=torch.int64))
    assert len(y) == len(x)


def _step_on(private, x, y):
    forward(private, x, y)
    private.optimizer.step()


def test_a_step_without_the_loader_is_refused():
    private = attempt()
    with pytest.raises(ValueError, match="drew no batch and the model saw a batch of 5"):
        _step_on(private, torch.zeros(5, 4), torch.zeros(5, dtype=torch.int64))


def test_a_step_without_a_forward_pass_is_refused():
    private = attempt()
    x, _ = next(not_empty(private))
    with pytest.raises(ValueError, match=f"drew a batch of {len(x)} and the model saw no batch"):
        private.optimizer.step()


def test_a_forward_pass_of_the_original_network_is_refused():
    private = attempt()
    x, y = next(not_empty(private))
    nn.functional.cross_entropy(private.model.module(x), y).backward()
    with pytest.raises(ValueError, match="the model saw no batch"):
        private.optimizer.step()


def test_a_second_forward_pass_is_refused():
    private = attempt()
    x, y = next(not_empty(private))
    forward(private, x, y)
    with pytest.raises(ValueError, match="got a second one before"):
        private.model(x)


def test_a_second_step_is_refused_and_changes_nothing():
    private = attempt()
    _step_on(private, *next(not_empty(private)))
    before = private.model.module.weight.clone()
    with pytest.raises(ValueError, match="drew no batch and the model saw no batch"):
        private.optimizer.step()
    assert torch.equal(private.model.module.weight, before)


def test_a_skipped_step_is_refused():
    """Skipping batches whose loss is NaN, or which are empty, lets the data choose which steps are taken."""
    private = attempt()
    batches = iter(private.loader)
    next(batches)
    with pytest.raises(ValueError, match=r"step\(\) for every batch"):
        next(batches)
    assert private.guarantee.mechanisms[0].count == 1


@pytest.mark.parametrize("how", ["argument", "name"])
def test_closures_are_refused(how):
    private = attempt()
    x, y = next(not_empty(private))
    forward(private, x, y)

    def closure():
        return private.model(x).sum()

    with pytest.raises(ValueError, match="without a closure"):
        private.optimizer.step(closure) if how == "argument" else private.optimizer.step(closure=closure)


def test_optimizers_that_need_a_closure_are_refused():
    model = nn.Linear(4, 2)
    private = attempt(model, torch.optim.LBFGS(model.parameters()))
    x, y = next(not_empty(private))
    forward(private, x, y)
    with pytest.raises(ValueError, match="without a closure"):
        private.optimizer.step(lambda: private.model(x).sum())


def test_parameters_that_are_unfrozen_later_are_refused():
    """They would be trained on gradients without noise."""
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[0].requires_grad_(False)
    private = attempt(model)
    model[0].requires_grad_(True)
    before = model[0].weight.clone()
    with pytest.raises(ValueError, match="Unfreeze parameters"):
        _step_on(private, *next(not_empty(private)))
    assert torch.equal(model[0].weight, before)


def test_parameter_groups_that_are_added_later_are_refused():
    private = attempt()
    private.optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]})
    with pytest.raises(ValueError, match="got others in the optimizer"):
        _step_on(private, *next(not_empty(private)))


def test_gradients_left_on_frozen_parameters_are_not_applied():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    nn.functional.cross_entropy(model(torch.ones(N, 4)), DATA.tensors[1]).backward()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    private = attempt(model)
    _step_on(private, *next(not_empty(private)))
    assert torch.equal(model[0].weight, before)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(DATA)


WEIGHTED = WeightedRandomSampler(torch.ones(N), N)
PAIRS = torch.utils.data.BatchSampler(range(N), 2, drop_last=False)


@pytest.mark.parametrize(
    ("loader", "text"),
    [
        (lambda: DataLoader(DATA, batch_size=6, sampler=WEIGHTED), "got WeightedRandomSampler.*balance classes"),
        (lambda: DataLoader(DATA, batch_sampler=PAIRS), "a loader that shuffles plainly"),
        (lambda: DataLoader(DATA, batch_size=None), "a loader that shuffles plainly"),
        (lambda: DataLoader(Stream(), batch_size=6), "got a stream"),
        (lambda: DataLoader(TensorDataset(torch.zeros(0, 4)), batch_size=6), "got an empty data set"),
        (lambda: [torch.zeros(3, 4)], "Expected a torch DataLoader, got list"),
    ],
)
def test_loaders_that_the_accounting_does_not_cover(loader, text):
    with pytest.raises(ValueError, match=text):
        attempt(loader=loader())


def test_an_ordered_loader_is_sampled_at_random():
    private = attempt(loader=DataLoader(TensorDataset(torch.arange(N)[:, None]), batch_size=6))
    rows = next(iter(private.loader))[0].flatten()
    assert rows.tolist() != list(range(len(rows)))


def test_an_optimizer_with_other_parameters_is_refused():
    model = nn.Linear(4, 2)
    other = [*model.parameters(), nn.Parameter(torch.ones(1))]
    with pytest.raises(ValueError, match="over the parameters of this model only"):
        attempt(model, torch.optim.SGD(other, lr=0.1))


def test_only_the_optimizers_parameters_are_trained():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    before = model[0].weight.clone()
    private = attempt(model, torch.optim.SGD(model[1].parameters(), lr=0.1))
    _step_on(private, *next(not_empty(private)))
    assert set(private.model._trainable) == {"1.weight", "1.bias"}
    assert torch.equal(model[0].weight, before)


def test_mixing_networks_are_refused():
    with pytest.raises(ValueError, match=r"1 \(BatchNorm1d\) mixes them"):
        attempt(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)))


TARGETS = {"target_epsilon": 3.0, "target_delta": 1e-3, "epochs": 2}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"plan": Plan(1.0, N + 1, 6, 30, delta=1e-3)}, "this data set of 60 records, got one for 61"),
        ({"plan": PLAN, **TARGETS}, "either a plan, or what"),
        ({"plan": PLAN, "epochs": 2}, "either a plan, or what"),
        ({"target_epsilon": 3.0}, "got no target_delta and no epochs"),
        ({"target_delta": 1e-3, "epochs": 1}, "got no target_epsilon"),
        ({**TARGETS, "target_delta": 1 / N}, "target|delta < 1/n"),
        ({**TARGETS, "target_delta": 3.0, "target_epsilon": 1e-3}, "Did you swap epsilon and delta"),
        ({**TARGETS, "target_epsilon": 0.0}, "epsilon > 0"),
        ({**TARGETS, "target_epsilon": float("nan")}, "epsilon > 0"),
        ({**TARGETS, "epochs": -1}, "epochs > 0"),
        ({**TARGETS, "l2_clip_norm": 0.0}, "l2_clip_norm > 0"),
        ({"plan": PLAN, "loss_reduction": "means"}, "Did you mean 'mean'"),
        ({"plan": PLAN, "loss_reduction": "none"}, "loss_reduction to be one of mean, sum"),
    ],
)
def test_values_that_promise_nothing_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        attempt(**options)


def test_randomness_must_be_a_randomness():
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="Expected a Randomness, got randomness=7"):
        make_private(model, optimizer, DataLoader(DATA, batch_size=6), plan=PLAN, randomness=7)
