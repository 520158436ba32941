"""Pairs of output distributions that are hardest to tell apart, and the privacy losses between them.

Promise: each function gives the loss of the worst pair of neighbours of one mechanism, exactly or from above; sums are
in units of what one unit can contribute.

Example:
    >>> import numpy as np
    >>> from reticent.privacy.pairs import gaussian
    >>> loss = gaussian(noise_multiplier=1.0, removed=True)
    >>> p, q = loss.between(np.array([-np.inf, 0.0, np.inf]))  # the output lies below or above one half
    >>> p.round(4).tolist(), q.round(4).tolist()
    ([0.3085, 0.6915], [0.6915, 0.3085])
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtr, ndtri

from reticent.privacy.losses import TAIL, Loss, Profile, no_masses

__all__ = [
    "binomial",
    "fixed_size_gaussian",
    "gaussian",
    "laplace",
    "mixed",
    "mixture",
    "replaced_gaussian",
    "two_laplaces",
    "two_point",
    "with_replacement_gaussian",
]

Array = npt.NDArray[np.float64]

_LARGEST = 600.0  # a loss at which its exponential is a number, and its inverse too


def _between(points: Array, shift: float = 0.0) -> Array:
    """The standard normal's mass in each gap of increasing points, without loss of digits in either tail."""
    moved = points - shift
    upper, lower = ndtr(-moved), ndtr(moved)
    found: Array = np.where(moved[:-1] > 0, upper[:-1] - upper[1:], lower[1:] - lower[:-1])
    return found


def _farthest() -> float:
    """Standard deviations beyond which the normal has a mass that may be neglected after a million steps."""
    return float(-ndtri(TAIL * 1e-7))


def gaussian(*, noise_multiplier: float, sample_rate: float = 1.0, removed: bool) -> Loss:
    """A Gaussian sum over a Poisson sample, when one unit that takes part with the given rate is removed, or added.

    P is the output's distribution with the unit if it is removed, and without it if it is added. With the unit it is
    (1 - q) N(0, s^2) + q N(1, s^2), without N(0, s^2).
    """
    s, q = noise_multiplier, sample_rate
    reach = _farthest() * s

    def outputs(losses: Array) -> Array:
        """Where the loss of removal takes each value: it grows with the output."""
        # log(e^l - (1 - q)), from two sides: without cancellation near 0, without overflow above.
        near = np.expm1(np.minimum(losses, 30.0)) + q
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(
                losses < 30.0, np.log(near), losses + np.log1p(-(1.0 - q) * np.exp(-np.maximum(losses, 30)))
            )
            found: Array = np.where(near > 0, s * s * (logs - math.log(q)) + 0.5, -np.inf)
        return found

    def loss_of(output: float) -> float:
        exponent = (2.0 * output - 1.0) / (2.0 * s * s)
        if q == 1.0:
            return exponent
        if exponent > 30.0:
            return exponent + math.log(q + (1.0 - q) * math.exp(-exponent))
        return math.log1p(q * math.expm1(exponent))

    def between(losses: Array) -> tuple[Array, Array]:
        at = outputs(losses if removed else -losses[::-1]) / s
        without = _between(at)
        with_unit = (1.0 - q) * without + q * _between(at, 1.0 / s)
        return (with_unit, without) if removed else (without[::-1], with_unit[::-1])

    if removed:
        return Loss(between, loss_of(-reach), loss_of(1.0 + reach))
    return Loss(between, -loss_of(reach), -loss_of(-reach))


