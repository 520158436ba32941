"""Who is judged, and what the attacker has: drawn at random, apart, one row for each person."""

from __future__ import annotations

import numpy as np
import pytest
from tests.audits.synthetic.generators import people

from reticent.audits.synthetic.preparing import blind, instead_of_the_release, prepared
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


def _numbers(rows: int, rng: np.random.Generator, shift: float = 0.0) -> Table:
    return Table.of({"x": rng.normal(size=rows) + shift, "y": rng.normal(size=rows)})


def test_the_attack_with_other_rows_of_the_source_in_place_of_the_release_is_calm_if_all_are_drawn_alike() -> None:
    """0.5 % of each interval may miss; of 2 times 60, more than 8 do so with probability below 1e-6."""
    missed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        ready = prepared(*(_numbers(rows, rng) for rows in (80, 80, 160)), randomness=Randomness.simulated(seed))
        missed += sum(not one.contains(0.5) for one in instead_of_the_release(ready).values())
    assert missed <= 8


def test_a_shifted_control_and_rows_of_one_person_are_told_by_it() -> None:
    rng = np.random.default_rng(1)
    ready = prepared(
        *(_numbers(rows, rng, by) for rows, by in ((500, 0.0), (500, 0.0), (1000, 0.6))),
        randomness=Randomness.simulated(1),
    )
    assert all(one.low > 0.5 for one in instead_of_the_release(ready).values())
    assert len(blind(ready)) == 4

    def visits(people: int) -> Table:
        return _numbers(people, rng).take(np.repeat(np.arange(people), 8))

    # Eight equal rows of each person but no column of people: half of a control's twins are in the reference, and all
    # of a member's are not; a release of other people would seem to know the members.
    repeated = [visits(one) for one in (40, 80)]
    noisy = [
        Table.of({name: one[name].numbers() + 0.01 * rng.normal(size=one.rows) for name in one.names})
        for one in repeated
    ]
    ready = prepared(_numbers(300, rng), noisy[0], noisy[1], randomness=Randomness.simulated(2))
    assert any(not one.contains(0.5) for one in instead_of_the_release(ready).values())
