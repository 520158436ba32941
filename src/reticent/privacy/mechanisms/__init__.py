"""Randomised steps whose privacy loss is known: the parts that a guarantee is composed of."""

from reticent.privacy.mechanisms.answers import RandomisedResponse
from reticent.privacy.mechanisms.base import Mechanism, mechanism_from_dict, mechanism_to_dict
from reticent.privacy.mechanisms.correlated import CorrelatedGaussian
from reticent.privacy.mechanisms.filtered import GaussianFilter
from reticent.privacy.mechanisms.lattice import DiscreteGaussian, DiscreteLaplace, OnGrid
from reticent.privacy.mechanisms.proven import EpsilonDelta, Laplace
from reticent.privacy.mechanisms.rounds import AllocatedGaussian, GroupedGaussian
from reticent.privacy.mechanisms.sums import (
    FixedSizeGaussian,
    SampledGaussian,
    TruncatedGaussian,
    WithReplacementGaussian,
)
from reticent.privacy.mechanisms.tuned import BestOf
from reticent.privacy.mechanisms.votes import GNMax, LNMax, VoteTest

__all__ = [
    "AllocatedGaussian",
    "BestOf",
    "DiscreteGaussian",
    "DiscreteLaplace",
    "CorrelatedGaussian",
    "EpsilonDelta",
    "FixedSizeGaussian",
    "GNMax",
    "GaussianFilter",
    "GroupedGaussian",
    "LNMax",
    "Laplace",
    "Mechanism",
    "OnGrid",
    "RandomisedResponse",
    "SampledGaussian",
    "TruncatedGaussian",
    "VoteTest",
    "WithReplacementGaussian",
    "mechanism_from_dict",
    "mechanism_to_dict",
]
