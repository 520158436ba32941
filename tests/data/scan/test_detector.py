"""Each kind is found by what it looks like, and what only looks alike is not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from benchmarks._identifiers import NUMBERS, decoys

from reticent.data.scan import scan
from reticent.data.scan.contacts import known_numbers
from reticent.data.scan.detector import GROUPS
from reticent.data.scan.rules import safe_harbor, special_categories
from reticent.data.scan.tally import DETECTORS
from reticent.data.scan.text import KINDS

FOUND = {
    "e-mail address": ("c", ["ann.lee@example.org", "bo+x@sub.example.co.uk", "josé@exämple.de"]),
    "web address": ("c", ["https://example.org/a?b=c", "www.example.org/x"]),
    "IP address": ("c", ["10.0.0.1", "192.168.1.255", "8.8.8.8:53"]),
    "IP address (version 6)": ("c", ["2001:db8::1", "fe80::1ff:fe23:4567:890a"]),
    "MAC address": ("c", ["00:1A:2b:3c:4D:5e", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e"]),
    "telephone number": ("c", ["+44 20 7946 0958", "+49 30 901820", "+1 212 736 5000"]),
    "street address": ("c", ["12 Main Street", "Hauptstraße 5", "12 rue de la Paix", "P.O. Box 25"]),
    "US social security number": ("c", ["536-90-4399", "219-09-1234"]),
    "cryptocurrency address": ("c", ["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"]),
    "digest": ("c", ["d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709"]),
    "random identifier (UUID)": ("c", ["123e4567-e89b-12d3-a456-426614174000"]),
    "US Medicare number (MBI)": ("c", ["1EG4-TE5-MK73", "1EG4TE5MK72"]),
    "UK national insurance number": ("c", ["QQ123456C".replace("QQ", "AB"), "JG 10 37 59 A"]),
    "US ZIP code": ("c", ["02139-4307", "10001-0001"]),
    "postcode": ("c", ["SW1A 1AA", "K1A 0B1", "1234 AB"]),
    "coordinates": ("c", ["52.5200, 13.4050", "-33.8688,151.2093"]),
    "date": ("c", ["2020-01-31", "31/01/2020", "Jan 31, 2020", "2020-01-31T10:11:12Z", "31.01.20"]),
    "ICD-10 code": ("c", ["E11.9", "J45.909"]),
    "genetic variant": ("c", ["rs9923231", "*1/*3", "c.76A>T"]),
    "sex or gender": ("c", ["F", "M", "f"]),
    "state or province": ("c", ["CA", "NY", "TX"]),
    "religion or belief": ("c", ["Muslim", "Catholic", "Jewish"]),
    "sex life or orientation": ("c", ["heterosexual", "bisexual"]),
    "health": ("c", ["Diabetes", "Asthma"]),
    "age over 89": ("age", ["91", "90.5"]),
    "age": ("edad", ["34", "7"]),
    "date of birth": ("dob", ["19610203", "3/29/1982"]),
    "US ZIP code, three digits of a small area": ("zip3", ["036", "878"]),
    "name": ("prénom", ["José", "Anne-Marie"]),
    "medical record number": ("mrn", ["A-10023", "10024"]),
    "vehicle plate": ("kennzeichen", ["B-AB 123", "M-XY 99"]),
    "biometric data": ("fingerprint", ["0x1", "0x2"]),
    "password or secret": ("passwort", ["hunter2", "letmein"]),
}


@pytest.mark.parametrize("kind", FOUND)
def test_found(kind: str) -> None:
    name, values = FOUND[kind]
    (one,) = (one for one in scan({name: values}, texts="none").found if one.kind == kind)
    assert one.cells == len(values)
    assert one.group in GROUPS


LOST_ZEROS = {"US social security number": ("ssn", 12345678), "US ZIP code": ("zip", 2139)}


@pytest.mark.parametrize("kind", LOST_ZEROS)
def test_numbers_that_lost_their_zeros(kind: str) -> None:
    name, value = LOST_ZEROS[kind]
    assert kind in {one.kind for one in scan({name: [value, value + 10_000]}).found}


def test_decoys_are_no_identifiers() -> None:
    found = scan(
        {f"c{place}": values for place, values in enumerate(decoys(400, np.random.default_rng(2)).values())},
        texts="none",
    )
    assert {one.kind for one in found.found} <= {"unique code"}
    assert not found.direct


def test_telephone_numbers_without_a_hint_must_be_of_a_numbering_plan() -> None:
    valid, invalid = ["212-736-5000", "415-555-2671"], ["100-000-0000", "000-000-0000"]
    assert (known_numbers(valid), known_numbers(invalid), known_numbers([])) == (1.0, 0.0, 0.0)
    assert [one.kind for one in scan({"c": valid}).found] == ["telephone number"]
    assert scan({"c": invalid}).found == ()


def test_every_detector_is_told_apart_and_placed() -> None:
    names = [one.name for one in DETECTORS]
    assert len(names) == len(set(names))
    assert set(NUMBERS) <= set(names)
    rows = {letter for letter, _ in safe_harbor()["rows"]}
    assert {letter for one in (*DETECTORS, *KINDS) for letter in one.safe_harbor} == rows
    assert {one.special for one in DETECTORS} - {""} == {special for special, _, _ in special_categories()["rows"]}
    assert all(one.special for one in DETECTORS if one.group == "sensitive")
    for one in DETECTORS:
        for pattern in (one.raw, one.pattern, one.hinted_raw, one.hinted_pattern):
            if pattern is not None:
                pa.compute.match_substring_regex(pa.array(["x"]), pattern)
