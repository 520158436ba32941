"""Where the rows of delimited text end, and what is in them: one grammar for both.

Promise: text is cut at ends of rows only, which a line break in quotes is not; every byte comes out, in order, and no
more than about `LONGEST` bytes are held. A quote that is never closed is read as a letter of its line, so that it takes
no other rows with it; a row that is longer than `LONGEST` is cut; both are noted with their line.

The grammar is that of RFC 4180 (Shafranovich, 2005) as widely read: a cell is quoted if a quote is its first letter;
two quotes in it are one; what follows the closing quote belongs to the cell; a quote elsewhere is a letter. Rows end in
LF, CR LF or CR.

How: if every quote with an even number of quotes before it stands at the beginning of a cell, or right behind a quote,
counting quotes tells what is quoted (numpy); only where that is not so a regular expression goes through the rows.

Example:
    >>> from reticent.data.tables.rows import Grammar, ends, split
    >>> ends(b"1,'two\\nlines'\\n2,x\\n", Grammar(",", "'")).tolist(), split(b"1,'a ''b'''", Grammar(",", "'"))
    ([14, 18], ['1', "a 'b'"])
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.data.tables.pieces import Notes

__all__ = ["LONGEST", "Chunk", "Grammar", "cut", "ends", "split"]

LONGEST: Final = 1 << 24
_LF, _CR = 10, 13


class Grammar(NamedTuple):
    """How cells are told apart; None for what there is not. Both are single ASCII characters."""

    delimiter: str | None
    quote: str | None


class Chunk(NamedTuple):
    """Whole rows.

    Attributes:
        text: of them.
        line: in which they begin, from 1.
        literal: whether quotes in them are letters.
    """

    text: bytes
    line: int
    literal: bool


def ends(text: bytes, grammar: Grammar, *, final: bool = True) -> npt.NDArray[np.int64]:
    """Where each row ends: the places after its line break. Unless it is `final`, a last CR may be half of one."""
    found = _breaks(text, final)
    if grammar.quote is None or grammar.quote.encode() not in text:
        return found
    letters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(letters == ord(grammar.quote))
    if _plain(letters, quotes, grammar):
        outside: npt.NDArray[np.int64] = found[np.searchsorted(quotes, found) % 2 == 0]
        return outside
    row = _patterns(grammar)[1]
    slow, at = [], 0
    while (match := row.match(text, at)) is not None and match.end() > at:
        if match.end() == len(text) and not final and text.endswith(b"\r"):
            break
        at = match.end()
        slow.append(at)
    return np.array(slow, np.int64)


def _breaks(text: bytes, final: bool) -> npt.NDArray[np.int64]:
    letters = np.frombuffer(text, np.uint8)
    found = np.flatnonzero(letters == _LF) + 1
    if b"\r" in text:
        alone = np.flatnonzero(letters == _CR) + 1
        alone = alone[np.append(letters, _CR if not final else 0)[alone] != _LF]
        if not final:
            alone = alone[alone < len(text)]
        if len(alone):
            found = np.sort(np.concatenate([found, alone]))
    return found.astype(np.int64)


def _plain(letters: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64], grammar: Grammar) -> bool:
    """Whether every quote that opens by count stands where a cell may begin, or closes and opens at once."""
    opening = quotes[::2]
    before = letters[opening[1:] - 1] if opening[0] == 0 else letters[opening - 1]
    allowed = [_LF, _CR, ord(grammar.quote or '"')]
    good = np.isin(before, [*allowed, ord(grammar.delimiter)] if grammar.delimiter else allowed)
    return bool(good.all())


@functools.cache
def _patterns(grammar: Grammar) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Of a cell, its quoted part apart from the rest; and of a whole row."""
    stop = b"" if grammar.delimiter is None else re.escape(grammar.delimiter.encode())
    letters = rb"[^\r\n" + stop + rb"]*+"
    if grammar.quote is None:
        cell, row = rb"()(" + letters + rb")", letters
    else:
        quote = re.escape(grammar.quote.encode())
        quoted = quote + rb"((?:[^" + quote + rb"]++|" + quote + quote + rb")*+)" + quote
        cell = rb"(?:" + quoted + rb")?+(" + letters + rb")"
        # A cell whose quote is not closed matches no row: the first letter may not be a quote.
        row = rb"(?:" + quoted + letters + rb"|(?!" + quote + rb")" + letters + rb")"
    again = rb"" if grammar.delimiter is None else rb"(?:" + stop + row + rb")*+"
    return re.compile(cell), re.compile(row + again + rb"(?:\r\n|\n|\r)")


