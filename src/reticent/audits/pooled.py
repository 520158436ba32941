"""ROC curves over many trainings, with intervals that respect that trials share models and records.

Promise: intervals are percentiles of a bootstrap that draws models and records anew, each with replacement, at the same
time; it is conservative when trials share both (Owen, 2007, pigeonhole bootstrap). The threshold is set anew in every
draw, so its uncertainty is inside the interval. Where all trials agree, a bootstrap would claim certainty; there the
number of independent models bounds what can be known (Clopper and Pearson, 1934). The curve starts where ten false
positives are expected: further left nothing is resolved.

Shapes: scores, membership and correct are (models, records).

Example:
    >>> import numpy as np
    >>> from reticent.audits.pooled import pooled_curve
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> membership = source.bernoulli(0.5, 20 * 50).reshape(20, 50)
    >>> scores = source.normal((20, 50)) + membership
    >>> curve = pooled_curve(scores, membership, rates=(0.1, 0.001), randomness=source)
    >>> curve.auc.contains(0.76), sorted(curve.at)  # 500 non-member trials do not resolve 0.1 %
    (True, [0.1])
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from reticent.audits.statistics import clopper_pearson, resolvable
from reticent.errors import NotEnoughEvidence
from reticent.evidence import Estimate
from reticent.randomness import Randomness

__all__ = ["PooledCurve", "Trials", "around", "pooled_curve", "redrawn"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_POINTS = 120


@dataclasses.dataclass(frozen=True)
class PooledCurve:
    """A ROC curve over many trainings.

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
    owners: npt.NDArray[np.int64] | None = None,
    confidence: float = 0.95,
    replicates: int = 400,
) -> PooledCurve:
    """The ROC curve of all (model, record) trials together.

    Args:
        scores: larger means "member".
        membership: the truth.
        rates: false-positive rates to report.
        randomness: source of the bootstrap draws.
        correct: whether the model predicts the record rightly; for the accuracy on non-members.
        owners: (records,) whole numbers from 0, equal for rows of one owner: these are drawn together.
        confidence: of every interval.
        replicates: bootstrap draws.

    Raises:
        NotEnoughEvidence: no member trial, or no non-member trial.
    """
    if membership.all() or not membership.any():
        raise NotEnoughEvidence(
            "Expected trials of members and of non-members, got one kind only.", "Draw memberships at random."
        )
    models, records = scores.shape
    trials = Trials(scores, membership, rates, correct)
    whole = trials.measure(np.ones_like(scores))
    owner = np.arange(records) if owners is None else owners
    people = int(owner.max()) + 1
    draws = [trials.measure(redrawn(models, people, randomness)[:, owner]) for _ in range(replicates)]
    least = clopper_pearson(min(models, people), min(models, people), confidence)[0]
    low, high = around(whole, np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0), least)
    drawn = f"{records} records" if people == records else f"the {people} owners of {records} records"
    method = f"bootstrap over {models} models and {drawn}, {replicates} draws"

    def estimate(place: int, threshold: str | None = None) -> Estimate:
        value, bottom, top = float(whole[place]), float(low[place]), float(high[place])
        return Estimate(value, bottom, top, confidence, scores.size, method, threshold)

    points = len(trials.grid)
    estimates = {
        asked: estimate(int(np.searchsorted(trials.grid, asked)), "set anew in every bootstrap draw")
        for asked in rates
        if resolvable(asked, int((~membership).sum()))
    }
    low[:points][trials.grid >= 1] = 1.0  # who names everybody names all members, whatever is drawn
    return PooledCurve(
        false_positive_rates=trials.grid,
        true_positive_rates=whole[:points],
        low=low[:points],
        high=high[:points],
        auc=estimate(points),
        at=estimates,
        accuracy=None if correct is None else estimate(points + 1),
    )


class Trials:
    """All trials, sorted once, to be measured under many weightings; arguments as for `pooled_curve`."""

    def __init__(self, scores: Floats, membership: Flags, rates: tuple[float, ...], correct: Flags | None) -> None:
        flat = scores.reshape(-1)
        self._order = np.argsort(-flat, kind="stable")
        self._ends = np.flatnonzero(np.append(np.diff(flat[self._order]) != 0, True))  # last trial of each tie
        self._inside = membership.reshape(-1)[self._order]
        right = np.zeros_like(membership) if correct is None else correct & ~membership
        self._right = right.reshape(-1)[self._order]
        start = min(1.0, 10 / int((~membership).sum()))
        kept = [rate for rate in rates if rate >= start]
        self.grid = np.unique(np.concatenate([np.geomspace(start, 1.0, _POINTS), np.asarray(kept)]))

    def measure(self, weights: Floats) -> Floats:
        """True-positive rates over the grid, then the area under the curve, then the accuracy on non-members."""
        w = weights.reshape(-1)[self._order]
        members = np.cumsum(w * self._inside)[self._ends]
        others = np.cumsum(w * ~self._inside)[self._ends]
        # Linear between the ends of ties: they are broken at random, and count half in the area.
        tpr = np.concatenate([[0.0], members / members[-1]])
        fpr = np.concatenate([[0.0], others / others[-1]])
        area = float(np.trapezoid(tpr, fpr))
        accuracy = float((w * self._right).sum() / others[-1])
        return np.concatenate([_interpolate(self.grid, fpr, tpr), [min(area, 1.0), accuracy]])


def redrawn(models: int, people: int, randomness: Randomness) -> Floats:
    """(models, people) weights of one bootstrap draw."""
    rows = np.bincount(randomness.integers(models, models), minlength=models)
    columns = np.bincount(randomness.integers(people, people), minlength=people)
    return np.outer(rows, columns).astype(np.float64)


def around(values: Floats, quantiles: Floats, least: float) -> tuple[Floats, Floats]:
    """Lower and upper ends around the values; where all trials agree, as wide as the independent models demand."""
    low, high = np.minimum(quantiles[0], values), np.maximum(quantiles[1], values)
    low = np.where(values >= 1, np.minimum(low, least), low)
    high = np.where(values <= 0, np.maximum(high, 1 - least), high)
    return low, high


def _interpolate(grid: Floats, fpr: Floats, tpr: Floats) -> Floats:
    """The curve's height over the grid; where it rises vertically, its top."""
    last = np.searchsorted(fpr, grid, side="right") - 1  # the last point at or left of each grid value
    following = np.minimum(last + 1, len(fpr) - 1)
    gap = fpr[following] - fpr[last]
    share = np.divide(grid - fpr[last], gap, out=np.zeros_like(grid), where=gap > 0)
    return np.asarray(tpr[last] + share * (tpr[following] - tpr[last]))
