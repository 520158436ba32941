"""LiRA: would the model answer like this if the record had not been in its training data?

Promise: a score is the logarithm of how much likelier the target's answer is among reference models that were trained
with the record than among those that were not, each side a Gaussian; `LikelihoodRatioOffline` needs no model trained
with records, and asks only how far *above* the models without the record the target answers. Only the reference models'
own memberships are used, never the target's.

| variance of a side | |
|---|---|
| "pooled" | pooled within records: sum (s - record's mean)^2 / sum (n - 1); for fewer than about 64 models |
| "record" | the record's own, sum (s - mean)^2 / n; the pooled one where it has fewer than two models |
| "blended" | the record's own and the pooled one, the latter with the weight of eight models |

Never the variance of all scores of a side, in which the records' differences drown a model's.

A record without models on a side has the mean of the records' means there. With `shrunken`, every mean is drawn towards
that one as far as the record's own models are too few to tell (empirical Bayes, normal means), and the variance
includes what is not known of the mean.

Offline, the score is z = (s - mean) / deviation; the published Phi(z) ranks the same, without z's digits. It is
one-sided: a score that is large on both sides of the mean ranks those members first that the model knows *least*.

Source: Carlini, Chien, Nasr, Song, Terzis and Tramer 2022, algorithm 1, sections 4.4 and 5.C.

Shapes: scores are (models, records) float64, larger meaning more confident in the true label; membership is boolean.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership import likelihood_ratio
    >>> membership = np.array([[True, False], [False, True], [True, True], [False, False]])
    >>> reference = np.where(membership, 5.0, 1.0) + np.array([[0.1], [-0.1], [0.2], [-0.2]])
    >>> ratio = likelihood_ratio(np.array([5.1, 0.9]), reference, membership)
    >>> bool(ratio[0] > 0 > ratio[1])
    True
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.membership.method import Method
from reticent.attacks.membership.moments import Moments
from reticent.errors import UsageError
from reticent.models import Signals

__all__ = ["LikelihoodRatio", "LikelihoodRatioOffline", "Variance", "leave_one_out", "likelihood_ratio"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Variance = Literal["pooled", "record", "blended"]

_SMALLEST_VARIANCE = 1e-12  # of a side on which all models agree to the last bit
_BLEND = 8.0  # models that the pooled variance is worth
_LEAST_MODELS = 4


@dataclasses.dataclass(frozen=True)
class LikelihoodRatio(Method):
    """LiRA with reference models with and without the records.

    Args:
        variance: how a side's variance is estimated; see the module's page.
        shrunken: whether means are drawn towards the mean of all records.
    """

    name: ClassVar[str] = "lira"
    meaning: ClassVar[str] = "log of a Gaussian density of the answer with the record over that without it"
    source: ClassVar[str] = "Carlini et al. 2022, algorithm 1"
    needs: ClassVar[frozenset[str]] = frozenset({"in-models", "out-models"})

    variance: Variance = "pooled"
    shrunken: bool = False

    def __post_init__(self) -> None:
        _checks.one_of(get_args(Variance), variance=self.variance)

    def _learn(self, values: Floats, membership: Booleans) -> Moments:
        return Moments.of(values, membership)

    def _score(self, values: Floats, learned: Moments) -> Floats:
        inside, outside = (
            -0.5 * np.log(spread) - np.square(values - centre) / (2 * spread)
            for centre, spread in (_gaussian(learned, side, self.variance, self.shrunken) for side in (0, 1))
        )
        return np.asarray(inside - outside)


@dataclasses.dataclass(frozen=True)
class LikelihoodRatioOffline(Method):
    """LiRA with reference models without the records only, one-sided.

    Args:
        variance: how the variance is estimated; see the module's page.
        shrunken: whether means are drawn towards the mean of all records.
    """

    name: ClassVar[str] = "lira_offline"
    meaning: ClassVar[str] = "how many standard deviations the answer lies above those of models without the record"
    source: ClassVar[str] = "Carlini et al. 2022, equation 4"
    needs: ClassVar[frozenset[str]] = frozenset({"out-models"})

    variance: Variance = "pooled"
    shrunken: bool = False

    def __post_init__(self) -> None:
        _checks.one_of(get_args(Variance), variance=self.variance)

    def _learn(self, values: Floats, membership: Booleans) -> Moments:
        return Moments.of(values, membership)

    def _score(self, values: Floats, learned: Moments) -> Floats:
        centre, spread = _gaussian(learned, 1, self.variance, self.shrunken)
        return np.asarray((values - centre) / np.sqrt(spread))


def likelihood_ratio(target: Floats, reference: Floats, membership: Booleans) -> Floats:
    """(records,) log-likelihood ratio of member against non-member: LiRA, pooled and shrunken, of bare scores.

    Args:
        target: (records,) scores of the attacked model.
        reference: (models, records) scores of reference models.
        membership: (models, records) whether the record was in that reference model's training data.

    Raises:
        UsageError: shapes that do not fit, or fewer than four reference models.
    """
    signals = _bare(reference, membership)
    if target.shape != reference.shape[1:]:
        raise UsageError(
            f"Expected one target score per record, got {target.shape} for {reference.shape[1]} records.",
            "Score the target on the same records as the reference models.",
        )
    if not np.isfinite(target).all():
        raise UsageError("Expected finite target scores, got NaN or infinity.", "Look for a training that diverged.")
    return LikelihoodRatio(shrunken=True).score(_signals(target[None]), signals, membership)


def leave_one_out(reference: Floats, membership: Booleans) -> Floats:
    """(models, records) scores when each reference model in turn is the target and the others are its references."""
    return LikelihoodRatio(shrunken=True).leave_one_out(_bare(reference, membership), membership)


def _gaussian(moments: Moments, side: int, variance: Variance, shrunken: bool) -> tuple[Floats, Floats]:
    """(records,) centre and variance of the next model's answer on a side."""
    n, seen = moments.count[side], moments.count[side] > 0
    within = max(moments.within(side) or 0.0, _SMALLEST_VARIANCE)
    grand = float(moments.mean[side][seen].mean()) if seen.any() else 0.0
    centre = np.where(seen, moments.mean[side], grand)
    if variance == "pooled":
        spread = np.full(len(n), within)
    elif variance == "record":
        spread = np.where(n > 1, moments.residual[side] / np.maximum(n, 1), within)
    else:
        spread = (_BLEND * within + moments.residual[side]) / (_BLEND + np.maximum(n - 1, 0))
    spread = np.maximum(spread, _SMALLEST_VARIANCE)
    if shrunken and seen.any():
        between = max(float(centre[seen].var() - within * (1 / n[seen]).mean()), _SMALLEST_VARIANCE)
        shrinkage = 1 / (1 + n * between / within)  # 1 for a record that no model of this side has seen
        centre = centre + shrinkage * (grand - centre)
        # The predictive variance: the spread of a model's answer, and what is not known of its centre.
        spread = spread + between * shrinkage
    return centre, spread


def _signals(scores: Floats) -> Signals:
    return Signals(scores, scores, scores > 0)


def _bare(reference: Floats, membership: Booleans) -> Signals:
    if reference.ndim != 2 or reference.shape != membership.shape:
        raise UsageError(
            f"Expected scores and membership of one shape (models, records), got {reference.shape} "
            f"and {membership.shape}.",
            "Score every reference model on every record.",
        )
    if len(reference) < _LEAST_MODELS:
        raise UsageError(
            f"Expected at least {_LEAST_MODELS} reference models, got {len(reference)}.", "Train more of them."
        )
    if not np.isfinite(reference).all():
        raise UsageError("Expected finite scores, got NaN or infinity.", "Look for a model whose training diverged.")
    return _signals(reference)
