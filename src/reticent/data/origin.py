"""Where the rows of some records are found: a file, or a packaged set, and the columns that say whose they are.

Promise: names of files and columns only, never a value. Records that were drawn from others say that they are a part:
their rows are no longer those of the file.

Example:
    >>> from reticent.data.origin import Origin
    >>> where = Origin("members.csv", "row 0 is the first below the header", owner="patient")
    >>> where.text, where.part().text
    ('members.csv', 'a part drawn from members.csv')
"""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["Origin"]


@dataclasses.dataclass(frozen=True)
class Origin:
    """The table that rows are counted in.

    Attributes:
        file: the name of a file, or what else the records are from.
        first: how its row 0 is found, where that is not plain.
        owner: the column of who a row is about.
        identifier: the column that names a row.
        drawn: whether only some of its rows are there, so that they have other numbers.
    """

    file: str
    first: str = ""
    owner: str | None = None
    identifier: str | None = None
    drawn: bool = False

    @property
    def text(self) -> str:
        """The table in words."""
        return f"a part drawn from {self.file}" if self.drawn else self.file

    def part(self) -> Origin:
        """That of some of the rows."""
        return self if self.drawn else dataclasses.replace(self, drawn=True)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)
