"""Per-example gradients of any network that does not mix the examples of a batch.

Promise: after the backward pass of a loss that adds up (or averages) one term per example,
`PerExampleModel.gradients()` holds, for every trainable parameter, the gradient of each example's own term: equal to a
loop that feeds one example at a time. Tied parameters, modules that are called twice, frozen and unused parameters are
exact.

How: see `reticent.training.engine`. One backward pass, in which every use of a parameter leaves its inputs and output
gradients behind; for most layers no per-example gradient is ever formed.

A network sharded by FSDP2 holds its whole parameters from the forward pass until the gradients are taken; see
`sharding`.

Refused by name: modules that mix examples (batch normalisation), and networks whose forward pass keeps something of the
batch in a buffer, a parameter or an attribute, such as a hidden state that is carried on.

Shapes: inputs (B, ...), gradients name -> (B, *parameter.shape).

Example:
    >>> import torch
    >>> from reticent.training import PerExampleModel
    >>> model = PerExampleModel(torch.nn.Linear(3, 1, bias=False))
    >>> x = torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    >>> model(x).sum().backward()
    >>> model.gradients()["weight"].squeeze(1).tolist()
    [[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]
"""

from __future__ import annotations

from typing import Any

import torch

from reticent import _checks
from reticent.errors import ModelError, UsageError
from reticent.training.engine import Gathered, Recording, record, structures
from reticent.training.keeping import Kept
from reticent.training.ranks import Ranks
from reticent.training.sharding import Sharding

__all__ = ["PerExampleModel", "refuse_mixing"]

_MIXING = (
    torch.nn.modules.batchnorm._BatchNorm,
    torch.nn.SyncBatchNorm,
)


