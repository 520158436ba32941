"""The batches of a plan over an ordinary data loader's data set.

Promise: batches are drawn by the plan's own sampler. Every batch that is given counts, also an empty one; no more
batches are given than planned, and none may be passed over without a step. Several processes draw one and the same
batch and take a share each, in equally many parts (see `ranks`).

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
from torch.utils.data import (
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    default_collate,
)

from reticent.errors import BudgetExhausted, DataError, UsageError
from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training.accounts import Account
from reticent.training.journal import Journal
from reticent.training.owning import Units
from reticent.training.ranks import Ranks, fingerprint
from reticent.training.sampling import planned_batches
from reticent.training.streaming import Stream

__all__ = ["Part", "PrivateLoader", "expected_batch_size", "plain_loader"]


class PrivateLoader:
    """The plan's batches over the data set of an ordinary loader; iterating goes on to the end of the next epoch.

    A batch may be empty; its tensors then have shape (0, ...). Iterating past the plan raises `BudgetExhausted`.

    Args:
        loader: its data set, collation and workers are used.
        plan: the sampling rate and the number of batches.
        randomness: source of the samples.
        physical_batch_size: a batch with more examples is given in several parts; None: never.
        views: each row is taken from the data set so many times, one after the other.
        units: whose rows are whose; each row its own owner's by default.
        ranks: the processes that share the batches; their `randomness` draws the same in each of them.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        plan: Plan,
        randomness: Randomness,
        *,
        physical_batch_size: int | None = None,
        views: int = 1,
        ranks: Ranks | None = None,
        units: Units | None = None,
    ) -> None:
        self._ranks = Ranks() if ranks is None else ranks
        self._units = Units(plan.dataset_size) if units is None else units
        self.dataset: Any = loader.dataset
        self.drawn = 0
        self.physical_batch_size = physical_batch_size
        self._plan = plan
        self._waiting: Part | None = None
        self._unfinished = False
        self.source = randomness
        self.batches = planned_batches(plan, randomness)
        self.journals: list[Journal | Account] = []
        self._views = views
        self._collate = _CollateAny(loader.dataset, loader.collate_fn or default_collate)
        self._loader = loader

    def __len__(self) -> int:
        """Number of batches of the next epoch, whatever number of parts they come in."""
        return self._plan.steps_in_next_epoch(self.drawn)

    def __iter__(self) -> Iterator[Any]:
        # Every batch counts as spent once its content is about to leave, whatever the loop then does with it.
        with self._ranks.telling():
            self._refuse_skipping()
            if self.drawn >= self._plan.steps:
                raise self._exhausted()
            parts = _Parts(self._chosen(), self.physical_batch_size, self._views, self._ranks)
            for size, batch in self._fetched(parts):
                last, drawn, number = parts.lasts.popleft()
                if not self._unfinished and self.drawn >= self._plan.steps:
                    raise self._exhausted()  # another iterator over this loader took the rest
                self._refuse_skipping(within=True)
                if not self._unfinished:
                    self._begin(number)
                self._unfinished = not last
                self._waiting = Part(size // (self._views * self._units.rows_per_unit), last, drawn)
                yield batch
                self._refuse_skipping(within=True)

    def _chosen(self) -> Iterator[tuple[int, Any, Any]]:
        for number in range(self.drawn, self.drawn + len(self)):
            batch = self.batches[number]
            if isinstance(self.dataset, Stream) and len(batch):
                self.dataset.forget(int(batch[0]))
            yield number, batch, self._units.rows(batch, number, self.source)

    def _begin(self, number: int) -> None:
        if number != self.drawn:
            raise UsageError(
                f"Expected batch {self.drawn} of the plan, got batch {number}: another loop over this loader went on.",
                "Iterate over private.loader in one place at a time.",
            )
        for journal in self.journals:
            journal.begin(self.drawn)
        self.batches.forget(self.drawn)
        self.drawn += 1

    def _fetched(self, parts: _Parts) -> Iterator[tuple[int, Any]]:
        own = self._loader
        # A DataLoader takes a seed for its workers from the generator that dropout draws from: a training that
        # is taken up again starts more of them, and would go on with other numbers.
        seeds = own.generator
        if seeds is None:
            own_seeds = self.source.spawn(self._ranks.label(f"workers {self.drawn}"))
            seeds = torch.Generator().manual_seed(own_seeds.seed())
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
            "Stop here; after a restore, loop while private.loader.drawn < private.plan.steps. More steps have to be "
            "planned from the start, with more noise.",
        )


