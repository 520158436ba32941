"""Names that a package has, loaded when they are first used.

Promise: `lazily` makes the `__getattr__` and `__dir__` (PEP 562) of a package whose names lie in its modules: `from
package import Name` loads that module and no other, a name is looked up once and then kept in the package, `dir()`
tells all of them, and a name that is not there is an AttributeError as ever. Type checkers read the imports under
`TYPE_CHECKING` that stand beside it; a test holds that both say the same. A package of the laboratory that is missing
is a `MissingExtra` that names the command which mends it.

Example:
    >>> from reticent._rooms import lazily
    >>> look_up, names = lazily("reticent", {"Plan": "privacy"})
    >>> look_up("Plan").__module__, names()
    ('reticent.privacy.plan', ['Plan'])
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

__all__ = ["lazily"]

_LABORATORY: Final = ("torch", "safetensors", "sklearn", "joblib")


def lazily(
    package: str, rooms: Mapping[str, str], more: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The two functions of a package.

    Args:
        package: its name.
        rooms: name to the module that has it, as it is called below the package.
        more: names that are there anyway.
    """

    def look_up(name: str) -> Any:
        room = rooms.get(name)
        if room is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            value = getattr(importlib.import_module(f"{package}.{room}"), name)
        except ImportError as error:
            from reticent.errors import MissingExtra

            # A room's own names may be lazy, too: what is missing is said of the name that was asked for.
            gone = error.package if isinstance(error, MissingExtra) else error.name
            if gone not in _LABORATORY:
                raise
            raise MissingExtra(gone, "lab", f"{package}.{name}") from error
        if package in sys.modules:
            setattr(sys.modules[package], name, value)
        return value

    return look_up, lambda: sorted({*rooms, *more})
