"""One update of every model of a stack: by autograd over stacked tensors, or by formula.

Promise: both change every model as its own optimizer would, fed with the gradient of the weighted sum of its examples'
losses, up to rounding. `ByFormula` holds all parameters of all models in one vector for each group of the optimizer;
`values` are views of it.

Shapes: rows and weights (models, rows), values (models, ...).

Example:
    >>> import torch
    >>> from reticent.training.fleets.losses import Terms
    >>> from reticent.training.fleets.updates import ByFormula
    >>> models, inputs = [torch.nn.Linear(2, 2) for _ in range(3)], (torch.eye(2), torch.arange(2))
    >>> stacked = {n: torch.stack([dict(m.named_parameters())[n].detach() for m in models]) for n in ("weight", "bias")}
    >>> update = ByFormula(models, stacked, lambda p: torch.optim.SGD(p, lr=1.0), inputs)
    >>> update(torch.tensor([[0, 1]] * 3), torch.full((3, 2), 0.5))
    >>> bool((update.values["weight"] != stacked["weight"]).all())
    True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from reticent.training.fleets.formulas import Formulas
from reticent.training.fleets.layers import Stacked
from reticent.training.fleets.losses import Terms
from reticent.training.fleets.optimizers import flat_optimizer, keep_flat, shorten, stacked_optimizer

__all__ = ["ByAutograd", "ByFormula", "Update"]

_Inputs = tuple[torch.Tensor, torch.Tensor]
_Make = Callable[[Any], torch.optim.Optimizer]


class Update(Protocol):
    """The models' numbers, and how they are changed."""

    @property
    def values(self) -> Mapping[str, torch.Tensor]:
        """Parameters and buffers."""

    def __call__(self, rows: torch.Tensor, weights: torch.Tensor) -> None:
        """One update of each model, from rows of the pool."""

    def arrange(self, order: torch.Tensor) -> None:
        """Put the models into another order, before the first update."""

    def shorten(self, models: int) -> None:
        """Keep the first models only."""


class ByAutograd:
    """An update of stacked tensors by torch's own derivatives.

    Args:
        models: as they are built.
        values: their parameters and buffers, stacked; those that are trained require gradients.
        make: a model's optimizer from its parameters.
        inputs: features and labels of the pool.
        compute: the network.
        terms: the loss.

    Raises:
        NotElementwise: an optimizer that cannot be shared.
    """

    def __init__(
        self,
        models: Sequence[torch.nn.Module],
        values: dict[str, torch.Tensor],
        make: _Make,
        inputs: _Inputs,
        compute: Stacked,
        terms: Terms,
    ) -> None:
        self.values, self._compute, self._terms = values, compute, terms
        self._x, self._y = inputs
        self._optimizer = stacked_optimizer(make, models, values)

    def __call__(self, rows: torch.Tensor, weights: torch.Tensor) -> None:
        """One update of each model."""
        models, most = rows.shape
        flat = rows.reshape(-1)
        x = self._x.index_select(0, flat).view(models, most, *self._x.shape[1:])
        y = self._y.index_select(0, flat).view(models, most)
        self._optimizer.zero_grad()
        terms = self._terms(self._compute(self.values, x), y)
        terms.backward(weights.to(terms))
        self._optimizer.step()

    def arrange(self, order: torch.Tensor) -> None:
        """Put the models into another order."""
        for value in self.values.values():
            value.data = value.data[order]

    def shorten(self, models: int) -> None:
        """Keep the first models only."""
        shorten(self._optimizer, models)
        for value in self.values.values():
            if len(value) > models:  # frozen, so none of the optimizer's
                value.data = value.data[:models].clone()


class ByFormula:
    """An update without autograd, where there are formulas.

    Args:
        models: as they are built.
        values: their parameters, stacked.
        make: a model's optimizer from its parameters.
        inputs: features and labels of the pool.

    Raises:
        NoLayer: there is no formula for a layer.
        NotElementwise: an optimizer that cannot be shared.
    """

    def __init__(
        self, models: Sequence[torch.nn.Module], values: Mapping[str, torch.Tensor], make: _Make, inputs: _Inputs
    ) -> None:
        self._formulas, self._models = Formulas(models[0], inputs), len(models)
        self._forms = {name: value.shape[1:] for name, value in values.items()}
        self._optimizer, self._names = flat_optimizer(make, models, values)
        self._sizes = [[self._forms[name].numel() for name in group] for group in self._names]
        self._type = next(iter(values.values())).dtype
        self._bind()

    def __call__(self, rows: torch.Tensor, weights: torch.Tensor) -> None:
        """One update of each model."""
        self._formulas.gradients(self.values, self._gradients, rows, weights.to(self._type))
        self._optimizer.step()

    def arrange(self, order: torch.Tensor) -> None:
        """Put the models into another order."""
        self._keep(order)

    def shorten(self, models: int) -> None:
        """Keep the first models only."""
        self._keep(torch.arange(models, device=self._optimizer.param_groups[0]["params"][0].device))

    def _keep(self, places: torch.Tensor) -> None:
        keep_flat(self._optimizer, self._sizes, self._models, places)
        self._formulas.forget()
        self._models = len(places)
        self._bind()

    def _bind(self) -> None:
        """Views of the groups' vectors and their gradients, by name."""
        self.values: dict[str, torch.Tensor] = {}
        self._gradients: dict[str, torch.Tensor] = {}
        for group, names, sizes in zip(self._optimizer.param_groups, self._names, self._sizes, strict=True):
            (flat,) = group["params"]
            flat.grad = torch.zeros_like(flat)
            pieces = [self._models * size for size in sizes]
            for name, value, gradient in zip(names, flat.split(pieces), flat.grad.split(pieces), strict=True):
                self.values[name] = value.view(self._models, *self._forms[name])
                self._gradients[name] = gradient.view(self._models, *self._forms[name])
