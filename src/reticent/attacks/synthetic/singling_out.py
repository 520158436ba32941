"""Descriptions made from a release that fit exactly one row of it, and of whom else they are true.

Promise: predicates are drawn independently of each other, from the release alone: neither the source nor the control
is looked at, so what they isolate there can be counted like coin flips. Their weight in the population is measured,
not assumed.

How: a random row of the release and its columns in random order; column after column is added until the description
fits no other row of the release and its weight, taken as the product of its columns' shares in the release, is at most
`weight`. A number is described by a twentieth of the release around it. A draw that never gets there is thrown away.

Why the weight: a predicate of weight w isolates one of n rows by luck with probability n w (1 - w)^(n - 1), at most
about 37 %, at w = 1/n. Only predicates of much smaller weight say anything (Cohen and Nissim, 2020).

Example:
    >>> import numpy as np
    >>> from reticent.attacks.synthetic import Encoded, predicates
    >>> from reticent.randomness import Randomness
    >>> release = Encoded(np.zeros((40, 0)), np.arange(80, dtype=np.int32).reshape(2, 40).T, np.array([80, 80]))
    >>> some = predicates(release, Randomness.simulated(1), count=3, weight=0.01)
    >>> len(some), sorted(set(some.matches(release).sum(axis=1).tolist()))
    (3, [1])
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.synthetic.encoding import Encoded
from reticent.randomness import Randomness

__all__ = ["Predicates", "lucky", "predicates"]

Floats = npt.NDArray[np.float64]

_SPAN = 0.05  # share of the release that a number's interval holds
_TRIES = 20  # draws for each predicate asked for


@dataclasses.dataclass(frozen=True, eq=False)
class Predicates:
    """Descriptions; each demands that numbers lie in an interval and codes are equal.

    Attributes:
        low: (predicates, number columns), minus infinity where the column is not in the description.
        high: the same, plus infinity.
        codes: (predicates, other columns), -1 where the column is not in the description.
    """

    low: Floats
    high: Floats
    codes: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.low)

    def matches(self, rows: Encoded) -> npt.NDArray[np.bool_]:
        """(predicates, rows) whether each is true of each row."""
        found = np.ones((len(self), len(rows)), dtype=bool)
        for place, column in enumerate(rows.numbers.T):
            asked = np.isfinite(self.low[:, place])
            inside = (column >= self.low[asked, place][:, None]) & (column <= self.high[asked, place][:, None])
            found[asked] &= inside
        for place, values in enumerate(rows.codes.T):
            asked = self.codes[:, place] >= 0
            found[asked] &= values[None, :] == self.codes[asked, place][:, None]
        return found


def predicates(release: Encoded, randomness: Randomness, *, count: int, weight: float) -> Predicates:
    """So many predicates, or fewer where the release gives too few.

    Args:
        release: what they are made from.
        randomness: source of rows and orders of columns.
        count: how many are wanted.
        weight: at most the product of a description's shares.
    """
    _checks.at_least(1, count=count)
    _checks.open_fraction(weight=weight)
    makers = _Makers.of(release)
    kept: list[tuple[Floats, Floats, npt.NDArray[np.int32]]] = []
    total = release.numbers.shape[1] + release.codes.shape[1]
    for row in randomness.integers(len(release), _TRIES * count):
        if len(kept) == count:
            break
        made = makers.described(int(row), randomness.permutation(total), weight)
        if made is not None:
            kept.append(made)
    numbers, others = release.numbers.shape[1], release.codes.shape[1]
    return Predicates(
        np.array([one[0] for one in kept]).reshape(len(kept), numbers),
        np.array([one[1] for one in kept]).reshape(len(kept), numbers),
        np.array([one[2] for one in kept], dtype=np.int32).reshape(len(kept), others),
    )


def lucky(weight: float, rows: int) -> float:
    """How likely a predicate of this weight isolates one of so many rows that it knows nothing about."""
    return rows * weight * (1 - weight) ** (rows - 1)


@dataclasses.dataclass(frozen=True, eq=False)
class _Makers:
    """The release, with each number column sorted and each code counted."""

    release: Encoded
    sorted: Floats
    shares: tuple[Floats, ...]

    @classmethod
    def of(cls, release: Encoded) -> _Makers:
        shares = tuple(
            np.bincount(column, minlength=size) / len(release)
            for column, size in zip(release.codes.T, release.sizes, strict=True)
        )
        return cls(release, np.sort(release.numbers, axis=0), shares)

    def described(
        self, row: int, order: npt.NDArray[np.int64], weight: float
    ) -> tuple[Floats, Floats, npt.NDArray[np.int32]] | None:
        numbers = self.release.numbers.shape[1]
        low, high = np.full(numbers, -np.inf), np.full(numbers, np.inf)
        codes = np.full(self.release.codes.shape[1], -1, dtype=np.int32)
        fits, product = np.arange(len(self.release)), 1.0
        for column in order.tolist():
            if column < numbers:
                low[column], high[column], share = self._around(column, self.release.numbers[row, column])
                values = self.release.numbers[fits, column]
                fits = fits[(values >= low[column]) & (values <= high[column])]
            else:
                code = self.release.codes[row, column - numbers]
                codes[column - numbers], share = code, float(self.shares[column - numbers][code])
                fits = fits[self.release.codes[fits, column - numbers] == code]
            product *= share
            if len(fits) == 1 and product <= weight:
                return low, high, codes
        return None

    def _around(self, column: int, value: float) -> tuple[float, float, float]:
        """An interval around the value that holds a twentieth of the release, and the share it does hold."""
        values = self.sorted[:, column]
        place, half = int(np.searchsorted(values, value)), max(int(_SPAN * len(values) / 2), 1)
        low, high = values[max(place - half, 0)], values[min(place + half, len(values) - 1)]
        held = np.searchsorted(values, high, side="right") - np.searchsorted(values, low, side="left")
        return float(low), float(high), float(held / len(values))
