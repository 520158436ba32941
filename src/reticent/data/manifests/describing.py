"""A manifest made from files: names, sizes, hashes, columns and how many people there are.

Promise: what is counted is counted from the files; what only people can know (purposes, legal basis, the last day) is
left open unless it is given. No cell of a table gets into the manifest.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.manifests import describe
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "visits.csv"
    >>> _ = path.write_text("patient,age\\n7,34\\n7,35\\n8,51\\n")
    >>> manifest = describe(path, owner="patient")
    >>> manifest.people.count, manifest.files[0].columns, manifest.lacking
    (2, (('patient', 'whole number'), ('age', 'whole number')), ('allowed', 'basis', 'until'))
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from reticent.data.manifests.manifest import File, Manifest, Origin, People, content_digest
from reticent.data.tables import Column, Table, read
from reticent.errors import DataError, ReticentError, UsageError

__all__ = ["describe", "described", "file_hash"]

_AT_ONCE = 1 << 20


def describe(path: str | Path, *, owner: str | None = None, unit: str = "person", name: str | None = None) -> Manifest:
    """A manifest of one file, without what only people can know.

    Args:
        path: of the file.
        owner: the column that says whose a row is.
        unit: whose the rows are: one of `UNITS`.
        name: of the data set; by default the file's without its ending.

    Raises:
        UsageError: no such file, or no such column.
    """
    place = Path(path)
    file, table = described(place)
    count = None
    if owner is not None:
        if table is None:
            raise UsageError(f"Expected a table in {place.name!r}, got something else.", "Leave the owner out.")
        count = int((table[owner].counts() > 0).sum())
        if table[owner].missing.any():
            raise DataError(
                f"Expected an owner for every row, got none for {int(table[owner].missing.sum())} of {table.rows}.",
                "Give each of these rows an owner of its own, if nothing else is known.",
            )
    elif table is not None and unit != "nobody":
        count = table.rows
    people = People(unit, count=None if unit == "nobody" else count, owner=owner)
    source = Origin(place.name, how="as found in this file; say where it came from")
    return Manifest(name or place.stem, people=people, sources=(source,), files=(file,))


def described(path: Path) -> tuple[File, Table | None]:
    """The file's entry, and its table where it can be read as one.

    Raises:
        UsageError: no such file.
    """
    sha, size = file_hash(path)
    try:
        table = read(path)
    except ReticentError:
        return File(path.name, sha, size), None
    columns = tuple((column.name, _kind(column)) for column in table.columns)
    return File(path.name, sha, size, content_digest(table), columns), table


def file_hash(path: Path) -> tuple[str, int]:
    """SHA-256 of a file's bytes, and how many there are.

    Raises:
        UsageError: no such file.
    """
    sha, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_AT_ONCE):
                sha.update(piece)
                size += len(piece)
    except OSError as error:
        raise UsageError(
            f"Expected a file at {str(path)!r}, but: {error.strerror or error}.", "Check the name."
        ) from error
    return sha.hexdigest(), size


def _kind(column: Column) -> str:
    return "whole number" if np.issubdtype(column.values.dtype, np.integer) else column.kind