def replaced_gaussian(*, noise_multiplier: float, sample_rate: float = 1.0) -> Loss:
    """The same, when a unit is exchanged for another: (1 - q) N(0, s^2) + q N(+1 or -1, s^2), in either direction."""
    s, q = noise_multiplier, sample_rate
    reach = 1.0 + _farthest() * s

    def loss_of(output: float) -> float:
        with_one = np.logaddexp(math.log1p(-q) if q < 1 else -math.inf, math.log(q) + (2 * output - 1) / (2 * s * s))
        with_other = np.logaddexp(math.log1p(-q) if q < 1 else -math.inf, math.log(q) - (2 * output + 1) / (2 * s * s))
        return float(with_one - with_other)

    def outputs(losses: Array) -> Array:
        # With z = e^(x / s^2) and c = e^(-1 / (2 s^2)): q c z^2 + (1 - q)(1 - e^l) z - q c e^l = 0.
        # Symmetric: the output of a loss -l is the negative one.
        sizes = np.abs(losses)
        if q == 1.0:
            return 0.5 * s * s * losses
        c, half = 1.0 / (2.0 * s * s), 0.5 * (1.0 - q)
        # z = (b + sqrt(b^2 + q^2 c^2 e^l)) / (q c) with b = (1 - q)(e^l - 1) / 2; divided by e^l against overflow.
        b = half * -np.expm1(-sizes)
        root = np.hypot(b, q * math.exp(-c) * np.exp(-0.5 * sizes))
        with np.errstate(divide="ignore"):
            logs = sizes + np.log(b + root) - math.log(q) + c
        found: Array = np.sign(losses) * s * s * np.where(sizes > 0, logs, 0.0)
        return found

    def between(losses: Array) -> tuple[Array, Array]:
        finite = np.clip(losses, -1e300, 1e300)
        at = np.where(np.isinf(losses), losses, outputs(np.clip(finite, -700.0 - 4 * reach, 700.0 + 4 * reach))) / s
        neither = _between(at)
        p = (1.0 - q) * neither + q * _between(at, 1.0 / s)
        return p, (1.0 - q) * neither + q * _between(at, -1.0 / s)

    return Loss(between, loss_of(-reach), loss_of(reach))


def fixed_size_gaussian(*, noise_multiplier: float, sample_rate: float) -> Loss:
    """A Gaussian sum over a sample of fixed size without replacement, when a unit is exchanged; in either direction.

    The divergence is q times that of two sums one exchange apart, N(2, s^2) and N(0, s^2), at log(1 + (e^l - 1) / q)
    (Balle, Barthe and Gaboardi, 2018, theorem 9).
    """
    s, q = noise_multiplier, sample_rate

    return _sampled_profile(s, q, [(q, 1)])


def with_replacement_gaussian(*, noise_multiplier: float, dataset_size: int, batch_size: int) -> Loss:
    """A Gaussian sum over `batch_size` independent draws of one of all units each, when a unit is exchanged.

    A unit that was drawn k times moves the sum by 2 k (Balle, Barthe and Gaboardi, 2018, theorem 10).
    """
    drawn = binomial(batch_size, 1.0 / dataset_size)
    times = [(probability, k) for k, probability in enumerate(drawn.tolist()) if k > 0]
    q = -math.expm1(batch_size * math.log1p(-1.0 / dataset_size)) if dataset_size > 1 else 1.0
    return _sampled_profile(noise_multiplier, q, times)


def binomial(count: int, probability: float) -> Array:
    """Probabilities of 0, 1, ... successes among `count`; the last one has all of a tail that may be neglected."""
    if probability >= 1.0:
        sure: Array = np.append(np.zeros(count), 1.0)
        return sure
    k = np.arange(count, dtype=np.float64)
    logs = count * math.log1p(-probability) + np.append(
        0.0, np.cumsum(np.log((count - k) / (k + 1)) + math.log(probability) - math.log1p(-probability))
    )
    masses = np.exp(logs)
    tails = np.cumsum(masses[::-1])[::-1]
    last = max(1, int(np.searchsorted(-tails, -TAIL * 1e-7)))
    return np.append(masses[:last], tails[last]) if last < len(masses) else masses


