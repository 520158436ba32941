"""What a training has to remember in order to go on, and the check that it goes on as the same one.

Promise: a state is taken up by the training that it was saved by or by none: same plan, same names, shapes and types of
parameters, same kind of optimizer, same randomness (for a simulation: the same seed and stream). The number of
processes may be another one: parameters and the optimizer's memory are saved whole, whether they were sharded or not,
and the first process writes.

Not covered: whether the data are the same; a digest of them beside a promise would betray who is in.

Example:
    >>> import tempfile, torch, reticent as rt
    >>> data = torch.utils.data.TensorDataset(torch.randn(100, 5), torch.randint(0, 2, (100,)))
    >>> plan = rt.Plan(1.0, dataset_size=100, batch_size=20, steps=10, delta=1e-3)
    >>> def start():
    ...     model = torch.nn.Linear(5, 2)
    ...     loader = torch.utils.data.DataLoader(data, batch_size=20, shuffle=True)
    ...     return rt.make_private(model, torch.optim.Adam(model.parameters()), loader, plan=plan)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = start().save(f"{folder}/run.state")
    ...     private = start()
    ...     private.restore(path)
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils._pytree import tree_map

from reticent.errors import IntegrityError, UsageError
from reticent.privacy import Batches, Plan
from reticent.randomness import Randomness
from reticent.training.accounts import Account
from reticent.training.agreeing import same_values
from reticent.training.mechanism import PrivateSum
from reticent.training.ranks import Ranks
from reticent.training.seeding import generator_states, set_apart, set_generators
from reticent.training.sharding import Sharding, is_sharded, local, sharded_like, whole
from reticent.training.state import load_state, save_state

__all__ = ["Identity", "restore_training", "training_state", "write_training"]

_APART = (
    "Look for what changes parameters in one process only, or use processors of one kind: steps are the same in all."
)


class Identity(NamedTuple):
    """Which training it is."""

    model: torch.nn.Module
    plan: Plan | None
    randomness: Randomness

    def as_dict(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """What has to be the same, as plain values."""
        tensors = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        return {
            "plan": None if self.plan is None else self.plan.as_dict(),
            "randomness": repr(self.randomness),
            "optimizer": type(optimizer).__name__,
            "network": {name: f"{tuple(value.shape)} {value.dtype}" for name, value in tensors.items()},
        }


def training_state(
    who: Identity,
    done: int,
    optimizer: torch.optim.Optimizer,
    total: PrivateSum | None,
    *,
    ranks: Ranks | None = None,
    batches: Batches | None = None,
) -> dict[str, Any]:
    """Everything that the steps after `done` depend on; every process has to ask for it.

    Raises:
        UsageError: the optimizer keeps something sharded that is not of its parameter's shape.
        PeerError: processes that hold copies of a parameter have different ones.
    """
    ranks = Ranks() if ranks is None else ranks
    choices = None if batches is None else batches.state(done)["choices"]
    Sharding(who.model)  # an evaluation may have left whole parameters behind
    for parameter, kept in optimizer.state.items():
        for name, value in kept.items() if isinstance(kept, dict) else ():
            if is_sharded(value) and value.shape != parameter.shape:
                raise UsageError(
                    f"Expected an optimizer whose memory has its parameters' shapes, got {name} of shape "
                    f"{tuple(value.shape)} for a sharded parameter of shape {tuple(parameter.shape)}.",
                    "Use another optimizer, or do not shard, if the training is to be saved.",
                )
    same_values(ranks, who.model, "value", remedy=_APART)
    generators = _told_by_all(ranks, generator_states())
    return {
        "who": who.as_dict(optimizer),
        "done": done,
        "parameters": {name: whole(value) for name, value in who.model.named_parameters()},
        "buffers": {name: whole(value) for name, value in who.model.named_buffers()},
        "optimizer": tree_map(whole, optimizer.state_dict()),
        "sum": None if total is None else total.state(),
        "choices": None if choices is None else torch.from_numpy(choices),
        "generators": generators[0],
        "generators of others": generators[1:],
    }


def write_training(
    path: str | Path, state: dict[str, Any], ranks: Ranks | None = None, account: Account | None = None
) -> Path:
    """Write a state, and first its journal; of several processes the first one does, and all know whether it could.

    Raises:
        UsageError: it cannot be written.
    """
    ranks = Ranks() if ranks is None else ranks
    with ranks.together("state to write", int(state["done"])):
        if account is not None:
            account.open(path)
            if state["done"]:
                account.begin(int(state["done"]) - 1)
            state = {**state, "journal": account.noted(path)}
        return save_state(path, state) if ranks.rank == 0 else Path(path)


def restore_training(
    path: str | Path,
    who: Identity,
    optimizer: torch.optim.Optimizer,
    total: PrivateSum | None,
    *,
    ranks: Ranks | None = None,
    batches: Batches | None = None,
    account: Account | None = None,
) -> int:
    """Take up a saved state; gives the number of steps done, with those that are lost but were begun.

    Raises:
        UsageError: it belongs to another training; nothing is changed then.
        IntegrityError: the file is damaged or of another kind.
    """
    ranks = Ranks() if ranks is None else ranks
    with ranks.together("saved state"):
        state = load_state(path)
        _refuse_others(path, state, who, optimizer)
        if account is not None:
            account.take_up(state.get("journal"), path)
    if not ranks.alone:
        ranks.same({"saved state": hashlib.sha256(Path(path).read_bytes()).hexdigest()})
    Sharding(who.model)
    with ranks.together("memory of the optimizer"):
        _take_up_optimizer(optimizer, state["optimizer"])
    with torch.no_grad():
        for name, value in who.model.named_parameters():
            local(value).copy_(local(sharded_like(state["parameters"][name], value)))
        for name, buffer in who.model.named_buffers():
            buffer.copy_(state["buffers"][name])
    generators = [state["generators"], *state.get("generators of others", [])]
    set_generators(generators[min(ranks.rank, len(generators) - 1)])
    set_apart(ranks, who.randomness.spawn(f"restored at {state['done']}"))
    done = number = int(state["done"])
    if batches is not None:
        (begun,) = ranks.first([float(done if account is None else max(done, account.begun))])
        choices = None if state["choices"] is None else state["choices"].numpy()
        with ranks.together("batches to go on with"):
            number = batches.restored({"choices": choices}, done, int(begun))
    if total is not None:
        total.restore(state["sum"], at=number)
    return number


def _refuse_others(path: str | Path, state: Any, who: Identity, optimizer: torch.optim.Optimizer) -> None:
    if not isinstance(state, dict) or not {"who", "done", "parameters", "optimizer"} <= set(state):
        raise IntegrityError(f"Expected the state of a training, got another one at {path}.", "Pass the right file.")
    for what, mine in who.as_dict(optimizer).items():
        theirs = state["who"].get(what)
        if theirs != mine:
            raise UsageError(
                f"Expected the state of this training, but its {what} differs: {_short(theirs)} was saved, "
                f"{_short(mine)} is here.",
                "Build the training as it was when the state was saved, or start anew.",
            )


def _take_up_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    parted = {
        place: {
            name: sharded_like(value, parameters[place])
            if isinstance(value, torch.Tensor) and place < len(parameters) and value.shape == parameters[place].shape
            else value
            for name, value in kept.items()
        }
        for place, kept in saved["state"].items()
    }
    try:
        optimizer.load_state_dict({**saved, "state": parted})  # checks before it changes anything
    except ValueError as error:
        raise UsageError(
            f"Expected the state of this training, but its optimizer differs: {error}.",
            "Build the optimizer as it was when the state was saved.",
        ) from error


def _told_by_all(ranks: Ranks, states: list[torch.Tensor]) -> list[list[torch.Tensor]]:
    """The states of every process's generators; all have equally many devices, or the others' are not kept."""
    if ranks.alone:
        return [states]
    sizes = [len(state) for state in states]
    told = ranks.everybody(b"".join(state.numpy().tobytes() for state in states))
    if any(len(data) != sum(sizes) for data in told):
        return [states]
    return [list(torch.frombuffer(bytearray(data), dtype=torch.uint8).split(sizes)) for data in told]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 200 else f"{text[:200]}..."
