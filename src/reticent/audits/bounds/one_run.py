"""A lower bound on epsilon from one training run with many canaries, and a test of a whole claimed trade-off curve.

Promise: whatever the scores are and however the canaries influence each other, the bound is at or below the algorithm's
true epsilon with at least the stated confidence, and `test_claim` rejects a claim that holds with at most the
probability at which it is held against it. What has to be true for it stands in `LowerBound.assumptions`.

The experiment: m canaries; before the training a fair coin is thrown for each, independently, and those that show heads
are put into the training set. After it each canary has a score, made from what the auditor sees and never from the
coins. Larger scores mean "included".

Methods (theorems and proofs in `counting`; how many guesses are made in `guessing`):

    "f-dp"      recursion on Gaussian trade-off curves. The bound is on mu; epsilon is that of the Gaussian mechanism,
                and only for mechanisms like it (DP-SGD with many steps) a bound: randomised response at epsilon 2
                looks like a Gaussian mechanism whose epsilon is 12. For others use `test_claim`, or:
    "f-dp-any"  the same recursion on curves of (epsilon, delta)-privacy alone: nothing is assumed of the mechanism.
    "steinke"   Steinke, Nasr and Jagielski (2023); nothing is assumed of the mechanism either.

Several independent runs of the same algorithm are together one run with all their canaries: each coin still influences
the joint output only as far as the curve allows. So counts are added, budget by budget (`several_runs`).

Example:
    >>> from reticent.audits.bounds import one_run, test_claim
    >>> from reticent.privacy import Guarantee, SampledGaussian
    >>> from reticent.randomness import Randomness
    >>> chance = Randomness.simulated(1)
    >>> included = chance.bernoulli(0.5, 1000)
    >>> scores = chance.normal(1000) + 2.0 * included  # a Gaussian mechanism with mu = 2: epsilon 9.93 at 1e-5
    >>> bound = one_run(scores, included, delta=1e-5)
    >>> 3.5 < bound.epsilon < 9.9
    True
    >>> claim = Guarantee((SampledGaussian(noise_multiplier=2.0),))  # mu = 1/2
    >>> test_claim(scores, included, claim) < 0.001
    True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.audits.bounds.counting import largest_parameters, least_chances, steinke_epsilons
from reticent.audits.bounds.curves import GAUSSIAN, approximate, claimed, epsilon_of
from reticent.audits.bounds.guessing import Budgets, as_budgets, checked, correct_guesses
from reticent.errors import UsageError
from reticent.evidence.bounds import LowerBound
from reticent.privacy import Guarantee, Relation, Unit
from reticent.randomness import Randomness

__all__ = ["METHODS", "one_run", "several_runs", "test_claim"]

METHODS = ("f-dp", "f-dp-any", "steinke")
_NAMES = {
    "f-dp": "f-DP in one run, Gaussian curve",
    "f-dp-any": "f-DP in one run, any mechanism",
    "steinke": "Steinke et al. in one run, any mechanism",
}
_DESIGN = (
    "each canary was included by a fair coin of its own, thrown before the training",
    "the scores and the order in which canaries are ranked do not depend on the coins but through the training",
    "the method and the numbers of guesses were fixed before the scores were seen",
)
_GAUSSIAN = (
    "the algorithm's trade-off curve, for one canary, is that of a Gaussian mechanism: epsilon is translated from mu "
    "by it, and for curves of other shapes the bound on epsilon may be too large"
)
_INDEPENDENT = "the runs were independent: coins, batches and noise were drawn afresh for each"


class _Counts(NamedTuple):
    """All runs' guesses, by budget."""

    canaries: int
    runs: int
    budgets: Budgets
    guesses: npt.NDArray[np.float64]
    correct: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls,
        scores: Sequence[Any],
        included: Sequence[Any],
        guesses: int | Budgets | None,
        ties: Randomness | None,
    ) -> _Counts:
        if len(scores) != len(included) or not len(scores):
            raise UsageError(
                f"Expected scores and coins of the same runs, got {len(scores)} and {len(included)}.",
                "Give one array of each for each run.",
            )
        pairs = [checked(*pair) for pair in zip(scores, included, strict=True)]
        canaries = sum(len(values) for values, _ in pairs)
        smallest = min(len(values) for values, _ in pairs)
        budgets = as_budgets(guesses, smallest, len(pairs))
        counts = [correct_guesses(*pair, budgets.each, ties) for pair in pairs]
        made = 2.0 * len(pairs) * np.asarray(budgets.each, dtype=np.float64)
        return cls(canaries, len(pairs), budgets, made, np.sum(counts, axis=0).astype(np.float64))

    def details(self, chosen: int) -> dict[str, Any]:
        return {
            "canaries": self.canaries,
            "runs": self.runs,
            "guesses": [int(one) for one in self.guesses],
            "correct": [int(one) for one in self.correct],
            "weights": list(self.budgets.weights),
            "chosen": chosen,
        }


