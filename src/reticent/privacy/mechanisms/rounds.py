"""Sums in which a unit's part is not one coin per step: random allocation, and units that own several rows.

Promise: `losses` are those of the hardest pair of neighbouring data sets, from above.

Example:
    >>> from reticent.privacy import AllocatedGaussian, Guarantee, SampledGaussian
    >>> allocated = Guarantee((AllocatedGaussian(noise_multiplier=1.0, steps=100, count=10),))
    >>> poisson = Guarantee((SampledGaussian(noise_multiplier=1.0, sample_rate=0.01, count=1000),))
    >>> round(allocated.epsilon(1e-5), 2), round(poisson.epsilon(1e-5), 2)  # ten passes over the data
    (1.7, 1.83)
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.privacy import renyi
from reticent.privacy.allocations import allocated_gaussian
from reticent.privacy.losses import Loss
from reticent.privacy.mechanisms.base import Mechanism, keep, only_under
from reticent.privacy.mechanisms.sums import SampledSum
from reticent.privacy.pairs import binomial, mixture
from reticent.privacy.units import Relation

__all__ = ["AllocatedGaussian", "GroupedGaussian"]

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class AllocatedGaussian(Mechanism):
    """`count` rounds of `steps` noisy sums each; in a round, every unit is in one sum, chosen at random by itself.

    Balls-in-bins sampling (Chua et al., 2024), computed without simulation; see `reticent.privacy.allocations`. Only
    under `ADD_OR_REMOVE_ONE`.
    """

    noise_multiplier: float
    steps: int
    count: int = 1
    kind: ClassVar[str] = "allocated_gaussian"

    def __post_init__(self) -> None:
        keep(
            self,
            noise_multiplier=_checks.non_negative(noise_multiplier=self.noise_multiplier),
            steps=_checks.at_least(1, steps=self.steps),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds."""
        return not self.is_free and self.noise_multiplier == 0

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy losses of one round.

        Raises:
            UsageError: under `REPLACE_ONE`.
        """
        self._refuse(relation)
        return tuple(
            allocated_gaussian(noise_multiplier=self.noise_multiplier, steps=self.steps, removed=removed)
            for removed in (True, False)
        )

    def renyi(self, relation: Relation) -> Array:
        """No divergences: infinite, unless a round has one step."""
        self._refuse(relation)
        if self.steps > 1:
            return np.full_like(renyi.ORDERS, np.inf)
        return renyi.gaussian(renyi.ORDERS, noise_multiplier=self.noise_multiplier)

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.count} round(s) of {self.steps} Gaussian sums, every unit in one of them at random, noise "
            f"multiplier {self.noise_multiplier:.6g}"
        )

    def _refuse(self, relation: Relation) -> None:
        only_under(
            Relation.ADD_OR_REMOVE_ONE,
            relation,
            what="random allocation",
            remedy="Plan with relation=Relation.ADD_OR_REMOVE_ONE, or sample by Poisson.",
        )


@dataclasses.dataclass(frozen=True)
class GroupedGaussian(SampledSum):
    """`count` noisy sums over Poisson samples of rows, when a unit owns up to `rows` of them.

    The noise is relative to what one row can contribute. All rows of a unit come and go together; in a sample there are
    binomially many of them (Charles et al., 2024). Only under `ADD_OR_REMOVE_ONE`.
    """

    rows: int = 1
    kind: ClassVar[str] = "grouped_gaussian"

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, rows=_checks.at_least(1, rows=self.rows))

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy losses of one step.

        Raises:
            UsageError: under `REPLACE_ONE`.
        """
        self._refuse(relation)
        drawn = binomial(self.rows, self.sample_rate)
        # The last entry holds a neglected tail too: its rows may all have been drawn.
        moves = [*range(len(drawn) - 1), self.rows]
        return tuple(
            mixture(noise_multiplier=self.noise_multiplier, moves=moves, probabilities=drawn.tolist(), removed=removed)
            for removed in (True, False)
        )

    def renyi(self, relation: Relation) -> Array:
        """No divergences: infinite, unless a unit owns one row or every row takes part."""
        self._refuse(relation)
        noise, rate = self.noise_multiplier, self.sample_rate
        if self.rows == 1 or rate == 1.0:
            return renyi.gaussian(renyi.ORDERS, noise_multiplier=noise / self.rows, sample_rate=rate)
        return np.full_like(renyi.ORDERS, np.inf)

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.count} Gaussian sum(s) over Poisson samples of rows at rate {self.sample_rate:.6g}, noise "
            f"multiplier {self.noise_multiplier:.6g} of a row's contribution, up to {self.rows} rows for each unit"
        )

    def _refuse(self, relation: Relation) -> None:
        only_under(
            Relation.ADD_OR_REMOVE_ONE,
            relation,
            what="units with several rows",
            remedy="Plan with relation=Relation.ADD_OR_REMOVE_ONE, or sample units instead of rows.",
        )
