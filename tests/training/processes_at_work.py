"""What processes of a test world do, right and wrong; see `worlds`."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import importlib
import os
import time
import warnings
from typing import Any

import pytest
import torch
import torch.distributed as dist
from tests.training.processes import (
    SAMPLED,
    N,
    X,
    Y,
    fit,
    network,
    parameters_of,
    patched,
    plan,
    private_of,
    spread,
)
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import reticent as rt
from reticent.errors import PeerError
from reticent.privacy import Clipping, Sampler
from reticent.randomness import Randomness
from reticent.training import ranks
from reticent.training.loading import PrivateLoader
from reticent.training.memory import PeakMemory
from reticent.training.ranks import Ranks
from reticent.training.sampling import planned_batches

# Before the first step --------------------------------------------------------------------------------------------


def another_start() -> None:
    model = network()
    with torch.no_grad():
        model[3].bias += 1e-7 * dist.get_rank()
    private_of(model)


def another_seed() -> None:
    private_of(network(), seed=dist.get_rank())


def another_plan() -> None:
    private_of(network(), plan=plan(noise_multiplier=1.0 + dist.get_rank()))


def another_network() -> None:
    private_of(network(9 + dist.get_rank()))


def another_loss() -> None:
    private_of(network(), loss_reduction=("mean", "sum")[dist.get_rank()])


def parts_of_the_data() -> None:
    rank, size = dist.get_rank(), dist.get_world_size()
    mine = TensorDataset(X[rank::size], Y[rank::size])
    private_of(network(), data=mine, plan=plan(dataset_size=len(mine)))


def another_number_of_records() -> None:
    private_of(network(), data=TensorDataset(X[dist.get_rank() :], Y[dist.get_rank() :]))


def sampler_of_others() -> None:
    data = TensorDataset(X, Y)
    private_of(network(), sampler=DistributedSampler(data, num_replicas=2, rank=0))


def sampler_of_other_data() -> None:
    private_of(network(), sampler=DistributedSampler(TensorDataset(X[:10])))


def wrapped_inside() -> None:
    private_of(nn.Sequential(nn.Linear(6, 3), spread(nn.Linear(3, 3), "ddp")))


def wrapped_for_some() -> None:
    alone = [dist.new_group([rank]) for rank in range(dist.get_world_size())]
    private_of(nn.parallel.DistributedDataParallel(network(), process_group=alone[dist.get_rank()]))


def hybrid() -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = network()
    fully_shard(model, mesh=init_device_mesh("cpu", (1, dist.get_world_size()), mesh_dim_names=("copies", "shards")))
    private_of(model)


def tensor_parallel() -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

    model = network()
    parallelize_module(model[0], init_device_mesh("cpu", (dist.get_world_size(),)), ColwiseParallel())
    private_of(model)


def ordinary() -> None:
    rt.train(network(), (X.numpy(), Y.numpy()), epochs=1, batch_size=8)


def checked_when_sharded() -> None:
    rt.check_model(spread(network(), "fsdp"), X)


# Within a training ------------------------------------------------------------------------------------------------


class Sensitive(nn.Module):
    """Fails in one process, at some step."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Linear(6, 3)
        self.left = 10**9

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.left <= 0 and dist.get_rank() == 1:
            raise KeyError("a word that is in no dictionary")
        return self.inner(x)


def forward_pass_when_sharded() -> None:
    forward_pass("fsdp")


def forward_pass(kind: str = "plain") -> None:
    model = Sensitive()
    private = private_of(spread(model, kind))
    fit(private, 3)
    model.left = 0
    fit(private)


class Unreadable(TensorDataset):
    """One process cannot read some record any more."""

    broken = False

    def __getitem__(self, place: Any) -> Any:
        if self.broken and dist.get_rank() == 1:
            raise OSError("the disk is gone")
        return super().__getitem__(place)


