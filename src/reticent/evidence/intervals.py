"""Intervals for shares: how often something happened among independent trials.

Promise: `clopper_pearson` covers the true probability at least as often as its confidence says, at any number of
trials; `rate` wraps it as an `Estimate`. Imported by its own name: it needs scipy, which whoever only writes a record
should not wait for. The quantiles of beta distributions are those of `scipy.stats`, which takes long to load, to the
last bit: it asks for the same inverse of the incomplete beta function.

Example:
    >>> from reticent.evidence.intervals import rate
    >>> print(rate(17, 100, method="share of members named"))
    0.170 [0.102, 0.259] (95 %, n=100)
"""

from __future__ import annotations

from scipy.special import betaincinv

from reticent import _checks
from reticent.evidence.findings import Estimate

__all__ = ["clopper_pearson", "rate"]


def clopper_pearson(successes: float, trials: float, confidence: float) -> tuple[float, float]:
    """The interval for a probability that covers it at least `confidence` of the time (Clopper and Pearson, 1934).

    Counts that are no whole numbers are those of trials that vary more than independent ones, scaled down for it.
    """
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high


def rate(
    successes: int, trials: int, *, method: str, confidence: float = 0.95, threshold: str | None = None
) -> Estimate:
    """A share of independent trials with its Clopper-Pearson interval; `method` says what was counted."""
    _checks.at_least(1, trials=trials)
    low, high = clopper_pearson(successes, trials, confidence)
    return Estimate(successes / trials, low, high, confidence, trials, f"{method}; Clopper-Pearson interval", threshold)
