"""A plan of private training: sampler, clipping, noise and steps, and the noise calibrated to a promise.

Promise: `Plan.calibrate` finds whichever of noise, steps and batch size is left out: the least noise (within 0.1 %),
the most steps or the largest batch at which the plan's guarantee meets the asked epsilon at the asked delta. It never
overshoots: the returned plan's `guarantee().epsilon(delta)` is at or below the target.

A plan is immutable and serialisable. What it says is what the training engine executes; the guarantee of a run comes
from the steps that were executed, through `guarantee(steps=...)`.

Example:
    >>> from reticent.privacy import Plan
    >>> plan = Plan.calibrate(epsilon=3, delta=1e-5, dataset_size=60_000, batch_size=512, epochs=5)
    >>> plan.steps, plan.guarantee().epsilon(1e-5) <= 3
    (586, True)
    >>> Plan.calibrate(epsilon=3, delta=1e-5, dataset_size=60_000, batch_size=512, noise_multiplier=1.0).steps
    3728
    >>> Plan.calibrate(epsilon=1e-5, delta=3, dataset_size=60_000, batch_size=512, epochs=5)
    Traceback (most recent call last):
    reticent.errors.UsageError: Expected 0 < delta < 1, got delta=3. Did you swap epsilon and delta?
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy.accounting import epsilon_at
from reticent.privacy.calibrating import asked_steps, largest, least_noise
from reticent.privacy.charges import Charge
from reticent.privacy.clipping import Clipping
from reticent.privacy.correlations import Banded, Correlation, correlation_from_dict
from reticent.privacy.guarantee import Guarantee
from reticent.privacy.mechanisms import Mechanism, OnGrid
from reticent.privacy.mechanisms.lattice import checked_grid
from reticent.privacy.samplers import Poisson, Sampler
from reticent.privacy.schedules import Schedule
from reticent.privacy.units import Relation, Unit, check_kinds

__all__ = ["Plan"]

_ROUNDING = "not covered: attacks on the rounding of noise to floating point (Mironov, 2012)"
_MOST_STEPS = 1_000_000
_FOR_INSTANCE = {
    "clipping": "Clipping(...)",
    "sampling": "for instance Poisson() or Shuffled()",
    "correlation": "for instance Banded.optimal(steps, bands)",
    "noise_schedule": "for instance Schedule(((100, 1.0), (50, 0.8)))",
    "clip_schedule": "for instance Schedule(((100, 1.0), (50, 0.8)))",
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """DP-SGD: what one step does, and how many there are.

    Args:
        noise_multiplier: standard deviation of the noise on the sum, in units of `l2_clip_norm`.
        dataset_size: number of units n, treated as public.
        batch_size: expected number of units in a batch; each takes part with probability batch_size / n.
        steps: number of noisy updates.
        l2_clip_norm: no unit moves the sum of a batch by more than this, in l2 norm.
        unit: whose privacy is planned for.
        relation: which data sets are neighbours.
        delta: the delta that the promise is stated at.
        clipping: how contributions are bounded; the promise does not depend on it. With a quantile, `l2_clip_norm` is
            where the threshold starts.
        sampling: how batches are drawn, and so what they cost: see `reticent.privacy.samplers`.
        rows_per_unit: over how many of a drawn person's (or client's) rows, chosen at random, her gradient is averaged
            before it is clipped.
        grid: the largest step, in units of `l2_clip_norm`, to whole multiples of which clipped gradients are rounded,
            towards zero; noise is then drawn in whole steps, exactly, and no rounding of noise can betray what it
            hides. Fine grids cost nothing but time: 2^-20 shortens a gradient of a million parameters by at most a
            thousandth of the clipping norm. None: Gaussian noise in floating point.
        correlation: how the noise of one step hangs together with that of others: see `reticent.privacy.correlations`.
        noise_schedule: factors of the noise multiplier, for steps in turn; every step is charged with its own.
        clip_schedule: factors of the clipping norm; the noise goes with it, so the promise does not depend on it.

    Raises:
        UsageError: a value out of range, a batch larger than the data set, delta >= 1/n, a correlation whose cost with
            this sampler is not known.
    """

    noise_multiplier: float
    dataset_size: int
    batch_size: int
    steps: int
    l2_clip_norm: float = 1.0
    unit: Unit = Unit.EXAMPLE
    relation: Relation = Relation.ADD_OR_REMOVE_ONE
    delta: float = 1e-5
    clipping: Clipping = dataclasses.field(default_factory=Clipping)
    sampling: Sampler = dataclasses.field(default_factory=Poisson)
    rows_per_unit: int = 1
    grid: float | None = None
    correlation: Correlation = dataclasses.field(default_factory=Banded.independent)
    noise_schedule: Schedule = dataclasses.field(default_factory=Schedule)
    clip_schedule: Schedule = dataclasses.field(default_factory=Schedule)

    def __post_init__(self) -> None:
        check_kinds(self.unit, self.relation)
        for kind, named in (
            (Clipping, ("clipping",)),
            (Sampler, ("sampling",)),
            (Correlation, ("correlation",)),
            (Schedule, ("noise_schedule", "clip_schedule")),
        ):
            for name in named:
                if not isinstance(getattr(self, name), kind):
                    raise UsageError(
                        f"Expected a {kind.__name__}, got {name}={getattr(self, name)!r}.",
                        f"Pass {_FOR_INSTANCE[name]}.",
                    )
        for name, value in {
            "noise_multiplier": _checks.non_negative(noise_multiplier=self.noise_multiplier),
            "dataset_size": _checks.at_least(1, dataset_size=self.dataset_size),
            "batch_size": _checks.at_least(1, batch_size=self.batch_size),
            "steps": _checks.at_least(1, steps=self.steps),
            "l2_clip_norm": _checks.positive(l2_clip_norm=self.l2_clip_norm),
            "delta": _checks.delta(delta=self.delta, dataset_size=int(self.dataset_size)),
            "rows_per_unit": _checks.at_least(1, rows_per_unit=self.rows_per_unit),
        }.items():
            object.__setattr__(self, name, value)  # Python numbers, whatever kind was given
        if self.batch_size > self.dataset_size:
            raise UsageError(
                f"Expected batch_size <= dataset_size, got batch_size={self.batch_size} "
                f"and dataset_size={self.dataset_size}.",
                "Pass a smaller batch.",
            )
        self.sampling.check(self.dataset_size, self.batch_size, self.relation)
        rows = self.sampling.most_rows
        if (self.rows_per_unit > 1 and (self.unit is Unit.EXAMPLE or rows is not None)) or (
            rows is not None and self.unit is Unit.EXAMPLE
        ):
            raise UsageError(
                f"Expected several rows for a unit that owns several, got unit={self.unit.value}, "
                f"rows_per_unit={self.rows_per_unit} and sampling={self.sampling!r}.",
                "Plan with unit=Unit.PERSON, and either rows_per_unit or PoissonRows.",
            )
        if self.clipping.quantile is not None and not self.clip_schedule.is_constant:
            raise UsageError(
                "Expected clipping norms that follow a quantile or a schedule, got both.", "Leave one of them out."
            )
        _ = self._charge  # known, or refused here
        if self.grid is not None:
            object.__setattr__(self, "grid", checked_grid(self.grid))
            if not (self.correlation.is_independent and self.noise_schedule.is_constant):
                raise UsageError(
                    f"Expected independent noise of one size on a grid, got {self.correlation.text()} and "
                    f"noise_schedule={self.noise_schedule!r}.",
                    "Leave the grid out, or the correlation and the schedule.",
                )
            self._mechanisms(self.noise_multiplier, 1)  # raises where the grid has no such noise

    @classmethod
    def calibrate(
        cls,
        *,
        epsilon: float,
        delta: float,
        dataset_size: int,
        batch_size: int | None = None,
        epochs: float | None = None,
        steps: int | None = None,
        noise_multiplier: float | None = None,
        l2_clip_norm: float = 1.0,
        unit: Unit = Unit.EXAMPLE,
        relation: Relation = Relation.ADD_OR_REMOVE_ONE,
        clipping: Clipping | None = None,
        sampling: Sampler | None = None,
        rows_per_unit: int = 1,
        grid: float | None = None,
        correlation: Correlation | None = None,
        noise_schedule: Schedule | None = None,
        clip_schedule: Schedule | None = None,
    ) -> Plan:
        """The plan that promises (epsilon, delta) with the least noise, the most steps or the largest batch.

        Give all but one of `noise_multiplier`, `steps` (or `epochs`) and `batch_size`. Never planned: a noise
        multiplier below 0.05, more than a million steps.

        Args:
            epsilon: the target, above 0.
            delta: below 1/n.
            dataset_size: number of units n.
            batch_size: expected batch size.
            epochs: passes over the data, in expectation; gives ceil(epochs * n / batch_size) steps.
            steps: number of updates, instead of `epochs`.
            noise_multiplier: see `Plan`.
            l2_clip_norm: see `Plan`.
            unit: see `Plan`.
            relation: see `Plan`.
            clipping: see `Plan`.
            sampling: see `Plan`.
            rows_per_unit: see `Plan`.
            grid: see `Plan`.
            correlation: see `Plan`.
            noise_schedule: see `Plan`; the noise that is found is what its factors multiply.
            clip_schedule: see `Plan`.
        """
        steps = asked_steps(epsilon, delta, dataset_size, batch_size, epochs, steps, noise_multiplier)
        how = Clipping() if clipping is None else clipping
        plan = cls(
            1.0 if noise_multiplier is None else noise_multiplier,
            dataset_size,
            1 if batch_size is None else batch_size,
            1 if steps is None else steps,
            l2_clip_norm,
            unit,
            relation,
            delta,
            how,
            Poisson() if sampling is None else sampling,
            rows_per_unit,
            grid,
            Banded.independent() if correlation is None else correlation,
            Schedule() if noise_schedule is None else noise_schedule,
            Schedule() if clip_schedule is None else clip_schedule,
        )
        if noise_multiplier is None:
            return plan._with_least_noise(epsilon)
        return plan._with_most(epsilon, "steps" if steps is None else "batch_size")

    @property
    def sample_rate(self) -> float:
        """The probability with which a unit takes part in a step."""
        return self.batch_size / self.dataset_size

    @property
    def epochs(self) -> float:
        """Expected number of times a unit is used."""
        return self.steps * self.sample_rate

    @property
    def noise_scale(self) -> float:
        """The deviation of the independent noise, in noise multipliers times clipping norms: 1 or, correlated, more."""
        return self._charge.scale

    def noise_multiplier_at(self, step: int) -> float:
        """The noise multiplier of step number `step`, counted from 0."""
        return self.noise_multiplier * self.noise_schedule.factor(step)

    def l2_clip_norm_at(self, step: int) -> float:
        """The clipping norm of step number `step`, counted from 0; where a quantile starts."""
        return self.l2_clip_norm * self.clip_schedule.factor(step)

    def steps_in_next_epoch(self, done: int) -> int:
        """How many steps to take, after `done` of them, until the next whole pass (in expectation) or the end.

        Epochs of n / batch_size steps rarely end on a whole step; passes are as even as whole steps allow, and as many
        as were planned.
        """
        passes = done * self.batch_size // self.dataset_size + 1
        return min(-(-passes * self.dataset_size // self.batch_size), self.steps) - done

    def guarantee(
        self, *, steps: int | None = None, assumptions: tuple[str, ...] = (), simulated: bool = False
    ) -> Guarantee:
        """What the plan promises after the given number of executed steps (all of them by default)."""
        count = self.steps if steps is None else _checks.at_least(0, steps=steps)
        drawn = "units" if self.sampling.most_rows is None else "rows"
        size = f"the number of {drawn}, n = {self.dataset_size}, is public"
        of_rounding = (_ROUNDING,) if self.grid is None else ()
        said = (self.sampling.assumption, *self._charge.assumptions, size, *assumptions, *of_rounding)
        return Guarantee(
            mechanisms=self._mechanisms(self.noise_multiplier, count),
            unit=self.unit,
            relation=self.relation,
            assumptions=tuple(dict.fromkeys(said)),
            dataset_size=self.dataset_size,
            simulated=simulated,
        )

    def _mechanisms(self, noise_multiplier: float, count: int) -> tuple[Mechanism, ...]:
        found = self._charge.mechanisms(noise_multiplier, count)
        if self.grid is None:
            return found
        return tuple(OnGrid((mechanism,), self.grid, mechanism.count) for mechanism in found)

    @functools.cached_property
    def _charge(self) -> Charge:
        sizes = self.dataset_size, self.batch_size, self.steps
        return Charge(self.sampling, self.correlation, self.noise_schedule, *sizes)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for records and files; `from_dict` makes an equal plan of them."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **plain,
            "unit": self.unit.value,
            "relation": self.relation.value,
            "clipping": self.clipping.as_dict(),
            "sampling": self.sampling.as_dict(),
            "correlation": self.correlation.as_dict(),
            "noise_schedule": self.noise_schedule.as_list(),
            "clip_schedule": self.clip_schedule.as_list(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The plan that `as_dict` wrote.

        Raises:
            UsageError: a field is missing or unknown, or a value is out of range.
        """
        if not isinstance(values, dict) or set(values) != {field.name for field in dataclasses.fields(cls)}:
            raise UsageError(f"Expected the fields of a plan, got {list(values)}.", "Write them as saved.")
        try:
            kinds = {
                "unit": Unit(values["unit"]),
                "relation": Relation(values["relation"]),
                "clipping": Clipping.from_dict(values["clipping"]),
                "sampling": Sampler.from_dict(values["sampling"]),
                "correlation": correlation_from_dict(values["correlation"]),
                "noise_schedule": Schedule.from_list(values["noise_schedule"]),
                "clip_schedule": Schedule.from_list(values["clip_schedule"]),
            }
            return cls(**{**values, **kinds})
        except (TypeError, ValueError) as error:
            raise UsageError(f"Expected a plan as written by as_dict(), got {error}.", "Save it again.") from error

    def _with_most(self, epsilon: float, what: str) -> Plan:
        """The plan with the most steps, or the largest batch, that keeps the promise."""
        if not self._charge.is_amplified:
            raise UsageError(
                f"Expected noise to be found with {self.correlation.text()}, got a fixed noise multiplier: it is that "
                "of all steps together, so that more steps, or more uses, would not change the promise.",
                "Leave noise_multiplier out, and pass steps and batch_size.",
            )
        limit = self.dataset_size // self.sampling.reach if what == "batch_size" else _MOST_STEPS

        def with_number(number: int) -> Plan:
            if what == "steps":
                return dataclasses.replace(self, steps=number)
            return dataclasses.replace(self, batch_size=number)

        def fits(number: int) -> bool:
            return with_number(number).guarantee().epsilon(self.delta) <= epsilon

        if not fits(1):
            raise UsageError(
                f"Expected noise under which at least one step keeps epsilon={epsilon!r} at delta={self.delta!r}, got "
                f"noise_multiplier={self.noise_multiplier!r}.",
                "Pass more noise, or a larger epsilon.",
            )
        return with_number(largest(fits, limit))

    def _with_least_noise(self, epsilon: float) -> Plan:
        def epsilon_of(noise: float) -> float:
            # Without the grid, which costs nothing: noise that is only tried need not fit onto it.
            return epsilon_at(self._charge.mechanisms(noise, self.steps), self.relation, self.delta)

        # A first guess from the central limit of subsampled Gaussians.
        spread = self.sample_rate * math.sqrt(self.steps)
        guess = 0.5 + spread * math.sqrt(2 * math.log(1.25 / self.delta)) / epsilon
        noise = least_noise(epsilon_of, epsilon, guess)
        if noise is None:
            raise UsageError(
                f"Expected an epsilon that noise can reach, got epsilon={epsilon!r} at delta={self.delta!r}.",
                "Pass a larger epsilon or delta.",
            )
        return dataclasses.replace(self, noise_multiplier=noise)
