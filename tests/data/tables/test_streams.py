"""Bytes become text, or it is said where they do not."""

from __future__ import annotations

import gzip
import os

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from reticent.data.tables import streams
from reticent.data.tables.pieces import Notes
from reticent.data.tables.streams import known_encoding, texts
from reticent.errors import DataError, UsageError

WORDS = "name\nJörg Müller\nŁukasz, 東京 😀\n"


def text_of(path, encoding=None):
    notes = Notes()
    text = b"".join(texts(path, path.name, notes, encoding))
    return text.decode(), notes.problems()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.txt"


@pytest.fixture(params=[3, 1 << 22], ids=["small blocks", "one block"])
def block(request, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", request.param)
    return request.param


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_that_say_what_they_are(path, encoding):
    path.write_bytes(WORDS.encode(encoding))
    assert text_of(path) == (WORDS, ())


def test_marks_of_either_order(path):
    for encoding, mark in (("utf-16-be", b"\xfe\xff"), ("utf-16-le", b"\xff\xfe"), ("utf-32-be", b"\0\0\xfe\xff")):
        path.write_bytes(mark + WORDS.encode(encoding))
        assert text_of(path) == (WORDS, ())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_by_its_zeros(path, encoding):
    path.write_bytes(("name,zip\n" * 20).encode(encoding))
    text, (problem,) = text_of(path)
    assert text == "name,zip\n" * 20
    assert encoding.upper() in problem.what


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "shift_jis", "gb18030", "utf-8", "koi8-r"])
@settings(deadline=None, max_examples=50)
@given(data=st.data(), block=st.integers(1, 20))
def test_encodings_that_are_said(tmp_path_factory, encoding, data, block):
    path = tmp_path_factory.mktemp("s") / "t.txt"
    text = data.draw(st.text(st.characters(codec=encoding, exclude_characters="\x1a\xa5\u203e"), max_size=30))
    if text.encode(encoding)[:3].startswith((b"\x1f\x8b", b"\xef\xbb\xbf")):
        return
    path.write_bytes(text.encode(encoding))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK", block)
        assert text_of(path, encoding)[0] == text


def test_windows_1252_is_found_and_said(path, block):
    path.write_bytes("name\nJörg\nZoë €\n".encode("cp1252"))
    if block > 3:
        text, (problem,) = text_of(path)
        assert text == "name\nJörg\nZoë €\n"
        assert problem.what.startswith("read as Windows-1252")
        assert problem.where == "byte 6 (line 2)"
    else:  # the head is too short to tell: byte by byte
        assert text_of(path)[0] == "name\nJörg\nZoë €\n"


def test_a_stray_byte_far_into_utf_8_is_kept_and_said(path, block):
    path.write_bytes(("é\n" * 100).encode() + b"M\xfcller \x81\n" + "é\n".encode())
    text, (problem,) = text_of(path)
    assert text == "é\n" * 100 + "Müller \x81\né\n"
    assert problem.what == "bytes that are not UTF-8, read as Windows-1252"
    assert problem.where == "byte 301 (line 101), byte 307 (line 101)"
    assert (problem.count, problem.lost) == (2, False)


def test_many_stray_bytes_are_counted(path):
    path.write_bytes(("é\n" * 100).encode() + b"\xfc\n" * 50)
    assert text_of(path)[1][0].count == 50


def test_a_wrong_encoding_is_an_error_with_its_place(path, block):
    path.write_bytes(b"one\ntwo\nM\xfcller\n")
    with pytest.raises(DataError, match=r"Expected utf-8 in t.txt, got something else at byte 9 \(line 3\)") as caught:
        text_of(path, "utf-8")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    path.write_bytes("ab\n".encode("utf-16-le") + b"\x00\xdc" + "c".encode("utf-16-le"))
    with pytest.raises(DataError, match=r"at byte 6 \(line 2\)"):
        text_of(path, "utf-16-le")
    path.write_bytes(b"one\n\x81\n")
    with pytest.raises(DataError, match=r"at byte 4 \(line 2\)"):
        text_of(path, "cp1252")


def test_half_a_character_at_the_end_is_said(path, block):
    path.write_bytes("é\né".encode()[:-1])
    text, (problem,) = text_of(path)
    assert text == "é\nÃ"
    assert problem.where == "byte 3 (line 2)"
    path.write_bytes(b"\xff\xfe" + "ab".encode("utf-16-le")[:-1])
    text, (problem,) = text_of(path)
    assert text == "a\ufffd"


def test_zero_bytes_are_kept_and_counted(path):
    path.write_bytes(b"a,b\n1,\0\0\n")
    text, (problem,) = text_of(path)
    assert (text, problem.where, problem.count) == ("a,b\n1,\0\0\n", "line 2, and 1 more", 2)


def test_unknown_encodings_are_refused():
    for name in ("utf-9", "rot13", "hex"):
        with pytest.raises(UsageError, match="encoding"):
            known_encoding(name)


# gzip -------------------------------------------------------------------------------------------------------------

LONG = "".join(f"line {number} {number * 7919 % 10007}\n" for number in range(20_000))


def test_gzip_of_several_members_and_with_zeros_behind(path, block):
    path.write_bytes(gzip.compress(LONG[:1000].encode()) + gzip.compress(LONG[1000:3000].encode()) + bytes(600))
    assert text_of(path) == (LONG[:3000], ())


def test_a_gzip_that_is_cut_off_gives_what_there_is(path):
    whole = gzip.compress(LONG.encode())
    for end in (len(whole) // 2, len(whole) - 4):
        path.write_bytes(whole[:end])
        text, (problem,) = text_of(path)
        assert LONG.startswith(text)
        assert len(text) > 0.4 * len(LONG)
        assert (problem.what, problem.lost) == ("the compressed file is cut off; what is missing was not read", True)


def test_a_damaged_gzip_is_said(path):
    whole = bytearray(gzip.compress(LONG.encode()))
    whole[-6] ^= 1  # its checksum
    path.write_bytes(whole)
    text, (problem,) = text_of(path)
    assert "damaged" in problem.what
    assert problem.lost
    path.write_bytes(gzip.compress(b"a\n") + b"more")
    text, (problem,) = text_of(path)
    assert (text, problem.lost) == ("a\n", True)


# The file itself --------------------------------------------------------------------------------------------------


def test_a_file_that_changes_is_said(path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 10)
    path.write_text("a\n" * 100)
    notes = Notes()
    blocks = texts(path, "t.txt", notes)
    next(blocks)
    with path.open("a") as file:
        file.write("more\n")
    os.utime(path, ns=(1, 1))
    assert sum(map(len, blocks)) > 100
    (problem,) = notes.problems()
    assert "changed while it was read" in problem.what
    assert problem.lost


def test_a_file_that_shrinks_or_goes_is_said(path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 10)
    for what in ("shrinks", "goes"):
        path.write_text("a\n" * 100)
        notes = Notes()
        blocks = texts(path, "t.txt", notes)
        next(blocks)
        if what == "goes":
            path.unlink()
        else:
            os.truncate(path, 20)
        list(blocks)
        assert notes.problems()[0].lost


def test_what_cannot_be_opened_is_said(tmp_path):
    for place in (tmp_path, tmp_path / "nothing"):
        text, (problem,) = text_of(place)
        assert (text, problem.lost) == ("", True)
        assert "could not be read" in problem.what


def test_an_empty_file_is_said(path):
    path.write_bytes(b"")
    assert [problem.what for problem in text_of(path)[1]] == ["the file is empty"]
