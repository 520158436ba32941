"""A model together with what it shows: the thing that is attacked.

Promise: an attack sees exactly what `exposure` says and nothing else. Answers are float64 and finite; a model that
answers with NaN, or with a shape that does not fit its classes, is refused with a sentence.

What counts as a model: a torch module (asked in evaluation mode, without gradients, its mode restored afterwards), a
scikit-learn classifier (anything with `predict_proba`), or any callable from features to answers. Answers are logits
(n, classes), probabilities (rows that sum to one), or a single logit or probability per record for two classes.

Example:
    >>> import numpy as np
    >>> from reticent.models import Exposure, Target
    >>> target = Target(lambda x: np.stack([x[:, 0], -x[:, 0]], axis=1), classes=2)
    >>> target.log_odds(np.array([[2.0], [-1.0]]), np.array([0, 0])).round(6).tolist()
    [4.0, -2.0]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import ModelError
from reticent.models.exposure import Exposure
from reticent.models.signals import SMALLEST_PROBABILITY, Signals, logsumexp

__all__ = ["Target"]

_ROWS = 4096  # records asked at once


class Target:
    """A model under an exposure.

    Args:
        model: see the module's page.
        classes: number of classes.
        exposure: what the attacker sees.
        name: what to call it in findings.

    Raises:
        ModelError: not something that can be asked.
    """

    def __init__(
        self, model: Any, *, classes: int, exposure: Exposure = Exposure.LOGITS, name: str = "the model"
    ) -> None:
        if not callable(model) and not hasattr(model, "predict_proba"):
            raise ModelError(
                f"Expected a model that can be called or has predict_proba, got {type(model).__name__}.",
                "Pass a torch module, a classifier with predict_proba, or a function from features to logits.",
            )
        self.model = model
        self.classes = _checks.at_least(2, classes=classes)
        self.exposure = exposure
        self.name = name

    def log_probabilities(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """(n, classes) natural logarithms of the class probabilities, before the exposure restricts them."""
        parts = [self._ask(features[start : start + _ROWS]) for start in range(0, len(features), _ROWS)]
        answers = np.concatenate(parts) if parts else np.empty((0, self.classes))
        if answers.ndim == 1:  # decided over all records at once, never differently for two parts of them
            answers = _two_columns(answers)
        if not np.isfinite(answers).all():
            bad = int((~np.isfinite(answers)).any(axis=1).sum())
            raise ModelError(
                f"Expected finite answers from {self.name}, got NaN or infinity for {bad} of {len(answers)} records.",
                "Check the training for divergence, and the scale of the features.",
            )
        return _log_probabilities(answers)

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

    def _ask(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        try:
            if hasattr(self.model, "predict_proba"):
                answers = self.model.predict_proba(features)
            elif hasattr(self.model, "named_parameters"):
                answers = _ask_torch(self.model, features)
            else:
                answers = self.model(features)
            if hasattr(answers, "detach"):
                answers = answers.detach().cpu().double().numpy()
            array = np.asarray(answers, dtype=np.float64)
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            kind = "whole numbers" if features.dtype.kind == "i" else f"{features.dtype} numbers"
            raise ModelError(
                f"Expected {self.name} to answer records of shape {features.shape[1:]} ({kind}), but it said: "
                f"{_first_line(error)}.",
                "Check that it was trained, and on records of this shape and type.",
            ) from error
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        fits = array.shape[1] >= self.classes if array.ndim == 2 else array.ndim == 1 and self.classes == 2
        if not fits or len(array) != len(features):
            raise ModelError(
                f"Expected {self.name} to answer {len(features)} records with shape "
                f"({len(features)}, {self.classes} or more), got {array.shape}.",
                "Let it return one row of logits or probabilities per record; labels are counted from 0.",
            )
        return array


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _ask_torch(model: Any, features: npt.NDArray[Any]) -> Any:
    import torch

    parameter = next(model.parameters(), None)
    inputs = torch.from_numpy(np.ascontiguousarray(features))
    if parameter is not None:
        inputs = inputs.to(parameter.device)
        if inputs.is_floating_point():
            inputs = inputs.to(parameter.dtype)
    modes = [(part, part.training) for part in model.modules()]  # a frozen part may be in another mode than the whole
    model.eval()
    try:
        with torch.no_grad():
            return model(inputs)
    finally:
        for part, training in modes:
            part.training = training


def _two_columns(single: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """One number per record for two classes: a probability of class 1 if all lie in [0, 1], otherwise its logit."""
    if single.size and single.min() >= 0 and single.max() <= 1:
        return np.stack([1 - single, single], axis=1)
    return np.stack([np.zeros_like(single), single], axis=1)


def _log_probabilities(answers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # Rows of logits that all lie in [0, 1] and all sum to one do not occur by accident; probabilities always do.
    if answers.size and answers.min() >= 0 and np.allclose(answers.sum(axis=1), 1.0, rtol=0, atol=1e-4):
        return np.log(np.maximum(answers, SMALLEST_PROBABILITY))
    return answers - logsumexp(answers)[:, None]
