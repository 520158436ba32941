"""One private step: clip each example's gradient, add them up, add noise, divide by the expected batch size.

Promise: the sum of clipped gradients moves by at most `l2_clip_norm` (in l2 norm, over all parameters together) when
one example is added or removed, whatever the example holds: one whose gradient is not finite contributes zero, and is
counted. The noise has standard deviation `noise_multiplier * l2_clip_norm`, is drawn once per step for every parameter,
also when the batch is empty, and the result is divided by the expected batch size, never by the actual one. However a
batch is cut into physical batches, and over however many processes (`spreading`), the sum is the same and the noise is
added once; counts and moving thresholds are those of all processes.

Clipping and noise are computed in float32 or better, whatever the precision of the network and also under autocast
(Abadi et al., 2016, algorithm 1). Norms are computed in float64 (float32 on devices without it): a float32 sum over
millions of parameters comes out too small, and an example would then be clipped too little. How thresholds are shared
out or move: `reticent.privacy.Clipping`. Correlated noise comes from a `NoiseStream` at unit scale and is made as large
as the step's own thresholds and noise multiplier say, so that both may change on the way.

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
from reticent.privacy import Clipping, Plan
from reticent.privacy.mechanisms.lattice import fitted_grid
from reticent.randomness import Randomness
from reticent.training.engine import Gathered
from reticent.training.factors import factors_of
from reticent.training.grids import whole_count_noise, whole_sum, with_whole_noise
from reticent.training.noise import NoiseStream
from reticent.training.ranks import Ranks
from reticent.training.spreading import Spread

__all__ = ["ASSUMED", "PrivateSum", "clipped_sum"]

ASSUMED = (
    "the parameters and the optimizer start from values that do not depend on these data (otherwise: compose)",
    "data set, transforms and collation give each example alone, never mixed with others",
    "when to stop was not decided by looking at the data, at losses or at the parameters",
    "not covered: losses, metrics and counts seen during training; they must not be released, nor steer it",
    "not covered: choosing hyper-parameters by looking at these data",
)
"""What every guarantee of a training rests on, beside its own assumptions and those of its plan."""

_SMALL = 1 << 14  # numbers of a sum that gets its noise together with others
_COUNTS = "counts of short gradients"
_REACH = 30.0  # a threshold moves by at most this many natural logarithms from where it started


class PrivateSum:
    """The noisy mean of clipped gradients, step after step.

    Call `add` for every physical batch of a step, then `finish` once. Several processes call `settle` after each
    physical batch, whether they had an example in it or not, and `finish` as often as one another.

    Args:
        plan: noise, clipping norm, expected batch size and how to clip.
        parameters: name to parameter; sums are made for these.
        noise: where the noise comes from.
        prefix: what the names have in front that whoever wrote the plan does not know of.
        ranks: the processes that train together; this one alone by default.

    Attributes:
        ignored: how many examples had a gradient that was not finite, in all processes, up to the last `finish`. About
            the data: no promise covers it.
        thresholds: the clipping norm of each group. Public: they follow from noisy quantities only.
    """

    def __init__(
        self,
        plan: Plan,
        parameters: Mapping[str, torch.Tensor],
        noise: Randomness,
        *,
        prefix: str = "",
        ranks: Ranks | None = None,
    ) -> None:
        if noise.is_shared:
            raise UsageError(
                "Expected noise that is this process's own, got a generator that others share: each would add the "
                "same.",
                "Pass Randomness.secure().",
            )
        self._plan, self._noise = plan, noise
        self._stream, self._scale = NoiseStream(plan.correlation), plan.noise_scale
        self._steps = 0
        groups, parts = plan.clipping.assigned(name.removeprefix(prefix) for name in parameters)
        self._groups = {name: groups[name.removeprefix(prefix)] for name in parameters}
        self._parts = parts
        self._start = [plan.l2_clip_norm * part for part in parts]
        self.thresholds = self._planned_thresholds()
        self.ignored = 0
        self._shapes = {name: (p.shape, torch.promote_types(p.dtype, torch.float32)) for name, p in parameters.items()}
        self._devices = {name: p.device for name, p in parameters.items()}
        self._spread = Spread(Ranks() if ranks is None else ranks, parameters)
        self._totals: dict[str, torch.Tensor] = {}  # whole sums of this process, or its parts of the sums of all
        self._waiting: list[tuple[Gathered, dict[str, torch.Tensor]]] = []
        self._unsettled: dict[str, torch.Tensor] = {}  # whole sums of this process, on a grid
        self._short = [0.0] * len(parts)
        self._unusable = 0
        # Deviation of the noise in steps, and the step in units of a group's threshold.
        self._grid = None if plan.grid is None else fitted_grid(self._multiplier_of(plan.noise_multiplier), plan.grid)

    def _multiplier_of(self, planned: float) -> float:
        """Noise on each group in units of its threshold, at the noise multiplier that is planned for a step.

        A unit moves each group by its threshold, so all of them, each in units of its own, by sqrt(groups).
        """
        plan, count = self._plan, len(self.thresholds)
        spread = plan.clipping.gradient_noise_multiplier(planned, plan.batch_size, groups=count)
        return self._scale * spread * math.sqrt(count)

    def add(self, gathered: Iterable[Gathered], scale: float = 1.0) -> None:
        """Clip and add the gradients of a physical batch, each multiplied by `scale` first; they are used up."""
        for part in gathered:
            if self._grid is not None:
                self._add_whole(part, scale, self._grid[1])
                continue
            factors, ignored, short = _factors(part, self._groups, self.thresholds, self._plan.clipping, scale)
            self._count(ignored, short)
            if self._spread.sharded:
                self._waiting.append((part, factors))
            else:
                _add_to(self._totals, part.weighted(factors, release=True))

    def _add_whole(self, part: Gathered, scale: float, step: float) -> None:
        clipping = self._plan.clipping
        found = whole_sum(part, self._groups, self.thresholds, grid=step, clipping=clipping, scale=scale)
        self._count(found.ignored, [0.5 * number for number in found.short])
        _add_to(self._unsettled if self._spread.sharded else self._totals, found.steps)

    def _count(self, ignored: int, short: list[float]) -> None:
        self._unusable += ignored
        self._short = [have + more for have, more in zip(self._short, short, strict=True)]

    def settle(self) -> None:
        """Add up over the processes what was added here, if parameters are sharded: whole sums are not kept then."""
        if not self._spread.sharded:
            return
        for names in self._spread.bundles:
            totals = {name: self._whole(name, None) for name in names}
            for part, factors in self._waiting:
                for name in part.names.intersection(names):
                    totals[name] += part.weighted_one(name, factors[name], release=True).to(totals[name])
            for name in self._unsettled.keys() & set(names):
                totals[name] += self._unsettled.pop(name)
            _add_to(self._totals, {name: own.clone() for name, own in self._spread.owned(totals).items()})
        self._waiting = []

    def finish(self) -> dict[str, torch.Tensor]:
        """Name to noisy sum over expected batch size, in float32 or better; the next step starts from nothing."""
        plan = self._plan
        self.settle()
        noise = self._noise.spawn(f"step {self._steps}")  # a stream of its own, so that a repeatable run can go on here
        planned = plan.noise_multiplier_at(self._steps)
        multiplier = self._multiplier_of(planned)
        owned = self._owned()
        for names in self._drawn_together():
            # One draw for all of them: with a draw for each bias, most of a small network's time would be calls.
            together = owned[names[0]] if len(names) == 1 else torch.cat([owned[name] for name in names])
            noisy = self._with_own_noise(names, together, multiplier, noise)
            owned.update(zip(names, noisy.split([len(owned[name]) for name in names]), strict=True))
        result = self._spread.results(owned)
        *self._short, unusable = self._spread.ranks.added([*self._short, float(self._unusable)])
        self.ignored += int(unusable)
        self._steps += 1
        if plan.clipping.quantile is None:
            self.thresholds = self._planned_thresholds()
        else:
            self._move(plan.clipping.quantile, planned, noise)
            self.thresholds = self._spread.ranks.first(self.thresholds)
        self._short, self._unusable = [0.0] * len(self.thresholds), 0
        if self._steps >= plan.steps:
            self._stream.forget()  # nothing comes after it, and whoever reads it could take noise away
        return result

    def _whole(self, name: str, total: torch.Tensor | None) -> torch.Tensor:
        shape, dtype = self._shapes[name]
        dtype, device = dtype if self._grid is None else torch.int64, self._devices[name]
        return torch.zeros(shape, dtype=dtype, device=device) if total is None else total.to(dtype)

    def _owned(self) -> dict[str, torch.Tensor]:
        """This process's flat parts of the sums over all."""
        if self._spread.sharded:
            owned, self._totals = self._totals, {}
            return owned
        owned = {}
        for names in self._spread.bundles:
            owned.update(self._spread.owned({name: self._whole(name, self._totals.pop(name, None)) for name in names}))
        return owned

    def _drawn_together(self) -> list[list[str]]:
        """The order of noise, and the small parameters that get it in one draw."""
        large: list[list[str]] = []
        small: dict[Any, list[str]] = {}
        for name, (shape, dtype) in self._shapes.items():
            if shape.numel() > _SMALL:
                large.append([name])
            else:
                small.setdefault((self._groups[name], dtype, self._devices[name]), []).append(name)
        return [*large, *small.values()]

    def _with_own_noise(
        self, names: list[str], own: torch.Tensor, multiplier: float, noise: Randomness
    ) -> torch.Tensor:
        """Parts of sums with noise, over the expected batch size."""
        threshold, divisor = self.thresholds[self._groups[names[0]]], self._plan.batch_size
        # Whoever owns a number draws for it, and nobody else does; a simulation draws what one process would draw.
        by_owner = self._spread.ranks.alone or noise.is_secure
        whole = own if by_owner else own.new_zeros(sum(self._shapes[name][0].numel() for name in names))
        if self._grid is not None:
            steps, step = self._grid
            noisy = with_whole_noise(whole, steps, noise)
            noisy = noisy if by_owner else own + self._spread.mine(names, noisy)
            return (noisy.to(torch.float64) * (step * threshold / divisor)).to(self._shapes[names[0]][1])
        deviation = multiplier * threshold
        if by_owner:
            return self._with_noise(names, own, deviation, noise, divisor)
        drawn = self._with_noise(names, whole, deviation, noise, 1.0)
        return own.add_(self._spread.mine(names, drawn)).div_(divisor)

    def _with_noise(
        self, names: list[str], total: torch.Tensor, deviation: float, noise: Randomness, divisor: float
    ) -> torch.Tensor:
        if self._plan.correlation.is_independent:
            return _with_noise(total, deviation, noise, divisor)
        drawn = self._stream.draw(names[0] if len(names) == 1 else f"{names[0]} ...", total, noise)
        return total.add_(drawn, alpha=deviation).div_(divisor)

    @property
    def _keeps_noise(self) -> bool:
        """Whether past noise is saved: not where each process has its own, which the others never see."""
        return self._spread.ranks.alone or not self._noise.is_secure

    def state(self) -> dict[str, Any]:
        """What the next steps depend on, beside fresh noise; with a correlation it holds past noise: keep it secret."""
        return {
            "steps": self._steps,
            "thresholds": list(self.thresholds),
            "ignored": self.ignored,
            "noise": self._stream.state() if self._keeps_noise else None,
        }

    def restore(self, state: Mapping[str, Any], *, at: int | None = None) -> None:
        """Go on from `state()`, at the step where it was taken or at a later one.

        Where steps are passed over, because a stop has lost them, correlated noise starts anew: what was seen of the
        lost steps and what comes then share no noise, so that one promise covers both. So it does where several
        processes draw secure noise, each its own: it is not saved.
        """
        if len(state["thresholds"]) != len(self._start):
            raise UsageError(
                f"Expected {len(self._start)} thresholds, got {len(state['thresholds'])}.",
                "Restore the state of the same network and plan.",
            )
        saved, past = int(state["steps"]), state["noise"]
        if at not in (None, saved) or past is None or not self._keeps_noise:
            self._stream.forget()
        elif not past and 0 < saved < self._plan.steps and not self._plan.correlation.is_independent:
            raise UsageError(
                "Expected past noise in the state of a training with correlated noise, got none.",
                "Restore the state as it was saved.",
            )
        else:
            self._stream.restore(past)
        self._steps, self.ignored = saved if at is None else at, int(state["ignored"])
        self.thresholds = [float(value) for value in state["thresholds"]]
        if self._plan.clipping.quantile is None:
            self.thresholds = self._planned_thresholds()

    def _planned_thresholds(self) -> list[float]:
        norm = self._plan.l2_clip_norm_at(self._steps)
        return [norm * part for part in self._parts]

    def _move(self, quantile: float, planned: float, source: Randomness) -> None:
        plan, count = self._plan, len(self.thresholds)
        deviation = plan.clipping.count_noise(planned, plan.batch_size, groups=count) if planned else 0.0
        drawn: np.ndarray[Any, Any]
        if self._grid is not None:  # counts are whole numbers of halves
            drawn = 0.5 * whole_count_noise(2.0 * deviation, count, source)
        elif plan.correlation.is_independent:
            drawn = source.normal(count, standard_deviation=deviation)
        else:  # of the same kind as that of the gradients, beside which the counts are accounted
            fresh = self._stream.draw(_COUNTS, torch.zeros(count, dtype=torch.float64), source)
            drawn = self._scale * deviation * fresh.numpy()
        for group, (short, noise) in enumerate(zip(self._short, drawn, strict=True)):
            share = (short + float(noise)) / plan.batch_size + 0.5
            moved = self.thresholds[group] * math.exp(-plan.clipping.learning_rate * (share - quantile))
            limits = (self._start[group] * math.exp(-_REACH), self._start[group] * math.exp(_REACH))
            self.thresholds[group] = min(max(moved, limits[0]), limits[1])


