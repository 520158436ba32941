"""Names of columns and what they hint at."""

from __future__ import annotations

import pytest

from reticent.data.scan.hints import Hints, words
from reticent.data.scan.tally import DETECTORS


@pytest.mark.parametrize("name", ["dateOfBirth", "DATE_OF_BIRTH", "date of birth", "dateofbirth", "Date-Of-Birth 2"])
def test_one_name_in_many_forms(name: str) -> None:
    assert Hints(("date of birth",)).fit(name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Straße", "street address"),
        ("Telefonnummer", "telephone number"),
        ("correoElectrónico", "e-mail address"),
        ("Imię", "name"),
        ("cvv2", "password or secret"),
        ("patientGeburtsdatum", "date of birth"),
        ("Krankenversicherungsnummer", "German health insurance number"),
        ("VKORC1", "genetic data"),
        ("Konfession", "religion or belief"),
    ],
)
def test_several_languages(name: str, kind: str) -> None:
    assert kind in {one.name for one in DETECTORS if one.hints.fit(name)}


@pytest.mark.parametrize(
    "name", ["file_name", "product name", "phone_verified", "email_count", "storage", "page", "message", "", "___"]
)
def test_what_only_looks_like_a_hint(name: str) -> None:
    kinds = {one.name for one in DETECTORS if one.hints.fit(name)}
    assert not kinds & {"name", "telephone number", "e-mail address", "age"}


def test_words() -> None:
    assert words("HTTPServerIPv4Addr") == ("http", "server", "ipv", "4", "addr") or words("userID") == ("user", "id")
    assert not Hints().fit("anything")
