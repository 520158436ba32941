"""One table whole in memory, or a uniform random sample of its rows.

Promise: `read` gives all rows or none: it refuses a source of which rows are lost, and a table that would not fit into
memory, before memory is full; what else was odd is a warning. `sample` takes every subset of so many rows with the same
probability, in one pass, and gives them in their order; the same seed gives the same rows, however the source is cut
into pieces.

How: cells are coded by their distinct values as they come. For a sample, each row draws a key of 64 bits, and those
with the smallest keys stay (a reservoir by random keys, as in Efraimidis and Spirakis, 2006, with equal weights); two
equal keys, the only bias, have probability below n^2 / 2^65.

Shapes: `Sample.table` has the rows, `numbers` (rows,) int64 ascending their numbers in the source.

Example:
    >>> from reticent.data.tables import Table, open_sources, sample
    >>> from reticent.randomness import Randomness
    >>> (source,) = open_sources({"age": list(range(1000))})
    >>> few = sample(source, 3, Randomness.simulated(0))
    >>> few.seen, few.table.rows, len(few.numbers)
    (1000, 3, 3)
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Unpack

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.tables.columns import arrow
from reticent.data.tables.kinds import Declared, decided, looks_like_dates
from reticent.data.tables.pieces import Notes, Piece, Problem, Source
from reticent.data.tables.sources import HowToRead, open_sources
from reticent.data.tables.sql import address_of, is_address
from reticent.data.tables.table import Table
from reticent.errors import DataError, DataWarning, UsageError
from reticent.randomness import Randomness, required

__all__ = ["Sample", "as_table", "available_memory", "called", "read", "read_all", "sample"]

_OBJECT: Final = 60  # bytes that Python needs for a text, beside its letters
_FRESH: Final = 1 << 22  # bytes of distinct values after which those of several pieces become one list
_LARGEST: Final = 1 << 31


class Sample(NamedTuple):
    """Rows drawn from a source.

    Attributes:
        table: of them, in their order.
        numbers: (rows,) int64, their numbers in the source, from 0.
        seen: how many rows the source has.
    """

    table: Table
    numbers: npt.NDArray[np.int64]
    seen: int


def read(
    where: Any,
    *,
    columns: Sequence[str] | None = None,
    missing: Collection[str] = ("",),
    rows: int | None = None,
    randomness: Randomness | None = None,
    memory: int | None = None,
    kinds: Mapping[str, str] | None = None,
    dates: Mapping[str, str | Sequence[str]] | None = None,
    **how: Unpack[HowToRead],
) -> Table:
    """One table, whole, in memory; texts become numbers and dates where all cells of a column are written like that.

    Text that a Parquet file, a frame or a database declares as text stays text, unless all of it is dates, which may be
    written in several ways (`reticent.data.tables.kinds`). A column that looks like dates only in part stays text, with
    a warning.

    Args:
        where: what `open_sources` takes, exactly one table; or a `Source`.
        columns: only these.
        kinds: column to what it holds, if that is known: "number", "date", "yes or no" or "text". Cells that do not fit
            are missing, with a warning that counts them.
        dates: column to the formats of its dates: "%d.%m.%Y", or several of them.
        missing: texts that mean a missing value.
        rows: a uniform random sample of so many.
        randomness: where it comes from.
        memory: bytes that the table may take; by default half of what is free.
        how: what `open_sources` takes.

    Raises:
        UsageError: several tables, or none; a column that is not there; a sample without randomness.
        DataError: it has no rows, rows are lost, or it does not fit into memory; or a column is said to hold dates, and
            it cannot be told whether day or month comes first.
    """
    source, declared, notes = _only(where, how), Declared.of(kinds, dates), Notes()
    if (rows is None) != (randomness is None):
        raise UsageError("Expected rows and randomness for a sample, got one of them.", "Pass both, or none.")
    if rows is not None and randomness is not None:
        table = sample(source, rows, randomness, columns=columns, missing=missing).table
    else:
        table = _whole(source, columns, missing, memory)
    declared.require(table.names)
    return _said(source, _decided(table, declared, notes), notes)


def read_all(
    several: Sequence[Any],
    *,
    kinds: Mapping[str, str] | None = None,
    dates: Mapping[str, str | Sequence[str]] | None = None,
    **how: Unpack[HowToRead],
) -> list[Table]:
    """Tables that are looked at together, read alike; a column that is named is to be in one of them at least.

    Args:
        several: each what `read` takes.
        kinds: as of `read`.
        dates: as of `read`.
        how: as of `read`, for each of them.

    Raises:
        UsageError, DataError: as `read`.
    """
    declared, found = Declared.of(kinds, dates), []
    for where in several:
        source, notes = _only(where, how), Notes()
        found.append(_said(source, _decided(_whole(source, None, ("",), None), declared, notes), notes))
    declared.require(list(dict.fromkeys(name for table in found for name in table.names)))
    return found


def _whole(source: Source, columns: Sequence[str] | None, missing: Collection[str], memory: int | None) -> Table:
    limit = available_memory() // 2 if memory is None else _checks.at_least(1, memory=memory)
    growing = _Growing(source.name, limit)
    for piece in source.pieces(columns):
        growing.add(piece.batch)
    return growing.table(source, missing)


def as_table(data: Any, **how: Any) -> Table:
    """What somebody means by a table: a `Table` as it is; what is at a path or behind an address, or in a frame.

    Args:
        data: a `Table`, a frame of pandas or polars, an arrow table, a dictionary of columns, a path, or the address of
            a database and, behind a #, the table in it.
        how: what `read` takes; not with a `Table`.

    Raises:
        UsageError, DataError: as `read`.
    """
    if not isinstance(data, Table):
        return read(data, **how)
    for column in data.columns:
        if column.kind == "text" and column.written is None and len(column.values):
            cells, looking, read_ones = looks_like_dates(column)
            if read_ones == cells > 0:
                warnings.warn(
                    f"Column {column.name!r} is text, though all {looking} cells of it are dates; "
                    "read(table) makes them dates.",
                    DataWarning,
                    stacklevel=3,
                )
    return data


def called(data: Any, otherwise: str = "a table in memory") -> str:
    """What to call a table in a report: the name of its file, or of the table in a database, and no more of an
    address, which may hold a password."""
    if not isinstance(data, str | os.PathLike):
        return otherwise
    text = os.fspath(data)
    return (address_of(text)[1] or "a database") if is_address(text) else Path(text).name


def _decided(table: Table, declared: Declared, notes: Notes) -> Table:
    return Table(decided(column, declared, notes) for column in table.columns)


def sample(
    source: Source,
    rows: int,
    randomness: Randomness,
    *,
    columns: Sequence[str] | None = None,
    missing: Collection[str] = ("",),
) -> Sample:
    """A uniform random sample of the rows of a source, without replacement; all rows if there are not more.

    Args:
        source: to be read once.
        rows: how many.
        randomness: where it comes from.
        columns: only these.
        missing: texts that mean a missing value.

    Raises:
        UsageError: a column that is not there.
        DataError: the source has no rows.
    """
    rows, randomness = _checks.at_least(1, rows=rows), required(randomness)
    kept = _Kept(rows, randomness)
    for piece in source.pieces(columns):
        kept.add(piece)
    if not kept.seen:
        raise _no_rows(source)
    table, numbers = kept.found()
    cells = {name: table.column(name) for name in table.column_names}
    made = Table(source.column(name, column, missing) for name, column in cells.items())
    return Sample(made, numbers, kept.seen)


def _only(where: Any, how: HowToRead) -> Source:
    if hasattr(where, "pieces"):
        found: Source = where
        return found
    sources = open_sources(where, **how)
    if len(sources) != 1:
        names = ", ".join(source.name for source in sources[:8])
        example = f"{os.fspath(where).partition('#')[0]}#{sources[0].name}" if sources[0].kind == "sql" else ""
        hidden = "@" in example  # which may hold a password
        remedy = "Name one of them" + (f": {'ADDRESS#' + sources[0].name if hidden else example}." if example else ".")
        raise UsageError(f"Expected one table, got {len(sources)}: {names}.", remedy)
    return sources[0]


def _said(source: Source, table: Table, notes: Notes) -> Table:
    """The table, if nothing of it is lost; what was odd is warned of."""
    problems: tuple[Problem, ...] = (*source.problems, *notes.problems())
    lost = [problem for problem in source.problems if problem.lost]
    if lost:
        raise DataError(
            f"Expected {source.name} whole, but {lost[0].what}{f' ({lost[0].where})' if lost[0].where else ''}.",
            "Get it again; what can be read of it comes from open_sources(...)[0].pieces().",
        )
    if problems:
        said = "; ".join(f"{one.what} ({one.where})" if one.where else one.what for one in problems)
        warnings.warn(f"{source.name}: {said}.", DataWarning, stacklevel=3)
    return table


def _no_rows(source: Source) -> DataError:
    said = f" ({source.problems[0].what})" if source.problems else ""
    return DataError(f"Expected at least one row in {source.name}, got none{said}.", "Check it.")


def available_memory() -> int:
    """Bytes that this process may still take, as far as the system says; 2 GiB if it does not."""
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        found.append(
            int((group / "memory.max").read_text("ascii")) - int((group / "memory.current").read_text("ascii"))
        )
    if not found:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return max(min(found, default=1 << 31), 1 << 26)


# Whole ------------------------------------------------------------------------------------------------------------


class _Growing:
    """Columns that grow piece by piece, as codes and distinct values."""

    def __init__(self, name: str, limit: int) -> None:
        self.name, self.limit = name, limit
        self.columns: dict[str, _Codes] = {}
        self.rows = 0

    def add(self, batch: Any) -> None:
        self.rows += batch.num_rows
        for name, cells in zip(batch.schema.names, batch.columns, strict=True):
            self.columns.setdefault(name, _Codes()).add(cells)
        size = sum(column.size(self.rows) for column in self.columns.values())
        if size > self.limit or any(column.bytes > _LARGEST for column in self.columns.values()):
            raise DataError(
                f"Expected a table that fits into {self.limit >> 20} MiB of memory, but {self.name} does not: "
                f"its first {self.rows} rows take more.",
                "Read some of its columns (columns=...), or a sample (rows=..., randomness=...).",
            )

    def table(self, source: Source, missing: Collection[str]) -> Table:
        if not self.rows:
            raise _no_rows(source)
        # One column after the other: what has become a column is let go.
        return Table(source.column(name, self.columns.pop(name).found(), missing) for name in list(self.columns))


class _Codes:
    """One column, in arrow's dictionary encoding."""

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.fresh = self.bytes = self.distinct = 0

    def add(self, cells: Any) -> None:
        part = cells.dictionary_encode()
        self.parts.append(part)
        self.fresh += part.dictionary.nbytes
        if self.fresh > max(_FRESH, self.bytes):
            self.unify()

    def unify(self) -> None:
        pa = arrow()
        if len(self.parts) > 1:
            # One part of all: arrow would go through the values of each part again, though they are the same by now.
            parts = pa.chunked_array(self.parts).unify_dictionaries().chunks
            codes = pa.concat_arrays([part.indices for part in parts])
            self.parts = [pa.DictionaryArray.from_arrays(codes, parts[0].dictionary)]
        values = self.parts[0].dictionary
        self.fresh, self.bytes, self.distinct = 0, values.nbytes, len(values)

    def size(self, rows: int) -> int:
        """Bytes that it takes, and will take as a column."""
        kind = self.parts[0].type.value_type
        objects = _OBJECT * self.distinct if arrow().types.is_string(kind) else 8 * self.distinct
        return 4 * rows + self.fresh + 2 * self.bytes + objects

    def found(self) -> Any:
        self.unify()
        return self.parts[0]


