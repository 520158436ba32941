"""Randomised steps whose privacy loss is known: the parts that a guarantee is composed of.

Promise: a mechanism is a frozen, serialisable description; `losses(relation)` are the privacy losses of one use of it:
for a unit that is removed and for one that is added, or one where both are the same (see `reticent.privacy.losses`).

Sensitivity is one clipping norm: `noise_multiplier` is the noise's standard deviation (or scale) divided by the largest
contribution of one unit, in l2 norm for the Gaussian and l1 norm for the Laplace mechanism.

Example:
    >>> from reticent.privacy import Relation, SampledGaussian
    >>> step = SampledGaussian(noise_multiplier=1.0, sample_rate=1.0, count=1)
    >>> (loss,) = step.losses(Relation.ADD_OR_REMOVE_ONE)  # removed or added: the same, where every unit takes part
    >>> from reticent.privacy.losses import compose
    >>> round(compose([(loss, 1)]).epsilon(1e-5), 3)
    4.377
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import renyi
from reticent.privacy.losses import Loss, Profile, no_masses
from reticent.privacy.pairs import fixed_size_gaussian, gaussian, laplace, replaced_gaussian, two_point
from reticent.privacy.rounding import round_up
from reticent.privacy.units import Relation

__all__ = [
    "BestOf",
    "EpsilonDelta",
    "FixedSizeGaussian",
    "Laplace",
    "Mechanism",
    "SampledGaussian",
    "mechanism_from_dict",
    "mechanism_to_dict",
]

Array = npt.NDArray[np.float64]

_LARGEST_EPSILON = 700.0


def _keep(mechanism: object, **checked: float) -> None:
    """Write the checked values back, so that a mechanism holds Python numbers whatever it was given."""
    for name, value in checked.items():
        object.__setattr__(mechanism, name, value)


@dataclasses.dataclass(frozen=True)
class _SampledSum:
    """`count` noisy sums, each over a fresh sample of a share `sample_rate` of all units."""

    noise_multiplier: float
    sample_rate: float = 1.0
    count: int = 1

    def __post_init__(self) -> None:
        _keep(
            self,
            noise_multiplier=_checks.non_negative(noise_multiplier=self.noise_multiplier),
            sample_rate=_checks.fraction(sample_rate=self.sample_rate),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0 or self.sample_rate == 0

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds."""
        return not self.is_free and self.noise_multiplier == 0


@dataclasses.dataclass(frozen=True)
class SampledGaussian(_SampledSum):
    """`count` noisy sums, each over a fresh Poisson sample: every unit takes part with probability `sample_rate`.

    The step of DP-SGD (Abadi et al., 2016). With `sample_rate=1` it is the plain Gaussian mechanism. Under
    `REPLACE_ONE` the exchanged unit may move the sum by two clipping norms, and is charged so.
    """

    kind: ClassVar[str] = "sampled_gaussian"

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy losses of one step."""
        noise, rate = self.noise_multiplier, self.sample_rate
        if relation is Relation.REPLACE_ONE:
            return (replaced_gaussian(noise_multiplier=noise, sample_rate=rate),)
        directions = (True,) if rate == 1.0 else (True, False)
        return tuple(gaussian(noise_multiplier=noise, sample_rate=rate, removed=removed) for removed in directions)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one step, at `renyi.ORDERS`."""
        return renyi.gaussian(
            renyi.ORDERS,
            noise_multiplier=self.noise_multiplier,
            sample_rate=self.sample_rate,
            replaced=relation is Relation.REPLACE_ONE,
        )

    def text(self) -> str:
        """One line for reports."""
        sampled = f"Poisson samples at rate {self.sample_rate:.6g}" if self.sample_rate < 1 else "all units"
        return f"{self.count} Gaussian sum(s) over {sampled}, noise multiplier {self.noise_multiplier:.6g}"


