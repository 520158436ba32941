"""What an audit gives back: findings, and everything that was measured beside them.

Promise: what was not measured is None or empty and has its reason in the record; nothing is filled in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.membership import Method
from reticent.audits.base_rates import AtThreshold, PredictiveValue
from reticent.audits.claims import Claim
from reticent.audits.exposures import ExposureEffect
from reticent.audits.groups import Disparity
from reticent.audits.persons import PersonAudit
from reticent.audits.pooled import PooledCurve
from reticent.audits.power import Power
from reticent.audits.reasons import Explained
from reticent.audits.removal import Removal
from reticent.audits.risks import RecordRisk, RiskList
from reticent.audits.spread import Spread
from reticent.evidence import Finding, Record

__all__ = ["Audit", "Wishes"]


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What an audit was asked for, beyond its records.

    Attributes:
        method: of scoring against shadow models: the name of one, or "choose".
        groups: names of groupings to the group of each record.
        coins: whether members were drawn by independent fair coins, one for each owner.
        attacks: further attacks on the one model, which ask it again.
        limit: how many members, and how many others, those attack at most.
        removal: takes the records at risk out, trains and audits again, with the given method; None: not asked for.
        exposures: whether to repeat the attack where less is shown; it costs as much as everything else together.
    """

    method: str = "student"
    groups: Mapping[str, npt.NDArray[Any]] = dataclasses.field(default_factory=dict)
    coins: bool = False
    attacks: tuple[Any, ...] = ()
    limit: int | None = None
    exposures: bool = True
    removal: Callable[[RiskList, Method], Removal] | None = None


@dataclasses.dataclass(frozen=True)
class Audit:
    """The result of an audit.

    Attributes:
        finding: the attack on the given model.
        repeated: the same attack on every shadow model in turn, or a finding that says that it was not run.
        curve: the ROC curve behind `repeated`, or None.
        scores: (records,) attack scores of the given model, members first.
        membership: (records,) truth.
        record: all of it as a record.
        power: what could be known before anything was trained.
        method: the method of scoring; None without shadow models.
        others: further attacks on the given model.
        risks: every record (or owner) with its test, and the list of those at risk; None without shadow models.
        reasons: for the surest of the records listed as at risk.
        removal: what happened to the others when the records at risk were taken out; None if that was not run.
        thresholds: the given model at each threshold, with predictive values at several base rates.
        predictive: false-positive rate to predictive values of the repeated trainings.
        spread: figures over the trainings; empty with fewer than five.
        disparities: name of a grouping to its groups compared.
        people: attacks on owners by all their rows, where some have several.
        exposures: the same attack where less is shown; None without shadow models.
        epsilon_of_model: a lower bound on epsilon from the given model, beside the guarantee.
        epsilon_of_training: the same from the shadow models.
    """

    finding: Finding
    repeated: Finding
    curve: PooledCurve | None
    scores: npt.NDArray[np.float64]
    membership: npt.NDArray[np.bool_]
    record: Record
    power: Power
    method: Method | None
    others: tuple[Finding, ...]
    risks: RiskList | None
    reasons: tuple[Explained, ...]
    removal: Removal | None
    thresholds: tuple[AtThreshold, ...]
    predictive: Mapping[float, tuple[PredictiveValue, ...]]
    spread: Mapping[str, Spread]
    disparities: Mapping[str, Disparity]
    people: PersonAudit | None
    exposures: ExposureEffect | None
    epsilon_of_model: Claim
    epsilon_of_training: Claim

    def worst(self, count: int = 10) -> tuple[RecordRisk, ...]:
        """The records (or owners) most at risk, the surest first; empty without shadow models.

        They were picked because they look worst: read the interval, which allows for that, not the value.
        """
        count = _checks.at_least(0, count=count)
        return () if self.risks is None else self.risks.risks[:count]

    def save(self, path: str | Path) -> Path:
        """Write a report: `.html` for a self-contained page, `.json` for the record.

        Raises:
            UsageError: another ending, or a place that cannot be written; nothing is left half-written.
        """
        from reticent.reports import save

        return save(self.record, path)

    def __str__(self) -> str:
        parts = [self.repeated, self.finding, *self.others]
        claims = [claim for claim in (self.epsilon_of_training, self.epsilon_of_model) if claim.bound is not None]
        removal = () if self.removal is None else self.removal.sentences
        return "\n".join(str(part) for part in (*parts, *claims, *removal))
