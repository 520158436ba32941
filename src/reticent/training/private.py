"""`make_private`: the ordinary PyTorch loop, with a promise.

Promise: when the loop runs over `private.loader`, feeds each batch once to `private.model`, calls `backward()` on a
loss that averages (or adds up) one term per example, and calls `optimizer.step()`, the released parameters satisfy
`private.guarantee`. The guarantee counts the batches that were drawn, not the steps that were planned.

Covered: what the loop could do wrong is refused with the remedy: batches of another size than the one drawn, steps left
out, two forward passes per step, gradients that did not come through the examples, samplers that weight examples,
modules that mix examples, closures, steps beyond the plan.
Not covered: feeding other data of the same size as the batch that was drawn; losses, metrics and counts that you print
or log; hyper-parameters tuned on the same data; a start from parameters that already know the data; a loss whose terms
depend on other examples, or whose reduction is not the one stated in `loss_reduction`. The guarantee lists these.
`rt.train` needs no assumption about the loss, because it evaluates it on one example at a time.

Several processes (`torchrun`, an initialised `torch.distributed`): the same call in each of them, on the plain network,
one wrapped in `DistributedDataParallel` (it is unwrapped: its averaging is replaced) or one sharded by `fully_shard`
(FSDP2). The training is that of one process: one batch is drawn and shared out, clipped sums are added up, noise enters
the global sum once. With simulated randomness it is that of one process up to rounding. See `ranks` for what the
processes must be trusted with, `sharding` for memory.

Example:
    >>> import torch, reticent as rt
    >>> data = torch.utils.data.TensorDataset(torch.randn(200, 5), torch.randint(0, 2, (200,)))
    >>> model = torch.nn.Linear(5, 2)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    >>> loader = torch.utils.data.DataLoader(data, batch_size=20, shuffle=True)
    >>> loss = torch.nn.functional.cross_entropy
    >>> private = rt.make_private(
    ...     model, optimizer, loader, loss=loss, target_epsilon=3.0, target_delta=1e-3, epochs=2
    ... )
    >>> for _ in range(2):
    ...     for x, y in private.loader:
    ...         optimizer.zero_grad()
    ...         loss(private.model(x), y).backward()
    ...         optimizer.step()
    >>> private.guarantee.epsilon(1e-3) <= 3.0
    True
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import Clipping, Guarantee, Plan, Unit
from reticent.randomness import Randomness, required
from reticent.training.agreeing import agree, assumed, same_records
from reticent.training.gradients import PerExampleModel, refuse_mixing
from reticent.training.loading import Part, PrivateLoader, expected_batch_size, plain_loader
from reticent.training.losses import Loss
from reticent.training.mechanism import ASSUMED, PrivateSum, one_row_each
from reticent.training.ranks import Ranks
from reticent.training.resuming import Identity, restore_training, training_state, write_training
from reticent.training.seeding import set_apart
from reticent.training.sharding import Sharding, plain_network
from reticent.training.trials import fitting_on_trial, reduction_on_trial, refuse_mixing_on_trial
from reticent.training.written import Written, optimized_names

__all__ = ["Private", "make_private"]

_MARK = "_made_private_by_reticent"


def make_private(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: DataLoader[Any],
    *,
    plan: Plan | None = None,
    target_epsilon: float | None = None,
    target_delta: float | None = None,
    epochs: float | None = None,
    l2_clip_norm: float | None = None,
    unit: Unit | None = None,
    loss: Loss | None = None,
    loss_reduction: str | None = None,
    clipping: Clipping | None = None,
    physical_batch_size: int | None = None,
    views: int = 1,
    public_facts: Sequence[str] = (),
    randomness: Randomness | None = None,
    processes: str = "all",
) -> Private:
    """Make an ordinary training loop differentially private.

    Args:
        model: trained in place; see `PerExampleModel` for what is refused.
        optimizer: any torch optimizer over the model's parameters; from now on its `step()` uses noisy gradients.
        loader: a DataLoader over a sized data set, with plain shuffling; its batch size becomes the expected one, of
            all processes together. With a `DistributedSampler` it is the batch size of each, as in an ordinary loop;
            the sampler's choice is replaced.
        plan: a ready plan; or give the next five, and `clipping`.
        target_epsilon: epsilon of the promise after `epochs`.
        target_delta: below 1/n.
        epochs: passes over the data.
        l2_clip_norm: the longest gradient that one example may contribute; 1.0 by default.
        unit: `Unit.PERSON` states that every person owns one row of the data set; `Unit.EXAMPLE` by default.
        loss: the loss of the loop, called as loss(outputs, targets) on batches (inputs, targets). It is tried on a few
            records, and refused unless it is the mean or the sum of one term per example. Without it the guarantee
            lists that as declared, not checked.
        loss_reduction: "mean" if the loss averages over the batch (torch's default), "sum" if it adds up; found out if
            `loss` is given.
        clipping: how contributions are bounded, if not by one fixed threshold.
        physical_batch_size: the most examples that a process holds at once; found from the memory by default. A batch
            with more comes in several parts, equally many in each process, each with its own `optimizer.step()`, of
            which only the last moves anything.
        views: augmentation multiplicity: every example is taken from the data set so many times (its transform should
            be random), and the average gradient of its views is clipped (De et al., 2022). Batches have `views` times
            as many rows.
        public_facts: what preparing the data took for public (`Records.public_facts`), for the guarantee's text.
        randomness: source of samples and noise: the operating system's by default. This default is safe: only
            `Randomness.simulated` weakens the promise, and the guarantee then says so.
        processes: "all" those of an initialised `torch.distributed` train one network together; "one": this one trains
            by itself, whatever others do.

    Returns:
        A `Private` with `model`, `optimizer`, `loader`, `plan` and `guarantee`.

    Raises:
        UsageError: values, loader or optimizer that the accounting does not cover.
        ModelError: a network that mixes examples, or is spread over processes in another way than named above.
        PeerError: another process failed, or was given something else.
    """
    ranks = Ranks.of(processes)
    with ranks.together("call of make_private"):
        source = Randomness.secure() if randomness is None else required(randomness)
        model = plain_network(model, ranks)
        size = plain_loader(loader, ranks)
        if plan is None:
            batch = expected_batch_size(loader, ranks)
            plan = _calibrated(target_epsilon, target_delta, epochs, size, batch, l2_clip_norm, unit, clipping)
        elif any(value is not None for value in (target_epsilon, target_delta, epochs, l2_clip_norm, unit, clipping)):
            raise UsageError(
                "Expected either a plan, or targets, epochs, clipping norm, clipping and unit; got both.",
                "Say it in the plan, or leave the plan out.",
            )
        if plan.dataset_size != size:
            raise UsageError(
                f"Expected a plan for this data set of {size} records, got one for {plan.dataset_size}.",
                "Calibrate the plan with dataset_size=len(dataset).",
            )
        if loss_reduction is not None:
            _checks.one_of(("mean", "sum"), loss_reduction=loss_reduction)
        if isinstance(model, PerExampleModel) or getattr(optimizer, _MARK, False):
            raise UsageError(
                "Expected a network and an optimizer that are not private yet, got one that is.",
                "Call make_private once, on the plain network and a new optimizer; `compose` adds up two trainings.",
            )
        _checks.at_least(1, views=views)
        if physical_batch_size is not None:
            _checks.at_least(1, physical_batch_size=physical_batch_size)
        refuse_mixing(model)
    declared = loss_reduction or "mean"
    how = _How(declared, False, tuple(public_facts), physical_batch_size, views, ranks)
    with Sharding(model).held(), ranks.together("trial of network and loss"):
        refuse_mixing_on_trial(model, loader)
        if loss is not None:
            found = reduction_on_trial(loss, model, loader)
            if found == "none" or loss_reduction not in (None, found):
                raise UsageError(
                    f"Expected the loss that the loop calls backward() on, with loss_reduction={declared!r}, got one "
                    f"that gives {'one value per example' if found == 'none' else f'the {found} of its terms'}.",
                    "Pass the reduced loss, and leave loss_reduction out.",
                )
            how = how._replace(reduction=found, checked=True)
    return Private(model, optimizer, loader, plan, source, how)


class _How(NamedTuple):
    """What is known about the loop's loss (tried, or only declared) and data, and how batches come."""

    reduction: str
    checked: bool
    public_facts: tuple[str, ...]
    physical_batch_size: int | None
    views: int
    ranks: Ranks


class Private:
    """An ordinary loop's model, optimizer and loader, made private; built by `make_private`.

    Attributes:
        model: call this one on the batches; the original network holds the same parameters.
        optimizer: the optimizer that was passed; its `step()` clips and adds noise first.
        loader: gives the Poisson-sampled batches of one epoch each time it is iterated over.
        plan: what is executed.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        loader: DataLoader[Any],
        plan: Plan,
        randomness: Randomness,
        how: _How,
    ) -> None:
        ranks = self._ranks = how.ranks
        with ranks.together("network and optimizer"):
            self._names = optimized_names(model, optimizer)
            self.model = PerExampleModel(model, self._names, views=how.views)
        for parameter in model.parameters():
            parameter.grad = None  # of some earlier backward pass: it would carry no noise
        self.optimizer = optimizer
        self.plan = plan
        agree(ranks, model, self._facts(randomness, loader, how))
        same_records(ranks, loader.dataset)
        set_apart(ranks, randomness)
        self.loader = PrivateLoader(loader, plan, ranks.sampling(randomness), views=how.views, ranks=ranks)
        fits = how.physical_batch_size
        if fits is None:
            with self.model.sharding.held():
                fits = fitting_on_trial(self.model, loader, plan, how.views, processes=ranks.size)
        self.loader.physical_batch_size = ranks.least(fits)
        self.model.ranks = ranks
        parameters = dict(model.named_parameters())
        chosen = {name: parameters[name] for name in self._names}
        self._sum = PrivateSum(plan, chosen, randomness.spawn("noise"), ranks=ranks)
        self._simulated = not randomness.is_secure
        self._how = how
        setattr(optimizer, _MARK, True)
        self._written = Written(self._names)
        optimizer.register_step_pre_hook(self._before_step)

    @property
    def ignored_examples(self) -> int:
        """How many examples had a gradient that was not finite, in all processes. About the data: not covered."""
        return self._sum.ignored

    @property
    def between_batches(self) -> bool:
        """Whether the last batch has been stepped on with all its parts.

        A batch that is larger than the physical batch size comes in parts, each with its own turn of the loop. What
        counts updates (learning-rate schedules, saving every so often) goes on only where this is true.
        """
        return self.loader.between_batches

    @property
    def guarantee(self) -> Guarantee:
        """What has been promised so far: the guarantee of the batches drawn until now."""
        declared = "declared, not checked; class weights break it"
        tried = "tried on some records, with the loss that was passed: the loop uses that one"
        tried = tried if self._how.checked else declared
        return self.plan.guarantee(
            steps=self.loader.drawn,
            assumptions=(
                f"the loss is the {self._how.reduction} over the batch of one term per example ({tried})",
                *one_row_each(self.plan.unit),
                "the loop feeds each batch as it was drawn",
                *self._how.public_facts,
                *assumed(self._ranks),
                *ASSUMED,
            ),
            simulated=self._simulated,
        )

    def save(self, path: str | Path) -> Path:
        """Write everything that the next steps depend on: parameters, optimizer, step, thresholds, torch's generator.

        Go on with `restore`. A run that was interrupted after any step and restored gives the same parameters, if its
        randomness is simulated, and the same guarantee. A secure run goes on with fresh batches and noise. Of several
        processes all call it, the first one writes, and any number of them may go on.

        Raises:
            UsageError: some batch has not been stepped on yet, or the file cannot be written.
        """
        with self._ranks.together("step to save", self.loader.drawn):
            if not self.loader.between_batches:
                raise UsageError(
                    "Expected to save between two steps, got a batch that was drawn and not stepped on.",
                    "Save right after optimizer.step(), and after the last part of a batch: if "
                    "private.between_batches.",
                )
        state = training_state(self._who(), self.loader.drawn, self.optimizer, self._sum, self._ranks)
        return write_training(path, state, self._ranks)

    def restore(self, path: str | Path) -> None:
        """Go on from a saved state: call it right after the same `make_private`, before the first batch.

        What was done after that state was saved is not counted: if its results were looked at, the promise for them
        has to be added (`Guarantee.compose`). Of several processes all call it, and all read the file.

        Raises:
            UsageError: batches have been drawn already; the state is of another plan, network or randomness.
            IntegrityError: the file is damaged or of another kind.
        """
        with self._ranks.together("step to restore"):
            if self.loader.drawn:
                raise UsageError(
                    f"Expected to restore before the first batch, got {self.loader.drawn} drawn.",
                    "Call restore right after make_private.",
                )
        self.loader.drawn = restore_training(path, self._who(), self.optimizer, self._sum, self._ranks)

    def _who(self) -> Identity:
        return Identity(self.model.module, self.plan, self.loader.source)

    def __repr__(self) -> str:
        done, steps = self.loader.drawn, self.plan.steps
        return f"Private(step {done} of {steps}, epsilon {self.guarantee.epsilon(self.plan.delta):.4g} so far)"

    def _facts(self, randomness: Randomness, loader: DataLoader[Any], how: _How) -> dict[str, Any]:
        """What has to be the same in all processes, beside the network."""
        return {
            "plan": self.plan.as_dict(),
            "randomness": randomness,
            "number of records": len(loader.dataset),  # type: ignore[arg-type]
            "optimizer": type(self.optimizer).__name__,
            "trained parameters": self._names,
            "loss reduction": (how.reduction, how.checked),
            "number of views": how.views,
        }

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        waiting = self.loader.waiting
        with self._ranks.together("batch and step", 0 if waiting is None else waiting.batch):
            seen = self._refuse_out_of_step(waiting, optimizer, args, kwargs)
            parameters = dict(self.model.module.named_parameters())
            self._written.refuse_others(parameters)
            if seen:  # a mean was divided by the number of rows; wanted is the sum over examples of the mean over views
                mean = self._how.reduction == "mean"
                self._sum.add(self.model.take(), float(seen) if mean else 1.0 / self._how.views)
            else:
                self.model.forget()
                if seen is None:  # a loop that passes over empty batches: the others wait for the whole parameters
                    with self.model.sharding.held():
                        pass
            if self.model.sharding.active:  # until now they were whole
                parameters = dict(self.model.module.named_parameters())
                self._written.refuse_others(parameters)
            self._written.drop_others(optimizer, parameters)
        self._sum.settle()
        self._written.write(parameters, self._sum.finish() if waiting is not None and waiting.last else {})
        self.loader.stepped()

    def _refuse_out_of_step(
        self, waiting: Part | None, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any
    ) -> int | None:
        """The number of examples that the model saw, if they are those that were drawn."""
        # torch passes the optimizer itself as the first argument.
        if any(value is not None and value is not optimizer for value in (*args, *kwargs.values())):
            raise UsageError(
                "Expected optimizer.step() without a closure: it would evaluate the batch more than once.",
                "Use an optimizer that needs none.",
            )
        seen = self.model.pending
        drawn = None if waiting is None else waiting.examples
        if waiting is None or (seen is None and waiting.examples > 0) or (seen is not None and seen != drawn):
            raise UsageError(
                f"Expected one step for each batch of private.loader, but the loader drew {_batch_text(drawn)} and "
                f"the model saw {_batch_text(seen)}.",
                "For every batch: private.model(x), loss.backward(), optimizer.step(), once each; and private.model in "
                "training mode (private.model.train() after an evaluation).",
            )
        return seen


def _calibrated(
    epsilon: float | None,
    delta: float | None,
    epochs: float | None,
    size: int,
    batch_size: int | None,
    l2_clip_norm: float | None,
    unit: Unit | None,
    clipping: Clipping | None,
) -> Plan:
    missing = [
        name
        for name, value in (("target_epsilon", epsilon), ("target_delta", delta), ("epochs", epochs))
        if value is None
    ]
    if epsilon is None or delta is None or epochs is None:
        raise UsageError(
            f"Expected target_epsilon, target_delta and epochs, got no {' and no '.join(missing)}.",
            f"Pass them, for instance target_epsilon=3.0, target_delta={_checks.suggested_delta(size):.0g}, epochs=20; "
            "or a plan.",
        )
    return Plan.calibrate(
        epsilon=epsilon,
        delta=delta,
        dataset_size=size,
        batch_size=min(batch_size or size, size),
        epochs=epochs,
        l2_clip_norm=1.0 if l2_clip_norm is None else l2_clip_norm,
        unit=Unit.EXAMPLE if unit is None else unit,
        clipping=clipping,
    )


def _batch_text(size: int | None) -> str:
    return "no batch" if size is None else f"a batch of {size}"
