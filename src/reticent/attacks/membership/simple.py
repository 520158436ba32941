"""The simple attacks: the answer itself, or its place among others.

Promise: four statistics that need no model of anything, computed exactly, ties by mid-rank.

| method | a record's score |
|---|---|
| `Loss` | log p(label), or its log-odds: one threshold for all records |
| `Population` | share of the references' answers to records outside their training data that lie below the target's |
| `Reference` | share of the reference models without *this* record that answer below the target |
| `Calibrated` | log p(label) less its mean over the reference models without this record |

A share is (below + half of the ties + 1/2) / (n + 1), so nothing is 0 or 1, and a record without a model of that kind
has 1/2. Such a record's mean in `Calibrated` is the mean of the other records' means. With `labels`, `Population`
compares within the record's class.

Sources: Yeom et al. 2018 (loss); Ye et al. 2022 (population and reference attacks P and R); Watson et al. 2022
(difficulty calibration).

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership.simple import Reference
    >>> from reticent.models import Signals
    >>> odds = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    >>> signals = Signals(odds, -np.log1p(np.exp(-odds)), odds > 0)
    >>> Reference().score(signals.model(2), signals.take([0, 1]), np.zeros((2, 2), dtype=bool)).round(3).tolist()
    [0.833, 0.833]
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.membership.method import Learned, Method
from reticent.attacks.membership.moments import Moments
from reticent.errors import UsageError

__all__ = ["Calibrated", "Loss", "Population", "Reference"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
OnWhat = Literal["logs", "odds"]


class _Nothing:
    def without(self, model: int, row: Floats, inside: Booleans) -> _Nothing:
        return self


@dataclasses.dataclass(frozen=True)
class Loss(Method):
    """The answer itself.

    Args:
        on: "logs" for log p(label), the negative cross-entropy; "odds" for its log-odds.
    """

    name: ClassVar[str] = "loss"
    meaning: ClassVar[str] = "the logarithm of the label's probability, or its log-odds; references are not used"
    source: ClassVar[str] = "Yeom et al. 2018"

    on: OnWhat = "logs"

    def __post_init__(self) -> None:
        _checks.one_of(get_args(OnWhat), on=self.on)

    @property
    def signal(self) -> str:  # type: ignore[override]
        """Which of the `Signals` is read."""
        return self.on

    def _learn(self, values: Floats, membership: Booleans) -> Learned:
        return _Nothing()

    def _score(self, values: Floats, learned: Learned) -> Floats:
        return values.copy()


@dataclasses.dataclass(frozen=True)
class _Crowd:
    """All references' answers outside their training data, sorted, by class; less those of one model."""

    groups: tuple[npt.NDArray[np.int64], ...]  # the records of each class
    pools: tuple[Floats, ...]
    left_out: tuple[Floats, ...]

    def without(self, model: int, row: Floats, inside: Booleans) -> _Crowd:
        own = tuple(np.sort(row[group][~inside[group]]) for group in self.groups)
        return _Crowd(self.groups, self.pools, own)


@dataclasses.dataclass(frozen=True)
class Population(Method):
    """Attack P: where the answer lies among answers to records outside the training data.

    The population is the references' own out-of-training records, so no record is set aside.

    Args:
        labels: (records,) classes to compare within; all records together without.
    """

    name: ClassVar[str] = "population"
    meaning: ClassVar[str] = "share of the references' answers to records outside their training data that lie below"
    source: ClassVar[str] = "Ye et al. 2022, attack P"
    needs: ClassVar[frozenset[str]] = frozenset({"out-models"})

    labels: npt.NDArray[np.int64] | None = dataclasses.field(default=None, repr=False, compare=False)

    def _learn(self, values: Floats, membership: Booleans) -> _Crowd:
        records = values.shape[1]
        labels = np.zeros(records, dtype=np.int64) if self.labels is None else np.asarray(self.labels)
        if labels.shape != (records,):
            raise UsageError(
                f"Expected one label per record, got {labels.shape} for {records} records.",
                "Pass the classes of the scored records.",
            )
        groups = tuple(np.flatnonzero(labels == one) for one in np.unique(labels))
        pools = tuple(np.sort(values[:, group][~membership[:, group]]) for group in groups)
        return _Crowd(groups, pools, (np.empty(0),) * len(groups))

    def _score(self, values: Floats, learned: _Crowd) -> Floats:
        result = np.empty(len(values))
        for group, pool, own in zip(learned.groups, learned.pools, learned.left_out, strict=True):
            # In order, because searching for neighbours one after the other stays in the cache.
            order = group[np.argsort(values[group], kind="stable")]
            asked = values[order]
            below = sum(
                sign * (np.searchsorted(side, asked, "left") + np.searchsorted(side, asked, "right")) / 2
                for side, sign in ((pool, 1), (own, -1))
            )
            result[order] = (below + 0.5) / (len(pool) - len(own) + 1)
        return result


@dataclasses.dataclass(frozen=True)
class _Others:
    values: Floats
    outside: Booleans
    left_out: int | None = None

    def without(self, model: int, row: Floats, inside: Booleans) -> _Others:
        return dataclasses.replace(self, left_out=model)


@dataclasses.dataclass(frozen=True)
class Reference(Method):
    """Attack R: where the answer lies among those of models without the record."""

    name: ClassVar[str] = "reference"
    meaning: ClassVar[str] = "share of the models without the record that answer below"
    source: ClassVar[str] = "Ye et al. 2022, attack R"
    needs: ClassVar[frozenset[str]] = frozenset({"out-models"})

    def _learn(self, values: Floats, membership: Booleans) -> _Others:
        return _Others(values, ~membership)

    def _score(self, values: Floats, learned: _Others) -> Floats:
        below = np.zeros(len(values))
        count = np.zeros(len(values))
        for model, (row, outside) in enumerate(zip(learned.values, learned.outside, strict=True)):
            if model != learned.left_out:
                below += outside * ((row < values) + 0.5 * (row == values))
                count += outside
        return np.asarray((below + 0.5) / (count + 1))


@dataclasses.dataclass(frozen=True)
class Calibrated(Method):
    """The answer less what models without the record answer."""

    name: ClassVar[str] = "calibrated"
    meaning: ClassVar[str] = "log p(label) less its mean over the models without the record"
    source: ClassVar[str] = "Watson et al. 2022"
    signal: ClassVar[str] = "logs"
    needs: ClassVar[frozenset[str]] = frozenset({"out-models"})

    def _learn(self, values: Floats, membership: Booleans) -> Moments:
        return Moments.of(values, membership)

    def _score(self, values: Floats, learned: Moments) -> Floats:
        seen = learned.count[1] > 0
        return np.asarray(values - np.where(seen, learned.mean[1], learned.mean[1][seen].mean()))
