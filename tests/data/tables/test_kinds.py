"""What columns hold: found out, said, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from reticent.data.tables import Column, Table, as_table, read, read_all
from reticent.data.tables.kinds import Declared, decided
from reticent.data.tables.pieces import Notes
from reticent.errors import DataError, UsageError

MIXED = ["1957-09-07", "13.4.1960", "09/30/1961", "02/03/1962", "7 Sep 1957", ""]


def table(folder: Path, cells: list[str], name: str = "people.csv") -> Path:
    path = folder / name
    path.write_text("who;DOB\n" + "".join(f"p{row};{cell}\n" for row, cell in enumerate(cells)))
    return path


def test_four_ways_of_writing_are_one_column_of_dates(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"1 cells of 'DOB' could have the day or the month first; .*%m/%d/%Y"):
        found = read(table(tmp_path, MIXED))["DOB"]
    assert found.kind == "date"
    assert found.missing.tolist() == [False] * 5 + [True]
    assert str(found.values.max())[:10] == "1962-02-03"
    assert found.take([0, 1]).written == found.compacted().written == found.written
    assert set(found.written or ()) == {"%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y"}
    frames = read({"DOB": [cell for cell in MIXED if "/" not in cell]})["DOB"]
    assert frames.kind == "date"


def test_what_looks_like_dates_in_part_stays_text_and_is_said(tmp_path: Path) -> None:
    path = table(tmp_path, ["1957-09-07", "1960-02-30", "05/06/1961", "?"])
    with pytest.warns(
        UserWarning, match=r"3 of 4 cells look like dates, but 3 cannot .* 1 could have the day .* row 2"
    ):
        found = read(path)["DOB"]
    assert found.kind == "text"
    assert found.cells().tolist() == ["1957-09-07", "1960-02-30", "05/06/1961", "?"]
    with pytest.raises(DataError, match="1 cells could be read either way"):
        read(path, kinds={"DOB": "date"})
    with pytest.warns(
        UserWarning, match=r"2 of 4 cells of 'DOB' cannot be read as date, and are missing \(first in row 2"
    ):
        found = read(path, dates={"DOB": "%d/%m/%Y"})["DOB"]
    assert found.missing.tolist() == [False, True, False, True]
    assert str(found.values[-1])[:10] == "1961-06-05"


def test_codes_numbers_and_words_are_left_alone(recwarn: pytest.WarningsRecorder) -> None:
    plain = {"zip": ["02139", "10001"], "code": ["1.2.30", "2.0.1"], "word": ["May", "June"], "n": [1, 2]}
    assert [column.kind for column in read(plain).columns] == ["text", "text", "text", "number"]
    assert not recwarn.list


def test_what_is_said_holds(tmp_path: Path) -> None:
    path = table(tmp_path, ["20200131", "20200201"])
    assert read(path)["DOB"].kind == "number"
    assert str(read(path, dates={"DOB": "%Y%m%d"})["DOB"].values[0])[:10] == "2020-01-31"
    days = table(tmp_path, ["2020-01-31"], "days.csv")
    kept = read(days, kinds={"DOB": "text"})
    assert kept["DOB"].kind == "text"
    assert as_table(kept) is kept  # it was said: no warning
    with pytest.raises(UsageError, match="DOBB"):
        read(days, kinds={"DOBB": "date"})
    with pytest.raises(UsageError, match="kind"):
        read(days, kinds={"DOB": "dates"})
    with pytest.raises(UsageError, match="dates in column"):
        read(days, kinds={"DOB": "text"}, dates={"DOB": "%Y"})
    one, two = read_all([path, {"x": [1]}], dates={"DOB": "%Y%m%d"})
    assert (one["DOB"].kind, two.names) == ("date", ("x",))
    with pytest.raises(UsageError, match="nowhere"):
        read_all([days, {"x": [1]}], kinds={"nowhere": "date"})


def test_a_table_that_nobody_looked_at_is_said() -> None:
    raw = Table.of({"born": ["1957-09-07", "13.4.1960"]})
    with pytest.warns(UserWarning, match="all 2 cells of it are dates"):
        assert as_table(raw) is raw
    assert read(raw)["born"].kind == "date"


def test_nothing_of_a_cell_is_in_a_note() -> None:
    notes = Notes()
    decided(Column.of("x", ["1999-09-09", "secret"]), Declared(), notes)
    decided(Column.of("y", ["5", "secret"]), Declared.of({"y": "number"}), notes)
    assert len(notes.problems()) == 2
    assert "secret" not in str(notes.problems())
