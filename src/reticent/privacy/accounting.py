"""From mechanisms to numbers: composed privacy-loss distributions and the trade-off curve they imply.

Promise: every number is an upper bound on the truth, for any discretisation interval; a finer one is only closer.

Example:
    >>> from reticent.privacy import Relation, SampledGaussian
    >>> from reticent.privacy.accounting import epsilon_at
    >>> mechanisms = (SampledGaussian(noise_multiplier=1.5, sample_rate=0.04, count=2250),)
    >>> round(epsilon_at(mechanisms, Relation.ADD_OR_REMOVE_ONE, 1e-5), 4)
    6.7688
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.privacy.mechanisms import Mechanism
from reticent.privacy.units import Relation

__all__ = ["INTERVAL", "composed_loss", "delta_at", "epsilon_at", "merged", "trade_off_lines"]

INTERVAL = 1e-4  # dp-accounting's own default; halving it moves epsilon by less than 1e-3 of itself
_CURVE_POINTS = 4096
_INFINITE_EPSILON = 1e12  # stands in for infinity: only the mass of infinite loss is left there


def merged(mechanisms: Iterable[Mechanism]) -> tuple[Mechanism, ...]:
    """Equal mechanisms joined by adding their counts, in order of first appearance: one distribution for each."""
    counts: dict[Mechanism, int] = {}
    for mechanism in mechanisms:
        single = dataclasses.replace(mechanism, count=1)
        counts[single] = counts.get(single, 0) + mechanism.count
    return tuple(dataclasses.replace(single, count=count) for single, count in counts.items())


def is_unbounded(mechanisms: Iterable[Mechanism]) -> bool:
    """Whether some mechanism has no noise, so that no finite epsilon holds."""
    return any(mechanism.is_unbounded for mechanism in mechanisms)


@functools.lru_cache(maxsize=64)
def composed_loss(mechanisms: tuple[Mechanism, ...], relation: Relation, interval: float = INTERVAL) -> Any:
    """The privacy-loss distribution of all mechanisms together, or None when nothing is released."""
    total = None
    for mechanism in merged(m for m in mechanisms if not m.is_free):
        part = mechanism.loss(relation, interval)
        total = part if total is None else total.compose(part)
    return total


def epsilon_at(
    mechanisms: tuple[Mechanism, ...], relation: Relation, delta: float, interval: float = INTERVAL
) -> float:
    """The smallest epsilon for which the mechanisms together are (epsilon, delta)-private."""
    if is_unbounded(mechanisms):
        return math.inf
    loss = composed_loss(mechanisms, relation, interval)
    return 0.0 if loss is None else max(0.0, float(loss.get_epsilon_for_delta(delta)))


def delta_at(mechanisms: tuple[Mechanism, ...], relation: Relation, epsilon: float) -> float:
    """The smallest delta for which the mechanisms together are (epsilon, delta)-private."""
    if is_unbounded(mechanisms):
        return 1.0
    loss = composed_loss(mechanisms, relation)
    if loss is None:
        return 0.0
    return min(1.0, max(0.0, float(loss.get_delta_for_epsilon(min(epsilon, _INFINITE_EPSILON)))))


@functools.lru_cache(maxsize=64)
def trade_off_lines(
    mechanisms: tuple[Mechanism, ...], relation: Relation
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Intercepts a and slopes b such that any attack's true-positive rate is at most min(a + b * FPR).

    Every pair (epsilon, delta) gives two lines: TPR <= delta + e^epsilon FPR, and, from the same statement about the
    complements, TPR <= 1 - e^-epsilon (1 - delta - FPR) (Kairouz, Oh and Viswanath, 2015, eq. 4). A minimum over a
    finite grid of epsilons can only be too high, so the bound stays valid whatever the grid.
    """
    if is_unbounded(mechanisms):
        return np.array([1.0]), np.array([0.0])
    loss = composed_loss(mechanisms, relation)
    if loss is None:
        return np.array([0.0]), np.array([1.0])
    never = float(loss.get_delta_for_epsilon(_INFINITE_EPSILON))  # what no epsilon brings down
    top = max(1e-3, min(600.0, float(loss.get_epsilon_for_delta(never + 1e-12))))
    epsilons = np.unique(np.concatenate([np.linspace(0, top, _CURVE_POINTS), np.geomspace(top * 1e-4, top, 256)]))
    deltas = np.clip(np.asarray(loss.get_delta_for_epsilon(epsilons), dtype=np.float64), 0.0, 1.0)
    up, down = np.exp(epsilons), np.exp(-epsilons)
    return np.concatenate([deltas, 1 - down * (1 - deltas)]), np.concatenate([up, down])
