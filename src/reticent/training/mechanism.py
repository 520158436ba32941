"""One private step: clip each example's gradient, add them up, add noise, divide by the expected batch size.

Promise: the sum of clipped gradients moves by at most `l2_clip_norm` (in l2 norm, over all parameters together) when
one example is added or removed, whatever the example holds: one whose gradient is not finite contributes zero, and is
counted. The noise has standard deviation `noise_multiplier * l2_clip_norm`, is drawn once per step for every parameter,
also when the batch is empty, and the result is divided by the expected batch size, never by the actual one. However a
batch is cut into physical batches, the sum is the same and the noise is added once.

Clipping and noise are computed in float32 or better, whatever the precision of the network and also under autocast
(Abadi et al., 2016, algorithm 1). Norms are computed in float64 (float32 on devices without it): a float32 sum over
millions of parameters comes out too small, and an example would then be clipped too little. How thresholds are shared
out or move: `reticent.privacy.Clipping`.

Example:
    >>> import torch
    >>> from reticent.training import clipped_sum
    >>> gradients = {"w": torch.tensor([[3.0, 4.0], [0.0, 0.1], [float("nan"), 0.0]])}
    >>> total, ignored = clipped_sum(gradients, l2_clip_norm=1.0)
    >>> total["w"], ignored
    (tensor([0.6000, 0.9000]), 1)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import Clipping, Plan, Unit
from reticent.randomness import Randomness
from reticent.training.engine import Gathered

__all__ = ["ASSUMED", "PrivateSum", "clipped_sum", "one_row_each"]

ASSUMED = (
    "the parameters and the optimizer start from values that do not depend on these data (otherwise: compose)",
    "data set, transforms and collation give each example alone, never mixed with others",
    "when to stop was not decided by looking at the data, at losses or at the parameters",
    "not covered: losses, metrics and counts seen during training; they must not be released, nor steer it",
    "not covered: attacks on the rounding of noise to floating point (Mironov, 2012)",
    "not covered: choosing hyper-parameters by looking at these data",
)
"""What every guarantee of a training rests on, beside its own assumptions."""

_AUTOMATIC = 0.01  # Bu et al. (2023): keeps the factor of a vanishing gradient bounded
_SMALL = 1 << 14  # numbers of a sum that gets its noise together with others
_REACH = 30.0  # a threshold moves by at most this many natural logarithms from where it started


def one_row_each(unit: Unit) -> tuple[str, ...]:
    """The assumption that rows may stand for people or clients; nothing where the unit is the row itself."""
    return () if unit is Unit.EXAMPLE else (f"every {unit.value} owns one row",)


class PrivateSum:
    """The noisy mean of clipped gradients, step after step.

    Call `add` for every physical batch of a step, then `finish` once.

    Args:
        plan: noise, clipping norm, expected batch size and how to clip.
        parameters: name to parameter; sums are made for these.
        noise: where the noise comes from.
        prefix: what the names have in front that whoever wrote the plan does not know of.

    Attributes:
        ignored: how many examples had a gradient that was not finite. About the data: no promise covers it.
        thresholds: the clipping norm of each group. Public: they follow from noisy quantities only.
    """

    def __init__(
        self, plan: Plan, parameters: Mapping[str, torch.Tensor], noise: Randomness, *, prefix: str = ""
    ) -> None:
        self._plan, self._noise = plan, noise
        self._steps = 0
        groups, parts = plan.clipping.assigned(name.removeprefix(prefix) for name in parameters)
        self._groups = {name: groups[name.removeprefix(prefix)] for name in parameters}
        self._start = [plan.l2_clip_norm * part for part in parts]
        self.thresholds = list(self._start)
        self.ignored = 0
        self._shapes = {name: (p.shape, torch.promote_types(p.dtype, torch.float32)) for name, p in parameters.items()}
        self._devices = {name: p.device for name, p in parameters.items()}
        self._totals: dict[str, torch.Tensor] = {}
        self._short = [0.0] * len(parts)

    def add(self, gathered: Iterable[Gathered], scale: float = 1.0) -> None:
        """Clip and add the gradients of a physical batch, each multiplied by `scale` first; they are used up."""
        for part in gathered:
            totals, ignored, short = _clipped(part, self._groups, self.thresholds, self._plan.clipping, scale)
            self.ignored += ignored
            self._short = [have + more for have, more in zip(self._short, short, strict=True)]
            for name, total in totals.items():
                have = self._totals.get(name)
                self._totals[name] = total if have is None else have.add_(total)

    def finish(self) -> dict[str, torch.Tensor]:
        """Name to noisy sum over expected batch size, in float32 or better; the next step starts from nothing."""
        plan, count = self._plan, len(self.thresholds)
        noise = self._noise.spawn(f"step {self._steps}")  # a stream of its own, so that a repeatable run can go on here
        self._steps += 1
        multiplier = plan.clipping.gradient_noise_multiplier(plan.noise_multiplier, plan.batch_size, groups=count)
        # A unit moves each group by its threshold, so all of them, each in units of its own, by sqrt(groups).
        deviations = [multiplier * threshold * math.sqrt(count) for threshold in self.thresholds]
        result: dict[str, torch.Tensor] = {}
        small: dict[Any, dict[str, torch.Tensor]] = {}
        for name, (shape, dtype) in self._shapes.items():
            total, device = self._totals.pop(name, None), self._devices[name]
            total = torch.zeros(shape, dtype=dtype, device=device) if total is None else total.to(dtype)
            group = self._groups[name]
            if total.numel() <= _SMALL:
                small.setdefault((group, dtype, device), {})[name] = total
            else:
                result[name] = _with_noise(total, deviations[group], noise, plan.batch_size)
        for (group, _, _), totals in small.items():
            # One draw for all of them: with a draw for each bias, most of a small network's time would be calls.
            together = torch.cat([total.reshape(-1) for total in totals.values()])
            noisy = _with_noise(together, deviations[group], noise, plan.batch_size)
            parts = noisy.split([total.numel() for total in totals.values()])
            for (name, total), part in zip(totals.items(), parts, strict=True):
                result[name] = part.reshape(total.shape).clone()  # memory of its own: an optimizer may write to it
        result = {name: result[name] for name in self._shapes}
        if plan.clipping.quantile is not None:
            self._move(plan.clipping.quantile, noise)
        self._short = [0.0] * count
        return result

    def state(self) -> dict[str, Any]:
        """What the next steps depend on, beside the noise: plain values."""
        return {"steps": self._steps, "thresholds": list(self.thresholds), "ignored": self.ignored}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`."""
        if len(state["thresholds"]) != len(self._start):
            raise UsageError(
                f"Expected {len(self._start)} thresholds, got {len(state['thresholds'])}.",
                "Restore the state of the same network and plan.",
            )
        self.thresholds = [float(value) for value in state["thresholds"]]
        self._steps, self.ignored = int(state["steps"]), int(state["ignored"])

    def _move(self, quantile: float, source: Randomness) -> None:
        plan, count = self._plan, len(self.thresholds)
        deviation = plan.clipping.count_noise(plan.noise_multiplier, plan.batch_size, groups=count)
        if plan.noise_multiplier == 0:
            deviation = 0.0
        drawn = source.normal(count, standard_deviation=deviation)
        for group, (short, noise) in enumerate(zip(self._short, drawn, strict=True)):
            share = (short + float(noise)) / plan.batch_size + 0.5
            moved = self.thresholds[group] * math.exp(-plan.clipping.learning_rate * (share - quantile))
            limits = (self._start[group] * math.exp(-_REACH), self._start[group] * math.exp(_REACH))
            self.thresholds[group] = min(max(moved, limits[0]), limits[1])


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
    groups = dict.fromkeys(gradients, 0)
    totals, ignored, _ = _clipped(Gathered.of(gradients), groups, [l2_clip_norm], Clipping(), 1.0)
    return totals, ignored


