"""LSTM, GRU and plain recurrent networks as they are: one function for a whole sequence, with per-example gradients.

Promise: `torch.nn.LSTM`, `GRU` and `RNN` with any number of layers, directions, biases, projections and dropout between
layers give what torch gives, and every example's gradients are those of a loop; nothing is exchanged for a lookalike.

How: the sequence runs step by step without autograd. Its backward pass, written out, gives the gradients of all gates
at all steps (T, 4h); with the inputs (T, d) and the states before each step (T, h) they are the two factors of the
weights' gradients, as in a linear layer. Equations: torch.nn.LSTM, GRU and RNN (documentation); the reset gate of a GRU
acts on the state's product with its weights.

Packed sequences have no rule; they run as a loop over the examples.

Shapes inside: (M, T, features), M = examples * their own small batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable

from reticent.training.engine import products
from reticent.training.engine.contributions import Dense, product, wide
from reticent.training.engine.tape import Slot, applied, arrived, own_precision

__all__ = ["rules"]

State = tuple[torch.Tensor, ...]


class _Weights(NamedTuple):
    """The parameters of one layer and direction; those that are not there are None."""

    inputs: Any
    state: Any
    input_bias: torch.Tensor | None
    state_bias: torch.Tensor | None
    projection: torch.Tensor | None


class _Cell:
    """One kind of cell: its steps forward over projected inputs, and the gradients of its gates backward."""

    gates: int

    def forward(self, projected: torch.Tensor, state: State, weights: _Weights) -> tuple[torch.Tensor, State, State]:
        """Outputs (M, T, h), the last state, and what the backward pass needs."""
        raise NotImplementedError

    def backward(
        self, gradients: torch.Tensor, last: State, kept: State, outputs: torch.Tensor, state: State, weights: _Weights
    ) -> tuple[torch.Tensor, torch.Tensor, State, torch.Tensor | None]:
        """Gradients of the gates as inputs and as states see them, of the first state, and before projection."""
        raise NotImplementedError


class _Lstm(_Cell):
    gates = 4

    def forward(self, projected: torch.Tensor, state: State, weights: _Weights) -> tuple[torch.Tensor, State, State]:
        hidden, cell = state
        size = weights.state.shape[0] // 4
        steps = projected.unbind(1)
        cells = projected.new_empty((len(projected), len(steps), cell.shape[1]))
        outputs = projected.new_empty((len(projected), len(steps), hidden.shape[1]))
        for t, gates in enumerate(steps):
            gates.add_(products.rows(hidden, weights.state, times=len(steps)))
            gates[:, : 2 * size].sigmoid_()
            gates[:, 3 * size :].sigmoid_()
            i, f, g, o = gates.chunk(4, 1)
            g.tanh_()
            cell = torch.mul(f, cell, out=cells[:, t]).addcmul_(i, g)
            if weights.projection is None:
                hidden = torch.mul(o, cell.tanh(), out=outputs[:, t])
            else:
                hidden = o * cell.tanh() @ weights.projection.T
                outputs[:, t] = hidden
        return outputs, (hidden.clone(), cell.clone()), (projected, cells)

    def backward(
        self, gradients: torch.Tensor, last: State, kept: State, outputs: torch.Tensor, state: State, weights: _Weights
    ) -> tuple[torch.Tensor, torch.Tensor, State, torch.Tensor | None]:
        activated, cells = kept
        hidden, cell = last
        found = torch.empty_like(activated)
        before = None if weights.projection is None else torch.empty_like(outputs)
        for t in range(activated.shape[1] - 1, -1, -1):
            i, f, g, o = activated[:, t].chunk(4, 1)
            into = found[:, t].chunk(4, 1)
            hidden = hidden + gradients[:, t]
            if weights.projection is not None and before is not None:
                before[:, t] = hidden
                hidden = hidden @ weights.projection
            squashed = cells[:, t].tanh()
            cell = cell + torch.ops.aten.tanh_backward(hidden * o, squashed)
            torch.ops.aten.sigmoid_backward.grad_input(cell * g, i, grad_input=into[0])
            earlier = cells[:, t - 1] if t else state[1]
            torch.ops.aten.sigmoid_backward.grad_input(cell * earlier, f, grad_input=into[1])
            torch.ops.aten.tanh_backward.grad_input(cell * i, g, grad_input=into[2])
            torch.ops.aten.sigmoid_backward.grad_input(hidden * squashed, o, grad_input=into[3])
            cell = cell * f
            hidden = products.rows(found[:, t], weights.state.T, times=activated.shape[1])
        return found, found, (hidden, cell), before


class _Gru(_Cell):
    gates = 3

    def forward(self, projected: torch.Tensor, state: State, weights: _Weights) -> tuple[torch.Tensor, State, State]:
        (hidden,) = state
        size = weights.state.shape[0] // 3
        steps = projected.unbind(1)
        outputs = projected.new_empty((len(projected), len(steps), hidden.shape[1]))
        news = torch.empty_like(outputs)
        for t, gates in enumerate(steps):
            from_state = products.rows(hidden, weights.state, weights.state_bias, times=len(steps))
            gates[:, : 2 * size].add_(from_state[:, : 2 * size]).sigmoid_()
            news[:, t] = from_state[:, 2 * size :]
            r, z, n = gates.chunk(3, 1)
            n.addcmul_(r, news[:, t]).tanh_()
            hidden = torch.lerp(n, hidden, z, out=outputs[:, t])
        return outputs, (hidden.clone(),), (projected, news)

    def backward(
        self, gradients: torch.Tensor, last: State, kept: State, outputs: torch.Tensor, state: State, weights: _Weights
    ) -> tuple[torch.Tensor, torch.Tensor, State, torch.Tensor | None]:
        activated, news = kept
        (hidden,) = last
        of_inputs, of_state = torch.empty_like(activated), torch.empty_like(activated)
        size = weights.state.shape[0] // 3
        for t in range(activated.shape[1] - 1, -1, -1):
            r, z, n = activated[:, t].chunk(3, 1)
            into = of_inputs[:, t].chunk(3, 1)
            hidden = hidden + gradients[:, t]
            earlier = outputs[:, t - 1] if t else state[0]
            torch.ops.aten.sigmoid_backward.grad_input(hidden * (earlier - n), z, grad_input=into[1])
            torch.ops.aten.tanh_backward.grad_input(hidden * (1 - z), n, grad_input=into[2])
            torch.ops.aten.sigmoid_backward.grad_input(into[2] * news[:, t], r, grad_input=into[0])
            of_state[:, t] = of_inputs[:, t]
            of_state[:, t, 2 * size :] *= r
            hidden = products.rows(of_state[:, t], weights.state.T, times=activated.shape[1]).addcmul_(hidden, z)
        return of_inputs, of_state, (hidden,), None


class _Plain(_Cell):
    gates = 1

    def __init__(self, forward: Callable[[torch.Tensor], torch.Tensor], backward: Callable[..., torch.Tensor]) -> None:
        self._forward, self._backward = forward, backward

    def forward(self, projected: torch.Tensor, state: State, weights: _Weights) -> tuple[torch.Tensor, State, State]:
        (hidden,) = state
        for step in projected.unbind(1):
            hidden = self._forward(step.add_(products.rows(hidden, weights.state, times=projected.shape[1])))
        return projected.clone(), (hidden.clone(),), (projected,)

    def backward(
        self, gradients: torch.Tensor, last: State, kept: State, outputs: torch.Tensor, state: State, weights: _Weights
    ) -> tuple[torch.Tensor, torch.Tensor, State, torch.Tensor | None]:
        (hidden,) = last
        found = torch.empty_like(gradients)
        for t in range(gradients.shape[1] - 1, -1, -1):
            found[:, t] = self._backward(hidden + gradients[:, t], kept[0][:, t])
            hidden = products.rows(found[:, t], weights.state.T, times=gradients.shape[1])
        return found, found, (hidden,), None


def _relu_backward(gradient: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
    return gradient * (result > 0)


class _Sequence(torch.autograd.Function):
    """One layer in one direction: inputs (M, T, d) and first state to outputs (M, T, h) and last state."""

    @staticmethod
    def forward(
        ctx: Any,
        anchor: torch.Tensor,
        cell: _Cell,
        slots: tuple[Slot | None, ...],
        examples: int,
        inputs: torch.Tensor,
        *rest: torch.Tensor | None,
    ) -> Any:
        states = 2 if isinstance(cell, _Lstm) else 1
        state, weights = tuple(part for part in rest[:states] if part is not None), _Weights(*rest[states:])
        shift = weights.input_bias
        if shift is not None and weights.state_bias is not None and not isinstance(cell, _Gru):
            shift = shift + weights.state_bias
        flat = inputs.reshape(-1, inputs.shape[-1])
        with own_precision(inputs):
            projected = products.rows(flat, weights.inputs, shift)
            projected = torch.ops.aten._unsafe_view(projected, [*inputs.shape[:-1], projected.shape[-1]])
            outputs, last, kept = cell.forward(projected, state, weights)
        ctx.cell, ctx.slots, ctx.examples, ctx.states, ctx.count = cell, slots, examples, states, len(kept)
        ctx.save_for_backward(inputs, outputs, *kept, *state, *weights)
        return outputs.clone(), *last  # what is kept here must survive an operation in place

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: torch.Tensor, *last: torch.Tensor) -> Any:
        arrived()
        inputs, outputs, *rest = ctx.saved_tensors
        kept, rest = tuple(rest[: ctx.count]), rest[ctx.count :]
        state, weights = tuple(rest[: ctx.states]), _Weights(*rest[ctx.states :])
        of_inputs, of_state, of_first, before = ctx.cell.backward(gradients, last, kept, outputs, state, weights)
        _fill(ctx, inputs, outputs, state, of_inputs, of_state)
        if ctx.slots[4] is not None and before is not None:
            gate = kept[0][:, :, -kept[1].shape[2] :]
            ctx.slots[4].add(product(_rows(before, ctx.examples), _rows(gate * kept[1].tanh(), ctx.examples)))
        onward = None
        if ctx.needs_input_grad[4]:
            onward = products.rows(of_inputs.flatten(0, 1), weights.inputs.T).reshape(inputs.shape)
        return None, None, None, None, onward, *of_first, None, None, None, None, None


def _fill(
    ctx: Any,
    inputs: torch.Tensor,
    outputs: torch.Tensor,
    state: State,
    of_inputs: torch.Tensor,
    of_state: torch.Tensor,
) -> None:
    left = _rows(of_inputs, ctx.examples)
    from_state = left if of_state is of_inputs else _rows(of_state, ctx.examples)
    # `left` is one tensor for both weights: its Gram matrix is computed once.
    if ctx.slots[0] is not None:
        ctx.slots[0].add(product(left, _rows(inputs, ctx.examples)))
    if ctx.slots[1] is not None:
        earlier = torch.cat([state[0].unsqueeze(1), outputs[:, :-1]], 1)
        ctx.slots[1].add(product(from_state, _rows(earlier, ctx.examples)))
    for slot, gates in zip(ctx.slots[2:4], (left, from_state), strict=True):
        if slot is not None:
            slot.add(Dense(gates.sum(1, dtype=wide(gates[:0]).dtype)))


def _rows(values: torch.Tensor, examples: int) -> torch.Tensor:
    """(M, T, features) as (B, T * M / B, features)."""
    return values.reshape(examples, -1, values.shape[-1])


_CELLS: dict[Any, _Cell] = {
    torch.lstm: _Lstm(),
    torch.gru: _Gru(),
    torch.rnn_tanh: _Plain(torch.tanh_, torch.ops.aten.tanh_backward),
    torch.rnn_relu: _Plain(torch.relu_, _relu_backward),
}


def _rule(function: Any) -> Callable[..., Any]:
    cell = _CELLS[function]
    states = 2 if function is torch.lstm else 1

    def rule(
        recorder: Any,
        input: Any,
        hx: Any,
        params: Any,
        has_biases: Any,
        num_layers: Any,
        dropout: Any,
        train: Any,
        bidirectional: Any,
        batch_first: Any = None,
    ) -> Any:
        if batch_first is None or not isinstance(params, list | tuple):
            return NotImplemented  # a packed sequence
        known = [recorder.weight(value) for value in params]
        if any(one is None or one.transposed for one in known):
            return NotImplemented
        first = list(hx) if states == 2 else [hx]
        directions = 2 if bidirectional else 1
        layers = _layers(known, num_layers * directions, has_biases)

        def use(inputs: torch.Tensor, *given: torch.Tensor) -> Any:
            examples, own = inputs.shape[0], inputs.shape[1 if batch_first else 2]
            # (B * own, T, features), and states (layers, B * own, h).
            x = inputs.flatten(0, 1) if batch_first else inputs.transpose(1, 2).flatten(0, 1)
            start = [part.transpose(0, 1).flatten(1, 2) for part in given]
            dtype = layers[0][0].inputs.dtype
            x, start, ends = x.to(dtype), [part.to(dtype) for part in start], []
            for layer in range(num_layers):
                found = []
                for direction in range(directions):
                    place = layer * directions + direction
                    weights, slots = layers[place]
                    walked = x.flip(1) if direction else x
                    outputs, *last = applied(
                        _Sequence,
                        recorder.anchor,
                        cell,
                        slots,
                        examples,
                        walked,
                        *(part[place] for part in start),
                        *weights,
                    )
                    found.append(outputs.flip(1) if direction else outputs)
                    ends.append(last)
                x = torch.cat(found, -1) if directions == 2 else found[0]
                if dropout and train and layer < num_layers - 1:
                    x = torch.nn.functional.dropout(x, dropout)
            result = x.unflatten(0, (examples, own))
            result = result if batch_first else result.transpose(1, 2)
            finals = (torch.stack(part).unflatten(1, (examples, own)).movedim(1, 0) for part in zip(*ends, strict=True))
            return result, *finals

        return recorder.run(use, input, *first)

    return rule


def _layers(known: list[Any], count: int, has_biases: bool) -> list[tuple[_Weights, tuple[Slot | None, ...]]]:
    """Weights and slots of each layer and direction, from torch's flat list."""
    each = len(known) // count
    found = []
    for start in range(0, len(known), each):
        own: list[Any] = known[start : start + each]
        biases = own[2:4] if has_biases else [None, None]
        projection = own[-1:] if each % 2 else [None]
        full = [*own[:2], *biases, *projection]
        found.append((
            _Weights(*(None if one is None else one.value for one in full)),
            tuple(None if one is None else one.slot for one in full),
        ))  # fmt: skip
    return found


