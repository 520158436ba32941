"""Cross-fitted answers: nobody is answered by what saw them, and processes change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reticent.data.minimisation.judging import Bench, constant, dealt, reduced, rules_for
from reticent.data.minimisation.learning import Task, Trainer, trainer_of
from reticent.data.minimisation.steps import DROP, Step
from reticent.data.tables import Table
from reticent.randomness import Randomness

TWO = Task("classes", ("no", "yes"))


def bench(trainer: Trainer | None = None, jobs: int = 1, rows: int = 600) -> Bench:
    draw = np.random.default_rng(0)
    table = Table.of({"id": range(rows), "a": draw.integers(0, 9, rows), "b": draw.choice(list("xyz"), rows)})
    source = Randomness.simulated(4)
    truth = (table["a"].numbers() > 4).astype(int)
    made = trainer or trainer_of(None, TWO)
    folds = dealt(rows, None, 3, source)
    return Bench(table, truth, TWO, "accuracy", made, folds, 7, source.uniform(rows), jobs)


def test_people_stay_together_and_parts_are_even() -> None:
    owners = np.random.default_rng(0).integers(100, 400, 2000)
    parts = dealt(2000, owners, 4, Randomness.simulated(1))
    assert all(len(set(parts[owners == one])) == 1 for one in np.unique(owners))
    people = [len(np.unique(owners[parts == part])) for part in range(4)]
    assert max(people) - min(people) <= 1


def test_no_row_is_answered_by_a_model_that_saw_it() -> None:
    def train(table: Table, labels: np.ndarray, seed: int) -> Any:
        seen = set(table["id"].cells().tolist())
        assert len(labels) == table.rows
        return lambda asked: np.array([int(one in seen) for one in asked["id"].cells().tolist()])

    made = bench(Trainer(train, "remembers"))
    (answers,) = made.answers([{}])
    assert answers.sum() == 0  # never 1: the planted fault, a model that saw the row, would say 1
    (answers,) = made.answers([{"a": DROP}], 0.5)
    assert answers.sum() == 0


def test_rules_are_fitted_without_the_fold_that_judges() -> None:
    """Groups by label of a column of pure noise: fitted on all rows they would look useful."""
    draw, rows = np.random.default_rng(1), 3000
    table = Table.of({"noise": [f"n{k}" for k in draw.integers(0, 150, rows)]})
    truth = draw.integers(0, 2, rows)
    folds = dealt(rows, None, 3, Randomness.simulated(2))
    made = Bench(table, truth, TWO, "accuracy", trainer_of(None, TWO), folds, 1)
    (answers,) = made.answers([{"noise": Step("groups", 2)}])
    assert abs((answers == truth).mean() - 0.5) < 0.05  # 5 standard errors
    rules = rules_for({"noise": Step("groups", 2)}, table, truth, TWO)
    leaking = reduced(table, rules)
    assert leaking is not None
    fitted = Bench(leaking, truth, TWO, "accuracy", trainer_of(None, TWO), folds, 1)
    assert (fitted.answers([{}])[0] == truth).mean() > 0.55  # the planted fault


@pytest.mark.slow
def test_processes_and_memory_change_no_answer() -> None:
    plans: list[dict[str, Step]] = [{}, {"a": DROP}, {"a": Step("bands", 2), "b": DROP}]
    one, two = bench(), bench(jobs=2)
    together, apart = two.answers(plans), [one.answers([plan])[0] for plan in reversed(plans)][::-1]
    assert all((x == y).all() for x, y in zip(together, apart, strict=True))
    assert all(
        (x == y).all()
        for x, y in zip(one.shuffled([["a"], ["b", "id"]]), two.shuffled([["a"], ["b", "id"]]), strict=True)
    )
    trained = one.trained
    one.answers(plans)
    assert one.trained == trained


def test_fewer_rows_are_nested() -> None:
    seen: dict[float, list[set[int]]] = {}

    def train(table: Table, labels: np.ndarray, seed: int) -> Any:
        seen.setdefault(share, []).append(set(table["id"].cells().tolist()))
        return lambda asked: np.zeros(asked.rows, int)

    made = bench(Trainer(train, "counts"))
    for share in (0.25, 0.5, 1.0):
        made.answers([{}], share)
    for few, more, everybody in zip(seen[0.25], seen[0.5], seen[1.0], strict=True):
        assert few < more < everybody
        assert len(few) == pytest.approx(100, abs=45)


def test_without_columns_the_commonest_answer_is_given() -> None:
    made = bench()
    (answers,) = made.answers([dict.fromkeys(made.table.names, DROP)])
    common = {int(np.bincount(made.truth[made.folds != fold]).argmax()) for fold in range(3)}
    assert set(answers) == common
    assert constant(np.array([1.0, 3.0]), Task("numbers"), "r2", 2).tolist() == [2, 2]
    assert constant(np.array([1, 0, 1]), TWO, "auc", 2).tolist() == [0, 0]
