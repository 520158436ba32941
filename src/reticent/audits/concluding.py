"""From answers to an audit: every figure that shadow models and the given model's answers allow.

Promise: the method of scoring is fixed beforehand or chosen on shadow models alone; thresholds come from other models
or other records than those they judge; a figure that cannot be resolved is left out, and says why in the record.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent._checks import suggested_delta
from reticent._numbers import percentage
from reticent.attacks.membership import METHODS, Choice, Method, choose, leave_one_out_p_values
from reticent.audits.base_rates import AtThreshold, at_thresholds, predictive_values
from reticent.audits.bodies import body_of
from reticent.audits.case import Case
from reticent.audits.claims import Claim, Terms, claim_about_model, claim_about_training, unfair
from reticent.audits.exposures import exposure_effect, no_more_than
from reticent.audits.groups import Disparity, disparity
from reticent.audits.outcome import Audit, Wishes
from reticent.audits.persons import PersonAudit, by_person
from reticent.audits.pooled import PooledCurve, pooled_curve
from reticent.audits.power import power
from reticent.audits.queried import findings_without_shadows
from reticent.audits.reasons import reasons
from reticent.audits.removal import Removal
from reticent.audits.risks import RiskList, record_risks
from reticent.audits.spread import spread
from reticent.audits.statistics import resolvable, threshold_at
from reticent.audits.thresholds import RATES, baseline_of, finding_of, own_thresholds, reference_thresholds
from reticent.audits.validity import doubts, trainer_doubts
from reticent.errors import NotEnoughEvidence
from reticent.evidence import Estimate, Finding, Record, now
from reticent.models import Exposure, Fleet
from reticent.privacy import Guarantee

__all__ = ["attack_names", "audit_fleet", "conclude"]

_SHOWN = 20  # records in a report's list of those most at risk
_MOST_GROUPS = 40  # classes that are compared without being asked for
_FEWEST_TO_SPREAD = 5

Floats = npt.NDArray[np.float64]


def attack_names() -> tuple[str, ...]:
    """What `method` may be."""
    return ("choose", *METHODS)


def conclude(
    case: Case, fleet: Fleet | None, guarantee: Guarantee | None = None, wishes: Wishes | None = None
) -> Audit:
    """The audit of a prepared case.

    Args:
        case: the given model's answers.
        fleet: shadow models of the same records, if some were trained.
        guarantee: what was promised.
        wishes: what else was asked for.
    """
    wishes = Wishes() if wishes is None else wishes
    others = () if not wishes.attacks else findings_without_shadows(case, wishes.attacks, limit=wishes.limit)
    planned = power(
        int(case.truth.sum()),
        int((~case.truth).sum()),
        shadows=0 if fleet is None else len(fleet),
        people=case.pool.owner_count,
        rates=RATES,
        confidence=case.confidence,
        level=1 - case.confidence,
        inclusion=case.inclusion,
    )
    owners = case.pool.owner_index()
    doubt = unfair(case.pool.labels, owners)
    terms = Terms(_delta(case, guarantee), owners, case.pool.unit, guarantee, _shared(case, fleet), doubt)
    parts = _without_shadows(case, wishes) if fleet is None else _with_shadows(case, fleet, wishes, terms)
    choice = parts.pop("choice")
    trainers = parts.pop("doubts")
    attack, estimates = parts.pop("attack"), parts.pop("estimates")
    why = doubts(
        blind=case.blind,
        copies=case.shared,
        nonmembers=int((~case.truth).sum()),
        several_rows=case.pool.owner_count < len(case.pool),
    )
    finding = finding_of(case, attack, estimates, why + trainers, 0 if fleet is None else len(fleet))
    parts |= {
        "finding": finding,
        "membership": case.truth,
        "power": planned,
        "others": others,
        "epsilon_of_model": claim_about_model(parts["scores"], case.truth, terms, coins=wishes.coins),
    }
    skipped = parts.pop("skipped")
    why_not = {name: parts.pop(name) for name in ("not_listed", "not_removed")}
    body = body_of(case, parts, guarantee, choice, wishes, skipped) | why_not
    return Audit(record=Record("audit", body, created=now()), **parts)


def _without_shadows(case: Case, wishes: Wishes) -> dict[str, Any]:
    why = "no trainer was given, so no shadow models could be trained"
    repeated = Finding.not_run(
        "likelihood ratio, every training in turn", case.target.name, case.target.exposure.value, reason=why
    )
    return {
        "attack": "confidence of the true label",
        "estimates": own_thresholds(case, case.signal),
        "doubts": (),
        "choice": None,
        "repeated": repeated,
        "curve": None,
        "scores": case.signal,
        "method": None,
        "risks": None,
        "not_listed": why,
        "removal": None,
        "not_removed": why if wishes.removal else "",
        "reasons": (),
        "thresholds": (),
        "predictive": {},
        "spread": {},
        "disparities": {},
        "people": None,
        "exposures": None,
        "epsilon_of_training": Claim("the training", reason=why),
        "skipped": dict.fromkeys(wishes.groups, why),
    }


def _with_shadows(case: Case, fleet: Fleet, wishes: Wishes, terms: Terms) -> dict[str, Any]:
    choice, seen = _chosen(fleet, wishes)
    method = choice.method if isinstance(choice, Choice) else choice
    owners, doubt = case.pool.owner_index(), terms.doubt
    scores = method.score(case.signals, fleet.signals, fleet.membership)
    # Models on which the method was chosen do not judge it.
    reference = method.leave_one_out(fleet.signals, fleet.membership)[seen:]
    judged = fleet.take(slice(seen, None))
    curve, repeated = audit_fleet(
        judged,
        reference,
        name=case.target.name,
        exposure=case.target.exposure,
        baseline=baseline_of(case.blind),
        randomness=case.source.spawn("bootstrap"),
        owners=owners,
        confidence=case.confidence,
        attack=_name_of(method),
    )
    risks = None if doubt else _risks(case, fleet)
    listed = [] if risks is None else [risk.row for risk in risks.listed[:_SHOWN]]
    at_risk = None if risks is None else risks.flags(owners)
    removal, not_removed = _removal(risks, method, wishes, doubt)
    compared, skipped = _disparities(case, judged, reference, at_risk, wishes)
    return {
        "attack": _name_of(method),
        "estimates": reference_thresholds(case, scores, reference[~judged.membership]),
        "doubts": trainer_doubts(judged, case.truth, case.correct, case.signal, scores, reference, RATES),
        "choice": choice,
        "repeated": repeated,
        "curve": curve,
        "scores": scores,
        "method": method,
        "risks": risks,
        "not_listed": doubt,
        "removal": removal,
        "not_removed": not_removed,
        "reasons": reasons(
            case.pool, fleet, listed, randomness=case.source.spawn("reasons"), groups=dict(wishes.groups) or None
        ),
        "thresholds": _thresholds(case, scores, reference[~judged.membership]),
        "predictive": {asked: predictive_values(estimate, asked) for asked, estimate in curve.at.items()},
        "spread": _spread(judged, reference, case.confidence),
        "disparities": compared,
        "people": _people(case, fleet, reference),
        "exposures": _exposures(case, fleet, method) if wishes.exposures else None,
        "epsilon_of_training": claim_about_training(fleet, method, terms, inclusion=case.inclusion),
        "skipped": skipped,
    }


def _risks(case: Case, fleet: Fleet) -> RiskList:
    return record_risks(
        fleet,
        case.truth,
        randomness=case.source.spawn("risks"),
        owners=case.pool.owner_index(),
        level=1 - case.confidence,
        confidence=case.confidence,
    )


def _removal(risks: RiskList | None, method: Method, wishes: Wishes, doubt: str) -> tuple[Removal | None, str]:
    """What taking the listed records out did to the others, or why that was not run; neither if nobody asked."""
    if wishes.removal is None:
        return None, ""
    if risks is None:
        return None, doubt
    try:
        return wishes.removal(risks, method), ""
    except NotEnoughEvidence as error:
        return None, str(error)


def _chosen(fleet: Fleet, wishes: Wishes) -> tuple[Method | Choice, int]:
    """The method, and on how many of the models, the first ones, it was chosen."""
    _checks.one_of(attack_names(), method=wishes.method)
    if wishes.method != "choose":
        return METHODS[wishes.method], 0
    half = len(fleet) // 2
    some = fleet.take(slice(0, half))
    return choose(some.signals, some.membership), half


def _name_of(method: Method) -> str:
    return "likelihood ratio" if method.name == "student" else f"{method}"


def _delta(case: Case, guarantee: Guarantee | None) -> float:
    size = case.pool.owner_count if guarantee is None or not guarantee.dataset_size else guarantee.dataset_size
    return suggested_delta(size)


def _shared(case: Case, fleet: Fleet | None) -> float:
    """Both claims hold together with the audit's confidence, so that either may be read."""
    return case.confidence if fleet is None or not case.coins else 1 - (1 - case.confidence) / 2


