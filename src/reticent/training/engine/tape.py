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
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from reticent.training.engine.contributions import (
    CANCELS,
    Contribution,
    Dense,
    Lookup,
    Product,
    inner,
    scratch,
    shared_grams,
)

__all__ = [
    "Gathered",
    "Shared",
    "Slot",
    "Tape",
    "applied",
    "arrived",
    "forward_pass",
    "full_precision",
    "low_precision",
    "own_precision",
]

_CHUNK = 1 << 22
_FEW = 1 << 20  # numbers that are formed at a time where much is done with each of them
_CAST = (torch.float32, torch.float16, torch.bfloat16)  # what autocast casts
_forward = threading.local()


@contextlib.contextmanager
def forward_pass() -> Iterator[None]:
    """A block in which no gradient may arrive at a rule: a network that differentiates itself has to run without."""
    before, _forward.runs = getattr(_forward, "runs", False), True
    try:
        yield
    finally:
        _forward.runs = before


def arrived() -> None:
    """A gradient has arrived at a rule.

    Raises:
        RuntimeError: the forward pass is not over: the network differentiates itself.
    """
    if getattr(_forward, "runs", False):
        raise RuntimeError("a gradient arrived before the forward pass was over")


_Used = dict[int, tuple[torch.Tensor, torch.Tensor]]
"""Factors by identity, which parameters of one group share, and the examples whose factor is not zero."""


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
                del self._parts[place]
                self.add(joined)  # in its new form it may join another
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
        self._cancelling: dict[str, torch.Tensor] = {}

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
        found = {}
        every = (part for parts in self._parts.values() for part in parts)
        with torch.no_grad(), full_precision(), shared_grams(every):
            for name, parts in self._parts.items():
                norms, masses = _measured(parts)
                found[name] = norms
                if masses is norms:
                    continue
                cancels = torch.nonzero(norms < CANCELS * masses).squeeze(1)  # not so for what is not finite
                if len(cancels):
                    # Norm and sum have to be of the same numbers, and neither may be rounding: both in float64.
                    self._cancelling[name] = cancels
                    formed = [Dense(chunk).squared_norms() for _, chunk in _formed(parts, cancels)]
                    norms[cancels] = torch.cat(formed).to(norms.dtype)
        return found

    def weighted(self, factors: Mapping[str, torch.Tensor], *, release: bool = False) -> dict[str, torch.Tensor]:
        """Name to (*shape) sums of factor times gradient, in float32 or better.

        Args:
            factors: name to (B,). An example with factor zero takes no part, even if its gradient is not finite.
            release: let go of each parameter's gradients once they are summed; nothing can be asked afterwards.
        """
        totals: dict[str, torch.Tensor] = {}
        kept: _Used = {}
        # Small sums come first: most of the memory has been let go of when the large ones are made.
        order = sorted(self._parts, key=lambda name: self.shapes[name].numel())
        with torch.no_grad(), full_precision(), scratch():
            for name in order:
                totals[name] = self._summed(name, factors[name], release, kept)
        return totals

    def weighted_one(self, name: str, factor: torch.Tensor, *, release: bool = False) -> torch.Tensor:
        """The sum for one parameter alone; see `weighted`."""
        with torch.no_grad(), full_precision(), scratch():
            return self._summed(name, factor, release, {})

    def _summed(self, name: str, own: torch.Tensor, release: bool, kept: _Used) -> torch.Tensor:
        parts = self._parts.pop(name) if release else self._parts[name]
        apart: torch.Tensor | float = 0.0
        if name in self._cancelling:
            rows = self._cancelling[name]
            rows = rows[own[rows] != 0]
            for some, chunk in _formed(parts, rows):
                apart = apart + Dense(chunk).weighted(own[some]).reshape(self.shapes[name])
            own = own.index_fill(0, rows, 0.0)
        if id(own) not in kept:
            kept[id(own)] = own, torch.nonzero(own).squeeze(1)
        used = kept[id(own)][1]
        if len(used) < len(own):
            parts, own = [part.take(used) for part in parts], own[used]
        total = parts[0].weighted(own)
        for part in parts[1:]:
            total = total + part.weighted(own)
        total = total.reshape(self.shapes[name])
        return total + apart.to(total.dtype) if isinstance(apart, torch.Tensor) else total

    def formed(self) -> Iterator[dict[str, torch.Tensor]]:
        """The gradients themselves, a few examples at a time: name to (b, size) in float32 or better, to write to."""
        step = max(1, _FEW // max(1, sum(self.shapes[name].numel() for name in self._parts)))
        for start in range(0, self.examples, step):
            rows = slice(start, min(start + step, self.examples))
            found = {}
            with torch.no_grad(), full_precision():
                for name, parts in self._parts.items():
                    own = parts[0].take(rows)
                    total = own.dense().reshape(rows.stop - rows.start, -1)
                    for part in parts[1:]:
                        total = total + part.take(rows).dense().reshape(total.shape)
                    found[name] = total.clone() if isinstance(own, Dense) and len(parts) == 1 else total
            yield found

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
    if values.dtype not in _CAST or not torch.is_autocast_enabled(device):
        return None
    return torch.get_autocast_dtype(device)


def own_precision(values: torch.Tensor) -> contextlib.AbstractContextManager[Any]:
    """A block without autocast on the device of these values; a rule has cast what has to be cast."""
    device = values.device.type
    enabled = torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if enabled else contextlib.nullcontext()


class Shared:
    """A setting of the whole process that several threads may want: the first sets it, the last puts it back."""

    def __init__(self, setting: Callable[[], contextlib.AbstractContextManager[Any]]) -> None:
        self._setting, self._lock, self._users = setting, threading.Lock(), 0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._stack.enter_context(self._setting())
            self._users += 1

    def __exit__(self, *_: Any) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._stack.close()


@contextlib.contextmanager
def _exact_products() -> Iterator[None]:
    backends: Any = torch.backends
    with contextlib.ExitStack() as stack:
        if not hasattr(backends, "fp32_precision"):  # before torch 2.9
            for place in (backends.cuda.matmul, backends.cudnn):
                stack.callback(setattr, place, "allow_tf32", place.allow_tf32)
                place.allow_tf32 = False
            stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
            torch.set_float32_matmul_precision("highest")
        for family, kinds in (("cuda", ("matmul",)), ("cudnn", ("conv", "rnn")), ("mkldnn", ("matmul", "conv", "rnn"))):
            for kind in kinds:
                place = getattr(getattr(backends, family), kind, None)
                if place is not None and hasattr(place, "fp32_precision"):
                    stack.callback(setattr, place, "fp32_precision", place.fp32_precision)
                    place.fp32_precision = "ieee"
        yield


_products = Shared(_exact_products)


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """A block in which products and convolutions keep the precision of their factors: no autocast, TF32 or bfloat16."""
    with _products, contextlib.ExitStack() as stack:
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


def _measured(parts: Sequence[Contribution]) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared norms and masses of the sum of several uses."""
    if len(parts) == 1:
        return parts[0].measured()
    measured = [part.measured() for part in parts]
    masses = torch.stack([mass.sqrt() for _, mass in measured]).sum(0).square()
    tied = {type(part): part for part in parts}
    if len(parts) == 2 and set(tied) == {Lookup, Product}:
        table, other = tied[Lookup], tied[Product]
        assert isinstance(table, Lookup) and isinstance(other, Product)  # noqa: S101, PT018
        norms = measured[0][0] + measured[1][0] + 2.0 * inner(table, other)
        return norms.clamp(min=0.0), masses
    # No form of its own: the sums are formed, a few examples at a time.
    every = torch.arange(parts[0].examples, device=masses.device)
    formed = [Dense(chunk).squared_norms() for _, chunk in _formed(parts, every, None)]
    return torch.cat(formed) if formed else masses, masses


def _formed(
    parts: Sequence[Contribution], rows: torch.Tensor, dtype: torch.dtype | None = torch.float64
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Some examples' gradients themselves, a few at a time: their rows, and (b, size) gradients."""
    if dtype is torch.float64 and rows.device.type == "mps":
        dtype = None
    step = max(1, _CHUNK // max(1, parts[0].size))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        total = parts[0].take(some).dense(dtype).reshape(len(some), -1)
        for part in parts[1:]:
            total = total + part.take(some).dense(dtype).reshape(len(some), -1)
        yield some, total
