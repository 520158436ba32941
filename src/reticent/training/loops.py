"""An ordinary training loop that has been made private: model, optimizer, loader, and what has been promised so far.

Promise: see `reticent.training.make_private`, which builds it. Every batch that the loader gives is stepped on once,
with the gradients of its own examples, or the step is refused.

Example:
    >>> import torch, reticent as rt
    >>> data = torch.utils.data.TensorDataset(torch.randn(60, 2), torch.arange(60) % 2)
    >>> model = torch.nn.Linear(2, 2)
    >>> plan = rt.Plan(2.0, dataset_size=60, batch_size=10, steps=12, delta=1e-3)
    >>> loader = torch.utils.data.DataLoader(data, batch_size=10, shuffle=True)
    >>> rt.make_private(model, torch.optim.SGD(model.parameters(), lr=0.1), loader, plan=plan)
    Private(step 0 of 12, epsilon 0 so far)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader

from reticent.errors import UsageError
from reticent.privacy import Guarantee, Plan
from reticent.randomness import Randomness
from reticent.training.accounts import Account
from reticent.training.agreeing import agree, assumed, same_records, settings_of
from reticent.training.gradients import PerExampleModel
from reticent.training.loading import Part, PrivateLoader
from reticent.training.mechanism import ASSUMED, PrivateSum
from reticent.training.owning import Units
from reticent.training.ranks import Ranks
from reticent.training.resuming import Identity, restore_training, training_state, write_training
from reticent.training.seeding import set_apart
from reticent.training.trials import fitting_on_trial
from reticent.training.written import Written, optimized_names

__all__ = ["MARK", "How", "Private"]

MARK = "_made_private_by_reticent"


class How(NamedTuple):
    """What is known about the loop's loss (tried, or only declared) and data, and how batches come."""

    reduction: str
    checked: bool
    public_facts: tuple[str, ...]
    physical_batch_size: int | None
    views: int
    ranks: Ranks
    units: Units

    @property
    def rows(self) -> int:
        """Rows of a batch for each unit in it."""
        return self.views * self.units.rows_per_unit


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
        how: How,
    ) -> None:
        ranks = self._ranks = how.ranks
        with ranks.together("network and optimizer"):
            self._names = optimized_names(model, optimizer)
            self.model = PerExampleModel(model, self._names, views=how.rows)
        for parameter in model.parameters():
            parameter.grad = None  # of some earlier backward pass: it would carry no noise
        self.optimizer = optimizer
        self.plan = plan
        agree(ranks, model, self._facts(randomness, loader, how))
        same_records(ranks, loader.dataset)
        set_apart(ranks, randomness)
        self.loader = PrivateLoader(
            loader, plan, ranks.sampling(randomness), views=how.views, ranks=ranks, units=how.units
        )
        fits = how.physical_batch_size
        if fits is None:
            with self.model.sharding.held():
                fits = fitting_on_trial(self.model, loader, plan, how.rows, processes=ranks.size)
        self.loader.physical_batch_size = ranks.least(fits)
        self.model.ranks = ranks
        parameters = dict(model.named_parameters())
        chosen = {name: parameters[name] for name in self._names}
        self._sum = PrivateSum(plan, chosen, randomness.spawn("noise"), ranks=ranks)
        self._simulated = not randomness.is_secure
        self._how = how
        setattr(optimizer, MARK, True)
        self._written = Written(self._names)
        self._account = Account(self._who(), ranks)
        self.loader.journals.append(self._account)
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
                *self._how.units.assumptions,
                "the loop feeds each batch as it was drawn",
                *self._how.public_facts,
                *assumed(self._ranks),
                *ASSUMED,
            ),
            simulated=self._simulated,
        )

    def save(self, path: str | Path) -> Path:
        """Write everything that the next steps depend on: parameters, optimizer, step, thresholds, torch's generator.

        Go on with `restore`. A run that was interrupted after any step and restored gives the same parameters and the
        same guarantee, if its randomness is simulated. A secure run goes on with fresh batches and noise; from the
        first `save` on, how many batches have been begun is written beside that state (its path + ".spent") before each
        of them is used, so that steps that a stop has lost are charged, from whichever state the run goes on. Move the
        journal along with the states. Of several processes all call it, the first one writes, and any number of them
        may go on.

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
        loader = self.loader
        state = training_state(
            self._who(), loader.drawn, self.optimizer, self._sum, ranks=self._ranks, batches=loader.batches
        )
        return write_training(path, state, self._ranks, self._account)

    def restore(self, path: str | Path) -> None:
        """Go on from a saved state: call it right after the same `make_private`, before the first batch.

        What a secure run did after that state was saved is lost, but it is charged: the run goes on after the last
        batch that was begun (with `RandomAllocation` after its round), and ends where it was planned to end: loop while
        `private.loader.drawn < private.plan.steps`. Correlated noise then starts anew. Of several
        processes all call it, and all read the file.

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
        number = restore_training(
            path,
            self._who(),
            self.optimizer,
            self._sum,
            ranks=self._ranks,
            batches=self.loader.batches,
            account=self._account,
        )
        self.loader.drawn = min(number, self.plan.steps)

    def _who(self) -> Identity:
        return Identity(self.model.module, self.plan, self.loader.source)

    def __repr__(self) -> str:
        done, steps = self.loader.drawn, self.plan.steps
        return f"Private(step {done} of {steps}, epsilon {self.guarantee.epsilon(self.plan.delta):.4g} so far)"

    def _facts(self, randomness: Randomness, loader: DataLoader[Any], how: How) -> dict[str, Any]:
        """What has to be the same in all processes, beside the network."""
        return {
            "plan": self.plan.as_dict(),
            "randomness": randomness,
            "number of records": len(loader.dataset),  # type: ignore[arg-type]
            "optimizer": settings_of(self.optimizer),
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
                self._sum.add(self.model.take(), float(seen) if mean else 1.0 / self._how.rows)
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


def _batch_text(size: int | None) -> str:
    return "no batch" if size is None else f"a batch of {size}"
