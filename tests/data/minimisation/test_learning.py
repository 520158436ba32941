"""Models of any kind behind one call, and what labels ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from reticent.data.minimisation.learning import Task, answers_of, task_of, trainer_of
from reticent.data.tables import Column, Table
from reticent.errors import DataError, UsageError

TWO = Task("classes", ("no", "yes"))


def people(rows: int = 400, seed: int = 0) -> tuple[Table, np.ndarray]:
    draw = np.random.default_rng(seed)
    age, town = draw.integers(18, 90, rows), draw.integers(0, 5, rows)
    truth = ((age > 50) ^ (town == 2)).astype(int)
    gaps: Any = [None if k % 10 == 0 else float(one) for k, one in enumerate(age)]
    days = np.datetime64("2000-01-01") + age
    return Table.of({"age": gaps, "town": [f"t{k}" for k in town], "day": days, "empty": [None] * rows}), truth


MODELS = [
    None,
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(StandardScaler(), RidgeClassifier()),
    NearestCentroid(),
    RandomForestClassifier(10),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a column without values has no spread
def test_any_estimator_trains_and_answers_what_it_never_saw(model: Any) -> None:
    table, truth = people()
    trainer = trainer_of(model, TWO)
    answer = trainer.train(table, truth, 3)
    asked = table.replaced([Column.of("town", ["new", None] * 200)])
    answers = answers_of(answer(asked), TWO, "accuracy", 400)
    assert set(np.unique(answers)) <= {0, 1}
    own = answers_of(answer(table), TWO, "accuracy", 400)
    assert (own == truth).mean() > 0.6
    again = answers_of(trainer.train(table, truth, 3)(table), TWO, "accuracy", 400)
    assert (again == own).all()


def test_a_random_state_is_set_only_where_it_is_open() -> None:
    table, truth = people()
    open_one = trainer_of(RandomForestClassifier(5), TWO)
    scores = [open_one.train(table, truth, seed)(table) for seed in (1, 1, 2)]
    assert (scores[0] == scores[1]).all()
    assert not (scores[0] == scores[2]).all()
    fixed = trainer_of(RandomForestClassifier(5, random_state=0), TWO)
    assert (fixed.train(table, truth, 1)(table) == fixed.train(table, truth, 2)(table)).all()


def test_numbers_and_functions() -> None:
    table, truth = people()
    numbers = Task("numbers")
    answer = trainer_of(LinearRegression(), numbers).train(table.select(["day"]), truth * 2.0, 0)
    assert answers_of(answer(table.select(["day"])), numbers, "r2", 400).shape == (400,)
    trainer = trainer_of(lambda seen, labels, seed: lambda asked: np.zeros(asked.rows, int), TWO)
    assert "lambda" in trainer.words
    assert answers_of(trainer.train(table, truth, 0)(table), TWO, "accuracy", 400).sum() == 0


def test_classes_that_are_missing_from_a_training_never_win() -> None:
    three = Task("classes", ("a", "b", "c"))
    table, truth = people()
    scores = trainer_of(None, three).train(table, truth * 2, 0)(table)
    assert scores.shape == (400, 3)
    assert set(scores.argmax(axis=1)) <= {0, 2}
    assert (trainer_of(None, three).train(table, truth * 0 + 1, 0)(table).argmax(axis=1) == 1).all()


@pytest.mark.parametrize(
    "scores",
    [np.zeros((5, 3)), np.zeros(4), np.full(5, np.nan), np.full(5, 2), np.full(5, 0.5), np.array(list("abcde"))],
)
def test_scores_that_mean_nothing_are_refused(scores: np.ndarray) -> None:
    with pytest.raises(UsageError, match="from the model"):
        answers_of(scores, TWO, "accuracy", 5)


def test_what_labels_ask_for() -> None:
    assert task_of(Column.of("y", ["b", "a", None]))[1].tolist() == [1, 0, -1]
    assert task_of(Column.of("y", [True, False]))[0].classes == ("False", "True")
    assert task_of(Column.of("y", [1, 2, 3]))[0].kind == "classes"
    assert task_of(Column.of("y", [1, 2, 3]), "r2")[0].kind == "numbers"
    assert task_of(Column.of("y", range(30)))[0].kind == "numbers"
    assert task_of(Column.of("y", [0.5, 1.5]))[0].kind == "numbers"
    for cells, metric, says in (
        ([1, 2, 3], "auc", "two classes for auc, got 3"),
        (range(50), "accuracy", "at most 20 classes"),
        (["a", "b"], "r2", "numbers or dates in column 'y'"),
        (np.array(["2020-01-01", "2021-01-01"], "datetime64[us]"), None, "got dates"),
    ):
        with pytest.raises((UsageError, DataError), match=says):
            task_of(Column.of("y", cells), metric)
    with pytest.raises(DataError, match="differ in column 'y'"):
        task_of(Column.of("y", [1, 1]))


@pytest.mark.parametrize("model", [3, LogisticRegression, "forest"])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(UsageError, match="an estimator or a function"):
        trainer_of(model, TWO)
