"""`train`: the whole training loop, with a promise when a plan is given.

Promise: with a `Plan`, the trained parameters satisfy `run.guarantee`, which counts the steps that were executed. The
loss is evaluated on one example at a time, so its terms cannot mix examples; one that means something else for a batch
than the mean or sum over its examples (class weights with reduction="mean") is refused. Without a plan the same loop
trains ordinarily and `run.guarantee` is None: nothing is promised.

The split of a batch into physical batches changes memory only: the sum of clipped gradients and the noise are the same.

Example:
    >>> import torch, reticent as rt
    >>> from reticent.randomness import Randomness
    >>> x = torch.randn(300, 4)
    >>> y = (x[:, 0] > 0).long()
    >>> plan = rt.Plan.calibrate(epsilon=5, delta=1e-3, dataset_size=300, batch_size=60, epochs=10)
    >>> run = rt.train(torch.nn.Linear(4, 2), (x, y), plan=plan, optimizer=lambda p: torch.optim.SGD(p, lr=1.0))
    >>> run.guarantee.epsilon(1e-3) <= 5, run.steps
    (True, 50)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reticent import _checks
from reticent.data import Records
from reticent.errors import DataError, ModelError, UsageError
from reticent.evidence import Record, now, software
from reticent.privacy import Guarantee, Plan, Unit
from reticent.randomness import Randomness, required
from reticent.training.gradients import PerExampleModel, refuse_mixing
from reticent.training.losses import Loss, reduction_of, varied_rows
from reticent.training.mechanism import ASSUMED, PrivateSum, one_row_each
from reticent.training.sampling import poisson_batches, shuffled_batches
from reticent.training.seeding import seeded

__all__ = ["Progress", "Recipe", "Run", "refuse_several_rows", "train"]

Optimizer = torch.optim.Optimizer | Callable[[Iterable[torch.nn.Parameter]], torch.optim.Optimizer]
Progress = Callable[[int, int], None]
"""Called as progress(done, total)."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        model: the trained network, in evaluation mode.
        guarantee: what is promised, or None after ordinary training.
        plan: the executed plan, or None.
        steps: number of updates.
        ignored_examples: examples whose gradient was not finite, over all steps. About the data: not covered.
        data: digest of the training records; not part of the record when there is a guarantee, which does not cover it.
        created: when it ended, in UTC.
    """

    model: torch.nn.Module
    guarantee: Guarantee | None
    plan: Plan | None
    steps: int
    ignored_examples: int
    data: str
    created: str

    @property
    def record(self) -> Record:
        """The training as a record: plan, guarantee, software, and without a guarantee the data's digest."""
        parameters = sum(parameter.numel() for parameter in self.model.parameters())
        body = {
            # A digest tells whoever knows all but one record whether it is in: not beside a promise.
            "data": self.data if self.guarantee is None else None,
            "model": {"type": type(self.model).__name__, "parameters": parameters},
            "plan": None if self.plan is None else self.plan.as_dict(),
            "guarantee": None if self.guarantee is None else self.guarantee.as_dict(),
            "steps": self.steps,
            "software": software(),
        }
        return Record("training", body, created=self.created)


