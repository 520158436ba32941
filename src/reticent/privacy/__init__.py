"""What is promised: units, neighbouring relations, mechanisms, guarantees, and plans calibrated to them."""

from reticent.privacy.batches import Batches
from reticent.privacy.budgets import Budget, Odometer
from reticent.privacy.clipping import Clipping
from reticent.privacy.correlating import correlated_plan, prefix_error
from reticent.privacy.correlations import Banded, BufferedToeplitz, Correlation, workload
from reticent.privacy.gaussian_budgets import GaussianBudget
from reticent.privacy.guarantee import Guarantee
from reticent.privacy.mechanisms import (
    AllocatedGaussian,
    BestOf,
    CorrelatedGaussian,
    DiscreteGaussian,
    DiscreteLaplace,
    EpsilonDelta,
    FixedSizeGaussian,
    GaussianFilter,
    GNMax,
    GroupedGaussian,
    Laplace,
    LNMax,
    Mechanism,
    OnGrid,
    RandomisedResponse,
    SampledGaussian,
    TruncatedGaussian,
    VoteTest,
    WithReplacementGaussian,
)
from reticent.privacy.plan import Plan
from reticent.privacy.samplers import (
    FixedSize,
    Poisson,
    PoissonRows,
    Sampler,
    TruncatedPoisson,
    WithReplacement,
)
from reticent.privacy.schedules import Schedule
from reticent.privacy.turns import Cyclic, RandomAllocation, Shuffled, Streamed
from reticent.privacy.units import Relation, Unit
from reticent.privacy.voting import Voting

__all__ = [
    "AllocatedGaussian",
    "Banded",
    "Batches",
    "BestOf",
    "Budget",
    "BufferedToeplitz",
    "Clipping",
    "CorrelatedGaussian",
    "Correlation",
    "Cyclic",
    "DiscreteGaussian",
    "DiscreteLaplace",
    "EpsilonDelta",
    "FixedSize",
    "FixedSizeGaussian",
    "GNMax",
    "GaussianBudget",
    "GaussianFilter",
    "GroupedGaussian",
    "Guarantee",
    "LNMax",
    "Laplace",
    "Mechanism",
    "Odometer",
    "OnGrid",
    "Plan",
    "Poisson",
    "PoissonRows",
    "RandomAllocation",
    "RandomisedResponse",
    "Relation",
    "SampledGaussian",
    "Sampler",
    "Schedule",
    "Shuffled",
    "Streamed",
    "TruncatedGaussian",
    "TruncatedPoisson",
    "Unit",
    "VoteTest",
    "Voting",
    "WithReplacement",
    "WithReplacementGaussian",
    "correlated_plan",
    "prefix_error",
    "workload",
]
