"""Rows end where a parser that goes letter by letter says, however the text comes in."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings
from tests.data.tables.letters import all_rows

from reticent.data.tables.pieces import Notes
from reticent.data.tables.rows import Grammar, cut, ends, split

COMMA = Grammar(",", '"')
LETTERS = st.lists(st.sampled_from(["a", "é", ",", '"', '""', "\n", "\r\n", "\r", " ", "\0", '",', ',"']), max_size=30)


def in_blocks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@settings(deadline=None, max_examples=500)
@example(parts=['"', "a", '"', "a", '"', "\n", '"', "\n"], size=3)
@example(parts=['"', '""', "\n", '"', "\n"], size=1)
@example(parts=["a", "\r", "\r\n"], size=2)
@given(parts=LETTERS, size=st.integers(1, 40))
def test_rows_are_those_of_a_parser_that_goes_letter_by_letter(parts, size):
    text = "".join(parts)
    chunks = list(cut(in_blocks(text.encode(), size), COMMA, Notes()))
    assert b"".join(chunk.text for chunk in chunks).decode() == text
    rows = []
    for chunk in chunks:
        grammar = COMMA._replace(quote=None) if chunk.literal else COMMA
        whole = chunk.text if chunk.text.endswith((b"\n", b"\r")) else chunk.text + b"\n"
        stops = ends(whole, grammar)
        assert stops[-1] == len(whole)
        own = [whole[a:b] for a, b in zip([0, *stops], stops, strict=False)]
        rows += [split(row, grammar) for row in own if row.strip(b"\r\n")]
        before = text.encode()[: sum(len(one.text) for one in chunks[: chunks.index(chunk)])].decode()
        assert chunk.line == 1 + before.replace("\r\n", "\n").replace("\r", "\n").count("\n")
    assert rows == all_rows(text)


def test_a_planted_cut_inside_quotes_would_be_seen():
    text = b'1,"a\nb"\n2,c\n'
    assert ends(text, COMMA).tolist() == [8, 12]
    assert ends(text, Grammar(",", None)).tolist() == [5, 8, 12]


def test_the_last_cell_takes_what_is_left_as_it_is_written():
    assert split(b'1,2,"x,y",4\r\n', COMMA, 3) == ["1", "2", '"x,y",4']
    assert split(b'1,2,"x,y"\r\n', COMMA, 3) == ["1", "2", "x,y"]
    assert split(b"1,2,3", Grammar(None, '"')) == ["1,2,3"]


def test_an_open_quote_takes_no_other_line_with_it():
    notes = Notes()
    text = b'1,2\n"3,4\n5,6\n'
    chunks = list(cut([text], COMMA, notes))
    assert [(chunk.text, chunk.line, chunk.literal) for chunk in chunks] == [
        (b"1,2\n", 1, False),
        (b'"3,4\n', 2, True),
        (b"5,6\n", 3, False),
    ]
    assert [problem.where for problem in notes.problems()] == ["line 2"]


@pytest.mark.parametrize("letter", ["a", "é", ","])
def test_an_enormous_line_comes_in_parts_between_two_letters(letter):
    notes = Notes()
    text = (letter * 1000 + "\nend\n").encode()
    chunks = list(cut(in_blocks(text, 64), COMMA, notes, longest=101))
    assert b"".join(chunk.text for chunk in chunks) == text
    assert max(len(chunk.text) for chunk in chunks) <= 101 + 64
    for chunk in chunks:
        chunk.text.decode()
    assert chunks[-1].line + chunks[-1].text.count(b"\n") == 3
    assert notes.problems()[0].where.startswith("line")


def test_an_open_quote_is_given_up_when_it_has_taken_too_much():
    notes = Notes()
    text = b'"open\n' + b"1,2\n" * 100
    chunks = list(cut(in_blocks(text, 16), COMMA, notes, longest=100))
    assert (chunks[0].text, chunks[0].literal) == (b'"open\n', True)
    assert b"".join(chunk.text for chunk in chunks) == text
    assert notes.problems()[0].count == 1


def test_ends_are_numbers_even_of_nothing():
    assert ends(b"", COMMA).dtype == np.int64
    assert ends(b'"', COMMA).tolist() == []
