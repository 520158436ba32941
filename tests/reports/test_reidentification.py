"""The page shows every share with its interval beside what guessing gives, and escapes what it is given."""

from __future__ import annotations

from typing import Any

import pytest

from reticent.errors import UsageError
from reticent.evidence import Record
from reticent.reports import render, sentences_of
from reticent.reports.reidentification import found_beyond_guessing

SOFTWARE = {"reticent": "0", "python": "3"}


def one(value: float, **more: Any) -> dict[str, Any]:
    return {
        "value": value,
        "low": max(value - 0.1, 0.0),
        "high": min(value + 0.1, 1.0),
        "confidence": 0.95,
        "n": 100,
        "method": "counted",
        "threshold": None,
        **more,
    }


POWER = {
    "targets": 100,
    "half_width_at_most": 0.101,
    "least_share_excluded_by_none": 0.036,
    "needed": {"0.05": 402, "0.02": 2449, "0.01": 9701},
    "needed_to_exclude_by_none": {"0.01": 368, "0.001": 3688},
}


def row(release: str, items: int, share: float, groups: bool = False) -> dict[str, Any]:
    estimates = {
        "re-identified": one(share),
        "named wrongly": one(0.01),
        "named though absent": one(0.02),
        "best fit is right": one(share),
        "among the ten best": one(share),
    }
    baseline = {"re-identified": one(0.001, low=0.001, high=0.001)}
    if groups:
        estimates["own group found"], baseline["own group found"] = one(0.33), one(0.006)
    finding = {"attack": "a", "estimates": estimates, "baseline": baseline, "status": "executed", "details": {}}
    return {
        "release": release,
        "knowledge": {"items": items, "text": f"{items} items, dates within 3 days"},
        "method": "likelihood ratio",
        "threshold": 1.0,
        "tried": {},
        "finding": finding,
        "published": finding,
        "differences": {} if release == "names removed" else {"re-identified": one(-0.3, low=-0.4, high=-0.2)},
    }


def ratings_body() -> dict[str, Any]:
    names = ("names removed", "groups <5>")
    return {
        "question": "ratings",
        "name": "films & <people>",
        "data": {"people": 1000, "items": 50, "ratings": 9000, "days": 90},
        "releases": [
            {
                "name": name,
                "meaning": "done",
                "promise": "Nothing.",
                "ratings": 9000,
                "people": 1000,
                "items": 50,
                "blur": {},
                "smallest_group": None,
            }
            for name in names
        ],
        "rows": [row(name, items, 0.9 - 0.2 * i, i == 1) for i, name in enumerate(names) for items in (2, 4)],
        "power": POWER,
        "settings": {"targets": 100, "calibration": 60, "level": 0.01, "confidence": 0.95, "repeatable": True},
        "not_tested": {"other attackers": "not played"},
        "software": SOFTWARE,
    }


def unicity_body() -> dict[str, Any]:
    finding = {
        "estimates": {"alone": one(0.95)},
        "baseline": {"alone": one(0.001, low=0.001)},
        "details": {"points": 4, "people with fewer points": 3, "median crowd": 1.0},
    }
    return {
        "question": "unicity",
        "name": "trips",
        "data": {"people": 1000, "rows": 9000, "columns": ["place"], "person": "who"},
        "curves": [{"name": "as it is", "widths": {}, "points": [4], "findings": [finding]}],
        "power": POWER,
        "settings": {"people": 100, "confidence": 0.95, "repeatable": False},
        "not_tested": {"people outside the data": "more share points"},
        "software": SOFTWARE,
    }


def singling_body(status: str = "executed") -> dict[str, Any]:
    finding = {
        "attack": "singling out by cells",
        "status": status,
        "reason": "too few were held out" if status != "executed" else "",
        "estimates": {"singled out": one(0.4), "isolated, whatever the weight": one(0.5)},
        "baseline": {"singled out": one(0.01, low=0.0)},
        "details": {},
    }
    attempt = {"kind": "cells", "size": 1, "rows": 1, "weight": 0.0, "weight_at_most": 1e-4, "counts": True}
    return {
        "question": "singling out",
        "name": "release",
        "finding": finding,
        "attempts": [attempt],
        "data": {"people": 500, "held_out": 40_000, "released_rows": 500, "columns": 9},
        "power": {**POWER, "held_out": 40_000, "held_out_needed": 38_001},
        "settings": {
            "weight": 2e-4,
            "trivial_at_weight": 0.09,
            "trivial_at_most": 0.368,
            "confidence": 0.95,
            "repeatable": True,
        },
        "not_tested": {"downcoding": "not tried"},
        "software": SOFTWARE,
    }


def record(body: dict[str, Any]) -> Record:
    return Record("reidentification", body, created="2026-01-01T00:00:00Z")


@pytest.mark.parametrize("body", [ratings_body(), unicity_body(), singling_body(), singling_body("inconclusive")])
def test_pages_stand_alone_and_say_what_was_not_run(body: dict[str, Any]) -> None:
    page = render(record(body))
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")
    assert "not run" in page
    assert page.count("<svg") == page.count("</svg>") >= 1
    for why in body["not_tested"].values():
        assert why in page


def test_shares_stand_with_intervals_and_guessing() -> None:
    page = render(record(ratings_body()))
    for text in (
        "90.0 % (80.0 to 100.0)",
        "70.0 % (60.0 to 80.0)",
        "-30.0 (-40.0 to -20.0)",
        "The attack as published",
    ):
        assert text in page, text
    assert "groups <5>" not in page
    assert "groups &lt;5&gt;" in page
    assert "<people>" not in page
    said = " ".join(sentences_of(record(ratings_body())))
    assert "one in 1\u202f000" in said
    assert "33.0 % (23.0 to 43.0)" in said
    assert "no promise" in said


def test_findings_in_sentences() -> None:
    assert "95.0 % (85.0 to 100.0) of the people are alone with 4" in sentences_of(record(unicity_body()))[0]
    assert "40.0 % (30.0 to 50.0) single out" in sentences_of(record(singling_body()))[0]
    assert sentences_of(record(singling_body("inconclusive"))) == ["Inconclusive: too few were held out."]


def test_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="reidentification"):
        render(Record("training", {}, created="2026-01-01T00:00:00Z"))


def test_only_shares_beyond_guessing_together_are_shown() -> None:
    """One of forty intervals above guessing is what chance gives."""

    def row(found: int) -> dict[str, Any]:
        one = {"value": found / 100, "n": 100, "confidence": 0.95, "low": 0.0, "high": 1.0}
        return {"finding": {"estimates": {"re-identified": one}, "baseline": {"re-identified": {"value": 0.01}}}}

    assert found_beyond_guessing([row(5)]) == "shown"
    assert found_beyond_guessing([row(5), *[row(1)] * 39]) == "not shown"
    assert found_beyond_guessing([row(20), *[row(1)] * 39]) == "shown"
