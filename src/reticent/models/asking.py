"""What asking a model of any kind comes down to.

Promise: an adapter hands over features and gives back what the model said; it knows what kind of answer that is where
the kind of model settles it, and nothing about exposures. `reticent.models.kinds` picks the adapter of a model; an
object with these three members is one itself.

Example:
    >>> import numpy as np
    >>> from reticent.models import Target
    >>> class Thermometer:
    ...     answers, rows = "logits", 100  # never more than 100 records at once
    ...     def ask(self, features):
    ...         return np.column_stack([-features[:, 0], features[:, 0]])
    >>> Target(Thermometer(), classes=2).predicted(np.array([[-3.0], [20.0]])).tolist()
    [0, 1]
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import numpy.typing as npt

__all__ = ["KINDS", "Adapter", "evaluated"]

KINDS = ("logits", "probabilities", "labels")
"""What an answer can be."""


class Adapter(Protocol):
    """Asks models of one kind."""

    @property
    def answers(self) -> str | None:
        """One of `KINDS` where the kind of model settles it."""

    @property
    def rows(self) -> int | None:
        """How many records are handed over at once; None: all of them."""

    def ask(self, features: npt.NDArray[Any]) -> Any:
        """What the model says about each record."""


@contextlib.contextmanager
def evaluated(model: Any) -> Iterator[None]:
    """Puts a torch module into evaluation mode, and every part of it back into its own mode afterwards."""
    modes = [(part, part.training) for part in model.modules()]  # a frozen part may be in another mode than the whole
    model.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
