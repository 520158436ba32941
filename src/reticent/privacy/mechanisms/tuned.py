"""What choosing among several trainings costs.

Promise: an upper bound on the loss of releasing only the best of a random number of runs (Papernot and Steinke, 2022).

Example:
    >>> from reticent.privacy import BestOf, Guarantee, SampledGaussian
    >>> run = SampledGaussian(4.0)
    >>> once, tuned = Guarantee((run,)), Guarantee((BestOf((run,), mean_runs=10),))
    >>> round(once.epsilon(1e-5), 2), round(tuned.epsilon(1e-5), 2)
    (0.93, 2.16)
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import renyi
from reticent.privacy.losses import Loss, Profile, no_masses
from reticent.privacy.mechanisms.base import Mechanism, keep
from reticent.privacy.units import Relation

__all__ = ["BestOf"]

Array = npt.NDArray[np.float64]

_LARGEST_EPSILON = 700.0


@dataclasses.dataclass(frozen=True)
class BestOf(Mechanism):
    """The best of a random number of runs of the same mechanisms: what hyper-parameter tuning costs.

    Every run uses `mechanisms` (with whatever settings), runs are compared by any score, also one computed from the
    data, and only the best run's output is released. The number of runs is drawn beforehand, with mean `mean_runs`:
    geometric for `shape` 1, logarithmic for 0 (Papernot and Steinke, 2022). A number that is fixed, or a release of the
    others, is a composition of all runs instead.
    """

    mechanisms: tuple[Mechanism, ...]
    mean_runs: float
    shape: float = 1.0
    count: int = 1
    kind: ClassVar[str] = "best_of"

    def __post_init__(self) -> None:
        object.__setattr__(self, "mechanisms", tuple(self.mechanisms))
        if not all(isinstance(mechanism, Mechanism) for mechanism in self.mechanisms):
            raise UsageError(f"Expected mechanisms, got {self.mechanisms!r}.", "Pass those of one run's guarantee.")
        if _checks.positive(mean_runs=self.mean_runs) <= 1:
            raise UsageError(f"Expected mean_runs > 1, got mean_runs={self.mean_runs!r}.", "One run has no best.")
        if not (isinstance(self.shape, int | float) and -1 < self.shape <= 100):
            raise UsageError(f"Expected -1 < shape <= 100, got shape={self.shape!r}.", "Pass 1 (geometric) or 0.")
        keep(
            self,
            mean_runs=float(self.mean_runs),
            shape=float(self.shape),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0 or all(mechanism.is_free for mechanism in self.mechanisms)

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds: also where there are no Renyi divergences to start from."""
        return not self.is_free and not np.isfinite(self.renyi(Relation.REPLACE_ONE)).any()

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one search: the worst one with its Renyi divergences."""
        divergences = self.renyi(relation)

        def divergence(epsilons: Array) -> Array:
            return renyi.deltas_of(divergences, renyi.ORDERS, epsilons)

        top = min(_LARGEST_EPSILON, renyi.epsilon_of(divergences, renyi.ORDERS, delta=1e-15))
        return (Profile(no_masses, -top, top, divergence=divergence),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one search, at `renyi.ORDERS`."""
        used = [mechanism for mechanism in self.mechanisms if not mechanism.is_free]
        total = sum((m.count * m.renyi(relation) for m in used), np.zeros_like(renyi.ORDERS))
        return renyi.best_of(total, renyi.ORDERS, mean_runs=self.mean_runs, shape=self.shape)

    def text(self) -> str:
        """One line for reports."""
        one = "; ".join(mechanism.text() for mechanism in self.mechanisms)
        law = {1.0: "geometric", 0.0: "logarithmic"}.get(self.shape, f"negative binomial, shape {self.shape:g}")
        return f"{self.count} time(s) the best of {self.mean_runs:g} runs on average ({law}), each of: {one}"
