"""From mechanisms to numbers: the losses of all of them together, and what they bound.

Promise: every number is an upper bound on the truth; see `reticent.privacy.losses`.

Example:
    >>> from reticent.privacy import Relation, SampledGaussian
    >>> from reticent.privacy.accounting import epsilon_at
    >>> mechanisms = (SampledGaussian(noise_multiplier=1.5, sample_rate=0.04, count=2250),)
    >>> round(epsilon_at(mechanisms, Relation.ADD_OR_REMOVE_ONE, 1e-5), 3)
    6.769
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from reticent.privacy.losses import Composed, compose
from reticent.privacy.mechanisms import Mechanism
from reticent.privacy.renyi import ORDERS, epsilon_of
from reticent.privacy.units import Relation

__all__ = ["composed", "delta_at", "epsilon_at", "merged", "renyi_epsilon_at", "true_positive_rates"]

_LARGEST_EPSILON = 700.0  # above it only the mass of an infinite loss is left


def merged(mechanisms: Iterable[Mechanism]) -> tuple[Mechanism, ...]:
    """Equal mechanisms joined by adding their counts, in order of first appearance: one distribution for each."""
    counts: dict[Mechanism, int] = {}
    for mechanism in mechanisms:
        single = mechanism.times(1)
        counts[single] = counts.get(single, 0) + mechanism.count
    return tuple(single.times(count) for single, count in counts.items())


def is_unbounded(mechanisms: Iterable[Mechanism]) -> bool:
    """Whether some mechanism has no noise, so that no finite epsilon holds."""
    return any(mechanism.is_unbounded for mechanism in mechanisms)


@functools.lru_cache(maxsize=64)
def composed(mechanisms: tuple[Mechanism, ...], relation: Relation) -> tuple[Composed, ...]:
    """The loss of all mechanisms together, for a unit removed and for one added; one where the two are the same.

    Several such pairs where it is not known which one is the worst. Empty when nothing is released.
    """
    several = merged(m for m in mechanisms if not m.is_free)
    if not several:
        return ()
    losses = [mechanism.parts(relation) for mechanism in several]
    directions = max(len(both) for both, _ in losses)
    return tuple(compose((both[place % len(both)], count) for both, count in losses) for place in range(directions))


def epsilon_at(mechanisms: tuple[Mechanism, ...], relation: Relation, delta: float) -> float:
    """The smallest epsilon for which the mechanisms together are (epsilon, delta)-private."""
    if is_unbounded(mechanisms):
        return math.inf
    return max((loss.epsilon(delta) for loss in composed(mechanisms, relation)), default=0.0)


def renyi_epsilon_at(mechanisms: tuple[Mechanism, ...], relation: Relation, delta: float) -> float:
    """The same by Renyi divergences: a second opinion, larger but from other formulas."""
    used = [mechanism for mechanism in mechanisms if not mechanism.is_free]
    if not used:
        return 0.0
    total = sum(mechanism.count * mechanism.renyi(relation) for mechanism in used)
    return epsilon_of(np.asarray(total), ORDERS, delta=delta)


def delta_at(mechanisms: tuple[Mechanism, ...], relation: Relation, epsilon: float) -> float:
    """The smallest delta for which the mechanisms together are (epsilon, delta)-private."""
    if is_unbounded(mechanisms):
        return 1.0
    asked = min(epsilon, _LARGEST_EPSILON)
    return max((loss.delta(asked) for loss in composed(mechanisms, relation)), default=0.0)


def true_positive_rates(
    mechanisms: tuple[Mechanism, ...], relation: Relation, false_positive_rates: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The most that any attack can reach at these false-positive rates, whichever of the two data sets it names.

    Each direction bounds both: the true positives of who names P, and, from the complements, of who names Q
    (Kairouz, Oh and Viswanath, 2015, eq. 4).
    """
    if is_unbounded(mechanisms):
        return np.ones_like(false_positive_rates)
    losses = composed(mechanisms, relation)
    if not losses:
        return false_positive_rates
    found = false_positive_rates
    for place in range(0, len(losses), 2):
        one, other = losses[place], losses[min(place + 1, len(losses) - 1)]
        named = np.minimum(one.most(false_positive_rates), other.most_reflected(false_positive_rates))
        other_named = np.minimum(other.most(false_positive_rates), one.most_reflected(false_positive_rates))
        found = np.maximum(found, np.maximum(named, other_named))
    return np.clip(found, false_positive_rates, 1.0)
