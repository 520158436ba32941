"""How teachers' votes become an answer: noise on the counts, and no answer where the teachers disagree.

Promise: an answer is the class with the largest noisy count; with a threshold it is given only if the largest count,
with noise of its own, reaches the threshold. Every draw is fresh. Classes with equal noisy counts are equally likely;
so, without noise, answers are those of the plain ensemble with ties broken by lot, and nothing is promised.

GNMax and Confident-GNMax: Papernot et al. (2018); LNMax: Papernot et al. (2017). What they cost:
`reticent.privacy.mechanisms.votes`. Which questions got an answer is part of what Confident-GNMax gives out, and
covered; counts, gaps and agreement are not.

Example:
    >>> import numpy as np
    >>> from reticent.privacy import Voting
    >>> from reticent.randomness import Randomness
    >>> counts = np.array([[90, 6, 4], [36, 34, 30]])  # two questions, a hundred teachers, three classes
    >>> careful = Voting(noise=5.0, threshold=70.0, threshold_noise=8.0)
    >>> careful.answers(counts, Randomness.simulated(1)).labels.tolist()  # -1: no answer
    [0, -1]
    >>> Voting.calibrate(epsilon=3, delta=1e-5, answers=100).noise < 20
    True
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy.accounting import epsilon_at
from reticent.privacy.gaussian_budgets import GaussianBudget, separation_for
from reticent.privacy.mechanisms import GNMax, LNMax, Mechanism, VoteTest
from reticent.privacy.units import Relation
from reticent.randomness import Randomness, required

__all__ = ["NO_ANSWER", "Answers", "Voting"]

NO_ANSWER = -1
_STEP = 2e-5  # by how much noise grows until the accountant, which rounds up, agrees


class Answers(NamedTuple):
    """What came out of a vote.

    Attributes:
        labels: (questions,) the answers; -1 where there is none.
        asked: how many questions were put to the vote, the first ones; there was no budget for the others.
    """

    labels: npt.NDArray[np.int64]
    asked: int


@dataclasses.dataclass(frozen=True)
class Voting:
    """How votes are counted.

    Args:
        noise: scale of the noise on every count, in votes: standard deviation, or the scale of Laplace noise.
        threshold: votes that a class needs to be an answer at all; by default every question is answered.
        threshold_noise: standard deviation of the noise on the largest count that is held against the threshold.
        law: "gaussian", or "laplace" for purely epsilon-private answers (without a threshold).

    Raises:
        UsageError: a value out of range, or a threshold without its noise.
    """

    noise: float
    threshold: float | None = None
    threshold_noise: float | None = None
    law: str = "gaussian"

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise", _checks.non_negative(noise=self.noise))
        _checks.one_of(("gaussian", "laplace"), law=self.law)
        if (self.threshold is None) != (self.threshold_noise is None):
            raise UsageError(
                f"Expected threshold and threshold_noise, or neither, got threshold={self.threshold!r} and "
                f"threshold_noise={self.threshold_noise!r}.",
                "Pass for instance threshold=150, threshold_noise=60.",
            )
        if self.threshold is not None:
            if self.law != "gaussian":
                raise UsageError("Expected Gaussian noise with a threshold, got law='laplace'.", "Leave law out.")
            object.__setattr__(self, "threshold", _checks.positive(threshold=self.threshold))
            object.__setattr__(self, "threshold_noise", _checks.non_negative(threshold_noise=self.threshold_noise))

    @classmethod
    def calibrate(
        cls,
        *,
        epsilon: float,
        delta: float,
        answers: int,
        threshold: float | None = None,
        tests: int | None = None,
        test_share: float = 0.5,
        law: str = "gaussian",
    ) -> Voting:
        """The least noise for so many answers.

        Args:
            epsilon: promised for all of them together.
            delta: at this delta.
            answers: how many answers may be given.
            threshold: votes that a class needs; then `tests` is needed, too.
            tests: how many questions are asked, answered or not.
            test_share: the part of the budget that goes to the threshold tests.
            law: "gaussian" or "laplace".

        Raises:
            UsageError: numbers out of range, a threshold without a number of tests.
        """
        count = _checks.at_least(1, answers=answers)
        if law == "laplace":
            noise = _least(lambda noise: LNMax(noise, count), epsilon, delta)
            return cls(noise, threshold, None if threshold is None else 0.0, law)
        if threshold is None:
            test_share, asked = 0.0, 0
        else:
            test_share, asked = _checks.open_fraction(test_share=test_share), _checks.at_least(count, tests=tests)
        room = separation_for(epsilon, delta)
        noise = math.sqrt(2 * count / (1 - test_share)) / room
        test_noise = math.sqrt(asked / test_share) / room if asked else None
        voting = cls(noise, threshold, test_noise)
        while epsilon_at(voting.mechanisms(asked, count), Relation.ADD_OR_REMOVE_ONE, delta) > epsilon:
            noise, test_noise = noise * (1 + _STEP), None if test_noise is None else test_noise * (1 + _STEP)
            voting = cls(noise, threshold, test_noise)
        return voting

    def fitting(self, *, epsilon: float, delta: float, most: int) -> int:
        """How many answers keep the promise, at most so many; without a threshold, where their number is no news.

        Raises:
            UsageError: with a threshold: those are for a `GaussianBudget`.
        """
        if self.threshold is not None:
            raise UsageError("Expected a voting without a threshold, got one.", "Spend a GaussianBudget instead.")
        low, high = 0, _checks.at_least(0, most=most) + 1  # fits, and the least that is not wanted
        while high - low > 1:
            middle = (low + high) // 2
            fits = epsilon_at((self.answer.times(middle),), Relation.ADD_OR_REMOVE_ONE, delta) <= epsilon
            low, high = (middle, high) if fits else (low, middle)
        return low

    @property
    def answer(self) -> GNMax | LNMax:
        """What one answer costs."""
        return GNMax(self.noise) if self.law == "gaussian" else LNMax(self.noise)

    @property
    def test(self) -> VoteTest | None:
        """What it costs to find out whether there is an answer."""
        return None if self.threshold_noise is None else VoteTest(self.threshold_noise)

    def mechanisms(self, asked: int, answers: int) -> tuple[Mechanism, ...]:
        """What so many questions, of which at most so many get an answer, cost.

        With a threshold `answers` has to be a number that was fixed beforehand, not one that was counted afterwards.
        """
        test = self.test
        return (self.answer.times(answers),) if test is None else (test.times(asked), self.answer.times(answers))

    def answers(
        self,
        counts: npt.ArrayLike,
        randomness: Randomness,
        *,
        budget: GaussianBudget | None = None,
        most: int | None = None,
    ) -> Answers:
        """Put questions to the vote, in order, until the questions, the answers or the budget end.

        Args:
            counts: (questions, classes) votes.
            randomness: source of the noise and of the lots.
            budget: charged before anything is drawn; a question is asked only if its answer could be paid, too.
            most: how many answers are given at most.

        Raises:
            UsageError: counts that are no counts, or Laplace noise under a Gaussian budget.
        """
        votes, source = _counts(counts), required(randomness)
        left = len(votes) if most is None else min(len(votes), _checks.at_least(0, most=most))
        labels, asked, test, answer = np.full(len(votes), NO_ANSWER, dtype=np.int64), 0, self.test, self.answer
        if test is None and budget is None:
            labels[:left] = self._elected(votes[:left], source)
            return Answers(labels, left)
        both = (answer,) if test is None else (test, answer)
        for row, own in enumerate(votes):
            if left == 0 or (budget is not None and not budget.allows(*both)):
                break
            asked += 1
            if budget is not None and test is not None:
                budget.spend(test)
            if self.passes(own, source):
                if budget is not None:
                    budget.spend(answer)
                labels[row], left = self.elect(own, source), left - 1
        return Answers(labels, asked)

    def passes(self, votes: npt.NDArray[np.float64], randomness: Randomness) -> bool:
        """Whether a question gets an answer; its cost is `test`."""
        if self.threshold is None or self.threshold_noise is None:
            return True
        noise = float(randomness.normal(1, standard_deviation=self.threshold_noise)[0])
        return float(votes.max()) + noise >= self.threshold

    def elect(self, votes: npt.NDArray[np.float64], randomness: Randomness) -> int:
        """The answer to one question, whether or not it passes; its cost is `answer`."""
        return int(self._elected(votes[None], randomness)[0])

    def _elected(self, votes: npt.NDArray[np.float64], randomness: Randomness) -> npt.NDArray[np.int64]:
        """(questions,) the classes with the largest noisy counts."""
        if self.law == "gaussian":
            noisy = votes + randomness.normal(votes.shape, standard_deviation=self.noise)
        else:
            noisy = votes + self.noise * _laplace(votes.shape, randomness)
        lots = randomness.uniform(votes.shape)
        found: npt.NDArray[np.int64] = np.where(noisy == noisy.max(axis=1, keepdims=True), lots, -1.0).argmax(axis=1)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values for records and files; `from_dict` makes an equal one of them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Voting:
        """The voting that `as_dict` wrote.

        Raises:
            UsageError: a field is missing or unknown, or a value is out of range.
        """
        if not isinstance(values, dict) or set(values) != {field.name for field in dataclasses.fields(cls)}:
            raise UsageError(f"Expected the fields of a voting, got {values!r}.", "Write them as saved.")
        return cls(**values)


def _counts(counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    votes = np.asarray(counts, dtype=np.float64)
    if votes.ndim != 2 or votes.shape[1] < 2 or not (np.isfinite(votes).all() and (votes >= 0).all()):
        raise UsageError(
            f"Expected counts of votes of shape (questions, classes), two classes or more, got shape {votes.shape}.",
            "Count how many teachers vote for each class.",
        )
    return votes


def _laplace(shape: tuple[int, ...], randomness: Randomness) -> npt.NDArray[np.float64]:
    """Independent Laplace numbers of scale 1: differences of two exponential ones."""
    drawn = -np.log1p(-randomness.uniform((2, *shape)))
    found: npt.NDArray[np.float64] = drawn[0] - drawn[1]
    return found


def _least(mechanism: Callable[[float], Mechanism], epsilon: float, delta: float) -> float:
    """The least noise, within 0.01 %, at which the mechanism keeps the promise."""

    def fits(noise: float) -> bool:
        return epsilon_at((mechanism(noise),), Relation.ADD_OR_REMOVE_ONE, delta) <= epsilon

    room = separation_for(epsilon, delta)
    high = math.sqrt(2 * mechanism(1.0).count) / room
    while not fits(high):
        high *= 1.05
    low = high / 1.05
    while fits(low):
        low, high = low / 1.05, low
    while high - low > 1e-4 * low:
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high
