"""Findings about one model: rates counted at thresholds that come from elsewhere, beside what can be had without it.

Promise: a threshold is set on other models' non-members, or on non-members that are set aside and then not counted, so
that the rates' Clopper-Pearson intervals are valid. Rates that so few non-members cannot resolve are left out.

Example:
    >>> import numpy as np
    >>> from reticent.audits.case import prepare
    >>> from reticent.audits.thresholds import own_thresholds
    >>> from reticent.data import Records
    >>> from reticent.models import Exposure
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(0)
    >>> records = Records(source.normal((400, 2)), np.arange(400) % 2)
    >>> case = prepare(lambda x: x, records.take(range(200)), records.take(range(200, 400)),
    ...                exposure=Exposure.LOGITS, confidence=0.95, randomness=source, name="a function")
    >>> found = own_thresholds(case, case.signal)
    >>> sorted(found)[2:], found["auc"].contains(0.5)  # 100 non-members do not resolve 1 %
    (['auc', 'false_positive_rate_at_0.1', 'true_positive_rate_at_0.1'], True)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.audits.case import Case
from reticent.audits.statistics import auc, rate, resolvable, threshold_at
from reticent.evidence import Estimate, Finding, Status

__all__ = ["RATES", "baseline_of", "finding_of", "own_thresholds", "reference_thresholds"]

RATES = (0.1, 0.01, 0.001)
"""False-positive rates that are reported where they can be resolved."""


def _counted(case: Case, scores: npt.NDArray[np.float64], threshold: float, asked: float, origin: str) -> Any:
    """True- and false-positive rate of the audited model at a threshold that came from elsewhere."""
    method = f"records counted above a threshold set for a false-positive rate of {asked:g}"
    for name, side in (("true_positive_rate", case.truth), ("false_positive_rate", ~case.truth)):
        above = int((scores[side] > threshold).sum())
        yield (
            f"{name}_at_{asked:g}",
            rate(above, int(side.sum()), method=method, confidence=case.confidence, threshold=origin),
        )


def reference_thresholds(
    case: Case, scores: npt.NDArray[np.float64], reference: npt.NDArray[np.float64]
) -> dict[str, Estimate]:
    """With shadow models: `reference` are their attack scores of non-members, which set the thresholds."""
    estimates = _common(case, scores)
    for asked in RATES:
        if resolvable(asked, len(reference)) and resolvable(asked, int((~case.truth).sum())):
            origin = f"{len(reference)} non-member trials against shadow models"
            estimates.update(_counted(case, scores, threshold_at(asked, reference), asked, origin))
    return estimates


def own_thresholds(case: Case, scores: npt.NDArray[np.float64]) -> dict[str, Estimate]:
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


def baseline_of(blind: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """What classifiers achieve without the model, as a finding's baseline."""
    return {f"auc of {name} without the model": estimate for name, estimate in blind.items()}


def finding_of(
    case: Case,
    attack: str,
    estimates: dict[str, Estimate],
    reasons: tuple[str, ...],
    models: int,
    *,
    exposure: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Finding:
    """The finding of one attack on the case's model.

    Args:
        case: what was attacked.
        attack: the attack's name.
        estimates: what it achieved.
        reasons: why that may be no evidence; with any of them the finding is inconclusive.
        models: how many shadow models it used.
        exposure: what it saw; the case's exposure by default.
        details: further plain values; they replace usual ones of the same name.
    """
    told = {
        "members": int(case.truth.sum()),
        "nonmembers": int((~case.truth).sum()),
        "nonmembers_identical_to_a_member": case.shared,
        "shadow_models": models,
        "queries": case.target.queries,
        **(details or {}),
    }
    return Finding(
        attack,
        case.target.name,
        case.target.exposure.value if exposure is None else exposure,
        estimates,
        baseline_of(case.blind),
        Status.INCONCLUSIVE if reasons else Status.EXECUTED,
        "; ".join(reasons),
        told,
    )
