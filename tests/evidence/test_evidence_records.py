"""Records: the id is the hash of the contents, and nothing else is read than what was hashed."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.errors import IntegrityError, UsageError
from reticent.evidence import Record, canonical_json, now, software

TRAINING = Record("training", {"epsilon": 3.0}, created="2026-01-01T00:00:00Z")
AUDIT = Record("audit", {"auc": 0.52, "arms": ["a", {"b": None}]}, "2026-01-02T00:00:00Z", (TRAINING.id,))
BODIES = st.dictionaries(
    st.text(),
    st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.lists(st.text(), max_size=3),
    max_size=4,
)


def changed(record: Record, **fields: Any) -> bytes:
    return json.dumps({**json.loads(record.to_json()), **fields}).encode()


def test_the_id_is_the_hash_of_the_contents_without_the_id() -> None:
    contents = json.loads(AUDIT.to_json())
    claimed = contents.pop("id")
    assert claimed == AUDIT.id == hashlib.sha256(canonical_json(contents)).hexdigest()
    assert contents == {
        "format": "reticent-record/1",
        "kind": "audit",
        "body": {"auc": 0.52, "arms": ["a", {"b": None}]},
        "created": "2026-01-02T00:00:00Z",
        "parents": [TRAINING.id],
    }
    assert AUDIT.to_json() == canonical_json(json.loads(AUDIT.to_json()))


@settings(deadline=None)
@given(body=BODIES)
def test_round_trip(body: dict[str, Any]) -> None:
    record = Record("demo", body, "2026-01-01T00:00:00Z")
    assert record.body == body
    again = Record.from_json(record.to_json())
    assert again == record
    assert (again.id, again.to_json()) == (record.id, record.to_json())
    assert Record.from_json(record.to_json().decode()) == record


def test_large_floats_survive() -> None:
    """RFC 8785 writes 1e20 without a point; read as a whole number it would be refused on the way out."""
    record = Record("demo", {"x": 1.2345678901234568e20, "y": -1e20, "z": 2.0**53}, "2026-01-01T00:00:00Z")
    assert Record.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "finding"},
        {"kind": "Audit"},
        {"body": {"auc": 0.50, "arms": ["a", {"b": None}]}},
        {"body": {"auc": 0.52, "arms": ["a", {"b": False}]}},
        {"body": {"auc": 0.52, "arms": ["a", {"b": None}], "extra": 1}},
        {"body": {}},
        {"created": "2026-01-02T00:00:01Z"},
        {"parents": []},
        {"parents": ["0" * 64]},
        {"parents": [TRAINING.id, TRAINING.id]},
        {"id": "0" * 64},
        {"id": AUDIT.id.upper()},
        {"id": AUDIT.id[:12]},
        {"id": None},
        {"signature": "mine"},
    ],
    ids=repr,
)
def test_tampering_with_any_field_is_noticed(fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="Expected a record whose id is the hash of its contents, got id="):
        Record.from_json(changed(AUDIT, **fields))


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, len(AUDIT.to_json()) - 1), byte=st.integers(0, 255))
def test_no_byte_can_be_changed(place: int, byte: int) -> None:
    content = bytearray(AUDIT.to_json())
    original, content[place] = content[place], byte
    if byte == original:
        assert Record.from_json(bytes(content)) == AUDIT
    else:
        with pytest.raises((IntegrityError, UsageError)):
            Record.from_json(bytes(content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"format":"reticent-record/2"}',
        changed(AUDIT, format="other"),
        changed(AUDIT, format=None),
        changed(AUDIT, created="yesterday"),
        changed(AUDIT, created=5),
        changed(AUDIT, parents=["short"]),
        changed(AUDIT, parents=[5]),
        changed(TRAINING, parents=""),
        changed(TRAINING, parents={}),
        changed(TRAINING, parents=None),
        changed(AUDIT, body=[1]),
        changed(AUDIT, body=None),
        changed(AUDIT, kind=None),
        changed(AUDIT, kind=["audit"]),
        AUDIT.to_json().replace(b"0.52", b"NaN"),
        AUDIT.to_json().replace(b"0.52", b"1e999"),
        AUDIT.to_json().replace(b"0.52", b"9007199254740993"),
        AUDIT.to_json()[:-1],
    ],
    ids=lambda content: repr(content[:40]),
)
def test_what_is_not_a_record_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"^Expected .* got |^Expected a whole record, but"):
        Record.from_json(content)


@pytest.mark.parametrize("name", ["kind", "body", "created", "parents", "id"])
def test_a_missing_field_is_named(name: str) -> None:
    whole = json.loads(AUDIT.to_json())
    del whole[name]
    with pytest.raises(UsageError, match=f"Expected a whole record, but .*{name}"):
        Record.from_json(json.dumps(whole))


@pytest.mark.parametrize("name", ["kind", "body", "created", "parents", "id", "format"])
def test_a_field_that_stands_twice_is_refused(name: str) -> None:
    text = AUDIT.to_json().decode()
    value = json.dumps(json.loads(text)[name])
    with pytest.raises(UsageError, match="got one twice"):
        Record.from_json(f'{{"{name}":{value},{text[1:]}')
    with pytest.raises(UsageError, match="got one twice"):
        Record.from_json(text.replace('"auc":0.52', '"auc":0.52,"auc":0.5'))


def test_the_body_is_a_copy() -> None:
    body: dict[str, Any] = {"list": [1], "tuple": (1, 2)}
    record = Record("demo", body, "2026-01-01T00:00:00Z")
    before = record.id
    body["list"].append(2)
    body["new"] = 0
    assert record.body == {"list": [1], "tuple": [1, 2]}
    assert record.id == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.kind = "other"  # type: ignore[misc]


def test_a_changed_parent_changes_the_child() -> None:
    other = dataclasses.replace(TRAINING, body={"epsilon": 3.1})
    assert other.id != TRAINING.id
    assert dataclasses.replace(AUDIT, parents=(other.id,)).id != AUDIT.id
    assert dataclasses.replace(AUDIT, parents=[TRAINING.id]) == AUDIT


@pytest.mark.parametrize(
    "created",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00+00:00",
        "2026-1-1T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00Z\n",
        "2026-01-01T00:00:00.5Z",
        "٢٠٢٦-01-01T00:00:00Z",
        "2026-01-01t00:00:00z",
        5,
        None,
    ],
)
def test_other_times_are_refused(created: Any) -> None:
    with pytest.raises(UsageError, match=r"Expected created as YYYY-MM-DDTHH:MM:SSZ, got created=.*now\(\)"):
        Record("demo", {}, created)


@pytest.mark.parametrize("parent", ["", "0" * 63, "0" * 65, "G" * 64, TRAINING.id.upper() + "", TRAINING.id + "\n", 5])
def test_parents_are_ids(parent: Any) -> None:
    with pytest.raises(UsageError, match="Expected parents as record ids, got"):
        Record("demo", {}, "2026-01-01T00:00:00Z", (parent,))


def test_bodies_that_are_not_json_are_refused() -> None:
    with pytest.raises(UsageError, match="Expected plain values that JSON can say exactly"):
        Record("demo", {"x": float("nan")}, "2026-01-01T00:00:00Z")


def test_now_is_utc_to_the_second() -> None:
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    text = now()
    assert before <= datetime.datetime.fromisoformat(text) <= datetime.datetime.now(datetime.UTC)
    assert Record("demo", {}, text).created == text


def test_software_names_versions_and_leaves_out_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from reticent.evidence import records

    found = software()
    assert {"python", "reticent", "numpy", "scipy"} <= set(found)
    assert all(re.match(r"\d+\.\d+", version) for version in found.values())
    canonical_json(found)
    monkeypatch.setattr(records, "_PACKAGES", ("numpy", "no-such-package-of-reticent"))
    assert set(software()) == {"python", "numpy"}
