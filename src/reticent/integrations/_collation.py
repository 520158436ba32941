"""The batches of an ordinary loader, as rows that belong to one example each.

Promise: a batch that holds anything else than one row of every tensor for each example is refused, and so are, as far
as a few examples show it, a loss or a collation under which an example depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.data import DataLoader, IterableDataset

from reticent.errors import ModelError, UsageError
from reticent.training.losses import varied_rows
from reticent.training.seeding import unchanged_generators

__all__ = ["Term", "collated", "one_number", "refuse_rows", "try_out"]

Term = Callable[[Any], tuple[torch.Tensor, dict[str, torch.Tensor]]]
"""A batch of one example to its loss and whatever else should be averaged for the host's logs."""

_FEW = 5
_LOOKED_AT = 64
_EXACT = (torch.float32, torch.float64)
_NO_TARGET = -100
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


def try_out(loader: DataLoader[Any], model: torch.nn.Module, term: Term, place: Callable[[Any], Any]) -> str:
    """Try loss and collation on a few examples, in evaluation mode, and refuse what would couple them.

    Each example is collated alone and together with the others (so padded to the longest, where the collation pads);
    its loss has to be the same. And the loss of the batch has to come of its examples' losses: as their mean or sum, or
    as the mean over all tokens. Otherwise what is trained, one example at a time, would be something else than what was
    written: class weights would cancel, contrastive terms would have nobody to contrast with.

    Returns:
        What was found out, in words for the guarantee.

    Raises:
        UsageError: a batch has not one row for each example; a loss depends on its neighbours.
    """
    modes = {part: part.training for part in model.modules()}  # parts of it may be in another one
    exact = all(parameter.dtype in _EXACT for parameter in model.parameters() if parameter.is_floating_point())
    autocast = any(torch.is_autocast_enabled(device) for device in ("cpu", "cuda"))
    tolerance = _TOLERANCE if exact and not autocast else _TOLERANCE_OF_HALVES
    model.eval()
    try:
        with unchanged_generators(), torch.no_grad():
            return _tried(_varied(loader), loader.collate_fn, term, place, tolerance)
    finally:
        for part, training in modes.items():
            part.training = training


def _tried(
    examples: list[Any],
    collate: Callable[[list[Any]], Any],
    term: Term,
    place: Callable[[Any], Any],
    tolerance: float,
) -> str:
    batch, again = (place(collate(examples)) for _ in range(2))
    leaves, structure = tree_flatten(batch)
    refuse_rows(leaves, len(examples))
    alone, beside = [], []
    for row in range(len(examples)):
        own = [leaf[row : row + 1] if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        beside.append(one_number(term(tree_unflatten(own, structure))[0]))
        alone.append(one_number(term(place(collate(examples[row : row + 1])))[0]))
    whole, repeated = (one_number(term(tree_unflatten(list(leaves), structure))[0]) for _ in range(2))
    if not _near(whole, repeated, tolerance):
        return "declared, not tried: the loss draws at random"
    losses = torch.stack(beside).double()
    if not any(_near(whole, found, tolerance) for found in _together(losses, leaves)):
        raise UsageError(
            f"Expected a loss with one term per example, got {float(whole):.4g} for a batch of {len(examples)} whose "
            f"mean is {float(losses.mean()):.4g}: neither their mean or sum nor the mean over all tokens.",
            "Class weights: (weight[y] * cross_entropy(outputs, y, reduction='none')).mean(). Terms that compare "
            "examples (contrastive, batch statistics) cannot be trained under a promise to each of them.",
        )
    if not all(map(_equal, leaves, tree_flatten(again)[0])):
        return "the loss tried on the first examples, the collation declared: it draws at random"
    for row, (one, other) in enumerate(zip(alone, beside, strict=True)):
        if not _near(one, other, tolerance):
            raise UsageError(
                "Expected a collation that changes no example by what is beside it, but the loss of example "
                f"{row} is {float(one):.4g} alone and {float(other):.4g} in a batch.",
                "Padding must not be seen: let the collation give an attention_mask, and -100 as the labels of "
                "padded tokens; or pad every example to the same length.",
            )
    return "tried on the first examples"


def _varied(loader: DataLoader[Any]) -> list[Any]:
    """A few of the first examples, of different classes if there are any."""
    dataset: Any = loader.dataset
    examples = [dataset[i] for i in range(min(_LOOKED_AT, len(dataset)))]
    for leaf in tree_flatten(loader.collate_fn(examples))[0]:
        if isinstance(leaf, torch.Tensor) and leaf.shape == (len(examples),) and not leaf.is_floating_point():
            return [examples[row] for row in varied_rows(leaf)[:_FEW]]
    return examples[:_FEW]


def _together(losses: torch.Tensor, leaves: Sequence[Any]) -> list[torch.Tensor]:
    """What the loss of a batch may be: for tokens, some leaf holds the targets, with -100 where there is none."""
    found = [losses.mean(), losses.sum()]
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor) and leaf.ndim > 1 and not leaf.is_floating_point():
            for targets in (leaf, leaf[..., 1:]):
                counts = (targets != _NO_TARGET).flatten(1).sum(1).double().to(losses.device)
                terms = torch.where(counts > 0, counts * losses, torch.zeros_like(losses))
                found.append(terms.sum() / counts.sum())
    return found


def _equal(one: Any, other: Any) -> bool:
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def _near(one: torch.Tensor, other: torch.Tensor, tolerance: float) -> bool:
    return torch.allclose(one.double(), other.double(), rtol=tolerance, atol=tolerance, equal_nan=True)


def _plain(batch: Any) -> Any:
    if isinstance(batch, Mapping):
        return {key: _plain(value) for key, value in batch.items()}
    return batch


def one_number(loss: Any) -> torch.Tensor:
    """A loss as one number, () in shape.

    Raises:
        ModelError: it is none.
    """
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        got = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise ModelError(
            f"Expected one number as the loss, got {got}.",
            "Sum the loss over everything that belongs to an example; none may be skipped.",
        )
    return loss.reshape(())


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
