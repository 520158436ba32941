"""Laplace sums, and anything that is known by two proven numbers.

Promise: `losses` are those of the hardest pair of neighbouring data sets, exactly.

Example:
    >>> from reticent.privacy import EpsilonDelta, Guarantee
    >>> round(Guarantee((EpsilonDelta(0.1, 1e-6, count=10),)).epsilon(1e-4), 3)  # less than ten times 0.1
    0.942
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.privacy import renyi
from reticent.privacy.losses import Loss
from reticent.privacy.mechanisms.base import Mechanism, keep
from reticent.privacy.pairs import laplace, two_point
from reticent.privacy.rounding import round_up
from reticent.privacy.units import Relation

__all__ = ["EpsilonDelta", "Laplace"]

Array = npt.NDArray[np.float64]

_LARGEST_EPSILON = 700.0


@dataclasses.dataclass(frozen=True)
class Laplace(Mechanism):
    """`count` sums with Laplace noise of scale `noise_multiplier` times the l1 sensitivity (Dwork et al., 2006)."""

    noise_multiplier: float
    count: int = 1
    kind: ClassVar[str] = "laplace"

    def __post_init__(self) -> None:
        keep(
            self,
            noise_multiplier=_checks.non_negative(noise_multiplier=self.noise_multiplier),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds."""
        return not self.is_free and self.noise_multiplier == 0

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one sum."""
        return (laplace(scale=self._scale(relation)),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one sum, at `renyi.ORDERS`."""
        if self.noise_multiplier == 0:
            return np.full_like(renyi.ORDERS, np.inf)
        return renyi.laplace(renyi.ORDERS, scale=self._scale(relation))

    def _scale(self, relation: Relation) -> float:
        # Exchanging a unit removes one contribution and adds another: twice the sensitivity, so half the noise.
        return self.noise_multiplier / (2.0 if relation is Relation.REPLACE_ONE else 1.0)

    def text(self) -> str:
        """One line for reports."""
        return f"{self.count} Laplace sum(s), noise scale {self.noise_multiplier:.6g} of the sensitivity"


@dataclasses.dataclass(frozen=True)
class EpsilonDelta(Mechanism):
    """`count` uses of anything that is proven (epsilon, delta)-private under the guarantee's own relation.

    The worst mechanism with these two numbers is charged (Kairouz, Oh and Viswanath, 2015).
    """

    epsilon: float
    delta: float = 0.0
    count: int = 1
    kind: ClassVar[str] = "epsilon_delta"

    def __post_init__(self) -> None:
        keep(
            self,
            epsilon=_checks.non_negative(epsilon=self.epsilon),
            delta=_checks.delta(delta=self.delta) if self.delta != 0 else 0.0,
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0 or (self.epsilon == 0 and self.delta == 0)

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds; one whose e^epsilon is no longer a float is counted as such."""
        return not self.is_free and self.epsilon > _LARGEST_EPSILON

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one use."""
        del relation  # the two numbers were proven under it
        return (two_point(epsilon=self.epsilon, delta=self.delta),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one use, at `renyi.ORDERS`: infinite unless delta is 0."""
        del relation
        if self.delta > 0 or self.is_unbounded:
            return np.full_like(renyi.ORDERS, np.inf)
        return renyi.randomised_response(renyi.ORDERS, epsilon=self.epsilon)

    def text(self) -> str:
        """One line for reports."""
        epsilon, delta = round_up(self.epsilon, 6), round_up(self.delta, 3)
        return f"{self.count} use(s) of an (epsilon={epsilon:.6g}, delta={delta:.3g})-private mechanism"
