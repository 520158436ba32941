"""Noise that is correlated from step to step, made as the steps come.

Promise: `NoiseStream.draw` gives row t of C^-1 W in step t, for a W of independent standard normal numbers and the
encoder C of a `Correlation`, exact to the rounding of the tensors' type. It remembers `correlation.buffers` numbers for
each number that it gives, and every step costs as many multiplications, however many steps there are: bands solve
C z = w from the top (z_t = w_t - sum_j c_j z_(t-j)), buffers keep decaying sums s_j of z (z_t = w_t - sum_j b_j s_j).

What it remembers is past noise. Whoever reads it can take that noise from the outputs of those steps again, and is
left with the bare sums of gradients: it is as secret as the data. `forget` wipes it, which a `PrivateSum` does after
the last planned step; a state that was saved before holds it.

A run that is taken up from a saved state draws fresh noise for the steps that are done again. What it releases has the
law that was accounted, because the numbers of the steps that were lost enter nothing that comes after. If somebody saw
outputs of the lost steps, these and the new ones share the noise, and the units' places, of the steps before. Without
amplification they are one Gaussian mechanism together, whose squared sensitivity is at most the sum of the two, so
composing the two guarantees covers them (`Guarantee.compose`). With amplification one coin then decides about both, and
nothing here covers that.

Example:
    >>> import torch
    >>> from reticent.privacy import Banded
    >>> from reticent.randomness import Randomness
    >>> from reticent.training.noise import NoiseStream
    >>> stream, source = NoiseStream(Banded((1.0, 0.5))), Randomness.simulated(1)
    >>> first, second = (stream.draw("w", torch.zeros(3), source.spawn(f"step {step}")) for step in range(2))
    >>> alone = torch.from_numpy(source.spawn("step 1").normal(3)).float()
    >>> torch.allclose(second, alone - 0.5 * first)
    True
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from reticent.errors import UsageError
from reticent.privacy import Banded, BufferedToeplitz, Correlation
from reticent.randomness import Randomness

__all__ = ["NoiseStream"]


class NoiseStream:
    """Correlated noise of unit scale, step after step, for pieces of fixed size that have names."""

    def __init__(self, correlation: Correlation) -> None:
        self._correlation = correlation
        self._memories: dict[str, _Memory] = {}

    def draw(self, name: str, like: torch.Tensor, source: Randomness) -> torch.Tensor:
        """The next noise of a piece, in shape, type and place of `like`; call it once a step for every piece.

        Args:
            name: of the piece.
            like: a tensor of the piece's shape, in float32 or float64.
            source: this step's randomness.
        """
        fresh = _independent(like, source)
        if self._correlation.is_independent:
            return fresh
        memory = self._memories.get(name)
        if memory is None:
            memory = self._memories[name] = _memory(self._correlation, fresh)
        memory.correlate(fresh.view(-1))
        return fresh

    def forget(self) -> None:
        """Wipe what is remembered; the next noise would be that of a first step."""
        for memory in self._memories.values():
            memory.kept.zero_()
        self._memories.clear()

    def state(self) -> dict[str, Any]:
        """What is remembered: past noise, as secret as the data."""
        return {name: {"kept": memory.kept, "at": memory.at} for name, memory in self._memories.items()}

    def restore(self, state: Mapping[str, Any], like: Mapping[str, torch.Tensor]) -> None:
        """Go on from `state()`.

        Args:
            state: what `state` gave.
            like: a tensor for each piece that it may name.

        Raises:
            UsageError: another piece, or one of another size.
        """
        memories = {}
        for name, saved in state.items():
            kept, at = saved["kept"], int(saved["at"])
            memory = _memory(self._correlation, like[name]) if name in like else None
            if memory is None or memory.kept.shape != kept.shape or not 0 <= at < len(memory.kept):
                raise UsageError(
                    f"Expected the noise of this network's pieces, got {name!r} of shape {tuple(kept.shape)}.",
                    "Restore the state of the same network and plan.",
                )
            memory.kept.copy_(kept)
            memory.at = at
            memories[name] = memory
        self._memories = memories


class _Memory(abc.ABC):
    """What is remembered of one piece's noise: (buffers, numbers)."""

    def __init__(self, buffers: int, like: torch.Tensor) -> None:
        self.kept = torch.zeros((buffers, like.numel()), dtype=like.dtype, device=like.device)
        self.at = 0

    @abc.abstractmethod
    def correlate(self, fresh: torch.Tensor) -> None:
        """Turn independent noise into the step's noise, in place, and remember it."""


class _Bands(_Memory):
    """A ring of the noise of the last steps; the oldest lies at `at`."""

    def __init__(self, coefficients: tuple[float, ...], like: torch.Tensor) -> None:
        super().__init__(len(coefficients) - 1, like)
        backwards = coefficients[:0:-1]  # twice, so that each turn of the ring is a part of it
        self._coefficients = torch.tensor(backwards * 2, dtype=like.dtype, device=like.device)

    def correlate(self, fresh: torch.Tensor) -> None:
        length = len(self.kept)
        turned = self._coefficients[length - self.at : 2 * length - self.at]
        fresh.addmv_(self.kept.t(), turned, alpha=-1.0)
        self.kept[self.at] = fresh
        self.at = (self.at + 1) % length


class _Buffers(_Memory):
    """Decaying sums of the noise of all steps."""

    def __init__(self, decays: tuple[float, ...], scales: tuple[float, ...], like: torch.Tensor) -> None:
        super().__init__(len(decays), like)
        self._decays = torch.tensor(decays, dtype=like.dtype, device=like.device)[:, None]
        self._scales = torch.tensor(scales, dtype=like.dtype, device=like.device)

    def correlate(self, fresh: torch.Tensor) -> None:
        fresh.addmv_(self.kept.t(), self._scales, alpha=-1.0)
        self.kept.mul_(self._decays).add_(fresh)


def _memory(correlation: Correlation, like: torch.Tensor) -> _Memory:
    if isinstance(correlation, Banded):
        return _Bands(correlation.coefficients, like)
    if isinstance(correlation, BufferedToeplitz):
        return _Buffers(correlation.decays, correlation.scales, like)
    raise UsageError(f"Expected a correlation that can be streamed, got {correlation!r}.", "Use Banded.")


def _independent(like: torch.Tensor, source: Randomness) -> torch.Tensor:
    if like.device.type == "cpu":
        fresh = torch.zeros(like.shape, dtype=like.dtype)
        source.add_normal(fresh.numpy(), standard_deviation=1.0)
        return fresh
    kind = np.float64 if like.dtype == torch.float64 else np.float32
    return torch.from_numpy(source.normal(tuple(like.shape)).astype(kind, copy=False)).to(like.device)
