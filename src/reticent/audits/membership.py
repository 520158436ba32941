"""`audit`: what does this model give away about who was in its training data?

Promise: every figure has an interval and stands beside what an attacker without the model achieves. Thresholds come
from other models or other records than the ones they are judged on. If members and non-members can be told apart
without the model, the finding is inconclusive; what was not tried is listed as not run.

How: the trainer is repeated on random halves of the records (shadow models), the likelihood-ratio attack learns from
them how the training answers for records it has seen and not seen, and the given model is then attacked. Each shadow
model also serves as the target of the others, which tells how the training as such behaves, at lower false-positive
rates than a single model can resolve, and which records it gives away.

Without a trainer only the model's own confidence is attacked: weaker, and said so.

Example:
    >>> import torch, reticent as rt
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> data, source = load("diabetes"), Randomness.simulated(0)
    >>> fit = rt.Recipe(lambda: torch.nn.Linear(10, 2), lambda p: torch.optim.Adam(p, lr=0.1), epochs=5, batch_size=32)
    >>> inside = source.bernoulli(0.5, len(data))
    >>> members, nonmembers = data.take(inside), data.take(~inside)
    >>> model = fit(members, source.spawn("target"))
    >>> audit = rt.audit(model, members, nonmembers, trainer=fit, shadows=8, jobs=1, randomness=source)
    >>> audit.finding.status.value, "auc" in audit.finding.estimates
    ('executed', True)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent._checks import suggested_delta
from reticent.attacks.membership import DEFAULT
from reticent.audits.case import Case, checked_sides, describe, prepare
from reticent.audits.pooled import PooledCurve, pooled_curve
from reticent.audits.risks import RecordRisk, exposed, record_risks
from reticent.audits.shadows import Trainer, train_shadows
from reticent.audits.statistics import auc, rate, resolvable, threshold_at
from reticent.audits.validity import doubts, trainer_doubts
from reticent.errors import UsageError
from reticent.evidence import Estimate, Finding, Record, Status, now, software
from reticent.models import Exposure, Fleet
from reticent.privacy import Guarantee
from reticent.privacy.rounding import round_up
from reticent.randomness import Randomness, required

__all__ = ["RATES", "Audit", "audit", "audit_fleet"]

RATES = (0.1, 0.01, 0.001)
"""False-positive rates that are reported where they can be resolved."""

NOT_TESTED = {
    "label-only membership inference": "needs perturbed queries; not built yet",
    "attribute inference": "not built yet",
    "model inversion": "not built yet",
    "gradient inversion": "applies when gradients are shared; not built yet",
    "extraction from text generators": "applies to generative models; not built yet",
    "white-box membership inference": "this audit used the model's answers, not its parameters",
}
"""What a membership audit leaves open, and why: shown in every report as not run."""

_BOUND_POINTS = 60
_SHOWN = 20  # records in a report's list of those most at risk


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
    """

    finding: Finding
    repeated: Finding
    curve: PooledCurve | None
    scores: npt.NDArray[np.float64]
    membership: npt.NDArray[np.bool_]
    record: Record
    _risks: tuple[RecordRisk, ...] = ()

    def worst(self, count: int = 10) -> tuple[RecordRisk, ...]:
        """The records most at risk, most surely known first; empty without shadow models.

        They were picked because they look worst: read the interval, which allows for that, not the share.
        """
        return self._risks[: _checks.at_least(0, count=count)]

    def save(self, path: str | Path) -> Path:
        """Write a report: `.html` for a self-contained page, `.json` for the record.

        Raises:
            UsageError: another ending, or a place that cannot be written; nothing is left half-written.
        """
        from reticent.reports import save

        return save(self.record, path)

    def __str__(self) -> str:
        return f"{self.repeated}\n{self.finding}"


