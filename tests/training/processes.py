"""What the processes of a test world are asked to do; see `worlds`."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import reticent as rt
from reticent.privacy import Clipping, Plan
from reticent.randomness import Randomness
from reticent.training import mechanism, ranks
from reticent.training.loading import PrivateLoader
from reticent.training.mechanism import PrivateSum
from reticent.training.ranks import Ranks

# Data and networks ------------------------------------------------------------------------------------------------

N = 120
DRAW = np.random.default_rng(3)
X = torch.from_numpy(DRAW.normal(size=(N, 6))).float()
Y = torch.from_numpy(DRAW.integers(0, 3, N))


def network(width: int = 9) -> nn.Sequential:
    """Sizes that no number of processes divides, a bundle of small parameters and a large one."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(6, width),
        nn.Tanh(),
        nn.Sequential(nn.Linear(width, 151), nn.Tanh(), nn.Linear(151, 130)),
        nn.Linear(130, 3),
    )


def plan(**options: Any) -> Plan:
    defaults = {"noise_multiplier": 0.8, "dataset_size": N, "batch_size": 24, "steps": 10, "delta": 1e-3}
    return Plan(**{**defaults, **options})


def spread(model: nn.Module, kind: str) -> nn.Module:
    """The network as a script of this kind has it."""
    if kind == "ddp":
        return nn.parallel.DistributedDataParallel(model)
    if kind == "fsdp":
        from torch.distributed.fsdp import fully_shard

        for part in model.children():
            if isinstance(part, nn.Sequential):
                fully_shard(part)
        left = {parameter for parameter in model.parameters() if parameter.ndim == 0}  # fully_shard refuses numbers
        fully_shard(model, ignored_params=left)
    return model


def parameters_of(model: nn.Module) -> dict[str, np.ndarray]:
    """Whole parameters, by the plain network's names."""
    found = {}
    for name, value in model.named_parameters():
        whole: Any = value.full_tensor() if hasattr(value, "full_tensor") else value
        found[name.removeprefix("module.")] = whole.detach().numpy().copy()
    return found


def private_of(model: nn.Module, *, seed: int | None = 5, data: Any = None, sampler: Any = None, **options: Any) -> Any:
    data = TensorDataset(X, Y) if data is None else data
    loader = DataLoader(data, batch_size=24, shuffle=sampler is None, sampler=sampler)
    optimizer = options.pop("optimizer", None) or torch.optim.Adam(model.parameters(), lr=0.02)
    options.setdefault("plan", plan())
    options.setdefault("physical_batch_size", 100)
    randomness = None if seed is None else Randomness.simulated(seed)
    return rt.make_private(model, optimizer, loader, randomness=randomness, **options)


def fit(private: Any, until: int | None = None, reduction: str = "mean") -> None:
    until = private.plan.steps if until is None else until
    for x, y in itertools.chain.from_iterable(iter(lambda: private.loader, None)):
        private.optimizer.zero_grad()
        cross_entropy(private.model(x), y, reduction=reduction).backward()
        private.optimizer.step()
        if private.between_batches and private.loader.drawn >= until:
            return


# Batches ----------------------------------------------------------------------------------------------------------

RECORDS, RATE, STEPS = 24, 0.25, 3000
SAMPLED = Plan(1.0, dataset_size=RECORDS, batch_size=6, steps=STEPS, delta=1e-3)


