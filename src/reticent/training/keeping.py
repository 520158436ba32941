"""Does a network keep something of the batch that it has seen?

Promise: `Kept(module)` remembers everything that hangs on a network; `changed()` names the first thing that is no
longer the same: parameters, buffers (by content, however they were written to), plain attributes, and what lists,
dictionaries, sets, queues, arrays and objects in them hold, eight levels deep; attributes of the network's own classes.

A network that keeps something (a running mean, a hidden state, a cache) publishes it without noise, and carries one
batch's examples into the next: no guarantee covers that.

Not covered: what a network writes into global variables, files, other processes, or the objects of the library that
trains it (a Lightning trainer hangs on its module, and everything on the trainer).

Example:
    >>> import torch
    >>> from reticent.training.keeping import Kept
    >>> model = torch.nn.Linear(2, 1)
    >>> model.seen = [1, 2]
    >>> before = Kept(model)
    >>> model.seen.append(3)
    >>> before.changed()
    'seen'
"""

from __future__ import annotations

import collections
import functools
import math
import types
from typing import Any

import numpy as np
import torch

__all__ = ["Kept"]

# What torch itself keeps in a module, apart from what the network's author put there.
_INTERNAL = {*vars(torch.nn.Module()), "_flat_weights", "_flat_weight_refs", "_compiled_call_impl", "__dict__"}
_OF_WRAPPERS = ("__composable_api", "_fsdp", "_is_fsdp")  # where fully_shard keeps its own
_FIXED = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type(None),
    type,
    torch.dtype,
    torch.device,
    torch.Size,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
)
_DEEP = 8


# Values of these types, and tuples of them, cannot change: they are compared as they are.
_ATOMS = frozenset(_FIXED)
_FROM_LIBRARIES = ("torch", "builtins", "typing", "abc")
_TRAINERS = ("lightning.", "pytorch_lightning.")


class Kept:
    """Everything that hangs on a network at this moment.

    What is compared by identity is held here, so that nothing new can take its place in memory.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module
        self._before = _everything(module)

    def changed(self) -> str | None:
        """The name of something that has changed since, or None."""
        now, found = _everything(self._module), []
        for place in self._before.keys() | now.keys():
            before, after = self._before.get(place, {}), now.get(place, {})
            for name in before.keys() | after.keys():
                if name not in before or name not in after or not _same(before[name], after[name]):
                    where = place if isinstance(place, str) else place.__name__
                    found.append(f"{where}.{name}" if where else name)
        return min(found, default=None)


def _everything(module: torch.nn.Module) -> dict[str | type, dict[str, Any]]:
    """Place of a module, or a class, to what hangs there: called twice in every step, so it has to be quick."""
    found: dict[str | type, dict[str, Any]] = {}
    classes: set[type] = set()
    seen: set[int] = set()
    for place, part in module.named_modules():
        own = {
            name: value if _cannot_change(value) else _signature(value, seen, _DEEP)
            for name, value in part.__dict__.items()
            if name not in _INTERNAL and not name.startswith(_OF_WRAPPERS)
        }
        for name, parameter in part._parameters.items():
            own[name] = None if parameter is None else _Place(parameter)
        for name, buffer in part._buffers.items():
            own[name] = None if buffer is None else _contents(buffer)
        found[place] = own
        kind: Any = type(part)
        classes.update(_own_classes(kind))
    for kind in classes:
        found[kind] = {
            name: _signature(value, seen, _DEEP)
            for name, value in vars(kind).items()
            if not name.startswith("__") and not isinstance(value, property | classmethod | staticmethod)
        }
    return found


@functools.lru_cache(maxsize=1024)
def _own_classes(kind: type) -> tuple[type, ...]:
    """The classes of a module that its author wrote."""
    return tuple(base for base in kind.__mro__ if not base.__module__.startswith(_FROM_LIBRARIES))


def _cannot_change(value: Any) -> bool:
    kind = type(value)
    return kind in _ATOMS or (kind is tuple and _ATOMS.issuperset(map(type, value)))


class _Place:
    """Which tensor it is, how often it was written to, and where it lies."""

    __slots__ = ("data", "tensor", "version")

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor, self.version = tensor, tensor._version
        try:
            self.data: int | None = tensor.data_ptr()
        except RuntimeError:  # what vmap carries along has no memory of its own
            self.data = None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Place)
            and other.tensor is self.tensor
            and other.version == self.version
            and other.data == self.data
        )

    def __hash__(self) -> int:
        return id(self.tensor)


def _contents(tensor: torch.Tensor) -> tuple[Any, Any]:
    place = _Place(tensor)
    return place, None if place.data is None else tensor.detach().clone()


def _signature(value: Any, seen: set[int], depth: int) -> Any:  # noqa: PLR0911
    if isinstance(value, _FIXED):
        return value
    if isinstance(value, torch.Tensor):
        return _Same(value), value._version
    if isinstance(value, torch.nn.Module):
        return _Same(value)  # its own parts are looked at by their own names, if it belongs to the network
    if isinstance(value, np.ndarray):
        return _Same(value), value.tobytes()
    kind: Any = type(value)
    if _is_a_trainers(kind):
        return _Same(value)
    if id(value) in seen or depth == 0:
        return _Same(value)
    seen.add(id(value))
    try:
        if isinstance(value, tuple | list | collections.deque):
            return [_signature(part, seen, depth - 1) for part in value]
        if isinstance(value, set | frozenset):
            return len(value), [_signature(part, seen, depth - 1) for part in sorted(value, key=repr)]
        if isinstance(value, dict | types.MappingProxyType):
            return [(_signature(k, seen, depth - 1), _signature(v, seen, depth - 1)) for k, v in value.items()]
        inside = dict(getattr(value, "__dict__", {}))
        for base in kind.__mro__:
            for slot in getattr(base, "__slots__", ()):
                inside[slot] = getattr(value, slot, None)
        return _Same(value), [(name, _signature(part, seen, depth - 1)) for name, part in inside.items()]
    finally:
        seen.discard(id(value))


@functools.lru_cache(maxsize=1024)
def _is_a_trainers(kind: type) -> bool:
    """Whether an object belongs to the library that trains the network, not to the network."""
    return any(base.__module__.startswith(_TRAINERS) for base in kind.__mro__)


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if isinstance(one, torch.Tensor) or isinstance(other, torch.Tensor):
        return (
            isinstance(one, torch.Tensor)
            and isinstance(other, torch.Tensor)
            and one.shape == other.shape
            and one.dtype == other.dtype
            and torch.equal(torch.nan_to_num(one), torch.nan_to_num(other))
        )
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(_same, one, other))
    try:
        return type(one) is type(other) and bool(one == other or (_is_nan(one) and _is_nan(other)))
    except Exception:  # what cannot be compared counts as changed
        return False


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


class _Same:
    """A thing that equals nothing but itself."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._thing is self._thing

    def __hash__(self) -> int:
        return id(self._thing)
