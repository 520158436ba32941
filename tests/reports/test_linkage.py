"""Pages of linkages say what was measured, beside what it is held against."""

from __future__ import annotations

import re
from typing import Any

import pytest

from reticent.evidence import Estimate, Finding, Record, Status
from reticent.evidence.intervals import rate
from reticent.reports import render, sentences_of
from reticent.reports.linkage import reliability_plot

DETAILS: dict[str, Any] = {
    "fields": {"zip": "code"},
    "blocking rules": [{"on": ["zip"], "pairs": 12}, {"on": [], "pairs": 99}],
    "trained on pairs that agree on": [["zip", "year"]],
    "fields with assumed m": ["zip"],
    "candidate pairs": 1200,
    "share of release rows in the register": 0.5,
    "that share is": "estimated",
    "threshold": 0.7,
    "threshold from": "the largest expected F1; no label was used",
    "one to one": True,
    "expected": {"right links": 9.0, "precision": 0.9, "recall": 0.8, "f1": 0.85},
    "best exact join": ["zip"],
    "release rows in the register": 90,
    "of them among the candidate pairs": 80,
}


def body(known: bool = True) -> dict[str, Any]:
    if known:
        finding = Finding(
            "probabilistic record linkage",
            "<the release>",
            "tables",
            {
                "people re-identified": rate(40, 100, method="people"),
                "people re-identified, everybody linked": rate(45, 100, method="people"),
                "precision": rate(40, 50, method="links"),
                "recall": rate(40, 90, method="rows"),
                "f1": rate(40, 70, method="F1"),
            },
            {
                "guessing: people re-identified": rate(1, 100, method="exact"),
                "best exact join: people re-identified": rate(20, 100, method="people"),
            },
            details=DETAILS,
        )
    else:
        expected = {"rows re-identified, expected": Estimate(0.4, 0.3, 0.5, 0.95, 100, "model")}
        finding = Finding(
            "linkage", "it", "tables", expected, status=Status.INCONCLUSIVE, reason="why", details=DETAILS
        )
    row = {"from": 0.1, "to": 0.3, "expected": 0.2, "observed": 0.25, "low": 0.1, "high": 0.4, "n": 40}
    return {
        "finding": finding.as_dict(),
        "reliability": [row] if known else None,
        "levels": [{"field": "zip", "says": "equal", "m": 0.9, "u": 0.0}],
        "rows": {"release": 100, "register": 200},
        "links": 50,
        "repeatable": False,
        "software": {"reticent": "0"},
    }


def record(kind: str, values: dict[str, Any]) -> Record:
    return Record(kind, values, created="2026-01-01T00:00:00Z")


def test_a_linkage_stands_beside_guessing_and_joins() -> None:
    said = " ".join(sentences_of(record("linkage", body())))
    for text in ("40.0 % (30.3 to 50.3)", "Guessing finds 1.0 %", "20.0 %", "expected 90.0 %", "threshold of 0.7"):
        assert text in said
    page = render(record("linkage", body()))
    assert "&lt;the release&gt;" in page
    assert "<the release>" not in page
    assert "zip and year" in page
    assert "every pair (99)" in page
    assert "not bounded" in page
    assert "90; 80" in page


def test_without_truth_nothing_is_called_a_re_identification() -> None:
    said = " ".join(sentences_of(record("linkage", body(known=False))))
    assert "Inconclusive: why" in said
    assert "nobody checked it" in said
    page = render(record("linkage", body(known=False)))
    assert 'class="verdict undecided"' in page
    assert "Are the probabilities right?" not in page
    assert "Beside guessing" not in page


def test_bands_sources_and_a_lack_of_evidence_are_said() -> None:
    values = body(known=False)
    details = values["finding"]["details"]
    details["expected"] = {**details["expected"], "precision, low": 0.7, "precision, high": 0.97}
    assert "90.0 % (70.0 % to 97.0 %)" in " ".join(sentences_of(record("linkage", values)))
    details["enough evidence"] = False
    values["links"] = 0
    said = " ".join(sentences_of(record("linkage", values)))
    assert "not enough evidence" in said
    assert "expects" not in said
    known = body()
    known["finding"]["details"]["probabilities from"] = "pairs of <strangers>"
    page = render(record("linkage", known))
    assert page.count("pairs of &lt;strangers&gt;") == 2


@pytest.mark.parametrize("ran", [True, False])
def test_forms_that_were_not_attacked_say_so(ran: bool) -> None:
    forms = [
        {
            "name": "plain",
            "released": 100,
            "named": rate(40, 100, method="people").as_dict() if ran else None,
            "reason": "" if ran else "too few",
            "linkage": body() if ran else None,
        },
        {"name": "nobody", "released": 0, "named": None, "reason": "no rows", "linkage": None},
    ]
    effects = record("linkage effects", {"forms": forms, "people": 100, "software": {"reticent": "0"}})
    said = sentences_of(effects)
    assert said[1] == "“nobody” was not attacked: no rows"
    page = render(effects)
    assert "not run: no rows" in page
    assert ("<svg" in page) == ran


def test_the_same_values_give_the_same_plot() -> None:
    rows = body()["reliability"]
    assert reliability_plot(rows) == reliability_plot(rows)


def test_what_is_rare_is_written_for_people() -> None:
    """No exponents: one in so many, and no ratio larger or smaller than can be meant."""
    one = body()
    one["levels"] = [
        {"field": "zip", "says": "equal", "m": 0.9, "u": 3e-6},
        {"field": "zip", "says": "one edit", "m": 7.43e-20, "u": 0.02},
        {"field": "zip", "says": "two edits", "m": 0.5, "u": 1e-12},
        {"field": "zip", "says": "else", "m": 0.0, "u": 0.25},
    ]
    one["finding"]["details"] = {**DETAILS, "threshold": 0.99996, "shared identifiers": {"pid": 0.6}}
    record = Record("linkage", one, created="2026-11-22T00:00:00Z")
    page = render(record)
    space = "\u202f"
    for text in (f"1 in 333{space}000", f"300{space}000", f"more than 1{space}000{space}000{space}000", "never"):
        assert text in page
    assert not re.search(r"\d[eE]-\d", re.sub(r"<svg.*?</svg>", "", page, flags=re.S))
    said = " ".join(sentences_of(record))
    assert "at a threshold of >0.999 from" in said
    assert "“pid” looks like an identifier that both tables share (60.0 %" in said
    assert "--without pid" in said
