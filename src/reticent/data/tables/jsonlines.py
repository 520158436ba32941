"""JSON lines in pieces: an object on each line, its nested values flattened with dots, every cell as text.

Promise: every line comes out, in order, and all pieces have the same columns, those that appear late included: a file
of more than one block is gone through twice, first for its keys. `{"a": {"b": 1}}` has the column "a.b". Lists are kept
as JSON in one cell, a key that comes twice in one object gets a number, and a line that is no object is kept as text in
the column "(no object)"; all of these are counted, with their lines. Null is missing, like a key that is not there. A
number may be written in another way than in the file ("1.50" as "1.5"); it is the nearest one of double precision.

How: arrow parses each chunk; where it cannot keep what is there (mixed types, lists, numbers beyond double precision,
broken lines), Python does.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.tables.jsonlines import JsonLines
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "people.jsonl"
    >>> _ = path.write_text('{"name": "Ann", "home": {"zip": "02139"}}\\n{"name": 7, "tags": [1, "x"]}\\n')
    >>> [piece.batch.to_pydict() for piece in JsonLines(path, "people.jsonl").pieces()]
    [{'name': ['Ann', '7'], 'home.zip': ['02139', None], 'tags': [None, '[1, "x"]']}]
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from reticent.data.tables.columns import Column, arrow
from reticent.data.tables.pieces import ROWS_AT_ONCE, File, Notes, Piece, chosen, empty, text_column
from reticent.data.tables.rows import Chunk, Grammar, cut
from reticent.data.tables.streams import texts

__all__ = ["NO_OBJECT", "JsonLines"]

NO_OBJECT: Final = "(no object)"
_EXACT: Final = 2.0**53
_LISTS: Final = "lists, kept as JSON in one cell"
_TWICE: Final = "keys that come twice in one object, of which the later got a number"
_BROKEN: Final = f"lines that are no JSON objects, kept as text in the column {NO_OBJECT!r}"


@dataclasses.dataclass
class JsonLines(File):
    """A file with an object on each line.

    Args:
        path: where it lies.
        name: what to call it.
        encoding: of the file, if it is known.
    """

    encoding: str | None = None
    kind: str = "json lines"
    _kinds: dict[str, set[str]] = dataclasses.field(default_factory=dict, repr=False)

    def column(self, name: str, cells: Any, missing: Collection[str] = ("",)) -> Column:
        """Numbers if all of them were, "yes or no" if all were true or false, dates if all texts are written so."""
        kinds = self._kinds.get(name, set())
        if kinds == {"number"}:
            return Column.inferred(name, _signed(cells), missing=missing)
        if kinds == {"yes or no"}:
            import pyarrow.compute as pc

            return Column.of(name, pc.equal(cells, "true"))
        found = Column.inferred(name, cells, missing=missing)
        return found if found.kind == "date" else text_column(name, cells, missing)

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = ROWS_AT_ONCE) -> Iterator[Piece]:
        """The rows in order, at most so many at a time.

        Raises:
            UsageError: a column that is not there.
            DataError: a byte that does not fit the encoding that was asked for.
        """
        pa = arrow()
        notes = self._notes = Notes()
        self._kinds = {}
        parser = _Parser(notes, self._kinds)
        chunks = self._chunks(notes)
        head = [parser.parsed(chunk) for chunk in itertools.islice(chunks, 2)]
        names = list(dict.fromkeys(name for one in head for name in one.cells))
        if len(head) > 1 and not (columns and set(columns) <= set(names)):
            names = self._all_names(names)
        if not names:
            if rows_without := sum(one.rows for one in itertools.chain(head, map(parser.parsed, chunks))):
                notes.add("objects without keys, which are no rows", count=rows_without)
            return
        kept = chosen(names, columns, self.name)
        first = 0
        for one in itertools.chain(head, map(parser.parsed, chunks)):
            late = set(one.cells) - set(names)
            if late and columns is None:
                notes.add("keys that were not there when the file was first read", count=len(late), lost=True)
            cells = [one.cells.get(name, pa.nulls(one.rows, pa.string())) for name in kept]
            whole = pa.RecordBatch.from_arrays(cells, kept)
            for at in range(0, one.rows, rows):
                yield Piece(whole.slice(at, rows), first + at)
            first += one.rows
        if not first:
            yield empty(kept, pa)

    def _chunks(self, notes: Notes) -> Iterator[Chunk]:
        return cut(texts(self.path, self.name, notes, self.encoding), Grammar(None, None), notes)

    def _all_names(self, names: list[str]) -> list[str]:
        """The columns of the whole file, in the order in which they appear."""
        found = dict.fromkeys(names)
        parser = _Parser(Notes(), {})
        for chunk in self._chunks(Notes()):
            found.update(dict.fromkeys(parser.parsed(chunk).cells))
        return list(found)


@dataclasses.dataclass(frozen=True)
class _Parsed:
    rows: int
    cells: dict[str, Any]  # name of a column to an arrow array of texts


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


class _Parser:
    """Makes columns of chunks of lines."""

    def __init__(self, notes: Notes, kinds: dict[str, set[str]]) -> None:
        self.notes, self.kinds = notes, kinds
        self.texts: dict[str, Any] = {}  # columns that arrow would take for dates

    def parsed(self, chunk: Chunk) -> _Parsed:
        found = None if chunk.literal else self._fast(chunk.text)
        return self._slow(chunk) if found is None else found

    # By arrow -----------------------------------------------------------------------------------------------------

    def _fast(self, text: bytes) -> _Parsed | None:
        """The columns, or None if arrow cannot make them as they are."""
        import pyarrow as pa

        order: list[str] = []
        for _ in range(2):
            table = self._read(text, pa)
            if table is None or not table.num_columns or len(set(table.column_names)) < table.num_columns:
                return None
            order = order or table.column_names
            table = table.select(order)  # arrow gives those first whose types it was told
            dated = [field for field in table.schema if _dates(field.type, pa)]
            if not dated:
                break
            self.texts |= {field.name: _undated(field.type, pa) for field in dated}
        count = table.num_rows  # which a table without columns forgets
        while any(pa.types.is_struct(kind) for kind in table.schema.types):
            table = table.flatten()
        names = table.column_names
        if len(set(names)) < len(names) or NO_OBJECT in names:
            return None
        cells = {}
        for name, column in zip(names, table.columns, strict=True):
            if not _keeps(column, pa):
                return None
            cells[name] = column
        for name, column in cells.items():
            kind = _kind(column.type, pa)
            if kind:
                self.kinds.setdefault(name, set()).add(kind)
            cells[name] = pa.concat_arrays(column.cast(pa.string()).chunks)
        return _Parsed(count, cells)

    def _read(self, text: bytes, pa: Any) -> Any:
        import pyarrow.json

        try:
            return pyarrow.json.read_json(
                pa.BufferReader(text),
                read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
                parse_options=pyarrow.json.ParseOptions(
                    newlines_in_values=False,
                    explicit_schema=pa.schema(list(self.texts.items())) if self.texts else None,
                ),
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None

    # By Python ----------------------------------------------------------------------------------------------------

    def _slow(self, chunk: Chunk) -> _Parsed:
        import pyarrow as pa

        cells: dict[str, list[str | None]] = {}
        count = 0
        for number, line in enumerate(chunk.text.decode().replace("\r\n", "\n").split("\n")):
            if not line.strip():
                continue
            row = self._row(line, chunk.line + number)
            for name, value in row.items():
                column = cells.setdefault(name, [])
                column.extend([None] * (count - len(column)))
                column.append(value)
            count += 1
        for column in cells.values():
            column.extend([None] * (count - len(column)))
        return _Parsed(count, {name: _array(column, pa) for name, column in cells.items()})

    def _row(self, line: str, number: int) -> dict[str, str | None]:
        row: dict[str, str | None] = {}
        try:
            value = json.loads(
                line,
                object_pairs_hook=_Pairs,
                parse_int=_Number,
                parse_float=_Number,
                parse_constant=_Number,
            )
            if value is None:
                return row
            if isinstance(value, _Pairs):
                self._flatten(value, "", row, number)
                return row
        except (ValueError, RecursionError):
            row = {}
        self.notes.add(_BROKEN, number)
        self.kinds.setdefault(NO_OBJECT, set()).add("text")
        return {NO_OBJECT: line}

    def _flatten(self, pairs: _Pairs, before: str, row: dict[str, str | None], line: int) -> None:
        for key, value in pairs:
            name = f"{before}{key}"
            if isinstance(value, _Pairs):
                self._flatten(value, f"{name}.", row, line)
                continue
            if name in row:
                self.notes.add(_TWICE, line)
                number = 2
                while f"{name} ({number})" in row:
                    number += 1
                name = f"{name} ({number})"
            if value is None:
                row[name] = None
                self.kinds.setdefault(name, set())
                continue
            kind, text = "text", value
            if isinstance(value, list):
                self.notes.add(_LISTS, line)
                kind, text = "list", _dumped(value)
            elif isinstance(value, bool):
                kind, text = "yes or no", "true" if value else "false"
            elif isinstance(value, _Number):
                kind, text = "number", str(value)
            self.kinds.setdefault(name, set()).add(kind)
            row[name] = text


class _Pairs(list[Any]):
    """The keys and values of an object, in order, those that come twice included."""


def _dumped(value: Any) -> str:
    if isinstance(value, _Pairs):
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_dumped(one)}" for key, one in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_dumped, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _signed(cells: Any) -> Any:
    """Numbers whose exponents have signs: 1e5 is a number here, and not a name as in CSV."""
    import pyarrow.compute as pc

    pa = arrow()
    if pa.types.is_dictionary(cells.type):
        return pa.DictionaryArray.from_arrays(cells.indices, _signed(cells.dictionary))
    return pc.replace_substring_regex(cells, "[eE]([0-9])", r"e+\1")


def _array(cells: list[str | None], pa: Any) -> Any:
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write and UTF-8 cannot
        kept = [None if one is None else one.encode("utf-8", "backslashreplace").decode() for one in cells]
        return pa.array(kept, pa.string())


# Arrow's types ----------------------------------------------------------------------------------------------------


def _dates(kind: Any, pa: Any) -> bool:
    if pa.types.is_struct(kind):
        return any(_dates(kind.field(place).type, pa) for place in range(kind.num_fields))
    return bool(pa.types.is_temporal(kind))


def _undated(kind: Any, pa: Any) -> Any:
    if pa.types.is_struct(kind):
        fields = [kind.field(place) for place in range(kind.num_fields)]
        return pa.struct([(field.name, _undated(field.type, pa)) for field in fields])
    return pa.string() if pa.types.is_temporal(kind) else kind


def _kind(kind: Any, pa: Any) -> str:
    if pa.types.is_null(kind):
        return ""
    if pa.types.is_boolean(kind):
        return "yes or no"
    return "text" if pa.types.is_string(kind) else "number"


def _keeps(column: Any, pa: Any) -> bool:
    """Whether arrow has the values of a column as they were written."""
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_floating(kind):
        largest = pc.max(pc.abs(column)).as_py()
        return largest is None or bool(largest < _EXACT)  # NaN and infinity are not
    return bool(
        pa.types.is_string(kind) or pa.types.is_int64(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
    )
