"""The confirmation, on rows that the search never saw, and what else those rows show.

Promise: `HeldOut.difference` compares the whole table with the one that holds less, each with a model trained on the
searched rows, on rows that no step was chosen by; its paired interval is what a claim rests on. Nothing is chosen by
what is asked afterwards: what each column adds is described with intervals that hold one by one.

Not covered: how far other trainings, other models, or next year's rows differ from these.

Shapes: as in `judging`; answers are of the held-out rows.

Example:
    >>> import numpy as np
    >>> from reticent.data.minimisation.confirming import HeldOut
    >>> from reticent.data.minimisation.learning import Task, trainer_of
    >>> from reticent.data.minimisation.steps import DROP
    >>> from reticent.data.tables import Table
    >>> table = Table.of({"age": np.arange(4000) % 90, "noise": np.arange(4000) % 7})
    >>> truth, task = (np.arange(4000) % 90 >= 50).astype(int), Task("classes", ("no", "yes"))
    >>> held = HeldOut(table, truth, np.arange(4000) >= 2000, task, "accuracy", trainer_of(None, task), seed=1)
    >>> held.difference({"noise": DROP}).low > -0.01, held.difference({"age": DROP}).high < -0.1
    (True, True)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.minimisation.judging import Plan, constant, reduced, rules_for, run_all, seed_of
from reticent.data.minimisation.learning import Task, Trainer, answers_of
from reticent.data.minimisation.rules import Rule
from reticent.data.minimisation.steps import KEEP
from reticent.data.minimisation.utility import difference, utility
from reticent.data.tables import Table
from reticent.evidence import Estimate
from reticent.randomness import Randomness

__all__ = ["HeldOut"]

Array = npt.NDArray[Any]


@dataclasses.dataclass
class HeldOut:
    """Rows that confirm, and those that were searched.

    Args:
        table: the columns a model may see, of all rows.
        truth: (rows,) labels.
        tested: (rows,) which rows confirm.
        task: what is predicted.
        metric: what it is judged by.
        trainer: the model.
        seed: of the models.
        owners: (rows,) whose row it is.
        priorities: (rows,) which searched rows come first when fewer are trained on.
        confidence: of intervals.
        jobs: processes.
    """

    table: Table
    truth: Array
    tested: Array
    task: Task
    metric: str
    trainer: Trainer
    seed: int
    owners: Array | None = None
    priorities: Array | None = None
    confidence: float = 0.95
    jobs: int = 1
    _known: dict[Any, Array] = dataclasses.field(default_factory=dict, repr=False)

    def rules(self, plan: Plan) -> dict[str, Rule]:
        """The plan, fitted to the searched rows."""
        searched = ~self.tested
        return rules_for(plan, self.table.take(searched), self.truth[searched], self.task)

    def answers(self, plans: Sequence[Plan], share: float = 1.0) -> list[Array]:
        """(tested,) for each plan, what a model answers that was trained on the searched rows, or a share of them."""
        keys = [(share, *sorted((name, step) for name, step in plan.items() if step != KEEP)) for plan in plans]
        new = {key: plan for key, plan in zip(keys, plans, strict=True) if key not in self._known}
        found = run_all([(_asked, (self, dict(plan), share)) for plan in new.values()], self.jobs)
        self._known |= dict(zip(new, found, strict=True))
        return [self._known[key] for key in keys]

    def figure(self, plan: Plan, share: float = 1.0) -> Estimate:
        """How good the model of a plan is."""
        (answers,) = self.answers([plan], share)
        return utility(self.metric, self._truth, answers, owners=self._owners, confidence=self.confidence)

    def without_columns(self) -> Estimate:
        """How good an answer is that looks at no column."""
        searched = ~self.tested
        answers = constant(self.truth[searched], self.task, self.metric, int(self.tested.sum()))
        return utility(self.metric, self._truth, answers, owners=self._owners, confidence=self.confidence)

    def difference(
        self, plan: Plan, share: float = 1.0, *, base: Plan | None = None, base_share: float = 1.0
    ) -> Estimate:
        """The plan's figure minus the whole table's (or another plan's), with its paired interval."""
        (whole,) = self.answers([base or {}], base_share)
        (less,) = self.answers([plan], share)
        return difference(
            self.metric,
            self._truth,
            whole,
            less,
            owners=self._owners,
            confidence=self.confidence,
            randomness=Randomness.simulated(seed_of(self.seed, "bootstrap")),
        )

    @property
    def _truth(self) -> Array:
        return self.truth[self.tested]

    @property
    def _owners(self) -> Array | None:
        return None if self.owners is None else self.owners[self.tested]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}}


def _asked(held: HeldOut, plan: Plan, share: float) -> Array:
    rows = np.flatnonzero(~held.tested)
    rules = held.rules(plan)
    if share < 1 and held.priorities is not None:
        rows = rows[held.priorities[rows] < share]
    seen, asked = reduced(held.table.take(rows), rules), reduced(held.table.take(held.tested), rules)
    truth, count = held.truth[rows], int(held.tested.sum())
    if seen is None or asked is None:
        return constant(truth, held.task, held.metric, count)
    answer = held.trainer.train(seen, truth, seed_of(held.seed, "model"))
    return answers_of(answer(asked), held.task, held.metric, count)