# A sample ---------------------------------------------------------------------------------------------------------


class _Kept:
    """The rows with the smallest keys so far, and some that will go."""

    def __init__(self, rows: int, randomness: Randomness) -> None:
        self.rows, self.randomness = rows, randomness
        self.keys = np.zeros(0, np.uint64)
        self.numbers = np.zeros(0, np.int64)
        self.parts: list[Any] = []
        self.bound: np.uint64 | None = None  # the largest key that may still stay
        self.seen = 0

    def add(self, piece: Piece) -> None:
        count = piece.batch.num_rows
        keys = self.randomness.bits(count)
        good = np.arange(count) if self.bound is None else np.flatnonzero(keys < self.bound)
        self.seen += count
        if len(good) or not self.parts:
            self.keys = np.append(self.keys, keys[good])
            self.numbers = np.append(self.numbers, piece.first + good)
            self.parts.append(piece.batch.take(arrow().array(good)))
        if len(self.keys) > 2 * self.rows or len(self.parts) > 1_000:
            self.prune()

    def prune(self) -> None:
        pa = arrow()
        table = pa.Table.from_batches(self.parts)
        if len(self.keys) > self.rows:
            chosen = np.sort(np.argpartition(self.keys, self.rows - 1)[: self.rows])
            table = table.take(pa.array(chosen))
            self.keys, self.numbers = self.keys[chosen], self.numbers[chosen]
            self.bound = self.keys.max()
        self.parts = table.combine_chunks().to_batches()

    def found(self) -> tuple[Any, npt.NDArray[np.int64]]:
        self.prune()
        return arrow().Table.from_batches(self.parts), self.numbers
