"""`single_out`: whether a release lets somebody say what is true of exactly one person in the secret data.

Promise: an attempt counts as a success only if it isolates one row of the data AND its weight is shown to be small: the
upper ends of the weights' intervals, from records that were held out, hold for all attempts together (each at its share
of the error). Beside the success stands what predicates of such weight reach without any release: n w (1 - w)^(n - 1),
up to 37 % for w = 1/n, which is why weights above 1/(10 n) do not count by default; and, measured, how often the same
predicates isolate one of n other people.

An attempt whose weight could be shown neither to be small nor to be large is no success, and no failure either:
"singled out, or of unknown weight" counts it, so that the upper end of that estimate is what a limit is held against.

The interval of the success is about the attempts that this release allows, drawn at random, on this data; another
draw of the data may do otherwise. With too few records held out no weight can be shown to be small; then the finding is
inconclusive and says how many are needed.

Sources: Cohen and Nissim (2020), definitions 2.2 and 2.3.

Example:
    >>> from reticent.audits.reidentification import single_out
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> def drawn(rows):
    ...     return Table.of({name: source.integers(40, rows).tolist() for name in ("age", "zip", "illness")})
    >>> people, others = drawn(50), drawn(8000)
    >>> found = single_out(people, people, others, attempts=20, randomness=source)  # released as it is
    >>> found.finding.estimates["singled out"].value, found.finding.baseline["singled out"].high < 0.1
    (1.0, True)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.reidentification.predicates import Hierarchies
from reticent.attacks.reidentification.singling_out import attempts_on, hits, trivial
from reticent.audits.reidentification.power import power_of
from reticent.data.anonymity import Generalisation
from reticent.data.tables import Table, as_table
from reticent.errors import DataError
from reticent.evidence import Estimate, Finding, Status, software
from reticent.evidence.intervals import clopper_pearson, rate
from reticent.randomness import Randomness
from reticent.reports.reported import Reported

__all__ = ["SinglingOut", "held_out_needed", "single_out"]

SINGLED: Final = "singled out"
POSSIBLY: Final = "singled out, or of unknown weight"
_NOT_TESTED: Final = {
    "downcoding": "what a minimal generalisation gives away of the values beneath it (Cohen 2022) was not tried",
    "several releases": "releases that overlap were not combined",
    "another draw of the data": "the share is about this data; only the attempts were drawn anew",
}


@dataclasses.dataclass(frozen=True)
class SinglingOut(Reported):
    """The result of `single_out`.

    Attributes:
        name: of the release.
        finding: the share of attempts that single somebody out.
        attempts: of each: kind, size of the class, rows of the data, weight with its interval; no contents.
        data: sizes, in plain values.
        power: what so many attempts can show.
        settings: further plain values.
    """

    kind: ClassVar[str] = "reidentification"

    name: str
    finding: Finding
    attempts: tuple[Mapping[str, Any], ...]
    data: Mapping[str, Any]
    power: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The one finding."""
        return (self.finding,)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "question": "singling out",
            "name": self.name,
            "finding": self.finding.as_dict(),
            "attempts": [dict(one) for one in self.attempts],
            "data": dict(self.data),
            "power": dict(self.power),
            "settings": dict(self.settings),
            "not_tested": dict(_NOT_TESTED),
            "software": software(),
        }


def held_out_needed(weight: float, attempts: int, *, confidence: float = 0.95) -> int:
    """How many records must be held out so that a predicate which holds for none of them counts.

    Args:
        weight: the largest one that counts.
        attempts: how many predicates share the error.
        confidence: that all upper ends hold.
    """
    weight, confidence = _checks.open_fraction(weight=weight), _checks.open_fraction(confidence=confidence)
    return math.ceil(math.log((1 - confidence) / _checks.at_least(1, attempts=attempts)) / math.log1p(-weight) - 1e-9)


