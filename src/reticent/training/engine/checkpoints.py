"""Activation checkpointing inside a recorded forward pass.

Promise: what `torch.utils.checkpoint.checkpoint` was asked to forget is forgotten, and computed again in the backward
pass, block by block, on the whole batch and with the same random numbers; gradients are those without checkpointing.

Why torch's own does not do: it recomputes after the forward pass is over, where the batch that `torch.func.vmap`
carried along is gone. So its two entrances get a switch, which leads here for the thread that records, and to torch's
own code for everybody else.

Not covered: a block that uses tensors of the data which are not among its arguments.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.utils.checkpoint
from torch.utils._pytree import tree_flatten

from reticent.errors import ModelError

__all__ = ["Again", "Door", "handled"]

Again = Callable[[Callable[..., Any], list[Any], Any], Any]
Door = Callable[[list[Any]], tuple[list[Any], Again]]
_thread = threading.local()


@contextlib.contextmanager
def handled(door: Door) -> Iterator[None]:
    """A block in which checkpointed functions are recomputed here.

    Args:
        door: takes the leaves of a checkpointed function's arguments and gives them as they are outside of vmap, with
            a function that runs it on those again, given the function, the leaves and their structure.
    """
    _install()
    before, _thread.door = getattr(_thread, "door", None), door
    try:
        yield
    finally:
        _thread.door = before


@functools.cache
def _install() -> None:
    """Put a switch into torch's two entrances, once: other threads and everybody outside `handled` get torch's own."""
    place: Any = torch.utils.checkpoint
    generator, reentrant = place._checkpoint_without_reentrant_generator, place.CheckpointFunction

    def switched(function: Any, preserve: bool = True, *rest: Any, **named: Any) -> Any:
        door = getattr(_thread, "door", None)
        if door is None:
            return generator(function, preserve, *rest, **named)
        return _generator(function, rest[4:], named, door, preserve)

    class Switched:
        @classmethod
        def apply(cls, function: Any, preserve: bool, *args: Any) -> Any:
            door = getattr(_thread, "door", None)
            if door is None:
                return reentrant.apply(function, preserve, *args)
            with _forgetting(function, args, {}, door, preserve):
                return function(*args)

    place._checkpoint_without_reentrant_generator, place.CheckpointFunction = switched, Switched


def _generator(function: Any, args: Any, named: Any, door: Door, preserve: bool) -> Iterator[None]:
    with _forgetting(function, args, named, door, preserve):
        yield


@contextlib.contextmanager
def _forgetting(
    function: Any,
    args: tuple[Any, ...],
    named: dict[str, Any],
    door: Door,
    preserve: bool,
) -> Iterator[None]:
    if type(function) is functools.partial:  # what it has been given already is data, too
        args, named, function = (*function.args, *args), {**function.keywords, **named}, function.func
    leaves, structure = tree_flatten((args, named))
    plain, again = door(leaves)
    block = _Block(lambda: again(function, plain, structure), plain, preserve)
    with torch.autograd.graph.saved_tensors_hooks(block.pack, block.unpack):
        yield


class _Block:
    """The tensors that one checkpointed block saves, in order: forgotten once, computed again when first asked for."""

    def __init__(self, run: Callable[[], Any], leaves: list[Any], preserve: bool) -> None:
        self._run = run
        self._leaves = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        self._versions = [leaf._version for leaf in self._leaves]
        self._casts = {device: _cast_state(device) for device in ("cpu", "cuda")}
        self._states = _random_states() if preserve else None
        self._shapes: list[tuple[torch.Size, torch.dtype]] = []
        self._found: list[torch.Tensor] | None = None

    def pack(self, tensor: torch.Tensor) -> int:
        self._shapes.append((tensor.shape, tensor.dtype))
        return len(self._shapes) - 1

    def unpack(self, place: int) -> torch.Tensor:
        if self._found is None:
            if [leaf._version for leaf in self._leaves] != self._versions:
                raise ModelError(
                    "Expected the inputs of a checkpointed block as they were, but they were changed in place.",
                    "Change a copy, or do not checkpoint the block.",
                )
            self._found = self._computed()
            if [(tensor.shape, tensor.dtype) for tensor in self._found] != self._shapes:
                raise ModelError(
                    "Expected a checkpointed block that does the same again, got other tensors the second time.",
                    "Take what changes (random choices, counters) out of the block, or do not checkpoint it.",
                )
        return self._found[place]

    def _computed(self) -> list[torch.Tensor]:
        found: list[torch.Tensor] = []

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            found.append(tensor.detach())
            return tensor

        with contextlib.ExitStack() as stack:
            if self._states is not None:
                devices = list(range(len(self._states[1])))
                stack.enter_context(torch.random.fork_rng(devices=devices))
                _set_random_states(self._states)
            for device, (dtype, enabled) in self._casts.items():
                stack.enter_context(torch.autocast(device, dtype, enabled=enabled))
            stack.enter_context(torch.enable_grad())
            stack.enter_context(torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor))
            self._run()
        return found


def _cast_state(device: str) -> tuple[torch.dtype, bool]:
    return torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)


def _random_states() -> tuple[torch.Tensor, list[torch.Tensor]]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), cuda


def _set_random_states(states: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
    torch.set_rng_state(states[0])
    if states[1]:
        torch.cuda.set_rng_state_all(states[1])
