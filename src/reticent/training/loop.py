"""`train`: the whole training loop, with a promise when a plan is given.

Promise: with a `Plan`, the trained parameters satisfy `run.guarantee`, which counts the steps that were executed. The
loss is evaluated on one example at a time, so its terms cannot mix examples; one that means something else for a batch
than the mean or sum over its examples (class weights with reduction="mean") is refused. Without a plan the same loop
trains ordinarily and nothing is promised beyond what was promised for the data themselves: `run.guarantee` is theirs
(`reticent.data.local`), or None.

The split of a batch into physical batches changes memory only: the sum of clipped gradients and the noise are the same.
So does the split over several processes (`torchrun`, an initialised `torch.distributed`), each of which makes the same
call: see `make_private` and `ranks`.

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
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reticent import _checks
from reticent.data import Records
from reticent.errors import DataError, ModelError, UsageError
from reticent.evidence import Record, now, software
from reticent.privacy import Guarantee, Plan
from reticent.randomness import Randomness, required
from reticent.training.agreeing import agree, assumed, settings_of
from reticent.training.gradients import refuse_mixing
from reticent.training.losses import Loss, reduction_of, varied_rows
from reticent.training.mechanism import ASSUMED
from reticent.training.owning import units_of
from reticent.training.ranks import Ranks
from reticent.training.seeding import seeded
from reticent.training.sharding import Sharding, plain_network
from reticent.training.steps import Augment, OrdinarySteps, PrivateSteps, Progress
from reticent.training.trials import refuse_mixing_inputs

__all__ = ["Run", "train"]

Optimizer = torch.optim.Optimizer | Callable[[Iterable[torch.nn.Parameter]], torch.optim.Optimizer]


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        model: the trained network, in evaluation mode.
        guarantee: what is promised; after ordinary training that of the data (`Records.guarantee`), or None.
        plan: the executed plan, or None.
        steps: number of steps that were begun; where a secure run was stopped, some of them were lost.
        ignored_examples: examples whose gradient was not finite, over all steps. About the data: not covered.
        data: digest of the training records; not part of the record when there is a guarantee, which does not cover it.
        created: when it ended, in UTC.
        of_data: what was promised for the data themselves; it holds beside that of a plan.
        rests_on: ids of the records that say how the data were come by (`Records.rests_on`); the record's parents.
    """

    model: torch.nn.Module
    guarantee: Guarantee | None
    plan: Plan | None
    steps: int
    ignored_examples: int
    data: str = dataclasses.field(repr=False)
    created: str
    of_data: Guarantee | None = None
    rests_on: tuple[str, ...] = ()

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
            "of_data": None if self.of_data is None else self.of_data.as_dict(),
            "steps": self.steps,
            "software": software(),
        }
        return Record("training", body, created=self.created, parents=self.rests_on)


