"""What the way to the final answer tells: a record's loss over the epochs of training.

Promise: `trajectory_scores` learns from a shadow training, whose members are known, which courses of the loss members
show, and gives each record of the target the log-odds that it is one; the target's own memberships are never seen.
`spread_of_losses` needs nobody else's training: the interquartile range of a record's losses over its own training,
large for records that are hard and then learned, which are those that reference-model attacks name most surely.

The courses are those of the checkpoints, for whoever trained the model and kept them; Liu et al. get the courses of a
model that they can only ask by distilling it and taking the checkpoints of the distillation, and then the same holds
with their signals. The classifier sees the losses and the log-odds of all epochs and nothing about which record it is.
The target and the shadow must have been trained in the same way, for as many epochs.

Sources: Liu et al. 2022 (TrajectoryMIA; their classifier is a network, here boosted trees); Pollock et al. 2024,
arXiv 2411.05743 (LT-IQR: who is at risk, not who was in it).

Shapes: a course is a sequence of `Signals` of one epoch each, with the same models and records in all.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership.trajectory import spread_of_losses
    >>> from reticent.models import Signals
    >>> epochs = np.array([[[0.1, 0.1]], [[0.5, 0.1]], [[0.9, 0.2]]])  # epochs, models, records
    >>> course = [Signals(np.log(p / (1 - p)), np.log(p), p > 0.5) for p in epochs]
    >>> spread_of_losses(course).round(2).tolist()
    [[1.1, 0.35]]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from reticent.attacks.membership.method import checked_references
from reticent.errors import MissingExtra, UsageError
from reticent.models import Signals

__all__ = ["spread_of_losses", "trajectory_scores"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


def trajectory_scores(target: Sequence[Signals], shadow: Sequence[Signals], membership: Booleans) -> Floats:
    """(records,) log-odds of membership, from a classifier that was trained on shadow trainings.

    Args:
        target: the attacked model's signals at each epoch, of one model.
        shadow: those of one or several shadow models at as many epochs, for any records.
        membership: (models, records) which of those records each shadow model was trained on.

    Raises:
        UsageError: courses that do not fit, or shadow models with only members or only non-members.
        MissingExtra: scikit-learn is not installed.
    """
    _checked(target)
    _checked(shadow)
    checked_references(shadow[0], membership)
    if len(target[0]) != 1 or len(target) != len(shadow):
        raise UsageError(
            f"Expected one target with as many epochs as the shadow models, got {len(target[0])} models with "
            f"{len(target)} epochs for {len(shadow)}.",
            "Take signals of one target, at the same epochs.",
        )
    if membership.all() or not membership.any():
        raise UsageError(
            "Expected shadow models with members and non-members, got only one kind.",
            "Score them on records of which they were trained on some.",
        )
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtra("scikit-learn", "lab", "The attack on trajectories") from error
    trees = HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=15, early_stopping=False, random_state=0)
    with threadpool_limits(1):  # threads that wait for each other cost more than they save on tables this small
        trees.fit(_table(shadow), membership.reshape(-1))
        return np.asarray(trees.decision_function(_table(target)), dtype=np.float64)


def spread_of_losses(course: Sequence[Signals]) -> Floats:
    """(models, records) interquartile range over epochs of each record's loss, linearly interpolated.

    Args:
        course: signals at each epoch of the training.

    Raises:
        UsageError: fewer than two epochs, or epochs that do not fit each other.
    """
    _checked(course)
    high, low = np.quantile(np.stack([-epoch.logs for epoch in course]), [0.75, 0.25], axis=0)
    return np.asarray(high - low)


def _checked(course: Sequence[Signals]) -> None:
    if len(course) < 2 or len({epoch.odds.shape for epoch in course}) != 1:
        raise UsageError(
            f"Expected signals of one shape at two epochs or more, got {[epoch.odds.shape for epoch in course]}.",
            "Ask the same models about the same records at each epoch.",
        )


def _table(course: Sequence[Signals]) -> Floats:
    """(models x records, 2 x epochs) losses and log-odds of all epochs."""
    columns = [values.reshape(-1) for epoch in course for values in (epoch.logs, epoch.odds)]
    return np.stack(columns, axis=1)
