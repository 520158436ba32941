"""Many models of one recipe trained side by side, as one network with a dimension more.

Promise: model k of a stack is the model that the recipe trains from the same stream on the same records, up to
rounding: it is built from the same numbers, sees the same batches in the same order, and takes as many steps, however
many the others take. In double precision that is 1e-9 of the answers; in single precision it is the rounding of
products that are added up in another order, which a long training magnifies (see `benchmarks/fleet.py`).

How: parameters are stacked, and each step takes one batch of every model. A batch that is shorter than the others is
filled up with its own first row, which counts nothing. Models that have taken their steps leave the stack.

Shapes: parameters (models, ...), inputs (models, rows, ...), answers (models, records, classes).

Example:
    >>> import numpy as np, torch, reticent as rt
    >>> from reticent.data import Records
    >>> from reticent.randomness import Randomness
    >>> from reticent.training.fleets.stacks import Stack, Way, built
    >>> pool = Records(np.eye(8, dtype=np.float32), np.arange(8) % 2)
    >>> recipe = rt.Recipe(lambda: torch.nn.Linear(8, 2), lambda p: torch.optim.SGD(p, lr=1.0), epochs=5, batch_size=3)
    >>> masks, streams = np.eye(2, 8, dtype=bool) == 0, [Randomness.simulated(k) for k in range(2)]
    >>> models = [built(recipe, stream) for stream in streams]
    >>> stack = Stack(recipe, pool, models, Way("by hand", 2))
    >>> stack.train(masks, streams)
    >>> alone = recipe(pool.take(masks[1]), streams[1])
    >>> with torch.no_grad():
    ...     print(bool(torch.allclose(torch.tensor(stack.answers()[1]), alone(torch.eye(8)), atol=1e-5)))
    True
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reticent.data import Records
from reticent.errors import DataError
from reticent.randomness import Randomness
from reticent.training.fleets.batches import Batches, side_by_side
from reticent.training.fleets.derivatives import keep_memory
from reticent.training.fleets.layers import NoLayer, Stacked, batched_by_hand, widest
from reticent.training.fleets.losses import Terms
from reticent.training.fleets.updates import ByAutograd, ByFormula, Update
from reticent.training.recipe import Recipe
from reticent.training.seeding import seeded

__all__ = ["Stack", "Unlike", "Way", "built", "inputs_for"]

_NUMBERS_AT_ONCE = 1 << 20  # of the widest layer, of the models that are asked together
_STEPS_AT_ONCE = 32  # whose batches are drawn together


@dataclasses.dataclass(frozen=True)
class Way:
    """How models are trained.

    Attributes:
        name: "by formula" (gradients, too, without autograd), "by hand" (layers batched by hand), "vmap" or
            "one by one".
        together: models in a stack.
        reason: why not another way.
        seconds: what a step of one model takes, as measured; 0 where it was not.
        reduction: of the recipe's loss, for stacks.
    """

    name: str
    together: int = 1
    reason: str = ""
    seconds: float = 0.0
    reduction: str = "mean"

    @property
    def is_stacked(self) -> bool:
        """Whether models are trained side by side."""
        return self.name != "one by one"


class Unlike(Exception):
    """Models that cannot share a stack; the text says why."""


def built(recipe: Recipe, stream: Randomness) -> torch.nn.Module:
    """The untrained network of a recipe, as `Recipe.run` builds it from the same stream."""
    with seeded(stream.spawn("build")):
        return recipe.build()


def inputs_for(pool: Records, model: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Features and labels as the training loop gives them to the network."""
    parameter = next(model.parameters())
    x, y = torch.from_numpy(np.ascontiguousarray(pool.features)), torch.from_numpy(pool.labels)
    if x.is_floating_point():
        x = x.to(parameter.dtype)
    return x.to(parameter.device), y.to(parameter.device)