def _sampled_profile(s: float, q: float, times: list[tuple[float, int]]) -> Profile:
    """The profile of a sum in which a unit is with probability q, and with these probabilities so many times."""

    def divergence(epsilons: Array) -> Array:
        with np.errstate(over="ignore"):
            inner = np.where(
                epsilons < 30.0, np.log1p(np.expm1(np.minimum(epsilons, 30.0)) / q), epsilons - math.log(q)
            )
        total = np.zeros_like(inner)
        for probability, k in times:
            # Balle and Wang (2018), theorem 8, with mu = 2 k / s.
            lower, upper = k / s - 0.5 * inner * s / k, -k / s - 0.5 * inner * s / k
            with np.errstate(under="ignore"):
                total += probability * np.maximum(ndtr(lower) - np.exp(inner + log_ndtr(upper)), 0.0)
        return total

    # Beyond the farthest output the divergence is below what may be neglected.
    moved = 2.0 * times[-1][1]
    farthest = (moved * _farthest() + 0.5 * moved**2 / s) / s
    top = math.log1p(q * math.expm1(farthest)) if farthest < 30.0 else farthest + math.log(q)
    top = min(top, _LARGEST)  # what is left there counts as infinite
    return Profile(no_masses, -top, top, divergence=divergence)


def mixture(*, noise_multiplier: float, moves: Sequence[float], probabilities: Sequence[float], removed: bool) -> Loss:
    """A Gaussian sum that units move by a random amount, when they are removed together, or added.

    With them the sum is a mixture of N(c, s^2) over `moves` c >= 0, without them N(0, s^2). Sums of vectors whose
    length is at most such a c are no easier to tell apart (Choquette-Choo, Ganesh, Steinke and Thakurta, 2024).
    """
    s = noise_multiplier
    used = [(c, p) for c, p in zip(moves, probabilities, strict=True) if p > 0]
    c, logs = np.array([c for c, _ in used]), np.log([p for _, p in used])
    moving = c > 0
    if not moving.any():
        return two_point(epsilon=0.0, delta=0.0)
    far, resting = float(c.max()), float(np.exp(logs[~moving]).sum())
    reach = _farthest() * s

    def losses_at(outputs: Array) -> tuple[Array, Array]:
        """The loss of removal, which is convex and grows with the output, and its slope."""
        exponents = logs + (c * outputs[:, None] - 0.5 * c**2) / s**2
        largest = exponents.max(axis=1)
        weights = np.exp(exponents - largest[:, None])
        total = weights.sum(axis=1)
        return largest + np.log(total), weights @ c / total / s**2

    def outputs(losses: Array) -> Array:
        """Where the loss of removal takes each value, by Newton's method from the right."""
        found = np.full_like(losses, -np.inf)
        lowest = math.log(resting) if resting > 0 else -math.inf
        some = (losses > lowest) & np.isfinite(losses)
        found[losses == np.inf] = np.inf
        wanted = losses[some]
        # Each component alone is below the loss, so its inverse lies to the right; the least of them is the best start.
        starts = (s * s * (wanted[:, None] - logs[moving]) + 0.5 * c[moving] ** 2) / c[moving]
        at = starts.min(axis=1) if len(wanted) else wanted
        for _ in range(100):
            values, slopes = losses_at(at)
            step = np.where(slopes > 0, (values - wanted) / np.where(slopes > 0, slopes, 1.0), 0.0)
            at = np.maximum(at - step, -4.0 * reach - far)
            if float(np.abs(step).max(initial=0.0)) <= 1e-13 * (reach + far):
                break
        found[some] = at
        return found

    def between(losses: Array) -> tuple[Array, Array]:
        at = outputs(losses if removed else -losses[::-1]) / s
        without = _between(at)
        with_units = np.exp(logs) @ np.stack([_between(at, move / s) for move in c])
        return (with_units, without) if removed else (without[::-1], with_units[::-1])

    def loss_of(output: float) -> float:
        return float(losses_at(np.array([output]))[0][0])

    if removed:
        return Loss(between, loss_of(-reach), loss_of(far + reach))
    return Loss(between, -loss_of(reach), -loss_of(-reach))


