"""Delimited text: every row comes out in its place, and what is odd about it is said."""

from __future__ import annotations

import csv
import gzip
import io
import time

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import example, given, settings
from tests.data.tables.letters import all_rows, letter_by_letter

from reticent.data.tables import delimited, streams
from reticent.data.tables.delimited import Delimited
from reticent.errors import UsageError

CELLS = st.text(st.sampled_from('ab1,;"\n\r é\0\t'), max_size=6)


def cells_of(path, columns=None, rows=1 << 16, **how):
    source = Delimited(path, path.name, **how)
    found, at = [], 0
    for piece in source.pieces(columns, rows=rows):
        assert piece.first == at
        assert piece.batch.num_rows <= rows
        at += piece.batch.num_rows
        found += piece.batch.to_pylist()
    return found, source


def said(source):
    return {problem.what: (problem.where, problem.count) for problem in source.problems}


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8), block=st.integers(5, 60))
def test_what_a_program_writes_comes_back(tmp_path_factory, rows, block):
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerows([["x", "y", "z"], *rows])
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(out.getvalue().encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK", block)
        patch.setattr(delimited, "HEAD", 8)
        found, source = cells_of(path, header=True, delimiter=",", quote='"')
    assert [list(row.values()) for row in found] == rows
    assert not [what for what in said(source) if "zero bytes" not in what]


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@example(text='1,2,3\n"a\nb",2\n\n1,2,3,4,"5,6"\n,,\n', block=7)
@example(text='1,2,3\n1\n4,5,"6\n7,8\n', block=50)
@given(
    text=st.lists(st.sampled_from(["a", "é", ",", '"', "\n", "\r\n", "\r", " ", "\0", "1,2,3\n"]), max_size=40).map(
        "".join
    ),
    block=st.integers(1, 60),
)
def test_every_row_of_any_text_is_there(tmp_path_factory, text, block):
    """Against a parser that goes letter by letter (letters.py)."""
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(("x,y,z\n" + text).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK", block)
        patch.setattr(delimited, "HEAD", 6)
        found, source = cells_of(path, header=True, delimiter=",", quote='"')
    expected = all_rows(text)
    assert len(found) == len(expected)
    for row, true in zip(found, expected, strict=True):
        got = list(row.values())
        if len(true) <= 3:
            assert got == true + [None] * (3 - len(true))
        else:
            assert got[:2] == true[:2]
            assert (letter_by_letter(got[2]) or (got[2].split(","), 0))[0] == true[2:] or '"' in got[2]
    short = sum(len(row) < 3 for row in expected)
    long = sum(len(row) > 3 for row in expected)
    counts = {what: count for what, (_, count) in said(source).items()}
    assert (counts.get(delimited._SHORT, 0), counts.get(delimited._LONG, 0)) == (short, long)


def test_odd_rows_keep_their_place_and_are_counted_with_their_lines(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_bytes(b'a,b\n1,"x\ny"\n\n2\n3,4,5,"6,7"\n8,9\n')
    found, source = cells_of(path)
    assert [tuple(row.values()) for row in found] == [("1", "x\ny"), ("2", None), ("3", '4,5,"6,7"'), ("8", "9")]
    assert said(source) == {delimited._SHORT: ("line 5", 1), delimited._LONG: ("line 6", 1)}
    found, _ = cells_of(path, ["b"])
    assert [row["b"] for row in found] == ["x\ny", None, '4,5,"6,7"', "9"]
    found, _ = cells_of(path, ["b", "a"], rows=1)
    assert list(found[0]) == ["b", "a"]


def test_lines_are_right_far_into_a_file_of_several_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 1000)
    monkeypatch.setattr(delimited, "HEAD", 1000)
    path = tmp_path / "long.csv"
    lines = ["a,b"] + [f'{number},"x\ny"' if number % 3 else f"{number},z" for number in range(2000)]
    lines[1500] = "alone"
    line = 1 + "\n".join(lines[:1500]).count("\n") + 1
    path.write_text("\n".join(lines) + "\n")
    found, source = cells_of(path, rows=77)
    assert len(found) == 2000
    assert found[1499] == {"a": "alone", "b": None}
    assert said(source)[delimited._SHORT] == (f"line {line}", 1)


def test_the_same_as_pandas(tmp_path):
    path = tmp_path / "t.csv.gz"
    frame = pd.DataFrame({"a": ["x", "", 'q"', "1\n2"] * 500, "b": ["007", "é", ",", " "] * 500})
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    found, source = cells_of(path)
    assert found == frame.to_dict("records")
    assert source.problems == ()


def test_headers_that_are_missing_doubled_or_too_short(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("1,ann@x.org,3\n4,bob@x.org,6\n")
    found, source = cells_of(path)
    assert found[0] == {"column 1": "1", "column 2": "ann@x.org", "column 3": "3"}
    assert said(source) == {"no header: columns are called by their number": ("line 1", 1)}
    path.write_text("a,a,,a (2)\n1,2,3,4\n")
    found, source = cells_of(path)
    assert found == [{"a": "1", "a (3)": "2", "column 3": "3", "a (2)": "4"}]
    assert sorted(said(source).values()) == [("column 2", 1), ("column 3", 1)]
    path.write_text("name,zip\nAnn,1,\nBob,2,\n")
    found, source = cells_of(path)
    assert found[1] == {"name": "Bob", "zip": "2", "column 3": ""}
    path.write_text("a\n")
    source = Delimited(path, "t.csv")
    assert [(piece.batch.num_rows, piece.batch.schema.names) for piece in source.pieces()] == [(0, ["a"])]


def test_a_header_that_is_longer_than_what_is_looked_at(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(
        ",".join(f"a long name of a column {number}" for number in range(20_000)) + "\n" + "1," * 19_999 + "1\n"
    )
    found, source = cells_of(path)
    assert len(found[0]) == 20_000
    assert source.problems == ()


def test_files_with_nothing_in_them(tmp_path):
    path = tmp_path / "t.csv"
    for content, what in ((b"", "the file is empty"), (b"\n\n", "no rows: there are only blank lines")):
        path.write_bytes(content)
        found, source = cells_of(path)
        assert (found, list(said(source))) == ([], [what])


def test_a_column_that_is_not_there(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("age,zip\n1,2\n")
    with pytest.raises(UsageError, match="zip"):
        list(Delimited(path, "t.csv").pieces(["zipp"]))


def test_a_row_over_a_thousand_lines_is_pointed_at(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,x\n2,"' + "line\n" * 1500 + '"\n3,y\n')
    found, source = cells_of(path)
    assert len(found) == 3
    assert [where for where, _ in said(source).values()] == ["line 3"]


def test_a_first_row_that_may_be_data_is_said_to_be_taken_for_a_header(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("Ann,Boston\nBob,Paris\n")
    source = Delimited(path, "t.csv")
    list(source.pieces())
    assert [(one.what.partition(",")[0], one.where) for one in source.problems] == [
        ("the first row was taken for the names of the columns", "line 1")
    ]
    for header, cells in ((True, {"Ann": ["Bob"]}), (False, {"column 1": ["Ann", "Bob"]})):
        source = Delimited(path, "t.csv", header=header)
        (piece,) = source.pieces()
        assert cells.items() <= piece.batch.to_pydict().items()
        assert not source.problems


def test_very_many_columns_are_named_in_linear_time(tmp_path):
    from reticent.data.tables.pieces import Notes, chosen, unique_names

    names = [f"c{number}" for number in range(100_000)]  # minutes, if each were looked for among all
    start = time.process_time()
    assert chosen(unique_names(names, Notes()), names, "t") == names
    assert time.process_time() - start < 5
