"""Audits: from attacks' scores to findings with intervals, baselines and a verdict that says what was not tested."""

from reticent.audits.comparison import Arm, Comparison, compare, split, standard_arms
from reticent.audits.membership import Audit, audit
from reticent.audits.risks import RecordRisk, RiskList
from reticent.audits.shadows import Trainer, train_shadows

__all__ = [
    "Arm",
    "Audit",
    "Comparison",
    "RecordRisk",
    "RiskList",
    "Trainer",
    "audit",
    "compare",
    "split",
    "standard_arms",
    "train_shadows",
]
