"""Running a network so that every use of a parameter is recorded example by example, whatever the network does.

Promise: after the outputs' backward pass, `Recording.gathered()` holds the gradient of each example's own term, equal
to a loop that feeds one example at a time. That is by construction, not by convention about dimensions: the network is
run on one example, and `torch.func.vmap` carries the batch along, so where a network puts the batch (flattened into
positions, last, split into windows) cannot matter.

How: a `TorchFunctionMode` sees every torch function that a network calls. One that takes a trainable parameter and has
a rule (see `rules`) runs on the whole batch at once, and its backward pass leaves inputs and output gradients on the
tape instead of the batch's weight gradient: one backward pass, no wasted product. Any other function gets a copy of the
parameter for each example (a view), for that use alone; autograd then gives per-example gradients (Subramani,
Vadivelu and Kamath, 2021). Python functions of torch that take parameters, such as multi-head attention, are entered,
so that rules apply inside.

What vmap cannot run (data-dependent control flow and shapes, packed sequences) runs as a loop over the examples, with
the same rules: slower, as exact. A network that differentiates inside forward() runs as a loop without rules. Compiled
modules run uncompiled; checkpointed blocks are recomputed (`checkpoints`).

Example:
    >>> import torch
    >>> from reticent.training.engine import record
    >>> model = torch.nn.Linear(3, 1, bias=False)
    >>> x = torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    >>> outputs, recording = record(model, ["weight"], (x,), {})
    >>> outputs.sum().backward()
    >>> recording.gathered()[0].squared_norms()["weight"].round(decimals=3).tolist()
    [5.0, 9.0]
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch.func import functional_call, vmap
from torch.utils._pytree import tree_leaves, tree_unflatten

from reticent.errors import ModelError, ReticentError
from reticent.training.engine import checkpoints, rules, structures
from reticent.training.engine.recorder import Observer, Recorder, Through
from reticent.training.engine.tape import Gathered, Shared, Tape, applied, forward_pass

__all__ = ["Recording", "record"]


class Recording:
    """The tapes of one forward pass: one for the batch, or one for each example of a loop (`looped`)."""

    def __init__(self, tapes: list[Tape], *, looped: bool = False) -> None:
        self._tapes = tapes
        self.looped = looped

    def gathered(self) -> list[Gathered]:
        """Per-example gradients after the backward pass, in parts that follow one another in the batch."""
        return [tape.gathered() for tape in self._tapes]

    @property
    def copied(self) -> tuple[str, ...]:
        """Parameters of which every example got a copy of its own, for a use that has no rule."""
        return tuple(dict.fromkeys(name for tape in self._tapes for name in tape.copied))

    def clear(self) -> None:
        """Forget them."""
        for tape in self._tapes:
            tape.clear()


def record(
    module: torch.nn.Module,
    trainable: Iterable[str],
    inputs: tuple[Any, ...],
    named: Mapping[str, Any],
    *,
    rows: int = 1,
    loop: bool | None = None,
) -> tuple[Any, Recording]:
    """Run a network on a batch and record the uses of its parameters.

    Args:
        module: the network.
        trainable: names of the parameters that get per-example gradients.
        inputs: tensors of shape (examples * rows, ...), and constants.
        named: the same, by keyword.
        rows: how many rows belong to one example.
        loop: run examples one by one (True), never so (False), or only where vmap fails (None).

    Returns:
        The outputs for the batch, and the recording.
    """
    count = structures.examples_in(inputs, named, rows)
    parameters = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    wanted = {name: parameters[name] for name in trainable}
    frozen = [parameter for name, parameter in parameters.items() if name not in wanted]
    shapes = {name: parameter.shape for name, parameter in wanted.items()}
    call = _Call(module, inputs, dict(named), wanted, frozen, shapes, rows, count)
    _refuse_hooks(wanted)
    with _uncompiled, forward_pass():
        if not loop:
            try:
                with warnings.catch_warnings():
                    # vmap says so when it loops inside one operation; correct, only slower than it could be.
                    warnings.filterwarnings("ignore", message="There is a performance drop")
                    return call.together()
            except (torch.OutOfMemoryError, ReticentError):  # a loop would hide the one, and repeat the other
                raise
            except (RuntimeError, ValueError):
                # Not an operation that vmap knows. A loop is exact for anything; if the failure was the network's own
                # (a wrong shape), it raises the plain message.
                if loop is False:
                    raise
        try:
            return call.one_by_one()
        except (torch.OutOfMemoryError, ReticentError):
            raise
        except (RuntimeError, ValueError):
            return call.plainly()


_uncompiled = Shared(lambda: torch.compiler.set_stance("force_eager"))


def _refuse_hooks(parameters: Mapping[str, torch.nn.Parameter]) -> None:
    for name, parameter in parameters.items():
        if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
            raise ModelError(
                f"Expected parameters without gradient hooks, but {name} has one: it would not see any gradient.",
                "Remove the hook; gradients are clipped and noisy only after the step.",
            )


class _Call(NamedTuple):
    """One forward pass of a network."""

    module: torch.nn.Module
    inputs: tuple[Any, ...]
    named: dict[str, Any]
    parameters: dict[str, torch.nn.Parameter]
    frozen: list[torch.nn.Parameter]
    shapes: dict[str, torch.Size]
    rows: int
    examples: int

    def together(self) -> tuple[Any, Recording]:
        """All examples at once, under vmap."""
        tape = Tape(self.shapes, self.examples)
        values = [*self.inputs, *self.named.values()]
        tensors = [
            value.reshape(self.examples, self.rows, *value.shape[1:])
            for value in values
            if isinstance(value, torch.Tensor)
        ]

        def again(function: Any, leaves: list[Any], structure: Any) -> Any:
            kinds = [_is_data(value) for value in leaves]

            def one(batched: torch.Tensor, *own: torch.Tensor) -> Any:
                arguments = iter(own)
                plain = [value.tensor if isinstance(value, _Same) else value for value in leaves]
                given = [next(arguments) if kind else value for kind, value in zip(kinds, plain, strict=True)]
                args, named = tree_unflatten(given, structure)
                with self._recorder(tape, batched), checkpoints.handled(door_of(batched)):
                    return function(*args, **named)

            chosen = [value for value in leaves if _is_data(value)]
            return vmap(one, randomness="different")(_carrier(tensors[0]), *chosen)

        def door_of(batched: torch.Tensor) -> checkpoints.Door:
            def door(leaves: list[Any]) -> tuple[list[Any], checkpoints.Again]:
                outside: list[Any] = []

                def use(own: list[bool], *found: torch.Tensor) -> torch.Tensor:
                    for of_each, value in zip(own, found, strict=True):
                        outside.append(_as_leaf(value) if of_each else _Same(value))
                    return torch.zeros(self.examples)

                applied(Through, use, False, batched, *(value for value in leaves if _is_data(value)))
                plain = iter(outside)
                return [next(plain) if _is_data(value) else value for value in leaves], again

            return door

        def one(batched: torch.Tensor, *own: torch.Tensor) -> Any:
            arguments = iter(own)
            given = [next(arguments) if isinstance(value, torch.Tensor) else value for value in values]
            split, recorder = len(self.inputs), self._recorder(tape, batched)
            with recorder, checkpoints.handled(door_of(batched)):
                outputs = self.module(*given[:split], **dict(zip(self.named, given[split:], strict=True)))
            return structures.each(outputs, lambda output: structures.rows_first(recorder.data(output), self.rows))

        outputs = vmap(one, randomness="different")(_carrier(tensors[0]), *tensors)
        tape.open()
        outputs = structures.each(outputs, lambda output: output.flatten(0, 1))
        self._refuse_hidden(outputs, NotImplementedError)
        return outputs, Recording([tape])

    def one_by_one(self) -> tuple[Any, Recording]:
        """One example after the other."""
        parts, tapes = [], []
        for start in range(0, self.examples * self.rows, self.rows):
            tape = Tape(self.shapes, 1)
            args, named = self._own(start)

            def again(function: Any, leaves: list[Any], structure: Any, tape: Tape = tape) -> Any:
                own, keyed = tree_unflatten(leaves, structure)
                with self._recorder(tape, None), checkpoints.handled(door):
                    return function(*own, **keyed)

            def door(leaves: list[Any], again: checkpoints.Again = again) -> tuple[list[Any], checkpoints.Again]:
                return [_as_leaf(value) for value in leaves], again

            recorder = self._recorder(tape, None)
            with recorder, checkpoints.handled(door):
                outputs = self.module(*args, **named)
            tape.open()
            outputs = structures.each(outputs, recorder.data)
            parts.append(structures.each(outputs, lambda output: structures.rows_first(output, self.rows)))
            self._refuse_hidden(parts[-1], NotImplementedError)
            tapes.append(tape)
        return structures.joined(parts), Recording(tapes, looped=True)

    def plainly(self) -> tuple[Any, Recording]:
        """One example after the other and without rules: for networks that differentiate inside forward()."""
        parts, tapes = [], []
        for start in range(0, self.examples * self.rows, self.rows):
            tape = Tape(self.shapes, 1)
            copies = {name: tape.copies(name, parameter)[0] for name, parameter in self.parameters.items()}
            args, named = self._own(start)
            with Observer():
                outputs = functional_call(self.module, copies, args, named)
            parts.append(structures.each(outputs, lambda output: structures.rows_first(output, self.rows)))
            self._refuse_hidden(parts[-1], ModelError)
            tapes.append(tape)
        return structures.joined(parts), Recording(tapes, looped=True)

    def _refuse_hidden(self, outputs: Any, kind: type[Exception]) -> None:
        """Raise if autograd would bring a gradient to a parameter itself: a use of it that was not seen."""
        names = {id(parameter): name for name, parameter in self.parameters.items()}
        seen: set[Any] = set()
        waiting = [leaf.grad_fn for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            name = names.get(id(getattr(node, "variable", None)))
            if name is not None:
                what = f"Expected uses of parameters that can be seen, but {name} is used in a way that cannot."
                remedy = "Use it as an attribute of its module, outside of TorchScript."
                raise kind(what, remedy) if issubclass(kind, ModelError) else kind(what)
            waiting.extend(parent for parent, _ in node.next_functions)

    def _own(self, start: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        def own(value: Any) -> Any:
            return value[start : start + self.rows] if isinstance(value, torch.Tensor) else value

        return tuple(own(value) for value in self.inputs), {key: own(value) for key, value in self.named.items()}

    def _recorder(self, tape: Tape, batched: torch.Tensor | None) -> Recorder:
        return Recorder(tape, self.parameters, self.frozen, batched, rules.with_parameters, rules.without_parameters)


class _Same(NamedTuple):
    """A tensor that is the same for all examples: it stays so when a block is computed again."""

    tensor: torch.Tensor


def _as_leaf(value: Any) -> Any:
    """A tensor cut off from its history that still requires a gradient if it did: operations then save the same."""
    return value.detach().requires_grad_(value.requires_grad) if _is_data(value) else value


def _is_data(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not isinstance(value, torch.nn.Parameter)


def _carrier(like: torch.Tensor) -> torch.Tensor:
    """One number for each example: what carries the batch into vmap, whatever becomes of the inputs."""
    return torch.zeros(len(like), device=like.device)
