"""A lower bound on epsilon from many independent training runs, with and without one canary.

Promise: the bound is at or below the algorithm's true epsilon with at least the stated confidence, if every score comes
from a run of its own. Scores of several canaries of one run are not independent: use `one_run` for them.

How: "with" is named where a score is above a threshold. Its rates are bounded by Clopper and Pearson (1934), the
true-positive rate from below and the false-positive rate from above, each with half of the error probability. Then

    "clopper-pearson"  epsilon >= ln((TPR - delta) / FPR), and ln((TNR - delta) / FNR) from the complements (Jagielski,
                       Ullman and Oprea, 2020); for every mechanism
    "gaussian"         mu >= Phi^-1(TPR) - Phi^-1(FPR), translated to epsilon(delta) (Nasr et al., 2023); for mechanisms
                       with a Gaussian trade-off curve

The threshold is fixed by the caller before the scores are seen, or found, with the direction, on a random half of the
runs of either kind, by the bound that half would give; only the other half is counted.

Example:
    >>> from reticent.audits.bounds import many_runs
    >>> from reticent.randomness import Randomness
    >>> chance = Randomness.simulated(2)
    >>> inside, outside = chance.normal(1000) + 2.0, chance.normal(1000)  # mu = 2: epsilon 9.93 at 1e-5
    >>> bound = many_runs(inside, outside, delta=1e-5, threshold=1.0, method="gaussian")
    >>> 1.6 < bound.mu < 2.0
    True
    >>> print(many_runs(inside, outside, delta=1e-5, threshold=1.0))
    epsilon >= 1.5... at delta 1e-05 (95 %, Clopper-Pearson over runs, n=2000; one example added or removed)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtri

from reticent import _checks
from reticent.audits.bounds.curves import epsilon_of
from reticent.errors import DataError
from reticent.evidence.bounds import LowerBound
from reticent.privacy import Relation, Unit
from reticent.randomness import Randomness

__all__ = ["best_threshold", "many_runs", "rate_at_least", "rate_at_most", "values_of"]

Array = npt.NDArray[np.float64]

_METHODS = {"clopper-pearson": "Clopper-Pearson over runs", "gaussian": "Gaussian curve over runs"}
_RUNS = "each score comes from an independent training run of its own"
_FIXED = "the threshold was fixed before the scores were seen"
_FOUND = "the threshold was found on other runs than those that are counted"
_GAUSSIAN = (
    "the algorithm's trade-off curve, for this canary, is that of a Gaussian mechanism: epsilon is translated from mu "
    "by it, and for curves of other shapes the bound on epsilon may be too large"
)


def many_runs(
    with_canary: Any,
    without_canary: Any,
    *,
    delta: float,
    confidence: float = 0.95,
    method: str = "clopper-pearson",
    threshold: float | Randomness,
    unit: Unit = Unit.EXAMPLE,
    relation: Relation = Relation.ADD_OR_REMOVE_ONE,
) -> LowerBound:
    """A lower bound on epsilon from one score of each of many independent runs.

    Args:
        with_canary: (n,) scores of runs with the canary, larger meaning "with".
        without_canary: (k,) scores of runs without it (REPLACE_ONE: with the other one).
        delta: at which delta, in (0, 1).
        confidence: how often such a bound is at or below the truth.
        method: "clopper-pearson" or "gaussian"; see the module's page.
        threshold: fixed in advance; or the `Randomness` that halves the runs, to find it on one half.
        unit: what the canary is.
        relation: how the data sets differ.

    Raises:
        DataError: fewer than one score of either kind (two, where they are halved), or NaN.
        UsageError: an argument that cannot mean anything.
    """
    _checks.one_of(_METHODS, method=method)
    _checks.delta(delta=delta)
    tail = (1.0 - _checks.open_fraction(confidence=confidence)) / 2
    halved = isinstance(threshold, Randomness)
    inside, outside = (_scores(values, 2 if halved else 1) for values in (with_canary, without_canary))
    if isinstance(threshold, Randomness):
        (tune_in, inside), (tune_out, outside) = (_halves(values, threshold) for values in (inside, outside))
        sign, place = best_threshold(tune_in, tune_out, tail, delta, method)
        tuned = [len(tune_in), len(tune_out)]
    else:
        sign, place, tuned = 1, float(threshold), None
    named = np.array([(sign * inside > place).sum()]), np.array([(sign * outside > place).sum()])
    true_low, false_high = rate_at_least(named[0], len(inside), tail), rate_at_most(named[1], len(outside), tail)
    found = max(0.0, float(values_of(true_low, false_high, delta, method)[0]))
    mu = found if method == "gaussian" else None
    details = {
        "method": method,
        "with_canary": len(inside),
        "without_canary": len(outside),
        "threshold": place,
        "direction": sign,
        "tuned_on": tuned,
        "true_positives": int(named[0][0]),
        "false_positives": int(named[1][0]),
    }
    return LowerBound(
        epsilon=found if mu is None else epsilon_of(mu, delta),
        delta=delta,
        confidence=confidence,
        method=_METHODS[method],
        trials=len(inside) + len(outside),
        unit=unit,
        relation=relation,
        assumptions=(_RUNS, _FOUND if halved else _FIXED, *((_GAUSSIAN,) if mu is not None else ())),
        mu=mu,
        details=details,
    )


def rate_at_least(successes: Any, trials: int, chance: float) -> Array:
    """The lower end of a one-sided Clopper-Pearson interval, which fails with at most the given chance."""
    counts = np.asarray(successes, dtype=np.float64)
    found: Array = np.where(counts == 0, 0.0, betaincinv(np.maximum(counts, 1), trials - counts + 1, chance))
    return found


def rate_at_most(successes: Any, trials: int, chance: float) -> Array:
    """The upper end of a one-sided Clopper-Pearson interval, which fails with at most the given chance."""
    return 1.0 - rate_at_least(trials - np.asarray(successes), trials, chance)


def values_of(true_low: Array, false_high: Array, delta: float, method: str) -> Array:
    """The bound on epsilon, or on mu, that rates from below and above give; minus infinity where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if method == "gaussian":
            found: Array = ndtri(true_low) - ndtri(false_high)
        else:
            named = np.log(np.maximum(true_low - delta, 0.0)) - np.log(false_high)
            spared = np.log(np.maximum(1.0 - false_high - delta, 0.0)) - np.log1p(-true_low)
            found = np.maximum(named, spared)
    return np.where(np.isfinite(found), found, -np.inf)


