"""How well each person in a release fits what is known of a target: three scores, one pass over inverted lists.

Promise: a score is a pure function of the release, of what is known and of how both were blurred; it never sees who the
target is. Only lists of the known items are read, nothing is dense but one number for each person.

* `Scoreboard`: the least similarity over the known items, 0 for whoever lacks one (Narayanan and Shmatikov 2008,
  section 4.1).
* `ScoreboardRH`: the sum over known items of 1/log(support) times exp(-|value - value'|/rho0) + exp(-|day - day'|/d0);
  rho0 = 1.5 stars, d0 = 30 days (their sections 4.2 and 5). The support counts as 2 if it is less (log 1 = 0). Without
  values or dates in the release or in what is known, that term is missing; without both, an item counts 1.
* `Likelihood`: log of how much likelier what is known is if the target is this person than if it is somebody outside
  the release. A known item is one of the person's own `size` ratings, each alike likely, seen through the known noise;
  or, with probability `doubt`, any rating. So item i with kernel K (probability of the known value and date given the
  released ones) adds log(doubt + (1 - doubt) (K / size) / q), where q is the mean of K over all ratings of the
  release: what is likely by chance counts little, whatever makes it likely, and whoever rated everything is no good
  fit. A half rating of the best fit is added to q's sum, so that the only one to fit is not certain.

`without` leaves a person out: their row gives way to one with as many ratings, none of them of a known item. So there
are as many people and ratings as somebody sees who really is not in the release, and fits that are equally clear to one
are equally clear to the other, to the last digit; with a row less they are not, and among few distinct scores that
names people.

A released rating without a value, or without a day, is as good as any: it adds no similarity, and to the likelihood
ratio what a value or a day has at random.

Shapes: scores (people,) float32 (`Likelihood`: float64).

Example:
    >>> from reticent.attacks.reidentification import Knowledge, ScoreboardRH
    >>> from reticent.data.ratings import Ratings, releases
    >>> seen = Ratings.of([0, 0, 1, 1, 2, 2], [0, 1, 0, 2, 0, 1], scores=[5, 3, 4, 4, 1, 5], days=[1, 9, 2, 2, 30, 40])
    >>> scorer = ScoreboardRH().prepared(releases.as_it_is(seen), Knowledge(2, days=1))
    >>> [f"{score:.2f}" for score in scorer.scores([0, 1], [3, 1], [0, 6])]  # 5 and 3 stars, on days 1 and 7
    ['4.61', '1.35', '1.27']
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.reidentification.knowledge import Knowledge
from reticent.data.ratings import Ratings, Release
from reticent.data.ratings.store import NO_DAY, NO_SCORE

__all__ = ["CANDIDATES", "Likelihood", "Method", "Scoreboard", "ScoreboardRH", "Scorer"]

Array = npt.NDArray[Any]

NOBODY = -1


class Scorer(Protocol):
    """A method that is ready for one release and one kind of knowledge."""

    def scores(
        self, items: Sequence[int] | Array, values: Sequence[int] | Array, days: Any, without: int = NOBODY
    ) -> Array:
        """(people,) how well each fits; the row of `without`, if anybody, gives way to one that fits nothing.

        The array is used again by the next call.
        """


class Method(Protocol):
    """A way of scoring. `exponent`: whether scores are log-likelihoods, to be taken as they are."""

    exponent: ClassVar[bool]

    @property
    def name(self) -> str:
        """Short, as it stands in tables."""

    def prepared(self, release: Release, knowledge: Knowledge) -> Scorer:
        """Ready for a release."""


@dataclasses.dataclass(frozen=True)
class Scoreboard:
    """The least similarity; see the module's page."""

    rho0: float = 1.5
    d0: float = 30.0
    exponent: ClassVar[bool] = False
    name: ClassVar[str] = "scoreboard"

    def prepared(self, release: Release, knowledge: Knowledge) -> Scorer:
        """Ready for a release."""
        return _Least(_Similarity(release.ratings, self.rho0, self.d0))


