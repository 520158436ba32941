"""Streams: data sets that can only be read in order, for plans with `sampling=Streamed()`.

Promise: the n-th record of a pass is the n-th that the stream gives; none is used twice in a pass, none is left out. A
stream that ends before the number of records that the plan was made for is refused: it would be used more often than
charged.

Covered: several passes, if the stream can be iterated over again; going on after a stop, by reading up to the place.
Memory holds the records of one batch.

Example:
    >>> import torch
    >>> from reticent.training.streaming import Stream
    >>> class Numbers(torch.utils.data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter(torch.arange(5.0))
    >>> stream = Stream(Numbers(), 5)
    >>> stream[0], stream[1]
    (tensor(0.), tensor(1.))
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, IterableDataset

from reticent.errors import DataError, UsageError
from reticent.privacy import Plan, Streamed

__all__ = ["Stream", "streaming_loader"]


class Stream:
    """A stream's records by their place in a pass, to be asked for in order.

    Args:
        dataset: what is iterated over, once for each pass.
        size: how many records of it make a pass.
    """

    def __init__(self, dataset: Any, size: int) -> None:
        self._dataset, self._size = dataset, size
        self._records: Iterator[Any] = iter(dataset)
        self._kept: dict[int, Any] = {}
        self._read = self._first = 0

    def __len__(self) -> int:
        """Records of a pass."""
        return self._size

    def __getitem__(self, place: int) -> Any:
        """The record at this place; it and those after it are kept until `forget`.

        Raises:
            DataError: the stream has fewer records.
            UsageError: the place has been passed.
        """
        if place < self._first:
            raise UsageError(f"Expected a record from place {self._first} on, got {place}.", "Read streams in order.")
        while self._read <= place:
            try:
                record = next(self._records)
            except StopIteration:
                raise DataError(
                    f"Expected {self._size} records in each pass of the stream, got {self._read}: it would be used "
                    "more often than the plan is charged for.",
                    "Plan with dataset_size=the number of records of a pass.",
                ) from None
            if self._read >= self._first:
                self._kept[self._read] = record
            self._read += 1
        return self._kept[place]

    def forget(self, place: int) -> None:
        """Records before this place are not asked for again; an earlier place than the last begins another pass."""
        if place < self._first:
            self._records, self._kept, self._read = iter(self._dataset), {}, 0
        self._first = place
        self._kept = {one: record for one, record in self._kept.items() if one >= place}


def streaming_loader(loader: Any, plan: Plan | None, views: int) -> Any:
    """The loader itself, or one over a `Stream` if its data set can only be read in order.

    Raises:
        UsageError: a stream that the plan, its workers or augmentation multiplicity do not fit.
    """
    if not isinstance(loader, DataLoader) or not isinstance(loader.dataset, IterableDataset):
        return loader
    if plan is None or not isinstance(plan.sampling, Streamed):
        raise UsageError(
            "Expected a data set that can be drawn from, got a stream: its records come in an order.",
            "Pass plan=Plan.calibrate(..., dataset_size=records of a pass, relation=Relation.REPLACE_ONE, "
            "sampling=Streamed()); or load it into a map-style data set, which costs less noise.",
        )
    if loader.num_workers > 0:
        raise UsageError(
            f"Expected a stream that is read by one process, got num_workers={loader.num_workers}: every worker would "
            "read all of it.",
            "Pass num_workers=0.",
        )
    if views > 1 or plan.rows_per_unit > 1:
        raise UsageError(
            "Expected one view of each record of a stream, got several: a record comes once.",
            "Let the stream itself give augmented records, and leave views out.",
        )
    return DataLoader(
        Stream(loader.dataset, plan.dataset_size),  # type: ignore[arg-type]  # it has what a map-style data set has
        batch_size=loader.batch_size,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        generator=loader.generator,
    )
