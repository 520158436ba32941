"""A model together with what it shows: the thing that is attacked.

Promise: an attack sees exactly what `exposure` says and nothing else. Answers are float64 and finite; a model that
answers with NaN, or with a shape that does not fit its classes, is refused with a sentence. Every record that the model
is asked about is counted (`queries`).

What counts as a model stands in `reticent.models.kinds`. Answers are logits (n, classes), probabilities (rows that sum
to one), a single logit or probability per record for two classes, or labels. Which of them they are is known from the
kind of model, said with `answers`, or recognised, once, from the first ten records or more that are asked together:
non-negative rows that all sum to one within 1e-4 are probabilities, and so are single numbers that all lie in [0, 1].
Where that is in doubt (rounded probabilities, percentages) the answers are refused until `answers` says what they are;
a model that shows labels only can be audited with `exposure="label"` only.

Example:
    >>> import numpy as np
    >>> from reticent.models import Exposure, Target
    >>> target = Target(lambda x: np.stack([x[:, 0], -x[:, 0]], axis=1), classes=2)
    >>> target.log_odds(np.array([[2.0], [-1.0]]), np.array([0, 0])).round(6).tolist(), target.queries
    ([4.0, -2.0], 2)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import ModelError, ReticentError
from reticent.models.asking import KINDS
from reticent.models.exposure import Exposure
from reticent.models.kinds import adapter_of, is_network
from reticent.models.signals import SMALLEST_PROBABILITY, Signals, logsumexp

__all__ = ["Target"]

_EXACT = 1e-4  # how far from one the sums of unrounded probabilities are, in single precision
_DOUBTFUL = 0.02
_ENOUGH = 10  # answers by which their kind is recognised once and for all
_ROUNDED = 0.05  # of each class: probabilities with one digit


class Target:
    """A model under an exposure.

    Args:
        model: see `reticent.models.kinds`.
        classes: number of classes.
        exposure: what the attacker sees.
        name: what to call it in findings.
        answers: "logits", "probabilities" or "labels": what the model's answers are; by default known or recognised.

    Raises:
        ModelError: not something that can be asked, or labels where more was to be seen.
    """

    def __init__(
        self,
        model: Any,
        *,
        classes: int,
        exposure: Exposure | str = Exposure.LOGITS,
        name: str = "the model",
        answers: str | None = None,
    ) -> None:
        self.model = model
        self.classes = _checks.at_least(2, classes=classes)
        self.exposure = Exposure.of(exposure)
        self.name = name
        self.adapter = adapter_of(model, classes=classes)
        self._answers = None if answers is None else _checks.one_of(KINDS, answers=answers)
        self._asked = 0
        self._recognised: str | None = None
        self._tried = False
        self._kind()  # what is known to show labels only is refused before it is asked

    @property
    def queries(self) -> int:
        """About how many records the model has been asked; for an endpoint, in all requests that were sent to it."""
        return int(getattr(self.adapter, "queries", self._asked))

    @property
    def noun(self) -> str:
        """What reports may call it: "network" where it is known to be one, else "model"."""
        return "network" if is_network(self.adapter) else "model"

    def require_queries(self, count: int) -> None:
        """Raise `UsageError` if so many more queries are not in the model's budget; only endpoints have one."""
        require = getattr(self.adapter, "require_queries", None)
        if require is not None:
            require(count)

    def log_probabilities(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """(n, classes) natural logarithms of the class probabilities, before the exposure restricts them.

        Of a model that shows labels only: as if it were sure of them.
        """
        rows = self.adapter.rows or max(1, len(features))
        if len(features):
            self._ask_one(features)
        parts = [self._ask(features[start : start + rows]) for start in range(0, len(features), rows)]
        answers = np.concatenate(parts) if parts else np.empty((0, self.classes))
        if not np.isfinite(answers).all():
            bad = int((~np.isfinite(answers.reshape(len(answers), -1))).any(axis=1).sum())
            raise ModelError(
                f"Expected finite answers from {self.name}, got NaN or infinity for {bad} of {len(answers)} records.",
                "Check the training for divergence, and the scale of the features.",
            )
        if not parts:
            return answers
        kind = self._kind()
        if kind == "labels":
            return self._sure(answers)
        if kind is None:  # decided over all records at once, and never differently for a few more of them
            kind = self._recognised or (_of_one(answers) if answers.ndim == 1 else self._of_rows(answers))
            if len(answers) >= _ENOUGH:
                self._recognised = kind
        if answers.ndim == 1:  # of two classes, the second
            first = 1 - answers if kind == "probabilities" else np.zeros_like(answers)
            answers = np.stack([first, answers], axis=1)
        if kind == "logits":
            return answers - logsumexp(answers)[:, None]
        return np.log(np.maximum(self._probabilities(answers), SMALLEST_PROBABILITY))

    def predicted(self, features: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """(n,) the most likely classes: all that an attacker who sees labels only learns."""
        return np.asarray(self.log_probabilities(features).argmax(axis=1))

    def log_odds(self, features: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(n,) how much the exposed answer speaks for the true label: log p(label) - log p(any other label).

        See `Signals.of` for what an exposure leaves of it.
        """
        return np.asarray(self.signals(features, labels).odds[0])

    def correct(self, features: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(n,) whether the most likely class is the right one."""
        return np.asarray(self.signals(features, labels).correct[0])

    def signals(self, features: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> Signals:
        """(1, n) all that the exposed answers say of the true labels; the model is asked once."""
        return Signals.of(self.log_probabilities(features)[None], labels, self.exposure)

    def _kind(self) -> str | None:
        """What the answers are, as far as it is known."""
        own = self.adapter.answers
        kind = own if self._answers is None or own == "labels" else self._answers
        if kind == "labels" and self.exposure != Exposure.LABEL:
            raise ModelError(
                f"Expected {self.name} to show {self.exposure.meaning}, but it shows labels only.",
                "Audit it with exposure='label'.",
            )
        return kind

    def _ask_one(self, features: npt.NDArray[Any]) -> None:
        """Of a model with a budget that remembers: one record first, so that answers of no use cost one query."""
        require = getattr(self.adapter, "require_answers", None)
        if require is None or self._tried:
            return
        require(features)
        self._ask(features[:1])
        self._kind()
        self._tried = True

    def _ask(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        self._asked += len(features)
        try:
            answers = self.adapter.ask(features)
            if hasattr(answers, "detach"):
                answers = answers.detach().cpu().double().numpy()
            array = np.asarray(answers, dtype=np.float64)
        except ReticentError:
            raise
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            kind = "whole numbers" if features.dtype.kind == "i" else f"{features.dtype} numbers"
            raise ModelError(
                f"Expected {self.name} to answer records of shape {features.shape[1:]} ({kind}), but it said: "
                f"{_first_line(error)}.",
                "Check that it was trained, and on records of this shape and type.",
            ) from error
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        single = self.classes == 2 or self._kind() == "labels"
        fits = array.shape[1] >= self.classes if array.ndim == 2 else array.ndim == 1 and single
        if not fits or len(array) != len(features):
            raise ModelError(
                f"Expected {self.name} to answer {len(features)} records with shape "
                f"({len(features)}, {self.classes} or more), got {array.shape}.",
                "Let it return one row of logits or probabilities per record; labels are counted from 0.",
            )
        return array

    def _sure(self, labels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        whole = labels.astype(np.int64)
        if labels.ndim != 1 or (whole != labels).any() or whole.min() < 0 or whole.max() >= self.classes:
            raise ModelError(
                f"Expected one label from 0 to {self.classes - 1} per record from {self.name}, got "
                f"{'others' if labels.ndim == 1 else f'shape {labels.shape}'}.",
                "Let it answer with class numbers.",
            )
        logs = np.full((len(whole), self.classes), np.log(SMALLEST_PROBABILITY))
        logs[np.arange(len(whole)), whole] = 0.0
        return logs

    def _of_rows(self, answers: npt.NDArray[np.float64]) -> str:
        # Rows of logits that are never negative and all sum to one do not occur by accident; probabilities always do.
        if answers.min() < 0:
            return "logits"
        sums = answers.sum(axis=1)
        if np.allclose(sums, 1.0, rtol=0, atol=_EXACT):
            return "probabilities"
        for whole, what in ((1.0, "rounded probabilities"), (100.0, "percentages")):
            near = np.abs(sums / whole - 1) <= _DOUBTFUL
            if answers.max() <= whole * (1 + _EXACT) and 2 * near.sum() >= len(near):
                raise ModelError(
                    f"Expected answers of {self.name} that are clearly logits or probabilities, got "
                    f"{int(near.sum())} of {len(near)} rows that sum to {whole:g} within {_DOUBTFUL * whole:g}: they "
                    f"may be {what}.",
                    "Say what they are with answers='probabilities' or answers='logits'; divide percentages by 100.",
                )
        return "logits"

    def _probabilities(self, answers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        sums, slack = answers.sum(axis=1), max(_DOUBTFUL, _ROUNDED * answers.shape[1])
        bad = (answers.min(axis=1) < -_EXACT) | (answers.max(axis=1) > 1 + _EXACT) | (np.abs(sums - 1) > slack)
        if bad.any():
            raise ModelError(
                f"Expected probabilities that sum to one, if rounded, from {self.name}, got {int(bad.sum())} of "
                f"{len(bad)} rows with sums from {sums.min():.4g} to {sums.max():.4g} and values from "
                f"{answers.min():.4g} to {answers.max():.4g}.",
                "Let it answer with one probability per class (no percentages, no scores of independent classes), or "
                "say answers='logits'.",
            )
        return np.clip(answers, 0.0, 1.0)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _of_one(single: npt.NDArray[np.float64]) -> str:
    """One number per record: a probability of class 1 if all lie in [0, 1], otherwise its logit."""
    return "probabilities" if single.min() >= 0 and single.max() <= 1 else "logits"