@dataclasses.dataclass(frozen=True)
class FixedSizeGaussian(_SampledSum):
    """`count` noisy sums, each over a fresh sample of fixed size, a share `sample_rate` of all units, no unit twice.

    Only under `REPLACE_ONE`: with a unit more or less there is no sample of the same share. An exchanged unit moves the
    sum by two clipping norms, and is charged so.
    """

    kind: ClassVar[str] = "fixed_size_gaussian"

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one step.

        Raises:
            UsageError: under `ADD_OR_REMOVE_ONE`.
        """
        self._refuse(relation)
        return (fixed_size_gaussian(noise_multiplier=self.noise_multiplier, sample_rate=self.sample_rate),)

    def renyi(self, relation: Relation) -> Array:
        """No divergences: infinite, unless every unit takes part."""
        self._refuse(relation)
        if self.sample_rate < 1:
            return np.full_like(renyi.ORDERS, np.inf)
        return renyi.gaussian(renyi.ORDERS, noise_multiplier=self.noise_multiplier, replaced=True)

    def text(self) -> str:
        """One line for reports."""
        return (
            f"{self.count} Gaussian sum(s) over samples of fixed size without replacement, a share of "
            f"{self.sample_rate:.6g}, noise multiplier {self.noise_multiplier:.6g}"
        )

    def _refuse(self, relation: Relation) -> None:
        if relation is not Relation.REPLACE_ONE:
            raise UsageError(
                "Expected Relation.REPLACE_ONE for samples of fixed size, got ADD_OR_REMOVE_ONE.",
                "Plan with relation=Relation.REPLACE_ONE, or sample by Poisson.",
            )


@dataclasses.dataclass(frozen=True)
class Laplace:
    """`count` sums with Laplace noise of scale `noise_multiplier` times the l1 sensitivity (Dwork et al., 2006)."""

    noise_multiplier: float
    count: int = 1
    kind: ClassVar[str] = "laplace"

    def __post_init__(self) -> None:
        _keep(
            self,
            noise_multiplier=_checks.non_negative(noise_multiplier=self.noise_multiplier),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds."""
        return not self.is_free and self.noise_multiplier == 0

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one sum."""
        return (laplace(scale=self._scale(relation)),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one sum, at `renyi.ORDERS`."""
        if self.noise_multiplier == 0:
            return np.full_like(renyi.ORDERS, np.inf)
        return renyi.laplace(renyi.ORDERS, scale=self._scale(relation))

    def _scale(self, relation: Relation) -> float:
        # Exchanging a unit removes one contribution and adds another: twice the sensitivity, so half the noise.
        return self.noise_multiplier / (2.0 if relation is Relation.REPLACE_ONE else 1.0)

    def text(self) -> str:
        """One line for reports."""
        return f"{self.count} Laplace sum(s), noise scale {self.noise_multiplier:.6g} of the sensitivity"


