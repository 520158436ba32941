"""A manifest as one sees it on a day: what it says, how many days are left, how many object, and what was loaded.

Promise: plain values for a page (`reticent.reports.manifest`). Objections are counted, in all and by purpose; nobody is
named, and no token stands in it. A loading is listed with what its record says (people before and after, those who
object and match nobody, and the roots against which its proofs are checked), and whether it was made with this very
manifest or with another state of it. A record whose id does not fit its content was refused when it was read.

Example:
    >>> from reticent.data.manifests import Manifest
    >>> from reticent.data.manifests.overview import overview
    >>> seen = overview(Manifest("visits", until="2027-01-01"), today="2026-12-22").body
    >>> seen["days left"], seen["lacking"][:2], seen["objections"]
    (10, ['files', 'sources'], None)
"""

from __future__ import annotations

import collections
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from reticent.data.manifests.manifest import Manifest
from reticent.data.manifests.objections import Objections, day
from reticent.data.manifests.purposes import PURPOSES
from reticent.errors import IntegrityError, UsageError
from reticent.evidence import Record, now, software

__all__ = ["overview"]

_SHOWN = ("name", "purpose", "date", "file", "rows", "people", "objections", "commitment", "left out")


def overview(
    manifest: Manifest,
    *,
    today: str | datetime.date | None = None,
    objections: Objections | None = None,
    loadings: Sequence[Record] = (),
) -> Record:
    """What a page of a manifest shows, as a record of kind "manifest overview".

    Args:
        manifest: which.
        today: the day on which it is seen; by default the computer's date, in UTC.
        objections: the list that it names, if it is at hand.
        loadings: records of loadings (`Loaded.record`).

    Raises:
        UsageError: a record of something else.
        IntegrityError: another list than the one that the manifest names.
    """
    date = datetime.datetime.now(datetime.UTC).date() if today is None else day(today=today)
    return Record(
        "manifest overview",
        {
            "manifest": {name: value for name, value in manifest.as_dict().items() if name != "outside"},
            "digest": manifest.digest,
            "date": date.isoformat(),
            "days left": manifest.days_left(date),
            "lacking": list(manifest.lacking),
            "purposes": [
                {"name": name, "allowed": fine, "identifier": PURPOSES[name].identifier}
                for names, fine in ((manifest.allowed, True), (manifest.prohibited, False))
                for name in names
            ],
            "objections": _counts(manifest, objections, date),
            "loadings": [_loading(one, manifest) for one in loadings],
            "software": software(),
        },
        created=now(),
        parents=tuple(one.id for one in loadings),
    )


def _counts(manifest: Manifest, listed: Objections | None, date: datetime.date) -> dict[str, Any] | None:
    pinned = manifest.objections
    if pinned is None:
        return None
    found: dict[str, Any] = {"list": pinned.name, "kind": pinned.kind, "sha256": pinned.sha256, "counted": None}
    if listed is None:
        return found
    if listed.digest != pinned.sha256:
        raise IntegrityError(
            "Expected the list of objections that the manifest names, got another.", "Fetch both from one place."
        )
    valid = [one for one in listed.listed if one.applies(None, date)]
    purposes = collections.Counter(name for one in valid for name in one.purposes or ("every purpose",))
    return found | {
        "counted": {
            "noted": len(listed.listed),
            "valid": len(valid),
            "taken back": sum(
                one.withdrawn is not None and date >= day(withdrawn=one.withdrawn) for one in listed.listed
            ),
            "people": len({one.person for one in valid}),
            "by purpose": dict(sorted(purposes.items())),
        }
    }


def _loading(record: Record, manifest: Manifest) -> dict[str, Any]:
    body: Mapping[str, Any] = record.body
    if record.kind != "loading":
        raise UsageError(
            f"Expected the record of a loading, got one of {record.kind!r}.",
            "Pass what `manifest load --record` wrote.",
        )
    if body.get("name") != manifest.name:
        raise UsageError(
            f"Expected a loading of {manifest.name!r}, got one of {body.get('name')!r}.",
            "Pass records of this data set.",
        )
    shown = {name: body.get(name) for name in _SHOWN}
    return {
        **shown,
        "record": record.id,
        "created": record.created,
        "this manifest": body["manifest"] == manifest.digest,
    }
