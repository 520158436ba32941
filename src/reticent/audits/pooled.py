"""ROC curves over many trainings, with intervals that respect that trials share models and records.

Promise: intervals are percentiles of a bootstrap that draws models and records anew, each with replacement, at the same
time; it is conservative when trials share both (Owen, 2007, pigeonhole bootstrap). The threshold is set anew in every
draw, so its uncertainty is inside the interval. Values are exact; from 4,000 different scores on, draws are measured in
bins that hold at most a thousandth of the trials (`reticent.audits.bootstrap`). Where all trials agree, a bootstrap
would claim certainty; there the number of independent models bounds what can be known (Clopper and Pearson, 1934).
The curve starts where ten false positives are expected: further left nothing is resolved.

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
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.audits.bootstrap import Tallies, binned, draws, interpolate
from reticent.audits.statistics import clopper_pearson, resolvable
from reticent.errors import NotEnoughEvidence
from reticent.evidence import Estimate
from reticent.randomness import Randomness

__all__ = ["PooledCurve", "around", "grid_of", "measure", "pooled_curve"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

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
    owner = np.arange(records) if owners is None else owners
    people = int(owner.max()) + 1
    right = None if correct is None else _per_person(correct & ~membership, owner, people)
    grid = grid_of(int((~membership).sum()), rates)
    exact = binned(scores, membership, exact=True)
    whole = measure(grid, exact.members, exact.others, None if right is None else right.sum())
    sample = _replicates(scores, membership, owner, right, grid, replicates, randomness)
    least = clopper_pearson(min(models, people), min(models, people), confidence)[0]
    low, high = around(whole, np.quantile(sample, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0), least)
    drawn = f"{records} records" if people == records else f"the {people} owners of {records} records"
    method = f"bootstrap over {models} models and {drawn}, {replicates} draws"

    def estimate(place: int, threshold: str | None = None) -> Estimate:
        value, bottom, top = float(whole[place]), float(low[place]), float(high[place])
        return Estimate(value, bottom, top, confidence, scores.size, method, threshold)

    points = len(grid)
    estimates = {
        asked: estimate(int(np.searchsorted(grid, asked)), "set anew in every bootstrap draw")
        for asked in rates
        if resolvable(asked, int((~membership).sum()))
    }
    low[:points][grid >= 1] = 1.0  # who names everybody names all members, whatever is drawn
    return PooledCurve(
        false_positive_rates=grid,
        true_positive_rates=whole[:points],
        low=low[:points],
        high=high[:points],
        auc=estimate(points),
        at=estimates,
        accuracy=None if correct is None else estimate(points + 1),
    )


def grid_of(others: int, rates: tuple[float, ...]) -> Floats:
    """False-positive rates from where ten false positives are expected to 1, the asked ones among them."""
    start = min(1.0, 10 / others)
    kept = [rate for rate in rates if rate >= start]
    return np.unique(np.concatenate([np.geomspace(start, 1.0, _POINTS), np.asarray(kept)]))


def _per_person(flags: Flags, owner: Counts, people: int) -> Floats:
    """(models, people) how many of each person's trials are flagged."""
    return np.stack([np.bincount(owner[row], minlength=people) for row in flags]).astype(np.float64)


def _replicates(
    scores: Floats,
    membership: Flags,
    owner: Counts,
    right: Floats | None,
    grid: Floats,
    count: int,
    randomness: Randomness,
) -> list[Floats]:
    """What `measure` gives for each draw that holds trials of both kinds."""
    tallies = Tallies(binned(scores, membership), membership, owner)
    sample = []
    for rows, columns in draws(len(scores), int(owner.max()) + 1, count, randomness):
        counts = tallies.of(rows, columns)
        hits = None if right is None else ((columns @ right.T) * rows).sum(axis=1)
        sample += [
            measure(grid, members, others, None if hits is None else hits[i])
            for i, (members, others) in enumerate(zip(*counts, strict=True))
            if members.any() and others.any()
        ]
    return sample


def measure(grid: Floats, members: Floats, others: Floats, right: Any) -> Floats:
    """True-positive rates over the grid, then the area under the curve, then the accuracy on non-members."""
    above, wrong = np.cumsum(members), np.cumsum(others)
    tpr, fpr = np.append(0.0, above / above[-1]), np.append(0.0, wrong / wrong[-1])
    # Linear between the ends of ties: they are broken at random, and count half in the area.
    area = min(float(np.trapezoid(tpr, fpr)), 1.0)
    accuracy = 0.0 if right is None else float(right / wrong[-1])
    return np.concatenate([interpolate(grid, fpr, tpr), [area, accuracy]])


def around(values: Floats, quantiles: Floats, least: float) -> tuple[Floats, Floats]:
    """Lower and upper ends around the values; where all trials agree, as wide as the independent models demand."""
    low, high = np.minimum(quantiles[0], values), np.maximum(quantiles[1], values)
    low = np.where(values >= 1, np.minimum(low, least), low)
    high = np.where(values <= 0, np.maximum(high, 1 - least), high)
    return low, high
