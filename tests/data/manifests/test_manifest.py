"""Manifests: what they lack, what they refuse, and that they come back whole."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from reticent.data.manifests import (
    Basis,
    File,
    Manifest,
    Origin,
    People,
    Pinned,
    content_digest,
)
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError

FILE = File("a.csv", "0" * 64, 10, "1" * 64, (("age", "number"), ("who", "text")))
WHOLE = Manifest(
    "visits",
    description="d",
    sources=(Origin("s", "https://example.org", "2025", "by hand"),),
    people=People("person", 7, "who", "patients"),
    allowed=("research",),
    prohibited=("marketing",),
    basis=Basis("consent", "form 3"),
    until="2030-01-01",
    recipients=("A",),
    files=(FILE,),
    objections=Pinned("o.json", "2" * 64, "keyed"),
)


def test_it_comes_back() -> None:
    assert WHOLE.lacking == ()
    assert Manifest.from_dict(json.loads(json.dumps(WHOLE.as_dict()))) == WHOLE
    assert WHOLE.record().body["name"] == "visits"
    assert Manifest("x").lacking == ("files", "sources", "people", "allowed", "basis", "until")


def test_unknown_fields_are_kept_wherever_they_stand() -> None:
    values = WHOLE.as_dict()
    values["later"] = {"a": 1}
    values["files"][0]["mirror"] = "https://example.org"
    values["people"]["ages"] = [18, 99]
    values["basis"]["reviewed"] = "2026-01-01"
    values["sources"][0]["contact"] = "c"
    values["objections"]["by"] = "office"
    values["outside"]["funder"] = "F"
    found = Manifest.from_dict(values)
    assert found.as_dict() == values
    assert found.digest != WHOLE.digest
    assert dataclasses.replace(found, until="2031-01-01").as_dict()["later"] == {"a": 1}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"until": "2030"}, DataError),
        ({"allowed": ["spam"]}, UsageError),
        ({"allowed": "research"}, DataError),
        ({"basis": {"kind": "because"}}, UsageError),
        ({"basis": "consent"}, DataError),
        ({"people": {"unit": "cat"}}, UsageError),
        ({"people": {"unit": "person", "count": -1}}, UsageError),
        ({"files": [{"name": "a"}]}, DataError),
        ({"files": [{"name": "a", "sha256": "xyz", "bytes": 1}]}, DataError),
        ({"name": ""}, DataError),
        ({"format": "reticent-manifest/2"}, DataError),
        ({"files": [FILE.__dict__, FILE.__dict__]}, DataError),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Manifest.from_dict({**WHOLE.as_dict(), **change})
    with pytest.raises(DataError):
        Manifest.from_dict([])


def test_the_digest_of_a_table_is_of_what_it_holds() -> None:
    table = Table.of({"a": [1, 2, None], "b": ["x", "y", "x"]})
    same = Table.of({"a": [9, 1, 2, None], "b": ["q", "x", "y", "x"]}).take(np.arange(1, 4))  # 9 and q are gone
    assert content_digest(same) == content_digest(table)
    others = [
        {"a": [1, 2, 3], "b": ["x", "y", "x"]},
        {"a": [1, None, 2], "b": ["x", "y", "x"]},
        {"b": ["x", "y", "x"], "a": [1, 2, None]},
        {"a": [1, 2, None], "c": ["x", "y", "x"]},
        {"a": ["1", "2", None], "b": ["x", "y", "x"]},
        {"a": [1, 2, None], "b": ["x", "xy", ""]},
    ]
    assert len({content_digest(Table.of(one)) for one in others} | {content_digest(table)}) == 7


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", 5])
def test_names_of_files_lead_nowhere_else(name: object) -> None:
    for part in (
        {"files": [{"name": name, "sha256": "0" * 64, "bytes": 1}]},
        {"objections": {"name": name, "sha256": "0" * 64, "kind": "keyed"}},
    ):
        with pytest.raises(DataError, match="below the folder"):
            Manifest.from_dict({**WHOLE.as_dict(), **part})


@pytest.mark.parametrize(
    "part", [{"columns": [["a"]]}, {"columns": ["ab"]}, {"reading": {"password": 1}}, {"reading": 5}]
)
def test_files_that_are_none_are_refused(part: dict[str, object]) -> None:
    with pytest.raises(DataError):
        Manifest.from_dict({**WHOLE.as_dict(), "files": [{"name": "a", "sha256": "0" * 64, "bytes": 1, **part}]})
