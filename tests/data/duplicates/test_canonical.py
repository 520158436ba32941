"""Hashes of rows against equality of rows, by plain Python."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.duplicates.canonical import array_hashes, cell_hashes, groups_of, row_hashes
from reticent.data.tables import Table

CELLS = st.sampled_from([None, "", "a", "A", " a", "é", "e\u0301", "1", "01"])


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(CELLS, st.sampled_from([None, 0, 1, -1, 10**12]), st.sampled_from([None, 0.5, 1.0])), max_size=12
    )
)
def test_rows_have_equal_hashes_exactly_if_they_are_equal(
    rows: list[tuple[str | None, int | None, float | None]],
) -> None:
    rows = [("x", 1, 1.0), *rows]
    table = Table.of({name: [row[place] for row in rows] for place, name in enumerate("abc")})
    hashes = row_hashes(table)
    plain = [tuple("é" if cell == "e\u0301" else cell for cell in row) for row in rows]
    for one, other in itertools.combinations(range(len(rows)), 2):
        assert (plain[one] == plain[other]) == bool((hashes[one] == hashes[other]).all())
    groups = groups_of(hashes)
    assert groups.tolist() == [sorted(set(plain), key=plain.index).index(row) for row in plain]


def test_hashes_do_not_depend_on_the_order_of_columns_or_on_other_rows() -> None:
    one = row_hashes(Table.of({"a": [3, 1], "b": ["x", "y"], "day": np.array(["2020-01-01", "2020-01-02"], "M8[D]")}))
    other = row_hashes(Table.of({"day": np.array(["2020-01-02"], "M8[s]"), "b": ["y"], "a": [1.0]}))
    assert (one[1] == other[0]).all()
    assert (one[0] != other[0]).any()


def test_the_same_value_in_another_column_is_another_cell() -> None:
    table = Table.of({"a": ["x"], "b": ["x"]})
    assert (cell_hashes(table["a"]) != cell_hashes(table["b"])).any()
    swapped = Table.of({"a": ["x", "y"], "b": ["y", "x"]})
    assert len(set(groups_of(row_hashes(swapped)).tolist())) == 2


def test_rows_of_arrays() -> None:
    values = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0]])
    assert groups_of(array_hashes(values)).tolist() == [0, 0, 1]
