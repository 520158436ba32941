"""Which records a way of training gives away: in how many trainings the attacker guesses their membership rightly.

Promise: the lower bound of every record holds for all records at once (Bonferroni), so it may be read for the worst,
which were picked because they look worst. It is approximate: guesses about one record share reference models. On
trainings that learn nothing, simulations found some record exposed in 3 to 5 % of audits at the 95 % level. There is no
upper bound (it is given as 1): leaving the attacked model out pushes some shares far below one half, by construction.

Example:
    >>> import numpy as np
    >>> from reticent.audits.risks import exposed, record_risks
    >>> from reticent.models import Fleet, Signals
    >>> membership = np.array([[True, False], [False, True]] * 16)
    >>> known = np.stack([membership[:, 0] - 0.5, np.ones(32)], axis=1)  # the first is always guessed, the second never
    >>> fleet = Fleet(Signals(known, known, membership), membership)
    >>> risks = record_risks(fleet, known, np.array([True, False]), inclusion=0.5, confidence=0.95)
    >>> [(risk.row, risk.right) for risk in risks], exposed(risks)
    ([(0, 32), (1, 16)], 1)
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.audits.statistics import clopper_pearson
from reticent.evidence import Estimate
from reticent.models import Fleet

__all__ = ["RecordRisk", "exposed", "record_risks"]


@dataclasses.dataclass(frozen=True)
class RecordRisk:
    """How surely the attack knows whether one record was used.

    Attributes:
        row: position in members followed by non-members, from 0.
        position: position among the members, or among the non-members, from 0.
        member: whether it was a training record of the audited model.
        right: in how many of the trainings the attacker guessed the record's membership rightly.
        share: the same as a share, with a lower bound that holds for all records at once (Bonferroni).
        chance: the share that guessing without the model reaches.
    """

    row: int
    position: int
    member: bool
    right: int
    share: Estimate
    chance: float

    @property
    def name(self) -> str:
        """Where to find the record: "member 3" is members[3], "other 7" is nonmembers[7]."""
        return f"{'member' if self.member else 'other'} {self.position}"

    @property
    def exposed(self) -> bool:
        """Whether the whole interval lies above chance."""
        return self.share.low > self.chance

    def __str__(self) -> str:
        return f"{self.name}: guessed rightly in {self.right} of {self.share.n} trainings, {self.share}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values: the row, never its contents."""
        return {
            "row": self.row,
            "name": self.name,
            "member": self.member,
            "right": self.right,
            "share": self.share.as_dict(),
            "chance": self.chance,
        }


def record_risks(
    fleet: Fleet,
    reference: npt.NDArray[np.float64],
    truth: npt.NDArray[np.bool_],
    *,
    inclusion: float,
    confidence: float,
) -> tuple[RecordRisk, ...]:
    """Every record's risk, most surely known first.

    Args:
        fleet: the shadow models.
        reference: (models, records) log-likelihood ratios from `leave_one_out`.
        truth: (records,) whether the record was in the audited model's training data.
        inclusion: probability with which each shadow model saw a record.
        confidence: of all intervals together.
    """
    models, records = fleet.membership.shape
    guess = reference + np.log(inclusion / (1 - inclusion)) > 0
    right = (guess == fleet.membership).sum(axis=0)
    method = (
        f"trainings in which membership was guessed rightly; Clopper-Pearson lower bound for all {records} records at "
        "once, approximate because guesses share reference models"
    )
    positions = np.where(truth, np.cumsum(truth), np.cumsum(~truth)) - 1
    lowest = {
        count: clopper_pearson(count, models, _simultaneous(confidence, records))[0] for count in set(right.tolist())
    }
    chance = max(inclusion, 1 - inclusion)
    risks = []
    for row in np.argsort(-right, kind="stable"):
        count = int(right[row])
        share = Estimate(count / models, lowest[count], 1.0, confidence, models, method)
        risks.append(RecordRisk(int(row), int(positions[row]), bool(truth[row]), count, share, chance))
    return tuple(risks)


def exposed(risks: tuple[RecordRisk, ...]) -> int | None:
    """How many records are exposed; None if so few trainings could not have shown it, whatever the guesses."""
    if not risks:
        return None
    share = risks[0].share
    if clopper_pearson(share.n, share.n, _simultaneous(share.confidence, len(risks)))[0] <= risks[0].chance:
        return None
    return sum(risk.exposed for risk in risks)


def _simultaneous(confidence: float, records: int) -> float:
    return 1 - (1 - confidence) / records
