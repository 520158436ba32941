"""Tokens: one person, one token; keys are kept apart and are not written over."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import stat
from pathlib import Path

import numpy as np
import pytest

from reticent.data.manifests import new_key, read_key, save_key
from reticent.data.manifests.persons import check, token, tokens_of, written
from reticent.errors import DataError, UsageError

KEY = bytes(range(32))


def test_a_token_is_what_the_page_says() -> None:
    assert token(KEY, "ann") == hmac.new(KEY, b"reticent person/1\0ann", hashlib.sha256).digest()
    assert token(KEY, "ann") != token(bytes(32), "ann")
    assert check(KEY) != check(bytes(32))


def test_an_identifier_is_the_same_in_every_type() -> None:
    assert written(7) == written(7.0) == written("7") == written(np.int64(7)) == written(np.float64(7))
    assert written("007") != written(7)
    assert written(7.5) == "7.5"
    assert written(datetime.date(2026, 3, 1)) == "2026-03-01"
    assert tokens_of(KEY, np.array([7, 8])) == [token(KEY, "7"), token(KEY, "8")]


@pytest.mark.parametrize("nobody", [None, "", float("nan")])
def test_nobody_has_no_token(nobody: object) -> None:
    with pytest.raises(DataError, match="identifier of a person, got none"):
        token(KEY, nobody)


def test_keys_are_for_their_owner_and_not_written_over(tmp_path: Path) -> None:
    one, other = new_key(), new_key()
    assert one != other
    path = save_key(one, tmp_path / "key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path) == one
    with pytest.raises(UsageError, match="A key that is written over is lost"):
        save_key(other, path)
    assert read_key(path) == one


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("abcd")
    for path in ("short", "absent"):
        with pytest.raises(UsageError, match="key of 32 bytes"):
            read_key(tmp_path / path)
    with pytest.raises(UsageError, match="key of 32 bytes"):
        token(b"short", "ann")


def test_one_person_has_one_token_however_the_identifier_is_written() -> None:
    same = [
        (7, "7.0", "7.", "+7", np.float64(7)),
        ("Jos\u00e9", "Jose\u0301"),
        (datetime.date(2020, 1, 31), "2020-01-31"),
    ]
    same += [(datetime.datetime(2020, 1, 31), np.datetime64("2020-01-31", "us"), "2020-01-31")]
    for group in same:
        assert len({token(bytes(32), one) for one in group}) == 1
    others = [
        "7",
        "007",
        "7.5",
        "+4915112345678",
        "4915112345678",
        "1e5",
        "100000",
        "-7",
        "Jos\u00e9",
        "jos\u00e9",
        "7 ",
    ]
    assert len({token(bytes(32), one) for one in others}) == len(others)
