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
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, default_collate

from reticent import _checks
from reticent.errors import DataError, UsageError
from reticent.privacy import Guarantee, Plan, Unit
from reticent.randomness import Randomness, required
from reticent.training.gradients import PerExampleModel, refuse_mixing
from reticent.training.loading import PrivateLoader
from reticent.training.losses import Loss, reduction_of, varied_rows
from reticent.training.mechanism import ASSUMED, PrivateSum, one_row_each

__all__ = ["Private", "make_private"]

_MARK = "_made_private_by_reticent"
_LOOKED_AT = 256


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
    public_facts: Sequence[str] = (),
    randomness: Randomness | None = None,
) -> Private:
    """Make an ordinary training loop differentially private.

    Args:
        model: trained in place; see `PerExampleModel` for what is refused.
        optimizer: any torch optimizer over the model's parameters; from now on its `step()` uses noisy gradients.
        loader: a DataLoader over a sized data set, with plain shuffling; its batch size becomes the expected one.
        plan: a ready plan; or give the next five.
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
        public_facts: what preparing the data took for public (`Records.public_facts`), for the guarantee's text.
        randomness: source of samples and noise: the operating system's by default. This default is safe: only
            `Randomness.simulated` weakens the promise, and the guarantee then says so.

    Returns:
        A `Private` with `model`, `optimizer`, `loader`, `plan` and `guarantee`.

    Raises:
        UsageError: values, loader or optimizer that the accounting does not cover.
        ModelError: a network that mixes examples.
    """
    source = Randomness.secure() if randomness is None else required(randomness)
    size = _plain_loader(loader)
    if plan is None:
        plan = _calibrated(target_epsilon, target_delta, epochs, size, loader.batch_size, l2_clip_norm, unit)
    elif any(value is not None for value in (target_epsilon, target_delta, epochs, l2_clip_norm, unit)):
        raise UsageError(
            "Expected either a plan, or targets, epochs, clipping norm and unit; got both.",
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
    declared = loss_reduction or "mean"
    if loss is None:
        return Private(model, optimizer, loader, plan, source, _Known(declared, False, tuple(public_facts)))
    refuse_mixing(model)
    found = _tried(loss, model, loader)
    if found == "none" or loss_reduction not in (None, found):
        raise UsageError(
            f"Expected the loss that the loop calls backward() on, with loss_reduction={declared!r}, got one that "
            f"gives {'one value per example' if found == 'none' else f'the {found} of its terms'}.",
            "Pass the reduced loss, and leave loss_reduction out.",
        )
    return Private(model, optimizer, loader, plan, source, _Known(found, True, tuple(public_facts)))


class _Known(NamedTuple):
    """What is known about the loop's loss and data, and whether the reduction was tried or only declared."""

    reduction: str
    checked: bool
    public_facts: tuple[str, ...]


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
        known: _Known,
    ) -> None:
        self._names = _optimized_names(model, optimizer)
        self.model = PerExampleModel(model, self._names)
        for parameter in model.parameters():
            parameter.grad = None  # of some earlier backward pass: it would carry no noise
        self.optimizer = optimizer
        self.plan = plan
        self.loader = PrivateLoader(loader, plan, randomness.spawn("sampling"))
        parameters = dict(model.named_parameters())
        self._sum = PrivateSum(plan, {name: parameters[name] for name in self._names}, randomness.spawn("noise"))
        self._simulated = not randomness.is_secure
        self._known = known
        setattr(optimizer, _MARK, True)
        self._written: dict[str, tuple[torch.Tensor, int]] = {}
        optimizer.register_step_pre_hook(self._before_step)

    @property
    def ignored_examples(self) -> int:
        """How many examples had a gradient that was not finite. About the data: not covered."""
        return self._sum.ignored

    @property
    def guarantee(self) -> Guarantee:
        """What has been promised so far: the guarantee of the batches drawn until now."""
        tried = "tried on some records" if self._known.checked else "declared, not checked; class weights break it"
        return self.plan.guarantee(
            steps=self.loader.drawn,
            assumptions=(
                f"the loss is the {self._known.reduction} over the batch of one term per example ({tried})",
                *one_row_each(self.plan.unit),
                "the loop feeds each batch as it was drawn",
                *self._known.public_facts,
                *ASSUMED,
            ),
            simulated=self._simulated,
        )

    def __repr__(self) -> str:
        done, steps = self.loader.drawn, self.plan.steps
        return f"Private(step {done} of {steps}, epsilon {self.guarantee.epsilon(self.plan.delta):.4g} so far)"

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        # torch passes the optimizer itself as the first argument.
        if any(value is not None and value is not optimizer for value in (*args, *kwargs.values())):
            raise UsageError(
                "Expected optimizer.step() without a closure: it would evaluate the batch more than once.",
                "Use an optimizer that needs none.",
            )
        drawn = self.loader.take_size()
        seen = self.model.pending
        if drawn is None or (seen is None and drawn > 0) or (seen is not None and seen != drawn):
            raise UsageError(
                f"Expected one step for each batch of private.loader, but the loader drew {_batch_text(drawn)} and "
                f"the model saw {_batch_text(seen)}.",
                "For every batch: private.model(x), loss.backward(), optimizer.step(), once each.",
            )
        parameters = dict(self.model.module.named_parameters())
        self._refuse_plain_gradients(parameters)
        self._drop_other_gradients(optimizer, {id(parameters[name]) for name in self._names})
        if seen:  # the mean over the batch was divided by its actual size: undone
            self._sum.add(self.model.gathered(), float(seen) if self._known.reduction == "mean" else 1.0)
        for name, gradient in self._sum.finish().items():
            written = gradient.to(parameters[name].dtype)
            parameters[name].grad = written
            self._written[name] = (written, written._version)
        self.model.forget()

    def _refuse_plain_gradients(self, parameters: dict[str, torch.nn.Parameter]) -> None:
        """A gradient that did not come through the examples (a penalty in the loss) would be lost without a word."""
        for name in self._names:
            present = parameters[name].grad
            written, version = self._written.get(name, (None, 0))
            if present is None or (present is written and present._version == version):
                continue  # nothing there, or what the last step put there
            if bool(present.any()):
                raise UsageError(
                    f"Expected gradients from the private model's outputs only, but {name} has another one.",
                    "Put penalties on parameters into the optimizer (weight_decay), and call private.model, not the "
                    "network itself.",
                )

    def _drop_other_gradients(self, optimizer: torch.optim.Optimizer, private: set[int]) -> None:
        """What was frozen when the training was made private must not move: its gradients would carry no noise."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) in private:
                    continue
                if parameter.requires_grad:
                    raise UsageError(
                        "Expected the trainable parameters that make_private saw, got others in the optimizer.",
                        "Unfreeze parameters, and add parameter groups, before make_private.",
                    )
                parameter.grad = None


def _plain_loader(loader: DataLoader[Any]) -> int:
    """Number of records behind a loader whose order carries no meaning; anything else is refused."""
    if not isinstance(loader, DataLoader):
        raise UsageError(f"Expected a torch DataLoader, got {type(loader).__name__}.", "Wrap the data set in one.")
    if not hasattr(loader.dataset, "__len__") or isinstance(loader.dataset, torch.utils.data.IterableDataset):
        raise UsageError(
            "Expected a data set of known length, got a stream: its records cannot be sampled independently.",
            "Load it into a map-style data set.",
        )
    if type(loader.sampler) not in (RandomSampler, SequentialSampler) or loader.batch_size is None:
        raise UsageError(
            f"Expected a loader that shuffles plainly, got {type(loader.sampler).__name__}: "
            "its choice of examples would be replaced by Poisson sampling.",
            "Pass DataLoader(dataset, batch_size=..., shuffle=True); balance classes in the loss, by "
            "(weight[y] * cross_entropy(outputs, y, reduction='none')).mean().",
        )
    size = len(loader.dataset)
    draws = len(loader.sampler)  # type: ignore[arg-type]
    if getattr(loader.sampler, "replacement", False) or draws != size:
        raise UsageError(
            f"Expected a loader that gives every record once, got {draws} draws of {size} records.",
            "Pass DataLoader(dataset, batch_size=..., shuffle=True).",
        )
    if size == 0:
        raise DataError("Expected at least one record, got an empty data set.", "Check the filter that made it.")
    return size


def _tried(loss: Loss, model: torch.nn.Module, loader: DataLoader[Any]) -> str:
    """The reduction of the loss, found on some records of the loader."""
    collate: Any = loader.collate_fn or default_collate
    size = len(loader.dataset)  # type: ignore[arg-type]
    batch = collate([loader.dataset[i] for i in range(min(_LOOKED_AT, size))])
    if not (isinstance(batch, tuple | list) and len(batch) == 2 and all(isinstance(b, torch.Tensor) for b in batch)):
        raise UsageError(
            "Expected batches (inputs, targets) of tensors to try the loss on, got others.",
            "Leave loss out; the guarantee then lists it as declared, not checked.",
        )
    device = next(model.parameters()).device
    rows = varied_rows(batch[1].cpu())
    return reduction_of(loss, model, batch[0][rows].to(device), batch[1][rows].to(device))


def _calibrated(
    epsilon: float | None,
    delta: float | None,
    epochs: float | None,
    size: int,
    batch_size: int | None,
    l2_clip_norm: float | None,
    unit: Unit | None,
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
    )


def _optimized_names(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[str]:
    mine = {id(parameter): name for name, parameter in model.named_parameters()}
    optimized = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if any(id(parameter) not in mine for parameter in optimized):
        raise UsageError(
            "Expected an optimizer over the parameters of this model only, got one over others.",
            "Build it with model.parameters().",
        )
    chosen = {id(parameter) for parameter in optimized if parameter.requires_grad}
    return [name for key, name in mine.items() if key in chosen]


def _batch_text(size: int | None) -> str:
    return "no batch" if size is None else f"a batch of {size}"
