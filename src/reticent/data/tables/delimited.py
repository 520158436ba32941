"""Delimited text (CSV, TSV, semicolons) in pieces, every cell as text.

Promise: every row comes out, in order. A row with too few cells has missing ones at its end; one with too many keeps
all that is left over in its last cell, as it is written; both are counted, with their lines. Blank lines are no rows.
Cells are as they are written, without the quotes: line breaks, zero bytes and leading zeros are kept, and an empty cell
is an empty text.

How: text is cut into chunks of whole rows (`rows`), and arrow parses each; rows that it refuses for their number of
cells are split here and put back in their places.

Shapes: pieces of text columns.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.tables.delimited import Delimited
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("name,zip\\nAnn,02139\\nBob\\nCy,10001,x\\n")
    >>> source = Delimited(path, "people.csv")
    >>> [piece.batch.to_pydict() for piece in source.pieces()]
    [{'name': ['Ann', 'Bob', 'Cy'], 'zip': ['02139', None, '10001,x']}]
    >>> [(problem.what, problem.where) for problem in source.problems][0]
    ('rows with fewer cells than there are columns; the others are missing', 'line 3')
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import numpy as np

from reticent.data.tables.columns import Column, arrow
from reticent.data.tables.dialects import HEAD, Dialect, dialect
from reticent.data.tables.pieces import ROWS_AT_ONCE, File, Notes, Piece, chosen, empty, unique_names
from reticent.data.tables.rows import LONGEST, Chunk, Grammar, cut, ends, split
from reticent.data.tables.streams import texts

__all__ = ["Delimited"]

_NEVER: Final = "\x1f"  # for arrow, which needs a delimiter
_SHORT: Final = "rows with fewer cells than there are columns; the others are missing"
_LONG: Final = "rows with more cells than there are columns; the last one has what is left over"
_FIRST: Final = re.compile(rb"[^\r\n](?:\r\n|\r(?=.)|\n)", re.DOTALL)  # the end of the first row
_TALL: Final = 1_000
_GUESSED: Final = (
    "the first row was taken for the names of the columns, though nothing tells it from data; if it is data, say so "
    "(header=False, --no-header), and if not, too (header=True, --header)"
)


@dataclasses.dataclass
class Delimited(File):
    """A file of delimited text.

    Args:
        path: where it lies.
        name: what to call it.
        delimiter: between cells, if it is known; "" if there is only one column.
        quote: around cells, if it is known; "" if there is none.
        encoding: of the file, if it is known.
        header: whether the first row names the columns, if that is known.
    """

    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    header: bool | None = None
    kind: str = "csv"

    def column(self, name: str, cells: Any, missing: Collection[str] = ("",)) -> Column:
        """Numbers or dates if all cells are written like that, and text otherwise."""
        return Column.inferred(name, cells, missing=missing)

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = ROWS_AT_ONCE) -> Iterator[Piece]:
        """The rows in order, at most so many at a time.

        Raises:
            UsageError: a column that is not there.
            DataError: a byte that does not fit the encoding that was asked for.
        """
        pa = arrow()
        notes = self._notes = Notes()
        blocks = texts(self.path, self.name, notes, self.encoding)
        head = _head(blocks)
        if not head:
            return
        tab = self.path.name.lower().removesuffix(".gz").endswith((".tsv", ".tab"))
        found = dialect(
            head[: max(HEAD, row.end() if (row := _FIRST.search(head)) else 0)],
            delimiter=self.delimiter,
            quote=self.quote,
            header=self.header,
            preferred="\t" if tab else ",",
        )
        if not found.width:
            notes.add("no rows: there are only blank lines")
            return
        names = _names(found, notes, said=self.header is not None)
        kept = chosen(names, columns, self.name)
        chunks = cut(itertools.chain([head], blocks), found.grammar, notes)
        parser = _Parser(found.grammar, names, kept, notes)
        first = 0
        for chunk in _body(chunks, found):
            for batch in parser.batches(chunk, rows):
                yield Piece(batch, first)
                first += batch.num_rows
        if not first:
            yield empty(kept, pa)


def _head(blocks: Iterator[bytes]) -> bytes:
    """At least as much as is looked at, and the first row whole, if there is as much."""
    head = b""
    for block in blocks:
        head += block
        if len(head) > LONGEST or (len(head) >= HEAD and _FIRST.search(head)):
            break
    return head


def _names(found: Dialect, notes: Notes, *, said: bool) -> list[str]:
    if not found.header:
        if not said:
            notes.add("no header: columns are called by their number", "line 1")
        return [f"column {number}" for number in range(1, found.width + 1)]
    if not found.sure:
        notes.add(_GUESSED, "line 1")
    return unique_names([*found.names, *[""] * (found.width - len(found.names))], notes)


def _body(chunks: Iterator[Chunk], found: Dialect) -> Iterator[Chunk]:
    """The chunks, without the header and what stands before it."""
    skipped, header = found.skipped, found.header
    for chunk in chunks:
        text, line = chunk.text, chunk.line
        if skipped:
            text, line, skipped = text[skipped:], line + 1, 0
        if header:
            blank = len(text) - len(text.lstrip(b"\r\n"))
            rest = text[blank:]
            grammar = found.grammar._replace(quote=None) if chunk.literal else found.grammar
            where = ends(rest, grammar)
            end = blank + (int(where[0]) if len(where) else len(rest))
            line += text.count(b"\n", 0, end)
            header = not rest
            text = text[end:]
        if text:
            yield Chunk(text, line, chunk.literal)


class _Parser:
    """Makes arrow batches of chunks of rows."""

    def __init__(self, grammar: Grammar, names: list[str], kept: list[str], notes: Notes) -> None:
        import pyarrow as pa
        import pyarrow.csv

        self.grammar, self.names, self.notes = grammar, names, notes
        place = {name: at for at, name in enumerate(names)}
        self.places = [place[name] for name in kept]
        self.schema = pa.schema([(name, pa.string()) for name in kept])
        self.refused: list[int] = []
        self.csv = pyarrow.csv
        self.reading = pyarrow.csv.ReadOptions(use_threads=False, block_size=2 * LONGEST, column_names=names)
        self.converting = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=kept,
            strings_can_be_null=False,
            check_utf8=False,  # the text has been decoded
        )

    def batches(self, chunk: Chunk, rows: int) -> Iterator[Any]:
        import pyarrow as pa

        if chunk.literal or (self.grammar.delimiter is None and _NEVER.encode() in chunk.text):
            table = self._slowly(chunk)
        else:
            table = self._parsed(chunk, pa)
        yield from table.combine_chunks().to_batches(max_chunksize=rows)

    def _parsed(self, chunk: Chunk, pa: Any) -> Any:
        quote = self.grammar.quote
        quoted = quote is not None and quote.encode() in chunk.text
        parsing = self.csv.ParseOptions(
            delimiter=self.grammar.delimiter or _NEVER,
            quote_char=quote if quoted else False,
            newlines_in_values=quoted,
            invalid_row_handler=self._refuse,
        )
        self.refused = []
        table = self.csv.read_csv(
            pa.BufferReader(chunk.text),
            read_options=self.reading,
            parse_options=parsing,
            convert_options=self.converting,
        )
        if quoted and table.num_rows + len(self.refused) < chunk.text.count(b"\n") - _TALL:
            self._look_for_tall(chunk)
        return table if not self.refused else self._mended(chunk, table, pa)

    def _refuse(self, row: Any) -> str:
        self.refused.append(row.number - 1)
        return "skip"

    def _mended(self, chunk: Chunk, table: Any, pa: Any) -> Any:
        """The table with the rows that arrow refused in their places."""
        stops = ends(chunk.text if chunk.text.endswith((b"\n", b"\r")) else chunk.text + b"\n", self.grammar)
        starts = np.append(0, stops[:-1])
        letters = np.frombuffer(chunk.text + b"\n", np.uint8)
        filled = ~np.isin(letters[starts], (10, 13))  # arrow does not count blank lines
        starts, stops = starts[filled], stops[filled]
        refused = np.array(self.refused)
        if len(starts) != table.num_rows + len(refused):
            return self._slowly(chunk)
        lines = chunk.line + _lines_before(chunk.text, starts[refused])
        odd = [
            self._cells(chunk.text[starts[at] : stops[at]], self.grammar, int(line))
            for at, line in zip(refused, lines, strict=True)
        ]
        order = np.empty(len(starts), np.int64)
        fine = np.ones(len(starts), bool)
        fine[refused] = False
        order[fine], order[refused] = np.arange(table.num_rows), table.num_rows + np.arange(len(refused))
        return pa.concat_tables([table, self._table(odd, pa)]).combine_chunks().take(pa.array(order))

    def _cells(self, row: bytes, grammar: Grammar, line: int) -> list[str | None]:
        width = len(self.names)
        cells: list[str | None] = list(split(row, grammar, width + 1))
        if len(cells) > width:
            self.notes.add(_LONG, line)
            return list(split(row, grammar, width))
        if len(cells) < width:
            self.notes.add(_SHORT, line)
        return cells + [None] * (width - len(cells))

    def _slowly(self, chunk: Chunk) -> Any:
        """The table of a chunk, row by row."""
        import pyarrow as pa

        grammar = self.grammar._replace(quote=None) if chunk.literal else self.grammar
        text = chunk.text if chunk.text.endswith((b"\n", b"\r")) else chunk.text + b"\n"
        start, found = 0, []
        stops = ends(text, grammar)
        lines = chunk.line + _lines_before(text, np.append(0, stops[:-1]))
        for stop, line in zip(stops.tolist(), lines.tolist(), strict=True):
            if row := text[start:stop].rstrip(b"\r\n"):
                found.append(self._cells(row, grammar, line))
            start = stop
        return self._table(found, pa)

    def _table(self, rows: list[list[str | None]], pa: Any) -> Any:
        cells = [pa.array([row[place] for row in rows], pa.string()) for place in self.places]
        return pa.table(cells, schema=self.schema)

    def _look_for_tall(self, chunk: Chunk) -> None:
        stops = ends(chunk.text, self.grammar)
        starts = np.append(0, stops[:-1])
        lines = _lines_before(chunk.text, np.append(starts, len(chunk.text)))
        for at in np.flatnonzero(np.diff(lines) > _TALL).tolist():
            what = f"rows over more than {_TALL} lines: a quote may have been left open"
            self.notes.add(what, chunk.line + int(lines[at]))


def _lines_before(text: bytes, places: Any) -> Any:
    """How many line breaks there are before each place."""
    letters = np.frombuffer(text, np.uint8)
    breaks = np.flatnonzero(letters == 10)
    if b"\r" in text:
        alone = np.flatnonzero(letters[:-1] == 13)
        alone = alone[letters[alone + 1] != 10]
        breaks = np.sort(np.concatenate([breaks, alone]))
    return np.searchsorted(breaks, places)
