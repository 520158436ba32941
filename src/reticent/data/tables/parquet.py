"""Parquet files in pieces.

Promise: columns keep their types, made plain as `frames` says. Rows come in order, in pieces whose size is bounded by
rows and, as far as the file says how large its row groups are, by bytes. A row group that is damaged is left out, which
is noted with its rows, and the others are read; a file that is cut off has lost the list of its parts, so that nothing
of it can be read, which is noted too.

Shapes: as the file has them; text stays text when it is read whole.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.tables import Table
    >>> from reticent.data.tables.parquet import Parquet
    >>> path = Table.of({"age": [34, None]}).save(pathlib.Path(tempfile.mkdtemp()) / "people.parquet")
    >>> [piece.batch.to_pydict() for piece in Parquet(path, "people.parquet").pieces()]
    [{'age': [34, None]}]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from reticent.data.tables.columns import Column, arrow
from reticent.data.tables.frames import Flat
from reticent.data.tables.pieces import ROWS_AT_ONCE, File, Notes, Piece, chosen, text_column

__all__ = ["Parquet"]

_AT_ONCE: Final = 1 << 25  # bytes of a piece, by what the file says
_CHANGED: Final = "the file was changed while it was read, so that rows may be missing or in it twice"


@dataclasses.dataclass
class Parquet(File):
    """A Parquet file.

    Args:
        path: where it lies.
        name: what to call it.
    """

    kind: str = "parquet"
    _flat: Flat | None = dataclasses.field(default=None, repr=False)

    def column(self, name: str, cells: Any, missing: Collection[str] = ("",)) -> Column:
        """A column with the type that it has."""
        return text_column(name, cells, missing) if self._flat is None else self._flat.column(name, cells, missing)

    def pieces(self, columns: Sequence[str] | None = None, *, rows: int = ROWS_AT_ONCE) -> Iterator[Piece]:
        """The rows in order, at most so many at a time.

        Raises:
            UsageError: a column that is not there.
        """
        pa = arrow()
        import pyarrow.parquet

        notes = self._notes = Notes()
        try:
            before = self.path.stat()
            file = pyarrow.parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=1 << 20)
        except (pa.ArrowException, OSError) as error:
            notes.add(_unreadable(error, pa), lost=True)
            return
        with file:
            flat = self._flat = Flat(file.schema_arrow, notes)
            kept = chosen(flat.names, columns, self.name)
            yield from self._groups(file, flat, kept, rows)
            if not file.metadata.num_rows:
                yield Piece(flat.batch(pa.RecordBatch.from_pylist([], file.schema_arrow), kept), 0)
        after = self.path.stat() if self.path.exists() else None
        if after is None or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            notes.add(_CHANGED, lost=True)

    def _groups(self, file: Any, flat: Flat, kept: Sequence[str], rows: int) -> Iterator[Piece]:
        pa = arrow()
        # Parts of columns have to come as they are in the file, so that those of one column stay together.
        wanted = list(dict.fromkeys(flat.inner[flat.names.index(name)] for name in kept))
        whole = len(kept) == len(flat.names) or flat.names != flat.inner
        first = 0
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            at_once = max(1, min(rows, _AT_ONCE * group.num_rows // max(group.total_byte_size, 1)))
            at = first
            try:
                for batch in file.iter_batches(
                    at_once, row_groups=[number], columns=None if whole else wanted, use_threads=False
                ):
                    part = Flat(batch.schema, Notes()) if not whole else flat
                    yield Piece(part.batch(batch, kept), at)
                    at += batch.num_rows
            except (pa.ArrowException, OSError):
                last = first + group.num_rows - 1
                self._notes.add(
                    "row groups that are damaged, of which these rows were not read", f"rows {at} to {last}", lost=True
                )
            first += group.num_rows


def _unreadable(error: Exception, pa: Any) -> str:
    if isinstance(error, OSError) and error.strerror and not isinstance(error, pa.ArrowException):
        return f"the file could not be opened: {error.strerror.lower()}"
    return "no Parquet file, or one that is cut off or encrypted: the list of its parts, at its end, cannot be read"
