"""Loading with a manifest: refused where it does not allow it, without those who objected, and written down.

Promise: nothing is loaded unless the manifest is complete, allows the purpose, has not run out, and covers exactly
these bytes; and unless the list of objections that belongs to it is at hand, unchanged. Rows of people who objected to
the purpose (or to one that overlaps it) by that day are left out, all of them. What was decided is in a record:
purpose, day, counts before and after, the list's digest, how many people object, how many of them the table names and
how many it does not, and commitments to the people who were kept and to those who were left out. An objection of
somebody whom the table does not name (who is written otherwise there, or is not in it) is warned of.

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
    >>> from reticent.data.manifests import Basis, Origin, describe, load_with
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "visits.csv"
    >>> _ = path.write_text("patient,age\\n7,34\\n7,35\\n8,51\\n")
    >>> manifest = dataclasses.replace(describe(path, owner="patient"), allowed=("health research",),
    ...                                basis=Basis("consent"), until="2030-01-01", sources=(Origin("ward 3"),))
    >>> load_with(manifest, path, purpose="health research", today="2026-11-22").table
    Table(3 rows: patient, age)
    >>> load_with(manifest, path, purpose="marketing", today="2026-11-22")
    Traceback (most recent call last):
    reticent.errors.AccessDenied: Expected a purpose that the manifest 'visits' allows, got purpose='marketing'. ...
"""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from reticent.data.manifests import persons
from reticent.data.manifests.commitments import Kept, commit
from reticent.data.manifests.croissant import read_manifest
from reticent.data.manifests.describing import file_hash
from reticent.data.manifests.features import records_of
from reticent.data.manifests.lists import list_of
from reticent.data.manifests.manifest import File, Manifest, content_digest
from reticent.data.manifests.matching import matched, said_of_unmatched
from reticent.data.manifests.objections import Objections, day
from reticent.data.manifests.proofs import Parted, PersonProof
from reticent.data.manifests.purposes import PURPOSES, allows, conditions, overlap
from reticent.data.records import Records
from reticent.data.tables import Table, read
from reticent.errors import AccessDenied, DataError, DataWarning, IntegrityError, UsageError
from reticent.evidence import Record, now, software
from reticent.privacy.units import Unit

__all__ = ["Loaded", "covered", "load_with", "permitted", "the_list"]


_TRAINING: Final = "AI training"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Loaded:
    """A table that was loaded with a manifest.

    Attributes:
        table: without the rows of those who objected.
        manifest: with which it was loaded.
        body: what was decided, as plain values.
        parted: who was kept and who was left out, for proofs; None where the manifest knows no owners.
        key: of the tokens; secret. Without it nothing can be shown later.
        created: when, in UTC.
    """

    table: Table
    manifest: Manifest
    body: dict[str, Any]
    parted: Parted | None
    key: bytes
    created: str = dataclasses.field(default_factory=now)

    def __repr__(self) -> str:
        return f"Loaded({self.manifest.name}: {self.table.rows} rows, for {self.body['purpose']})"

    def record(self) -> Record:
        """The loading as a record of kind "loading"; it names nobody and holds no key."""
        return Record("loading", self.body, created=self.created)

    @property
    def kept(self) -> Kept | None:
        """The people who were kept."""
        return None if self.parted is None else self.parted.kept

    @property
    def unmatched(self) -> int:
        """How many people object whom the table does not name, as they are spelt in the list."""
        return int((self.body["objections"] or {}).get("unmatched", 0))

    def proof(self, person: object) -> PersonProof:
        """A proof of what became of a person: kept, left out, or never in the file under this spelling.

        Raises:
            UsageError: the manifest knows no owners.
        """
        if self.parted is None:
            raise UsageError("Expected a manifest that says whose a row is, got one without.", "Declare the owner.")
        return self.parted.proof(self.key, person)

    def records(
        self,
        label: str,
        *,
        features: Sequence[str] | None = None,
        ignore: Sequence[str] = (),
        most: int = 100,
        name: str | None = None,
    ) -> Records:
        """The table as records to train on, owners kept; a training of them has the loading's record as its parent.

        Numbers, dates and yes-or-no columns are taken as they are; a text column becomes one column for each of its
        values, called "column: value".

        Args:
            label: the column to predict; its values are numbered in their order.
            features: the columns to predict from; by default all others but the owner's.
            ignore: columns that are no features.
            most: values that a text column may have to become features.
            name: of the records; by default the manifest's.

        Raises:
            AccessDenied: the manifest prohibits training, or people who were kept object to it.
            UsageError: a column that is not there.
            DataError: missing values, fewer than two labels, or a text column of too many values.
        """
        self._require_trainable()
        return records_of(
            self.table,
            label,
            owner=None if self.manifest.people is None else self.manifest.people.owner,
            features=features,
            ignore=ignore,
            most=most,
            name=name or self.manifest.name,
            unit=_unit(self.manifest),
            rests_on=(self.record().id,),
        )

    def _require_trainable(self) -> None:
        purposes, prohibited = self.body["purposes"], self.manifest.prohibited
        if not any(overlap(_TRAINING, one) for one in purposes) and any(overlap(_TRAINING, one) for one in prohibited):
            raise AccessDenied(
                f"Expected data that may be trained on, but the manifest {self.manifest.name!r} prohibits it.",
                conditions(self.manifest.allowed, prohibited),
            )
        objecting = (self.body["objections"] or {}).get("kept, but against training", 0)
        if objecting and not any(overlap(_TRAINING, one) for one in purposes):
            raise AccessDenied(
                f"Expected people who do not object to {_TRAINING}, but {objecting} of those who were kept "
                f"{'does' if objecting == 1 else 'do'}.",
                f"Load for {_TRAINING!r} too (purpose=[...]), which leaves them out; the manifest has to allow it.",
            )


