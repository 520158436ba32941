"""A name for a trainer that changes when what it does changes: from its code and the values in it.

Promise: two trainers of one fingerprint have the same bytecode, defaults, closures and globals, and equal values in
them, down to the functions and classes of your own that they reach; installed packages count by name and version.
What cannot be read off soundly (an open file, a generator, an object of an unknown library) is refused, never guessed.

Not covered: files and environment variables that a trainer reads, modules that it loads by a name made up at run time,
and packages whose files were changed without their version. For such, and for whatever is refused, give the trainer
(or the part of it) an attribute `fingerprint`: a text that you change when it changes.

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
import dis
import enum
import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import pathlib
import platform
import sys
import types
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

import numpy as np
import torch

from reticent.errors import UsageError

__all__ = ["fingerprint"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented), range, slice)
_REMEDY = (
    "Give the trainer, or that part of it, an attribute `fingerprint`: a text that you change when what it does "
    "changes; or leave store out."
)


def fingerprint(trainer: Any) -> str:
    """SHA-256 in hexadecimal of everything that the trainer is made of.

    Raises:
        UsageError: something in it cannot be read off; the text says what and where.
    """
    return _Reader().digest(trainer, "the trainer")


class _Reader:
    """Turns values into digests; knows what it is in the middle of, for what refers to itself."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        self._done: dict[int, str] = {}
        self._kept: list[Any] = []  # so that no id is used again while it is remembered
        self._outermost = 0  # how far out what was read last refers to

    def digest(self, value: Any, place: str) -> str:
        if isinstance(value, _PLAIN):
            return _hash("plain", type(value).__name__, repr(value))
        key, depth = id(value), len(self._open)
        if key in self._open:
            self._outermost = min(self._outermost, self._open[key])
            return _hash("above", str(depth - self._open[key]))
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
            return _hash("given", given)
        for kinds, read in _READERS:
            if isinstance(value, kinds):
                return read(self, value, place)
        if hasattr(value, "get_params") and _version_of(type(value).__module__) is not None:
            parts = {"class": type(value), "params": value.get_params(deep=False)}
            return _hash("estimator", self.digest(parts, place))
        if dataclasses.is_dataclass(value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return _hash("dataclass", self.digest(type(value), place), self.digest(fields, place))
        return self._object(value, place)

    def _object(self, value: Any, place: str) -> str:
        kind = type(value)
        ours = [base for base in kind.__mro__[:-1] if _version_of(base.__module__) is None]
        if isinstance(value, torch.nn.Module) or (len(ours) == len(kind.__mro__) - 1 and hasattr(value, "__dict__")):
            slots = [name for base in kind.__mro__ for name in base.__dict__.get("__slots__", ())]
            state = {**vars(value), **{name: getattr(value, name) for name in slots if hasattr(value, name)}}
            return _hash("object", self.digest(kind, place), self.digest(state, f"{place}, a {kind.__name__}"))
        named = getattr(value, "__name__", None)
        if callable(value) and isinstance(named, str) and _version_of(getattr(value, "__module__", None)) is not None:
            return self._library(value)  # a function that is not written in Python
        raise UsageError(
            f"Expected a trainer whose parts can be read off, got a {kind.__module__}.{kind.__qualname__} in {place}.",
            _REMEDY,
        )

    def _library(self, value: Any) -> str:
        module = value.__module__
        return _hash("library", str(module), getattr(value, "__qualname__", value.__name__), str(_version_of(module)))

    def _sequence(self, value: Any, place: str) -> str:
        return _hash(type(value).__name__, *(self.digest(item, f"{place}[{k}]") for k, item in enumerate(value)))

    def _set(self, value: Any, place: str) -> str:
        return _hash("set", *sorted(self.digest(item, place) for item in value))

    def _mapping(self, value: Any, place: str) -> str:
        return _hash(
            type(value).__name__,
            *(part for key, item in value.items() for part in (self.digest(key, place), self._item(key, item, place))),
        )

    def _item(self, key: Any, item: Any, place: str) -> str:
        return self.digest(item, f"{key!s} of {place}")

    def _array(self, value: Any, place: str) -> str:
        if value.dtype.hasobject:
            return _hash("objects", str(value.shape), self.digest(value.tolist(), place))
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return _hash("array", value.dtype.str, str(value.shape), content)

    def _tensor(self, value: torch.Tensor, place: str) -> str:
        plain = value.detach().cpu().contiguous()
        content = hashlib.sha256(plain.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
        return _hash("tensor", str(value.dtype), str(tuple(value.shape)), str(value.requires_grad), content)

    def _named(self, value: Any, place: str) -> str:
        return _hash("named", type(value).__name__, str(value))

    def _partial(self, value: functools.partial[Any], place: str) -> str:
        parts = (value.func, value.args, value.keywords)
        return _hash("partial", *(self.digest(part, f"a partial in {place}") for part in parts))

    def _method(self, value: types.MethodType, place: str) -> str:
        return _hash("method", self.digest(value.__func__, place), self.digest(value.__self__, place))

    def _function(self, value: types.FunctionType, place: str) -> str:
        if _version_of(value.__module__) is not None:
            return self._library(value) if "<" not in value.__qualname__ else self._code_of(value, place)
        return self._code_of(value, place)

    def _code_of(self, value: types.FunctionType, place: str) -> str:
        here = f"the function {value.__qualname__}"
        parts = [_code(value.__code__), self.digest((value.__defaults__, value.__kwdefaults__), here)]
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                content = cell.cell_contents
            except ValueError:  # not set yet
                parts.append("empty")
            else:
                parts.append(self.digest(content, f"{name} of {here}"))
        for kind, name in sorted(_reached(value.__code__)):
            if kind == "import":
                parts.append(_hash(name, self._module_named(name, here)))
            elif name in value.__globals__:
                parts.append(_hash(name, self.digest(value.__globals__[name], f"{name} of {here}")))
        return _hash("function", *parts)

    def _module_named(self, name: str, place: str) -> str:
        if _version_of(name) is not None:
            return _hash("module", name, str(_version_of(name)))
        try:
            return self.digest(importlib.import_module(name), place)
        except ImportError:
            return _hash("missing", name)

    def _module(self, value: types.ModuleType, place: str) -> str:
        version = _version_of(value.__name__)
        if version is not None:
            return _hash("module", value.__name__, version)
        file = getattr(value, "__file__", None)
        if file is None or not os.path.isfile(file):
            raise UsageError(f"Expected modules with a file, got {value.__name__} (in {place}) without one.", _REMEDY)
        parts = [hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()]
        for name, item in sorted(vars(value).items()):  # what it has from other modules of your own
            other = item.__name__ if isinstance(item, types.ModuleType) else getattr(item, "__module__", None)
            if isinstance(other, str) and other != value.__name__ and _version_of(other) is None:
                module = sys.modules.get(other)
                parts.append(_hash(name, self.digest(module, place) if module is not None else other))
        return _hash("own module", value.__name__, *parts)

    def _class(self, value: type, place: str) -> str:
        if _version_of(value.__module__) is not None:
            return self._library(value)
        own = {name: item for name, item in vars(value).items() if name not in _OF_CLASSES}
        here = f"the class {value.__qualname__}"
        return _hash("class", value.__qualname__, self._sequence(value.__bases__, here), self._mapping(own, here))

    def _wrapped(self, value: Any, place: str) -> str:
        return _hash(type(value).__name__, self.digest(value.__func__, place))

    def _property(self, value: property, place: str) -> str:
        return _hash("property", self.digest((value.fget, value.fset, value.fdel), place))

    def _builtin(self, value: Any, place: str) -> str:
        owner = getattr(value, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType | type):
            return _hash(
                "builtin", value.__qualname__, str(_version_of(getattr(value, "__module__", None) or "builtins"))
            )
        return _hash("builtin", value.__name__, self.digest(owner, place))

    def _slot(self, value: Any, place: str) -> str:
        return _hash("slot", value.__qualname__)


_OF_CLASSES = {
    "__dict__",
    "__weakref__",
    "__doc__",
    "__module__",
    "__annotations__",
    "__abstractmethods__",
    "_abc_impl",
    "__dataclass_fields__",
    "__dataclass_params__",
    "__match_args__",
    "__firstlineno__",
    "__static_attributes__",
    "__parameters__",
    "__orig_bases__",
}

_READERS: list[tuple[Any, Callable[[_Reader, Any, str], str]]] = [
    (type, _Reader._class),
    (types.ModuleType, _Reader._module),
    (types.FunctionType, _Reader._function),
    (types.MethodType, _Reader._method),
    ((types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType), _Reader._builtin),
    ((types.GetSetDescriptorType, types.MemberDescriptorType), _Reader._slot),
    ((staticmethod, classmethod), _Reader._wrapped),
    (property, _Reader._property),
    (functools.partial, _Reader._partial),
    (enum.Enum, _Reader._named),
    ((torch.dtype, torch.device, torch.memory_format, pathlib.PurePath), _Reader._named),
    (torch.Tensor, _Reader._tensor),
    ((np.ndarray, np.generic), _Reader._array),
    (np.dtype, _Reader._named),
]


def _exactly(reader: Callable[[_Reader, Any, str], str], *kinds: type) -> None:
    _READERS.extend((kind, reader) for kind in kinds)


_exactly(_Reader._mapping, dict, types.MappingProxyType, collections.OrderedDict)
_exactly(_Reader._sequence, list, tuple, collections.deque)
_exactly(_Reader._set, set, frozenset)


def _given(value: Any) -> Any:
    # Statically, because some objects claim to have every attribute.
    return value.fingerprint if inspect.getattr_static(value, "fingerprint", None) is not None else None


def _hash(*parts: str) -> str:
    sha = hashlib.sha256()
    for part in parts:
        content = part.encode()
        sha.update(len(content).to_bytes(8, "big") + content)
    return sha.hexdigest()


def _code(code: types.CodeType) -> str:
    constants = [_code(one) if isinstance(one, types.CodeType) else _constant(one) for one in code.co_consts]
    arguments = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return _hash(code.co_code.hex(), repr(arguments), repr(code.co_names), repr(code.co_varnames), *constants)


def _constant(value: Any) -> str:
    # A set's order is not the same in two processes.
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else f"{type(value).__name__} {value!r}"


def _reached(code: types.CodeType) -> Iterator[tuple[str, str]]:
    """Names that the code and the functions in it look up in modules, and modules that they import."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield "global", str(instruction.argval)
        elif instruction.opname == "IMPORT_NAME":
            yield "import", str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _reached(constant)


@functools.cache
def _version_of(module: str | None) -> str | None:
    """The version of the package that a module belongs to, or None for code of your own."""
    if module is None:
        return None
    top = module.partition(".")[0]
    if top == "__main__":
        return None
    if top in sys.stdlib_module_names or top == "builtins":
        return platform.python_version()
    if top == "reticent":
        import reticent

        return reticent.__version__
    # Where the module itself is: a folder of yours may share its name with a package.
    file = getattr(sys.modules.get(module), "__file__", None) or _file_of(top)
    if file is None or not {"site-packages", "dist-packages"} & set(pathlib.Path(file).parts):
        return None
    version = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(version, str):
        return version
    try:
        names = metadata.packages_distributions().get(top, [])
        return " ".join(metadata.version(name) for name in names) or None
    except metadata.PackageNotFoundError:
        return None


def _file_of(top: str) -> str | None:
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    return None if found is None else found.origin
