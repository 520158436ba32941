"""Where tables come from, read in pieces, so that what is larger than the memory can be read too.

Promise: `open_sources` finds what is there without reading it; a `Source` gives its rows in order, in pieces of bounded
size, however large it is. What cannot be read as it should is counted and said (`problems`), with places and never with
contents; nothing is dropped in silence.

Shapes: a piece is an arrow record batch; CSV, JSON lines and text give texts, Parquet and SQL what they hold.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.tables import open_sources, read
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("age,zip\\n34,02139\\n51,10001\\n")
    >>> (source,) = open_sources(path)
    >>> source.name, [piece.batch.num_rows for piece in source.pieces()], read(path)["age"].values.tolist()
    ('people.csv', [2], [34, 51])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from reticent.data.tables.columns import Column, arrow
from reticent.data.tables.table import Table
from reticent.errors import DataError, UsageError

__all__ = ["Piece", "Problem", "Source", "open_sources", "read"]

ROWS_AT_ONCE = 1 << 16


class Piece(NamedTuple):
    """Some rows of a source.

    Attributes:
        batch: an arrow record batch of them.
        first: the number of the first one, from 0.
    """

    batch: Any
    first: int


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something that a source could not be read as.

    Attributes:
        what: it is, in words, without contents.
        where: the first places, in words ("line 17").
        count: how often.
    """

    what: str
    where: str
    count: int


class Source(Protocol):
    """One table, or one text."""

    @property
    def name(self) -> str:
        """What to call it: a path below the folder that was asked for, or a table's name."""

    @property
    def kind(self) -> str:
        """Of "csv", "parquet", "json lines", "text", "sql", "frame"."""

    @property
    def bytes(self) -> int | None:
        """How large it is, if that is known before it is read."""

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = ROWS_AT_ONCE) -> Iterator[Piece]:
        """Its rows in order, so many at a time; some columns, or all of them."""

    @property
    def problems(self) -> Sequence[Problem]:
        """What the last reading came upon; complete when `pieces` is used up."""


@dataclasses.dataclass
class _Delimited:
    path: Path
    name: str
    kind: str = "csv"
    problems: Sequence[Problem] = ()

    @property
    def bytes(self) -> int | None:
        return self.path.stat().st_size

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = ROWS_AT_ONCE) -> Iterator[Piece]:
        arrow()
        import pyarrow as pa
        import pyarrow.csv

        with pyarrow.csv.open_csv(self.path) as head:
            names = head.schema.names
        kept = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=list(columns) if columns is not None else None,
            strings_can_be_null=False,
        )
        first = 0
        with pyarrow.csv.open_csv(self.path, convert_options=kept) as reader:
            for batch in reader:
                yield Piece(batch, first)
                first += batch.num_rows


@dataclasses.dataclass
class _Parquet:
    path: Path
    name: str
    kind: str = "parquet"
    problems: Sequence[Problem] = ()

    @property
    def bytes(self) -> int | None:
        return self.path.stat().st_size

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = ROWS_AT_ONCE) -> Iterator[Piece]:
        arrow()
        import pyarrow.parquet

        first = 0
        with pyarrow.parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=list(columns) if columns is not None else None):
                yield Piece(batch, first)
                first += batch.num_rows


def open_sources(where: str | Path) -> list[Source]:
    """The tables and texts behind a path.

    Raises:
        UsageError: there is nothing, or nothing that can be read.
    """
    path = Path(where)
    if path.suffix == ".csv" and path.is_file():
        return [_Delimited(path, path.name)]
    if path.suffix == ".parquet" and path.is_file():
        return [_Parquet(path, path.name)]
    raise UsageError(f"Expected a file of a kind that can be read, got {str(where)!r}.", "Name a CSV or Parquet file.")


def read(where: str | Path, *, columns: Sequence[str] | None = None, missing: Collection[str] = ("",)) -> Table:
    """One table, whole, in memory; columns of texts become numbers and dates where all cells are written like that.

    Args:
        where: what `open_sources` takes; exactly one table must be there.
        columns: only these.
        missing: texts that mean a missing value.

    Raises:
        UsageError: several tables, or none.
        DataError: it has no rows.
    """
    pa = arrow()
    sources = open_sources(where)
    if len(sources) != 1:
        raise UsageError(f"Expected one table, got {len(sources)}.", "Name one of them.")
    batches = [piece.batch for piece in sources[0].pieces(columns)]
    if not sum(batch.num_rows for batch in batches):
        raise DataError(f"Expected at least one row in {sources[0].name}, got none.", "Check the file.")
    found = pa.Table.from_batches(batches)
    return Table(
        Column.inferred(name, found.column(name), missing=missing)
        if pa.types.is_string(found.schema.field(name).type)
        else Column.of(name, found.column(name))
        for name in found.column_names
    )
