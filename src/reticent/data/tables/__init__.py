"""Tables about people as they come: files, folders, databases and frames, in memory or in pieces.

Example:
    >>> from reticent.data.tables import Table
    >>> Table.of({"age": [34, 51]})["age"].numbers().tolist()
    [34.0, 51.0]
"""

from reticent.data.tables.columns import KINDS, Column
from reticent.data.tables.sources import Piece, Problem, Source, open_sources, read
from reticent.data.tables.table import Classes, Table

__all__ = [
    "KINDS",
    "Classes",
    "Column",
    "Piece",
    "Problem",
    "Source",
    "Table",
    "open_sources",
    "read",
]
