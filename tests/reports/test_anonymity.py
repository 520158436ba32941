"""Pages about tables: self-contained, with every attacker's baseline, without cells, without the forbidden words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from reticent.data.anonymity import anonymise, disclosure_risk
from reticent.data.tables import Table
from reticent.evidence import Record
from reticent.randomness import Randomness
from reticent.reports import render, sentences_of
from reticent.reports.anonymity import risk_plot, risk_words

RNG = np.random.default_rng(2)
PEOPLE = Table.of(
    {
        "age": RNG.integers(20, 60, 150),
        "zip": RNG.choice(["02139", "10001", "94501"], 150),
        "illness": RNG.choice(["flu", "colds"], 150),
        "<b>shoe": RNG.integers(36, 46, 150),
    }
)
ATTACKERS = {"a <i>neighbour</i>": ["age"], "register": ["age", "zip"]}


@pytest.fixture(scope="module")
def records() -> list[Record]:
    common = {"quasi": ["age", "zip"], "sensitive": ["illness"], "attackers": ATTACKERS, "data": "x & <y>.csv"}
    randomness = Randomness.simulated(1)
    return [
        disclosure_risk(PEOPLE, population=9_000, randomness=randomness, **common).record(),
        anonymise(PEOPLE, population=9_000, randomness=randomness, k=4, l=2, **common).record(),
        anonymise(PEOPLE, method="mondrian", t=0.4, **common).record(),
    ]


def test_pages_stand_alone_and_show_no_cell(records: list[Record]) -> None:
    for record in records:
        page = render(record)
        assert page == render(Record.from_json(record.to_json()))
        ET.fromstring(re.sub(r"<meta ([^>]*[^/])>", r"<meta \1/>", page.removeprefix("<!DOCTYPE html>\n")))
        assert "<script" not in page
        assert not re.search(r'(src|href)="(?!#)', page)
        assert "default-src 'none'" in page
        for cell in ("02139", "94501", "colds"):
            assert cell not in page
        assert "&lt;b&gt;shoe" in page
        assert "<b>shoe" not in page
        assert "<i>" not in page
        assert "1 in 150" in page  # an attacker who knows nothing


def test_words(records: list[Record]) -> None:
    for record in records:
        said = " ".join(sentences_of(record))
        assert not re.search(r"\b(anonymous|safe|compliant|certified|guarantee)", said, re.IGNORECASE)
        assert record.created[:10] in said
        assert "not looked at" in said
        assert "unmeasured: <b>shoe" in said
        assert "register" in said
    assert "before" in " ".join(sentences_of(records[1]))
    assert [risk_words(one) for one in (0.0, 0.001, 0.25, 0.9, 1.0)] == [
        "0.0 %", "1 in 1000", "25.0 % (1 in 4)", "90.0 %", "100.0 %"
    ]  # fmt: skip


def test_the_plot_has_both_and_is_the_same_twice(records: list[Record]) -> None:
    body = records[1].body
    svg = risk_plot(body["before"]["attackers"], body["after"]["attackers"])
    assert svg == risk_plot(body["before"]["attackers"], body["after"]["attackers"])
    ET.fromstring(svg)
    assert "before: average to highest" in svg
    assert "knows no column" in svg


def test_all_models_are_shown_with_intervals(records: list[Record]) -> None:
    page = render(records[0])
    for model in ("Zayatz", "shifted negative binomial", "Pitman", "Gaussian copula"):
        assert model in page
    assert "What makes rows stand out" in page
    assert "Unique in the population" not in render(records[2])