def audit(
    model: Any,
    members: Any,
    nonmembers: Any,
    *,
    trainer: Trainer | None = None,
    shadows: int = 64,
    exposure: Exposure = Exposure.LOGITS,
    confidence: float = 0.95,
    jobs: int | None = None,
    randomness: Randomness | None = None,
    progress: Callable[[int, int], None] | None = None,
    name: str = "the model",
    guarantee: Guarantee | None = None,
) -> Audit:
    """Attack a model's training-set membership.

    Args:
        model: a torch module, a scikit-learn classifier, or a function from features to logits or probabilities.
        members: records that it was trained on: `Records`, a pair (features, labels), or a TensorDataset.
        nonmembers: records from the same source that it was not trained on.
        trainer: repeats the model's training: called as trainer(records, randomness), returns a model.
        shadows: how many models to train with it.
        exposure: what the attacker sees of the answers.
        confidence: of every interval.
        jobs: processes for the shadow models; all cores by default.
        randomness: source of every draw; the operating system's by default.
        progress: called as progress(models_done, shadows).
        name: what to call the model in the report.
        guarantee: what was promised about the model's training, to stand beside what is measured.

    Raises:
        DataError: records that cannot be used.
        ModelError: a model that cannot be asked, or answers with NaN.
        NotEnoughEvidence: fewer than ten members or non-members.
        UsageError: a guarantee for labels or some columns only, which bounds nothing about membership.
    """
    source = Randomness.secure() if randomness is None else required(randomness)
    if guarantee is not None and guarantee.only:
        raise UsageError(
            f"Expected a guarantee for whole records, got one for the {', '.join(guarantee.only)} only: it says "
            "nothing about who was in the training data.",
            "Leave it out.",
        )
    exposure = Exposure.of(exposure)
    inside, outside = checked_sides(members, nonmembers)
    case = prepare(model, inside, outside, exposure=exposure, confidence=confidence, randomness=source, name=name)
    fleet = None
    if trainer is not None:
        fleet = train_shadows(
            trainer,
            case.pool,
            count=shadows,
            randomness=source,
            exposure=exposure,
            inclusion=case.inclusion,
            jobs=jobs,
            progress=progress,
        )
    return conclude(case, fleet, guarantee)


def conclude(case: Case, fleet: Fleet | None, guarantee: Guarantee | None = None) -> Audit:
    """The audit of a prepared case, with shadow models and a guarantee if there are any."""
    trainers: tuple[str, ...]
    if fleet is None:
        scores, trainers = case.signal, ()
        estimates = _own_thresholds(case, scores)
        attack = "confidence of the true label"
        repeated = Finding.not_run(
            "likelihood ratio, every training in turn",
            case.target.name,
            case.target.exposure.value,
            reason="no trainer was given, so no shadow models could be trained",
        )
        curve: PooledCurve | None = None
        risks: tuple[RecordRisk, ...] = ()
    else:
        scores = DEFAULT.score(case.signals, fleet.signals, fleet.membership)
        reference = DEFAULT.leave_one_out(fleet.signals, fleet.membership)
        estimates = _reference_thresholds(case, scores, reference[~fleet.membership])
        attack = "likelihood ratio"
        curve, repeated = audit_fleet(
            fleet,
            reference,
            name=case.target.name,
            exposure=case.target.exposure,
            baseline=_baseline(case.blind),
            randomness=case.source.spawn("bootstrap"),
            owners=case.pool.owner_index(),
            confidence=case.confidence,
        )
        trainers = trainer_doubts(fleet, case.truth, case.correct, case.signal, scores, reference, RATES)
        risks = record_risks(fleet, reference, case.truth, inclusion=case.inclusion, confidence=case.confidence)
    reasons = doubts(
        blind=case.blind,
        copies=case.shared,
        nonmembers=int((~case.truth).sum()),
        several_rows=case.pool.owner_count < len(case.pool),
    )
    finding = _finding(case, attack, estimates, reasons + trainers, 0 if fleet is None else len(fleet.scores))
    record = Record("audit", _body(case, finding, repeated, curve, risks, guarantee), created=now())
    return Audit(finding, repeated, curve, scores, case.truth, record, risks)


def _baseline(blind: dict[str, Estimate]) -> dict[str, Estimate]:
    return {f"auc of {name} without the model": estimate for name, estimate in blind.items()}


def _finding(case: Case, attack: str, estimates: dict[str, Estimate], reasons: tuple[str, ...], models: int) -> Finding:
    details = {
        "members": int(case.truth.sum()),
        "nonmembers": int((~case.truth).sum()),
        "nonmembers_identical_to_a_member": case.shared,
        "shadow_models": models,
    }
    return Finding(
        attack,
        case.target.name,
        case.target.exposure.value,
        estimates,
        _baseline(case.blind),
        Status.INCONCLUSIVE if reasons else Status.EXECUTED,
        "; ".join(reasons),
        details,
    )


def _counted(case: Case, scores: npt.NDArray[np.float64], threshold: float, asked: float, origin: str) -> Any:
    """True- and false-positive rate of the audited model at a threshold that came from elsewhere."""
    method = f"records counted above a threshold set for a false-positive rate of {asked:g}"
    for name, side in (("true_positive_rate", case.truth), ("false_positive_rate", ~case.truth)):
        above = int((scores[side] > threshold).sum())
        yield (
            f"{name}_at_{asked:g}",
            rate(above, int(side.sum()), method=method, confidence=case.confidence, threshold=origin),
        )


def _reference_thresholds(
    case: Case, scores: npt.NDArray[np.float64], reference: npt.NDArray[np.float64]
) -> dict[str, Estimate]:
    estimates = _common(case, scores)
    for asked in RATES:
        if resolvable(asked, len(reference)):
            origin = f"{len(reference)} non-member trials against shadow models"
            estimates.update(_counted(case, scores, threshold_at(asked, reference), asked, origin))
    return estimates