def mixed(parts: Sequence[tuple[float, Loss]]) -> Loss:
    """One of several losses, by a public draw with these probabilities that no unit has an influence on."""
    used = [(probability, loss) for probability, loss in parts if probability > 0]

    def between(losses: Array) -> tuple[Array, Array]:
        masses = [(probability, loss.between(losses)) for probability, loss in used]
        p, q = (sum(share * both[side] for share, both in masses) for side in (0, 1))
        return np.asarray(p), np.asarray(q)

    return Loss(
        between,
        min(loss.lowest for _, loss in used),
        max(loss.highest for _, loss in used),
        sum(probability * loss.infinite for probability, loss in used),
    )


def laplace(*, scale: float) -> Loss:
    """A sum with Laplace noise of so many sensitivities, in either direction."""
    most = 1.0 / scale
    tiny = 1e-12 * most

    def above(losses: Array) -> tuple[Array, Array]:
        """P- and Q-mass of the losses above each of these."""
        where = np.clip((1.0 - losses * scale) / 2.0, 0.0, 1.0)  # the output at which the loss is that
        top, bottom = losses >= most - tiny, losses < -most - tiny
        p = np.where(top, 0.0, np.where(bottom, 1.0, 1.0 - 0.5 * np.exp(-where * most)))
        q = np.where(top, 0.0, np.where(bottom, 1.0, 0.5 * np.exp((where - 1.0) * most)))
        return p, q

    def between(losses: Array) -> tuple[Array, Array]:
        p, q = above(losses)
        return p[:-1] - p[1:], q[:-1] - q[1:]

    return Loss(between, -most, most, atom=most)


def two_laplaces(*, scale: float) -> Loss:
    """Two sums with Laplace noise of so many votes, when one vote moves from the one to the other; in either direction.

    The loss of one sum is 1/scale, minus that, or between with density e^((l - 1/scale) / 2) / 4; here it is the sum of
    two such.
    """
    one = 1.0 / scale
    most, tiny = 2.0 * one, 2e-12 * one
    slope = 0.25 + one / 8.0  # the density of a loss l between is e^(l/2 - one) (slope - |l| / 16)

    def antiderivative(losses: Array) -> Array:
        """Of e^(l/2 - one) (slope - |l| / 16)."""
        bend = np.where(losses >= 0, 0.25 - losses / 8.0, losses / 8.0 - 0.25)
        jump = np.where(losses >= 0, 0.0, 0.5 * math.exp(-one))  # both pieces meet at zero
        found: Array = np.exp(losses / 2.0 - one) * (2.0 * slope + bend) + jump
        return found

    def above(losses: Array) -> tuple[Array, Array]:
        """P- and Q-mass of the losses above each of these."""
        inner = np.clip(losses, -most, most)
        p = antiderivative(np.array([most])) - antiderivative(inner)
        q = antiderivative(-inner) - antiderivative(np.array([-most]))
        rare, even = 0.25 * math.exp(-most), 0.5 * math.exp(-one)
        for atom, mass, other in ((most, 0.25, rare), (0.0, even, even), (-most, rare, 0.25)):
            p, q = p + mass * (losses < atom - tiny), q + other * (losses < atom - tiny)
        return p, q

    def between(losses: Array) -> tuple[Array, Array]:
        p, q = above(losses)
        return p[:-1] - p[1:], q[:-1] - q[1:]

    return Loss(between, -most, most, atom=most)


def two_point(*, epsilon: float, delta: float) -> Loss:
    """The worst of all (epsilon, delta)-private mechanisms (Kairouz, Oh and Viswanath, 2015), in either direction."""
    tiny = 1e-12 * epsilon  # a point of the grid that is epsilon but for its rounding is epsilon
    likely, unlikely = (1.0 - delta) / (1.0 + math.exp(-epsilon)), (1.0 - delta) / (1.0 + math.exp(epsilon))

    def between(losses: Array) -> tuple[Array, Array]:
        up = (losses[:-1] < epsilon - tiny) & (epsilon - tiny <= losses[1:])
        down = (losses[:-1] < -epsilon - tiny) & (-epsilon - tiny <= losses[1:])
        return likely * up + unlikely * down, unlikely * up + likely * down

    return Loss(between, -epsilon, epsilon, delta, atom=epsilon or None)
