"""What an audit in one run can find, before anybody pays for one: bounds to expect, and canaries that are needed.

Promise: the same question has the same answer, in less than a second. The answers are for the best that an attack can
do against Gaussian mechanisms: scores N(0, 1) and N(mu, 1), independent for each canary. A real attack is weaker, and
the bounds that it gives are smaller.

How: among the canaries with the k largest of m such scores the coins are Bernoulli with the probability that is the
members' share of the mixture's upper tail of mass k/m; so are those of the rings between two budgets. `expected_bound`
draws counts, from a fixed seed, and looks up the bound of each; `detection_probability` and `canaries_needed` need no
draw: they are about the best single budget, so the probability is a lower bound.

Example:
    >>> from reticent.audits.bounds import canaries_needed, expected_bound
    >>> power = expected_bound(1000, 8.0, delta=1e-5)
    >>> 4.2 < power.mean < 4.7
    True
    >>> needed = canaries_needed(2.0, 4.0, delta=1e-5)  # to exceed a claim of 2 if the truth is 4
    >>> 500 < needed < 5000
    True
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import betainc, ndtr
from scipy.stats import binom

from reticent import _checks
from reticent._numbers import shown
from reticent.audits.bounds.counting import largest_parameters, refuted, steinke_epsilons, steinke_p_value
from reticent.audits.bounds.curves import GAUSSIAN, Curve, approximate, claimed, epsilon_of, mu_of
from reticent.audits.bounds.guessing import Budgets, as_budgets
from reticent.audits.bounds.one_run import METHODS
from reticent.privacy import Guarantee
from reticent.randomness import Randomness

__all__ = ["Power", "canaries_needed", "detection_probability", "expected_bound"]

Array = npt.NDArray[np.float64]

_DRAWS = 1000
_LOOKED_UP = 20  # counts of each budget whose bound is computed; between them it is interpolated
_MOST = 10_000_000
_PER_TENFOLD = 24  # numbers of canaries that are tried


@dataclasses.dataclass(frozen=True)
class Power:
    """The bound that an audit would give, over repetitions of it.

    Args:
        mean: its expectation.
        low: exceeded by nine in ten.
        median: exceeded by half.
        high: exceeded by one in ten.
        epsilon: the true epsilon.
        canaries: of each run.
        runs: how many runs.
    """

    mean: float
    low: float
    median: float
    high: float
    epsilon: float
    canaries: int
    runs: int

    def __str__(self) -> str:
        return (
            f"epsilon >= {self.mean:.2f} to expect, {self.low:.2f} to {self.high:.2f} in eight of ten, of a true "
            f"{shown(self.epsilon, 4)}, from {self.canaries} canaries in {self.runs} run(s)"
        )


def expected_bound(
    canaries: int,
    epsilon: float,
    *,
    delta: float,
    confidence: float = 0.95,
    method: str = "f-dp",
    runs: int = 1,
    guesses: int | Budgets | None = None,
) -> Power:
    """What `one_run` or `several_runs` would give, for a Gaussian mechanism and the best attack on it.

    Args:
        canaries: of each run.
        epsilon: the mechanism's true epsilon.
        delta: at which delta, of both epsilons.
        confidence: of the bound.
        method: as in `one_run`.
        runs: how many independent runs.
        guesses: as in `one_run`, of each run.

    Raises:
        UsageError: an argument that cannot mean anything.
    """
    _checks.one_of(METHODS, method=method)
    _checks.at_least(1, runs=runs)
    chance = 1.0 - _checks.open_fraction(confidence=confidence)
    budgets = as_budgets(guesses, _checks.at_least(2, canaries=canaries), runs)
    order = np.argsort(budgets.each)
    each, weights = np.asarray(budgets.each)[order], np.asarray(budgets.weights)[order]
    drawn = _counts(canaries, each, _mu(epsilon, delta), runs)
    nodes = [_nodes(column) for column in drawn.T]
    lanes = [
        np.concatenate([np.full(len(one), value) for one, value in zip(nodes, of, strict=True)])
        for of in (2 * runs * each, chance * weights)
    ]
    values = _bounds(method, canaries * runs, lanes[0], np.concatenate(nodes), lanes[1], delta)
    parts = np.split(values, np.cumsum([len(one) for one in nodes])[:-1])
    found = np.max([np.interp(*one) for one in zip(drawn.T, nodes, parts, strict=True)], axis=0)
    low, median, high = (float(one) for one in np.quantile(found, (0.1, 0.5, 0.9)))
    return Power(float(found.mean()), low, median, high, float(epsilon), int(canaries), int(runs))


def detection_probability(
    canaries: int,
    epsilon: float,
    claim: float | Guarantee,
    *,
    delta: float,
    confidence: float = 0.95,
    method: str = "f-dp",
    runs: int = 1,
    guesses: int | Budgets | None = None,
) -> float:
    """How probable it is at least that a claim is refuted, if the truth is a Gaussian mechanism with this epsilon.

    Args:
        canaries: of each run.
        epsilon: the mechanism's true epsilon.
        claim: an epsilon, for the bound to exceed; or a guarantee, for `test_claim` to reject.
        delta: at which delta, of both epsilons.
        confidence: of the bound or the test.
        method: as in `one_run`; of no meaning for a guarantee.
        runs: how many independent runs.
        guesses: as in `one_run`, of each run.

    Raises:
        UsageError: an argument that cannot mean anything.
    """
    budgets = as_budgets(guesses, _checks.at_least(2, canaries=canaries), runs)
    return _detection(_Hypothesis.of(claim, method, delta, confidence), _mu(epsilon, delta), canaries, budgets, runs)


def canaries_needed(
    claim: float | Guarantee,
    epsilon: float,
    *,
    delta: float,
    confidence: float = 0.95,
    method: str = "f-dp",
    runs: int = 1,
    power: float = 0.8,
) -> int | None:
    """How many canaries each run needs, so that a claim is refuted with the given probability; to some 10 %, upwards.

    Args:
        claim: as in `detection_probability`, like everything that is not listed here.
        epsilon: the true epsilon of the Gaussian mechanism that is to be found.
        power: with which probability it is to be found.

    Returns:
        A number of canaries, or None if ten million are not enough.

    Raises:
        UsageError: an argument that cannot mean anything.
    """
    hypothesis, mu = _Hypothesis.of(claim, method, delta, confidence), _mu(epsilon, delta)
    _checks.open_fraction(power=power)
    sizes = [math.ceil(10 * 10 ** (step / _PER_TENFOLD)) for step in range(6 * _PER_TENFOLD + 1)]
    low, high = 0, len(sizes)  # sizes[high] is enough; halving, as more canaries find more
    while low < high:
        middle = (low + high) // 2
        budgets = as_budgets(None, sizes[middle], runs)
        if _detection(hypothesis, mu, sizes[middle], budgets, runs) >= power:
            high = middle
        else:
            low = middle + 1
    return min(sizes[high], _MOST) if high < len(sizes) else None


@dataclasses.dataclass(frozen=True)
class _Hypothesis:
    """What is to be refuted: a curve at a parameter, or, without one, Steinke's bound at an epsilon; and how surely."""

    curve: Curve | None
    parameter: float
    delta: float
    chance: float

    @classmethod
    def of(cls, claim: float | Guarantee, method: str, delta: float, confidence: float) -> _Hypothesis:
        _checks.one_of(METHODS, method=method)
        delta, chance = _checks.delta(delta=delta), 1.0 - _checks.open_fraction(confidence=confidence)
        if isinstance(claim, Guarantee):
            return cls(claimed(claim), 0.0, delta, chance)
        epsilon = _checks.non_negative(claim=claim)
        if method == "f-dp":
            return cls(GAUSSIAN, mu_of(epsilon, delta), delta, chance)
        return cls(approximate(delta) if method == "f-dp-any" else None, epsilon, delta, chance)

    def refutes(self, canaries: int, guesses: Array, correct: Array, chances: Array) -> npt.NDArray[np.bool_]:
        if self.curve is not None:
            found: npt.NDArray[np.bool_] = refuted(self.curve, self.parameter, canaries, guesses, correct, chances)
            return found
        each = zip(guesses, correct, chances, strict=True)
        return np.array(
            [steinke_p_value(canaries, int(g), int(c), self.parameter, self.delta) < chance for g, c, chance in each]
        )


