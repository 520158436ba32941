"""Tables, and rows that are alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.data.tables import Column, Table
from reticent.errors import DataError, UsageError


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 3), st.booleans()), min_size=1, max_size=40)
)
def test_classes_are_those_of_tuples(rows):
    table = Table.of({str(k): list(cells) for k, cells in enumerate(zip(*rows, strict=True))})
    classes = table.classes()
    numbers = {}
    assert classes.of_rows.tolist() == [numbers.setdefault(row, len(numbers)) for row in rows]
    assert classes.sizes.tolist() == [rows.count(row) for row in numbers]
    assert [rows[place] for place in classes.first] == list(numbers)
    assert [rows.index(row) for row in numbers] == classes.first.tolist()


def test_classes_of_more_combinations_than_fit_into_a_number():
    rng = np.random.default_rng(1)
    wide = {f"c{k}": rng.integers(0, 1000, 500) for k in range(12)}
    wide = {name: np.concatenate([values, values[:100]]) for name, values in wide.items()}
    sizes = Table.of(wide).classes().sizes
    assert sorted(sizes.tolist()) == [1] * 400 + [2] * 100


def test_frames_are_taken():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[5, 6])
    table = Table.of(frame)
    assert table.names == ("a", "b")
    assert table["b"].cells().tolist() == ["x", None]
    assert Table.of(table) is table
    with pytest.raises(DataError, match="Expected a table"):
        Table.of(3)


def test_columns_by_name():
    table = Table.of({"age": [1, 2], "zip": ["a", "b"]})
    assert table.without(["age"]).names == ("zip",)
    assert table.select(["zip", "age"]).names == ("zip", "age")
    assert table.replaced([Column.of("age", [3, 4]), Column.of("new", [0, 0])]).names == ("age", "zip", "new")
    assert table.take(np.array([True, False]))["age"].cells().tolist() == [1]
    with pytest.raises(UsageError, match="age"):
        table["aeg"]
    with pytest.raises(UsageError, match="none"):
        table.without(["age", "zip"])
    for columns in ([], [table["age"], table["age"]], [table["age"], Column.of("c", [1])]):
        with pytest.raises(DataError):
            Table(columns)
