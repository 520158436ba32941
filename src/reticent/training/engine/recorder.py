"""The recorder sees every torch function that a network calls, and takes over those that use its parameters.

Promise: a function that is handed a trainable parameter either follows a rule, or is entered (if it is a Python
function of torch that calls others), or gets one copy of the parameter for each example; none adds the examples'
gradients up.

Shapes: functions see one example, as the network does; rules see the batch as first dimension, through `Recorder.run`.

Example:
    >>> import torch
    >>> from reticent.training.engine.recorder import Recorder
    >>> from reticent.training.engine.tape import Tape, applied
    >>> weight, tape = torch.nn.Parameter(torch.ones(2)), Tape({"w": torch.Size([2])}, 1)
    >>> with Recorder(tape, {"w": weight}, [], None):  # one example on its own, no rules
    ...     y = (weight * torch.tensor([3.0, 4.0])).sum()
    >>> y.backward()
    >>> tape.gathered().squared_norms()["w"].tolist()
    [25.0]
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from reticent.training.engine import structures
from reticent.training.engine.tape import Slot, Tape, applied

__all__ = ["Known", "Recorder", "Rule", "Through"]

Rule = Callable[..., Any]
_GUARDS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
# What is asked of a parameter without using its numbers, or without a gradient.
_FACTS = {
    *(
        getattr(torch.Tensor, name).__get__
        for name in (
            "shape",
            "dtype",
            "device",
            "ndim",
            "layout",
            "requires_grad",
            "is_leaf",
            "is_cuda",
            "is_cpu",
            "is_mps",
            "is_meta",
            "is_sparse",
            "is_quantized",
            "is_nested",
            "data",
            "grad",
            "grad_fn",
            "itemsize",
            "nbytes",
        )
    ),
    *(
        getattr(torch.Tensor, name)
        for name in (
            "size",
            "dim",
            "numel",
            "nelement",
            "stride",
            "element_size",
            "is_floating_point",
            "is_complex",
            "is_contiguous",
            "data_ptr",
            "detach",
            "__len__",
            "__hash__",
        )
    ),
    torch.is_floating_point,
    torch.is_complex,
    torch.numel,
    torch.detach,
}
_TRANSPOSES = {torch.Tensor.t, torch.t, torch.Tensor.T.__get__, torch.Tensor.mT.__get__}  # type: ignore[attr-defined]
_SWAPS = {torch.Tensor.transpose, torch.transpose, torch.swapaxes, torch.Tensor.swapaxes}


class Known:
    """A parameter of the network, or its transpose."""

    def __init__(self, name: str | None, value: Any, slot: Slot | None, transposed: bool = False) -> None:
        self.name = name
        self.value: Any = None if value is None else value.detach()
        self.slot = slot
        self.transposed = transposed


class Recorder(TorchFunctionMode):
    """Sees every torch function that the network calls; see the module's text.

    Args:
        tape: where uses go.
        parameters: name to parameter, of all trainable ones.
        frozen: parameters that require gradients but get none here.
        batched: a batched tensor under vmap, or None where one example is run on its own.
        rules: torch function to rule, for those that are handed parameters.
        without: the same for those that are not, but which vmap runs badly.
    """

    def __init__(
        self,
        tape: Tape,
        parameters: Mapping[str, torch.nn.Parameter],
        frozen: Iterable[torch.nn.Parameter],
        batched: torch.Tensor | None,
        rules: Mapping[Any, Rule] | None = None,
        without: Mapping[Any, Rule] | None = None,
    ) -> None:
        super().__init__()
        self._rules, self._without = rules or {}, without or {}
        self.tape = tape
        self.anchor = tape.anchor
        self._batched = batched
        self._known = {id(p): Known(name, p, tape.slot(name)) for name, p in parameters.items()}
        self._known.update({id(p): Known(None, p, None) for p in frozen})
        self._copies: dict[str, torch.Tensor] = {}
        self._inside: list[Any] = []
        self._kept: list[torch.Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self._touched(args, kwargs):
            other = self._without.get(func)
            if other is not None and self._batched is not None:
                answer = other(self, *args, **kwargs)
                if answer is not NotImplemented:
                    return answer
            return func(*args, **kwargs)
        if func in _FACTS:
            return func(*args, **kwargs)
        if func in _TRANSPOSES or func in _SWAPS:
            answer = self._transposed(func, args)
            if answer is not None:
                return answer
        rule = self._rules.get(func)
        if rule is not None:
            answer = rule(self, *args, **kwargs)
            if answer is not NotImplemented:
                return answer
        body = _unguarded(func)
        if body is not None and func not in self._inside:
            self._inside.append(func)
            try:
                with self:
                    return body(*args, **kwargs)
            finally:
                self._inside.pop()
        return func(*self._with_copies(args), **self._with_copies(kwargs))

    def known(self, value: Any) -> Known | None:
        """What is known of a value if it is a parameter or a parameter's transpose."""
        return self._known.get(id(value))

    def weight(self, value: Any) -> Known | None:
        """Like `known`, also for a parameter that is frozen; None for what depends on the data."""
        found = self._known.get(id(value))
        if found is None and isinstance(value, torch.nn.Parameter):
            return Known(None, value, None)
        return found

    def bias(self, value: Any) -> Known | None:
        """Like `weight`, for a parameter that may be absent: then it has neither value nor slot."""
        return Known(None, None, None) if value is None else self.weight(value)

    def run(self, use: Callable[..., Any], *tensors: torch.Tensor) -> Any:
        """Call `use(*tensors)` with the batch as first dimension of every tensor, and of every output."""
        if self._batched is not None:
            return applied(Through, use, True, self._batched, *tensors)
        if torch._C._are_functorch_transforms_active():
            raise NotImplementedError("inside a transform of the network's own")
        outputs = use(*(tensor.unsqueeze(0) for tensor in tensors))
        return structures.each(outputs, lambda output: output.squeeze(0))

    def run_raw(self, use: Callable[..., Any], *tensors: torch.Tensor) -> Any:
        """Like `run`, but tensors that are the same for all examples come as they are: `use(flags, *tensors)`."""
        return applied(Through, use, False, self._batched, *tensors)

    def _touched(self, args: Any, kwargs: Any) -> bool:
        known = self._known
        for value in args:
            if id(value) in known:
                return True
            if type(value) in (list, tuple) and any(id(part) in known for part in value):
                return True
        return bool(kwargs) and any(id(value) in known for value in kwargs.values())

    def _with_copies(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            known = self._known.get(id(value))
            return value if known is None else self._copy(known)
        if type(value) in (list, tuple):
            return type(value)(self._with_copies(part) for part in value)
        if type(value) is dict:
            return {key: self._with_copies(part) for key, part in value.items()}
        return value

    def _copy(self, known: Known) -> torch.Tensor:
        if known.name is None:
            frozen: torch.Tensor = known.value
            return frozen
        if known.name not in self._copies:
            name, value = known.name, known.value.T if known.transposed else known.value
            if self._batched is None:
                self._copies[name] = self.tape.copies(name, value)[0]
            else:
                self._copies[name] = applied(
                    Through, lambda _: self.tape.copies(name, value), True, self._batched, self._batched
                )
        copy = self._copies[known.name]
        return copy.transpose(-1, -2) if known.transposed else copy

    def _transposed(self, func: Any, args: Any) -> torch.Tensor | None:
        known = self._known[id(args[0])]
        if known.value.ndim != 2 or (func in _SWAPS and {n % 2 for n in args[1:] if isinstance(n, int)} != {0, 1}):
            return None
        turned: torch.Tensor = known.value.T
        self._kept.append(turned)  # an identity is its own only as long as the tensor lives
        self._known[id(turned)] = Known(known.name, turned, known.slot, not known.transposed)
        return turned


class Through(torch.autograd.Function):
    """The door from one example to all of them: inside vmap it is handed the whole batch."""

    generate_vmap_rule = False

    @staticmethod
    def forward(*_: Any) -> Any:
        """Never called: there is always a batch."""
        raise NotImplementedError("only inside vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: what `use` calls keeps its own."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, use: Any, lead: bool, batched: Any, *tensors: torch.Tensor) -> Any:
        """Called with the whole batch, where it lies in each tensor given by `in_dims`."""
        if in_dims[2] is None:
            raise NotImplementedError("inside another vmap")
        flags = [dimension is not None for dimension in in_dims[3:]]
        moved = [
            tensor if dimension is None else tensor.movedim(dimension, 0)
            for tensor, dimension in zip(tensors, in_dims[3:], strict=True)
        ]
        if lead:
            moved = [
                tensor if flag else tensor.expand(info.batch_size, *tensor.shape)
                for tensor, flag in zip(moved, flags, strict=True)
            ]
            outputs = use(*moved)
        else:
            outputs = use(flags, *moved)
        return outputs, structures.each(outputs, lambda _: 0)


@functools.cache
def _namespace(module: str) -> dict[str, Any]:
    found = dict(vars(sys.modules[module]))
    found.update(dict.fromkeys(_GUARDS, lambda *_: False))
    return found


@functools.cache
def _unguarded(func: Any) -> Any:
    """A Python function of torch without its check for overrides, so that its body runs; None for anything else."""
    if not isinstance(func, types.FunctionType) or not func.__module__.startswith("torch"):
        return None
    if not any(guard in func.__code__.co_names for guard in _GUARDS):
        return None
    twin = types.FunctionType(
        func.__code__, _namespace(func.__module__), func.__name__, func.__defaults__, func.__closure__
    )
    twin.__kwdefaults__ = func.__kwdefaults__
    return twin