@contextlib.contextmanager
def patched(place: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


def each_for_itself(own: Ranks, batch: Any) -> Any:
    """A planted fault: every process samples at the full rate, on its own."""
    return np.flatnonzero(Randomness.secure().bernoulli(RATE, RECORDS))[:, None]


def shuffled(own: Ranks, batch: Any) -> Any:
    """A planted fault: what DistributedSampler would give, a part of a permutation that all have alike."""
    shuffled.calls += 1
    order = Randomness.simulated(shuffled.calls // 4).permutation(RECORDS)
    return np.sort(order.reshape(4, -1)[shuffled.calls % 4][own.rank :: own.size])[:, None]


shuffled.calls = 0
FAULTS: dict[str, Callable[..., Any]] = {"each for itself": each_for_itself, "shuffled": shuffled}


def shares(seed: int | None = None, fault: str | None = None, sampled: Plan = SAMPLED) -> list[list[int]]:
    """This process's share of every batch of a plan, as the loop gets it."""
    own = Ranks.of()
    source = own.sampling(Randomness.secure() if seed is None else Randomness.simulated(seed))
    loader = PrivateLoader(DataLoader(TensorDataset(torch.arange(sampled.dataset_size))), sampled, source, ranks=own)
    found = []
    shuffled.calls = -1
    with patched(Ranks, "share", FAULTS[fault]) if fault else contextlib.nullcontext():
        while loader.drawn < sampled.steps:
            for (rows,) in loader:
                found.append(rows.tolist())
                loader.stepped()
    return found


# Noise ------------------------------------------------------------------------------------------------------------

COORDINATES, ROUNDS = 200_424, 5
SIGMA, NORM, EXPECTED = 1.3, 0.7, 16


class Silent(nn.Module):
    """Two hundred thousand parameters that change nothing: what comes out of a step is noise."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(100, 1601), nn.Linear(1601, 24)
        self.last = nn.Linear(24, 11)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.0 * self.last(self.second(self.first(x)))


def _twice(own: Any, names: Any, part: Any, deviation: float, noise: Any) -> Any:
    once = mechanism._with_noise(part, deviation, noise, 1.0)
    return mechanism._with_noise(once, deviation, noise.spawn("again"), own._plan.batch_size)


def _never(own: Any, names: Any, part: Any, deviation: float, noise: Any) -> Any:
    return mechanism._with_noise(part, 0.0, noise, own._plan.batch_size)


def _divided(own: Any, names: Any, part: Any, deviation: float, noise: Any) -> Any:
    return mechanism._with_noise(part, deviation / own._spread.ranks.size, noise, own._plan.batch_size)


def _alike(own: Any, names: Any, part: Any, deviation: float, noise: Any) -> Any:
    same = Randomness.simulated(own._steps).spawn(" ".join(names))  # the same numbers in every process
    return mechanism._with_noise(part, deviation, same, own._plan.batch_size)


def _each(own: Any, name: str, total: Any) -> Any:
    """Noise on every process's own sum, before they are added up."""
    shape, dtype = own._shapes[name]
    total = torch.zeros(shape, dtype=dtype) if total is None else total
    multiplier = own._plan.noise_multiplier * own.thresholds[0]
    return mechanism._with_noise(total, multiplier, Randomness.secure(), 1.0)


NOISE_FAULTS: dict[str, dict[str, Any]] = {
    "twice": {"_with_own_noise": _twice},
    "never": {"_with_own_noise": _never},
    "divided by the processes": {"_with_own_noise": _divided},
    "the same in each process": {"_with_own_noise": _alike},
    "once in each process": {"_whole": _each, "_with_own_noise": _never},
}


def noise(kind: str, reduction: str, parts: bool, seed: int | None = None, fault: str | None = None) -> Any:
    """(rounds, coordinates) what the optimizer is handed by a network without gradients, on the first process."""
    model = Silent()
    with torch.no_grad():  # the same everywhere
        for parameter in model.parameters():
            parameter.zero_()
    if kind == "fsdp":
        from torch.distributed.fsdp import fully_shard

        fully_shard(model.first)
        fully_shard(model)
    silent = Plan(SIGMA, dataset_size=64, batch_size=EXPECTED, steps=ROUNDS, l2_clip_norm=NORM, delta=1e-3)
    private = rt.make_private(
        spread(model, kind) if kind == "ddp" else model,
        torch.optim.SGD(model.parameters(), lr=0.0),
        DataLoader(TensorDataset(torch.ones(64, 100)), batch_size=EXPECTED),
        plan=silent,
        loss_reduction=reduction,
        physical_batch_size=2 if parts else 64,
        randomness=None if seed is None else Randomness.simulated(seed),
    )
    drawn = []
    with contextlib.ExitStack() as stack:
        for name, replaced in NOISE_FAULTS.get(fault or "", {}).items():
            stack.enter_context(patched(PrivateSum, name, replaced))
        for (x,) in itertools.chain.from_iterable(iter(lambda: private.loader, None)):
            outputs = private.model(x)
            (outputs.mean(1).mean() if reduction == "mean" else outputs.mean(1).sum()).backward()
            private.optimizer.step()
            if private.between_batches:
                given = [parameter.grad for parameter in model.parameters()]
                whole = [value.full_tensor() if kind == "fsdp" else value for value in given]
                drawn.append(torch.cat([value.reshape(-1) for value in whole]).numpy())
                if private.loader.drawn == ROUNDS:
                    break
    return np.stack(drawn) if ranks.Ranks.of().rank == 0 else None


# Whole trainings --------------------------------------------------------------------------------------------------


class Branching(nn.Module):
    """Takes another path for some examples, which vmap cannot: examples run one by one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)
        self.other = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).tanh()) if bool(x.sum() > 0) else self.other(x)


class Frozen(nn.Module):
    """A part that is not trained, a tied weight, and a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.body, self.out = nn.Linear(6, 6), nn.Linear(6, 6)
        self.out.weight = self.body.weight
        self.scale = nn.Parameter(torch.ones(()))
        self.fixed = nn.Linear(6, 3)
        self.fixed.requires_grad_(False)
        self.register_buffer("shift", torch.full((6,), 0.25))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fixed(self.out(self.body(x + self.shift).relu()) * self.scale)


def whole_training(kind: str, case: str, save: str | None = None, restore: str | None = None) -> dict[str, Any]:
    """A training of some kind; it may end with a saved state after step 4, or begin with one."""
    build, options, reduction = CASES[case]
    options = dict(options)
    make = options.pop("make", None)
    model = spread(build(), kind)
    optimizer = make(model.parameters()) if make else None
    data = TensorDataset(X.clone(), Y)
    if case == "not finite":
        data.tensors[0][::7] = float("nan")
    sampler = DistributedSampler(data) if kind == "ddp" else None
    private = private_of(model, optimizer=optimizer, data=data, sampler=sampler, loss_reduction=reduction, **options)
    if restore is not None:
        private.restore(restore)
    fit(private, None if save is None else 4, reduction)
    if save is not None:
        private.save(save)
        return {}
    return {
        "parameters": parameters_of(model),
        "thresholds": private._sum.thresholds,
        "ignored": private.ignored_examples,
        "assumptions": private.guarantee.assumptions,
    }


def momentum(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


CASES: dict[str, tuple[Callable[[], nn.Module], dict[str, Any], str]] = {
    "plain": (network, {}, "mean"),
    "in parts": (network, {"physical_batch_size": 3}, "sum"),
    "moving threshold": (network, {"physical_batch_size": 5, "plan": plan(clipping=Clipping(quantile=0.4))}, "mean"),
    "threshold for each layer": (network, {"plan": plan(clipping=Clipping(groups="layer")), "make": momentum}, "mean"),
    "views": (network, {"views": 2, "physical_batch_size": 4}, "mean"),
    "not finite": (network, {}, "mean"),
    "narrow": (lambda: network(2), {"make": momentum}, "mean"),
    "one by one": (Branching, {"physical_batch_size": 6}, "mean"),
    "frozen and tied": (
        Frozen,
        {"make": lambda parameters: momentum([p for p in parameters if p.requires_grad])},
        "mean",
    ),
    "empty shares": (network, {"plan": plan(batch_size=2, noise_multiplier=0.5)}, "mean"),
    "memory": (network, {"physical_batch_size": None}, "mean"),
}
