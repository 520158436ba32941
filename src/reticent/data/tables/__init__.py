"""Tables about people as they come: files, folders, databases and frames, in memory or in pieces.

Example:
    >>> from reticent.data.tables import Table
    >>> Table.of({"age": [34, 51]})["age"].numbers().tolist()
    [34.0, 51.0]
"""

from reticent.data.tables.columns import KINDS, Column
from reticent.data.tables.preparing import Prepared, to_records
from reticent.data.tables.reading import Sample, as_table, called, read, read_all, sample
from reticent.data.tables.sources import NotRead, Piece, Problem, Source, Sources, open_sources
from reticent.data.tables.table import Classes, Table

__all__ = [
    "KINDS",
    "Classes",
    "Column",
    "NotRead",
    "Piece",
    "Prepared",
    "Problem",
    "Sample",
    "Source",
    "Sources",
    "Table",
    "as_table",
    "called",
    "open_sources",
    "read",
    "read_all",
    "sample",
    "to_records",
]
