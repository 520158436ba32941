"""The list of objections beside its manifest: read if it is the one that is meant, changed by one process at a time.

Promise: `with_list` reads manifest and list, has the list changed, and writes both, while every other process that
would do the same waits: no objection is lost because two were noted at once. Both change at once: the new list is
written beside the old one (".next"), then the manifest that names it, whole or not at all, and then the list moves to
its place. A stop before the manifest is written leaves everything as it was; after it, `list_of` finds the list where
it still lies, and the next change moves it.

Not covered: who changes the files by other means; folders that are shared by several computers whose file system knows
no locks.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.manifests import Manifest, Objections, save_manifest
    >>> from reticent.data.manifests.lists import list_of, with_list
    >>> place = save_manifest(Manifest("visits"), pathlib.Path(tempfile.mkdtemp()) / "visits.json")
    >>> pinned, count = with_list(place, lambda listed: Objections.plain().objecting(8, on="2026-03-01"))
    >>> pinned.objections.name, count, list_of(pinned, place).listed[0].date
    ('visits.objections.json', 1, '2026-03-01')
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from reticent.data.manifests.croissant import read_manifest, save_manifest
from reticent.data.manifests.manifest import Manifest, Pinned
from reticent.data.manifests.objections import Objections
from reticent.errors import IntegrityError, ReticentError, UsageError
from reticent.evidence import sync_folder
from reticent.evidence.ledger import take_alone

__all__ = ["list_of", "with_list"]

_WAIT: Final = 10.0  # seconds


def list_of(manifest: Manifest, place: Path) -> Objections | None:
    """The list that a manifest names, if it names one.

    Raises:
        IntegrityError: what lies there is another list.
    """
    if manifest.objections is None:
        return None
    path = place.parent / manifest.objections.name
    waiting = _next(path)
    if waiting.exists():
        with contextlib.suppress(ReticentError):
            if (listed := Objections.read(waiting)).digest == manifest.objections.sha256:
                return listed
    listed = Objections.read(path)
    if listed.digest != manifest.objections.sha256:
        raise IntegrityError(
            f"Expected {manifest.objections.name!r} as the manifest names it, got another: older, newer or changed.",
            "Fetch manifest and list again, both from one place.",
        )
    return listed


def with_list(place: Path, change: Callable[[Objections | None], Objections]) -> tuple[Manifest, int]:
    """Change the list of the manifest in a file, and have the manifest name the new one.

    Args:
        place: of the manifest.
        change: makes the new list of the old one, or of None if there is none.

    Returns:
        The manifest as it is now, and how many objections the list holds.

    Raises:
        UsageError: no manifest, a file in the way of a new list, or another process that does not come to its end.
        IntegrityError: the list is not the one that the manifest names.
    """
    with _alone(place):
        found = read_manifest(place)
        listed, name = list_of(found, place), f"{place.name.removesuffix('.json')}.objections.json"
        if found.objections is not None:
            name = found.objections.name
        target = place.parent / name
        if listed is None and target.exists():
            raise UsageError(f"Expected no list yet, but there is a file at {str(target)!r}.", "Move it away.")
        changed = change(listed)
        if (
            listed is not None and _next(target).exists()
        ):  # after a stop, the list that the manifest names may still be waiting
            listed.save(target)
        changed.save(_next(target))
        pinned = dataclasses.replace(found, objections=Pinned(name, changed.digest, changed.kind))
        save_manifest(pinned, place)
        _moved(_next(target), target)
    return pinned, len(changed.listed)


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _moved(path: Path, target: Path) -> None:
    os.replace(path, target)
    sync_folder(target.parent)


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Keep other processes from the list of this manifest; they are waited for."""
    if not place.is_file():
        raise UsageError(f"Expected a manifest at {str(place)!r}, found none.", "Name the file.")
    path, until = place.with_name(f".{place.name}.lock"), time.monotonic() + _WAIT
    with path.open("ab") as file:  # it stays: one that takes it away may take it from somebody else
        while True:
            try:
                take_alone(file, path)
                break
            except UsageError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        yield
