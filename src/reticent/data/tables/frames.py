"""Frames in memory (pandas, polars, arrow, dictionaries of columns) as sources, and what arrow holds as plain columns.

Promise: columns keep their types, where they are of one: numbers, dates, yes or no, text. What has parts becomes
columns of its own (`home.zip`), lists and maps become JSON, bytes become the text that they are in UTF-8, or
hexadecimal digits; a column of several types becomes text. Each of these is noted, and no value is left out. What the
index of a pandas frame holds under a name (`set_index("patient")`) is a column too, the first one.

Example:
    >>> import pyarrow as pa
    >>> from reticent.data.tables.frames import Frame
    >>> source = Frame(pa.table({"home": [{"zip": "02139"}, None], "tags": [["a"], []]}), "people")
    >>> [piece.batch.to_pydict() for piece in source.pieces()]
    [{'home.zip': ['02139', None], 'tags': ['["a"]', '[]']}]
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from reticent.data.tables.columns import Column, arrow
from reticent.data.tables.pieces import ROWS_AT_ONCE, Notes, Piece, Problem, chosen, text_column, unique_names
from reticent.data.tables.table import Table
from reticent.errors import DataError

__all__ = ["Flat", "Frame", "as_text"]

_HUGE: Final = "whole numbers without a sign, which may be beyond 64 bits with one"
_MIXED: Final = "columns with values of several types, kept as text"


class Flat:
    """Makes record batches of plain columns of those that one source gives; all of them come out alike.

    Args:
        schema: what arrow says of the source.
        notes: where it is said what was changed.
    """

    def __init__(self, schema: Any, notes: Notes) -> None:
        self.notes = notes
        blank = schema.empty_table()
        while any(_parts(kind) for kind in blank.schema.types):
            blank = _opened(blank)
        self.inner: list[str] = blank.schema.names
        self.names = unique_names(self.inner, notes)
        self.unsigned = {
            name for name, kind in zip(self.names, blank.schema.types, strict=True) if arrow().types.is_uint64(kind)
        }
        for name, kind in zip(self.names, blank.schema.types, strict=True):
            if what := _changed(kind):
                notes.add(what, repr(name))

    def batch(self, batch: Any, kept: Sequence[str]) -> Any:
        """The columns that are kept of a record batch of the source."""
        pa = arrow()
        table = pa.Table.from_batches([batch])
        while any(_parts(kind) for kind in table.schema.types):
            table = _opened(table)
        cells = [_plain(_one(table.column(self.names.index(name)))) for name in kept]
        return pa.RecordBatch.from_arrays(cells, list(kept))

    def column(self, name: str, cells: Any, missing: Collection[str]) -> Column:
        """A column with the type that it has; text stays text."""
        if name in self.unsigned:
            found = Column.inferred(name, cells, missing=missing)
            if found.values.dtype.kind == "i":  # else some are beyond 64 bits with a sign
                return found
        return text_column(name, cells, missing)


def _opened(table: Any) -> Any:
    """The table with columns for the parts of those that have parts."""
    pa = arrow()
    kinds = [pa.field(field.name, _core(field.type)) for field in table.schema]
    stored = [
        pa.chunked_array([chunk.storage for chunk in column.chunks], kind.type)
        if isinstance(column.type, pa.BaseExtensionType)
        else column
        for column, kind in zip(table.columns, kinds, strict=True)
    ]
    return pa.table(stored, schema=pa.schema(kinds)).flatten()


def _core(kind: Any) -> Any:
    return kind.storage_type if isinstance(kind, arrow().BaseExtensionType) else kind


def _parts(kind: Any) -> bool:
    pa = arrow()
    return isinstance(kind, pa.BaseExtensionType) or pa.types.is_struct(kind)


def _one(column: Any) -> Any:
    pa = arrow()
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _changed(kind: Any) -> str:
    """What happens to a column of this type, in words."""
    types = arrow().types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_uint64(kind):
        return _HUGE
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return "columns of bytes, kept as text or as hexadecimal digits"
    if types.is_nested(kind):
        return "columns of lists or maps, kept as JSON"
    return ""


def _plain(array: Any) -> Any:
    pa = arrow()
    types, kind = pa.types, array.type
    if types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if types.is_run_end_encoded(kind):
        import pyarrow.compute as pc

        array = pc.run_end_decode(array)
        kind = array.type
    if types.is_null(kind) or types.is_uint64(kind) or _texts(kind, types):
        return array if types.is_string(kind) else array.cast(pa.string())
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return _decoded(array, pa)
    if types.is_float16(kind):
        return array.cast(pa.float32())
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind):
        return array
    if types.is_date(kind) or types.is_timestamp(kind) or types.is_time(kind) or types.is_duration(kind):
        return array
    return pa.array([None if one is None else _shown(one) for one in array.to_pylist()], pa.string())


def _texts(kind: Any, types: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _decoded(array: Any, pa: Any) -> Any:
    try:
        return array.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([None if one is None else as_text(one) for one in array.to_pylist()], pa.string())


def as_text(value: bytes) -> str:
    """Bytes as the text that they are in UTF-8, or as hexadecimal digits."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def _shown(value: Any) -> str:
    return json.dumps(
        value, ensure_ascii=False, default=lambda one: as_text(one) if isinstance(one, bytes) else str(one)
    )


