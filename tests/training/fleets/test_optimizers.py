"""A stack's optimizer does to each model what the model's own would do, or is refused."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import nn, optim
from torch.optim.optimizer import register_optimizer_step_pre_hook

from reticent.training.fleets.optimizers import ELEMENTWISE, NotElementwise, flat_optimizer, shorten, stacked_optimizer

CASES = {kind.__name__: functools.partial(kind, lr=0.05) for kind in ELEMENTWISE} | {
    "momentum": functools.partial(optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "amsgrad": functools.partial(optim.AdamW, lr=0.1, amsgrad=True, weight_decay=0.1, maximize=True),
    "centered": functools.partial(optim.RMSprop, lr=0.01, momentum=0.5, centered=True),
    "foreach": functools.partial(optim.Adam, lr=0.1, foreach=True),
    "groups": lambda parameters: optim.SGD(
        [{"params": [p], "weight_decay": 0.3 if p.ndim > 1 else 0.0, "lr": 0.1 * p.ndim} for p in parameters], lr=1.0
    ),
}


def networks(count=4):
    torch.random.manual_seed(5)
    return [nn.Linear(3, 2).double() for _ in range(count)]


def stack_of(models):
    return {
        name: torch.stack([dict(model.named_parameters())[name].detach() for model in models]).requires_grad_()
        for name, _ in models[0].named_parameters()
    }


@pytest.mark.parametrize("name", CASES)
def test_every_model_moves_as_by_itself_also_when_others_have_left(name):
    make, models = CASES[name], networks()
    stacked = stack_of(models)
    optimizer = stacked_optimizer(make, models, stacked)
    own = [make(list(model.parameters())) for model in models]
    left = 4
    for step in range(9):
        if step == 5:
            left = 3
            shorten(optimizer, left)
        gradients = {n: torch.randn(4, *v.shape[1:], dtype=torch.double) for n, v in stacked.items()}
        for n, value in stacked.items():
            value.grad = gradients[n][:left].clone()
        optimizer.step()
        for k in range(left):
            for n, parameter in models[k].named_parameters():
                parameter.grad = gradients[n][k].clone()
            own[k].step()
    for k in range(left):
        for n, parameter in models[k].named_parameters():
            torch.testing.assert_close(stacked[n][k], parameter, rtol=1e-12, atol=1e-13)


def with_hook(parameters):
    made = optim.SGD(parameters, lr=0.1)
    made.register_step_pre_hook(lambda *_: None)
    return made


class Derived(optim.SGD):
    """May do anything."""


def by_value(parameters):
    return optim.SGD(parameters, lr=float(next(iter(parameters)).detach().abs().mean()))


def of_others(parameters):
    return optim.SGD([*parameters, nn.Parameter(torch.zeros(1))], lr=0.1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (optim.LBFGS, "LBFGS is not known"),
        (optim.Adafactor, "Adafactor is not known"),
        (functools.partial(Derived, lr=0.1), "Derived is not known"),
        (with_hook, "hooks"),
        (by_value, "different settings"),
        (of_others, "not the model's"),
        (lambda p: optim.Adam(p, lr=torch.tensor(0.1)), "tensors"),
    ],
)
def test_others_are_refused(make, text):
    models = networks()
    with pytest.raises(NotElementwise, match=text):
        stacked_optimizer(make, models, stack_of(models))


def test_optimizers_of_different_kinds_are_refused():
    kinds = iter([optim.SGD, optim.Adam])
    models = networks(2)
    with pytest.raises(NotElementwise, match="different optimizers"):
        stacked_optimizer(lambda p: next(kinds)(p, lr=0.1), models, stack_of(models))
    with pytest.raises(NotElementwise, match="no model"):
        stacked_optimizer(optim.SGD, [], {})


def _clipping(parameters):
    made = torch.optim.SGD(parameters, lr=0.1)
    step = made.step

    def clipped():
        torch.nn.utils.clip_grad_norm_([p for group in made.param_groups for p in group["params"]], 1e-3)
        return step()

    made.step = clipped
    return made


def _scheduled(parameters):
    made = torch.optim.SGD(parameters, lr=0.1)
    torch.optim.lr_scheduler.StepLR(made, 1)
    return made


def _warm(parameters):
    made = torch.optim.Adam(parameters)
    for parameter in made.param_groups[0]["params"]:
        parameter.grad = torch.ones_like(parameter)
    made.step()
    return made


@pytest.mark.parametrize(
    ("make", "why"),
    [(_clipping, "a step of its own"), (_scheduled, "schedule"), (_warm, "already remembers something")],
)
def test_what_was_done_to_an_optimizer_is_refused(make, why):
    models = [torch.nn.Linear(2, 1) for _ in range(2)]
    stacked = {
        name: torch.stack([dict(model.named_parameters())[name].detach() for model in models])
        for name in ("weight", "bias")
    }
    with pytest.raises(NotElementwise, match=why):
        stacked_optimizer(make, models, stacked)


def test_hooks_of_all_optimizers_are_refused():
    handle = register_optimizer_step_pre_hook(lambda *_: None)
    try:
        with pytest.raises(NotElementwise, match="hooks"):
            stacked_optimizer(torch.optim.Adagrad, [torch.nn.Linear(2, 1)], {})
    finally:
        handle.remove()


@pytest.mark.parametrize("name", CASES)
def test_flat_is_the_same(name):
    models = networks()
    stacked = stack_of(models)
    one, (other, names) = stacked_optimizer(CASES[name], models, stacked), flat_optimizer(CASES[name], models, stacked)
    assert sorted(name for group in names for name in group) == ["bias", "weight"]
    flats = [group["params"][0] for group in other.param_groups]
    for _ in range(3):
        for value in stacked.values():
            value.grad = torch.randn_like(value)
        for flat, group in zip(flats, names, strict=True):
            flat.grad = torch.cat([stacked[n].grad.flatten() for n in group])
        one.step()
        other.step()
    for flat, group in zip(flats, names, strict=True):
        expected = torch.cat([stacked[n].detach().flatten() for n in group])
        torch.testing.assert_close(flat, expected, rtol=1e-12, atol=1e-13)


def test_flat_needs_all_parameters():
    models = networks()
    with pytest.raises(NotElementwise, match="leaves parameters out"):
        flat_optimizer(lambda parameters: optim.SGD(parameters[:1], lr=0.1), models, stack_of(models))
