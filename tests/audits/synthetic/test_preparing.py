"""Who is judged, and what the attacker has: drawn at random, apart, one row for each person."""

from __future__ import annotations

import numpy as np
import pytest
from tests.audits.synthetic.generators import people

from reticent.audits.synthetic.preparing import blind, prepared
from reticent.data.tables import Table
from reticent.errors import DataError, NotEnoughEvidence, UsageError
from reticent.randomness import Randomness


def numbered(start: int, rows: int) -> Table:
    return Table.of({"row": list(range(start, start + rows)), "half": [i % 2 for i in range(rows)]})


def test_the_reference_is_none_of_those_who_are_judged() -> None:
    ready = prepared(numbered(0, 60), numbered(0, 60), numbered(100, 101), randomness=Randomness.simulated(1))
    parts = [set(ready.tables[name]["row"].numbers().tolist()) for name in ("members", "controls", "reference")]
    assert parts[0] == set(range(60))
    assert not parts[1] & parts[2]
    assert parts[1] | parts[2] == set(range(100, 201))


def test_a_person_is_judged_by_one_row_and_stands_on_one_side() -> None:
    rng = np.random.default_rng(0)
    whose = rng.integers(0, 60, 600)
    control = Table.of({"who": whose.tolist(), "row": list(range(600))})
    source = Table.of({"who": (whose + 1000).tolist(), "row": list(range(600, 1200))})
    release = Table.of({"row": list(range(50))})
    ready = prepared(release, source, control, owner="who", randomness=Randomness.simulated(2))
    owners = dict(zip(range(600), whose.tolist(), strict=True))
    judged = [owners[int(row)] for row in ready.tables["controls"]["row"].numbers()]
    known = {owners[int(row)] for row in ready.tables["reference"]["row"].numbers()}
    assert len(judged) == len(set(judged)) == 30
    assert not set(judged) & known
    assert len(ready.members) == 60
    assert ready.tables["members"].names == ("row",)


def test_no_more_are_judged_than_asked_for() -> None:
    ready = prepared(
        numbered(0, 200), numbered(0, 200), numbered(300, 400), most=50, randomness=Randomness.simulated(3)
    )
    assert len(ready.members) == len(ready.controls) == 50
    assert len(ready.reference) == 200


def test_the_blind_baseline_closes_the_gate_on_a_control_from_elsewhere() -> None:
    rng = np.random.default_rng(4)
    source, control = people(400, rng), people(800, rng)
    older = control.replaced([control["age"].mapped((control["age"].values + 15).tolist())])
    for table, fair in ((control, True), (older, False)):
        ready = prepared(source, source, table, randomness=Randomness.simulated(5))
        assert all(one.contains(0.5) for one in blind(ready).values()) == fair


def test_a_reference_with_rows_of_one_side_is_refused() -> None:
    """The controls in the reference would make any release look like a leak."""
    rng = np.random.default_rng(7)
    source, control, others = people(200, rng), people(200, rng), people(200, rng)
    for wrong in (control, source):
        with pytest.raises(DataError, match="holds none of the rows that are judged"):
            prepared(others, source, control, wrong, randomness=Randomness.simulated(1))
    assert prepared(others, source, control, people(200, rng), randomness=Randomness.simulated(1))


def test_too_few_rows_and_columns_that_are_not_there() -> None:
    with pytest.raises(NotEnoughEvidence, match="among the controls, got 15"):
        prepared(numbered(0, 60), numbered(0, 60), numbered(100, 30), randomness=Randomness.simulated(1))
    with pytest.raises(UsageError, match="column"):
        prepared(
            numbered(0, 60),
            numbered(0, 60),
            Table.of({"row": list(range(60))}),
            randomness=Randomness.simulated(1),
        )


def test_somebody_on_both_sides_is_refused() -> None:
    """Rows of a member among the controls would make every attack look weaker than it is."""

    def visits(first: int, last: int) -> Table:
        people = [one for one in range(first, last) for _ in range(2)]
        return Table.of({"who": people, "x": [2 * first + i for i in range(len(people))]})

    source, apart = visits(0, 60), visits(60, 180)
    given = {"owner": "who", "randomness": Randomness.simulated(1)}
    assert len(prepared(source, source, apart, **given).controls) == 60
    with pytest.raises(DataError, match="both in the control and in the source, got 1 people"):
        prepared(source, source, visits(59, 180), **given)
    with pytest.raises(DataError, match="both in the reference and in the control, got 20 people"):
        prepared(source, source, apart, visits(160, 300), **given)
