"""What is known about a data set before anybody uses it: whose it is, what for, until when, and which files it is.

Promise: a manifest is immutable and complete or says what it lacks (`lacking`); it is compared by its digest. Fields
that this version does not know are kept, wherever they stand. What is declared (the legal basis, the sources, how many
people) is written down and not checked; files and their hashes are.

Not covered: whether the declarations are true; who wrote them (signatures come with the record office). A file's hash
tells whoever knows all of a file but one row whether that row is in it: publish the manifest of small personal files
only with that in mind.

Example:
    >>> from reticent.data.manifests import Basis, Manifest, People
    >>> manifest = Manifest("visits", people=People("person", owner="patient"), allowed=("health research",),
    ...                     basis=Basis("consent"), until="2030-01-01")
    >>> manifest.lacking
    ('files', 'sources')
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from reticent import _checks
from reticent.data.manifests.objections import day
from reticent.data.manifests.purposes import known
from reticent.data.tables import Table
from reticent.data.tables.sources import HowToRead
from reticent.errors import AccessDenied, DataError
from reticent.evidence import Record, digest, now

__all__ = ["BASES", "FORMAT", "UNITS", "Basis", "File", "Manifest", "Origin", "Pinned", "People", "content_digest"]

FORMAT: Final = "reticent-manifest/1"
BASES: Final = {
    "consent": "Consent",
    "contract": "Contract",
    "legal obligation": "LegalObligation",
    "vital interest": "VitalInterest",
    "public interest": "PublicInterest",
    "legitimate interest": "LegitimateInterest",
    "not personal data": None,
}
"""Legal basis (GDPR Art. 6(1)) to its name in the Data Privacy Vocabulary."""
UNITS: Final = ("person", "household", "record", "nobody")
_HASH_LENGTH = 64
_READING: Final = frozenset(HowToRead.__annotations__) - {"table"}
_NOT_SAID: Final = "as found in this file; say where it came from"
_LEFT_OUT: Final[dict[str, Any]] = {"reading": {}, "plain": True}
"""Fields that are written only where they say something, and what they hold if not."""

Extra = Mapping[str, Any]


def _none() -> dict[str, Any]:
    return {}


@dataclasses.dataclass(frozen=True)
class File:
    """One file of the data set.

    Attributes:
        name: below the folder of the manifest.
        sha256: of its bytes, in hexadecimal.
        bytes: how many.
        content: `content_digest` of the table in it, or None where it was not read as one.
        columns: name and kind ("number", "date", "yes or no", "text") of each column.
        reading: how it has to be read, where that was said (`header`, `delimiter` and what else `read` takes).
        plain: whether other readers find the columns under these names: not without a header, for instance.
        extra: fields that this version does not know.
    """

    name: str
    sha256: str
    bytes: int
    content: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    reading: Mapping[str, Any] = dataclasses.field(default_factory=_none)
    plain: bool = True
    extra: Extra = dataclasses.field(default_factory=_none)

    def __post_init__(self) -> None:
        _below(self.name)
        if not isinstance(self.reading, Mapping) or set(self.reading) - _READING:
            raise DataError(
                f"Expected reading as some of {', '.join(sorted(_READING))}, got something else.", "Mend the manifest."
            )
        for what, value in (("sha256", self.sha256), ("content", self.content)):
            if value is not None and not _is_hash(value):
                raise DataError(
                    f"Expected {what} of a file as {_HASH_LENGTH} hexadecimal digits, got others.",
                    "Make the manifest anew with `reticent manifest init`.",
                )
        if any(isinstance(one, str) or len(one) != 2 for one in self.columns):
            raise DataError("Expected columns as pairs of a name and a kind, got others.", "Mend the manifest.")
        object.__setattr__(self, "columns", tuple((str(name), str(kind)) for name, kind in self.columns))


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where the data come from.

    Attributes:
        name: of the source.
        url: of it, or None.
        collected: when, in words or as a date.
        how: in words.
        extra: fields that this version does not know.
    """

    name: str
    url: str | None = None
    collected: str | None = None
    how: str = ""
    extra: Extra = dataclasses.field(default_factory=_none)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise DataError("Expected every source to have a name, got one without.", "Name where the data come from.")

    @property
    def declared(self) -> bool:
        """Whether somebody said where the data come from: manifests once had a file's own name in this place."""
        return self.how != _NOT_SAID


