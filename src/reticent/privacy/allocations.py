"""The privacy loss of random allocation: a unit takes part in exactly one of several steps, and nobody knows in which.

Promise: `allocated_gaussian` is never below the truth, for any number of steps and any noise; a finer grid only brings
it closer (at the default one, epsilon is some 0.1 % above).

With the unit, the outputs of t steps are a mixture of N(e_i, s^2 I) over i = 1..t; without it N(0, s^2 I). This pair is
the hardest one, also when later steps depend on earlier outputs (Chua, Ghazi, Harrison, Kamath, Kumar, Manurangsi,
Sinha and Zhang, 2024, "Balls-and-bins sampling for DP-SGD"). The ratio of their densities is the mean of t independent
lognormal numbers, S. What is wanted are E(S - y)+ (removal) and E(1 - y S)+ (addition), means of convex functions.

How: the lognormal number is put on a grid by moving each mass to the two neighbouring points so that the mean stays:
that makes it larger in the convex order, and so it makes means of independent copies. The mean of t copies is built by
doubling, on a grid that is fine around 1 and geometric far from it. Feldman and Shenfeld (2026) show that such a
computation can be exact; no simulation is needed, and no confidence has to be stated.

Example:
    >>> from reticent.privacy.allocations import allocated_gaussian
    >>> from reticent.privacy.losses import compose
    >>> step = allocated_gaussian(noise_multiplier=1.0, steps=100, removed=True)
    >>> round(compose([(step, 1)]).epsilon(1e-6), 2)
    0.86
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from reticent.privacy.losses import Loss

__all__ = ["allocated_gaussian"]

Array = npt.NDArray[np.float64]

_POINTS = 1200
_TAIL = 1e-19  # mass that may be taken for an infinite loss, each time something is cut off
_NOTHING = 1e-32  # Q-masses below it do not decide how far down the grid reaches


def allocated_gaussian(*, noise_multiplier: float, steps: int, removed: bool, points: int = _POINTS) -> Loss:
    """Gaussian sums over `steps` batches, one of which, at random, has the unit; for its removal or its addition.

    Args:
        noise_multiplier: standard deviation in units of what one unit can contribute.
        steps: among how many the unit's one is chosen.
        removed: the direction, see `reticent.privacy.pairs`.
        points: of the grid; time grows with the square.
    """
    ratio = _mean_of(noise_multiplier, steps, points)
    used = ratio.masses > 0
    values, without = ratio.values[used], ratio.masses[used]
    with np.errstate(divide="ignore"):
        losses = np.log(values)
    with_unit = without * values
    if removed:
        some = with_unit > 0
        return _listed(losses[some], with_unit[some], without[some], ratio.cut)
    some = values > 0
    return _listed(-losses[some][::-1], without[some][::-1], with_unit[some][::-1], float(without[~some].sum()))


def _listed(losses: Array, p: Array, q: Array, infinite: float) -> Loss:
    """A loss with masses at these increasing values."""
    p_below, q_below = np.append(0.0, np.cumsum(p)), np.append(0.0, np.cumsum(q))
    p_above, q_above = (np.append(np.cumsum(masses[::-1])[::-1], 0.0) for masses in (p, q))
    middle = len(losses) // 2

    def between(at: Array) -> tuple[Array, Array]:
        place = np.searchsorted(losses, at, side="right")
        low, high = place[:-1], place[1:]
        # From the nearer end, so that small masses keep their digits.
        up = low >= middle
        return (
            np.where(up, p_above[low] - p_above[high], p_below[high] - p_below[low]),
            np.where(up, q_above[low] - q_above[high], q_below[high] - q_below[low]),
        )

    return Loss(between, float(losses[0]) - 1e-9, float(losses[-1]) + 1e-9, infinite)


class _Ratio(NamedTuple):
    """A ratio of densities on a grid: Q-masses at values, and the P-mass that was cut off above."""

    values: Array
    masses: Array
    cut: float


@functools.lru_cache(maxsize=256)
def _mean_of(noise: float, steps: int, points: int) -> _Ratio:
    """The mean of so many independent lognormal ratios, larger in the convex order."""
    block, copies = _single(noise, points), 1
    total: _Ratio | None = None
    held = 0
    while True:
        if steps & copies:
            total = block if total is None else _together(total, block, held, copies, points)
            held += copies
        if held == steps:
            return total  # type: ignore[return-value]  # the last binary digit has just been added
        block = _together(block, block, copies, copies, points)
        copies *= 2


def _single(noise: float, points: int) -> _Ratio:
    """One ratio, e^L with L normal of variance 1/s^2 and mean -1/(2 s^2) under Q, +1/(2 s^2) under P."""
    half, farthest = 0.5 / noise**2, float(-ndtri(_TAIL)) / noise
    grid = _grid(math.exp(-half - farthest), math.exp(half + farthest), math.sqrt(math.expm1(2 * half)), points)
    with np.errstate(divide="ignore"):
        ends = np.log(grid)
    q, p = _normal((ends + half) * noise), _normal((ends - half) * noise)
    masses = _shared(grid, q, p)
    top = ends[-1]
    masses[-1] += float(ndtr(-(top + half) * noise))
    return _Ratio(grid, masses, float(ndtr(-(top - half) * noise)))


def _normal(ends: Array) -> Array:
    upper, lower = ndtr(-ends), ndtr(ends)
    found: Array = np.where(ends[:-1] > 0, upper[:-1] - upper[1:], lower[1:] - lower[:-1])
    return found


def _shared(grid: Array, q: Array, p: Array) -> Array:
    """Q-masses at the grid's points that keep the Q-mass and the P-mass of each gap."""
    up = np.clip((p - grid[:-1] * q) / np.diff(grid), 0.0, q)
    masses = np.zeros(len(grid))
    masses[:-1] += q - up
    masses[1:] += up
    return masses


