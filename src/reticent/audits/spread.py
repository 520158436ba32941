"""How much does it depend on chance of training? Several models of one training, attacked one by one.

Promise: one training is one draw, so what it gives away is reported over at least five: every value (and so the range),
the median and the mean over trainings. The median's interval lies between two of the values and needs no assumption;
five models are too few for 95 %, and then it is the range, at the confidence that it has (94 %). The mean has Student's
interval over models, in which a model is one observation whatever its number of records, so nothing is won by adding
records. Thresholds for a model come from the other models' non-members. The records are taken as given:
`reticent.audits.pooled` draws those anew as well.

Sources: Student (1908); order statistics as in Thompson (1936); the cluster is the model (Cameron and Miller, 2015).

Shapes: scores and membership are (models, records).

Example:
    >>> from reticent.audits.spread import spread
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> membership = source.bernoulli(0.5, 8 * 500).reshape(8, 500)
    >>> found = spread(source.normal((8, 500)) + membership, membership, rates=(0.1, 0.001))
    >>> sorted(found), found["auc"].mean.contains(0.76)  # 0.1 % cannot be resolved with 250 non-members a model
    (['auc', 'false_positive_rate_at_0.1', 'true_positive_rate_at_0.1'], True)
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom
from scipy.stats import t as student

from reticent import _checks
from reticent.audits.bootstrap import area, binned
from reticent.audits.statistics import clopper_pearson, resolvable
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.evidence import Estimate

__all__ = ["Spread", "spread"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_FEWEST = 5


@dataclasses.dataclass(frozen=True)
class Spread:
    """One figure over several trainings.

    Attributes:
        values: one for each model.
        median: the middle one, with the interval for the median of all trainings that order statistics give.
        mean: their mean, with Student's interval over models.
    """

    values: tuple[float, ...]
    median: Estimate
    mean: Estimate

    def __str__(self) -> str:
        return f"median {self.median}; mean {self.mean}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"values": list(self.values), "median": self.median.as_dict(), "mean": self.mean.as_dict()}


def spread(
    scores: Floats, membership: Flags, *, rates: tuple[float, ...] = (0.1, 0.01, 0.001), confidence: float = 0.95
) -> dict[str, Spread]:
    """Areas under the curve, and rates at thresholds from the other models, over several target models.

    Args:
        scores: each target's attack scores, larger for "member": those of target models that are no reference models,
            or those of `leave_one_out`, which share their references.
        membership: the truth.
        rates: false-positive rates; those that a model's own non-members cannot resolve are left out.
        confidence: of the means.

    Raises:
        NotEnoughEvidence: fewer than five models, or a model with members or non-members only.
        UsageError: shapes that do not fit.
    """
    _checks.open_fraction(confidence=confidence)
    if scores.ndim != 2 or scores.shape != membership.shape or membership.dtype != bool:
        raise UsageError(
            f"Expected scores and True or False of one shape (models, records), got {scores.shape} and "
            f"{membership.dtype} of shape {membership.shape}.",
            "Score every target model on every record.",
        )
    inside = membership.sum(axis=1)
    if len(scores) < _FEWEST or not ((inside > 0) & (inside < scores.shape[1])).all():
        raise NotEnoughEvidence(
            f"Expected at least {_FEWEST} target models, each with members and non-members, got {len(scores)}.",
            "Train more of them on random parts of the records.",
        )
    areas = []
    for row, mask in zip(scores, membership, strict=True):
        bins = binned(row[None], mask[None], exact=True)
        areas.append(float(area(bins.members[None], bins.others[None])[0]))
    found = {"auc": _over_models(areas, confidence, None)}
    fewest = int((~membership).sum(axis=1).min())
    for asked in rates:
        if resolvable(_checks.open_fraction(rate=asked), fewest):
            true, false = _judged_by_others(scores, membership, asked)
            origin = "the other models' non-members"
            found[f"true_positive_rate_at_{asked:g}"] = _over_models(true, confidence, origin)
            found[f"false_positive_rate_at_{asked:g}"] = _over_models(false, confidence, origin)
    return found


def _judged_by_others(scores: Floats, membership: Flags, asked: float) -> tuple[list[float], list[float]]:
    """Each model's rates at the threshold (`threshold_at`) of the other models' non-members, which are sorted once."""
    others = ~membership
    whose = np.repeat(np.arange(len(scores)), others.sum(axis=1))
    values = scores[others]
    order = np.argsort(-values, kind="stable")
    true, false = [], []
    for model, (row, inside) in enumerate(zip(scores, membership, strict=True)):
        own = int((~inside).sum())
        allowed = math.floor(asked * (len(values) - own))
        top = order[: allowed + 1 + own]
        named = row > values[top[whose[top] != model][allowed]]
        true.append(float(named[inside].mean()))
        false.append(float(named[~inside].mean()))
    return true, false


def _over_models(values: list[float], confidence: float, threshold: str | None) -> Spread:
    """All figures here are shares, so intervals end at 0 and 1; where all models agree, their number is the limit."""
    models, middle = len(values), float(np.clip(np.mean(values), min(values), max(values)))  # not rounded past them
    half = float(student.ppf(0.5 + confidence / 2, models - 1)) * float(np.std(values, ddof=1)) / math.sqrt(models)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    least = clopper_pearson(models, models, confidence)[0]
    low, high = min(low, least if middle >= 1 else low), max(high, 1 - least if middle <= 0 else high)
    return Spread(
        tuple(values),
        _median(values, confidence, threshold),
        Estimate(
            middle,
            low,
            high,
            confidence,
            models,
            "Student's interval over trainings, for the given records",
            threshold,
        ),
    )


def _median(values: list[float], confidence: float, threshold: str | None) -> Estimate:
    """How many of all trainings' values lie below their median is a fair coin's count of heads."""
    models, ordered = len(values), sorted(values)
    dropped = int(binom.ppf((1 - confidence) / 2, models, 0.5))  # the fewest heads that are not too rare
    place = max(dropped - 1, 0)
    method = f"values {place + 1} and {models - place} of {models} in order, for the median over trainings"
    reached = confidence if dropped >= 1 else 1 - 2.0 ** (1 - models)
    return Estimate(float(np.median(values)), ordered[place], ordered[-1 - place], reached, models, method, threshold)
