"""`check_model` passes what treats examples one by one, and names the module that does not."""

from __future__ import annotations

import pytest
import torch
from tests.training.engine.cases import CASES, Fn
from torch import nn

import reticent as rt
from reticent.errors import ModelError, UsageError
from reticent.randomness import Randomness
from reticent.training.seeding import seeded

X = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _fixed_weights():
    with seeded(Randomness.simulated(20)):
        yield


class Mean(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


class Sorted(nn.Module):
    def forward(self, x):
        return x.sort(0).values


class Contrast(nn.Module):
    def forward(self, x):
        return x / (x @ x.T).exp().sum(1, keepdim=True)


class Gate(nn.Module):
    """Looks at the batch only where an example is large: caught as soon as one is tried."""

    def forward(self, x):
        return x * (1 + (x.amax() > 2.5))


@pytest.mark.parametrize("part", [Mean, Sorted, Contrast, Gate])
def test_the_module_at_fault_is_named(part):
    model = nn.Sequential(
        nn.Linear(5, 4), nn.Sequential(nn.Tanh(), nn.Linear(4, 4, bias=False)), part(), nn.Linear(4, 2)
    )
    model[1][1].weight.data *= 3
    with pytest.raises(ModelError, match=rf"2 \({part.__name__}\) lets example \d change"):
        rt.check_model(model, X)


def test_batch_normalisation_and_running_statistics_are_refused_by_name():
    with pytest.raises(ModelError, match=r"1 \(BatchNorm1d\) mixes"):
        rt.check_model(nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)), X)
    with pytest.raises(ModelError, match="running statistics"):
        rt.check_model(nn.InstanceNorm1d(3, track_running_stats=True), torch.randn(4, 3, 5))


def test_what_happens_outside_of_modules_is_still_found():
    model = Fn(lambda self, x: self.a(x) + x.sum(0)[:2], a=nn.Linear(5, 2))
    with pytest.raises(ModelError, match=r"the network \(Fn\) lets example 0"):
        rt.check_model(model, X)


def test_a_leak_that_shows_in_gradients_only():
    """The output is the example's own; its gradient is scaled by the batch."""

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * ctx.saved_tensors[0].sum()

    model = Fn(lambda self, x: Scaled.apply(self.a(x)), a=nn.Linear(5, 2))
    with pytest.raises(ModelError, match="something outside of its modules lets example 0"):
        rt.check_model(model, X)


@pytest.mark.parametrize(
    "name",
    ["lstm, 1 layers, one way, bias True", "encoder layer", "tied, small", "class token and positions", "batch inside"],
)
def test_networks_that_are_fine_pass_in_any_mode(name):
    model, inputs = CASES[name]()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for mode in (True, False):
        model.double().train(mode)
        state = torch.get_rng_state()
        checked = rt.check_model(model, inputs)
        assert torch.equal(torch.get_rng_state(), state)
        assert model.training is mode
        assert checked.perturbed == 3
        assert not checked.looped
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_dropout_is_no_leak():
    assert "moved no other example's" in rt.check_model(nn.Sequential(nn.Linear(5, 9), nn.Dropout(0.5)), X).text


def test_it_tells_what_will_be_slow():
    found = rt.check_model(Fn(lambda self, x: self.a(x) * len(x.tolist()) / len(x), a=nn.Linear(5, 2)), X)
    assert found.looped
    assert "Slow: examples run one by one" in found.text
    copying = rt.check_model(nn.Bilinear(5, 5, 2), (X, X))
    assert copying.copied == ("weight", "bias")
    assert "weight, bias" in copying.text


def test_a_network_that_keeps_the_batch_is_refused():
    def forward(self, x):
        self.kept = x
        return self.a(x)

    with pytest.raises(ModelError, match="keeps nothing of the batch"):
        rt.check_model(Fn(forward, a=nn.Linear(5, 2)), X)


def test_the_loss_is_tried_if_there_is_one():
    model, y = nn.Linear(5, 2), torch.tensor([0, 1, 0, 1, 1, 0])
    cross_entropy = nn.functional.cross_entropy
    assert rt.check_model(model, (X, y), loss=cross_entropy).reduction == "mean"
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 9.0]))
    with pytest.raises(UsageError, match="one term per example"):
        rt.check_model(model, (X, y), loss=weighted)


def test_one_example_cannot_show_anything():
    with pytest.raises(UsageError, match="at least two examples"):
        rt.check_model(nn.Linear(5, 2), X[:1])
