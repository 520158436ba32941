"""Loading with a manifest: refused where it does not allow it, without those who objected, and written down.

Promise: nothing is loaded unless the manifest is complete, allows the purpose, has not run out, and covers exactly
these bytes; and unless the list of objections that belongs to it is at hand, unchanged. Rows of people who objected to
the purpose (or to one that overlaps it) by that day are left out, all of them. What was decided is in a record:
purpose, day, counts before and after, the list's digest, how many people object and how many of them the table names,
and a commitment to the people who were kept. An identifier that is written otherwise in the list than in the table is
found by those two counts alone.

What the record proves: which people were *declared* to be kept, of which file, under which list. Anybody's absence can
be shown later (`Loaded.proof`) without naming the others; `reticent.data.manifests.commitments` says to whom, and what
that takes. What it does not prove: that a training used this table and no other. A training of `Loaded.records`
names this record as a parent, which says what was meant to be used.

Refusals: `AccessDenied` (exit code 4) for purpose, date and files that are not covered; `IntegrityError` (5) for a file
or list that differs; `DataError` (2) for a manifest that lacks something and for rows without an owner.

Not covered: one who can edit the manifest can allow anything (its digest then differs: compare it). An old manifest
with its old list is not recognised as old; pass `expected` to fix the digest. The day of use is the computer's, or what
`today` says: the record has both it and when it was made. Where the manifest names no owner column
each row is a person of its own: then nobody can be found by an identifier, and a list of objections is refused.

Example:
    >>> import dataclasses, pathlib, tempfile
    >>> from reticent.data.manifests import Basis, describe, load_with
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "visits.csv"
    >>> _ = path.write_text("patient,age\\n7,34\\n7,35\\n8,51\\n")
    >>> manifest = dataclasses.replace(describe(path, owner="patient"), allowed=("health research",),
    ...                                basis=Basis("consent"), until="2030-01-01")
    >>> load_with(manifest, path, purpose="health research", today="2026-11-22").table
    Table(3 rows: patient, age)
    >>> load_with(manifest, path, purpose="marketing", today="2026-11-22")
    Traceback (most recent call last):
    reticent.errors.AccessDenied: Expected a purpose that the manifest 'visits' allows, got purpose='marketing'. ...
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.manifests import persons
from reticent.data.manifests.commitments import Kept, Proof, commit
from reticent.data.manifests.describing import file_hash
from reticent.data.manifests.manifest import File, Manifest, content_digest
from reticent.data.manifests.objections import Objections, day
from reticent.data.manifests.purposes import allows, known
from reticent.data.records import Records
from reticent.data.tables import Table, read
from reticent.errors import AccessDenied, DataError, IntegrityError, UsageError
from reticent.evidence import Record, now, software
from reticent.privacy.units import Unit

__all__ = ["Loaded", "load_with"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Loaded:
    """A table that was loaded with a manifest.

    Attributes:
        table: without the rows of those who objected.
        manifest: with which it was loaded.
        body: what was decided, as plain values.
        kept: the people who were kept, for proofs; None where the manifest knows no owners.
        key: of the tokens; secret. Without it nothing can be shown later.
        created: when, in UTC.
    """

    table: Table
    manifest: Manifest
    body: dict[str, Any]
    kept: Kept | None
    key: bytes
    created: str = dataclasses.field(default_factory=now)

    def __repr__(self) -> str:
        return f"Loaded({self.manifest.name}: {self.table.rows} rows, for {self.body['purpose']})"

    def record(self) -> Record:
        """The loading as a record of kind "loading"; it names nobody and holds no key."""
        return Record("loading", self.body, created=self.created)

    def proof(self, person: object) -> Proof:
        """A proof of a person's absence from those who were kept, or of their presence.

        Raises:
            UsageError: the manifest knows no owners.
        """
        if self.kept is None:
            raise UsageError("Expected a manifest that says whose a row is, got one without.", "Declare the owner.")
        return self.kept.proof(self.key, person)

    def records(self, label: str, *, features: Sequence[str] | None = None, name: str | None = None) -> Records:
        """The table as records to train on, owners kept; a training of them has the loading's record as its parent.

        Numbers, dates and yes-or-no columns are taken as they are; a text column becomes one column for each of its
        values.

        Args:
            label: the column to predict; its values are numbered in their order.
            features: the columns to predict from; by default all others but the owner's.
            name: of the records; by default the manifest's.

        Raises:
            UsageError: a column that is not there.
            DataError: missing values, or fewer than two labels.
        """
        owner = None if self.manifest.people is None else self.manifest.people.owner
        chosen = [one for one in self.table.names if one not in (label, owner)] if features is None else list(features)
        self.table.require([label, *chosen])
        columns, names, facts = [], [], []
        for one in chosen:
            made, made_names = _columns(self.table, one)
            columns.append(made)
            names += made_names
            facts += [f"which values there are in column {one!r}"] if len(made_names) > 1 else []
        labels = self.table[label].compacted()
        _refuse_missing(self.table, label)
        found = Records(
            np.concatenate(columns, axis=1) if columns else np.zeros((self.table.rows, 0)),
            labels.codes.astype(np.int64),
            classes=max(2, len(labels.values)),
            name=name or self.manifest.name,
            unit=None if owner is not None else _unit(self.manifest),
            owners=None if owner is None else _owners(self.table, owner),
            feature_names=names,
            public_facts=facts,
            rests_on=(self.record().id,),
        )
        return found.require_two_classes()


def load_with(
    manifest: Manifest,
    data: str | Path | Table,
    *,
    purpose: str,
    today: str | datetime.date | None = None,
    objections: Objections | None = None,
    key: bytes | None = None,
    expected: str | None = None,
) -> Loaded:
    """Load a table as its manifest allows.

    Args:
        manifest: of the data set.
        data: the file; or a table in memory that holds exactly what one of the manifest's files does.
        purpose: what it is loaded for, one of `PURPOSES`.
        today: the day of use; by default the computer's date, in UTC.
        objections: the list that the manifest names.
        key: 32 bytes, with which people become tokens: the list's if it is a keyed one; drawn anew by default.
        expected: the digest that the manifest has to have.

    Raises:
        AccessDenied: the purpose is not allowed, the last day has passed, or the manifest does not cover this file.
        IntegrityError: a file, list or manifest other than the one that was meant.
        DataError: the manifest lacks something, or a row has no owner.
        UsageError: a purpose that is not on the list, or a list of objections that is missing.
    """
    date = datetime.datetime.now(datetime.UTC).date() if today is None else day(today=today)
    if expected is not None and manifest.digest != expected:
        raise IntegrityError("Expected the manifest with the given digest, got another.", "Fetch it again.")
    _allowed(manifest, known(purpose), date)
    listed = _list(manifest, objections)
    if listed is not None and listed.kind == "keyed" and key is None:
        raise UsageError("Expected the key of the list of objections, got none.", "Pass key=, or --key FILE.")
    table, file = _covered(manifest, data)
    owner = None if manifest.people is None else manifest.people.owner
    secret = persons.new_key() if key is None else key
    body: dict[str, Any] = {
        "manifest": manifest.digest,
        "name": manifest.name,
        "purpose": purpose,
        "date": date.isoformat(),
        "file": {"name": file.name, "sha256": file.sha256, "content": file.content},
        "rows": {"before": table.rows, "after": table.rows},
        "people": None,
        "objections": None if listed is None else {"sha256": listed.digest, "kind": listed.kind},
        "commitment": None,
        "software": software(),
    }
    if owner is None:
        if listed is not None and listed.listed:
            raise DataError(
                "Expected a column that says whose a row is, since some people objected; the manifest names none.",
                "Declare the owner column in the manifest.",
            )
        return Loaded(table, manifest, body, None, secret)
    kept, people = _without(table, owner, listed, purpose, date, secret)
    held = commit(secret, people[1].tolist())
    if listed is not None:
        against = listed.of(purpose, on=date)
        body["objections"] |= {"people": len(against), "found": len(people[0]) - len(people[1])}
    body["rows"]["after"] = kept.rows
    body["people"] = {"before": len(people[0]), "after": len(people[1])}
    body["commitment"] = held.commitment.as_dict()
    return Loaded(kept, manifest, body, held, secret)


def _allowed(manifest: Manifest, purpose: str, date: datetime.date) -> None:
    if manifest.lacking:
        raise DataError(
            f"Expected a complete manifest of {manifest.name!r}, but it lacks {', '.join(manifest.lacking)}.",
            "Declare it: see `reticent manifest check`.",
        )
    if not allows(purpose, allowed=manifest.allowed, prohibited=manifest.prohibited):
        prohibited = f", but for {', '.join(manifest.prohibited)}" if manifest.prohibited else ""
        raise AccessDenied(
            f"Expected a purpose that the manifest {manifest.name!r} allows, got purpose={purpose!r}.",
            f"It allows {', '.join(manifest.allowed)}{prohibited}. Ask whoever answers for the data.",
        )
    if date > day(until=manifest.until):
        raise AccessDenied(
            f"Expected data that may be kept on {date}, but those of {manifest.name!r} were to be used until "
            f"{manifest.until}.",
            "Delete them, or have the date looked at by whoever answers for the data.",
        )


def _list(manifest: Manifest, given: Objections | None) -> Objections | None:
    pinned = manifest.objections
    if pinned is None:
        if given is not None and given.listed:
            raise IntegrityError(
                "Expected no list of objections, since the manifest names none, got one.",
                "Let the manifest name it: `reticent manifest object` does.",
            )
        return None
    if given is None:
        raise UsageError(
            f"Expected the list of objections {pinned.name!r} that the manifest names, got none.",
            "Pass objections=Objections.read(path).",
        )
    if given.digest != pinned.sha256:
        raise IntegrityError(
            "Expected the list of objections that the manifest names, got another: older, newer or changed.",
            "Fetch manifest and list again, both from one place.",
        )
    return given


def _covered(manifest: Manifest, data: str | Path | Table) -> tuple[Table, File]:
    if isinstance(data, Table):
        content = content_digest(data)
        match = next((one for one in manifest.files if one.content == content), None)
        if match is None:
            raise AccessDenied(
                f"Expected a table that one of the files of {manifest.name!r} holds, got another.",
                "Load the whole file first, and choose rows and columns afterwards.",
            )
        return data, match
    path = Path(data)
    before = file_hash(path)[0]
    found = next((one for one in manifest.files if one.sha256 == before), None)
    if found is None:
        if any(Path(one.name).name == path.name for one in manifest.files):
            raise IntegrityError(
                f"Expected {path.name!r} as the manifest of {manifest.name!r} has it, got other bytes.",
                "Fetch the file again, or describe the new one in a new manifest.",
            )
        raise AccessDenied(
            f"Expected a file that the manifest of {manifest.name!r} covers, got {path.name!r}.",
            "Describe it in a manifest first: `reticent manifest init FILE`.",
        )
    table = read(path, **found.reading)
    if file_hash(path)[0] != before:
        raise IntegrityError(f"Expected {path.name!r} not to change while it is read, but it did.", "Load it again.")
    return table, found


def _without(
    table: Table, owner: str, listed: Objections | None, purpose: str, date: datetime.date, key: bytes
) -> tuple[Table, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """The table without those who objected; all people, and those who are kept."""
    column = table[owner].compacted()
    if column.missing.any():
        raise DataError(
            f"Expected an owner for every row, got none for {int(column.missing.sum())} of {table.rows}.",
            "Give each of these rows an owner of its own, if nothing else is known.",
        )
    against = frozenset() if listed is None else listed.of(purpose, on=date)
    if listed is None:
        stays = np.ones(len(column.values), dtype=bool)
    else:
        stays = np.array([listed.naming(one, key) not in against for one in column.values.tolist()], dtype=bool)
    kept = table.take(stays[column.codes])
    if not kept.rows:
        raise DataError("Expected somebody who did not object, got nobody.", "There is nothing to load.")
    return kept, (column.values, column.values[stays])


def _owners(table: Table, owner: str) -> npt.NDArray[Any]:
    """The identifiers themselves: numbers of their own would mean other people in another table."""
    column = table[owner]
    values = column.values.astype(str) if column.kind == "text" else column.values
    return np.asarray(values[column.codes])


def _columns(table: Table, name: str) -> tuple[npt.NDArray[np.float64], list[str]]:
    _refuse_missing(table, name)
    column = table[name].compacted()
    if column.kind != "text":
        return column.numbers()[:, None], [name]
    hot = column.codes[:, None] == np.arange(len(column.values))[None, :]
    return hot.astype(np.float64), [f"{name}={value}" for value in column.values.tolist()]


def _refuse_missing(table: Table, name: str) -> None:
    count = int(table[name].missing.sum())
    if count:
        raise DataError(
            f"Expected a value in every row of column {name!r}, got none in {count}.", "Fill them, or drop the rows."
        )


def _unit(manifest: Manifest) -> Unit:
    return Unit.PERSON if manifest.people is not None and manifest.people.unit == "person" else Unit.EXAMPLE
