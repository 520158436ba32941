"""What an audit knows before any shadow model is trained: records, the model's answers, and what records alone betray.

Promise: nothing of it depends on shadow models, and its records have been checked: enough of them, two classes, one
shape.

Example:
    >>> import numpy as np
    >>> from reticent.audits.case import checked_sides
    >>> checked_sides((np.eye(3), [0, 1, 0]), (np.eye(3), [0, 1, 0]))
    Traceback (most recent call last):
    reticent.errors.NotEnoughEvidence: Expected at least 10 members and 10 non-members, got 3 and 3. With fewer ...
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.audits.blind import blind_auc, shared_rows
from reticent.audits.naming import row_names
from reticent.data import Records
from reticent.errors import DataError, NotEnoughEvidence
from reticent.evidence import Estimate
from reticent.models import Exposure, Signals, Target
from reticent.randomness import Randomness

__all__ = ["Case", "checked_sides", "describe", "inclusion_of", "prepare"]

_FEWEST = 10


def checked_sides(members: Any, nonmembers: Any) -> tuple[Records, Records]:
    """Members and non-members as records, or the reason why they cannot be audited."""
    inside, outside = Records.of(members, name="records"), Records.of(nonmembers, name="records")
    if min(len(inside), len(outside)) < _FEWEST:
        raise NotEnoughEvidence(
            f"Expected at least {_FEWEST} members and {_FEWEST} non-members, got {len(inside)} and {len(outside)}.",
            "With fewer no interval says anything; add records.",
        )
    return inside, outside


def inclusion_of(truth: npt.NDArray[np.bool_]) -> float:
    """The share of members, kept away from 0 and 1: shadow models must differ in every record."""
    return float(np.clip(truth.mean(), 0.1, 0.9))


@dataclasses.dataclass(frozen=True)
class Case:
    """Everything about an audited model that does not depend on shadow models; made by `prepare`."""

    target: Target
    pool: Records
    truth: npt.NDArray[np.bool_]
    answers: npt.NDArray[np.float64]
    signals: Signals
    blind: dict[str, Estimate]
    shared: int
    confidence: float
    source: Randomness
    coins: bool = False
    rows: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def signal(self) -> npt.NDArray[np.float64]:
        """(records,) the model's log-odds of the true labels."""
        return np.asarray(self.signals.odds[0])

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """(records,) whether the model predicts the record rightly."""
        return np.asarray(self.signals.correct[0])

    @property
    def inclusion(self) -> float:
        """Probability with which shadow models see a record: the audited model's share of members, or its coin's."""
        return 0.5 if self.coins else inclusion_of(self.truth)


def prepare(
    model: Any,
    inside: Records,
    outside: Records,
    *,
    exposure: Exposure,
    confidence: float,
    randomness: Randomness,
    name: str,
    blind: dict[str, Estimate] | None = None,
    answers: str | None = None,
    coins: bool = False,
) -> Case:
    """Ask the model about every record, and measure what can be had without it (unless `blind` already says).

    `answers` says what the model's answers are where that is neither known nor recognised; see `Target`.
    """
    _checks.open_fraction(confidence=confidence)
    pool = inside.joined(outside).require_two_classes()
    _same_words(model, pool.class_names)
    target = Target(model, classes=pool.classes, exposure=exposure, name=name, answers=answers)
    if blind is None:
        blind = blind_auc(inside, outside, randomness=randomness.spawn("blind"), confidence=confidence)
    logs = target.log_probabilities(pool.features)[None]
    return Case(
        target=target,
        pool=pool,
        truth=np.arange(len(pool)) < len(inside),
        answers=logs,
        signals=Signals.of(logs, pool.labels, exposure),
        blind=blind,
        shared=shared_rows(inside, outside),
        confidence=confidence,
        source=randomness,
        coins=coins,
        rows=row_names(inside, outside),
    )


def _same_words(model: Any, words: tuple[str, ...] | None) -> None:
    """Raise `DataError` where a classifier's own words for its columns are in another order than the records'."""
    known = np.asarray(getattr(model, "classes_", ()))
    if words is None or known.ndim != 1 or known.dtype.kind not in "UO" or not len(known):
        return
    theirs = tuple(str(one) for one in known)
    if theirs != words:
        raise DataError(
            f"Expected the classes in the order of the model's answers, {list(theirs)}, got classes={list(words)}.",
            "List them in that order, with the same words.",
        )


def describe(pool: Records, truth: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """The audited records in numbers and a digest, never their contents."""
    return {
        "name": pool.name,
        "digest": pool.digest(),
        "unit": pool.unit.value,
        "unit_meaning": pool.unit.meaning,
        "records": len(pool),
        "owners": pool.owner_count,
        "members": int(truth.sum()),
        "nonmembers": int((~truth).sum()),
        "classes": pool.classes,
        "class_names": None if pool.class_names is None else list(pool.class_names),
        "largest_class": float(np.bincount(pool.labels).max() / len(pool)),
        "public_facts": list(pool.public_facts),
    }
