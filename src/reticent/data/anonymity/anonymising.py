"""A table said less exactly, what that cost, and what is left: the front door.

Promise: the table that comes out reaches its goal, checked again on itself, not assumed. Its risks are measured before
and after, against the same attackers. Columns that are neither quasi-identifiers nor dropped are untouched.

It does not make a table anonymous: it bounds the chance of attackers who know no more than the quasi-identifiers. A
column that was forgotten undoes it, and so does a second release of the same people. That no less was said than the
goal asks tells something too: who knows the method can work some of it back (Wong et al., 2007; Cohen, 2022).

Example:
    >>> from reticent.data.anonymity import Prefixes, Widths, anonymise
    >>> people = {"age": [31, 33, 38, 52, 55, 57], "zip": ["02139", "02138", "02139", "10001", "10002", "10001"],
    ...           "illness": ["flu", "cold", "flu", "flu", "cold", "cold"]}
    >>> ways = {"age": Widths((10, 20)), "zip": Prefixes((4, 3))}
    >>> found = anonymise(people, quasi=["age", "zip"], sensitive=["illness"], k=3, hierarchies=ways)
    >>> found.table["age"].values.tolist(), found.table["zip"].values.tolist()
    (['[20, 40)', '[40, 60)'], ['0213*', '1000*'])
    >>> found.before.measures.k, found.after.measures.k, found.cost.suppressed
    (1, 3, 0)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.anonymity.anonymiser import Anonymiser, Cost, Progress
from reticent.data.anonymity.disclosure import EVERYTHING, DisclosureRisk, disclosure_risk
from reticent.data.anonymity.generalisation import Generalisation
from reticent.data.anonymity.pseudonyms import Exchange, Key
from reticent.data.tables import Table, as_table, called
from reticent.errors import UsageError
from reticent.evidence import Record, now, software
from reticent.randomness import Randomness
from reticent.reports import save as save_record

__all__ = ["Anonymised", "anonymise", "k_anonymised"]

_METHOD = "that no less was said than the goal asks can be used to work some of it back (Cohen, 2022): not tried"


@dataclasses.dataclass(frozen=True, eq=False)
class Anonymised:
    """A table that reaches a goal, and how it came about.

    Attributes:
        table: what can be looked at before it is given out.
        kept: (rows,) which rows of the given table are left.
        generalisation: how columns are said; applied to other rows by `transform`.
        cost: what it took away.
        before: risks of the table that was given.
        after: risks of the table that is left.
        untouched: columns that are as they were.
        method: how it was made.
        data: what to call the table.
        notes: what whoever gets the table should know of its pseudonyms.
    """

    table: Table
    kept: npt.NDArray[np.bool_]
    generalisation: Generalisation
    cost: Cost
    before: DisclosureRisk
    after: DisclosureRisk
    untouched: tuple[str, ...]
    method: str
    data: str = "a table"
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values; no value of a cell is among them."""
        after = self.after.as_dict()
        return {
            "data": self.data,
            "method": self.method,
            "goal": dataclasses.asdict(self.generalisation.goal),
            "cost": self.cost.as_dict(),
            "before": self.before.as_dict(),
            "after": {**after, "not_measured": {**after["not_measured"], "attackers who know the method": _METHOD}},
            "untouched": list(self.untouched),
            "pseudonyms": list(self.generalisation.pseudonyms.domains) if self.generalisation.pseudonyms else [],
            "notes": list(self.notes),
            "dropped": [
                *self.generalisation.drop,
                *([self.generalisation.person] if self.generalisation.person is not None else []),
            ],
        }

    def record(self) -> Record:
        """Plain values under their own hash."""
        return Record("generalisation", {**self.as_dict(), "software": software()}, created=now())

    def save(self, path: str | Path) -> Path:
        """Write it as a page (`.html`) or as a record (`.json`); the table itself is saved by `table.save`."""
        return save_record(self.record(), path)


