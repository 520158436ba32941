"""Privacy-loss distributions: how much the outputs of mechanisms can tell two neighbouring data sets apart.

Promise: `compose` is never below the truth. Every epsilon, delta and error rate that a `Composed` gives is an upper
bound on what the mechanisms together give away; a finer grid only brings it closer.

The privacy loss of an output o is log(P(o) / Q(o)), where P and Q are the outputs' distributions on the two data sets;
its distribution under P determines epsilon(delta) and the whole trade-off curve (Sommer, Meiser and Mohammadi, 2019).
Losses of independent mechanisms add up, so their distributions are convolved (Koskela, Jaelkoe and Honkela, 2020).

How: each loss is put on a grid so that both its P-mass and its Q-mass are kept ("connecting the dots", Doroshenko,
Ghazi, Kamath, Kumar and Manurangsi, 2022): the hockey-stick divergence then is exact at the grid's points and above the
truth between them. All convolutions are one product of Fourier transforms, over a window whose upper end is a Chernoff
bound; what lies outside counts as an infinite loss. The transforms are of tilted distributions, p(l) e^(t l) up to a
factor, so that their rounding is small beside the masses of large losses too, which deltas depend on.

The grid is as fine as it has to be: n steps whose losses have variance v gain n h^2 / 6 of variance from an interval h,
and h is chosen to keep that below `_SPREAD` of n v.

Accuracy: `_SPREAD` moves epsilon by some 5e-5 of itself. What is cut off adds 2e-16 to delta.

Example:
    >>> import numpy as np
    >>> from reticent.privacy.losses import compose
    >>> from reticent.privacy.pairs import gaussian
    >>> step = gaussian(noise_multiplier=1.0, sample_rate=0.01, removed=True)
    >>> promise = compose([(step, 1000)])
    >>> round(promise.epsilon(1e-5), 3), round(promise.delta(1.0), 5)
    (1.828, 0.00261)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft

__all__ = ["TAIL", "Composed", "Loss", "Profile", "compose", "no_masses"]

Array = npt.NDArray[np.float64]

_SPREAD = 1e-4  # the grid's share of the variance of the composed loss
TAIL = 1e-16  # mass on either side that may be taken for an infinite loss, all mechanisms together
# Logarithms of the factors by which rounding may grow for the sake of large losses: around the mean, and far below it,
# where delta is near 1.
_TILTED, _TILTED_BELOW = 6.0, 10.0
_ROUNDING = 6 * 2.0**-52
_LONGER = 1.8  # by which factor the window may be longer for that
_COARSE = 2048  # points of the grid on which the window is found
_LEAST, _MOST = 1 << 14, 1 << 21  # points of the window; four times the least for a few uses, which smooth nothing
_A_FEW = 16


@dataclasses.dataclass(frozen=True)
class Loss:
    """The privacy loss of one mechanism, in one direction.

    Args:
        between: from an increasing array of losses, the P-mass and the Q-mass of the losses in each gap (l, l'].
        lowest: no loss, but for a mass that may be neglected, is at or below this.
        highest: none is above this; what is counts as infinite.
        infinite: P-mass of outputs that Q never gives.
        atom: single losses that have a mass of their own are multiples of this; None where there are none. A grid on
            which they lie keeps them where they are.
    """

    between: Callable[[Array], tuple[Array, Array]]
    lowest: float
    highest: float
    infinite: float = 0.0
    atom: float | None = None

    def on_grid(self, interval: float) -> tuple[int, Array, float]:
        """(k, masses, infinite): P-masses at losses (k, k + 1, ...) * interval, and of an infinite loss."""
        first, last = math.floor(self.lowest / interval) - 1, math.ceil(self.highest / interval) + 1
        points: Array = np.arange(first, last + 1, dtype=np.float64) * interval
        p, q = self.between(points)
        # The two masses at the ends of a gap that together have its P-mass and its Q-mass.
        with np.errstate(divide="ignore", over="ignore"):
            upper = np.clip((p - np.exp(points[:-1] + np.log(q))) / -math.expm1(-interval), 0.0, p)
        masses = np.zeros(len(points))
        masses[1:] = upper
        masses[:-1] += p - upper
        # What lies below the grid moves up to its lowest point; what lies above becomes infinite.
        masses[0] += float(self.between(np.array([-np.inf, points[0]]))[0][0])
        above = float(self.between(np.array([points[-1], np.inf]))[0][0])
        return first, masses, self.infinite + above


@dataclasses.dataclass(frozen=True)
class Profile(Loss):
    """A loss of which only the hockey-stick divergences are known, the same in either direction.

    Args:
        divergence: an array of epsilons at or above 0 to divergences, exact or above, and convex in e^epsilon.
    """

    divergence: Callable[[Array], Array] = np.zeros_like

    def on_grid(self, interval: float) -> tuple[int, Array, float]:
        """See `Loss.on_grid`: the masses are those with the given divergences at the points of the grid."""
        last = math.ceil(self.highest / interval) + 1
        above = self.divergence(np.arange(last + 1, dtype=np.float64) * interval)
        # Below zero by symmetry: H_y(P, Q) = 1 - y + y H_(1/y)(Q, P).
        points: Array = np.arange(-last, last + 1, dtype=np.float64) * interval
        ratios = np.exp(points)
        whole = np.concatenate([(1.0 - ratios[:last] + ratios[:last] * above[:0:-1]), above])
        # Between two points the divergence falls by the Q-mass above them for each unit of e^epsilon.
        beyond = np.append((whole[:-1] - whole[1:]) / (ratios[:-1] * math.expm1(interval)), 0.0)
        masses = np.zeros_like(points)
        masses[1:] = np.clip(beyond[:-1] - beyond[1:], 0.0, None) * ratios[1:]
        infinite = float(above[-1])
        masses[0] = max(0.0, 1.0 - infinite - float(masses.sum()))
        return -last, masses, infinite


def no_masses(losses: Array) -> tuple[Array, Array]:
    """What a `Profile` has in place of `between`."""
    raise NotImplementedError("only the divergences are known")


@dataclasses.dataclass(frozen=True)
class Composed:
    """The loss of all mechanisms together, in one direction.

    Args:
        losses: (n,) increasing losses above zero; nothing that is asked depends on those below.
        masses: (n,) their P-masses.
        infinite: P-mass of an infinite loss.
    """

    losses: Array
    masses: Array
    infinite: float
    _p: Array = dataclasses.field(init=False, repr=False)
    _q: Array = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        # (n + 1,) masses at and above each loss, under P and under Q.
        object.__setattr__(self, "_p", _from_above(self.masses))
        object.__setattr__(self, "_q", _from_above(self.masses * np.exp(-self.losses)))

    def delta(self, epsilon: Any) -> Any:
        """The hockey-stick divergence at epsilon (a number or an array, none below zero): the least delta."""
        asked = np.asarray(epsilon, dtype=np.float64)
        above = np.searchsorted(self.losses, asked, side="right")
        with np.errstate(divide="ignore", over="ignore"):  # e^epsilon alone may be too large for a number
            lost = np.exp(asked + np.log(self._q[above]))
        found = np.clip(self.infinite + np.maximum(self._p[above] - lost, 0.0), 0.0, 1.0)
        return float(found) if asked.ndim == 0 else found

    def epsilon(self, delta: float) -> float:
        """The least epsilon, at or above 0, at which the divergence is at most delta."""
        if self.infinite > delta * (1.0 + 1e-12):  # equal but for rounding is equal
            return math.inf
        if self.delta(0.0) <= delta:
            return 0.0
        # The first loss at which delta is met; below it the divergence is linear in e^epsilon.
        place = int(np.searchsorted(-self.delta(self.losses), -delta * (1.0 + 1e-12), side="left"))
        p, q = float(self._p[place]), float(self._q[place])
        if q == 0.0:  # a loss whose e^-loss is no number any more
            return float(self.losses[place])
        lowest = float(self.losses[place - 1]) if place else 0.0
        return min(max(math.log(max(self.infinite + p - delta, 5e-324) / q), lowest), float(self.losses[place]))

    def most(self, false_positive_rates: Array) -> Array:
        """The most P(S) for any S with the given Q(S), as far as losses above zero bound it."""
        false = np.concatenate([[0.0], self._q[-2::-1]])
        true = self.infinite + np.concatenate([[0.0], self._p[-2::-1]])
        beyond = np.maximum(false_positive_rates - false[-1], 0.0)  # there every point of Q buys one of P
        found: Array = np.interp(false_positive_rates, false, true) + beyond
        return np.minimum(found, 1.0)

    def most_reflected(self, false_positive_rates: Array) -> Array:
        """The most Q(S) for any S with the given P(S): the same statement about the complements."""
        false = np.concatenate([[0.0], self._q[-2::-1]])
        true = self.infinite + np.concatenate([[0.0], self._p[-2::-1]])
        # 1 - P(S) is at most most(1 - Q(S)): the least 1 - Q(S) that allows it, by the inverse of an increasing curve.
        missed = 1.0 - false_positive_rates
        beyond = np.maximum(missed - true[-1], 0.0)
        least: Array = np.interp(missed, true, false) + beyond
        return np.minimum(1.0 - least, 1.0)


def compose(steps: Iterable[tuple[Loss, int]], *, spread: float = _SPREAD) -> Composed:
    """The loss of `count` independent uses of each mechanism, together.

    Args:
        steps: losses and how often each is incurred; at least one.
        spread: how much of the variance the grid may add.
    """
    several = [(loss, count) for loss, count in steps if count > 0]
    total = sum(count for _, count in several)
    rough = [(_Rough.of(loss), count) for loss, count in several]
    mean = sum(part.mean * count for part, count in rough)
    variance = sum(part.variance * count for part, count in rough)
    window = _Window.of(rough, mean, variance)
    low, high = window.low, window.high
    interval = math.sqrt(6.0 * spread * max(variance, 1e-300) / total)
    longest = max(high - low, *(loss.highest - loss.lowest for loss, _ in several))
    interval = max(min(interval, (high - low) / (_LEAST if total > _A_FEW else 4 * _LEAST)), longest / _MOST)
    # Atoms that are closer than the grid are spread over its points, as everything else is.
    atoms = {loss.atom: count * loss.atom for loss, count in several if loss.atom is not None and loss.atom >= interval}
    if atoms:
        atom = max(atoms, key=atoms.__getitem__)
        interval = atom / math.ceil(atom / interval)
    if total == 1:  # nothing to transform, so nothing to round
        first, masses, infinite = several[0][0].on_grid(interval)
        above = slice(max(0, 1 - first), None)
        points: Array = np.arange(first, first + len(masses), dtype=np.float64) * interval
        return Composed(points[above], masses[above], infinite)
    size = fft.next_fast_len(math.ceil((high - low) / interval) + 2, real=True)
    start = math.floor(low / interval)
    spectrum: Any = 1.0
    finite = moment = 0.0
    offset = 0
    for (loss, count), (part, _) in zip(several, rough, strict=True):
        first, masses, infinite = loss.on_grid(interval)
        finite += count * math.log1p(-min(infinite, 1.0 - 1e-16))
        # Around zero, so that the phases that are multiplied by the count are small.
        centre = round(part.mean / interval)
        offset += count * centre
        exponents = window.tilt * interval * np.arange(first, first + len(masses))
        largest = float(exponents[masses > 0].max())
        tilted = masses * np.exp(np.minimum(exponents - largest, 0.0))  # above, there is no mass
        whole = float(tilted.sum())
        moment += count * (largest + math.log(whole))
        folded = np.bincount((np.arange(first, first + len(masses)) - centre) % size, tilted / whole, size)
        transformed = fft.rfft(folded)
        spectrum = spectrum * (transformed if count == 1 else transformed**count)
    tilted = np.clip(np.roll(fft.irfft(spectrum, size), -((start - offset) % size)), 0.0, None)
    # What rounding may have taken away is added: a power multiplies the relative error of a transform by the count, and
    # the errors of all frequencies add up to those of the masses as independent ones do; six standard deviations.
    tilted += _ROUNDING * total * math.sqrt(2.0 * float((np.abs(spectrum) ** 2).sum())) / size
    losses = np.arange(start, start + size) * interval
    positive = slice(max(0, 1 - start), None)
    masses = tilted[positive] * np.exp(moment - window.tilt * losses[positive])
    return Composed(losses[positive], masses, min(1.0, -math.expm1(finite) + window.cut))


@dataclasses.dataclass(frozen=True)
class _Rough:
    """A loss on a grid that is just fine enough for moments and for bounds on tails."""

    losses: Array
    logs: Array
    mean: float
    variance: float
    ends: tuple[float, float]

    @classmethod
    def of(cls, loss: Loss) -> _Rough:
        interval = max((loss.highest - loss.lowest) / _COARSE, 1e-12)
        first, masses, _ = loss.on_grid(interval)
        losses: Array = np.arange(first, first + len(masses), dtype=np.float64) * interval
        whole = masses.sum()
        mean = float(masses @ losses / whole)
        variance = float(masses @ (losses - mean) ** 2 / whole)
        used = masses > 0
        return cls(losses[used], np.log(masses[used]), mean, variance, (float(losses[0]), float(losses[-1])))

    def log_moments(self, slopes: Array) -> Array:
        """log E[e^(slope * loss)] for each slope."""
        exponents = self.logs + slopes[:, None] * self.losses
        largest = exponents.max(axis=1, keepdims=True)
        found: Array = largest[:, 0] + np.log(np.exp(exponents - largest).sum(axis=1))
        return found


class _Window(NamedTuple):
    """The losses that are looked at, how they are tilted, and the mass that may lie outside.

    On a coarser grid the moments E[e^(s L)] with s > 0 are larger, being means of convex functions of e^L under Q: the
    upper end holds for every finer grid. Where it is beyond what can occur, nothing is cut off there.
    """

    low: float
    high: float
    tilt: float
    cut: float

    @classmethod
    def of(cls, rough: Sequence[tuple[_Rough, int]], mean: float, variance: float) -> _Window:
        deviation = math.sqrt(max(variance, 1e-300))
        slopes = np.geomspace(0.05, 60.0, 64) / deviation
        up: Array = np.asarray(sum(count * part.log_moments(slopes) for part, count in rough))
        down: Array = np.asarray(sum(count * part.log_moments(-slopes) for part, count in rough))
        # A finer grid ends at most as far out as the coarse one, which has a spare interval on either side.
        highest = float(sum(count * part.ends[1] for part, count in rough))
        lowest = float(sum(count * part.ends[0] for part, count in rough))
        margin = 1e-3 * deviation + 1e-12
        low = max(min(float(np.max(-(down - math.log(TAIL)) / slopes)), mean) - margin, lowest)
        # For each tilt, none at first: what lies above the window wraps around to its lower end, where the tilt is
        # undone by e^(moment - tilt low); Chernoff's bound on the tilted distribution says how high it has to reach.
        tilts, moments = np.concatenate([[0.0], slopes]), np.concatenate([[0.0], up])
        allowed = math.log(TAIL) - np.maximum(0.0, moments - tilts * low)
        steeper = tilts[None, :] - tilts[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.where(steeper > 0, (moments[None, :] - moments[:, None] - allowed[:, None]) / steeper, np.inf)
        highs = np.minimum(np.maximum(ends.min(axis=1), mean), highest)
        # The steepest under which losses around the mean, and the least that are kept, lose few digits, and the window
        # stays short.
        below = max(0.0, _TILTED_BELOW - math.log(sum(count for _, count in rough)))
        exact = (moments - tilts * mean <= _TILTED) & (moments - tilts * max(low, 0.0) <= below)
        usable = exact & (highs - low <= _LONGER * (highs[0] - low))
        usable[0] = True
        place = int(np.flatnonzero(usable)[-1])
        high, tilt = float(highs[place]), float(tilts[place])
        cut = TAIL if low > lowest else 0.0
        if high >= highest:
            return cls(low, highest, tilt, cut)
        return cls(low, max(high, mean) + margin, tilt, cut + TAIL)


def _from_above(masses: Array) -> Array:
    return np.concatenate([np.cumsum(masses[::-1])[::-1], [0.0]])
