"""Layer, group, instance and RMS normalisation: rules that compute every example's gradient of scale and shift.

Promise: outputs and gradients are those of torch; the gradients (B, *shape) are formed at once, since they are smaller
than what they are made of, from the statistics that the forward pass computed anyway.

Source: Ba, Kiros and Hinton (2016); Wu and He (2018); the per-example sums are those of the batch, left apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch.autograd.function import once_differentiable

from reticent.training.engine.contributions import Dense, wide
from reticent.training.engine.tape import Slot, applied, arrived, low_precision

if TYPE_CHECKING:
    from reticent.training.engine.recorder import Recorder

__all__ = ["rules"]

Slots = tuple[Slot | None, Slot | None]


def _layer_norm(
    recorder: Recorder,
    input: Any,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    known, extra = recorder.bias(weight), recorder.bias(bias)
    if known is None or extra is None:
        return NotImplemented

    def use(inputs: torch.Tensor) -> Any:
        if inputs.device.type == "cuda" and low_precision(inputs) is not None:
            inputs = inputs.float()  # as autocast does
        arguments = (list(normalized_shape), eps)
        return applied(
            _LayerNorm, recorder.anchor, (known.slot, extra.slot), arguments, inputs, known.value, extra.value
        )

    return recorder.run(use, input)


def _group_norm(
    recorder: Recorder,
    input: Any,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    known, extra = recorder.bias(weight), recorder.bias(bias)
    if known is None or extra is None or input.ndim < 2:
        return NotImplemented

    def use(inputs: torch.Tensor) -> Any:
        if inputs.device.type == "cuda" and low_precision(inputs) is not None:
            inputs = inputs.float()
        return applied(
            _GroupNorm, recorder.anchor, (known.slot, extra.slot), (num_groups, eps), inputs, known.value, extra.value
        )

    return recorder.run(use, input)


def _instance_norm(
    recorder: Recorder,
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Any:
    if not use_input_stats or running_mean is not None:
        return NotImplemented
    return _group_norm(recorder, input, input.shape[1], weight, bias, eps)


def _rms_norm(recorder: Recorder, input: Any, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Any:
    input = recorder.data(input)
    with recorder:
        scaled: torch.Tensor = torch.rms_norm(input, normalized_shape, None, eps)
        return scaled if weight is None else scaled * weight


class _LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        anchor: torch.Tensor,
        slots: Slots,
        arguments: tuple[list[int], float],
        inputs: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        shape, eps = arguments
        outputs, mean, deviation = torch.native_layer_norm(inputs, shape, weight, bias, eps)
        ctx.slots, ctx.shape = slots, shape
        ctx.save_for_backward(inputs, mean, deviation, weight, bias)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        arrived()
        inputs, mean, deviation, weight, bias = ctx.saved_tensors
        of_weight, of_bias = ctx.slots
        examples = len(inputs)
        if of_weight is not None:
            scaled = (wide(inputs) - mean).mul_(deviation).mul_(gradients)
            of_weight.add(Dense(scaled.reshape(examples, -1, *ctx.shape).sum(1)))
        if of_bias is not None:
            of_bias.add(Dense(gradients.reshape(examples, -1, *ctx.shape).sum(1, dtype=wide(gradients[:0]).dtype)))
        onward = None
        if ctx.needs_input_grad[3]:
            onward = torch.ops.aten.native_layer_norm_backward(
                gradients, inputs, ctx.shape, mean, deviation, weight, bias, [True, False, False]
            )[0]
        return None, None, None, onward, None, None


class _GroupNorm(torch.autograd.Function):
    """Inputs (B, N, C, *image): example, its own small batch, channels, space."""

    @staticmethod
    def forward(
        ctx: Any,
        anchor: torch.Tensor,
        slots: Slots,
        arguments: tuple[int, float],
        inputs: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        groups, eps = arguments
        inputs = inputs.contiguous()
        sizes = (inputs.shape[0] * inputs.shape[1], inputs.shape[2], math.prod(inputs.shape[3:]))
        flat = inputs.flatten(0, 1)
        outputs, mean, deviation = torch.native_group_norm(flat, weight, bias, *sizes, groups, eps)
        ctx.slots, ctx.groups, ctx.sizes = slots, groups, sizes
        ctx.save_for_backward(inputs, mean, deviation, weight)
        shaped: torch.Tensor = torch.ops.aten._unsafe_view(outputs, inputs.shape)
        return shaped

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        arrived()
        inputs, mean, deviation, weight = ctx.saved_tensors
        of_weight, of_bias = ctx.slots
        gradients = gradients.contiguous()
        count, channels, space = ctx.sizes
        # As one row in which every channel of every example is a channel of its own: the sums that torch computes for
        # the gradients of scale and shift then are those of the examples, in the same pass.
        flat = (1, count * channels, space)
        spread = None if weight is None else weight.to(wide(weight[:0]).dtype).repeat(count)
        groups = count * ctx.groups
        means, deviations = (wide(part).reshape(1, -1) for part in (mean, deviation))
        onward, scales, shifts = torch.ops.aten.native_group_norm_backward(
            wide(gradients).reshape(flat), wide(inputs).reshape(flat), means, deviations,
            spread, *flat, groups, [ctx.needs_input_grad[3], of_weight is not None, of_bias is not None],
        )  # fmt: skip
        for slot, found in ((of_weight, scales), (of_bias, shifts)):
            if slot is not None:
                slot.add(Dense(found.reshape(len(inputs), -1, channels).sum(1)))
        if onward is not None:
            onward = onward.reshape(inputs.shape).to(inputs.dtype)
        return None, None, None, onward, None, None


rules: dict[Any, Callable[..., Any]] = {
    F.layer_norm: _layer_norm,
    torch.layer_norm: _layer_norm,
    F.group_norm: _group_norm,
    torch.group_norm: _group_norm,
    torch.instance_norm: _instance_norm,
    torch.rms_norm: _rms_norm,
}
"""torch function to rule."""
