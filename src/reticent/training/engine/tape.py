"""What a forward and a backward pass leave behind: every parameter's uses, and from them norms and clipped sums.

Promise: a `Tape` collects contributions while autograd runs; `Gathered` answers with per-example squared norms, sums
weighted by example, or the gradients themselves. A parameter with several uses (tied weights, a module called twice)
counts as one: its uses add up before anything is squared.

Example:
    >>> import torch
    >>> from reticent.training.engine.contributions import Dense
    >>> from reticent.training.engine.tape import Tape
    >>> tape = Tape({"w": torch.Size([2])}, 3)
    >>> tape.open()
    >>> tape.slot("w").add(Dense(torch.ones(3, 2)))
    >>> tape.slot("w").add(Dense(torch.ones(3, 2)))
    >>> tape.gathered().squared_norms()["w"].round(decimals=3).tolist()
    [8.0, 8.0, 8.0]
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from reticent.training.engine.contributions import Contribution, Dense, Lookup, Product, exact, inner, scratch

__all__ = ["Gathered", "Slot", "Tape", "applied", "full_precision", "low_precision"]

_CHUNK = 1 << 22


class Slot:
    """Where the uses of one parameter arrive, in the parameter's own shape."""

    def __init__(self, tape: Tape | None = None) -> None:
        self._tape = tape
        self._parts: list[Contribution] = []

    def add(self, contribution: Contribution) -> None:
        """Add a use; uses that one form can hold together are held together.

        Raises:
            RuntimeError: the forward pass is not over: the network differentiates itself.
        """
        if self._tape is not None and not self._tape.is_open:
            raise RuntimeError("a gradient arrived before the forward pass was over")
        for place, part in enumerate(self._parts):
            joined = part.join(contribution)
            if joined is not None:
                self._parts[place] = joined
                return
        self._parts.append(contribution)

    @property
    def parts(self) -> list[Contribution]:
        """The uses so far."""
        return self._parts

    def clear(self) -> None:
        """Forget them."""
        self._parts = []


class Tape:
    """The uses of all parameters in one pass over a batch.

    Args:
        shapes: the parameters and their shapes.
        examples: B.
    """

    def __init__(self, shapes: Mapping[str, torch.Size], examples: int) -> None:
        self.shapes = shapes
        self.examples = examples
        self._slots: dict[str, Slot] = {}
        self._copies: dict[str, torch.Tensor] = {}
        # Makes what a use gives require a gradient, whatever its inputs do.
        self.anchor = torch.zeros((), requires_grad=True)
        self.is_open = False

    def open(self) -> None:
        """The forward pass is over: from now on uses may arrive."""
        self.is_open = True

    def slot(self, name: str) -> Slot:
        """The slot of a parameter."""
        return self._slots.setdefault(name, Slot(self))

    def copies(self, name: str, parameter: torch.Tensor) -> torch.Tensor:
        """(B, *shape) one copy of the parameter for each example (a view), for operations without a rule of their own.

        The gradients that autograd leaves there are collected.
        """
        if name not in self._copies:
            self._copies[name] = parameter.detach().expand(self.examples, *parameter.shape).requires_grad_()
        return self._copies[name]

    @property
    def copied(self) -> list[str]:
        """The parameters that `copies` was asked for."""
        return list(self._copies)

    def clear(self) -> None:
        """Forget everything that has arrived; slots and tape know one another, and would wait for the collector."""
        for slot in self._slots.values():
            slot.clear()
        self._copies.clear()

    def gathered(self) -> Gathered:
        """Everything that has arrived, after the backward pass."""
        parts = {name: list(slot.parts) for name, slot in self._slots.items() if slot.parts}
        for name, copy in self._copies.items():
            if copy.grad is not None:
                parts.setdefault(name, []).append(Dense(copy.grad))
        merged = {}
        for name, uses in parts.items():
            slot = Slot()
            for use in uses:
                slot.add(use)
            merged[name] = slot.parts
        return Gathered(self.shapes, merged, self.examples)


