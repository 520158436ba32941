"""From scores to epsilon: lower bounds with a stated confidence, tests of claims, verdicts, and the power to expect."""

from reticent.audits.bounds.counting import f_dp, steinke
from reticent.audits.bounds.detecting import Detection, detection
from reticent.audits.bounds.exposure import exposure_bound, exposure_of
from reticent.audits.bounds.guessing import Budgets
from reticent.audits.bounds.judging import judge
from reticent.audits.bounds.many_runs import many_runs
from reticent.audits.bounds.one_run import one_run, several_runs, test_claim
from reticent.audits.bounds.per_step import StepCheck, check_inclusion, check_noise, per_step
from reticent.audits.bounds.power import Power, canaries_needed, detection_probability, expected_bound
from reticent.evidence.bounds import Conclusion, LowerBound, Verdict

__all__ = [
    "Budgets",
    "Conclusion",
    "Detection",
    "LowerBound",
    "Power",
    "StepCheck",
    "Verdict",
    "canaries_needed",
    "check_inclusion",
    "check_noise",
    "detection",
    "detection_probability",
    "expected_bound",
    "exposure_bound",
    "exposure_of",
    "f_dp",
    "judge",
    "many_runs",
    "one_run",
    "per_step",
    "several_runs",
    "steinke",
    "test_claim",
]
