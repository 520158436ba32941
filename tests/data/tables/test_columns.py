"""Columns hold what their source held."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.data.tables import Column
from reticent.errors import DataError

CELLS = {
    "whole": st.integers(-(2**53), 2**53),
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "text": st.text(),
    "yes or no": st.booleans(),
    "date": st.dates(datetime.date(1700, 1, 1), datetime.date(2200, 1, 1)),
}


@pytest.mark.parametrize("kind", CELLS)
@given(data=st.data())
def test_cells_come_back_sorted_codes_and_counts(kind, data):
    cells = data.draw(st.lists(st.none() | CELLS[kind], min_size=1, max_size=30))
    column = Column.of("c", cells)
    back = column.cells()
    for cell, found in zip(cells, back, strict=True):
        assert (found.date() if isinstance(found, datetime.datetime) else found) == cell
        assert (found is None) == (cell is None)
    assert (np.diff(np.unique(column.codes[column.codes >= 0])) == 1).all()
    present = [cell for cell in cells if cell is not None]
    assert sorted(set(present)) == [v.date() if hasattr(v, "date") else v for v in column.values.astype(object)]
    assert column.counts().sum() == len(present)
    assert column.missing.sum() == len(cells) - len(present)


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["1", "02", "3"], "text", ["02", "1", "3"]),
        (["1", "-2", "+3"], "number", [-2, 1, 3]),
        (["1", "2.50", "2.5", "1e3"], "number", [1.0, 2.5, 1000.0]),
        (["2024-02-29", "2023-01-01"], "date", None),
        (["2024-02-29 10:00", "2023-01-01 11:30"], "date", None),
        (["2023-02-29"], "text", ["2023-02-29"]),
        (["."], "text", ["."]),
        (["", ""], "text", []),
        (["1234567890123456789", "1234567890123456788"], "text", ["1234567890123456788", "1234567890123456789"]),
        (["nan", "1"], "text", ["1", "nan"]),
    ],
)
def test_texts_are_numbers_only_where_nothing_is_lost(texts, kind, values):
    column = Column.inferred("c", texts)
    assert column.kind == kind
    if values is not None:
        assert column.values.tolist() == values
    assert len(column) == len(texts)


def test_not_a_number_and_named_texts_are_missing():
    assert Column.of("c", [1.0, float("nan")]).missing.tolist() == [False, True]
    assert Column.inferred("c", ["1", "NA", "", "2"], missing=["NA", ""]).missing.tolist() == [False, True, True, False]


def test_mapped_compacted_taken():
    column = Column.of("c", ["a", "b", "c", None, "a"])
    assert column.mapped(["x", "x", None]).cells().tolist() == ["x", "x", None, None, "x"]
    few = column.take(np.array([0, 4]))
    assert len(few.values) == 3
    assert few.compacted().values.tolist() == ["a"]
    assert few.compacted().cells().tolist() == ["a", "a"]
    assert few.renamed("d").name == "d"


def test_numbers_of_dates_are_days():
    column = Column.of("c", [datetime.date(1970, 1, 3), None])
    assert column.numbers()[0] == 2
    assert np.isnan(column.numbers()[1])
    with pytest.raises(DataError, match="got text"):
        Column.of("c", ["a"]).numbers()


def test_lists_and_mixtures_are_refused_without_their_contents():
    for values in ([[1], [2]], [1, "secret"], pa.array([{"a": 1}])):
        with pytest.raises(DataError, match=r"'c'") as caught:
            Column.of("c", values)
        assert "secret" not in str(caught.value)


def test_repr_shows_no_value():
    assert "secret" not in repr(Column.of("c", ["secret", "secret"]))


def test_to_arrow_is_the_same():
    for cells in (["a", None], [1, None], [True, None], [1.5, None]):
        assert Column.of("c", cells).to_arrow().to_pylist() == cells
