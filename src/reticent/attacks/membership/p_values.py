"""How surprising a model's answer to a record would be if the record had not been in its training data.

Promise: `p_values` gives for each record the probability that a model trained without it answers at least as
confidently as the target, under the distribution that reference models lead one to expect (`student`). For records
that the target was not trained on they are close to uniform on [0, 1], record by record and not only on average, as far
as that distribution is right: the record's own models shape it, and the tail beyond them is a Student-t tail, which is
a model. `leave_one_out_p_values` of the references shows how right it is: the share of small ones among the pairs of
model and record where the record was left out. Below 1 over the number of such pairs nothing can be checked.

The target's own membership is never used, and neither are labels. Reference models without the records are enough.

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
from reticent.attacks.membership.student import Prior, tails
from reticent.errors import UsageError
from reticent.models import Signals

__all__ = ["leave_one_out_p_values", "p_values"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


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
    moments = Moments.of(references.odds, membership)
    return tails(target.odds[0], moments, Prior.fit(moments))[0]


def leave_one_out_p_values(references: Signals, membership: Booleans) -> Floats:
    """(models, records) p-values when each reference model in turn is the target and the others are its references.

    Raises:
        UsageError: as `p_values`, or fewer than two reference models.
    """
    checked_references(references, membership, least=2)
    moments = Moments.of(references.odds, membership)
    result = np.empty(references.odds.shape)
    outside = membership.size - int(membership.sum())
    for model, (row, inside) in enumerate(zip(references.odds, membership, strict=True)):
        _some_without(outside - int((~inside).sum()))
        left = moments.without(model, row, inside)
        result[model] = tails(row, left, Prior.fit(left))[0]
    return result


def _some_without(pairs: int) -> None:
    if not pairs:
        raise UsageError(
            "Expected reference models trained without the records, got only the other kind.",
            "Draw each reference model's training records at random, about half of them.",
        )
