"""Sums over the processes of a training, and who adds the noise to which coordinate.

Promise: every coordinate of the sum of clipped gradients has one owner among the processes. What the others have summed
up is added to the owner's part, the owner adds the noise, once, and gives the result to those that hold a copy of the
parameter. So noise enters the global sum exactly once for any number of processes, and copies agree to the bit. The
owner of a shard (FSDP2) is the process that holds it; of a parameter that everybody holds, each owns one stretch.

Simulated noise is that of one process: each owner draws all of it and keeps its own.

Shapes: sums have the parameter's shape; an owner's part is flat.

Example:
    >>> import torch
    >>> from reticent.training.ranks import Ranks
    >>> from reticent.training.spreading import Spread
    >>> spread = Spread(Ranks(), {"w": torch.zeros(2, 2)})
    >>> spread.results(spread.owned({"w": torch.ones(2, 2)}))["w"].tolist()
    [[1.0, 1.0], [1.0, 1.0]]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.distributed as dist

from reticent.training.ranks import Ranks
from reticent.training.sharding import from_local, is_sharded, local

__all__ = ["Spread"]

_SMALL = 1 << 14  # numbers of a sum that travels together with others


class Spread:
    """How the parameters of a network lie in the processes that train it.

    Args:
        ranks: the processes.
        parameters: name to parameter; the same names, in the same order, in all of them.

    Attributes:
        bundles: the names whose sums travel together: large ones by themselves.
    """

    def __init__(self, ranks: Ranks, parameters: Mapping[str, torch.Tensor]) -> None:
        self.ranks = ranks
        self._parameters = dict(parameters)
        self._dimensions: dict[str, int] = {}
        small: dict[Any, list[str]] = {}
        large: list[list[str]] = []
        for name, parameter in parameters.items():
            if is_sharded(parameter):
                layout: Any = parameter
                self._dimensions[name] = layout.placements[0].dim
            if parameter.numel() > _SMALL:
                large.append([name])
            else:
                small.setdefault((parameter.dtype, parameter.device, name in self._dimensions), []).append(name)
        self.bundles = [*small.values(), *large]

    @property
    def sharded(self) -> bool:
        """Whether some parameter is sharded, so that sums are kept as parts."""
        return bool(self._dimensions)

    def owned(self, totals: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Each sum over all processes, as this one's flat part of it.

        Args:
            totals: name to this process's own sum, of one bundle.
        """
        if self.ranks.alone:
            return {name: total.reshape(-1) for name, total in totals.items()}
        pieces = {name: self._pieces(name, total) for name, total in totals.items()}
        size, first = self.ranks.size, next(iter(totals.values()))
        lengths = [sum(len(parts[owner]) for parts in pieces.values()) for owner in range(size)]
        longest, even = max(lengths), len(set(lengths)) == 1
        if len(totals) == 1 and even and self._dimensions.get(next(iter(totals)), 0) == 0:
            rows = first.reshape(-1)  # lies as it has to: no copy
        else:
            rows = first.new_zeros(size * longest)
            for owner in range(size):
                row = rows[owner * longest : owner * longest + lengths[owner]]
                torch.cat([parts[owner] for parts in pieces.values()], out=row)
        sent = self._sendable(rows)
        own = sent.new_empty(longest)
        if longest:
            _scatter(own, sent)
        own = own[: lengths[self.ranks.rank]].to(first.device)
        parts = own.split([len(parts[self.ranks.rank]) for parts in pieces.values()])
        return dict(zip(totals, parts, strict=True))

    def mine(self, names: Iterable[str], drawn: torch.Tensor) -> torch.Tensor:
        """Of flat numbers for whole parameters, one after the other, those for this process's parts."""
        names = list(names)
        sizes = [self._parameters[name].numel() for name in names]
        kept = [
            self._pieces(name, flat.view(self._parameters[name].shape))[self.ranks.rank]
            for name, flat in zip(names, drawn.split(sizes), strict=True)
        ]
        return torch.cat(kept)

    def results(self, owned: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The owners' parts as the parameters lie: whole where everybody holds a copy, else a shard.

        Each has memory of its own: an optimizer may write to it.
        """
        found: dict[str, torch.Tensor] = {}
        for names in self.bundles:
            if names[0] in self._dimensions:
                for name in names:
                    parameter = self._parameters[name]
                    own = owned[name].to(parameter.device).clone().view(local(parameter).shape)
                    found[name] = from_local(own, parameter)
            elif self.ranks.alone:
                for name in names:
                    part = owned[name] if len(names) == 1 else owned[name].clone()
                    found[name] = part.view(self._parameters[name].shape)
            else:
                found.update(self._given({name: owned[name] for name in names}))
        return {name: found[name] for name in self._parameters}

    def _pieces(self, name: str, total: torch.Tensor) -> list[torch.Tensor]:
        """A whole tensor as flat parts, one for each owner; the last ones may be empty."""
        size = self.ranks.size
        if name in self._dimensions:
            parts = [part.reshape(-1) for part in total.chunk(size, self._dimensions[name])]
        else:
            parts = list(total.reshape(-1).chunk(size))
        return parts + [total.new_zeros(0)] * (size - len(parts))

    def _given(self, parts: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Copies of what the owners have, for everybody."""
        size, first = self.ranks.size, next(iter(parts.values()))
        longest = {name: -(-self._parameters[name].numel() // size) for name in parts}
        row = first.new_zeros(sum(longest.values()))
        for part, place in zip(parts.values(), row.split(list(longest.values())), strict=True):
            place[: len(part)] = part
        sent = self._sendable(row)
        rows = sent.new_empty(size * len(sent))
        if len(sent):
            _gather(rows, sent)
        columns = rows.to(first.device).view(size, len(row)).split(list(longest.values()), dim=1)
        found = {}
        for name, column in zip(parts, columns, strict=True):
            parameter = self._parameters[name]
            flat = column.reshape(-1)[: parameter.numel()]
            found[name] = (flat if len(parts) == 1 else flat.clone()).view(parameter.shape)
        return found

    @staticmethod
    def _sendable(value: torch.Tensor) -> torch.Tensor:
        """Where the processes' own group can send it from: gloo sends from the processor."""
        return value.cpu() if value.device.type != "cpu" and dist.get_backend() == "gloo" else value.contiguous()


# Renamed in torch 2.13; the old names warn there.
_scatter: Any = getattr(dist, "reduce_scatter_single", None) or getattr(dist, "reduce_scatter_tensor", None)
_gather: Any = getattr(dist, "all_gather_single", None) or getattr(dist, "all_gather_into_tensor", None)
