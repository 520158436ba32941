"""Sums of whole numbers with noise in whole numbers: what `reticent.privacy.discrete` draws, and what it costs.

Promise: `losses` are those of the hardest pair of neighbouring data sets, exactly in one dimension, and from above in
several. All lengths are in steps of the grid; a contribution is a vector of whole numbers.

**One dimension.** Let P be the law of the output with a unit that moves it by v whole steps (and takes part with the
sampling rate), Q the law without. P / Q grows with the output, so the sets that tell most are half-lines, and since
P(x >= t) grows with v, the farthest v is the worst, whether the unit is removed or added. Both laws are listed.

**Several dimensions, as a continuous sum.** Let s^2 = 5, and let noise of variance v^2 > s^2 be drawn on the grid
around the sum m: N_Z(m, v^2). Take instead X ~ N(m, v^2 - s^2), continuous, and round each of its coordinates x to y
with probability e^(-(y - x)^2 / (2 s^2)) / R(x), where R(x) is the sum of the numerators over all whole y. This is a
post-processing of a continuous Gaussian sum, which the accountants of such sums cover, whatever the sampler, and also
where later sums depend on earlier ones. By Poisson's summation formula R(x) lies within a factor 1 -+ h of
sqrt(2 pi) s, with h = 2 (e^(-2 pi^2 s^2) + ...) < 3e-43. So y has, within a factor (1 -+ h)^-1, the density of
N(m, v^2) at y; and N_Z(m, v^2) is that density times one constant, the same for all m, because m is whole (Peikert,
2010, theorem 3.1, is the general case). In d dimensions and T sums all ratios of probabilities are those of the
continuous mechanism but for a factor below e^(4 h d T): for d T up to 1e20 an epsilon is off by less than 1e-21, and
accountants round up by more. So a grid costs the part 5 / v^2 of the noise's variance, and nothing else.

`OnGrid` is that statement for sums of clipped gradients: it stands for noise of variance v^2 = s^2 +
(noise_multiplier / grid)^2, and is charged as the continuous sum with `noise_multiplier`.

**Several dimensions, coarse grids.** Where v^2 is so small that this is much, Renyi divergences are charged. With whole
shifts and whole orders k they are those of continuous Gaussians, k |shift|^2 / (2 v^2), and never more at other orders
(Canonne, Kamath and Steinke, 2020, proposition 5). Hence the moment E_Q[(P / Q)^a] of a Poisson-sampled sum at a whole
order a is the same finite sum as for a continuous one (Mironov, Talwar and Zhang, 2019). This is for a unit that is
removed. For one that is added, E_P[(Q / P)^a] is never larger: write r for the ratio of the laws with and without the
unit taking part, and q for the rate. Reflecting the outputs at half the shift, which is a bijection of the whole
vectors, exchanges both laws and r with 1 / r, so E_Q[f(r)] = E_Q[f(r) + r f(1 / r)] / 2 for every f, and it is enough
that for every r >= 1, with a = 1 + q (r - 1) and c = 1 / (1 - q (r - 1) / r),

    a^n + r c^-n >= a^(1-n) + r c^(n-1),   that is   a^(1/2) sinh(z ln a) >= r c^(-1/2) sinh(z ln c),   z = n - 1/2.

At z = 1/2 both sides are q (r - 1) / 2. Since a >= c >= 1 (a - c has the sign of q (1 - q) (r - 1)^2), the quotient of
the two sinh grows with z. (For r < 1, exchange r with 1 / r.)

Example:
    >>> from reticent.privacy import DiscreteGaussian, Guarantee, SampledGaussian
    >>> on_grid = Guarantee((DiscreteGaussian(1000.0, 1000.0, 0.01, dimensions=10**6, count=1000),))
    >>> continuous = Guarantee((SampledGaussian(1.0, 0.01, 1000),))
    >>> round(on_grid.epsilon(1e-5), 4), round(continuous.epsilon(1e-5), 4)
    (1.8283, 1.8283)
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import renyi
from reticent.privacy.discrete import on_lattice
from reticent.privacy.losses import Loss, Profile, no_masses
from reticent.privacy.mechanisms.base import Mechanism, keep
from reticent.privacy.mechanisms.sums import SampledGaussian
from reticent.privacy.pairs import listed
from reticent.privacy.units import Relation

__all__ = ["SMOOTHING", "DiscreteGaussian", "DiscreteLaplace", "FINEST", "OnGrid", "checked_grid", "fitted_grid"]

Array = npt.NDArray[np.float64]

SMOOTHING = 5.0
"""s^2 above: the part of the noise's variance, in squared steps, that a grid costs."""
FINEST = 2.0**-26
"""The finest grid, in clipping norms: squares of lengths in steps are then below 2^53, and exact in float64 too."""
_COARSE = 7.0  # standard deviations of so many steps, in several dimensions: below, Renyi divergences promise more
_LEAST = 3.0  # ... and below this a continuous sum is none
_LISTED = 1 << 12  # standard deviations, and ...
_FARTHEST = 1 << 20  # ... shifts, up to which outputs are listed one by one
_REACH = 10.5  # standard deviations beyond which a law is neglected: a mass below 1e-24
_LARGEST_EPSILON = 700.0


