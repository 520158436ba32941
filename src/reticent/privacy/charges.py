"""What the noise of a plan costs: sampler, correlation and schedule together.

Promise: `Charge.mechanisms` are what was released after so many steps, and cost at least what they cost; what is not
proven is refused.

* Independent noise, and noise that is correlated over no more steps than lie between two uses of a unit (`Cyclic`
  groups, at least as many as bands): the sampler's own charge. In the rows that one use of a unit reaches, nothing
  else of that unit is found; so they are one sampled Gaussian sum, as the step alone would be (Choquette-Choo, Ganesh,
  McKenna, McMahan, Rush, Thakurta and Xu, 2023, on banded matrices and cyclic Poisson sampling). The independent noise
  is then `Charge.scale` times as large, the norm of the encoder's first column.
* Noise that is correlated over more steps: one `CorrelatedGaussian`, for a unit that takes part as often and as closely
  as the sampler lets it; who is in which batch counts as known, and nothing is amplified. Only for samplers whose
  batches may be known (`Cyclic`, `Shuffled`, `Streamed`).
* A schedule: every step with its own noise multiplier, s_t. With correlated noise it is the output of the correlation
  that is scaled: g_t + s_t (C^-1 w)_t is as private as C diag(1 / s) g + w, whose columns are those of C, each divided
  by its own s_t. Where the charge is for whole turns, a turn is charged with its least noise. Beside a
  `CorrelatedGaussian` a schedule of noise is refused: no theorem gives its sensitivity.

Example:
    >>> from reticent.privacy import Banded, Cyclic, Plan
    >>> encoder = Banded.optimal(1000, 10)
    >>> plan = Plan(1.0, dataset_size=10_000, batch_size=100, steps=1000, sampling=Cyclic(10), correlation=encoder)
    >>> plan.guarantee().mechanisms
    (SampledGaussian(noise_multiplier=1.0, sample_rate=0.1, count=100),)
    >>> round(plan.noise_scale, 3)
    2.055
"""

from __future__ import annotations

import dataclasses

from reticent.errors import UsageError
from reticent.privacy.correlations import Correlation
from reticent.privacy.mechanisms import CorrelatedGaussian, Mechanism
from reticent.privacy.samplers import Sampler
from reticent.privacy.schedules import Schedule

__all__ = ["Charge"]


@dataclasses.dataclass(frozen=True)
class Charge:
    """What the noise of `steps` planned steps costs.

    Raises:
        UsageError: the cost of this correlation, with this sampler and schedule, is not known.
    """

    sampler: Sampler
    correlation: Correlation
    schedule: Schedule
    dataset_size: int
    batch_size: int
    steps: int

    def __post_init__(self) -> None:
        if self.is_amplified:
            return
        if self._uses(self.steps) is None:
            wide = self.correlation.bands
            raise UsageError(
                f"Expected independent noise with {type(self.sampler).__name__}, got {self.correlation.text()}: a unit "
                "may be in two batches in a row, and what that costs with such noise is not known.",
                f"Pass sampling=Cyclic(groups={wide or 'steps between two uses of a unit'}), or more groups.",
            )
        if not self.schedule.is_constant:
            raise UsageError(
                f"Expected one noise multiplier with {self.correlation.text()} that reaches from one use of a unit to "
                "its next, got a schedule: no theorem gives its sensitivity.",
                "Schedule the clipping norm or the learning rate, or take as many groups as bands.",
            )
        _ = self.scale  # known, or refused here

    @property
    def is_amplified(self) -> bool:
        """Whether the sampler's own charge stands: noise is independent, or reaches no further than it allows."""
        if self.correlation.is_independent:
            return True
        return self.correlation.bands is not None and self.correlation.bands <= self.sampler.reach

    @property
    def scale(self) -> float:
        """How much larger the independent noise is than the noise multiplier says: the encoder's sensitivity."""
        if self.correlation.is_independent:
            return 1.0
        if self.is_amplified:
            return self.correlation.sensitivity(self.steps, participations=1)
        separation, participations = self._known_uses(self.steps)
        return self.correlation.sensitivity(self.steps, separation=separation, participations=participations)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What else the charge rests on, in words."""
        found = []
        if not self.correlation.is_independent and self.is_amplified:
            found.append(
                f"{self.correlation.text()}, charged as independent noise: at least {self.sampler.reach} steps lie "
                "between two uses of a unit"
            )
        elif not self.is_amplified:
            found.append(
                "who is in which batch does not depend on the data and counts as known; a unit that is added, removed "
                "or exchanged leaves all others where they are"
            )
        if not self.schedule.is_constant:
            found.append("the noise's schedule was fixed without looking at these data")
        return tuple(found)

    def mechanisms(self, noise_multiplier: float, steps: int) -> tuple[Mechanism, ...]:
        """What the first `steps` steps cost at this noise multiplier (times the schedule)."""
        sizes = self.dataset_size, self.batch_size
        if self.is_amplified:
            if self.schedule.is_constant:
                return self.sampler.mechanisms(noise_multiplier, *sizes, steps)
            block = self.sampler.block(*sizes)
            return tuple(
                mechanism
                for factor, blocks in self.schedule.least(steps, block).items()
                for mechanism in self.sampler.mechanisms(noise_multiplier * factor, *sizes, blocks * block)
            )
        if steps == 0:
            return ()
        separation, participations = self._known_uses(steps)
        deviation = noise_multiplier * self.scale
        return (CorrelatedGaussian(deviation, self.correlation, steps, separation, participations),)

    def _uses(self, steps: int) -> tuple[int, int] | None:
        return self.sampler.occasions(self.dataset_size, self.batch_size, steps)

    def _known_uses(self, steps: int) -> tuple[int, int]:
        found = self._uses(steps)
        assert found is not None, "refused when the charge was made"  # noqa: S101
        return found
