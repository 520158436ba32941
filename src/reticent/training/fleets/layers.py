"""Layers of many models at once, by hand: one product of matrices or one grouped convolution for a whole stack.

Promise: `batched_by_hand` gives a function that computes for every model of a stack what the network computes with that
model's parameters, up to rounding, or says which module it has no such function for. Only modules of exactly the types
listed here are taken, without hooks and without a `forward` of their own; a subclass may do anything.

How: a linear layer is one batched product. Images travel as (rows, models x channels, height, width) with the channels
last in memory: a convolution of all models is then one convolution with a group for each model, and pooling, which is
slow one number at a time, runs over the channels of all models side by side.

Shapes: x is (models, rows, ...); a parameter is (models, ...) of its own shape.

Example:
    >>> import torch
    >>> from reticent.training.fleets.layers import batched_by_hand
    >>> network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> stacked = {name: torch.stack([value, -value]) for name, value in network.named_parameters()}
    >>> x = torch.randn(5, 3)
    >>> out = batched_by_hand(network)(stacked, torch.stack([x, x]))
    >>> out.shape, bool(torch.allclose(out[0], network(x), atol=1e-6))
    (torch.Size([2, 5, 2]), True)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from reticent.training.engine import products

__all__ = ["NoLayer", "Stacked", "batched_by_hand", "is_large", "modules_of", "often", "widest"]

_LARGE = 3e6  # operations of one model's product; a call costs as much as some 5e5 of them
_NARROW = 32
often = 1000
"""Steps, for which a product is prepared once."""

Stacked = Callable[[Mapping[str, torch.Tensor], torch.Tensor], torch.Tensor]
"""Called as stacked(parameters, x): the outputs (models, rows, ...) of all models."""


class NoLayer(Exception):
    """A module that has no function here; the text names it."""


@dataclasses.dataclass
class _Flow:
    """Values on their way through a network.

    Attributes:
        values: (models, rows, ...), or (rows, models x channels, height, width) if `images`.
        models: how many.
        images: in which of the two forms they are.
        fresh: that nothing else needs them, so that they may be overwritten: half the memory to go through.
    """

    values: torch.Tensor
    models: int
    images: bool = False
    fresh: bool = False

    def as_rows(self) -> torch.Tensor:
        """(models, rows, ...)"""
        if self.images:
            rows, _, *sizes = self.values.shape
            return self.values.reshape(rows, self.models, -1, *sizes).transpose(0, 1)
        return self.values

    def as_images(self) -> torch.Tensor:
        """(rows, models x channels, height, width), channels last in memory."""
        if self.images:
            return self.values
        if self.values.ndim != 5:
            raise NoLayer(f"images are expected in a batch, got values of shape {tuple(self.values.shape[1:])}")
        _, rows, channels, *sizes = self.values.shape
        side = self.values.transpose(0, 1).reshape(rows, self.models * channels, *sizes)
        return side.contiguous(memory_format=torch.channels_last)


_Parameters = Mapping[str, torch.Tensor]
_Rule = Callable[[Any, str, _Parameters, _Flow], _Flow]


def batched_by_hand(network: nn.Module) -> Stacked:
    """The network as a function of stacked parameters and inputs.

    Raises:
        NoLayer: a module that is not among those known here.
    """
    chain = [(_known_rule(module, prefix), module, prefix) for module, prefix in modules_of(network)]

    def stacked(parameters: _Parameters, x: torch.Tensor) -> torch.Tensor:
        flow = _Flow(x, len(x))
        for rule, module, prefix in chain:
            flow = rule(module, prefix, parameters, flow)
        return flow.as_rows()

    return stacked


def modules_of(module: nn.Module | None, prefix: str = "") -> list[tuple[nn.Module, str]]:
    """The modules that inputs go through one after the other, with what their parameters' names begin with.

    Raises:
        NoLayer: one of them may do more than its type says.
    """
    if module is None:
        raise NoLayer("a part of the network is missing")
    if "forward" in module.__dict__ or _hooked(module):
        raise NoLayer(f"{_named(module, prefix)} has hooks, or a forward of its own")
    if type(module) is nn.Sequential:  # `named_children` would leave a module out where it stands again
        return [step for name, part in module._modules.items() for step in modules_of(part, f"{prefix}{name}.")]
    return [(module, prefix)]


def widest(network: nn.Module, x: torch.Tensor) -> int:
    """How many numbers come out of the module with the largest outputs, for one of the records x."""
    most = 1

    def seen(module: nn.Module, given: Any, out: Any) -> None:
        nonlocal most
        most = max(most, out.numel() if isinstance(out, torch.Tensor) else 1)

    hooks = [module.register_forward_hook(seen) for module in network.modules()]
    try:
        with torch.no_grad():
            network(x[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return most


def _known_rule(module: nn.Module, prefix: str) -> _Rule:
    rule = _rule(module)
    if rule is None:
        raise NoLayer(f"{_named(module, prefix)} is not among the layers that are batched by hand")
    return rule


def _named(module: nn.Module, prefix: str) -> str:
    return f"{prefix.rstrip('.') or 'the network'} ({type(module).__name__})"


def _hooked(module: nn.Module) -> bool:
    places = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, place, None) for place in places)


def _rule(module: Any) -> _Rule | None:
    kind = type(module)
    if kind in _ELEMENTWISE:
        return _elementwise
    if kind is nn.Conv2d:
        return _convolution if module.padding_mode == "zeros" else None
    if kind is nn.Flatten:
        return _flatten if (module.start_dim, module.end_dim) == (1, -1) else None
    if kind is nn.MaxPool2d:
        return None if module.return_indices else _image_wise
    if kind in (nn.Dropout, nn.Dropout2d, nn.AlphaDropout):
        return _nothing if module.p == 0 else None
    return _OTHERS.get(kind)


def _elementwise(module: nn.Module, prefix: str, parameters: _Parameters, flow: _Flow) -> _Flow:
    # Else never in place: what a module would overwrite is shared between models, or needed again.
    if isinstance(module, nn.ReLU):
        rectified = torch.relu_(flow.values) if flow.fresh else torch.relu(flow.values)
        return _Flow(rectified, flow.models, flow.images)
    inplace = getattr(module, "inplace", False)
    values = flow.values.clone() if inplace else flow.values
    return _Flow(module(values), flow.models, flow.images)


def _nothing(module: nn.Module, prefix: str, parameters: _Parameters, flow: _Flow) -> _Flow:
    return flow


def _linear(module: nn.Linear, prefix: str, parameters: _Parameters, flow: _Flow) -> _Flow:
    x, weight = flow.as_rows(), parameters[prefix + "weight"]
    bias = None if module.bias is None else parameters[prefix + "bias"]
    flat = x if x.ndim == 3 else x.reshape(flow.models, -1, x.shape[-1])
    out: torch.Tensor = _Products.apply(flat, weight, bias)  # type: ignore[no-untyped-call]
    if x.ndim == 3:  # narrow products are views of something that autograd must know
        return _Flow(out, flow.models, fresh=weight.shape[1] >= _NARROW)
    return _Flow(out.reshape(*x.shape[:-1], -1), flow.models)


class _Products(torch.autograd.Function):
    """(models, rows, in) and (models, out, in) to (models, rows, out).

    torch's own derivative of a product with a transposed factor is transposed too, and copying it into place takes as
    long as the product.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        if is_large(x, weight.shape[1]):
            biases = [None] * len(x) if bias is None else bias.unbind()
            parts = zip(x.unbind(), weight.unbind(), biases, strict=True)
            return torch.stack([products.rows(a, b, c, times=often) for a, b, c in parts])
        if weight.shape[1] < _NARROW:  # few outputs: rows side by side are multiplied twice as fast
            turned = x.transpose(1, 2)
            out = torch.bmm(weight, turned) if bias is None else torch.baddbmm(bias[:, :, None], weight, turned)
            return out.transpose(1, 2)
        if bias is None:
            return torch.bmm(x, weight.transpose(1, 2))
        return torch.baddbmm(bias[:, None], x, weight.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        (left,) = gradients
        of_x, of_weight, of_bias = ctx.needs_input_grad
        found = None
        if of_weight and is_large(x, weight.shape[1]):
            parts = zip(left.unbind(), x.unbind(), strict=True)
            found = torch.stack([products.rows(a.T, b.T, times=often) for a, b in parts])
        elif of_weight:
            found = torch.bmm(left.transpose(1, 2), x)
        return torch.bmm(left, weight) if of_x else None, found, left.sum(1) if of_bias else None


def is_large(x: torch.Tensor, outputs: int) -> bool:
    """Whether each model's product by itself is worth a call, to the library that is fastest at it.

    Args:
        x: (models, rows, features) or (models, features, rows).
        outputs: of the layer.
    """
    return x.device.type == "cpu" and 2 * x[0].numel() * outputs >= _LARGE


def _flatten(module: nn.Flatten, prefix: str, parameters: _Parameters, flow: _Flow) -> _Flow:
    rows = flow.as_rows()
    return _Flow(rows if rows.ndim == 3 else rows.flatten(2), flow.models)


def _layer_norm(module: nn.LayerNorm, prefix: str, parameters: _Parameters, flow: _Flow) -> _Flow:
    x = flow.as_rows()
    out = functional.layer_norm(x, module.normalized_shape, eps=module.eps)
    if module.elementwise_affine:
        out = out * _beside(parameters[prefix + "weight"], x)
        if module.bias is not None:
            out = out + _beside(parameters[prefix + "bias"], x)
    return _Flow(out, flow.models)


def _beside(parameter: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """A parameter of the last dimensions, for every row of its own model."""
    between = x.ndim - parameter.ndim
    return parameter.reshape(len(parameter), *[1] * between, *parameter.shape[1:])


def _convolution(module: nn.Conv2d, prefix: str, parameters: _Parameters, flow: _Flow) -> _Flow:
    weight = parameters[prefix + "weight"]
    bias = parameters[prefix + "bias"].reshape(-1) if module.bias is not None else None
    out = functional.conv2d(
        flow.as_images(),
        weight.reshape(-1, *weight.shape[2:]).contiguous(memory_format=torch.channels_last),
        bias,
        module.stride,
        module.padding,
        module.dilation,
        flow.models * module.groups,
    )
    return _Flow(out, flow.models, images=True, fresh=True)


def _group_norm(module: nn.GroupNorm, prefix: str, parameters: _Parameters, flow: _Flow) -> _Flow:
    weight = parameters[prefix + "weight"].reshape(-1) if module.affine else None
    bias = parameters[prefix + "bias"].reshape(-1) if module.affine else None
    out = functional.group_norm(flow.as_images(), flow.models * module.num_groups, weight, bias, module.eps)
    return _Flow(out, flow.models, images=True, fresh=True)


def _image_wise(module: nn.Module, prefix: str, parameters: _Parameters, flow: _Flow) -> _Flow:
    return _Flow(module(flow.as_images()), flow.models, images=True)


_ELEMENTWISE = (
    nn.ReLU,
    nn.ReLU6,
    nn.Tanh,
    nn.Sigmoid,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.LeakyReLU,
    nn.Softplus,
    nn.Softsign,
    nn.LogSigmoid,
    nn.Hardtanh,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Identity,
)
_OTHERS: dict[type[nn.Module], _Rule] = {
    nn.Linear: _linear,
    nn.LayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
    nn.AvgPool2d: _image_wise,
    nn.AdaptiveAvgPool2d: _image_wise,
}
