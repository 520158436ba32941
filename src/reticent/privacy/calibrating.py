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

from scipy.optimize import brentq

__all__ = ["largest", "least_noise"]

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
