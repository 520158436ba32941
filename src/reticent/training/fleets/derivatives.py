"""Layers of many models at once with their derivatives written out, for `formulas`.

Promise: `part_of` gives a layer's values and, from the gradient of its outputs, those of its inputs and parameters, for
every model of a stack, up to rounding, or says that there is no formula. It takes exactly `nn.Linear`, `nn.Conv2d`
(zeros around), `nn.MaxPool2d`, `nn.Flatten`, `nn.Identity` and the activations in `ACTIVATIONS`.

How: with g the gradient of W a + b, those of W, b and a are g a^T, the sum of g over records, and W^T g. Records come
last, so that every factor of a product is read as it lies. Images are one convolution with a group for each model
(`layers`), the channels last in memory. An activation overwrites its values: its derivative follows from its result.

Shapes: values (models, features, rows), or images (rows, models x channels, height, width).

Example:
    >>> import torch
    >>> from reticent.training.fleets.derivatives import Room, Site, part_of
    >>> part, site = part_of(torch.nn.ReLU(), ""), Site("0", {}, {}, Room(torch.zeros(0)), adds=False)
    >>> values, saved = part.forward(site, torch.tensor([[[-1.0, 2.0]]]))
    >>> part.backward(site, saved, torch.tensor([[[3.0, 3.0]]]), further=True).tolist()
    [[[0.0, 3.0]]]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn

from reticent.training.engine import products
from reticent.training.fleets.layers import NoLayer, is_large, often

__all__ = ["ACTIVATIONS", "Part", "Room", "Site", "is_pooling", "keep_memory", "part_of"]

_aten = torch.ops.aten


class Room:
    """Memory that is asked for once: asking the system again in every step takes longer than what is computed.

    Args:
        like: a tensor of the type, and on the device, that are wanted.
    """

    def __init__(self, like: torch.Tensor) -> None:
        self._like = like
        self._had: dict[tuple[str, tuple[int, ...]], torch.Tensor] = {}

    def __call__(self, name: str, *shape: int) -> torch.Tensor:
        """The tensor of this name and shape, with whatever it holds."""
        key = (name, shape)
        if key not in self._had:
            self._had[key] = self._like.new_empty(shape)
        return self._had[key]


def keep_memory() -> None:
    """Let the allocator keep what layers give back between steps, instead of asking the system again for each.

    glibc serves blocks from memory that it keeps up to the size of the largest one that was ever freed, but for those
    beyond 32 MiB (mallopt(3), "dynamic mmap threshold"). So one just below is asked for, never written, and freed:
    what happens anyway in a process that works on larger tensors. With other allocators nothing happens.
    """
    torch.empty((32 << 20) - (1 << 16), dtype=torch.uint8)


class Site(NamedTuple):
    """Where a layer works: at this place of these networks, with this memory."""

    place: str
    values: Mapping[str, torch.Tensor]
    found: Mapping[str, torch.Tensor]
    room: Room
    adds: bool

    def memory(self, name: str, *shape: int) -> torch.Tensor:
        """Memory of this place's own."""
        return self.room(f"{self.place} {name}", *shape)

    def put(self, name: str, gradient: torch.Tensor) -> None:
        """Write a parameter's gradient, or add it to what is there."""
        self.found[name].add_(gradient) if self.adds else self.found[name].copy_(gradient)


