"""Whether somebody of a spelling is in a table, and how those are spelt who nearly are.

Promise: `sought` compares a spelling with a table's owners by the same rule as loading does. Where nobody fits, it says
in which way somebody differs (zeros in front, blanks, capital letters, a point and zeros behind) and how long their
identifier is, never what it is. `matched` counts which of the objections that apply name somebody in the table.

Example:
    >>> from reticent.data.manifests.matching import sought
    >>> from reticent.data.tables import Table
    >>> found = sought(Table.of({"who": ["000227", "000228"], "age": [34, 51]}), "who", "227")
    >>> found.rows, found.alike
    (0, ('one that differs in zeros in front, 6 characters long',))
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent._numbers import counted
from reticent.data.manifests import persons
from reticent.data.manifests.objections import Objections
from reticent.data.tables import Table
from reticent.errors import DataError

__all__ = ["Matched", "Sought", "matched", "owners_of", "said_of_unmatched", "sought"]

_Change = Callable[[str], str]


def _no_point(text: str) -> str:
    return re.sub(r"\.0*$", "", text)


_DIFFERENCES: Final[tuple[tuple[str, _Change], ...]] = (
    ("blanks", lambda text: "".join(text.split())),
    ("capital letters", str.casefold),
    ("a point and zeros behind", _no_point),
    ("zeros in front", lambda text: text.lstrip("0")),
    ("dashes, points and strokes", lambda text: re.sub(r"[-./_]", "", text)),
)


@dataclasses.dataclass(frozen=True)
class Sought:
    """Who was found.

    Attributes:
        spelling: what was looked for.
        rows: rows of the person with this spelling; 0 where there is nobody.
        alike: how people differ from it who are nearly so spelt; looked for where nobody fits.
    """

    spelling: str
    rows: int
    alike: tuple[str, ...]


def sought(table: Table, owner: str, person: object) -> Sought:
    """Look for a person among a table's owners."""
    column, spelling = owners_of(table, owner), persons.written(person)
    names = [persons.written(one) for one in column.values.tolist()]
    same = np.array([one == spelling for one in names], dtype=bool)
    rows = int(same[column.codes].sum())
    return Sought(spelling, rows, () if rows else tuple(_alike(names, spelling)))


def _alike(names: list[str], spelling: str) -> list[str]:
    """In which way each of the first few who are nearly so spelt differs."""
    least = _least(spelling)
    near = [one for one in names if least and _least(one) == least]
    return [f"one that differs in {_how(one, spelling)}, {len(one)} characters long" for one in near[:3]]


def _least(text: str) -> str:
    for _, change in _DIFFERENCES:
        text = change(text)
    return text


def _how(one: str, other: str) -> str:
    """The least that has to be left out of two spellings to make them one."""
    for what, change in _DIFFERENCES:
        if change(one) == change(other):
            return what
    return "several of blanks, capital letters, zeros and points"


@dataclasses.dataclass(frozen=True)
class Matched:
    """A table's people held against a list of objections.

    Attributes:
        people: the identifiers.
        objects: (people,) whether each of them objects.
        listed: how many people object, as the list has them.
        found: how many of those the table names.
    """

    people: npt.NDArray[Any]
    objects: npt.NDArray[np.bool_]
    listed: int
    found: int

    @property
    def counts(self) -> dict[str, int]:
        """Plain values, that name nobody."""
        return {"people": self.listed, "found": self.found, "unmatched": self.listed - self.found}


def matched(
    table: Table,
    owner: str,
    listed: Objections | None,
    key: bytes | None,
    *,
    purposes: Sequence[str] | None,
    on: datetime.date,
) -> Matched:
    """Who of a table's people objects on a day to one of some purposes; None: to any purpose at all."""
    people = owners_of(table, owner).values
    if listed is None:
        return Matched(people, np.zeros(len(people), dtype=bool), 0, 0)
    wanted: Sequence[str | None] = (None,) if purposes is None else purposes
    against = frozenset[str]().union(*(listed.of(one, on=on) for one in wanted))
    names = [listed.naming(one, key) for one in people.tolist()] if against else []
    objects = np.array([one in against for one in names] or [False] * len(people), dtype=bool)
    return Matched(people, objects, len(against), len(against.intersection(names)))


def said_of_unmatched(counts: Mapping[str, int]) -> str:
    """The sentence on people who object and are not in the table; empty where there are none."""
    missing, people = counts.get("unmatched", 0), counts.get("people", 0)
    if not missing:
        return ""
    one = missing == 1
    return (
        f"{missing} of {counted(people, 'person', 'people')} who {'objects' if people == 1 else 'object'} "
        f"{'matches' if one else 'match'} nobody in this file, as spelt in the list: "
        f"{'this objection' if one else 'these objections'} removed nothing. If they are in it under another spelling, "
        "their rows are still there."
    )


def owners_of(table: Table, owner: str) -> Any:
    """The owners' column.

    Raises:
        DataError: a row without an owner.
    """
    column = table[owner].compacted()
    if column.missing.any():
        raise DataError(
            f"Expected an owner for every row, got none for {int(column.missing.sum())} of {table.rows}.",
            "Give each of these rows an owner of its own, if nothing else is known.",
        )
    return column
