"""One look at a table: its measures, the risk from each named attacker, what makes rows stand out, and estimates.

Promise: everything that is measured stands with what it was measured against; what was not measured says so. No value
of a cell is in the record, counts only. A low figure is about these attackers on this day; it never means that nobody
can be found by other means.

Example:
    >>> from reticent.data.tables import Table
    >>> from reticent.data.anonymity import disclosure_risk
    >>> people = Table.of({"age": [30, 30, 40], "zip": ["021", "021", "100"], "illness": ["flu", "flu", "cold"]})
    >>> found = disclosure_risk(people, quasi=["age", "zip"], sensitive=["illness"], attackers={"a colleague": ["age"]})
    >>> found.measures.k, [risk.prosecutor_highest for risk in found.attackers]
    (1, [1.0])
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from reticent import _checks
from reticent.data.anonymity.copula import copula_uniqueness
from reticent.data.anonymity.measures import Measures, measures
from reticent.data.anonymity.minimal_uniques import MinimalUniques, minimal_uniques
from reticent.data.anonymity.risks import AttackerRisk, risks
from reticent.data.anonymity.uniqueness import Uniqueness, population_uniqueness
from reticent.data.tables import Table, as_table, called
from reticent.errors import DataError, UsageError
from reticent.evidence import Estimate, Record, now, software
from reticent.randomness import Randomness
from reticent.reports import save as save_record

__all__ = ["EVERYTHING", "DisclosureRisk", "disclosure_risk", "not_measured"]

EVERYTHING: Final = "knows all quasi-identifiers"
_WORK: Final = 5e7


@dataclasses.dataclass(frozen=True, eq=False)
class DisclosureRisk:
    """What was found.

    Attributes:
        measures: of the table.
        attackers: the risk from each.
        uniqueness: attacker to the estimated uniqueness in the population, where its size is known and rows are alone.
        copula: attacker to the same by a copula.
        stand_out: minimal sample uniques.
        unmeasured: columns that are neither quasi-identifiers nor sensitive.
        data: what to call the table.
    """

    measures: Measures
    attackers: tuple[AttackerRisk, ...]
    uniqueness: Mapping[str, Uniqueness]
    copula: Mapping[str, Estimate]
    stand_out: MinimalUniques | None
    unmeasured: tuple[str, ...]
    data: str = "a table"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "data": self.data,
            "measures": self.measures.as_dict(),
            "attackers": [one.as_dict() for one in self.attackers],
            "uniqueness": {name: one.as_dict() for name, one in self.uniqueness.items()},
            "copula": {name: one.as_dict() for name, one in self.copula.items()},
            "stand_out": None if self.stand_out is None else self.stand_out.as_dict(),
            "unmeasured": list(self.unmeasured),
            "not_measured": not_measured(self),
        }

    def record(self) -> Record:
        """Plain values under their own hash."""
        return Record("disclosure", {**self.as_dict(), "software": software()}, created=now())

    def save(self, path: str | Path) -> Path:
        """Write it as a page (`.html`) or as a record (`.json`)."""
        return save_record(self.record(), path)


def not_measured(found: DisclosureRisk) -> dict[str, str]:
    """Questions to the reason why they are open."""
    open_questions = {
        "attackers who know other columns": "only the named ones were measured"
        + (f"; untouched and unmeasured: {', '.join(found.unmeasured)}" if found.unmeasured else ""),
        "linking to a real register or profile": "it needs the register: test for re-identification with it",
        "several releases of the same people": "one table was looked at",
    }
    if all(one.population is None for one in found.attackers):
        open_questions["journalist risk"] = "no population table was given"
    if not found.uniqueness and all(one.unique_share == 0 for one in found.attackers):
        open_questions["uniqueness in the population"] = (
            "no row is alone in what these attackers know, so nobody in the table is alone in the population"
        )
    elif not found.uniqueness:
        open_questions["uniqueness in the population"] = "the size of the population was not given, or a register was"
    if not found.measures.sensitive:
        open_questions["what classes give away"] = "no sensitive column was named"
    if found.measures.person is None:
        open_questions["several rows of one person"] = "no column says whose row it is: every row counted as a person"
    return open_questions


def disclosure_risk(
    table: Any,
    *,
    quasi: Sequence[str],
    sensitive: Sequence[str] = (),
    attackers: Mapping[str, Sequence[str]] | None = None,
    person: str | None = None,
    population: Any = None,
    threshold: float = 0.2,
    missing: str = "left out",
    ordered: Mapping[str, bool] | None = None,
    l: int | None = None,  # noqa: E741 (the symbol of the literature)
    others_known: bool = False,
    largest: int = 3,
    randomness: Randomness | None = None,
    data: str | None = None,
) -> DisclosureRisk:
    """Measure a table and the risk from each attacker.

    Args:
        table: as a recipient would get it: a `Table`, a frame, a dictionary of columns, a path, or the address of a
            database (`as_table`).
        quasi: columns that somebody may know of people.
        sensitive: columns that nobody should learn.
        attackers: a name to the quasi-identifiers that this one knows; by default one who knows all of them.
        person: the column that says whose row it is; classes then count people.
        population: a register with the same columns, or the size of the population of which the rows are a random
            sample; then uniqueness is estimated.
        threshold: rows with a risk above are counted.
        missing: what a missing sensitive value is: "left out" or "value".
        ordered: for a sensitive column whether its values are ordered; by default numbers and dates are.
        l: of recursive diversity; 2 by default.
        others_known: measure each sensitive column against an attacker who knows the others.
        largest: columns of a minimal unique, at most; fewer where rows and columns are many; 0 to leave that out.
        randomness: for intervals; the operating system's by default.
        data: what to call the table in the record; by default as its file is called.

    Raises:
        UsageError: a column is not there or has two parts, or an attacker knows a column that is no quasi-identifier.
        DataError: no rows, or fewer people in the population than rows.
    """
    rows, data = as_table(table), called(table, "a table") if data is None else data
    population = population if population is None or isinstance(population, int) else as_table(population)
    found = measures(
        rows,
        quasi=quasi,
        sensitive=sensitive,
        person=person,
        missing=missing,
        ordered=ordered,
        l=l,
        others_known=others_known,
    )
    named = {name: list(knows) for name, knows in (attackers or {EVERYTHING: quasi}).items()}
    for name, knows in named.items():
        for column in knows:
            if column not in quasi:
                raise UsageError(
                    f"Expected attacker {name!r} to know quasi-identifiers, got {column!r}.", "Name it in quasi too."
                )
    register = population if isinstance(population, Table) else None
    of_each = tuple(
        risks(rows, knows, attacker=name, threshold=threshold, population=register, person=person)
        for name, knows in named.items()
    )
    uniqueness, copula = _estimated(rows, named, population, person, randomness or Randomness.secure())
    used = {*quasi, *sensitive, *([person] if person else [])}
    return DisclosureRisk(
        measures=found,
        attackers=of_each,
        uniqueness=uniqueness,
        copula=copula,
        stand_out=_stand_out(rows, list(quasi), _checks.at_least(0, largest=largest)),
        unmeasured=tuple(name for name in rows.names if name not in used),
        data=data,
    )


def _estimated(
    rows: Table,
    named: Mapping[str, list[str]],
    population: Table | int | None,
    person: str | None,
    randomness: Randomness,
) -> tuple[dict[str, Uniqueness], dict[str, Estimate]]:
    if population is None or isinstance(population, Table):
        return {}, {}
    if person is not None:
        raise UsageError(
            "Expected one row per person to estimate uniqueness in the population, got a column of people.",
            "Keep one row of each, or leave out the size of the population.",
        )
    if _checks.at_least(1, population=population) < rows.rows:
        raise DataError(f"Expected a population of at least {rows.rows}, got {population}.", "Count people, not rows.")
    models, copula = {}, {}
    for name, knows in named.items():
        sizes = rows.classes(knows).sizes
        if not (sizes == 1).any():
            continue  # whoever is not alone in the table is not alone in the population
        models[name] = population_uniqueness(
            sizes, population=population, randomness=randomness.spawn(f"{name} models")
        )
        if len(knows) > 1 and rows.rows > 1:
            copula[name] = copula_uniqueness(
                rows, knows, population=population, randomness=randomness.spawn(f"{name} copula")
            )
    return models, copula


def _stand_out(rows: Table, quasi: list[str], largest: int) -> MinimalUniques | None:
    while largest > 1 and rows.rows * sum(math.comb(len(quasi), size) for size in range(1, largest + 1)) > _WORK:
        largest -= 1
    return minimal_uniques(rows, quasi, largest=largest) if largest else None
