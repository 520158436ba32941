"""From scores to counts: how many guesses are made, and how many of them are correct.

Promise: how many canaries are guessed depends on nothing that anybody has seen, and `correct_guesses` never counts more
than a ranking would that does not know which canaries are in the training set.

A budget of k guesses the k canaries with the largest scores to be in, the k with the smallest to be out, and abstains
on the others. Several budgets are tried at once; each has its share of the error probability (a weighted Bonferroni
correction), and all of it is laid down before a score is seen.

Which budget is the best depends on the scores, but little: for Gaussian scores at epsilon 1 to 8 and delta 1e-5 it is
close to 3 sqrt(m). `Budgets.weighted`, the default, gives half of the error probability to it and the rest to two
larger and two smaller ones, for scores of other shapes. `Budgets.even` has ten with a tenth each, `Budgets.single` one.

Ties: without a `Randomness` they count against the auditor: among equal scores, those of canaries that are out rank
highest. With one, tied canaries are ranked at random.

Example:
    >>> import numpy as np
    >>> from reticent.audits.bounds.guessing import Budgets, correct_guesses
    >>> Budgets.weighted(1000).each
    (24, 47, 95, 190, 379)
    >>> scores, included = np.array([0.1, 0.9, 0.8, 0.8]), np.array([False, True, True, False])
    >>> correct_guesses(scores, included, (1, 2)).tolist()  # at 2, the tie is broken the wrong way
    [2, 2]
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from reticent import _checks
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness, required

__all__ = ["Budgets", "as_budgets", "checked", "correct_guesses"]

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_CENTRE = 3.0  # times the root of the number of canaries
_FACTORS, _WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0), (0.1, 0.15, 0.5, 0.15, 0.1)
_LEVELS = 10
_SMALLEST = 0.02  # share of all canaries on either side, of the even grid's least budget
_NEVER = 1e-9  # how improbable a number of heads of fair coins may be


@dataclasses.dataclass(frozen=True)
class Budgets:
    """How many guesses are made on either side, and how the error probability is shared among several such numbers.

    Args:
        each: guesses on either side; each is one attempt.
        weights: shares of the error probability, adding up to 1.
    """

    each: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        each = tuple(_checks.at_least(1, budget=one) for one in self.each)
        weights = tuple(_checks.positive(weight=one) for one in self.weights)
        if not each or len(each) != len(weights) or sum(weights) > 1.0 + 1e-9:
            raise UsageError(
                f"Expected as many weights as budgets, adding up to at most 1, got {weights} for {each}.",
                "Use Budgets.weighted(canaries).",
            )
        object.__setattr__(self, "each", each)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def single(cls, each: int) -> Budgets:
        """One budget with the whole error probability: the sharpest, if it is a good one."""
        return cls((each,), (1.0,))

    @classmethod
    def weighted(cls, canaries: int, runs: int = 1) -> Budgets:
        """The default: half of the error probability at 3 sqrt(m), the rest around it; m counts all runs' canaries."""
        return cls._of(canaries, [f * _CENTRE * math.sqrt(canaries / runs) for f in _FACTORS], _WEIGHTS)

    @classmethod
    def even(cls, canaries: int, levels: int = _LEVELS) -> Budgets:
        """So many budgets from 1 % of all canaries up to half of them, each with the same share."""
        shares = np.geomspace(_SMALLEST / 2, 0.5, _checks.at_least(1, levels=levels))
        return cls._of(canaries, [float(share) * canaries for share in shares], [1.0 / levels] * levels)

    @classmethod
    def _of(cls, canaries: int, wanted: Sequence[float], weights: Sequence[float]) -> Budgets:
        most = max(1, _checks.at_least(2, canaries=canaries) // 2)
        shares: dict[int, float] = {}
        for each, weight in zip(wanted, weights, strict=True):
            place = min(max(1, round(each)), most)
            shares[place] = shares.get(place, 0.0) + weight  # equal budgets are one
        return cls(tuple(shares), tuple(shares.values()))


def as_budgets(guesses: int | Budgets | None, canaries: int, runs: int = 1) -> Budgets:
    """The budgets that an argument `guesses` means: in all of one run (a whole number), or as they are.

    Raises:
        UsageError: more guesses than canaries, or an odd number of them.
    """
    if guesses is None:
        return Budgets.weighted(canaries, runs)
    if isinstance(guesses, Budgets):
        budgets = guesses
    else:
        total = _checks.at_least(2, guesses=guesses)
        if total % 2:
            raise UsageError(f"Expected an even number of guesses, got guesses={total}.", "Half are made on each side.")
        budgets = Budgets.single(total // 2)
    if 2 * max(budgets.each) > canaries:
        raise UsageError(
            f"Expected at most {canaries} guesses for {canaries} canaries, got {2 * max(budgets.each)}.",
            "Guess each canary once.",
        )
    return budgets


def checked(scores: Any, included: Any) -> tuple[Array, Bools]:
    """Scores and coins as arrays, if they can be those of one run.

    Raises:
        DataError: shapes, NaN, coins that are no booleans, or heads that fair coins never show.
    """
    values, coins = np.asarray(scores, dtype=np.float64), np.asarray(included)
    if values.ndim != 1 or values.shape != coins.shape or len(values) < 2:
        raise DataError(
            f"Expected scores and coins of the same two or more canaries, got shapes {values.shape}, {coins.shape}.",
            "Give one score and one coin for each canary.",
        )
    if np.isnan(values).any():
        raise DataError(f"Expected scores that are numbers, got {np.isnan(values).sum()} NaN.", "Score each canary.")
    if coins.dtype != np.bool_ and not np.isin(coins, (0, 1)).all():
        raise DataError(f"Expected coins True or False, got {coins.dtype}.", "Say which canaries were included.")
    heads, canaries = int(coins.astype(bool).sum()), len(coins)
    if 2 * float(bdtr(min(heads, canaries - heads), canaries, 0.5)) < _NEVER:
        raise DataError(
            f"Expected coins that were fair, got {heads} of {canaries} canaries included.",
            "Include each canary with probability 1/2, independently of all others; other designs are not supported.",
        )
    return values, coins.astype(bool)


def correct_guesses(
    scores: Array, included: Bools, each: Sequence[int], ties: Randomness | None = None
) -> npt.NDArray[np.int64]:
    """How many of the 2k guesses of each budget k are correct.

    Args:
        scores: (m,) larger meaning "included".
        included: (m,) the coins.
        each: budgets, in guesses on either side; at most m/2.
        ties: breaks ties at random; None counts them against the auditor.
    """
    # Within a tie those that are in come first, so that the top is taken from those that are out and the bottom from
    # those that are in: no ranking counts less, and the one that is broken by a coin is one of them.
    broken = 1.0 - included if ties is None else required(ties).uniform(len(scores))
    ranked = included[np.lexsort((broken, scores))]
    sizes = np.asarray(each, dtype=np.int64)
    right = np.cumsum(~ranked, dtype=np.int64), np.cumsum(ranked[::-1], dtype=np.int64)
    found: npt.NDArray[np.int64] = right[0][sizes - 1] + right[1][sizes - 1]
    return found
