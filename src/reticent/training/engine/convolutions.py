"""Convolutions of one to three dimensions, and transposed ones: their contributions to per-example gradients.

Promise: `Convolved` stands for the per-example weight gradients of a convolution with any stride, padding, dilation and
groups; `rules` run
the convolution itself, with a backward pass that computes the input's gradient and hands (inputs, output gradients)
over, but never forms the gradient of the whole batch.

Which form is held: where the image is large beside the weight (early layers) the gradients themselves, from one grouped
convolution in which every example is a group (Rochette, Manoel and Tramel, 2019); where the weight is large beside the
image (late layers) the inputs and output gradients, with norms from Gram matrices. The Gram matrix of all patches needs
no patches: patches at l and m have the inner product sum_k <pixel l + k, pixel m + k>, a box sum of the Gram matrix of
the pixels, K times less work than unfolding for a kernel of K elements.

Shapes: inputs (B, N, C, *image), output gradients (B, N, O, *image'): example, its own small batch, channels, space.

Example:
    >>> import torch
    >>> from reticent.training.engine.convolutions import Convolved, Geometry
    >>> x, g = torch.ones(2, 1, 1, 3, 3), torch.ones(2, 1, 1, 2, 2)
    >>> use = Convolved(x, g, (1, 1, 2, 2), Geometry((1, 1), (0, 0), (1, 1), False, (0, 0), 1))
    >>> use.dense()[0].flatten().tolist(), use.squared_norms().round(decimals=3).tolist()
    ([4.0, 4.0, 4.0, 4.0], [64.0, 64.0])
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch.autograd.function import once_differentiable

from reticent.training.engine import products
from reticent.training.engine.contributions import KEPT, Contribution, Dense, Product, gram_norms, scaled, wide
from reticent.training.engine.tape import Slot, applied, arrived, low_precision, own_precision

if TYPE_CHECKING:
    from reticent.training.engine.recorder import Recorder

__all__ = ["Convolved", "Geometry", "rules"]

_CHUNK = 1 << 22  # elements of a Gram matrix that are formed at a time


class Geometry(NamedTuple):
    """How a convolution walks over the image: what torch's `convolution` takes."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int