@dataclasses.dataclass(frozen=True)
class EpsilonDelta:
    """`count` uses of anything that is proven (epsilon, delta)-private under the guarantee's own relation.

    The worst mechanism with these two numbers is charged (Kairouz, Oh and Viswanath, 2015).
    """

    epsilon: float
    delta: float = 0.0
    count: int = 1
    kind: ClassVar[str] = "epsilon_delta"

    def __post_init__(self) -> None:
        _keep(
            self,
            epsilon=_checks.non_negative(epsilon=self.epsilon),
            delta=_checks.delta(delta=self.delta) if self.delta != 0 else 0.0,
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0 or (self.epsilon == 0 and self.delta == 0)

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds; one whose e^epsilon is no longer a float is counted as such."""
        return not self.is_free and self.epsilon > _LARGEST_EPSILON

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one use."""
        del relation  # the two numbers were proven under it
        return (two_point(epsilon=self.epsilon, delta=self.delta),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one use, at `renyi.ORDERS`: infinite unless delta is 0."""
        del relation
        if self.delta > 0 or self.is_unbounded:
            return np.full_like(renyi.ORDERS, np.inf)
        return renyi.randomised_response(renyi.ORDERS, epsilon=self.epsilon)

    def text(self) -> str:
        """One line for reports."""
        epsilon, delta = round_up(self.epsilon, 6), round_up(self.delta, 3)
        return f"{self.count} use(s) of an (epsilon={epsilon:.6g}, delta={delta:.3g})-private mechanism"


@dataclasses.dataclass(frozen=True)
class BestOf:
    """The best of a random number of runs of the same mechanisms: what hyper-parameter tuning costs.

    Every run uses `mechanisms` (with whatever settings), runs are compared by any score, also one computed from the
    data, and only the best run's output is released. The number of runs is drawn beforehand, with mean `mean_runs`:
    geometric for `shape` 1, logarithmic for 0 (Papernot and Steinke, 2022). A number that is fixed, or a release of the
    others, is a composition of all runs instead.
    """

    mechanisms: tuple[Mechanism, ...]
    mean_runs: float
    shape: float = 1.0
    count: int = 1
    kind: ClassVar[str] = "best_of"

    def __post_init__(self) -> None:
        object.__setattr__(self, "mechanisms", tuple(self.mechanisms))
        if not all(isinstance(mechanism, Mechanism) for mechanism in self.mechanisms):
            raise UsageError(f"Expected mechanisms, got {self.mechanisms!r}.", "Pass those of one run's guarantee.")
        if _checks.positive(mean_runs=self.mean_runs) <= 1:
            raise UsageError(f"Expected mean_runs > 1, got mean_runs={self.mean_runs!r}.", "One run has no best.")
        if not (isinstance(self.shape, int | float) and -1 < self.shape <= 100):
            raise UsageError(f"Expected -1 < shape <= 100, got shape={self.shape!r}.", "Pass 1 (geometric) or 0.")
        _keep(
            self,
            mean_runs=float(self.mean_runs),
            shape=float(self.shape),
            count=_checks.at_least(0, count=self.count),
        )

    @property
    def is_free(self) -> bool:
        """Whether it reveals nothing at all."""
        return self.count == 0 or all(mechanism.is_free for mechanism in self.mechanisms)

    @property
    def is_unbounded(self) -> bool:
        """Whether no epsilon below infinity holds: also where there are no Renyi divergences to start from."""
        return not self.is_free and not np.isfinite(self.renyi(Relation.REPLACE_ONE)).any()

    def losses(self, relation: Relation) -> tuple[Loss, ...]:
        """The privacy loss of one search: the worst one with its Renyi divergences."""
        divergences = self.renyi(relation)

        def divergence(epsilons: Array) -> Array:
            return renyi.deltas_of(divergences, renyi.ORDERS, epsilons)

        top = min(_LARGEST_EPSILON, renyi.epsilon_of(divergences, renyi.ORDERS, delta=1e-15))
        return (Profile(no_masses, -top, top, divergence=divergence),)

    def renyi(self, relation: Relation) -> Array:
        """The Renyi divergences of one search, at `renyi.ORDERS`."""
        used = [mechanism for mechanism in self.mechanisms if not mechanism.is_free]
        total = sum((m.count * m.renyi(relation) for m in used), np.zeros_like(renyi.ORDERS))
        return renyi.best_of(total, renyi.ORDERS, mean_runs=self.mean_runs, shape=self.shape)

    def text(self) -> str:
        """One line for reports."""
        one = "; ".join(mechanism.text() for mechanism in self.mechanisms)
        law = {1.0: "geometric", 0.0: "logarithmic"}.get(self.shape, f"negative binomial, shape {self.shape:g}")
        return f"{self.count} time(s) the best of {self.mean_runs:g} runs on average ({law}), each of: {one}"


Mechanism = SampledGaussian | FixedSizeGaussian | Laplace | EpsilonDelta | BestOf

_KINDS: dict[str, type[Mechanism]] = {
    kind.kind: kind for kind in (SampledGaussian, FixedSizeGaussian, Laplace, EpsilonDelta, BestOf)
}


def mechanism_to_dict(mechanism: Mechanism) -> dict[str, Any]:
    """Plain values from which `mechanism_from_dict` makes an equal mechanism."""
    plain = {field.name: getattr(mechanism, field.name) for field in dataclasses.fields(mechanism)}
    if isinstance(mechanism, BestOf):
        plain["mechanisms"] = [mechanism_to_dict(one) for one in mechanism.mechanisms]
    return {"kind": mechanism.kind, **plain}


def mechanism_from_dict(values: dict[str, Any]) -> Mechanism:
    """The mechanism that `mechanism_to_dict` wrote.

    Raises:
        UsageError: an unknown kind, or not exactly the fields of the kind.
    """
    fields = dict(values)
    kind = _KINDS[_checks.one_of(_KINDS, kind=fields.pop("kind", None))]
    if set(fields) != {field.name for field in dataclasses.fields(kind)}:
        raise UsageError(f"Expected the fields of {kind.kind}, got {sorted(fields)}.", "Write them as saved.")
    if kind is BestOf:
        fields["mechanisms"] = tuple(mechanism_from_dict(one) for one in fields["mechanisms"])
    return kind(**fields)
