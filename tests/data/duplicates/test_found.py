"""Counts against loops; what is kept, and what stays together."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.duplicates import Duplicates, find_duplicates
from reticent.data.records import Records
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness

PLAIN = {"way": "cells", "columns": [], "repeatable": True}


def made(rows: list[tuple[int, int]], first: int | None = None) -> Duplicates:
    """Rows of (exact group, owner); groups that leave the same rest when divided by three are near."""
    named = np.array([row[0] for row in rows], np.int64)
    listed = list(dict.fromkeys(named.tolist()))
    exact = np.array([listed.index(one) for one in named], np.int64)
    pairs = [(a, b) for a, b in itertools.combinations(range(len(listed)), 2) if listed[a] % 3 == listed[b] % 3]
    owners = np.array([row[1] for row in rows], np.int64)
    near = np.array(pairs, np.int64).reshape(-1, 2)
    return Duplicates(exact, near, None, first or len(rows), owners, None, {**PLAIN, "near": True}, {})


ROWS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3)), min_size=1, max_size=25)


@settings(deadline=None)
@given(ROWS)
def test_counts_are_those_of_a_loop(rows: list[tuple[int, int]]) -> None:
    found = made(rows)
    for group in (found.exact, found.group):
        members: dict[int, list[int]] = defaultdict(list)
        for place, one in enumerate(group.tolist()):
            members[one].append(rows[place][1])
        counts = found.counts(group)
        several = [one for one in members.values() if len(one) > 1]
        assert counts["groups"] == len(several)
        assert counts["rows"] == sum(map(len, several))
        assert counts["surplus"] == sum(len(one) - 1 for one in members.values())
        assert counts["largest"] == max(map(len, members.values()))
        assert counts["between persons"] == sum(len(set(one)) - 1 for one in members.values())
        assert counts["within persons"] == sum(len(one) - len(set(one)) for one in members.values())
        assert counts["within persons"] + counts["between persons"] == counts["surplus"]


@settings(deadline=None)
@given(ROWS, st.integers(1, 24))
def test_leakage_is_that_of_a_loop(rows: list[tuple[int, int]], first: int) -> None:
    if first >= len(rows):
        return
    found = made(rows, first)
    train, test = rows[:first], rows[first:]
    near = [any(a[0] % 3 == b[0] % 3 for b in train) for a in test]
    own = [any(a[0] % 3 == b[0] % 3 and a[1] == b[1] for b in train) for a in test]
    leak = found.leakage()
    wanted = {
        "rows with an exact copy": [any(a[0] == b[0] for b in train) for a in test],
        "rows with a copy, exact or near": near,
        "rows of people who are in both sets": [any(a[1] == b[1] for b in train) for a in test],
        "rows with a copy that is of somebody else alone": [a and not b for a, b in zip(near, own, strict=True)],
    }
    assert {name: one.value for name, one in leak.items()} == {
        name: pytest.approx(np.mean(hits)) for name, hits in wanted.items()
    }
    assert found.leaked.tolist() == near


@settings(deadline=None)
@given(ROWS, st.floats(0.1, 0.9), st.integers(0, 5))
def test_a_split_keeps_groups_and_people_together(rows: list[tuple[int, int]], share: float, seed: int) -> None:
    found = made(rows)
    try:
        train, test = found.split(share, Randomness.simulated(seed))
    except DataError:
        return
    assert sorted([*train, *test]) == list(range(len(rows)))
    named = np.array([row[0] % 3 for row in rows])
    for values in (found.group, named, found.owners):
        assert values is not None
        assert not set(values[train]) & set(values[test])


def test_a_split_meets_the_share_where_groups_are_small() -> None:
    found = find_duplicates(Table.of({"a": np.repeat(np.arange(500), 2)}), Randomness.simulated(0), near=False)
    train, test = found.split(0.25, Randomness.simulated(1))
    assert (len(train), len(test)) == (750, 250)


def test_one_group_of_everything_cannot_be_split() -> None:
    found = find_duplicates(Table.of({"a": [1, 1, 1]}), Randomness.simulated(0), near=False)
    with pytest.raises(DataError, match="one side would be empty"):
        found.split(0.5, Randomness.simulated(0))


def test_one_row_of_each_group_is_kept_the_first_one() -> None:
    table = Table.of({"a": ["one long text here", "another text of words", "one long text here", "one long text HERE"]})
    found = find_duplicates(table, Randomness.simulated(0))
    left = found.deduplicated(table)
    assert left.rows.tolist() == [0, 1]
    assert left.removed == {"exact": 1, "near": 1, "leaked": 0}
    assert left.data["a"].cells().tolist() == table["a"].cells()[:2].tolist()
    assert found.deduplicated(table, near=False).rows.tolist() == [0, 1, 3]
    with pytest.raises(DataError, match="the set of 4 rows"):
        found.deduplicated(table.take(np.arange(2)))


def test_records_keep_everything_else() -> None:
    records = Records(np.array([[0.0, 1], [0, 1], [5, 5]]), [0, 1, 1], name="toy")
    found = find_duplicates(records, Randomness.simulated(0))
    assert found.counts(found.exact)["groups of several classes"] == 1
    left = found.deduplicated(records)
    assert isinstance(left.data, Records)
    assert (left.data.name, left.data.labels.tolist()) == ("toy", [0, 1])


def test_the_record_holds_plain_values_and_no_cell(tmp_path: Path) -> None:
    note = "Anna Kowalska has asthma"
    table = Table.of({"note": [note, note, "something else entirely"], "who": [1, 2, 3]})
    found = find_duplicates(table, Randomness.simulated(0), against=table, owner="who")
    for ending in (".json", ".html"):
        text = found.save(tmp_path / f"found{ending}").read_text("utf-8")
        assert "Kowalska" not in text
        assert "duplicates" in text or "several times" in text


@settings(deadline=None)
@given(ROWS, st.integers(1, 24), st.sets(st.sampled_from(["own", "copies", "leaked"])), st.booleans())
def test_what_is_left_is_what_a_loop_leaves(
    rows: list[tuple[int, int]], first: int, drop: set[str], near: bool
) -> None:
    if first >= len(rows):
        return
    found = made(rows, first)

    def copy(a: tuple[int, int], b: tuple[int, int]) -> bool:
        return a[0] % 3 == b[0] % 3 if near else a[0] == b[0]

    leaked = {at for at in range(first) if "leaked" in drop and any(copy(rows[at], one) for one in rows[first:])}
    kept: list[int] = []
    for at in range(first):
        before = [rows[one] for one in kept if "copies" in drop or ("own" in drop and rows[one][1] == rows[at][1])]
        if at not in leaked and not any(copy(rows[at], one) for one in before):
            kept.append(at)
    left = found.deduplicated(Table.of({"a": list(range(first))}), near=near, drop=drop)
    assert left.rows.tolist() == kept
    assert sum(left.removed.values()) == first - len(kept)
    assert left.removed["leaked"] == len(leaked)
    assert near or not left.removed["near"]


def test_by_default_own_copies_and_leaked_rows_go_and_equal_rows_of_others_stay() -> None:
    table = Table.of({"note": ["same words here"] * 3 + ["other words there", "tested words"], "who": [1, 1, 2, 3, 4]})
    test = Table.of({"note": ["tested words"], "who": [9]})
    found = find_duplicates(table, Randomness.simulated(0), owner="who")
    assert found.deduplicated(table).rows.tolist() == [0, 2, 3, 4]
    assert found.deduplicated(table, drop=["copies"]).rows.tolist() == [0, 3, 4]
    both = find_duplicates(table, Randomness.simulated(0), against=test, owner="who")
    assert both.deduplicated(table).rows.tolist() == [0, 2, 3]
    for drop in ("leaked", "mine"):
        with pytest.raises(UsageError):
            found.deduplicated(table, drop=[drop])
    with pytest.raises(UsageError, match="owner"):
        find_duplicates(table, Randomness.simulated(0)).deduplicated(table, drop=["own"])


def test_pairs_are_listed_by_row_and_hold_no_cell() -> None:
    train = Table.of({"t": ["the quick brown fox jumps", "Anna Kowalska", "the quick brown fox jumps"]})
    test = Table.of({"t": ["nothing", "the quick brown fox JUMPS", "Anna Kowalska"]})
    listed = find_duplicates(train, Randomness.simulated(0), against=test).listed()
    rows = [tuple(listed[name].cells()[row] for name in listed.names) for row in range(len(listed))]
    assert rows == [
        ("exact", "first", 3, "first", 1),
        ("exact", "second", 3, "first", 2),
        ("near", "second", 2, "first", 1),
    ]
    assert len(find_duplicates(train.take(np.arange(2)), Randomness.simulated(0)).listed()) == 0


def test_near_copies_that_were_not_looked_for_are_not_spoken_of() -> None:
    table = Table.of({"a": ["x", "y"]})
    found = find_duplicates(table, Randomness.simulated(0), against=table, near=False)
    assert list(found.leakage()) == ["rows with an exact copy"]
