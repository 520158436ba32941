"""People as tokens: keyed hashes that name nobody to whoever lacks the key.

Promise: a token is HMAC-SHA256 of a person's identifier under a key of 32 bytes. Without the key it cannot be computed
from the identifier, so a list of tokens does not say who is on it, however few identifiers there are to try; with the
key it can. The same person has the same token wherever the same key is used, in every type the identifier is kept in
(7, 7.0, "7", "7.0" and "+7" are one, "007" is another; a day is one however it is kept), and in every way that Unicode
has to compose its letters. Capital letters and blanks count.

`check` is what the key itself is recognised by: HMAC-SHA256 of a fixed text. A published check ties its holder to one
key.

Not covered: keeping the key. Who has it and the tokens can try identifiers.

Example:
    >>> from reticent.data.manifests.persons import token, written
    >>> token(bytes(32), 7) == token(bytes(32), "7"), token(bytes(32), "7") == token(bytes(32), "007")
    (True, False)
    >>> written(7.0)
    '7'
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import os
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from reticent.errors import DataError, UsageError
from reticent.evidence import write_whole

__all__ = ["KEY_BYTES", "check", "from_hex", "new_key", "read_key", "save_key", "token", "tokens_of", "written"]

KEY_BYTES = 32
_PERSON = b"reticent person/1\0"
_CHECK = b"reticent key check/1\0"
_NUMBER = re.compile(r"(?:\+(?![0-9]{7}))?(-?(?:0|[1-9][0-9]{0,17}))(?:\.0*)?")


def token(key: bytes, person: object) -> bytes:
    """(32 bytes) the person's token under the key."""
    return hmac.digest(_right(key), _PERSON + written(person).encode(), hashlib.sha256)


def tokens_of(key: bytes, people: np.ndarray[Any, Any]) -> list[bytes]:
    """The tokens of distinct identifiers, in their order."""
    return [token(key, person) for person in people.tolist()]


def from_hex(text: object) -> bytes:
    """(32 bytes) a token, or another hash, from hexadecimal.

    Raises:
        UsageError: something else.
    """
    try:
        found = bytes.fromhex(str(text))
    except ValueError:
        found = b""
    if len(found) != hashlib.sha256().digest_size:
        raise UsageError("Expected tokens and hashes of 32 bytes in hexadecimal, got others.", "Check the file.")
    return found


def check(key: bytes) -> str:
    """What a key is recognised by, in hexadecimal."""
    return hmac.digest(_right(key), _CHECK, hashlib.sha256).hex()


def written(person: object) -> str:
    """An identifier as text: whole numbers without a point, dates as ISO 8601 has them, text as it is, in NFC.

    Raises:
        DataError: nothing at all, which would stand for many people.
    """
    if isinstance(person, np.generic):
        person = person.item()
    if isinstance(person, float) and person.is_integer():
        person = int(person)
    if isinstance(person, datetime.datetime) and person == datetime.datetime(person.year, person.month, person.day):
        person = person.date()
    text = unicodedata.normalize("NFC", person.isoformat() if hasattr(person, "isoformat") else str(person))
    if number := _NUMBER.fullmatch(text):  # as a column of numbers would have it
        text = number.group(1)
    if person is None or not text or text == "nan":
        raise DataError("Expected an identifier of a person, got none.", "Give every row an owner.")
    return text


def new_key() -> bytes:
    """A key from the operating system."""
    return os.urandom(KEY_BYTES)


def save_key(key: bytes, path: str | Path) -> Path:
    """Write a key as hexadecimal, for its owner's eyes only; a file that exists is left alone.

    Raises:
        UsageError: there is one, or the place cannot be written.
    """
    if Path(path).exists():
        raise UsageError(
            f"Expected no file at {str(path)!r}, but there is one.",
            "A key that is written over is lost, and with it every token made with it. Choose another name.",
        )
    return write_whole(path, _right(key).hex().encode() + b"\n", for_owner_only=True)


def read_key(path: str | Path) -> bytes:
    """The key in a file.

    Raises:
        UsageError: no such file, or no key in it.
    """
    try:
        return _right(bytes.fromhex(Path(path).read_text("ascii").strip()))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Expected a key of {KEY_BYTES} bytes in hexadecimal in {str(path)!r}, found none.",
            "Make one with `reticent manifest key FILE`.",
        ) from error


def _right(key: object) -> bytes:
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        raise UsageError(f"Expected a key of {KEY_BYTES} bytes, got another.", "Make one with new_key().")
    return key