def single_out(
    released: Any,
    data: Any,
    held_out: Any,
    *,
    attempts: int = 100,
    counts: str | None = None,
    columns: int | None = None,
    hierarchies: Hierarchies | None = None,
    generalisation: Generalisation | None = None,
    weight: float | None = None,
    confidence: float = 0.95,
    name: str = "release",
    randomness: Randomness | None = None,
) -> SinglingOut:
    """Try to single somebody out with what a release says.

    Args:
        released: a table with less in it, a synthetic one, or counts; like the others what `as_table` takes.
        data: the secret records that it was made from.
        held_out: other records from the same population, for the weights; none of them in `data`.
        attempts: how many predicates, at most.
        counts: in a release of counts, the column that says how many people a row is about.
        columns: predicates use so many columns, drawn at random; all of them, by default. For synthetic tables, few.
        hierarchies: by column, what a released label stands for.
        generalisation: by which the release was made; it explains the labels, and which columns are pseudonyms.
        weight: the largest one that counts; 1/(10 n) by default.
        confidence: of each interval.
        name: of the release, as it stands in the report.
        randomness: a generator; the operating system's by default.

    Raises:
        UsageError: no such column.
        DataError: columns that differ, or cells that cannot be read.
    """
    source = Randomness.secure() if randomness is None else randomness
    released, data, held_out = (as_table(one) for one in (released, data, held_out))
    if generalisation is not None:
        released, data, held_out, hierarchies = _explained(released, data, held_out, hierarchies, generalisation)
    missing = [one for one in data.names if one not in held_out]
    if missing or not data.rows or not held_out.rows:
        raise DataError(
            f"Expected held-out records with the columns of the data, got {len(missing)} columns or all rows missing.",
            "Take both from one table.",
        )
    people = data.rows
    limit = 1 / (10 * people) if weight is None else _checks.open_fraction(weight=weight)
    other = held_out.select(data.names)
    made = attempts_on(
        released, data, attempts, source.spawn("attempts"), counts=counts, columns=columns, hierarchies=hierarchies
    )
    said = [one.predicate for one in made]
    inside, outside = hits(said, data), hits(said, other)
    highest = _upper(outside, other.rows, confidence)
    unknown = (inside == 1) & (_lower(outside, other.rows, confidence) <= limit)
    measured = outside / other.rows
    counted = (inside == 1) & (highest <= limit)
    listed = tuple(
        {
            "kind": one.kind,
            "size": one.size,
            "rows": int(inside[i]),
            "weight": float(measured[i]),
            "weight_at_most": float(highest[i]),
            "counts": bool(counted[i]),
        }
        for i, one in enumerate(made)
    )
    finding = _finding(
        name, made[0].kind, inside, counted, unknown, measured, highest, limit, people, other, said, confidence, source
    )
    return SinglingOut(
        name,
        finding,
        listed,
        {"people": people, "held_out": other.rows, "released_rows": released.rows, "columns": len(data.names)},
        {
            **power_of(len(made), confidence=confidence),
            "held_out": other.rows,
            "held_out_needed": held_out_needed(limit, len(made), confidence=confidence),
        },
        {
            "weight": limit,
            "trivial_at_weight": float(trivial(limit, people)),
            "trivial_at_most": float(trivial(1 / people, people)),
            "confidence": confidence,
            "repeatable": not source.is_secure,
        },
    )


def _explained(
    released: Table, data: Table, held_out: Table, hierarchies: Hierarchies | None, made: Generalisation
) -> tuple[Table, Table, Table, Hierarchies]:
    """The tables as they were when the release was made, and what its labels stand for."""
    data, held_out = (made.as_fitted(one)[0] for one in (data, held_out))
    hidden = [] if made.pseudonyms is None else [name for name in made.pseudonyms.domains if name in released]
    released = released.without(hidden) if hidden else released
    return released, data, held_out, {**made.meanings(data, held_out), **(hierarchies or {})}


def _upper(found: npt.NDArray[np.int64], rows: int, confidence: float) -> npt.NDArray[np.float64]:
    """Upper ends of weights that hold for all of them together (Clopper-Pearson, Bonferroni)."""
    level = 1 - 2 * (1 - confidence) / len(found)  # one-sided, so twice the tail
    ends = {count: clopper_pearson(count, rows, level)[1] for count in set(found.tolist())}
    return np.array([ends[count] for count in found.tolist()])


def _lower(found: npt.NDArray[np.int64], rows: int, confidence: float) -> npt.NDArray[np.float64]:
    """Lower ends of weights that hold for all of them together."""
    return 1 - _upper(rows - found, rows, confidence)


def _finding(
    name: str,
    kind: str,
    inside: npt.NDArray[np.int64],
    counted: npt.NDArray[np.bool_],
    unknown: npt.NDArray[np.bool_],
    measured: npt.NDArray[np.float64],
    highest: npt.NDArray[np.float64],
    limit: float,
    people: int,
    other: Table,
    said: Any,
    confidence: float,
    source: Randomness,
) -> Finding:
    light = highest <= limit
    estimates = {
        SINGLED: rate(
            int(counted.sum()),
            len(counted),
            method=f"attempts that isolate one row, at a weight of at most {limit:.3g}",
            confidence=confidence,
        ),
        POSSIBLY: rate(
            int(unknown.sum()),
            len(unknown),
            method=f"attempts that isolate one row, at a weight not shown to be above {limit:.3g}",
            confidence=confidence,
        ),
        "isolated, whatever the weight": rate(
            int((inside == 1).sum()), len(inside), method="attempts that isolate one row", confidence=confidence
        ),
    }
    # n w (1 - w)^(n - 1) grows up to w = 1/n, so upper ends of weights give an upper end of it.
    ends = trivial(np.minimum(highest, 1 / people), people)
    value = np.where(light, trivial(np.minimum(measured, 1 / people), people), 0.0)
    baseline = {
        SINGLED: Estimate(
            float(value.mean()),
            0.0,
            float(np.where(light, ends, 0.0).mean()),
            confidence,
            other.rows,
            "n w (1 - w)^(n - 1) at each measured weight; upper end from all weights' upper ends together",
        )
    }
    if other.rows >= people:
        drawn = other.take(np.sort(source.spawn("others").permutation(other.rows)[:people]))
        alone = hits(said, drawn) == 1
        baseline["isolated, whatever the weight"] = rate(
            int(alone.sum()), len(alone), method="attempts that isolate one of n other people", confidence=confidence
        )
    if not light.any():
        needed = held_out_needed(limit, len(said), confidence=confidence)
        reason = (
            f"no weight could be shown to be at most {limit:.3g} with {other.rows} records held out; for a predicate "
            f"that holds for none of them {needed} are needed"
        )
        return Finding(f"singling out by {kind}", name, "the release", estimates, baseline, Status.INCONCLUSIVE, reason)
    details = {"attempts whose weight was shown to be small": int(light.sum()), "largest weight that counts": limit}
    return Finding(f"singling out by {kind}", name, "the release", estimates, baseline, details=details)
