"""The page about what a table can do without: every status in words, and nothing executable."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from reticent.evidence import Estimate, Finding, Record, Status
from reticent.reports import render
from reticent.reports.minimisation import column_table, gain_plot, page, points, row_table, sentences

EVIL = '<script>alert("x")</script> & $y_1$'


def estimate(value: float, spread: float = 0.003) -> dict[str, Any]:
    return Estimate(value, value - spread, value + spread, 0.95, 13567, "paired").as_dict()


def column(name: str, decision: str, **more: Any) -> dict[str, Any]:
    gain = None if decision == "not used" else estimate(0.01)
    base = {"name": name, "decision": decision, "what": "as it is", "why": "the rest loses without it", "before": 74}
    return {
        **base, "after": 8, "weight": 0.0, "pinned": False, "gain": gain, "precision": None, "stand_in": None,
        "stand_in_share": None, **more,
    }  # fmt: skip


def proxy() -> dict[str, Any]:
    found = {
        "right one of two, from what is left": Estimate(0.84, 0.83, 0.85, 0.95, 900, "auc"),
        "right one of two, from all other columns": Estimate(0.94, 0.93, 0.95, 0.95, 900, "auc"),
    }
    guess = {"right one of two": Estimate(0.5, 0.5, 0.5, 0.95, 900, "known")}
    details = {"column": EVIL, "warning": True, "metric": "auc"}
    return Finding("prediction", "a column", "the rest", found, guess, details=details).as_dict()


def body(**changes: Any) -> dict[str, Any]:
    open_one = Finding(
        "prediction", "a column", "the rest", status=Status.NOT_RUN, reason="too few",
        details={"column": "zip", "warning": False, "metric": ""},
    )  # fmt: skip
    base: dict[str, Any] = {
        "status": "confirmed", "label": EVIL, "metric": "accuracy", "tolerance": 0.01, "model": "boosting",
        "data": {"name": EVIL, "rows": 45222, "without_label": 3, "searched": 31655, "tested": 13567, "people": None,
                 "person": None, "repeated": 19},
        "full": estimate(0.87), "minimised": estimate(0.869), "difference": estimate(-0.001),
        "without_columns": estimate(0.75),
        "columns": [
            column(EVIL, "coarser", precision=estimate(0.001)), column("edu", "kept"),
            column("years", "dropped", after=0, stand_in="edu", stand_in_share=0.99, weight=2.0),
            column("id", "not used"),
        ],
        "same": [["edu", "years"]], "proxies": [proxy(), open_one.as_dict()],
        "rows": {"curve": [{"share": s, "rows": int(s * 20000), "change": estimate(s / 50 - 0.02)} for s in (0.25, 1)],
                 "enough": 0.25, "enough_rows": 5000, "claimed": False, "used": 1.0, "used_rows": 31655},
        "search": {"models": 180, "folds": 3, "rows": 31655, "stopped": "coarser values", "change": 0.0, "error": 0.0,
                   "nearest": None, "people_needed": None},
        "map": "0" * 64, "repeatable": True, "software": {"reticent": "0.1.0"},
    }  # fmt: skip
    return {**base, **changes}


def record(**changes: Any) -> Record:
    return Record("minimisation", body(**changes), created="2026-01-01T00:00:00Z")


def test_the_page_is_whole_escaped_and_still() -> None:
    text = render(record())
    assert text == page(record())
    assert "<script" not in text.lower()
    assert "&lt;script&gt;" in text
    assert "default-src 'none'" in text
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert text.count("<svg") == 2
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        ET.fromstring(svg)
    for figure in (
        "-0.10 (-0.40 to +0.20)",
        "13567 held-out rows",
        "87.00 % (86.70 to 87.30)",
        "84.0 % (83.0 to 85.0)",
    ):
        assert figure in text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "so less than 1 point is lost"),
        ({"status": "not confirmed"}, "a loss of 1 point cannot be excluded"),
        ({"status": "refuted"}, "Do not use this map"),
        ({"status": "needed", "difference": None}, "Every step that was tried loses more"),
        ({"status": "not resolvable", "difference": None}, "many more would be needed"),
        ({"metric": "r2"}, "R squared changes by"),
    ],
)
def test_every_status_has_its_words(changes: dict[str, Any], says: str) -> None:
    assert says in " ".join(sentences(body(**changes)))
    assert says in render(record(**changes)).replace("&#39;", "'")


def test_warnings_are_among_the_first_sentences() -> None:
    told = " ".join(sentences(body()))
    for words in ("'edu' stands for it", "Leaving it out hides little", "its time was up", "19 of 13"):
        assert words in told
    shown = next(one for one in sentences(record().body) if one.startswith("Warning"))  # a record sorts names
    assert "84.0 %" in shown
    assert "94.0 %" not in shown
    quiet = body(proxies=[], search={**body()["search"], "stopped": None}, data={**body()["data"], "repeated": 0})
    assert len(sentences(quiet)) == 3


def test_a_claim_about_rows_says_so() -> None:
    rows = {**body()["rows"], "claimed": True, "used": 0.25, "used_rows": 7914}
    assert "training on 7\u202f914 rows only" in " ".join(sentences(body(rows=rows)))
    assert "the share that the claim includes" in row_table(body(rows=rows)).caption


def test_tables_have_a_row_for_each_column() -> None:
    table = column_table(body(), "2026-01-01T00:00:00Z")
    assert [row[1] for row in table.rows] == ["in part", "kept", "no", "not used"]
    assert table.rows[3][3] == "not measured"
    assert "2026-01-01" in table.caption
    assert all(len(row) == len(table.columns) for row in table.rows)


@pytest.mark.slow
def test_plots_are_the_same_each_time_and_bounded() -> None:
    many = [column(f"c{k}", "kept", gain=estimate(k / 1000)) for k in range(80)]
    svg = gain_plot(many, body())
    assert svg == gain_plot(many, body())
    assert "c79" in svg
    assert "c10<" not in svg


def test_points_have_signs() -> None:
    assert points({"value": 0.0012, "low": -0.004, "high": 0.0}) == "+0.12 (-0.40 to +0.00)"


def test_little_measured_still_makes_a_page() -> None:
    bare = record(
        columns=[column("id", "not used")], proxies=[], rows={**body()["rows"], "curve": []}, difference=None,
        status="needed",
    )  # fmt: skip
    assert "<svg" not in render(bare)
