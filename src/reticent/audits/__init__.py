"""Audits: from attacks' scores to findings with intervals, baselines and a verdict that says what was not tested.

A name is loaded when it is first used: who looks for people in a table needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reticent._rooms import lazily

if TYPE_CHECKING:
    from reticent.audits.canaries import Canaries, blank, coins, mislabelled, plant, surprising
    from reticent.audits.comparison import Arm, Comparison, compare, split, standard_arms
    from reticent.audits.exposures import ExposureEffect, exposure_effect, exposure_effect_on
    from reticent.audits.membership import Audit, audit
    from reticent.audits.planted import CanaryAudit, audit_by_canaries
    from reticent.audits.probes import Training, Trial
    from reticent.audits.queried import findings_without_shadows
    from reticent.audits.risks import RecordRisk, RiskList
    from reticent.audits.shadows import Trainer, train_shadows
    from reticent.audits.synthetic import SyntheticAudit, audit_release
    from reticent.audits.whitebox import TrainingAudit, audit_training

_ROOMS = {
    "Arm": "comparison",
    "Audit": "membership",
    "Canaries": "canaries",
    "CanaryAudit": "planted",
    "Comparison": "comparison",
    "ExposureEffect": "exposures",
    "RecordRisk": "risks",
    "RiskList": "risks",
    "SyntheticAudit": "synthetic",
    "Trainer": "shadows",
    "Training": "probes",
    "TrainingAudit": "whitebox",
    "Trial": "probes",
    "audit": "membership",
    "audit_by_canaries": "planted",
    "audit_release": "synthetic",
    "audit_training": "whitebox",
    "blank": "canaries",
    "coins": "canaries",
    "compare": "comparison",
    "exposure_effect": "exposures",
    "exposure_effect_on": "exposures",
    "findings_without_shadows": "queried",
    "mislabelled": "canaries",
    "plant": "canaries",
    "split": "comparison",
    "standard_arms": "comparison",
    "surprising": "canaries",
    "train_shadows": "shadows",
}

__all__ = [
    "Canaries",
    "CanaryAudit",
    "Training",
    "TrainingAudit",
    "Trial",
    "audit_by_canaries",
    "audit_training",
    "blank",
    "coins",
    "mislabelled",
    "plant",
    "surprising",
    "Arm",
    "Audit",
    "Comparison",
    "ExposureEffect",
    "RecordRisk",
    "RiskList",
    "SyntheticAudit",
    "Trainer",
    "audit",
    "audit_release",
    "compare",
    "exposure_effect",
    "exposure_effect_on",
    "findings_without_shadows",
    "split",
    "standard_arms",
    "train_shadows",
]

__getattr__, __dir__ = lazily(__name__, _ROOMS)
