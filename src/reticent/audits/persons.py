"""Was this person in the training data? Several rows of one owner, one answer.

Promise: people are judged, not rows: one score for each owner, one trial for each owner and training, intervals that
draw people anew. Several ways of combining rows are tried; all are reported, with intervals that hold for all of them
at once (Bonferroni), so that taking the best of them afterwards claims nothing that was not allowed for. The choice is
made on reference models that take turns as targets; the audited model's own memberships are never looked at.

Ways: "sum" of the rows' log-likelihood ratios (the likelihood ratio of the person, if rows are independent given the
training); the "largest" of them (one row that is remembered gives a person away); and, with p-values, "fisher" (1932),
the sum of their negative logarithms, for which each row counts on the same scale. The mean is the sum again, as far as
one person is concerned, but compares people with few rows and people with many; it is "mean".

Shapes: reference scores, p-values and membership are (models, records), owners (records,), results (models, people).

Example:
    >>> import numpy as np
    >>> from reticent.audits.persons import by_person
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> owners = np.repeat(np.arange(60), 5)
    >>> membership = source.bernoulli(0.5, 20 * 60).reshape(20, 60)[:, owners]
    >>> reference = source.normal((20, 300)) + 0.7 * membership - 0.35
    >>> found = by_person(reference, membership, owners, randomness=source)
    >>> found.chosen, round(found.curve.auc.value, 1), found.people
    ('sum', 0.9, 60)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.audits.pooled import PooledCurve, pooled_curve
from reticent.errors import UsageError
from reticent.randomness import Randomness

__all__ = ["WAYS", "PersonAudit", "by_person", "combined"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

WAYS = ("sum", "mean", "largest", "fisher")
"""How rows become a person; "fisher" needs p-values."""

_SMALLEST = 1e-300


@dataclasses.dataclass(frozen=True)
class PersonAudit:
    """An attack on people.

    Attributes:
        chosen: the way whose area under the curve is largest among reference models.
        curves: every way that was tried to its ROC curve.
        scores: (models, people) by the chosen way.
        membership: (models, people) the truth.
        people: how many there are.
        records: how many rows they have.
        confidence: of the intervals of all ways at once.
    """

    chosen: str
    curves: Mapping[str, PooledCurve]
    scores: Floats
    membership: Flags
    people: int
    records: int
    confidence: float

    @property
    def curve(self) -> PooledCurve:
        """The chosen way's."""
        return self.curves[self.chosen]

    def as_dict(self) -> dict[str, Any]:
        """Plain values: the figures of every way."""
        return {
            "chosen": self.chosen,
            "people": self.people,
            "records": self.records,
            "confidence": self.confidence,
            "ways": {
                way: {
                    "auc": curve.auc.as_dict(),
                    **{f"true_positive_rate_at_{rate:g}": one.as_dict() for rate, one in curve.at.items()},
                }
                for way, curve in self.curves.items()
            },
        }


def combined(scores: Floats, owners: Counts, way: str) -> Floats:
    """(models, people) scores of owners from those of their rows.

    Args:
        scores: (models, records) log-likelihood ratios; p-values for "fisher".
        owners: whole numbers from 0, equal for rows of one owner.
        way: one of `WAYS`.
    """
    _checks.one_of(WAYS, way=way)
    order = np.argsort(owners, kind="stable")
    starts = np.searchsorted(owners[order], np.arange(int(owners.max()) + 1))
    ordered = scores[:, order]
    if way == "largest":
        return np.asarray(np.maximum.reduceat(ordered, starts, axis=1))
    if way == "fisher":
        ordered = -np.log(np.maximum(ordered, _SMALLEST))
    sums = np.add.reduceat(ordered, starts, axis=1)
    return np.asarray(sums / np.bincount(owners) if way == "mean" else sums)


def by_person(
    reference: Floats,
    membership: Flags,
    owners: Counts,
    *,
    randomness: Randomness,
    p_values: Floats | None = None,
    rates: tuple[float, ...] = (0.1, 0.01, 0.001),
    confidence: float = 0.95,
    replicates: int = 400,
) -> PersonAudit:
    """Attack people: every reference model in turn is the target of the others.

    Args:
        reference: log-likelihood ratios from `leave_one_out`.
        membership: the truth, the same for all rows of an owner.
        owners: whole numbers from 0, equal for rows of one owner (`Records.owner_index`).
        randomness: source of the bootstrap.
        p_values: of each row not having been a member, from the same turns.
        rates: false-positive rates, left out where people cannot resolve them.
        confidence: of the intervals of all ways at once.
        replicates: bootstrap draws for each way.

    Raises:
        UsageError: rows of one owner with different memberships, or shapes that do not fit.
    """
    _checks.open_fraction(confidence=confidence)
    if reference.shape != membership.shape or owners.shape != reference.shape[1:]:
        raise UsageError(
            f"Expected scores and membership of one shape (models, records) and an owner for each record, got "
            f"{reference.shape}, {membership.shape} and {owners.shape}.",
            "Pass what leave_one_out gives, Fleet.membership and Records.owner_index().",
        )
    first = np.unique(owners, return_index=True)[1]
    whole = membership[:, first]
    if not (membership == whole[:, owners]).all():
        raise UsageError(
            "Expected all rows of an owner in the same models, got rows of one owner with different memberships.",
            "Draw owners as a whole.",
        )
    sources = {way: reference for way in WAYS[:3]} | ({} if p_values is None else {"fisher": p_values})
    scores = {way: combined(values, owners, way) for way, values in sources.items()}
    each = 1 - (1 - confidence) / len(scores)
    curves = {
        way: pooled_curve(
            values,
            whole,
            rates=rates,
            randomness=randomness.spawn(way),
            confidence=each,
            replicates=replicates,
        )
        for way, values in scores.items()
    }
    chosen = max(curves, key=lambda way: curves[way].auc.value)
    return PersonAudit(chosen, curves, scores[chosen], whole, len(first), len(owners), confidence)
