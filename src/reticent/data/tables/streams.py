"""The text of a file in blocks: decompressed, in UTF-8, with whatever is wrong with its bytes said.

Promise: every byte of the file is in the text that comes out, in order, or a note says what is not there. Memory is
bounded by the size of a block. Encodings: UTF-8, UTF-16 and UTF-32 are known by their marks, UTF-16 without a mark by
its zeros; bytes that are not UTF-8 are read as Windows-1252, all of them if the head of the file is written in it, one
by one if it is not, and that is noted with byte and line. An encoding that was asked for is held to: the first byte
that does not fit is an error with its place. gzip is known by its first bytes. A file that is cut off, damaged, or
changed while it is read is noted as such, and what could be read of it is given.

Not covered: other encodings are not guessed (name them); other kinds of compression are not undone.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.tables.pieces import Notes
    >>> from reticent.data.tables.streams import texts
    >>> path, notes = pathlib.Path(tempfile.mkdtemp()) / "names.txt", Notes()
    >>> _ = path.write_bytes("J\u00f6rg\\n".encode("cp1252"))
    >>> [block.decode() for block in texts(path, "names.txt", notes)], notes.problems()[0].where
    (['J\u00f6rg\\n'], 'byte 1 (line 1)')
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from reticent.data.tables.pieces import Notes
from reticent.errors import DataError, UsageError

__all__ = ["BLOCK", "known_encoding", "texts"]

BLOCK: Final = 1 << 22  # bytes: large enough for speed, small enough for the cache of the processor
_HEAD: Final = 1 << 18
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_GZIP: Final = b"\x1f\x8b"
_ASCII_ALIKE: Final = ("utf-8", "ascii", "cp1252", "iso8859-1")
_MIXED: Final = "reticent.mixed"  # the name of the error handler, for the whole process


def texts(path: Path, name: str, notes: Notes, encoding: str | None = None) -> Iterator[bytes]:
    """The text of a file in UTF-8, in blocks that end between two characters.

    Args:
        path: where it lies.
        name: what to call it in errors.
        notes: where problems go.
        encoding: hold to this one; by default it is found out.

    Raises:
        DataError: a byte that does not fit the encoding that was asked for.
    """
    blocks = _raw(path, notes)
    first = next(blocks, b"")
    if not first and not notes.problems():
        notes.add("the file is empty")
    found = _found(first, notes) if encoding is None else _Encoding(known_encoding(encoding), _mark(first, encoding))
    reader = _Reader(found.name, name, notes, strict=encoding is not None)
    yield from reader.texts(_chained(first[found.mark :], blocks), found.mark)


def known_encoding(encoding: str) -> str:
    """The name that Python knows an encoding of texts by.

    Raises:
        UsageError: it knows none.
    """
    with contextlib.suppress(LookupError):
        "a".encode(encoding)
        return codecs.lookup(encoding).name
    raise UsageError(f"Expected the name of an encoding, got encoding={encoding!r}.", "Name one such as 'cp1252'.")


class _Encoding(NamedTuple):
    name: str
    mark: int  # bytes of its mark at the beginning


def _chained(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


# Bytes as they are in the file ------------------------------------------------------------------------------------


def _raw(path: Path, notes: Notes) -> Iterator[bytes]:
    """The bytes of a file, decompressed."""
    try:
        with path.open("rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            start = file.read(len(_GZIP))
            file.seek(0)
            yield from _inflated(file.read, notes) if start == _GZIP else iter(lambda: file.read(BLOCK), b"")
            after = path.stat()
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        notes.add(f"the file could not be read to its end: {why}", lost=True)
        return
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        notes.add("the file was changed while it was read, so that rows may be missing or in it twice", lost=True)


def _inflated(read: Callable[[int], bytes], notes: Notes) -> Iterator[bytes]:
    """What gzip compressed, member after member."""
    inflater = zlib.decompressobj(31)
    begun = False
    try:
        while chunk := read(1 << 18):
            while chunk:
                if inflater.eof:
                    chunk = chunk.lstrip(b"\0")  # which some programs fill up with
                    if not chunk:
                        break
                    if not chunk.startswith(_GZIP[: len(chunk)]):
                        notes.add("bytes after the end of the compressed part, which were not read", lost=True)
                        return
                    inflater = zlib.decompressobj(31)
                begun = True
                if out := inflater.decompress(chunk, BLOCK):
                    yield out
                chunk = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        if not inflater.eof and (out := inflater.flush()):
            yield out
    except zlib.error:
        notes.add("the compressed file is damaged; what comes after the damage was not read", lost=True)
        return
    if begun and not inflater.eof:
        notes.add("the compressed file is cut off; what is missing was not read", lost=True)


# Text from bytes --------------------------------------------------------------------------------------------------


def _mark(first: bytes, encoding: str) -> int:
    name = known_encoding(encoding)
    return next((len(mark) for mark, one in _MARKS if one == name and first.startswith(mark)), 0)


def _found(first: bytes, notes: Notes) -> _Encoding:
    """The encoding of a file that begins like this."""
    for mark, name in _MARKS:
        if first.startswith(mark):
            return _Encoding(name, len(mark))
    head = first[:_HEAD]
    pairs = len(head) // 2
    even, odd = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if pairs > 1 and max(even, odd) > 0.6 * pairs and min(even, odd) < 0.05 * pairs:
        name = "utf-16-le" if odd > even else "utf-16-be"
        notes.add(f"read as {name.upper()}, for its zeros: it does not say what it is", "byte 0")
        return _Encoding(name, 0)
    try:
        codecs.utf_8_decode(head, "strict", False)
    except UnicodeDecodeError as error:
        several = len(re.findall(rb"[\xc3-\xf4][\x80-\xbf]+", head))  # what UTF-8 would be made of
        alone = len(re.findall(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xbf])", head))
        if alone >= several:
            line = 1 + head.count(b"\n", 0, error.start)
            place = f"byte {error.start} (line {line})"
            notes.add("read as Windows-1252 (Western Europe): the bytes are not UTF-8", place)
            return _Encoding("cp1252", 0)
    return _Encoding("utf-8", 0)


class _Reader:
    """Decodes blocks, counting bytes and lines."""

    def __init__(self, encoding: str, name: str, notes: Notes, *, strict: bool) -> None:
        self.encoding, self.name, self.notes, self.strict = encoding, name, notes, strict
        self.offset, self.line = 0, 1

    def texts(self, blocks: Iterable[bytes], offset: int) -> Iterator[bytes]:
        self.offset = offset
        errors = "strict" if self.strict else _MIXED if self.encoding in _ASCII_ALIKE else "replace"
        decoder = None if self.encoding == "utf-8" else codecs.getincrementaldecoder(self.encoding)(errors)
        carry = b""
        for block in _ended(blocks):
            final = block is None
            data = carry + (block or b"")
            if data.isascii() and self.encoding in _ASCII_ALIKE:
                text, used = data, len(data)
            elif decoder is None:
                text, used = self._utf8(data, errors, final)
            else:
                text, used = self._decoded(decoder, data, final), len(data)
            carry = data[used:]
            self.offset += used
            self._look(text)
            if text:
                yield text

    def _utf8(self, data: bytes, errors: str, final: bool) -> tuple[bytes, int]:
        try:
            _, used = codecs.utf_8_decode(data, "strict", final)
            return data[:used], used
        except UnicodeDecodeError as error:
            if self.strict:
                raise self._misfit(self.offset + error.start, data.count(b"\n", 0, error.start)) from None
        _misfits.at = []
        text, used = codecs.utf_8_decode(data, errors, final)
        self._noted(data)
        return text.encode(), used

    def _decoded(self, decoder: codecs.IncrementalDecoder, data: bytes, final: bool) -> bytes:
        held = decoder.getstate()[0]
        _misfits.at = []
        try:
            text = decoder.decode(data, final)
        except UnicodeDecodeError as error:
            start = max(error.start - len(held), 0)
            lines = data[:start].decode(self.encoding, "ignore").count("\n")
            raise self._misfit(self.offset + start, lines) from None
        if _misfits.at:
            self._noted(data)
        elif "\ufffd" in text:
            line = self.line + text.count("\n", 0, text.index("\ufffd"))
            self.notes.add("characters that are none, shown as U+FFFD", line, count=text.count("\ufffd"))
        return text.encode("utf-8", "replace")

    def _misfit(self, offset: int, lines: int) -> DataError:
        return DataError(
            f"Expected {self.encoding} in {self.name}, got something else at byte {offset} (line {self.line + lines}).",
            "Name the encoding that it was written in, or none to have it found out.",
        )

    def _noted(self, data: bytes) -> None:
        what = "bytes that are not UTF-8, read as Windows-1252"
        if self.encoding != "utf-8":
            what = "bytes that Windows-1252 does not know, read as Latin-1"
        seen = _misfits.at
        for number, at in enumerate(seen[:5]):
            line = self.line + data.count(b"\n", 0, at)
            # The first of them stands for all that are not named.
            self.notes.add(what, f"byte {self.offset + at} (line {line})", count=1 if number else max(1, len(seen) - 4))

    def _look(self, text: bytes) -> None:
        if zeros := text.count(b"\0"):
            line = self.line + text.count(b"\n", 0, text.index(b"\0"))
            self.notes.add("zero bytes in the text, which were kept", line, count=zeros)
        self.line += text.count(b"\n")


def _ended(blocks: Iterable[bytes]) -> Iterator[bytes | None]:
    """The blocks, and then None."""
    yield from blocks
    yield None


class _Misfits(threading.local):
    """Where the handler below was asked, in the block that this thread decodes."""

    def __init__(self) -> None:
        self.at: list[int] = []


_misfits = _Misfits()


def _mixed(error: UnicodeError) -> tuple[str, int]:
    """Bytes that do not fit, as Windows-1252 has them, and else as Latin-1: every byte becomes a character."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    _misfits.at.append(error.start)
    odd = error.object[error.start : error.end]
    try:
        return odd.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return odd.decode("latin-1"), error.end


codecs.register_error(_MIXED, _mixed)
