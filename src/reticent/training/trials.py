"""What is found out by trying on a few records, before a loop begins.

Promise: a trial changes nothing: not the network, not torch's generators. Its results (a loss's reduction, how many
examples fit into memory) depend on shapes and code, and leave this module for nobody but the loop itself.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, default_collate

from reticent.errors import UsageError
from reticent.privacy import Plan
from reticent.training.gradients import PerExampleModel
from reticent.training.losses import Loss, reduction_of, varied_rows
from reticent.training.memory import fitting_size
from reticent.training.seeding import unchanged_generators

__all__ = ["fitting_on_trial", "most_of", "reduction_on_trial"]

_LOOKED_AT = 256
_TRIED = 3
_RARELY_MORE = 8.0  # standard deviations of a batch's size


def most_of(plan: Plan) -> int:
    """More examples than a batch ever has, short of a miracle (probability below 1e-14)."""
    return min(plan.dataset_size, plan.batch_size + math.ceil(_RARELY_MORE * math.sqrt(plan.batch_size)))


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


def fitting_on_trial(model: PerExampleModel, loader: DataLoader[Any], plan: Plan, views: int) -> int | None:
    """The most examples that fit into memory; None if whole batches do, or if the loop calls the network otherwise."""
    most = most_of(plan)
    if most <= _TRIED:
        return None
    collate: Any = loader.collate_fn or default_collate
    device = next(model.parameters()).device
    was_training = model.training

    def trial(size: int) -> None:
        batch = collate([loader.dataset[i] for i in range(size) for _ in range(views)])
        inputs = batch[0] if isinstance(batch, tuple | list) else batch
        outputs = model(inputs.to(device))
        found = [value for value in tree_leaves(outputs) if value.is_floating_point()]
        torch.stack([value.sum() for value in found]).sum().backward()
        model.forget()

    size = sum(p.numel() * p.element_size() for p in model.parameters())
    try:
        with unchanged_generators():
            found = fitting_size(trial, device, most=most, beside=3 * size)
    except Exception:  # the loop may call the network in its own way: then batches come whole
        return None
    finally:
        model.forget()
        model.train(was_training)
    return None if found >= most else found
