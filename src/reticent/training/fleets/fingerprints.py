"""A name for a trainer that changes when what it does changes: from its code and the values in it.

Promise: two trainers of one fingerprint have the same bytecode, defaults, closures and globals, and equal values in
them, down to the functions and classes of your own that they reach, and to every value in modules of your own as it is
now; installed packages count by name and version. What cannot be read off soundly (an open file, a generator, an object
of a library that may hide something) is refused, never guessed.

Not covered: files and environment variables that a trainer reads, modules that it loads by a name made up at run time,
and packages that were changed without their version, on disk or at run time. For such, and for whatever is refused,
give the trainer (or the part of it) an attribute `fingerprint`: a text that you change when it changes.

Bytecode differs between versions of Python, so what is stored under one is trained again under another.

Example:
    >>> import functools, torch, reticent as rt
    >>> from reticent.training.fleets.fingerprints import fingerprint
    >>> def recipe(width, rate=0.1):
    ...     network = lambda: torch.nn.Linear(width, 2)
    ...     return rt.Recipe(network, functools.partial(torch.optim.SGD, lr=rate), epochs=1, batch_size=8)
    >>> fingerprint(recipe(4)) == fingerprint(recipe(4)), fingerprint(recipe(4)) == fingerprint(recipe(5))
    (True, False)
    >>> fingerprint(recipe(4, rate=0.1)) == fingerprint(recipe(4, rate=0.2))
    False
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import hashlib
import importlib
import importlib.util
import inspect
import logging
import os
import pathlib
import struct
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from reticent.errors import UsageError
from reticent.training.fleets.origins import Import, bytecode, hashed, is_library_function, reached, version_of

__all__ = ["fingerprint"]

_PLAIN = {type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented), range}
_REMEDY = (
    "Give the trainer, or that part of it, an attribute `fingerprint`: a text that you change when what it does "
    "changes; or leave store out."
)
_ROUNDS = 10


def fingerprint(trainer: Any) -> str:
    """SHA-256 in hexadecimal of everything that the trainer is made of.

    Raises:
        UsageError: something in it cannot be read off; the text says what and where.
    """
    for _ in range(_ROUNDS):
        loaded = len(sys.modules)
        found = _Reader().digest(trainer, "the trainer")
        if len(sys.modules) == loaded:  # else a package may have got another part since it was read
            break
    return hashed(found, str(torch.get_default_dtype()), str(torch.get_default_device()))


class _Reader:
    """Turns values into digests; knows what it is in the middle of, for what refers to itself."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        self._done: dict[int, str] = {}
        self._kept: list[Any] = []  # so that no id is used again while it is remembered
        self._outermost = 0  # how far out what was read last refers to

    def digest(self, value: Any, place: str) -> str:
        if type(value) in _PLAIN:
            return hashed("plain", type(value).__name__, repr(value))
        key, depth = id(value), len(self._open)
        if key in self._open:
            self._outermost = min(self._outermost, self._open[key])
            return hashed("above", str(depth - self._open[key]))
        if key in self._done:
            return self._done[key]
        around, self._outermost = self._outermost, depth
        self._open[key] = depth
        self._kept.append(value)
        try:
            found = self._of(value, place)
        finally:
            del self._open[key]
        if self._outermost >= depth:  # it refers to nothing that it is a part of: the same wherever it stands
            self._done[key] = found
        self._outermost = min(self._outermost, around)
        return found

    def _of(self, value: Any, place: str) -> str:
        given = None if isinstance(value, types.ModuleType | type) else _given(value)
        if given is not None:
            if not isinstance(given, str):
                raise UsageError(f"Expected a text as the fingerprint of {place}, got {given!r}.", "Name a version.")
            return hashed("given", given)
        kind = type(value)
        if kind in _EXACTLY:
            return _EXACTLY[kind](self, value, place)
        for kinds, read in _WHATEVER_KIND:
            if isinstance(value, kinds):
                return read(self, value, place)
        if isinstance(value, np.generic | np.dtype | pathlib.PurePath) and version_of(kind.__module__) is not None:
            return self._array(value, place) if isinstance(value, np.generic) else hashed(kind.__name__, repr(value))
        return self._object(value, place)

    def _object(self, value: Any, place: str) -> str:
        """Objects that are nothing but a class of known code and what stands in their attributes."""
        kind = type(value)
        lives = [base for base in kind.__mro__[:-1] if version_of(base.__module__) is not None]
        contents = [base for base in lives if base in _CONTENTS]
        of_library = kind in lives  # what the class adds to its bases is as its version says
        known = isinstance(value, torch.nn.Module) or dataclasses.is_dataclass(value)
        known = (known or (hasattr(value, "get_params") and of_library)) and not _hides(kind)
        if known or set(lives) <= set(_CONTENTS):
            here = f"{place}, a {kind.__name__}"
            parts = [self.digest(kind, place), self.digest(_state(value), here)]
            parts += [hashed(base.__name__, _CONTENTS[base](self, value, here)) for base in contents]
            if hasattr(value, "get_params") and of_library:
                parts.append(self.digest(value.get_params(deep=False), here))
            return hashed("object", *parts)
        if callable(value) and of_library and _stands_where_it_says(value):
            return self._library(value)  # a function that is not written in Python
        raise self._refused(value, place)

    def _refused(self, value: Any, place: str) -> UsageError:
        kind = type(value)
        what = f"a {kind.__module__}.{kind.__qualname__}" if kind is not type else f"the class {value.__qualname__}"
        return UsageError(f"Expected a trainer whose parts can be read off, got {what} in {place}.", _REMEDY)

    def _library(self, value: Any) -> str:
        module = value.__module__
        return hashed("library", str(module), getattr(value, "__qualname__", value.__name__), str(version_of(module)))

    def _plain(self, value: Any, place: str) -> str:
        for kind in (int, float, complex, str, bytes):
            if isinstance(value, kind):
                return hashed(kind.__name__, kind.__repr__(value))
        raise self._refused(value, place)

    def _slice(self, value: Any, place: str) -> str:
        return hashed("slice", self.digest((value.start, value.stop, value.step), place))

    def _sequence(self, value: Any, place: str) -> str:
        read: Any = list if isinstance(value, list) else tuple if isinstance(value, tuple) else collections.deque
        items = [self.digest(item, f"{place}[{k}]") for k, item in enumerate(read.__iter__(value))]
        return hashed(type(value).__name__, str(getattr(value, "maxlen", None)), *items)

    def _set(self, value: Any, place: str) -> str:
        read: Any = set if isinstance(value, set) else frozenset
        return hashed(type(value).__name__, *sorted(self.digest(item, place) for item in read.__iter__(value)))

    def _mapping(self, value: Any, place: str) -> str:
        pairs = dict.items(value) if isinstance(value, dict) else value.items()
        parts = [part for key, item in pairs for part in (self.digest(key, place), self._item(key, item, place))]
        made = self.digest(getattr(value, "default_factory", None), place)
        return hashed(type(value).__name__, made, *parts)

    def _item(self, key: Any, item: Any, place: str) -> str:
        return self.digest(item, f"{key!s} of {place}")

    def _array(self, value: Any, place: str) -> str:
        if value.dtype.hasobject:
            return hashed("objects", repr(value.dtype), str(value.shape), self.digest(value.tolist(), place))
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return hashed("array", type(value).__name__, repr(value.dtype), str(value.shape), content)

    def _tensor(self, value: torch.Tensor, place: str) -> str:
        try:
            plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
            content = hashlib.sha256(plain.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
        except (RuntimeError, TypeError, NotImplementedError) as error:  # sparse, quantized, without numbers
            raise self._refused(value, place) from error
        hooks = [getattr(value, name, None) or None for name in ("_backward_hooks", "_post_accumulate_grad_hooks")]
        rest = self.digest((hooks, vars(value), value.grad if value.is_leaf else None), place)
        form = (type(value).__name__, str(value.dtype), str(tuple(value.shape)), str(value.requires_grad))
        return hashed("tensor", *form, str(value.device), content, rest)

    def _named(self, value: Any, place: str) -> str:
        return hashed("named", type(value).__name__, str(value))

    def _logger(self, value: logging.Logger, place: str) -> str:
        return hashed("logger", value.name)  # what it writes is not what is trained

    def _member(self, value: enum.Enum, place: str) -> str:
        return hashed("member", self.digest(type(value), place), str(value.name), self.digest(vars(value), place))

    def _partial(self, value: functools.partial[Any], place: str) -> str:
        parts = (value.func, value.args, value.keywords, vars(value))
        return hashed("partial", *(self.digest(part, f"a partial in {place}") for part in parts))

    def _method(self, value: types.MethodType, place: str) -> str:
        return hashed("method", self.digest(value.__func__, place), self.digest(value.__self__, place))

    def _function(self, value: types.FunctionType, place: str) -> str:
        if is_library_function(value):
            module, name = str(value.__globals__.get("__name__")), value.__code__.co_qualname
            return hashed("library", module, name, str(version_of(module)))
        here = f"the function {value.__qualname__}"
        parts = [bytecode(value.__code__), self.digest((value.__defaults__, value.__kwdefaults__), here)]
        parts.append(self.digest(vars(value), here))
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                content = cell.cell_contents
            except ValueError:  # not set yet
                parts.append("empty")
            else:
                parts.append(self.digest(content, f"{name} of {here}"))
        for wanted in reached(value.__code__):
            if isinstance(wanted, Import):
                parts.append(hashed(repr(wanted), self._imported(wanted, value.__globals__, here)))
            elif wanted in value.__globals__:
                parts.append(hashed(wanted, self.digest(value.__globals__[wanted], f"{wanted} of {here}")))
        return hashed("function", *parts)

    def _imported(self, wanted: Import, scope: dict[str, Any], place: str) -> str:
        """Every module that an import statement in a function loads, as it is now."""
        package = scope.get("__package__") or (
            scope["__name__"] if "__path__" in scope else str(scope.get("__name__", "")).rpartition(".")[0]
        )
        try:
            name = importlib.util.resolve_name("." * wanted.level + wanted.name, package)
        except (ImportError, ValueError):  # it would fail in the trainer, too
            return hashed("missing", repr(wanted))
        steps = name.split(".")
        parts = [self._module_named(".".join(steps[:k]), place) for k in range(1, len(steps) + 1)]
        parts += [self._module_named(f"{name}.{item}", place) for item in wanted.items if not _holds(name, item)]
        return hashed("import", *parts)

    def _module_named(self, name: str, place: str) -> str:
        if version_of(name) is not None:
            return hashed("module", name, str(version_of(name)))
        try:
            return self.digest(importlib.import_module(name), place)
        except ImportError:
            return hashed("missing", name)
        except UsageError:
            raise
        except Exception as error:  # whatever code of the user's own may raise
            text = f"Expected to load the module {name} (in {place}), but: {type(error).__name__}: {error}."
            raise UsageError(text, _REMEDY) from error

    def _module(self, value: types.ModuleType, place: str) -> str:
        version = version_of(value.__name__)
        if version is not None:
            return hashed("module", value.__name__, version)
        file = getattr(value, "__file__", None)
        if file is not None and file.endswith(".py") and os.path.isfile(file):
            content = hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()
        elif file is None and hasattr(value, "__path__"):
            content = "namespace"
        else:
            text = f"Expected modules with a file of Python, got {value.__name__} (in {place}) without one."
            raise UsageError(text, _REMEDY)
        # Not the file alone: values may have been set since, and names taken from other modules.
        own = {name: item for name, item in sorted(vars(value).items()) if not _is_dunder(name)}
        return hashed("own module", value.__name__, content, self._mapping(own, f"the module {value.__name__}"))

    def _class(self, value: type, place: str) -> str:
        if version_of(value.__module__) is not None and _stands_where_it_says(value):
            return self._library(value)
        if not value.__flags__ & _MADE_BY_PYTHON:
            raise self._refused(value, place)
        own = {name: item for name, item in vars(value).items() if name not in _OF_CLASSES}
        here = f"the class {value.__qualname__}"
        parts = [self.digest(type(value), here)] if type(value) is not type else []
        parts += [self._sequence(value.__bases__, here), self._mapping(own, here)]
        return hashed("class", value.__qualname__, *parts)

    def _wrapped(self, value: Any, place: str) -> str:
        return hashed(type(value).__name__, self.digest(value.__func__, place))

    def _property(self, value: property, place: str) -> str:
        return hashed("property", self.digest((value.fget, value.fset, value.fdel), place))

    def _builtin(self, value: Any, place: str) -> str:
        owner = getattr(value, "__self__", None) or getattr(value, "__objclass__", None)
        if owner is None or isinstance(owner, types.ModuleType | type):
            version = version_of(getattr(value, "__module__", None) or getattr(owner, "__module__", None) or "builtins")
            if version is None:  # compiled code of the user's own
                raise self._refused(value, place)
            return hashed("builtin", value.__qualname__, version)
        return hashed("builtin", value.__name__, self.digest(owner, place))

    def _slot(self, value: Any, place: str) -> str:
        return hashed("slot", value.__qualname__)


class _Bare:
    """As large as an object that has nothing but its attributes."""


_POINTER = struct.calcsize("P")
_MADE_BY_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_SKIPPED = """
__dict__ __weakref__ __doc__ __module__ __annotations__ __abstractmethods__ _abc_impl __dataclass_fields__
__dataclass_params__ __match_args__ __firstlineno__ __static_attributes__ __parameters__ __orig_bases__
"""
_OF_CLASSES = set(_SKIPPED.split())

_Read = Callable[[_Reader, Any, str], str]
_WHATEVER_KIND: list[tuple[Any, _Read]] = [
    (type, _Reader._class),
    (types.ModuleType, _Reader._module),
    (enum.Enum, _Reader._member),
]
_CONTENTS: dict[type, _Read] = {
    **dict.fromkeys((int, float, complex, str, bytes), _Reader._plain),
    **dict.fromkeys((list, tuple, collections.deque), _Reader._sequence),
    **dict.fromkeys((dict, collections.OrderedDict, collections.defaultdict, collections.Counter), _Reader._mapping),
    **dict.fromkeys((set, frozenset), _Reader._set),
}
"""What a class of one's own may derive from, and how the contents are read past its methods."""
# By exact type: what derives from these may hold more than they do.
_EXACTLY: dict[type, _Read] = {
    **_CONTENTS,
    types.MappingProxyType: _Reader._mapping,
    torch.Size: _Reader._sequence,
    slice: _Reader._slice,
    types.FunctionType: _Reader._function,
    types.MethodType: _Reader._method,
    types.GetSetDescriptorType: _Reader._slot,
    types.MemberDescriptorType: _Reader._slot,
    staticmethod: _Reader._wrapped,
    classmethod: _Reader._wrapped,
    property: _Reader._property,
    functools.partial: _Reader._partial,
    logging.Logger: _Reader._logger,
    logging.RootLogger: _Reader._logger,
    np.ndarray: _Reader._array,
    np.memmap: _Reader._array,
    **dict.fromkeys((torch.dtype, torch.device, torch.memory_format, torch.layout), _Reader._named),
    **dict.fromkeys((torch.Tensor, torch.nn.Parameter), _Reader._tensor),
    **dict.fromkeys(
        (
            types.BuiltinFunctionType,
            types.MethodDescriptorType,
            types.WrapperDescriptorType,
            types.ClassMethodDescriptorType,
        ),
        _Reader._builtin,
    ),
}


def _given(value: Any) -> Any:
    # Statically, because some objects claim to have every attribute.
    return value.fingerprint if inspect.getattr_static(value, "fingerprint", None) is not None else None


def _state(value: Any) -> dict[str, Any]:
    """Attributes and slots."""
    found = dict(getattr(value, "__dict__", {}))
    for base in type(value).__mro__:
        for name, item in vars(base).items():
            if isinstance(item, types.MemberDescriptorType):
                try:
                    found[f"{base.__qualname__}.{name}"] = item.__get__(value)
                except AttributeError:  # not set
                    continue
    return found


def _hides(kind: type) -> bool:
    """Whether its objects are larger than their attributes and slots need: compiled code keeps something there."""
    slots = sum(isinstance(item, types.MemberDescriptorType) for base in kind.__mro__ for item in vars(base).values())
    return kind.__basicsize__ > _Bare.__basicsize__ + slots * _POINTER


def _stands_where_it_says(value: Any) -> bool:
    """Whether a thing of a library is what is found there under its name, rather than bearing the name only."""
    found: Any = sys.modules.get(str(getattr(value, "__module__", None)))
    for step in str(getattr(value, "__qualname__", None) or getattr(value, "__name__", None)).split("."):
        found = getattr(found, step, None)
    return found is value


def _holds(module: str, name: str) -> bool:
    return version_of(module) is not None or hasattr(sys.modules.get(module), name)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
