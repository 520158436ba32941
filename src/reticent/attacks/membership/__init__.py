"""Was this record in the training data? Scores that are higher for members."""

from reticent.attacks.membership.likelihood_ratio import leave_one_out, likelihood_ratio
from reticent.attacks.membership.method import Method
from reticent.attacks.membership.methods import DEFAULT, METHODS
from reticent.attacks.membership.p_values import leave_one_out_p_values, p_values

__all__ = [
    "METHODS",
    "DEFAULT",
    "Method",
    "leave_one_out",
    "leave_one_out_p_values",
    "likelihood_ratio",
    "p_values",
]
