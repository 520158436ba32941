"""Losses that differential privacy can rest on: one term per example, averaged or added up.

Promise: `reduction_of` tells whether a loss of a batch is the mean, the sum or the list of its examples' losses, by
evaluating it on a few records together and one at a time; a loss that is none of these is refused. Class weights with
`reduction="mean"` are the usual case: torch divides by the sum of the weights in the batch, so every example's gradient
depends on the others, and clipping no longer bounds what one example does.

Not covered: a loss that behaves differently on other records than on the ones tried.

Example:
    >>> import torch
    >>> from torch.nn.functional import cross_entropy
    >>> from reticent.training.losses import reduction_of
    >>> model, x, y = torch.nn.Linear(2, 2), torch.randn(6, 2), torch.tensor([0, 1, 0, 1, 1, 0])
    >>> reduction_of(cross_entropy, model, x, y)
    'mean'
    >>> weighted = lambda outputs, labels: cross_entropy(outputs, labels, weight=torch.tensor([1.0, 9.0]))
    >>> reduction_of(weighted, model, x, y)
    Traceback (most recent call last):
    reticent.errors.UsageError: Expected a loss with one term per example, averaged or added up; got one whose value ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from reticent.errors import UsageError
from reticent.training.seeding import unchanged_modes

__all__ = ["Loss", "reduction_of", "varied_rows"]

Loss = Callable[[Any, Any], torch.Tensor]
_TRIED = 32
_TOLERANCE = 1e-3


def reduction_of(loss: Loss, model: torch.nn.Module, x: torch.Tensor, y: Any) -> str:
    """ "mean", "sum" or "none": how the loss of a batch comes about from the losses of its examples.

    Args:
        loss: called as loss(outputs, targets).
        model: asked in evaluation mode; left as it was.
        x: (n, ...) a few inputs, at least two for an answer other than by chance.
        y: (n, ...) their targets, of different classes if there are any.

    Raises:
        UsageError: the loss is not made of one term per example, or is not a tensor.
    """
    with unchanged_modes(model), torch.no_grad():
        model.eval()
        broken = ~torch.isfinite(x.reshape(len(x), -1).double()).all(dim=1)
        x, y = x[~broken], y[~broken]  # what contributes nothing later tells nothing here
        outputs = model(x)
        each = torch.stack([_tensor(loss(outputs[i : i + 1], y[i : i + 1])).double().sum() for i in range(len(x))])
        # A loss that weights classes may agree on one batch by chance, but not on parts of it as well.
        batches = [slice(0, len(x)), slice(0, len(x), 2), slice(len(x) // 3, len(x))]
        fitting = [_made_of(each[rows], _tensor(loss(outputs[rows], y[rows])).double()) for rows in batches]
    for kind in fitting[0]:
        if all(kind in kinds for kinds in fitting):
            return kind
    raise UsageError(
        "Expected a loss with one term per example, averaged or added up; got one whose value for a batch is neither "
        "the mean nor the sum of its values for the examples.",
        "Class weights with reduction='mean' do this. Write (weight[y] * cross_entropy(outputs, y, reduction='none'))"
        ".mean(), or use reduction='sum'.",
    )


def _made_of(each: torch.Tensor, together: torch.Tensor) -> list[str]:
    """In which ways a batch's loss comes about from its examples' losses; several for a batch of one."""
    if together.numel() == len(each) and together.ndim > 0:
        candidates = {"none": together.reshape(-1) - each}
    else:
        candidates = {"mean": together.reshape(-1) - each.mean(), "sum": together.reshape(-1) - each.sum()}
    scale = max(1e-6, float(each.abs().mean()))
    return [
        name
        for name, difference in candidates.items()
        if float(difference.abs().max()) <= _TOLERANCE * scale * (len(each) if name == "sum" else 1)
    ]


def varied_rows(labels: Any) -> list[int]:
    """Up to 32 rows, of as many different labels as there are: a loss that weights classes shows on these."""
    values = np.asarray(labels)
    if values.ndim != 1:
        return list(range(min(_TRIED, len(values))))
    first: list[int] = np.unique(values, return_index=True)[1][: _TRIED // 2].tolist()
    more = [row for row in range(min(_TRIED, len(values))) if row not in first]
    return (first + more)[:_TRIED]


def _tensor(value: Any) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise UsageError(f"Expected a tensor from the loss, got {type(value).__name__}.", "Return the loss.")
    return value
