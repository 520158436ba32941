"""Noise that is correlated from step to step, made as the steps come.

Promise: `NoiseStream.draw` gives row t of C^-1 W in step t, for a W of independent standard normal numbers and the
encoder C of a `Correlation`, exact to the rounding of the tensors' type. It remembers `correlation.buffers` numbers for
each number that it gives, and every step costs as many multiplications, however many steps there are: bands solve
C z = w from the top (z_t = w_t - sum_j c_j z_(t-j)), buffers keep decaying sums s_j of z (z_t = w_t - sum_j b_j s_j).

What it remembers is past noise. Whoever reads it can take that noise from the outputs of those steps again, and is
left with the bare sums of gradients: it is as secret as the data. `forget` wipes it, which a `PrivateSum` does after
the last planned step; a state that was saved before holds it.

A run that is taken up where its state was saved goes on with what was remembered, to the bit. Where a stop has lost
steps after that, the noise to come starts anew with nothing remembered. What somebody saw of the lost steps and what
comes then share no noise, a unit's part in either ends sooner than was charged, and so the planned promise covers both;
sums carry a little more noise. To go on with the old noise would be a mistake: what was done shortly before the stop
would then reach into both, which nobody accounted for.

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
        self._saved: dict[str, Any] = {}

    def draw(self, name: str, like: torch.Tensor, source: Randomness) -> torch.Tensor:
        """The next noise of a piece, in shape, type and place of `like`; call it once a step for every piece.

        Args:
            name: of the piece.
            like: a tensor of the piece's shape, in float32 or float64.
            source: this step's randomness.

        Raises:
            UsageError: what was restored has no such piece, or one of another size.
        """
        fresh = _independent(like, source)
        if self._correlation.is_independent:
            return fresh
        if name not in self._memories:
            self._memories[name] = self._memory(name, fresh)
        self._memories[name].correlate(fresh.view(-1))
        return fresh

    def _memory(self, name: str, like: torch.Tensor) -> _Memory:
        memory = _memory(self._correlation, like)
        if not self._saved:
            return memory
        saved = self._saved.get(name, {"kept": torch.empty(0), "at": 0})
        if memory.kept.shape != saved["kept"].shape or not 0 <= int(saved["at"]) < len(memory.kept):
            raise UsageError(
                f"Expected past noise of shape {tuple(memory.kept.shape)} for {name!r}, got shape "
                f"{tuple(saved['kept'].shape)}.",
                "Restore the state of the same network and plan.",
            )
        memory.kept.copy_(saved["kept"])
        memory.at = int(saved["at"])
        return memory

    def forget(self) -> None:
        """Wipe what is remembered; the next noise would be that of a first step."""
        for memory in self._memories.values():
            memory.kept.zero_()
        self._memories, self._saved = {}, {}

    def state(self) -> dict[str, Any]:
        """What is remembered: past noise, as secret as the data."""
        now = {name: {"kept": memory.kept, "at": memory.at} for name, memory in self._memories.items()}
        return {**self._saved, **now}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`; pieces are taken up when they are next drawn."""
        self.forget()
        self._saved = dict(state)


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
