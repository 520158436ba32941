"""How the noise of the steps of a training hangs together: descriptions of the matrix that correlates it.

Promise: `sensitivity` is exact, and given only where a theorem covers it; `error` is exact. Neither forms a matrix.

A training that releases noisy gradients releases their sums, too. Independent noise adds up in those sums; noise that
takes back a part of what it added before does not (matrix factorisation, also known as DP-FTRL: Denisov, McMahan, Rush,
Smith and Thakurta, 2022). The gradients g_1 .. g_n are released as g + C^-1 w, with independent Gaussian w and a
lower-triangular C, the encoder. Since C^-1 is known to everybody, that is as private as C g + w: one Gaussian mechanism
whose sensitivity is the largest norm of C (g - g') for two neighbouring data sets, also when later gradients depend on
earlier outputs (Denisov et al., 2022, theorem 2.1; several participations: Choquette-Choo, McMahan, Rush and Thakurta,
2023). Here C is Toeplitz: the first column says it all, and it starts with 1.

* `Banded`: a column of b coefficients (Choquette-Choo, Ganesh, McKenna, McMahan, Rush, Thakurta and Xu, 2023; McKenna,
  2024; with `square_root`: Kalinin and Lampert, 2024). Noise remembers b - 1 steps. Sampling by `Cyclic` groups, at
  least b of them, amplifies privacy as it does for independent noise.
* `BufferedToeplitz`: a column of d decaying powers, "BLT" (Dvijotham, McMahan, Pillutla, Steinke and Thakurta, 2024).
  Noise remembers d sums, whatever the number of steps; no amplification is known.

What it costs: a unit that takes part several times is charged for all of them together, so the encoder has to know how
many steps lie between two participations (`separation`) and how many there are. `sensitivity` knows the answer

* where the column neither rises nor falls below zero (Kalinin and Lampert, 2024, theorem 2); every `BufferedToeplitz`;
* where two participations touch no common row: bands up to the separation.

Example:
    >>> from reticent.privacy import Banded, BufferedToeplitz
    >>> once = {"separation": 1000, "participations": 1}  # every unit takes part in one of 1,000 steps
    >>> encoders = [Banded.independent(), Banded.optimal(1000, 16, **once), BufferedToeplitz.optimal(1000, 3, **once)]
    >>> [round(encoder.error(1000, **once), 2) for encoder in encoders]  # of prefix sums, at equal privacy
    [22.37, 6.28, 3.05]
    >>> encoders[2]
    BufferedToeplitz(decays=(0.997..., 0.959..., 0.661...), scales=(0.071..., 0.142..., 0.277...))
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import toeplitz

__all__ = ["Banded", "BufferedToeplitz", "Correlation", "correlation_from_dict", "workload"]

Array = npt.NDArray[np.float64]

_KINDS: dict[str, type[Correlation]] = {}


@dataclasses.dataclass(frozen=True)
class Correlation(abc.ABC):
    """The encoder C of correlated noise: lower-triangular, Toeplitz, with ones on the diagonal."""

    kind: ClassVar[str]
    """Its name in records."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "kind" in vars(cls):
            _KINDS[cls.kind] = cls

    @property
    @abc.abstractmethod
    def bands(self) -> int | None:
        """How many diagonals are not zero; None for all of them."""

    @property
    @abc.abstractmethod
    def buffers(self) -> int:
        """How many numbers noise remembers for each number that it is added to."""

    @property
    def is_independent(self) -> bool:
        """Whether the noise of one step has nothing to do with that of another."""
        return self.buffers == 0

    @abc.abstractmethod
    def encoder(self, steps: int) -> Array:
        """(steps,) the first column of C."""

    @abc.abstractmethod
    def response(self, work: Array) -> Array:
        """(steps,) the first column of A C^-1, for the first column of a workload A (see `workload`)."""

    @abc.abstractmethod
    def text(self) -> str:
        """A few words for reports."""

    def inverse(self, steps: int) -> Array:
        """(steps,) the first column of C^-1."""
        return self.response(toeplitz.padded(np.ones(1), _checks.at_least(1, steps=steps)))

    def sensitivity(self, steps: int, *, separation: int | None = None, participations: int | None = None) -> float:
        """How far C moves what it encodes when one unit's contributions, each of norm 1 at most, are there or not.

        Args:
            steps: number of steps n.
            separation: at least so many steps lie from one participation of a unit to its next; `steps` by default.
            participations: the most that a unit takes part; as often as there is room for by default.

        Raises:
            UsageError: no theorem that is known here covers this encoder and separation.
        """
        steps, separation, participations = _participation(steps, separation, participations)
        column = self.encoder(steps)
        if self._falls(column):
            return math.sqrt(toeplitz.sensitivity_squared(column, separation, participations))
        if self.bands is None or min(self.bands, steps) > separation:
            raise UsageError(
                f"Expected coefficients that neither rise nor fall below zero, or at most {separation} bands (the "
                f"steps between two participations), got {self.bands} bands that rise.",
                f"Use Banded.optimal(steps, bands, separation={separation}), or more groups of units.",
            )
        # Columns so far apart have no row in common, and earlier ones are longer.
        lengths = np.cumsum(column**2)
        ends = steps - separation * np.arange(participations)
        return math.sqrt(float(lengths[ends - 1].sum()))

    def _falls(self, column: Array) -> bool:
        return toeplitz.falls(column)

    def error(
        self,
        steps: int,
        *,
        separation: int | None = None,
        participations: int | None = None,
        momentum: float = 0.0,
        decay: float = 1.0,
        worst: bool = False,
    ) -> float:
        """The root mean square error of all prefix sums (or the largest one) at noise multiplier 1.

        Noise multiplier 1 is noise as large as the sensitivity, so errors of different encoders compare them at equal
        privacy. For the amplified use by cyclic groups pass `participations=1`. With momentum or decay it is the error
        of what a training adds up then (see `workload`).
        """
        sensitivity = self.sensitivity(steps, separation=separation, participations=participations)
        work = workload(steps, momentum=momentum, decay=decay)
        return sensitivity * math.sqrt(toeplitz.errors(self.response(work), worst=worst))

    def as_dict(self) -> dict[str, Any]:
        """Plain values; `correlation_from_dict` makes an equal one of them."""
        values = {field.name: list(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {"kind": self.kind, **values}


@dataclasses.dataclass(frozen=True)
class Banded(Correlation):
    """An encoder with the given coefficients on its first diagonals, and zeros below.

    Args:
        coefficients: from the diagonal down; the first is 1.

    Raises:
        UsageError: none, one that is not finite, or a first one that is not 1.
    """

    coefficients: tuple[float, ...] = (1.0,)
    kind: ClassVar[str] = "banded"

    def __post_init__(self) -> None:
        values = _numbers(coefficients=self.coefficients)
        if not values or values[0] != 1.0:
            raise UsageError(
                f"Expected coefficients that begin with 1, got {values[:3]!r}.", "Divide all by the first one."
            )
        object.__setattr__(self, "coefficients", values)

    @classmethod
    def independent(cls) -> Banded:
        """One band: the noise of DP-SGD."""
        return cls((1.0,))

    @classmethod
    def square_root(cls, bands: int) -> Banded:
        """The first bands of the square root of prefix sums: without a search (Kalinin and Lampert, 2024)."""
        return cls(tuple(toeplitz.single(toeplitz.square_root(_checks.at_least(1, bands=bands))).tolist()))

    @classmethod
    def optimal(
        cls,
        steps: int,
        bands: int,
        *,
        separation: int | None = None,
        participations: int | None = None,
        momentum: float = 0.0,
        decay: float = 1.0,
        worst: bool = False,
    ) -> Banded:
        """The bands whose `error` is least (McKenna, 2024): milliseconds to seconds.

        Args:
            steps: number of steps.
            bands: at most so many; each costs memory of the size of the network.
            separation: steps from one participation to the next; as many as bands by default.
            participations: as often as there is room for by default.
            momentum: of the optimizer (see `workload`).
            decay: of parameters, from step to step (see `workload`).
            worst: minimise the largest error of a prefix sum instead of the mean one.
        """
        bands = _checks.at_least(1, bands=bands)
        steps, separation, participations = _participation(
            steps, min(bands, _checks.at_least(1, steps=steps)) if separation is None else separation, participations
        )
        work = workload(steps, momentum=momentum, decay=decay)
        found = toeplitz.best_bands(work, bands, separation=separation, participations=participations, worst=worst)
        return cls(tuple(found.tolist()))

    @property
    def bands(self) -> int:
        """How many diagonals are not zero."""
        return len(self.coefficients)

    @property
    def buffers(self) -> int:
        """Noise remembers what was added in the last bands - 1 steps."""
        return len(self.coefficients) - 1

    def encoder(self, steps: int) -> Array:
        """(steps,) the first column of C."""
        return toeplitz.padded(np.array(self.coefficients), _checks.at_least(1, steps=steps))

    def response(self, work: Array) -> Array:
        """(steps,) the first column of A C^-1."""
        return toeplitz.response(np.array(self.coefficients), work)

    def text(self) -> str:
        """A few words for reports."""
        return "independent noise" if self.is_independent else f"noise correlated by {self.bands} bands"


@dataclasses.dataclass(frozen=True)
class BufferedToeplitz(Correlation):
    """An encoder whose column is 1 and then the sum of scales[j] * decays[j]^(t - 1) over the buffers j.

    Args:
        decays: each in [0, 1].
        scales: each at or above 0, together at most 1, so that the column never rises.

    Raises:
        UsageError: a number out of range, more of one than of the other.
    """

    decays: tuple[float, ...]
    scales: tuple[float, ...]
    kind: ClassVar[str] = "buffered_toeplitz"

    def __post_init__(self) -> None:
        decays, scales = _numbers(decays=self.decays), _numbers(scales=self.scales)
        if len(decays) != len(scales):
            raise UsageError(
                f"Expected a scale for each decay, got {len(decays)} decays and {len(scales)} scales.", "Pass pairs."
            )
        if not all(0 <= decay <= 1 for decay in decays):
            raise UsageError(f"Expected decays between 0 and 1, got {decays!r}.", "A buffer that grows never ends.")
        if not all(scale >= 0 for scale in scales) or math.fsum(scales) > 1:
            raise UsageError(
                f"Expected scales that are not negative and add up to at most 1, got {scales!r}.",
                "Otherwise the coefficients rise, and no theorem gives the sensitivity.",
            )
        object.__setattr__(self, "decays", decays)
        object.__setattr__(self, "scales", scales)

    @classmethod
    def optimal(
        cls,
        steps: int,
        buffers: int,
        *,
        separation: int | None = None,
        participations: int | None = None,
        momentum: float = 0.0,
        decay: float = 1.0,
        worst: bool = False,
    ) -> BufferedToeplitz:
        """At most so many buffers, with the least `error` that the search finds: milliseconds to seconds.

        Args:
            steps: number of steps.
            buffers: at most so many; each costs memory of the size of the network. Four or five are enough.
            separation: steps from one participation to the next; `steps` by default.
            participations: as often as there is room for by default.
            momentum: of the optimizer (see `workload`).
            decay: of parameters, from step to step (see `workload`).
            worst: minimise the largest error of a prefix sum instead of the mean one.
        """
        steps, separation, participations = _participation(steps, separation, participations)
        decays, scales = toeplitz.best_buffers(
            workload(steps, momentum=momentum, decay=decay),
            _checks.at_least(1, buffers=buffers),
            separation=separation,
            participations=participations,
            worst=worst,
        )
        return cls(tuple(decays.tolist()), tuple(scales.tolist()))

    @property
    def bands(self) -> None:
        """All diagonals are in use."""
        return

    @property
    def buffers(self) -> int:
        """Noise remembers a decaying sum for each buffer."""
        return len(self.decays)

    def encoder(self, steps: int) -> Array:
        """(steps,) the first column of C."""
        return toeplitz.buffered(np.array(self.decays), np.array(self.scales), _checks.at_least(1, steps=steps))

    def response(self, work: Array) -> Array:
        """(steps,) the first column of A C^-1."""
        return toeplitz.buffered_response(np.array(self.decays), np.array(self.scales), work)

    def text(self) -> str:
        """A few words for reports."""
        return f"noise correlated by {self.buffers} buffer(s) (BLT)"

    def _falls(self, column: Array) -> bool:
        return True  # by what decays and scales are, whatever rounding makes of neighbours that are all but equal


def correlation_from_dict(values: Any) -> Correlation:
    """The correlation that `as_dict` wrote.

    Raises:
        UsageError: an unknown kind, or not exactly the fields of the kind.
    """
    kind, fields = _checks.kind_in(_KINDS, values)
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})


