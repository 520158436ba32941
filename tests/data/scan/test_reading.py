"""No text is read twice."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from reticent.data.scan import reading as rooms
from reticent.data.scan import scan, scanning
from reticent.data.scan.reading import Reading
from reticent.data.scan.values import Keys, Values
from reticent.randomness import Randomness

KEYS = Keys(Randomness.simulated(1))


def reader(asked: list[str]):
    def read(texts):
        asked.extend(texts.to_pylist())
        kinds: dict[str, list[int]] = {}
        for place, text in enumerate(texts.to_pylist()):
            for letter in set(text) & set("abc"):
                kinds.setdefault(letter, []).append(place)
        return kinds

    return read


@pytest.mark.parametrize("room", [0, 5, 1 << 18])
@pytest.mark.parametrize("at_once", [3, 4096])
def test_the_answers_are_the_reader_s(monkeypatch: pytest.MonkeyPatch, room: int, at_once: int) -> None:
    monkeypatch.setattr(rooms, "REMEMBERED", room)
    monkeypatch.setattr(rooms, "_AT_ONCE", at_once)
    asked: list[str] = []
    read = Reading(reader(asked))
    rng = np.random.default_rng(1)
    for _ in range(20):
        values = Values.of(pa.array(["".join(rng.choice(list("abcxyz"), 2)) for _ in range(9)]), 0, KEYS)
        texts = values.texts.to_pylist()
        places = np.flatnonzero(rng.random(len(texts)) < 0.7)
        found = {kind: sorted(here.tolist()) for kind, here in read(values, places).items()}
        assert found == {
            kind: here for kind in "abc" if (here := [int(place) for place in places if kind in texts[place]])
        }
    if room > 100:
        assert len(asked) == len(set(asked))


def test_more_kinds_than_bits() -> None:
    read = Reading(lambda texts: {str(place): [place] for place in range(len(texts))})
    values = Values.of(pa.array([f"text {place}" for place in range(100)]), 0, KEYS)
    for _ in range(2):
        found = read(values, np.arange(100))
        assert {kind: here.tolist() for kind, here in found.items()} == {str(place): [place] for place in range(100)}


def test_a_scan_reads_each_text_once_over_pieces_and_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(scanning, "_ROWS", 10)
    monkeypatch.setattr(scanning, "found_in", lambda texts: asked.extend(texts.to_pylist()) or {"name": [0]})
    notes = ["we met Anna Smith at the mill", "nothing new was said at all today"] * 50
    found = scan({"a": notes, "b": notes})
    assert sorted(asked) == sorted(set(notes))
    assert [one.cells for one in found.found if one.kind == "name"] == [50, 50]