def _grid(low: float, high: float, deviation: float, points: int) -> Array:
    """Zero; geometric from the lowest value to the highest; and fine around 1, by the deviation there."""
    ends = math.asinh(-1.0 / deviation), math.asinh((high - 1.0) / deviation)
    near = 1.0 + deviation * np.sinh(np.linspace(*ends, points // 2))
    far = np.geomspace(low, high, points // 2)
    return np.unique(np.concatenate([[0.0], near[(near > low) & (near < high)], far]))


def _together(one: _Ratio, other: _Ratio, first: int, second: int, points: int) -> _Ratio:
    """The mean of `first` copies whose mean is one and `second` copies whose mean is the other."""
    share = first / (first + second)
    a, b = one.masses > 0, other.masses > 0
    va, ma, vb, mb = one.values[a], one.masses[a], other.values[b], other.masses[b]
    values = (share * va[:, None] + (1.0 - share) * vb).ravel()
    masses = (ma[:, None] * mb).ravel()
    variance = share**2 * float(ma @ (va - 1.0) ** 2) + (1.0 - share) ** 2 * float(mb @ (vb - 1.0) ** 2)
    high = float(values[-1])
    low = max(float(values[masses > _NOTHING].min()), 1e-300)
    grid = _grid(low, high, math.sqrt(variance), points)
    place = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, len(grid) - 2)
    q = np.bincount(place, masses, len(grid) - 1).astype(np.float64)
    p = np.bincount(place, masses * values, len(grid) - 1).astype(np.float64)
    mixed = _shared(grid, q, p)
    cut = share * one.cut + (1.0 - share) * other.cut
    return _topped(grid, mixed, cut)


def _topped(grid: Array, masses: Array, cut: float) -> _Ratio:
    """Values so high that their P-mass may be neglected are lowered to one point; what they lose counts as infinite."""
    above = np.cumsum((grid * masses)[::-1])[::-1]
    last = max(1, int(np.searchsorted(-above, -_TAIL)) - 1)
    if last >= len(grid) - 1:
        return _Ratio(grid, masses, cut)
    lost = float(((grid[last:] - grid[last]) * masses[last:]).sum())
    kept = masses[: last + 1].copy()
    kept[-1] += float(masses[last + 1 :].sum())
    return _Ratio(grid[: last + 1], kept, cut + lost)
