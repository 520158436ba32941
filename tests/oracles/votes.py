"""Noisy votes by quadrature, and what they give away by closed forms: slow, and obviously right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import norm

Array = npt.NDArray[np.float64]


def winning(votes: Array, noise: float) -> Array:
    """(classes,) the probability of each class to have the largest count after Gaussian noise.

    The winner's noise is x, and all others' stay below what it takes: a one-dimensional integral, by the rule of
    trapezia, which for such integrands is exact to rounding.
    """
    x = np.linspace(-12.0, 12.0, 601)
    found = []
    for winner, own in enumerate(votes):
        others = np.delete(votes, winner)
        below = norm.cdf(x[:, None] + (own - others) / noise).prod(axis=1)
        found.append(np.trapezoid(norm.pdf(x) * below, x))
    return np.array(found)


def neighbours(votes: Array) -> Iterator[Array]:
    """What one teacher can make of a count of votes: move its vote, take it back, or vote if it abstained."""
    classes = range(len(votes))
    for source, target in itertools.permutations(classes, 2):
        if votes[source] >= 1:
            moved = votes.copy()
            moved[source] -= 1
            moved[target] += 1
            yield moved
    for one in classes:
        for change in (-1, 1):
            if votes[one] + change >= 0:
                moved = votes.copy()
                moved[one] += change
                yield moved


def hockey_stick(p: Array, q: Array, epsilon: float) -> float:
    """The least delta at which outcomes with probabilities p are epsilon-close to those with q."""
    return float(np.maximum(p - math.exp(epsilon) * q, 0.0).sum())


def renyi_divergence(p: Array, q: Array, order: float) -> float:
    """Of outcomes with probabilities p from those with q."""
    return math.log(float((p**order * q ** (1.0 - order)).sum())) / (order - 1.0)


def gaussian_delta(separation: float, epsilon: float) -> float:
    """Balle and Wang (2018), theorem 8."""
    m = separation
    return float(norm.cdf(-epsilon / m + m / 2) - math.exp(epsilon) * norm.cdf(-epsilon / m - m / 2))


def gaussian_epsilon(separation: float, delta: float) -> float:
    """Its inverse."""
    return float(brentq(lambda epsilon: gaussian_delta(separation, epsilon) - delta, 0.0, 300.0, xtol=1e-13))
