"""The batches of a plan over an ordinary data loader's data set.

Promise: batches are drawn by the plan's own sampler. Every batch that is given counts, also an empty one; no more
batches are given than planned, and none may be passed over without a step.

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

import collections
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, default_collate

from reticent.errors import BudgetExhausted, DataError, UsageError
from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training.journal import Journal
from reticent.training.sampling import planned_batches

__all__ = ["Part", "PrivateLoader", "plain_loader"]


class PrivateLoader:
    """The plan's batches over the data set of an ordinary loader; iterating goes on to the end of the next epoch.

    A batch may be empty; its tensors then have shape (0, ...). Iterating past the plan raises `BudgetExhausted`.

    Args:
        loader: its data set, collation and workers are used.
        plan: the sampling rate and the number of batches.
        randomness: source of the samples.
        physical_batch_size: a batch with more examples is given in several parts; None: never.
        views: each example is taken from the data set so many times, one after the other.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        plan: Plan,
        randomness: Randomness,
        *,
        physical_batch_size: int | None = None,
        views: int = 1,
    ) -> None:
        self.dataset: Any = loader.dataset
        self.drawn = 0
        self.physical_batch_size = physical_batch_size
        self._plan = plan
        self._waiting: Part | None = None
        self._unfinished = False
        self.source = randomness
        self.batches = planned_batches(plan, randomness)
        self.journals: list[Journal] = []
        self._views = views
        self._collate = _CollateAny(loader.dataset, loader.collate_fn or default_collate)
        self._loader = loader

    def __len__(self) -> int:
        """Number of batches of the next epoch, whatever number of parts they come in."""
        return self._plan.steps_in_next_epoch(self.drawn)

    def __iter__(self) -> Iterator[Any]:
        self._refuse_skipping()
        if self.drawn >= self._plan.steps:
            raise self._exhausted()
        batches = (self.batches[number] for number in range(self.drawn, self.drawn + len(self)))
        parts = _Parts(batches, self.physical_batch_size, self._views)
        # Every batch counts as spent once its content is about to leave, whatever the loop then does with it.
        for size, batch in self._fetched(parts):
            last = parts.lasts.popleft()
            if not self._unfinished and self.drawn >= self._plan.steps:
                raise self._exhausted()  # another iterator over this loader took the rest
            self._refuse_skipping(within=True)
            if not self._unfinished:
                for journal in self.journals:
                    journal.begin(self.drawn)
                self.batches.forget(self.drawn)
                self.drawn += 1
            self._unfinished = not last
            self._waiting = Part(size // self._views, last)
            yield batch
            self._refuse_skipping(within=True)

    def _fetched(self, parts: _Parts) -> Iterator[tuple[int, Any]]:
        own = self._loader
        # A DataLoader takes a seed for its workers from the generator that dropout draws from: a training that
        # is taken up again starts more of them, and would go on with other numbers.
        seeds = own.generator
        if seeds is None:
            seeds = torch.Generator().manual_seed(self.source.spawn(f"workers {self.drawn}").seed())
        options: dict[str, Any] = {}
        if own.num_workers > 0:
            options = {
                "prefetch_factor": own.prefetch_factor,
                "multiprocessing_context": own.multiprocessing_context,
                "timeout": own.timeout,
            }
        fetch: DataLoader[Any] = DataLoader(
            self.dataset,
            batch_sampler=parts,
            collate_fn=self._collate,
            num_workers=own.num_workers,
            pin_memory=own.pin_memory,
            worker_init_fn=own.worker_init_fn,
            generator=seeds,
            **options,
        )
        yield from fetch

    @property
    def waiting(self) -> Part | None:
        """What was given last and has not been stepped on yet."""
        return self._waiting

    @property
    def between_batches(self) -> bool:
        """Whether every batch that was drawn has been stepped on, all of it."""
        return self._waiting is None and not self._unfinished

    def stepped(self) -> None:
        """What was given last has been stepped on."""
        self._waiting = None

    def _refuse_skipping(self, *, within: bool = False) -> None:
        if self._waiting is not None or (self._unfinished and not within):
            raise UsageError(
                "Expected optimizer.step() for every batch, but the loop went on without: which batches are left "
                "out would tell something about the data.",
                "Take the step for every batch (and every part of one that comes in parts), also for an empty one or "
                "one whose loss is NaN; instead of accumulating gradients over batches, raise batch_size.",
            )

    def _exhausted(self) -> BudgetExhausted:
        return BudgetExhausted(
            f"Expected at most {self._plan.steps} steps, and all of them have been taken.",
            "Plan more epochs from the start: the noise has to be larger for that.",
        )


class Part(NamedTuple):
    """A batch, or a part of one that is too large to be held at once."""

    examples: int
    last: bool


class _Parts:
    """Index arrays as the lists that a DataLoader wants from its batch sampler, cut where they are too long.

    `lasts` says of every part that was given whether its batch ends with it; workers may be some parts ahead.
    """

    def __init__(self, batches: Iterator[Any], most: int | None, views: int) -> None:
        self._batches = batches
        self._most = most
        self._views = views
        self.lasts: collections.deque[bool] = collections.deque()

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._batches:
            rows = batch.tolist()
            step = self._most or max(1, len(rows))
            for start in range(0, max(1, len(rows)), step):
                self.lasts.append(start + step >= len(rows))
                yield [row for row in rows[start : start + step] for _ in range(self._views)]


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


def plain_loader(loader: DataLoader[Any]) -> int:
    """Number of records behind a loader whose order carries no meaning; anything else is refused."""
    if isinstance(loader, PrivateLoader):
        raise UsageError(
            "Expected an ordinary DataLoader, got one that is private already.",
            "Call make_private once, with the loader that you built; for another training build everything anew.",
        )
    if not isinstance(loader, DataLoader):
        raise UsageError(f"Expected a torch DataLoader, got {type(loader).__name__}.", "Wrap the data set in one.")
    if not hasattr(loader.dataset, "__len__") or isinstance(loader.dataset, torch.utils.data.IterableDataset):
        raise UsageError(
            "Expected a data set of known length, got a stream: its records cannot be sampled independently.",
            "Load it into a map-style data set.",
        )
    if type(loader.sampler) not in (RandomSampler, SequentialSampler) or loader.batch_size is None:
        raise UsageError(
            f"Expected a loader that shuffles plainly, got {type(loader.sampler).__name__}: "
            "its choice of examples would be replaced by Poisson sampling.",
            "Pass DataLoader(dataset, batch_size=..., shuffle=True); balance classes in the loss, by "
            "(weight[y] * cross_entropy(outputs, y, reduction='none')).mean().",
        )
    size = len(loader.dataset)
    draws = len(loader.sampler)  # type: ignore[arg-type]
    if getattr(loader.sampler, "replacement", False) or draws != size:
        raise UsageError(
            f"Expected a loader that gives every record once, got {draws} draws of {size} records.",
            "Pass DataLoader(dataset, batch_size=..., shuffle=True).",
        )
    if size == 0:
        raise DataError("Expected at least one record, got an empty data set.", "Check the filter that made it.")
    return size
