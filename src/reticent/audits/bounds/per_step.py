"""A lower bound on the epsilon of a whole training from what single steps show, and checks of their noise and sampling.

Promise: if its assumptions hold, the bound is at or below the training's true epsilon with at least the stated
confidence. They are strong, and stand in `LowerBound.assumptions`: this is a test of an implementation, by somebody who
sees every noisy gradient.

How (Nasr et al., 2023): a canary gradient g* whose norm is the clipping norm C is put into a step with the probability
with which any unit takes part; the statistic of a step is the product of g* with the step's noisy sum of gradients,
divided by C^2. It is N(0, s^2) without and N(1, s^2) with the canary, s the noise multiplier. Every step is a sample,
so two runs give thousands. "With" is named above a threshold; the rates are bounded as in `many_runs`; from

    TPR <= q Phi(Phi^-1(FPR) + 1/s) + (1 - q) FPR

the largest s follows that allows both (a smaller one would allow more); and the accountant composes so many steps with
it. `inserted` says in which steps of the first run the canary really was: then only those are compared, q = 1 in the
formula, and that units are sampled with probability q is taken from the claim; `check_inclusion` tests it.

`check_noise` holds the variance of samples of the noise alone against the claimed one, `check_inclusion` the number of
steps that a unit took part in against the sample rate; either gives an interval and the p-value of both directions.

Units: statistics in clipping norms.

Example:
    >>> from reticent.audits.bounds import check_noise, per_step
    >>> from reticent.randomness import Randomness
    >>> chance = Randomness.simulated(3)
    >>> noise = chance.normal((2, 4000), standard_deviation=0.5)  # half of what is claimed
    >>> bound = per_step(1 + noise[0], noise[1], steps=1000, sample_rate=0.01, inserted=[True] * 4000, delta=1e-5)
    >>> from reticent.privacy import Guarantee, SampledGaussian
    >>> claim = Guarantee((SampledGaussian(noise_multiplier=1.0, sample_rate=0.01, count=1000),))
    >>> bound.epsilon > claim.epsilon(1e-5)
    True
    >>> check_noise(noise[1], 1.0).too_small
    True
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrc, chdtr, chdtrc, chdtri, ndtri

from reticent import _checks
from reticent._numbers import shown
from reticent.audits.bounds.many_runs import rate_at_least, rate_at_most
from reticent.errors import DataError, UsageError
from reticent.evidence import Estimate
from reticent.evidence.bounds import LowerBound
from reticent.privacy import Guarantee, Relation, SampledGaussian, Unit

__all__ = ["MOST_MULTIPLIER", "StepCheck", "check_inclusion", "check_noise", "epsilon_of_steps", "per_step"]

Array = npt.NDArray[np.float64]

_ROUNDING = 1e-3  # the accountant's epsilon is above the truth by less than this share of it
MOST_MULTIPLIER = 1e4  # with more noise than this, the steps together give away nothing that could be shown
_ASSUMPTIONS = (
    "the adversary sees every noisy gradient",
    "every step adds Gaussian noise of the same standard deviation to the sum, drawn afresh",
    "the canary's gradient has the clipping norm, and the sum of all others does not depend on whether it is there; "
    "what they add to the statistic is the same in both runs",
    "the thresholds were fixed before the statistics were seen",
)
_SAMPLED = "the canary took part in each step with the sample rate, independently"
_KNOWN = "units are sampled at the stated rate: it is claimed, and the bound does not test it"


def per_step(
    with_canary: Any,
    without_canary: Any,
    *,
    steps: int,
    sample_rate: float,
    delta: float,
    confidence: float = 0.95,
    inserted: Any = None,
    thresholds: Sequence[float] = (0.5,),
    unit: Unit = Unit.EXAMPLE,
) -> LowerBound:
    """A lower bound on the epsilon of `steps` steps, from the statistics of single ones.

    Args:
        with_canary: (n,) statistics of the steps of a run with the canary.
        without_canary: (k,) statistics of the steps of a run without it.
        steps: how many steps the training has; what was observed may be fewer or more.
        sample_rate: probability with which a unit takes part in a step, in (0, 1].
        delta: at which delta, in (0, 1).
        confidence: how often such a bound is at or below the truth.
        inserted: (n,) in which steps of the first run the canary took part; None: not known.
        thresholds: fixed in advance; each has an equal share of the error probability.
        unit: what the canary is.

    Raises:
        DataError: statistics that cannot be used.
        UsageError: an argument that cannot mean anything.
    """
    _checks.at_least(1, steps=steps)
    _checks.delta(delta=delta)
    chance = 1.0 - _checks.open_fraction(confidence=confidence)
    rate = _checks.positive(sample_rate=_checks.fraction(sample_rate=sample_rate))
    places = np.asarray(thresholds, dtype=np.float64)
    if places.ndim != 1 or not len(places) or not np.isfinite(places).all():
        raise UsageError(f"Expected finite thresholds, got {thresholds!r}.", "Pass for instance (0.5,).")
    inside, outside = _finite(with_canary), _finite(without_canary)
    if inserted is not None:
        inside = _finite(inside[_mask(inserted, inside)])
    tail = chance / (2 * len(places))
    named = np.array([(inside > place).sum() for place in places])
    wrong = np.array([(outside > place).sum() for place in places])
    true_low, false_high = rate_at_least(named, len(inside), tail), rate_at_most(wrong, len(outside), tail)
    taken = rate if inserted is None else 1.0
    mus = _step_mus(true_low, false_high, taken)
    chosen = int(np.argmax(mus))
    mu = float(mus[chosen])
    epsilon, multiplier = 0.0, None
    if mu > 1.0 / MOST_MULTIPLIER:
        multiplier = 1.0 / mu
        epsilon = epsilon_of_steps(multiplier, steps, rate, delta)
    return LowerBound(
        epsilon=epsilon,
        delta=delta,
        confidence=confidence,
        method="statistics of single steps, composed",
        trials=len(inside) + len(outside),
        unit=unit,
        relation=Relation.ADD_OR_REMOVE_ONE,
        assumptions=(*_ASSUMPTIONS, _SAMPLED if inserted is None else _KNOWN),
        details={
            "noise_multiplier_at_most": multiplier,
            "mu_of_a_step": mu,
            "steps": int(steps),
            "sample_rate": rate,
            "known": inserted is not None,
            "with_canary": len(inside),
            "without_canary": len(outside),
            "thresholds": [float(place) for place in places],
            "true_positives": [int(one) for one in named],
            "false_positives": [int(one) for one in wrong],
            "chosen": chosen,
            "taken_too_often": bool((true_low - (1.0 - taken) * false_high > taken).any()),
        },
    )


def epsilon_of_steps(multiplier: float, steps: int, rate: float, delta: float) -> float:
    """The epsilon of so many steps with this noise, at most the true one."""
    whole = Guarantee((SampledGaussian(noise_multiplier=multiplier, sample_rate=rate, count=steps),))
    return whole.epsilon(delta) * (1.0 - _ROUNDING)


def _step_mus(true_low: Array, false_high: Array, rate: float) -> Array:
    """The least 1/s at which a step allows these rates; 0 where any noise does."""
    with np.errstate(invalid="ignore"):
        found: Array = ndtri(np.clip((true_low - (1.0 - rate) * false_high) / rate, 0.0, 1.0)) - ndtri(false_high)
    # A share of 1 or more: the canary took part more often than it should, which says nothing about the noise.
    return np.where(np.isfinite(found), np.maximum(found, 0.0), 0.0)


@dataclasses.dataclass(frozen=True)
class StepCheck:
    """A claimed property of single steps beside what was observed.

    Args:
        name: what was checked.
        observed: with its interval.
        claimed: what should have been seen.
        p_small: how probable a value as small as this is, if the claim holds.
        p_large: how probable a value as large as this is, if the claim holds.
        significance: below which of these two probabilities the claim is called wrong; each has half of it.
    """

    name: str
    observed: Estimate
    claimed: float
    p_small: float
    p_large: float
    significance: float

    @property
    def too_small(self) -> bool:
        """Whether the observed value is below the claim by more than chance explains."""
        return self.p_small < self.significance / 2

    @property
    def too_large(self) -> bool:
        """Whether the observed value is above the claim by more than chance explains."""
        return self.p_large < self.significance / 2

    def __str__(self) -> str:
        found = "too small" if self.too_small else "too large" if self.too_large else "no deviation found"
        return f"{self.name}: {self.observed}, claimed {shown(self.claimed, 4)}: {found}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def check_noise(noise: Any, claimed: float, *, mean: float | None = 0.0, significance: float = 0.01) -> StepCheck:
    """Hold the standard deviation of samples of the noise against the claimed one (chi-square).

    Args:
        noise: (n,) independent samples, such as a step's statistics without the canary.
        claimed: the standard deviation that is claimed, above 0.
        mean: their true mean; None: not known, and estimated.
        significance: how probable it may be that the check calls a true claim wrong.

    Raises:
        DataError: samples that cannot be used.
    """
    values = _finite(noise, least=2)
    _checks.positive(claimed=claimed)
    confidence = 1.0 - _checks.open_fraction(significance=significance)
    centre = float(values.mean()) if mean is None else float(mean)
    free = len(values) - (mean is None)
    squares = float(((values - centre) ** 2).sum())
    low, high = (math.sqrt(squares / float(chdtri(free, side))) for side in (significance / 2, 1 - significance / 2))
    deviation = min(max(math.sqrt(squares / free), low), high)
    observed = Estimate(deviation, low, high, confidence, len(values), "chi-square interval of a standard deviation")
    ratio = squares / claimed**2
    return StepCheck(
        "standard deviation of the noise",
        observed,
        float(claimed),
        float(chdtr(free, ratio)),
        float(chdtrc(free, ratio)),
        float(significance),
    )


def check_inclusion(count: int, steps: int, sample_rate: float, *, significance: float = 0.01) -> StepCheck:
    """Hold the number of steps that a unit took part in against the claimed sample rate (binomial).

    Args:
        count: in how many steps.
        steps: of how many.
        sample_rate: the claimed probability, independent from step to step.
        significance: how probable it may be that the check calls a true claim wrong.

    Raises:
        UsageError: counts that cannot be.
    """
    steps, count = _checks.at_least(1, steps=steps), _checks.at_least(0, count=count)
    if count > steps:
        raise UsageError(f"Expected count <= steps, got {count} and {steps}.", "Count each step once.")
    rate = _checks.fraction(sample_rate=sample_rate)
    tail = _checks.open_fraction(significance=significance) / 2
    low, high = (float(bound(count, steps, tail)) for bound in (rate_at_least, rate_at_most))
    observed = Estimate(count / steps, low, high, 1 - 2 * tail, steps, "Clopper-Pearson interval of the share of steps")
    return StepCheck(
        "share of steps that a unit took part in",
        observed,
        rate,
        float(bdtr(count, steps, rate)),
        float(bdtrc(count - 1, steps, rate)) if count else 1.0,
        float(significance),
    )


def _finite(values: Any, least: int = 1) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) < least or not np.isfinite(found).all():
        raise DataError(
            f"Expected {least} or more finite statistics, got shape {found.shape}.", "Give one for each step."
        )
    return found


def _mask(inserted: Any, values: Array) -> npt.NDArray[np.bool_]:
    mask = np.asarray(inserted)
    if mask.dtype != np.bool_ or mask.shape != values.shape:
        raise DataError(
            f"Expected booleans of shape {values.shape}, got {mask.dtype} of shape {mask.shape}.",
            "Say for each step whether the canary took part.",
        )
    return mask