def load_with(
    manifest: Manifest | str | Path,
    data: str | Path | Table,
    *,
    purpose: str | Sequence[str],
    today: str | datetime.date | None = None,
    objections: Objections | None = None,
    key: bytes | None = None,
    expected: str | None = None,
) -> Loaded:
    """Load a table as its manifest allows.

    Args:
        manifest: of the data set, or the path of its file; then the list of objections beside it is read too.
        data: the file; or a table in memory that holds exactly what one of the manifest's files does.
        purpose: what it is loaded for, one of `PURPOSES`, or several, each of which has to be allowed: objections to
            any of them count.
        today: the day of use; by default the computer's date, in UTC.
        objections: the list that the manifest names.
        key: 32 bytes, with which people become tokens: the list's if it is a keyed one; drawn anew by default.
        expected: the digest that the manifest has to have.

    Raises:
        AccessDenied: the purpose is not allowed, the last day has passed, or the manifest does not cover this file.
        IntegrityError: a file, list or manifest other than the one that was meant.
        DataError: the manifest lacks something, or a row has no owner.
        UsageError: something that is no manifest or no data, or a list of objections that is missing.

    Warns:
        UserWarning: people object whom the table does not name.
    """
    manifest, objections = _read(manifest, objections)
    date = datetime.datetime.now(datetime.UTC).date() if today is None else day(today=today)
    if expected is not None and manifest.digest != expected:
        raise IntegrityError("Expected the manifest with the given digest, got another.", "Fetch it again.")
    purposes = tuple(purpose) if isinstance(purpose, list | tuple) else (purpose,)
    if not purposes:
        raise UsageError("Expected a purpose, got none.", "Say what the data are loaded for.")
    permitted(manifest, purposes, date)
    listed = the_list(manifest, objections, key)
    table, file = covered(manifest, data)
    secret = persons.new_key() if key is None else key
    body: dict[str, Any] = {
        "manifest": manifest.digest,
        "name": manifest.name,
        "purpose": " and ".join(purposes),
        "purposes": list(purposes),
        "date": date.isoformat(),
        "file": {"name": file.name, "sha256": file.sha256, "content": file.content},
        "rows": {"before": table.rows, "after": table.rows},
        "people": None,
        "objections": None if listed is None else {"sha256": listed.digest, "kind": listed.kind},
        "commitment": None,
        "left out": None,
        "software": software(),
    }
    owner = None if manifest.people is None else manifest.people.owner
    if owner is None:
        if listed is not None and listed.listed:
            raise DataError(
                "Expected a column that says whose a row is, since some people objected; the manifest names none.",
                "Declare the owner column in the manifest.",
            )
        return Loaded(table, manifest, body, None, secret)
    loaded = _without(table, owner, listed, Loaded(table, manifest, body, None, secret), date)
    if listed is not None and (said := said_of_unmatched(loaded.body["objections"])):
        warnings.warn(said, DataWarning, stacklevel=2)
    return loaded


