"""Two attacks that learn what to expect: from non-members of other folds, or from shadow trainings that were watched.

Promise: neither learns anything about a record from the record's own membership. `Quantile` learns how confident the
model is about records like this one from the known non-members of other folds, whoever is attacked, so members and
non-members are treated alike. `Trajectory` learns from the trainer's models alone what a member's loss does over a
training; the audited model's memberships are never seen. Both attack all records, whatever other attacks are limited
to: neither asks the audited model again.

`Trajectory` needs snapshots: the audited model as it was after equal parts of its training, the last of them the model
itself, and a trainer with a method snapshots(records, randomness, count) that gives the same of a training of its own
(`reticent.Recipe` has it). Where one of them is missing, it is not run, and says so. Liu et al. need no snapshots of
the model, since they distil it; whoever has them sees at least as much.

Sources: Bertran et al. 2023 (quantile regression); Liu et al. 2022 (TrajectoryMIA); see the attacks' own pages.

Example:
    >>> import functools, torch, reticent as rt
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(0)
    >>> fit = rt.Recipe(lambda: torch.nn.Sequential(torch.nn.Linear(10, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)),
    ...                 functools.partial(torch.optim.Adam, lr=0.01), epochs=100, batch_size=32)
    >>> members, others = rt.split(load("diabetes"), source)
    >>> course = fit.snapshots(members, source, 4)
    >>> audit = rt.audit(course[-1], members, others, trainer=fit, shadows=4, jobs=1, randomness=source,
    ...                  attacks=("trajectory", "quantile"), snapshots=course)
    >>> [(one.status.value, one.details["shadow_models"]) for one in audit.others]
    [('executed', 4), ('executed', 0)]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.attacks.membership.quantile import LEAST, Kind, quantile_scores
from reticent.attacks.membership.trajectory import trajectory_scores
from reticent.audits.case import Case
from reticent.audits.shadows import draw_membership
from reticent.errors import UsageError
from reticent.models import Signals, Target
from reticent.randomness import Randomness
from reticent.training import Recipe

__all__ = ["SNAPSHOTS", "Quantile", "Trajectory"]

Floats = npt.NDArray[np.float64]

SNAPSHOTS = 8
"""How many snapshots are kept of a training that is watched, where nothing else says it."""

_ALIKE = 1e-3  # between probabilities: how far the last snapshot's may be from the model's


@dataclasses.dataclass(frozen=True)
class Quantile:
    """How far a record's confidence lies above that of non-members like it; see `reticent.attacks.membership.quantile`.

    Args:
        name: as it stands in findings.
        kind: "gaussian" or "quantile".
        folds: into how many parts the records are dealt, owners as a whole.
    """

    name: str = "confidence above that of non-members like it"
    kind: Kind = "gaussian"
    folds: int = 5

    @property
    def whole(self) -> bool:
        """All records are attacked."""
        return True

    def exposure(self, case: Case) -> str:
        """The case's own."""
        return case.target.exposure.value

    def unfit(self, case: Case) -> str:
        """Where there are too few non-members to learn from."""
        known = int((~case.truth).sum())
        return "" if known >= LEAST else f"it takes {LEAST} non-members to learn from, and there are {known}"

    def queries(self, case: Case) -> int:
        """None: the answers are known."""
        return 0

    def details(self, case: Case) -> Mapping[str, Any]:
        """Nothing more."""
        return {}

    def scores(self, case: Case, randomness: Randomness) -> Floats:
        """See `quantile_scores`; features and label say what a record is like."""
        pool = case.pool
        table = np.column_stack([pool.features.reshape(len(pool), -1), pool.labels])
        return quantile_scores(
            case.signal,
            table,
            ~case.truth,
            kind=self.kind,
            folds=self.folds,
            owners=pool.owner_index(),
            randomness=randomness,
        )


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """The course of a record's loss over the training; see `reticent.attacks.membership.trajectory`.

    Args:
        name: as it stands in findings.
        snapshots: the audited model after equal parts of its training, the last of them the model itself.
        trainer: with a method snapshots(records, randomness, count). `rt.audit` fills in its own.
        shadows: how many models to train and watch, on parts of all records.
        answers: what the answers are, as in `rt.audit`.
    """

    name: str = "course of the loss over the training"
    snapshots: Sequence[Any] = ()
    trainer: Any = None
    shadows: int = 4
    answers: str | None = None

    @property
    def whole(self) -> bool:
        """All records are attacked: parts of them would make other trainings."""
        return True

    def exposure(self, case: Case) -> str:
        """The answers of every snapshot."""
        return f"{case.target.exposure.value} of {len(self.snapshots) or 'several'} snapshots"

    def unfit(self, case: Case) -> str:
        """Without a trainer that can be watched, or without snapshots of this model."""
        if len(self.snapshots) < 2:
            return "the model came without snapshots of its training"
        if self.trainer is None:
            return "no trainer was given whose trainings could be watched"
        if not callable(getattr(self.trainer, "snapshots", None)):
            return "the trainer gives no snapshots: it has no method snapshots(records, randomness, count)"
        last = self._asked(case, self.snapshots[-1], self.answers).log_probabilities(case.pool.features)
        alike = np.allclose(np.exp(last), np.exp(case.answers[0]), rtol=0, atol=_ALIKE)
        return "" if alike else "the last snapshot does not answer like the model, so they are of another training"

    def queries(self, case: Case) -> int:
        """None of the model itself."""
        return 0

    def details(self, case: Case) -> Mapping[str, Any]:
        """How many models were trained, and how often snapshots were asked."""
        count = len(self.snapshots)
        return {"shadow_models": self.shadows, "snapshots": count, "queries": count * len(case.pool)}

    def scores(self, case: Case, randomness: Randomness) -> Floats:
        """See `trajectory_scores`."""
        pool = case.pool
        # A recipe's networks are recognised; what was said of the given model's answers is not about them.
        answers = None if isinstance(self.trainer, Recipe) else self.answers
        membership = draw_membership(pool, self.shadows, case.inclusion, randomness.spawn("membership"))
        courses = []
        for number, inside in enumerate(membership):
            models = self.trainer.snapshots(
                pool.take(inside), randomness.spawn(f"shadow {number}"), len(self.snapshots)
            )
            if len(models) != len(self.snapshots):
                raise UsageError(
                    f"Expected {len(self.snapshots)} snapshots from the trainer, got {len(models)}.",
                    "Let snapshots(records, randomness, count) return as many models as it is asked for.",
                )
            courses.append([self._seen(case, model, answers) for model in models])
        shadow = [Signals.stacked(epoch) for epoch in zip(*courses, strict=True)]
        own = [self._seen(case, model, self.answers) for model in self.snapshots[:-1]]
        return trajectory_scores([*own, case.signals], shadow, membership)

    def _seen(self, case: Case, model: Any, answers: str | None) -> Signals:
        return self._asked(case, model, answers).signals(case.pool.features, case.pool.labels)

    @staticmethod
    def _asked(case: Case, model: Any, answers: str | None) -> Target:
        return Target(
            model, classes=case.pool.classes, exposure=case.target.exposure, name="a snapshot", answers=answers
        )
