"""What every mechanism is, and how mechanisms are written to records and read again.

Promise: a mechanism is a frozen, serialisable description; `losses(relation)` are the privacy losses of one use of it:
for a unit that is removed and for one that is added, or one where both are the same (see `reticent.privacy.losses`).
`mechanism_from_dict(mechanism_to_dict(m)) == m` for every kind.

A new kind is a frozen dataclass with a `kind` of its own, whose fields are numbers, texts, tuples of mechanisms, or a
`Correlation`; it is known to records as soon as its class exists.

Example:
    >>> from reticent.privacy import Laplace
    >>> from reticent.privacy.mechanisms import mechanism_from_dict, mechanism_to_dict
    >>> mechanism_to_dict(Laplace(2.0, count=3))
    {'kind': 'laplace', 'noise_multiplier': 2.0, 'count': 3}
    >>> mechanism_from_dict(_) == Laplace(2.0, count=3)
    True
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy.correlations import Correlation, correlation_from_dict
from reticent.privacy.losses import Loss
from reticent.privacy.units import Relation

__all__ = ["Mechanism", "keep", "mechanism_from_dict", "mechanism_to_dict", "only_under"]

Array = npt.NDArray[np.float64]

_KINDS: dict[str, type[Mechanism]] = {}


@dataclasses.dataclass(frozen=True)
class Mechanism(abc.ABC):
    """A randomised step whose privacy loss is known; `count` says how often it was used."""

    kind: ClassVar[str]
    """Its name in records."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "kind" in vars(cls):
            _KINDS[cls.kind] = cls

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """How often it was used."""

    def times(self, count: int) -> Self:
        """The same, used so many times."""
        changed: dict[str, Any] = {"count": count}
        return dataclasses.replace(self, **changed)

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0

    @property
    @abc.abstractmethod
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds."""

    @abc.abstractmethod
    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy losses of one use.

        Raises:
            UsageError: nothing is known under this relation.
        """

    def parts(self, relation: Relation) -> tuple[tuple[Loss, ...], int]:
        """Losses and a number: composed so many times, they are those of all uses together."""
        return self.losses(relation), self.count

    @abc.abstractmethod
    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one use, at `renyi.ORDERS`; infinite where none are known."""

    @abc.abstractmethod
    def text(self) -> str:
        """One line for reports."""


def keep(mechanism: object, **checked: float) -> None:
    """Write the checked values back, so that a mechanism holds Python numbers whatever it was given."""
    for name, value in checked.items():
        object.__setattr__(mechanism, name, value)


def only_under(wanted: Relation, relation: Relation, *, what: str, remedy: str) -> None:
    """Raise `UsageError` unless the relation is the one under which something is known about `what`."""
    if relation is not wanted:
        raise UsageError(f"Expected Relation.{wanted.name} for {what}, got {relation.name}.", remedy)


def mechanism_to_dict(mechanism: Mechanism) -> dict[str, Any]:
    """Plain values from which `mechanism_from_dict` makes an equal mechanism."""
    plain: dict[str, Any] = {"kind": mechanism.kind}
    for field in dataclasses.fields(mechanism):
        value = getattr(mechanism, field.name)
        plain[field.name] = [_plain(one) for one in value] if isinstance(value, tuple) else _plain(value)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Correlation):
        return value.as_dict()
    return mechanism_to_dict(value) if isinstance(value, Mechanism) else value


def mechanism_from_dict(values: dict[str, Any]) -> Mechanism:
    """The mechanism that `mechanism_to_dict` wrote.

    Raises:
        UsageError: an unknown kind, or not exactly the fields of the kind.
    """
    kind, fields = _checks.kind_in(_KINDS, values)
    for name, value in fields.items():
        if isinstance(value, list):
            fields[name] = tuple(mechanism_from_dict(one) if isinstance(one, dict) else one for one in value)
        elif isinstance(value, dict):
            fields[name] = correlation_from_dict(value)
    return kind(**fields)
