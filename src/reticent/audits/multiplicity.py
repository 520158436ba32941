"""Many tests at once: p-values adjusted so that a list of findings has a stated error rate.

Promise: an adjusted p-value is the smallest level at which its test is still rejected. `holm`: the chance that any
rejection is false stays below the level, whatever the dependence. `benjamini_hochberg`: the expected share of false
ones among the rejections stays below the level when p-values of true null hypotheses are independent (or positively
dependent). `benjamini_yekutieli`: the same under any dependence, at the price of a factor of about log(number of
tests).

`selected_confidence` says how sure intervals have to be that are shown for a selection only: the expected share of
those that miss, among those shown, then stays below the level, whatever the selection and the dependence (the
argument of Benjamini and Yekutieli's theorem 1.3, with "the interval misses" for "the hypothesis is rejected").

Sources: Holm (1979); Benjamini and Hochberg (1995); Benjamini and Yekutieli (2001, theorem 1.3; 2005, for intervals).

Example:
    >>> import numpy as np
    >>> from reticent.audits.multiplicity import benjamini_hochberg, holm
    >>> p = np.array([0.001, 0.02, 0.04, 0.5])
    >>> holm(p).round(3).tolist(), benjamini_hochberg(p).round(3).tolist()
    ([0.004, 0.06, 0.08, 0.5], [0.004, 0.04, 0.053, 0.5])
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError

__all__ = ["benjamini_hochberg", "benjamini_yekutieli", "holm", "selected_confidence"]

Floats = npt.NDArray[np.float64]


def holm(p: Floats) -> Floats:
    """(tests,) adjusted p-values: rejecting those at or below the level has that familywise error rate.

    Raises:
        UsageError: not a list of numbers in [0, 1].
    """
    order = np.argsort(_checked(p), kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def benjamini_hochberg(p: Floats) -> Floats:
    """(tests,) adjusted p-values: rejecting those at or below the level has that false discovery rate.

    Raises:
        UsageError: not a list of numbers in [0, 1].
    """
    return _step_up(p, 1.0)


def benjamini_yekutieli(p: Floats) -> Floats:
    """(tests,) adjusted p-values, as `benjamini_hochberg`, under any dependence.

    Raises:
        UsageError: not a list of numbers in [0, 1].
    """
    return _step_up(p, _harmonic(len(p)))


def selected_confidence(confidence: float, selected: int, tests: int) -> float:
    """The confidence that each interval needs, if so many of the tests' intervals are shown.

    Args:
        confidence: one minus the expected share of intervals that miss, among those shown.
        selected: how many are shown, chosen in any way; none counts as one.
        tests: from among how many.
    """
    _checks.open_fraction(confidence=confidence)
    return 1 - (1 - confidence) * max(selected, 1) / (tests * _harmonic(tests))


def _harmonic(tests: int) -> float:
    return float((1 / np.arange(1, tests + 1)).sum())


def _step_up(p: Floats, factor: float) -> Floats:
    order = np.argsort(_checked(p), kind="stable")
    raised = p[order] * (factor * len(p)) / np.arange(1, len(p) + 1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return adjusted


def _checked(p: Floats) -> Floats:
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise UsageError("Expected a list of p-values in [0, 1], got another.", "Pass one p-value for each test.")
    return p
