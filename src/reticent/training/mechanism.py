"""One private step: clip each example's gradient, add them up, add noise, divide by the expected batch size.

Promise: the sum of clipped gradients moves by at most `l2_clip_norm` (in l2 norm, over all parameters together) when
one example is added or removed, whatever the example holds: one whose gradient is not finite contributes zero, and is
counted. The noise has standard deviation `noise_multiplier * l2_clip_norm`, is drawn once per step for every parameter,
also when the batch is empty, and the result is divided by the expected batch size, never by the actual one.

Clipping and noise are computed in float32 or better, whatever the precision of the network and also under autocast
(Abadi et al., 2016, algorithm 1). Norms are computed in float64 (float32 on devices without it): a float32 sum over
millions of parameters comes out too small, and an example would then be clipped too little.

Example:
    >>> import torch
    >>> from reticent.training import clipped_sum
    >>> gradients = {"w": torch.tensor([[3.0, 4.0], [0.0, 0.1], [float("nan"), 0.0]])}
    >>> total, ignored = clipped_sum(gradients, l2_clip_norm=1.0)
    >>> total["w"], ignored
    (tensor([0.6000, 0.9000]), 1)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from reticent import _checks
from reticent.privacy import Plan, Unit
from reticent.randomness import Randomness

__all__ = ["ASSUMED", "clipped_sum", "noisy_mean", "one_row_each"]

ASSUMED = (
    "the parameters and the optimizer start from values that do not depend on these data (otherwise: compose)",
    "data set, transforms and collation give each example alone, never mixed with others",
    "when to stop was not decided by looking at the data, at losses or at the parameters",
    "not covered: losses, metrics and counts seen during training; they must not be released, nor steer it",
    "not covered: attacks on the rounding of noise to floating point (Mironov, 2012)",
    "not covered: choosing hyper-parameters by looking at these data",
)
"""What every guarantee of a training rests on, beside its own assumptions."""


def one_row_each(unit: Unit) -> tuple[str, ...]:
    """The assumption that rows may stand for people or clients; nothing where the unit is the row itself."""
    return () if unit is Unit.EXAMPLE else (f"every {unit.value} owns one row",)


def clipped_sum(gradients: Mapping[str, torch.Tensor], *, l2_clip_norm: float) -> tuple[dict[str, torch.Tensor], int]:
    """The sum over examples of gradients scaled down to norm `l2_clip_norm` where they are longer.

    Args:
        gradients: name to (B, *shape).
        l2_clip_norm: the longest that one example's gradient, over all parameters, may be.

    Returns:
        name to (*shape) sums in float32 or better, and the number of examples ignored because their gradient was not
        finite. That number, like every norm, is about the data: it is not covered by the guarantee.
    """
    _checks.positive(l2_clip_norm=l2_clip_norm)
    wide = {name: g.to(torch.promote_types(g.dtype, torch.float32)) for name, g in gradients.items()}
    sizes = {len(g) for g in wide.values()}
    if sizes == {0}:
        return {name: g.sum(0) for name, g in wide.items()}, 0
    norms = torch.stack([_norm(g) for g in wide.values()])
    norm = torch.linalg.vector_norm(norms, dim=0)
    factor = (l2_clip_norm / norm).clamp(max=1.0)
    # A gradient so long that its square overflows, or that the factor loses digits, is ignored too: always safe.
    usable = torch.isfinite(norm) & (factor >= torch.finfo(torch.float32).tiny)
    factor = torch.where(usable, factor, torch.zeros_like(norm))
    totals = {}
    for name, g in wide.items():
        kept = g if bool(usable.all()) else torch.where(_columns(usable, g), g, torch.zeros_like(g))
        # Not a matrix product: autocast and TF32 would round that to a lower precision.
        totals[name] = (_columns(factor.to(kept.dtype), kept) * kept).sum(0)
    return totals, int((~usable).sum())


def noisy_mean(totals: Mapping[str, torch.Tensor], plan: Plan, noise: Randomness) -> dict[str, torch.Tensor]:
    """The clipped sums with the plan's noise, divided by its expected batch size."""
    deviation = plan.noise_multiplier * plan.l2_clip_norm
    result = {}
    for name, total in totals.items():
        drawn = torch.from_numpy(noise.normal(tuple(total.shape), standard_deviation=deviation))
        result[name] = (total + drawn.to(device=total.device, dtype=total.dtype)) / plan.batch_size
    return result


def _norm(gradient: torch.Tensor) -> torch.Tensor:
    dtype = torch.float32 if gradient.device.type == "mps" else torch.float64
    norms: torch.Tensor = torch.linalg.vector_norm(gradient.reshape(len(gradient), -1), dim=1, dtype=dtype)
    return norms


def _columns(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values.reshape(-1, *([1] * (like.ndim - 1)))
