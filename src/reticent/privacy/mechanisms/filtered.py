"""Everything that a Gaussian filter lets through, as one mechanism.

Promise: `losses` are exact for Gaussian sums that together use up the filter, and bound whatever else it lets through.

Example:
    >>> from reticent.privacy import GaussianFilter, Guarantee
    >>> round(Guarantee((GaussianFilter(1.0),)).epsilon(1e-5), 3)  # that of one Gaussian sum with noise multiplier 1
    4.377
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
from reticent.privacy.pairs import gaussian
from reticent.privacy.units import Relation

__all__ = ["GaussianFilter"]

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class GaussianFilter(Mechanism):
    """`count` filters; each let Gaussian mechanisms through while their squared separations added up to this, squared.

    What is let through may be chosen by everything that came out before (Smith and Thakurta, 2022; Koskela, Tobaben and
    Honkela, 2023): see `reticent.privacy.GaussianBudget`.
    """

    separation: float
    count: int = 1
    kind: ClassVar[str] = "gaussian_filter"

    def __post_init__(self) -> None:
        keep(
            self,
            separation=_checks.non_negative(separation=self.separation),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0 or self.separation == 0

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds: never, since a filter has an end."""
        return False

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one filter, used up."""
        del relation  # separations were those under it
        return (gaussian(noise_multiplier=1.0 / self.separation, removed=True),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one filter, at `renyi.ORDERS`."""
        del relation
        found: Array = renyi.ORDERS * self.separation**2 / 2.0
        return found

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.count} filter(s): Gaussian mechanisms, chosen on the way, that two data sets move by at most "
            f"{self.separation:.6g} standard deviations together"
        )
