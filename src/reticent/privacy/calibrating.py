"""The least noise, or the most of something, that keeps a promise.

Promise: neither search overshoots: what it gives has been tried and found to keep the promise. Noise is within 0.1 % of
the least that does; a number is the last before the first one that was found not to.

Example:
    >>> from reticent.privacy.calibrating import largest, least_noise
    >>> round(least_noise(lambda noise: 4.0 / noise, target=2.0, guess=10.0), 3)
    2.0
    >>> largest(lambda number: number**2 <= 50, limit=1000)
    7
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from scipy.optimize import brentq

from reticent import _checks
from reticent.errors import UsageError

__all__ = ["asked_steps", "largest", "least_noise"]

_LARGEST_EPSILON = 100

_LARGEST_NOISE = 1e7
_SMALLEST_NOISE = 0.05  # below it epsilon is in the thousands: not a promise worth calibrating to
_TOLERANCE = 2e-4  # of the noise multiplier
_STRIDE = math.log(1.25)


def least_noise(epsilon_of: Callable[[float], float], target: float, guess: float) -> float | None:
    """The least noise multiplier whose epsilon is at most the target; None if there is none below ten million.

    Args:
        epsilon_of: noise multiplier to epsilon, falling.
        target: above 0.
        guess: where to start. Less noise means longer distributions, so the walk starts where they are short and goes
            down in small strides.
    """

    def excess(log_noise: float) -> float:
        return math.log(max(epsilon_of(math.exp(log_noise)), 1e-12) / target)

    high = math.log(guess)
    while excess(high) > 0:
        high += math.log(2)
        if high > math.log(_LARGEST_NOISE):
            return None
    low = high - _STRIDE
    while excess(low) <= 0:
        low, high = low - _STRIDE, low
        if low < math.log(_SMALLEST_NOISE):
            return math.exp(high)
    noise = math.exp(brentq(excess, low, high, xtol=_TOLERANCE / 2))
    while epsilon_of(noise) > target:  # the root may lie a hair too low
        noise *= 1 + _TOLERANCE
    return noise


def largest(fits: Callable[[int], bool], limit: int) -> int:
    """The largest number up to the limit that fits, if 1 does, and none fits above one that does not."""
    low, high = 1, 2
    while high <= limit and fits(high):
        low, high = high, 2 * high
    high = min(high, limit + 1)  # the least number that is known, or defined, not to fit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def asked_steps(
    epsilon: float,
    delta: float,
    dataset_size: int,
    batch_size: int | None,
    epochs: float | None,
    steps: int | None,
    noise_multiplier: float | None,
) -> int | None:
    """The steps that were asked for, as such or as epochs; None if they are what is to be found.

    Raises:
        UsageError: a promise that is none, or not exactly one quantity that is left out.
    """
    # Delta first: somebody who swapped the two then reads so, whatever epsilon looks like.
    _checks.delta(delta=delta, dataset_size=_checks.at_least(1, dataset_size=dataset_size))
    if _checks.positive(epsilon=epsilon) > _LARGEST_EPSILON:
        raise UsageError(
            f"Expected epsilon <= {_LARGEST_EPSILON}, got epsilon={epsilon!r}: above it nothing is promised that "
            "could be told apart from no promise.",
            "Choose a smaller one; promises worth having lie below 10.",
        )
    if epsilon < delta:
        raise UsageError(
            f"Expected epsilon above delta, got epsilon={epsilon!r} and delta={delta!r}.",
            "Did you swap epsilon and delta?",
        )
    if epochs is not None and steps is not None:
        raise UsageError(
            f"Expected either epochs or steps, got epochs={epochs!r} and steps={steps!r}.", "Pass one of the two."
        )
    unknown = [
        name
        for name, value in (
            ("noise_multiplier", noise_multiplier),
            ("steps (or epochs)", steps if epochs is None else epochs),
            ("batch_size", batch_size),
        )
        if value is None
    ]
    if len(unknown) != 1 or (batch_size is None and epochs is not None):
        raise UsageError(
            "Expected all but one of noise_multiplier, steps (or epochs) and batch_size, got no "
            f"{' and no '.join(unknown) or 'gap'}{' but epochs' if batch_size is None else ''}.",
            "Pass for instance batch_size and epochs, and the least noise is found; or batch_size and "
            "noise_multiplier, and the most steps are. With an unknown batch size, say how many steps.",
        )
    if epochs is not None and batch_size is not None:
        steps = _steps(_checks.positive(epochs=epochs), dataset_size, _checks.at_least(1, batch_size=batch_size))
    return steps


def _steps(epochs: float, dataset_size: int, batch_size: int) -> int:
    """ceil(epochs * n / batch_size) without the rounding errors of floating point."""
    return math.ceil(Fraction(str(epochs)) * dataset_size / batch_size)
