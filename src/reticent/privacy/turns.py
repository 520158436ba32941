"""Samplers whose choices last for several batches: passes, rounds, and groups.

Promise: as for every sampler, batches follow the law that is charged for; see `reticent.privacy.samplers`.

Example:
    >>> from reticent.privacy import RandomAllocation
    >>> RandomAllocation().mechanisms(1.0, 1000, 50, steps=60)  # three rounds of 20
    (AllocatedGaussian(noise_multiplier=1.0, steps=20, count=3),)
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy.mechanisms import AllocatedGaussian, Mechanism, SampledGaussian
from reticent.privacy.samplers import Sampler
from reticent.privacy.units import Relation
from reticent.randomness import Randomness

__all__ = ["Cyclic", "RandomAllocation", "Shuffled", "Streamed"]

Rows = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Shuffled(Sampler):
    """Passes over all units in random order; the last batch of a pass may be smaller.

    Charged for what is certain: every unit is in one batch of each pass, and the attacker may know in which. Only under
    `REPLACE_ONE`: with a unit more or less, all others move to other places.
    """

    kind: ClassVar[str] = "shuffled"
    relations: ClassVar[tuple[Relation, ...]] = (Relation.REPLACE_ONE,)
    assumption: ClassVar[str] = "every pass gives every unit once, in any order"

    def mechanisms(
        self, noise_multiplier: float, dataset_size: int, batch_size: int, steps: int
    ) -> tuple[Mechanism, ...]:
        """See `Sampler.mechanisms`."""
        return (SampledGaussian(noise_multiplier, 1.0, -(-steps // self.turn(dataset_size, batch_size))),)

    def drawn(self, dataset_size: int, batch_size: int, number: int, source: Randomness, choices: Rows) -> Rows:
        """See `Sampler.drawn`."""
        place = number % self.turn(dataset_size, batch_size)
        return np.sort(choices[place * batch_size : (place + 1) * batch_size])

    def turn(self, dataset_size: int, batch_size: int) -> int:
        """See `Sampler.turn`: a pass."""
        return -(-dataset_size // batch_size)

    def choices(self, dataset_size: int, batch_size: int, source: Randomness) -> Rows:
        """The order of a pass."""
        return source.permutation(dataset_size)

    def occasions(self, dataset_size: int, batch_size: int, steps: int) -> tuple[int, int]:
        """See `Sampler.occasions`: a unit may be last in one pass and first in the next."""
        return 1, -(-steps // self.turn(dataset_size, batch_size))


@dataclasses.dataclass(frozen=True)
class Streamed(Sampler):
    """Passes over all units in the order in which they come, for data that cannot be drawn from; charged as `Shuffled`.

    In one pass over a stream every unit is used once, so the whole training costs one Gaussian sum, however long it is.
    """

    kind: ClassVar[str] = "streamed"
    relations: ClassVar[tuple[Relation, ...]] = (Relation.REPLACE_ONE,)
    assumption: ClassVar[str] = (
        "units are used in the order in which they come, none twice in a pass; an exchange leaves others in place"
    )

    def mechanisms(
        self, noise_multiplier: float, dataset_size: int, batch_size: int, steps: int
    ) -> tuple[Mechanism, ...]:
        """See `Sampler.mechanisms`."""
        return Shuffled().mechanisms(noise_multiplier, dataset_size, batch_size, steps)

    def drawn(self, dataset_size: int, batch_size: int, number: int, source: Randomness, choices: Rows) -> Rows:
        """See `Sampler.drawn`."""
        first = batch_size * (number % -(-dataset_size // batch_size))
        return np.arange(first, min(first + batch_size, dataset_size), dtype=np.int64)

    def block(self, dataset_size: int, batch_size: int) -> int:
        """See `Sampler.block`: a pass."""
        return Shuffled().turn(dataset_size, batch_size)

    def occasions(self, dataset_size: int, batch_size: int, steps: int) -> tuple[int, int]:
        """See `Sampler.occasions`: passes may come in different orders."""
        return Shuffled().occasions(dataset_size, batch_size, steps)


@dataclasses.dataclass(frozen=True)
class RandomAllocation(Sampler):
    """Rounds in which every unit chooses, at random by itself, the `uses` batches that it takes part in.

    With one use it is balls-in-bins sampling (Chua et al., 2024): each unit once in every pass. A round has n * uses /
    batch_size steps, rounded up. A choice of k out of t steps is one of each of k blocks, into which the steps are
    divided at random (Feldman and Shenfeld, 2025); the charge gives away the blocks.
    """

    uses: int = 1
    kind: ClassVar[str] = "random_allocation"
    relations: ClassVar[tuple[Relation, ...]] = (Relation.ADD_OR_REMOVE_ONE,)
    is_public: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "uses", _checks.at_least(1, uses=self.uses))

    @property
    def assumption(self) -> str:
        """The law in words."""
        return f"every unit chooses by itself, at random, the {self.uses} batch(es) of a round that it takes part in"

    def turn(self, dataset_size: int, batch_size: int) -> int:
        """See `Sampler.turn`: a round."""
        return -(-dataset_size * self.uses // batch_size)

    def mechanisms(
        self, noise_multiplier: float, dataset_size: int, batch_size: int, steps: int
    ) -> tuple[Mechanism, ...]:
        """See `Sampler.mechanisms`; a round that was begun is charged whole."""
        length = self.turn(dataset_size, batch_size)
        rounds = -(-steps // length)
        short, longer = divmod(length, self.uses)
        return tuple(
            AllocatedGaussian(noise_multiplier, block, rounds * number)
            for block, number in ((short, self.uses - longer), (short + 1, longer))
            if number > 0
        )

    def drawn(self, dataset_size: int, batch_size: int, number: int, source: Randomness, choices: Rows) -> Rows:
        """See `Sampler.drawn`."""
        place = number % self.turn(dataset_size, batch_size)
        return np.flatnonzero((choices == place).any(axis=1))

    def choices(self, dataset_size: int, batch_size: int, source: Randomness) -> Rows:
        """(units, uses) places in a round."""
        length = self.turn(dataset_size, batch_size)
        if self.uses == 1:
            return source.integers(length, dataset_size)[:, None]
        found = np.empty((dataset_size, self.uses), dtype=np.int64)
        most = max(1, (1 << 22) // length)  # units at a time: each draws a key for every step, and takes the smallest
        for first in range(0, dataset_size, most):
            count = min(most, dataset_size - first)
            keys = source.bits(count * length).reshape(count, length)
            found[first : first + count] = np.argpartition(keys, self.uses - 1, axis=1)[:, : self.uses]
        return found


@dataclasses.dataclass(frozen=True)
class Cyclic(Sampler):
    """Units are thrown into `groups` once, and batch t is a Poisson sample of group t mod `groups`.

    The least time between two uses of a unit is then `groups` steps, which correlated noise asks for (Choquette-Choo et
    al., 2023). A unit is drawn with probability groups * batch_size / n whenever it is its group's turn.
    """

    groups: int
    kind: ClassVar[str] = "cyclic"

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", _checks.at_least(1, groups=self.groups))

    @property
    def assumption(self) -> str:
        """The law in words."""
        return f"every batch is a fresh Poisson sample of one of {self.groups} groups, which take turns"

    @property
    def reach(self) -> int:
        """See `Sampler.reach`: from one turn of a group to its next."""
        return self.groups

    def occasions(self, dataset_size: int, batch_size: int, steps: int) -> tuple[int, int]:
        """See `Sampler.occasions`."""
        return self.groups, -(-steps // self.groups)

    def check(self, dataset_size: int, batch_size: int, relation: Relation) -> None:
        """See `Sampler.check`."""
        super().check(dataset_size, batch_size, relation)
        if self.groups * batch_size > dataset_size:
            raise UsageError(
                f"Expected groups * batch_size <= dataset_size, got {self.groups} groups, batch_size={batch_size} and "
                f"dataset_size={dataset_size}.",
                "Pass fewer groups or smaller batches.",
            )

    def mechanisms(
        self, noise_multiplier: float, dataset_size: int, batch_size: int, steps: int
    ) -> tuple[Mechanism, ...]:
        """See `Sampler.mechanisms`."""
        return (SampledGaussian(noise_multiplier, self._rate(dataset_size, batch_size), -(-steps // self.groups)),)

    def drawn(self, dataset_size: int, batch_size: int, number: int, source: Randomness, choices: Rows) -> Rows:
        """See `Sampler.drawn`."""
        mine = choices == number % self.groups
        return np.flatnonzero(mine & source.bernoulli(self._rate(dataset_size, batch_size), dataset_size))

    def turn(self, dataset_size: int, batch_size: int) -> None:
        """See `Sampler.turn`: the whole training."""
        del dataset_size, batch_size

    def choices(self, dataset_size: int, batch_size: int, source: Randomness) -> Rows:
        """The group of each unit."""
        return source.integers(self.groups, dataset_size)

    def _rate(self, dataset_size: int, batch_size: int) -> float:
        return min(1.0, self.groups * batch_size / dataset_size)
