"""The gradients of many networks at once under cross-entropy, by formula, a few rows at a time.

Promise: `Formulas` computes, up to rounding, what autograd computes for each model of a stack, or says why it has no
formula: it takes chains of the layers in `derivatives` that end with a linear one, and plain cross-entropy.

How: no graph is recorded, and values and gradients go into memory that stays where it is. With images, a batch goes
through the network in parts, so small that their values stay in the processor's cache, and gradients are added up. With
outputs z of a record, label y and weight w, the gradient of w * cross_entropy is w * (softmax(z) - onehot(y)); the
softmax runs over records side by side.

Shapes: parameters (models, ...), rows and weights (models, rows).

Example:
    >>> import torch
    >>> from reticent.training.fleets.formulas import Formulas
    >>> network, x, y = torch.nn.Linear(3, 2), torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
    >>> values = {name: value.detach()[None] for name, value in network.named_parameters()}
    >>> found = {name: torch.empty_like(value) for name, value in values.items()}
    >>> Formulas(network, (x, y)).gradients(values, found, torch.arange(5)[None], torch.full((1, 5), 0.2))
    >>> torch.nn.functional.cross_entropy(network(x), y).backward()
    >>> bool(torch.allclose(found["weight"][0], network.weight.grad, atol=1e-6))
    True
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from reticent.training.fleets.derivatives import ACTIVATIONS, Part, Room, Site, is_pooling, part_of
from reticent.training.fleets.layers import NoLayer, modules_of, widest

__all__ = ["Formulas"]

_AT_ONCE = 840_000  # numbers of the widest layer of images, of all models: 3.4 MB


class Formulas:
    """The gradients of a stack of networks.

    Args:
        network: one of them, for its form.
        inputs: features and labels of the pool, the latter as whole numbers from 0.

    Raises:
        NoLayer: there is no formula.
    """

    def __init__(self, network: nn.Module, inputs: tuple[torch.Tensor, torch.Tensor]) -> None:
        self._parts = _parts(network)
        self._first = next(place for place, part in enumerate(self._parts) if part.names)
        x, self._y = inputs
        if x.ndim not in (2, 4) or not x.is_floating_point() or self._y.dtype != torch.long:
            raise NoLayer("records are no rows or images of real numbers with a class each")
        self._x = x.contiguous()
        self._room = Room(x)
        self._widest = widest(network, self._x) if x.ndim == 4 else 0

    @torch.no_grad()
    def gradients(
        self,
        values: Mapping[str, torch.Tensor],
        found: Mapping[str, torch.Tensor],
        rows: torch.Tensor,
        weights: torch.Tensor,
    ) -> None:
        """Write the gradients of the weighted sum of each model's losses.

        Args:
            values: the parameters, by name.
            found: where the gradients go, by name.
            rows: (models, rows) of the pool.
            weights: (models, rows) what each row's loss counts, in the parameters' type.
        """
        models, many = rows.shape
        parts = max(1, round(models * many * self._widest / _AT_ONCE))
        each = -(-many // parts)
        for start in range(0, many, each):
            some = slice(start, start + each)
            self._part(values, found, rows[:, some], weights[:, some], adds=start > 0)

    def forget(self) -> None:
        """Let go of the memory: shapes will be others."""
        self._room = Room(self._x)

    def _part(
        self,
        values: Mapping[str, torch.Tensor],
        found: Mapping[str, torch.Tensor],
        rows: torch.Tensor,
        weights: torch.Tensor,
        *,
        adds: bool,
    ) -> None:
        x, saved = self._taken(rows), []
        sites = [Site(str(place), values, found, self._room, adds) for place in range(len(self._parts))]
        for part, site in zip(self._parts, sites, strict=True):
            x, kept = part.forward(site, x)
            saved.append(kept)
        gradient = self._room("loss", *x.shape)
        torch.softmax(x, 1, out=gradient)
        gradient.mul_(weights[:, None])
        labels = self._y.index_select(0, rows.reshape(-1)).view(len(rows), 1, -1)
        gradient.scatter_add_(1, labels, weights.neg()[:, None])
        for place in reversed(range(self._first, len(self._parts))):
            further = place > self._first
            gradient = self._parts[place].backward(sites[place], saved[place], gradient, further=further)

    def _taken(self, rows: torch.Tensor) -> torch.Tensor:
        """Records of the pool, as values go through the network."""
        models, many = rows.shape
        if self._x.ndim == 2:
            x = self._room("x", models, many, self._x.shape[1])
            torch.index_select(self._x, 0, rows.reshape(-1), out=x.view(models * many, -1))
            return x.transpose(1, 2)
        channels, *sizes = self._x.shape[1:]
        images = self._x.index_select(0, rows.T.reshape(-1)).view(many, models * channels, *sizes)
        return images.contiguous(memory_format=torch.channels_last)


def _parts(network: nn.Module) -> list[Part]:
    parts: list[Part] = []
    for module, prefix in modules_of(network):
        part = part_of(module, prefix)
        if part is None:
            continue
        if parts and {part, parts[-1]} <= set(ACTIVATIONS.values()):
            raise NoLayer("there is no formula for two activations in a row")
        parts.append(part)
    _pool_first(parts)
    if not parts or type(modules_of(network)[-1][0]) is not nn.Linear:
        raise NoLayer("there is no formula for a network that does not end with a linear layer")
    names = [name for part in parts for name in part.names]
    known = {name: value for name, value in network.named_parameters() if value.requires_grad}
    if sorted(names) != sorted(known) or any(True for _ in network.buffers()):
        raise NoLayer("there is no formula for frozen parts, shared parameters or buffers")
    return parts


def _pool_first(parts: list[Part]) -> None:
    """Let a ReLU come after the pooling that follows it: of fewer numbers, and the largest stay the largest.

    Where it does not, all numbers of a window are zero after the ReLU, and none of them has a gradient either way.
    """
    for place in range(len(parts) - 2):  # the last one is linear
        overwritten = parts[place + 2] in ACTIVATIONS.values()
        if parts[place] is ACTIVATIONS[nn.ReLU] and is_pooling(parts[place + 1]) and not overwritten:
            parts[place : place + 2] = reversed(parts[place : place + 2])