def reading() -> None:
    data = Unreadable(X, Y)
    private = private_of(network(), data=data)
    fit(private, 3)
    data.broken = True
    fit(private)


def one_leaves_a_step_out() -> None:
    private = private_of(network())
    for place, (x, y) in enumerate(private.loader):
        private.optimizer.zero_grad()
        cross_entropy(private.model(x), y).backward()
        if place == 2 and dist.get_rank() == 1:
            continue
        private.optimizer.step()


def one_adds_a_penalty() -> None:
    private = private_of(network())
    for place, (x, y) in enumerate(private.loader):
        private.optimizer.zero_grad()
        loss = cross_entropy(private.model(x), y)
        if place == 2 and dist.get_rank() == 1:
            loss = loss + next(private.model.parameters()).square().sum()
        loss.backward()
        private.optimizer.step()


def penalty_when_sharded() -> None:
    private = private_of(spread(network(), "fsdp"))
    for x, y in private.loader:
        (cross_entropy(private.model(x), y) + private.model.module[0].weight.square().sum()).backward()
        private.optimizer.step()


def another_batch() -> None:
    """The processes' streams have come apart: it is noticed before anything is added up."""
    private = private_of(network())
    fit(private, 2)
    if dist.get_rank() == 1:
        private.loader.batches = planned_batches(private.plan, Randomness.simulated(99))
    fit(private)


def saved_between_parts(folder: str) -> None:
    private = private_of(network(), physical_batch_size=2)
    x, y = next(iter(private.loader))
    cross_entropy(private.model(x), y).backward()
    if dist.get_rank() == 0:
        private.optimizer.step()
    private.save(f"{folder}/run.state")


def written_nowhere() -> None:
    private = private_of(network())
    fit(private, 1)
    private.save("/proc/no such place/run.state")


def other_files(folder: str) -> None:
    private = private_of(network(), physical_batch_size=100)
    fit(private, 1 + dist.get_rank() * 0)
    private.save(f"{folder}/0.state")
    fit(private, 2)
    private.save(f"{folder}/1.state")
    private_of(network()).restore(f"{folder}/{dist.get_rank()}.state")


def changed_in_one(folder: str) -> None:
    model = network()
    private = private_of(model)
    fit(private, 1)
    if dist.get_rank() == 1:
        with torch.no_grad():
            model[0].weight[0, 0] += 1e-3
    private.save(f"{folder}/run.state")


def going_on_after_an_error() -> str:
    own = Ranks.of()
    with contextlib.suppress(ValueError, PeerError), own.together("thing"):
        if own.rank == 1:
            raise ValueError("first")
    with pytest.raises(PeerError) as caught:
        own.added([1.0])
    return str(caught.value)


class Rowwise(torch.optim.Optimizer):
    """Keeps one number for each row."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {})

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim == 2:
                    self.state[parameter]["rows"] = parameter.grad.abs().sum(1, keepdim=True)


def odd_memory(folder: str) -> None:
    model = spread(network(), "fsdp")
    private = private_of(model, optimizer=Rowwise(model.parameters()))
    fit(private, 2)
    private.save(f"{folder}/run.state")


# The end of a process ---------------------------------------------------------------------------------------------


def one_ends() -> None:
    private = private_of(network())
    fit(private, 2)
    if dist.get_rank() == 1:
        os._exit(7)
    fit(private)


def nobody_listens() -> float:
    """One fails, and the other is busy with something else: its own error comes soon all the same."""
    own = Ranks(dist.get_rank(), dist.get_world_size(), dist.new_group(backend="gloo"))  # of no use afterwards
    start = time.monotonic()
    if own.rank == 1:
        with patched(ranks, "_LAST_WORDS", datetime.timedelta(seconds=1)):
            try:
                with own.telling():
                    raise ValueError("mine")
            except ValueError:
                return time.monotonic() - start
    time.sleep(2)
    return 0.0


# What works -------------------------------------------------------------------------------------------------------


def generators(case: str) -> list[float]:
    """Numbers that torch's generators give after `make_private`."""
    torch.manual_seed(7 if case == "same" else 7 + dist.get_rank())
    model = network()  # which sets the same seed everywhere
    if case != "same":
        torch.manual_seed(7 + dist.get_rank())
    before = torch.get_rng_state()
    private_of(model)
    after = torch.get_rng_state()
    return [float(bool((before == after).all())), *torch.rand(3).tolist()]