class Stack:
    """Models of one recipe with one parameter tensor for all of them.

    Args:
        recipe: without a plan.
        pool: the records that they are trained on parts of.
        models: as `built` makes them.
        way: how their outputs are computed, and the reduction of the loss.
        inputs: what `inputs_for` gives, if it is known.

    Raises:
        Unlike: the models differ in more than their numbers.
        NoLayer: a layer that cannot be batched by hand, or has no formula, if that is the way.
        NotElementwise: an optimizer that cannot be shared.
    """

    def __init__(
        self,
        recipe: Recipe,
        pool: Records,
        models: Sequence[torch.nn.Module],
        way: Way,
        inputs: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> None:
        keep_memory()
        self._recipe, self._pool, self._models = recipe, pool, len(models)
        self._x, self._y = inputs_for(pool, models[0]) if inputs is None else inputs
        self._network = copy.deepcopy(models[0])
        self._terms = Terms(recipe.loss, way.reduction)
        values, inputs = _stacked(models), (self._x, self._y)
        self._compute = _vmapped(self._network) if way.name == "vmap" else batched_by_hand(self._network)
        self._update: Update
        if way.name == "by formula":
            if not self._terms.is_cross_entropy:
                raise NoLayer("there is a formula for plain cross-entropy only")
            self._update = ByFormula(models, values, recipe.optimizer, inputs)
        else:
            self._update = ByAutograd(models, values, recipe.optimizer, inputs, self._compute, self._terms)
        self._values: Mapping[str, torch.Tensor] | None = None  # of a training that is over

    def __len__(self) -> int:
        return self._models

    @property
    def values(self) -> Mapping[str, torch.Tensor]:
        """Parameters and buffers, (models, ...) each."""
        return self._update.values if self._values is None else self._values

    def train(self, masks: npt.NDArray[np.bool_], streams: Sequence[Randomness]) -> None:
        """Train every model on its own part of the pool: the whole training, once.

        Args:
            masks: (models, records) the parts.
            streams: (models,) what the recipe would be called with.

        Raises:
            DataError: a part with one class only, or none.
        """
        batches = [Batches(self._recipe, self._pool, *pair) for pair in zip(masks, streams, strict=True)]
        order = sorted(range(len(batches)), key=lambda k: -batches[k].steps)
        batches = [batches[k] for k in order]
        self._update.arrange(torch.tensor(order, device=self._x.device))
        ended = {name: torch.empty_like(value, requires_grad=False) for name, value in self.values.items()}
        self._network.train()
        step, running = 0, len(batches)
        while running:
            while left := batches[running - 1].steps - step:  # so many as the shortest training has left
                some = min(left, _STEPS_AT_ONCE)
                for rows, weights in zip(*self._placed(*side_by_side(batches[:running], some)), strict=True):
                    self._update(rows, weights)
                step += some
            going_on = sum(one.steps > step for one in batches)
            for name, value in self.values.items():
                ended[name][going_on:running] = value.detach()[going_on:running]
            self._update.shorten(going_on)
            running = going_on
        back = torch.empty(len(order), dtype=torch.long, device=self._x.device)
        back[torch.tensor(order, device=self._x.device)] = torch.arange(len(order), device=self._x.device)
        self._values = {name: value[back] for name, value in ended.items()}

    def step(self, rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> None:
        """One update of each model.

        Args:
            rows: (models, batch) rows of the pool; those beyond a model's length count nothing.
            lengths: (models,) how many of them count.
        """
        self._update(*(both[0] for both in self._placed(rows[None], lengths[None])))

    def _placed(self, rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """(steps, models, batch) rows and what each counts, where the models are."""
        each = self._terms.weight(lengths)[..., None]
        weights = np.where(np.arange(rows.shape[-1]) < lengths[..., None], each, 0.0)
        return torch.from_numpy(rows).to(self._x.device), torch.from_numpy(weights).to(self._x.device)

    def answers(self) -> npt.NDArray[Any]:
        """(models, records, ...) what every model says of every record, as it comes out of the network."""
        self._network.eval()
        rows = min(4096, max(16, _NUMBERS_AT_ONCE // (widest(self._network, self._x) * self._models)))
        found: npt.NDArray[Any] | None = None
        with torch.no_grad():
            for start in range(0, len(self._x), rows):
                part = self._x[start : start + rows]
                said = self._compute(self.values, part.expand(self._models, *part.shape)).cpu().numpy()
                if found is None:
                    found = np.empty((self._models, len(self._x), *said.shape[2:]), said.dtype)
                found[:, start : start + rows] = said
        if found is None:
            raise DataError("Expected at least one record, got none.", "Check the filter that selected the rows.")
        return found


def _stacked(models: Sequence[torch.nn.Module]) -> dict[str, torch.Tensor]:
    """Name to stacked tensor, parameters and buffers; the models must be alike in all but their numbers."""
    first = _numbers(models[0])
    trained = {name for name, value in models[0].named_parameters() if value.requires_grad}
    for model in models:
        _without_hooks(model)
        numbers = _numbers(model)
        alike = numbers.keys() == first.keys() and type(model) is type(models[0]) and repr(model) == repr(models[0])
        alike = alike and trained == {name for name, value in model.named_parameters() if value.requires_grad}
        if not alike or any((v.shape, v.dtype, v.device) != _form(first[name]) for name, v in numbers.items()):
            raise Unlike("the recipe builds networks of different forms")
    values = {}
    for name in first:
        value = torch.stack([_numbers(model)[name].detach() for model in models])
        values[name] = value.requires_grad_(name in trained)
    return values


def _without_hooks(model: torch.nn.Module) -> None:
    """Stacked parameters are others than those that hooks were set on."""
    places = ("_backward_hooks", "_post_accumulate_grad_hooks")
    if any(getattr(value, place, None) for value in _numbers(model).values() for place in places):
        raise Unlike("the network's parameters have hooks")
    every = vars(torch.nn.modules.module)
    if any(every.get(f"_global_{name}_hooks") for name in ("forward", "forward_pre", "backward", "backward_pre")):
        raise Unlike("torch has hooks for all modules")


def _numbers(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _form(value: torch.Tensor) -> tuple[Any, ...]:
    return value.shape, value.dtype, value.device


def _vmapped(network: torch.nn.Module) -> Stacked:
    def one(values: Mapping[str, torch.Tensor], x: torch.Tensor) -> Any:
        return torch.func.functional_call(network, dict(values), (x,))

    several = torch.func.vmap(one)

    def stacked(values: Mapping[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        with _quiet():
            out: torch.Tensor = several(dict(values), x)
        return out

    return stacked


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """vmap warns where an operation has no rule of its own and runs in a loop: the measurement finds that anyway."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*performance drop.*")
        yield
