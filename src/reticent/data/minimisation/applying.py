"""A map applied to a file or a table of a database, however large, into a file.

Promise: the result appears whole or not at all, and does not depend on how large the pieces were. Parquet holds numbers
as float64, dates to the microsecond.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.minimisation.applying import apply_file
    >>> from reticent.data.minimisation.mapping import Generalisation, Mapped
    >>> from reticent.data.minimisation.rules import Banded, Dropped
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "all.csv").write_text("name,age\\nAnn,34\\nBob,51\\n")
    >>> ages = Mapped("age", "number", Banded((40.0,), (30.0, 60.0)))
    >>> less = Generalisation((Mapped("name", "text", Dropped()), ages))
    >>> done = apply_file(less, folder / "all.csv", folder / "less.csv")
    >>> (folder / "less.csv").read_text(), done.rows
    ('age\\n30\\n60\\n', 2)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from reticent.data.minimisation.mapping import Generalisation
from reticent.data.tables import Problem, Table, open_sources
from reticent.data.tables.columns import arrow
from reticent.errors import DataError, UsageError

__all__ = ["ENDINGS", "Written", "apply_file"]

ENDINGS: Final = (".csv", ".parquet", ".jsonl")


class Written(NamedTuple):
    """What was written.

    Attributes:
        path: where.
        rows: how many.
        columns: their names.
        problems: what could not be read as it should.
    """

    path: Path
    rows: int
    columns: tuple[str, ...]
    problems: tuple[Problem, ...]


def apply_file(
    less: Generalisation,
    where: str | Path,
    target: str | Path,
    *,
    missing: Sequence[str] = ("",),
    header: bool | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Written:
    """Write what a map keeps of a file.

    Args:
        less: the map.
        where: one table, as `open_sources` takes it.
        target: a path that ends in .csv, .parquet or .jsonl.
        missing: texts that mean a missing value.
        header: whether the first row of a CSV file names the columns; by default that is found out.
        progress: told (stage, rows done, rows done).

    Raises:
        UsageError: several tables, another ending, a column that is missing, or a place that cannot be written.
        DataError: no rows.
    """
    path = Path(target)
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"Expected a path that ends in {', '.join(ENDINGS)}, got {str(path)!r}.", "Choose another.")
    sources = open_sources(where, header=header)
    if len(sources) != 1:
        raise UsageError(f"Expected one table, got {len(sources)}.", "Name one of them.")
    counts: dict[tuple[str, str], int] = {}
    rows, names = 0, tuple[str, ...]()
    with _new(path) as temporary, _writer(less, temporary, path.suffix.lower()) as write:
        for table, problems in less.pieces(sources[0], missing=missing):
            if not table.rows:
                continue
            write(table)
            rows, names = rows + table.rows, table.names
            for one in problems:
                counts[one.what, one.where] = counts.get((one.what, one.where), 0) + one.count
            if progress is not None:
                progress("rows", rows, rows)
        if not rows:
            raise DataError(f"Expected at least one row in {sources[0].name}, got none.", "Check the file.")
    found = tuple(Problem(what, at, count) for (what, at), count in counts.items())
    return Written(path, rows, names, (*sources[0].problems, *found))


@contextmanager
def _new(path: Path) -> Iterator[Path]:
    """A file beside the path that takes its place when the block is done, and is gone if it fails."""
    temporary = path.parent / f".{path.name}.{os.urandom(8).hex()}{path.suffix.lower()}"
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UsageError(
            f"Expected a file that can be written, got {str(path)!r}: {error.strerror}.", "Choose another place."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _writer(less: Generalisation, path: Path, ending: str) -> Iterator[Callable[[Table], None]]:
    if ending == ".parquet":
        with _parquet(less, path) as write:
            yield write
        return
    part = path.with_name(f"{path.name}.part{ending}")
    with path.open("wb") as stream:

        def append(table: Table) -> None:
            content = table.save(part).read_bytes()
            head = (
                Table(column.take(np.zeros(0, dtype=np.int64)) for column in table.columns).save(part).read_bytes()
                if stream.tell()
                else b""
            )
            stream.write(content[len(head) :])

        try:
            yield append
            stream.flush()
            os.fsync(stream.fileno())
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _parquet(less: Generalisation, path: Path) -> Iterator[Callable[[Table], None]]:
    pa = arrow()
    import pyarrow.parquet as pq

    types = {"number": pa.float64(), "date": pa.timestamp("us"), "yes or no": pa.bool_(), "text": pa.string()}
    known = {one.name: one.kind for one in less.kept}  # a column of a piece may have nothing but missing cells
    opened: list[Any] = []

    def append(table: Table) -> None:
        batch = table.to_arrow()
        if not opened:
            kinds = [(column.name, types[known.get(column.name, column.kind)]) for column in table.columns]
            opened.append(pq.ParquetWriter(path, pa.schema(kinds)))
        opened[0].write_table(batch.cast(opened[0].schema))

    try:
        yield append
    finally:
        for one in opened:
            one.close()