def _clipped(
    gathered: Gathered, groups: Mapping[str, int], thresholds: list[float], clipping: Clipping, scale: float
) -> tuple[dict[str, torch.Tensor], int, list[float]]:
    """Clipped sums, the number of ignored examples, and for each group (unclipped - clipped examples) / 2."""
    squares = gathered.squared_norms()
    if not squares:
        return {}, 0, [0.5 * gathered.examples] * len(thresholds)  # no gradient at all is a short one
    like = next(iter(squares.values()))
    sums = [torch.zeros_like(like) for _ in thresholds]
    for name, square in squares.items():
        sums[groups[name]] += square.to(like.device)
    norms = [total.sqrt() * scale for total in sums]
    factors, usable = [], torch.ones_like(like, dtype=torch.bool)
    for norm, threshold in zip(norms, thresholds, strict=True):
        factor = threshold / (norm + _AUTOMATIC) if clipping.normalised else (threshold / norm).clamp(max=1.0)
        # A gradient so long that its square overflows, or that the factor loses digits, is ignored too: always safe.
        usable &= torch.isfinite(norm) & (factor >= torch.finfo(torch.float32).tiny)
        factors.append(factor)
    short = [
        float((usable & (norm <= threshold)).sum()) - 0.5 * float(usable.sum())
        for norm, threshold in zip(norms, thresholds, strict=True)
    ]
    factors = [torch.where(usable, factor * scale, torch.zeros_like(factor)) for factor in factors]
    return (
        gathered.weighted({name: factors[groups[name]] for name in gathered.names}, release=True),
        int((~usable).sum()),
        short,
    )


def _with_noise(total: torch.Tensor, deviation: float, noise: Randomness, divisor: float) -> torch.Tensor:
    total = total.contiguous()
    if total.device.type == "cpu":
        noise.add_normal(total.numpy(), standard_deviation=deviation, divisor=divisor)
        return total
    drawn = noise.normal(tuple(total.shape), standard_deviation=deviation)
    kind = np.float64 if total.dtype == torch.float64 else np.float32
    return total.add_(torch.from_numpy(drawn.astype(kind, copy=False)).to(total.device)).div_(divisor)
