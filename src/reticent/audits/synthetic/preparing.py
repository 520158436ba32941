"""The rows that are judged, the rows that the attacker has, and the release, encoded alike.

Promise: the rows that the attacker has (the reference) are none of those that are judged; a given reference that holds
more rows of one side than of the other is refused, since a row that it holds would pass for a non-member. Each person
is judged by one row only: rows of one person share their membership and would be counted as if they did not. What is
left out for being too many is drawn at random.

Not covered: rows of the control that are people of the source under another identifier. They would make every attack
look weaker than it is; the number of judged controls that equal a judged member is said.

Example:
    >>> from reticent.audits.synthetic.preparing import prepared
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> def table(start, rows):
    ...     return Table.of({"age": list(range(start, start + rows)), "town": ["a", "b"] * (rows // 2)})
    >>> ready = prepared(table(0, 40), table(0, 40), table(40, 80), randomness=Randomness.simulated(1))
    >>> len(ready.members), len(ready.controls), len(ready.reference), len(ready.release)
    (40, 40, 40, 40)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.attacks.synthetic import Encoded, Encoding, Kernel, copies, density_ratio
from reticent.audits.blind import blind_auc
from reticent.audits.statistics import auc
from reticent.audits.synthetic.exact import gain_test
from reticent.data import Records
from reticent.data.tables import Table
from reticent.errors import DataError, NotEnoughEvidence
from reticent.evidence import Estimate
from reticent.randomness import Randomness

__all__ = ["LEAST", "Prepared", "blind", "equal", "instead_of_the_release", "prepared"]

LEAST = 20
_BLIND_CONFIDENCE = 0.99
_FEW = 20
_BY_CHANCE = 1e-6  # below it, equal rows on one side are no accident


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """Tables and their encodings.

    Attributes:
        tables: "members", "controls", "reference" and "release", with the columns that are attacked.
        encoding: of these columns.
        kernel: chosen on the reference.
        randomness: of the audit.
        confidence: of each interval.
        source_rows: (members,) the number of each judged row in the source, from 0.
    """

    tables: dict[str, Table]
    encoding: Encoding
    kernel: Kernel
    randomness: Randomness
    confidence: float
    source_rows: npt.NDArray[np.int64]

    @property
    def members(self) -> Encoded:
        """The judged rows of the source."""
        return self.encoding.of(self.tables["members"])

    @property
    def controls(self) -> Encoded:
        """The judged rows of the control."""
        return self.encoding.of(self.tables["controls"])

    @property
    def reference(self) -> Encoded:
        """The rows that the attacker has."""
        return self.encoding.of(self.tables["reference"])

    @property
    def release(self) -> Encoded:
        """The release."""
        return self.encoding.of(self.tables["release"])

    def halves(self, columns: Sequence[str]) -> dict[str, Encoded]:
        """The four tables, encoded with some columns only."""
        basis = [self.tables["release"], self.tables["reference"]]
        encoding = Encoding.fitted(basis, list(self.tables.values()), columns)
        return {name: encoding.of(table) for name, table in self.tables.items()}


def prepared(
    release: Table,
    source: Table,
    control: Table,
    reference: Table | None = None,
    *,
    randomness: Randomness,
    columns: Sequence[str] | None = None,
    owner: str | None = None,
    most: int = 2000,
    confidence: float = 0.95,
) -> Prepared:
    """Draw and encode what is judged and what the attacker has.

    Args:
        release: the synthetic table.
        source: the rows that it was made from.
        control: rows of the same people's kind that it was not made from.
        reference: rows that the attacker has, none of them in source or control; by default half of the control.
        randomness: source of the draws.
        columns: the columns that are attacked; by default all of the release.
        owner: the column of source and control that says whose a row is.
        most: rows that are judged on each side.
        confidence: of each interval.

    Raises:
        NotEnoughEvidence: fewer than 20 rows (or people) in one of the four.
        UsageError: a column that is not there.
        DataError: a column of different kinds, a reference that holds rows of one side, or somebody with rows on both.
    """
    names = [name for name in release.names if name != owner] if columns is None else list(columns)
    for table in (release, source, control, *([] if reference is None else [reference])):
        table.require(names)
    if owner is not None:
        _refuse_shared_people(source, control, reference, owner)
    if reference is None:
        control, reference = _halved(control, owner, randomness)
    source_rows = _drawn(source, owner, most, randomness)
    parts = {
        "members": source.take(source_rows),
        "controls": control.take(_drawn(control, owner, most, randomness)),
        "reference": reference,
        "release": release,
    }
    for name, table in parts.items():
        if table.rows < LEAST:
            raise NotEnoughEvidence(
                f"Expected at least {LEAST} rows (or people) among the {name}, got {table.rows}.",
                "Without that many nothing can be told from chance; pass a larger table, or a reference of its own.",
            )
    tables = {name: table.select(names) for name, table in parts.items()}
    encoding = Encoding.fitted([tables["release"], tables["reference"]], list(tables.values()), names)
    kernel = Kernel.chosen(encoding.of(tables["reference"]))
    ready = Prepared(tables, encoding, kernel, randomness, confidence, source_rows)
    _refuse_judged_rows(ready)
    return ready


def equal(rows: Encoded, others: Encoded) -> int:
    """How many rows equal one of the others in every column."""
    return int(_held(rows, others).sum())


def _held(rows: Encoded, others: Encoded) -> npt.NDArray[np.int64]:
    return (copies(rows, release=others).exact > 0).astype(np.int64)


def _refuse_judged_rows(ready: Prepared) -> None:
    """A reference with the controls in it makes every control look like a non-member, whatever the release is."""
    members, controls = (_held(rows, ready.reference) for rows in (ready.members, ready.controls))
    both = gain_test(members, controls)
    if min(both.more, both.less) < _BY_CHANCE:
        raise DataError(
            f"Expected a reference that holds none of the rows that are judged, got one with {int(members.sum())} of "
            f"{len(members)} members and {int(controls.sum())} of {len(controls)} controls.",
            "Take other rows for the reference, or leave it out: then half of the control is set aside.",
        )


def blind(ready: Prepared) -> dict[str, Estimate]:
    """How well source and control are told apart without the release: by classifiers fitted on other rows, and by the
    attack itself, with other rows of the source in the release's place."""
    classifiers = blind_auc(
        _records(ready.members),
        _records(ready.controls),
        randomness=ready.randomness.spawn("blind"),
        confidence=_BLIND_CONFIDENCE,
    )
    return {**classifiers, **instead_of_the_release(ready)}