class Part(Protocol):
    """A layer."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of its parameters."""

    def forward(self, site: Site, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """Its outputs, and what `backward` needs."""

    def backward(self, site: Site, saved: Any, gradient: torch.Tensor, *, further: bool) -> torch.Tensor:
        """Write the parameters' gradients, or add them to what is there; returns the inputs', if wanted further."""


@dataclasses.dataclass(frozen=True)
class _Linear:
    names: tuple[str, ...]

    def forward(self, site: Site, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        weight = site.values[self.names[0]]
        bias = site.values[self.names[1]][:, :, None] if len(self.names) > 1 else None
        out = site.memory("out", len(x), weight.shape[1], x.shape[2])
        if is_large(x, weight.shape[1]):
            for k in range(len(x)):
                out[k] = products.rows(weight[k], x[k].T, times=often)
            if bias is not None:
                out.add_(bias)
        elif bias is None:
            torch.bmm(weight, x, out=out)
        else:
            torch.baddbmm(bias, weight, x, out=out)
        return out, x

    def backward(self, site: Site, saved: Any, gradient: torch.Tensor, *, further: bool) -> torch.Tensor:
        x, of_weight = saved, site.found[self.names[0]]
        if site.adds:
            of_weight.baddbmm_(gradient, x.transpose(1, 2))
        elif is_large(x, gradient.shape[1]):
            for k in range(len(x)):
                of_weight[k] = products.rows(gradient[k], x[k], times=often)
        else:
            torch.bmm(gradient, x.transpose(1, 2), out=of_weight)
        if len(self.names) > 1:
            site.put(self.names[1], gradient.sum(2))
        if not further:
            return gradient
        back, weight = site.memory("back", *x.shape), site.values[self.names[0]].transpose(1, 2)
        if not is_large(gradient, x.shape[1]):
            return torch.bmm(weight, gradient, out=back)
        for k in range(len(x)):
            back[k] = products.rows(weight[k], gradient[k].T, times=often)
        return back


@dataclasses.dataclass(frozen=True)
class _Convolution:
    names: tuple[str, ...]
    module: nn.Conv2d

    def forward(self, site: Site, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        weight = site.values[self.names[0]]
        groups = len(weight) * self.module.groups
        side = weight.reshape(-1, *weight.shape[2:]).contiguous(memory_format=torch.channels_last)
        bias = site.values[self.names[1]].reshape(-1) if len(self.names) > 1 else None
        out: torch.Tensor = _aten.conv2d(x, side, bias, *self._how(), groups)
        return out, (x, side, groups)

    def backward(self, site: Site, saved: Any, gradient: torch.Tensor, *, further: bool) -> torch.Tensor:
        x, side, groups = saved
        wanted = [further, True, len(self.names) > 1]
        parts = _aten.convolution_backward(gradient, x, side, [len(side)], *self._how(), False, [0, 0], groups, wanted)
        for name, part in zip(self.names, parts[1:], strict=False):
            site.put(name, part.reshape(site.found[name].shape))
        back: torch.Tensor = parts[0] if further else gradient
        return back

    def _how(self) -> tuple[Any, ...]:
        return self.module.stride, self.module.padding, self.module.dilation


@dataclasses.dataclass(frozen=True)
class _Pooling:
    module: nn.MaxPool2d
    names: tuple[str, ...] = ()

    def forward(self, site: Site, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        out, where = _aten.max_pool2d_with_indices(x, *self._how())
        return out, (x, where)

    def backward(self, site: Site, saved: Any, gradient: torch.Tensor, *, further: bool) -> torch.Tensor:
        x, where = saved
        back: torch.Tensor = _aten.max_pool2d_with_indices_backward(gradient, x, *self._how(), where)
        return back

    def _how(self) -> tuple[Any, ...]:
        module = self.module
        sizes = (module.kernel_size, module.stride, module.padding, module.dilation)
        return *([size] * 2 if isinstance(size, int) else list(size) for size in sizes), module.ceil_mode


@dataclasses.dataclass(frozen=True)
class _Flattening:
    """Images to (models, features, rows)."""

    names: tuple[str, ...] = ()

    def forward(self, site: Site, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        if x.ndim != 4:
            return x, None
        models, (rows, channels, *sizes) = len(next(iter(site.values.values()))), x.shape
        split = x.view(rows, models, channels // models, *sizes)
        out = site.memory("out", models, rows, split[0, 0].numel())
        out.view(models, rows, *split.shape[2:]).copy_(split.transpose(0, 1))
        return out.transpose(1, 2), split.shape

    def backward(self, site: Site, saved: Any, gradient: torch.Tensor, *, further: bool) -> torch.Tensor:
        if saved is None:
            return gradient
        rows, models, channels, *sizes = saved
        images = gradient.transpose(1, 2).reshape(models, rows, channels, *sizes).transpose(0, 1)
        return images.reshape(rows, models * channels, *sizes).contiguous(memory_format=torch.channels_last)


@dataclasses.dataclass(frozen=True)
class _Activation:
    function: Callable[[torch.Tensor], Any]
    derivative: Callable[[torch.Tensor, torch.Tensor], Any]  # of gradient and result; overwrites the gradient
    names: tuple[str, ...] = ()

    def forward(self, site: Site, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        self.function(x)
        return x, x

    def backward(self, site: Site, saved: Any, gradient: torch.Tensor, *, further: bool) -> torch.Tensor:
        self.derivative(gradient, saved)
        return gradient


ACTIVATIONS: Mapping[type[nn.Module], Part] = {
    nn.ReLU: _Activation(torch.relu_, lambda g, a: _aten.threshold_backward.grad_input(g, a, 0, grad_input=g)),
    nn.Tanh: _Activation(torch.tanh_, lambda g, a: _aten.tanh_backward.grad_input(g, a, grad_input=g)),
    nn.Sigmoid: _Activation(torch.sigmoid_, lambda g, a: _aten.sigmoid_backward.grad_input(g, a, grad_input=g)),
}
"""Those whose derivative follows from their result."""


def is_pooling(part: Part) -> bool:
    """Whether it gives the largest number of each window."""
    return isinstance(part, _Pooling)


def part_of(module: Any, prefix: str) -> Part | None:
    """A layer's formulas; None where it does nothing.

    Args:
        module: the layer.
        prefix: what its parameters' names begin with.

    Raises:
        NoLayer: there are none.
    """
    kind = type(module)
    names = tuple(f"{prefix}{name}" for name in ("weight", "bias") if getattr(module, name, None) is not None)
    if kind is nn.Linear:
        return _Linear(names)
    if kind is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str):
        return _Convolution(names, module)
    if kind is nn.MaxPool2d and not module.return_indices:
        return _Pooling(module)
    if kind is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
        return _Flattening()
    if kind in ACTIVATIONS:
        return ACTIVATIONS[kind]
    if kind is nn.Identity:
        return None
    raise NoLayer(f"there is no formula for {prefix.rstrip('.') or 'the network'} ({kind.__name__})")
