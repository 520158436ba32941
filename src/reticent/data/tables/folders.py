"""What lies at a path: a file, or a folder with all that is in it, and what of it is not read.

Promise: a folder is gone through with all folders in it, in the order of names; every file in it is either a source or
listed as not read, with the reason: hidden, of another kind, a link to a folder, not to be opened. Nothing is read but
the first bytes of a `.json` file, which may hold lines or one large value. What is named by itself is read even if it
is hidden, and, if its kind is said, with any ending.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.tables.folders import Options, sources_at
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("a.csv", "b.docx", ".c.csv"):
    ...     _ = (folder / name).write_text("x")
    >>> found, left = sources_at(folder, Options())
    >>> [source.name for source in found], [(one.name, one.why) for one in left]
    (['a.csv'], [('.c.csv', 'hidden'), ('b.docx', 'of a kind that is not read (.docx)')])
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from reticent import _checks
from reticent.data.tables.delimited import Delimited
from reticent.data.tables.dialects import grammar_of
from reticent.data.tables.jsonlines import JsonLines
from reticent.data.tables.lines import Text
from reticent.data.tables.parquet import Parquet
from reticent.data.tables.pieces import Source
from reticent.data.tables.streams import known_encoding
from reticent.errors import UsageError

__all__ = ["ENDINGS", "NotRead", "Options", "sources_at"]

ENDINGS: Final = {
    "csv": (".csv", ".tsv", ".tab", ".psv"),
    "parquet": (".parquet", ".pq"),
    "json lines": (".jsonl", ".ndjson", ".json"),
    "text": (".txt", ".text", ".md", ".log"),
}
_DATABASES: Final = (".db", ".sqlite", ".sqlite3")
_JSON: Final = "JSON that is not written in lines, an object on each"


class NotRead(NamedTuple):
    """Something in a folder that is no source.

    Attributes:
        name: its path below the folder.
        why: it is not read, in words.
    """

    name: str
    why: str


class Options(NamedTuple):
    """How files are to be read; None for what is to be found out.

    Attributes:
        kind: of a file, whatever its ending: a key of `ENDINGS`.
        delimiter: between cells of delimited text; "" for a single column.
        quote: around them; "" for none.
        encoding: of all text.
        header: whether delimited text has one.
        paragraphs: whether rows of plain text are paragraphs, not lines.
    """

    kind: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    header: bool | None = None
    paragraphs: bool = False


def sources_at(path: Path, options: Options) -> tuple[list[Source], list[NotRead]]:
    """The sources at a path, and what is not read.

    Raises:
        UsageError: nothing is there, a kind that is not read, or options that mean nothing.
    """
    grammar_of(options.delimiter, options.quote)
    if options.encoding is not None:
        known_encoding(options.encoding)
    if options.kind is not None:
        _checks.one_of(ENDINGS, kind=options.kind)
    if path.is_dir():
        return _folder(path, options)
    if not path.is_file():
        raise UsageError(f"Expected a file or a folder, but {str(path)!r} is none.", "Check the path.")
    kind, why = (options.kind, "") if options.kind else _kind(path)
    if kind is None:
        raise UsageError(f"Expected a file that can be read, but {path.name!r} is {why}.", _remedy(path))
    return [_source(path, path.name, kind, options)], []


def _remedy(path: Path) -> str:
    if path.suffix.lower() in _DATABASES:
        return f"Name a database by its address, and the table in it: sqlite:///{path}#TABLE."
    if path.suffix.lower() == ".json":
        return "Write one object on each line (jq -c '.[]'), or name the kind of the file."
    known = ", ".join(ending for endings in ENDINGS.values() for ending in endings)
    return f"Endings that are known: {known}, with or without .gz; or say what it is (kind='csv')."


def _folder(folder: Path, options: Options) -> tuple[list[Source], list[NotRead]]:
    found: list[Source] = []
    left: list[NotRead] = []
    for path, why in _files(folder):
        name = path.relative_to(folder).as_posix()
        kind, reason = (None, why) if why else _kind(path)
        if kind is None:
            left.append(NotRead(name, reason))
        else:
            found.append(_source(path, name, kind, options))
    return found, left


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file, in order, with the reason if it is not read."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield folder, f"a folder that cannot be opened: {(error.strerror or '').lower()}"
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith("."):
            yield path, "a hidden folder" if entry.is_dir(follow_symlinks=False) else "hidden"
        elif entry.is_dir(follow_symlinks=False):
            yield from _files(path)
        elif entry.is_symlink() and not path.is_file():
            yield path, "a link to a folder" if path.is_dir() else "a link to nothing"
        elif not entry.is_file():
            yield path, "no ordinary file"
        elif not os.access(path, os.R_OK):
            yield path, "a file that may not be opened"
        else:
            yield path, ""


def _kind(path: Path) -> tuple[str | None, str]:
    """What a file is by its ending, or why it is not read."""
    name = path.name.lower()
    packed = name.endswith(".gz")
    ending = Path(name.removesuffix(".gz")).suffix
    kind = next((kind for kind, endings in ENDINGS.items() if ending in endings), None)
    if ending in _DATABASES:
        return None, "a database, which is read by its address"
    if kind is None or (kind == "parquet" and packed):
        shown = ending + (".gz" if packed else "")
        return None, f"of a kind that is not read ({shown or 'no ending'})"
    if ending == ".json" and not _in_lines(path):
        return None, _JSON
    return kind, ""


def _in_lines(path: Path) -> bool:
    """Whether the first line of a file is an object, whole, or too long to be seen whole."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
        if head.startswith(b"\x1f\x8b"):
            head = zlib.decompressobj(31).decompress(head, 1 << 16)
    except (OSError, zlib.error):
        return False
    line, rest, _ = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return not rest and len(head) == 1 << 16 and line.startswith(b"{")


def _source(path: Path, name: str, kind: str, options: Options) -> Source:
    if kind == "parquet":
        return Parquet(path, name)
    if kind == "json lines":
        return JsonLines(path, name, options.encoding)
    if kind == "text":
        return Text(path, name, options.encoding, options.paragraphs)
    return Delimited(path, name, options.delimiter, options.quote, options.encoding, options.header)
