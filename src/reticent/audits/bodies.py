"""Audits as plain values: what a record holds and a report shows.

Promise: no record's contents are in it, only rows and figures; every figure has its interval, and what was not run or
could not be resolved has its reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from reticent._checks import suggested_delta
from reticent.attacks.membership import Choice, Method
from reticent.audits.case import Case, describe
from reticent.audits.outcome import Wishes
from reticent.audits.pooled import PooledCurve
from reticent.audits.queried import METHODS, chosen_methods
from reticent.evidence import Finding, Status, software
from reticent.privacy import Guarantee
from reticent.privacy.rounding import round_up

__all__ = ["NOT_TESTED", "body_of", "curve_as_dict", "not_tested", "promise_as_dict"]

_LABEL_ONLY, _WHITE_BOX = "label-only membership inference", "white-box membership inference"

NOT_TESTED = {
    _LABEL_ONLY: 'ask for it with attacks = ["gap", "agreement", "boundary"]',
    _WHITE_BOX: 'this audit used the model\'s answers; ask for it with attacks = ["gradient norm"]',
    "attribute inference": "not built yet",
    "model inversion": "not built yet",
    "gradient inversion": "applies when gradients are shared; not built yet",
    "extraction from text generators": "applies to generative models; not built yet",
}
"""What a membership audit leaves open, and why: shown in every report as not run."""

_ASKING_LABELS = {METHODS[name].name for name in ("gap", "agreement", "boundary")}
_LOOKING_INSIDE = {METHODS["gradient norm"].name}
_NO_PARAMETERS = METHODS["gradient norm"].unfit
_BOUND_POINTS = 60


def not_tested(wishes: Wishes, others: Sequence[Finding] = (), closed: str = "") -> dict[str, str]:
    """`NOT_TESTED` without what the wished attacks test; those that could not be run test nothing.

    Args:
        wishes: the attacks that were asked for.
        others: their findings, in the same order.
        closed: why the model's parameters cannot be looked into; empty if they can.
    """
    methods = chosen_methods(wishes.attacks)
    unfit = [one.status is Status.NOT_RUN for one in others] or [False] * len(methods)
    names = {method.name for method, left in zip(methods, unfit, strict=True) if not left}
    run = ({_LABEL_ONLY} if names & _ASKING_LABELS else set()) | ({_WHITE_BOX} if names & _LOOKING_INSIDE else set())
    reasons = NOT_TESTED | ({_WHITE_BOX: closed} if closed else {})
    return {question: why for question, why in reasons.items() if question not in run}


def body_of(
    case: Case,
    parts: dict[str, Any],
    guarantee: Guarantee | None,
    choice: Method | Choice | None,
    wishes: Wishes,
    skipped: dict[str, str],
) -> dict[str, Any]:
    """The body of an audit's record.

    Args:
        case: what was audited.
        parts: the attributes of the audit.
        guarantee: what was promised.
        choice: the method of scoring, with those that were tried if it was chosen.
        wishes: what was asked for.
        skipped: groupings that were not compared, with the reason.
    """
    risks, curve, people, exposures, removal = (
        parts[name] for name in ("risks", "curve", "people", "exposures", "removal")
    )
    return {
        "data": describe(case.pool, case.truth),
        "noun": case.target.noun,
        "rows": case.rows,
        "power": {**parts["power"].as_dict(), "sentences": list(parts["power"].sentences)},
        "method": _method(choice),
        "finding": parts["finding"].as_dict(),
        "others": [finding.as_dict() for finding in parts["others"]],
        "repeated": parts["repeated"].as_dict(),
        "curve": None if curve is None else curve_as_dict(curve),
        "thresholds": [one.as_dict() for one in parts["thresholds"]],
        "predictive": {f"{asked:g}": [one.as_dict() for one in found] for asked, found in parts["predictive"].items()},
        "spread": {name: one.as_dict() for name, one in parts["spread"].items()},
        "at_risk": None if risks is None else risks.as_dict(),
        "worst": [] if risks is None else [risk.as_dict() for risk in risks.risks[:20]],
        "exposed": None if risks is None else risks.exposed,
        "reasons": [one.as_dict() for one in parts["reasons"]],
        "removal": None if removal is None else removal.as_dict(),
        "disparities": {name: one.as_dict() for name, one in parts["disparities"].items()},
        "not_compared": skipped,
        "people": None if people is None else people.as_dict(),
        "exposures": None if exposures is None else exposures.as_dict(),
        "epsilon": {
            "training": parts["epsilon_of_training"].as_dict(),
            "model": parts["epsilon_of_model"].as_dict(),
        },
        "promise": None if guarantee is None else promise_as_dict(guarantee),
        "not_tested": not_tested(wishes, parts["others"], _NO_PARAMETERS(case)),
        "repeatable": not case.source.is_secure,
        "software": software(),
    }


def _method(choice: Method | Choice | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    method = choice.method if isinstance(choice, Choice) else choice
    values: dict[str, Any] = {"name": f"{method}", "meaning": method.meaning, "chosen": None}
    if isinstance(choice, Choice):
        table = [
            {"name": f"{row.method}", "value": row.value, "error": row.error if math.isfinite(row.error) else None}
            for row in choice.table
        ]
        values["chosen"] = {"criterion": choice.criterion, "table": table}
    return values


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
