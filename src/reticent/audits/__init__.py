"""Audits: from attacks' scores to findings with intervals, baselines and a verdict that says what was not tested."""

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
