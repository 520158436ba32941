"""Was this record in the training data? Scores that are higher for members."""

from reticent.attacks.membership.boundary import BoundarySearch, boundary_distance
from reticent.attacks.membership.label_only import agreement, gap
from reticent.attacks.membership.likelihood_ratio import leave_one_out, likelihood_ratio
from reticent.attacks.membership.white_box import gradient_norm, gradient_norms, layer_gradient_norms

__all__ = [
    "BoundarySearch",
    "agreement",
    "boundary_distance",
    "gap",
    "gradient_norm",
    "gradient_norms",
    "layer_gradient_norms",
    "leave_one_out",
    "likelihood_ratio",
]
