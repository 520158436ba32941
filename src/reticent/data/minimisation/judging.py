"""What tables that hold less can do, by cross-fitting on the rows that may be searched.

Promise: a row is answered by a model, and through rules, that were fitted without the rows of its fold; whose rows go
together stay in one fold. Answers follow from the table, the steps and the seed: not from how many processes work,
nor from what was asked before. Each question is answered once.

How: rows are dealt to folds; for each fold, steps are fitted to the other rows and a model is trained on what is left
of them; it answers the fold.

Shapes: answers (rows,), as in `utility`.

Example:
    >>> import numpy as np
    >>> from reticent.data.minimisation.judging import Bench, dealt
    >>> from reticent.data.minimisation.learning import Task, trainer_of
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> task, source = Task("classes", ("no", "yes")), Randomness.simulated(1)
    >>> table = Table.of({"age": np.arange(300), "noise": np.arange(300) % 7})
    >>> truth = (np.arange(300) >= 150).astype(int)
    >>> bench = Bench(table, truth, task, "accuracy", trainer_of(None, task), dealt(300, None, 3, source), seed=1)
    >>> (answers,) = bench.answers([{}])
    >>> bool((answers == truth).mean() > 0.95)
    True
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.minimisation.learning import Task, Trainer, answers_of
from reticent.data.minimisation.rules import Rule, applied
from reticent.data.minimisation.steps import KEEP, Step, fitted
from reticent.data.tables import Table
from reticent.errors import MissingExtra
from reticent.randomness import Randomness

__all__ = ["Bench", "Plan", "constant", "dealt", "effects_of", "reduced", "rules_for", "run_all"]

Array = npt.NDArray[Any]
Plan = Mapping[str, Step]
"""Column to what is kept of it; columns that are not named are kept as they are."""


def dealt(rows: int, owners: Array | None, parts: int, randomness: Randomness) -> Array:
    """(rows,) each row's part, from 0, of parts of about one size; the rows of one person are in one part."""
    people = np.arange(rows) if owners is None else np.unique(owners, return_inverse=True)[1]
    count = int(people.max()) + 1 if rows else 0
    found: Array = (np.argsort(randomness.permutation(count)) % parts)[people]
    return found


def effects_of(truth: Array, task: Task) -> Array:
    """(rows, classes) one-hot labels, or (rows, 1) numbers in deviations from their mean."""
    if task.kind == "classes":
        found: Array = (truth[:, None] == np.arange(len(task.classes))).astype(np.float64)
    else:
        found = ((truth - truth.mean()) / (float(truth.std()) or 1.0))[:, None]
    return found


def rules_for(plan: Plan, table: Table, truth: Array, task: Task) -> dict[str, Rule]:
    """The plan, fitted to these rows: a rule for each column."""
    effects = effects_of(truth, task)
    return {column.name: fitted(plan.get(column.name, KEEP), column, effects) for column in table.columns}


def reduced(table: Table, rules: Mapping[str, Rule]) -> Table | None:
    """What the rules leave of a table; None if that is nothing."""
    kept = [applied(rules[one.name], one) for one in table.columns if rules[one.name].kind != "dropped"]
    return Table(kept) if kept else None


def constant(truth: Array, task: Task, metric: str, rows: int) -> Array:
    """(rows,) what can be answered without any column: the most frequent class, no score, the mean."""
    if task.kind == "numbers":
        return np.full(rows, truth.mean())
    if metric == "auc":
        return np.zeros(rows)
    return np.full(rows, np.bincount(truth, minlength=len(task.classes)).argmax())