def _own_thresholds(case: Case, scores: npt.NDArray[np.float64]) -> dict[str, Estimate]:
    """Without shadow models, half of the non-members set the threshold and the other half judge it."""
    estimates = _common(case, scores)
    outside = np.flatnonzero(~case.truth)
    order = outside[case.source.spawn("threshold").permutation(len(outside))]
    calibrating = order[: len(order) // 2]
    judged = np.ones(len(scores), dtype=bool)
    judged[calibrating] = False
    rest = dataclasses.replace(case, truth=case.truth[judged])
    for asked in RATES:
        if resolvable(asked, len(calibrating)):
            origin = f"{len(calibrating)} non-members set aside"
            threshold = threshold_at(asked, scores[calibrating])
            estimates.update(_counted(rest, scores[judged], threshold, asked, origin))
    return estimates


def _common(case: Case, scores: npt.NDArray[np.float64]) -> dict[str, Estimate]:
    estimates = {"auc": auc(scores[case.truth], scores[~case.truth], confidence=case.confidence)}
    for name, side in (("accuracy on members", case.truth), ("accuracy on non-members", ~case.truth)):
        estimates[name] = rate(
            int(case.correct[side].sum()), int(side.sum()), method="right predictions", confidence=case.confidence
        )
    return estimates


def audit_fleet(
    fleet: Fleet,
    reference: npt.NDArray[np.float64],
    *,
    name: str,
    exposure: Exposure,
    baseline: dict[str, Estimate],
    randomness: Randomness,
    owners: npt.NDArray[np.int64] | None = None,
    confidence: float = 0.95,
) -> tuple[PooledCurve, Finding]:
    """The attack on a way of training: every shadow model in turn is the target of the others.

    Args:
        fleet: the shadow models.
        reference: (models, records) scores from `leave_one_out`.
        name: what to call the training.
        exposure: what the attacker saw.
        baseline: what an attacker without the model achieves.
        randomness: source of the bootstrap.
        owners: (records,) whole numbers from 0, equal for rows of one owner.
        confidence: of every interval.
    """
    curve = pooled_curve(
        reference,
        fleet.membership,
        rates=RATES,
        randomness=randomness,
        correct=fleet.correct,
        owners=owners,
        confidence=confidence,
    )
    estimates = {"auc": curve.auc}
    estimates |= {f"true_positive_rate_at_{asked:g}": estimate for asked, estimate in curve.at.items()}
    if curve.accuracy is not None:
        estimates["accuracy on non-members"] = curve.accuracy
    chance = Estimate(
        0.5, 0.5, 0.5, confidence, fleet.scores.size, "memberships are independent coin flips, so chance is exact"
    )
    finding = Finding(
        "likelihood ratio, every training in turn",
        name,
        exposure.value,
        estimates,
        {**baseline, "auc of chance": chance},
        details={"models": len(fleet.scores), "records": fleet.scores.shape[1]},
    )
    return curve, finding


def _body(
    case: Case,
    finding: Finding,
    repeated: Finding,
    curve: PooledCurve | None,
    risks: tuple[RecordRisk, ...],
    guarantee: Guarantee | None,
) -> dict[str, Any]:
    return {
        "data": describe(case.pool, case.truth),
        "finding": finding.as_dict(),
        "repeated": repeated.as_dict(),
        "curve": None if curve is None else curve_as_dict(curve),
        "worst": [risk.as_dict() for risk in risks[:_SHOWN]],
        "exposed": exposed(risks),
        "promise": None if guarantee is None else promise_as_dict(guarantee),
        "not_tested": NOT_TESTED,
        "repeatable": not case.source.is_secure,
        "software": software(),
    }


def promise_as_dict(guarantee: Guarantee, delta: float | None = None) -> dict[str, Any]:
    """A guarantee in numbers and words; the bound is rounded up, like everything that is promised."""
    if delta is None:
        delta = suggested_delta(guarantee.dataset_size or 10**6)
    grid = np.geomspace(1e-4, 1.0, _BOUND_POINTS)
    epsilon = guarantee.epsilon(delta)
    return {
        "guarantee": guarantee.as_dict(),
        "epsilon": epsilon if math.isfinite(epsilon) else None,
        "delta": delta,
        "text": guarantee.text(delta),
        "named_at_0.01": round_up(guarantee.true_positive_rate(0.01)),
        "bound": {
            "false_positive_rates": [float(rate) for rate in grid],
            "true_positive_rates": [min(1.0, round_up(r, 6)) for r in guarantee.true_positive_rate(grid).tolist()],
        },
    }


def curve_as_dict(curve: PooledCurve) -> dict[str, Any]:
    """A curve as plain values, rounded to what a plot can show."""
    columns = ("false_positive_rates", "true_positive_rates", "low", "high")
    return {name: [round(float(value), 6) for value in getattr(curve, name)] for name in columns}
