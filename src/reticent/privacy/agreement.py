"""What answers cost if the teachers agree as they did: smaller, itself about the data, and no promise.

Promise: `epsilon` bounds what this run's answers tell about these very records at this delta (Papernot et al., 2018,
theorem 6 with propositions 7 and 10, at the best of `renyi.ORDERS`). It is not differential privacy: it holds for the
votes that were counted and no others, it is computed from them without noise, and to publish it tells about them. It is
a `DataDependentCost`, of which no `Guarantee` can be made.

Papernot et al. publish such figures after adding noise in proportion to their smooth sensitivity. What comes out is an
estimate, which may lie too low. Making a promise of it, valid but for a failure within delta, takes a test with noise
of its own (Redberg, Zhu and Wang, 2023), which uses up most of what agreement saves, or more (`benchmarks/pate.py`); so
there is none here.

Example:
    >>> import numpy as np
    >>> from reticent.privacy import GNMax, Guarantee, Voting
    >>> from reticent.privacy.agreement import data_dependent_cost
    >>> from reticent.randomness import Randomness
    >>> counts, voting = np.tile([245, 3, 2], (200, 1)), Voting(noise=30.0)
    >>> answers = voting.answers(counts, Randomness.simulated(1))
    >>> print(data_dependent_cost(counts, voting, answers, delta=1e-5))
    epsilon 0.17 at delta 1e-05 for these votes: itself about the data; not a promise
    >>> round(Guarantee((GNMax(30.0, 200),)).epsilon(1e-5), 2)
    2.75
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, logsumexp

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy.renyi import ORDERS, epsilon_of
from reticent.privacy.rounding import round_up
from reticent.privacy.voting import NO_ANSWER, Answers, Voting

__all__ = ["DataDependentCost", "data_dependent_cost", "renyi_if_likely"]

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class DataDependentCost:
    """What the answers of one run tell, computed from its votes. Keep it as safe as the data."""

    epsilon: float
    delta: float

    caution: ClassVar[str] = "itself about the data; not a promise"

    def __str__(self) -> str:
        return f"epsilon {round_up(self.epsilon, 2):.3g} at delta {self.delta:.3g} for these votes: {self.caution}"


def data_dependent_cost(counts: npt.ArrayLike, voting: Voting, answers: Answers, *, delta: float) -> DataDependentCost:
    """What the tests that were made and the answers that were given tell about one unit.

    Args:
        counts: (questions, classes) the votes that were counted.
        voting: how they were.
        answers: what came out.
        delta: delta of the epsilon.

    Raises:
        UsageError: no Gaussian noise, or counts that do not fit the answers.
    """
    votes, noises = np.asarray(counts, dtype=np.float64), (voting.noise, voting.threshold_noise)
    if votes.ndim != 2 or len(votes) != len(answers.labels) or voting.law != "gaussian" or 0 in noises:
        raise UsageError(
            f"Expected the votes of {len(answers.labels)} questions under Gaussian noise, got shape {votes.shape}.",
            "Pass what was put to the vote.",
        )
    total, slope = np.zeros_like(ORDERS), 1.0 / voting.noise**2
    for own in votes[: answers.asked][answers.labels[: answers.asked] != NO_ANSWER]:
        total += renyi_if_likely(_log_unlikely(own, voting.noise), slope)
    if voting.threshold is not None and voting.threshold_noise is not None:
        spread = voting.threshold_noise
        for own in votes[: answers.asked]:
            total += renyi_if_likely(
                float(log_ndtr(-abs(own.max() - voting.threshold) / spread)), 1.0 / (2.0 * spread**2)
            )
    return DataDependentCost(epsilon_of(total, ORDERS, delta=_checks.delta(delta=delta)), float(delta))


def _log_unlikely(votes: Array, noise: float) -> float:
    """Log of a bound on the probability that another class than the one with the most votes wins (proposition 7)."""
    place = int(votes.argmax())
    others = np.delete(votes[place] - votes, place)
    union = float(logsumexp(log_ndtr(-others / (noise * np.sqrt(2.0)))))
    return min(union, float(np.log1p(-1.0 / len(votes))))


def renyi_if_likely(log_unlikely: float, slope: float) -> Array:
    """Renyi divergences, at `ORDERS`, from data on which one outcome has all but so little probability.

    Theorem 6 for a mechanism whose divergences are at most `slope` times the order, with the orders of proposition 10.

    Args:
        log_unlikely: log of a bound on the probability of all other outcomes.
        slope: of the divergences that hold on all data, in the order.
    """
    everywhere: Array = slope * ORDERS
    if log_unlikely >= 0:
        return everywhere
    second = np.sqrt(-log_unlikely / slope)
    first = second + 1.0
    if second <= 1.0:
        return everywhere
    room = (second - 1.0) * slope * second - second * (np.log(first / (first - 1)) + np.log(second / (second - 1)))
    if log_unlikely > room or log_unlikely + slope * second >= 0:
        return everywhere
    likely = np.log1p(-np.exp(log_unlikely))
    stays = likely - np.log1p(-np.exp((log_unlikely + slope * second) * (1.0 - 1.0 / second)))
    leaves = slope * first - log_unlikely / (first - 1.0)
    found = np.logaddexp(likely + (ORDERS - 1) * stays, log_unlikely + (ORDERS - 1) * leaves) / (ORDERS - 1)
    return np.where(first > ORDERS, np.minimum(everywhere, found), everywhere)
