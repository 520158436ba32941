"""Members against controls: exact tests, and intervals for differences of shares.

Promise: the p-values are exact (but for that of areas, see below) where rows of the source and of the control are
exchangeable, which they are if both are random draws from the same people and nothing was made from the source: then
who is called a member is a random choice of so many rows among all, whatever the rows and the release look like.
Nothing is assumed about scores. Both directions are given: a control that does better than the source is reported, not
clipped away.

How: the mean of gains of -1, 0 and 1 has a multivariate hypergeometric null distribution, summed exactly; how many of
the highest scores are members is hypergeometric (ties at the border are all taken in); areas under ROC curves are
compared by Mann and Whitney's test with its exact variance under ties, by a normal approximation, for 20 rows on each
side and more: that one alone is not exact. Intervals for a difference of mean gains combine those of its four shares
(Clopper and Pearson, 1934) by Zou and Donner's (2008) rule, with the correlation that two shares of one group have.

Shapes: gains are (rows,) of -1, 0, 1, and scores (rows,) larger for "member".

Example:
    >>> import numpy as np
    >>> from reticent.audits.synthetic.exact import gain_test, more_gained
    >>> members, controls = np.repeat([1, 0], [30, 70]), np.repeat([1, 0], [10, 90])
    >>> both = gain_test(members, controls)
    >>> round(both.more, 5), round(both.less, 5)
    (0.00033, 0.99992)
    >>> print(more_gained(members, controls))
    0.200 [0.078, 0.318] (95 %, n=200)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom, norm, rankdata

from reticent import _checks
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.evidence import Estimate
from reticent.evidence.intervals import clopper_pearson

__all__ = ["PValues", "area_test", "gain_test", "mean_gain", "more_gained", "top_test"]

Floats = npt.NDArray[np.float64]
Gains = npt.NDArray[np.int64]


class PValues(NamedTuple):
    """How likely so large a difference is, or so small a one, if there is none.

    Attributes:
        more: that members do at least so much better than controls.
        less: that they do at least so much worse.
    """

    more: float
    less: float


def gain_test(members: Gains, controls: Gains) -> PValues:
    """Whether members gain more than controls do.

    Raises:
        UsageError: gains other than -1, 0 and 1.
        NotEnoughEvidence: nobody on one side.
    """
    both = np.concatenate([members, controls]).astype(np.int64)
    if not np.isin(both, (-1, 0, 1)).all():
        raise UsageError("Expected gains of -1, 0 and 1, got others.", "Pass successes minus the baseline's successes.")
    _enough(members, controls)
    total, drawn = len(both), len(members)
    ups, downs = int((both == 1).sum()), int((both == -1).sum())
    observed = int(np.sum(members))
    if not downs:
        law = hypergeom(total, ups, drawn)
        return PValues(_share(law.sf(observed - 1)), _share(law.cdf(observed)))
    places = np.arange(max(0, drawn - (total - ups)), min(ups, drawn) + 1)
    weights = hypergeom.pmf(places, total, ups, drawn)
    # Given how many ups are members', their downs are hypergeometric among what is left.
    left, rest = total - ups, drawn - places
    more = weights @ hypergeom.cdf(places - observed, left, downs, rest)
    less = weights @ hypergeom.sf(places - observed - 1, left, downs, rest)
    return PValues(_share(more), _share(less))


def top_test(members: Floats, controls: Floats, share: float) -> PValues:
    """Whether more members than chance would bring are among the highest scores of all rows.

    Args:
        members: scores of members.
        controls: scores of controls.
        share: of all rows that count as the highest; rows that tie with the last of them are all taken in.
    """
    _enough(members, controls)
    _checks.open_fraction(share=share)
    together = np.concatenate([members, controls])
    wanted = max(1, math.floor(share * len(together)))
    threshold = np.sort(together)[-wanted]
    taken, named = int((together >= threshold).sum()), int((members >= threshold).sum())
    law = hypergeom(len(together), len(members), taken)
    return PValues(_share(law.sf(named - 1)), _share(law.cdf(named)))


def area_test(members: Floats, controls: Floats) -> PValues:
    """Whether members score higher than controls (Mann and Whitney, 1947), by its normal approximation."""
    _enough(members, controls)
    m, n = len(members), len(controls)
    ranks = rankdata(np.concatenate([members, controls]))
    won = float(ranks[:m].sum()) - m * (m + 1) / 2
    variance = float(m * n * np.var(ranks) / (m + n - 1)) if m + n > 1 else 0.0  # of a draw without replacement
    if variance == 0:
        return PValues(1.0, 1.0)
    z = (won - m * n / 2) / math.sqrt(variance)
    return PValues(float(norm.sf(z)), float(norm.cdf(z)))


def mean_gain(gains: Gains, *, confidence: float = 0.95, method: str = "mean gain") -> Estimate:
    """The mean of gains of one group with its interval."""
    _enough(gains, gains)
    value, below, above = _mean(np.asarray(gains), confidence)
    return Estimate(
        value,
        max(-1.0, value - below),
        min(1.0, value + above),
        confidence,
        len(gains),
        f"{method}; Clopper and Pearson's intervals of both shares, combined after Zou and Donner",
    )


def more_gained(
    members: Gains, controls: Gains, *, confidence: float = 0.95, method: str = "members' mean gain minus controls'"
) -> Estimate:
    """The difference of two groups' mean gains with its interval: not clipped at zero.

    Gains of 0 and 1 alone are taken for successes, whose difference is at most 1.
    """
    _enough(members, controls)
    mine, mine_below, mine_above = _mean(np.asarray(members), confidence)
    theirs, theirs_below, theirs_above = _mean(np.asarray(controls), confidence)
    value = mine - theirs
    most = 2.0 if (np.concatenate([members, controls]) < 0).any() else 1.0
    return Estimate(
        value,
        max(-most, value - math.hypot(mine_below, theirs_above)),
        min(most, value + math.hypot(mine_above, theirs_below)),
        confidence,
        len(members) + len(controls),
        f"{method}; Clopper and Pearson's intervals of all shares, combined after Zou and Donner",
    )


def _mean(gains: Gains, confidence: float) -> tuple[float, float, float]:
    """The mean of gains and how far its interval goes below and above it."""
    n = len(gains)
    ups, downs = int((gains == 1).sum()), int((gains == -1).sum())
    p, q = ups / n, downs / n
    p_low, p_high = clopper_pearson(ups, n, confidence)
    q_low, q_high = clopper_pearson(downs, n, confidence)
    # Shares of one multinomial are negatively correlated, which widens their difference.
    together = math.sqrt(p * q / ((1 - p) * (1 - q))) if 0 < p < 1 and 0 < q < 1 else float(p * q > 0)
    below = (p - p_low) ** 2 + (q_high - q) ** 2 + 2 * together * (p - p_low) * (q_high - q)
    above = (p_high - p) ** 2 + (q - q_low) ** 2 + 2 * together * (p_high - p) * (q - q_low)
    return p - q, math.sqrt(below), math.sqrt(above)


def _enough(members: npt.NDArray[np.generic], controls: npt.NDArray[np.generic]) -> None:
    if not len(members) or not len(controls):
        raise NotEnoughEvidence(
            f"Expected members and controls, got {len(members)} and {len(controls)}.", "Pass rows of both kinds."
        )


def _share(value: float) -> float:
    if math.isnan(value):
        raise FloatingPointError("a p-value is not a number")  # no input gives one; it must never pass for zero
    return float(min(1.0, max(0.0, value)))