def _lstm_cell(recorder: Any, input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    with recorder:
        linear = torch.nn.functional.linear
        i, f, g, o = (linear(input, w_ih, b_ih) + linear(hx[0], w_hh, b_hh)).chunk(4, -1)
        cell = f.sigmoid() * hx[1] + i.sigmoid() * g.tanh()
        return o.sigmoid() * cell.tanh(), cell


def _gru_cell(recorder: Any, input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    with recorder:
        linear = torch.nn.functional.linear
        r, z, n = linear(input, w_ih, b_ih).chunk(3, -1)
        of_r, of_z, of_n = linear(hx, w_hh, b_hh).chunk(3, -1)
        update = (z + of_z).sigmoid()
        new = (n + (r + of_r).sigmoid() * of_n).tanh()
        return new + update * (hx - new)


def _plain_cell(activation: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., Any]:
    def rule(recorder: Any, input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
        with recorder:
            linear = torch.nn.functional.linear
            return activation(linear(input, w_ih, b_ih) + linear(hx, w_hh, b_hh))

    return rule


rules: dict[Any, Callable[..., Any]] = {
    **{function: _rule(function) for function in _CELLS},
    torch.lstm_cell: _lstm_cell,
    torch.gru_cell: _gru_cell,
    torch.rnn_tanh_cell: _plain_cell(torch.tanh),
    torch.rnn_relu_cell: _plain_cell(torch.relu),
}
"""torch function to rule; single cells are put together from linear layers."""
