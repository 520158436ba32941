"""What every way to say less about a value can do, and how values are written.

Promise: a hierarchy is nested: who is told a later step could work it out from an earlier one. Level 0 is the value as
it is, then come the hierarchy's own steps, and the last level is `*` for everybody.

Example:
    >>> from reticent.data.anonymity.ladders import shown
    >>> shown(30.0), shown(0.5)
    ('30', '0.5')
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

from reticent.data.tables import Column
from reticent.errors import UsageError

__all__ = ["EVERYBODY", "OTHER", "Hierarchy", "plain", "rising", "shown"]

EVERYBODY: Final = "*"
OTHER: Final = "other"


@runtime_checkable
class Hierarchy(Protocol):
    """A way to say less about a value."""

    @property
    def steps(self) -> int:
        """Levels between the value itself and `*`."""

    def fitted(self, column: Column) -> Hierarchy:
        """The hierarchy with what it has to learn from a column."""

    def images(self, values: Sequence[Any] | np.ndarray[Any, Any], step: int) -> list[Any]:
        """What is said of each value at a step, from 1; None for one that the hierarchy does not know."""


def shown(number: float) -> str:
    """A number as short as it can be written exactly."""
    if isinstance(number, int | np.integer):
        return str(int(number))
    return str(int(number)) if float(number).is_integer() and abs(number) < 2**53 else repr(float(number))


def rising(name: str, numbers: Sequence[float]) -> None:
    """Raise `UsageError` for numbers that do not rise from above zero."""
    if not numbers or any(not one > 0 for one in numbers) or list(numbers) != sorted(set(numbers)):
        raise UsageError(f"Expected {name} that rise from above zero, got {list(numbers)}.", "Begin with the finest.")


def plain(value: Any) -> Any:
    """A value as JSON has it; dates as ISO 8601."""
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[us]"))
    return value.item() if isinstance(value, np.generic) else value
