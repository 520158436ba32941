"""No objection is lost, and no list but the one that is meant is read."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from pathlib import Path

import pytest

from reticent.data.manifests import Manifest, Objections, read_manifest, save_manifest
from reticent.data.manifests.lists import list_of, with_list
from reticent.errors import IntegrityError, UsageError


def test_two_objections_at_once_are_both_kept(tmp_path: Path) -> None:
    place = save_manifest(Manifest("visits"), tmp_path / "visits.json")
    both = threading.Barrier(2, timeout=0.3)

    def noting(person: str) -> None:
        def change(listed: Objections | None) -> Objections:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait()  # both have read the list, unless one waits for the other
            return (listed or Objections.plain()).objecting(person, on="2026-01-01")

        with_list(place, change)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(noting, ["7", "8"]))
    pinned = read_manifest(place).objections
    assert pinned is not None
    listed = Objections.read(tmp_path / pinned.name)
    assert {one.person for one in listed.listed} == {"7", "8"}
    assert listed.digest == pinned.sha256


def test_another_list_is_refused(tmp_path: Path) -> None:
    place = save_manifest(Manifest("visits"), tmp_path / "visits.json")
    assert list_of(read_manifest(place), place) is None
    pinned, _ = with_list(place, lambda _: Objections.plain().objecting(7, on="2026-01-01"))
    Objections.plain().save(tmp_path / "visits.objections.json")
    with pytest.raises(IntegrityError, match="older, newer or changed"):
        list_of(pinned, place)
    with pytest.raises(UsageError, match="found none"):
        with_list(tmp_path / "absent.json", lambda _: Objections.plain())
    other = save_manifest(Manifest("other"), tmp_path / "other.json")
    (tmp_path / "other.objections.json").write_text("mine")
    with pytest.raises(UsageError, match="no list yet"):
        with_list(other, lambda _: Objections.plain())
    assert (tmp_path / "other.objections.json").read_text() == "mine"


@pytest.mark.parametrize("place_of_stop", ["the list", "the manifest", "the move"])
def test_a_stop_at_any_point_leaves_the_old_list_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place_of_stop: str
) -> None:
    place = save_manifest(Manifest("visits"), tmp_path / "visits.json")

    def noting(person: str) -> None:
        with_list(place, lambda listed: (listed or Objections.plain()).objecting(person, on="2026-01-01"))

    def people() -> list[str]:
        listed = list_of(read_manifest(place), place)
        return [] if listed is None else sorted(one.person for one in listed.listed)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for before, person in (([], "7"), (["7", "x"], "8")):  # the first objection of all, and a later one
        with monkeypatch.context() as patch:
            if place_of_stop == "the list":
                patch.setattr(Objections, "save", stop)
            else:
                name = "save_manifest" if place_of_stop == "the manifest" else "_moved"
                patch.setattr(f"reticent.data.manifests.lists.{name}", stop)
            with pytest.raises(KeyboardInterrupt):
                noting(person)
        done = place_of_stop == "the move"
        assert people() == sorted([*before, *([person] if done else [])])
        if not done:
            noting(person)
        noting("x" if person == "7" else "9")
    assert people() == ["7", "8", "9", "x"]
    assert not (tmp_path / "visits.objections.json.next").exists()
