"""Poisson-sampled batches over an ordinary data loader's data set.

Promise: in every batch each record takes part independently with the plan's sampling rate; every batch that is given
counts, also an empty one; no more batches are given than planned, and none may be passed over without a step.

Example:
    >>> import torch, reticent as rt
    >>> from reticent.training import PrivateLoader
    >>> data = torch.utils.data.TensorDataset(torch.arange(100))
    >>> plan = rt.Plan(1.0, dataset_size=100, batch_size=10, steps=20, delta=1e-3)
    >>> loader = PrivateLoader(torch.utils.data.DataLoader(data), plan, rt.Randomness.secure())
    >>> len(loader)  # batches of the next epoch
    10
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, default_collate

from reticent.errors import BudgetExhausted, DataError, UsageError
from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training.sampling import poisson_batches

__all__ = ["PrivateLoader"]


class PrivateLoader:
    """Poisson-sampled batches over the data set of an ordinary loader; iterating once gives one epoch.

    A batch may be empty; its tensors then have shape (0, ...). Iterating past the plan raises `BudgetExhausted`.
    """

    def __init__(self, loader: DataLoader[Any], plan: Plan, randomness: Randomness) -> None:
        self.dataset: Any = loader.dataset
        self.drawn = 0
        self._plan = plan
        self._size: int | None = None
        self._randomness = randomness
        self._collate = _CollateAny(loader.dataset, loader.collate_fn or default_collate)
        self._loader = loader

    def __len__(self) -> int:
        return self._plan.steps_in_next_epoch(self.drawn)

    def __iter__(self) -> Iterator[Any]:
        self._refuse_skipping()
        if self.drawn >= self._plan.steps:
            raise self._exhausted()
        batches = poisson_batches(
            self._plan.dataset_size,
            sample_rate=self._plan.sample_rate,
            steps=len(self),
            randomness=self._randomness,
        )
        # Every batch counts as spent once its content is about to leave, whatever the loop then does with it.
        fetch = DataLoader(
            self.dataset,
            batch_sampler=_Lists(batches, len(self)),
            collate_fn=self._collate,
            num_workers=self._loader.num_workers,
            pin_memory=self._loader.pin_memory,
            worker_init_fn=self._loader.worker_init_fn,
        )
        for size, batch in fetch:
            if self.drawn >= self._plan.steps:  # another iterator over this loader took the rest
                raise self._exhausted()
            self._refuse_skipping()
            self.drawn += 1
            self._size = size
            yield batch
            self._refuse_skipping()

    def _refuse_skipping(self) -> None:
        if self._size is not None:
            raise UsageError(
                "Expected optimizer.step() for every batch, but the loop went on without: which batches are left "
                "out would tell something about the data.",
                "Take the step for every batch, also for an empty one or one whose loss is NaN; instead of "
                "accumulating gradients over batches, raise batch_size.",
            )

    def _exhausted(self) -> BudgetExhausted:
        return BudgetExhausted(
            f"Expected at most {self._plan.steps} steps, and all of them have been taken.",
            "Plan more epochs from the start: the noise has to be larger for that.",
        )

    def take_size(self) -> int | None:
        """Size of the batch that was drawn last and has not been stepped on yet."""
        size, self._size = self._size, None
        return size


class _Lists:
    """Index arrays as the lists that a DataLoader wants from its batch sampler."""

    def __init__(self, batches: Iterator[Any], count: int) -> None:
        self._batches = batches
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._batches:
            yield batch.tolist()


class _CollateAny:
    """The loader's own collation, also for an empty list: one example's collation, cut down to length 0."""

    def __init__(self, dataset: Any, collate: Any) -> None:
        self._collate = collate
        self._empty = _cut(collate([dataset[0]]))  # made now: a Poisson sample is rarely empty, and then it is late

    def __call__(self, examples: list[Any]) -> tuple[int, Any]:
        if examples:
            return len(examples), self._collate(examples)
        return 0, self._empty


def _cut(batch: Any) -> Any:
    if isinstance(batch, torch.Tensor) and batch.ndim > 0:
        return batch[:0]
    if isinstance(batch, dict):
        return {key: _cut(value) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        return [_cut(value) for value in batch]
    raise DataError(
        f"Expected batches of tensors with the batch in front, got {type(batch).__name__}.", "Mend collate_fn."
    )