def one_run(
    scores: Any,
    included: Any,
    *,
    delta: float,
    confidence: float = 0.95,
    method: str = "f-dp",
    guesses: int | Budgets | None = None,
    ties: Randomness | None = None,
    unit: Unit = Unit.EXAMPLE,
    relation: Relation = Relation.ADD_OR_REMOVE_ONE,
) -> LowerBound:
    """A lower bound on epsilon from the scores of many canaries in one training run.

    Args:
        scores: (m,) larger meaning "included".
        included: (m,) booleans, the fair coins.
        delta: at which delta, in (0, 1).
        confidence: how often such a bound is at or below the truth.
        method: "f-dp", "f-dp-any" or "steinke"; see the module's page.
        guesses: how many guesses are made, half on either side, fixed in advance; or `Budgets`; None: weighted ones.
        ties: breaks ties between scores at random; None counts them against the auditor.
        unit: what a canary is.
        relation: what the coin decides: whether the canary is there, or (REPLACE_ONE) which of two.

    Raises:
        DataError: scores or coins that cannot be used, or coins that cannot have been fair.
        UsageError: an argument that cannot mean anything.
    """
    return several_runs(
        [scores],
        [included],
        delta=delta,
        confidence=confidence,
        method=method,
        guesses=guesses,
        ties=ties,
        unit=unit,
        relation=relation,
    )


def several_runs(
    scores: Sequence[Any],
    included: Sequence[Any],
    *,
    delta: float,
    confidence: float = 0.95,
    method: str = "f-dp",
    guesses: int | Budgets | None = None,
    ties: Randomness | None = None,
    unit: Unit = Unit.EXAMPLE,
    relation: Relation = Relation.ADD_OR_REMOVE_ONE,
) -> LowerBound:
    """A lower bound on epsilon from several independent runs of the same algorithm; see `one_run`.

    Args:
        scores: an array for each run; scores of different runs are never compared.
        included: an array for each run.

    The other arguments, and errors, are those of `one_run`; `guesses` is of each run.
    """
    _checks.one_of(METHODS, method=method)
    _checks.delta(delta=delta)
    chance = 1.0 - _checks.open_fraction(confidence=confidence)
    counts = _Counts.of(scores, included, guesses, ties)
    chances = chance * np.asarray(counts.budgets.weights)
    mu = None
    if method == "steinke":
        found = steinke_epsilons(counts.canaries, counts.guesses, counts.correct, chances, delta)
    else:
        curve = GAUSSIAN if method == "f-dp" else approximate(delta)
        found = largest_parameters(curve, counts.canaries, counts.guesses, counts.correct, chances)
    chosen = int(np.argmax(found))
    epsilon = float(found[chosen])
    assumptions = list(_DESIGN)
    if method == "f-dp":
        mu, epsilon = epsilon, epsilon_of(epsilon, delta)
        assumptions.append(_GAUSSIAN)
    if counts.runs > 1:
        assumptions.append(_INDEPENDENT)
    return LowerBound(
        epsilon=epsilon,
        delta=delta,
        confidence=confidence,
        method=_NAMES[method],
        trials=counts.canaries,
        unit=unit,
        relation=relation,
        assumptions=tuple(assumptions),
        mu=mu,
        details={"method": method, **counts.details(chosen)},
    )


def test_claim(
    scores: Any,
    included: Any,
    guarantee: Guarantee,
    *,
    guesses: int | Budgets | None = None,  # noqa: PT028  # no test, whatever its name says
    ties: Randomness | None = None,  # noqa: PT028
) -> float:
    """The p-value of so many correct guesses if the whole trade-off curve of the guarantee holds.

    Sharper than a bound on epsilon at one delta, and free of assumptions on the curve's shape. A coin has to decide
    about what the guarantee's relation says: whether a canary is there, or, under REPLACE_ONE, which of two.

    Args:
        scores: (m,) of one run, or a list of such arrays, one for each of several independent runs.
        included: (m,) the coins, or a list of them.
        guarantee: the claim.
        guesses: as in `one_run`.
        ties: as in `one_run`.

    Returns:
        At most 1; if the guarantee holds, it is at or below x with probability at most x.

    Raises:
        DataError: scores or coins that cannot be used, or coins that cannot have been fair.
        UsageError: an argument that cannot mean anything.
    """
    several = isinstance(scores, list | tuple) and bool(scores) and np.ndim(scores[0]) == 1
    counts = _Counts.of(scores if several else [scores], included if several else [included], guesses, ties)
    found = least_chances(claimed(guarantee), 0.0, counts.canaries, counts.guesses, counts.correct)
    return float(min(1.0, (found / np.asarray(counts.budgets.weights)).min()))


test_claim.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it