def best_threshold(inside: Array, outside: Array, tail: float, delta: float, method: str) -> tuple[int, float]:
    """The sign of the scores and the threshold with the largest bound on these runs, between two of their scores."""
    best = (-np.inf, 1, 0.0)
    for sign in (1, -1):
        ins, outs = np.sort(sign * inside), np.sort(sign * outside)
        values = np.unique(np.concatenate([ins, outs]))
        places = np.append((values[:-1] + values[1:]) / 2, values[-1])
        named = len(ins) - np.searchsorted(ins, places, side="right")
        wrong = len(outs) - np.searchsorted(outs, places, side="right")
        found = values_of(rate_at_least(named, len(ins), tail), rate_at_most(wrong, len(outs), tail), delta, method)
        at = int(np.argmax(found))
        if found[at] > best[0]:
            best = (float(found[at]), sign, float(places[at]))
    return best[1], best[2]


def _halves(values: Array, randomness: Randomness) -> tuple[Array, Array]:
    order = randomness.permutation(len(values))
    return values[order[: len(values) // 2]], values[order[len(values) // 2 :]]


def _scores(values: Any, least: int) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) < least or np.isnan(found).any():
        raise DataError(
            f"Expected {least} or more scores of runs, none of them NaN, got shape {found.shape}.",
            "Give one score for each run, of either kind.",
        )
    return found
