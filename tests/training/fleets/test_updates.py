"""Both ways of updating a stack do the same, also after models were put in order and some have left."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import nn

from reticent.training.fleets.layers import batched_by_hand
from reticent.training.fleets.losses import Terms
from reticent.training.fleets.updates import ByAutograd, ByFormula


def by_size(parameters):
    return torch.optim.SGD([{"params": [p], "lr": 0.1 * p.ndim} for p in parameters], lr=1.0, momentum=0.9)


@pytest.mark.parametrize("make", [functools.partial(torch.optim.Adam, lr=0.02), by_size])
def test_by_formula_and_by_autograd_agree(make):
    torch.random.manual_seed(3)
    models = [nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double() for _ in range(4)]
    inputs = torch.randn(30, 4, dtype=torch.double), torch.randint(3, (30,))
    names = dict(models[0].named_parameters())
    stacked = {n: torch.stack([dict(m.named_parameters())[n].detach() for m in models]) for n in names}
    trained = {name: value.clone().requires_grad_() for name, value in stacked.items()}
    terms = Terms(nn.functional.cross_entropy, "mean")
    ways = [ByFormula(models, stacked, make, inputs), ByAutograd(
        models, trained, make, inputs, batched_by_hand(models[0]), terms
    )]  # fmt: skip
    order = torch.tensor([2, 0, 3, 1])
    for way in ways:
        way.arrange(order)
    for running in (4, 4, 3, 3, 1, 1):
        rows, weights = torch.randint(30, (running, 5)), torch.rand(running, 5, dtype=torch.double)
        for way in ways:
            if len(next(iter(way.values.values()))) > running:
                way.shorten(running)
            way(rows, weights)
        for name, value in ways[0].values.items():
            torch.testing.assert_close(value, ways[1].values[name].detach(), rtol=1e-11, atol=1e-13)
            assert not torch.equal(value, stacked[name][order][:running])
