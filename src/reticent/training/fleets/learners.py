"""Whatever trains a model, as one kind of function: trainer(records, randomness) gives the trained model.

Promise: a function or a `reticent.Recipe` is taken as it is. A scikit-learn estimator is cloned for every model, fitted
on flat features, and every `random_state` in it and in its parts is set from the model's own stream; its answers have a
column for each class of the records, also for classes that its part of the records did not hold.

Not covered: an estimator that draws from numpy's global generator, or in threads whose order matters.

Example:
    >>> from sklearn.linear_model import LogisticRegression
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> from reticent.training.fleets import sklearn_trainer
    >>> model = sklearn_trainer(LogisticRegression())(load("diabetes"), Randomness.simulated(0))
    >>> model.ask(load("diabetes").features).shape
    (442, 2)
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reticent.data import Records
from reticent.errors import MissingExtra, ModelError, UsageError
from reticent.models import Target
from reticent.randomness import Randomness

__all__ = ["SklearnTrainer", "Trainer", "answers_of", "as_trainer", "sklearn_trainer", "train_one", "trained"]

_STATE = "random_state"
_ASKED = ("ask", "predict_proba", "decision_function", "predict")
_NEVER = -1000.0  # decision for a class that was not among the records


class Trainer(Protocol):
    """Trains a fresh model on records, in the same way each time."""

    def __call__(self, records: Records, randomness: Randomness, /) -> Any:
        """The trained model: anything that `reticent.models.Target` accepts."""


def as_trainer(trainer: Any) -> Trainer:
    """A trainer as fleets call it.

    Raises:
        UsageError: a trained network, or something else that cannot be called and is no estimator.
    """
    if not isinstance(trainer, type) and hasattr(trainer, "fit") and hasattr(trainer, "get_params"):
        return sklearn_trainer(trainer)
    if not callable(trainer) or hasattr(trainer, "named_parameters"):
        raise UsageError(
            f"Expected a trainer that can be called, got {type(trainer).__name__}.",
            "Pass a function trainer(records, randomness) that returns a trained model, or a reticent.Recipe.",
        )
    found: Trainer = trainer
    return found


def sklearn_trainer(estimator: Any) -> SklearnTrainer:
    """A trainer that fits clones of a scikit-learn classifier.

    Args:
        estimator: with `predict_proba`, or `decision_function`, once it is fitted; a pipeline or a search is fine.

    Raises:
        UsageError: not an estimator.
    """
    if isinstance(estimator, type) or not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise UsageError(
            f"Expected a scikit-learn estimator, got {estimator!r}.",
            "Pass for instance RandomForestClassifier(), with its brackets.",
        )
    return SklearnTrainer(estimator)


@dataclasses.dataclass(frozen=True)
class SklearnTrainer:
    """A trainer made of an estimator; build it with `sklearn_trainer`."""

    estimator: Any

    def __call__(self, records: Records, randomness: Randomness) -> _Fitted:
        """A fitted clone."""
        try:
            from sklearn.base import clone
        except ImportError as error:
            raise MissingExtra("scikit-learn", "lab", "Fitting a scikit-learn estimator") from error
        fresh = clone(self.estimator)
        names = [name for name in sorted(fresh.get_params(deep=True)) if name.rpartition("__")[2] == _STATE]
        fresh.set_params(**{name: randomness.spawn(name).seed() % 2**32 for name in names})
        fresh.fit(records.features.reshape(len(records), -1), records.labels)
        return _Fitted(fresh, records.classes)


class _Fitted:
    """A fitted classifier that answers with a column for every class; asked as it is (`reticent.models.asking`)."""

    rows: int | None = 4096

    def __init__(self, estimator: Any, classes: int) -> None:
        self.estimator, self.classes = estimator, classes
        self.answers: str | None = "probabilities" if hasattr(estimator, "predict_proba") else "logits"
        if not hasattr(estimator, "predict_proba") and not hasattr(estimator, "decision_function"):
            raise UsageError(
                f"Expected a classifier with predict_proba or decision_function, got {type(estimator).__name__}.",
                "Wrap it in sklearn.calibration.CalibratedClassifierCV.",
            )

    def ask(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """(n, classes) probabilities, or the decision function where there are none."""
        flat = features.reshape(len(features), -1)
        if hasattr(self.estimator, "predict_proba"):
            found, missing = np.asarray(self.estimator.predict_proba(flat), dtype=np.float64), 0.0
        else:
            found = np.asarray(self.estimator.decision_function(flat), dtype=np.float64)
            if found.ndim == 1:
                found = np.stack([np.zeros_like(found), found], axis=1)
            missing = _NEVER
        every = np.full((len(found), self.classes), missing)
        every[:, np.asarray(self.estimator.classes_, dtype=np.int64)] = found
        return every


def train_one(
    trainer: Trainer, pool: Records, mask: npt.NDArray[np.bool_], randomness: Randomness
) -> npt.NDArray[np.float32]:
    """(records, classes) log-probabilities for the whole pool of one model, trained on a part of it.

    Raises:
        UsageError: a trainer that cannot be called so.
        ModelError: a model that cannot be asked.
    """
    return answers_of(trained(trainer, pool.take(mask), randomness), pool.classes, pool.features)


def trained(trainer: Trainer, records: Records, randomness: Randomness) -> Any:
    """What a trainer makes of records.

    Raises:
        UsageError: a trainer that cannot be called so.
        ModelError: one that returns no model.
    """
    name = getattr(trainer, "__name__", type(trainer).__name__)
    try:
        model = trainer(records, randomness)
    except TypeError as error:
        # raised by the call itself, in this frame, and not in the trainer
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            raise UsageError(
                f"Expected a trainer called as trainer(records, randomness), but: {error}.",
                f"Give {name} these two parameters.",
            ) from error
        raise
    asked = callable(model) or any(hasattr(model, one) for one in _ASKED)
    if not asked and not isinstance(model, str | Path | tuple):  # of files and pairs, `Target` says what is wrong
        raise ModelError(
            f"Expected the trainer to return a trained model, got {name}(records, randomness)={_short(model)}.",
            f"Let {name} end with “return model”.",
        )
    return model


def _short(value: Any) -> str:
    return repr(value) if value is None or isinstance(value, bool | int | float) else f"a {type(value).__name__}"


def answers_of(model: Any, classes: int, features: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """(records, classes) log-probabilities of a trained model, as fleets keep them."""
    return Target(model, classes=classes, name="a shadow model").log_probabilities(features).astype(np.float32)
