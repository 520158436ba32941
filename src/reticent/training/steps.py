"""The steps of a training, private or ordinary, that can be left and taken up again.

Promise: a private training takes exactly the plan's steps, each on a fresh Poisson sample whose sum of clipped
gradients gets its noise once, however it is cut into physical batches. Both kinds repeat to the bit from simulated
randomness, also when they were interrupted after any step and taken up from the saved state. Several processes take
every private step together, each on its share of the batch.

Augmentation multiplicity: with several views, every example's inputs are augmented that many times, and the gradient
of its average loss is clipped, so that a view costs no privacy (De et al., 2022, section 3)."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reticent import _checks
from reticent.errors import ModelError, UsageError
from reticent.privacy import Batches, Plan, Unit
from reticent.randomness import Randomness
from reticent.training.accounts import Account
from reticent.training.gradients import PerExampleModel
from reticent.training.losses import Loss
from reticent.training.mechanism import PrivateSum
from reticent.training.memory import fitting_size
from reticent.training.owning import Units
from reticent.training.ranks import Ranks, fingerprint
from reticent.training.resuming import Identity, restore_training, training_state, write_training
from reticent.training.sampling import planned_batches, shuffled_batches
from reticent.training.seeding import unchanged_generators
from reticent.training.trials import most_of, refuse_mixing_views

__all__ = ["Augment", "OrdinarySteps", "PrivateSteps", "Progress", "Steps"]

Progress = Callable[[int, int], None]
"""Called as progress(done, total)."""
Augment = Callable[[torch.Tensor], torch.Tensor]
"""Inputs (rows, ...) to inputs of as many rows, each changed at random and by itself."""


class Steps(abc.ABC):
    """A training's steps, one after the other, with a state that is saved on the way."""

    total: int
    done = 0

    def __init__(
        self,
        who: Identity,
        optimizer: torch.optim.Optimizer,
        private_sum: PrivateSum | None,
        ranks: Ranks | None = None,
        batches: Batches | None = None,
    ) -> None:
        self._who, self._optimizer, self._sum, self._kept = who, optimizer, private_sum, batches
        self._ranks = Ranks() if ranks is None else ranks

    def run(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        *,
        progress: Progress | None = None,
        state: str | Path | None = None,
        save_every: int | None = None,
    ) -> int:
        """Take the steps that are left; returns how many have been begun in all."""
        with Account(self._who, self._ranks) as account:
            if state is not None:
                self._take_up(state, account)
            for batch in self._batches(len(x), account):
                self._step(x, y, batch)
                self.done += 1
                ended = self.done == self.total
                if state is not None and (ended or (save_every is not None and self.done % save_every == 0)):
                    self._save(state, account)
                if progress is not None:
                    progress(self.done, self.total)
        return self.done

    def _take_up(self, state: str | Path, account: Account) -> None:
        there = Path(state).exists()
        self._ranks.same({"presence of the saved state": there}, remedy="Save it where all processes can read it.")
        if there:
            number = restore_training(
                state,
                self._who,
                self._optimizer,
                self._sum,
                ranks=self._ranks,
                batches=self._kept,
                account=account,
            )
            self.done = min(number, self.total)
            return
        with self._ranks.together("start"):
            account.refuse_left_over(state)
        self._save(state, account)  # a stop before the next one then finds what the first steps depended on

    def _save(self, state: str | Path, account: Account) -> None:
        kept = training_state(self._who, self.done, self._optimizer, self._sum, ranks=self._ranks, batches=self._kept)
        write_training(state, kept, self._ranks, account)

    @abc.abstractmethod
    def _batches(self, size: int, account: Account) -> Iterator[npt.NDArray[np.int64]]:
        """The batches after the steps that are done."""

    @abc.abstractmethod
    def _step(self, x: torch.Tensor, y: torch.Tensor, batch: npt.NDArray[np.int64]) -> None:
        """One update."""


