"""Distinct values, their characters and keys are what a loop over the cells finds."""

from __future__ import annotations

import datetime
from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from reticent.data.scan.values import MISSING, SHORT, Keys, Values, texts_of
from reticent.randomness import Randomness

KEYS = Keys(Randomness.simulated(1))
CELLS = st.none() | st.text(max_size=12) | st.sampled_from(["a@b.org", "12-3 4", " x", "x ", "N/A", "é" * 100, "7"])


@given(st.lists(CELLS, max_size=40))
def test_values_are_those_of_the_cells(cells: list[str | None]) -> None:
    found = Values.of(pa.array(cells, pa.string()), 5, KEYS)
    # what arrow trims is Unicode's white space, which str.strip() takes too, but for four control characters
    trimmed = [None if cell is None else cell.strip() for cell in cells]
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
