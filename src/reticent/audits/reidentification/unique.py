"""`unicity`: what share of people is alone with p of their points, by p and by how exactly the points are seen.

Promise: people are drawn at random, each with a fresh draw of points (the same ones for every p; anew for every
precision, since points are other ones then); who is alone is counted over everybody in the data; intervals are
Clopper-Pearson over the people drawn. Whoever has fewer than p points is left out at p, and the finding says of how
many it speaks. Without a point nobody is alone, and picking anybody finds a person with probability 1/n: the baseline.

Not covered: people who are not in the data. In a larger population more people share the points; an observer who is
wrong about one may miss a person, so unicity bounds what a careful observer finds from above, in this data.

Example:
    >>> from reticent.audits.reidentification import unicity
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> rows = Table.of({"age": [31, 34, 52, 57], "zip": ["a", "a", "b", "c"]})
    >>> found = unicity(rows, ["age", "zip"], points=(1, 2), precisions={"as it is": {}, "decades": {"age": 10}},
    ...                 randomness=Randomness.simulated(1))
    >>> [curve.findings[-1].estimates["alone"].value for curve in found.curves]
    [1.0, 0.5]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from reticent import _checks
from reticent.attacks.reidentification.unicity import cells_of, crowds, points_of
from reticent.audits.reidentification.power import power_of
from reticent.data.tables import as_table
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.evidence import Estimate, Finding, software
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness
from reticent.reports.reported import Reported

__all__ = ["Curve", "Unicity", "unicity"]

ALONE: Final = "alone"
_NOT_TESTED: Final = {
    "people outside the data": "in a larger population more people share the same points",
    "points that are known wrongly": "every point was taken to be right; reticent reidentify ratings plays errors",
}


@dataclasses.dataclass(frozen=True)
class Curve:
    """One precision.

    Attributes:
        name: of the precision.
        widths: by column, how coarsely it was seen.
        points: how many points were known, finding by finding.
        findings: the share of people who are alone.
    """

    name: str
    widths: Mapping[str, float]
    points: tuple[int, ...]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "widths": dict(self.widths),
            "points": list(self.points),
            "findings": [one.as_dict() for one in self.findings],
        }


@dataclasses.dataclass(frozen=True)
class Unicity(Reported):
    """The result of `unicity`.

    Attributes:
        name: of the data.
        curves: precision by precision.
        data: sizes, in plain values.
        power: what so many people can show.
        settings: further plain values.
    """

    kind: ClassVar[str] = "reidentification"

    name: str
    curves: tuple[Curve, ...]
    data: Mapping[str, Any]
    power: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Curve by curve."""
        return tuple(one for curve in self.curves for one in curve.findings)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "question": "unicity",
            "name": self.name,
            "data": dict(self.data),
            "curves": [curve.as_dict() for curve in self.curves],
            "power": dict(self.power),
            "settings": dict(self.settings),
            "not_tested": dict(_NOT_TESTED),
            "software": software(),
        }


def unicity(
    table: Any,
    columns: Sequence[str],
    *,
    person: str | None = None,
    points: Sequence[int] = (1, 2, 3, 4),
    precisions: Mapping[str, Mapping[str, float]] | None = None,
    people: int = 2000,
    confidence: float = 0.95,
    name: str = "table",
    randomness: Randomness | None = None,
) -> Unicity:
    """Count who is alone.

    Args:
        table: sightings, if `person` names who was seen; one row for each person otherwise. A `Table`, a frame, a path
            or an address (`as_table`).
        columns: what is seen: all of them make one point of a trace; each of them is a point of a row.
        person: the column that says who it was, for traces.
        points: how many are known.
        precisions: by name, how coarsely columns are seen; as they are, by default.
        people: how many are drawn at most.
        confidence: of each interval by itself.
        name: of the data, as it stands in the report.
        randomness: a generator; the operating system's by default.

    Raises:
        UsageError: no such column, no point, or more points of a row than it has columns.
        NotEnoughEvidence: nobody has so many points.
    """
    source = Randomness.secure() if randomness is None else randomness
    table = as_table(table)
    numbers = sorted({_checks.at_least(1, points=one) for one in points})
    if not numbers or (person is None and numbers[-1] > len(columns)):
        raise UsageError(
            f"Expected points from 1 to {len(columns)}, got {list(points)}.", "A row has a point for each column."
        )
    ways = {"as it is": {}} if precisions is None else dict(precisions)
    curves, count = [], 0
    chosen: Any = None
    for label, widths in ways.items():
        made = (
            cells_of(table, columns, widths=widths)
            if person is None
            else points_of(table, person, columns, widths=widths)
        )
        if chosen is None:
            count = made.count
            chosen = np.sort(source.spawn("people").permutation(count)[: _checks.at_least(1, people=people)])
        found = crowds(made, chosen, numbers[-1], source.spawn(f"points {label}"))
        curves.append(_curve(label, widths, numbers, found, count, confidence, name))
    return Unicity(
        name,
        tuple(curves),
        {"people": count, "rows": table.rows, "columns": list(columns), "person": person},
        power_of(len(chosen), confidence=confidence),
        {"people": len(chosen), "confidence": confidence, "repeatable": not source.is_secure},
    )


def _curve(
    label: str,
    widths: Mapping[str, float],
    numbers: Sequence[int],
    found: Any,
    count: int,
    confidence: float,
    name: str,
) -> Curve:
    findings = []
    for number in numbers:
        crowd = found[:, number - 1]
        crowd = crowd[crowd > 0]
        if not len(crowd):
            raise NotEnoughEvidence(f"Expected people with {number} points, got none.", "Ask for fewer points.")
        alone = int((crowd == 1).sum())
        share = rate(alone, len(crowd), method=f"people alone with {number} points", confidence=confidence)
        guess = Estimate(1 / count, 1 / count, 1 / count, confidence, count, f"anybody of {count} people; exact")
        findings.append(
            Finding(
                "unicity",
                f"{name}, {label}",
                f"{number} points drawn at random from the person's own",
                {ALONE: share},
                {ALONE: guess},
                details={
                    "points": number,
                    "people with fewer points": int((found[:, number - 1] < 0).sum()),
                    "median crowd": float(np.median(crowd)),
                },
            )
        )
    return Curve(label, dict(widths), tuple(numbers), tuple(findings))
