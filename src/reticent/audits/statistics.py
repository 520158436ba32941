"""Intervals for what attacks measure on one model: rates and areas under the ROC curve.

Promise: each function states the event its confidence is about, and its coverage is tested by simulation. Ties count
half (mid-ranks); nothing is rounded before it is compared.

Shapes: `members` and `others` are 1-d arrays of scores, larger meaning "member".

Example:
    >>> import numpy as np
    >>> from reticent.audits.statistics import auc, rate
    >>> print(rate(17, 100, method="share of members named"))
    0.170 [0.102, 0.259] (95 %, n=100)
    >>> print(auc(np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 2.5])))
    0.833 [0.357, 1.000] (95 %, n=6)
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

from reticent.errors import NotEnoughEvidence
from reticent.evidence import Estimate
from reticent.evidence.intervals import clopper_pearson, rate

__all__ = ["auc", "clopper_pearson", "rate", "resolvable", "threshold_at"]

Floats = npt.NDArray[np.float64]


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
