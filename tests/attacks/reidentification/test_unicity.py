"""Crowds are what comparing sets of points gives, one person at a time."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.attacks.reidentification.unicity import cells_of, coarsened, crowds, points_of
from reticent.data.tables import Column, Table
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness

SIGHTINGS = st.lists(st.tuples(st.integers(0, 8), st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=60)


@given(SIGHTINGS, st.integers(0, 1000))
def test_crowds_are_counted_one_by_one(lines: list[tuple[int, str, int]], seed: int) -> None:
    who, where, when = (list(column) for column in zip(*lines, strict=True))
    table = Table.of({"who": who, "where": where, "when": when})
    points = points_of(table, "who", ["where", "when"])
    names = sorted(set(who))
    sets = [{(b, c) for a, b, c in lines if a == name} for name in names]
    assert points.sizes.tolist() == [len(one) for one in sets]
    found = crowds(points, np.arange(len(names)), 4, Randomness.simulated(seed))
    for person, own in enumerate(sets):
        sizes = found[person]
        assert (sizes >= 0).sum() == min(len(own), 4)
        known = sizes[sizes >= 0]
        assert (np.diff(known) <= 0).all()
        assert known[-1] >= 1
        if len(own) <= 4:  # all points are drawn: the crowd is whoever has all of them
            assert known[-1] == sum(own <= other for other in sets)
        if len(own) == 1:
            assert known[0] == sum(own <= other for other in sets)


def test_cells_of_rows_are_their_points() -> None:
    table = Table.of({"age": [30, 30, 41], "sex": ["f", "m", None]})
    points = cells_of(table, ["age", "sex"])
    assert points.sizes.tolist() == [2, 2, 1]
    assert crowds(points, np.arange(3), 2, Randomness.simulated(1))[:, 1].tolist() == [1, 1, -1]
    # the same number in two columns is two points
    same = cells_of(Table.of({"a": [1, 2], "b": [1, 1]}), ["a", "b"])
    assert sorted(same.supports.tolist()) == [1, 1, 2]


def test_columns_are_seen_less_exactly() -> None:
    assert coarsened(Column.of("x", [-0.5, 0.5, 9.9, 10.0]), 10).cells().tolist() == [-1, 0, 0, 1]
    assert coarsened(Column.of("zip", ["02139", "02140", None]), 4).cells().tolist() == ["0213", "0214", None]
    days = [datetime.date(2020, 1, 2), datetime.date(2020, 1, 3), datetime.date(2020, 1, 20)]
    seen = coarsened(Column.of("d", days), 7).codes
    assert seen[0] == seen[1] != seen[2]
    with pytest.raises(UsageError, match="width"):
        coarsened(Column.of("zip", ["02139"]), 2.5)


def test_what_is_no_trace_is_refused() -> None:
    table = Table.of({"who": [1, None], "where": [None, "a"]})
    with pytest.raises(DataError, match="without missing cells"):
        points_of(table, "who", ["where"])
    with pytest.raises(UsageError, match="at least one column"):
        cells_of(table, [])
    with pytest.raises(UsageError, match="column"):
        cells_of(table, ["where"], widths={"who": 2})
