"""Randomised steps whose privacy loss is known: the parts that a guarantee is composed of."""

from reticent.privacy.mechanisms.base import Mechanism, mechanism_from_dict, mechanism_to_dict
from reticent.privacy.mechanisms.proven import EpsilonDelta, Laplace
from reticent.privacy.mechanisms.sums import FixedSizeGaussian, SampledGaussian
from reticent.privacy.mechanisms.tuned import BestOf

__all__ = [
    "BestOf",
    "EpsilonDelta",
    "FixedSizeGaussian",
    "Laplace",
    "Mechanism",
    "SampledGaussian",
    "mechanism_from_dict",
    "mechanism_to_dict",
]
