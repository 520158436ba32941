"""Kinds of noise for single attributes of a record: categories and bounded numbers.

Promise: each kind says what it costs (`mechanism`, under `Relation.REPLACE_ONE`), and what it draws costs no more.
Numbers are put on a grid between declared bounds, and their noise is whole steps of it.

| noise | for | what it does | charged as |
|---|---|---|---|
| `Answers` | labels, categories | the truth, or any other category (Warner, 1965) | `RandomisedResponse` |
| `OneHot` | categories | basic RAPPOR (Erlingsson et al., 2014): every bit turned at random | the same, twice |
| `LaplaceNoise` | numbers | cut to the bounds, put on a grid, discrete Laplace noise | `DiscreteLaplace` |
| `GaussianNoise` | numbers | cut to the bounds, put on a grid, discrete Gaussian noise | `DiscreteGaussian` |

Example:
    >>> from reticent.data.noises import Answers, GaussianNoise
    >>> Answers(1.0, categories=3).transition().round(3).tolist()[0]  # of the truth 0
    [0.576, 0.212, 0.212]
    >>> GaussianNoise(deviation=15.0, low=0.0, high=120.0).mechanism  # in steps, 1024 of them between the bounds
    DiscreteGaussian(deviation=128.0, sensitivity=512.0, sample_rate=1.0, dimensions=1, count=1)
"""

from __future__ import annotations

import abc
import dataclasses
import math
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data import _opendp
from reticent.errors import DataError, UsageError
from reticent.privacy import DiscreteGaussian, DiscreteLaplace, Mechanism, RandomisedResponse, discrete
from reticent.randomness import Randomness

__all__ = ["Answers", "ColumnNoise", "GaussianNoise", "LaplaceNoise", "OneHot"]

Values = npt.NDArray[Any]

_KINDS: dict[str, type[ColumnNoise]] = {}
_MOST_STEPS = 1 << 20


