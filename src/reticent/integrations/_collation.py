"""The batches of an ordinary loader, as rows that belong to one example each.

Promise: a batch that holds anything else than one row of every tensor for each example is refused, and so is, as far as
a few examples show it, a collation under which an example's loss depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.data import DataLoader, IterableDataset

from reticent.errors import UsageError
from reticent.training.seeding import unchanged_generators

__all__ = ["Term", "collated", "refuse_neighbours", "refuse_rows"]

Term = Callable[[Any], tuple[torch.Tensor, dict[str, torch.Tensor]]]
"""A batch of one example to its loss and whatever else should be averaged for the host's logs."""

_FEW = 4
_TOLERANCE = 1e-3
_TOLERANCE_OF_HALVES = 5e-2


class _Collated:
    """A collation whose dictionaries are plain ones."""

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self._collate = collate

    def __call__(self, examples: list[Any]) -> Any:
        return _plain(self._collate(examples))


def collated(loader: DataLoader[Any], *, batch_size: int) -> DataLoader[Any]:
    """A plain loader over the same data set, with the same collation and workers.

    Raises:
        UsageError: the data set is a stream.
    """
    if isinstance(loader.dataset, IterableDataset):
        raise UsageError(
            "Expected a data set of known length, got a stream: its records cannot be sampled independently.",
            "Load it into a map-style data set.",
        )
    options: dict[str, Any] = {}
    if loader.num_workers > 0:
        options = {
            "prefetch_factor": loader.prefetch_factor,
            "multiprocessing_context": loader.multiprocessing_context,
            "timeout": loader.timeout,
        }
    return DataLoader(
        loader.dataset,
        batch_size=batch_size,
        shuffle=True,
        collate_fn=_Collated(loader.collate_fn),
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
        worker_init_fn=loader.worker_init_fn,
        **options,
    )


def refuse_neighbours(loader: DataLoader[Any], model: torch.nn.Module, term: Term, place: Callable[[Any], Any]) -> None:
    """Refuse a collation under which an example's loss depends on the examples beside it, as far as a few show.

    Each of the first examples is collated alone and together with the others (so padded to the longest, where the
    collation pads); its loss has to be the same. A collation that draws at random cannot be tried.

    Raises:
        UsageError: a batch has not one row for each example, or a loss differs.
    """
    dataset, collate = loader.dataset, loader.collate_fn
    few = min(_FEW, len(dataset))  # type: ignore[arg-type]
    was_training = model.training
    model.eval()
    try:
        with unchanged_generators(), torch.no_grad():
            examples = [dataset[i] for i in range(few)]
            together, again = (tree_flatten(place(collate(examples))) for _ in range(2))
            refuse_rows(together[0], few)
            tried = all(map(_equal, together[0], again[0]))
            for row in range(few):
                alone = term(place(collate(examples[row : row + 1])))[0]
                rows = [leaf[row : row + 1] if isinstance(leaf, torch.Tensor) else leaf for leaf in together[0]]
                beside = term(tree_unflatten(rows, together[1]))[0]
                if tried and not _near(alone, beside):
                    raise UsageError(
                        "Expected a collation that changes no example by what is beside it, but the loss of example "
                        f"{row} is {float(alone):.4g} alone and {float(beside):.4g} in a batch.",
                        "Padding must not be seen: let the collation give an attention_mask, and -100 as the labels of "
                        "padded tokens; or pad every example to the same length.",
                    )
    finally:
        model.train(was_training)


def _equal(one: Any, other: Any) -> bool:
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def _near(one: torch.Tensor, other: torch.Tensor) -> bool:
    wide = one.dtype in (torch.float32, torch.float64)
    tolerance = _TOLERANCE if wide else _TOLERANCE_OF_HALVES
    return torch.allclose(one.double(), other.double(), rtol=tolerance, atol=tolerance, equal_nan=True)


def _plain(batch: Any) -> Any:
    if isinstance(batch, Mapping):
        return {key: _plain(value) for key, value in batch.items()}
    return batch


def refuse_rows(leaves: Sequence[Any], examples: int) -> None:
    """Refuse a batch, as its leaves, whose tensors have not one row for each example, or that holds other things."""
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor):
            if leaf.ndim == 0 or len(leaf) != examples:
                raise UsageError(
                    f"Expected batches with one row for each of {examples} examples, got a tensor of shape "
                    f"{tuple(leaf.shape)}.",
                    "Use a collation that stacks examples; one that packs them into one sequence couples them.",
                )
        elif leaf is not None and not isinstance(leaf, bool):
            raise UsageError(
                f"Expected batches of tensors, got {type(leaf).__name__} among them: what it holds could not be "
                "split by example.",
                "Leave it out of the collation, or give it as a tensor with one row for each example.",
            )