def _add_to(totals: dict[str, torch.Tensor], more: Mapping[str, torch.Tensor]) -> None:
    for name, total in more.items():
        have = totals.get(name)
        totals[name] = total if have is None else have.add_(total)


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
    groups, gathered = dict.fromkeys(gradients, 0), Gathered.of(gradients)
    factors, ignored, _ = _factors(gathered, groups, [l2_clip_norm], Clipping(), 1.0)
    return gathered.weighted(factors, release=True), ignored


def _factors(
    gathered: Gathered, groups: Mapping[str, int], thresholds: list[float], clipping: Clipping, scale: float
) -> tuple[dict[str, torch.Tensor], int, list[float]]:
    """What each example's gradient is multiplied by, the number of ignored examples, and for each group (unclipped -
    clipped examples) / 2."""
    squares = gathered.squared_norms()
    if not squares:
        return {}, 0, [0.5 * gathered.examples] * len(thresholds)  # no gradient at all is a short one
    like = next(iter(squares.values()))
    sums = [torch.zeros_like(like) for _ in thresholds]
    for name, square in squares.items():
        sums[groups[name]] += square.to(like.device)
    norms = [total.sqrt() * scale for total in sums]
    factors, usable = factors_of(norms, thresholds, clipping)
    short = [
        float((usable & (norm <= threshold)).sum()) - 0.5 * float(usable.sum())
        for norm, threshold in zip(norms, thresholds, strict=True)
    ]
    factors = [torch.where(usable, factor * scale, torch.zeros_like(factor)) for factor in factors]
    return {name: factors[groups[name]] for name in gathered.names}, int((~usable).sum()), short


def _with_noise(total: torch.Tensor, deviation: float, noise: Randomness, divisor: float) -> torch.Tensor:
    total = total.contiguous()
    if total.device.type == "cpu":
        noise.add_normal(total.numpy(), standard_deviation=deviation, divisor=divisor)
        return total
    drawn = noise.normal(tuple(total.shape), standard_deviation=deviation)
    kind = np.float64 if total.dtype == torch.float64 else np.float32
    return total.add_(torch.from_numpy(drawn.astype(kind, copy=False)).to(total.device)).div_(divisor)
