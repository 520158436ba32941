"""Personal data in texts, and what only looks like it."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.scan.text import BESIDE, entities, found_in

FOUND = {
    "Mail me at josé.b@example.org, please": ("e-mail address", "josé.b@example.org"),
    "my card is 4111-1111-1111-1111 ok": ("payment card number", "4111-1111-1111-1111"),
    "to DE89 3704 0044 0532 0130 00 today": ("IBAN", "DE89 3704 0044 0532 0130 00"),
    "SSN: 536-90-4399 on file": ("US social security number", "536-90-4399"),
    "call me on (212) 736-5000 tonight": ("telephone number", "(212) 736-5000"),
    "from 192.168.0.12 at night": ("IP address", "192.168.0.12"),
    "see https://example.org/x now": ("web address", "https://example.org/x"),
    "born on 03/29/1982 in Rome": ("date", "03/29/1982"),
    "a 47-year-old man": ("age", "47"),
    "Good morning, my name is Anne O'Neil.": ("name", "Anne O'Neil"),
    "Dr. Weiß will see you": ("name", "Weiß"),
    "I live at 12 Old Mill Road now": ("street address", "12 Old Mill Road"),
    "wohnt in der Hauptstraße 5 seit": ("street address", "Hauptstraße 5"),
    "NHS number 943 476 5919 was": ("UK NHS number", "943 476 5919"),
    "codice RSSMRA85T10A562S ecco": ("Italian codice fiscale", "RSSMRA85T10A562S"),
    "MRN: 00123456 admitted": ("medical record number", "00123456"),
    "My driver's license number is D1234567": ("licence or certificate number", "D1234567"),
    "zur Kantstrasse 56 oder so": ("street address", "Kantstrasse 56"),
    "an 56 Kantstrasse oder so": ("street address", "56 Kantstrasse"),
    "ring 0480 66 01 75 after six": ("telephone number", "0480 66 01 75"),
    "at +49 30 901820 or so": ("telephone number", "+49 30 901820"),
    "he died when he was 77.": ("age", "77"),
    "on her 34th birthday": ("age", "34"),
    "my zip code, as you know, is 90210": ("US ZIP code", "90210"),
    "Springfield, Illinois 62704 again": ("US ZIP code", "62704"),
    "to Skytebanen 8, ARENDAL,  4841 by noon": ("street address", "Skytebanen 8, ARENDAL,  4841"),
    "from ul. Fałata 18, Toruń,  87-111 now": ("street address", "ul. Fałata 18, Toruń,  87-111"),
    "to Calle Carril de la Fuente 25, Manzanares, Ciudad Real 13200 today": (
        "street address",
        "Calle Carril de la Fuente 25, Manzanares, Ciudad Real 13200",
    ),
    "her address: 91 Reykjarholi": ("street address", "91 Reykjarholi"),
    "Anna Weber\n257 Vansovagen\n Apt. 79\n Sweden 511 92": ("street address", "257 Vansovagen"),
}


@pytest.mark.parametrize("text", FOUND)
def test_found_with_its_span(text: str) -> None:
    kind, span = FOUND[text]
    assert (kind, span) in {(one.kind, text[one.start : one.end]) for one in entities(text)}
    assert found_in(pa.array([text, "nothing here"]))[kind] == [0]


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112 is late",
        "to DE89 3704 0044 0532 0130 01 today",
        "version 1.2.3 of the form",
        "the year was 1984 and it rained",
        "it took 47 minutes, 12 of them waiting",
        "Mr and Mrs were out",
        "with used=8186245120, 16900.540 and 6371  5973.6 left",
        "die Hauptstrasse und der Kirchweg",
        "in Goias 60760-060 it rained",
        "when he was 30 minutes late",
        "we met at 10 January, and at 9 Million the bidding stopped",
        "",
    ],
)
def test_not_found(text: str) -> None:
    assert entities(text) == []


@settings(max_examples=50)
@given(st.text(max_size=100))
def test_entities_are_in_order_and_apart(text: str) -> None:
    found = entities(text)
    assert all(one.start < one.end <= len(text) for one in found)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))


@settings(max_examples=30)
@given(st.lists(st.sampled_from([*FOUND, "nothing", "Karte 4111111111111111"]), max_size=8))
def test_many_at_once_are_what_each_is(texts: list[str]) -> None:
    found = found_in(pa.array(texts, pa.string()))
    alone = {}
    for place, text in enumerate(texts):
        for kind in {one.kind for one in entities(text)}:
            alone.setdefault(kind, []).append(place)
    beside = {kind.name for kind in BESIDE}
    assert {kind: sorted(places) for kind, places in found.items() if kind not in beside} == alone
