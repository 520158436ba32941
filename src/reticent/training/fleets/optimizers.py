"""One optimizer for a whole stack of models.

Promise: every step changes each model of the stack as the optimizer of that model alone would, up to rounding. Taken
are torch's own optimizers that treat every number of a parameter by itself, in `ELEMENTWISE`; one that looks at a
parameter as a whole (`Adafactor`, `Muon`, `LBFGS`), a class derived from one of them, a `step` of its own,
schedules, hooks, closures and settings that
are tensors or differ between models are refused.

Example:
    >>> import torch
    >>> from reticent.training.fleets.optimizers import stacked_optimizer
    >>> models = [torch.nn.Linear(2, 1) for _ in range(3)]
    >>> stacked = {n: torch.stack([dict(m.named_parameters())[n].detach() for m in models]) for n in ("weight", "bias")}
    >>> stacked_optimizer(lambda p: torch.optim.Adam(p, lr=0.1), models, stacked).param_groups[0]["lr"]
    0.1
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import optim
from torch.optim import optimizer

__all__ = ["ELEMENTWISE", "NotElementwise", "flat_optimizer", "keep_flat", "shorten", "stacked_optimizer"]

ELEMENTWISE: tuple[type[optim.Optimizer], ...] = (
    optim.SGD,
    optim.Adam,
    optim.AdamW,
    optim.NAdam,
    optim.RAdam,
    optim.Adamax,
    optim.RMSprop,
    optim.Adagrad,
    optim.Adadelta,
    optim.Rprop,
)
"""Optimizers that treat every number by itself, in torch 2.6 and later."""

_FOR_ALL = ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks")
_HOOKS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")


class NotElementwise(Exception):
    """An optimizer that cannot be shared by a stack; the text says why."""


def stacked_optimizer(
    make: Callable[[Any], optim.Optimizer], models: Sequence[torch.nn.Module], stacked: Mapping[str, torch.Tensor]
) -> optim.Optimizer:
    """The optimizer of all the models together, over the stacked tensors.

    Args:
        make: a function from parameters to an optimizer, called once for each model: it may look at them.
        models: in the order of the stack.
        stacked: name to (models, ...) tensor; those that are trained require gradients.

    Raises:
        NotElementwise: one that cannot be shared.
    """
    kind, settings = _shared(make, models)
    return kind([_group(group, [stacked[name] for name in group["params"]]) for group in settings])  # type: ignore[call-arg]


def flat_optimizer(
    make: Callable[[Any], optim.Optimizer], models: Sequence[torch.nn.Module], stacked: Mapping[str, torch.Tensor]
) -> tuple[optim.Optimizer, list[list[str]]]:
    """The same over one vector for each of its groups: the first parameter of all models, the second one, and so on.

    One pass over one piece of memory costs less than one over many, and each stacked parameter is one piece, as batched
    products want it. The vectors do not require gradients: whoever calls writes them.

    Returns:
        The optimizer, and for every group the names whose numbers lie in it, in order.

    Raises:
        NotElementwise: one that cannot be shared.
    """
    kind, settings = _shared(make, models)
    names = [group["params"] for group in settings]
    if sorted(name for group in names for name in group) != sorted(stacked):
        raise NotElementwise("the optimizer leaves parameters out")
    groups = []
    for group in settings:
        flat = torch.cat([stacked[name].detach().flatten() for name in group["params"]])
        groups.append(_group(group, [flat]))
    return kind(groups), names  # type: ignore[call-arg]


def _shared(
    make: Callable[[Any], optim.Optimizer], models: Sequence[torch.nn.Module]
) -> tuple[type[optim.Optimizer], list[dict[str, Any]]]:
    """The kind of all the models' optimizers and their groups' settings, with names in place of parameters."""
    settings: list[list[dict[str, Any]]] = []
    kind: type[optim.Optimizer] | None = None
    for model in models:
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        made = make(trained)
        if type(made) not in ELEMENTWISE:
            raise NotElementwise(f"{type(made).__name__} is not known to treat every number by itself")
        _refuse_changed(made)
        if kind not in (None, type(made)):
            raise NotElementwise("the models have different optimizers")
        kind = type(made)
        groups = _settings(made, model)
        if settings and groups != settings[0]:
            raise NotElementwise("the optimizers of the models have different settings")
        settings.append(groups)
    if kind is None:
        raise NotElementwise("there is no model")
    return kind, settings[0]


def _refuse_changed(made: optim.Optimizer) -> None:
    """Whatever the stack's optimizer, which is made from settings alone, would not do."""
    if any(getattr(made, place, None) for place in _HOOKS) or any(vars(optimizer).get(name) for name in _FOR_ALL):
        raise NotElementwise("the optimizer has hooks")
    replaced = sorted(name for name in vars(made) if hasattr(type(made), name))
    if replaced:  # by a schedule, which does so too, or by hand
        raise NotElementwise(f"the optimizer has a {replaced[0]} of its own, or a schedule")
    groups = [{key: value for key, value in group.items() if key != "param_names"} for group in made.param_groups]
    fresh = type(made)(groups)  # type: ignore[call-arg]
    if not _equal(dict(made.state), dict(fresh.state)):
        raise NotElementwise("the optimizer already remembers something")


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return bool(one == other)


def _settings(made: optim.Optimizer, model: torch.nn.Module) -> list[dict[str, Any]]:
    """Its groups, with names in place of parameters."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = []
    for group in made.param_groups:
        settings = {key: value for key, value in group.items() if key not in ("params", "param_names")}
        if any(isinstance(value, torch.Tensor) for value in settings.values()) or settings.get("differentiable"):
            raise NotElementwise("the optimizer has settings that are tensors, or is differentiated itself")
        if any(id(parameter) not in names for parameter in group["params"]):
            raise NotElementwise("the optimizer is over parameters that are not the model's")
        groups.append({**settings, "params": [names[id(parameter)] for parameter in group["params"]]})
    return groups


def _group(settings: dict[str, Any], tensors: list[torch.Tensor]) -> dict[str, Any]:
    group: dict[str, Any] = {**settings, "params": tensors}
    on_processor = all(value.device.type == "cpu" for value in group["params"])
    if "fused" in group and group["fused"] is None and group.get("foreach") is None and on_processor:
        group["fused"] = True  # the same arithmetic in one pass over the memory
    return group


def shorten(optimizer: optim.Optimizer, models: int) -> None:
    """Keep the first models of the stack only, in parameters and in what the optimizer remembers of them."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            shape = parameter.shape
            parameter.data = parameter.data[:models].clone()
            parameter.grad = None
            state = optimizer.state.get(parameter, {})
            for key, value in state.items():
                if isinstance(value, torch.Tensor) and value.shape == shape:
                    state[key] = value[:models].clone()


def keep_flat(optimizer: optim.Optimizer, sizes: Sequence[Sequence[int]], models: int, kept: torch.Tensor) -> None:
    """Keep some models only, in the order given, of a `flat_optimizer` and of what it remembers.

    Args:
        optimizer: that.
        sizes: for every group, how many numbers of one model each parameter has.
        models: how many there are.
        kept: their places.
    """
    for group, each in zip(optimizer.param_groups, sizes, strict=True):
        (flat,) = group["params"]
        shape, pieces = flat.shape, [models * size for size in each]

        def rest(value: torch.Tensor, pieces: list[int] = pieces) -> torch.Tensor:
            return torch.cat([piece.view(models, -1)[kept].flatten() for piece in value.split(pieces)])

        flat.data, flat.grad = rest(flat.data), None
        state = optimizer.state.get(flat, {})
        for key, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == shape:
                state[key] = rest(value)
