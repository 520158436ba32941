"""Objections: by whom, against what, from when until when; and lists that name nobody."""

from __future__ import annotations

import datetime
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.manifests import PURPOSES, Objection, Objections
from reticent.data.manifests.objections import day
from reticent.data.manifests.purposes import overlap
from reticent.errors import DataError, IntegrityError, UsageError

KEY = bytes(range(32))
DAYS = st.dates(datetime.date(2025, 1, 1), datetime.date(2027, 1, 1))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), DAYS, st.lists(st.sampled_from(sorted(PURPOSES)), max_size=2)), max_size=6
    ),
    st.sampled_from(sorted(PURPOSES)),
    DAYS,
)
def test_who_objects_on_a_day_against_a_loop(
    entries: list[tuple[str, datetime.date, list[str]]], purpose: str, on: datetime.date
) -> None:
    plain, keyed = Objections.plain(), Objections.keyed(KEY)
    for person, date, purposes in entries:
        plain = plain.objecting(person, on=date.isoformat(), purposes=purposes)
        keyed = keyed.objecting(person, on=date.isoformat(), purposes=purposes, key=KEY)
    expected = set()
    for person, date, purposes in entries:
        if date <= on and (not purposes or any(overlap(purpose, one) for one in purposes)):
            expected.add(person)
    assert plain.of(purpose, on=on) == expected
    assert keyed.of(purpose, on=on) == {keyed.naming(person, KEY) for person in expected}


def test_an_objection_that_is_taken_back_stays_with_its_dates() -> None:
    some = Objections.plain().objecting("ann", on="2026-01-01").withdrawing("ann", on="2026-06-01")
    said = [bool(some.of("research", on=datetime.date(2026, month, 1))) for month in (1, 5, 6, 12)]
    assert said == [True, True, False, False]
    assert len(some.objecting("ann", on="2026-12-01").of("research", on=datetime.date(2026, 12, 2))) == 1
    with pytest.raises(UsageError, match="objection that applies"):
        some.withdrawing("ann", on="2026-07-01")


def test_a_keyed_list_names_nobody_and_knows_its_key() -> None:
    some = Objections.keyed(KEY).objecting("ann", on="2026-01-01", key=KEY)
    assert "ann" not in json.dumps(some.as_dict())
    with pytest.raises(IntegrityError, match="got another"):
        some.objecting("bob", on="2026-01-01", key=bytes(32))
    with pytest.raises(UsageError, match="key of this list"):
        some.objecting("bob", on="2026-01-01")


def test_it_comes_back_with_unknown_fields_and_its_digest_ignores_order(tmp_path: Path) -> None:
    values = {
        "format": "reticent-objections/1",
        "kind": "plain",
        "by": "the office",
        "objections": [
            {"person": "ann", "date": "2026-01-01", "purposes": [], "channel": "letter"},
            {"person": "bob", "date": "2026-02-01", "purposes": ["marketing"], "withdrawn": "2026-03-01"},
        ],
    }
    some = Objections.from_dict(values)
    assert some.as_dict() == values
    turned = Objections.from_dict({**values, "objections": values["objections"][::-1]})
    assert turned.digest == some.digest != Objections.plain().digest
    path = some.save(tmp_path / "list.json")
    assert Objections.read(path) == some
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"format": "reticent-objections/2", "kind": "plain", "objections": []},
        {"format": "reticent-objections/1", "kind": "plain", "objections": [{"person": "ann"}]},
        {"format": "reticent-objections/1", "kind": "plain", "objections": [{"person": 7, "date": "2026-01-01"}]},
        {"format": "reticent-objections/1", "kind": "plain", "objections": [{"person": "a", "date": "1.1.2026"}]},
        {"format": "reticent-objections/1", "kind": "keyed", "objections": []},
        {"format": "reticent-objections/1", "kind": "plain", "key_check": "00", "objections": []},
        {"format": "reticent-objections/1", "kind": "plain", "objections": "ann"},
        {
            "format": "reticent-objections/1",
            "kind": "plain",
            "objections": [{"person": "a", "date": "2026-01-01", "purposes": "marketing"}],
        },
    ],
)
def test_what_is_no_list_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(DataError):
        Objections.from_dict(values)


def test_days_are_written_one_way() -> None:
    assert day(on="2026-03-01") == datetime.date(2026, 3, 1)
    for wrong in ("20260301", "2026-3-1", "2026-02-30", "", None, 7, datetime.datetime(2026, 1, 1)):
        with pytest.raises(DataError, match="YYYY-MM-DD"):
            day(on=wrong)
    with pytest.raises(UsageError, match="purpose to be one of"):
        Objection("ann", "2026-01-01", ("spam",))
    with pytest.raises(UsageError, match="list of objections at"):
        Objections.read("absent.json")