@dataclasses.dataclass(frozen=True)
class ScoreboardRH:
    """The weighted sum of similarities; see the module's page.

    Args:
        rho0: how far apart values are alike.
        d0: how many days apart dates are alike.
    """

    rho0: float = 1.5
    d0: float = 30.0
    exponent: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _checks.positive(rho0=self.rho0)
        _checks.positive(d0=self.d0)

    @property
    def name(self) -> str:
        """Short, as it stands in tables."""
        usual = (self.rho0, self.d0) == (1.5, 30.0)
        return "scoreboard-RH" if usual else f"scoreboard-RH({self.rho0:g}, {self.d0:g} days)"

    def prepared(self, release: Release, knowledge: Knowledge) -> Scorer:
        """Ready for a release."""
        return _Weighted(_Similarity(release.ratings, self.rho0, self.d0))


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """The likelihood ratio under the known noise; see the module's page.

    Args:
        doubt: the probability that a known item is any rating instead of the person's own.
        items_alone: whether values and dates are left aside, for releases in which they are not the person's own.
    """

    doubt: float = 0.1
    items_alone: bool = False
    exponent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _checks.open_fraction(doubt=self.doubt)

    @property
    def name(self) -> str:
        """Short, as it stands in tables."""
        return f"likelihood ratio ({'items alone, ' if self.items_alone else ''}doubt {self.doubt:g})"

    def prepared(self, release: Release, knowledge: Knowledge) -> Scorer:
        """Ready for a release."""
        if self.items_alone:
            bare = dataclasses.replace(release.ratings, scores=None, days=None, values=np.zeros(0))
            release = dataclasses.replace(release, ratings=bare)
        return _Ratio(release, knowledge, self.doubt)


CANDIDATES: tuple[Method, ...] = (
    Likelihood(0.1),
    Likelihood(0.01),
    Likelihood(0.4),
    Likelihood(0.4, items_alone=True),
    ScoreboardRH(),
    Scoreboard(),
)
"""What `choose` tries, in the order in which ties are broken."""


class _Similarity:
    """exp(-|value - value'|/rho0) + exp(-|day - day'|/d0) for all who rated an item."""

    def __init__(self, ratings: Ratings, rho0: float, d0: float) -> None:
        self.ratings, self._d0 = ratings, d0
        values = ratings.values
        self._values = _with_gaps(np.exp(-np.abs(values[:, None] - values[None, :]) / rho0).astype(np.float32), 0.0)
        self._calendar = np.arange(ratings.span, dtype=np.float32)

    def of(self, item: int, value: int, day: int | None) -> tuple[npt.NDArray[np.int32], Any]:
        """Who rated it, and how alike (1 if nothing can be compared)."""
        ratings = self.ratings
        where = ratings.list_of(item)
        found: Any = None
        if ratings.scores is not None and value >= 0:
            found = self._values[value][ratings.scores[where]]
        if ratings.days is not None and day is not None:
            alike = np.zeros(NO_DAY + 1, dtype=np.float32)  # 0 for a rating without a day
            alike[: ratings.span] = np.exp(-np.abs(self._calendar - np.float32(day)) / np.float32(self._d0))
            found = alike[ratings.days[where]] if found is None else found + alike[ratings.days[where]]
        return ratings.people[where], np.float32(1.0) if found is None else found


class _Weighted:
    def __init__(self, similarity: _Similarity) -> None:
        self._similarity = similarity
        self._supports = similarity.ratings.supports
        self._sums = np.zeros(similarity.ratings.count, dtype=np.float32)

    def scores(self, items: Any, values: Any, days: Any, without: int = NOBODY) -> Array:
        self._sums[:] = 0.0
        for place, item in enumerate(items):
            people, alike = self._similarity.of(int(item), int(values[place]), _day(days, place))
            support = int(self._supports[item]) - (without >= 0 and _has(people, without))
            # An item is in a list once for each person, so adding by index adds every one of them.
            self._sums[people] += alike * np.float32(1 / np.log(max(support, 2)))
        if without >= 0:
            self._sums[without] = 0.0
        return self._sums


class _Least:
    def __init__(self, similarity: _Similarity) -> None:
        self._similarity = similarity
        self._least = np.zeros(similarity.ratings.count, dtype=np.float32)
        self._counts = np.zeros(similarity.ratings.count, dtype=np.int16)

    def scores(self, items: Any, values: Any, days: Any, without: int = NOBODY) -> Array:
        self._least[:] = np.inf
        self._counts[:] = 0
        for place, item in enumerate(items):
            people, alike = self._similarity.of(int(item), int(values[place]), _day(days, place))
            self._least[people] = np.minimum(self._least[people], alike)
            self._counts[people] += 1
        self._least[self._counts < len(items)] = 0.0
        if without >= 0:
            self._least[without] = 0.0
        return self._least


