"""A training that can be repeated on other records.

Promise: a `Recipe` builds, trains and returns a network in the same way each time, and can show it on the way.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable

import torch

from reticent import _checks
from reticent.data import Records
from reticent.errors import UsageError
from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training.loop import Run, train
from reticent.training.losses import Loss
from reticent.training.owning import units_of
from reticent.training.seeding import seeded
from reticent.training.steps import Progress

__all__ = ["Recipe"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training that can be repeated on other records: what `rt.audit` asks for as a trainer.

    Promise: `recipe(records, randomness)` builds a fresh network and trains it in the same way each time; with the same
    simulated randomness it gives the same parameters. With a plan made for another number of records, the sampling
    rate, noise and steps are kept and the expected batch size follows. A recipe trains in the process that calls it,
    also where several are connected.

    Args:
        build: a function that makes an untrained network.
        optimizer: a function from parameters to an optimizer.
        epochs: passes over the data of an ordinary training.
        batch_size: batch size of an ordinary training.
        plan: for private training, instead of the last two.
        loss: see `train`.
        example_level: see `train`.

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
    example_level: bool = False

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
        return self._trained(self._built(randomness), records, randomness, progress)

    def snapshots(self, records: Records, randomness: Randomness, count: int) -> tuple[torch.nn.Module, ...]:
        """The network after each of so many equal parts of its training; the last is what calling the recipe gives.

        Raises:
            UsageError: more snapshots than the training has steps.
        """
        _checks.at_least(1, count=count)
        model = self._built(randomness)
        states: list[dict[str, torch.Tensor]] = []

        def keep(done: int, steps: int) -> None:
            if steps < count:
                raise UsageError(
                    f"Expected at most as many snapshots as the training has steps, got count={count} for {steps}.",
                    "Ask for fewer.",
                )
            if len(states) < count and done == round(steps * (len(states) + 1) / count):
                states.append({name: value.detach().clone() for name, value in model.state_dict().items()})

        trained = self._trained(model, records, randomness, keep).model
        found = [copy.deepcopy(trained) for _ in states[:-1]]
        for one, state in zip(found, states, strict=False):
            one.load_state_dict(state)
        return (*found, trained)

    def _built(self, randomness: Randomness) -> torch.nn.Module:
        with seeded(randomness.spawn("build")):
            return self.build()

    def _trained(
        self, model: torch.nn.Module, records: Records, randomness: Randomness, progress: Progress | None
    ) -> Run:
        plan = self.plan
        if plan is not None:
            size = units_of(plan, records.owners, len(records), example_level=self.example_level).count
            batch = max(1, min(size, round(plan.sample_rate * size)))
            delta = plan.delta if plan.delta < 1 / size else _checks.suggested_delta(size)
            if size != plan.dataset_size:
                plan = dataclasses.replace(plan, dataset_size=size, batch_size=batch, delta=delta)
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
            example_level=self.example_level,
            processes="one",
        )
