"""Per-example gradients of any network that does not mix the examples of a batch.

Promise: after the backward pass of a loss that adds up (or averages) one term per example,
`PerExampleModel.gradients()` holds, for every trainable parameter, the gradient of each example's own term: equal to a
loop that feeds one example at a time. Tied parameters, modules that are called twice, frozen and unused parameters are
exact.

How: every example gets its own copy (a view) of the parameters, the network runs once per example inside
`torch.func.vmap`, and autograd differentiates with respect to the copies (Subramani, Vadivelu and Kamath, 2021). A
network with operations that vmap cannot batch (native LSTM and GRU) runs as a loop over the examples: slower, as exact.

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

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.func import functional_call, vmap

from reticent.errors import ModelError, UsageError

__all__ = ["PerExampleModel", "refuse_mixing"]

# What torch itself keeps in a module, apart from what the network's author put there.
_INTERNAL = {*vars(torch.nn.Module()), "_flat_weights", "_flat_weight_refs"}
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

    Raises:
        ModelError: a module mixes examples, or nothing is trainable.
    """

    def __init__(self, module: torch.nn.Module, trainable: list[str] | None = None) -> None:
        super().__init__()
        refuse_mixing(module)
        self.module = module
        names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
        self._trainable = names if trainable is None else trainable
        if not self._trainable:
            raise ModelError("Expected a network with trainable parameters, got none.", "Unfreeze some of them.")
        self._copies: dict[str, torch.Tensor] | None = None
        self._batch_size = 0
        self._must_loop = any(isinstance(part, torch.nn.RNNBase) for part in module.modules())

    @property
    def pending(self) -> int | None:
        """Size of the batch whose gradients are held, or None."""
        return None if self._copies is None else self._batch_size

    def forward(self, *inputs: Any) -> Any:
        """The network's outputs for a batch; all tensors among the inputs have the batch as first dimension."""
        if not (self.training and torch.is_grad_enabled()):
            return self.module(*inputs)
        if self._copies is not None:
            raise UsageError(
                "Expected one forward pass of the training batch per step, got a second one before optimizer.step().",
                "Call the model once per batch; evaluate with model.eval() or inside torch.no_grad().",
            )
        size = _batch_size(inputs)
        parameters = dict(self.module.named_parameters())
        copies = {
            name: parameters[name].detach().expand(size, *parameters[name].shape).requires_grad_()
            for name in self._trainable
        }
        before = _state(self.module)
        outputs = self._run(copies, inputs, size)
        after = _state(self.module)
        changed = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
        if changed:
            raise ModelError(
                f"Expected a network that keeps nothing of the batch, but its forward pass changed {changed[0]}.",
                "A guarantee cannot cover what is kept; move it out of forward().",
            )
        self._copies, self._batch_size = copies, size
        return outputs

    def gradients(self) -> dict[str, torch.Tensor]:
        """Name to (B, *shape) gradients of the last batch; zeros for a parameter that the loss did not reach.

        Raises:
            UsageError: no forward pass is waiting for its gradients.
        """
        if self._copies is None:
            raise UsageError(
                "Expected a forward and a backward pass before the gradients are read, got none.",
                "Call loss.backward() on outputs of the private model.",
            )
        if self._batch_size > 0 and all(copy.grad is None for copy in self._copies.values()):
            raise UsageError(
                f"Expected gradients of the {self._batch_size} examples that the model saw, got none.",
                "Did you forget loss.backward()?",
            )
        return {name: torch.zeros_like(copy) if copy.grad is None else copy.grad for name, copy in self._copies.items()}

    def forget(self) -> None:
        """Drop the gradients that are held."""
        self._copies = None

    def _run(self, copies: dict[str, torch.Tensor], inputs: tuple[Any, ...], size: int) -> Any:
        if size == 0:
            return self._empty(inputs)
        if not self._must_loop:
            try:
                with warnings.catch_warnings():
                    # vmap says so when it loops inside one operation; correct, only slower than it could be.
                    warnings.filterwarnings("ignore", message="There is a performance drop")
                    return self._vmapped(copies, inputs)
            except torch.OutOfMemoryError:  # a loop would hide it, and never end
                raise
            except (RuntimeError, ValueError):
                # Not an operation that vmap knows. The loop below is exact for anything; if the failure was the
                # network's own (a wrong shape), it raises the plain message.
                self._must_loop = True
                try:
                    return self._looped(copies, inputs, size)
                except Exception:
                    self._must_loop = False
                    raise
        return self._looped(copies, inputs, size)

    def _vmapped(self, copies: dict[str, torch.Tensor], inputs: tuple[Any, ...]) -> Any:
        tensors = [value for value in inputs if isinstance(value, torch.Tensor)]

        def one(own: dict[str, torch.Tensor], *values: torch.Tensor) -> Any:
            single = iter([value.unsqueeze(0) for value in values])
            arguments = tuple(next(single) if isinstance(value, torch.Tensor) else value for value in inputs)
            return _each(functional_call(self.module, own, arguments), lambda out: _one_row(out).squeeze(0))

        # vmap forgets that a padding token passes no gradient on.
        padded = [part for part in self.module.modules() if isinstance(part, torch.nn.Embedding)]
        hooks = [part.register_forward_hook(_stop_at_padding) for part in padded if part.padding_idx is not None]
        try:
            return vmap(one, in_dims=(0,) * (1 + len(tensors)), randomness="different")(copies, *tensors)
        finally:
            for hook in hooks:
                hook.remove()

    def _looped(self, copies: dict[str, torch.Tensor], inputs: tuple[Any, ...], size: int) -> Any:
        parts = []
        for i in range(size):
            arguments = tuple(value[i : i + 1] if isinstance(value, torch.Tensor) else value for value in inputs)
            parts.append(functional_call(self.module, {name: copy[i] for name, copy in copies.items()}, arguments))
        return _joined(parts)

    def _empty(self, inputs: tuple[Any, ...]) -> Any:
        """Outputs of shape (0, ...) that a loss can be computed from: a Poisson sample may be empty."""
        ghost = tuple(
            value.new_zeros((1, *value.shape[1:])) if isinstance(value, torch.Tensor) else value for value in inputs
        )
        with torch.no_grad():
            outputs = self.module(*ghost)
        return _each(outputs, lambda out: out[:0].clone().requires_grad_(out.is_floating_point()))


