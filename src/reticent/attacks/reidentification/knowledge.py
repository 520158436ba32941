"""What an attacker knows about a person from elsewhere: a few of their ratings, roughly, and some of them wrongly.

Promise: what is known is drawn from the person's own ratings, each alike likely, without looking at any release.
Dates are off by up to so many days to either side, all equally likely; values go to a neighbour with the given
probability; `wrong` of the items are ones that the person never rated, taken (with value and date) from a rating of
somebody else. This is how Narayanan and Shmatikov draw it (2008, section 5); items outside the most popular ones only,
too, if asked for.

Shapes: `Known` holds (targets, known) arrays: items; scores as places in the values of the ratings, -1 if values are
not known; days since the first day of the ratings, int32, or None.

Example:
    >>> from reticent.attacks.reidentification import Knowledge, learned
    >>> from reticent.data.ratings import Ratings
    >>> from reticent.randomness import Randomness
    >>> seen = Ratings.of([0, 0, 0, 1], [0, 1, 2, 2], scores=[5, 3, 4, 4], days=[100, 104, 120, 90])
    >>> known = learned(seen, [0], Knowledge(2, days=3), Randomness.simulated(1))
    >>> known.items.shape, set(known.items[0].tolist()) <= {0, 1, 2}
    ((1, 2), True)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.ratings import Ratings, Rows
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness, required

__all__ = ["Knowledge", "Known", "eligible", "learned"]

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """How much is known of a person.

    Args:
        items: how many of their ratings.
        days: by up to how many days a known date is off; None if dates are not known.
        values: whether values are known.
        moved: the probability that a known value is a neighbour of the true one.
        wrong: how many of the items the person did not rate at all.
        beyond: known items are not among so many of the most popular ones.
    """

    items: int
    days: int | None = 14
    values: bool = True
    moved: float = 0.0
    wrong: int = 0
    beyond: int = 0

    def __post_init__(self) -> None:
        _checks.at_least(1, items=self.items)
        _checks.at_least(0, wrong=self.wrong)
        _checks.at_least(0, beyond=self.beyond)
        _checks.fraction(moved=self.moved)
        if self.days is not None:
            _checks.at_least(0, days=self.days)
        if self.wrong >= self.items:
            raise UsageError(
                f"Expected some right items, got wrong={self.wrong} of items={self.items}.", "Ask for fewer wrong ones."
            )

    @property
    def text(self) -> str:
        """In words."""
        said = f"{self.items} items" + (f", {self.wrong} of them wrong" if self.wrong else "")
        said += "" if not self.beyond else f", none of the {self.beyond} most popular"
        said += "" if self.values else ", no values"
        said += f", {self.moved:.0%} of the values off by one" if self.values and self.moved else ""
        return said + (", no dates" if self.days is None else f", dates within {self.days} days")


class Known(NamedTuple):
    """What is known of some targets.

    Attributes:
        items: (targets, known) int32.
        scores: (targets, known) int16, -1 if values are not known.
        days: (targets, known) int32, or None.
    """

    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.int16]
    days: npt.NDArray[np.int32] | None


def eligible(ratings: Ratings, knowledge: Knowledge) -> npt.NDArray[np.int64]:
    """People of whom so much can be known: enough ratings that are allowed."""
    needed = knowledge.items - knowledge.wrong
    if not knowledge.beyond:
        return np.flatnonzero(ratings.sizes >= needed)
    allowed = np.repeat(_allowed(ratings, knowledge), ratings.supports)
    return np.flatnonzero(np.bincount(ratings.people[allowed], minlength=ratings.count) >= needed)


def learned(ratings: Ratings, targets: Sequence[int] | Array, knowledge: Knowledge, randomness: Randomness) -> Known:
    """Draw what is known of some people.

    Args:
        ratings: the truth, before anything was done to it.
        targets: numbers of people, each once.
        knowledge: how much.
        randomness: a generator.

    Raises:
        DataError: a target has too few ratings, or an attacker should know dates that do not exist.
    """
    source = required(randomness)
    if knowledge.days is not None and ratings.days is None:
        raise DataError("Expected ratings with dates for an attacker who knows dates, got none.", "Pass days=None.")
    rows = ratings.of_people(targets)
    picked = _picked(ratings, rows, knowledge, source.spawn("own"))
    items = rows.items[picked]
    scores = np.full(items.shape, -1, dtype=np.int16)
    if knowledge.values and rows.scores is not None:
        scores = rows.scores[picked].astype(np.int16)
    days = None if rows.days is None or knowledge.days is None else rows.days[picked].astype(np.int32)
    known = Known(items, scores, days)
    if knowledge.wrong:
        known = _misled(ratings, rows, known, knowledge.wrong, source.spawn("wrong"))
    return _blurred(known, knowledge, len(ratings.values), source.spawn("blur"))


def _allowed(ratings: Ratings, knowledge: Knowledge) -> npt.NDArray[np.bool_]:
    allowed = np.ones(ratings.item_count, dtype=bool)
    allowed[np.argsort(-ratings.supports, kind="stable")[: knowledge.beyond]] = False
    return allowed


def _picked(ratings: Ratings, rows: Rows, knowledge: Knowledge, source: Randomness) -> Array:
    """(targets, items) places of ratings: the own ones of each target, without repetition."""
    count = len(rows.starts) - 1
    keys = source.uniform(len(rows.items))
    if knowledge.beyond:
        keys[~_allowed(ratings, knowledge)[rows.items]] += 1.0  # behind all that are allowed
    found = np.empty((count, knowledge.items), dtype=np.int64)
    needed = knowledge.items - knowledge.wrong
    for place in range(count):
        mine = rows.of(place)
        order = np.argsort(keys[mine])[: knowledge.items]
        if (keys[mine][order] < 1.0).sum() < needed:
            raise DataError(f"Expected targets with at least {needed} ratings each, got fewer.", "Use eligible().")
        found[place] = mine.start + np.resize(order[: max(needed, 1)], knowledge.items)
        found[place, :needed] = mine.start + order[:needed]
    return found


def _misled(ratings: Ratings, rows: Rows, known: Known, wrong: int, source: Randomness) -> Known:
    """The last `wrong` items of each become somebody else's ratings, of items that the target did not rate."""
    items, scores = known.items.copy(), known.scores.copy()
    days = None if known.days is None else known.days.copy()
    for place in range(len(items)):
        own, first = rows.items[rows.of(place)], items.shape[1] - wrong
        taken = set(own.tolist())
        if len(taken) + wrong > ratings.item_count:
            raise DataError("Expected targets who did not rate everything, got one who did.", "Ask for no wrong items.")
        column = first
        while column < items.shape[1]:
            one = int(source.integers(len(ratings), 1)[0])
            item = int(np.searchsorted(ratings.starts, one, side="right")) - 1
            if item in taken:
                continue
            taken.add(item)
            items[place, column] = item
            if ratings.scores is not None and scores[place, 0] >= 0:
                scores[place, column] = ratings.scores[one]
            if days is not None and ratings.days is not None:
                days[place, column] = ratings.days[one]
            column += 1
    return Known(items, scores, days)


def _blurred(known: Known, knowledge: Knowledge, values: int, source: Randomness) -> Known:
    scores, days = known.scores, known.days
    if knowledge.moved and values > 1 and (scores >= 0).all():
        goes = source.bernoulli(knowledge.moved, scores.size).reshape(scores.shape)
        up = source.bernoulli(0.5, scores.size).reshape(scores.shape)
        up = np.where(scores == 0, True, np.where(scores == values - 1, False, up))
        scores = np.where(goes, np.where(up, scores + 1, scores - 1), scores).astype(np.int16)
    if days is not None and knowledge.days:
        shift = source.integers(2 * knowledge.days + 1, days.size).reshape(days.shape) - knowledge.days
        days = (days + shift).astype(np.int32)
    return Known(known.items, scores, days)
