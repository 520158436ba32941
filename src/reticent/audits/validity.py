"""Is this audit evidence? Reasons why a finding on the given model cannot be relied on.

Promise: each reason names the figure that gives it away. They are tests like any other, at a stated error rate, so a
sound audit is called doubtful in a few per cent of cases; an empty list is no proof of soundness.

Checked: members and non-members that can be told apart without the model (either way round); non-members that are
copies of members; owners with several rows; and, with shadow models, a given model that does not behave like one that
the trainer made.

Example:
    >>> from reticent.audits.validity import doubts
    >>> from reticent.evidence import Estimate
    >>> apart = Estimate(0.8, 0.7, 0.9, confidence=0.95, n=400, method="five folds")
    >>> doubts(blind={"boosted trees": apart}, copies=0, nonmembers=200)[0][:60]
    'members and non-members can be told apart without the model '
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from reticent._numbers import percent, percentage
from reticent.audits.statistics import clopper_pearson, resolvable, threshold_at
from reticent.evidence import Estimate
from reticent.models import Fleet

__all__ = ["doubts", "trainer_doubts"]

_COPIES = 0.1  # of the non-members: above it what they say about strangers is mostly said by members
_SURE = 0.999  # for the checks of the trainer: there are several, and a false alarm costs an audit


def doubts(
    *, blind: Mapping[str, Estimate], copies: int, nonmembers: int, several_rows: bool = False
) -> tuple[str, ...]:
    """Reasons that lie in the records.

    Args:
        blind: what classifiers achieve without the model.
        copies: how many non-members are exact copies of a member.
        nonmembers: how many there are.
        several_rows: whether some owner has several rows.
    """
    found = []
    apart = [name for name, estimate in blind.items() if not estimate.contains(0.5)]
    if apart:
        found.append(
            f"members and non-members can be told apart without the model ({', '.join(apart)}): they are not a random "
            "split of one source, so the attack may be measuring that difference"
        )
    if copies > _COPIES * nonmembers:
        found.append(
            f"{copies} of {nonmembers} non-members are exact copies of members, so they are no strangers to the model"
        )
    if several_rows:
        found.append("some owners have several rows, and the intervals of a single model count rows as if independent")
    return tuple(found)


def _range(shares: npt.NDArray[np.float64]) -> str:
    return f"{percent(shares.min())} to {percent(shares.max())}"


def trainer_doubts(
    fleet: Fleet,
    truth: npt.NDArray[np.bool_],
    correct: npt.NDArray[np.bool_],
    signal: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float64],
    reference: npt.NDArray[np.float64],
    rates: tuple[float, ...],
) -> tuple[str, ...]:
    """Reasons to think that the trainer does not do what made the given model.

    Args:
        fleet: the trainer's models.
        truth: (records,) which records the given model was trained on.
        correct: (records,) which it predicts rightly.
        signal: (records,) its log-odds of the true labels.
        scores: (records,) its attack scores.
        reference: (models, records) those of the trainer's models.
        rates: false-positive rates at which thresholds are compared, where they can be resolved.
    """
    found = []
    if (fleet.scores == fleet.scores[0]).all() and (signal != fleet.scores[0]).any():
        found.append("the trainer's models all answer alike, and not like the given model: it may return one model")
    for name, side, seen in (("members", truth, fleet.membership), ("non-members", ~truth, ~fleet.membership)):
        theirs = np.array([right[mask].mean() for right, mask in zip(fleet.correct, seen, strict=True) if mask.any()])
        low, high = clopper_pearson(int(correct[side].sum()), int(side.sum()), _SURE)
        if theirs.max() < low or theirs.min() > high:
            found.append(
                f"the trainer's models are right about {_range(theirs)} of their {name}, the given "
                f"model about {percent(correct[side].mean())}: the trainer does not repeat its training"
            )
    # The share of false alarms differs from model to model even when all are made alike: the given model's must lie
    # outside what the trainer's models show before anything is said.
    others = ~fleet.membership
    for asked in rates:
        if not resolvable(asked, int(others.sum())):
            continue
        threshold = threshold_at(asked, reference[others])
        theirs = np.array([(row[out] > threshold).mean() for row, out in zip(reference, others, strict=True)])
        above = int((scores[~truth] > threshold).sum())
        low, high = clopper_pearson(above, int((~truth).sum()), _SURE)
        if theirs.max() < low or theirs.min() > high:
            found.append(
                f"a threshold set for {percentage(asked)} false alarms gives {_range(theirs)} on the trainer's models "
                f"and {percent(above / (~truth).sum())} on the given one: the trainer does not repeat its training"
            )
    return tuple(found)
