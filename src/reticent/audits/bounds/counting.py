"""From counts of correct guesses to p-values and bounds on epsilon: two theorems on audits in one training run.

Promise: for guesses about m independent fair coins, made from the output of one run, every p-value here is at or below
x with probability at most x under its hypothesis, and `steinke` and `f_dp` are at or below the algorithm's true epsilon
with at least the stated confidence. `guesses` is the most that could be made, and is fixed before anybody sees a score;
which canaries are guessed, how many are in the end, and how the guesses depend on each other is free.

The experiment: canary i is in the training set iff its coin S_i shows heads. From the output, whatever it is, a guess
T_i in {in, out, none} is made for each canary; V of at most g guesses are correct.

`steinke` (Steinke, Nasr and Jagielski, 2023, theorem 5.2): if the algorithm is (epsilon, delta)-private in each coin,

    P[V >= v] <= beta + 2 m delta alpha,  beta = P[B >= v],  alpha = max_i P[v > B >= v - i] / i,

with B binomial: g trials of probability e^eps / (1 + e^eps).

`f_dp` (after Mahloujifar, Melis and Chaudhuri, 2024). For one canary i and the other coins fixed, let A be the outputs
that guess "in" for it and at least k - 1 of the others correctly. With S_i heads they make at least k correct guesses,
with S_i tails at least k - 1 and i is wrong; the two probabilities are held by the curve T. Outputs that guess "out"
are the same with the two worlds exchanged. T is concave, so the mean over both kinds, all canaries and coins gives

    R_k <= T(H_(k-1)),   R_k = sum_(j >= k) (j/m) p_j,   H_k = sum_(j >= k) ((g - j)/m) p_j,   p_j = P[V = j].

Fewer than g guesses only make the right side smaller. To have P[V >= c] = chance, the least probability in all that the
inequalities for k <= c ask for puts `chance` on c alone and then, downwards, as much on each j as its inequality
needs. That is the least: to move mass from j down to j - 1 lowers R_j and raises H_(j-1), and so on below, and loosens
every inequality but the one for H_j, which the mass left on j satisfies. If more than 1 is needed, P[V >= c] is below
`chance`. The recursion is for any curve: of Gaussian mechanisms, of (epsilon, delta), or of a guarantee.

Shapes: the `_lanes` functions take arrays that broadcast, one lane for each question.

Example:
    >>> from reticent.audits.bounds.counting import f_dp, steinke
    >>> round(steinke(1000, 200, 180, delta=1e-5), 3)
    1.796
    >>> round(f_dp(1000, 200, 180, delta=1e-5), 3)  # of a Gaussian mechanism
    2.901
    >>> round(f_dp(1000, 200, 180, delta=1e-5, curve="any"), 3)
    1.785
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrc

from reticent import _checks
from reticent.audits.bounds.curves import GAUSSIAN, Curve, approximate, epsilon_of
from reticent.errors import UsageError

__all__ = [
    "f_dp",
    "largest_parameters",
    "least_chances",
    "refuted",
    "steinke",
    "steinke_epsilons",
    "steinke_p_value",
]

Array = npt.NDArray[np.float64]

_CERTAIN = 1.0 + 1e-9  # more probability than there is, beyond rounding
_HALVINGS = 36
_LEAST_CHANCE = 1e-12


def steinke_p_value(canaries: int, guesses: int, correct: int, epsilon: float, delta: float = 0.0) -> float:
    """How probable so many correct guesses are, at most, if the algorithm is (epsilon, delta)-private.

    Args:
        canaries: m, all of them, guessed or not.
        guesses: the most that could be made; fixed in advance.
        correct: how many were correct.
        epsilon: the epsilon that is tested.
        delta: the delta that is tested.
    """
    canaries, guesses, correct = _counts(canaries, guesses, correct)
    _checks.non_negative(epsilon=epsilon)
    return _steinke(canaries, guesses, correct, epsilon, _checks.fraction(delta=delta))


def _steinke(canaries: int, guesses: int, correct: int, epsilon: float, delta: float) -> float:
    if correct == 0:
        return 1.0
    chance = 1.0 / (1.0 + math.exp(-epsilon))
    beta = float(bdtrc(correct - 1, guesses, chance))
    if delta == 0.0:
        return beta
    below = float(bdtr(correct - 1, guesses, chance))
    # Ten deviations below the mean there is nothing left to add, and 1/i falls: the last term bounds all further ones.
    spread = math.sqrt(guesses * chance * (1 - chance))
    reach = min(correct, max(1, correct - math.floor(guesses * chance - 10 * spread)))
    moved = np.arange(1, reach + 1)
    left = np.where(moved == correct, 0.0, bdtr(np.maximum(correct - 1 - moved, 0), guesses, chance))
    alpha = max(float(((below - left) / moved).max()), below / (reach + 1) if reach < correct else 0.0)
    return min(1.0, beta + 2.0 * canaries * delta * alpha)


def steinke_epsilons(canaries: int, guesses: Array, correct: Array, chances: Array, delta: float) -> Array:
    """The largest epsilon, of each lane, whose p-value is below its chance; 0 where there is none.

    Any epsilon with a small enough p-value will do: what is private at a smaller one is private at this one.
    """
    found = np.zeros(np.broadcast(guesses, correct, chances).shape)
    for place, (made, right, chance) in enumerate(np.broadcast(guesses, correct, chances)):
        if _steinke(canaries, int(made), int(right), 0.0, delta) >= chance:
            continue
        low, high = 0.0, 40.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if _steinke(canaries, int(made), int(right), middle, delta) < chance:
                low = middle
            else:
                high = middle
        found.flat[place] = low
    return found


def steinke(canaries: int, guesses: int, correct: int, delta: float = 0.0, confidence: float = 0.95) -> float:
    """A lower bound on epsilon that holds for every mechanism (Steinke, Nasr and Jagielski, 2023).

    Args:
        canaries: m, all of them, guessed or not.
        guesses: the most that could be made; fixed in advance.
        correct: how many were correct.
        delta: the delta of the bound.
        confidence: how often such a bound is at or below the truth.

    Raises:
        UsageError: counts that cannot be.
    """
    canaries, guesses, correct = _counts(canaries, guesses, correct)
    chance = 1.0 - _checks.open_fraction(confidence=confidence)
    delta = _checks.fraction(delta=delta)
    return float(steinke_epsilons(canaries, *_lanes(guesses, correct, chance), delta)[0])


def f_dp(
    canaries: int,
    guesses: int,
    correct: int,
    *,
    delta: float,
    confidence: float = 0.95,
    curve: str = "gaussian",
) -> float:
    """A lower bound on epsilon by the recursion on trade-off curves (Mahloujifar, Melis and Chaudhuri, 2024).

    Args:
        canaries: m, all of them, guessed or not.
        guesses: the most that could be made; fixed in advance.
        correct: how many were correct.
        delta: the delta of the bound.
        confidence: how often such a bound is at or below the truth.
        curve: "gaussian": the bound is for mechanisms whose trade-off curve is a Gaussian one. "any": for every
            mechanism; smaller.

    Raises:
        UsageError: counts that cannot be, or an unknown curve.
    """
    canaries, guesses, correct = _counts(canaries, guesses, correct)
    chance = 1.0 - _checks.open_fraction(confidence=confidence)
    if _checks.one_of(("gaussian", "any"), curve=curve) == "any":
        family = approximate(_checks.fraction(delta=delta))
        return float(largest_parameters(family, canaries, *_lanes(guesses, correct, chance))[0])
    mu = float(largest_parameters(GAUSSIAN, canaries, *_lanes(guesses, correct, chance))[0])
    return epsilon_of(mu, _checks.open_fraction(delta=delta))


def largest_parameters(curve: Curve, canaries: int, guesses: Array, correct: Array, chances: Array) -> Array:
    """The largest parameter of the curve, of each lane, at which so many correct guesses have less than the chance."""
    guesses, correct, chances = (np.asarray(a, np.float64) for a in np.broadcast_arrays(guesses, correct, chances))
    low = np.zeros(guesses.shape)
    some = refuted(curve, low, canaries, guesses, correct, chances)
    high = np.where(some, curve.largest, 0.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beyond = refuted(curve, middle, canaries, guesses, correct, chances)
        low, high = np.where(some & beyond, middle, low), np.where(some & ~beyond, middle, high)
        if float((high - low).max(initial=0.0)) < 1e-7:
            break
    return low


def least_chances(curve: Curve, parameter: Any, canaries: int, guesses: Array, correct: Array) -> Array:
    """The p-values: how probable so many correct guesses are, at most, under the curve at the parameter."""
    lanes = np.broadcast_arrays(guesses, correct, np.asarray(parameter, np.float64))
    made, right, at = (np.asarray(a, np.float64) for a in lanes)

    low, high = np.full(made.shape, math.log(_LEAST_CHANCE)), np.zeros(made.shape)
    high = np.where(
        refuted(curve, at, canaries, made, right, np.exp(low)), low, high
    )  # so improbable that nobody needs to know how much
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beyond = refuted(curve, at, canaries, made, right, np.exp(middle))
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        if float((high - low).max(initial=0.0)) < 1e-6:
            break
    return np.where(right <= 0, 1.0, np.exp(high))


def refuted(curve: Curve, parameter: Any, canaries: Any, guesses: Any, correct: Any, chances: Any) -> Any:
    """Whether so many correct guesses have less than the chance under the curve at the parameter; for each lane."""
    lanes = np.broadcast_arrays(parameter, canaries, guesses, correct, chances)
    at, m, made, right, chance = (np.asarray(one, dtype=np.float64) for one in lanes)
    return _needed(curve, at, m, made, right, chance) > _CERTAIN


def _needed(curve: Curve, parameter: Array, canaries: Array, guesses: Array, correct: Array, chances: Array) -> Array:
    """How much probability there has to be in all, if `correct` or more correct guesses have the chance.

    Lanes that are decided leave the loop; that is after the few deviations of V that lie between c and its bulk.
    """
    made, at, whole, shape = guesses.ravel(), parameter.ravel(), canaries.ravel(), guesses.shape
    place = np.floor(correct).ravel()
    right, wrong = chances.ravel() * place / whole, chances.ravel() * (made - place) / whole
    total = chances.ravel().astype(np.float64)
    open_lanes = np.flatnonzero(place > 0)
    made, at, whole, place, right, wrong = (a[open_lanes] for a in (made, at, whole, place, right, wrong))
    while open_lanes.size:
        place = place - 1
        more = np.maximum(wrong, curve.least(np.minimum(right, 1.0), at))
        right = right + place / (made - place) * (more - wrong)
        sums = (right + more) * whole / made
        total[open_lanes] = sums
        undecided = (more > wrong) & (place > 0) & (sums <= _CERTAIN)
        wrong = more
        if not undecided.all():
            open_lanes = open_lanes[undecided]
            made, at, whole, place, right, wrong = (a[undecided] for a in (made, at, whole, place, right, wrong))
    return total.reshape(shape)


def _lanes(made: float, right: float, chance: float) -> tuple[Array, Array, Array]:
    return np.array([float(made)]), np.array([float(right)]), np.array([float(chance)])


def _counts(canaries: int, guesses: int, correct: int) -> tuple[int, int, int]:
    _checks.at_least(1, canaries=canaries)
    _checks.at_least(1, guesses=guesses)
    _checks.at_least(0, correct=correct)
    if not correct <= guesses <= canaries:
        raise UsageError(
            f"Expected correct <= guesses <= canaries, got {correct}, {guesses} and {canaries}.",
            "Count each canary once.",
        )
    return int(canaries), int(guesses), int(correct)
