"""What is promised: units, neighbouring relations, mechanisms, guarantees, and plans calibrated to them."""

from reticent.privacy.budgets import Budget, Odometer
from reticent.privacy.clipping import Clipping
from reticent.privacy.guarantee import Guarantee
from reticent.privacy.mechanisms import BestOf, EpsilonDelta, FixedSizeGaussian, Laplace, Mechanism, SampledGaussian
from reticent.privacy.plan import Plan
from reticent.privacy.units import Relation, Unit

__all__ = [
    "BestOf",
    "Budget",
    "Clipping",
    "EpsilonDelta",
    "FixedSizeGaussian",
    "Guarantee",
    "Laplace",
    "Mechanism",
    "Odometer",
    "Plan",
    "Relation",
    "SampledGaussian",
    "Unit",
]
