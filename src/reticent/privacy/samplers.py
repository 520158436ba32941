"""Samplers: one object says how batches are drawn and what they cost, so the two cannot differ.

Promise: the batches that `batches` draws follow the law that `mechanisms` is the charge for. Empty batches are given
too: skipping one would tell something about the data and would not be accounted.

| sampler | a unit is in ... | under | charged as |
|---|---|---|---|
| `Poisson()` | every batch with probability q, by a coin of its own | both | `SampledGaussian` |
| `PoissonRows(most_rows)` | one of its rows, by a coin for each of them | add/remove | `GroupedGaussian` |
| `TruncatedPoisson(most)` | the same, in batches that are cut to a largest size | both | `TruncatedGaussian` |
| `RandomAllocation(uses)` | exactly `uses` batches of a round, at random by itself | add/remove | `AllocatedGaussian` |
| `Cyclic(groups)` | every `groups`-th batch with probability q * groups | both | `SampledGaussian`, fewer |
| `FixedSize()` | a batch that is a uniform choice of so many units | replace | `FixedSizeGaussian` |
| `WithReplacement()` | a batch of so many independent draws, perhaps twice | replace | `WithReplacementGaussian` |
| `Shuffled()` | exactly one batch of each pass; nothing is hidden | replace | one full sum for each pass |
| `Streamed()` | the same, in the order in which they come | replace | one full sum for each pass |

Shuffling is the habit of training loops and the dearest of all: that its batches cost as little as Poisson's is a
common mistake (Chua et al., 2024, "How private are DP-SGD implementations?"). `RandomAllocation` has batches that are
nearly as even, and the least noise.

Some choices last for a turn of several batches: an allocation for its round, an order for its pass, groups for the
whole training (`reticent.privacy.turns`). `reticent.privacy.Batches` draws batches and remembers such choices.

Example:
    >>> from reticent.privacy import Poisson
    >>> Poisson().mechanisms(1.0, 1000, 50, steps=60)
    (SampledGaussian(noise_multiplier=1.0, sample_rate=0.05, count=60),)
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy.mechanisms import (
    FixedSizeGaussian,
    GroupedGaussian,
    Mechanism,
    SampledGaussian,
    TruncatedGaussian,
    WithReplacementGaussian,
)
from reticent.privacy.units import Relation
from reticent.randomness import Randomness

__all__ = [
    "FixedSize",
    "Poisson",
    "PoissonRows",
    "Sampler",
    "TruncatedPoisson",
    "WithReplacement",
]

Rows = npt.NDArray[np.int64]
_KINDS: dict[str, type[Sampler]] = {}


@dataclasses.dataclass(frozen=True)
class Sampler(abc.ABC):
    """How batches are drawn from `dataset_size` units, `batch_size` of them on average."""

    kind: ClassVar[str]
    """Its name in records."""
    relations: ClassVar[tuple[Relation, ...]] = (Relation.ADD_OR_REMOVE_ONE, Relation.REPLACE_ONE)
    """The neighbouring relations under which its cost is known."""
    most_rows: ClassVar[int | None] = None
    """If it draws rows, and not units: how many of them a unit may own. A class may make it a field."""
    is_public: ClassVar[bool] = True
    """Whether the charge stands even if the choices of a turn are known, so that they may be written to a state."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "kind" in vars(cls):
            _KINDS[cls.kind] = cls

    @abc.abstractmethod
    def mechanisms(
        self, noise_multiplier: float, dataset_size: int, batch_size: int, steps: int
    ) -> tuple[Mechanism, ...]:
        """What noisy sums over the first `steps` batches cost."""

    @abc.abstractmethod
    def drawn(self, dataset_size: int, batch_size: int, number: int, source: Randomness, choices: Rows) -> Rows:
        """The units in batch `number`, sorted; `choices` are those of its turn."""

    def turn(self, dataset_size: int, batch_size: int) -> int | None:
        """For how many batches choices last: one by default; None for the whole training."""
        del dataset_size, batch_size
        return 1

    def choices(self, dataset_size: int, batch_size: int, source: Randomness) -> Rows:
        """What is chosen once for a turn; nothing by default."""
        del dataset_size, batch_size, source
        return np.empty(0, dtype=np.int64)

    def block(self, dataset_size: int, batch_size: int) -> int:
        """How many steps are charged as one: a turn, or, where it lasts for the whole training, `reach` steps."""
        return self.turn(dataset_size, batch_size) or self.reach

    @property
    def reach(self) -> int:
        """Over how many steps noise may be correlated at the same charge: one, independent noise, by default."""
        return 1

    def occasions(self, dataset_size: int, batch_size: int, steps: int) -> tuple[int, int] | None:
        """The least steps from one use of a unit to its next, and the most uses, for a charge that hides neither.

        None, the default, where the charge rests on not knowing who is in a batch.
        """
        del dataset_size, batch_size, steps
        return None

    @property
    @abc.abstractmethod
    def assumption(self) -> str:
        """The law in words, as it stands in guarantees."""

    def check(self, dataset_size: int, batch_size: int, relation: Relation) -> None:
        """Raise `UsageError` unless such batches can be drawn and accounted for."""
        del dataset_size, batch_size
        if relation not in self.relations:
            known = " or ".join(one.name for one in self.relations)
            raise UsageError(
                f"Expected relation=Relation.{known} with {type(self).__name__}, got {relation.name}: its cost is not "
                "known under that.",
                f"Pass Relation.{known}, or sampling=Poisson().",
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain values from which `sampler_from_dict` makes an equal sampler."""
        return {"kind": self.kind, **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)}}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Sampler:
        """The sampler that `as_dict` wrote.

        Raises:
            UsageError: an unknown kind, or not exactly the fields of the kind.
        """
        kind, fields = _checks.kind_in(_KINDS, values)
        return kind(**fields)


@dataclasses.dataclass(frozen=True)
class Poisson(Sampler):
    """Every unit takes part by a coin of its own, so that batches vary in size (Abadi et al., 2016)."""

    kind: ClassVar[str] = "poisson"
    assumption: ClassVar[str] = "every batch is a fresh Poisson sample"

    def mechanisms(
        self, noise_multiplier: float, dataset_size: int, batch_size: int, steps: int
    ) -> tuple[Mechanism, ...]:
        """See `Sampler.mechanisms`."""
        return (SampledGaussian(noise_multiplier, batch_size / dataset_size, steps),)

    def drawn(self, dataset_size: int, batch_size: int, number: int, source: Randomness, choices: Rows) -> Rows:
        """See `Sampler.drawn`."""
        return np.flatnonzero(source.bernoulli(batch_size / dataset_size, dataset_size))


@dataclasses.dataclass(frozen=True)
class PoissonRows(Sampler):
    """Poisson samples of rows, for a promise to units that own up to `most_rows` of them each.

    Every row is clipped by itself, and a unit is charged for all of its rows (Charles et al., 2024).
    """

    most_rows: int = 1  # type: ignore[misc]  # a field here
    kind: ClassVar[str] = "poisson_rows"
    relations: ClassVar[tuple[Relation, ...]] = (Relation.ADD_OR_REMOVE_ONE,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "most_rows", _checks.at_least(1, most_rows=self.most_rows))

    @property
    def assumption(self) -> str:
        """The law in words."""
        return f"every batch is a fresh Poisson sample of rows, and nobody owns more than {self.most_rows} of them"

    def mechanisms(
        self, noise_multiplier: float, dataset_size: int, batch_size: int, steps: int
    ) -> tuple[Mechanism, ...]:
        """See `Sampler.mechanisms`."""
        return (GroupedGaussian(noise_multiplier, batch_size / dataset_size, steps, rows=self.most_rows),)

    def drawn(self, dataset_size: int, batch_size: int, number: int, source: Randomness, choices: Rows) -> Rows:
        """See `Sampler.drawn`."""
        return np.flatnonzero(source.bernoulli(batch_size / dataset_size, dataset_size))


@dataclasses.dataclass(frozen=True)
class TruncatedPoisson(Sampler):
    """Poisson samples that are cut, at random, to at most `most` units: memory has a bound, at a price (see `most`).

    Args:
        most: the largest batch. At 5 standard deviations above the expected size the price is hardly seen; at the
            expected size it is large.
    """

    most: int
    kind: ClassVar[str] = "truncated_poisson"
    assumption: ClassVar[str] = "every batch is a fresh Poisson sample, cut at random where it is too large"

    def __post_init__(self) -> None:
        object.__setattr__(self, "most", _checks.at_least(1, most=self.most))

    def mechanisms(
        self, noise_multiplier: float, dataset_size: int, batch_size: int, steps: int
    ) -> tuple[Mechanism, ...]:
        """See `Sampler.mechanisms`."""
        rate = batch_size / dataset_size
        return (TruncatedGaussian(noise_multiplier, rate, steps, dataset_size=dataset_size, most=self.most),)

    def drawn(self, dataset_size: int, batch_size: int, number: int, source: Randomness, choices: Rows) -> Rows:
        """See `Sampler.drawn`."""
        rows = np.flatnonzero(source.bernoulli(batch_size / dataset_size, dataset_size))
        return rows if len(rows) <= self.most else rows[_chosen(len(rows), self.most, source)]


@dataclasses.dataclass(frozen=True)
class FixedSize(Sampler):
    """Batches of exactly `batch_size` different units (Balle, Barthe and Gaboardi, 2018)."""

    kind: ClassVar[str] = "fixed_size"
    relations: ClassVar[tuple[Relation, ...]] = (Relation.REPLACE_ONE,)
    assumption: ClassVar[str] = "every batch is a fresh sample of the same number of units, no unit twice"

    def mechanisms(
        self, noise_multiplier: float, dataset_size: int, batch_size: int, steps: int
    ) -> tuple[Mechanism, ...]:
        """See `Sampler.mechanisms`."""
        return (FixedSizeGaussian(noise_multiplier, batch_size / dataset_size, steps),)

    def drawn(self, dataset_size: int, batch_size: int, number: int, source: Randomness, choices: Rows) -> Rows:
        """See `Sampler.drawn`; a tie of two 64-bit keys is the only bias."""
        return _chosen(dataset_size, batch_size, source)


@dataclasses.dataclass(frozen=True)
class WithReplacement(Sampler):
    """Batches of `batch_size` independent draws; a unit that was drawn twice counts twice, and is charged so."""

    kind: ClassVar[str] = "with_replacement"
    relations: ClassVar[tuple[Relation, ...]] = (Relation.REPLACE_ONE,)
    assumption: ClassVar[str] = "every batch is so many independent draws of one unit each"

    def mechanisms(
        self, noise_multiplier: float, dataset_size: int, batch_size: int, steps: int
    ) -> tuple[Mechanism, ...]:
        """See `Sampler.mechanisms`."""
        return (WithReplacementGaussian(noise_multiplier, dataset_size, batch_size, steps),)

    def drawn(self, dataset_size: int, batch_size: int, number: int, source: Randomness, choices: Rows) -> Rows:
        """See `Sampler.drawn`."""
        return np.sort(source.integers(dataset_size, batch_size))


def _chosen(size: int, count: int, source: Randomness) -> Rows:
    """A uniform choice of `count` of 0 .. size-1, sorted."""
    return np.sort(np.argpartition(source.bits(size), count - 1)[:count]).astype(np.int64)
