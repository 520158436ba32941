"""Does a training depend on this record at all? An exact test for each record, from the coin flips that drew it.

Promise: if trainings do not depend on a record, its p-value is at or below any level u with probability at most u,
exactly, for any number of models and any training. Nothing is assumed about the scores: no normal distribution, no
equal variances, no independence between records. Given the trainings, p-values of records that no training depends on
are independent of one another and of all others, because their coins are; so Benjamini and Hochberg's list controls
the false discovery rate as their first theorem says.

How: a record's memberships in the models are coin flips that the trainer has never seen but for training on the record.
If that changed nothing, the models' scores for the record are as they would be with the coins flipped again, and all
choices of which models had it, given how many, are equally likely. The statistic is the rank sum of the scores of the
models that were trained with the record (Wilcoxon, 1945; Mann and Whitney, 1947), one-sided: members are answered with
more confidence. Its null distribution is computed exactly, so p-values go down to one over the number of such choices:
5e-19 with 64 models, small enough for a million records, where drawing permutations would never end. Scores that take
two values get Fisher's exact test (1935), which is the same statistic; other ties are broken at random, which keeps the
test exact. Beyond 300 models an upper bound of the p-value takes the place of the exact one (Hoeffding, 1963).

The effect is the area under the record's own ROC curve: how often, shown one training with the record and one without,
an attacker who goes by the score picks the right one. Its interval is free of distributions too: Hoeffding's bound for
U-statistics (1963, section 5a) in its relative-entropy form, with as many independent pairs as the smaller side has
models.

What has to hold: each owner's coins are flipped independently of all else, as `train_shadows` does. Rows of one owner
share their coins: `owners` makes the owner the unit, with the mean of the rows' standardised scores.

Shapes: scores and membership are (models, records); results are (units,): records, or owners.

Example:
    >>> import numpy as np
    >>> from reticent.audits.randomisation import column_tests
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> membership = source.bernoulli(0.5, 32 * 3).reshape(32, 3)
    >>> scores = source.normal((32, 3)) + np.array([0.0, 0.0, 4.0]) * membership  # trainings depend on the last one
    >>> found = column_tests(scores, membership, randomness=source)
    >>> (found.p < 1e-6).tolist(), float(found.effect[2])
    ([False, False, True], 1.0)
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import numpy.typing as npt
from scipy.special import rel_entr
from scipy.stats import hypergeom, rankdata

from reticent.errors import UsageError
from reticent.randomness import Randomness

__all__ = ["ColumnTests", "column_tests", "effect_interval", "rank_sum_tails", "smallest_p"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

_EXACT = 300  # models: the tables of null distributions take 54 MB there
_HALVINGS = 60


@dataclasses.dataclass(frozen=True)
class ColumnTests:
    """One test for each unit.

    Attributes:
        p: (units,) one-sided p-values; 1 where all models were trained with the unit, or none.
        effect: (units,) area under the unit's own ROC curve, ties counting half; 0.5 where it is not defined.
        inside: (units,) models that were trained with the unit.
        models: how many models there are.
    """

    p: Floats
    effect: Floats
    inside: Counts
    models: int

    def interval(self, units: Counts, confidence: float) -> tuple[Floats, Floats]:
        """Ends of the intervals of some units' effects; see `effect_interval`."""
        return effect_interval(
            self.effect[units], np.minimum(self.inside[units], self.models - self.inside[units]), confidence
        )


def column_tests(
    scores: Floats,
    membership: Flags,
    *,
    randomness: Randomness,
    owners: Counts | None = None,
) -> ColumnTests:
    """Test each record, or each owner, for whether the trainings depend on it.

    Args:
        scores: (models, records) each model's own score, larger for more confident answers: log-odds of the true
            label (`Fleet.scores`). Not scores that were computed from the memberships, such as `leave_one_out`'s.
        membership: (models, records) the coins.
        randomness: breaks ties between scores.
        owners: (records,) whole numbers from 0, equal for rows of one owner.

    Raises:
        UsageError: shapes that do not fit, scores that are not finite, or rows of one owner with different coins.
    """
    _check(scores, membership)
    if owners is not None:
        scores, membership = _by_owner(scores, membership, owners)
    models = len(scores)
    inside = membership.sum(axis=0)
    outside = models - inside
    columns = np.ascontiguousarray(scores.T)
    coins = np.ascontiguousarray(membership.T)
    order = np.argsort(columns, axis=1)
    ordered = np.take_along_axis(columns, order, axis=1)
    tied = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    above = _above(np.take_along_axis(coins, order, axis=1), inside).astype(np.float64)
    p = rank_sum_tails(above, inside, models)
    if tied.any():
        above[tied], p[tied] = _with_ties(columns[tied], coins[tied], inside[tied], randomness)
    pairs = (inside * outside).astype(np.float64)
    both = pairs > 0
    effect = np.divide(above, pairs, out=np.full(len(p), 0.5), where=both)
    return ColumnTests(np.where(both, p, 1.0), effect, inside, models)


def rank_sum_tails(above: Floats, inside: Counts, models: int) -> Floats:
    """(units,) probability, without any effect, of at least so many pairs in which the member's score is the larger.

    Args:
        above: (units,) whole numbers of such pairs.
        inside: (units,) members among the models.
        models: how many models there are.
    """
    smaller = np.minimum(inside, models - inside)  # the law is the same with sides exchanged
    if models > _EXACT:
        pairs = np.maximum(inside * (models - inside), 1)
        share = np.maximum(above / pairs, 0.5)
        return np.asarray(np.minimum(np.exp(-smaller * _divergence(share, np.full(len(share), 0.5))), 1.0))
    tails = _tails(models)
    return np.asarray(tails[smaller, np.maximum(above, 0).astype(np.int64)])


