"""Canonical JSON: one byte string for one value, on every machine.

Promise: equal values give equal bytes (RFC 8785, through the library of that name), and the bytes parse back to an
equal value. What JSON cannot say exactly (NaN, infinity, whole numbers beyond 2^53, keys that are not text, objects of
any other type) is refused, never guessed.

Example:
    >>> from reticent.evidence import canonical_json, digest
    >>> canonical_json({"b": 1.0, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    >>> digest({"a": 1})[:12]
    '015abd7f5cc5'
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import rfc8785

from reticent.errors import UsageError

__all__ = ["canonical_json", "digest", "parse", "sync_folder", "write_whole"]


def canonical_json(value: Any) -> bytes:
    """The one canonical byte string of a plain value.

    Raises:
        UsageError: the value holds something that JSON cannot say exactly.
    """
    try:
        return rfc8785.dumps(_plain(value))
    except (rfc8785.CanonicalizationError, TypeError, UnicodeError, RecursionError) as error:
        raise UsageError(
            f"Expected plain values that JSON can say exactly, got {error}.",
            "Convert arrays to lists, and write NaN or infinity as null with a reason beside it.",
        ) from error


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def write_whole(path: str | Path, content: bytes, *, for_owner_only: bool = False) -> Path:
    """Write a file so that it appears whole or not at all, and survives a crash right after.

    Args:
        path: where.
        content: what.
        for_owner_only: that nobody else on the machine may read it.

    Raises:
        UsageError: the folder does not exist or cannot be written, or the disk is full; nothing is left behind.
    """
    target = Path(path)
    try:
        name = target.parent / f".{target.name}.{os.urandom(8).hex()}"
        try:
            with open(name, "xb", opener=_for_owner if for_owner_only else None) as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(name, target)
            sync_folder(target.parent)
        except BaseException:
            name.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"Expected to write {target}, but: {error.strerror or error}.",
            "Choose a folder that exists, can be written to and has room.",
        ) from error
    return target


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a crash; Windows cannot open folders, and does without."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _plain(value: Any) -> Any:
    """Tuples as lists, the rest as it is."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def parse(content: bytes | str) -> Any:
    """The value behind JSON text.

    Raises:
        UsageError: not JSON, or a key stands twice in one object, so that readers could disagree about it.
    """
    try:
        return json.loads(content, object_pairs_hook=_unique, parse_int=_number, parse_constant=_no_number)
    except UsageError:
        raise
    except (ValueError, RecursionError) as error:
        raise UsageError(f"Expected JSON, got something else: {error}.", "Check that the file is complete.") from error


def _number(digits: str) -> int | float:
    """A whole number, or the float of which these digits are the canonical form (1e20 is written in full)."""
    whole = int(digits)
    if 2**53 <= abs(whole) < 10**21 and rfc8785.dumps(float(digits)) == digits.encode():
        return float(digits)
    return whole


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is not a number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise UsageError("Expected every key of a JSON object once, got one twice.", "Remove the duplicate.")
    return values
