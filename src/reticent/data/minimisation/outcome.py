"""What a table can do without, and the evidence for it: the table that a file on Article 5(1)(c) GDPR needs.

Promise: every figure has its interval, method and number of rows; the claim is one figure, measured on rows that the
search never saw, by looks whose error together is that of one (`looking`). It names columns, bands and counts, never a
cell. It is a measurement of one model on one day, not a judgement that processing is lawful: what is necessary for a
purpose is for people to say.

`status`, of the claim that less than the tolerance is lost:
"confirmed" (the interval lies above minus the tolerance), "not confirmed" (it holds minus the tolerance: too few rows
to tell, or a loss of about as much), "refuted" (it lies below), "needed" (nothing can go: every step loses more),
"not resolvable" (no step was tried on held-out rows, because so few rows could not have shown it).

Example:
    >>> import numpy as np, reticent as rt
    >>> people = {"age": np.arange(4000) % 90, "shoe": np.arange(4000) % 7, "ill": np.arange(4000) % 90 >= 50}
    >>> found = rt.minimise(people, "ill", randomness=rt.Randomness.simulated(1))
    >>> found.status, [(one.name, one.decision, one.what) for one in found.columns]
    ('confirmed', [('age', 'coarser', '2 bands, cut at 50'), ('shoe', 'dropped', 'nothing')])
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reticent.data.minimisation.mapping import Generalisation
from reticent.errors import UsageError
from reticent.evidence import Estimate, Finding, Record, digest, software, write_whole

__all__ = ["ColumnVerdict", "Minimisation"]

KIND: Final = "minimisation"
_ENDINGS: Final = (".html", ".json", ".csv")


@dataclasses.dataclass(frozen=True)
class ColumnVerdict:
    """A column: whether it is needed, what is kept of it, and the evidence.

    Attributes:
        name: of the column.
        decision: "dropped", "coarser", "kept", or "not used" (a column that the model was not given).
        what: is kept of it, in words.
        why: that, in words.
        before: distinct values in the table.
        after: distinct values of what is kept.
        weight: how much it had better go; 0 for columns that nobody named.
        pinned: whether it was to stay.
        gain: what it adds to the table that is left: with all of it, minus without it; on held-out rows.
        precision: what its full precision adds to the table that is left, where it was made coarser.
        stand_in: the kept column that says most of what it said, where one says nearly all.
        stand_in_share: how much of its information that one gives.
    """

    name: str
    decision: str
    what: str
    why: str
    before: int
    after: int
    weight: float
    pinned: bool
    gain: Estimate | None
    precision: Estimate | None
    stand_in: str | None
    stand_in_share: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Minimisation:
    """The outcome of `minimise`.

    Attributes:
        status: of the claim; see above.
        label: what was predicted.
        metric: what it was judged by.
        tolerance: the largest loss that is accepted.
        model: that judged, in words.
        data: numbers of rows and people, and what was left out.
        full: the figure of the whole table, on held-out rows.
        minimised: that of what is left.
        difference: the second minus the first, with its paired interval; None if nothing was to be confirmed.
        without_columns: the figure of an answer that looks at no column.
        columns: a verdict for each.
        same: groups of columns that say the same.
        proxies: whether columns that had better go can be told from the rest.
        rows: what fewer training rows cost.
        search: how the search went.
        map: the fitted map; `map.save(path)` keeps it.
        created: when, in UTC.
        repeatable: whether it was seeded.
    """

    status: str
    label: str
    metric: str
    tolerance: float
    model: str
    data: Mapping[str, Any]
    full: Estimate
    minimised: Estimate
    difference: Estimate | None
    without_columns: Estimate
    columns: tuple[ColumnVerdict, ...]
    same: tuple[tuple[str, ...], ...]
    proxies: tuple[Finding, ...]
    rows: Mapping[str, Any]
    search: Mapping[str, Any]
    map: Generalisation
    created: str
    repeatable: bool

    @property
    def confirmed(self) -> bool:
        """Whether the claim holds, at its confidence."""
        return self.status == "confirmed"

    def as_dict(self) -> dict[str, Any]:
        """Plain values; of the map, its digest only."""
        return {
            "status": self.status,
            "label": self.label,
            "metric": self.metric,
            "tolerance": self.tolerance,
            "model": self.model,
            "data": dict(self.data),
            "full": self.full.as_dict(),
            "minimised": self.minimised.as_dict(),
            "difference": None if self.difference is None else self.difference.as_dict(),
            "without_columns": self.without_columns.as_dict(),
            "columns": [one.as_dict() for one in self.columns],
            "same": [list(group) for group in self.same],
            "proxies": [one.as_dict() for one in self.proxies],
            "rows": dict(self.rows),
            "search": dict(self.search),
            "map": digest(self.map.as_dict()),
            "repeatable": self.repeatable,
            "software": software(),
        }

    def record(self) -> Record:
        """The outcome under its hash."""
        return Record(KIND, self.as_dict(), created=self.created)

    def save(self, path: str | Path) -> Path:
        """Write the page (`.html`), the record (`.json`) or the table of columns (`.csv`): whole or not at all.

        Raises:
            UsageError: another ending, or a place that cannot be written.
        """
        ending = Path(path).suffix.lower()
        if ending not in _ENDINGS:
            raise UsageError(
                f"Expected a path that ends in {', '.join(_ENDINGS)}, got {str(path)!r}.", "Choose one of these."
            )
        if ending == ".csv":
            return write_whole(path, self.csv().encode())
        if ending == ".json":
            return write_whole(path, self.record().to_json())
        from reticent.reports import render

        return write_whole(path, render(self.record()).encode())

    def csv(self) -> str:
        """One row for each column, with its evidence."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(
            ("column", "needed", "kept of it", "why", "values before", "values after", "stands for it",
             f"adds to {self.metric}", "low", "high", "confidence", "n", "label", "model", "date", "claim")
        )  # fmt: skip
        for one in self.columns:
            gain = one.gain
            figures = ("",) * 5 if gain is None else (gain.value, gain.low, gain.high, gain.confidence, gain.n)
            needed = {"dropped": "no", "coarser": "in part", "kept": "kept"}.get(one.decision, one.decision)
            writer.writerow(
                (one.name, needed, one.what, one.why, one.before, one.after, one.stand_in or "", *figures,
                 self.label, self.model, self.created, self.status)
            )  # fmt: skip
        return out.getvalue()

    def __str__(self) -> str:
        from reticent.reports.minimisation import sentences

        return "\n".join(sentences(self.as_dict()))
