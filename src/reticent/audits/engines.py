"""Trainings to watch: reticent's own, whole and taken apart, as adapters of the kind that a user writes.

Promise: `by_make_private` and `by_train` call the front doors exactly as a user does. `by_steps` puts the same parts
together step by step, so that one of them can be exchanged for a broken one (`reticent.audits.bugs`); with none
exchanged it is the same mechanism.

An adapter for another implementation takes a `Trial` and trains it. With Opacus, for instance::

    def by_opacus(trial):
        plan = trial.plan
        loader = DataLoader(trial.data, batch_size=plan.batch_size, shuffle=True)
        network, optimizer, loader = PrivacyEngine().make_private(
            module=trial.network, optimizer=trial.optimizer, data_loader=loader,
            noise_multiplier=plan.noise_multiplier, max_grad_norm=plan.l2_clip_norm,
        )
        taken = 0
        while taken < plan.steps:
            for x, y in loader:
                if taken == plan.steps:
                    break
                optimizer.zero_grad()
                trial.loss(network(x), y).backward()
                optimizer.step()
                taken += 1

Example:
    >>> import reticent as rt
    >>> from reticent.audits.engines import by_train
    >>> from reticent.audits.probes import watch
    >>> plan = rt.Plan(1.0, dataset_size=100, batch_size=20, steps=5, delta=1e-3)
    >>> watch(by_train, plan, canaries=10, randomness=rt.Randomness.simulated(0)).steps
    5
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader

from reticent.audits.probes import Trial
from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training import PerExampleModel, PrivateSum, make_private, planned_batches, train
from reticent.training.engine import Gathered

__all__ = [
    "Gradients",
    "Holds",
    "Released",
    "Rows",
    "by_make_private",
    "by_steps",
    "by_train",
    "planned",
    "private_sum",
    "released_by",
]

Rows = npt.NDArray[np.int64]
Gradients = dict[str, torch.Tensor]


def by_make_private(trial: Trial) -> None:
    """An ordinary loop made private."""
    plan = trial.plan
    loader = DataLoader(trial.data, batch_size=plan.batch_size, shuffle=True)
    private = make_private(
        trial.network, trial.optimizer, loader, plan=plan, loss=trial.loss, randomness=trial.randomness, processes="one"
    )
    while private.loader.drawn < plan.steps:
        for x, y in private.loader:
            private.optimizer.zero_grad()
            trial.loss(private.model(x), y).backward()
            private.optimizer.step()


def by_train(trial: Trial) -> None:
    """The whole loop by `reticent.train`."""
    train(
        trial.network,
        trial.data,
        trial.loss,
        plan=trial.plan,
        optimizer=trial.optimizer,
        randomness=trial.randomness,
        processes="one",
    )


class Released(Protocol):
    """Makes of a step's per-example gradients what is released."""

    def __call__(self, model: PerExampleModel, size: int, /) -> Gradients:
        """Name to noisy mean, of the `size` examples whose gradients `model` holds (of their loss' mean)."""


def planned(trial: Trial) -> Iterator[Rows]:
    """The plan's batches."""
    batches = planned_batches(trial.plan, trial.randomness.spawn("sampling"))
    for number in range(trial.plan.steps):
        yield batches[number]
        batches.forget(number)


def private_sum(trial: Trial, plan: Plan | None = None, noise: Randomness | None = None) -> PrivateSum:
    """The engine's own clipping, sum and noise, with the trial's plan and randomness or others in their place."""
    source = trial.randomness.spawn("noise") if noise is None else noise
    return PrivateSum(trial.plan if plan is None else plan, dict(trial.network.named_parameters()), source)


class Holds(Protocol):
    """What holds the gradients of a batch's mean loss."""

    def take(self) -> list[Gathered]:
        """The gradients."""


def released_by(total: PrivateSum) -> Callable[[Holds, int], Gradients]:
    """What a `PrivateSum` releases of a step."""

    def release(model: Holds, size: int) -> Gradients:
        if size:
            total.add(model.take(), float(size))  # the mean over the batch, undone
        return total.finish()

    return release


def by_steps(trial: Trial, batches: Iterable[Rows] | None = None, released: Released | None = None) -> None:
    """The same parts put together here: batches, per-example gradients, what is released of them, the step.

    Args:
        trial: what is trained.
        batches: the rows of each step; the plan's by default.
        released: what becomes of their gradients; the engine's clipping, sum and noise by default.
    """
    x, y = trial.data.tensors
    model = PerExampleModel(trial.network)
    release = released_by(private_sum(trial)) if released is None else released
    parameters = dict(trial.network.named_parameters())
    for rows in planned(trial) if batches is None else batches:
        if len(rows):
            trial.loss(model(x[rows]), y[rows]).backward()
        for name, gradient in release(model, len(rows)).items():
            parameters[name].grad = gradient
        trial.optimizer.step()
        trial.optimizer.zero_grad()