def anonymise(
    table: Any,
    *,
    quasi: Sequence[str],
    sensitive: Sequence[str] = (),
    attackers: Mapping[str, Sequence[str]] | None = None,
    population: Any = None,
    threshold: float = 0.2,
    pseudonymise: Sequence[str] = (),
    key: Key | None = None,
    randomness: Randomness | None = None,
    progress: Progress | None = None,
    data: str | None = None,
    **settings: Any,
) -> Anonymised:
    """Generalise a table until it reaches a goal, and measure it before and after.

    Args:
        table: a `Table`, a frame, a dictionary of columns, a path, or the address of a database (`as_table`).
        quasi: columns that somebody may know of people.
        sensitive: columns that nobody should learn.
        attackers: a name to the quasi-identifiers that this one knows; by default one who knows all of them.
        population: a register, or the size of the population of which the rows are a random sample.
        threshold: rows with a risk above are counted.
        pseudonymise: columns whose values are exchanged for keyed hashes.
        key: of these.
        randomness: for intervals of estimates; the operating system's by default.
        progress: called with how much is settled, and of how much.
        data: what to call the table in the record; by default as its file is called.
        settings: of `Anonymiser`: k, l, diversity, c, t, method, suppression, hierarchies, weights, person, drop,
            missing, ordered.

    Raises:
        UsageError: settings that do not fit.
        DataError: columns that do not fit, or no rows.
        NotEnoughEvidence: nothing reaches the goal.
    """
    rows, data = as_table(table), called(table, "a table") if data is None else data
    population = population if population is None or isinstance(population, int) else as_table(population)
    asked = Anonymiser(quasi=quasi, sensitive=sensitive, **settings)
    exchange = _exchange(rows, asked, pseudonymise, key)
    generalisation, cost = asked.fit_with_cost(rows, progress=progress)
    untouched = tuple(name for name in generalisation.untouched if name not in pseudonymise)
    generalisation = dataclasses.replace(generalisation, untouched=untouched, pseudonyms=exchange)
    said = generalisation.transform(rows, key=key)
    inner = said.table
    if asked.person is not None:  # not given out, but people are counted by it
        inner = said.table.replaced([rows[asked.person].take(said.kept)])
    looked_at: dict[str, Any] = {
        "quasi": list(quasi),
        "sensitive": list(sensitive),
        "attackers": attackers or {EVERYTHING: list(quasi)},
        "person": asked.person,
        "threshold": threshold,
        "missing": asked.missing,
        "ordered": asked.ordered or None,
        "l": math.ceil(asked.l) if asked.l is not None else None,
        "data": data,
    }
    register = population if isinstance(population, Table) else None
    there = population if register is None else generalisation.transform(register, check=False).table
    share = int(said.kept.sum()) / rows.rows
    if isinstance(there, int):  # rows are left out of the population as they are of the table
        there = max(round(there * share), inner.rows)
    before = disclosure_risk(rows, population=population, randomness=randomness, **looked_at)
    after = disclosure_risk(inner, population=there, randomness=randomness, **looked_at)
    untouched = tuple(name for name in rows.names if name in {*untouched, *sensitive} - {*pseudonymise})
    return Anonymised(
        said.table, said.kept, generalisation, cost, before, after, untouched, asked.method, data, said.notes
    )


def _exchange(rows: Table, asked: Anonymiser, columns: Sequence[str], key: Key | None) -> Exchange | None:
    """What is to be exchanged for pseudonyms."""
    if isinstance(columns, str):
        raise UsageError(f"Expected a list of columns, got pseudonymise={columns!r}.", "Put it into a list.")
    if not columns:
        if key is not None:
            raise UsageError("Expected columns to pseudonymise with the key, got none.", "Name them, or pass no key.")
        return None
    rows.require(columns)
    if both := {*columns} & {*asked.quasi, *asked.drop, asked.person}:
        raise UsageError(
            f"Expected columns to pseudonymise that are given out as they are, got {sorted(map(str, both))}.",
            "Name each column once: as quasi-identifier, to be dropped, as the person's, or to be pseudonymised.",
        )
    return Exchange.of(columns, key)


def k_anonymised(table: Any, quasi: Sequence[str], k: int, **settings: Any) -> Table:
    """The table that is left when every class has at least k rows; for comparisons before and after.

    Args:
        table: what `as_table` takes.
        quasi: columns that are generalised.
        k: rows of a class, at least.
        settings: of `Anonymiser`. Rows may be left out (at most a twentieth, unless `suppression` says otherwise); use
            `Anonymiser(...).fit(table).transform(table).kept` where it matters which.
    """
    rows = as_table(table)
    return Anonymiser(quasi=quasi, k=k, **settings).fit(rows).transform(rows).table
