"""Plain text in pieces: a row for every line, or for every paragraph, in one column called "text".

Promise: every line comes out, in order, without its line break; blank lines are rows too, so that row 0 is line 1.
Paragraphs are what blank lines part; they keep the line breaks inside them. A line or paragraph that is longer than 16
MiB comes in parts, which is noted.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.tables.lines import Text
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "notes.txt"
    >>> _ = path.write_text("Dear Ann,\\n\\nsee you\\nsoon\\n")
    >>> pieces = Text(path, "notes.txt", paragraphs=True).pieces()
    >>> [text for piece in pieces for text in piece.batch.column("text").to_pylist()]
    ['Dear Ann,', 'see you\\nsoon']
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from reticent.data.tables.columns import Column, arrow
from reticent.data.tables.pieces import ROWS_AT_ONCE, File, Notes, Piece, chosen, text_column
from reticent.data.tables.rows import LONGEST, Chunk, Grammar, cut
from reticent.data.tables.streams import texts

__all__ = ["COLUMN", "Text"]

COLUMN: Final = "text"
_BLANK: Final = re.compile(rb"\n(?:[ \t]*\n)+")


@dataclasses.dataclass
class Text(File):
    """A file of plain text.

    Args:
        path: where it lies.
        name: what to call it.
        encoding: of the file, if it is known.
        paragraphs: a row for each paragraph instead of each line.
    """

    encoding: str | None = None
    paragraphs: bool = False
    kind: str = "text"

    def column(self, name: str, cells: Any, missing: Collection[str] = ("",)) -> Column:
        """Text, whatever it looks like."""
        return text_column(name, cells, missing)

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = ROWS_AT_ONCE) -> Iterator[Piece]:
        """The lines or paragraphs in order, at most so many at a time.

        Raises:
            UsageError: a column that is not there.
            DataError: a byte that does not fit the encoding that was asked for.
        """
        pa = arrow()
        import pyarrow.compute as pc

        notes = self._notes = Notes()
        chosen([COLUMN], columns, self.name)
        chunks = cut(texts(self.path, self.name, notes, self.encoding), Grammar(None, None), notes)
        first = 0
        for text, mark in _paragraphs(chunks, notes) if self.paragraphs else _lines(chunks):
            cells = pc.split_pattern(pa.array([text], pa.string()), mark).values
            whole = pa.RecordBatch.from_arrays([cells], [COLUMN])
            for at in range(0, whole.num_rows, rows):
                yield Piece(whole.slice(at, rows), first + at)
            first += whole.num_rows


def _unified(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def _lines(chunks: Iterator[Chunk]) -> Iterator[tuple[bytes, str]]:
    for chunk in chunks:
        yield _unified(chunk.text).removesuffix(b"\n"), "\n"


def _paragraphs(chunks: Iterator[Chunk], notes: Notes) -> Iterator[tuple[bytes, str]]:
    """Paragraphs, parted by zero bytes where there are none in the text."""
    held, line = b"", 1
    for chunk in chunks:
        if not held:
            line = chunk.line
        held += _unified(chunk.text)
        if len(held) > LONGEST and not _BLANK.search(held):
            notes.add(f"parts of a paragraph of more than {LONGEST >> 20} MiB, each taken for one", line)
            yield held, "\0\0parted\0\0"
            held = b""
        elif (end := held.rfind(b"\n\n") + 1) > 0:
            yield from _parted(held[:end])
            held = held[end:]
    yield from _parted(held)


def _parted(text: bytes) -> Iterator[tuple[bytes, str]]:
    mark = b"\0\0parted\0\0"
    found = [part.strip(b"\n") for part in _BLANK.split(b"\n" + text + b"\n") if part.strip()]
    if found:
        yield mark.join(found), mark.decode()
