"""Frames in memory keep their types, and what is not plain is made so and said."""

from __future__ import annotations

import datetime
import decimal
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from reticent.data.tables import Table, open_sources, read
from reticent.data.tables.frames import Frame
from reticent.errors import DataError, UsageError


def rows_of(source, columns=None, rows=1 << 16):
    return [row for piece in source.pieces(columns, rows=rows) for row in piece.batch.to_pylist()]


def test_pandas_with_every_kind_of_column():
    frame = pd.DataFrame(
        {
            "n": [1, 2, 3],
            "x": [1.5, np.nan, 2.0],
            "ok": [True, False, True],
            "day": pd.to_datetime(["2020-01-01", None, "2020-01-02"]),
            "word": ["a", None, "b"],
            "kind": pd.Categorical(["u", "v", "u"], categories=["u", "v", "unused"]),
            "mixed": [1, "two", np.nan],
        },
        index=[7, 8, 9],
    )
    source = Frame(frame)
    assert [(problem.what.split(",")[0], problem.where) for problem in source.problems] == [
        ("columns with values of several types", "'mixed'")
    ]
    with pytest.warns(UserWarning, match="several types"):
        table = read(frame)
    assert [column.kind for column in table.columns] == [
        "number",
        "number",
        "yes or no",
        "date",
        "text",
        "text",
        "text",
    ]
    assert table["kind"].values.tolist() == ["u", "v"]
    assert table["mixed"].cells().tolist() == ["1", "two", None]
    assert table["x"].cells().tolist() == [1.5, None, 2.0]


def test_columns_of_the_same_name_are_told_apart():
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    assert rows_of(Frame(frame)) == [{"a": 1, "a (2)": 2}, {"a": 3, "a (2)": 4}]


def test_what_has_parts():
    table = pa.table(
        {
            "home": pa.array([{"zip": "1", "at": {"x": 1}}, None]),
            "tags": pa.array([[1, None], []], pa.list_(pa.int32())),
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int8())),
            "raw": pa.array([b"text", b"\xff\x00"]),
            "big": pa.array([2**64 - 1, None], pa.uint64()),
            "half": pa.array([np.float16(1.5), None], pa.float16()),
            "cents": pa.array([decimal.Decimal("1.10"), None]),
            "at": pa.array([datetime.time(1, 2), None]),
            "none": pa.nulls(2),
            "long": pa.array(["x", None], pa.large_string()),
            "view": pa.array(["x", None], pa.string_view()),
        }
    )
    first, second = rows_of(Frame(table))
    assert first["home.zip"], first["home.at.x"] == ("1", 1)
    assert json.loads(first["tags"]) == [1, None]
    assert json.loads(first["map"]) == [["k", 1]]
    assert (first["raw"], second["raw"]) == ("text", "ff00")
    assert first["big"] == str(2**64 - 1)
    assert [value for name, value in second.items() if name not in ("raw", "tags")] == [None] * 10
    with pytest.warns(UserWarning, match="lists"):
        whole = read(table)
    assert whole["half"].cells().tolist() == [1.5, None]
    assert whole["big"].kind == "text"
    with pytest.warns(UserWarning, match="sign"):
        assert read(pa.table({"n": pa.array([1, 2], pa.uint64())}))["n"].kind == "number"


def test_pieces_columns_and_empty_frames():
    source = Frame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    assert [piece.first for piece in source.pieces(rows=2)] == [0, 2]
    assert rows_of(source, ["b"]) == [{"b": "x"}, {"b": "y"}, {"b": "z"}]
    with pytest.raises(UsageError, match="column"):
        rows_of(source, ["c"])
    (piece,) = Frame(pa.table({"a": pa.array([], pa.int64())})).pieces()
    assert (piece.batch.num_rows, piece.batch.schema.names) == (0, ["a"])


def test_a_table_is_a_source_too():
    table = Table.of({"a": [1, None], "b": ["10", "x"]})
    (source,) = open_sources(table)
    assert (source.kind, source.bytes > 0, rows_of(source)) == (
        "frame",
        True,
        [{"a": 1, "b": "10"}, {"a": None, "b": "x"}],
    )


def test_what_is_no_table_is_refused_without_its_values():
    for wrong in ({"a": [1], "b": [1, 2]}, 7, [1, "secret"], {"a": 5}):
        with pytest.raises(DataError) as caught:
            Frame(wrong)
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__


def test_no_values_in_its_repr():
    assert "secret" not in repr(Frame({"a": ["secret"]}))


def test_the_named_index_of_a_pandas_frame_is_a_column():
    frame = pd.DataFrame({"patient": ["a", "b"], "day": [1, 2], "ill": [True, False]})
    (piece,) = Frame(frame.set_index(["patient", "day"])).pieces()
    assert piece.batch.to_pydict() == {"patient": ["a", "b"], "day": [1, 2], "ill": [True, False]}
    (piece,) = Frame(frame).pieces()
    assert piece.batch.schema.names == ["patient", "day", "ill"]
