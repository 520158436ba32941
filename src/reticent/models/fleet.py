"""Many models of one training, reduced to what attacks need: their answers, and who was in their training data.

Promise: the answers are stored once; every exposure is a view of them, so the same trainings tell what each restriction
is worth.

Example:
    >>> import numpy as np
    >>> from reticent.models import Exposure, Fleet
    >>> answers = np.log([[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.7, 0.3]]])  # two models, two records, two classes
    >>> fleet = Fleet.of(answers, np.array([0, 1]), np.array([[True, False], [False, True]]))
    >>> fleet.signals.odds.round(2).tolist(), fleet.under(Exposure.LABEL).signals.odds.tolist()
    ([[2.2, 1.39], [0.41, -0.85]], [[1.0, 1.0], [1.0, -1.0]])
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.errors import UsageError
from reticent.models.exposure import Exposure
from reticent.models.signals import Signals

__all__ = ["Fleet"]


@dataclasses.dataclass(frozen=True)
class Fleet:
    """Models of one training on random parts of the records.

    Attributes:
        signals: what the models show about the true labels, under an exposure.
        membership: (models, records) whether the record was in the model's training data.
        answers: (models, records, classes) natural logarithms of the class probabilities, if they were kept.
        labels: (records,) the true classes, with the answers.
    """

    signals: Signals
    membership: npt.NDArray[np.bool_]
    answers: npt.NDArray[np.floating[Any]] | None = None
    labels: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.membership.shape != self.signals.odds.shape or self.membership.dtype != bool:
            raise UsageError(
                f"Expected membership as True and False of shape {self.signals.odds.shape}, got "
                f"{self.membership.dtype} of shape {self.membership.shape}.",
                "Say of every model and record whether it was trained on.",
            )

    @classmethod
    def of(
        cls,
        answers: npt.NDArray[np.floating[Any]],
        labels: npt.NDArray[np.int64],
        membership: npt.NDArray[np.bool_],
        exposure: Exposure = Exposure.LOGITS,
    ) -> Fleet:
        """A fleet of answers, looked at under an exposure; see `Signals.of`."""
        return cls(Signals.of(answers, labels, exposure), membership, answers, labels)

    def __len__(self) -> int:
        return len(self.signals)

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """(models, records) log-odds of the true label."""
        return self.signals.odds

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """(models, records) whether the model predicts the record rightly."""
        return self.signals.correct

    def under(self, exposure: Exposure) -> Fleet:
        """The same models under another exposure.

        Raises:
            UsageError: the answers were not kept.
        """
        if self.answers is None or self.labels is None:
            raise UsageError("Expected a fleet that kept its answers, got signals only.", "Build it with Fleet.of.")
        return Fleet.of(self.answers, self.labels, self.membership, exposure)

    def take(self, models: Any) -> Fleet:
        """Some of the models: numbers, or (models,) booleans."""
        answers = None if self.answers is None else self.answers[models]
        return Fleet(self.signals.take(models), self.membership[models], answers, self.labels)