class Gathered:
    """Per-example gradients of B examples, in whatever form they are held."""

    def __init__(
        self, shapes: Mapping[str, torch.Size], parts: Mapping[str, Sequence[Contribution]], examples: int
    ) -> None:
        self.shapes = shapes
        self.examples = examples
        self._parts = dict(parts)

    @classmethod
    def of(cls, gradients: Mapping[str, torch.Tensor]) -> Gathered:
        """Gradients that have been formed already: name to (B, *shape)."""
        examples = len(next(iter(gradients.values()))) if gradients else 0
        return cls(
            {n: g.shape[1:] for n, g in gradients.items()}, {n: [Dense(g)] for n, g in gradients.items()}, examples
        )

    @property
    def names(self) -> set[str]:
        """The parameters that the loss reached."""
        return set(self._parts)

    def squared_norms(self) -> dict[str, torch.Tensor]:
        """Name to (B,) squared norms in float64, of the parameters that the loss reached."""
        with torch.no_grad(), full_precision():
            return {name: _squared_norms(parts) for name, parts in self._parts.items()}

    def weighted(self, factors: Mapping[str, torch.Tensor], *, release: bool = False) -> dict[str, torch.Tensor]:
        """Name to (*shape) sums of factor times gradient, in float32 or better.

        Args:
            factors: name to (B,). An example with factor zero takes no part, even if its gradient is not finite.
            release: let go of each parameter's gradients once they are summed; nothing can be asked afterwards.
        """
        totals = {}
        # Small sums come first: most of the memory has been let go of when the large ones are made.
        order = sorted(self._parts, key=lambda name: self.shapes[name].numel())
        with torch.no_grad(), full_precision(), scratch():
            for name in order:
                parts, own = self._parts.pop(name) if release else self._parts[name], factors[name]
                used = torch.nonzero(own).squeeze(1)
                if len(used) < len(own):
                    parts, own = [part.take(used) for part in parts], own[used]
                total = parts[0].weighted(own)
                for part in parts[1:]:
                    total = total + part.weighted(own)
                totals[name] = total.reshape(self.shapes[name])
        return totals

    def dense(self) -> dict[str, torch.Tensor]:
        """Name to (B, *shape) gradients."""
        with torch.no_grad(), full_precision():
            found = {}
            for name, parts in self._parts.items():
                found[name] = sum((part.dense() for part in parts[1:]), parts[0].dense()).reshape(
                    self.examples, *self.shapes[name]
                )
            return found


def applied(function: Any, *args: Any) -> Any:
    """`function.apply(*args)`, which torch has not typed."""
    return function.apply(*args)


def low_precision(values: torch.Tensor) -> torch.dtype | None:
    """The type that autocast asks for on the device of these values, or None where it is off or they have no type."""
    device = values.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """A block in which matrix products keep the precision of their factors: no autocast, no TF32, no bfloat16."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with contextlib.ExitStack() as stack:
            for device in ("cpu", "cuda"):
                if torch.is_autocast_enabled(device):
                    stack.enter_context(torch.autocast(device, enabled=False))
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _squared_norms(parts: Sequence[Contribution]) -> torch.Tensor:
    if len(parts) == 1:
        return parts[0].squared_norms()
    tied = {type(part): part for part in parts}
    if len(parts) == 2 and set(tied) == {Lookup, Product}:
        lookup, other = tied[Lookup], tied[Product]
        assert isinstance(lookup, Lookup) and isinstance(other, Product)  # noqa: S101, PT018
        return (lookup.squared_norms() + other.squared_norms() + 2.0 * inner(lookup, other)).clamp(min=0.0)
    # No form of its own: the sums are formed, a few examples at a time.
    step = max(1, _CHUNK // parts[0].size)
    norms = []
    for start in range(0, parts[0].examples, step):
        some = [part.take(slice(start, start + step)).dense() for part in parts]
        norms.append(Dense(sum((part.reshape(some[0].shape) for part in some[1:]), some[0])).squared_norms())
    return torch.cat(norms).to(exact(norms[0]))
