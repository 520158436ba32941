"""Intervals for what attacks measure: rates, areas under the ROC curve, and curves pooled over models.

Promise: each function states the event its confidence is about, and its coverage is tested by simulation. Ties count
half (mid-ranks); nothing is rounded before it is compared.

Shapes: `members` and `others` are 1-d arrays of scores, larger meaning "member".

Example:
    >>> import numpy as np
    >>> from reticent.audits.statistics import auc, rate
    >>> print(rate(17, 100, method="share of members named"))
    0.170 [0.102, 0.258] (95 %, n=100)
    >>> print(auc(np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 2.5])))
    0.833 [0.358, 1.000] (95 %, n=6)
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import beta, norm, rankdata

from reticent import _checks
from reticent.errors import NotEnoughEvidence
from reticent.evidence import Estimate
from reticent.randomness import Randomness

__all__ = ["PooledCurve", "auc", "clopper_pearson", "pooled_curve", "rate", "resolvable", "threshold_at"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def clopper_pearson(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """The interval for a probability that covers it at least `confidence` of the time (Clopper and Pearson, 1934)."""
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(beta.ppf(1 - tail, successes + 1, trials - successes))
    return low, high


def rate(
    successes: int, trials: int, *, method: str, confidence: float = 0.95, threshold: str | None = None
) -> Estimate:
    """A share of independent trials with its Clopper-Pearson interval; `method` says what was counted."""
    _checks.at_least(1, trials=trials)
    low, high = clopper_pearson(successes, trials, confidence)
    return Estimate(successes / trials, low, high, confidence, trials, f"{method}; Clopper-Pearson interval", threshold)


def auc(members: Floats, others: Floats, *, confidence: float = 0.95) -> Estimate:
    """Probability that a random member scores above a random non-member, ties counting half.

    The interval is the wider, at each end, of Newcombe's (2006, method 5), which stays honest near 0 and 1 where the
    estimated variance vanishes, and DeLong's (DeLong, DeLong and Clarke-Pearson, 1988), which follows skewed scores.

    Raises:
        NotEnoughEvidence: no member or no non-member.
    """
    m, n = len(members), len(others)
    if m == 0 or n == 0:
        raise NotEnoughEvidence(
            f"Expected scores of members and of non-members, got {m} and {n}.", "Audit with records of both kinds."
        )
    value, deviation = _delong(members, others)
    z = float(norm.ppf(0.5 + confidence / 2))
    low, high = _newcombe(value, m, n, z)
    low = max(0.0, min(low, value - z * deviation))
    high = min(1.0, max(high, value + z * deviation))
    return Estimate(value, low, high, confidence, m + n, "Newcombe's interval, widened to DeLong's, over records")


def _delong(members: Floats, others: Floats) -> tuple[float, float]:
    m, n = len(members), len(others)
    together = rankdata(np.concatenate([members, others]))
    above = (together[:m] - rankdata(members)) / n  # share of non-members below each member
    below = 1 - (together[m:] - rankdata(others)) / m
    variance = (above.var(ddof=1) / m if m > 1 else 0.25) + (below.var(ddof=1) / n if n > 1 else 0.25)
    return float(above.mean()), math.sqrt(variance)


def _newcombe(value: float, m: int, n: int, z: float) -> tuple[float, float]:
    half = (m + n) / 2 - 1

    def deviation(theta: float) -> float:
        shape = 1 + half * (1 - theta) / (2 - theta) + half * theta / (1 + theta)
        return math.sqrt(theta * (1 - theta) * shape / (m * n))

    # Both differences vanish at 0 and at 1 too, where there is no variance; the root that is meant lies inside.
    edge = 1e-12
    low = 0.0 if value <= edge else float(brentq(lambda t: value - t - z * deviation(t), 0.0, value - edge))
    high = 1.0 if value >= 1 - edge else float(brentq(lambda t: t - value - z * deviation(t), value + edge, 1.0))
    return low, high


def resolvable(false_positive_rate: float, trials: int) -> bool:
    """Whether so many non-member trials can resolve this rate: ten of them must lie above the threshold."""
    return trials * false_positive_rate >= 10


def threshold_at(false_positive_rate: float, others: Floats) -> float:
    """The smallest threshold above which at most this share of the given non-member scores lies.

    Raises:
        NotEnoughEvidence: too few scores to resolve the rate.
    """
    if not resolvable(false_positive_rate, len(others)):
        raise NotEnoughEvidence(
            f"Expected {math.ceil(10 / false_positive_rate)} non-member scores to resolve a false-positive rate of "
            f"{false_positive_rate:g}, got {len(others)}.",
            "Add non-members or reference models, or ask at a larger rate.",
        )
    allowed = math.floor(false_positive_rate * len(others))
    if allowed >= len(others):
        return -math.inf
    return float(np.sort(others)[len(others) - allowed - 1])


@dataclasses.dataclass(frozen=True)
class PooledCurve:
    """A ROC curve over many trainings, with intervals that respect that trials share models and records.

    Attributes:
        false_positive_rates: (points,) the grid.
        true_positive_rates: (points,) at each.
        low: (points,) pointwise lower ends.
        high: (points,) pointwise upper ends.
        auc: area under the curve.
        at: false-positive rate to true-positive rate with its interval, for the asked rates that are resolvable.
        accuracy: share of right predictions on records that the model was not trained on, if given.
    """

    false_positive_rates: Floats
    true_positive_rates: Floats
    low: Floats
    high: Floats
    auc: Estimate
    at: dict[float, Estimate]
    accuracy: Estimate | None


def pooled_curve(
    scores: Floats,
    membership: Flags,
    *,
    rates: tuple[float, ...],
    randomness: Randomness,
    correct: Flags | None = None,
    confidence: float = 0.95,
    replicates: int = 400,
) -> PooledCurve:
    """The ROC curve of all (model, record) trials together.

    Intervals are percentiles of a bootstrap that draws models and records anew, each with replacement, at the same
    time; it is conservative when trials share both (Owen, 2007, pigeonhole bootstrap). The threshold is set anew in
    every replicate, so its uncertainty is inside the interval.

    Args:
        scores: (models, records).
        membership: (models, records).
        rates: false-positive rates to report.
        randomness: source of the bootstrap draws.
        correct: (models, records) whether the model predicts the record rightly; for the accuracy on non-members.
        confidence: of every interval.
        replicates: bootstrap draws.
    """
    models, records = scores.shape
    if membership.all() or not membership.any():
        raise NotEnoughEvidence(
            "Expected trials of members and of non-members, got one kind only.", "Draw memberships at random."
        )
    flat = scores.reshape(-1)
    order = np.argsort(-flat, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(flat[order]) != 0, True))  # last trial of each block of ties
    inside = membership.reshape(-1)[order]
    outside_right = None if correct is None else (correct & ~membership).reshape(-1)[order]
    trials = int((~membership).sum())
    # The curve starts where ten false positives are expected: further left nothing is resolved.
    start = min(1.0, 10 / trials)
    asked_for = np.asarray([asked for asked in rates if asked >= start])
    grid = np.unique(np.concatenate([np.geomspace(start, 1.0, 120), asked_for]))

    def measure(weights: Floats) -> tuple[Floats, float, float]:
        w = weights.reshape(-1)[order]
        positive, negative = np.cumsum(w * inside)[ends], np.cumsum(w * ~inside)[ends]
        tpr = np.concatenate([[0.0], positive / positive[-1]])
        fpr = np.concatenate([[0.0], negative / negative[-1]])
        # Linear between the ends of tie blocks: ties are broken at random, and count half in the area.
        area = float(np.trapezoid(tpr, fpr))
        right = float("nan") if outside_right is None else float((w * outside_right).sum() / negative[-1])
        return _interpolate(grid, fpr, tpr), area, right

    curve, area, right = measure(np.ones_like(scores))
    draws = [
        measure(
            np.outer(
                np.bincount(randomness.integers(models, models), minlength=models),
                np.bincount(randomness.integers(records, records), minlength=records),
            ).astype(np.float64)
        )
        for _ in range(replicates)
    ]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(np.stack([draw[0] for draw in draws]), tails, axis=0)
    low, high = np.minimum(low, curve), np.maximum(high, curve)
    method = f"bootstrap over {models} models and {records} records, {replicates} draws"

    def estimate(value: float, values: list[float], threshold: str | None = None) -> Estimate:
        a, b = np.quantile(values, tails)
        return Estimate(value, min(float(a), value), max(float(b), value), confidence, scores.size, method, threshold)

    at = {}
    for asked in rates:
        if resolvable(asked, trials):
            where = int(np.searchsorted(grid, asked))
            at[asked] = estimate(
                float(curve[where]), [float(draw[0][where]) for draw in draws], "set in every bootstrap draw"
            )
    return PooledCurve(
        grid,
        curve,
        low,
        high,
        estimate(area, [draw[1] for draw in draws]),
        at,
        None if correct is None else estimate(right, [draw[2] for draw in draws]),
    )


def _interpolate(grid: Floats, fpr: Floats, tpr: Floats) -> Floats:
    """The curve's height over the grid; where it rises vertically, its top."""
    last = np.searchsorted(fpr, grid, side="right") - 1  # the last point at or left of each grid value
    following = np.minimum(last + 1, len(fpr) - 1)
    gap = fpr[following] - fpr[last]
    share = np.divide(grid - fpr[last], gap, out=np.zeros_like(grid), where=gap > 0)
    return np.asarray(tpr[last] + share * (tpr[following] - tpr[last]))
