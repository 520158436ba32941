"""Tables written to files that other programs read.

Promise: a file appears whole or not at all, and holds the table's values in its order; a missing value is an empty cell
(CSV), null (JSON lines) or null (Parquet). Read back by `reticent.data.tables.read(path, missing=())`, it is the same
table, but for what CSV cannot tell apart (texts that are written like numbers or dates, empty texts and missing
values), and for texts of JSON lines that are written like dates. By default `read` takes empty texts for missing ones.

Example:
    >>> import pathlib, tempfile
    >>> from reticent.data.tables import Table
    >>> table = Table.of({"age": [34, None], "name": ["a", "b"]})
    >>> table.save(pathlib.Path(tempfile.mkdtemp()) / "two.csv").read_text()
    'age,name\\n34,a\\n,b\\n'
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reticent.data.tables.columns import Column
from reticent.errors import UsageError
from reticent.evidence import write_whole

if TYPE_CHECKING:
    from reticent.data.tables.table import Table

__all__ = ["ENDINGS", "write_table"]

ENDINGS = (".csv", ".parquet", ".jsonl")


def write_table(table: Table, path: str | Path) -> Path:
    """Write a table in the format of the path's ending.

    Raises:
        UsageError: another ending, or a place that cannot be written.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(
            f"Expected a path that ends in {', '.join(ENDINGS)}, got {str(path)!r}.", "Choose one of these endings."
        )
    return write_whole(target, _WRITERS[ending](table))


def _csv(table: Table) -> bytes:
    # Quoting is Python's: a cell with commas, quotes or line breaks comes back as it was. Python quotes only those
    # letters of a line break that its own rows end in: so they end in both, of which one is taken off again.
    out = _Lines()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table.names)
    writer.writerows(zip(*(_cells(column) for column in table.columns), strict=True))
    return out.getvalue().encode()


class _Lines(io.StringIO):
    """Rows, each ending in LF alone."""

    def write(self, row: str, /) -> int:
        return super().write(row.removesuffix("\r\n") + "\n")


def _cells(column: Column) -> list[Any]:
    whole = np.array([*_plain(column), ""], dtype=object)
    return list(whole[column.codes])


def _plain(column: Column) -> list[Any]:
    if column.kind != "date":
        return list(column.values.tolist())
    moments = column.values.astype("datetime64[us]")
    if (moments == moments.astype("datetime64[D]")).all():
        return [str(day) for day in moments.astype("datetime64[D]")]
    return [str(moment) for moment in moments]


def _json_lines(table: Table) -> bytes:
    columns = []
    for column in table.columns:
        whole = np.array([*_plain(column), None], dtype=object)
        columns.append(whole[column.codes])
    lines = (
        json.dumps(dict(zip(table.names, row, strict=True)), ensure_ascii=False) for row in zip(*columns, strict=True)
    )
    return "".join(f"{line}\n" for line in lines).encode()


def _parquet(table: Table) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table.to_arrow(), sink)
    return bytes(sink.getvalue())


_WRITERS = {".csv": _csv, ".parquet": _parquet, ".jsonl": _json_lines}