def train(
    model: torch.nn.Module,
    dataset: Any,
    loss: Loss = torch.nn.functional.cross_entropy,
    *,
    plan: Plan | None = None,
    optimizer: Optimizer | None = None,
    epochs: float | None = None,
    batch_size: int | None = None,
    physical_batch_size: int = 512,
    randomness: Randomness | None = None,
    progress: Progress | None = None,
) -> Run:
    """Train a network on records, privately if a plan is given.

    Args:
        model: trained in place, on the device where it is.
        dataset: `Records`, a pair (features, labels), or a TensorDataset.
        loss: (outputs, labels) to a loss with one term per example, averaged, added up or listed.
        plan: sampler, clipping, noise and steps; without it `epochs` and `batch_size` are needed.
        optimizer: a torch optimizer over the model's parameters, or a function from parameters to one; Adam with
            learning rate 1e-3 by default.
        epochs: passes over the data of an ordinary training.
        batch_size: batch size of an ordinary training.
        physical_batch_size: how many examples are held in memory at once; changes nothing else.
        randomness: source of batches and noise: the operating system's by default. `Randomness.simulated(seed)` makes
            the run repeatable, and its guarantee a simulation.
        progress: called as progress(steps_done, steps).

    Raises:
        DataError: records that cannot be used.
        ModelError: a network that mixes examples, or whose loss is not one number per example.
        UsageError: arguments that do not fit together; a promise to people when some own several rows.
    """
    records = Records.of(dataset).require_two_classes()
    source = Randomness.secure() if randomness is None else required(randomness)
    _checks.at_least(1, physical_batch_size=physical_batch_size)
    stepper = _optimizer(optimizer, model)
    x, y = _tensors(records, model)
    model.train()
    # torch's generator (dropout) is set from the same source, so that a simulated run repeats to the bit.
    with seeded(source.spawn("torch")):
        if plan is None:
            steps = _train_ordinary(model, x, y, loss, stepper, epochs, batch_size, source, progress)
            model.eval()
            return Run(model, None, None, steps, 0, records.digest(), now())
        if (epochs, batch_size) != (None, None):
            raise UsageError("Expected epochs and batch_size inside the plan, got them beside it.", "Leave them out.")
        refuse_several_rows(plan.unit, records, "Plan for Unit.EXAMPLE, or merge each owner's rows into one record.")
        refuse_mixing(model)
        rows = varied_rows(records.labels)
        reduction_of(loss, model, x[rows], y[rows])
        engine = _PrivateSteps(model, loss, stepper, plan, source, physical_batch_size)
        steps = engine.run(x, y, progress)
    model.eval()
    guarantee = plan.guarantee(
        steps=steps,
        assumptions=(
            *ASSUMED,
            *(() if records.owners is not None else one_row_each(plan.unit)),
            *records.public_facts,
        ),
        simulated=not source.is_secure,
    )
    return Run(model, guarantee, plan, steps, engine.ignored, records.digest(), now())


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training that can be repeated on other records: what `rt.audit` asks for as a trainer.

    Promise: `recipe(records, randomness)` builds a fresh network and trains it in the same way each time; with the same
    simulated randomness it gives the same parameters. With a plan made for another number of records, the sampling
    rate, noise and steps are kept and the expected batch size follows.

    Args:
        build: a function that makes an untrained network.
        optimizer: a function from parameters to an optimizer.
        epochs: passes over the data of an ordinary training.
        batch_size: batch size of an ordinary training.
        plan: for private training, instead of the last two.
        loss: see `train`.

    Example:
        >>> import torch, reticent as rt
        >>> from reticent.data import load
        >>> from reticent.randomness import Randomness
        >>> from reticent.training import Recipe
        >>> recipe = Recipe(lambda: torch.nn.Linear(10, 2), lambda p: torch.optim.Adam(p), epochs=2, batch_size=64)
        >>> recipe(load("diabetes"), Randomness.simulated(0))
        Linear(in_features=10, out_features=2, bias=True)
    """

    build: Callable[[], torch.nn.Module]
    optimizer: Callable[[Iterable[torch.nn.Parameter]], torch.optim.Optimizer]
    epochs: float | None = None
    batch_size: int | None = None
    plan: Plan | None = None
    loss: Loss = torch.nn.functional.cross_entropy

    def __post_init__(self) -> None:
        if (self.plan is None) == (self.epochs is None or self.batch_size is None):
            raise UsageError(
                f"Expected a plan, or epochs and batch_size, got plan={self.plan!r}, epochs={self.epochs!r} and "
                f"batch_size={self.batch_size!r}.",
                "Pass a plan to train privately.",
            )

    def __call__(self, records: Records, randomness: Randomness) -> torch.nn.Module:
        """The trained network."""
        return self.run(records, randomness).model

    def run(self, records: Records, randomness: Randomness, progress: Progress | None = None) -> Run:
        """The training with its guarantee."""
        with seeded(randomness.spawn("build")):
            model = self.build()
        plan = self.plan
        if plan is not None and plan.dataset_size != len(records):
            batch = max(1, min(len(records), round(plan.sample_rate * len(records))))
            delta = plan.delta if plan.delta < 1 / len(records) else _checks.suggested_delta(len(records))
            plan = dataclasses.replace(plan, dataset_size=len(records), batch_size=batch, delta=delta)
        return train(
            model,
            records,
            self.loss,
            plan=plan,
            optimizer=self.optimizer,
            epochs=self.epochs,
            batch_size=self.batch_size,
            randomness=randomness.spawn("train"),
            progress=progress,
        )


class _Loss(torch.nn.Module):
    """Network and loss as one module, so that per-example gradients are those of each example's own loss."""

    def __init__(self, model: torch.nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        value = self.loss(self.model(x), y)
        if value.numel() != 1:
            raise ModelError(
                f"Expected one number as the loss of one example, got shape {tuple(value.shape)}.",
                "Sum the loss over everything that belongs to an example.",
            )
        return value.reshape(1)


class _PrivateSteps:
    """The steps of one private training."""

    def __init__(
        self,
        model: torch.nn.Module,
        loss: Loss,
        optimizer: torch.optim.Optimizer,
        plan: Plan,
        source: Randomness,
        physical_batch_size: int,
    ) -> None:
        self._model = PerExampleModel(_Loss(model, loss))
        self._parameters = {
            name: parameter for name, parameter in self._model.module.named_parameters() if parameter.requires_grad
        }
        self._optimizer = optimizer
        self._plan = plan
        self._sampling = source.spawn("sampling")
        self._sum = PrivateSum(plan, self._parameters, source.spawn("noise"))
        self._physical = physical_batch_size

    @property
    def ignored(self) -> int:
        """Examples whose gradient was not finite."""
        return self._sum.ignored

    def run(self, x: torch.Tensor, y: torch.Tensor, progress: Progress | None) -> int:
        """Execute the plan; returns the number of steps."""
        plan = self._plan
        if plan.dataset_size != len(x):
            raise UsageError(
                f"Expected a plan for these {len(x)} records, got one for {plan.dataset_size}.",
                "Calibrate it with dataset_size=len(dataset).",
            )
        batches = poisson_batches(len(x), sample_rate=plan.sample_rate, steps=plan.steps, randomness=self._sampling)
        for done, batch in enumerate(batches, start=1):
            self._step(x, y, batch)
            if progress is not None:
                progress(done, plan.steps)
        return plan.steps

    def _step(self, x: torch.Tensor, y: torch.Tensor, batch: npt.NDArray[np.int64]) -> None:
        for start in range(0, len(batch), self._physical):
            rows = torch.from_numpy(batch[start : start + self._physical]).to(x.device)
            self._model(x[rows], y[rows]).sum().backward()
            self._sum.add(self._model.gathered())
            self._model.forget()
        self._optimizer.zero_grad()  # gradients that somebody left on frozen parameters carry no noise
        for name, gradient in self._sum.finish().items():
            self._parameters[name].grad = gradient.to(self._parameters[name].dtype)
        self._optimizer.step()


def refuse_several_rows(unit: Unit, records: Records, remedy: str) -> None:
    """Rows are sampled and clipped one by one, so a promise to people or clients needs that each owns one row."""
    if unit is not Unit.EXAMPLE and records.owner_count < len(records):
        raise UsageError(
            f"Expected one row for every {unit.value}, got {len(records)} rows of {records.owner_count} owners: "
            "clipping bounds what a row contributes, not what its owner does.",
            remedy,
        )


def _train_ordinary(
    model: torch.nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    epochs: float | None,
    batch_size: int | None,
    source: Randomness,
    progress: Progress | None,
) -> int:
    if epochs is None or batch_size is None:
        raise UsageError(
            f"Expected a plan, or epochs and batch_size, got epochs={epochs!r} and batch_size={batch_size!r}.",
            "Pass a plan to train privately.",
        )
    passes = _checks.at_least(1, epochs=epochs)
    batch_size = min(_checks.at_least(1, batch_size=batch_size), len(x))
    order, steps = source.spawn("sampling"), 0
    total = passes * -(-len(x) // batch_size)
    for _ in range(passes):
        for batch in shuffled_batches(len(x), batch_size=batch_size, randomness=order):
            rows = torch.from_numpy(batch).to(x.device)
            optimizer.zero_grad()
            loss(model(x[rows]), y[rows]).mean().backward()
            optimizer.step()
            steps += 1
            if progress is not None:
                progress(steps, total)
    return steps


def _optimizer(optimizer: Optimizer | None, model: torch.nn.Module) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ModelError("Expected a network with trainable parameters, got none.", "Unfreeze some of them.")
    if optimizer is None:
        return torch.optim.Adam(parameters, lr=1e-3)
    made = optimizer if isinstance(optimizer, torch.optim.Optimizer) else optimizer(parameters)
    theirs = {id(p) for group in made.param_groups for p in group["params"]}
    if not theirs <= {id(p) for p in model.parameters()}:
        raise UsageError(
            "Expected an optimizer over the parameters of this model only, got one over others.",
            "Build it with model.parameters().",
        )
    return made


def _tensors(records: Records, model: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise ModelError("Expected a network with trainable parameters, got none.", "Pass a torch module with layers.")
    x, y = torch.from_numpy(np.ascontiguousarray(records.features)), torch.from_numpy(records.labels)
    if x.is_floating_point():
        x = x.to(parameter.dtype)
    if len(records) == 0:
        raise DataError("Expected at least one record, got none.", "Check the filter that selected the rows.")
    return x.to(parameter.device), y.to(parameter.device)