def instead_of_the_release(ready: Prepared) -> dict[str, Estimate]:
    """The density ratio to other rows of the source, which hold nothing of the rows that are judged by it.

    The attack compares what it is given with the reference, which is drawn like the control: where source and control
    differ, so do those two, and it needs no leak to succeed. Each half of the source takes the release's place once;
    the rows of the other half are held against all controls.
    """
    members, controls = ready.members, ready.controls
    half = ready.randomness.spawn("instead").permutation(len(members)) % 2 == 0
    found = {}
    for name, part in (("one half", half), ("the other half", ~half)):
        given = members.take(part)
        scores = [
            density_ratio(rows, release=given, reference=ready.reference, kernel=ready.kernel)
            for rows in (members.take(~part), controls)
        ]
        confidence = 1 - (1 - _BLIND_CONFIDENCE) / 2
        found[f"density ratio to {name} of the source"] = auc(*scores, confidence=confidence)
    return found


def _halved(control: Table, owner: str | None, randomness: Randomness) -> tuple[Table, Table]:
    """The control in two, all rows of a person in one part."""
    whose = np.arange(control.rows) if owner is None else control.classes([owner]).of_rows
    side = randomness.spawn("halves").permutation(int(whose.max()) + 1 if len(whose) else 0) % 2 == 0
    return control.take(side[whose]), control.take(~side[whose])


def _drawn(table: Table, owner: str | None, most: int, randomness: Randomness) -> npt.NDArray[np.int64]:
    """The numbers of one row of each person, and of at most so many."""
    order = randomness.permutation(table.rows)
    if owner is not None:
        order = order[np.sort(np.unique(table.classes([owner]).of_rows[order], return_index=True)[1])]
    return np.sort(order[:most]).astype(np.int64)


def _refuse_shared_people(source: Table, control: Table, reference: Table | None, owner: str) -> None:
    """A person who has rows in the source is a member, wherever else their rows stand."""
    whose = {
        name: {str(one) for one in table[owner].compacted().values.tolist()}
        for name, table in (("source", source), ("control", control), ("reference", reference))
        if table is not None and owner in table
    }
    for name, other in (("control", "source"), ("reference", "source"), ("reference", "control")):
        both = len(whose.get(name, set()) & whose.get(other, set()))
        if both:
            raise DataError(
                f"Expected nobody with rows both in the {name} and in the {other}, got {both} people in {owner!r}.",
                "Split by person: all rows of somebody belong on one side.",
            )


def _records(rows: Encoded) -> Records:
    columns: list[npt.NDArray[Any]] = [rows.numbers]
    for column, size in zip(rows.codes.T, rows.sizes.tolist(), strict=True):
        small = size <= _FEW
        columns.append(column[:, None] == np.arange(size)[None, :] if small else column[:, None].astype(np.float64))
    return Records(np.column_stack(columns).astype(np.float64), np.zeros(len(rows), dtype=np.int64), classes=2)
