"""How a delimited file is written, found from its head: delimiter, quotes, and whether it has a header.

Promise: what is found is what makes the rows of the head most alike and their cells cleanest; whatever is found can be
said instead. Rows of data are not taken for names of columns where that can be told: a first row with a number, a date
or an address above others of its kind, or of which half of the cells come again below, or have digits in the same
places as most there ("P-0012"), is no header (unless its numbers count up, like years), and then columns are called by
their number. Where nothing tells a header from data, the first row is taken for one, and that is said (`Dialect.sure`).

How: each delimiter and quote is tried on the head. Its score is the share of rows with the most frequent number of
cells, times how many cells those have, (c - 1)/c, times the share of cells that are clean: numbers, or text without
another delimiter, or lines of its own. It is a small form of van den Burg, Nazabal and Sutton (2019, "Wrangling messy
CSV files by detecting row and type patterns"), whose pattern and type scores these are. A first line `sep=;`, which
Excel writes and reads, decides.

Not covered: backslashes before quotes, comments, several letters as a delimiter. A file of text columns only, without a
header, in which no value of the first row comes again, is taken to have one, of which `sure` is false: say
`header=False`.

Example:
    >>> from reticent.data.tables.dialects import dialect
    >>> found = dialect(b"name;height\\nAnn;1,62\\nBob;1,80\\n")
    >>> found.grammar.delimiter, found.header, found.width
    (';', True, 2)
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from reticent.data.tables.rows import Grammar, ends, split
from reticent.errors import UsageError

__all__ = ["DELIMITERS", "HEAD", "Dialect", "dialect", "grammar_of"]

DELIMITERS: Final = (",", ";", "\t", "|")
HEAD: Final = 1 << 18  # bytes
_ROWS: Final = 200
_CELLS: Final = 2_000  # of a row that are looked at
_LONG: Final = 20  # letters, from which on a text may be told from the name of its column
_NUMBER: Final = re.compile(r"\s*[+-]?[0-9][0-9.,' ]*([eE][+-]?[0-9]+)?\s*%?\s*")
_DATED: Final = re.compile(r"\s*[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}([ T][0-9:.+Z-]+)?\s*")
_ADDRESS: Final = re.compile(r"\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*")
_SAID: Final = re.compile(rb"sep=(.)\r?\n")


class Dialect(NamedTuple):
    """How a file is written.

    Attributes:
        grammar: its delimiter and quote.
        header: whether its first row names the columns.
        width: how many columns there are.
        names: the cells of the first row.
        skipped: bytes before the first row.
        sure: whether anything tells a header that is found from data.
    """

    grammar: Grammar
    header: bool
    width: int
    names: tuple[str, ...]
    skipped: int
    sure: bool = True


def grammar_of(delimiter: str | None, quote: str | None) -> None:
    """Check what was said about a file.

    Raises:
        UsageError: what is no single ASCII character, or the same for both.
    """
    for name, value in (("delimiter", delimiter), ("quote", quote)):
        if value and (len(value) != 1 or not value.isascii() or value in "\r\n\0"):
            raise UsageError(f"Expected {name} to be one ASCII character, got {name}={value!r}.", "Pass one.")
    if delimiter and delimiter == quote:
        raise UsageError(f"Expected delimiter and quote to differ, got {delimiter!r} twice.", "Change one of them.")


def dialect(
    head: bytes,
    *,
    delimiter: str | None = None,
    quote: str | None = None,
    header: bool | None = None,
    preferred: str = ",",
) -> Dialect:
    """How a file is written that begins like this.

    Args:
        head: its first rows, in UTF-8.
        delimiter: if it is known; "" if there is none.
        quote: if it is known; "" if there is none.
        header: whether there is one, if that is known.
        preferred: the delimiter that its name speaks for, which wins where several do as well.
    """
    skipped = 0
    if delimiter is None and (said := _SAID.match(head)):
        delimiter, skipped = said.group(1).decode("ascii", "replace"), said.end()
        head = head[skipped:]
    best, most = Grammar(delimiter or None, '"' if quote is None else quote or None), -1.0
    for one in _candidates(head, delimiter, quote, preferred):
        score = _score(_sample(head, one), one)
        if score > most + 1e-9:
            best, most = one, score
    if most <= 0 and delimiter is None:
        best = Grammar(None, best.quote)
    rows = _sample(head, best)
    first = rows[0] if rows else []
    usual = _usual(rows[1:])
    wider = usual > len(first) and sum(len(row) == usual for row in rows[1:]) > len(rows[1:]) / 2
    width = usual if wider else len(first)
    found = _has_header(rows) if header is None else header
    unseen = len(rows) == 1 and len(head) >= HEAD  # a first row so long that nothing below it is looked at
    sure = header is not None or not found or unseen or _is_told(rows)
    names = tuple(first)
    if found and wider and 1 < len(first) == width - 1 and not _ends_blank(rows):
        names = ("", *names)  # as R writes it: rows begin with their names, above which there is nothing
    return Dialect(best, found, width, names, skipped, sure)


def _candidates(head: bytes, delimiter: str | None, quote: str | None, preferred: str) -> list[Grammar]:
    delimiters = sorted(DELIMITERS, key=lambda one: one != preferred) if delimiter is None else [delimiter or None]
    quotes: list[str | None] = ['"']
    if quote is not None:
        quotes = [quote or None]
    elif b'"' in head:
        quotes.append(None)
    elif len(re.findall(rb"(?:^|[,;|\t])'[^'\r\n]*'(?=[,;|\t\r\n])", head, re.MULTILINE)) > 1:
        quotes.insert(0, "'")
    return [Grammar(one, mark) for one in delimiters for mark in quotes]


def _sample(head: bytes, grammar: Grammar) -> list[list[str]]:
    found = ends(head, grammar)
    if not len(found) or (found[-1] < len(head) and len(head) < HEAD):  # the last row of a short file
        found = [*found, len(head)]  # type: ignore[assignment]
    rows: list[list[str]] = []
    start = 0
    for end in found[: _ROWS + 1]:
        row = head[start : int(end)].rstrip(b"\r\n")
        start = int(end)
        if row:
            rows.append(split(row, grammar, _CELLS if rows else None))
    return rows


def _usual(rows: Sequence[Sequence[str]]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0] if rows else 0


def _score(rows: Sequence[Sequence[str]], grammar: Grammar) -> float:
    if not rows or not grammar.delimiter:
        return 0.0
    width = _usual(rows)
    alike = sum(len(row) == width for row in rows) / len(rows)
    others = re.compile("[" + re.escape("".join(one for one in DELIMITERS if one != grammar.delimiter)) + "]")
    cells = [cell for row in rows for cell in row]
    clean = sum(_is_clean(cell, grammar, others) for cell in cells)
    header = 1.0 if len(rows[0]) == width else 0.5
    return header * alike * (width - 1) / width * (0.05 + clean / len(cells))


def _is_clean(cell: str, grammar: Grammar, others: re.Pattern[str]) -> bool:
    """Whether a cell looks like one, and not like several, or like one in quotes that are not taken for such."""
    if _NUMBER.fullmatch(cell):
        return True
    if others.search(cell) or ("\n" in cell and (grammar.delimiter or "\n") in cell):
        return False
    return bool(grammar.quote) or not (len(cell) > 1 and cell[0] == cell[-1] == '"')


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is unlike what stands below it."""
    if not rows:
        return False
    first = rows[0]
    if len(rows) == 1:
        return not any(_NUMBER.fullmatch(cell) or _ADDRESS.fullmatch(cell) for cell in first)
    if _counts_up(first):
        return True
    below = [row for row in rows[1:] if row != first]
    again, filled = 0, 0
    for place, cell in enumerate(first):
        column = [row[place] for row in below if place < len(row) and row[place].strip()]
        if not column or not cell.strip():
            continue
        filled += 1
        again += cell in column or (any(map(str.isdigit, cell)) and _usually(column, _shape(cell)))
        for pattern in (_NUMBER, _DATED, _ADDRESS):
            alike = sum(bool(pattern.fullmatch(one)) for one in column)
            if pattern.fullmatch(cell) and alike > len(column) / 2:
                return False
    return not filled or again < filled / 2


