"""Noisy votes: what a count of teachers' votes gives away, if every unit stands behind one teacher at most.

Promise: `losses` bound one question from above for every vote of every other teacher, whatever the question; the
Gaussian ones are exact for the noisy counts, of which an answer is the index of the largest.

Every unit lies in the part of one teacher, and parts are disjoint and drawn without a look at the records. A unit that
is added, removed or exchanged changes that one teacher, so one vote moves from one class to another (or appears, or
disappears, if the teacher abstains): two counts change by one. The counts move by sqrt(2) in l2 norm and 2 in l1 norm,
their largest by one; the same under either neighbouring relation. Not covered: teachers that share records, or that
know of each other.

Sources: LNMax, Papernot et al. (2017); GNMax and the threshold test, Papernot et al. (2018, propositions 8 and 9, there
in Renyi divergences: the ones here are the same, and the epsilons from loss distributions smaller). For one question
about two classes GNMax has no smaller epsilon at any delta if counts may be any real numbers: the sign of a noisy gap
is the best test between two normal distributions, and the gap may lie where that test has its threshold.

Example:
    >>> from reticent.privacy import GNMax, Guarantee
    >>> round(Guarantee((GNMax(noise=40.0, count=100),)).epsilon(1e-5), 3)
    1.356
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.privacy import renyi
from reticent.privacy.losses import Loss
from reticent.privacy.mechanisms.base import Mechanism, keep
from reticent.privacy.pairs import gaussian, two_laplaces
from reticent.privacy.units import Relation

__all__ = ["GNMax", "LNMax", "Vote", "VoteTest"]

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Vote(Mechanism):
    """`count` questions to the same teachers, each with fresh noise.

    Args:
        noise: scale of the noise on a count, in votes: the standard deviation of Gaussian noise.
        count: number of questions.
    """

    noise: float
    count: int = 1

    def __post_init__(self) -> None:
        keep(
            self,
            noise=_checks.non_negative(noise=self.noise),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds."""
        return not self.is_free and self.noise == 0


@dataclasses.dataclass(frozen=True)
class GaussianVote(Vote):
    """What is computed from noisy counts or sums of them, with Gaussian noise."""

    @property
    @abc.abstractmethod
    def separation(self) -> float:
        """How far one vote moves what gets the noise, in standard deviations, for one question."""

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one question, under either relation."""
        del relation  # see the module's page
        return (gaussian(noise_multiplier=1.0 / self.separation, removed=True),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one question, at `renyi.ORDERS`."""
        del relation
        found: Array = renyi.ORDERS * self.separation**2 / 2.0
        return found


@dataclasses.dataclass(frozen=True)
class GNMax(GaussianVote):
    """`count` answers: the class with the most votes after Gaussian noise on every count (Papernot et al., 2018)."""

    kind: ClassVar[str] = "gn_max"

    @property
    def separation(self) -> float:
        """How far one vote moves the counts, in standard deviations, for one answer."""
        return math.sqrt(2.0) / self.noise if self.noise else math.inf

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.count} noisy vote(s) of teachers (GNMax), Gaussian noise of {self.noise:.6g} votes on every count"
        )


@dataclasses.dataclass(frozen=True)
class VoteTest(GaussianVote):
    """`count` tests whether the most votes for any class, after Gaussian noise, reach a threshold.

    The first half of Confident-GNMax (Papernot et al., 2018, algorithm 1); the threshold is no news of the records.
    """

    kind: ClassVar[str] = "vote_test"

    @property
    def separation(self) -> float:
        """How far one vote moves the largest count, in standard deviations, for one test."""
        return 1.0 / self.noise if self.noise else math.inf

    def text(self) -> str:
        """One line for reports."""
        return f"{self.count} threshold test(s) of teachers' votes, Gaussian noise of {self.noise:.6g} votes"


@dataclasses.dataclass(frozen=True)
class LNMax(Vote):
    """`count` answers: the class with the most votes after Laplace noise on every count (Papernot et al., 2017).

    One answer is (2 / noise)-private; together they cost what Laplace sums of two counts for each answer do.
    """

    kind: ClassVar[str] = "ln_max"

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one answer, under either relation."""
        del relation  # see the module's page
        return (two_laplaces(scale=self.noise),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one answer, at `renyi.ORDERS`."""
        del relation
        if self.noise == 0:
            return np.full_like(renyi.ORDERS, np.inf)
        return 2.0 * renyi.laplace(renyi.ORDERS, scale=self.noise)

    def text(self) -> str:
        """One line for reports."""
        return f"{self.count} noisy vote(s) of teachers (LNMax), Laplace noise of scale {self.noise:.6g} on every count"
