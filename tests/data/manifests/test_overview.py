"""A manifest on a day: counted, and nobody named."""

from __future__ import annotations

import dataclasses

import pytest

from reticent.data.manifests import Manifest, Objections, Pinned, overview
from reticent.errors import IntegrityError, UsageError
from reticent.evidence import Record

KEY = bytes(range(32))
DAY = "2026-06-01"


def test_objections_are_counted_by_day_and_purpose() -> None:
    listed = Objections.keyed(KEY)
    listed = listed.objecting("ann", on="2026-01-01", purposes=["marketing"], key=KEY)
    listed = listed.objecting("ann", on="2026-01-02", purposes=["research", "marketing"], key=KEY)
    listed = listed.objecting("bob", on="2026-01-01", key=KEY).withdrawing("bob", on="2026-02-01", key=KEY)
    listed = listed.objecting("eve", on="2026-09-01", key=KEY)
    manifest = Manifest("visits", objections=Pinned("o.json", listed.digest, "keyed"))
    seen = overview(manifest, today=DAY, objections=listed).body
    assert seen["objections"]["counted"] == {
        "noted": 4,
        "valid": 2,
        "taken back": 1,
        "people": 1,
        "by purpose": {"marketing": 2, "research": 1},
    }
    assert not any(one.person in str(seen) for one in listed.listed)
    assert overview(manifest, today=DAY).body["objections"]["counted"] is None
    with pytest.raises(IntegrityError, match="names, got another"):
        overview(manifest, today=DAY, objections=Objections.keyed(KEY))


def test_loadings_of_this_manifest_and_of_another_state() -> None:
    manifest = Manifest("visits", until="2026-05-31")
    made = Record("loading", {"manifest": manifest.digest, "name": "visits"}, created="2026-01-01T00:00:00Z")
    seen = overview(manifest, today=DAY, loadings=[made])
    assert seen.body["days left"] == -1
    assert seen.parents == (made.id,)
    assert seen.body["loadings"][0]["this manifest"] is True
    later = dataclasses.replace(manifest, until="2027-01-01")
    assert overview(later, today=DAY, loadings=[made]).body["loadings"][0]["this manifest"] is False
    for bad in (Record("audit", {}, created=made.created), Record("loading", {"name": "x"}, created=made.created)):
        with pytest.raises(UsageError):
            overview(manifest, today=DAY, loadings=[bad])
