"""What another way of training costs in accuracy, measured on the same draws.

Promise: two ways of training are compared model by model and record by record, on records that neither was trained on,
so what both share (easy records, lucky draws) cancels. The interval is a percentile bootstrap that draws models and
owners anew at the same time (Owen, 2007), as for ROC curves.

Shapes: (models, records); row k of both ways was trained on the same records.

Example:
    >>> import numpy as np
    >>> from reticent.audits.paired import accuracy_difference
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(0)
    >>> membership = source.bernoulli(0.5, 20 * 100).reshape(20, 100)
    >>> hard = source.bernoulli(0.3, 100)  # no training ever gets these right
    >>> first = np.broadcast_to(~hard, membership.shape)
    >>> second = first & source.bernoulli(0.9, 20 * 100).reshape(20, 100)
    >>> found = accuracy_difference(second, first, membership, randomness=source)
    >>> found.high < 0, found.contains(-0.07)
    (True, True)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reticent.errors import NotEnoughEvidence, UsageError
from reticent.evidence import Estimate
from reticent.randomness import Randomness

__all__ = ["accuracy_difference"]

Flags = npt.NDArray[np.bool_]


def accuracy_difference(
    this: Flags,
    other: Flags,
    membership: Flags,
    *,
    randomness: Randomness,
    owners: npt.NDArray[np.int64] | None = None,
    confidence: float = 0.95,
    replicates: int = 1000,
) -> Estimate:
    """Accuracy of `this` minus that of `other` on records outside the training data.

    Args:
        this: whether the model of one way predicts the record rightly.
        other: the same for the other way.
        membership: whether the record was in the training data of both.
        randomness: source of the bootstrap draws.
        owners: (records,) whole numbers from 0, equal for rows of one owner.
        confidence: of the interval.
        replicates: bootstrap draws.

    Raises:
        UsageError: shapes that do not fit.
        NotEnoughEvidence: every record was in the training data of every model.
    """
    if not this.shape == other.shape == membership.shape:
        raise UsageError(
            f"Expected answers and membership of one shape, got {this.shape}, {other.shape} and {membership.shape}.",
            "Train both ways on the same draws.",
        )
    outside = ~membership
    if not outside.any():
        raise NotEnoughEvidence("Expected records outside the training data, got none.", "Train on parts of them.")
    models, records = this.shape
    owner = np.arange(records) if owners is None else owners
    people = int(owner.max()) + 1
    gains = (this.astype(np.float64) - other) * outside
    # Sums per model and owner: drawing anew weighs rows and columns of these.
    gained, asked = (_by_owner(values, owner, people) for values in (gains, outside.astype(np.float64)))
    value = float(gained.sum() / asked.sum())
    draws = np.empty(replicates)
    for place in range(replicates):
        rows = np.bincount(randomness.integers(models, models), minlength=models)
        columns = np.bincount(randomness.integers(people, people), minlength=people)
        weight = float(rows @ (asked @ columns))
        draws[place] = float(rows @ (gained @ columns)) / weight if weight else value
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(
        value,
        min(float(low), value),
        max(float(high), value),
        confidence,
        int(outside.sum()),
        f"paired difference over {models} draws of the training data; bootstrap over models and "
        f"{'records' if people == records else 'owners'}, {replicates} draws",
    )


def _by_owner(values: npt.NDArray[np.float64], owner: npt.NDArray[np.int64], people: int) -> npt.NDArray[np.float64]:
    if people == len(owner) and (owner == np.arange(people)).all():
        return values
    return np.stack([np.bincount(owner, row, people) for row in values])
