"""Noisy sums over samples: the steps of DP-SGD, one class for each law of sampling.

Promise: `losses` are those of the hardest pair of neighbouring data sets, exactly or from above.

Sensitivity is one clipping norm: `noise_multiplier` is the noise's standard deviation divided by the largest
contribution of one unit, in l2 norm. Under `REPLACE_ONE` an exchanged unit moves a sum by up to two of those.

Example:
    >>> from reticent.privacy import Relation, SampledGaussian
    >>> step = SampledGaussian(noise_multiplier=1.0, sample_rate=1.0, count=1)
    >>> (loss,) = step.losses(Relation.ADD_OR_REMOVE_ONE)  # removed or added: the same, where every unit takes part
    >>> from reticent.privacy.losses import compose
    >>> round(compose([(loss, 1)]).epsilon(1e-5), 3)
    4.377
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from reticent import _checks
from reticent.privacy import renyi
from reticent.privacy.losses import Loss
from reticent.privacy.mechanisms.base import Mechanism, keep, only_under
from reticent.privacy.pairs import (
    fixed_size_gaussian,
    gaussian,
    mixed,
    replaced_gaussian,
    with_replacement_gaussian,
)
from reticent.privacy.units import Relation

__all__ = ["FixedSizeGaussian", "SampledGaussian", "SampledSum", "TruncatedGaussian", "WithReplacementGaussian"]

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class SampledSum(Mechanism):
    """`count` noisy sums, each over a fresh sample of a share `sample_rate` of all units."""

    noise_multiplier: float
    sample_rate: float = 1.0
    count: int = 1

    def __post_init__(self) -> None:
        keep(
            self,
            noise_multiplier=_checks.non_negative(noise_multiplier=self.noise_multiplier),
            sample_rate=_checks.fraction(sample_rate=self.sample_rate),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0 or self.sample_rate == 0

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds."""
        return not self.is_free and self.noise_multiplier == 0


@dataclasses.dataclass(frozen=True)
class SampledGaussian(SampledSum):
    """`count` noisy sums, each over a fresh Poisson sample: every unit takes part with probability `sample_rate`.

    The step of DP-SGD (Abadi et al., 2016). With `sample_rate=1` it is the plain Gaussian mechanism. Under
    `REPLACE_ONE` the exchanged unit may move the sum by two clipping norms, and is charged so.
    """

    kind: ClassVar[str] = "sampled_gaussian"

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy losses of one step."""
        noise, rate = self.noise_multiplier, self.sample_rate
        if relation is Relation.REPLACE_ONE:
            return (replaced_gaussian(noise_multiplier=noise, sample_rate=rate),)
        directions = (True,) if rate == 1.0 else (True, False)
        return tuple(gaussian(noise_multiplier=noise, sample_rate=rate, removed=removed) for removed in directions)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one step, at `renyi.ORDERS`."""
        return renyi.gaussian(
            renyi.ORDERS,
            noise_multiplier=self.noise_multiplier,
            sample_rate=self.sample_rate,
            replaced=relation is Relation.REPLACE_ONE,
        )

    def text(self) -> str:
        """One line for reports."""
        sampled = f"Poisson samples at rate {self.sample_rate:.6g}" if self.sample_rate < 1 else "all units"
        return f"{self.count} Gaussian sum(s) over {sampled}, noise multiplier {self.noise_multiplier:.6g}"


