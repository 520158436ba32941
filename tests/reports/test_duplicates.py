"""Pages of duplicates: counts, leakage, and what may have been missed."""

from __future__ import annotations

from typing import Any

from reticent.evidence import Record
from reticent.evidence.intervals import rate
from reticent.reports import render, sentences_of
from reticent.reports.duplicates import wary

EXACT = {"groups": 1, "rows": 2, "surplus": 1, "largest": 2, "within persons": 1, "between persons": 0}
NEAR = {**EXACT, "groups": 3, "rows": 9, "surplus": 6, "largest": 4, "between persons": 5}


BY_CHANCE = {"tables": 5, "near pairs": 0.4, "most near pairs": 1, "pairs before calibration": 5210.2}


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
            "recall": 0.99,
            "chance": None,
            "differ": None,
            "cells": None,
            "short texts": 0.0,
            "by chance": None,
            "pairs before calibration": 7,
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
        "chance": {},
        "check": {"rows near one that was missed": rate(1, 500, method="drawn").as_dict()},
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
        "How many near pairs chance gives is not known for texts",
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
    values["settings"] |= {"chance": 0.05, "by chance": BY_CHANCE}
    page = render(record(values))
    assert "none was missed" in page
    assert "distance at most 0.1" in page
    assert "<svg" not in page
    exact = body(near=EXACT, check={}, leakage={})
    exact["settings"] = {"near": False, "way": "text", "columns": []}
    assert wary(body(settings={**body()["settings"], "short texts": 0.4}))
    page = render(record(exact))
    assert "Near copies were not looked for" in page
    assert "exact or near</td>" not in page


def of_cells(**changed: Any) -> dict[str, Any]:
    values = body(check={})
    values["settings"] |= {
        "way": "cells",
        "threshold": None,
        "chance": 0.05,
        "differ": 1,
        "cells": 7,
        "bits": [30.25, None],
        "bands": 32,
        "rows of a band": None,
        "curve": [[0, 1.0], [1, 0.999]],
        "by chance": BY_CHANCE,
        "near pairs": 40,
        "pairs before calibration": 5300,
        **changed,
    }
    return values


def test_near_cells_are_said_plainly_and_stand_beside_chance() -> None:
    values = of_cells()
    said = " ".join(sentences_of(record(values)))
    for text in (
        "rows that differ in at most 1 of 7 cells",
        "agree in more than chance explains",
        "Near pairs: 40; by chance about 0.4 (in 5 tables shuffled among alike rows)",
        "5\u202f260 other pairs are as near, but no nearer than chance explains",
        "as near are 5\u202f300 pairs; by chance about 5\u202f210",
    ):
        assert text in said
    assert not wary(values)
    page = render(record(values))
    assert "0 cells: 30.2 bits; one cell: none stand out" in page
    assert "99.9 %" in page
    assert 'class="verdict undecided"' not in page


def test_what_chance_gives_as_well_and_what_cannot_be_found_is_warned_of() -> None:
    loose = {"chance": 1, "near pairs": 5300, "by chance": {**BY_CHANCE, "near pairs": 5210.2}}
    for changed, text in (
        ({"near pairs": 0}, "No near pair stands out from chance"),
        (loose, "chance alone gives at least half"),
        ({"cells": 1, "differ": 0}, "near copies cannot be found"),
        ({"curve": [[0, 1.0], [1, 0.5]]}, "with a probability of 50.0 % only"),
    ):
        values = of_cells(**changed)
        assert text in " ".join(sentences_of(record(values)))
        assert wary(values)
        assert 'class="verdict undecided"' in render(record(values))
    values = of_cells()
    by = rate(2600, 3000, method="rows").as_dict()
    values["chance"] = {"rows equal to another one": {"found": 0.9, "of": 600, "by chance": by}}
    assert "equal rows say little about copies here" in " ".join(sentences_of(record(values)))
    assert "86.7 %" in render(record(values))


def test_the_largest_groups_are_shown() -> None:
    page = render(record(body(sizes={str(size): 1 for size in range(2, 42)})))
    table = page[page.index("the twenty largest sizes") :]
    assert table.index(">41<") < table.index(">22<")
    assert ">21<" not in table
