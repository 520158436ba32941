"""Distinct values, their characters and keys are what a loop over the cells finds."""

from __future__ import annotations

import datetime
import unicodedata
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.data.scan.values import MISSING, SHORT, Keys, Values, texts_of
from reticent.randomness import Randomness

KEYS = Keys(Randomness.simulated(1))
CELLS = (
    st.none()
    | st.text(max_size=12)
    | st.sampled_from(["a@b.org", "12-3 4", " x", "x ", "N/A", "é" * 100, "7", "7.0", "a\u00a0b"])
)


def typed(cell: str) -> str:
    """A cell before programs touched it, letter by letter."""
    cell = cell.strip()
    if not cell.isascii():
        kinds = {letter: unicodedata.category(letter) for letter in cell}
        cell = "".join(
            " " if kinds[one] == "Zs" and one != "\u1680"
            else "-" if one in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
            else "" if one in "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff" else one
            for one in cell
        ).strip()  # fmt: skip
    head, dot, zero = cell.rpartition(".")
    digits = head.lstrip("+-") if head[:1] in "+-" and head[1:2] not in "+-" else head
    return head if (dot, zero) == (".", "0") and digits and set(digits) <= set("0123456789") else cell


def test_what_programs_did_to_values_is_undone() -> None:
    """Whole numbers of a column with gaps, no-break spaces, typographic hyphens, invisible letters."""
    written = [
        "2139.0",
        "2139",
        "-7.0",
        "1.50",
        "v1.0",
        "1.0.0",
        "DE89\u00a03704",
        "030\u20111234",
        "\ufeffa@b.org",
        ".0",
    ]
    found = Values.of(pa.array(written), 0, KEYS)
    plain = ["2139", "-7", "1.50", "v1.0", "1.0.0", "DE89 3704", "030-1234", "a@b.org", ".0"]
    assert (found.texts.to_pylist(), found.counts.tolist()) == (plain, [2, 1, 1, 1, 1, 1, 1, 1, 1])


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_whole_floats_are_whole_numbers(kind) -> None:
    floats = [2139.0, 1.5, -0.0, float("nan"), float("inf"), None, 65536.0]
    assert texts_of(pa.array(floats, kind)).to_pylist() == ["2139", "1.5", "0", "nan", "inf", None, "65536"]
    large = pa.array([4111111111111111.0, 2.0**60], pa.float64())
    assert texts_of(large).to_pylist()[0] == "4111111111111111"
    assert float(texts_of(large).to_pylist()[1]) == 2.0**60


@given(st.lists(CELLS, max_size=40))
def test_values_are_those_of_the_cells(cells: list[str | None]) -> None:
    found = Values.of(pa.array(cells, pa.string()), 5, KEYS)
    # what arrow trims is Unicode's white space, which str.strip() takes too, but for four control characters
    trimmed = [None if cell is None else typed(cell) for cell in cells]
    if any(cell is not None and set(cell) & set("\x1c\x1d\x1e\x1f\x85") for cell in cells):
        return
    kept = [cell for cell in trimmed if cell and cell.lower() not in MISSING]
    counts = Counter(kept)
    assert dict(zip(found.texts.to_pylist(), found.counts.tolist(), strict=True)) == counts
    assert (found.rows, found.cells) == (len(cells), len(kept))
    for place, text in enumerate(found.texts.to_pylist()):
        assert found.firsts[place] == trimmed.index(text) + 5
        assert found.lengths[place] == len(text.encode())
        if len(text.encode()) <= SHORT:
            assert found.digits[place] == sum(letter in "0123456789" for letter in text)
            assert found.count_of("ats")[place] == text.count("@")
            assert found.count_of("foreign")[place] == sum(byte > 127 for byte in text.encode())
        else:
            assert found.wordy[place]
    assert len(set(found.keys.tolist())) == len(found.keys)


def test_keys_do_not_depend_on_the_piece() -> None:
    together = Values.of(pa.array(["b", "a", "long " * 50]), 0, KEYS)
    apart = Values.of(pa.array(["a"]), 9, KEYS)
    assert together.keys[together.texts.to_pylist().index("a")] == apart.keys[0]
    assert repr(apart) == "Values(1 rows, 1 distinct)"


def test_texts_of_any_type() -> None:
    assert texts_of(pa.array([1, None])).to_pylist() == ["1", None]
    assert texts_of(pa.array([["a", "b"], None])).to_pylist() == ["a\nb", None]
    assert texts_of(pa.array(["x", "x"]).dictionary_encode()).to_pylist() == ["x", "x"]
    assert texts_of(pa.array([datetime.date(2020, 1, 2)])).to_pylist() == ["2020-01-02"]
    assert texts_of(pa.array([b"x"])) is None
    assert texts_of(pa.chunked_array([pa.array([True])])).to_pylist() == ["true"]
