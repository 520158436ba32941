"""Which gradients the optimizer sees: those that a private step wrote, and no others.

Promise: a gradient that did not come through the examples of a batch (a penalty in the loss, a second loss on the
network itself) is refused before the step, and one on a parameter that is not trained is dropped: neither was clipped,
and neither carries noise.

Example:
    >>> import torch
    >>> from reticent.training.written import Written
    >>> weight = torch.nn.Parameter(torch.zeros(2))
    >>> written = Written(["weight"])
    >>> written.write({"weight": weight}, {"weight": torch.ones(2)})
    >>> written.refuse_others({"weight": weight})  # its own
    >>> weight.grad = torch.full((2,), 3.0)
    >>> written.refuse_others({"weight": weight})
    Traceback (most recent call last):
    reticent.errors.UsageError: Expected gradients from the private model's outputs only, but weight has another one...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from reticent.errors import UsageError
from reticent.training.sharding import local

__all__ = ["Written", "optimized_names"]


class Written:
    """What the last private step put into the gradients of these parameters."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._last: dict[str, tuple[Any, int]] = {}

    def refuse_others(self, parameters: Mapping[str, torch.nn.Parameter]) -> None:
        """A gradient that did not come through the examples would be lost without a word.

        Raises:
            UsageError: there is one.
        """
        for name in self._names:
            present = parameters[name].grad
            written, version = self._last.get(name, (None, 0))
            if present is None or (present is written and present._version == version):
                continue  # nothing there, or what the last step put there
            if bool(local(present).any()):
                raise UsageError(
                    f"Expected gradients from the private model's outputs only, but {name} has another one.",
                    "Put penalties on parameters into the optimizer (weight_decay), and call private.model, not the "
                    "network itself.",
                )

    def drop_others(self, optimizer: torch.optim.Optimizer, parameters: Mapping[str, torch.nn.Parameter]) -> None:
        """What was frozen when the training was made private must not move: its gradients would carry no noise.

        Raises:
            UsageError: it is not frozen any more.
        """
        private = {id(parameters[name]) for name in self._names}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) in private:
                    continue
                if parameter.requires_grad:
                    raise UsageError(
                        "Expected the trainable parameters that make_private saw, got others in the optimizer.",
                        "Unfreeze parameters, and add parameter groups, before make_private.",
                    )
                parameter.grad = None

    def write(self, parameters: Mapping[str, torch.nn.Parameter], ready: Mapping[str, torch.Tensor]) -> None:
        """Hand noisy gradients to the optimizer; none at all where nothing is ready.

        Without gradients an optimizer moves nothing and remembers nothing: so it is between the parts of a batch.
        """
        self._last.clear()
        for name in self._names:
            written = ready[name].to(parameters[name].dtype) if name in ready else None
            parameters[name].grad = written
            if written is not None:
                self._last[name] = (written, written._version)


def optimized_names(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[str]:
    """The names of the parameters that an optimizer trains.

    Raises:
        UsageError: it has others, too.
    """
    mine = {id(parameter): name for name, parameter in model.named_parameters()}
    optimized = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if any(id(parameter) not in mine for parameter in optimized):
        raise UsageError(
            "Expected an optimizer over the parameters of this model only, got one over others.",
            "Build it with model.parameters().",
        )
    chosen = {id(parameter) for parameter in optimized if parameter.requires_grad}
    return [name for key, name in mine.items() if key in chosen]
