"""Plain text: every line, or every paragraph."""

from __future__ import annotations

import re

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from reticent.data.tables import lines, rows, streams
from reticent.data.tables.lines import Text


def rows_of(path, **how):
    source = Text(path, path.name, **how)
    found = []
    for piece in source.pieces(rows=7):
        assert piece.first == len(found)
        found += piece.batch.column("text").to_pylist()
    return found, source


TEXTS = st.lists(st.sampled_from(["a", "é", "\n", "\r\n", " ", "\n\n", "\x0b", "\u2028", "word\n"]), max_size=40)


@settings(deadline=None, max_examples=200)
@given(parts=TEXTS, block=st.integers(1, 30))
def test_lines_and_paragraphs_of_any_text(tmp_path_factory, parts, block):
    path = tmp_path_factory.mktemp("t") / "t.txt"
    text = "".join(parts)
    path.write_bytes(text.encode())
    plain = text.replace("\r\n", "\n")
    expected = plain.removesuffix("\n").split("\n") if plain else []
    parted = [part for part in re.split(r"\n(?:[ \t]*\n)+", "\n" + plain + "\n\n") if part.strip(" \t\n\r\x0b\x0c")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK", block)
        assert rows_of(path)[0] == expected
        found = rows_of(path, paragraphs=True)[0]
        assert [one.strip("\n") for one in found] == [one.strip("\n") for one in parted]


def test_old_line_breaks_and_zero_bytes(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(b"one\rtwo\0\rthree")
    assert rows_of(path)[0] == ["one", "two\0", "three"]


def test_an_enormous_line_or_paragraph_comes_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 100)
    monkeypatch.setattr(lines, "LONGEST", 1000)
    monkeypatch.setattr(rows.cut, "__kwdefaults__", {"longest": 1000})
    path = tmp_path / "t.txt"
    path.write_text("x" * 5000 + "\nend\n")
    found, source = rows_of(path)
    assert "".join(found[:-1]) == "x" * 5000
    assert max(map(len, found)) <= 1000
    assert found[-1] == "end"
    assert source.problems[0].count == len(found) - 2
    path.write_text("line\n" * 1000)
    found, source = rows_of(path, paragraphs=True)
    assert "".join(found) + "\n" == "line\n" * 1000
    assert len(found) > 1
    assert source.problems[0].count == len(found) - 1


def test_numbers_stay_text(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("12\n13\n")
    (piece,) = Text(path, "t.txt").pieces()
    assert Text(path, "t.txt").column("text", piece.batch.column(0)).kind == "text"
