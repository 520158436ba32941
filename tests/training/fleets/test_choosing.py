"""Stacks are used where they are exact and pay; what stands against it is said."""

from __future__ import annotations

import functools
import logging
import re

import pytest
import torch
from torch import nn

import reticent as rt
from reticent.errors import UsageError
from reticent.training.fleets import choosing
from reticent.training.fleets.choosing import choose


class Mixing(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


class Drawing(nn.Module):
    def forward(self, x):
        return x + 0.1 * torch.randn(x.shape)


class Branching(nn.Module):
    def forward(self, x):
        return x if float(x.sum()) > 0 else -x


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen = self.seen + 1
        return x


class Hidden(nn.Module):
    """Numbers of its own that are neither parameter nor buffer."""

    def __init__(self):
        super().__init__()
        self.numbers = torch.rand(4)

    def forward(self, x):
        return x * self.numbers


def with_layer(layer):
    return lambda: nn.Sequential(nn.Linear(5, 4), layer(), nn.Linear(4, 3))


SHARED = nn.Linear(5, 3)
weights = functools.partial(nn.functional.cross_entropy, weight=torch.tensor([1.0, 3.0, 9.0]))

REFUSED = {
    "dropout": ({"build": with_layer(nn.Dropout)}, "draws random numbers"),
    "noise": ({"build": with_layer(Drawing)}, "draws random numbers"),
    "batch norm": ({"build": with_layer(lambda: nn.BatchNorm1d(4))}, r"could not be tried|differ"),
    "mixing": ({"build": with_layer(Mixing)}, "differ"),
    "branching": ({"build": with_layer(Branching)}, "could not be tried side by side"),
    "counting": ({"build": with_layer(Counting)}, r"could not be tried|differ"),
    "hidden": ({"build": with_layer(Hidden)}, "differ"),
    "weighted loss": ({"loss": weights}, "no term for each example"),
    "shared": ({"build": lambda: nn.Sequential(SHARED)}, "the same network again"),
    "optimizer": ({"optimizer": torch.optim.LBFGS}, "LBFGS"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_not_be_exact_is_trained_one_by_one(name, recipe, table, streams):
    options, text = REFUSED[name]
    way = choose(recipe(**options), table, streams)
    assert (way.name, way.together) == ("one by one", 1)
    assert re.search(text, way.reason), way.reason
    with pytest.raises(UsageError, match=text):
        choose(recipe(**options), table, streams, "stacked")


def test_a_small_network_is_stacked_and_it_is_said(recipe, table, streams, caplog):
    with caplog.at_level(logging.INFO, "reticent.training.fleets"):
        way = choose(recipe(), table, streams, "stacked")
    assert way.name == "by hand"
    assert 1 < way.together <= 6
    assert way.seconds > 0
    assert "by hand" in caplog.text
    own = choose(recipe(with_layer(lambda: nn.Softmax(-1))), table, streams, "stacked")
    assert own.name == "vmap"


def test_where_it_does_not_pay_it_is_not_done(recipe, table, streams, monkeypatch):
    monkeypatch.setattr(choosing._Measured, "_one_by_one", lambda *_: 1.0)
    monkeypatch.setattr(choosing._Measured, "_together", lambda *_: 2.0)
    way = choose(recipe(), table, streams)
    assert (way.name, way.reason) == ("one by one", "side by side is not faster (0.50 times)")
    assert choose(recipe(), table, streams, "stacked").is_stacked


@pytest.mark.parametrize(("best", "expected"), [(4, 4), (32, 32), (1000, 128)])
def test_the_best_number_together_is_found(best, expected, recipe, table, streams, monkeypatch):
    monkeypatch.setattr(choosing._Measured, "_one_by_one", lambda *_: 1e-6)
    monkeypatch.setattr(choosing, "_LEAST_SECONDS", 60.0)
    monkeypatch.setattr(choosing._Measured, "_together", lambda _, n, *more: 1e-7 * max(n / best, best / n))
    assert choose(recipe(), table, streams * 100).together == expected


def test_little_work_is_not_measured_for_long(recipe, table, streams, monkeypatch):
    tried = []
    monkeypatch.setattr(choosing._Measured, "_one_by_one", lambda *_: 1.0)
    monkeypatch.setattr(choosing._Measured, "_together", lambda _, n, *more: (tried.append(n), 0.5)[1])
    choose(recipe(epochs=1), table, streams)
    assert tried == [2]


def test_others_are_trained_one_by_one(recipe, table, streams):
    plan = rt.Plan(1.0, dataset_size=30, batch_size=5, steps=2, delta=1e-3)
    private = rt.Recipe(lambda: nn.Linear(5, 3), torch.optim.SGD, plan=plan)
    assert choose(private, table, streams).reason == "the recipe has a plan"
    assert choose(lambda r, s: None, table, streams).reason == "only a reticent.Recipe can be trained side by side"
    assert choose(recipe(), table, streams[:1]).reason == "there is one model only"
    assert choose(recipe(), table, streams, "one by one").reason == "asked for"
    with pytest.raises(UsageError, match="ways"):
        choose(recipe(), table, streams, "fast")


def test_the_trial_leaves_generators_alone(recipe, table, streams):
    before = torch.get_rng_state()
    choose(recipe(with_layer(nn.Dropout)), table, streams)
    choose(recipe(), table, streams)
    assert torch.equal(before, torch.get_rng_state())


def test_a_recipe_without_a_network_is_refused(recipe, table, streams):
    with pytest.raises(UsageError, match="builds a torch module with parameters"):
        choose(recipe(nn.ReLU), table, streams)


@pytest.mark.parametrize("place", ["register_hook", "register_post_accumulate_grad_hook"])
def test_hooks_on_parameters_are_not_lost(table, streams, place):
    def network():
        made = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
        getattr(made[0].weight, place)(lambda value: None)
        return made

    recipe = rt.Recipe(network, lambda p: torch.optim.SGD(p, lr=0.1), epochs=1, batch_size=8)
    way = choose(recipe, table, streams)
    assert not way.is_stacked
    assert "hooks" in way.reason


def test_an_optimizer_with_a_step_of_its_own_is_trained_one_by_one(table, streams):
    def optimizer(parameters):
        made = torch.optim.SGD(parameters, lr=0.1)
        made.step = lambda: None
        return made

    recipe = rt.Recipe(lambda: nn.Linear(5, 3).double(), optimizer, epochs=1, batch_size=8)
    assert "step of its own" in choose(recipe, table, streams).reason