@dataclasses.dataclass(frozen=True)
class FixedSizeGaussian(SampledSum):
    """`count` noisy sums, each over a fresh sample of fixed size, a share `sample_rate` of all units, no unit twice.

    Only under `REPLACE_ONE`: with a unit more or less there is no sample of the same share. An exchanged unit moves the
    sum by two clipping norms, and is charged so.
    """

    kind: ClassVar[str] = "fixed_size_gaussian"

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one step.

        Raises:
            UsageError: under `ADD_OR_REMOVE_ONE`.
        """
        _only_replaced(relation)
        return (fixed_size_gaussian(noise_multiplier=self.noise_multiplier, sample_rate=self.sample_rate),)

    def renyi(self, relation: Relation) -> Array:
        """No divergences: infinite, unless every unit takes part."""
        _only_replaced(relation)
        if self.sample_rate < 1:
            return np.full_like(renyi.ORDERS, np.inf)
        return renyi.gaussian(renyi.ORDERS, noise_multiplier=self.noise_multiplier, replaced=True)

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.count} Gaussian sum(s) over samples of fixed size without replacement, a share of "
            f"{self.sample_rate:.6g}, noise multiplier {self.noise_multiplier:.6g}"
        )


@dataclasses.dataclass(frozen=True)
class WithReplacementGaussian(Mechanism):
    """`count` noisy sums, each over `batch_size` independent draws of one of `dataset_size` units.

    Only under `REPLACE_ONE`. A unit can be drawn several times for one sum, and is charged so.
    """

    noise_multiplier: float
    dataset_size: int
    batch_size: int
    count: int = 1
    kind: ClassVar[str] = "with_replacement_gaussian"

    def __post_init__(self) -> None:
        keep(
            self,
            noise_multiplier=_checks.non_negative(noise_multiplier=self.noise_multiplier),
            dataset_size=_checks.at_least(1, dataset_size=self.dataset_size),
            batch_size=_checks.at_least(0, batch_size=self.batch_size),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0 or self.batch_size == 0

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds."""
        return not self.is_free and self.noise_multiplier == 0

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one step.

        Raises:
            UsageError: under `ADD_OR_REMOVE_ONE`.
        """
        _only_replaced(relation)
        noise, size, batch = self.noise_multiplier, self.dataset_size, self.batch_size
        return (with_replacement_gaussian(noise_multiplier=noise, dataset_size=size, batch_size=batch),)

    def renyi(self, relation: Relation) -> Array:
        """No divergences: infinite."""
        _only_replaced(relation)
        return np.full_like(renyi.ORDERS, np.inf)

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.count} Gaussian sum(s) over {self.batch_size} draws with replacement from {self.dataset_size} "
            f"units, noise multiplier {self.noise_multiplier:.6g}"
        )


@dataclasses.dataclass(frozen=True)
class TruncatedGaussian(SampledSum):
    """`count` noisy sums over Poisson samples, of which those with more than `most` units are cut to so many at random.

    A unit that is added to a sample that is full takes the place of another: the sum then moves by up to two clipping
    norms, and is charged so. `dataset_size` is the number of units n; a neighbour has n - 1 or n + 1 (or as many, under
    `REPLACE_ONE`). Which of the two costs more depends on how hard samples are cut, so both are charged for.
    """

    dataset_size: int = 1
    most: int = 1
    kind: ClassVar[str] = "truncated_gaussian"

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(
            self,
            dataset_size=_checks.at_least(1, dataset_size=self.dataset_size),
            most=_checks.at_least(1, most=self.most),
        )

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy losses of one step: for a unit that is removed and one that is added, with fewer others and more.

        Whether a sample is full without the unit does not depend on it, and is given away. When it is, the unit is in
        the batch with the probability that it was drawn and survived, and otherwise the batch is the same.
        """
        noise, rate, size = self.noise_multiplier, self.sample_rate, self.dataset_size
        if relation is Relation.REPLACE_ONE:
            full, within = self._full(size - 1)
            single = replaced_gaussian(noise_multiplier=noise, sample_rate=rate)
            double = replaced_gaussian(noise_multiplier=noise / 2, sample_rate=within) if within else single
            return (mixed([(1 - full, single), (full, double)]),)
        found = []
        for others in (size - 1, size):
            full, within = self._full(others)
            for removed in (True, False):
                single = gaussian(noise_multiplier=noise, sample_rate=rate, removed=removed)
                double = gaussian(noise_multiplier=noise / 2, sample_rate=within, removed=removed) if within else single
                found.append(mixed([(1 - full, single), (full, double)]))
        return tuple(found)

    def _full(self, others: int) -> tuple[float, float]:
        """The probability that a sample of the others is full, and that a unit is in the batch if it is."""
        rate, most = self.sample_rate, self.most
        full = float(bdtrc(most - 1, others, rate)) if most <= others else 0.0
        if full == 0.0:
            return 0.0, 0.0
        within = most / (others + 1) * float(bdtrc(most, others + 1, rate)) / full
        return full, min(within * (1 + 1e-9), rate)

    def renyi(self, relation: Relation) -> Array:
        """Mixing over what is given away: E_Q[(P/Q)^a] is the mean of both cases' moments."""
        noise, rate, others, most = self.noise_multiplier, self.sample_rate, self.dataset_size, self.most
        replaced = relation is Relation.REPLACE_ONE
        full = float(bdtrc(most - 1, others, rate)) if most <= others else 0.0
        cases = [
            (share, renyi.gaussian(renyi.ORDERS, noise_multiplier=spread, sample_rate=rate, replaced=replaced))
            for share, spread in ((1 - full, noise), (full, noise / 2))
            if share > 0
        ]
        logs = np.stack([math.log(share) + (renyi.ORDERS - 1) * divergences for share, divergences in cases])
        found: Array = np.logaddexp.reduce(logs, axis=0) / (renyi.ORDERS - 1)
        return np.maximum(found, 0.0)

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.count} Gaussian sum(s) over Poisson samples at rate {self.sample_rate:.6g} of "
            f"{self.dataset_size} units, cut to at most {self.most}, noise multiplier {self.noise_multiplier:.6g}"
        )


def _only_replaced(relation: Relation) -> None:
    only_under(
        Relation.REPLACE_ONE,
        relation,
        what="samples of fixed size",
        remedy="Plan with relation=Relation.REPLACE_ONE, or sample by Poisson.",
    )