class Part(NamedTuple):
    """A batch, or a part of one that is too large to be held at once."""

    examples: int
    last: bool
    batch: int = 0
    """Tells the whole batch, of all processes, from others; 0 where there is one process."""


class _Parts:
    """Index arrays as the lists that a DataLoader wants from its batch sampler, cut where they are too long.

    `lasts` says of every part that was given whether its batch ends with it, and which batch that was; workers may be
    some parts ahead. Several processes cut their shares into equally many parts, of which some may be empty.
    """

    def __init__(self, batches: Iterator[tuple[int, Any, Any]], most: int | None, views: int, ranks: Ranks) -> None:
        self._batches = batches
        self._most = most
        self._views = views
        self._ranks = ranks
        self.lasts: collections.deque[tuple[bool, int, int]] = collections.deque()

    def __iter__(self) -> Iterator[list[int]]:
        for number, batch, chosen in self._batches:
            known = 0 if self._ranks.alone else fingerprint(number, chosen)
            rows = self._ranks.share(chosen).repeat(self._views, axis=1)
            largest = self._ranks.largest_share(len(batch))
            step = self._most or max(1, largest)
            for start in range(0, max(1, largest), step):
                self.lasts.append((start + step >= largest, known, number))
                yield rows[start : start + step].reshape(-1).tolist()


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


def plain_loader(loader: DataLoader[Any], ranks: Ranks | None = None) -> int:
    """Number of records behind a loader whose order carries no meaning; anything else is refused.

    torch's `DistributedSampler` is what several processes have instead of plain shuffling: its choice (each record once
    an epoch, some twice to fill up) is replaced, like that of plain shuffling.
    """
    if isinstance(loader, PrivateLoader):
        raise UsageError(
            "Expected an ordinary DataLoader, got one that is private already.",
            "Call make_private once, with the loader that you built; for another training build everything anew.",
        )
    if not isinstance(loader, DataLoader):
        raise UsageError(f"Expected a torch DataLoader, got {type(loader).__name__}.", "Wrap the data set in one.")
    if not hasattr(loader.dataset, "__len__") or isinstance(loader.dataset, IterableDataset):
        raise UsageError(
            "Expected a data set of known length, got a stream: its records cannot be sampled independently.",
            "Load it into a map-style data set; make_private takes streams, with sampling=Streamed().",
        )
    kinds = (RandomSampler, SequentialSampler, DistributedSampler)
    if type(loader.sampler) not in kinds or loader.batch_size is None:
        raise UsageError(
            f"Expected a loader that shuffles plainly, got {type(loader.sampler).__name__}: "
            "its choice of examples would be replaced by Poisson sampling.",
            "Pass DataLoader(dataset, batch_size=..., shuffle=True); balance classes in the loss, by "
            "(weight[y] * cross_entropy(outputs, y, reduction='none')).mean().",
        )
    size = len(loader.dataset)
    if isinstance(loader.sampler, DistributedSampler):
        _refuse_other_processes(loader.sampler, Ranks() if ranks is None else ranks, size)
    else:
        draws = len(loader.sampler)  # type: ignore[arg-type]
        if getattr(loader.sampler, "replacement", False) or draws != size:
            raise UsageError(
                f"Expected a loader that gives every record once, got {draws} draws of {size} records.",
                "Pass DataLoader(dataset, batch_size=..., shuffle=True).",
            )
    if size == 0:
        raise DataError("Expected at least one record, got an empty data set.", "Check the filter that made it.")
    return size


def expected_batch_size(loader: DataLoader[Any], ranks: Ranks) -> int | None:
    """The examples of a step that an ordinary loop over this loader would have, in all processes together."""
    if loader.batch_size is None or not isinstance(loader.sampler, DistributedSampler):
        return loader.batch_size
    return loader.batch_size * ranks.size


def _refuse_other_processes(sampler: DistributedSampler[Any], ranks: Ranks, size: int) -> None:
    if (sampler.num_replicas, sampler.rank) != (ranks.size, ranks.rank):
        raise UsageError(
            f"Expected a DistributedSampler of the {ranks.size} processes that train together, got one for process "
            f"{sampler.rank} of {sampler.num_replicas} in process {ranks.rank}.",
            "Initialise torch.distributed in all of them first; then DistributedSampler(dataset) finds out.",
        )
    if len(sampler.dataset) != size:  # type: ignore[arg-type]
        raise UsageError(
            f"Expected a sampler of the loader's {size} records, got one of {len(sampler.dataset)}.",  # type: ignore[arg-type]
            "Pass the same data set to both.",
        )
