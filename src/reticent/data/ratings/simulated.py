"""Ratings of nobody, in the shape of the Netflix Prize, for trials and for measuring how things scale.

Promise: the same generator gives the same ratings, about as many as asked for (a person rates an item once, so draws
that repeat are left out). Films' popularity falls off as a power of their rank; how much people rate is spread over
three orders of magnitude; a person rates for some time and then no more, several films on one day; values follow the
film and the person. The numbers are not fitted to anything: figures from such ratings say what an attack costs, and how
releases compare; they do not say how many real people would be found.

Example:
    >>> from reticent.data.ratings import simulated_ratings
    >>> from reticent.randomness import Randomness
    >>> made = simulated_ratings(500, 200, 20_000, Randomness.simulated(1))
    >>> made.count, made.item_count, len(made.values), 15_000 < len(made) < 21_000
    (500, 200, 5, True)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.ratings.store import Block, Ratings, assembled
from reticent.randomness import Randomness, required

__all__ = ["simulated_ratings"]

_FALL = 1.7  # popularity of the film of rank r: (r + _HEAD * films) ** -_FALL
_HEAD = 0.02
_MOST = 0.5  # of all people, who rate the same film
_SPREAD = 1.2  # standard deviation of the logarithm of how much people rate
_SESSION = 12  # films that are rated on one day, about
_FIRST = 10_896  # 1 November 1999, in days since 1970


def simulated_ratings(
    people: int, items: int, ratings: int, randomness: Randomness, *, days: int = 2243, values: int = 5
) -> Ratings:
    """Make ratings.

    Args:
        people: how many people.
        items: how many items.
        ratings: about how many ratings; fewer come out where people would have to rate nearly everything.
        randomness: a generator.
        days: from how many days.
        values: how many values there are, 1 to that.

    Raises:
        UsageError: a number below 1.
    """
    for name, number in (("people", people), ("items", items), ("ratings", ratings), ("days", days)):
        _checks.at_least(1, **{name: number})
    source = required(randomness)
    blocks = list(_films(people, items, ratings, source, days, values))
    return assembled(blocks, values=np.arange(1.0, values + 1), first_day=_FIRST, count=people, items=items)


def _films(people: int, items: int, ratings: int, source: Randomness, days: int, values: int) -> Iterator[Block]:
    popular = (np.arange(items) + max(_HEAD * items, 1.0)) ** -_FALL
    wanted = popular
    for _ in range(8):  # what the most popular ones cannot have goes to the others
        wanted = np.clip(wanted * ratings / wanted.sum(), min(2.0, _MOST * people), _MOST * people)
    activity = np.exp(source.spawn("activity").normal(people, standard_deviation=_SPREAD))
    reach = np.cumsum(activity) / activity.sum()
    begin = source.spawn("begin").uniform(people) ** 0.7 * days
    length = np.minimum(source.spawn("length").uniform(people) * days, days - begin)
    sessions = np.maximum(activity / activity.mean() * ratings / people / _SESSION, 1.0)
    taste = source.spawn("taste").normal(people, standard_deviation=0.4)
    draws, quality = source.spawn("draws"), source.spawn("quality").normal(items, standard_deviation=0.5)
    for item in range(items):
        who = _sample(reach, int(wanted[item]), draws)
        size = len(who)
        session = np.floor(draws.uniform(size) * sessions[who]) / sessions[who]
        day = (begin[who] + session * length[who]).astype(np.uint16)
        liked = (values + 1) / 2 + 0.6 + quality[item] + taste[who] + 0.9 * _rough_normal(draws, size)
        score = np.clip(np.round(liked), 1, values).astype(np.uint8) - np.uint8(1)
        yield Block(who, np.full(size, item, dtype=np.int32), score, np.minimum(day, days - 1).astype(np.uint16))


def _sample(reach: npt.NDArray[Any], size: int, source: Randomness) -> npt.NDArray[np.int32]:
    """About so many different people, the more active ones more often, ascending."""
    found = np.zeros(0, dtype=np.int32)
    for _ in range(12):
        missing = size - len(found)
        if missing <= 0.02 * size:
            break
        # Sorted draws are looked up in order, which the processor's cache likes.
        drawn = np.searchsorted(reach, np.sort(source.uniform(int(1.1 * missing) + 1)), side="right")
        found = np.unique(np.concatenate((found, np.minimum(drawn, len(reach) - 1).astype(np.int32))))
    if len(found) <= size:
        return found
    return found[np.sort(source.permutation(len(found))[:size])]


def _rough_normal(source: Randomness, size: int) -> npt.NDArray[np.float64]:
    """Sums of the eight bytes of a word, centred and scaled: near enough to normal for a film's ratings, and cheap."""
    halves = source.bits(size).view(np.uint8).reshape(size, 8).sum(axis=1, dtype=np.int32)
    found: npt.NDArray[np.float64] = (halves - 8 * 127.5) / (np.sqrt(8) * 73.9)
    return found
