"""Where code comes from, and what it reaches for: what fingerprints of trainers are made of.

Promise: code of your own is never taken for that of an installed package: a function counts as a package's by the
module that its code runs in, not by the names that it bears, which `functools.wraps` copies.

Example:
    >>> import math
    >>> from reticent.training.fleets.origins import reached, version_of
    >>> def area(radius):
    ...     from numpy import square
    ...     return math.pi * square(radius)
    >>> reached(area.__code__)
    ['math', Import(name='numpy', level=0, items=('square',))]
    >>> version_of("__main__") is None
    True
"""

from __future__ import annotations

import dis
import functools
import hashlib
import importlib.util
import pathlib
import platform
import sys
import types
from collections.abc import Iterator
from importlib import metadata
from typing import Any, NamedTuple

__all__ = ["Import", "bytecode", "hashed", "is_library_function", "reached", "version_of"]

_LOOKUPS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")


class Import(NamedTuple):
    """An import statement: the module's name, the dots before it, and what is taken from it."""

    name: str
    level: int
    items: tuple[str, ...]


def hashed(*parts: str) -> str:
    """SHA-256 in hexadecimal of texts, each with its length."""
    sha = hashlib.sha256()
    for part in parts:
        content = part.encode(errors="surrogatepass")
        sha.update(len(content).to_bytes(8, "big") + content)
    return sha.hexdigest()


def bytecode(code: types.CodeType) -> str:
    """A name for what code does, whatever line it stands on."""
    constants = [bytecode(one) if isinstance(one, types.CodeType) else _constant(one) for one in code.co_consts]
    arguments = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    table = code.co_exceptiontable.hex()
    return hashed(code.co_code.hex(), table, repr(arguments), repr(code.co_names), repr(code.co_varnames), *constants)


def _constant(value: Any) -> str:
    # A set's order is not the same in two processes.
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else f"{type(value).__name__} {value!r}"


def reached(code: types.CodeType) -> list[str | Import]:
    """Names that the code and the functions in it look up in modules, and what they import; each once, in order."""
    return sorted(set(_all_reached(code)), key=repr)


def _all_reached(code: types.CodeType) -> Iterator[str | Import]:
    constants: list[Any] = []
    for instruction in dis.get_instructions(code):
        if instruction.opname in _LOOKUPS:
            yield str(instruction.argval)
        elif instruction.opname == "IMPORT_NAME":
            level, items = constants[-2:]  # pushed just before
            yield Import(str(instruction.argval), int(level), tuple(items or ()))
        elif instruction.opname.startswith("LOAD_"):
            constants.append(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _all_reached(constant)


def is_library_function(function: types.FunctionType) -> bool:
    """Whether a function is an installed package's, and nothing but what stands in its file."""
    if version_of(function.__globals__.get("__name__")) is None or function.__closure__:
        return False
    return "<" not in function.__code__.co_qualname


@functools.cache
def version_of(module: str | None) -> str | None:
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
