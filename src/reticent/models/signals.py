"""What attackers read off a model's answers: one column for each record, one row for each model.

Promise: `Signals` holds exactly what the exposure shows and nothing else; every attack on membership is a function of
it. Answers may be stored once, as log-probabilities, and be looked at under every exposure afterwards.

Shapes: models first, then records; float64. Log-probabilities may be float32: the log-odds are computed from those of
the *other* classes, so a confident answer keeps its digits (1 - p is never formed).

Example:
    >>> import numpy as np
    >>> from reticent.models import Exposure, Signals
    >>> answers = np.log([[[0.9, 0.1], [0.2, 0.8]]])  # one model, two records, two classes
    >>> shown = Signals.of(answers, np.array([0, 0]), Exposure.LOGITS)
    >>> shown.odds.round(3).tolist(), shown.correct.tolist()
    ([[2.197, -1.386]], [[True, False]])
    >>> Signals.of(answers, np.array([0, 0]), Exposure.LABEL).odds.tolist()
    [[1.0, -1.0]]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.errors import UsageError
from reticent.models.exposure import Exposure

__all__ = ["SMALLEST_PROBABILITY", "Signals", "logsumexp"]

SMALLEST_PROBABILITY = 1e-300  # keeps the logarithm of a rounded-to-zero probability finite

_STEP_BELOW_ONE = 2.0**-53  # between one and the next smaller double

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Signals:
    """What models showed about the true labels of records.

    Attributes:
        odds: (models, records) log p(label) - log p(any other label).
        logs: (models, records) log p(label).
        correct: (models, records) whether the most likely class is the label.
    """

    odds: Floats
    logs: Floats
    correct: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.odds.ndim != 2 or not self.odds.shape == self.logs.shape == self.correct.shape:
            raise UsageError(
                f"Expected signals of one shape (models, records), got {self.odds.shape}, {self.logs.shape} and "
                f"{self.correct.shape}.",
                "Make them with Signals.of.",
            )
        if not (np.isfinite(self.odds).all() and np.isfinite(self.logs).all()):
            raise UsageError("Expected finite signals, got NaN or infinity.", "Look for a training that diverged.")

    @classmethod
    def of(cls, answers: npt.NDArray[np.floating[Any]], labels: npt.NDArray[np.int64], exposure: Exposure) -> Signals:
        """What an exposure shows of answers.

        Args:
            answers: (models, records, classes) natural logarithms of the class probabilities.
            labels: (records,) the true classes.
            exposure: with logits, log-odds are exact at any confidence (Carlini et al., 2022, section 4.4, without its
                rounding); with scores they come from probabilities in double precision; with labels alone they are +1
                for a right answer and -1 for a wrong one, and `logs` is 0 and -1. Rounded scores that read 0 count as
                a quarter of the last digit's step (the rounded-away part lies below half of it); for a class that is
                not among the best few, what these leave of 1 is shared equally among all the others.
        """
        if answers.ndim != 3 or answers.shape[1] != len(labels):
            raise UsageError(
                f"Expected answers of shape (models, {len(labels)}, classes), got {answers.shape}.",
                "Stack one row of log-probabilities per model and record.",
            )
        parts = [_read(one.astype(np.float64), labels, exposure) for one in answers]  # one at a time: half the memory
        odds, logs, correct = (np.stack(column) for column in zip(*parts, strict=True))
        return cls(odds, logs, correct)

    def __len__(self) -> int:
        return len(self.odds)

    @property
    def records(self) -> int:
        """How many records there are."""
        return int(self.odds.shape[1])

    def model(self, number: int) -> Signals:
        """One model's signals, (1, records)."""
        return self.take([number])

    def take(self, models: Any) -> Signals:
        """The signals of some models: numbers, or (models,) booleans."""
        return Signals(self.odds[models], self.logs[models], self.correct[models])

    def of_records(self, records: Any) -> Signals:
        """The signals for some records: numbers, or (records,) booleans."""
        return Signals(self.odds[:, records], self.logs[:, records], self.correct[:, records])

    @classmethod
    def stacked(cls, parts: Sequence[Signals]) -> Signals:
        """The models of several, in order."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("odds", "logs", "correct")))


def _read(
    logs: Floats, labels: npt.NDArray[np.int64], exposure: Exposure
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    rows = np.arange(len(logs))
    correct = np.asarray(logs.argmax(axis=1) == labels)
    if exposure == Exposure.LABEL:
        return np.where(correct, 1.0, -1.0), np.where(correct, 0.0, -1.0), correct
    cut = exposure.top is not None and exposure.top < logs.shape[1]
    if cut or exposure.digits is not None:
        own, others = _restricted(np.exp(logs), labels, exposure)
        return np.log(own) - np.log(others), np.log(own), correct
    if exposure.shows == "scores":
        logs = np.log(np.maximum(np.exp(logs), SMALLEST_PROBABILITY))
    others = logs.copy()
    others[rows, labels] = -np.inf
    return logs[rows, labels] - logsumexp(others), logs[rows, labels], correct


def _restricted(shares: Floats, labels: npt.NDArray[np.int64], exposure: Exposure) -> tuple[Floats, Floats]:
    """(n,) probabilities of the label and of all other classes, from what rounding or the best few leave of them."""
    digits, classes = exposure.digits, shares.shape[1]
    seen = shares if digits is None else np.round(shares, digits)
    step = _STEP_BELOW_ONE if digits is None else 10.0**-digits
    own = seen[np.arange(len(seen)), labels]
    if exposure.top is not None and exposure.top < classes:
        # the order that is shown is that of the unrounded scores
        best = np.argsort(-shares, axis=1, kind="stable")[:, : exposure.top]
        left = np.maximum(1 - np.take_along_axis(seen, best, axis=1).sum(axis=1), step / 4)
        own = np.where((best == labels[:, None]).any(axis=1), own, left / (classes - exposure.top))
    # 1 - p, not the sum of the others: many small shares that are rounded to zero would be missing from the sum
    return np.where(own > 0, own, step / 4), np.maximum(1 - own, step / 4)


def logsumexp(values: Floats) -> Floats:
    """(n,) logarithms of the sums of exponentials of rows; a row of minus infinities gives minus infinity."""
    top = values.max(axis=1, initial=-np.inf)
    with np.errstate(divide="ignore"):
        return np.asarray(top + np.log(np.exp(values - top[:, None]).sum(axis=1)))
