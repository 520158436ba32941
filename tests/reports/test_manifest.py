"""Pages of manifests: what is declared, how long, who objects in numbers, and what was loaded."""

from __future__ import annotations

from typing import Any

import pytest

from reticent.evidence import Record
from reticent.reports import render, sentences_of

MANIFEST: dict[str, Any] = {
    "name": "visits <b>",
    "version": "1.0.0",
    "description": "ward",
    "people": {"unit": "person", "count": 2606, "owner": "patient", "about": ""},
    "basis": {"kind": "consent", "about": "broad"},
    "licence": "CC-BY",
    "creator": None,
    "recipients": [],
    "use": "",
    "allowed": ["research"],
    "prohibited": ["marketing"],
    "until": "2027-01-01",
    "sources": [{"name": "ward 3", "collected": "2025", "how": ""}],
    "files": [{"name": "visits.csv", "bytes": 1000, "sha256": "a" * 64, "columns": [["a", "text"]]}],
}
LOADING: dict[str, Any] = {
    "name": "visits",
    "purpose": "research",
    "date": "2026-06-01",
    "file": {},
    "rows": {"before": 10, "after": 8},
    "people": {"before": 5, "after": 4},
    "objections": {"people": 2, "found": 1, "unmatched": 1},
    "commitment": {"root": "b" * 64, "people": 4, "key_check": "c"},
    "left out": {"root": "d" * 64, "people": 1, "key_check": "c"},
    "record": "e" * 64,
    "this manifest": False,
}
COUNTS = {"noted": 3, "valid": 2, "taken back": 1, "people": 2, "by purpose": {"every purpose": 2}}


def seen(**changed: Any) -> Record:
    values: dict[str, Any] = {
        "manifest": MANIFEST,
        "digest": "f" * 64,
        "date": "2026-12-22",
        "days left": 10,
        "lacking": [],
        "purposes": [{"name": "research", "allowed": True, "identifier": "https://w3id.org/dpv#R"}],
        "objections": {"list": "o.json", "kind": "keyed", "counted": COUNTS},
        "loadings": [LOADING],
        "software": {"reticent": "0"},
    }
    return Record("manifest overview", {**values, **changed}, created="2026-12-22T00:00:00Z")


def test_the_page() -> None:
    page = render(seen())
    for text in ("ward 3", "2025", "consent broad", "CC-BY", "10 days left", "8 of 10", "4 of 5", "b" * 16, "d" * 16):
        assert text in page
    assert "visits &lt;b&gt;" in page
    assert "another state" in page
    assert "<script" not in page
    assert page.count("<svg") == 1
    assert "matched nobody in the file" in page
    assert 'class="verdict undecided"' in page
    assert 'class="verdict told"' in render(seen(loadings=[]))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"days left": -1}, "Expired: “visits <b>” was to be used until 2027-01-01, 1 day before 2026-12-22."),
        ({"lacking": ["sources"]}, "Incomplete: of “visits <b>” it is not declared: sources."),
        ({"objections": None}, "No list of objections belongs to it."),
        ({"objections": {"list": "o.json", "kind": "plain", "counted": None}}, "which was not at hand"),
        ({"days left": 1}, "1 day is left"),
    ],
)
def test_states(changed: dict[str, Any], said: str) -> None:
    record = seen(**changed)
    assert said in " ".join(sentences_of(record))
    assert render(record)


def test_a_manifest_that_declares_nothing_has_a_page() -> None:
    bare = {
        **MANIFEST,
        "people": None,
        "basis": None,
        "until": None,
        "sources": [],
        "files": [],
        "allowed": [],
        "prohibited": [],
    }
    lacking = ["files", "sources", "people", "allowed", "basis", "until"]
    more: dict[str, Any] = {"lacking": lacking, "purposes": [], "objections": None, "loadings": []}
    page = render(seen(manifest=bare, **more, **{"days left": None}))
    assert "No last day is declared" in page
    assert "No source is declared" in page
