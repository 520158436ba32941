"""How many targets a share needs, before anybody looks for one; and the exact intervals of differences.

Promise: `targets_needed` is the least number of targets at which a Clopper-Pearson interval reaches no further than
asked to either side, if the share is as assumed (the half, the worst, by default); `none_needed` is the least number
of which none must be found to show a share of at most so much. `paired_difference` covers the difference of two shares
of the same targets at least as often as its confidence says: it adds the Clopper-Pearson intervals of the two ways in
which targets can differ, each at half of the error.

Example:
    >>> from reticent.audits.reidentification.power import none_needed, targets_needed
    >>> targets_needed(0.05), targets_needed(0.02), none_needed(0.01)
    (402, 2449, 368)
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.evidence import Estimate
from reticent.evidence.intervals import clopper_pearson

__all__ = ["none_needed", "paired_difference", "power_of", "targets_needed"]

_MOST = 1 << 24


@functools.lru_cache(maxsize=64)
def targets_needed(within: float, *, share: float = 0.5, confidence: float = 0.95) -> int:
    """How many targets give an interval that ends within so much of the share, on both sides.

    Args:
        within: the largest distance, such as 0.05 for five percentage points.
        share: what is expected.
        confidence: of the interval.
    """
    within, share = _checks.open_fraction(within=within), _checks.fraction(share=share)
    confidence = _checks.open_fraction(confidence=confidence)

    def enough(trials: int) -> bool:
        found = round(share * trials)
        low, high = clopper_pearson(found, trials, confidence)
        return max(found / trials - low, high - found / trials) <= within

    high = 1
    while not enough(high) and high < _MOST:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def none_needed(share: float, *, confidence: float = 0.95) -> int:
    """Of how many targets none must be found, to show that the share is at most so much (two-sided interval)."""
    share, confidence = _checks.open_fraction(share=share), _checks.open_fraction(confidence=confidence)
    return math.ceil(math.log((1 - confidence) / 2) / math.log1p(-share) - 1e-9)


def power_of(targets: int, *, confidence: float = 0.95) -> dict[str, Any]:
    """What so many targets can show, and how many more would show more; plain values."""
    low, high = clopper_pearson(targets // 2, targets, confidence)
    return {
        "targets": targets,
        "half_width_at_most": (high - low) / 2,
        "least_share_excluded_by_none": clopper_pearson(0, targets, confidence)[1],
        "needed": {f"{within:g}": targets_needed(within, confidence=confidence) for within in (0.05, 0.02, 0.01)},
        "needed_to_exclude_by_none": {
            f"{share:g}": none_needed(share, confidence=confidence) for share in (0.01, 0.001)
        },
    }


def paired_difference(
    ours: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_], *, what: str, confidence: float = 0.95
) -> Estimate:
    """The share of `ours` less that of `theirs`, of the same targets.

    Args:
        ours: (targets,) whether it happened.
        theirs: the same in the other case.
        what: is counted.
        confidence: of the interval.
    """
    trials = len(ours)
    more, fewer = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    half = (1 + confidence) / 2
    more_low, more_high = clopper_pearson(more, trials, half)
    fewer_low, fewer_high = clopper_pearson(fewer, trials, half)
    method = f"{what}; same targets; two Clopper-Pearson intervals that share the error"
    return Estimate((more - fewer) / trials, more_low - fewer_high, more_high - fewer_low, confidence, trials, method)
