"""What a training has to remember in order to go on, and the check that it goes on as the same one.

Promise: a state is taken up by the training that it was saved by or by none: same plan, same names, shapes and types of
parameters, same kind of optimizer, same randomness (for a simulation: the same seed and stream).

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

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch

from reticent.errors import IntegrityError, UsageError
from reticent.privacy import Batches, Plan
from reticent.randomness import Randomness
from reticent.training.journal import Journal, journal_path
from reticent.training.mechanism import PrivateSum
from reticent.training.state import load_state

__all__ = ["Identity", "restore_training", "training_state"]


class Identity(NamedTuple):
    """Which training it is."""

    model: torch.nn.Module
    plan: Plan | None
    randomness: Randomness

    def journal(self, optimizer: torch.optim.Optimizer, path: str | Path) -> Journal | None:
        """The journal beside a state; None for a training whose steps can be repeated to the bit."""
        if not self.randomness.is_secure:
            return None
        return Journal(journal_path(path), json.dumps(self.as_dict(optimizer), sort_keys=True))

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
    batches: Batches | None = None,
) -> dict[str, Any]:
    """Everything that the steps after `done` depend on."""
    choices = None if batches is None else batches.state(done)["choices"]
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {
        "who": who.as_dict(optimizer),
        "done": done,
        "parameters": dict(who.model.named_parameters()),
        "buffers": dict(who.model.named_buffers()),
        "optimizer": optimizer.state_dict(),
        "sum": None if total is None else total.state(),
        "choices": None if choices is None else torch.from_numpy(choices),
        "generators": [torch.get_rng_state(), *cuda],
    }


def restore_training(
    path: str | Path,
    who: Identity,
    optimizer: torch.optim.Optimizer,
    total: PrivateSum | None,
    batches: Batches | None = None,
    journal: Journal | None = None,
) -> int:
    """Take up a saved state; gives the number of steps done, with those that are lost but were begun.

    Raises:
        UsageError: it belongs to another training; nothing is changed then.
        IntegrityError: the file is damaged or of another kind.
    """
    state = load_state(path)
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
    try:
        optimizer.load_state_dict(state["optimizer"])  # checks before it changes anything
    except ValueError as error:
        raise UsageError(
            f"Expected the state of this training, but its optimizer differs: {error}.",
            "Build the optimizer as it was when the state was saved.",
        ) from error
    with torch.no_grad():
        for name, value in who.model.named_parameters():
            value.copy_(state["parameters"][name])
        for name, buffer in who.model.named_buffers():
            buffer.copy_(state["buffers"][name])
    if total is not None:
        total.restore(state["sum"])
    first, *cuda = state["generators"]
    torch.set_rng_state(first)
    if cuda and torch.cuda.is_initialized() and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda)
    done = int(state["done"])
    if batches is None:
        return done
    choices = None if state["choices"] is None else state["choices"].numpy()
    return batches.restored({"choices": choices}, done, done if journal is None else max(done, journal.begun))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 200 else f"{text[:200]}..."
