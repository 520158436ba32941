"""The batches that a sampler draws, by their numbers, also after a stop.

Promise: batches follow the sampler's law however often the training is interrupted and taken up again: choices that
last for several batches are remembered, or, where remembering them on disk would weaken the promise, their turn ends.
Every batch and every turn has a stream of its own, so that a repeatable run can go on at any batch without drawing
those before it.

Example:
    >>> from reticent.privacy import Batches, RandomAllocation
    >>> from reticent.randomness import Randomness
    >>> batches = Batches(RandomAllocation(), 1000, 50, Randomness.secure())
    >>> len({unit for number in range(20) for unit in batches[number].tolist()})  # each once in a round of 20
    1000
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy.samplers import Sampler
from reticent.randomness import Randomness, required

__all__ = ["Batches"]

Rows = npt.NDArray[np.int64]


class Batches:
    """The batches of a sampler, by their numbers; it remembers the choices of the turns that are going on.

    Args:
        sampler: the law.
        dataset_size: number of units n.
        batch_size: how many of them are in a batch on average.
        randomness: where they come from.
    """

    def __init__(self, sampler: Sampler, dataset_size: int, batch_size: int, randomness: Randomness) -> None:
        self._sampler, self._source = sampler, required(randomness)
        self._sizes = _checks.at_least(1, dataset_size=dataset_size), _checks.at_least(1, batch_size=batch_size)
        if batch_size > dataset_size:
            raise UsageError(
                f"Expected batch_size <= {dataset_size}, got batch_size={batch_size}.", "Pass a smaller batch."
            )
        self._kept: dict[int, Rows] = {}

    def __getitem__(self, number: int) -> Rows:
        """The units in a batch, sorted."""
        choices = self._choices_of(self._turn_of(number)[0])
        return self._sampler.drawn(*self._sizes, number, self._source.spawn(f"batch {number}"), choices)

    def forget(self, number: int) -> None:
        """Batches before this number have been drawn, and are not asked for again."""
        turn, _ = self._turn_of(number)
        self._kept = {one: choices for one, choices in self._kept.items() if one >= turn}

    def state(self, number: int) -> dict[str, Any]:
        """What has to be kept to go on before batch `number`: nothing whose secrecy the promise depends on."""
        choices = self._choices_of(self._turn_of(number)[0])
        return {"choices": choices.copy() if choices.size and self._sampler.is_public else None}

    def restored(self, state: dict[str, Any], before: int, number: int) -> int:
        """Go on from the state kept before batch `before`, at `number` or later; gives the number of the next batch.

        Choices that are not in the state, and that cannot be repeated, are lost: the rest of their turn is passed over,
        so that the law of the sampler holds.

        Raises:
            UsageError: the lost choices were those of the whole training.
        """
        turn, place = self._turn_of(number)
        if self._source.is_secure and state["choices"] is not None and self._turn_of(before)[0] == turn:
            self._kept[turn] = np.asarray(state["choices"], dtype=np.int64)
        elif self._source.is_secure and place > 0:
            length = self._sampler.turn(*self._sizes)
            if length is None:
                raise UsageError(
                    "Expected the state of a training by groups to have them, got one without.",
                    "Start anew, and add up both guarantees (Guarantee.compose).",
                )
            return (turn + 1) * length
        return number

    def _turn_of(self, number: int) -> tuple[int, int]:
        length = self._sampler.turn(*self._sizes)
        return (0, number) if length is None else divmod(number, length)

    def _choices_of(self, turn: int) -> Rows:
        if turn not in self._kept:
            if any(later > turn for later in self._kept):
                raise UsageError("Expected a batch that is still to come, got one of a turn that is over.", "Draw on.")
            choices = self._sampler.choices(*self._sizes, self._source.spawn(f"turn {turn}"))
            if not choices.size:
                return choices
            self._kept[turn] = choices
        return self._kept[turn]