def calibrated() -> tuple[int, int]:
    """Expected batch sizes: of a loader as it is, and of one with a DistributedSampler."""
    found = []
    for sampler in (None, DistributedSampler(TensorDataset(X, Y))):
        options = {"plan": None, "target_epsilon": 5.0, "target_delta": 1e-3, "epochs": 2}
        found.append(private_of(network(), sampler=sampler, **options).plan.batch_size)
    return found[0], found[1]


def trained(kind: str, seed: int | None = 3, state: str | None = None) -> Any:
    """`rt.train` in each process."""
    model = spread(network(), kind)
    run = rt.train(
        model,
        (X.numpy(), Y.numpy()),
        plan=plan(clipping=Clipping(quantile=0.5)),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.02),
        physical_batch_size=4,
        randomness=None if seed is None else Randomness.simulated(seed),
        state=state,
        save_every=None if state is None else 3,
    )
    return parameters_of(model), run.steps, run.guarantee.assumptions


def by_itself() -> int:
    """Every process trains for itself, with randomness of its own."""
    run = rt.train(network(), (X.numpy(), Y.numpy()), plan=plan(), processes="one", physical_batch_size=50)
    private = private_of(network(), seed=dist.get_rank(), processes="one")
    fit(private)
    return run.steps + N * private.loader._ranks.size


def recipe() -> int:
    made = rt.Recipe(network, lambda parameters: torch.optim.SGD(parameters, lr=0.1), epochs=1, batch_size=30)
    return made.run(rt.Records.of((X.numpy(), Y.numpy())), Randomness.simulated(dist.get_rank())).steps


def secure_run_that_stops(folder: str, sampler: Sampler) -> tuple[int, int, Any]:
    """A stop after a saved state and two more steps; how many steps are charged before and after going on."""
    relation = sampler.relations[0]
    path = f"{folder}/{sampler.kind}.state"

    def start() -> Any:
        return private_of(network(), seed=None, plan=plan(sampling=sampler, relation=relation, steps=14))

    lost = start()
    fit(lost, 4)
    lost.save(path)
    fit(lost, 6)
    private = start()
    private.restore(path)
    before = private.loader.drawn
    if before < private.plan.steps:
        fit(private)
    return before, private.loader.drawn, parameters_of(private.model.module)


def in_half_precision(kind: str) -> Any:
    """A mixed precision policy, and the same network in half precision by itself."""
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    model = network()
    if kind == "fsdp":
        fully_shard(model[2], mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16))
        fully_shard(model, mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16, output_dtype=torch.float32))
    private = private_of(model, optimizer=torch.optim.SGD(model.parameters(), lr=0.5), seed=1)
    for x, y in private.loader:
        if kind == "fsdp":
            outputs = private.model(x)
        else:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                outputs = private.model(x)
        assert outputs.dtype == (torch.float32 if kind == "fsdp" else torch.bfloat16)
        cross_entropy(outputs.float(), y).backward()
        private.optimizer.step()
    return parameters_of(model)


def passing_over_empty_batches(kind: str) -> Any:
    """A loop that steps without a forward pass where there is nothing to pass forward."""
    model = spread(network(), kind)
    private = private_of(model, plan=plan(batch_size=2), physical_batch_size=1)
    while private.loader.drawn < private.plan.steps or not private.between_batches:
        for x, y in private.loader:
            private.optimizer.zero_grad()
            if len(x):
                cross_entropy(private.model(x), y).backward()
            private.optimizer.step()
    return parameters_of(model)