def _thresholds(case: Case, scores: Floats, reference: Floats) -> tuple[AtThreshold, ...]:
    others = int((~case.truth).sum())
    found = {
        f"{percentage(asked)} false alarms on shadow models": threshold_at(asked, reference)
        for asked in RATES
        if resolvable(asked, len(reference)) and resolvable(asked, others)
    }
    return at_thresholds(scores, case.truth, found, confidence=case.confidence) if found else ()


def _spread(fleet: Fleet, reference: Floats, confidence: float) -> dict[str, Any]:
    kinds = fleet.membership.any(axis=1) & ~fleet.membership.all(axis=1)
    if len(fleet) < _FEWEST_TO_SPREAD or not kinds.all():
        return {}
    return spread(reference, fleet.membership, rates=RATES, confidence=confidence)


def _disparities(
    case: Case, fleet: Fleet, reference: Floats, at_risk: npt.NDArray[np.bool_] | None, wishes: Wishes
) -> tuple[dict[str, Disparity], dict[str, str]]:
    groupings = dict(wishes.groups)
    if "class" not in groupings and len(np.unique(case.pool.labels)) <= _MOST_GROUPS:
        groupings["class"] = case.pool.classes_of_rows
    found: dict[str, Disparity] = {}
    skipped: dict[str, str] = {}
    for name, groups in groupings.items():
        try:
            found[name] = disparity(
                reference,
                fleet.membership,
                np.asarray(groups),
                randomness=case.source.spawn(f"groups {name}"),
                owners=case.pool.owner_index(),
                at_risk=at_risk,
                confidence=case.confidence,
            )
        except NotEnoughEvidence as error:
            skipped[name] = str(error)
    return found, skipped