class PerExampleModel(torch.nn.Module):
    """A network whose training forward pass remembers per-example gradients; everything else behaves as before.

    In evaluation mode, or with gradients switched off, it calls the wrapped network unchanged.

    Args:
        module: the network; its parameters are shared, not copied.
        trainable: names of the parameters to differentiate; all that require gradients by default.
        views: how many consecutive rows of a batch belong to one example (augmentation multiplicity; De et al., 2022).
            The example's gradient is that of the sum of its rows' terms.

    Attributes:
        sharding: whether the network holds whole parameters at present.
        ranks: the processes that train together, which are told when a forward pass fails here; at first, this one.

    Raises:
        ModelError: a module mixes examples, or nothing is trainable.
    """

    def __init__(self, module: torch.nn.Module, trainable: list[str] | None = None, *, views: int = 1) -> None:
        super().__init__()
        refuse_mixing(module)
        self.module = module
        self.sharding = Sharding(module)
        self.ranks = Ranks()
        names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
        self._trainable = names if trainable is None else trainable
        if not self._trainable:
            raise ModelError("Expected a network with trainable parameters, got none.", "Unfreeze some of them.")
        self._views = _checks.at_least(1, views=views)
        self._recording: Recording | None = None
        self._before: dict[str, Any] = {}
        self._examples = 0
        self._must_loop: bool | None = None

    @property
    def pending(self) -> int | None:
        """Number of examples whose gradients are held, or None."""
        return None if self._recording is None else self._examples

    @property
    def looped(self) -> bool:
        """Whether the network did something that vmap cannot, so that examples run one by one."""
        return bool(self._must_loop)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The network's outputs for a batch; all tensors among the inputs have the batch as first dimension."""
        if not (self.training and torch.is_grad_enabled()):
            return self.module(*inputs, **named)
        if self._recording is not None:
            with self.ranks.telling():
                raise UsageError(
                    "Expected one forward pass of the training batch per step, got a second one before "
                    "optimizer.step().",
                    "Call the model once per batch; evaluate with model.eval() or inside torch.no_grad().",
                )
        with self.ranks.telling():
            self.sharding.open()
            try:
                return self._recorded(inputs, named)
            finally:
                if self._recording is None:
                    self.sharding.close()

    def _recorded(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
        size = structures.examples_in(inputs, named, self._views)
        self._refuse_frozen()
        before = Kept(self.module)
        self._before = self._plain_gradients()
        if size == 0:
            outputs, recording = self._empty(inputs, named), Recording([])
        else:
            outputs, recording = record(
                self.module, self._trainable, inputs, named, rows=self._views, loop=self._must_loop
            )
            if recording.looped:
                self._must_loop = True  # vmap need not fail again
        changed = before.changed()
        if changed is not None:
            raise ModelError(
                f"Expected a network that keeps nothing of the batch, but its forward pass changed {changed}.",
                "A guarantee cannot cover what is kept; move it out of forward().",
            )
        self._recording, self._examples = recording, size
        return outputs

    def gathered(self) -> list[Gathered]:
        """The gradients of the last batch in the form in which they are held, in parts that follow one another.

        Raises:
            UsageError: no forward pass is waiting for its gradients, or there was no backward pass.
        """
        if self._recording is None:
            raise UsageError(
                "Expected a forward and a backward pass before the gradients are read, got none.",
                "Call loss.backward() on outputs of the private model.",
            )
        parts = self._recording.gathered()
        now = self._plain_gradients()
        for name, before in self._before.items():
            if now[name] is not None and now[name] != before:  # None: zero_grad between forward and backward
                raise ModelError(
                    f"Expected every use of {name} to be seen, but autograd brought it a gradient of the whole batch.",
                    "Use parameters as attributes of their modules, inside forward() and outside of TorchScript; "
                    "penalties on parameters belong into the optimizer.",
                )
        if self._examples > 0 and not any(part.names for part in parts):
            raise UsageError(
                f"Expected gradients of the {self._examples} examples that the model saw, got none.",
                "Did you forget loss.backward()?",
            )
        return parts

    def gradients(self) -> dict[str, torch.Tensor]:
        """Name to (B, *shape) gradients of the last batch; zeros for a parameter that the loss did not reach.

        Raises:
            UsageError: see `gathered`.
        """
        parameters = dict(self.module.named_parameters())
        found: dict[str, list[torch.Tensor]] = {name: [] for name in self._trainable}
        for part in self.gathered():
            dense = part.dense()
            for name in self._trainable:
                own = parameters[name]
                zeros = own.new_zeros((part.examples, *own.shape), dtype=torch.promote_types(own.dtype, torch.float32))
                found[name].append(dense.get(name, zeros))
        return {
            name: torch.cat(parts) if parts else parameters[name].new_zeros((0, *parameters[name].shape))
            for name, parts in found.items()
        }

    def take(self) -> list[Gathered]:
        """Like `gathered`, and drops them here: whoever sums them can free memory on the way."""
        parts = self.gathered()
        self.forget()
        return parts

    def forget(self) -> None:
        """Drop the gradients that are held."""
        if self._recording is not None:
            self._recording.clear()
            self._recording = None
            self.sharding.close()

    def _refuse_frozen(self) -> None:
        own = dict(self.module.named_parameters(remove_duplicate=False))
        for name in self._trainable:
            if name not in own or not own[name].requires_grad:
                raise UsageError(
                    f"Expected the trainable parameters that were there when training was made private, but {name} "
                    f"{'is frozen' if name in own else 'is gone'}.",
                    "Freeze, exchange and rename parameters before make_private (a new one has its own guarantee).",
                )

    def _plain_gradients(self) -> dict[str, tuple[int, int] | None]:
        """For each parameter, which tensor its `.grad` is, and how often that was written to."""
        own = dict(self.module.named_parameters(remove_duplicate=False))
        gradients = {name: own[name].grad for name in self._trainable}
        return {name: None if found is None else (id(found), found._version) for name, found in gradients.items()}

    def _empty(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Outputs of shape (0, ...) that a loss can be computed from: a Poisson sample may be empty."""

        def ghost(value: Any) -> Any:
            return value.new_zeros((self._views, *value.shape[1:])) if isinstance(value, torch.Tensor) else value

        with torch.no_grad():
            outputs = self.module(*map(ghost, inputs), **{key: ghost(value) for key, value in named.items()})

        def none(output: torch.Tensor) -> torch.Tensor:
            rows = structures.rows_first(output, self._views)[:0]
            return rows.clone().requires_grad_(rows.is_floating_point())

        return structures.each(outputs, none)


def refuse_mixing(module: torch.nn.Module) -> None:
    """Raise `ModelError` if some part of the network mixes the examples of a batch, or was never initialised.

    With batch normalisation every example's output depends on the whole batch, so no example has a gradient of its own
    to clip, and running statistics are published without noise.
    """
    for name, part in module.named_modules():
        place = f"{name or 'the network'} ({type(part).__name__})"
        if part._backward_hooks or part._backward_pre_hooks:
            raise ModelError(
                f"Expected modules without backward hooks, but {place} has one: it would not see what is clipped.",
                "Remove the hook.",
            )
        if isinstance(part, _MIXING):
            raise ModelError(
                f"Expected a network that treats examples one by one, but {place} mixes them in training mode.",
                "Replace it by torch.nn.GroupNorm or torch.nn.LayerNorm; where it is frozen and always in evaluation "
                "mode, by the multiplication and addition that it then is.",
            )
        if isinstance(part, torch.nn.Embedding | torch.nn.EmbeddingBag) and part.max_norm is not None:
            raise ModelError(
                f"Expected weights that only the optimizer changes, but {place} rescales the rows it is asked for.",
                "Build it without max_norm.",
            )
        if getattr(part, "track_running_stats", False):
            raise ModelError(
                f"Expected a network without running statistics of the data, but {place} keeps them.",
                "Build it with track_running_stats=False.",
            )
    for name, parameter in module.named_parameters():
        if isinstance(parameter, torch.nn.parameter.UninitializedParameter):
            raise ModelError(
                f"Expected initialised parameters, but {name} has no shape yet.",
                "Pass one batch through the lazy module first.",
            )
