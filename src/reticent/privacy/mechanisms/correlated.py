"""Noisy sums whose noise is correlated from step to step: together they are one Gaussian mechanism.

Promise: `losses` are those of the hardest pair of neighbouring data sets, exactly, for units that take part as the
fields say: at most `participations` times, with at least `separation` steps from one time to the next, in steps that do
not depend on the data. What was released until a step is what a training of so many steps releases; `steps` is the
number of those that were executed.

Sensitivity: `deviation` is the standard deviation of the independent noise, before it is correlated, in clipping norms;
the sensitivity of the encoder in clipping norms follows from the other fields. Under `ADD_OR_REMOVE_ONE` the unit's
contributions are there or not (all other units keep their places: "zero-out"); under `REPLACE_ONE` they are exchanged
for others of the same steps, which moves the sums by up to twice as much.

Sources: see `reticent.privacy.correlations`.

Example:
    >>> from reticent.privacy import Banded, CorrelatedGaussian, Guarantee
    >>> encoder = Banded.optimal(1000, 100)
    >>> release = CorrelatedGaussian(20.0, encoder, steps=1000, separation=100)
    >>> release.participations, round(release.sensitivity, 3), round(release.noise_multiplier, 3)
    (10, 5.957, 3.357)
    >>> round(Guarantee((release,)).epsilon(1e-5), 3)
    1.123
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import renyi
from reticent.privacy.correlations import Correlation
from reticent.privacy.losses import Loss
from reticent.privacy.mechanisms.base import Mechanism, keep
from reticent.privacy.pairs import gaussian
from reticent.privacy.units import Relation

__all__ = ["CorrelatedGaussian"]

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class CorrelatedGaussian(Mechanism):
    """`count` trainings of `steps` noisy sums each, whose noise is correlated by the inverse of an encoder.

    Args:
        deviation: standard deviation of the independent noise, in clipping norms.
        correlation: the encoder.
        steps: how many sums were released.
        separation: at least so many steps lie from one participation of a unit to its next.
        participations: the most that a unit takes part; 0 stands for as often as there is room for.
        count: how many such trainings.

    Raises:
        UsageError: a value out of range, or an encoder whose sensitivity is not known for this separation.
    """

    deviation: float
    correlation: Correlation
    steps: int
    separation: int
    participations: int = 0
    count: int = 1
    kind: ClassVar[str] = "correlated_gaussian"

    def __post_init__(self) -> None:
        if not isinstance(self.correlation, Correlation):
            raise UsageError(
                f"Expected a Correlation, got correlation={self.correlation!r}.", "Pass for instance Banded(...)."
            )
        steps = _checks.at_least(1, steps=self.steps)
        separation = _checks.at_least(1, separation=self.separation)
        room = -(-steps // separation)
        keep(
            self,
            deviation=_checks.non_negative(deviation=self.deviation),
            steps=steps,
            separation=separation,
            participations=min(_checks.at_least(0, participations=self.participations) or room, room),
            count=_checks.at_least(0, count=self.count),
        )
        _ = self.sensitivity  # known, or refused here

    @property
    def sensitivity(self) -> float:
        """How far one unit moves what the encoder makes of the gradients, in clipping norms, if it is there or not."""
        return self.correlation.sensitivity(self.steps, separation=self.separation, participations=self.participations)

    @property
    def noise_multiplier(self) -> float:
        """The noise in units of the sensitivity: this one Gaussian mechanism's."""
        return self.deviation / self.sensitivity

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds."""
        return not self.is_free and self.deviation == 0

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one training."""
        return (gaussian(noise_multiplier=self._noise(relation), removed=True),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one training, at `renyi.ORDERS`."""
        return renyi.gaussian(renyi.ORDERS, noise_multiplier=self._noise(relation))

    def text(self) -> str:
        """One line for reports."""
        trainings = "" if self.count == 1 else f"{self.count} times "
        return (
            f"{trainings}{self.steps} Gaussian sum(s) with {self.correlation.text()}, every unit in at most "
            f"{self.participations} of them and at least {self.separation} steps apart, noise multiplier "
            f"{self.noise_multiplier:.6g} of all together"
        )

    def _noise(self, relation: Relation) -> float:
        return self.noise_multiplier / (2.0 if relation is Relation.REPLACE_ONE else 1.0)