class PrivateSteps(Steps):
    """The steps of a plan.

    Args:
        model: trained in place.
        loss: of the kind that `reduction` says: "mean", "sum" or "none".
        optimizer: over the model's parameters.
        plan: what is executed.
        source: randomness of batches and noise.
        physical_batch_size: the most examples that a process holds at once; found from the memory if None.
        views: rows that are made of each row.
        units: whose rows are whose; each row its own owner's by default.
        augment: how.
        ranks: the processes that train together; this one alone by default.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        loss: Loss,
        reduction: str,
        optimizer: torch.optim.Optimizer,
        plan: Plan,
        source: Randomness,
        *,
        physical_batch_size: int | None = None,
        views: int = 1,
        augment: Augment | None = None,
        ranks: Ranks | None = None,
        units: Units | None = None,
    ) -> None:
        ranks = Ranks() if ranks is None else ranks
        self._units = Units(plan.dataset_size) if units is None else units
        self._source = ranks.sampling(source)
        self._model = PerExampleModel(_Loss(model, loss, reduction), views=views * self._units.rows_per_unit)
        self._parameters = {
            name: parameter for name, parameter in self._model.module.named_parameters() if parameter.requires_grad
        }
        private_sum = PrivateSum(plan, self._parameters, source.spawn("noise"), prefix="model.", ranks=ranks)
        batches = planned_batches(plan, self._source)
        super().__init__(Identity(model, plan, source), optimizer, private_sum, ranks, batches)
        self._plan, self._private_sum, self._drawn = plan, private_sum, batches
        self._physical, self._views, self._augment = physical_batch_size, views, augment
        self.total = plan.steps

    @property
    def ignored(self) -> int:
        """Examples whose gradient was not finite, in all processes."""
        return self._private_sum.ignored

    def run(self, x: torch.Tensor, y: torch.Tensor, **options: Any) -> int:
        """Execute the plan; see `Steps.run`."""
        with self._model.sharding.held(), self._ranks.together("plan"):
            if self._plan.dataset_size != self._units.count:
                unit = self._plan.unit
                whose = "records" if unit is Unit.EXAMPLE else f"{unit.value} units"
                raise UsageError(
                    f"Expected a plan for these {self._units.count} {whose}, got one for {self._plan.dataset_size}.",
                    "Calibrate it with dataset_size=len(dataset), or for people with the number of people.",
                )
            if self._augment is not None:
                refuse_mixing_views(self._augment, x)
            if self._physical is None:
                self._physical = self._fitting(x, y)
        self._physical = self._ranks.least(self._physical)
        return super().run(x, y, **options)

    def _batches(self, size: int, account: Account) -> Iterator[npt.NDArray[np.int64]]:
        while self.done < self.total:
            account.begin(self.done)
            yield self._drawn[self.done]
            self._drawn.forget(self.done)

    def _step(self, x: torch.Tensor, y: torch.Tensor, batch: npt.NDArray[np.int64]) -> None:
        chosen = self._units.rows(batch, self.done, self._source)
        own, most = self._ranks.share(chosen), self._physical or 1
        for start in range(0, self._ranks.largest_share(len(batch)), most):
            self._part(x, y, own[start : start + most], 0 if self._ranks.alone else fingerprint(self.done, chosen))
        self._optimizer.zero_grad()  # gradients that somebody left on frozen parameters carry no noise
        for name, gradient in self._private_sum.finish().items():
            self._parameters[name].grad = gradient.to(self._parameters[name].dtype)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def _part(self, x: torch.Tensor, y: torch.Tensor, own: npt.NDArray[np.int64], batch: int) -> None:
        """Add a physical batch's clipped gradients; every process comes here as often, with examples or without."""
        with self._model.sharding.held(), self._ranks.together("batch", batch):
            if len(own):
                rows = torch.from_numpy(own.reshape(-1)).to(x.device)
                self._backward(x[rows], y[rows])
                self._private_sum.add(self._model.take())
        self._private_sum.settle()

    def _backward(self, x: torch.Tensor, y: torch.Tensor) -> None:
        if self._views > 1:
            x, y = x.repeat_interleave(self._views, 0), y.repeat_interleave(self._views, 0)
        if self._augment is not None:
            rows, x = len(x), self._augment(x)
            if not isinstance(x, torch.Tensor) or len(x) != rows:
                got = f"{len(x)} rows" if isinstance(x, torch.Tensor) else type(x).__name__
                raise UsageError(
                    f"Expected {rows} augmented inputs for {rows} inputs, got {got}.", "Change each row by itself."
                )
        self._model(x, y).sum().backward()

    def _fitting(self, x: torch.Tensor, y: torch.Tensor) -> int:
        def trial(size: int) -> None:
            rows = torch.arange(size * self._units.rows_per_unit, device=x.device) % len(x)
            self._backward(x[rows], y[rows])
            self._model.forget()

        beside = (3 + self._plan.correlation.buffers) * sum(
            p.numel() * p.element_size() for p in self._parameters.values()
        )
        with unchanged_generators():
            return fitting_size(trial, x.device, most=-(-most_of(self._plan) // self._ranks.size), beside=beside)


class OrdinarySteps(Steps):
    """Shuffled mini-batches without a promise."""

    def __init__(
        self,
        model: torch.nn.Module,
        loss: Loss,
        optimizer: torch.optim.Optimizer,
        source: Randomness,
        *,
        size: int,
        epochs: float | None,
        batch_size: int | None,
    ) -> None:
        if epochs is None or batch_size is None:
            raise UsageError(
                f"Expected a plan, or epochs and batch_size, got epochs={epochs!r} and batch_size={batch_size!r}.",
                "Pass a plan to train privately.",
            )
        super().__init__(Identity(model, None, source), optimizer, None)
        self._model, self._loss = model, loss
        self._order = source.spawn("sampling")
        self._passes = _checks.at_least(1, epochs=epochs)
        self._size = min(_checks.at_least(1, batch_size=batch_size), size)
        self._each = -(-size // self._size)
        self.total = self._passes * self._each

    def _batches(self, size: int, account: Account) -> Iterator[npt.NDArray[np.int64]]:
        del account  # nothing is promised
        for epoch in range(self.done // self._each, self._passes):
            skipped = self.done - epoch * self._each
            order = shuffled_batches(size, batch_size=self._size, randomness=self._order, epoch=epoch)
            for place, batch in enumerate(order):
                if place >= skipped:
                    yield batch

    def _step(self, x: torch.Tensor, y: torch.Tensor, batch: npt.NDArray[np.int64]) -> None:
        rows = torch.from_numpy(batch).to(x.device)
        self._optimizer.zero_grad()
        self._loss(self._model(x[rows]), y[rows]).mean().backward()
        self._optimizer.step()


class _Loss(torch.nn.Module):
    """Network and loss as one module, so that per-example gradients are those of each example's own loss.

    It gives one number for each row, which add up to the average over the rows.
    """

    def __init__(self, model: torch.nn.Module, loss: Loss, reduction: str) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.reduction = reduction

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        rows, value = len(x), self.loss(self.model(x), y)
        if value.numel() not in (1, rows):
            raise ModelError(
                f"Expected one number as the loss of one example, got shape {tuple(value.shape)}.",
                "Sum the loss over everything that belongs to an example.",
            )
        if value.numel() == 1 and self.reduction == "mean":
            return (value / rows).reshape(1).expand(rows)
        if value.numel() == 1:
            return (value / rows**2).reshape(1).expand(rows)
        return value.reshape(rows) / rows
