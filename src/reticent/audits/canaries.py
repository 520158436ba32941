"""Canaries: records that are made to be remembered, each put into the training data by a coin of its own.

Promise: `coins` are fair and independent of each other and of everything else, and `plant` puts in exactly the records
whose coin shows True, at random places. So whatever an attacker says about the coins after seeing the model is
evidence about the training alone; no assumption about the data is needed (Steinke, Nasr and Jagielski, 2023).

Kinds, from the most to the least telling where only answers of the final model are seen (Nasr et al., 2023; Aerni,
Zhang and Tramer, 2024):

* `mislabelled`: real records with a wrong label, drawn at random: the model knows them only if it was told.
* `surprising`: the same with the label that a model trained without them finds the least likely.
* `blank`: constant records, each at a level of its own, with random labels. They resemble each other: what is learned
  of one is seen in its neighbours, which costs power, not validity.

Canaries are records of a worst case, not of the people in the data. What a training lets see of them bounds its
guarantee from below; how much it gives away of ordinary records is another question (`reticent.audit`). For whoever
sees gradients there are stronger ones: see `reticent.audits.probes`.

Where neighbours differ by an exchange, a canary that is out is replaced by its `stand_in` (the record with its true
label; for blanks another record), so that the number of records says nothing. Otherwise it is left out, and the number
of records is public, as guarantees assume.

Example:
    >>> import numpy as np
    >>> from reticent.audits.canaries import coins, mislabelled, plant
    >>> from reticent.data import Records
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(0)
    >>> data, spare = (Records(source.normal((40, 2)), np.arange(40) % 2) for _ in range(2))
    >>> canaries = mislabelled(spare, 10, source)
    >>> included = coins(10, source)
    >>> len(plant(data, canaries, included, source)) == 40 + int(included.sum())
    True
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data import Records
from reticent.errors import DataError, UsageError
from reticent.models import Exposure, Target
from reticent.privacy import Relation
from reticent.randomness import Randomness, required

__all__ = ["Canaries", "blank", "coins", "mislabelled", "plant", "surprising"]

Coins = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Canaries:
    """Records that are made to be remembered.

    Attributes:
        records: the canaries.
        stand_ins: as many records; each takes the place of its canary where that is out, and the relation is an
            exchange.
        kind: how they were made, in words.
        labels_only: whether a canary and its stand-in differ in the label alone.
    """

    records: Records
    stand_ins: Records
    kind: str
    labels_only: bool

    def __len__(self) -> int:
        return len(self.records)


def coins(count: int, randomness: Randomness) -> Coins:
    """(count,) independent fair coins."""
    return required(randomness).bernoulli(0.5, count)


def mislabelled(spare: Records, count: int, randomness: Randomness) -> Canaries:
    """Records with a label that is not theirs, drawn at random from the others.

    Args:
        spare: records that are not trained on otherwise; so many of them are drawn.
        count: how many canaries.
        randomness: source of records and labels.

    Raises:
        DataError: fewer records than canaries.
    """
    chosen = _drawn(spare, count, randomness)
    shift = 1 + required(randomness).integers(chosen.classes - 1, count)
    return _relabelled(chosen, (chosen.labels + shift) % chosen.classes, "mislabelled records")


def surprising(spare: Records, count: int, model: Any, randomness: Randomness) -> Canaries:
    """Records with the label that a model finds the least likely for them, and that is not theirs.

    Args:
        spare: see `mislabelled`.
        count: how many canaries.
        model: one that was trained without `spare`: anything that `reticent.models.Target` accepts.
        randomness: source of the records.

    Raises:
        DataError: fewer records than canaries.
        ModelError: a model that cannot be asked.
    """
    chosen = _drawn(spare, count, randomness)
    logs = Target(model, classes=chosen.classes, exposure=Exposure.LOGITS).log_probabilities(chosen.features)
    logs = logs[:, : chosen.classes].copy()
    logs[np.arange(count), chosen.labels] = np.inf
    return _relabelled(chosen, logs.argmin(axis=1), "records with the label that surprises most")


def blank(like: Records, count: int, randomness: Randomness) -> Canaries:
    """Constant records, each at a level of its own between the least and the largest number of the features.

    Args:
        like: records of the same kind; stand-ins are drawn from them, so they are not trained on otherwise.
        count: how many canaries.
        randomness: source of levels and labels.

    Raises:
        DataError: fewer records than canaries; features that are whole numbers: there are too few levels.
    """
    if like.features.dtype.kind in "iu":
        raise DataError(
            "Expected features that are not whole numbers, got token ids or counts: blank records would be alike.",
            "Use mislabelled canaries.",
        )
    stand_ins = _drawn(like, count, randomness)
    low, high = float(like.features.min()), float(like.features.max())
    levels = np.linspace(low, high, count)[required(randomness).permutation(count)]
    features = np.empty_like(stand_ins.features)
    features[...] = levels.reshape((count,) + (1,) * (features.ndim - 1))
    made = _made(stand_ins, features, required(randomness).integers(like.classes, count))
    return Canaries(made, stand_ins, "blank records", labels_only=False)


def plant(
    records: Records,
    canaries: Canaries,
    included: Coins,
    randomness: Randomness,
    *,
    relation: Relation = Relation.ADD_OR_REMOVE_ONE,
) -> Records:
    """The training records: these and the canaries that are in, in random order.

    Args:
        records: without canaries and stand-ins.
        canaries: what may be planted.
        included: (canaries,) from `coins`.
        randomness: source of the order.
        relation: which data sets are neighbours: decides what becomes of a canary that is out.

    Raises:
        UsageError: not one coin for each canary.
        DataError: canaries of another kind than the records.
    """
    if included.shape != (len(canaries),) or included.dtype != bool:
        raise UsageError(
            f"Expected one True or False for each of {len(canaries)} canaries, got {included.dtype} of shape "
            f"{included.shape}.",
            "Toss them with coins(len(canaries), randomness).",
        )
    planted = [canaries.records.take(included)] if included.any() else []
    if relation is Relation.REPLACE_ONE and not included.all():
        planted.append(canaries.stand_ins.take(~included))
    together = records.take(np.arange(len(records)))
    # What was promised for the records was not promised for the canaries.
    together.guarantee = None
    if together.owners is not None:
        together.owners = together.owner_index()
    for part in planted:
        together = together.joined(_owned(part, together))
    return together.take(required(randomness).spawn("places").permutation(len(together)))


def _owned(part: Records, beside: Records) -> Records:
    """Canaries as rows of people who own nothing else, where it is known who owns what."""
    owners = None if beside.owners is None else int(beside.owners.max()) + 1 + np.arange(len(part))
    return Records(
        part.features,
        part.labels,
        classes=part.classes,
        name=part.name,
        unit=beside.unit,
        owners=owners,
        feature_names=beside.feature_names,
    )


def _drawn(spare: Records, count: int, randomness: Randomness) -> Records:
    _checks.at_least(1, count=count)
    if len(spare) < count:
        raise DataError(
            f"Expected at least {count} records to make canaries of, got {len(spare)}.", "Ask for fewer canaries."
        )
    return spare.take(required(randomness).permutation(len(spare))[:count])


def _made(like: Records, features: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> Records:
    return Records(
        features, labels, classes=like.classes, name=like.name, unit=like.unit, feature_names=like.feature_names,
        owners=like.owners,
    )  # fmt: skip


def _relabelled(chosen: Records, labels: npt.NDArray[np.int64], kind: str) -> Canaries:
    return Canaries(_made(chosen, chosen.features, labels), chosen, kind, labels_only=True)