def _is_told(rows: Sequence[Sequence[str]]) -> bool:
    """Whether something in the first row is unlike what stands below it, so that it is no row of data."""
    if not rows or _counts_up(rows[0]):
        return bool(rows)
    for place, cell in enumerate(rows[0]):
        column = [row[place] for row in rows[1:] if place < len(row) and row[place].strip()]
        if not column or not cell.strip():
            continue
        for pattern in (_NUMBER, _DATED, _ADDRESS):
            if sum(bool(pattern.fullmatch(one)) for one in column) > len(column) / 2 and not pattern.fullmatch(cell):
                return True
        few = len(column) > 3 and len(set(column)) <= len(column) / 2 and cell not in column
        if few or min(map(len, column)) >= max(_LONG, 3 * len(cell)):
            return True
    return False


def _ends_blank(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the last cells below the first row are empty: those behind a delimiter at the end of each row."""
    return not any(row[-1].strip() for row in rows[1:] if len(row) > len(rows[0]))


def _shape(cell: str) -> str:
    """The cell with its digits and letters alike: "P-0012" is "a-9"."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"[0-9]+", "9", cell.strip()))


def _usually(column: Sequence[str], shape: str) -> bool:
    return sum(_shape(cell) == shape for cell in column) > len(column) / 2


def _counts_up(cells: Sequence[str]) -> bool:
    """Whether the numbers of a row are years, or numbers of columns: three or more, each one above the last."""
    numbers = [int(cell) for cell in cells if re.fullmatch(r"\s*[0-9]{1,4}\s*", cell)]
    return len(numbers) > 2 and all(b == a + 1 for a, b in itertools.pairwise(numbers))
