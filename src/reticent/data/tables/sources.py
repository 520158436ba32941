"""Where tables come from, read in pieces, so that what is larger than the memory can be read too.

Promise: `open_sources` finds what is there without reading it; a `Source` gives its rows in order, in pieces of bounded
size, however large it is, and all with the same columns. What cannot be read as it should is counted and said
(`problems`), with places and never with contents; nothing is dropped in silence. A problem that is `lost` says that
rows are missing: of a file that is cut off, damaged, or changed while it was read. What lies in a folder and is not
read is listed (`Sources.not_read`).

Kinds: delimited text (`delimited`), Parquet (`parquet`), JSON lines (`jsonlines`), plain text (`lines`), folders of
them (`folders`), tables of databases (`sql`), frames in memory (`frames`). Each page says what it does with what is
odd.

Shapes: a piece is an arrow record batch; CSV, JSON lines, text and SQL give texts, Parquet and frames what they hold.

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

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypedDict

from reticent.data.tables.folders import NotRead, Options, sources_at
from reticent.data.tables.frames import Frame
from reticent.data.tables.pieces import Piece, Problem, Source
from reticent.data.tables.sql import address_of, is_address, tables
from reticent.errors import UsageError

__all__ = ["HowToRead", "NotRead", "Piece", "Problem", "Source", "Sources", "open_sources"]


class HowToRead(TypedDict, total=False):
    """What may be said about sources; the rest is found out. `open_sources` explains the names."""

    kind: str | None
    delimiter: str | None
    quote: str | None
    encoding: str | None
    header: bool | None
    paragraphs: bool
    table: str | Sequence[str] | None


class Sources(list[Source]):
    """Sources in order, and what lies beside them and is not read.

    Attributes:
        not_read: each file that is no source, with the reason.
    """

    def __init__(self, sources: Iterable[Source], not_read: Iterable[NotRead] = ()) -> None:
        super().__init__(sources)
        self.not_read = tuple(not_read)

    @property
    def left_out(self) -> tuple[Problem, ...]:
        """What is not read, counted by the reason."""
        counts = Counter(one.why for one in self.not_read)
        first = {why: [one.name for one in self.not_read if one.why == why][:5] for why in counts}
        return tuple(
            Problem(
                f"not read: {why}",
                ", ".join(first[why]) + (f", and {count - 5} more" if count > 5 else ""),
                count,
                lost=True,
            )
            for why, count in counts.items()
        )


def open_sources(
    where: Any,
    *,
    kind: str | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    paragraphs: bool = False,
    table: str | Sequence[str] | None = None,
) -> Sources:
    """The tables and texts at a path, behind an address, or in a frame.

    Args:
        where: a file or folder; the address of a database as SQLAlchemy has it (`sqlite:///people.db`), perhaps with a
            table in it (`sqlite:///people.db#visits`); a frame of pandas or polars, an arrow table, a `Table`, or a
            dictionary of columns.
        kind: what a file is, whatever its ending: "csv", "parquet", "json lines" or "text".
        delimiter: between the cells of delimited text; "" if it has one column. By default it is found out, like all
            that follows.
        quote: around its cells; "" if there is none.
        encoding: of text.
        header: whether the first row of delimited text names the columns.
        paragraphs: give a paragraph of plain text in a row, and not a line.
        table: of a database, only this one or these.

    Raises:
        UsageError: there is nothing, nothing that can be read, or no such table.
        DataError: a database that cannot be reached, or a frame without plain columns.
        MissingExtra: what is needed to read it is not installed.
    """
    if not isinstance(where, str | os.PathLike):
        return Sources([Frame(where)])
    text = os.fspath(where)
    if is_address(text):
        address, named = address_of(text)
        if named is not None and table is not None:
            raise UsageError("Expected a table behind # or table=..., got both.", "Leave one out.")
        return Sources(tables(address, named if table is None else table))
    if "@" in text and not os.path.exists(text):  # a mistyped address may hold a password
        raise UsageError("Expected a path or the address of a database, got neither.", "Write name://user@host/name.")
    if table is not None:
        raise UsageError(f"Expected a database for table={table!r}, got a path.", "Leave it out, or name a database.")
    found, left = sources_at(Path(text), Options(kind, delimiter, quote, encoding, header, paragraphs))
    sources = Sources(found, left)
    if not found:
        reasons = "; ".join(f"{one.count} {one.what.removeprefix('not read: ')}" for one in sources.left_out)
        raise UsageError(
            f"Expected files that can be read in {text!r}, got none{f' ({reasons})' if reasons else ''}.",
            "Name another folder, or a file and its kind.",
        )
    return sources
