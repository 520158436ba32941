"""RMIA, BASE and InfoRMIA are one score: how much likelier the label is than models on average find it.

Promise: `Relative` is log p(label) - log of the mean p(label) over reference models; `RelativeOffline` estimates
that mean from models without the record alone.

RMIA asks for the share of other records z with (p(x) / mean p(x)) / (p(z) / mean p(z)) above gamma. For one target and
one set of z that is a non-decreasing function of x's own ratio, so it ranks records as the ratio does (but for ties).
What the z add is a threshold that can be compared *between* models; where thresholds come from reference models, as
here, they add nothing. BASE is the same with logarithms, and InfoRMIA adds a constant per model.

The online mean is over all reference models as published, or, with `balanced`, over the means of both sides, which is
what it estimates: half of the models have the record. Offline, mean = ((1 + alpha) q + 1 - alpha) / 2 with q the mean
over models without the record: those with it are assumed to answer alpha q + 1 - alpha. `choose` picks alpha by
attacking one reference with the others, as published.

A record without models on a side has there the mean over all records (of their means).

Sources: Zarifzadeh, Liu and Shokri 2024 (RMIA; appendix on offline alpha); Lassila et al. 2025 (BASE, with the
equivalence); Tao and Shokri 2026 (InfoRMIA).

Exponentials are summed with the largest taken out. A model is left out by adding up the others from both ends, never by
subtracting, which would leave no digits of small probabilities. Memory: 4 (models, records) arrays for leave-one-out.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership.relative import Relative
    >>> from reticent.models import Signals
    >>> logs = np.log([[0.5, 0.2], [0.7, 0.4], [0.9, 0.3]])
    >>> signals = Signals(logs - np.log1p(-np.exp(logs)), logs, logs > np.log(0.5))
    >>> scores = Relative().score(signals.model(2), signals.take([0, 1]), np.array([[True, False], [False, True]]))
    >>> np.exp(scores).round(6).tolist()
    [1.5, 1.0]
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.membership.method import Method

__all__ = ["Relative", "RelativeOffline"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class _Sums:
    """Logarithms of the sums of p(label) over models with (0) and without (1) each record, and how many those are.

    Attributes:
        values: (models, records) log p(label).
        membership: (models, records).
        total: (2, records) log-sums; minus infinity where there are no models.
        count: (2, records) models on a side.
        parts: (2, models + 1, records) each, once they are needed: log-sums of the first and of the last models.
    """

    values: Floats
    membership: Booleans
    total: Floats
    count: npt.NDArray[np.int64]
    parts: list[tuple[Floats, Floats]]

    @classmethod
    def of(cls, values: Floats, membership: Booleans) -> _Sums:
        sides = (membership, ~membership)
        total = np.stack([_log_sum(np.where(own, values, -np.inf)) for own in sides])
        count = np.stack([own.sum(axis=0) for own in sides])
        return cls(values, membership, total, count, [])

    def without(self, model: int, row: Floats, inside: Booleans) -> _Sums:
        if not self.parts:
            for own in (self.membership, ~self.membership):
                kept = np.where(own, self.values, -np.inf)
                self.parts.append((_running(kept), _running(kept[::-1])[::-1]))
        total = np.stack([np.logaddexp(first[model], last[model + 1]) for first, last in self.parts])
        return _Sums(self.values, self.membership, total, self.count - np.stack([inside, ~inside]), [])

    def mean(self, side: int) -> Floats:
        """(records,) log of the mean on a side; of the mean over records, where a record has no models there."""
        seen = self.count[side] > 0
        logs = self.total[side] - np.log(np.maximum(self.count[side], 1))
        if not seen.any():
            return np.full(len(seen), -np.inf)
        overall = float(_log_sum(logs[seen][:, None])[0] - np.log(seen.sum()))
        return np.where(seen, logs, overall)


def _log_sum(logs: Floats) -> Floats:
    """(records,) over models; minus infinity for none."""
    top = logs.max(axis=0)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(safe + np.log(np.exp(logs - safe).sum(axis=0)))


def _running(logs: Floats) -> Floats:
    """(models + 1, records) log-sums of the first 0, 1, ... models."""
    result = np.full((len(logs) + 1, logs.shape[1]), -np.inf)
    np.logaddexp.accumulate(logs, axis=0, out=result[1:])
    return result


@dataclasses.dataclass(frozen=True)
class Relative(Method):
    """RMIA and BASE, online.

    Args:
        balanced: whether models with and without the record weigh the same, however many there are.
    """

    name: ClassVar[str] = "rmia"
    meaning: ClassVar[str] = "log of the label's probability over its mean among the references (RMIA, BASE, InfoRMIA)"
    source: ClassVar[str] = "Zarifzadeh et al. 2024; Lassila et al. 2025"
    signal: ClassVar[str] = "logs"

    balanced: bool = False

    def _learn(self, values: Floats, membership: Booleans) -> _Sums:
        return _Sums.of(values, membership)

    def _score(self, values: Floats, learned: _Sums) -> Floats:
        if not self.balanced or not (learned.count > 0).any(axis=1).all():
            return np.asarray(values - np.logaddexp(*learned.total) + np.log(learned.count.sum(axis=0)))
        return np.asarray(values - np.logaddexp(learned.mean(0), learned.mean(1)) + np.log(2))


@dataclasses.dataclass(frozen=True)
class RelativeOffline(Method):
    """RMIA and BASE, offline.

    Args:
        alpha: models with the record are assumed to answer alpha q + 1 - alpha; between 0 and 1.
    """

    name: ClassVar[str] = "rmia_offline"
    meaning: ClassVar[str] = "log of the label's probability over its mean, guessed from models without the record"
    source: ClassVar[str] = "Zarifzadeh et al. 2024; Lassila et al. 2025"
    signal: ClassVar[str] = "logs"
    needs: ClassVar[frozenset[str]] = frozenset({"out-models"})

    alpha: float = 0.33

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", _checks.fraction(alpha=self.alpha))

    def _learn(self, values: Floats, membership: Booleans) -> _Sums:
        return _Sums.of(values, membership)

    def _score(self, values: Floats, learned: _Sums) -> Floats:
        with np.errstate(divide="ignore"):
            guess = np.logaddexp(np.log1p(self.alpha) + learned.mean(1), np.log(1 - self.alpha))
        return np.asarray(values - guess + np.log(2))
