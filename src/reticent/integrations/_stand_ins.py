"""What a Lightning trainer is given in place of its own loader, and of its module's training_step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from reticent.errors import UsageError
from reticent.integrations._collation import collated
from reticent.integrations._guest import Guest
from reticent.integrations._wanted import Asked
from reticent.training.loading import plain_loader

__all__ = ["Batches", "Source", "Step"]


class Source:
    """Where the trainer asks for its loader; everything else is the original's."""

    def __init__(self, original: Any, batches: Batches) -> None:
        self._original, self._batches = original, batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def dataloader(self) -> Any:
        """The private loader, over what the original gives."""
        self._batches.take(self._original.dataloader())
        return self._batches


class Batches:
    """What the trainer takes for its loader."""

    def __init__(self, asked: Asked) -> None:
        self.loader: torch.utils.data.DataLoader[Any] | None = None
        self.guest: Guest | None = None
        self.size = self.length = 0
        self._asked = asked

    def take(self, loader: Any) -> None:
        if self.loader is None:
            self.size = plain_loader(loader)
            planned, units = self._asked.plan, self._asked.units(self.size)
            expected = min(loader.batch_size if planned is None else planned.batch_size, units)
            self.loader = collated(loader, batch_size=expected)
            self.length = -(-units // expected)

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:
        if self.guest is None:
            raise UsageError("Expected batches after the training began, got none yet.", "Leave the loader to fit.")
        yield from self.guest.epoch(self.length)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the callback keeps the account; so that Lightning knows that an epoch can be gone on with."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `state_dict`."""


class Step:
    """The module's training_step on one example, and in its place one for a whole batch."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._original: Callable[..., Any] = module.training_step
        self._takes_index = len(inspect.signature(self._original).parameters) > 1
        self._index = 0
        self._logged: dict[str, dict[str, Any]] = {}

    def term(self, batch: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of one example, and what was logged with it."""
        values: dict[str, torch.Tensor] = {}

        def log(name: str, value: Any, **options: Any) -> None:
            self._logged[name] = options
            if isinstance(value, torch.Tensor):
                values[name] = value.detach().reshape(())
            elif isinstance(value, int | float):
                values[name] = torch.tensor(float(value))
            else:
                raise UsageError(
                    f"Expected numbers to log from training_step, got {name} as {type(value).__name__}: a metric would "
                    "keep something of the batch.",
                    "Update metrics in validation_step.",
                )

        self._module.__dict__["log"] = log
        try:
            found = self._original(batch, self._index) if self._takes_index else self._original(batch)
        finally:
            del self._module.__dict__["log"]
        return (found["loss"] if isinstance(found, Mapping) else found), values

    def attach(self, guest: Guest, place: Callable[[Any], Any]) -> None:
        """From now on the module's training_step runs a whole batch privately."""

        def training_step(batch: Any, batch_idx: int) -> torch.Tensor:
            self._index = batch_idx
            loss, values = guest.backward(batch, place)
            for name, value in values.items():
                self._module.log(name, value, **{"batch_size": 1, **self._logged[name]})
            return loss.detach().requires_grad_()  # the trainer calls backward() on it

        self._module.__dict__["training_step"] = training_step

    @staticmethod
    def detach(module: Any) -> None:
        """The module's own training_step again."""
        module.__dict__.pop("training_step", None)
