"""Trade-off curves that counts of guesses are held against: Gaussian, (epsilon, delta), or what a guarantee claims.

Promise: `Curve.least(x, parameter)` is never above the least false-positive rate at which a mechanism with this curve
lets anybody have a true-positive rate of x. A curve stands for both directions at once: it bounds who names a member,
and who names a non-member.

How: a curve is the largest true-positive rate T(a) at the false-positive rate a, T = 1 - f in the words of Dong, Roth
and Su (2022); concave and increasing. `least` is its inverse.

    gaussian      T(a) = Phi(Phi^-1(a) + mu)                               parameter mu
    approximate   T(a) = min(e^eps a + delta, 1 - e^-eps (1 - delta - a))  parameter eps (Kairouz, Oh, Viswanath 2015)
    claimed       what `Guarantee.true_positive_rate` says                 no parameter

Shapes: `least` takes and gives arrays, one entry for each question.

Example:
    >>> from reticent.audits.bounds.curves import epsilon_of, mu_of
    >>> mu = mu_of(8.0, 1e-5)
    >>> round(mu, 4), round(epsilon_of(mu, 1e-5), 4)
    (1.666, 8.0)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, ndtri

from reticent import _checks
from reticent.privacy import Guarantee

__all__ = ["GAUSSIAN", "Curve", "approximate", "claimed", "delta_of", "epsilon_of", "mu_of"]

Array = npt.NDArray[np.float64]

_LEAST_RATE = 1e-12
_POINTS = 6000


@dataclasses.dataclass(frozen=True)
class Curve:
    """A trade-off curve, or a family of them that grows with a parameter.

    Args:
        least: (true-positive rates, parameters) to the least false-positive rates that allow them.
        largest: the largest parameter that is looked at; what lies above is never claimed.
    """

    least: Callable[[Array, Array], Array]
    largest: float


def _gaussian(rates: Array, parameter: Array) -> Array:
    found: Array = ndtr(ndtri(rates) - parameter)
    return found


GAUSSIAN = Curve(_gaussian, largest=16.0)
"""Gaussian mechanisms, by mu: the distance of the two means in standard deviations."""


def approximate(delta: float) -> Curve:
    """All (epsilon, delta)-private mechanisms, by epsilon: nothing else is assumed of them."""

    def least(rates: Array, parameter: Array) -> Array:
        with np.errstate(over="ignore"):  # minus infinity where e^epsilon is no number: no bound
            high = 1.0 - delta - np.exp(parameter) * (1.0 - rates)
        return np.maximum(np.maximum(0.0, np.exp(-parameter) * (rates - delta)), high)

    return Curve(least, largest=40.0)


def claimed(guarantee: Guarantee) -> Curve:
    """The curve of a guarantee, from above: the concave hull of both directions' curves.

    The hull goes through points (a_j, T(a_j+1)), so it is above the true curve between them too.
    """
    low = np.geomspace(_LEAST_RATE, 0.5, _POINTS)
    rates = np.concatenate([[0.0], low, 1.0 - low[-2::-1], [1.0]])
    heights = np.append(np.asarray(guarantee.true_positive_rate(rates))[1:], 1.0)
    hull_rates, hull_heights = _hull(rates, np.maximum.accumulate(heights))

    def least(asked: Array, parameter: Array) -> Array:
        found: Array = np.interp(asked, hull_heights, hull_rates, left=0.0)
        return found + 0.0 * parameter

    return Curve(least, largest=0.0)


def _hull(x: Array, y: Array) -> tuple[Array, Array]:
    """The corners of the least concave function that is nowhere below the points, up to where it is 1."""
    kept: list[int] = []
    for place in range(int(np.argmax(y >= y[-1])) + 1):
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            if (y[b] - y[a]) * (x[place] - x[a]) > (y[place] - y[a]) * (x[b] - x[a]):
                break
            kept.pop()
        kept.append(place)
    return x[kept], y[kept]


def delta_of(mu: float, epsilon: float) -> float:
    """The delta of a Gaussian mechanism at epsilon (Balle and Wang, 2018; Dong, Roth and Su, 2022, corollary 1)."""
    if mu == 0.0:
        return 0.0
    return max(0.0, float(ndtr(mu / 2 - epsilon / mu)) - math.exp(epsilon + float(log_ndtr(-mu / 2 - epsilon / mu))))


def epsilon_of(mu: float, delta: float) -> float:
    """The epsilon of a Gaussian mechanism at delta, at most 1e-9 too small; infinite at delta 0 unless mu is 0."""
    if mu == 0.0 or (delta > 0 and delta_of(mu, 0.0) <= delta):
        return 0.0
    if delta == 0.0:
        return math.inf
    # Beyond it Phi(mu/2 - epsilon/mu), which is above delta(epsilon), is below delta already.
    most = mu * (mu / 2 - float(ndtri(delta)))
    return max(0.0, float(brentq(lambda e: delta_of(mu, e) - delta, 0.0, most, xtol=1e-10)) - 1e-9)


def mu_of(epsilon: float, delta: float) -> float:
    """The mu of the Gaussian mechanism that is just (epsilon, delta)-private."""
    _checks.non_negative(epsilon=epsilon)
    _checks.open_fraction(delta=delta)
    top = 1.0
    while delta_of(top, epsilon) < delta:
        top *= 2.0
    return float(brentq(lambda mu: delta_of(mu, epsilon) - delta, 0.0, top, xtol=1e-12))
