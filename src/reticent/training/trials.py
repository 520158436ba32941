"""What is found out by trying on a few records, before a loop begins.

Promise: a trial leaves parameters, buffers and torch's generators as they were. Its results (a loss's reduction, how
many examples fit into memory) depend on shapes and code, and leave this module for nobody but the loop itself.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, default_collate

from reticent.errors import ModelError, UsageError
from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training.checking import check_model, perturbed
from reticent.training.gradients import PerExampleModel
from reticent.training.losses import Loss, reduction_of, varied_rows
from reticent.training.memory import fitting_size
from reticent.training.seeding import seeded, unchanged_generators, unchanged_modes
from reticent.training.sharding import is_spread

__all__ = [
    "fitting_on_trial",
    "most_of",
    "order_on_trial",
    "reduction_on_trial",
    "refuse_mixing_inputs",
    "refuse_mixing_on_trial",
    "refuse_mixing_views",
]

_FEW = 5
_NOTICED = 1e-3  # of the largest output, in single precision
_LOOKED_AT = 256
_ORDERED = 32  # records whose rows are looked for in a batch
_SAME = 1e-5  # rounding of what a collation computes
_TRIED = 3
_RARELY_MORE = 8.0  # standard deviations of a batch's size


def most_of(plan: Plan) -> int:
    """More examples than a batch ever has, short of a miracle (probability below 1e-14)."""
    return min(plan.dataset_size, plan.batch_size + math.ceil(_RARELY_MORE * math.sqrt(plan.batch_size)))


def refuse_mixing_on_trial(model: torch.nn.Module, loader: DataLoader[Any]) -> None:
    """Refuse a network that mixes examples, as far as a few records of the loader show it; see `check_model`."""
    collate: Any = loader.collate_fn or default_collate
    try:
        with unchanged_generators():
            few = min(_FEW, len(loader.dataset))  # type: ignore[arg-type]
            batch = collate([loader.dataset[i] for i in range(few)])
        inputs = batch[0] if isinstance(batch, tuple | list) else batch
        inputs = inputs.to(next(model.parameters()).device)
    except Exception:  # the loop may build the network's inputs in its own way
        return
    refuse_mixing_inputs(model, inputs)


def refuse_mixing_inputs(model: torch.nn.Module, inputs: torch.Tensor) -> None:
    """Refuse a network whose outputs for some examples depend on another one.

    Private training runs every example by itself, so the promise would hold; but what comes out would be a network for
    batches of one, without a word.
    """
    inputs = inputs[:_FEW]
    if len(inputs) < 2:
        return
    try:
        first, again, moved = (_outputs(model, rows) for rows in (inputs, inputs, perturbed(inputs, 0)))
    except Exception:  # the loop may call the network in its own way
        return
    if not all(map(torch.equal, first, again)):
        return  # it draws from elsewhere than torch: nothing can be told
    for one, same in zip(first, moved, strict=True):
        if one.ndim == 0 or one.shape != same.shape or len(one) != len(inputs):
            return  # not a row for each example: the loop knows what it means
        largest = float(one.abs().max())
        if bool(((one - same)[1:].abs() > _NOTICED * max(largest, 1e-30)).any()):
            if not is_spread(model):
                check_model(model, inputs)  # names the module
            raise ModelError(
                "Expected a network that treats examples one by one, but what comes out for some of them depends on "
                "another one.",
                "Replace what computes over the batch; the batch is the first dimension of inputs and outputs.",
            )


def _outputs(model: torch.nn.Module, rows: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad(), seeded(Randomness.simulated(0)):  # the same dropout every time
        found = [leaf for leaf in tree_leaves(model(rows)) if isinstance(leaf, torch.Tensor)]
    return [leaf.double() for leaf in found if leaf.is_floating_point()]


def refuse_mixing_views(augment: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> None:
    """Refuse an augmentation that changes some rows by what is in another one.

    Tried with torch's generators in the same state twice; one that draws from elsewhere cannot be tried.
    """
    inputs = inputs[:_FEW]
    if len(inputs) < 2:
        return
    seen = []
    try:
        for rows in (inputs, inputs, perturbed(inputs, 0)):
            with seeded(Randomness.simulated(0)):
                seen.append(augment(rows.clone()))
    except Exception:  # it may not take the numbers that were tried
        return
    if not all(isinstance(value, torch.Tensor) and len(value) == len(inputs) for value in seen):
        return  # refused with another message in the first step
    one, again, other = seen
    if torch.equal(one, again) and not torch.equal(one[1:], other[1:]):
        raise UsageError(
            "Expected an augmentation that changes every row by itself, but what is in one row changed others.",
            "Leave out what mixes rows (mixup, means over the batch): the promise rests on rows that are apart.",
        )


def reduction_on_trial(loss: Loss, model: torch.nn.Module, loader: DataLoader[Any]) -> str:
    """The reduction of the loss, found on some records of the loader."""
    collate: Any = loader.collate_fn or default_collate
    size = len(loader.dataset)  # type: ignore[arg-type]
    batch = collate([loader.dataset[i] for i in range(min(_LOOKED_AT, size))])
    if not (isinstance(batch, tuple | list) and len(batch) == 2 and all(isinstance(b, torch.Tensor) for b in batch)):
        raise UsageError(
            "Expected batches (inputs, targets) of tensors to try the loss on, got others.",
            "Leave loss out; the guarantee then lists it as declared, not checked.",
        )
    device = next(model.parameters()).device
    rows = varied_rows(batch[1].cpu())
    return reduction_of(loss, model, batch[0][rows].to(device), batch[1][rows].to(device))


def order_on_trial(loader: DataLoader[Any], rows: int) -> tuple[str, ...]:
    """What the promise assumes of the collation; nothing if each unit has one row.

    The rows of a unit are averaged before they are clipped, and they are found by their places in the batch. So row i
    of a batch has to be what the collation makes of record i alone, up to padding. A few records, spread over the data
    set, are tried in both directions: in one of them at least a collation that sorts moves something.

    Args:
        loader: its data set and its collation.
        rows: rows of a batch for each unit in it.

    Raises:
        UsageError: some row is not that of its record.
    """
    if rows == 1:
        return ()
    try:
        with unchanged_generators():
            kept = _order_kept(loader)
    except Exception:  # it may not take these records by themselves; or nothing in its batches can be compared
        kept = None
    if kept is False:
        raise UsageError(
            f"Expected a collation that keeps the order of its examples, got one whose rows are not those of the "
            f"examples in their places: {rows} rows in a row are of one unit, so others' would be averaged with them.",
            "Leave sorting and mixing out of collate_fn; for packed sequences, let the network sort: "
            "pack_padded_sequence(..., enforce_sorted=False).",
        )
    return (f"collation keeps the order of the rows ({'tried on some records' if kept else 'not checked'})",)


def _order_kept(loader: DataLoader[Any]) -> bool | None:
    """Whether rows are those of the records in their places; None if it cannot be told."""
    collate: Any = loader.collate_fn or default_collate
    size = len(loader.dataset)  # type: ignore[arg-type]
    count = min(_ORDERED, size)
    records = [loader.dataset[i * size // count] for i in range(count)]

    def leaves_of(chosen: Sequence[int]) -> dict[str, Any]:
        return dict(_leaves(collate(copy.deepcopy([records[i] for i in chosen]))))  # some collations change examples

    alone, again = ([leaves_of([i]) for i in range(count)] for _ in range(2))
    # What is drawn at random says nothing: it is found by a second look at every record by itself.
    fixed = [
        path
        for path in alone[0]
        if all(
            _rows(one.get(path), 1) and _same(one[path], two.get(path)) for one, two in zip(alone, again, strict=True)
        )
    ]
    told: list[bool] = []
    whole = True
    for order in (list(range(count)), list(range(count))[::-1]):
        batch = leaves_of(order)
        paths = [path for path in fixed if _rows(batch.get(path), count) and batch[path].ndim == alone[0][path].ndim]
        whole = whole and len(paths) == len(batch) == len(alone[0])
        for place, record in enumerate(order):
            row = {path: batch[path][place : place + 1] for path in paths}
            if not all(_alike(alone[record][path], row[path]) for path in paths):
                return False
            others = (alone[other] for other in range(count) if other != record)
            told += [not all(_alike(other[path], row[path]) for path in paths) for other in others]
    # Records that are equal in everything may change places; of others nothing is known unless each can be told.
    return True if any(told) and (whole or all(told)) else None


def _leaves(batch: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(batch, Mapping):
        for key, value in batch.items():
            yield from _leaves(value, f"{path}[{key!r}]")
    elif isinstance(batch, tuple | list):
        for place, value in enumerate(batch):
            yield from _leaves(value, f"{path}[{place}]")
    else:
        yield path, batch


def _rows(leaf: Any, count: int) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.ndim > 0 and len(leaf) == count


def _same(one: torch.Tensor, other: Any) -> bool:
    return isinstance(other, torch.Tensor) and one.shape == other.shape and _equal(one, other)


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two rows are equal as far as the shorter goes, with the padding at either end."""
    if one.ndim != other.ndim:
        return False
    common = [min(pair) for pair in zip(one.shape, other.shape, strict=True)]
    if one.shape == other.shape:
        return _equal(one, other)
    first = [slice(0, length) for length in common]
    if _equal(one[tuple(first)], other[tuple(first)]):
        return True
    ends = ([slice(n - length, n) for n, length in zip(row.shape, common, strict=True)] for row in (one, other))
    mine, theirs = (tuple(end) for end in ends)
    return _equal(one[mine], other[theirs])


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.is_floating_point() and other.is_floating_point():
        return torch.allclose(one.double(), other.double(), rtol=_SAME, atol=_SAME, equal_nan=True)
    return bool((one == other).all())


def fitting_on_trial(
    model: PerExampleModel, loader: DataLoader[Any], plan: Plan, views: int, *, processes: int = 1
) -> int | None:
    """The most examples that fit into memory; None if whole batches do, or if the loop calls the network otherwise.

    Of several processes each has to hold its share of a batch.
    """
    most = -(-most_of(plan) // processes)
    if most <= _TRIED:
        return None
    collate: Any = loader.collate_fn or default_collate
    device = next(model.parameters()).device

    def trial(size: int) -> None:
        batch = collate([loader.dataset[i] for i in range(size) for _ in range(views)])
        inputs = batch[0] if isinstance(batch, tuple | list) else batch
        outputs = model(inputs.to(device))
        found = [value for value in tree_leaves(outputs) if value.is_floating_point()]
        torch.stack([value.sum() for value in found]).sum().backward()
        model.forget()

    size = sum(p.numel() * p.element_size() for p in model.parameters())
    try:
        with unchanged_generators(), unchanged_modes(model):
            found = fitting_size(trial, device, most=most, beside=(3 + plan.correlation.buffers) * size)
    except Exception:  # the loop may call the network in its own way: then batches come whole
        return None
    finally:
        model.forget()
    return None if found >= most else found
