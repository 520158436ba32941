"""Rules: for each torch function that takes parameters, how to run it on the whole batch and record its use.

Promise: a rule computes what the function computes, with per-example gradients; where it does not apply (a weight that
depends on the data, an unusual argument), it answers NotImplemented, and the recorder falls back to copies, as exact.

A rule is called with the recorder and the function's own arguments, as one example sees them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch.autograd.function import once_differentiable

from reticent.errors import ModelError
from reticent.training.engine import attention, convolutions, norms, products, recurrent
from reticent.training.engine.contributions import Dense, lookup, product, wide
from reticent.training.engine.tape import Slot, applied, arrived, low_precision, own_precision

if TYPE_CHECKING:
    from reticent.training.engine.recorder import Recorder

__all__ = ["with_parameters", "without_parameters"]

Slots = tuple[Slot | None, Slot | None]
_MODES = ("sum", "mean", "max")


def _linear(recorder: Recorder, input: Any, weight: Any, bias: Any = None, *, turned: bool = False) -> Any:
    known, extra = recorder.weight(weight), recorder.bias(bias)
    if known is None or known.value.ndim != 2 or input.ndim == 0 or known.value.is_complex():
        return NotImplemented
    if type(known.value) is not torch.Tensor or known.value.layout is not torch.strided:
        return NotImplemented  # it may have a product of its own, as quantised weights do
    if known.slot is None and (extra is None or extra.slot is None) and not recorder.is_outermost:
        return NotImplemented  # frozen, inside a transform of the network's own: torch knows how
    input, turned = recorder.data(input), turned != known.transposed
    width = known.value.shape[1 if turned != known.transposed else 0]
    if extra is None or (bias is not None and bias.shape != (width,)):
        outputs = _linear(recorder, input, weight, turned=turned != known.transposed)
        with recorder:
            return outputs + bias
    value = known.value.T if known.transposed else known.value  # as it lies in the parameter

    def use(inputs: torch.Tensor) -> Any:
        inputs, matrix, shift = _cast(inputs, value, extra.value)
        slots = (known.slot, extra.slot)
        # What is frozen passes gradients on, and asks for none of its own.
        anchor = recorder.anchor if any(slots) else None
        return applied(_Linear, anchor, slots, turned, inputs, matrix, shift)

    return recorder.run(use, input)


def _matmul(recorder: Recorder, input: Any, other: Any) -> Any:
    if recorder.weight(other) is None or recorder.weight(input) is not None:
        return NotImplemented
    return _linear(recorder, input, other, turned=True)


def _addmm(recorder: Recorder, input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    if beta != 1 or alpha != 1 or recorder.weight(input) is None or input.ndim != 1:
        return NotImplemented
    if recorder.weight(mat2) is None or recorder.weight(mat1) is not None:
        return NotImplemented
    return _linear(recorder, mat1, mat2, input, turned=True)


def _embedding(
    recorder: Recorder,
    weight: Any,
    indices: Any,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    known = recorder.weight(weight)
    if known is None or known.transposed:
        return NotImplemented
    if scale_grad_by_freq:
        raise ModelError(
            "Expected a gradient of each example's own, but an embedding scales it by the counts of the whole batch.",
            "Build it without scale_grad_by_freq.",
        )

    def use(index: torch.Tensor) -> Any:
        return applied(_Embedding, recorder.anchor, known.slot, padding_idx, index, known.value)

    return recorder.run(use, indices)


def _embedding_bag(
    recorder: Recorder,
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: Any = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    if input.ndim != 2 or offsets is not None or max_norm is not None or mode not in _MODES:
        return NotImplemented
    count = weight.shape[0]
    skipped = -1 if padding_idx is None else padding_idx % count
    per_sample_weights = recorder.data(per_sample_weights)
    rows = _embedding(recorder, weight, input, skipped, scale_grad_by_freq, sparse)
    if rows is NotImplemented:
        return NotImplemented
    used = (input != skipped).unsqueeze(-1)
    if mode == "max":
        empty = torch.full_like(rows, -math.inf)
        largest = torch.where(used, rows, empty).max(dim=1).values
        return torch.where(used.any(dim=1), largest, torch.zeros_like(largest))
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    total = torch.where(used, rows, torch.zeros_like(rows)).sum(dim=1)
    return total if mode == "sum" else total / used.sum(dim=1).clamp(min=1)


def _cast(*tensors: torch.Tensor | None) -> Any:
    dtype = low_precision(tensors[0]) if tensors[0] is not None else None
    return tensors if dtype is None else tuple(None if t is None else t.to(dtype) for t in tensors)


def _required(recorder: Recorder, tensor: Any, requires_grad: bool = True) -> Any:
    """What depends on a parameter requires a gradient already; of anything else nobody can ask one inside vmap."""
    return tensor if requires_grad and recorder.is_outermost else NotImplemented


def _filled(make: Callable[..., Any]) -> Callable[..., Any]:
    """Numbers that depend on no tensor, written into one that each example has of its own."""

    def rule(recorder: Recorder, *args: Any, out: Any = None, **options: Any) -> Any:
        if not isinstance(out, torch.Tensor) or out.requires_grad or options:
            return NotImplemented
        value = make(*args, dtype=out.dtype, device=out.device)
        return out.copy_(value) if value.shape == out.shape else NotImplemented

    return rule


class _Linear(torch.autograd.Function):
    """inputs weight^T + bias; with `turned`, inputs weight + bias."""

    @staticmethod
    def forward(
        ctx: Any,
        anchor: torch.Tensor | None,
        slots: Slots,
        turned: bool,
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        ctx.slots, ctx.turned, ctx.shape = slots, turned, inputs.shape
        flat = inputs.reshape(-1, inputs.shape[-1])
        ctx.save_for_backward(None if slots[0] is None else flat, weight)
        with own_precision(inputs):
            outputs = products.rows(flat, weight.T if turned else weight, bias)
        # A view would forbid the operations in place that often follow.
        shaped: torch.Tensor = torch.ops.aten._unsafe_view(outputs, [*inputs.shape[:-1], outputs.shape[-1]])
        return shaped

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        arrived()
        inputs, weight = ctx.saved_tensors
        examples, positions = ctx.shape[0], math.prod(ctx.shape[1:-1])
        flat = gradients.reshape(-1, gradients.shape[-1])
        left = flat.reshape(examples, positions, gradients.shape[-1])
        of_weight, of_bias = ctx.slots
        if of_weight is not None:
            right = inputs.reshape(examples, positions, inputs.shape[-1])
            of_weight.add(product(right, left) if ctx.turned else product(left, right))
        if of_bias is not None:
            own = left.squeeze(1) if positions == 1 else left.sum(1, dtype=wide(left[:0]).dtype)
            of_bias.add(Dense(own))
        onward = None
        if ctx.needs_input_grad[3]:
            onward = products.rows(flat, weight if ctx.turned else weight.T).reshape(ctx.shape)
        return None, None, None, onward, None, None


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, anchor: torch.Tensor, slot: Slot | None, padding_idx: int, index: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        ctx.slot, ctx.padding_idx, ctx.count = slot, padding_idx, len(weight)
        ctx.save_for_backward(index)
        return F.embedding(index, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: torch.Tensor) -> tuple[None, ...]:
        arrived()
        (index,) = ctx.saved_tensors
        if ctx.slot is not None:
            index = index.reshape(len(index), -1)
            if ctx.padding_idx >= 0:
                index = torch.where(index == ctx.padding_idx, -1, index)
            rows = gradients.reshape(*index.shape, gradients.shape[-1])
            ctx.slot.add(lookup(index, rows, ctx.count))
        return None, None, None, None, None


with_parameters: dict[Any, Callable[..., Any]] = {
    F.linear: _linear,
    torch.matmul: _matmul,
    torch.mm: _matmul,
    torch.Tensor.matmul: _matmul,
    torch.Tensor.mm: _matmul,
    torch.Tensor.__matmul__: _matmul,
    torch.addmm: _addmm,
    torch.embedding: _embedding,
    F.embedding_bag: _embedding_bag,
    **norms.rules,
    **convolutions.rules,
    **recurrent.rules,
}
"""Functions that take parameters."""

without_parameters: dict[Any, Callable[..., Any]] = {
    F.linear: _linear,
    torch.Tensor.requires_grad_: _required,
    **{make: _filled(make) for make in (torch.eye, torch.zeros, torch.ones, torch.full, torch.arange, torch.linspace)},
    **attention.rules,
}
"""Functions without trainable parameters that vmap runs badly, or not at all: a frozen layer becomes a product and a
sum there, and nothing can be written with out=."""
