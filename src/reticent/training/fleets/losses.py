"""The loss of every example of every model of a stack, so that a batch may be shorter for one model than for another.

Promise: added up with the weights that come with it, a model's terms give what `Recipe.loss` and the mean that is taken
of it give for that model's batch, up to rounding. A loss that is not the mean, the sum or the list of its examples'
losses (class weights with `reduction="mean"`) has no such terms and is refused.

Shapes: outputs (models, rows, ...), labels (models, rows), terms (models, rows).

Example:
    >>> import numpy as np, torch
    >>> from reticent.training.fleets.losses import Terms
    >>> terms = Terms(torch.nn.functional.cross_entropy, "mean")
    >>> terms(torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.long)).shape, terms.weight(np.array([2, 4])).tolist()
    (torch.Size([2, 3]), [0.5, 0.25])
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from reticent.training.losses import Loss

__all__ = ["Terms"]


@dataclasses.dataclass(frozen=True)
class Terms:
    """A loss, taken apart.

    Args:
        loss: called as loss(outputs, labels).
        reduction: what `reticent.training.losses.reduction_of` says of it.
    """

    loss: Loss
    reduction: str

    def __call__(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(models, rows) each example's loss."""
        if self.is_cross_entropy and outputs.ndim == 3:
            # With the classes in the middle the softmax runs over rows side by side: ten times as fast.
            return functional.cross_entropy(outputs.transpose(1, 2).contiguous(), labels, reduction="none")
        models, rows = labels.shape
        flat: torch.Tensor = torch.func.vmap(self._of_one)(outputs.flatten(0, 1), labels.flatten())
        return flat.reshape(models, rows)

    def weight(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """What each term of batches of so many rows counts, in the shape of `rows`."""
        return np.ones(rows.shape) if self.reduction == "sum" else 1.0 / rows

    def _of_one(self, output: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return self.loss(output[None], label[None]).sum()

    @property
    def is_cross_entropy(self) -> bool:
        """Whether it is plain cross-entropy and its mean."""
        if self.loss is functional.cross_entropy:
            return True
        if type(self.loss) is not torch.nn.CrossEntropyLoss:
            return False
        plain = self.loss.weight is None and self.loss.label_smoothing == 0 and self.loss.ignore_index < 0
        return plain and self.reduction == "mean"
