"""`make_private`: the ordinary PyTorch loop, with a promise.

Promise: when the loop runs over `private.loader`, feeds each batch once to `private.model`, calls `backward()` on a
loss that averages (or adds up) one term per example, and calls `optimizer.step()`, the released parameters satisfy
`private.guarantee`. The guarantee counts the batches that were drawn, not the steps that were planned.

Covered: what the loop could do wrong is refused with the remedy: batches of another size than the one drawn, steps left
out, two forward passes per step, gradients that did not come through the examples, samplers that weight examples,
modules that mix examples, closures, steps beyond the plan; with several rows for each unit, collations that change
their order.
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
from typing import Any

import torch
from torch.utils.data import DataLoader

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import Clipping, Plan, Relation, Sampler, Unit
from reticent.randomness import Randomness, required
from reticent.training.gradients import PerExampleModel, refuse_mixing
from reticent.training.loading import expected_batch_size, plain_loader
from reticent.training.loops import MARK, How, Private
from reticent.training.losses import Loss
from reticent.training.owning import units_in, units_of
from reticent.training.planning import Wanted, plan_for
from reticent.training.ranks import Ranks
from reticent.training.sharding import Sharding, plain_network
from reticent.training.streaming import streaming_loader
from reticent.training.trials import order_on_trial, reduction_on_trial, refuse_mixing_on_trial

__all__ = ["Private", "make_private"]


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
    owners: Any = None,
    rows_per_unit: int | None = None,
    example_level: bool = False,
    loss: Loss | None = None,
    loss_reduction: str | None = None,
    clipping: Clipping | None = None,
    sampling: Sampler | None = None,
    relation: Relation | None = None,
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
            the sampler's choice is replaced. Over a stream, the plan's sampler has to be `Streamed()`.
        plan: a ready plan; or give what it is to be calibrated to.
        target_epsilon: epsilon of the promise after `epochs`.
        target_delta: below 1/n.
        epochs: passes over the data.
        l2_clip_norm: the longest gradient that one example may contribute; 1.0 by default.
        unit: whose privacy is promised: `Unit.EXAMPLE` by default. `Unit.PERSON` without `owners` states that every
            person owns one row of the data set.
        owners: who owns each row of the data set, in its order: one identifier for each.
        rows_per_unit: for a promise to people who own several: the mean gradient over so many rows of a drawn person,
            chosen at random, is clipped. Batches have so many rows for each person.
        example_level: that the promise may be to single rows although some people own several.
        loss: the loss of the loop, called as loss(outputs, targets) on batches (inputs, targets). It is tried on a few
            records, and refused unless it is the mean or the sum of one term per example. Without it the guarantee
            lists that as declared, not checked.
        loss_reduction: "mean" if the loss averages over the batch (torch's default), "sum" if it adds up; found out if
            `loss` is given.
        clipping: how contributions are bounded, if not by one fixed threshold.
        sampling: how batches are drawn, if not by Poisson: see `reticent.privacy.samplers`.
        relation: which data sets are neighbours; `Relation.ADD_OR_REMOVE_ONE` by default, or what the sampler needs.
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
        _checks.at_least(1, views=views)
        loader = streaming_loader(loader, plan, views)
        model = plain_network(model, ranks)
        size = plain_loader(loader, ranks)
        wanted = Wanted(
            target_epsilon,
            target_delta,
            epochs,
            l2_clip_norm,
            unit,
            clipping,
            sampling,
            relation,
            rows_per_unit,
        )
        people = unit if plan is None else plan.unit
        rows = sampling if plan is None else plan.sampling
        number = units_in(people, rows, owners, size)
        plan = plan_for(plan, wanted, units=number, batch_size=expected_batch_size(loader, ranks))
        units = units_of(plan, owners, size, example_level=example_level)
        if loss_reduction is not None:
            _checks.one_of(("mean", "sum"), loss_reduction=loss_reduction)
        if isinstance(model, PerExampleModel) or getattr(optimizer, MARK, False):
            raise UsageError(
                "Expected a network and an optimizer that are not private yet, got one that is.",
                "Call make_private once, on the plain network and a new optimizer; `compose` adds up two trainings.",
            )
        if physical_batch_size is not None:
            _checks.at_least(1, physical_batch_size=physical_batch_size)
        refuse_mixing(model)
    declared = loss_reduction or "mean"
    how = How(declared, False, tuple(public_facts), physical_batch_size, views, ranks, units)
    with Sharding(model).held(), ranks.together("trial of network and loss"):
        refuse_mixing_on_trial(model, loader)
        how = how._replace(public_facts=(*how.public_facts, *order_on_trial(loader, how.rows)))
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
