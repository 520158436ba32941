"""How surprising a model's answer to a record would be if the record had not been in its training data.

Promise: `p_values` gives for each record the probability that a model trained without it answers at least as
confidently as the target, under the distribution that reference models lead one to expect (`student`). For records
that the target was not trained on they are close to uniform on [0, 1], record by record and not only on average, as far
as that distribution is right: the record's own models shape it, and the tail beyond them is a Student-t tail, which is
a model. `leave_one_out_p_values` of the references shows how right it is: the share of small ones among the pairs of
model and record where the record was left out. Below 1 over the number of such pairs nothing can be checked.

Where answers are one of two values (labels alone), a Student-t distribution would be far off. Then the p-value of the
higher one is the probability that a model without the record is right, shrunken towards that of all records (a beta
prior by moments), and that of the lower one is 1. Answers of more than two values are taken to be continuous; with
many ties (rounded probabilities) that is a rough approximation.

The target's own membership is never used, and neither are labels. Reference models without the records are enough.

Sources: the predictive distribution, `reticent.attacks.membership.student`; moments of the beta-binomial distribution,
Kleinman 1973.

Shapes: as in `Method`; p-values are in [0, 1].

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership import p_values
    >>> from reticent.models import Signals
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> odds = source.normal(2000) * 2 + source.normal((9, 2000))
    >>> inside = source.bernoulli(0.5, 8 * 2000).reshape(8, 2000)
    >>> odds[:8] += 3 * inside
    >>> signals = Signals(odds, -np.log1p(np.exp(-odds)), odds > 0)
    >>> found = p_values(signals.model(8), signals.take(slice(8)), inside)  # the last model saw none of the records
    >>> [round(float((found <= level).mean()), 2) for level in (0.5, 0.1, 0.01)]
    [0.5, 0.11, 0.01]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reticent.attacks.membership.method import checked_references, checked_target
from reticent.attacks.membership.moments import Moments
from reticent.attacks.membership.student import Prior, tail
from reticent.errors import UsageError
from reticent.models import Signals

__all__ = ["leave_one_out_p_values", "p_values"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
_CORRELATION = (1e-3, 0.999)  # of two models' answers to one record, where there are two values
_UNKNOWN = 0.5  # that correlation, if no record has two models to tell


def p_values(target: Signals, references: Signals, membership: Booleans) -> Floats:
    """(records,) one-sided p-values of "the record was not in the target's training data".

    Args:
        target: the attacked model's signals, of one model.
        references: reference models' signals for the same records.
        membership: (models, records) whether the record was in that reference model's training data.

    Raises:
        UsageError: shapes that do not fit, no reference model, or none trained without some of the records.
    """
    checked_references(references, membership)
    checked_target(target, references)
    _some_without(membership.size - int(membership.sum()))
    row = target.odds[0]
    if (upper := _upper_of_two(np.concatenate([references.odds, target.odds]))) is not None:
        outside = ~membership
        high = ((references.odds == upper) & outside).sum(axis=0)
        return _of_two(row == upper, high, outside.sum(axis=0))
    moments = Moments.of(references.odds, membership)
    return tail(row, moments, Prior.fit(moments))


def leave_one_out_p_values(references: Signals, membership: Booleans) -> Floats:
    """(models, records) p-values when each reference model in turn is the target and the others are its references.

    Raises:
        UsageError: as `p_values`, or fewer than two reference models.
    """
    checked_references(references, membership, least=2)
    outside = ~membership
    pairs = int(outside.sum())
    for own in outside.sum(axis=1):
        _some_without(pairs - int(own))
    result = np.empty(references.odds.shape)
    if (upper := _upper_of_two(references.odds)) is not None:
        highs = (references.odds == upper) & outside
        high, count = highs.sum(axis=0), outside.sum(axis=0)
        for model, row in enumerate(references.odds):
            result[model] = _of_two(row == upper, high - highs[model], count - outside[model])
        return result
    moments = Moments.of(references.odds, membership)
    for model, (row, inside) in enumerate(zip(references.odds, membership, strict=True)):
        left = moments.without(model, row, inside)
        result[model] = tail(row, left, Prior.fit(left))
    return result


def _some_without(pairs: int) -> None:
    if not pairs:
        raise UsageError(
            "Expected reference models trained without the records, got only the other kind.",
            "Draw each reference model's training records at random, about half of them.",
        )


def _upper_of_two(odds: Floats) -> float | None:
    """The higher one, if answers are one of two values; None if they are more."""
    low, high = float(odds.min()), float(odds.max())
    return high if bool(((odds == low) | (odds == high)).all()) else None


def _of_two(is_high: Booleans, high: npt.NDArray[np.int64], count: npt.NDArray[np.int64]) -> Floats:
    """Shrunken shares of the higher value where the target shows it, 1 elsewhere.

    Args:
        is_high: (records,) whether the target shows the higher value.
        high: (records,) how many models without the record do.
        count: (records,) how many models without the record there are.
    """
    share = (float(high.sum()) + 0.5) / (float(count.sum()) + 1.0)
    # Pairs of models without one record agree by chance, and by what records differ in: their correlation.
    pairs = float((count * (count - 1)).sum())
    if pairs:
        both = np.square(high - count * share).sum() - (count * share * (1 - share)).sum()
        correlation = float(np.clip(both / pairs / (share * (1 - share)), *_CORRELATION))
    else:
        correlation = _UNKNOWN
    strength = 1 / correlation - 1
    return np.where(is_high, (high + strength * share) / (count + strength), 1.0)