@dataclasses.dataclass
class Convolved(Contribution):
    """A convolution's weight gradients, from its inputs and output gradients."""

    inputs: torch.Tensor
    gradients: torch.Tensor
    shape: tuple[int, ...]
    geometry: Geometry

    @property
    def examples(self) -> int:  # noqa: D102
        return len(self.inputs)

    @property
    def size(self) -> int:  # noqa: D102
        return math.prod(self.shape)

    def measured(self) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: D102
        if self.geometry.groups > 1 or self.inputs.shape[1] > 1:
            return self._measured_by_forming()
        # A transposed convolution is the convolution whose inputs are its output gradients, and the other way round.
        walked, fixed = wide(self.inputs)[:, 0], wide(self.gradients)[:, 0]
        if self.geometry.transposed:
            walked, fixed = fixed, walked
        pixels, places = math.prod(walked.shape[2:]), math.prod(fixed.shape[2:])
        if min(pixels, places) ** 2 > _CHUNK:
            return self._measured_by_forming()
        # Grams of pixels, of one class for each residue of the stride, against the Gram of patches.
        if pixels**2 > places**2 * math.prod(self.shape[2:]) * math.prod(self.geometry.stride):
            patches = _patches(walked, self.shape[2:], self.geometry)
            return Product(fixed.flatten(2).transpose(1, 2), patches).measured()
        step = max(1, _CHUNK // max(1, pixels * pixels))
        kernel, walk = self.shape[2:], self.geometry
        parts = []
        for start in range(0, self.examples, step):
            some = slice(start, start + step)
            patches = _patch_gram(walked[some], kernel, walk, fixed.shape[2:])
            flat = fixed[some].flatten(2).transpose(1, 2)
            parts.append(gram_norms(patches, products.each_rows(flat, flat)))
        return torch.cat([norms for norms, _ in parts]), torch.cat([masses for _, masses in parts])

    def dense(self, dtype: torch.dtype | None = None) -> torch.Tensor:  # noqa: D102
        examples, channels = self.examples, self.shape[0]
        # Every example is a group of one large convolution; its own small batch is the batch.
        inputs = wide(self.inputs, dtype).transpose(0, 1).flatten(1, 2)
        gradients = wide(self.gradients, dtype).transpose(0, 1).flatten(1, 2)
        like = inputs.new_empty(1).expand(examples * channels, *self.shape[1:])
        grouped = self.geometry._replace(groups=examples * self.geometry.groups)
        return _weight_gradient(gradients, inputs, like, grouped).reshape(examples, *self.shape)

    def weighted(self, factors: torch.Tensor) -> torch.Tensor:  # noqa: D102
        inputs, gradients = wide(self.inputs), wide(self.gradients)
        column = factors.to(inputs.dtype).reshape(-1, *([1] * (inputs.ndim - 1)))
        if inputs.numel() < gradients.numel():
            inputs = scaled(inputs, column)
        else:
            gradients = scaled(gradients, column)
        like = inputs.new_empty(1).expand(self.shape)
        return _weight_gradient(gradients.flatten(0, 1), inputs.flatten(0, 1), like, self.geometry)

    def take(self, rows: torch.Tensor | slice) -> Convolved:  # noqa: D102
        return dataclasses.replace(self, inputs=self.inputs[rows], gradients=self.gradients[rows])

    def _measured_by_forming(self) -> tuple[torch.Tensor, torch.Tensor]:
        step = max(1, _CHUNK // self.size)
        parts = [self.take(slice(i, i + step)) for i in range(0, self.examples, step)]
        norms = torch.cat([Dense(part.dense()).squared_norms() for part in parts])
        # By Cauchy and Schwarz; a pixel belongs to at most as many patches as the kernel has elements.
        most = Dense(self.inputs).squared_norms() * Dense(self.gradients).squared_norms() * math.prod(self.shape[2:])
        return norms, torch.maximum(norms, most)

    def smaller(self) -> Contribution:
        """The same in the smaller of its two forms."""
        numbers = self.inputs.numel() + self.gradients.numel()
        return Dense(self.dense()) if self.examples * self.size <= KEPT * numbers else self


def _convolve(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    geometry: Geometry,
    slots: tuple[Slot | None, Slot | None],
    anchor: torch.Tensor,
) -> torch.Tensor:
    """(B, N, O, *image') the convolution of (B, N, C, *image); its backward pass fills the slots of weight and bias."""
    dtype = low_precision(inputs)
    if dtype is not None:
        inputs, weight, bias = inputs.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    result: torch.Tensor = applied(_Convolution, anchor, slots, geometry, inputs, weight, bias)
    return result


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        anchor: torch.Tensor,
        slots: tuple[Slot | None, Slot | None],
        geometry: Geometry,
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        ctx.slots, ctx.geometry = slots, geometry
        ctx.save_for_backward(inputs, weight)
        with own_precision(inputs):
            outputs = torch.ops.aten.convolution(inputs.flatten(0, 1), weight, bias, *geometry)
        shaped: torch.Tensor = torch.ops.aten._unsafe_view(outputs, [*inputs.shape[:2], *outputs.shape[1:]])
        return shaped

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        arrived()
        inputs, weight = ctx.saved_tensors
        of_weight, of_bias = ctx.slots
        if of_weight is not None:
            of_weight.add(Convolved(inputs, gradients, tuple(weight.shape), ctx.geometry).smaller())
        if of_bias is not None:
            space = [1, *range(3, gradients.ndim)]
            of_bias.add(Dense(gradients.sum(space, dtype=wide(gradients[:0]).dtype)))
        onward = None
        if ctx.needs_input_grad[3]:
            onward = torch.ops.aten.convolution_backward(
                gradients.flatten(0, 1), inputs.flatten(0, 1), weight, None, *ctx.geometry, (True, False, False)
            )[0].reshape(inputs.shape)
        return None, None, None, onward, None, None


def _weight_gradient(
    gradients: torch.Tensor, inputs: torch.Tensor, like: torch.Tensor, geometry: Geometry
) -> torch.Tensor:
    found: torch.Tensor = torch.ops.aten.convolution_backward(
        gradients, inputs, like, None, *geometry, (False, True, False)
    )[1]
    return found


def _patches(images: torch.Tensor, kernel: tuple[int, ...], walk: Geometry) -> torch.Tensor:
    """(b, L, C K) all patches of (b, C, *image) images."""
    if len(kernel) == 2:
        return F.unfold(images, kernel, walk.dilation, walk.padding, walk.stride).transpose(1, 2)
    images = F.pad(images, [side for n in reversed(walk.padding) for side in (n, n)])
    for axis, (size, stride, dilation) in enumerate(zip(kernel, walk.stride, walk.dilation, strict=True)):
        images = images.unfold(2 + axis, (size - 1) * dilation + 1, stride)[..., ::dilation]
    places = range(2, 2 + len(kernel))
    inside = range(2 + len(kernel), 2 + 2 * len(kernel))
    images = images.permute(0, *places, 1, *inside)
    return images.reshape(len(images), math.prod(images.shape[1 : 1 + len(kernel)]), -1)


def _patch_gram(images: torch.Tensor, kernel: tuple[int, ...], walk: Geometry, places: tuple[int, ...]) -> torch.Tensor:
    """(b, L, L) inner products of all patches of (b, C, *image) images, L = prod(places).

    A kernel element only meets the pixels that lie a multiple of the stride apart, so each such class of pixels has a
    Gram matrix of its own: the longer the stride, the less there is to compute.
    """
    total: torch.Tensor | None = None
    for residues in itertools.product(*(range(stride) for stride in walk.stride)):
        # Along each axis: the kernel elements of this class, as distances in pixels of this class.
        axes = zip(kernel, walk.dilation, walk.padding, walk.stride, residues, strict=True)
        shifts = [
            [place // stride for place in range(-pad - rest, size * gap - pad - rest, gap) if place % stride == 0]
            for size, gap, pad, stride, rest in axes
        ]
        steps: Any = (..., *(slice(rest, None, step) for rest, step in zip(residues, walk.stride, strict=True)))
        own = images[steps]
        if own.numel() == 0 or not all(shifts):
            continue
        gram = _box_sums(own, shifts, places)
        total = gram if total is None else total.add_(gram)
    count = math.prod(places)
    return images.new_zeros(len(images), count, count) if total is None else total.reshape(-1, count, count)


def _box_sums(images: torch.Tensor, shifts: list[list[int]], places: tuple[int, ...]) -> torch.Tensor:
    """(b, *places, *places) the sum over all shifts k of <pixel l + k, pixel m + k>; there is nothing outside."""
    space, dimensions = images.shape[2:], len(places)
    flat = images.flatten(2).transpose(1, 2)
    gram = products.each_rows(flat, flat).reshape(len(images), *space, *space)
    for axis in range(dimensions):
        count, first, second = places[axis], 1 + axis, 1 + dimensions + axis
        shape = [count if place in (first, second) else n for place, n in enumerate(gram.shape)]
        total: torch.Tensor | None = None
        for shift in shifts[axis]:
            low, high = max(0, -shift), min(count, space[axis] - shift)
            if low >= high:
                continue
            pixels = gram[_along(gram.ndim, first, second, slice(low + shift, high + shift))]
            if total is None and high - low == count:  # the first that fills everything saves the zeros
                total = pixels.clone() if len(shifts[axis]) > 1 else pixels
                continue
            total = gram.new_zeros(shape) if total is None else total
            total[_along(gram.ndim, first, second, slice(low, high))] += pixels
        gram = gram.new_zeros(shape) if total is None else total
    return gram


def _along(dimensions: int, first: int, second: int, part: slice) -> tuple[slice, ...]:
    return tuple(part if place in (first, second) else slice(None) for place in range(dimensions))


def _convolution(dimensions: int) -> Callable[..., Any]:
    def rule(
        recorder: Recorder,
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        input = recorder.data(input)
        walk = [_spread(value, dimensions) for value in (stride, dilation)]
        if isinstance(padding, str):
            total = [0] * dimensions
            if padding == "same":
                total = [d * (k - 1) for d, k in zip(walk[1], weight.shape[2:], strict=True)]
            if any(n % 2 for n in total):  # torch puts the odd one at the end
                sides = [side for n in reversed(total) for side in (n // 2, n - n // 2)]
                input, total = F.pad(input, sides), [0] * dimensions
            padding = tuple(n // 2 for n in total)
        zeros = (0,) * dimensions
        geometry = Geometry(walk[0], _spread(padding, dimensions), walk[1], False, zeros, groups)
        return _convolved(recorder, input, weight, bias, geometry)

    return rule


def _transposed_convolution(dimensions: int) -> Callable[..., Any]:
    def rule(
        recorder: Recorder,
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        steps, sides, more, gaps = (_spread(value, dimensions) for value in (stride, padding, output_padding, dilation))
        return _convolved(recorder, input, weight, bias, Geometry(steps, sides, gaps, True, more, groups))

    return rule


def _convolved(recorder: Recorder, input: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    known, extra = recorder.weight(weight), recorder.bias(bias)
    if known is None or known.transposed or known.value.is_complex():
        return NotImplemented
    if extra is None:
        outputs = _convolved(recorder, input, weight, None, geometry)
        with recorder:
            return outputs + bias.reshape(-1, *([1] * (weight.ndim - 2)))
    input = recorder.data(input)
    single = input.ndim == weight.ndim - 1

    def use(inputs: torch.Tensor) -> torch.Tensor:
        inputs = inputs.unsqueeze(1) if single else inputs
        found: torch.Tensor = _convolve(
            inputs, known.value, extra.value, geometry, (known.slot, extra.slot), recorder.anchor
        )
        return found.squeeze(1) if single else found

    return recorder.run(use, input)


def _spread(value: Any, dimensions: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * dimensions if len(values) == 1 else values


rules: dict[Any, Callable[..., Any]] = {
    torch.conv1d: _convolution(1),
    torch.conv2d: _convolution(2),
    torch.conv3d: _convolution(3),
    torch.conv_transpose1d: _transposed_convolution(1),
    torch.conv_transpose2d: _transposed_convolution(2),
    torch.conv_transpose3d: _transposed_convolution(3),
}
"""torch function to rule."""
