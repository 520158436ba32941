"""Would a leak have been found? The power of an audit that has been done, from how it was designed.

Promise: `detection` depends on the design alone (how many canaries, runs or statistics there were, and how thresholds
were set), never on whether something was found. The leak that it asks about is the strongest that can be attacked: a
Gaussian mechanism, or a training with too little noise, whose scores have nothing but that mechanism's own noise.

How: canaries of one run or several, see `power`. For `many_runs` and `per_step` the two counts above the threshold are
independent binomials. For each count of false positives the least count of true positives follows that gives a bound
above the claim; its probability is summed up over the false positives' law (in at most 400 steps, rounded against the
audit). The leak's own rates are

    many runs      N(0, 1) and N(mu, 1) at the threshold: if it was found on other runs, at those that 40 simulated
                   halves find; if it was fixed, at one with as many false alarms as were seen, since only its place
                   among the scores is known
    single steps   N(0, s^2) and N(1, s^2), mixed by the sample rate where it is not known in which steps the canary
                   was; s is the noise multiplier at which the training has the leak's epsilon. The best threshold's
                   probability is a lower bound for all of them

Example:
    >>> from reticent.audits.bounds import detecting, many_runs
    >>> from reticent.randomness import Randomness
    >>> chance = Randomness.simulated(1)
    >>> scores = chance.normal((2, 400))
    >>> found = detecting.detection(many_runs(scores[0], scores[1], delta=1e-5, threshold=1.5), 1.0, 8.0)
    >>> 0.9 < found.power <= 1.0
    True
    >>> found = detecting.detection(many_runs(scores[0], scores[1], delta=1e-5, threshold=-9.0), 1.0, 8.0)
    >>> found.power < 0.1  # where everybody is named, nobody is found out
    True
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from reticent.audits.bounds.curves import epsilon_of, mu_of
from reticent.audits.bounds.guessing import Budgets
from reticent.audits.bounds.many_runs import best_threshold, rate_at_least, rate_at_most, values_of
from reticent.audits.bounds.per_step import MOST_MULTIPLIER, epsilon_of_steps
from reticent.audits.bounds.power import canaries_needed, detection_probability
from reticent.evidence.bounds import LowerBound
from reticent.privacy import Guarantee
from reticent.privacy.rounding import round_up
from reticent.randomness import Randomness

__all__ = ["Detection", "detection"]

Array = npt.NDArray[np.float64]
_Needs = Callable[[Array], tuple[Array, Array]]

_NODES = 400  # counts of false positives at which is looked
_NEVER = 1e-12  # of the law of those counts, on either side
_DRAWS, _DRAWN = 40, 100_000  # simulated halves, and scores in all of them
_SIMULATED = 10_000  # runs of a half, above which the best threshold is as good as found
_MOST = 10_000_000
_PER_TENFOLD = 24  # sizes that are tried
_HALVINGS = 24
_PLACES = np.linspace(-3.0, 6.0, 46)  # thresholds, in deviations above the scores without the canary


@dataclasses.dataclass(frozen=True)
class Detection:
    """What an audit could have found.

    Attributes:
        power: how probable it was that the leak would be found.
        leak: the leak in words, as the subject of a sentence.
        needed: sentences on what it takes to find it with a given probability.
    """

    power: float
    leak: str
    needed: Callable[[float], tuple[str, ...]]


def detection(bound: LowerBound, claim: Guarantee | float, leak: float) -> Detection | None:
    """How probable it was that a leak would give a bound above a claim.

    Args:
        bound: from one of this package's functions.
        claim: an epsilon at the bound's delta, or the guarantee whose whole curve was tested on guesses about canaries.
        leak: the epsilon that should be found.

    Returns:
        None for a bound whose design is not known.
    """
    design = bound.details
    if {"canaries", "runs", "guesses", "weights", "method"} <= set(design):
        return _of_canaries(bound, claim, leak)
    if isinstance(claim, Guarantee):
        return None
    if {"with_canary", "without_canary", "tuned_on", "false_positives", "method"} <= set(design):
        return _of_runs(bound, claim, leak)
    if {"with_canary", "without_canary", "steps", "sample_rate", "thresholds", "known"} <= set(design):
        return _of_steps(bound, claim, leak)
    return None


def _strong(leak: float, more: str = "") -> str:
    return f"A Gaussian mechanism that leaks epsilon {leak:.3g}, attacked as well as it can be{more},"


# Canaries -----------------------------------------------------------------------------------------------------------


def _of_canaries(bound: LowerBound, claim: Guarantee | float, leak: float) -> Detection:
    design: Any = bound.details
    runs = int(design["runs"])
    about: dict[str, Any] = {
        "delta": bound.delta,
        "confidence": bound.confidence,
        "method": design["method"],
        "runs": runs,
    }
    budgets = Budgets(tuple(one // (2 * runs) for one in design["guesses"]), tuple(design["weights"]))
    power = detection_probability(int(design["canaries"]) // runs, leak, claim, guesses=budgets, **about)

    def needed(wanted: float) -> tuple[str, ...]:
        count = canaries_needed(claim, leak, power=wanted, **about)
        if count is None:
            return ("Ten million canaries would not be enough to find it in this way.",)
        return (f"That takes about {count} canaries in each of {runs} run(s), with an attack as strong as that.",)

    return Detection(power, _strong(leak), needed)


# Many runs ----------------------------------------------------------------------------------------------------------


def _of_runs(bound: LowerBound, claim: float, leak: float) -> Detection:
    design: Any = bound.details
    inside, outside, tuned = int(design["with_canary"]), int(design["without_canary"]), design["tuned_on"]
    tail, mu = (1.0 - bound.confidence) / 2, mu_of(leak, bound.delta)
    needs = _runs_need(design["method"], claim, bound.delta)

    def found(sign: float, place: float, with_it: int, without: int) -> float:
        return _found((with_it, without), (float(ndtr(sign * mu - place)), float(ndtr(-place))), tail, needs)

    def halved(tuned_in: int, tuned_out: int, with_it: int, without: int) -> float:
        places = _simulated_thresholds(tuned_in, tuned_out, mu, tail, bound.delta, design["method"])
        return float(np.mean([found(*one, with_it, without) for one in places]))

    if tuned is None:
        seen = (int(design["false_positives"]) + 0.5) / (outside + 1)
        power, words = found(1, -float(ndtri(seen)), inside, outside), " at a threshold with as many false alarms"
    else:
        power, words = halved(tuned[0], tuned[1], inside, outside), ""

    def needed(wanted: float) -> tuple[str, ...]:
        top = values_of(
            rate_at_least(inside, inside, tail), rate_at_most(0, outside, tail), bound.delta, design["method"]
        )
        most = max(0.0, float(top))
        most = epsilon_of(most, bound.delta) if design["method"] == "gaussian" else most
        count = _least_size(lambda size: max(found(1, place, size, size) for place in _PLACES), wanted)
        told = f"The largest bound that so many runs can give is {round_up(most, 3):.3g}."
        if count is None:
            return told, "Ten million runs of either kind would not be enough to find it in this way."
        if tuned is None:
            return told, f"That takes about {count} runs of either kind, at the best threshold."
        while count <= _SIMULATED and halved(count, count, count, count) < wanted:
            count = math.ceil(1.1 * count)
        return told, f"That takes about {2 * count} runs of either kind, half of them to find the threshold."

    return Detection(power, _strong(leak, words), needed)


def _runs_need(method: str, claim: float, delta: float) -> _Needs:
    """Above which true-positive rate the bound exceeds the claim; there is no upper end."""
    mu = mu_of(claim, delta) if method == "gaussian" else 0.0

    def needs(false_high: Array) -> tuple[Array, Array]:
        if method == "gaussian":
            least = ndtr(ndtri(false_high) + mu)
        else:
            named = delta + np.exp(claim) * false_high
            spared = 1.0 - (1.0 - false_high - delta) * math.exp(-claim)
            least = np.minimum(named, spared)
        return np.clip(least, 0.0, 1.0), np.ones(len(false_high))

    return needs


def _simulated_thresholds(
    inside: int, outside: int, mu: float, tail: float, delta: float, method: str
) -> list[tuple[int, float]]:
    """Signs and thresholds that halves of these sizes find."""
    source = Randomness.simulated(0).spawn("halves")
    draws = max(4, min(_DRAWS, _DRAWN // (inside + outside)))
    scores = source.normal((draws, inside + outside))
    return [best_threshold(one[:inside] + mu, one[inside:], tail, delta, method) for one in scores]


# Single steps -------------------------------------------------------------------------------------------------------


def _of_steps(bound: LowerBound, claim: float, leak: float) -> Detection:
    design: Any = bound.details
    rate, places = float(design["sample_rate"]), [float(one) for one in design["thresholds"]]
    tail, taken = (1.0 - bound.confidence) / (2 * len(places)), 1.0 if design["known"] else rate
    steps = int(design["steps"])
    limit, noise = (_multiplier(epsilon, steps, rate, bound.delta) for epsilon in (claim, leak))
    limit = min(limit, MOST_MULTIPLIER)  # beyond it nothing is said

    def needs(false_high: Array) -> tuple[Array, Array]:
        spared = (1.0 - taken) * false_high
        # From the upper end on, the canary took part too often, which says nothing about the noise.
        return taken * ndtr(ndtri(false_high) + 1.0 / limit) + spared, np.minimum(taken + spared, 1.0)

    def found(inside: int, outside: int) -> float:
        best = 0.0
        for place in places:
            wrong, right = float(ndtr(-place / noise)), float(ndtr((1.0 - place) / noise))
            rates = taken * right + (1.0 - taken) * wrong, wrong
            best = max(best, _found((inside, outside), rates, tail, needs))
        return best

    def needed(wanted: float) -> tuple[str, ...]:
        count = _least_size(lambda size: found(size, size), wanted)
        if count is None:
            return ("Ten million statistics of either kind would not be enough to find it with these thresholds.",)
        return (f"That takes about {count} statistics of either kind, with these thresholds.",)

    words = f"A training with so little noise that these steps leak epsilon {leak:.3g}, seen in such statistics,"
    return Detection(found(int(design["with_canary"]), int(design["without_canary"])), words, needed)


def _multiplier(epsilon: float, steps: int, rate: float, delta: float) -> float:
    """The most noise, nearly, with which so many steps have more than this epsilon."""
    low = high = 1.0
    while epsilon_of_steps(low, steps, rate, delta) <= epsilon:
        low /= 2
    while epsilon_of_steps(high, steps, rate, delta) > epsilon:
        high *= 2
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        if epsilon_of_steps(middle, steps, rate, delta) > epsilon:
            low = middle
        else:
            high = middle
    return low


# Counts -------------------------------------------------------------------------------------------------------------


def _found(sizes: tuple[int, int], rates: tuple[float, float], tail: float, needs: _Needs) -> float:
    """The probability of counts whose bounded true-positive rate lies between what their false positives need.

    Args:
        sizes: trials with and without the canary.
        rates: the true rates of being named.
        tail: the error probability of each rate's bound.
        needs: bounded false-positive rates to the rates between which the bounded true-positive rate has to lie.
    """
    (inside, outside), (true, false) = sizes, rates
    ends = binom.ppf(_NEVER, outside, false), binom.isf(_NEVER, outside, false)
    last = np.unique(np.round(np.linspace(max(0.0, ends[0]), ends[1], _NODES)))
    weights = np.diff(binom.cdf(last, outside, false), prepend=0.0)
    least, most = needs(rate_at_most(last, outside, tail))
    # A count's bounded rate exceeds r where so many successes are improbable at r.
    low, high = (binom.isf(tail, inside, one) for one in (least, most))
    between = binom.sf(low, inside, true) - binom.sf(np.where(most >= 1.0, inside, high), inside, true)
    return float(np.clip((weights * np.maximum(between, 0.0)).sum(), 0.0, 1.0))


def _least_size(power: Callable[[int], float], wanted: float) -> int | None:
    """The least size with this power, to some 10 % upwards; None if ten million are not enough."""
    sizes = [math.ceil(10 ** (step / _PER_TENFOLD)) for step in range(7 * _PER_TENFOLD + 1)]
    low, high = 0, len(sizes)
    while low < high:
        middle = (low + high) // 2
        if power(sizes[middle]) >= wanted:
            high = middle
        else:
            low = middle + 1
    return min(sizes[high], _MOST) if high < len(sizes) else None
