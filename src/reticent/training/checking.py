"""`check_model`: does the network treat every example by itself, and how will its gradients be found?

Promise: one example is perturbed, and no other example's output, nor the gradient of its term, may move; if one does,
the module that let it through is named. The network is left as it was. A network that passes may still mix examples on
other inputs than the ones tried; private training does not rest on this check: there every example is run by itself.

Example:
    >>> import torch, reticent as rt
    >>> x = torch.randn(8, 3, 6, 6)
    >>> good = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.GroupNorm(2, 8), torch.nn.Flatten())
    >>> rt.check_model(good, x).looped
    False
    >>> class Centred(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x - x.mean(0)
    >>> rt.check_model(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), Centred(), torch.nn.Flatten()), x)
    Traceback (most recent call last):
    reticent.errors.ModelError: Expected a network that treats examples one by one, but 1 (Centred) lets example 0 ...
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from reticent.errors import ModelError, UsageError
from reticent.training.engine import record, structures
from reticent.training.gradients import PerExampleModel, refuse_mixing
from reticent.training.losses import Loss, reduction_of, varied_rows
from reticent.training.seeding import unchanged_generators
from reticent.training.sharding import is_spread

__all__ = ["ModelCheck", "check_model", "perturbed"]

_FEW = 5
_PERTURBED = 3
_TOLERANCE = 1e-6  # of the largest number, in double precision
_TOLERANCE_SINGLE = 1e-3


@dataclasses.dataclass(frozen=True)
class ModelCheck:
    """What was found out about a network that passed.

    Attributes:
        looped: whether the network does something that vmap cannot, so that private training runs example by example.
        copied: parameters of which some use has no rule, so that every example gets its own copy for that use: exact,
            but costs memory for large ones.
        reduction: "mean", "sum" or "none", if a loss was given.
        perturbed: how many examples were perturbed.
    """

    looped: bool
    copied: tuple[str, ...]
    reduction: str | None
    perturbed: int

    @property
    def text(self) -> str:
        """In words."""
        lines = [f"Perturbing {self.perturbed} examples, one at a time, moved no other example's output or gradient."]
        if self.looped:
            lines.append("Slow: examples run one by one, because the network does what vmap cannot (see the docs).")
        if self.copied:
            lines.append(f"Copied for each example, for some use: {', '.join(self.copied)}.")
        if self.reduction is not None:
            lines.append(f"The loss is the {self.reduction} of one term per example.")
        return "\n".join(lines)


def check_model(model: torch.nn.Module, batch: Any, *, loss: Loss | None = None) -> ModelCheck:
    """Try a network on a few examples before a private training.

    Args:
        model: in the mode in which it will be trained.
        batch: the network's inputs, a tensor or a tuple of tensors with the batch as first dimension; with a `loss`,
            the targets come last.
        loss: called as loss(outputs, targets); tried as `make_private` tries it.

    Raises:
        ModelError: the network mixes examples (the module at fault is named), or keeps something of a batch.
        UsageError: a network that is sharded already; fewer than two examples; a loss that is not made of one term per
            example.
    """
    refuse_mixing(model)
    if is_spread(model):
        raise UsageError(
            "Expected a network that one process holds, got one that is sharded: it cannot be copied to be tried.",
            "Check it before fully_shard.",
        )
    values = list(batch) if isinstance(batch, tuple | list) else [batch]
    inputs = tuple(values[:-1] if loss is not None else values)
    if not inputs:
        raise UsageError("Expected the network's inputs, got none.", "Pass (inputs, targets) with a loss.")
    if structures.examples_in(inputs, {}, 1) < 2:
        raise UsageError("Expected at least two examples, got fewer.", "One example alone cannot show a leak.")
    reduction = None
    if loss is not None:
        if not isinstance(values[-1], torch.Tensor) or len(values[-1]) != structures.examples_in(inputs, {}, 1):
            raise UsageError(
                "Expected as many targets as examples, got others.", "Pass (inputs, targets) with one target for each."
            )
        rows = varied_rows(values[-1].cpu()) if len(inputs) == 1 else []
        if len(rows) > 1:
            reduction = reduction_of(loss, model, inputs[0][rows], values[-1][rows])
    few = tuple(value[:_FEW] if isinstance(value, torch.Tensor) else value for value in inputs)
    with unchanged_generators():
        tried = _Tried(model)
        perturbed = min(_PERTURBED, len(next(value for value in few if isinstance(value, torch.Tensor))))
        for example in range(perturbed):
            tried.perturb(few, example)
        looped, copied = _how(model, few)
    return ModelCheck(looped, copied, reduction, perturbed)


class _Tried:
    """A copy of the network in double precision, if it can be had."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._tolerance = _TOLERANCE
        try:
            self._model = copy.deepcopy(model).double()
        except Exception:
            self._model, self._tolerance = copy.deepcopy(model), _TOLERANCE_SINGLE
        self._names = {module: name for name, module in self._model.named_modules()}
        self._wide = self._tolerance == _TOLERANCE
        self._state = torch.get_rng_state()

    def perturb(self, inputs: tuple[Any, ...], example: int) -> None:
        """Raise if another example's output or gradient moves with this example."""
        before = self._seen(inputs)
        after = self._seen(tuple(perturbed(value, example) for value in inputs))
        moved = self._moved(before[0], after[0], example) or self._moved(before[1], after[1], example)
        if moved:
            culprit = self._culprit(before[2], after[2], example)
            raise ModelError(
                f"Expected a network that treats examples one by one, but {culprit} lets example {example} change what "
                "comes out for others.",
                "Replace what computes over the batch (means, batch normalisation, sorting, contrastive terms).",
            )

    def _seen(self, inputs: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[tuple[str, list[Any]]]]:
        """Outputs by example, gradients by example, and every module's outputs in the order in which they ran."""
        torch.set_rng_state(self._state)  # the same dropout both times
        trace: list[tuple[str, list[Any]]] = []

        def remember(module: torch.nn.Module, _: Any, output: Any) -> None:
            found = [leaf.detach().clone() for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor)]
            trace.append((f"{self._names[module] or 'the network'} ({type(module).__name__})", found))

        hooks = [module.register_forward_hook(remember) for module in self._names]
        wide = tuple(_wide(value) if self._wide else value for value in inputs)
        try:
            outputs = self._model(*wide)
        finally:
            for hook in hooks:
                hook.remove()
        leaves = [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]
        size = len(next(value for value in inputs if isinstance(value, torch.Tensor)))
        parameters = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        gradients = []
        for i in range(size):
            term = sum(
                (leaf[i] ** 2).sum() for leaf in leaves if leaf.requires_grad and leaf.ndim and len(leaf) == size
            )
            if not isinstance(term, torch.Tensor):
                break
            found = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
            gradients.append(torch.cat([g.reshape(-1) for g in found if g is not None] or [term.new_zeros(1)]))
        rows = [leaf.detach() for leaf in leaves if leaf.ndim and len(leaf) == size]
        return rows, [torch.stack(gradients)] if gradients else [], trace

    def _moved(self, before: list[torch.Tensor], after: list[torch.Tensor], example: int) -> bool:
        return any(self._differ(one, other, example, 0) for one, other in zip(before, after, strict=True))

    def _differ(self, one: torch.Tensor, other: torch.Tensor, example: int, dimension: int) -> bool:
        if one.shape != other.shape:
            return True
        keep = [i for i in range(one.shape[dimension]) if i != example]
        one, other = (value.movedim(dimension, 0)[keep].double() for value in (one, other))
        same = torch.isclose(one, other, rtol=self._tolerance, atol=self._tolerance, equal_nan=True)
        return not bool(same.all())

    def _culprit(self, before: list[tuple[str, Any]], after: list[tuple[str, Any]], example: int) -> str:
        """The first module to finish whose output moved for others: those inside a module finish before it."""
        size = len(before[-1][1][0]) if before and before[-1][1] else 0
        for (name, ones), (_, others) in zip(before, after, strict=False):
            for one, other in zip(ones, others, strict=False):
                places = [place for place, n in enumerate(one.shape) if n == size]
                if places and one.shape == other.shape and self._differ(one, other, example, places[0]):
                    return name
        return "something outside of its modules"


def _how(model: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[bool, tuple[str, ...]]:
    """Whether a private forward pass loops, and which parameters it copies."""
    private = PerExampleModel(model)
    was_training = private.training = model.training  # of the whole only: a part may be in another mode
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    if was_training:
        private(*inputs)  # refuses a network that keeps something of the batch
        private.forget()
    _, recording = record(model, names, inputs, {})
    return recording.looped, recording.copied


def perturbed(value: Any, example: int) -> Any:
    """An input in which one example holds other numbers: of another example, or twice its own and one."""
    if not isinstance(value, torch.Tensor):
        return value
    changed = value.clone()
    if value.is_floating_point():
        changed[example] = 2 * value[example] + 1
    else:
        other = next((i for i in range(len(value)) if not torch.equal(value[i], value[example])), example)
        changed[example] = value[other]
    return changed


def _wide(value: Any) -> Any:
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
