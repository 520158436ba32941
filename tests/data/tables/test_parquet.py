"""Parquet: what is there, in pieces, and what is broken, said."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reticent.data.tables import read
from reticent.data.tables.parquet import Parquet
from reticent.errors import DataError, UsageError


def rows_of(path, columns=None, rows=1 << 16):
    source = Parquet(path, path.name)
    found = {}
    for piece in source.pieces(columns, rows=rows):
        assert piece.batch.num_rows <= rows
        found |= {piece.first + at: row for at, row in enumerate(piece.batch.to_pylist())}
    return found, source


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.parquet"


def test_types_order_and_columns(path):
    table = pa.table(
        {"n": list(range(1000)), "s": [f"0{n}" for n in range(1000)], "p": [{"x": n, "y": "a"} for n in range(1000)]}
    )
    pq.write_table(table, path, row_group_size=300)
    found, source = rows_of(path, rows=64)
    assert found == {n: {"n": n, "s": f"0{n}", "p.x": n, "p.y": "a"} for n in range(1000)}
    assert source.problems == ()
    found, _ = rows_of(path, ["p.y", "n"])
    assert list(found[0].items()) == [("p.y", "a"), ("n", 0)]
    with pytest.raises(UsageError, match="column"):
        rows_of(path, ["p"])


def test_names_that_had_to_change_are_found(path):
    pq.write_table(pa.table({" a ": [1], "p.x": [2], "p": [{"x": 3}], "l": [[1, 2]]}), path)
    assert rows_of(path)[0] == {0: {"a": 1, "p.x": 2, "p.x (2)": 3, "l": "[1, 2]"}}
    assert rows_of(path, ["p.x (2)"])[0] == {0: {"p.x (2)": 3}}


def test_text_stays_text_when_read_whole(path):
    pq.write_table(pa.table({"zip": ["10001", "", None], "c": pa.array(["u", "v", "u"]).dictionary_encode()}), path)
    table = read(path)
    assert table["zip"].cells().tolist() == ["10001", None, None]
    assert table["c"].cells().tolist() == ["u", "v", "u"]


@pytest.mark.slow
def test_long_cells_make_small_pieces(path):
    pq.write_table(
        pa.table({"s": [f"{n}" + "x" * 100_000 for n in range(2000)]}), path, compression="zstd", use_dictionary=False
    )
    sizes = [piece.batch.nbytes for piece in Parquet(path, "t").pieces()]
    assert len(sizes) > 2
    assert max(sizes) < 1 << 26


def test_an_empty_table_says_its_columns(path):
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), path)
    (piece,) = Parquet(path, "t").pieces()
    assert piece.batch.schema.names == ["a"]


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
def test_a_file_that_is_cut_off_is_said(path, cut):
    pq.write_table(pa.table({"a": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:cut])
    found, source = rows_of(path)
    (problem,) = source.problems
    assert (found, problem.lost) == ({}, True)
    assert "cut off" in problem.what
    with pytest.raises(DataError, match="cut off"):
        read(path)


def test_a_damaged_row_group_is_left_out_and_said(path):
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.integers(0, 1 << 60, 30_000)})
    pq.write_table(table, path, row_group_size=10_000, compression="gzip", use_dictionary=False)
    data = bytearray(path.read_bytes())
    group = pq.ParquetFile(path).metadata.row_group(1).column(0)
    start = group.data_page_offset
    data[start : start + 2000] = b"\xff" * 2000
    path.write_bytes(data)
    found, source = rows_of(path)
    (problem,) = source.problems
    assert problem.lost
    assert problem.where == "rows 10000 to 19999"
    assert {at: row["a"] for at, row in found.items()} == {
        at: value for at, value in enumerate(table["a"].to_pylist()) if not 10_000 <= at < 20_000
    }


def test_a_file_that_changes_or_is_not_there(path):
    pq.write_table(pa.table({"a": list(range(1000))}), path, row_group_size=100)
    source = Parquet(path, "t")
    pieces = source.pieces()
    next(pieces)
    os.utime(path, ns=(1, 1))
    list(pieces)
    assert "changed" in source.problems[0].what
    path.unlink()
    assert rows_of(path)[1].problems[0].lost
