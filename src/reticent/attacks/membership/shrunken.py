"""The likelihood ratio with a conjugate prior per side: `student` with a single class, in closed form.

Promise: nothing is searched for. The prior of a side has the variance pooled within records, the strength of that over
the variance between records, four degrees of freedom, and the mean over records (or, with `regressed`, a line in the
shrunken mean without the record, for the side with it). Kept to be compared with.

With the prior's mean m, strength kappa, degrees nu and variance s^2, and a record's n models with mean xbar and sum of
squared deviations SS (Murphy 2007, section 6):

    kappa_n = kappa + n;  m_n = (kappa m + n xbar) / kappa_n;  nu_n = nu + n
    nu_n s_n^2 = nu s^2 + SS + (kappa n / kappa_n) (xbar - m)^2
    next answer ~ t with nu_n degrees, centre m_n, squared scale s_n^2 (kappa_n + 1) / kappa_n

and the score is the log of that density with the record over that without it.

Sources: arXiv 2603.11799 ("BaVarIA": a normal-inverse-gamma prior per side); the regression is this project's.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership.shrunken import Shrunken
    >>> from reticent.models import Signals
    >>> odds = np.array([[1.0, 4.0], [4.0, 1.0], [1.2, 3.9]])
    >>> signals = Signals(odds, -np.log1p(np.exp(-odds)), odds > 0)
    >>> inside = np.array([[False, True], [True, False], [False, True]])
    >>> scores = Shrunken().score(signals.model(2), signals.take([0, 1]), inside[:2])
    >>> bool(scores[1] > scores[0])
    True
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from reticent.attacks.membership.method import Method
from reticent.attacks.membership.moments import Moments
from reticent.attacks.membership.student import within

__all__ = ["Shrunken"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
_FREEDOM = 4.0
_LEAST_BETWEEN = 1e-3  # variance between records, in variances within


@dataclasses.dataclass(frozen=True)
class Shrunken(Method):
    """Student-t likelihood ratio with one normal-inverse-gamma prior per side.

    Args:
        regressed: whether the prior mean with the record is a line in the shrunken mean without it.
    """

    name: ClassVar[str] = "shrunken"
    meaning: ClassVar[str] = "log of a Student-t density of the answer with the record over that without it"
    source: ClassVar[str] = "arXiv 2603.11799 (BaVarIA)"
    needs: ClassVar[frozenset[str]] = frozenset({"in-models", "out-models"})

    regressed: bool = True

    def _learn(self, values: Floats, membership: Booleans) -> Moments:
        return Moments.of(values, membership)

    def _score(self, values: Floats, learned: Moments) -> Floats:
        pooled = within(learned)
        outside, centre = _log_density(values, learned, 1, float(pooled[1]), _grand(learned, 1))
        start = _line(learned, centre) if self.regressed else _grand(learned, 0)
        return _log_density(values, learned, 0, float(pooled[0]), start)[0] - outside


def _grand(moments: Moments, side: int) -> Floats:
    return np.full(moments.count.shape[1], moments.mean[side][moments.count[side] > 0].mean())


def _line(moments: Moments, centre: Floats) -> Floats:
    """(records,) prior means with the record: regressed on the centres without it, weighted by models."""
    n = moments.count[0]
    middle = np.average(centre, weights=n)
    moved = centre - middle
    spread = np.average(np.square(moved), weights=n)
    level = np.average(moments.mean[0], weights=n)
    slope = np.average(moments.mean[0] * moved, weights=n) / spread if spread > 0 else 0.0
    return np.asarray(level + slope * moved)


def _log_density(values: Floats, moments: Moments, side: int, pooled: float, start: Floats) -> tuple[Floats, Floats]:
    """(records,) log-density of the values, and the centres, on a side whose means are expected around `start`."""
    n, seen = moments.count[side], moments.count[side] > 0
    away = np.where(seen, moments.mean[side] - start, 0.0)
    between = float(np.square(away[seen]).mean() - pooled * (1 / n[seen]).mean())
    strength = pooled / max(between, _LEAST_BETWEEN * pooled)
    known, free = strength + n, _FREEDOM + n
    centre = start + n / known * away
    total = _FREEDOM * pooled + moments.residual[side] + strength * n / known * np.square(away)
    square = total * (known + 1) / known
    logs = gammaln((free + 1) / 2) - gammaln(free / 2) - 0.5 * np.log(np.pi * square)
    return logs - (free + 1) / 2 * np.log1p(np.square(values - centre) / square), centre