@dataclasses.dataclass(frozen=True)
class DiscreteLaplace(Mechanism):
    """`count` whole numbers about one unit with discrete Laplace noise: P(x) proportional to e^(-|x| / scale).

    A unit contributes at most `sensitivity` steps; one that is exchanged moves a number by up to twice that. A number
    between 0 and n has the sensitivity n / 2, seen from the middle, under `REPLACE_ONE`.
    """

    scale: float
    sensitivity: float
    count: int = 1
    kind: ClassVar[str] = "discrete_laplace"

    def __post_init__(self) -> None:
        keep(
            self,
            scale=_checks.positive(scale=self.scale),
            sensitivity=_sensitivity(self.sensitivity, _FARTHEST / 2),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds; one whose e^epsilon is no longer a float is counted as such."""
        return not self.is_free and 2 * self.sensitivity / self.scale > _LARGEST_EPSILON

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one number."""
        losses, p, q = self._listed(relation)
        shift = len(losses) - 1
        # All losses are even, or all odd, multiples of 1 / scale.
        return (listed(losses, np.exp(p), np.exp(q), atom=(1 + (shift % 2 == 0)) / self.scale),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one number, at `renyi.ORDERS`."""
        if self.is_unbounded:
            return np.full_like(renyi.ORDERS, np.inf)
        _, p, q = self._listed(relation)
        found = [logsumexp(a * p + (1 - a) * q) / (a - 1) for a in renyi.ORDERS.tolist()]
        divergences: Array = np.maximum(np.array(found), 0.0)
        return divergences

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.count} whole number(s) with discrete Laplace noise of scale {self.scale:.6g}, sensitivity "
            f"{self.sensitivity:g}"
        )

    def _listed(self, relation: Relation) -> tuple[Array, Array, Array]:
        """Increasing losses, and the logarithms of the masses under either law; half-lines count as one output."""
        shift = _shift(self.sensitivity, relation)
        t = self.scale
        x = np.arange(shift + 1, dtype=np.float64)  # how far from the other law's centre; at the ends, and beyond
        first, ends = math.log(-math.expm1(-1 / t)), math.log1p(math.exp(-1 / t))
        mass = first - ends - x / t
        mass[0], mass[-1] = -ends, -ends - shift / t
        return (2 * x - shift) / t, mass[::-1], mass


@dataclasses.dataclass(frozen=True)
class DiscreteGaussian(Mechanism):
    """`count` sums of whole vectors with discrete Gaussian noise, each over a fresh Poisson sample.

    Args:
        deviation: s of P(x) proportional to e^(-|x|^2 / (2 s^2)), in steps.
        sensitivity: the l2 norm, in steps, of what one unit contributes; exchanged, it moves a sum by up to twice that.
            A number between 0 and n has the sensitivity n / 2, seen from the middle, under `REPLACE_ONE`.
        sample_rate: probability with which a unit takes part.
        dimensions: length of the vectors.
        count: how many sums.
    """

    deviation: float
    sensitivity: float
    sample_rate: float = 1.0
    dimensions: int = 1
    count: int = 1
    kind: ClassVar[str] = "discrete_gaussian"

    def __post_init__(self) -> None:
        keep(
            self,
            deviation=_checks.positive(deviation=self.deviation),
            sensitivity=_sensitivity(self.sensitivity, math.inf),
            sample_rate=_checks.fraction(sample_rate=self.sample_rate),
            dimensions=_checks.at_least(1, dimensions=self.dimensions),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0 or self.sample_rate == 0

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds: never."""
        return False

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy losses of one sum.

        Raises:
            UsageError: a sample, under `REPLACE_ONE`, with noise of less than three steps.
        """
        return self.times(1).parts(relation)[0]

    def parts(self, relation: Relation) -> tuple[tuple[Loss, ...], int]:
        """Losses and how often they are incurred: Renyi divergences are added up before they become a loss."""
        shift = _shift(self.sensitivity, relation)
        sampled, replaced = self.sample_rate < 1, relation is Relation.REPLACE_ONE
        if self.dimensions == 1 and self.deviation <= _LISTED and shift <= _FARTHEST and not (sampled and replaced):
            return tuple(
                self._listed(shift, removed) for removed in ((True, False) if sampled else (True,))
            ), self.count
        if self.deviation >= _COARSE or (sampled and replaced):
            return self._continuous().losses(relation), self.count
        divergences = self.count * self.renyi(relation)
        top = min(_LARGEST_EPSILON, renyi.epsilon_of(divergences, renyi.ORDERS, delta=1e-18))

        def divergence(epsilons: Array) -> Array:
            return renyi.deltas_of(divergences, renyi.ORDERS, epsilons)

        return (Profile(no_masses, -top, top, divergence=divergence),), 1

    def renyi(self, relation: Relation) -> Array:
        """Renyi divergences of one sum, at `renyi.ORDERS`; upper bounds, exact at whole orders."""
        replaced = relation is Relation.REPLACE_ONE
        if replaced and self.sample_rate < 1:
            return self._continuous().renyi(relation)
        noise = self.deviation / ((2.0 if replaced else 1.0) * self.sensitivity)
        return renyi.whole_gaussian(renyi.ORDERS, noise_multiplier=noise, sample_rate=self.sample_rate)

    def text(self) -> str:
        """One line for reports."""
        sampled = f"Poisson samples at rate {self.sample_rate:.6g}" if self.sample_rate < 1 else "all units"
        return (
            f"{self.count} sum(s) of whole numbers over {sampled} with discrete Gaussian noise of deviation "
            f"{self.deviation:.6g}, sensitivity {self.sensitivity:g}"
        )

    def _continuous(self) -> SampledGaussian:
        if self.deviation < _LEAST:
            raise UsageError(
                f"Expected noise of {_LEAST:g} steps or more on samples under REPLACE_ONE, got "
                f"deviation={self.deviation:g}.",
                "Choose a finer grid, or state the guarantee under ADD_OR_REMOVE_ONE.",
            )
        return SampledGaussian(math.sqrt(self.deviation**2 - SMOOTHING) / self.sensitivity, self.sample_rate)

    def _listed(self, shift: int, removed: bool) -> Loss:
        s, q = self.deviation, self.sample_rate
        reach = math.ceil(_REACH * s) + 1
        x = np.arange(-reach, shift + reach + 1, dtype=np.float64)
        total = math.fsum(np.exp(-0.5 * (np.arange(-reach, reach + 1) / s) ** 2).tolist())
        without = np.exp(-0.5 * (x / s) ** 2) / total
        ratio = shift * (2 * x - shift) / (2 * s * s)
        moved = np.exp(-0.5 * ((x - shift) / s) ** 2) / total
        if q == 1.0:
            # Even or odd multiples of shift / (2 s^2).
            return listed(ratio, moved, without, atom=shift * (1 + (shift % 2 == 0)) / (2 * s * s))
        losses = np.logaddexp(math.log1p(-q), math.log(q) + ratio)
        moved = (1 - q) * without + q * moved
        if removed:
            return listed(losses, moved, without)
        return listed(-losses[::-1], without[::-1], moved[::-1])


@dataclasses.dataclass(frozen=True)
class OnGrid(Mechanism):
    """`count` noisy sums whose contributions and noise are whole multiples of a step.

    Args:
        mechanisms: one: the same sums with continuous Gaussian noise, which they cost no more than.
        grid: the largest step, in units of the clipping norm; rounded contributions are not longer than that norm.
        count: how often.
    """

    mechanisms: tuple[Mechanism, ...]
    grid: float
    count: int = 1
    kind: ClassVar[str] = "on_grid"

    def __post_init__(self) -> None:
        object.__setattr__(self, "mechanisms", tuple(self.mechanisms))
        if len(self.mechanisms) != 1 or not hasattr(self.mechanisms[0], "noise_multiplier"):
            raise UsageError(f"Expected one Gaussian sum, got {self.mechanisms!r}.", "Pass for instance a sampled sum.")
        object.__setattr__(self, "mechanisms", (self.mechanisms[0].times(1),))
        keep(self, grid=checked_grid(self.grid), count=_checks.at_least(0, count=self.count))
        fitted_grid(self._noise, self.grid)  # raises where there is no such noise

    @property
    def deviation(self) -> float:
        """The discrete Gaussian's s, in steps."""
        return float(fitted_grid(self._noise, self.grid)[0])

    @property
    def step(self) -> float:
        """The step that is used, in clipping norms."""
        return fitted_grid(self._noise, self.grid)[1]

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.mechanisms[0].times(self.count).is_free

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds."""
        return self.mechanisms[0].times(self.count).is_unbounded

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy losses of one use."""
        return self.mechanisms[0].losses(relation)

    def parts(self, relation: Relation) -> tuple[tuple[Loss, ...], int]:
        """See `Mechanism.parts`."""
        return self.mechanisms[0].times(self.count).parts(relation)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one use, at `renyi.ORDERS`."""
        return self.mechanisms[0].renyi(relation)

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.mechanisms[0].times(self.count).text()}, in whole steps of {self.step:.4g} clipping norms "
            f"(discrete Gaussian noise of deviation {self.deviation:.6g} steps)"
        )

    @property
    def _noise(self) -> float:
        return float(getattr(self.mechanisms[0], "noise_multiplier"))  # noqa: B009  # checked when it was built


def checked_grid(grid: object) -> float:
    """A step of a grid in units of the clipping norm, from 2^-28 to 1.

    Raises:
        UsageError: another one.
    """
    number = _checks.positive(grid=grid)
    if not FINEST <= number <= 1:
        raise UsageError(
            f"Expected 2^-26 <= grid <= 1 (a step, in units of the clipping norm), got grid={grid!r}.",
            "Pass for instance grid=2**-20.",
        )
    return number


def fitted_grid(noise_multiplier: float, grid: float) -> tuple[Fraction, float]:
    """Deviation of the noise, in steps, and the step, in clipping norms, for what `OnGrid` stands for.

    The step is the largest, up to `grid`, on which the noise has one of the deviations that can be drawn and is neither
    more nor less than what is charged.

    Raises:
        UsageError: there is no such noise on this grid.
    """
    if noise_multiplier == 0:
        return Fraction(0), grid
    noise, finest = Fraction(noise_multiplier), Fraction(1, 1 << 50)  # a float's square root is right to 2^-52
    deviation = on_lattice(Fraction(math.sqrt((noise / Fraction(grid)) ** 2 + Fraction(SMOOTHING))) * (1 + finest))
    return deviation, float(noise / Fraction(math.sqrt(deviation**2 - Fraction(SMOOTHING))) * (1 + finest))


def _sensitivity(value: object, most: float) -> float:
    number = _checks.positive(sensitivity=value)
    if not 0.5 <= number <= most:
        raise UsageError(
            f"Expected a sensitivity of 0.5 to {most:g} steps, got sensitivity={value!r}.",
            "Choose a finer grid if it is below, a coarser one if it is above.",
        )
    return number


def _shift(sensitivity: float, relation: Relation) -> int:
    """By how many whole steps a unit can move a number."""
    moved = 2 * sensitivity if relation is Relation.REPLACE_ONE else sensitivity
    return max(1, math.floor(moved * (1 + 1e-12)))
