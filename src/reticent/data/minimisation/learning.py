"""The model that judges a table: any scikit-learn estimator or pipeline, or a function that trains.

Promise: a model sees only the rows it is trained on, and answers rows whose categories it never saw. Nothing is
prepared with knowledge of other rows. The same seed gives the same model, as far as the model itself allows.

* None: histogram gradient boosting (scikit-learn; after Ke et al., 2017), 100 trees, categories as such, missing values
  as such. It learns effects that two columns only have together, unless they are hidden very well.
* an estimator or pipeline: cloned, `random_state` set where it is None. It sees a matrix: numbers (missing ones as the
  median of the training rows, with a column that says so), categories one-hot, categories it never saw as zeros.
* a function `train(table, labels, seed) -> answer`, with `answer(table) -> scores`: it sees tables, and does the rest.

Scores: (rows, classes) probabilities or other scores, or (rows,) class codes, for classes; (rows,) numbers otherwise.

Not covered: estimators that take frames and name columns (a `ColumnTransformer`): wrap them in a function, since
columns go.

Shapes: labels (rows,): class codes int64, or float64. Matrices (rows, features) float64.

Example:
    >>> import numpy as np
    >>> from reticent.data.minimisation.learning import Task, trainer_of
    >>> from reticent.data.tables import Table
    >>> task = Task("classes", ("no", "yes"))
    >>> table, labels = Table.of({"age": list(range(100))}), np.arange(100) // 50
    >>> answer = trainer_of(None, task).train(table, labels, 0)
    >>> answer(Table.of({"age": [1, 99]})).argmax(axis=1).tolist()
    [0, 1]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.tables import Column, Table
from reticent.errors import DataError, MissingExtra, UsageError

__all__ = ["Answer", "Task", "Trainer", "answers_of", "task_of", "trainer_of"]

Array = npt.NDArray[Any]
Answer = Callable[[Table], Array]

_CATEGORIES: Final = 254  # of 255 that histogram gradient boosting takes
_ONE_HOT: Final = 100
_FEW: Final = 20


@dataclasses.dataclass(frozen=True)
class Task:
    """What is predicted.

    Args:
        kind: "classes" or "numbers".
        classes: the labels in words, in the order of their codes; empty for numbers.
    """

    kind: str
    classes: tuple[str, ...] = ()

    @property
    def default_metric(self) -> str:
        """What it is judged by unless somebody says otherwise."""
        return "accuracy" if self.kind == "classes" else "r2"


@dataclasses.dataclass(frozen=True)
class Trainer:
    """A way of training.

    Args:
        train: (table, labels, seed) to a function that answers tables.
        words: what it is.
    """

    train: Callable[[Table, Array, int], Answer]
    words: str


def task_of(column: Column, metric: str | None = None) -> tuple[Task, Array]:
    """What a label asks for, and (rows,) its codes or numbers, -1 or NaN where it is missing.

    Texts, yes or no, and at most 20 whole numbers are classes, unless the metric is "r2"; other numbers are numbers.

    Raises:
        UsageError: numbers are asked for of a text, or classes of numbers; a date; "auc" of more than two classes.
        DataError: one label only.
    """
    used = column.compacted()
    values = used.values
    if len(values) < 2:
        raise DataError(f"Expected labels that differ in column {column.name!r}, got one.", "Name another column.")
    if column.kind == "date":
        raise UsageError(f"Expected classes or numbers in column {column.name!r}, got dates.", "Make numbers of them.")
    few = values.dtype.kind in "ib" and len(values) <= _FEW
    if metric == "r2" or (metric is None and column.kind == "number" and not few):
        return Task("numbers"), column.numbers()
    if column.kind == "number" and not few:
        raise UsageError(
            f"Expected at most {_FEW} classes for {metric}, got {len(values)} different numbers.", "Ask for r2."
        )
    if metric == "auc" and len(values) != 2:
        raise UsageError(f"Expected two classes for auc, got {len(values)}.", "Ask for accuracy.")
    return Task("classes", tuple(str(value) for value in values.tolist())), used.codes.astype(np.int64)


def trainer_of(model: Any, task: Task) -> Trainer:
    """The trainer behind a user's model.

    Args:
        model: None, an estimator, or a function that trains.
        task: what is predicted.

    Raises:
        UsageError: something else.
        MissingExtra: scikit-learn is needed and not installed.
    """
    if model is None:
        return Trainer(_Boosting(task), "histogram gradient boosting, 100 trees (scikit-learn)")
    if hasattr(model, "fit") and hasattr(model, "predict") and not isinstance(model, type):
        return Trainer(_Estimator(model, task), " ".join(repr(model).split())[:200])
    if callable(model) and not isinstance(model, type):
        name = getattr(model, "__qualname__", type(model).__name__)
        return Trainer(model, f"a function of the user's: {name}")
    raise UsageError(
        f"Expected an estimator or a function that trains as the model, got {type(model).__name__}.",
        "Pass an object with fit and predict, or train(table, labels, seed).",
    )


def answers_of(scores: Any, task: Task, metric: str, rows: int) -> Array:
    """(rows,) what is judged: the predicted class, the score of class 1, or the number.

    Raises:
        UsageError: another shape, scores that are not finite, or a class that there is not.
    """
    found = np.asarray(scores)
    classes = len(task.classes)
    wanted = ((rows,), (rows, classes)) if classes else ((rows,), (rows, 1))
    numbers = found.dtype.kind in "biuf"
    if found.shape not in wanted or not numbers or not np.isfinite(found).all():
        raise UsageError(
            f"Expected finite scores of shape {' or '.join(map(str, wanted))} from the model, got {found.shape}.",
            "Give a score for each class, or one answer for each row.",
        )
    if not classes:
        return found.reshape(rows).astype(np.float64)
    if metric == "auc":
        return (found if found.ndim == 1 else found[:, 1]).astype(np.float64)
    labels = found.argmax(axis=1) if found.ndim == 2 else found.astype(np.int64)
    if found.ndim == 1 and ((labels != found) | (labels < 0) | (labels >= classes)).any():
        raise UsageError(f"Expected class codes from 0 to {classes - 1} from the model, got others.", "Give scores.")
    return labels.astype(np.int64)


@dataclasses.dataclass(frozen=True)
class _Boosting:
    task: Task

    def __call__(self, table: Table, labels: Array, seed: int) -> Answer:
        try:
            from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        except ImportError as error:
            raise MissingExtra("scikit-learn", "data", "The default model") from error
        columns = [_Coded.of(column) for column in table.columns]
        kind = HistGradientBoostingClassifier if self.task.kind == "classes" else HistGradientBoostingRegressor
        model = kind(
            categorical_features=[column.values is not None for column in columns],
            early_stopping=False,
            random_state=seed % 2**32,
        )
        return _fitted(model, columns, table, labels, self.task)


@dataclasses.dataclass(frozen=True)
class _Estimator:
    model: Any
    task: Task

    def __call__(self, table: Table, labels: Array, seed: int) -> Answer:
        try:
            from sklearn.base import clone
        except ImportError as error:
            raise MissingExtra("scikit-learn", "data", "Training an estimator") from error
        model = clone(self.model)
        open_states = [
            name
            for name, value in model.get_params(deep=True).items()
            if value is None and name.rpartition("__")[2] == "random_state"
        ]
        model.set_params(**dict.fromkeys(open_states, seed % 2**32))
        return _fitted(model, [_Spread.of(column) for column in table.columns], table, labels, self.task)


def _fitted(model: Any, columns: list[Any], table: Table, labels: Array, task: Task) -> Answer:
    if len(np.unique(labels)) == 1 and task.kind == "classes":  # no classifier takes these
        return _Constant(np.eye(len(task.classes))[labels[0]])
    model.fit(_matrix(columns, table), labels)
    return _Answering(model, columns, len(task.classes))


@dataclasses.dataclass(frozen=True)
class _Constant:
    scores: Array

    def __call__(self, table: Table) -> Array:
        return np.tile(self.scores, (table.rows, 1))


@dataclasses.dataclass(frozen=True)
class _Answering:
    model: Any
    columns: list[Any]
    classes: int

    def __call__(self, table: Table) -> Array:
        matrix = _matrix(self.columns, table)
        if not self.classes:
            return np.asarray(self.model.predict(matrix), dtype=np.float64).reshape(table.rows)
        known = np.asarray(self.model.classes_, dtype=np.int64)
        if hasattr(self.model, "predict_proba"):
            found = self.model.predict_proba(matrix)
        elif hasattr(self.model, "decision_function"):
            found = self.model.decision_function(matrix)
            found = np.stack([-found, found], axis=1) if found.ndim == 1 else found
        else:
            return np.asarray(self.model.predict(matrix), dtype=np.int64)
        scores = np.full((table.rows, self.classes), float(found.min()) - 1.0)
        scores[:, known] = found
        return scores


def _matrix(columns: list[Any], table: Table) -> Array:
    return np.concatenate([column(table[column.name]) for column in columns], axis=1)


@dataclasses.dataclass(frozen=True)
class _Coded:
    """One number for each cell: of a text, the code of its category; NaN where it is missing or not known."""

    name: str
    values: Array | None

    @classmethod
    def of(cls, column: Column) -> _Coded:
        return cls(column.name, _frequent(column, _CATEGORIES) if column.kind == "text" else None)

    def __call__(self, column: Column) -> Array:
        if self.values is None:
            return column.numbers()[:, None]
        codes = {value: float(code) for code, value in enumerate(self.values.tolist())}
        images = np.array([*(codes.get(value, np.nan) for value in column.values.tolist()), np.nan])
        return images[column.codes][:, None]


@dataclasses.dataclass(frozen=True)
class _Spread:
    """A number and whether it is missing, or one column for each category."""

    name: str
    values: Array | None
    median: float
    gaps: bool

    @classmethod
    def of(cls, column: Column) -> _Spread:
        if column.kind == "text":
            return cls(column.name, _frequent(column, _ONE_HOT), 0.0, False)
        numbers = column.numbers()
        missing = np.isnan(numbers)
        return cls(
            column.name, None, 0.0 if missing.all() else float(np.median(numbers[~missing])), bool(missing.any())
        )

    def __call__(self, column: Column) -> Array:
        if self.values is None:
            numbers = column.numbers()
            missing = np.isnan(numbers)
            filled = np.where(missing, self.median, numbers)
            return np.stack([filled, missing.astype(np.float64)], axis=1) if self.gaps else filled[:, None]
        codes = {value: code for code, value in enumerate(self.values.tolist())}
        images = np.array([*(codes.get(value, -1) for value in column.values.tolist()), -1])[column.codes]
        found: Array = (images[:, None] == np.arange(len(self.values))).astype(np.float64)
        return found


def _frequent(column: Column, most: int) -> Array:
    """The most frequent values, in their order."""
    counts = column.counts()
    chosen = np.argsort(-counts, kind="stable")[:most]
    return column.values[np.sort(chosen[counts[chosen] > 0])]
