"""Noise multipliers and clipping norms that change on the way: factors for successive stretches of steps.

Promise: a schedule is fixed before the training and a function of the step's number alone; every step is charged with
the noise that it had, so a guarantee names every multiplier and how many steps had it.

A schedule that follows losses, norms or parameters is not one of these: where it depends on noisy outputs only, use
`Budget`; where it depends on the data, there is no promise.

Example:
    >>> from reticent.privacy import Plan, Schedule
    >>> plan = Plan(1.0, dataset_size=1000, batch_size=50, steps=100, noise_schedule=Schedule(((60, 1.5), (40, 0.8))))
    >>> [(m.noise_multiplier, m.count) for m in plan.guarantee().mechanisms]
    [(1.5, 60), (0.8, 40)]
    >>> Schedule.exponential(1.0, 0.25, steps=100, pieces=4).segments
    ((25, 1.0), (25, 0.6299605249474366), (25, 0.3968502629920499), (25, 0.25))
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError

__all__ = ["Schedule"]

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Factors of a plan's noise multiplier or clipping norm.

    Args:
        segments: (number of steps, factor), one after the other; the last factor goes on to the end of the training.

    Raises:
        UsageError: no segment, a stretch of no steps, a factor that is not positive and finite.
    """

    segments: tuple[tuple[int, float], ...] = ((1, 1.0),)

    def __post_init__(self) -> None:
        try:
            pairs = [(count, factor) for count, factor in self.segments]
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"Expected segments of (steps, factor), got segments={self.segments!r}.",
                "Pass for instance ((100, 1.0), (50, 0.5)).",
            ) from error
        if not pairs:
            raise UsageError("Expected at least one segment, got none.", "Pass ((1, 1.0),) for no change.")
        joined: list[tuple[int, float]] = []
        for count, factor in pairs:
            one = _checks.at_least(1, steps=count), _checks.positive(factor=factor)
            if joined and joined[-1][1] == one[1]:
                joined[-1] = (joined[-1][0] + one[0], one[1])
            else:
                joined.append(one)
        object.__setattr__(self, "segments", tuple(joined))

    @classmethod
    def of(cls, factors: Iterable[float]) -> Schedule:
        """One factor for each step; equal neighbours are joined."""
        return cls(tuple((1, factor) for factor in factors))

    @classmethod
    def linear(cls, start: float, end: float, *, steps: int, pieces: int = 20) -> Schedule:
        """From one factor to another in equal strides; at most `pieces` factors, so that accounting stays quick."""
        return cls._from(
            np.linspace(_checks.positive(start=start), _checks.positive(end=end), _count(steps, pieces)), steps
        )

    @classmethod
    def exponential(cls, start: float, end: float, *, steps: int, pieces: int = 20) -> Schedule:
        """From one factor to another in equal ratios; at most `pieces` factors."""
        logs = math.log(_checks.positive(start=start)), math.log(_checks.positive(end=end))
        return cls._from(np.exp(np.linspace(*logs, _count(steps, pieces))), steps)

    @classmethod
    def _from(cls, factors: Array, steps: int) -> Schedule:
        ends = np.round(np.linspace(0, steps, len(factors) + 1)).astype(int)
        return cls(tuple(zip(np.diff(ends).tolist(), factors.tolist(), strict=True)))

    @property
    def is_constant(self) -> bool:
        """Whether nothing changes."""
        return all(factor == 1.0 for _, factor in self.segments)

    def factor(self, step: int) -> float:
        """The factor of step number `step`, counted from 0."""
        end = 0
        for count, factor in self.segments:
            end += count
            if step < end:
                return factor
        return self.segments[-1][1]

    def factors(self, steps: int) -> Array:
        """(steps,) the factor of each step."""
        ends = np.cumsum([count for count, _ in self.segments[:-1]])
        places = np.searchsorted(ends, np.arange(steps), side="right")
        return np.array([factor for _, factor in self.segments])[places]

    def least(self, steps: int, turn: int) -> dict[float, int]:
        """The least factor of each turn of so many steps, and how many turns have it, in order of appearance.

        What happens within a turn is charged as a whole. More noise could be added to an output afterwards, so charging
        all of a turn with its least noise is safe.
        """
        if steps == 0:
            return {}
        least = np.minimum.reduceat(self.factors(steps), np.arange(0, steps, turn))
        found: dict[float, int] = {}
        for factor in least.tolist():
            found[factor] = found.get(factor, 0) + 1
        return found

    def as_list(self) -> list[list[float]]:
        """Plain values; `from_list` makes an equal schedule of them."""
        return [[count, factor] for count, factor in self.segments]

    @classmethod
    def from_list(cls, values: Any) -> Schedule:
        """The schedule that `as_list` wrote."""
        return cls(values)


def _count(steps: object, pieces: object) -> int:
    return min(_checks.at_least(1, steps=steps), _checks.at_least(1, pieces=pieces))
