"""Renyi differential privacy: divergences that simply add up, also where the next mechanism depends on past outputs.

Promise: divergences are upper bounds for every pair of neighbours, exact up to rounding for Gaussian sums (sampled or
not) and Laplace sums; `epsilon_of` and `delta_of` convert them (Canonne, Kamath and Steinke, 2020, proposition 12).

Loss distributions give smaller epsilons for a composition that was fixed before. Renyi divergences are for what they
cannot do: filters and odometers (`reticent.privacy.budgets`), the price of choosing among several trainings
(`Tuned`), and a second opinion on every epsilon.

Edge cases: a mechanism that is (epsilon, delta)-private with delta > 0 has no finite divergence; one without noise has
none either: both infinity.

Example:
    >>> import numpy as np
    >>> from reticent.privacy.renyi import ORDERS, epsilon_of, gaussian
    >>> steps = 2250 * gaussian(ORDERS, noise_multiplier=1.5, sample_rate=0.04)
    >>> round(epsilon_of(steps, ORDERS, delta=1e-5), 3)
    7.328
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp

__all__ = [
    "ORDERS",
    "best_of",
    "delta_of",
    "deltas_of",
    "epsilon_of",
    "gaussian",
    "laplace",
    "randomised_response",
    "whole_gaussian",
]

Array = npt.NDArray[np.float64]

_WHOLE = 11  # from here on only whole orders, whose moments of a sampled Gaussian are finite sums
ORDERS: Array = np.unique(
    np.concatenate(
        [1 + np.geomspace(1e-2, 0.5, 20), np.arange(1.5, _WHOLE, 0.05), np.arange(_WHOLE, 65), [128, 256, 512]]
    )
)
"""Orders at which divergences are computed; an epsilon is the least that any of them gives."""
_REACH = 13.0  # standard deviations beyond which a density is neglected
_FINE = 12.0  # points for each standard deviation: the rule of trapezia is exact to rounding for such densities


def epsilon_of(divergences: Array, orders: Array, *, delta: float) -> float:
    """The least epsilon at this delta that any of the orders gives."""
    with np.errstate(invalid="ignore"):
        found = divergences + np.log1p(-1 / orders) - (math.log(delta) + np.log(orders)) / (orders - 1)
    return max(0.0, float(np.nanmin(found)))


def delta_of(divergences: Array, orders: Array, *, epsilon: float) -> float:
    """The least delta at this epsilon that any of the orders gives."""
    return float(deltas_of(divergences, orders, np.array([epsilon]))[0])


def deltas_of(divergences: Array, orders: Array, epsilons: Array) -> Array:
    """The same for an array of epsilons."""
    logs = np.zeros_like(epsilons)
    for order, divergence in zip(orders.tolist(), divergences.tolist(), strict=True):
        if math.isfinite(divergence):
            own = (order - 1) * (divergence - epsilons) - math.log(order - 1) + order * math.log1p(-1 / order)
            np.minimum(logs, own, out=logs)
    found: Array = np.exp(logs)
    return found


def gaussian(orders: Array, *, noise_multiplier: float, sample_rate: float = 1.0, replaced: bool = False) -> Array:
    """Divergences of one Gaussian sum over a Poisson sample (Mironov, Talwar and Zhang, 2019).

    Args:
        orders: above 1; those from 11 on whole numbers, unless every unit takes part.
        noise_multiplier: standard deviation in units of what one unit can contribute.
        sample_rate: probability with which a unit takes part.
        replaced: for a unit that is exchanged instead of added or removed.
    """
    if sample_rate == 0.0:
        return np.zeros_like(orders)
    if noise_multiplier == 0.0:
        return np.full_like(orders, np.inf)
    if sample_rate == 1.0:
        moved = 2.0 if replaced else 1.0
        return orders * moved**2 / (2 * noise_multiplier**2)
    return np.array([_sampled(float(order), noise_multiplier, sample_rate, replaced) for order in orders])


def whole_gaussian(orders: Array, *, noise_multiplier: float, sample_rate: float = 1.0) -> Array:
    """Divergences of one sum of whole vectors with discrete Gaussian noise, over a Poisson sample.

    At whole orders they are those of a continuous sum (see `reticent.privacy.mechanisms.lattice`). Between two of them
    (a - 1) D_a is at most the chord, because it is the logarithm of a moment, which is convex in a.
    """
    if sample_rate == 1.0:
        return gaussian(orders, noise_multiplier=noise_multiplier)
    below, above = np.floor(orders + 1e-9), np.ceil(orders - 1e-9)
    low, high = ((a - 1) * _at_whole(a, noise_multiplier, sample_rate) for a in (below, above))
    share = np.where(above > below, (orders - below) / np.maximum(above - below, 1.0), 0.0)
    found: Array = ((1 - share) * low + share * high) / (orders - 1)
    return found


def _at_whole(orders: Array, noise: float, rate: float) -> Array:
    """Divergences at whole orders; 0 in place of the one at order 1, which is only asked for times zero."""
    return np.array([_finite_sum(float(order), noise, rate) if order > 1 else 0.0 for order in orders])


def laplace(orders: Array, *, scale: float) -> Array:
    """Divergences of a sum with Laplace noise of so many sensitivities (Mironov, 2017, proposition 6)."""
    a, t = orders, 1 / scale
    terms = np.stack([np.log(a / (2 * a - 1)) + (a - 1) * t, np.log((a - 1) / (2 * a - 1)) - a * t])
    found: Array = logsumexp(terms, axis=0) / (a - 1)
    return found


def randomised_response(orders: Array, *, epsilon: float) -> Array:
    """Divergences of the worst epsilon-private mechanism (Mironov, 2017, proposition 5)."""
    likely, unlikely = -math.log1p(math.exp(-epsilon)), -math.log1p(math.exp(epsilon))
    a = orders
    terms = np.stack([a * likely + (1 - a) * unlikely, a * unlikely + (1 - a) * likely])
    found: Array = np.maximum(logsumexp(terms, axis=0) / (a - 1), 0.0)
    return found


@functools.lru_cache(maxsize=1 << 14)
def _sampled(order: float, noise: float, rate: float, replaced: bool) -> float:
    if not replaced and order >= _WHOLE:
        return _finite_sum(order, noise, rate)
    # E_Q[(P / Q)^order] by the rule of trapezia: the mass of the moment lies between both means and `order` times that.
    farthest = 2 * order - 1 if replaced else order
    x = np.arange(-1 - _REACH * noise, farthest + 1 + _REACH * noise, noise / _FINE)
    p = _log_mixture(x, noise, rate, 1.0)
    q = _log_mixture(x, noise, rate, -1.0) if replaced else _log_mixture(x, noise, 0.0, 0.0)
    moment = logsumexp(order * p + (1 - order) * q) + math.log(noise / _FINE)
    return max(0.0, float(moment)) / (order - 1)


@functools.lru_cache(maxsize=1 << 14)
def _finite_sum(order: float, noise: float, rate: float) -> float:
    """The divergence at a whole order (Mironov, Talwar and Zhang, 2019, section 3.3)."""
    k = np.arange(round(order) + 1, dtype=np.float64)
    chosen = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
    terms = chosen + k * math.log(rate) + (order - k) * math.log1p(-rate) + k * (k - 1) / (2 * noise**2)
    return float(logsumexp(terms)) / (order - 1)


def _log_mixture(x: Array, noise: float, rate: float, mean: float) -> Array:
    constant = math.log(noise) + 0.5 * math.log(2 * math.pi)
    without: Array = -0.5 * (x / noise) ** 2 - constant
    if rate == 0.0:
        return without
    return np.logaddexp(math.log1p(-rate) + without, math.log(rate) - 0.5 * ((x - mean) / noise) ** 2 - constant)


def best_of(divergences: Array, orders: Array, *, mean_runs: float, shape: float) -> Array:
    """Divergences of the best of a random number of runs, each with the given ones.

    The number is drawn before, from the truncated negative binomial distribution of this shape: 1 is the geometric
    distribution, 0 the logarithmic one (Papernot and Steinke, 2022, theorem 2).

    Args:
        divergences: of one run, at `orders`.
        orders: above 1.
        mean_runs: expected number of runs, above 1.
        shape: eta, above -1.
    """
    stop = _stop_of(mean_runs, shape)
    # The theorem holds for every second order; the best one is taken.
    added = (1 + shape) * ((1 - 1 / orders) * divergences - math.log(stop) / orders)
    found: Array = divergences + float(np.min(added)) + math.log(mean_runs) / (orders - 1)
    return found


def _stop_of(mean_runs: float, shape: float) -> float:
    """gamma of the truncated negative binomial distribution with this mean."""

    def mean(log_stop: float) -> float:
        stop = math.exp(log_stop)
        if abs(shape) < 1e-9:
            return (1 / stop - 1) / -log_stop
        found: float = shape * (1 - stop) / (stop * (1 - stop**shape))
        return found

    return math.exp(float(brentq(lambda log_stop: mean(log_stop) - mean_runs, -200.0, -1e-9, xtol=1e-14)))