def _mu(epsilon: float, delta: float) -> float:
    """Nothing leaks at epsilon 0, though a little would at delta."""
    return mu_of(epsilon, delta) if epsilon > 0 else 0.0


def _detection(hypothesis: _Hypothesis, mu: float, canaries: int, budgets: Budgets, runs: int) -> float:
    """The probability that the best budget refutes the hypothesis, if the truth is mu."""
    each = np.asarray(budgets.each)
    made, chances = 2.0 * runs * each, hypothesis.chance * np.asarray(budgets.weights)
    low, high = np.zeros(len(each)), made + 1  # the least count that refutes it; made + 1 where none does
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        enough = hypothesis.refutes(canaries * runs, made, np.minimum(middle, made), chances)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    rates = np.array([_share(mu, one / canaries) for one in each])
    least = np.minimum(high, made)
    # P[B >= k] of a binomial B is an incomplete beta function.
    return float(np.where(high > made, 0.0, betainc(least, made - least + 1, rates)).max())


def _share(mu: float, tail: float) -> float:
    """The share of members in the mixture's upper tail of the given mass."""
    if tail >= 0.5:
        place = mu / 2
    else:
        place = float(brentq(lambda x: float(ndtr(-x) + ndtr(mu - x)) / 2 - tail, -1.0, mu + 40.0))
    members = float(ndtr(mu - place))
    return members / (members + float(ndtr(-place)))


def _counts(canaries: int, each: npt.NDArray[Any], mu: float, runs: int) -> Array:
    """(draws, budgets) numbers of correct guesses."""
    shares = np.array([_share(mu, one / canaries) for one in each])
    rings = np.diff(each, prepend=0)
    right = np.clip(np.diff(shares * each, prepend=0.0) / np.maximum(rings, 1), 0.0, 1.0)
    chances = Randomness.simulated(0).spawn("power").uniform((_DRAWS, len(each)))
    found: Array = np.cumsum(np.maximum(binom.ppf(chances, 2 * runs * rings, right), 0), axis=1)
    return found


def _nodes(counts: Array) -> Array:
    values = np.unique(counts)
    if len(values) <= _LOOKED_UP:
        return values
    return np.unique(np.round(np.linspace(values[0], values[-1], _LOOKED_UP)))


def _bounds(method: str, canaries: int, made: Array, correct: Array, chances: Array, delta: float) -> Array:
    if method == "steinke":
        return steinke_epsilons(canaries, made, correct, chances, delta)
    if method == "f-dp-any":
        return largest_parameters(approximate(delta), canaries, made, correct, chances)
    mus = largest_parameters(GAUSSIAN, canaries, made, correct, chances)
    return np.array([epsilon_of(float(mu), delta) for mu in mus])