def train(
    model: torch.nn.Module,
    dataset: Any,
    loss: Loss = torch.nn.functional.cross_entropy,
    *,
    plan: Plan | None = None,
    optimizer: Optimizer | None = None,
    epochs: float | None = None,
    batch_size: int | None = None,
    physical_batch_size: int | None = None,
    views: int = 1,
    augment: Augment | None = None,
    randomness: Randomness | None = None,
    progress: Progress | None = None,
    state: str | Path | None = None,
    save_every: int | None = None,
    example_level: bool = False,
    processes: str = "all",
) -> Run:
    """Train a network on records, privately if a plan is given.

    Args:
        model: trained in place, on the device where it is; `DistributedDataParallel` around it is taken off.
        dataset: `Records`, a pair (features, labels), or a TensorDataset.
        loss: (outputs, labels) to a loss with one term per example, averaged, added up or listed.
        plan: sampler, clipping, noise and steps; without it `epochs` and `batch_size` are needed.
        optimizer: a torch optimizer over the model's parameters, or a function from parameters to one; Adam with
            learning rate 1e-3 by default.
        epochs: passes over the data of an ordinary training.
        batch_size: batch size of an ordinary training.
        physical_batch_size: the most examples that are held in memory at once; changes nothing else. Found from the
            memory by default.
        views: augmentation multiplicity: how many augmented views of an example its gradient is averaged over before
            it is clipped; they cost no privacy.
        augment: inputs (rows, ...) to inputs of as many rows, each changed at random by itself.
        randomness: source of batches and noise: the operating system's by default. `Randomness.simulated(seed)` makes
            the run repeatable, and its guarantee a simulation.
        progress: called as progress(steps_done, steps).
        state: a file. If it is there, the training goes on from it; the state is saved there at the end. A secure
            training that was stopped goes on after the last step that was begun: what came after the saved state is
            lost, but charged; so save often. With `RandomAllocation` the rest of its round is passed over.
        save_every: save it every so many steps, too.
        example_level: that the promise may be to single rows although some people own several.
        processes: "all" those of an initialised `torch.distributed` train one network together, with a plan; "one":
            this one trains by itself, whatever others do. Each reports its progress; the first one saves.

    Raises:
        DataError: records that cannot be used.
        ModelError: a network that mixes examples, or whose loss is not one number per example.
        UsageError: arguments that do not fit together; a promise to rows when people own several.
        PeerError: another process failed, or was given something else.
    """
    ranks = Ranks.of(processes)
    with ranks.together("call of train"):
        source = Randomness.secure() if randomness is None else required(randomness)
        model = plain_network(model, ranks)
        records = Records.of(dataset).require_two_classes()
        counts = {"physical_batch_size": physical_batch_size, "views": views, "save_every": save_every}
        for name, number in counts.items():
            if number is not None:
                _checks.at_least(1, **{name: number})
        if save_every is not None and state is None:
            raise UsageError("Expected a file to save to, got save_every without state.", "Pass state='run.state'.")
        sharding = Sharding(model)
        stepper = _optimizer(optimizer, model)
        x, y = _tensors(records, model)
        if plan is None:
            _refuse_without_plan(views, augment, ranks)
        elif (epochs, batch_size) != (None, None):
            raise UsageError("Expected epochs and batch_size inside the plan, got them beside it.", "Leave them out.")
        else:
            units = units_of(plan, records.owners, len(records), example_level=example_level)
            refuse_mixing(model)
    model.train()
    # torch's generator (dropout) is set from the same source, so that a simulated run repeats to the bit.
    with seeded(source.spawn(ranks.label("torch"))):
        if plan is None:
            ordinary = OrdinarySteps(model, loss, stepper, source, size=len(x), epochs=epochs, batch_size=batch_size)
            steps = ordinary.run(x, y, progress=progress, state=state, save_every=save_every)
            model.eval()
            told = (records.digest(), now(), records.guarantee, records.rests_on)
            return Run(model, records.guarantee, None, steps, 0, *told)
        facts = {"plan": plan.as_dict(), "randomness": source, "data": records.digest(), **counts}
        agree(ranks, model, {**facts, "optimizer": settings_of(stepper), "augmentation": augment is not None})
        with sharding.held(), ranks.together("trial of network and loss"):
            refuse_mixing_inputs(model, x)
            rows = varied_rows(records.labels)
            reduction = reduction_of(loss, model, x[rows], y[rows])
        engine = PrivateSteps(
            model,
            loss,
            reduction,
            stepper,
            plan,
            source,
            physical_batch_size=physical_batch_size,
            views=views,
            augment=augment,
            ranks=ranks,
            units=units,
        )
        steps = engine.run(x, y, progress=progress, state=state, save_every=save_every)
    model.eval()
    guarantee = plan.guarantee(
        steps=steps,
        assumptions=(*ASSUMED, *units.assumptions, *assumed(ranks), *records.public_facts),
        simulated=not source.is_secure,
    )
    told = (records.digest(), now(), records.guarantee, records.rests_on)
    return Run(model, guarantee, plan, steps, engine.ignored, *told)


def _refuse_without_plan(views: int, augment: Augment | None, ranks: Ranks) -> None:
    if views != 1 or augment is not None:
        raise UsageError("Expected views and augment with a plan, got them without.", "Augment in the data set.")
    if not ranks.alone:
        raise UsageError(
            f"Expected a plan for {ranks.size} processes that train together, got none: ordinary training is not "
            "shared out.",
            'Pass processes="one" to train in each process by itself, or use torch\'s DistributedDataParallel.',
        )


def _optimizer(optimizer: Optimizer | None, model: torch.nn.Module) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ModelError("Expected a network with trainable parameters, got none.", "Unfreeze some of them.")
    if optimizer is None:
        return torch.optim.Adam(parameters, lr=1e-3)
    if not (isinstance(optimizer, torch.optim.Optimizer) or callable(optimizer)):
        raise UsageError(
            f"Expected a torch optimizer or a function from parameters to one, got {optimizer!r}.",
            "Pass for instance lambda parameters: torch.optim.SGD(parameters, lr=0.1).",
        )
    made = optimizer if isinstance(optimizer, torch.optim.Optimizer) else optimizer(parameters)
    closure = inspect.signature(type(made).step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise UsageError(
            f"Expected an optimizer that steps along one gradient, got {type(made).__name__}, which asks for the loss "
            "several times for each batch.",
            "Pass for instance lambda parameters: torch.optim.Adam(parameters).",
        )
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
