"""Columns hold what their source held."""

from __future__ import annotations

import datetime
from decimal import Decimal

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


@pytest.mark.parametrize(
    "texts",
    [
        ["+4915112345678", "+4915112345679"],  # numbers of telephones
        ["1e5", "2e5"],  # perhaps hexadecimal
        ["1e400", "3.5"],  # infinite in double precision
        ["123456789012345678", "123456789012345679", "1.5"],  # one number in double precision
        ["9007199254740993", "0.5"],  # another one in it
        ["0.1000000000000000001", "0.1"],
        ["0000-01-01", "2020-01-01"],  # a year that Python does not know
    ],
)
def test_texts_that_would_become_others_stay_text(texts):
    assert Column.inferred("c", texts).cells().tolist() == texts


def test_numbers_stay_numbers_however_they_are_written():
    assert Column.inferred("c", ["+1000000", "-2000000"]).values.tolist() == [-2_000_000, 1_000_000]
    assert Column.inferred("c", ["1.23456789012345e+25", "1e5"]).values.tolist() == [1e5, 1.23456789012345e25]
    assert Column.inferred("c", ["0.10", "0.1", "-0.0", "0"]).values.tolist() == [0.0, 0.1]


def test_decimals_are_numbers_only_where_they_stay_apart():
    def of(*texts, scale):
        return Column.of("c", pa.array([None, *map(Decimal, texts)], pa.decimal128(30, scale)))

    assert of("12345678901234567891", "12345678901234567892", scale=0).cells().tolist() == [
        None,
        "12345678901234567891",
        "12345678901234567892",
    ]
    assert of("5", "7", scale=0).cells().tolist() == [None, 5, 7]
    assert of("2.30", "1.10", scale=2).cells().tolist() == [None, 2.3, 1.1]  # and not 2.3000000000000003


def test_what_arrow_holds_in_other_types():
    def cells(array):
        return Column.of("c", array).cells().tolist()

    assert cells(pa.array([2**63 + 1, 2**63 + 3], pa.uint64())) == [str(2**63 + 1), str(2**63 + 3)]
    assert cells(pa.array(["b", "a"], pa.string_view())) == ["b", "a"]
    assert cells(pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["x", "y"]))) == list("xxy")
    for array in (pa.array([b"ab"], pa.binary(2)), pa.array([10**13], pa.timestamp("s"))):
        with pytest.raises(DataError, match="'c'"):
            cells(array)
    with pytest.raises(DataError, match="'c'"):
        cells(["\ud800"])


def test_one_long_text_does_not_take_its_length_for_each_of_the_others():
    texts = [f"note {number}" for number in range(200_000)] + ["x" * 200_000, "a\0", ""]  # 160 GB in one width
    column = Column.inferred("note", texts)
    assert column.missing.sum() == 1
    assert column.cells()[-2] == "a\0"
    assert Column.inferred("note", ["\0", ""]).cells().tolist() == ["\0", None]