@dataclasses.dataclass
class Frame:
    """A frame in memory.

    Args:
        values: a `Table`, a frame of pandas or polars, an arrow table, or a dictionary of columns.
        name: what to call it.

    Raises:
        DataError: something else.
    """

    values: Any = dataclasses.field(repr=False)
    name: str = "frame"
    kind: str = "frame"
    _notes: Notes = dataclasses.field(default_factory=Notes, repr=False)

    def __post_init__(self) -> None:
        self._made = Notes()
        self.values = _table(self.values, self._made)
        self._flat = Flat(self.values.schema, self._made)
        self._notes = self._made

    @property
    def bytes(self) -> int | None:
        """How much memory it takes."""
        return int(self.values.nbytes)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was changed to make plain columns of it."""
        return self._notes.problems()

    def column(self, name: str, cells: Any, missing: Collection[str] = ("",)) -> Column:
        """A column with the type that it has."""
        return self._flat.column(name, cells, missing)

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = ROWS_AT_ONCE) -> Iterator[Piece]:
        """The rows in order, at most so many at a time.

        Raises:
            UsageError: a column that is not there.
        """
        kept = chosen(self._flat.names, columns, self.name)
        first = 0
        for batch in self.values.to_batches(max_chunksize=rows):
            yield Piece(self._flat.batch(batch, kept), first)
            first += batch.num_rows
        if not first:
            yield Piece(self._flat.batch(arrow().RecordBatch.from_pylist([], self.values.schema), kept), 0)


def _table(values: Any, notes: Notes) -> Any:
    pa = arrow()
    if isinstance(values, Table):
        return values.to_arrow()
    if isinstance(values, pa.Table):
        return values
    named: list[tuple[str, Any]] | None = None
    if isinstance(values, Mapping):
        named = [(str(name), cells) for name, cells in values.items()]
    elif hasattr(values, "iloc") and hasattr(values, "columns"):  # pandas, whose columns may hold anything
        named = [
            *((str(name), values.index.get_level_values(level)) for level, name in _levels(values.index)),
            *((str(name), values.iloc[:, place]) for place, name in enumerate(values.columns)),
        ]
    try:
        if named is None:
            found = pa.table(values)
            return found.select([one for one in found.column_names if not one.startswith("__index_level_")])
        return pa.table([_cells(name, cells, notes, pa) for name, cells in named], names=[name for name, _ in named])
    except (TypeError, ValueError, pa.ArrowInvalid, pa.ArrowTypeError):
        raise DataError(
            f"Expected a table with columns of one length, got {type(values).__name__}.",
            "Pass a frame of pandas or polars, an arrow table, or a dictionary of columns.",
        ) from None  # the other error may show values


def _levels(index: Any) -> list[tuple[int, Any]]:
    """The parts of an index that have names; without one it only counts."""
    return [(level, name) for level, name in enumerate(index.names) if name is not None]


def _cells(name: str, cells: Any, notes: Notes, pa: Any) -> Any:
    if isinstance(cells, pa.Array | pa.ChunkedArray):
        return cells
    try:
        return pa.array(cells, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        notes.add(_MIXED, repr(name))
        gaps = cells.isna().tolist() if hasattr(cells, "isna") else [one is None for one in cells]
        return pa.array([None if gap else _word(one) for one, gap in zip(cells, gaps, strict=True)], pa.string())


def _word(value: Any) -> str:
    if isinstance(value, bytes):
        return as_text(value)
    return value if isinstance(value, str) else str(value)
