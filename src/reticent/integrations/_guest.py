"""A private training that is a guest in another library's loop.

Promise: every batch is drawn as the plan is accounted, every example's loss is computed from that example alone (so
that nothing in the loss can couple examples, whatever it averages over), gradients are clipped and summed, and the
noise is added once for each batch, right before the host's optimizer moves. A batch that the host passes over, a step
without a batch and a gradient from elsewhere are refused. For a promise to people, what is clipped is the gradient of
the mean of a person's rows' losses, each of them computed from that row alone; a collation that changes the order of
rows is refused then, as far as some records show it. What a stop has lost is charged (see
`_account`).

The host calls, in this order: `next` on `epoch`, `backward` on what it gave, `finish` before the optimizer's update.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.data import DataLoader

from reticent.errors import ModelError, UsageError
from reticent.integrations._account import Journals
from reticent.integrations._collation import Term, one_number, refuse_rows
from reticent.integrations._wanted import Agreed
from reticent.privacy import Guarantee
from reticent.training import PerExampleModel, PrivateLoader, PrivateSum, refuse_mixing
from reticent.training.mechanism import ASSUMED
from reticent.training.resuming import Identity
from reticent.training.trials import order_on_trial

__all__ = ["Guest"]

_PREFIX = "model."


class Guest:
    """One private training; see the page.

    Args:
        model: the network; its parameters are trained in place.
        term: the loss of a batch of one example.
        optimizer: over the network's parameters.
        loader: a plain DataLoader (see `plain_loader`) with a collation from `collated`.
        agreed: what is executed.
        folders: where the host writes checkpoints at present.
        facts: assumptions that hold for this host only.

    Attributes:
        end: after how many batches the host is to stop: those of the plan, or fewer.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        term: Term,
        optimizer: torch.optim.Optimizer,
        loader: DataLoader[Any],
        agreed: Agreed,
        folders: Callable[[], Iterable[str | Path]],
        facts: Sequence[str] = (),
    ) -> None:
        refuse_mixing(model)
        plan, units, source = agreed.plan, agreed.units, agreed.source
        self.plan, self.optimizer, self.end = plan, optimizer, plan.steps
        self._each = _LossOfEach(model, term, units.rows_per_unit)
        parameters = dict(self._each.named_parameters())
        self._names = _trained(parameters, optimizer)
        self._model = PerExampleModel(self._each, self._names, views=units.rows_per_unit)
        for parameter in parameters.values():
            parameter.grad = None  # of some earlier backward pass: it would carry no noise
        self._parameters = {name: parameters[name] for name in self._names}
        self._loader = PrivateLoader(
            loader, plan, source.spawn("sampling"), physical_batch_size=agreed.at_once, units=units
        )
        self._units = units
        self._sum = PrivateSum(plan, self._parameters, source.spawn("noise"), prefix=_PREFIX)
        self._source = source
        self._journals = Journals(Identity(model, plan, source), optimizer, self._loader.journals)
        self._folders = folders
        self._facts = (*agreed.public_facts, *facts, *order_on_trial(loader, units.rows_per_unit))
        self._parts: Iterator[Any] = iter(())
        self._given = self._ready = False

    @property
    def drawn(self) -> int:
        """How many batches have been drawn."""
        return self._loader.drawn

    @property
    def pending(self) -> bool:
        """Whether a batch waits for its noise."""
        return self._ready

    @property
    def ignored_examples(self) -> int:
        """How many examples had a gradient that was not finite. About the data: not covered."""
        return self._sum.ignored

    @property
    def looped(self) -> bool:
        """Whether examples run one by one, because the network does what vmap cannot."""
        return self._model.looped

    @property
    def guarantee(self) -> Guarantee:
        """What has been promised so far: the guarantee of the batches drawn until now."""
        return self.plan.guarantee(
            steps=self.drawn,
            assumptions=(*self._units.assumptions, *self._facts, *ASSUMED),
            simulated=not self._source.is_secure,
        )

    def epoch(self, length: int) -> Iterator[Any]:
        """The batches up to the end of the epoch of `length` batches, or of the run; of a large one, its first part.

        Raises:
            UsageError: the last batch was not stepped on.
        """
        for _ in range(min(length - self.drawn % length, self.end - self.drawn)):
            if self._given or self._ready:
                raise UsageError(
                    "Expected an optimizer step for every batch, but the loop went on without: which batches are left "
                    "out would tell something about the data.",
                    "Take the step for every batch, also for an empty one or one whose loss is NaN.",
                )
            part = self._next()
            self._given = True
            yield part

    def backward(self, batch: Any, place: Callable[[Any], Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Forward and backward passes of a batch, part by part.

        Args:
            batch: what `epoch` gave, as the host handed it on.
            place: brings the further parts to where the host brought the first one.

        Returns:
            The average of the examples' losses, and of what else the term gave (about the data: not covered).
        """
        if not self._given:
            raise UsageError(
                "Expected one forward pass for each batch of the private loader, got one without a batch.",
                "Take batches from the trainer's own loop, and use an optimizer that evaluates each batch once.",
            )
        self._given, total, count = False, torch.zeros(()), 0
        others: dict[str, torch.Tensor] = {}
        while True:
            waiting = self._loader.waiting
            assert waiting is not None  # noqa: S101
            if waiting.examples:
                found = self._part(batch, waiting.examples)
                total = total.to(found["loss"].device) + found.pop("loss").double().sum()
                others = {name: others.get(name, 0.0) + value.double().sum() for name, value in found.items()}
            count += waiting.examples
            self._loader.stepped()
            if waiting.last:
                break
            batch = place(self._next())
        self._ready = True
        least = max(1, count)
        return (total / least).float(), {name: (value / least).float() for name, value in others.items()}

    def finish(self) -> None:
        """Put the noisy gradients where the optimizer looks for them.

        Raises:
            UsageError: there is no batch to step on; a gradient came from elsewhere.
        """
        if not self._ready:
            raise UsageError(
                "Expected one optimizer step for each batch, got one without a batch.",
                "Leave forward, backward and step to the trainer.",
            )
        for name, parameter in self._parameters.items():
            if parameter.grad is not None and bool(parameter.grad.any()):
                raise UsageError(
                    f"Expected gradients from the examples' losses only, but {name.removeprefix(_PREFIX)} has another "
                    "one.",
                    "Put penalties on parameters into the optimizer (weight_decay), and leave backward passes out of "
                    "hooks.",
                )
        private = {id(parameter) for parameter in self._parameters.values()}
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) not in private and parameter.requires_grad:
                    raise UsageError(
                        "Expected the trainable parameters that were there when the training was made private, got "
                        "others in the optimizer.",
                        "Unfreeze parameters, and add parameter groups, before.",
                    )
                parameter.grad = None
        for name, gradient in self._sum.finish().items():
            self._parameters[name].grad = gradient.to(self._parameters[name].dtype)
        self._ready = False

    def state(self) -> dict[str, Any]:
        """What this training depends on beside what the host saves: plain values.

        From the first of them on that has a step, a journal is written to.
        """
        if self._given or self._ready:
            raise UsageError(
                "Expected to save between two steps, got a batch that was drawn and not stepped on.",
                "Save after the optimizer's step.",
            )
        # Checkpoints get published: how many examples were ignored is about the data, and past noise would take that of
        # the parameters away again. Both start anew.
        choices = self._loader.batches.state(self.drawn)["choices"]
        return {
            "who": self._who(),
            "drawn": self.drawn,
            "sum": {**self._sum.state(), "ignored": 0, "noise": None},
            "choices": None if choices is None else choices.tolist(),
            "journal": self._journals.keep(self._folders(), self.drawn) if self.drawn else None,
        }

    def restore(self, state: Any, folders: Iterable[str | Path]) -> int:
        """Go on from `state()`; the host has restored network, optimizer and generators.

        A secure run goes on after the last batch that was begun, and ends where it was planned to.

        Args:
            state: what `state()` gave.
            folders: where its journal may be: the checkpoint's own, and those that are written to now.

        Returns:
            How many batches were begun after the state was saved, and are lost.

        Raises:
            UsageError: it is the state of another training, or of one without a promise; its journal is missing.
        """
        if not isinstance(state, Mapping) or not {"who", "drawn", "sum", "choices", "journal"} <= set(state):
            raise UsageError(
                "Expected a checkpoint of a private training, got one without its account: its parameters may know "
                "the data already.",
                "Resume from a checkpoint that this training wrote, or start anew.",
            )
        if self.drawn:
            raise UsageError(f"Expected to resume before the first batch, got {self.drawn} drawn.", "Start anew.")
        for what, mine in self._who().items():
            if state["who"].get(what) != mine:
                raise UsageError(
                    f"Expected the checkpoint of this training, but its {what} differs.",
                    "Build plan, network and randomness as they were when it was saved, or start anew.",
                )
        done = int(state["drawn"])
        begun = self._journals.take_up(state["journal"], folders, done)
        self._loader.drawn = min(self._loader.batches.restored(dict(state), done, begun), self.plan.steps)
        self._sum.restore(state["sum"], at=self.drawn)  # schedules of noise and clipping go past what is lost, too
        return self.drawn - done

    def _next(self) -> Any:
        try:
            return next(self._parts)
        except StopIteration:
            self._parts = iter(self._loader)
            return next(self._parts)

    def _part(self, batch: Any, examples: int) -> dict[str, torch.Tensor]:
        leaves, self._each.structure = tree_flatten(batch)
        refuse_rows(leaves, examples * self._units.rows_per_unit)
        if not self._each.model.training:
            raise UsageError("Expected the network in training mode, got evaluation mode.", "Call train() on it.")
        found: dict[str, torch.Tensor] = self._model(*leaves)
        found["loss"].sum().backward()
        self._sum.add(self._model.take())
        return {name: value.detach() for name, value in found.items()}

    def _who(self) -> dict[str, str]:
        own = {**dict(self._each.named_parameters()), **dict(self._each.named_buffers())}
        shapes = {name: f"{tuple(value.shape)} {value.dtype}" for name, value in own.items()}
        described = {"plan": self.plan.as_dict(), "network": shapes, "randomness": repr(self._source)}
        return {what: hashlib.sha256(json.dumps(value).encode()).hexdigest() for what, value in described.items()}


class _LossOfEach(torch.nn.Module):
    """The losses of a batch's rows, each computed by the host's code from a batch that holds only that one.

    It is called with the rows of one example or person; what it gives for them adds up to their mean.
    """

    structure: Any

    def __init__(self, model: torch.nn.Module, term: Term, rows: int) -> None:
        super().__init__()
        self.model = model
        self._term, self._rows = term, rows

    def forward(self, *leaves: Any) -> dict[str, torch.Tensor]:
        if self._rows == 1:
            return self._of_one(leaves)
        found = [
            self._of_one([leaf[row : row + 1] if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves])
            for row in range(self._rows)
        ]
        return {name: torch.stack([one[name] for one in found]) / self._rows for name in found[0]}

    def _of_one(self, leaves: Sequence[Any]) -> dict[str, torch.Tensor]:
        loss, others = self._term(tree_unflatten(list(leaves), self.structure))
        return {"loss": one_number(loss), **others}


def _trained(parameters: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> list[str]:
    optimized = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if not optimized <= {id(parameter) for parameter in parameters.values()}:
        raise UsageError(
            "Expected an optimizer over the parameters of this model only, got one over others.",
            "Build it with model.parameters().",
        )
    found = [name for name, value in parameters.items() if id(value) in optimized and value.requires_grad]
    if not found:
        raise ModelError("Expected an optimizer with trainable parameters, got none.", "Unfreeze some of them.")
    return found