def seed_of(seed: int, *labels: object) -> int:
    """A seed that follows from another and from what it is for."""
    text = "/".join(map(str, (seed, *labels)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


@dataclasses.dataclass
class Bench:
    """Rows that may be searched, and what was already asked about them.

    Args:
        table: the columns a model may see.
        truth: (rows,) labels.
        task: what is predicted.
        metric: what it is judged by.
        trainer: the model.
        folds: (rows,) each row's fold.
        seed: of the models.
        priorities: (rows,) which rows come first when fewer are trained on, in [0, 1); all rows if None.
        jobs: processes.
    """

    table: Table
    truth: Array
    task: Task
    metric: str
    trainer: Trainer
    folds: Array
    seed: int
    priorities: Array | None = None
    jobs: int = 1
    trained: int = 0
    _known: dict[Any, Array] = dataclasses.field(default_factory=dict, repr=False)

    def answers(self, plans: Sequence[Plan], share: float = 1.0) -> list[Array]:
        """(rows,) for each plan, answers by models that saw its table, and not the row's fold.

        Args:
            plans: what is kept.
            share: of the training rows, the first by priority.
        """
        keys = [(share, *sorted(_told(plan).items())) for plan in plans]
        new = {key: plan for key, plan in zip(keys, plans, strict=True) if key not in self._known}
        parts = range(int(self.folds.max()) + 1)
        tasks = [(_fold, (self, dict(plan), share, fold)) for plan in new.values() for fold in parts]
        found = run_all(tasks, self.jobs)
        self.trained += len(tasks)
        for place, key in enumerate(new):
            whole = np.empty(len(self.truth), dtype=np.int64 if self.metric == "accuracy" else np.float64)
            for fold in parts:
                whole[self.folds == fold] = found[place * len(parts) + fold]
            self._known[key] = whole
        return [self._known[key] for key in keys]

    def shuffled(self, groups: Sequence[Sequence[str]]) -> list[Array]:
        """(rows,) for each group of columns, answers to rows in which it was shuffled among the rows of a fold."""
        parts = range(int(self.folds.max()) + 1)
        found = run_all([(_shuffled, (self, [list(group) for group in groups], fold)) for fold in parts], self.jobs)
        self.trained += len(parts)
        answers = [np.empty(len(self.truth), dtype=found[0][0].dtype) for _ in groups]
        for fold, several in zip(parts, found, strict=True):
            for whole, one in zip(answers, several, strict=True):
                whole[self.folds == fold] = one
        return answers

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}}  # workers need no memory of other questions


def _told(plan: Plan) -> dict[str, Step]:
    return {name: step for name, step in plan.items() if step != KEEP}


def _fold(bench: Bench, plan: Plan, share: float, fold: int) -> Array:
    held = bench.folds == fold
    rows = np.flatnonzero(~held)
    if share < 1 and bench.priorities is not None:
        rows = rows[bench.priorities[rows] < share]
    seen, truth = bench.table.take(rows), bench.truth[rows]
    rules = rules_for(plan, seen, truth, bench.task)
    kept = reduced(seen, rules)
    asked = reduced(bench.table.take(held), rules)
    if kept is None or asked is None:
        return constant(truth, bench.task, bench.metric, int(held.sum()))
    answer = bench.trainer.train(kept, truth, seed_of(bench.seed, "model", fold))
    return answers_of(answer(asked), bench.task, bench.metric, asked.rows)


def _shuffled(bench: Bench, groups: list[list[str]], fold: int) -> list[Array]:
    held = bench.folds == fold
    seen, asked = bench.table.take(~held), bench.table.take(held)
    answer = bench.trainer.train(seen, bench.truth[~held], seed_of(bench.seed, "model", fold))
    found = []
    for group in groups:
        order = Randomness.simulated(seed_of(bench.seed, "shuffle", fold, *group)).permutation(asked.rows)
        table = asked.replaced(asked[name].take(order) for name in group)
        found.append(answers_of(answer(table), bench.task, bench.metric, asked.rows))
    return found


def run_all(tasks: Sequence[tuple[Any, tuple[Any, ...]]], jobs: int) -> list[Any]:
    """The results of calls, in their order, in one process or in several.

    Raises:
        MissingExtra: several processes are asked for, and joblib is not installed.
    """
    if jobs == 1 or len(tasks) < 2:
        return [call(*arguments) for call, arguments in tasks]
    try:
        from joblib import Parallel, delayed, parallel_config
    except ImportError as error:
        raise MissingExtra("joblib", "data", "Training in several processes") from error
    with parallel_config("loky", inner_max_num_threads=1):
        return list(Parallel(n_jobs=jobs)(delayed(call)(*arguments) for call, arguments in tasks))