def _state(module: torch.nn.Module) -> dict[str, Any]:
    """Everything that a network could keep of a batch: parameters, buffers, plain attributes, by name.

    Tensors are told apart by identity and version, which every change in place raises. The tensors are kept in the
    answer, so that no new one can take the identity of one that was dropped.
    """
    found: dict[str, Any] = {}
    for place, part in module.named_modules():
        own = {**part._parameters, **part._buffers}
        plain = {name: value for name, value in vars(part).items() if name not in _INTERNAL}
        for name, value in {**plain, **own}.items():
            found[f"{place}.{name}".lstrip(".")] = _signature(value)
    return found


def _signature(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return _Same(value), value._version
    if isinstance(value, tuple | list):
        return [_signature(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _signature(item) for key, item in value.items()}
    if isinstance(value, bool | int | float | str | None):
        return repr(value)
    return None  # functions, devices, types and the like


class _Same:
    """A tensor that equals nothing but itself."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._tensor is self._tensor

    def __hash__(self) -> int:
        return id(self._tensor)


def refuse_mixing(module: torch.nn.Module) -> None:
    """Raise `ModelError` if some part of the network mixes the examples of a batch, or was never initialised.

    With batch normalisation every example's output depends on the whole batch, so no example has a gradient of its own
    to clip, and running statistics are published without noise.
    """
    for name, part in module.named_modules():
        place = f"{name or 'the network'} ({type(part).__name__})"
        if isinstance(part, _MIXING):
            raise ModelError(
                f"Expected a network that treats examples one by one, but {place} mixes them.",
                "Replace it by torch.nn.GroupNorm or torch.nn.LayerNorm.",
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


def _batch_size(inputs: tuple[Any, ...]) -> int:
    for value in inputs:
        if not isinstance(value, torch.Tensor) and not _is_constant(value):
            raise UsageError(
                f"Expected tensors and plain constants as inputs, got {type(value).__name__}: "
                "what it holds could not be split by example.",
                "Pass every tensor as an argument of its own, with the batch as first dimension.",
            )
    sizes = {len(value) for value in inputs if isinstance(value, torch.Tensor) and value.ndim > 0}
    if len(sizes) != 1 or any(isinstance(value, torch.Tensor) and value.ndim == 0 for value in inputs):
        raise UsageError(
            f"Expected inputs with the batch as first dimension, got sizes {sorted(sizes)}.",
            "Pass tensors of shape (batch, ...), and constants as plain Python values.",
        )
    return sizes.pop()


def _stop_at_padding(part: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
    return torch.where(torch.eq(inputs[0], part.padding_idx).unsqueeze(-1), output.detach(), output)


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_constant(part) for part in value)
    return value is None or isinstance(value, bool | int | float | complex | str | bytes | torch.dtype | torch.device)


def _one_row(output: torch.Tensor) -> torch.Tensor:
    """The output for one example, which is one number or has a batch of one as its first dimension."""
    if output.ndim == 0:
        return output.reshape(1)
    if len(output) != 1:
        raise ModelError(
            f"Expected outputs with the batch as first dimension, got shape {tuple(output.shape)} for one example.",
            "Move the batch to the front of what forward() returns.",
        )
    return output


def _sequence(like: Any, parts: list[Any]) -> Any:
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)


def _each(outputs: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(outputs, torch.Tensor):
        return change(outputs)
    if isinstance(outputs, tuple | list):
        return _sequence(outputs, [_each(part, change) for part in outputs])
    if isinstance(outputs, dict):
        return {key: _each(part, change) for key, part in outputs.items()}
    raise ModelError(
        f"Expected tensors as outputs, got {type(outputs).__name__}.", "Return tensors, or tuples or dicts of them."
    )


def _joined(parts: list[Any]) -> Any:
    first = parts[0]
    if isinstance(first, torch.Tensor):
        return torch.cat([_one_row(part) for part in parts])
    if isinstance(first, tuple | list):
        return _sequence(first, [_joined([part[i] for part in parts]) for i in range(len(first))])
    if isinstance(first, dict):
        return {key: _joined([part[key] for part in parts]) for key in first}
    raise ModelError(
        f"Expected tensors as outputs, got {type(first).__name__}.", "Return tensors, or tuples or dicts of them."
    )
