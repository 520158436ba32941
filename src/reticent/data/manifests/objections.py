"""Who objected, against what, and since when.

Promise: a list holds each objection with its date, the purposes that it is against (every one by default) and, if it
was taken back, the date of that. It applies from its date on, and against every purpose that overlaps one of its own.
A list of the kind "keyed" holds tokens (`reticent.data.manifests.persons`) and names nobody without its key; one of the
kind "plain" holds identifiers. Its digest is over all of it, unknown fields included, and does not depend on the order.

Objections are added and never removed: one that is taken back stays, with its date, so that what applied on a day can
be told later.

Sources: GDPR Art. 7(3) (withdrawal of consent), 21 (objection); how to exercise them is not this file's affair.

Example:
    >>> import datetime
    >>> from reticent.data.manifests import Objections
    >>> key = bytes(32)
    >>> some = Objections.keyed(key).objecting("ann", on="2026-03-01", purposes=["marketing"], key=key)
    >>> some.of("direct marketing", on=datetime.date(2026, 3, 2)) == some.of("marketing", on=datetime.date(2026, 3, 1))
    True
    >>> len(some.of("research", on=datetime.date(2026, 3, 2))), "ann" in str(some.as_dict())
    (0, False)
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reticent import _checks
from reticent.data.manifests import persons
from reticent.data.manifests.purposes import known, overlap
from reticent.errors import DataError, IntegrityError, UsageError
from reticent.evidence import canonical_json, digest, parse, write_whole

__all__ = ["FORMAT", "Objection", "Objections", "day"]

FORMAT = "reticent-objections/1"
KINDS = ("keyed", "plain")


@dataclasses.dataclass(frozen=True)
class Objection:
    """One person's objection.

    Attributes:
        person: a token in hexadecimal, or an identifier, as the list's kind says.
        date: from which it applies, as YYYY-MM-DD.
        purposes: against which; none: against every one.
        withdrawn: from which it applies no more, or None.
        extra: fields that this version does not know.
    """

    person: str
    date: str
    purposes: tuple[str, ...] = ()
    withdrawn: str | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        day(date=self.date)
        if self.withdrawn is not None:
            day(withdrawn=self.withdrawn)
        if not isinstance(self.person, str) or not self.person:
            raise DataError("Expected every objection to name a person, got one that does not.", "Mend the list.")
        object.__setattr__(self, "purposes", tuple(known(one) for one in self.purposes))

    def applies(self, purpose: str | None, on: datetime.date) -> bool:
        """Whether it is against a purpose (None: against any at all) on a day."""
        if on < day(date=self.date) or (self.withdrawn is not None and on >= day(withdrawn=self.withdrawn)):
            return False
        return not self.purposes or purpose is None or any(overlap(purpose, one) for one in self.purposes)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        kept = {"person": self.person, "date": self.date, "purposes": list(self.purposes)}
        return {**self.extra, **kept, **({} if self.withdrawn is None else {"withdrawn": self.withdrawn})}


@dataclasses.dataclass(frozen=True)
class Objections:
    """A list of objections; `keyed(key)`, `plain()` or `read(path)` gives one.

    Attributes:
        kind: "keyed" or "plain".
        key_check: what the key is recognised by; None for a plain list.
        listed: the objections.
        extra: fields that this version does not know.
    """

    kind: str
    key_check: str | None
    listed: tuple[Objection, ...] = ()
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _checks.one_of(KINDS, kind=self.kind)
        if (self.kind == "keyed") != isinstance(self.key_check, str):
            raise DataError("Expected a key check in a keyed list and none in a plain one.", "Make the list anew.")

    @classmethod
    def keyed(cls, key: bytes) -> Objections:
        """An empty list of tokens under a key."""
        return cls("keyed", persons.check(key))

    @classmethod
    def plain(cls) -> Objections:
        """An empty list of identifiers: it names who is on it."""
        return cls("plain", None)

    def objecting(
        self,
        person: object,
        *,
        on: str,
        purposes: Sequence[str] = (),
        key: bytes | None = None,
    ) -> Objections:
        """The list with one objection more.

        Args:
            person: the identifier that stands in the data.
            on: the date of the objection.
            purposes: against which; none: against every one.
            key: of a keyed list.

        Raises:
            UsageError: a purpose that is not on the list, or no date.
            IntegrityError: another key than the list's.
        """
        made = Objection(self.naming(person, key), on, tuple(purposes))
        return dataclasses.replace(self, listed=(*self.listed, made))

    def withdrawing(self, person: object, *, on: str, key: bytes | None = None) -> Objections:
        """The list in which all of a person's objections apply no more from a day on.

        Raises:
            UsageError: the person has no objection that still applies.
        """
        name = self.naming(person, key)
        if not any(one.person == name and one.withdrawn is None for one in self.listed):
            raise UsageError("Expected a person with an objection that applies, got another.", "Check the identifier.")
        changed = (
            dataclasses.replace(one, withdrawn=on) if one.person == name and one.withdrawn is None else one
            for one in self.listed
        )
        return dataclasses.replace(self, listed=tuple(changed))

    def naming(self, person: object, key: bytes | None) -> str:
        """How a person stands in this list.

        Raises:
            UsageError: no key for a keyed list.
            IntegrityError: another key than the list's.
        """
        if self.kind == "plain":
            return persons.written(person)
        if key is None:
            raise UsageError("Expected the key of this list of objections, got none.", "Pass key=, or --key FILE.")
        if persons.check(key) != self.key_check:
            raise IntegrityError(
                "Expected the key with which this list of objections was made, got another.", "Pass that one."
            )
        return persons.token(key, person).hex()

    def of(self, purpose: str | None, *, on: datetime.date) -> frozenset[str]:
        """Who objects to a purpose (None: to any at all) on a day, as they stand in the list."""
        if purpose is not None:
            known(purpose)
        return frozenset(one.person for one in self.listed if one.applies(purpose, on))

    @property
    def digest(self) -> str:
        """SHA-256 of the list, whatever its order."""
        values = self.as_dict()
        values["objections"] = sorted(values["objections"], key=canonical_json)
        return digest(values)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        check = {} if self.key_check is None else {"key_check": self.key_check}
        listed = [one.as_dict() for one in self.listed]
        return {**self.extra, "format": FORMAT, "kind": self.kind, **check, "objections": listed}

    @classmethod
    def from_dict(cls, values: object) -> Objections:
        """The list that `as_dict` wrote, unknown fields kept.

        Raises:
            DataError: something else.
        """
        if (
            not isinstance(values, dict)
            or values.get("format") != FORMAT
            or not isinstance(values.get("objections"), list)
        ):
            raise DataError(f"Expected a list of objections of format {FORMAT}, got something else.", "Check the file.")
        fields = {"format", "kind", "key_check", "objections"}
        listed = tuple(_one(item) for item in values["objections"])
        extra = {name: value for name, value in values.items() if name not in fields}
        return cls(values.get("kind", ""), values.get("key_check"), listed, extra)

    @classmethod
    def read(cls, path: str | Path) -> Objections:
        """The list in a file.

        Raises:
            UsageError: no such file, or no JSON in it.
            DataError: something else.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise UsageError(
                f"Expected a list of objections at {str(path)!r}, but: {error.strerror or error}.", "Name the file."
            ) from error
        return cls.from_dict(parse(content))

    def save(self, path: str | Path) -> Path:
        """Write it as JSON, whole or not at all, for its owner's eyes only."""
        return write_whole(path, canonical_json(self.as_dict()) + b"\n", for_owner_only=True)


def _one(item: object) -> Objection:
    fields = {"person", "date", "purposes", "withdrawn"}
    if not isinstance(item, dict) or not {"person", "date"} <= set(item):
        raise DataError("Expected every objection to have a person and a date.", "Mend the list.")
    purposes = item.get("purposes", ())
    if not isinstance(purposes, list | tuple) or isinstance(item["person"], bool):
        raise DataError("Expected the purposes of every objection as a list.", "Mend the list.")
    extra = {name: value for name, value in item.items() if name not in fields}
    return Objection(item["person"], item["date"], tuple(purposes), item.get("withdrawn"), extra)


def day(**named: object) -> datetime.date:
    """A date from YYYY-MM-DD.

    Raises:
        DataError: something else.
    """
    ((name, value),) = named.items()
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    try:
        found = datetime.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.isoformat() != value:
        raise DataError(f"Expected {name} as YYYY-MM-DD, got {name}={value!r}.", "Write it like 2026-03-01.")
    return found
