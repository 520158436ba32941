"""Pseudonyms: HMAC as Python's own, a key that is never shown, and what is said about them."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import os
import pickle
import stat
from pathlib import Path

import pytest

from reticent.data.anonymity import Key, pseudonymise
from reticent.data.anonymity.pseudonyms import REMAIN, input_space
from reticent.data.tables import Column, Table
from reticent.errors import UsageError

SECRET = bytes(range(32))
VISITS = Table.of({"who": ["ann", "bob", None, "ann"], "number": [1, 2, 1, 3], "day": [1, 1, 1, 2]})


def test_it_is_hmac_with_the_domain_inside() -> None:
    found = pseudonymise(VISITS, ["who"], Key(SECRET)).table["who"].cells()
    expected = hmac.new(SECRET, b"reticent pseudonym/1 3:whoann", hashlib.sha256).hexdigest()[:32]
    assert (found[0], found[3], found[2]) == (expected, expected, None)
    assert found[1] != expected


def test_domains_decide_what_can_be_linked() -> None:
    twice = Table.of({"a": ["x"], "b": ["x"]})
    apart = pseudonymise(twice, ["a", "b"], Key(SECRET)).table
    assert apart["a"].cells()[0] != apart["b"].cells()[0]
    together = pseudonymise(twice, ["a", "b"], Key(SECRET), domains={"a": "person", "b": "person"}).table
    assert together["a"].cells()[0] == together["b"].cells()[0]
    other = pseudonymise(twice, ["a"], Key.new()).table
    assert other["a"].cells()[0] != apart["a"].cells()[0]
    # "ab" + "c" and "a" + "bc" are no collision: the domain's length is hashed too
    assert Key(SECRET).pseudonym("c", "ab", 32) != Key(SECRET).pseudonym("bc", "a", 32)


def test_numbers_are_what_they_are_written_as() -> None:
    whole, real, text = (
        pseudonymise(Table.of({"n": values}), ["n"], Key(SECRET)).table["n"].cells().tolist()
        for values in ([1, 2], [1.0, 2.0], ["1", "2"])
    )
    assert whole == real == text


def test_the_key_is_shown_nowhere(tmp_path: Path) -> None:
    key = Key(SECRET)
    found = pseudonymise(VISITS, ["who"], key)
    shown = json.dumps(found.as_dict()) + repr(key) + repr(found) + str(found.table.to_arrow())
    assert SECRET.hex() not in shown
    for attempt in (copy.copy, pickle.dumps):
        with pytest.raises(UsageError, match="stay"):
            attempt(key)
    place = key.save(tmp_path / "key")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert Key.read(place).pseudonym("x", "d", 64) == key.pseudonym("x", "d", 64)
    with pytest.raises(UsageError, match="is there"):
        Key.new().save(place)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of posix")
def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    place = Key(SECRET).save(tmp_path / "key")
    place.chmod(0o640)
    with pytest.raises(UsageError, match="640") as raised:
        Key.read(place)
    assert SECRET.hex() not in str(raised.value)


def test_notes() -> None:
    found = pseudonymise(VISITS, ["number"], Key(SECRET))
    assert found.notes[0] == REMAIN
    assert "personal data" in REMAIN
    assert "try them all" in found.notes[1].replace("\n", " ")
    many = Table.of({"id": ["a8Kd0-xQ93kf-mm21Xz", "b1Kd7-xQ03kf-mn91Qz"]})
    assert pseudonymise(many, ["id"], Key(SECRET)).notes == (REMAIN,)


def test_how_many_inputs_there_may_be() -> None:
    assert input_space(Column.of("n", [5, 14])) == 10
    assert input_space(Column.of("z", ["02139", "10001"])) == 10**5
    assert input_space(Column.of("z", ["021", "1"])) == 10 * 11 * 11  # a second and third digit, or none
    assert input_space(Column.inferred("d", ["2020-01-01", "2020-12-31"])) == 366
    assert input_space(Column.of("n", [None])) == 0
    assert input_space(Column.of("x", [0.5, 0.25])) >= 2


def test_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("xyz")
    (tmp_path / "bad").chmod(0o600)
    for wrong in (
        lambda: Key(b"short"),
        lambda: Key.read(tmp_path / "none"),
        lambda: Key.read(tmp_path / "bad"),
        lambda: pseudonymise(VISITS, [], Key(SECRET)),
        lambda: pseudonymise(VISITS, "who", Key(SECRET)),
        lambda: pseudonymise(VISITS, ["nobody"], Key(SECRET)),
        lambda: pseudonymise(VISITS, ["who"], Key(SECRET), digits=8),
        lambda: pseudonymise(VISITS, ["who"], Key(SECRET), digits=65),
        lambda: pseudonymise(VISITS, ["who"], SECRET),  # type: ignore[arg-type]
        lambda: pseudonymise(VISITS, ["who"], Key(SECRET), domains={"x": "y"}),
    ):
        with pytest.raises(UsageError):
            wrong()


def test_long_numbers_are_told_apart() -> None:
    """Above 2**53 neighbours are one number as a float: they had one pseudonym, and two people became one."""
    whole = [2**53, 2**53 + 1, 1234567890123456788, 1234567890123456789]
    found = pseudonymise({"n": whole}, ["n"], Key(SECRET)).table["n"].cells().tolist()
    assert len(set(found)) == len(whole)
    assert found == pseudonymise({"n": [str(one) for one in whole]}, ["n"], Key(SECRET)).table["n"].cells().tolist()


def test_what_is_the_same_in_all_texts_is_nothing_to_guess() -> None:
    """A telephone number's hyphens and country do not make it harder to try all: the note was missing."""
    calls = {"n": [f"+49 (30) 736-5{place:03d}" for place in range(100)]}
    found = pseudonymise(calls, ["n"], Key(SECRET))
    assert found.spaces["n"] == 100  # two digits differ
    assert "can try them all" in found.notes[1]


def test_names_can_be_tried_from_lists_and_the_notes_say_so() -> None:
    found = pseudonymise({"n": ["Maximilian", "Bob"]}, ["n"], Key(SECRET))
    assert "stand in lists" in found.notes[1]
