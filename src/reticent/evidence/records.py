"""Records: what was found, trained or decided, as canonical JSON under its own hash.

Promise: a record's `id` is the SHA-256 of its canonical bytes, so nobody can change a byte of it, or of any record it
names as a parent, without the id changing. `Record.from_json` refuses a record whose id does not fit its contents.
Not covered: who wrote it, and when (signatures and the append-only log come with the record office).

Example:
    >>> from reticent.evidence import Record
    >>> training = Record("training", {"epsilon": 3.0}, created="2026-01-01T00:00:00Z")
    >>> audit = Record("audit", {"auc": 0.52}, created="2026-01-02T00:00:00Z", parents=(training.id,))
    >>> Record.from_json(audit.to_json()) == audit
    True
    >>> Record.from_json(audit.to_json().replace(b"0.52", b"0.50"))
    Traceback (most recent call last):
    reticent.errors.IntegrityError: Expected a record whose id is the hash of its contents, got id=... Fetch it again.
"""

from __future__ import annotations

import dataclasses
import datetime
import platform
import re
from importlib import metadata
from typing import Any

from reticent.errors import IntegrityError, UsageError
from reticent.evidence.canonical import canonical_json, digest, parse

__all__ = ["Record", "now", "software"]

FORMAT = "reticent-record/1"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_PACKAGES = ("reticent", "torch", "numpy", "scipy", "scikit-learn")


@dataclasses.dataclass(frozen=True)
class Record:
    """One thing that happened.

    Args:
        kind: what it is: "finding", "training", "audit", "demo" ...
        body: plain values; checked to be JSON when the record is built, and copied.
        created: time in UTC, as `YYYY-MM-DDTHH:MM:SSZ`; `now()` gives it.
        parents: ids of the records that this one rests on.
    """

    kind: str
    body: dict[str, Any]
    created: str
    parents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _is_time(self.created):
            raise UsageError(
                f"Expected created as YYYY-MM-DDTHH:MM:SSZ, got created={self.created!r}.",
                "Use reticent.evidence.now().",
            )
        if not isinstance(self.kind, str) or not isinstance(self.body, dict):
            raise UsageError(f"Expected kind as text and body as a dictionary, got kind={self.kind!r}.", "Name both.")
        for parent in self.parents:
            if not isinstance(parent, str) or not re.fullmatch(r"[0-9a-f]{64}", parent):
                raise UsageError(f"Expected parents as record ids, got {parent!r}.", "Pass record.id.")
        # A private copy through JSON: whatever happens to the caller's dictionary later, the record stays.
        object.__setattr__(self, "body", parse(canonical_json(self.body)))
        object.__setattr__(self, "parents", tuple(self.parents))

    @property
    def id(self) -> str:
        """SHA-256 of the canonical contents, in hexadecimal."""
        return digest(self._contents())

    def to_json(self) -> bytes:
        """Canonical JSON with the id inside."""
        return canonical_json({**self._contents(), "id": self.id})

    @classmethod
    def from_json(cls, content: bytes | str) -> Record:
        """The record behind its JSON.

        Raises:
            IntegrityError: the id does not fit the contents.
            UsageError: not a record.
        """
        values = parse(content)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise UsageError(f"Expected a record of format {FORMAT}, got something else.", "Pass a record's JSON.")
        if not isinstance(values.get("parents"), list):
            raise UsageError("Expected a whole record, but its parents are not a list.", "Pass a record's JSON.")
        try:
            record = cls(values["kind"], values["body"], values["created"], tuple(values["parents"]))
            claimed = values["id"]
        except (KeyError, TypeError) as error:
            raise UsageError(f"Expected a whole record, but it lacks {error}.", "Pass a record's JSON.") from error
        if set(values) - {"format", "kind", "body", "created", "parents", "id"} or claimed != record.id:
            raise IntegrityError(
                f"Expected a record whose id is the hash of its contents, got id={str(claimed)[:12]}...",
                "Fetch it again.",
            )
        return record

    def _contents(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "kind": self.kind,
            "body": self.body,
            "created": self.created,
            "parents": list(self.parents),
        }


def _is_time(text: object) -> bool:
    try:
        return datetime.datetime.strptime(str(text), _TIME).strftime(_TIME) == text
    except ValueError:
        return False


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).strftime(_TIME)


def software() -> dict[str, str]:
    """Versions of Python and of the packages that a figure depends on; a package that is missing is left out."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
