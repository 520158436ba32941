"""Randomised response: every record's answer is true with a known probability, and any other one otherwise.

Promise: `losses` are those of the hardest pair of truths, exactly.

Example:
    >>> from reticent.privacy import Guarantee, RandomisedResponse, Relation
    >>> labels = Guarantee((RandomisedResponse(1.0, categories=10),), relation=Relation.REPLACE_ONE, only=("label",))
    >>> round(labels.epsilon(1e-9), 3), round(labels.advantage(), 3)
    (1.0, 0.147)
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from reticent import _checks
from reticent.privacy import renyi
from reticent.privacy.losses import Loss
from reticent.privacy.mechanisms.base import Mechanism, keep, only_under
from reticent.privacy.pairs import listed
from reticent.privacy.rounding import round_up
from reticent.privacy.units import Relation

__all__ = ["RandomisedResponse"]

Array = npt.NDArray[np.float64]

_LARGEST_EPSILON = 700.0


@dataclasses.dataclass(frozen=True)
class RandomisedResponse(Mechanism):
    """`count` answers about one unit, each true with probability e^epsilon / (e^epsilon + k - 1), k = `categories`.

    Each other answer has probability 1 / (e^epsilon + k - 1) (Warner, 1965; Kairouz, Bonawitz and Ramage, 2016). Only
    under `REPLACE_ONE`: everybody answers, so somebody who comes or goes is seen. More categories give away less at the
    same epsilon: k - 2 of the answers tell nothing about which of two truths it was. Where the number of categories
    varies from record to record, two is the worst.
    """

    epsilon: float
    categories: int = 2
    count: int = 1
    kind: ClassVar[str] = "randomised_response"

    def __post_init__(self) -> None:
        keep(
            self,
            epsilon=_checks.non_negative(epsilon=self.epsilon),
            categories=_checks.at_least(2, categories=self.categories),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0 or self.epsilon == 0

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds; one whose e^epsilon is no longer a float is counted as such."""
        return not self.is_free and self.epsilon > _LARGEST_EPSILON

    @property
    def honest(self) -> float:
        """The probability of the true answer."""
        return 1.0 / (1.0 + (self.categories - 1) * math.exp(-self.epsilon))

    @property
    def lie(self) -> float:
        """The probability of each other answer."""
        return math.exp(-self.epsilon) * self.honest

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one answer: epsilon, 0 or -epsilon.

        Raises:
            UsageError: under `ADD_OR_REMOVE_ONE`.
        """
        self._refuse(relation)
        e, masses = self.epsilon, np.array([self.lie, (self.categories - 2) * self.lie, self.honest])
        return (listed(np.array([-e, 0.0, e]), masses, masses[::-1], atom=e),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one answer, at `renyi.ORDERS`."""
        self._refuse(relation)
        a = renyi.ORDERS
        if self.is_unbounded:
            return np.full_like(a, np.inf)
        lie, honest = math.log(self.lie), math.log(self.honest)
        terms = [a * honest + (1 - a) * lie, a * lie + (1 - a) * honest]
        if self.categories > 2:
            terms.append(np.full_like(a, math.log(self.categories - 2) + lie))
        found: Array = np.maximum(logsumexp(np.stack(terms), axis=0) / (a - 1), 0.0)
        return found

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.count} randomised response(s) among {self.categories} categories, epsilon "
            f"{round_up(self.epsilon, 6):.6g} each"
        )

    def _refuse(self, relation: Relation) -> None:
        only_under(
            Relation.REPLACE_ONE,
            relation,
            what="randomised response",
            remedy="Everybody answers: state the guarantee under Relation.REPLACE_ONE.",
        )
