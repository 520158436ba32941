"""What a user of an adapter asks for, and the plan that comes of it.

Promise: a plan that is asked for is taken as it is, or refused; targets are calibrated for exactly the steps that the
host will take.
"""

from __future__ import annotations

from typing import NamedTuple

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import Clipping, Plan, Unit
from reticent.randomness import Randomness, required

__all__ = ["Wanted"]


class Wanted(NamedTuple):
    """What the user asked for: a plan, or what it is calibrated from."""

    plan: Plan | None
    target_epsilon: float | None
    target_delta: float | None
    l2_clip_norm: float | None
    unit: Unit | None
    clipping: Clipping | None
    physical_batch_size: int | None
    public_facts: tuple[str, ...]
    randomness: Randomness | None

    def checked(self) -> Wanted:
        """Itself, if plan and targets do not contradict each other."""
        targets = (self.target_epsilon, self.target_delta, self.l2_clip_norm, self.unit, self.clipping)
        if self.plan is not None and any(value is not None for value in targets):
            raise UsageError(
                "Expected either a plan, or targets, clipping norm, clipping and unit; got both.",
                "Say it in the plan, or leave the plan out.",
            )
        if self.plan is None and (self.target_epsilon is None or self.target_delta is None):
            raise UsageError(
                f"Expected target_epsilon and target_delta, got target_epsilon={self.target_epsilon!r} and "
                f"target_delta={self.target_delta!r}.",
                "Pass both, for instance target_epsilon=3.0, target_delta=1e-5; or a plan.",
            )
        if self.physical_batch_size is not None:
            _checks.at_least(1, physical_batch_size=self.physical_batch_size)
        if self.randomness is not None:
            required(self.randomness)
        return self

    def planned(self, *, size: int, batch_size: int, steps: int) -> Plan:
        """The plan of a training on so many records that takes so many steps."""
        if self.plan is None:
            assert self.target_epsilon is not None and self.target_delta is not None  # noqa: S101, PT018
            return Plan.calibrate(
                epsilon=self.target_epsilon,
                delta=self.target_delta,
                dataset_size=size,
                batch_size=min(batch_size, size),
                steps=steps,
                l2_clip_norm=1.0 if self.l2_clip_norm is None else self.l2_clip_norm,
                unit=Unit.EXAMPLE if self.unit is None else self.unit,
                clipping=self.clipping,
            )
        if self.plan.dataset_size != size:
            raise UsageError(
                f"Expected a plan for this data set of {size} records, got one for {self.plan.dataset_size}.",
                "Calibrate the plan with dataset_size=len(dataset).",
            )
        if self.plan.steps < steps:
            raise UsageError(
                f"Expected a plan for the {steps} steps of this trainer, got one for {self.plan.steps}.",
                "Plan more steps, or train for fewer.",
            )
        return self.plan
