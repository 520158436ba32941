"""What becomes a record and a page in the same way, whatever it found.

Promise: a class derived from `Reported` has `record()` and `save(path)`; its `as_dict` decides alone what they hold.

Example:
    >>> from reticent.reports.reported import Reported
    >>> class Count(Reported):
    ...     kind = "count"
    ...     def as_dict(self):
    ...         return {"rows": 3}
    >>> Count().record().body
    {'rows': 3}
"""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any, ClassVar

from reticent.evidence import Record, now

__all__ = ["Reported"]


class Reported(abc.ABC):
    """Something found."""

    kind: ClassVar[str]
    """Of its record: one that `reticent.reports.render` has a page for."""

    @abc.abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Plain values."""

    def record(self) -> Record:
        """All of it as a record, made now."""
        return Record(self.kind, self.as_dict(), created=now())

    def save(self, path: str | Path) -> Path:
        """Write the page (`.html`) or the record (`.json`).

        Raises:
            UsageError: another ending, or a place that cannot be written.
        """
        from reticent.reports import save

        return save(self.record(), path)
