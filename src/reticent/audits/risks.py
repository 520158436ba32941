"""The records at risk: on which of them do a training's answers depend, and how surely would an attacker know?

Promise: `RiskList.listed` has a stated false discovery rate: of the records on it, the expected share on which the
trainings do not depend at all is at most the level. The list is that of Benjamini and Hochberg (1995), and it is exact
here without their assumptions having to be believed: the p-values are randomisation tests of each owner's own coin
flips, which are independent (see `reticent.audits.randomisation`) unless draws of one class only had to be drawn again:
with few owners outside the largest class an audit makes no list (`reticent.audits.claims.unfair`). `exposed` counts
the records for which no error at
all is allowed for (Holm, 1979): it is wrong about any of them with at most that probability. Both hold for any number
of models; with too few of them nothing could ever be listed, and then the answer is None, not zero.

The effect of a record is the area under its own ROC curve over trainings: shown one training with it and one without,
how often the one in which it is answered with more confidence is the one that had it. Intervals of listed records are
for the list (the expected share of them that miss is below the level, whatever the dependence), those of the others
hold for all records at once. Both are free of distributional assumptions, and wide; a listed record's may hold one
half, since it takes more evidence to say how large an effect is than that there is one.

A list of this kind says who is exposed to *this* attack. A record that is not on it is not thereby safe.

Example:
    >>> from reticent.audits.risks import record_risks
    >>> from reticent.models import Fleet, Signals
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> membership = source.bernoulli(0.5, 32 * 3).reshape(32, 3)
    >>> scores = source.normal((32, 3))
    >>> scores[:, 2] += 5 * membership[:, 2]  # trainings depend on the last record
    >>> found = record_risks(Fleet(Signals(scores, scores, membership), membership), randomness=source)
    >>> [risk.row for risk in found.listed], found.exposed
    ([2], 1)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent._numbers import p_value
from reticent.audits.multiplicity import benjamini_hochberg, holm, selected_confidence
from reticent.audits.randomisation import column_tests, smallest_p
from reticent.evidence import Estimate
from reticent.models import Fleet
from reticent.randomness import Randomness

__all__ = ["RecordRisk", "RiskList", "record_risks"]

_METHOD = "area under the record's own ROC curve over trainings; Hoeffding's bound for U-statistics"


@dataclasses.dataclass(frozen=True)
class RecordRisk:
    """How much trainings depend on one record, or on one owner's records.

    Attributes:
        row: the record's row, or the first one of the owner's.
        rows: how many rows are behind it: 1, or the owner's.
        position: position of that row among the members, or among the non-members, from 0.
        member: whether it was a training record of the audited model.
        inside: how many of the models were trained with it.
        effect: how often an attacker picks the training that had it, out of one that had and one that had not.
        p: p-value of its own test.
        listed_at: the smallest false discovery rate at which the list holds it.
        exposed_at: the smallest familywise error rate at which it is rejected (Holm).
    """

    row: int
    rows: int
    position: int
    member: bool
    inside: int
    effect: Estimate
    p: float
    listed_at: float
    exposed_at: float

    @property
    def name(self) -> str:
        """Where to find the record: "member 3" is members[3], "other 7" is nonmembers[7]."""
        name = f"{'member' if self.member else 'other'} {self.position}"
        return name if self.rows == 1 else f"the owner of {name} ({self.rows} rows)"

    def __str__(self) -> str:
        return f"{self.name}: {self.effect}, p = {p_value(self.p)}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values: the row, never its contents."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**fields, "name": self.name, "effect": self.effect.as_dict()}


@dataclasses.dataclass(frozen=True)
class RiskList:
    """All records (or owners) with their tests, the surest first.

    Attributes:
        risks: every one.
        models: trainings behind each test.
        level: false discovery rate of the list.
        confidence: one minus the familywise error rate of `exposed`; of the intervals.
        reachable: the smallest p-value that these draws could have given to any record.
    """

    risks: tuple[RecordRisk, ...]
    models: int
    level: float
    confidence: float
    reachable: float

    def __len__(self) -> int:
        return len(self.risks)

    @property
    def listed(self) -> tuple[RecordRisk, ...]:
        """The records at risk."""
        return tuple(risk for risk in self.risks if risk.listed_at <= self.level)

    @property
    def count(self) -> int | None:
        """How many are listed; None if so few trainings could have listed nobody, whatever they showed."""
        return None if self.reachable > self.level else len(self.listed)

    @property
    def exposed(self) -> int | None:
        """How many are exposed, with the confidence for all at once; None if so few trainings could not show it."""
        if self.reachable * max(len(self), 1) > 1 - self.confidence:
            return None
        return sum(risk.exposed_at <= 1 - self.confidence for risk in self.risks)

    def flags(self, owners: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(records,) whether a record, or its owner, is listed.

        Args:
            owners: (records,) whole numbers from 0: one for each tested unit.
        """
        listed = np.zeros(len(self), dtype=bool)
        listed[owners[[risk.row for risk in self.listed]]] = True
        return listed[owners]

    def as_dict(self, most: int = 20) -> dict[str, Any]:
        """Plain values, with at most so many of the listed records."""
        return {
            "tested": len(self),
            "models": self.models,
            "level": self.level,
            "confidence": self.confidence,
            "count": self.count,
            "exposed": self.exposed,
            "listed": [risk.as_dict() for risk in self.listed[:most]],
        }


