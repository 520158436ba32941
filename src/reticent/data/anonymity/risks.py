"""The chance that a row is traced to its person, for each named attacker: prosecutor, journalist and marketer.

Promise: risks are about an attacker who knows the named columns of the people he looks for, exactly as they stand in
the table, and nothing else; there is one figure per attacker, never one for the table. They are exact for the table
(and the population table, if there is one): nothing is estimated, so there are no intervals. Beside them stands what
an attacker without the columns achieves: one row of all.

Attackers, with f the rows of a class in the table and F those in the population:

* the prosecutor knows that his target is in the table: 1/f.
* the journalist does not, and uses a register: 1/F.
* the marketer wants as many right as possible: the share of rows that he gets right, (1/n) sum f/F; without a register
  he is a prosecutor of everybody, and gets (number of classes)/n.

Not covered: attackers who know columns only roughly, or who know others than those named; re-identification by what is
not in a table of one row per person (ratings, places); values that are learned without a row being found (see
`measures`). A risk of one row in f is no protection if all rows of the class say the same.

Sources: El Emam and Dankar (2008); El Emam (2013), Guide to the De-Identification of Personal Health Information,
chapters 16 and 17.

Example:
    >>> from reticent.data.tables import Table
    >>> from reticent.data.anonymity import risks
    >>> people = Table.of({"age": [30, 30, 40], "zip": ["021", "021", "021"]})
    >>> neighbour = risks(people, ["age", "zip"], attacker="neighbour")
    >>> neighbour.prosecutor_highest, round(neighbour.prosecutor_average, 3), round(neighbour.baseline, 3)
    (1.0, 0.667, 0.333)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from reticent import _checks
from reticent.data.anonymity.counting import Floats, Ints
from reticent.data.anonymity.measures import people_in, roles
from reticent.data.tables import Column, Table
from reticent.errors import DataError

__all__ = ["AttackerRisk", "in_population", "risks"]


@dataclasses.dataclass(frozen=True)
class AttackerRisk:
    """What one attacker achieves.

    Attributes:
        attacker: a name for him.
        knows: the columns that he knows of his targets.
        rows: of the table.
        classes: classes of rows that are alike in what he knows.
        smallest: size of the smallest class, in people if their column was named.
        unique_share: share of rows in whose class nobody else is: no other row, or, if the column of people was named,
            no other person.
        threshold: risks above are counted.
        prosecutor_highest: 1 / smallest class.
        prosecutor_average: mean over rows of 1/f.
        prosecutor_at_risk: share of rows with 1/f above the threshold.
        population: rows of the population table; None if there was none.
        not_in_population: rows of whose class the population table has fewer than the table itself.
        journalist_highest: largest 1/F; None without a population.
        journalist_at_risk: share of rows with 1/F above the threshold; None without a population.
        marketer: expected share of rows that are matched rightly: with a population (1/n) sum f/F, else classes/n.
        prosecutor_baseline: what a prosecutor who knows no column achieves: one of all people in the table.
        baseline: what a marketer or journalist who knows no column achieves: one of all people in the register; without
            one, as the prosecutor.
    """

    attacker: str
    knows: tuple[str, ...]
    rows: int
    classes: int
    smallest: int
    unique_share: float
    threshold: float
    prosecutor_highest: float
    prosecutor_average: float
    prosecutor_at_risk: float
    population: int | None
    not_in_population: int
    journalist_highest: float | None
    journalist_at_risk: float | None
    marketer: float
    prosecutor_baseline: float
    baseline: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**dataclasses.asdict(self), "knows": list(self.knows)}


def risks(
    table: Table,
    knows: Sequence[str],
    *,
    attacker: str = "knows all quasi-identifiers",
    threshold: float = 0.2,
    population: Table | None = None,
    person: str | None = None,
) -> AttackerRisk:
    """The risks from one attacker.

    Args:
        table: the rows as the attacker gets them.
        knows: columns that he knows of his targets.
        attacker: what to call him.
        threshold: count the rows whose risk is above.
        population: a register with the same columns, in the same categories, of the people from whom those of the table
            came. Where it has fewer rows of a class than the table, it is not that; the table's count is used, and the
            rows are counted in `not_in_population`. Each of its rows is a person, unless it has the column `person`.
        person: the column that says whose row it is; classes then count people, never rows: ten rows of one person hide
            nobody.

    Raises:
        UsageError: a column is not there.
        DataError: the population lacks a column, or has it as another type.
    """
    _checks.fraction(threshold=threshold)
    roles(table, knows, (), person)
    found = table.classes(list(knows))
    sizes = found.sizes if person is None else np.maximum(people_in(found.of_rows, len(found.sizes), table[person]), 1)
    inside = sizes[found.of_rows]
    risk = 1.0 / inside
    people = _people(table, person)
    highest = at_risk = None
    marketer, baseline, short = float(risk.mean()), 1 / people, 0
    if population is not None:
        there = in_population(table, population, knows, person=person)
        short = int((there < inside).sum())
        journalist: Floats = 1.0 / np.maximum(there, inside)
        highest, at_risk = float(journalist.max()), float((journalist > threshold).mean())
        marketer, baseline = float(journalist.mean()), 1 / max(_people(population, person), people)
    return AttackerRisk(
        attacker=attacker,
        knows=tuple(knows),
        rows=table.rows,
        classes=len(found.sizes),
        smallest=int(sizes.min()),
        unique_share=float((inside == 1).mean()),
        threshold=threshold,
        prosecutor_highest=float(risk.max()),
        prosecutor_average=float(risk.mean()),
        prosecutor_at_risk=float((risk > threshold).mean()),
        population=None if population is None else population.rows,
        not_in_population=short,
        journalist_highest=highest,
        journalist_at_risk=at_risk,
        marketer=marketer,
        prosecutor_baseline=1 / people,
        baseline=baseline,
    )


def in_population(table: Table, population: Table, names: Sequence[str], *, person: str | None = None) -> Ints:
    """(rows,) how many rows of a population are like each row of a table; people, if it has a column of them.

    Raises:
        DataError: the population lacks a column, or has it as another type.
    """
    lacking = [name for name in names if name not in population]
    if lacking:
        raise DataError(f"Expected the population to have the columns {lacking}.", "Name columns that both have.")
    both = Table(_joined(table[name], population[name]) for name in names)
    of_rows = both.classes().of_rows
    classes = int(of_rows.max()) + 1
    if person is None or person not in population:
        there = np.bincount(of_rows[table.rows :], minlength=classes)
    else:
        there = people_in(of_rows[table.rows :], classes, population[person])
    found: Ints = there[of_rows[: table.rows]].astype(np.int64)
    return found


def _people(table: Table, person: str | None) -> int:
    """How many people have rows in a table; rows of nobody are one person's, so that nothing looks safer."""
    if person is None or person not in table:
        return max(table.rows, 1)
    owners = table[person]
    return max(len(np.unique(owners.codes[owners.codes >= 0])) + bool(owners.missing.any()), 1)


def _joined(one: Column, other: Column) -> Column:
    if one.kind != other.kind and len(one.values) and len(other.values):
        raise DataError(
            f"Expected column {one.name!r} to be of one kind in table and population, got {one.kind} and {other.kind}.",
            "Read both in the same way, and generalise both in the same way.",
        )
    values = np.union1d(one.values, other.values) if len(one.values) and len(other.values) else None
    if values is None:
        values = one.values if len(one.values) else other.values
    parts = [np.append(np.searchsorted(values, part.values), -1).astype(np.int32)[part.codes] for part in (one, other)]
    return Column(one.name, np.concatenate(parts), values)
