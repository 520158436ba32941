"""Loading: refused wherever it is not allowed, without those who objected, and provable afterwards."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reticent.data.manifests import (
    PURPOSES,
    Basis,
    Commitment,
    Manifest,
    Objections,
    Origin,
    PersonProof,
    Pinned,
    allows,
    describe,
    load_with,
    shown,
    standing,
)
from reticent.data.tables import Table
from reticent.errors import AccessDenied, DataError, IntegrityError, ReticentError, UsageError
from reticent.evidence import Record
from reticent.privacy import Unit

KEY = bytes(range(32))
TODAY = "2026-11-22"
FRAME = pd.DataFrame(
    {
        "who": [7, 7, 8, 9, 10, 10],
        "age": [34, 35, 51, 20, 60, 61],
        "town": list("aabbcc"),
        "sick": ["y", "n", "n", "y", "y", "n"],
    }
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Table.of(FRAME).save(tmp_path / "visits.csv")


def complete(path: Path, **changes: object) -> Manifest:
    base = describe(path, owner="who")
    return dataclasses.replace(
        base,
        **{
            "allowed": ("research",),
            "sources": (Origin("ward 3"),),
            "basis": Basis("consent"),
            "until": "2026-12-31",
            **changes,
        },
    )


def pinned(manifest: Manifest, listed: Objections) -> Manifest:
    return dataclasses.replace(manifest, objections=Pinned("o.json", listed.digest, listed.kind))


def objecting(kind: str, *people: object, purposes: tuple[str, ...] = (), on: str = "2026-01-01") -> Objections:
    listed = Objections.keyed(KEY) if kind == "keyed" else Objections.plain()
    for one in people:
        listed = listed.objecting(one, on=on, purposes=purposes, key=KEY)
    return listed


@pytest.mark.parametrize("kind", ["keyed", "plain"])
def test_people_who_objected_are_left_out_with_all_their_rows(path: Path, kind: str) -> None:
    listed = objecting(kind, 7, "10", 999)
    with pytest.warns(UserWarning, match="1 of 3 people who object matches nobody in this file"):
        found = load_with(
            pinned(complete(path), listed), path, purpose="research", today=TODAY, objections=listed, key=KEY
        )
    assert found.unmatched == 1
    expected = FRAME[~FRAME.who.isin([7, 10])]
    assert found.table["who"].numbers().tolist() == expected.who.tolist()
    assert found.table["town"].cells().tolist() == expected.town.tolist()
    assert found.body["rows"] == {"before": 6, "after": 2}
    assert found.body["people"] == {"before": 4, "after": 2}
    assert found.body["objections"] == {
        "sha256": listed.digest,
        "kind": kind,
        "people": 3,
        "found": 2,
        "unmatched": 1,
        "kept, but against training": 0,
    }
    assert "999" not in json.dumps(found.body)


def test_per_purpose_and_from_its_date_on(path: Path) -> None:
    listed = objecting("keyed", 7, purposes=("commercial research",), on="2026-06-01")
    manifest = pinned(complete(path, allowed=("research",)), listed)

    def rows(purpose: str, today: str) -> int:
        return load_with(manifest, path, purpose=purpose, today=today, objections=listed, key=KEY).table.rows

    assert rows("commercial research", "2026-05-31") == 6
    assert rows("commercial research", "2026-06-01") == 4
    assert rows("academic research", "2026-06-01") == 6
    assert rows("research", "2026-06-01") == 4  # it would cover what was objected to


def test_absence_can_be_shown_from_the_record_alone_and_nobody_is_named(path: Path) -> None:
    listed = objecting("keyed", 8)
    found = load_with(pinned(complete(path), listed), path, purpose="research", today=TODAY, objections=listed, key=KEY)
    record = Record.from_json(found.record().to_json())
    assert record.kind == "loading"
    assert KEY.hex() not in record.to_json().decode()
    commitment = Commitment(**record.body["commitment"])
    for person in FRAME.who.unique():
        proof = PersonProof.from_dict(json.loads(json.dumps(found.proof(person).as_dict())))
        assert shown(proof.kept, commitment, KEY, str(person)) == ("absent" if person == 8 else "present")
        said = standing(proof, commitment, Commitment.from_dict(record.body["left out"]), key=KEY, person=str(person))
        assert said == ("left out" if person == 8 else "kept")
    assert record.body["manifest"] == found.manifest.digest


def test_without_a_key_one_is_drawn_and_two_loads_cannot_be_matched(path: Path) -> None:
    one, other = (load_with(complete(path), path, purpose="research", today=TODAY) for _ in range(2))
    assert one.key != other.key
    assert one.body["commitment"]["root"] != other.body["commitment"]["root"]
    assert shown(one.proof(99).kept, one.kept.commitment, one.key, 99) == "absent"  # type: ignore[union-attr]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(PURPOSES)),
    st.lists(st.sampled_from(sorted(PURPOSES)), min_size=1, max_size=3),
    st.lists(st.sampled_from(sorted(PURPOSES)), max_size=2),
    st.dates(datetime.date(2026, 12, 1), datetime.date(2027, 2, 1)),
)
def test_purpose_and_date_against_the_rule(
    path: Path, asked: str, allowed: list[str], prohibited: list[str], today: datetime.date
) -> None:
    manifest = complete(path, allowed=tuple(allowed), prohibited=tuple(prohibited))
    fine = allows(asked, allowed=allowed, prohibited=prohibited) and today <= datetime.date(2026, 12, 31)
    if fine:
        assert load_with(manifest, path, purpose=asked, today=today).table.rows == 6
    else:
        with pytest.raises(AccessDenied) as refused:
            load_with(manifest, path, purpose=asked, today=today)
        assert refused.value.exit_code == 4


@pytest.mark.parametrize("field", ["files", "sources", "people", "allowed", "basis", "until"])
def test_leaving_anything_out_never_opens_a_door(path: Path, field: str) -> None:
    empty = () if field in ("files", "sources", "allowed") else None
    manifest = dataclasses.replace(complete(path), **{field: empty})
    with pytest.raises(DataError, match=f"lacks {field}"):
        load_with(manifest, path, purpose="research", today=TODAY)


def test_bytes_that_differ_and_files_that_are_not_covered(path: Path, tmp_path: Path) -> None:
    manifest = complete(path)
    moved = tmp_path / "other.csv"
    moved.write_bytes(path.read_bytes())
    assert load_with(manifest, moved, purpose="research", today=TODAY).table.rows == 6  # the same bytes
    moved.write_bytes(path.read_bytes() + b"11,1,d,y\n")
    with pytest.raises(AccessDenied, match=r"covers, got 'other\.csv'"):
        load_with(manifest, moved, purpose="research", today=TODAY)
    path.write_bytes(path.read_bytes().replace(b"51", b"52"))
    with pytest.raises(IntegrityError, match="got other bytes"):
        load_with(manifest, path, purpose="research", today=TODAY)
    with pytest.raises(UsageError, match="file at"):
        load_with(manifest, tmp_path / "absent.csv", purpose="research", today=TODAY)


def test_tables_in_memory_have_to_be_what_a_file_holds(path: Path) -> None:
    manifest, table = complete(path), Table.of(FRAME)
    assert load_with(manifest, table, purpose="research", today=TODAY).table.rows == 6
    for other in (table.take(np.arange(5)), table.without(["age"])):
        with pytest.raises(AccessDenied, match="one of the files"):
            load_with(manifest, other, purpose="research", today=TODAY)


def test_the_list_has_to_be_the_one_that_belongs_to_the_manifest(path: Path) -> None:
    listed = objecting("keyed", 7)
    manifest = pinned(complete(path), listed)
    ask = {"purpose": "research", "today": TODAY}
    with pytest.raises(UsageError, match=r"list of objections 'o\.json'"):
        load_with(manifest, path, **ask)
    with pytest.raises(IntegrityError, match="older, newer or changed"):
        load_with(manifest, path, objections=Objections.keyed(KEY), key=KEY, **ask)
    with pytest.raises(UsageError, match="key of the list"):
        load_with(manifest, path, objections=listed, **ask)
    with pytest.raises(IntegrityError, match="got another"):
        load_with(manifest, path, objections=listed, key=bytes(32), **ask)
    with pytest.raises(IntegrityError, match="the manifest names none"):
        load_with(complete(path), path, objections=listed, key=KEY, **ask)


def test_the_digest_can_be_fixed_and_unowned_rows_are_refused(path: Path, tmp_path: Path) -> None:
    manifest = complete(path)
    assert load_with(manifest, path, purpose="research", today=TODAY, expected=manifest.digest)
    with pytest.raises(IntegrityError, match="given digest"):
        load_with(
            dataclasses.replace(manifest, until="2040-01-01"),
            path,
            purpose="research",
            today=TODAY,
            expected=manifest.digest,
        )
    gaps = Table.of({"who": [7, None], "age": [1, 2]}).save(tmp_path / "gaps.csv")
    owned = dataclasses.replace(complete(path), files=describe(gaps).files)
    with pytest.raises(DataError, match="owner for every row, got none for 1 of 2"):
        load_with(owned, gaps, purpose="research", today=TODAY)


def test_where_everybody_objected_nothing_is_loaded(path: Path) -> None:
    listed = objecting("plain", 7, 8, 9, 10)
    with pytest.raises(DataError, match="got nobody"):
        load_with(pinned(complete(path), listed), path, purpose="research", today=TODAY, objections=listed)


def test_without_an_owner_column_objections_are_refused_rather_than_ignored(path: Path) -> None:
    base = describe(path)
    manifest = dataclasses.replace(complete(path), people=base.people)
    assert load_with(manifest, path, purpose="research", today=TODAY).body["commitment"] is None
    listed = objecting("plain", 7)
    with pytest.raises(DataError, match="says whose a row is"):
        load_with(pinned(manifest, listed), path, purpose="research", today=TODAY, objections=listed)
    with pytest.raises(UsageError, match="whose a row is"):
        load_with(manifest, path, purpose="research", today=TODAY).proof(7)


def test_an_unknown_purpose_and_day_are_no_purpose_and_no_day(path: Path) -> None:
    for unknown, said in (
        ("world peace", "none of those"),
        ("reserch", "mean 'research'"),
        (None, "none of"),
        (7, "n"),
    ):
        with pytest.raises(AccessDenied, match=said) as refused:
            load_with(complete(path), path, purpose=unknown, today=TODAY)
        assert refused.value.exit_code == 4
    with pytest.raises(UsageError, match="Expected a purpose, got none"):
        load_with(complete(path), path, purpose=[], today=TODAY)
    with pytest.raises(DataError, match="YYYY-MM-DD"):
        load_with(complete(path), path, purpose="research", today="tomorrow")


def test_records_keep_their_owners_and_a_training_names_what_it_rests_on(path: Path) -> None:
    from reticent.training import train

    found = load_with(complete(path), path, purpose="research", today=TODAY)
    records = found.records("sick")
    assert records.unit is Unit.PERSON
    assert records.owners.tolist() == FRAME.who.tolist()  # type: ignore[union-attr]
    assert records.feature_names == ("age", "town: a", "town: b", "town: c")
    assert records.features[:, 0].tolist() == FRAME.age.tolist()
    assert records.features[:, 1:].argmax(axis=1).tolist() == [0, 0, 1, 1, 2, 2]
    assert records.labels.tolist() == [1, 0, 0, 1, 1, 0]
    assert records.rests_on == (found.record().id,)
    for same in (records.take([0, 1]), records.scaled(), records.joined(records)):
        assert same.rests_on == records.rests_on
    run = train(torch.nn.Linear(4, 2).double(), records, epochs=1, batch_size=3)
    assert run.record.parents == (found.record().id,)
    assert Record.from_json(run.record.to_json()) == run.record


def test_records_that_cannot_be_are_refused(path: Path, tmp_path: Path) -> None:
    found = load_with(complete(path), path, purpose="research", today=TODAY)
    with pytest.raises(UsageError, match="column"):
        found.records("ill")
    gaps = Table.of({"who": [7, 8], "age": [1, None], "sick": ["y", "n"]}).save(tmp_path / "gaps.csv")
    manifest = dataclasses.replace(complete(path), files=describe(gaps).files)
    with pytest.raises(DataError, match="column 'age', got none in 1"):
        load_with(manifest, gaps, purpose="research", today=TODAY).records("sick")
    assert isinstance(AccessDenied("a", "b"), ReticentError)


@pytest.mark.parametrize(
    ("cells", "person"),
    [
        (["+4915112345678", "+4915112345679"], "+4915112345678"),
        (["1.0", "2.0"], "1.0"),
        (["1e5", "2e5"], "1e5"),
        (["2020-01-01", "2020-01-02"], "2020-01-01"),
        (["Jos\u00e9", "b"], "Jose\u0301"),
        (["123456789012345678", "123456789012345679", "1.5"], "123456789012345678"),
        (["007", "7"], "007"),
    ],
)
def test_an_objection_finds_its_person_and_nobody_else(tmp_path: Path, cells: list[str], person: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("who,row\n" + "".join(f"{cell},{row}\n" for row, cell in enumerate(cells)))
    listed = Objections.keyed(KEY).objecting(person, on="2026-01-01", key=KEY)
    found = load_with(pinned(complete(path), listed), path, purpose="research", today=TODAY, objections=listed, key=KEY)
    assert found.table["row"].cells().tolist() == list(range(1, len(cells)))
    assert found.body["objections"]["found"] == 1


def test_identifiers_of_twenty_digits_are_people_of_their_own(tmp_path: Path) -> None:
    import decimal

    import pyarrow as pa
    import pyarrow.parquet

    numbers = [decimal.Decimal(f"1234567890123456789{last}") for last in range(3)]
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"who": pa.array(numbers, pa.decimal128(20, 0)), "row": [0, 1, 2]}), path)
    listed = Objections.keyed(KEY).objecting(str(numbers[1]), on="2026-01-01", key=KEY)
    found = load_with(pinned(complete(path), listed), path, purpose="research", today=TODAY, objections=listed, key=KEY)
    assert found.table["row"].cells().tolist() == [0, 2]
    assert found.body["people"] == {"before": 3, "after": 2}


def test_a_file_is_loaded_as_it_was_described(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ann;x\nbob;y\n")
    made = describe(path, owner="column 1", header=False, delimiter=";")
    assert made.people is not None
    assert made.people.count == 2
    assert made.files[0].reading == {"header": False, "delimiter": ";"}
    again = Manifest.from_dict(json.loads(json.dumps(made.as_dict())))
    assert again == made
    declared = {"allowed": ("research",), "sources": (Origin("ward 3"),), "basis": Basis("consent")}
    ready = dataclasses.replace(again, until="2030-01-01", **declared)
    assert load_with(ready, path, purpose="research", today=TODAY).table["column 2"].cells().tolist() == ["x", "y"]


def test_paths_and_what_is_neither(path: Path, tmp_path: Path) -> None:
    from reticent.data.manifests import save_manifest
    from reticent.data.manifests.lists import with_list

    place = save_manifest(complete(path), tmp_path / "m.json")
    ask = {"purpose": "research", "today": TODAY}
    assert load_with(str(place), str(path), **ask).table.rows == 6
    with_list(place, lambda _: objecting("plain", 7))
    assert load_with(place, path, **ask).table.rows == 4
    for manifest, data, said in (
        ({}, path, "Expected a manifest or the path of one, got dict"),
        (complete(path), FRAME, "Expected the path of a file or a Table, got DataFrame"),
        (tmp_path / "absent.json", path, "Expected a manifest at"),
    ):
        with pytest.raises(UsageError, match=said):
            load_with(manifest, data, **ask)  # type: ignore[arg-type]


def test_training_is_refused_where_it_is_prohibited_or_objected_to(path: Path) -> None:
    barred = complete(path, prohibited=("AI training for products",))
    with pytest.raises(AccessDenied, match="prohibits it"):
        load_with(barred, path, purpose="research", today=TODAY).records("sick")
    both = complete(path, allowed=("research", "AI training"))
    listed = objecting("plain", 7, purposes=("AI training",)).objecting("8", on="2026-01-01", purposes=["research"])
    ask = {"today": TODAY, "objections": listed}
    loaded = load_with(pinned(both, listed), path, purpose="research", **ask)
    assert loaded.table.rows == 5
    with pytest.raises(AccessDenied, match="1 of those who were kept does"):
        loaded.records("sick")
    together = load_with(pinned(both, listed), path, purpose=["research", "AI training"], **ask)
    assert together.table.rows == 3
    assert together.body["purpose"] == "research and AI training"
    assert len(together.records("sick")) == 3


def test_refusals_say_what_is_allowed_and_what_stands_in_the_way(path: Path) -> None:
    manifest = complete(path, allowed=("research",), prohibited=("health research",))
    with pytest.raises(AccessDenied) as refused:
        load_with(manifest, path, purpose="research", today=TODAY)
    assert "It overlaps with health research, which is prohibited." in str(refused.value)
    assert "Allowed: research. Prohibited, whatever allows it: health research." in str(refused.value)
