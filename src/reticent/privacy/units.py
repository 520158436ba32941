"""Whose privacy is promised, and which data sets count as neighbours.

A differential-privacy guarantee bounds how much the output may depend on *one unit*. The same epsilon protects a person
far less when the unit is a row and the person owns fifty rows, so a `Guarantee` always names both.

Example:
    >>> from reticent.privacy import Relation, Unit
    >>> print(Unit.PERSON.meaning)
    everything that one person contributed
    >>> print(Relation.REPLACE_ONE.meaning)
    one unit is exchanged for another; the size of the data set is public
"""

from __future__ import annotations

import enum

from reticent.errors import UsageError

__all__ = ["Relation", "Unit", "check_kinds"]


class Unit(enum.Enum):
    """The unit whose presence or content is protected."""

    EXAMPLE = "example"
    PERSON = "person"
    CLIENT = "client"

    @property
    def meaning(self) -> str:
        """The unit in words, as it stands in reports."""
        return {
            Unit.EXAMPLE: "one row of the data set",
            Unit.PERSON: "everything that one person contributed",
            Unit.CLIENT: "everything that one client (a hospital, a device) holds",
        }[self]


class Relation(enum.Enum):
    """The neighbouring relation: which pairs of data sets must be hard to tell apart.

    A promise under `REPLACE_ONE` is the stronger one at equal numbers: exchanging a unit is removing one and adding
    another, so a mechanism's epsilon under it is larger, at the same delta often more than twice as large.
    """

    ADD_OR_REMOVE_ONE = "add_or_remove_one"
    REPLACE_ONE = "replace_one"

    @property
    def meaning(self) -> str:
        """The relation in words, as it stands in reports."""
        return {
            Relation.ADD_OR_REMOVE_ONE: "one unit is added or removed",
            Relation.REPLACE_ONE: "one unit is exchanged for another; the size of the data set is public",
        }[self]

    def of(self, unit: Unit) -> str:
        """What neighbours differ in, in prose.

        Example:
            >>> Relation.ADD_OR_REMOVE_ONE.of(Unit.PERSON)
            'one person added or removed'
        """
        changed = {Relation.ADD_OR_REMOVE_ONE: "added or removed", Relation.REPLACE_ONE: "exchanged for another"}
        return f"one {unit.value} {changed[self]}"


def check_kinds(unit: object, relation: object) -> None:
    """Raise `UsageError` unless the two are a `Unit` and a `Relation`; their names alone are not accepted."""
    for value, kind in ((unit, Unit), (relation, Relation)):
        if not isinstance(value, kind):
            options = ", ".join(f"{kind.__name__}.{option.name}" for option in kind)
            raise UsageError(f"Expected a {kind.__name__}, got {value!r}.", f"Pass one of {options}.")