def smallest_p(models: int, inside: int | None = None) -> float:
    """The smallest p-value that so many models can give, half of them (or `inside`) trained with the unit."""
    inside = models // 2 if inside is None else inside
    if models > _EXACT:
        return 0.5 ** min(inside, models - inside)
    return 1 / math.comb(models, inside)


def effect_interval(effect: Floats, pairs: Counts, confidence: float) -> tuple[Floats, Floats]:
    """Ends of an interval that covers the true area at least `confidence` of the time, whatever the distributions.

    Args:
        effect: (units,) measured areas.
        pairs: (units,) models on the smaller side; 0 gives the whole interval.
        confidence: of each interval.
    """
    if not len(effect):
        return np.empty(0), np.empty(0)
    cost = np.divide(
        math.log(2 / (1 - confidence)), pairs, out=np.full(len(effect), np.inf), where=np.asarray(pairs) > 0
    )
    low = _end(effect, np.zeros(len(effect)), cost)
    return low, 1 - _end(1 - effect, np.zeros(len(effect)), cost)


def _end(effect: Floats, low: Floats, cost: Floats) -> Floats:
    """The smallest area from which the measured one costs no more than allowed, by halving."""
    high = effect.copy()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        far = _divergence(effect, middle) > cost
        low, high = np.where(far, middle, low), np.where(far, high, middle)
    return low


def _divergence(share: Floats, truth: Floats) -> Floats:
    """Relative entropy of coins that show heads with probability `share` from coins with probability `truth`."""
    return np.asarray(rel_entr(share, truth) + rel_entr(1 - share, 1 - truth))


def _above(coins: Flags, inside: Counts) -> Counts:
    """(units,) pairs in which the member's score is the larger, from coins in the order of the scores."""
    ranks = np.arange(1, coins.shape[1] + 1)
    return np.asarray(coins @ ranks - inside * (inside + 1) // 2)


def _with_ties(columns: Floats, coins: Flags, inside: Counts, randomness: Randomness) -> tuple[Floats, Floats]:
    """Pairs (ties count half) and p-values of columns with ties."""
    models = columns.shape[1]
    middle = (rankdata(columns, axis=1) * coins).sum(axis=1) - inside * (inside + 1) / 2
    keys = randomness.spawn("ties").uniform(columns.shape)
    order = np.lexsort((keys, columns), axis=1)
    p = rank_sum_tails(_above(np.take_along_axis(coins, order, axis=1), inside).astype(np.float64), inside, models)
    top, bottom = columns.max(axis=1, keepdims=True), columns.min(axis=1, keepdims=True)
    two = ((columns == top) | (columns == bottom)).all(axis=1)
    upper = columns == top
    hits = (upper & coins).sum(axis=1)
    fisher = hypergeom.sf(hits[two] - 1, models, upper[two].sum(axis=1), inside[two])
    p[two] = np.clip(fisher, 0.0, 1.0)
    return middle, p


@functools.lru_cache(maxsize=4)
def _tails(models: int) -> Floats:
    """(smaller side + 1, pairs + 1) P(at least so many pairs are above), for each size of the smaller side.

    By whether the largest score is a member's: the law for (m, n) is a mixture of those for (m - 1, n), n pairs
    further, and for (m, n - 1). Only sums of positive numbers, so nothing cancels.
    """
    half = models // 2
    width = half * (models - half) + 1
    law = np.zeros((half + 1, width))
    law[0, 0] = 1.0
    for total in range(1, models + 1):
        before = law
        law = np.zeros_like(before)
        law[0, 0] = 1.0
        for m in range(1, min(half, total) + 1):
            n = total - m
            share = m / total
            law[m, n:] += share * before[m - 1, : width - n] if n else share * before[m - 1]
            if n:
                law[m] += (1 - share) * before[m]
    tails = np.cumsum(law[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.minimum(tails, 1.0))


def _by_owner(scores: Floats, membership: Flags, owners: Counts) -> tuple[Floats, Flags]:
    """(models, owners) mean of the rows' standardised scores, and the owners' coins."""
    if owners.shape != scores.shape[1:]:
        raise UsageError(
            f"Expected one owner for each of {scores.shape[1]} records, got shape {owners.shape}.",
            "Pass Records.owner_index().",
        )
    first = np.unique(owners, return_index=True)[1]
    if not (membership == membership[:, first][:, owners]).all():
        raise UsageError(
            "Expected all rows of an owner in the same models, got rows of one owner with different memberships.",
            "Draw owners as a whole, or test records without owners.",
        )
    if len(first) == len(owners):
        order = np.argsort(owners)
        return scores[:, order], membership[:, order]
    spread = scores.std(axis=0)
    even = (scores - scores.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    order = np.argsort(owners, kind="stable")
    starts = np.searchsorted(owners[order], np.arange(len(first)))
    sums = np.add.reduceat(even[:, order], starts, axis=1)
    return sums / np.bincount(owners), membership[:, first]


def _check(scores: Floats, membership: Flags) -> None:
    if scores.ndim != 2 or scores.shape != membership.shape or membership.dtype != bool:
        raise UsageError(
            f"Expected scores and True or False of one shape (models, records), got {scores.shape} and "
            f"{membership.dtype} of shape {membership.shape}.",
            "Pass Fleet.scores and Fleet.membership.",
        )
    if not np.isfinite(scores).all():
        raise UsageError("Expected finite scores, got NaN or infinity.", "Look for a training that diverged.")