def _people(case: Case, fleet: Fleet, reference: Floats) -> PersonAudit | None:
    if case.pool.owner_count == len(case.pool):
        return None
    seen = len(fleet) - len(reference)
    return by_person(
        reference,
        fleet.membership[seen:],
        case.pool.owner_index(),
        randomness=case.source.spawn("people"),
        p_values=leave_one_out_p_values(fleet.signals, fleet.membership)[seen:],
        rates=RATES,
        confidence=case.confidence,
    )


def _exposures(case: Case, fleet: Fleet, method: Method) -> Any:
    less = no_more_than(case.target.exposure)
    if fleet.answers is None or len(less) < 2:  # nothing to compare
        return None
    return exposure_effect(
        fleet,
        less,
        randomness=case.source.spawn("exposures"),
        rates=RATES,
        owners=case.pool.owner_index(),
        confidence=case.confidence,
        name=case.target.name,
        method=method,
    )


def audit_fleet(
    fleet: Fleet,
    reference: Floats,
    *,
    name: str,
    exposure: Exposure,
    baseline: dict[str, Estimate],
    randomness: Any,
    owners: npt.NDArray[np.int64] | None = None,
    confidence: float = 0.95,
    attack: str = "likelihood ratio",
) -> tuple[PooledCurve, Finding]:
    """The attack on a way of training: every shadow model in turn is the target of the others.

    Args:
        fleet: the shadow models.
        reference: (models, records) scores from a method's `leave_one_out`.
        name: what to call the training.
        exposure: what the attacker saw.
        baseline: what an attacker without the model achieves.
        randomness: source of the bootstrap.
        owners: (records,) whole numbers from 0, equal for rows of one owner.
        confidence: of every interval.
        attack: the method's name.
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
        f"{attack}, every training in turn",
        name,
        exposure.value,
        estimates,
        {**baseline, "auc of chance": chance},
        details={"models": len(fleet.scores), "records": fleet.scores.shape[1]},
    )
    return curve, finding
