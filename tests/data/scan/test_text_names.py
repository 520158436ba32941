"""Names in texts, with lists and without, and what only looks like them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reticent.data.scan.names import lists
from reticent.data.scan.text_names import GATE, names_in, speaks_of_no_person

ANNOUNCED = {
    "Good morning, my name is Qwerta Zxcvik.": ["Qwerta Zxcvik"],
    "please ask for mr. Zxcvik or Mrs. Amber Stone": ["Zxcvik", "Amber Stone"],
    "Dr. Weiß will see you": ["Weiß"],
    "Dear Ulrike,\nthank you": ["Ulrike"],
    "Hi Qwerta, how are you?": ["Qwerta"],
    "a film directed by Qwerta Zxcvik and starring him": ["Qwerta Zxcvik"],
    "I heard that Qwerta van de Zxcvik said no": ["Qwerta van de Zxcvik"],
    "Name: Qwerta Zxcvik\nAge: 30": ["Qwerta Zxcvik"],
    "Qwerta Zxcvik wrote it; later Zxcvik was sorry, as by Mr. Zxcvik": ["Qwerta Zxcvik", "Zxcvik", "Zxcvik"],
}
LISTED = {
    "We met Anna Kowalska at the station": ["Anna Kowalska"],
    "why is Pedro so late?": ["Pedro"],
    "Ingrid, can you come?": ["Ingrid"],
    "Anna and Pedro went home": ["Anna", "Pedro"],
    "a letter for J. R. Garcia came": ["J. R. Garcia"],
    "Mary Ann O'Neil's house": ["Mary Ann O'Neil"],
}
NOTHING = [
    "The Bank of England raised it",
    "on Monday in March we went to Paris",
    "Please write to Customer Service",
    "the Border Force and the Labor Day parade",
    "the office of William Smith & Sons",
    "Anna Street 5 is closed",
    "It may rain. Will it? Mark my words",
    "version 3 of Windows Server",
    "Mr and Mrs were out",
    "I am German and she is English",
    "COMPLETELY IN CAPITALS",
    "PyTorch Lightning and PyTorch are here",
    "",
    ". . .",
]


def spans(text: str, known: object) -> list[str]:
    return [text[start:end] for start, end in names_in(text, known)]


@pytest.mark.parametrize("text", ANNOUNCED)
def test_words_announce_a_name_without_lists(text: str) -> None:
    assert spans(text, None) == ANNOUNCED[text]
    assert spans(text, lists()) == ANNOUNCED[text]


@pytest.mark.parametrize("text", LISTED)
def test_lists_know_a_name(text: str) -> None:
    assert spans(text, lists()) == LISTED[text]


@pytest.mark.parametrize("text", NOTHING)
def test_no_names(text: str) -> None:
    assert spans(text, lists()) == []
    assert spans(text, None) == []


def test_words_of_organisations_and_digits() -> None:
    assert [speaks_of_no_person(one) for one in ("Smith Ltd.", "Anna 5", "Blue Rose", "Anna Rose")] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("known", [True, False])
def test_a_text_that_the_gate_leaves_out_holds_no_name(known: bool) -> None:
    texts = [
        *ANNOUNCED,
        *LISTED,
        *NOTHING,
        "Pedro",
        "Ingrid\nnext line",
        "Anna.",
        '"Pedro" was here',
        "Øystein's house",
    ]
    texts += [text[place:] for text in texts for place in range(0, len(text), 5)]
    open_ = pc.match_substring_regex(pa.array(texts), GATE).to_pylist()
    assert not all(open_)
    for text, passes in zip(texts, open_, strict=True):
        assert passes or names_in(text, lists() if known else None) == []