@dataclasses.dataclass(frozen=True)
class People:
    """Whose data these are.

    Attributes:
        unit: one of `UNITS`; "nobody" states that no row is about a person.
        count: how many there are, or None where that is not known.
        owner: the column that says whose a row is; None where each row is somebody else's.
        about: further words.
        extra: fields that this version does not know.
    """

    unit: str
    count: int | None = None
    owner: str | None = None
    about: str = ""
    extra: Extra = dataclasses.field(default_factory=_none)

    def __post_init__(self) -> None:
        _checks.one_of(UNITS, unit=self.unit)
        if self.count is not None:
            _checks.at_least(0, count=self.count)


@dataclasses.dataclass(frozen=True)
class Basis:
    """The legal basis as it was declared.

    Attributes:
        kind: one of `BASES`.
        about: further words: which law, which form of consent.
        extra: fields that this version does not know.
    """

    kind: str
    about: str = ""
    extra: Extra = dataclasses.field(default_factory=_none)

    def __post_init__(self) -> None:
        _checks.one_of(BASES, basis=self.kind)


@dataclasses.dataclass(frozen=True)
class Pinned:
    """The list of objections that belongs to this manifest.

    Attributes:
        name: of the file, below the folder of the manifest.
        sha256: the list's digest: an older or changed list does not fit.
        kind: "keyed" or "plain".
        extra: fields that this version does not know.
    """

    name: str
    sha256: str
    kind: str
    extra: Extra = dataclasses.field(default_factory=_none)

    def __post_init__(self) -> None:
        _below(self.name)


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is known about a data set.

    Attributes:
        name: of the data set.
        description: in words.
        version: of the data set.
        published: when, as YYYY-MM-DD, or None.
        url: where it is described, or None.
        creator: who made it.
        licence: its address or name.
        sources: where the data come from.
        people: whose they are.
        allowed: purposes (`PURPOSES`) that they may be used for.
        prohibited: purposes that they may not be used for, whatever allows them.
        use: further conditions in words; nothing checks them.
        basis: the legal basis as declared.
        until: the last day on which they may be used, as YYYY-MM-DD.
        recipients: who may have them; empty: nobody was named, and nobody is checked.
        files: which files it is.
        objections: the list of those who objected, if there is one.
        extra: own fields that this version does not know.
        outside: fields of the JSON-LD document that are not this house's.
    """

    name: str
    description: str = ""
    version: str = "1.0.0"
    published: str | None = None
    url: str | None = None
    creator: str | None = None
    licence: str | None = None
    sources: tuple[Origin, ...] = ()
    people: People | None = None
    allowed: tuple[str, ...] = ()
    prohibited: tuple[str, ...] = ()
    use: str = ""
    basis: Basis | None = None
    until: str | None = None
    recipients: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    objections: Pinned | None = None
    extra: Extra = dataclasses.field(default_factory=_none)
    outside: Extra = dataclasses.field(default_factory=_none)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise DataError("Expected a manifest with a name, got none.", "Name the data set.")
        for what in ("until", "published"):
            if getattr(self, what) is not None:
                day(**{what: getattr(self, what)})
        for what in ("allowed", "prohibited"):
            object.__setattr__(self, what, tuple(known(one) for one in getattr(self, what)))
        names = [one.name for one in self.files]
        if len(set(names)) < len(names):
            raise DataError("Expected every file of a manifest once, got one twice.", "Remove the duplicate.")

    @property
    def lacking(self) -> tuple[str, ...]:
        """What has to be declared before the data can be loaded with this manifest."""
        wanted = {
            "files": self.files,
            "sources": self.sources and all(one.declared for one in self.sources),
            "people": self.people,
            "allowed": self.allowed,
            "basis": self.basis,
            "until": self.until,
        }
        return tuple(name for name, value in wanted.items() if not value)

    def days_left(self, on: datetime.date) -> int | None:
        """Days of use that are left after this one; below zero: it has expired. None: no last day is declared."""
        return None if self.until is None else (day(until=self.until) - on).days

    def require_not_expired(self, on: datetime.date) -> None:
        """Refuse data whose last day of use has passed.

        Raises:
            AccessDenied: it has.
        """
        left = self.days_left(on)
        if left is not None and left < 0:
            raise AccessDenied(
                f"Expected data that may be kept on {on}, but those of {self.name!r} have expired: they were to be "
                f"used until {self.until}.",
                "Delete them, or have the date looked at by whoever answers for the data.",
            )

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest as plain values."""
        return digest(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, unknown fields beside the known ones."""
        found: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            if field.name not in ("extra", "outside"):
                found[field.name] = _plain(getattr(self, field.name))
        return {**dict(self.extra), "format": FORMAT, **found, "outside": dict(self.outside)}

    @classmethod
    def from_dict(cls, values: object) -> Manifest:
        """The manifest that `as_dict` wrote, unknown fields kept.

        Raises:
            DataError: something else, or another version of the format.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise DataError(
                f"Expected a manifest of format {FORMAT}, got another.", "Read it with the version it needs."
            )
        kept = {name: value for name, value in values.items() if name not in ("format", "extra")}
        lists = {"files": File, "sources": Origin}
        single = {"people": People, "basis": Basis, "objections": Pinned}
        for name, kind in lists.items():
            if name in kept:
                kept[name] = tuple(_part(kind, one, name) for one in _listed(kept[name], name))
        for name, kind in single.items():
            if kept.get(name) is not None:
                kept[name] = _part(kind, kept[name], name)
        for name in ("allowed", "prohibited", "recipients"):
            if name in kept:
                kept[name] = tuple(str(one) for one in _listed(kept[name], name))
        found: Manifest = _part(cls, kept, "manifest")
        return found

    def record(self) -> Record:
        """The manifest as a record of kind "manifest"."""
        return Record("manifest", self.as_dict(), created=now())


def content_digest(table: Table) -> str:
    """SHA-256 of what a table holds: names, kinds and cells in their order, however it is kept."""
    sha = hashlib.sha256(f"reticent table/1 {table.rows}\n".encode())
    for column in table.columns:
        used = column.compacted()
        for text in (used.name, used.kind, str(len(used.values)), *(str(value) for value in used.values.tolist())):
            encoded = text.encode()
            sha.update(len(encoded).to_bytes(8, "big") + encoded)
        sha.update(np.ascontiguousarray(used.codes, dtype="<i4").tobytes())
    return sha.hexdigest()


def _below(name: object) -> None:
    """Refuse the name of a file that is not below the folder of the manifest, since it will be read and written."""
    if not isinstance(name, str) or not name or PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise DataError("Expected names of files below the folder of the manifest, got another.", "Mend the manifest.")


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == _HASH_LENGTH and not value.strip("0123456789abcdef")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            one.name: _plain(getattr(value, one.name))
            for one in dataclasses.fields(value)
            if one.name != "extra" and getattr(value, one.name) != _LEFT_OUT.get(one.name)
        }
        return {**dict(getattr(value, "extra", {})), **fields}
    return value


def _part(kind: Any, values: object, what: str) -> Any:
    """A part of a manifest from plain values; what is unknown becomes `extra`."""
    if not isinstance(values, Mapping):
        raise DataError(f"Expected {what} as fields with values, got something else.", "Mend the manifest.")
    fields = {one.name for one in dataclasses.fields(kind)} - {"extra"}
    extra = {name: value for name, value in values.items() if name not in fields}
    try:
        return kind(**{name: value for name, value in values.items() if name in fields}, extra=extra)
    except TypeError as error:
        raise DataError(
            f"Expected all fields of {what}, but some are missing or wrong.", "Mend the manifest."
        ) from error


def _listed(values: object, what: str) -> list[Any]:
    if not isinstance(values, list | tuple):
        raise DataError(f"Expected {what} as a list, got something else.", "Mend the manifest.")
    return list(values)
