"""Was this record in the training data? Scores that are higher for members."""

from reticent.attacks.membership.choosing import CANDIDATES, Candidate, Choice, choose
from reticent.attacks.membership.likelihood_ratio import leave_one_out, likelihood_ratio
from reticent.attacks.membership.method import Method
from reticent.attacks.membership.methods import DEFAULT, METHODS
from reticent.attacks.membership.p_values import leave_one_out_p_values, p_values
from reticent.attacks.membership.quantile import quantile_p_values, quantile_scores
from reticent.attacks.membership.trajectory import spread_of_losses, trajectory_scores

__all__ = [
    "METHODS",
    "DEFAULT",
    "CANDIDATES",
    "Candidate",
    "Choice",
    "Method",
    "choose",
    "leave_one_out",
    "leave_one_out_p_values",
    "likelihood_ratio",
    "p_values",
    "quantile_p_values",
    "quantile_scores",
    "spread_of_losses",
    "trajectory_scores",
]