def in_one_group() -> Any:
    """Modules that are sharded together, and a policy for what happens after an ordinary forward pass."""
    model = network()
    fully_shard: Any = importlib.import_module("torch.distributed.fsdp").fully_shard
    fully_shard([model[0], model[2]], reshard_after_forward=False)
    fully_shard(model, reshard_after_forward=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    with torch.no_grad():
        model(X[:3])  # leaves whole parameters behind
    private = private_of(model, optimizer=optimizer)
    fit(private)
    return parameters_of(model)


def along_other_dimensions() -> Any:
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import Shard

    model = network(8)
    fully_shard(model, shard_placement_fn=lambda p: Shard(1) if p.ndim == 2 and p.shape[1] % 2 == 0 else None)
    private = private_of(model)
    fit(private)
    return parameters_of(model)


def evaluated_in_between() -> Any:
    """A look at the network between forward and backward pass, and hooks in their place afterwards."""
    model = spread(network(), "fsdp")
    order = [list(part._forward_pre_hooks) for part in model.modules()]
    private = private_of(model)
    for x, y in private.loader:
        loss = cross_entropy(private.model(x), y)
        with torch.no_grad():
            model(X[:3])
        loss.backward()
        private.optimizer.step()
        assert [list(part._forward_pre_hooks) for part in model.modules()] == order
        assert all(hasattr(p, "full_tensor") and p.grad.shape == p.shape for p in model.parameters())
    private.model.eval()
    assert private.model(X[:3]).shape == (3, 3)
    return parameters_of(model)


def plainly() -> Any:
    """The same as `evaluated_in_between`, in one process."""
    private = private_of(network(), processes="one")
    for x, y in private.loader:
        cross_entropy(private.model(x), y).backward()
        private.optimizer.step()
    return parameters_of(private.model.module)


class Rows(torch.utils.data.Dataset[Any]):
    """A record is its place, and what a transform in a data loader's worker would draw."""

    def __len__(self) -> int:
        return SAMPLED.dataset_size

    def __getitem__(self, place: int) -> Any:
        return place, torch.initial_seed() % 2**31


def with_workers(steps: int) -> tuple[list[list[int]], set[int]]:
    """Shares and seeds through a data loader with a worker."""
    own = Ranks.of()
    few = dataclasses.replace(SAMPLED, steps=steps)
    source = own.sampling(Randomness.simulated(4))
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 about forks, which are quick to start
    data: Any = DataLoader(Rows(), num_workers=1, multiprocessing_context="fork")
    loader = PrivateLoader(data, few, source, ranks=own, physical_batch_size=2)
    found: list[list[int]] = []
    seeds: set[int] = set()
    going_on = False
    while loader.drawn < steps:
        for rows, drawn in loader:
            found = [*found[:-1], found[-1] + rows.tolist()] if going_on else [*found, rows.tolist()]
            seeds.update(drawn.tolist())
            loader.stepped()
            going_on = not loader.between_batches
    return found, seeds


def memory_of_sums(kind: str) -> tuple[float, float, float]:
    """Bytes at the peak of clipping and adding up, and those kept afterwards; in units of the network's own."""
    model = spread(nn.Sequential(*[nn.Linear(160, 160, bias=False) for _ in range(12)]), kind)
    data = TensorDataset(torch.randn(N, 160, generator=torch.Generator().manual_seed(1)), Y)
    private = private_of(model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), data=data)
    own = 12 * 160 * 160 * 4
    x, y = next(iter(private.loader))
    before = PeakMemory(torch.device("cpu"))
    with before:
        loss = cross_entropy(private.model(x), y)
        loss.backward()
    private._sum.add(private.model.take())
    with PeakMemory(torch.device("cpu")) as peak:
        private._sum.settle()
    kept = sum(total.numel() * 4 for total in private._sum._totals.values())
    return before.bytes / own, peak.bytes / own, kept / own
