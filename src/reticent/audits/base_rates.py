"""Who is named: how likely is it that they were members? That depends on how many members there are to begin with.

Promise: a positive predictive value is never shown for one base rate alone, and its interval holds for whatever the
true- and the false-positive rate are within theirs: its confidence is what is left when either may miss (Bonferroni).
An attack that is right about most of those it names when half of all are members can be wrong about nearly all when one
in a thousand is.

PPV = TPR * prior / (TPR * prior + FPR * (1 - prior)) (Jayaraman et al., 2021, section 3.3), which rises with the
true-positive rate and falls with the false-positive rate, so the ends of the interval are at the corners. Where nobody
was named, there is no predictive value.

Example:
    >>> from reticent.audits.base_rates import predictive_values
    >>> from reticent.audits.statistics import rate
    >>> named = rate(300, 1000, method="members named", confidence=0.975)
    >>> wrongly = rate(10, 1000, method="others named", confidence=0.975)
    >>> for one in predictive_values(named, wrongly):
    ...     print(one)
    at a base rate of 0.5: 0.968 [0.931, 0.988] (95 %, n=2000)
    at a base rate of 0.1: 0.769 [0.602, 0.897] (95 %, n=2000)
    at a base rate of 0.01: 0.233 [0.121, 0.441] (95 %, n=2000)
    at a base rate of 0.001: 0.029 [0.013, 0.073] (95 %, n=2000)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent._numbers import shown
from reticent.audits.statistics import rate
from reticent.errors import UsageError
from reticent.evidence import Estimate

__all__ = ["BASE_RATES", "AtThreshold", "PredictiveValue", "advantage", "at_thresholds", "predictive_values"]

BASE_RATES = (0.5, 0.1, 0.01, 0.001)
"""Shares of members among those whom the attacker asks about."""


@dataclasses.dataclass(frozen=True)
class PredictiveValue:
    """The share of members among those named, at one base rate.

    Attributes:
        base_rate: the share of members among all who are asked about; what guessing reaches.
        value: the positive predictive value; None where nobody was named.
    """

    base_rate: float
    value: Estimate | None

    def __str__(self) -> str:
        value = "nobody was named" if self.value is None else self.value
        return f"at a base rate of {shown(self.base_rate)}: {value}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"base_rate": self.base_rate, "value": None if self.value is None else self.value.as_dict()}


@dataclasses.dataclass(frozen=True)
class AtThreshold:
    """What an attack reaches at one threshold.

    Attributes:
        threshold: where the threshold came from.
        true_positive_rate: share of members named.
        false_positive_rate: share of others named.
        advantage: the difference of the two.
        predictive: the predictive value at each base rate.
    """

    threshold: str
    true_positive_rate: Estimate
    false_positive_rate: Estimate
    advantage: Estimate
    predictive: tuple[PredictiveValue, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "threshold": self.threshold,
            "true_positive_rate": self.true_positive_rate.as_dict(),
            "false_positive_rate": self.false_positive_rate.as_dict(),
            "advantage": self.advantage.as_dict(),
            "predictive": [one.as_dict() for one in self.predictive],
        }


def predictive_values(
    true_positive_rate: Estimate,
    false_positive_rate: Estimate | float,
    base_rates: tuple[float, ...] = BASE_RATES,
) -> tuple[PredictiveValue, ...]:
    """Positive predictive values from the two rates of one threshold.

    Args:
        true_positive_rate: share of members named.
        false_positive_rate: share of others named; a number where the threshold holds it by construction (the pooled
            curve, whose threshold is set anew in every bootstrap draw).
        base_rates: shares of members among those who are asked about.

    Raises:
        UsageError: intervals that leave no confidence when either may miss.
    """
    low, value, high, confidence, n, method = _corners(true_positive_rate, false_positive_rate)
    found = []
    for prior in base_rates:
        _checks.open_fraction(base_rate=prior)
        best = _predicted(*value, prior)
        estimate = None
        if best is not None:
            bottom, top = _predicted(*low, prior), _predicted(*high, prior)
            estimate = Estimate(
                best, 0.0 if bottom is None else bottom, 1.0 if top is None else top, confidence, n, method
            )
        found.append(PredictiveValue(prior, estimate))
    return tuple(found)


def advantage(true_positive_rate: Estimate, false_positive_rate: Estimate | float) -> Estimate:
    """The true- minus the false-positive rate (Yeom et al., 2018, definition 4): 0 for guessing, 1 for certainty."""
    low, value, high, confidence, n, method = _corners(true_positive_rate, false_positive_rate)
    return Estimate(value[0] - value[1], low[0] - low[1], high[0] - high[1], confidence, n, method)


def at_thresholds(
    scores: npt.NDArray[np.float64],
    truth: npt.NDArray[np.bool_],
    thresholds: Mapping[str, float],
    *,
    confidence: float = 0.95,
    base_rates: tuple[float, ...] = BASE_RATES,
) -> tuple[AtThreshold, ...]:
    """Rates, advantage and predictive values of one model's scores.

    Args:
        scores: (records,) larger for "member".
        truth: (records,) who was one.
        thresholds: where each came from, to its value. They must come from other records or other models.
        confidence: of each threshold's advantage and predictive values; each rate's own interval is held to half the
            error.
        base_rates: shares of members among those who are asked about.
    """
    each = 1 - (1 - _checks.open_fraction(confidence=confidence)) / 2
    found = []
    for origin, threshold in thresholds.items():
        above = scores > threshold
        true, false = (
            rate(int(above[side].sum()), int(side.sum()), method="records named", confidence=each, threshold=origin)
            for side in (truth, ~truth)
        )
        predictive = predictive_values(true, false, base_rates)
        found.append(AtThreshold(origin, true, false, advantage(true, false), predictive))
    return tuple(found)


def _predicted(true: float, false: float, prior: float) -> float | None:
    named = true * prior + false * (1 - prior)
    return None if named <= 0 else min(true * prior / named, 1.0)


def _corners(
    true: Estimate, false: Estimate | float
) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float], float, int, str]:
    """The two rates at the lower corner, in the middle and at the upper one; confidence, trials, method."""
    if not isinstance(false, Estimate):
        fixed = _checks.fraction(false_positive_rate=false)
        text = f"from the interval of the true-positive rate ({true.method}) at a false-positive rate of {fixed:g}"
        return (true.low, fixed), (true.value, fixed), (true.high, fixed), true.confidence, true.n, text
    confidence = round(true.confidence + false.confidence - 1, 12)
    if confidence <= 0:
        raise UsageError(
            f"Expected rates whose confidences add up to more than 1, got {true.confidence:g} and "
            f"{false.confidence:g}.",
            "Make their intervals at a higher confidence.",
        )
    text = f"from the corners of the intervals of both rates ({true.method}); either may miss"
    corners = (true.low, false.high), (true.value, false.value), (true.high, false.low)
    return *corners, confidence, true.n + false.n, text
