"""Data and models whose truth is known, for `reticent.audits.selftest`: fast, in numpy, and drawn anew each time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data import Records
from reticent.randomness import Randomness

__all__ = ["KernelMachine", "NearestRecord", "clusters", "noisy_coins"]

Floats = npt.NDArray[np.float64]
_COLUMNS = 20


def clusters(count: int, randomness: Randomness, *, apart: float = 0.35) -> Records:
    """Records of two classes around a centre each; always the same centres, so that draws are of one population."""
    centres = Randomness.simulated(20).normal((2, _COLUMNS)) * apart
    labels = randomness.integers(2, count)
    return Records(centres[labels] + randomness.normal((count, _COLUMNS)), labels, classes=2, name="clusters")


@dataclasses.dataclass(frozen=True)
class KernelMachine:
    """A trainer of kernel ridge regressions onto the classes: they follow records as far as `ridge` is small."""

    ridge: float = 0.3
    width: float = 12.0

    def __call__(self, records: Records, randomness: Randomness) -> Any:
        """A function from features to logits."""
        del randomness  # nothing about it is random
        x = records.features.astype(np.float64)
        kernel = self._kernel(x, x)
        kernel[np.diag_indices(len(x))] += self.ridge
        weights = np.linalg.solve(kernel, 2.0 * np.eye(records.classes)[records.labels] - 1.0)
        return lambda features: 4.0 * self._kernel(np.asarray(features, dtype=np.float64), x) @ weights

    def _kernel(self, one: Floats, other: Floats) -> Floats:
        squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None] - 2.0 * one @ other.T
        return np.asarray(np.exp(-np.maximum(squares, 0.0) / (2.0 * self.width)))


@dataclasses.dataclass(frozen=True)
class NearestRecord:
    """A trainer of models that are sure of the records that they have seen, and guess at all others."""

    sure: float = 10.0

    def __call__(self, records: Records, randomness: Randomness) -> Any:
        """A function from features to logits, each with noise of deviation 0.1."""
        draw = randomness.spawn("answers")
        known = {row.tobytes(): label for row, label in zip(records.features, records.labels, strict=True)}

        def answer(features: npt.NDArray[Any]) -> Floats:
            logits = draw.normal((len(features), records.classes), standard_deviation=0.1)
            for place, row in enumerate(features):
                label = known.get(row.tobytes())
                if label is not None:
                    logits[place, label] += self.sure
            return logits

        return answer


def noisy_coins(coins: npt.NDArray[np.bool_], epsilon: float, randomness: Randomness) -> Floats:
    """Scores from randomised response: each coin told rightly with probability e^epsilon / (1 + e^epsilon).

    How sure a score is says nothing about whether it is right, so that the truth is epsilon for every choice of them.
    """
    right = randomness.bernoulli(1.0 / (1.0 + float(np.exp(-epsilon))), len(coins))
    return np.where(right == coins, 1.0, -1.0) * (0.5 + randomness.uniform(len(coins)))
