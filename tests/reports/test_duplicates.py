"""Pages of duplicates: counts, leakage, and what may have been missed."""

from __future__ import annotations

from typing import Any

from reticent.evidence import Record
from reticent.evidence.intervals import rate
from reticent.reports import render, sentences_of

EXACT = {"groups": 1, "rows": 2, "surplus": 1, "largest": 2, "within persons": 1, "between persons": 0}
NEAR = {**EXACT, "groups": 3, "rows": 9, "surplus": 6, "largest": 4, "between persons": 5}


def body(**changed: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "rows": 1000,
        "against": 200,
        "people": 900,
        "exact": EXACT,
        "near": NEAR,
        "sizes": {"2": 1, "3": 1, "4": 1},
        "leakage": {"rows with a copy, exact or near": rate(10, 200, method="rows").as_dict()},
        "settings": {
            "near": True,
            "way": "text",
            "columns": ["a"],
            "repeatable": True,
            "threshold": 0.8,
            "measure": "Jaccard similarity",
            "shingle": 5,
            "bands": 16,
            "rows of a band": 6,
            "curve": [[0.0, 0.0], [0.8, 0.99], [1.0, 1.0]],
            "pairs looked at": 40,
            "near pairs": 7,
            "rows in crowded buckets": 0,
        },
        "check": {"rows with a twin that was missed": rate(1, 500, method="drawn").as_dict()},
        "software": {"reticent": "0"},
    }
    return {**values, **changed}


def record(values: dict[str, Any]) -> Record:
    return Record("duplicates", values, created="2026-01-01T00:00:00Z")


def test_what_was_found_and_what_may_have_been_missed() -> None:
    said = " ".join(sentences_of(record(body())))
    for text in (
        "1 of 1\u202f000 rows are exact copies",
        "5 more are near copies",
        "6 rows (0.60 %) are too many, in 3 groups, the largest of 4 rows",
        "1 repeat another row of the same person and 5 one of somebody else",
        "5.0 % (2.4 to 9.1) of its 200 rows",
        "500 rows drawn at random",
        "0.20 %",
    ):
        assert text in said
    page = render(record(body()))
    assert "16 bands of 6 places" in page
    assert "<svg" in page
    assert "crowded" not in page
    assert "Too many between persons" in page


def test_crowded_buckets_and_classes_are_said() -> None:
    values = body()
    values["settings"] |= {"rows in crowded buckets": 70}
    values["near"] = {**NEAR, "groups of several classes": 2}
    page = render(record(values))
    assert "70 rows stood in buckets too full" in page
    assert "2 groups hold rows of several classes" in page


def test_points_of_few_dimensions_have_no_curve_and_exact_ones_no_search() -> None:
    values = body(leakage={}, against=None, sizes={})
    values["settings"] |= {"way": "numbers", "bands": None, "curve": None, "measure": "distance", "threshold": 0.1}
    page = render(record(values))
    assert "All pairs that are so near were found" in page
    assert "<svg" not in page
    exact = body(near=EXACT, check={}, leakage={})
    exact["settings"] = {"near": False, "way": "text", "columns": []}
    page = render(record(exact))
    assert "Near copies were not looked for" in page
    assert "exact or near</td>" not in page