class _Ratio:
    def __init__(self, release: Release, knowledge: Knowledge, doubt: float) -> None:
        ratings, blur = release.ratings, release.blur
        self._ratings, self._total = ratings, max(len(ratings), 1)
        self._sizes = np.maximum(ratings.sizes, 1).astype(np.float32)
        kernel = _value_kernel(len(ratings.values), blur.moved, knowledge.moved)
        self._values = _with_gaps(kernel, kernel.mean(axis=1) if len(kernel) else 0.0)
        self._days, self._middle = _day_kernel(blur.period, blur.days, knowledge.days or 0)
        self._own = (1 - max(doubt, knowledge.wrong / knowledge.items)) * blur.kept
        self._sums = np.zeros(ratings.count)

    def scores(self, items: Any, values: Any, days: Any, without: int = NOBODY) -> Array:
        other = 1 - self._own
        self._sums[:] = len(items) * np.log(other)
        for place, item in enumerate(items):
            people, kernel, most = self._kernel(int(item), int(values[place]), _day(days, place))
            fits = np.flatnonzero(kernel)
            people, kernel = people[fits], kernel[fits]
            mass = float(kernel.sum(dtype=np.float64)) + most / 2
            if without >= 0:
                own = np.searchsorted(people, without)
                if own < len(people) and people[own] == without:
                    mass -= float(kernel[own])
            ratio = kernel / self._sizes[people] * (self._own / other * self._total / mass)
            self._sums[people] += np.log1p(ratio)
        if without >= 0:
            self._sums[without] = len(items) * np.log(other)
        return self._sums

    def _kernel(self, item: int, value: int, day: int | None) -> tuple[Any, Any, float]:
        """Who rated it, the probability of what is known given what is released of each, and its largest."""
        ratings = self._ratings
        where = ratings.list_of(item)
        kernel, most = np.ones(where.stop - where.start, dtype=np.float32), 1.0
        if ratings.scores is not None and value >= 0:
            kernel = self._values[value][ratings.scores[where]]
            most *= float(self._values[value].max())
        if ratings.days is not None and day is not None:
            kernel = kernel * self._calendar(day)[ratings.days[where]]
            most *= float(self._days.max())
        return ratings.people[where], kernel, most

    def _calendar(self, day: int) -> npt.NDArray[np.float32]:
        """(days,) the probability of the known day given each released one; without one, every day is alike likely."""
        span = self._ratings.span
        found = np.zeros(NO_DAY + 1, dtype=np.float32)
        found[NO_DAY] = 1 / max(span, 1)
        first = day - (len(self._days) - 1 - self._middle)  # the released day that the last entry belongs to
        low, high = max(first, 0), min(first + len(self._days), span)
        if low < high:
            found[low:high] = self._days[::-1][low - first : high - first]
        return found


def _with_gaps(table: npt.NDArray[np.float32], gap: Any) -> npt.NDArray[np.float32]:
    """[known, released]: wide enough for every score; the last column is for ratings without one."""
    found = np.zeros((len(table), NO_SCORE + 1), dtype=np.float32)
    found[:, : table.shape[1]] = table
    found[:, NO_SCORE] = gap
    return found


def _value_kernel(values: int, released: float, known: float) -> npt.NDArray[np.float32]:
    """[known, released]: the probability of a known value, if every true value is alike likely."""
    if values == 0:
        return np.zeros((0, 0), dtype=np.float32)
    before = _moves(values, released)
    truth = before / before.sum(axis=0, keepdims=True)  # [true, released]
    found: npt.NDArray[np.float32] = (_moves(values, known).T @ truth).astype(np.float32)
    return found


def _moves(values: int, moved: float) -> npt.NDArray[np.float64]:
    """[from, to]: a value goes to a neighbour with probability `moved`, inwards at the ends."""
    found = np.eye(values) * (1 - moved if values > 1 else 1)
    for one in range(values if values > 1 else 0):
        neighbours = [near for near in (one - 1, one + 1) if 0 <= near < values]
        for near in neighbours:
            found[one, near] += moved / len(neighbours)
    return found


def _day_kernel(period: int, released: int, known: int) -> tuple[npt.NDArray[np.float32], int]:
    """Probabilities of (known day - released day), and the place of difference 0."""
    middle = period // 2
    within = np.full(period, 1 / period)  # true day - middle of the period, from -middle on
    found = within
    for width in (released, known):
        found = np.convolve(found, np.full(2 * width + 1, 1 / (2 * width + 1)))
        middle += width
    return found.astype(np.float32), middle


def _day(days: Any, place: int) -> int | None:
    return None if days is None else int(days[place])


def _has(people: npt.NDArray[np.int32], person: int) -> bool:
    place = int(np.searchsorted(people, person))
    return place < len(people) and int(people[place]) == person