def _without(table: Table, owner: str, listed: Objections | None, before: Loaded, date: datetime.date) -> Loaded:
    """What was loaded, without those who objected."""
    key, purposes = before.key, before.body["purposes"]
    found = matched(table, owner, listed, key, purposes=purposes, on=date)
    kept = table.take(~found.objects[table[owner].compacted().codes])
    if not kept.rows:
        raise DataError("Expected somebody who did not object, got nobody.", "There is nothing to load.")
    parted = Parted(
        commit(key, found.people[~found.objects].tolist()), commit(key, found.people[found.objects].tolist())
    )
    held, out = parted.commitments
    body = before.body | {
        "rows": {"before": table.rows, "after": kept.rows},
        "people": {"before": len(found.people), "after": int((~found.objects).sum())},
        "commitment": held.as_dict(),
        "left out": out.as_dict(),
    }
    if listed is not None:
        against = frozenset[str]().union(*(listed.of(one, on=date) for one in purposes))
        further = listed.of(_TRAINING, on=date) - against  # most objections are against everything, or nothing of this
        training = matched(kept, owner, listed, key, purposes=(_TRAINING,), on=date).found if further else 0
        body["objections"] = {**body["objections"], **found.counts, "kept, but against training": training}
    return Loaded(kept, before.manifest, body, parted, key, before.created)


def _read(manifest: Manifest | str | Path, given: Objections | None) -> tuple[Manifest, Objections | None]:
    if isinstance(manifest, Manifest):
        return manifest, given
    if not isinstance(manifest, str | Path):
        raise UsageError(
            f"Expected a manifest or the path of one, got {type(manifest).__name__}.",
            "Pass the path of a file that `reticent manifest init` wrote, or what read_manifest gave.",
        )
    found = read_manifest(manifest)
    return found, list_of(found, Path(manifest)) if given is None else given


def permitted(manifest: Manifest, purposes: Sequence[str], date: datetime.date) -> None:
    """Refuse what a manifest does not allow on a day.

    Raises:
        DataError: it lacks something.
        AccessDenied: the last day has passed, or one of the purposes is not allowed, or on no list at all.
    """
    if manifest.lacking:
        raise DataError(
            f"Expected a complete manifest of {manifest.name!r}, but it lacks {', '.join(manifest.lacking)}.",
            "Declare it: `reticent manifest init` has an option for each of them.",
        )
    manifest.require_not_expired(date)
    for purpose in purposes:
        _allowed(manifest, purpose)


def _allowed(manifest: Manifest, purpose: str) -> None:
    said = conditions(manifest.allowed, manifest.prohibited)
    if not isinstance(purpose, str) or purpose not in PURPOSES:
        near = difflib.get_close_matches(str(purpose), PURPOSES, n=1)
        nearest = f"Did you mean {near[0]!r}?" if near else ""
        raise AccessDenied(
            f"Expected a purpose that the manifest {manifest.name!r} allows, got purpose={purpose!r}, which is none of "
            "those that can be declared.",
            f"{nearest} {said} `reticent manifest purposes` lists all.".strip(),
        )
    if not allows(purpose, allowed=manifest.allowed, prohibited=manifest.prohibited):
        touched = [one for one in manifest.prohibited if overlap(purpose, one) and one != purpose]
        why = f" It overlaps with {', '.join(touched)}, which is prohibited." if touched else ""
        raise AccessDenied(
            f"Expected a purpose that the manifest {manifest.name!r} allows, got purpose={purpose!r}.{why}",
            f"{said} Ask whoever answers for the data.",
        )


def the_list(manifest: Manifest, given: Objections | None, key: bytes | None) -> Objections | None:
    """The list of objections, if it is the one that the manifest names and its key is at hand.

    Raises:
        UsageError: the list or its key is missing.
        IntegrityError: another list.
    """
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
    if given.kind == "keyed" and key is None:
        raise UsageError("Expected the key of the list of objections, got none.", "Pass key=, or --key FILE.")
    return given


def covered(manifest: Manifest, data: str | Path | Table) -> tuple[Table, File]:
    """The table, and the manifest's entry of the file that holds it.

    Raises:
        UsageError: something that is neither a path nor a table.
        AccessDenied: the manifest does not cover it.
        IntegrityError: the file is of the name but not of the bytes that the manifest has.
    """
    if isinstance(data, Table):
        content = content_digest(data)
        match = next((one for one in manifest.files if one.content == content), None)
        if match is None:
            raise AccessDenied(
                f"Expected a table that one of the files of {manifest.name!r} holds, got another.",
                "Load the whole file first, and choose rows and columns afterwards.",
            )
        return data, match
    if not isinstance(data, str | Path):
        raise UsageError(
            f"Expected the path of a file or a Table, got {type(data).__name__}.",
            "Pass the path: a manifest is for the bytes of a file. Table.of(...) will do if it holds exactly the same.",
        )
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


def _unit(manifest: Manifest) -> Unit:
    return Unit.PERSON if manifest.people is not None and manifest.people.unit == "person" else Unit.EXAMPLE
