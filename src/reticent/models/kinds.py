"""How models of each kind are asked: one small adapter per kind, behind one method.

Promise: `adapter_of` says what a model is without running it, or refuses it by name. An adapter hands over features and
gives back what the model said, unchanged but for the order of columns; it knows what kind of answer that is where the
kind of model settles it (`answers`), and nothing about exposures.

    a torch module            asked in evaluation mode without gradients; its modes are restored
    predict_proba             probabilities; columns put where the class numbers say; pipelines and searches too
    decision_function alone   logits: margins, one per class (LinearSVC, RidgeClassifier)
    predict alone             labels
    an ONNX file              `reticent.models.onnx_file`; a path that ends in .onnx will do
    a text classifier         `reticent.models.text`; a Hugging Face model, or a pair (model, tokenizer)
    an HTTP endpoint          `reticent.models.endpoint`
    any other callable        from features to logits or probabilities

Example:
    >>> from sklearn.svm import LinearSVC
    >>> from reticent.models.kinds import adapter_of, is_network
    >>> adapter_of(LinearSVC(), classes=2).answers, adapter_of(len, classes=2).answers
    ('logits', None)
    >>> import torch
    >>> is_network(adapter_of(torch.nn.Linear(3, 2), classes=2)), is_network(adapter_of(LinearSVC(), classes=2))
    (True, False)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.errors import ModelError
from reticent.models.asking import Adapter, evaluated

__all__ = ["adapter_of", "is_network"]

_ROWS = 4096  # records asked at once


def adapter_of(model: Any, *, classes: int) -> Adapter:
    """The adapter for a model; see the module's page for the kinds.

    Raises:
        ModelError: not something that can be asked.
        MissingExtra: a file or a network whose library is not installed.
    """
    if isinstance(model, tuple) and len(model) == 2:
        from reticent.models.text import TextClassifier

        return TextClassifier(*model)
    if isinstance(model, Path) or (isinstance(model, str) and model.endswith(".onnx")):
        from reticent.models.onnx_file import OnnxModel

        return OnnxModel(model)
    if all(hasattr(model, name) for name in ("ask", "answers", "rows")):
        ready: Adapter = model
        return ready
    if hasattr(model, "named_parameters") and not hasattr(model, "predict_proba"):
        if getattr(model, "main_input_name", None) == "input_ids":
            from reticent.models.text import TextClassifier

            return TextClassifier(model)
        return _Torch(model)
    for name, kind in _METHODS.items():
        if hasattr(model, name) and (name == "predict_proba" or not callable(model)):
            return _Classifier(model, name, kind, classes)
    if not callable(model):
        raise ModelError(
            f"Expected a model that can be called or has predict_proba, got {type(model).__name__}.",
            "Pass a torch module, a classifier with predict_proba or decision_function, the path of an ONNX file, a "
            "pair (Hugging Face model, tokenizer), a reticent.models.Endpoint, or a function from features to answers.",
        )
    return _Function(model)


def is_network(adapter: Adapter) -> bool:
    """Whether what is asked is known to be a neural network: a torch module, alone or as a text classifier.

    A file, an address or a function may hold anything, and is not.
    """
    if isinstance(adapter, _Torch):
        return True
    from reticent.models.text import TextClassifier

    return isinstance(adapter, TextClassifier)


_METHODS = {"predict_proba": "probabilities", "decision_function": "logits", "predict": "labels"}


class _Function:
    """Any callable."""

    answers: str | None = None
    rows: int | None = _ROWS

    def __init__(self, model: Any) -> None:
        self.model = model

    def ask(self, features: npt.NDArray[Any]) -> Any:
        return self.model(features)


class _Torch(_Function):
    """A torch module."""

    def ask(self, features: npt.NDArray[Any]) -> Any:
        import torch

        parameter = next(self.model.parameters(), None)
        inputs = torch.from_numpy(np.ascontiguousarray(features))
        if parameter is not None:
            inputs = inputs.to(parameter.device)
            if inputs.is_floating_point():
                inputs = inputs.to(parameter.dtype)
        with evaluated(self.model), torch.no_grad():
            said = self.model(inputs)
        return getattr(said, "logits", said)  # what networks of transformers wrap their logits in


class _Classifier:
    """A classifier with scikit-learn's methods."""

    rows: int | None = _ROWS

    def __init__(self, model: Any, method: str, kind: str, classes: int) -> None:
        self.model, self.answers = model, kind
        self._method, self._classes = method, classes

    def ask(self, features: npt.NDArray[Any]) -> Any:
        said = np.asarray(getattr(self.model, self._method)(features))
        known = np.asarray(getattr(self.model, "classes_", ()))
        if known.ndim != 1 or known.dtype.kind not in "iub" or said.ndim == 0 or self.answers == "labels":
            return said  # no class numbers to go by: the columns are taken as they come
        known = known.astype(np.int64)
        if said.ndim == 1 and np.array_equal(known, [0, 1]):
            return said
        width = max(self._classes, int(known.max()) + 1)
        if self.answers == "logits" and len(known) < width:
            raise ModelError(
                f"Expected a classifier that knows the classes 0 to {width - 1}, got one trained on {known.tolist()}.",
                "Train it on records of every class, or pass a classifier with predict_proba.",
            )
        if said.ndim != 2 or said.shape[1] != len(known):
            raise ModelError(
                f"Expected {self._method} to answer with one column for each of the classes {known.tolist()}, got "
                f"shape {said.shape}.",
                "Number the classes from 0; give an SVC decision_function_shape='ovr'.",
            )
        if np.array_equal(known, np.arange(len(known))):
            return said
        placed = np.zeros((len(said), width))  # a class that it has never seen has no probability
        placed[:, known] = said
        return placed
