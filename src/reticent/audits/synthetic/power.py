"""What an audit of a synthetic table will be able to find, before it looks.

Promise: arithmetic on how many rows there are and how many tests will be made; nothing of the tables is looked at. An
audit that finds nothing says no more than this: what is larger than these figures would mostly have been found.

How: the smallest area under the ROC curve that Mann and Whitney's test finds with the stated power, at the level that
the strictest of Holm's comparisons leaves, with the variance of Hanley and McNeil (1982) away from one half; and the
smallest share of members that must be hit, where controls are hit never, for an exact test of two shares.

Example:
    >>> from reticent.audits.synthetic.power import power
    >>> found = power(1000, 1000, tests=12)
    >>> round(found.area, 3), round(found.share, 4)
    (0.545, 0.0102)
    >>> print(found.sentence)
    With 1000 members and 1000 controls, 12 tests and an error rate of 5 % for all of them, an attack that picks the \
right one of two at least 54.5 % of the time is found in 80 % of such audits, and so is one that succeeds on 1.02 % of \
the members and on no control. Smaller leaks are mostly missed.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from scipy.optimize import brentq
from scipy.stats import binom, hypergeom, norm

from reticent import _checks

__all__ = ["Power", "power"]


@dataclasses.dataclass(frozen=True)
class Power:
    """What can be found.

    Attributes:
        members: rows of the source that are judged.
        controls: rows of the control that are judged.
        tests: that share the error rate.
        level: the error rate of all of them.
        chance: how often a leak of the stated size is found.
        area: the smallest area under the ROC curve.
        share: the smallest share of members hit, where no control is.
    """

    members: int
    controls: int
    tests: int
    level: float
    chance: float
    area: float
    share: float

    @property
    def sentence(self) -> str:
        """It in words."""
        return (
            f"With {self.members} members and {self.controls} controls, {self.tests} "
            f"test{'s' if self.tests > 1 else ''} and an error rate of {self.level * 100:g} % for all of them, an "
            f"attack that picks the right one of two at least {self.area * 100:.1f} % of the time is found in "
            f"{self.chance * 100:g} % of such audits, and so is one that succeeds on {self.share * 100:.3g} % of the "
            "members and on no control. Smaller leaks are mostly missed."
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**dataclasses.asdict(self), "sentence": self.sentence}


def power(members: int, controls: int, *, tests: int, level: float = 0.05, chance: float = 0.8) -> Power:
    """What an audit with so many rows and tests finds.

    Args:
        members: rows of the source that are judged.
        controls: rows of the control that are judged.
        tests: that share the error rate.
        level: the error rate of all tests together.
        chance: how often a leak of the stated size is to be found.
    """
    m, n = _checks.at_least(1, members=members), _checks.at_least(1, controls=controls)
    _checks.at_least(1, tests=tests)
    each = _checks.open_fraction(level=level) / tests
    _checks.open_fraction(chance=chance)
    return Power(m, n, tests, level, chance, _area(m, n, each, chance), _share(m, n, each, chance))


def _area(m: int, n: int, level: float, chance: float) -> float:
    needed = float(norm.isf(level)) * math.sqrt((m + n + 1) / (12 * m * n))

    def short(area: float) -> float:
        return area - 0.5 - needed - float(norm.ppf(chance)) * _deviation(area, m, n)

    return 1.0 if short(1.0) < 0 else float(brentq(short, 0.5, 1.0))


def _deviation(area: float, m: int, n: int) -> float:
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (m - 1) * (first - area**2) + (n - 1) * (second - area**2)
    return math.sqrt(max(variance, 0.0) / (m * n))


def _share(m: int, n: int, level: float, chance: float) -> float:
    """The least number of hits, all of them members, that is significant; and the share that brings so many."""
    hits = next((count for count in range(1, m + 1) if hypergeom.pmf(count, m + n, m, count) <= level), None)
    if hits is None:
        return 1.0
    if binom.sf(hits - 1, m, 1.0 - 1e-12) < chance:
        return 1.0
    return float(brentq(lambda share: float(binom.sf(hits - 1, m, share)) - chance, 1e-12, 1.0 - 1e-12))
