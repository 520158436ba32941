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
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from reticent.errors import ModelError
from reticent.training.engine import structures
from reticent.training.engine.tape import Slot, Tape, applied

__all__ = ["Known", "Observer", "Recorder", "Rule", "Through"]

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
_DATA = {torch.Tensor.data.__get__}  # type: ignore[attr-defined]
_WRITES = {
    torch.Tensor.data.__set__,  # type: ignore[attr-defined]
    *(
        getattr(torch.Tensor, name)
        for name in ("__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__imod__")
    ),
}
# Give the tensor itself back where nothing has to change.
_CASTS = {
    getattr(torch.Tensor, name)
    for name in ("to", "type", "float", "double", "half", "bfloat16", "contiguous", "type_as", "cpu", "cuda")
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
        if func in _DATA:  # the same numbers, but what is written to them is noticed
            return args[0].detach()
        if not self._touched(args, kwargs):
            return self._without_parameters(func, args, kwargs)
        if func in _FACTS:
            return func(*args, **kwargs)
        self._refuse_writing(func, args)
        if func in _CASTS:
            answer = func(*args, **kwargs)
            if answer is args[0] or id(args[0]) not in self._known:
                return answer
        if func in _TRANSPOSES or func in _SWAPS:
            answer = self._transposed(func, args)
            if answer is not None:
                return answer
        rule = self._rules.get(func)
        if rule is not None and (not kwargs or set(kwargs) <= _names(rule)):
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
        return self._without_parameters(func, self._with_copies(args), self._with_copies(kwargs))

    def _refuse_writing(self, func: Any, args: Any) -> None:
        name = getattr(func, "__name__", "")
        writes = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
        known = self._known.get(id(args[0])) if args else None
        if known is not None and (writes or func in _WRITES):
            raise ModelError(
                "Expected a network that keeps nothing of the batch, but its forward pass changed "
                f"{known.name or 'a parameter'}.",
                "A guarantee cannot cover what is kept; move it out of forward().",
            )

    def _without_parameters(self, func: Any, args: Any, kwargs: Any) -> Any:
        rule = self._without.get(func)
        if rule is not None and self._batched is not None:
            answer = rule(self, *args, **kwargs)
            if answer is not NotImplemented:
                return answer
        return func(*args, **kwargs)

    @property
    def is_outermost(self) -> bool:
        """Whether the network is in no transform of its own at this moment."""
        if self._batched is None:
            return not torch._C._are_functorch_transforms_active()
        return not _by_hand() or _is_on_top(self._batched)

    def data(self, value: Any) -> Any:
        """A value that is not used as a weight: each example's own copy if it is a parameter, else as it is."""
        return self._with_copies(value)

    def weight(self, value: Any) -> Known | None:
        """Like `known`, also for a parameter that is frozen; None for what depends on the data."""
        found = self._known.get(id(value))
        if found is None and isinstance(value, torch.nn.Parameter):
            return Known(None, value, None)
        return found

    def bias(self, value: Any) -> Known | None:
        """Like `weight`, for a parameter that may be absent: then it has neither value nor slot; None if transposed."""
        found = Known(None, None, None) if value is None else self.weight(value)
        return None if found is not None and found.transposed else found

    def run(self, use: Callable[..., Any], *tensors: torch.Tensor) -> Any:
        """Call `use(*tensors)` with the batch as first dimension of every tensor, and of every output."""
        tensors = self._with_copies(tensors)
        if self._batched is not None:
            return _through(use, True, self._batched, tensors)
        if torch._C._are_functorch_transforms_active():
            raise NotImplementedError("inside a transform of the network's own")
        outputs = use(*(tensor.unsqueeze(0) for tensor in tensors))
        return structures.each(outputs, lambda output: output.squeeze(0))

    def run_raw(self, use: Callable[..., Any], *tensors: torch.Tensor) -> Any:
        """Like `run`, but tensors that are the same for all examples come as they are: `use(flags, *tensors)`."""
        assert self._batched is not None  # noqa: S101
        return _through(use, False, self._batched, self._with_copies(tensors))

    def _touched(self, args: Any, kwargs: Any) -> bool:
        known = self._known
        for value in args:
            if id(value) in known or (isinstance(value, list | tuple | dict) and self._holds(value)):
                return True
        return bool(kwargs) and self._holds(kwargs)

    def _holds(self, value: Any) -> bool:
        if isinstance(value, dict):
            return any(self._holds(part) for part in value.values())
        if isinstance(value, list | tuple):
            return any(self._holds(part) for part in value)
        return id(value) in self._known

    def _with_copies(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            known = self._known.get(id(value))
            return value if known is None else self._copy(known)
        if isinstance(value, list | tuple | dict) and self._holds(value):
            if isinstance(value, dict):
                return {key: self._with_copies(part) for key, part in value.items()}
            parts = [self._with_copies(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
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
                self._copies[name] = _through(
                    lambda _: self.tape.copies(name, value), True, self._batched, (self._batched,)
                )
        copy = self._copies[known.name]
        return copy.transpose(-1, -2) if known.transposed else copy

    def _transposed(self, func: Any, args: Any) -> torch.Tensor | None:
        known = self._known[id(args[0])]
        if known.value.ndim != 2 or (func in _SWAPS and {n % 2 for n in args[1:] if isinstance(n, int)} != {0, 1}):
            return None
        # With its history: a use that is not seen here shows in the parameter's own gradient, and is noticed.
        turned: torch.Tensor = args[0].T
        self._kept.append(turned)  # an identity is its own only as long as the tensor lives
        self._known[id(turned)] = Known(known.name, turned, known.slot, not known.transposed)
        return turned


class Observer(TorchFunctionMode):
    """What runs without rules is still kept from writing to tensors unnoticed, through `.data`."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0].detach() if func in _DATA else func(*args, **(kwargs or {}))


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
        outputs = _with_whole_batch(use, lead, info.batch_size, tensors, in_dims[3:])
        return outputs, structures.each(outputs, lambda _: 0)


def _with_whole_batch(
    use: Callable[..., Any], lead: bool, size: int, tensors: Sequence[torch.Tensor], places: Sequence[int | None]
) -> Any:
    moved = [
        tensor if place is None or place == 0 else tensor.movedim(place, 0)
        for tensor, place in zip(tensors, places, strict=True)
    ]
    if not lead:
        return use([place is not None for place in places], *moved)
    return use(*(
        tensor.expand(size, *tensor.shape) if place is None else tensor
        for tensor, place in zip(moved, places, strict=True)
    ))  # fmt: skip


def _through(use: Callable[..., Any], lead: bool, batched: torch.Tensor, tensors: Sequence[torch.Tensor]) -> Any:
    """What `Through` gives; by hand where this torch has the same functions inside, which saves 0.2 ms a call."""
    if not _by_hand():
        return applied(Through, use, lead, batched, *tensors)
    if not _is_on_top(batched):
        return applied(Through, use, lead, batched, *tensors)  # inside a transform of the network's own
    inside = torch._C._functorch
    level = inside.maybe_get_level(batched)
    mine = [inside.is_batchedtensor(tensor) and inside.maybe_get_level(tensor) == level for tensor in tensors]
    places = [inside.maybe_get_bdim(tensor) if own else None for tensor, own in zip(tensors, mine, strict=True)]
    values = [inside.get_unwrapped(tensor) if own else tensor for tensor, own in zip(tensors, mine, strict=True)]
    size = inside.get_unwrapped(batched).shape[0]
    layer = inside.pop_dynamic_layer_stack()
    try:
        outputs = _with_whole_batch(use, lead, size, values, places)
    finally:
        inside.push_dynamic_layer_stack(layer)
    return structures.each(outputs, lambda output: inside._add_batch_dim(output, 0, level))


def _is_on_top(batched: torch.Tensor) -> bool:
    """Whether the innermost transform at this moment is the vmap that carries this batch."""
    inside = torch._C._functorch
    top = inside.peek_interpreter_stack()
    if top is None or top.key() != inside.TransformType.Vmap:
        return False
    return bool(top.level() == inside.maybe_get_level(batched))


@functools.cache
def _by_hand() -> bool:
    asked = ("peek_interpreter_stack", "maybe_get_level", "is_batchedtensor", "maybe_get_bdim", "get_unwrapped")
    moved = ("pop_dynamic_layer_stack", "push_dynamic_layer_stack", "_add_batch_dim", "TransformType")
    return all(hasattr(torch._C._functorch, name) for name in (*asked, *moved))


@functools.cache
def _names(rule: Rule) -> set[str]:
    return set(inspect.signature(rule).parameters)


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