@dataclasses.dataclass(frozen=True)
class ColumnNoise(abc.ABC):
    """Noise on one attribute of every record."""

    kind: ClassVar[str]

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        _KINDS[cls.kind] = cls

    @property
    @abc.abstractmethod
    def mechanism(self) -> Mechanism:
        """What it costs, under `Relation.REPLACE_ONE`."""

    @property
    def columns(self) -> int:
        """How many columns one becomes."""
        return 1

    @abc.abstractmethod
    def applied(self, values: Values, source: Randomness, sampler: str, name: str) -> Values:
        """(n, columns) noisy values for (n,) true ones.

        Raises:
            DataError: values that are none of the declared categories.
        """

    def as_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` makes an equal noise of them."""
        return {"kind": self.kind, **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)}}

    @staticmethod
    def from_dict(values: Any) -> ColumnNoise:
        """What `as_dict` wrote.

        Raises:
            UsageError: an unknown kind, not exactly the fields of the kind, or a value out of range.
        """
        kind, fields = _checks.kind_in(_KINDS, values)
        return kind(**fields)


@dataclasses.dataclass(frozen=True)
class Answers(ColumnNoise):
    """The true category with probability e^epsilon / (e^epsilon + k - 1), any other with 1 / (e^epsilon + k - 1).

    Args:
        epsilon: above 0.
        categories: k, at least 2; values are 0 .. k-1. May be left out for labels: the records say how many classes
            there are.
    """

    epsilon: float
    categories: int | None = None
    kind: ClassVar[str] = "answers"

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", _checks.positive(epsilon=self.epsilon))
        if self.categories is not None:
            object.__setattr__(self, "categories", _checks.at_least(2, categories=self.categories))

    @property
    def mechanism(self) -> RandomisedResponse:
        """See `ColumnNoise.mechanism`."""
        if self.categories is None:
            raise UsageError("Expected the number of categories, got none.", "Pass Answers(epsilon, categories=...).")
        return RandomisedResponse(self.epsilon, self.categories)

    def transition(self, categories: int | None = None) -> npt.NDArray[np.float64]:
        """(k, k) the probability of each answer (column) for each truth (row)."""
        k = self.categories or _checks.at_least(2, categories=categories)
        law = RandomisedResponse(self.epsilon, k)
        return np.full((k, k), law.lie) + np.eye(k) * (law.honest - law.lie)

    def applied(self, values: Values, source: Randomness, sampler: str, name: str) -> Values:
        """See `ColumnNoise.applied`."""
        truth = _categories(values, self.mechanism.categories, name)
        if sampler == "opendp":
            found = _opendp.answers(truth, self.mechanism.categories, self.epsilon)
        else:
            found = discrete.answers(
                truth, categories=self.mechanism.categories, epsilon=self.epsilon, randomness=source
            )
        return found[:, None]


@dataclasses.dataclass(frozen=True)
class OneHot(ColumnNoise):
    """A column of zeros and ones for each category; every bit is turned with probability 1 / (1 + e^(epsilon / 2)).

    For many categories, whose answers would nearly always be lies. Another truth changes two bits, hence the half.

    Args:
        epsilon: above 0.
        categories: at least 2; values are 0 .. categories-1.
    """

    epsilon: float
    categories: int
    kind: ClassVar[str] = "one_hot"

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", _checks.positive(epsilon=self.epsilon))
        object.__setattr__(self, "categories", _checks.at_least(2, categories=self.categories))

    @property
    def mechanism(self) -> Mechanism:
        """See `ColumnNoise.mechanism`: two answers to yes-or-no questions."""
        return RandomisedResponse(self.epsilon / 2, 2, count=2)

    @property
    def columns(self) -> int:
        """How many columns one becomes."""
        return self.categories

    def applied(self, values: Values, source: Randomness, sampler: str, name: str) -> Values:
        """See `ColumnNoise.applied`."""
        rows = np.arange(self.categories)[None, :] == _categories(values, self.categories, name)[:, None]
        if sampler == "opendp":
            return _opendp.bits(rows, self.epsilon)
        flat = discrete.answers(
            rows.reshape(-1).astype(np.int64), categories=2, epsilon=self.epsilon / 2, randomness=source
        )
        return flat.reshape(rows.shape)


@dataclasses.dataclass(frozen=True)
class LaplaceNoise(ColumnNoise):
    """A bounded number, on a grid, with discrete Laplace noise of scale (high - low) / epsilon.

    Args:
        epsilon: above 0.
        low: declared bound; smaller values are taken for it.
        high: declared bound; larger values are taken for it.
        steps: of the grid, between the bounds.
    """

    epsilon: float
    low: float
    high: float
    steps: int = 1024
    kind: ClassVar[str] = "laplace"

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", _checks.positive(epsilon=self.epsilon))
        _check_bounds(self)
        discrete.on_lattice(self._scale)  # raises where there is no such noise

    @property
    def _scale(self) -> Fraction:
        return Fraction(self.steps) / Fraction(self.epsilon)

    @property
    def mechanism(self) -> DiscreteLaplace:
        """See `ColumnNoise.mechanism`."""
        return DiscreteLaplace(_at_most(discrete.on_lattice(self._scale)), self.steps / 2)

    def applied(self, values: Values, source: Randomness, sampler: str, name: str) -> Values:
        """See `ColumnNoise.applied`."""
        del name
        truth = _on_grid(self, values)
        if sampler == "opendp":
            return _from_grid(self, _opendp.laplace(truth, self.mechanism.scale, self.steps))
        return _from_grid(self, truth + discrete.discrete_laplace(len(truth), scale=self._scale, randomness=source))


@dataclasses.dataclass(frozen=True)
class GaussianNoise(ColumnNoise):
    """A bounded number, on a grid, with discrete Gaussian noise.

    Args:
        deviation: standard deviation of the noise, in the column's own units.
        low: declared bound; smaller values are taken for it.
        high: declared bound; larger values are taken for it.
        steps: of the grid, between the bounds.
    """

    deviation: float
    low: float
    high: float
    steps: int = 1024
    kind: ClassVar[str] = "gaussian"

    def __post_init__(self) -> None:
        object.__setattr__(self, "deviation", _checks.positive(deviation=self.deviation))
        _check_bounds(self)
        discrete.on_lattice(self._deviation)  # raises where there is no such noise

    @property
    def _deviation(self) -> Fraction:
        return Fraction(self.deviation) / (Fraction(self.high) - Fraction(self.low)) * self.steps

    @property
    def mechanism(self) -> DiscreteGaussian:
        """See `ColumnNoise.mechanism`."""
        return DiscreteGaussian(_at_most(discrete.on_lattice(self._deviation)), self.steps / 2)

    def applied(self, values: Values, source: Randomness, sampler: str, name: str) -> Values:
        """See `ColumnNoise.applied`."""
        del name
        truth = _on_grid(self, values)
        if sampler == "opendp":
            return _from_grid(self, _opendp.gaussian(truth, self.mechanism.deviation, self.steps))
        return _from_grid(
            self, truth + discrete.discrete_gaussian(len(truth), deviation=self._deviation, randomness=source)
        )


def _check_bounds(noise: LaplaceNoise | GaussianNoise) -> None:
    low, high = _finite("low", noise.low), _finite("high", noise.high)
    if not low < high:
        raise UsageError(f"Expected low < high, got low={low!r} and high={high!r}.", "Declare what is possible.")
    if _checks.at_least(1, steps=noise.steps) > _MOST_STEPS:
        raise UsageError(f"Expected steps <= 2^20, got steps={noise.steps}.", "Choose a coarser grid.")
    for name, value in (("low", low), ("high", high), ("steps", int(noise.steps))):
        object.__setattr__(noise, name, value)


def _on_grid(noise: LaplaceNoise | GaussianNoise, values: Values) -> npt.NDArray[np.int64]:
    share = (np.clip(values.astype(np.float64), noise.low, noise.high) - noise.low) / (noise.high - noise.low)
    return np.clip(np.rint(share * noise.steps), 0, noise.steps).astype(np.int64)


def _from_grid(noise: LaplaceNoise | GaussianNoise, steps: npt.NDArray[np.int64]) -> Values:
    numbers: Values = noise.low + steps * ((noise.high - noise.low) / noise.steps)
    return numbers[:, None]


def _categories(values: Values, categories: int, name: str) -> npt.NDArray[np.int64]:
    whole = values.astype(np.int64)
    if (whole != values).any() or whole.min() < 0 or whole.max() >= categories:
        raise DataError(
            f"Expected whole numbers from 0 to {categories - 1} in {name}, got others.",
            "Declare as many categories as there can be, and number them from 0.",
        )
    return whole


def _finite(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(float(value)):
        raise UsageError(f"Expected a finite number {name}, got {name}={value!r}.", "Declare what is possible.")
    return float(value)


def _at_most(exact: Fraction) -> float:
    """The largest float that is not above the fraction: noise is never charged as more than it is."""
    near = float(exact)
    return near if Fraction(near) <= exact else math.nextafter(near, 0.0)
