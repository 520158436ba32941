"""What is written is what is read."""

from __future__ import annotations

import datetime
import json

import pandas as pd
import pytest

from reticent.data.tables import Table, read
from reticent.errors import UsageError

CELLS = {
    "age": [34, None, 51],
    "height": [1.5, 2.0, None],
    "born": [datetime.date(1990, 1, 2), None, datetime.date(1970, 1, 1)],
    "note": ['a,"b"\nc', None, "ü"],
}


def test_csv_and_parquet_come_back(tmp_path):
    table = Table.of(CELLS)
    parquet = read(table.save(tmp_path / "t.parquet"))
    assert {c.name: c.cells().tolist() for c in parquet.columns} == {c.name: c.cells().tolist() for c in table.columns}
    frame = pd.read_csv(table.save(tmp_path / "t.csv"))
    assert frame["note"].tolist()[0] == CELLS["note"][0]
    assert frame["born"].tolist()[2] == "1970-01-01"


def test_json_lines(tmp_path):
    lines = Table.of(CELLS).save(tmp_path / "t.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"age": None, "height": 2.0, "born": None, "note": None}


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(UsageError, match="ends in"):
        Table.of(CELLS).save(tmp_path / "t.xls")
    assert not list(tmp_path.iterdir())


def test_every_kind_of_line_break_in_a_cell_comes_back(tmp_path):
    table = Table.of({"a": ["x\ry", "a\r\nb", "c\n", 'q"', "\r"], "b": ["1", "z", "\r\n", ",", "w"]})
    path = table.save(tmp_path / "t.csv")
    back = read(path, header=True)
    assert {one.name: one.cells().tolist() for one in back.columns} == {
        one.name: one.cells().tolist() for one in table.columns
    }
    assert path.read_bytes().startswith(b"a,b\n")
