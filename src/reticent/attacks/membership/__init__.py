"""Was this record in the training data? Scores that are higher for members."""

from reticent.attacks.membership.likelihood_ratio import leave_one_out, likelihood_ratio

__all__ = ["leave_one_out", "likelihood_ratio"]
