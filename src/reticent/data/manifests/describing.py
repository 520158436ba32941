"""A manifest made from files: names, sizes, hashes, columns and how many people there are.

Promise: what is counted is counted from the files; what only people can know (purposes, legal basis, the last day) is
left open unless it is given, where the data come from among it. No cell of a table gets into the manifest.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.manifests import describe
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "visits.csv"
    >>> _ = path.write_text("patient,age\\n7,34\\n7,35\\n8,51\\n")
    >>> manifest = describe(path, owner="patient")
    >>> manifest.people.count, manifest.files[0].columns, manifest.lacking
    (2, (('patient', 'whole number'), ('age', 'whole number')), ('sources', 'allowed', 'basis', 'until'))
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from reticent.data.manifests.manifest import File, Manifest, People, content_digest
from reticent.data.tables import Column, Table, open_sources, read
from reticent.data.tables.sources import HowToRead
from reticent.errors import DataError, ReticentError, UsageError

__all__ = ["describe", "described", "file_hash"]

_AT_ONCE = 1 << 20


def describe(
    path: str | Path,
    *,
    owner: str | None = None,
    unit: str = "person",
    name: str | None = None,
    **how: Unpack[HowToRead],
) -> Manifest:
    """A manifest of one file, without what only people can know.

    Args:
        path: of the file.
        owner: the column that says whose a row is.
        unit: whose the rows are: one of `UNITS`.
        name: of the data set; by default the file's without its ending.
        how: what `open_sources` takes; it is written down, and the file is loaded in the same way.

    Raises:
        UsageError: no such file, no such column, or an owner of what cannot be read as a table.
        DataError: a row without an owner.
    """
    place = Path(path)
    file, table, why = described(place, how)
    count = None
    if owner is not None:
        if table is None:
            raise UsageError(
                f"Expected a table in {place.name!r}, since an owner is named, but: {why}", "Leave the owner out."
            )
        count = int((table[owner].counts() > 0).sum())
        if table[owner].missing.any():
            raise DataError(
                f"Expected an owner for every row, got none for {int(table[owner].missing.sum())} of {table.rows}.",
                "Give each of these rows an owner of its own, if nothing else is known.",
            )
    elif table is not None and unit != "nobody":
        count = table.rows
    people = People(unit, count=None if unit == "nobody" else count, owner=owner)
    return Manifest(name or place.stem, people=people, files=(file,))


def described(path: Path, how: HowToRead) -> tuple[File, Table | None, str]:
    """The file's entry, its table where it can be read as one, and else why not.

    Raises:
        UsageError: no such file.
    """
    sha, size = file_hash(path)
    reading = {name: value for name, value in how.items() if value is not None}
    try:
        (source,) = open_sources(path, **how)
        table = read(source)
    except ReticentError as error:
        return File(path.name, sha, size, reading=reading), None, str(error)
    columns = tuple((column.name, _kind(column)) for column in table.columns)
    plain = not source.problems and _as_named(path, source.kind, table.names)
    return File(path.name, sha, size, content_digest(table), columns, reading, plain), table, ""


def _as_named(path: Path, kind: str, names: Sequence[str]) -> bool:
    """Whether readers that know nothing but the file's ending find these columns in it."""
    name = path.name.lower()
    if kind == "json lines":
        return name.removesuffix(".gz").endswith(".jsonl") and not any("." in one for one in names)
    if kind == "parquet":
        import pyarrow.parquet

        return list(pyarrow.parquet.read_schema(path).names) == list(names)
    delimiter = {".csv": ",", ".tsv": "\t"}.get(Path(name.removesuffix(".gz")).suffix)
    if kind != "csv" or delimiter is None:
        return False
    try:
        with (gzip.open if name.endswith(".gz") else open)(path, "rt", encoding="utf-8-sig", newline="") as text:
            first = next(csv.reader(text, delimiter=delimiter), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return first == list(names)


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