def workload(steps: int, *, momentum: float = 0.0, decay: float = 1.0) -> Array:
    """(steps,) what a gradient has added to the parameters after 1, 2, ... steps, in learning rates.

    The first column of the workload A whose errors are compared. Ones stand for gradient descent at a constant learning
    rate, whose parameters are prefix sums.

    Args:
        steps: how many.
        momentum: an optimizer's, below 1.
        decay: what is left of a change after one more step, at most 1: 1 - learning rate * weight decay; or less,
            for losses that pull parameters back, which makes old noise harmless and correlation worth less.
    """
    count = _checks.at_least(1, steps=steps)
    if _checks.fraction(momentum=momentum) == 1:
        raise UsageError("Expected momentum < 1, got 1.", "With 1 nothing that was added would ever end.")
    return toeplitz.workload(count, momentum=momentum, decay=_checks.fraction(decay=decay))


def _participation(steps: object, separation: object, participations: object) -> tuple[int, int, int]:
    """Checked whole numbers; the separation is at most the number of steps, and no more take part than fit."""
    count = _checks.at_least(1, steps=steps)
    apart = count if separation is None else min(_checks.at_least(1, separation=separation), count)
    room = -(-count // apart)
    return (
        count,
        apart,
        room if participations is None else min(_checks.at_least(1, participations=participations), room),
    )


def _numbers(**named: Any) -> tuple[float, ...]:
    name, values = next(iter(named.items()))
    if not isinstance(values, tuple | list | np.ndarray) or not all(
        isinstance(value, int | float | np.number) and math.isfinite(value) for value in values
    ):
        raise UsageError(f"Expected {name} to be finite numbers, got {name}={values!r}.", "Pass a tuple of numbers.")
    return tuple(float(value) for value in values)