def split(row: bytes, grammar: Grammar, most: int | None = None) -> list[str]:
    """The cells of a row; after `most - 1` of them the last one is all that is left, as it is written."""
    pattern, quote, at = _patterns(grammar)[0], grammar.quote or "", 0
    cells: list[str] = []
    stop = -1 if grammar.delimiter is None else ord(grammar.delimiter)
    body = row.rstrip(b"\r\n") if row.endswith((b"\r", b"\n")) else row
    while match := pattern.match(body, at):
        at = match.end()
        more = at < len(body) and body[at] == stop
        if more and most is not None and len(cells) == most - 1:
            cells.append(body[match.start() :].decode("utf-8", "replace"))
            break
        text = match.group(2).decode("utf-8", "replace")
        if quote and match.group(1) is not None:
            text = match.group(1).decode("utf-8", "replace").replace(quote * 2, quote) + text
        cells.append(text)
        if not more:
            break
        at += 1
    return cells


# Cutting ----------------------------------------------------------------------------------------------------------


def cut(blocks: Iterable[bytes], grammar: Grammar, notes: Notes, *, longest: int = LONGEST) -> Iterator[Chunk]:
    """The text of these blocks in chunks of whole rows.

    Args:
        blocks: text in UTF-8.
        grammar: of its rows.
        notes: where rows that are too long and quotes that are not closed go.
        longest: bytes that a row may have.
    """
    held, line = b"", 1
    for block in blocks:
        held += block
        end = _last_end(held, grammar)
        if end:
            yield Chunk(held[:end], line, False)
            line += _lines(held[:end])
            held = held[end:]
        while len(held) > longest:
            chunk = _forced(held, line, longest, notes)
            yield chunk
            line += _lines(chunk.text)
            held = held[len(chunk.text) :]
            if (end := _last_end(held, grammar)) and len(held) > longest:
                yield Chunk(held[:end], line, False)
                line += _lines(held[:end])
                held = held[end:]
    yield from _rest(held, line, grammar, notes)


def _rest(held: bytes, line: int, grammar: Grammar, notes: Notes) -> Iterator[Chunk]:
    """What is left at the end: a last row without a line break, or one with a quote that is not closed."""
    while held:
        found = ends(held + b"\n", grammar)
        if len(found) and found[-1] == len(held) + 1:
            yield Chunk(held, line, False)
            return
        end = int(found[-1]) if len(found) else 0
        if end:
            yield Chunk(held[:end], line, False)
            line += _lines(held[:end])
            held = held[end:]
        first = _breaks(held, True)
        end = int(first[0]) if len(first) else len(held)
        notes.add("quotes that are not closed, read as letters", line)
        yield Chunk(held[:end], line, True)
        line += _lines(held[:end])
        held = held[end:]


def _forced(held: bytes, line: int, longest: int, notes: Notes) -> Chunk:
    """The beginning of what has no end of a row within `longest` bytes."""
    first = _breaks(held[:longest], False)
    if len(first):
        notes.add("quotes that are not closed, read as letters", line)
        return Chunk(held[: int(first[0])], line, True)
    end = longest
    while held[end] & 0xC0 == 0x80:  # inside a character
        end -= 1
    notes.add(f"parts of a line of more than {longest >> 20} MiB, each taken for a row", line)
    return Chunk(held[:end], line, True)


def _last_end(text: bytes, grammar: Grammar) -> int:
    if grammar.quote is None or grammar.quote.encode() not in text:
        if b"\n" in text:
            return text.rfind(b"\n") + 1
        return text.rfind(b"\r", 0, len(text) - 1) + 1
    found = ends(text, grammar, final=False)
    return int(found[-1]) if len(found) else 0


def _lines(text: bytes) -> int:
    alone = text.count(b"\r") - text.count(b"\r\n") if b"\r" in text else 0
    return text.count(b"\n") + alone
