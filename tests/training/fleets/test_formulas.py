"""Gradients by formula are those of autograd, model by model."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reticent.training.fleets import formulas
from reticent.training.fleets.formulas import Formulas
from reticent.training.fleets.layers import NoLayer

NETWORKS = {
    "linear": (lambda: nn.Linear(6, 3), (6,)),
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4, bias=False), nn.Linear(4, 3)), (6,)),
    "activation first": (lambda: nn.Sequential(nn.Tanh(), nn.Identity(), nn.Linear(6, 3)), (6,)),
    "flattened": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 3)), (6,)),
    "images": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
            nn.Sequential(nn.Conv2d(4, 6, (3, 2), stride=2, dilation=(1, 2), groups=2, bias=False), nn.Tanh()),
            nn.Flatten(), nn.ReLU(), nn.Linear(24, 3),
        ),
        (2, 9, 8),
    ),
    "pooled between activations": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Tanh(), nn.MaxPool2d(2), nn.ReLU(), nn.MaxPool2d(1),
            nn.MaxPool2d(1), nn.Flatten(), nn.Linear(3, 3),
        ),
        (2, 9, 8),
    ),
    "pooled first": (
        lambda: nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 3)), (2, 9, 8),
    ),
}  # fmt: skip


@pytest.mark.parametrize("at_once", [1, 2000, 10**9])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_autograd(name, at_once, monkeypatch):
    """A batch in parts of a row, of some, or as a whole; some rows count nothing."""
    monkeypatch.setattr(formulas, "_AT_ONCE", at_once)
    torch.random.manual_seed(1)
    build, shape = NETWORKS[name]
    models = [build().double() for _ in range(3)]
    x, y = torch.randn(20, *shape, dtype=torch.double), torch.randint(3, (20,))
    values = {n: torch.stack([dict(m.named_parameters())[n].detach() for m in models]) for n in dict(
        models[0].named_parameters()
    )}  # fmt: skip
    made = Formulas(models[0], (x, y))
    for rows in (torch.randint(20, (3, 7)), torch.randint(20, (3, 7)), torch.randint(20, (3, 2))):
        weights = torch.rand(rows.shape, dtype=torch.double)
        weights[1, 1:] = 0
        found = {n: torch.full_like(value, torch.nan) for n, value in values.items()}
        made.gradients(values, found, rows, weights)
        for k, model in enumerate(models):
            model.zero_grad()
            losses = nn.functional.cross_entropy(model(x[rows[k]].clone()), y[rows[k]], reduction="none")
            (losses * weights[k]).sum().backward()
            for n, parameter in model.named_parameters():
                torch.testing.assert_close(found[n][k], parameter.grad, rtol=1e-10, atol=1e-12)


def test_where_several_numbers_of_a_window_are_the_largest_the_gradient_goes_where_torch_lets_it_go():
    torch.random.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48, 2)
    ).double()
    x = torch.kron(torch.randint(2, (6, 1, 4, 4)), torch.ones(2, 2)).double()  # drawn in black and white, enlarged
    y = torch.arange(6) % 2
    values = {name: value.detach()[None] for name, value in network.named_parameters()}
    found = {name: torch.empty_like(value) for name, value in values.items()}
    Formulas(network, (x, y)).gradients(values, found, torch.arange(6)[None], torch.ones(1, 6).double())
    nn.functional.cross_entropy(network(x), y, reduction="sum").backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(found[name][0], parameter.grad, rtol=1e-10, atol=1e-12)


class Own(nn.Linear):
    """A subclass may do anything."""


def hooked():
    layer = nn.Linear(6, 3)
    layer.register_forward_hook(lambda *_: None)
    return layer


REFUSED = {
    "normalised": (lambda: nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4), nn.Linear(4, 3)), "LayerNorm"),
    "twice": (lambda: nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Identity(), nn.Tanh(), nn.Linear(4, 3)), "two acti"),
    "no linear end": (lambda: nn.Sequential(nn.Linear(6, 3), nn.ReLU()), "end with a linear"),
    "own": (lambda: Own(6, 3), "Own"),
    "hooked": (hooked, "hooks"),
    "frozen": (lambda: nn.Sequential(nn.Linear(6, 4).requires_grad_(False), nn.Linear(4, 3)), "frozen"),
    "in strings": (lambda: nn.Sequential(nn.Conv2d(2, 2, 3, padding="same"), nn.Linear(6, 3)), "Conv2d"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_formula_is_said(name):
    build, text = REFUSED[name]
    with pytest.raises(NoLayer, match=text):
        Formulas(build(), (torch.zeros(4, 6), torch.zeros(4, dtype=torch.long)))


def test_shared_parameters_and_other_records_are_refused():
    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    network[2].weight = network[0].weight
    labels = torch.zeros(4, dtype=torch.long)
    with pytest.raises(NoLayer, match="shared"):
        Formulas(network, (torch.zeros(4, 3), labels))
    for x, y in ((torch.zeros(4, 2, 3), labels), (labels[:, None], labels), (torch.zeros(4, 3), labels.double())):
        with pytest.raises(NoLayer, match="rows or images"):
            Formulas(nn.Linear(3, 3), (x, y))
