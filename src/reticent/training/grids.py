"""Clipped gradients in whole numbers: rounded onto a grid, added up and given their noise without rounding.

Promise: of one example's gradient, whatever it holds, whole multiples of a step are added, and the sum of their squares
is at most the square of the clipping norm in steps: that is computed in whole numbers for each example, and one for
which it were not so would contribute nothing. The sum and its noise are whole numbers too. Only the finished, noisy sum
is rounded to floating point, and that sees nothing but what may be seen.

Rounding is towards zero, so it makes no gradient longer; it shortens one over d parameters by at most sqrt(d) steps,
and by 4e-6 of itself, which leaves room for the rounding of norms.

Cost: the gradients of the examples have to be formed, a few examples at a time (`Gathered.formed`), where the engine
otherwise adds them up without ever forming them: some 3 ns for each number of each example on one core. A step of a
small network takes 1.3 to 3 times as long, that of a large fully connected one 20 times (`benchmarks/`).

Not covered: devices without float64 (MPS).

Example:
    >>> import torch
    >>> from reticent.training.engine import Gathered
    >>> from reticent.training.grids import whole_sum
    >>> gradients = Gathered.of({"w": torch.tensor([[3.0, 4.0], [0.0, 0.1], [float("nan"), 0.0]])})
    >>> total = whole_sum(gradients, {"w": 0}, [1.0], grid=0.001)
    >>> total.steps["w"].tolist(), total.ignored  # of 0.001; a little less than 600 and 900
    ([599, 898], 1)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch

from reticent.privacy import Clipping
from reticent.privacy.discrete import discrete_gaussian
from reticent.privacy.mechanisms.lattice import SMOOTHING
from reticent.randomness import Randomness
from reticent.training.engine import Gathered
from reticent.training.engine.contributions import Dense
from reticent.training.factors import factors_of

__all__ = ["Whole", "whole_count_noise", "whole_sum", "with_whole_noise"]

_MARGIN = 1.0 - 2.0**-18  # more than rounding can lengthen a gradient by, so that none is found to be too long
_A_FEW = 16


class Whole(NamedTuple):
    """A sum of rounded gradients.

    Attributes:
        steps: name to (*shape) whole numbers.
        ignored: examples that contribute nothing because their gradient was not finite, or rounded too long.
        short: for each group, the number of unclipped examples minus that of clipped ones.
    """

    steps: dict[str, torch.Tensor]
    ignored: int
    short: list[int]


def whole_sum(
    gathered: Gathered,
    groups: Mapping[str, int],
    thresholds: list[float],
    *,
    grid: float,
    clipping: Clipping | None = None,
    scale: float = 1.0,
) -> Whole:
    """The sum over examples of gradients that are clipped, and rounded towards zero.

    Args:
        gathered: the gradients of a physical batch.
        groups: name of a parameter to its clipping group.
        thresholds: each group's clipping norm.
        grid: the step, in units of the group's clipping norm.
        clipping: how to clip; one that only shortens by default.
        scale: by what each gradient is multiplied first.
    """
    how = Clipping() if clipping is None else clipping
    longest = math.floor(1 / Fraction(grid) ** 2)
    totals: dict[str, torch.Tensor] = {}
    ignored, short = 0, [0] * len(thresholds)
    # Memory that is written to again and again: fresh memory costs more than what is done in it.
    space: dict[str, list[torch.Tensor]] = {name: [] for name in gathered.names}
    for formed in gathered.formed():
        if not formed:
            continue
        norms = _norms(formed, groups, len(thresholds), scale)
        factors, usable = factors_of(norms, thresholds, how)
        for group, (norm, threshold) in enumerate(zip(norms, thresholds, strict=True)):
            short[group] += 2 * int((usable & (norm <= threshold)).sum()) - int(usable.sum())
        by = [
            torch.where(usable, factor, 0.0) * (scale * _MARGIN / (grid * threshold))
            for factor, threshold in zip(factors, thresholds, strict=True)
        ]
        rounded = {name: _rounded(values, by[groups[name]], usable, space[name]) for name, values in formed.items()}
        kept = usable & _short_enough(rounded, groups, len(thresholds), longest)
        ignored += int((~kept).sum())
        for name, steps in rounded.items():
            own = kept.to(steps.device, steps.dtype) @ steps
            totals[name] = own if name not in totals else totals[name].add_(own)
    if not totals:
        short = [gathered.examples] * len(thresholds)  # no gradient at all is a short one
    whole = {name: total.to(torch.int64).reshape(gathered.shapes[name]) for name, total in totals.items()}
    return Whole(whole, ignored, short)


def with_whole_noise(total: torch.Tensor, deviation: Fraction, noise: Randomness) -> torch.Tensor:
    """Whole numbers with discrete Gaussian noise.

    Args:
        total: whole numbers.
        deviation: of the noise; 0 for none.
        noise: where it comes from.
    """
    if deviation == 0:
        return total
    drawn = discrete_gaussian(total.numel(), deviation=deviation, randomness=noise).reshape(total.shape)
    return total + torch.from_numpy(drawn).to(total.device)


def whole_count_noise(deviation: float, size: int, noise: Randomness) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Noise for numbers that one example moves by one step, charged as `deviation` steps; none where that is 0."""
    if deviation == 0:
        return np.zeros(size, dtype=np.int64)
    return discrete_gaussian(size, deviation=math.sqrt(deviation**2 + SMOOTHING) * (1 + 2.0**-50), randomness=noise)


def _norms(
    formed: Mapping[str, torch.Tensor], groups: Mapping[str, int], count: int, scale: float
) -> list[torch.Tensor]:
    """For each group (b,) norms of the gradients times `scale`."""
    like = next(iter(formed.values()))
    squares = [torch.zeros(len(like), dtype=torch.float64, device=like.device) for _ in range(count)]
    for name, values in formed.items():
        squares[groups[name]] += Dense(values).squared_norms().to(like.device)
    return [square.sqrt() * scale for square in squares]


def _rounded(
    values: torch.Tensor, factors: torch.Tensor, usable: torch.Tensor, space: list[torch.Tensor]
) -> torch.Tensor:
    """(b, size) whole numbers of steps, rounded towards zero, in float64; zeros for what cannot be used."""
    scaled = values.mul_(factors.to(values.device, values.dtype)[:, None])
    if not bool(usable.all()):
        scaled[~usable.to(values.device)] = 0.0  # zero times what is not finite is not zero
    if not space:
        space += [torch.empty_like(scaled, dtype=kind) for kind in (torch.int32, torch.float64)]
    whole, wide = (one[: len(scaled)] for one in space)
    whole.copy_(scaled)  # what does not fit, and so is too long, becomes -2^31
    return wide.copy_(whole)


def _short_enough(
    rounded: Mapping[str, torch.Tensor], groups: Mapping[str, int], count: int, longest: int
) -> torch.Tensor:
    """(b,) whether the squares of every group's whole numbers add up to at most `longest`, exactly.

    Whole numbers below 2^53 are added and multiplied exactly in float64, in any order. `longest` is at most 2^52: a sum
    up to that has had no rounding, and one that has been rounded is larger.
    """
    like = next(iter(rounded.values()))
    squares = [torch.zeros(len(like), dtype=torch.float64, device=like.device) for _ in range(count)]
    for name, steps in rounded.items():
        # A few long rows, or many short ones: each by what is faster.
        found = torch.stack([torch.dot(row, row) for row in steps]) if len(steps) <= _A_FEW else steps.square().sum(1)
        squares[groups[name]] += found.to(like.device)
    return torch.stack([square <= longest for square in squares]).all(0)