def record_risks(
    fleet: Fleet,
    truth: npt.NDArray[np.bool_] | None = None,
    *,
    randomness: Randomness,
    owners: npt.NDArray[np.int64] | None = None,
    level: float = 0.05,
    confidence: float = 0.95,
) -> RiskList:
    """Test every record, or every owner, and list those at risk.

    Args:
        fleet: models that were trained on independent draws of the records (`train_shadows`).
        truth: (records,) whether the record was in the audited model's training data: names the records.
        randomness: breaks ties between scores.
        owners: (records,) whole numbers from 0, equal for rows of one owner: the owner is tested.
        level: false discovery rate of the list.
        confidence: of the intervals, and of `RiskList.exposed`.

    Raises:
        UsageError: rows of one owner that were not drawn together, or values out of range.
    """
    _checks.open_fraction(level=level)
    _checks.open_fraction(confidence=confidence)
    records = fleet.scores.shape[1]
    truth = np.ones(records, dtype=bool) if truth is None else truth
    tests = column_tests(fleet.scores, fleet.membership, randomness=randomness, owners=owners)
    first, rows = _units(records, owners)
    listed_at, exposed_at = benjamini_hochberg(tests.p), holm(tests.p)
    listed = np.flatnonzero(listed_at <= level)
    every = np.arange(len(first))
    low, high = tests.interval(every, 1 - (1 - confidence) / len(first))
    low[listed], high[listed] = tests.interval(listed, selected_confidence(confidence, len(listed), len(first)))
    positions = np.where(truth, np.cumsum(truth), np.cumsum(~truth)) - 1
    many = f"for all {len(first)} at once"
    methods = [f"{_METHOD}, {many}", f"{_METHOD}, for a list of {len(listed)} of {len(first)}"]
    risks = []
    for unit in np.lexsort((-tests.effect, tests.p)):
        value, row = float(tests.effect[unit]), int(first[unit])
        method = methods[int(listed_at[unit] <= level)]
        risks.append(
            RecordRisk(
                row,
                int(rows[unit]),
                int(positions[row]),
                bool(truth[row]),
                int(tests.inside[unit]),
                Estimate(value, min(low[unit], value), max(high[unit], value), confidence, tests.models, method),
                float(tests.p[unit]),
                float(listed_at[unit]),
                float(exposed_at[unit]),
            )
        )
    reachable = _reachable(tests.inside.tolist(), tests.models)
    return RiskList(tuple(risks), tests.models, level, confidence, reachable)


def _units(records: int, owners: npt.NDArray[np.int64] | None) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First row, and number of rows, of each unit."""
    if owners is None:
        return np.arange(records), np.ones(records, dtype=np.int64)
    return np.unique(owners, return_index=True)[1], np.bincount(owners)


def _reachable(inside: Sequence[int], models: int) -> float:
    return min((smallest_p(models, count) for count in set(inside)), default=1.0)
