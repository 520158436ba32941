"""Ratings of nobody, in the shape of the Netflix Prize, for trials and for measuring how things scale.

Promise: the same generator gives the same ratings, exactly as many as asked for: a person rates an item once, so draws
that repeat are left out, and others are drawn until each film has its number. Films' popularity falls off as a power of
their rank; how much people rate is spread over three orders of magnitude; a person rates for some time and then no
more, several films on one day; values follow the film and the person. The numbers are not fitted to anything: figures
from such ratings say what an attack costs, and how releases compare; they do not say how many real people would be
found.

Example:
    >>> from reticent.data.ratings import simulated_ratings
    >>> from reticent.randomness import Randomness
    >>> made = simulated_ratings(500, 200, 20_000, Randomness.simulated(1))
    >>> made.count, made.item_count, len(made.values), len(made)
    (500, 200, 5, 20000)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.ratings.store import Block, Ratings, assembled
from reticent.errors import UsageError
from reticent.randomness import Randomness, required

__all__ = ["simulated_ratings"]

_FALL = 1.7  # popularity of the film of rank r: (r + _HEAD * films) ** -_FALL
_HEAD = 0.02
_MOST = 0.5  # of all people, who rate the same film
_ROUNDS = 12  # of drawing, after which whoever is missing is chosen one by one
_SPREAD = 1.2  # standard deviation of the logarithm of how much people rate
_LEAST = 0.08  # of the mean: whoever rates least, so that at the size of the Netflix Prize everybody rates something
_SESSION = 12  # films that are rated on one day, about
_FIRST = 10_896  # 1 November 1999, in days since 1970


def simulated_ratings(
    people: int, items: int, ratings: int, randomness: Randomness, *, days: int = 2243, values: int = 5
) -> Ratings:
    """Make ratings.

    Args:
        people: how many people.
        items: how many items.
        ratings: how many ratings; at most half of people times items.
        randomness: a generator.
        days: from how many days.
        values: how many values there are, 1 to that.

    Raises:
        UsageError: a number below 1, or more ratings than that.
    """
    for name, number in (("people", people), ("items", items), ("ratings", ratings), ("days", days)):
        _checks.at_least(1, **{name: number})
    most = items * _most(people)
    if ratings > most:
        raise UsageError(f"Expected ratings <= {most}, got ratings={ratings}.", "Ask for more people or items.")
    source = required(randomness)
    blocks = list(_films(people, items, ratings, source, days, values))
    return assembled(blocks, values=np.arange(1.0, values + 1), first_day=_FIRST, count=people, items=items)


def _films(people: int, items: int, ratings: int, source: Randomness, days: int, values: int) -> Iterator[Block]:
    wanted = _supports(people, items, ratings)
    activity = np.exp(source.spawn("activity").normal(people, standard_deviation=_SPREAD))
    activity = np.maximum(activity, _LEAST * activity.mean())
    reach = np.cumsum(activity) / activity.sum()
    begin = source.spawn("begin").uniform(people) ** 0.7 * days
    length = np.minimum(source.spawn("length").uniform(people) * days, days - begin)
    sessions = np.maximum(activity / activity.mean() * ratings / people / _SESSION, 1.0)
    taste = source.spawn("taste").normal(people, standard_deviation=0.4)
    draws, quality = source.spawn("draws"), source.spawn("quality").normal(items, standard_deviation=0.5)
    for item in range(items):
        who = _sample(activity, reach, int(wanted[item]), draws)
        size = len(who)
        session = np.floor(draws.uniform(size) * sessions[who]) / sessions[who]
        day = (begin[who] + session * length[who]).astype(np.uint16)
        liked = (values + 1) / 2 + 0.6 + quality[item] + taste[who] + 0.9 * _rough_normal(draws, size)
        score = np.clip(np.round(liked), 1, values).astype(np.uint8) - np.uint8(1)
        yield Block(who, np.full(size, item, dtype=np.int32), score, np.minimum(day, days - 1).astype(np.uint16))


def _most(people: int) -> int:
    """Of so many people, how many may rate one film."""
    return max(int(_MOST * people), 1)


def _supports(people: int, items: int, ratings: int) -> npt.NDArray[np.int64]:
    """(items,) how many people rate each film: as popular as its rank, and exactly so many ratings in all."""
    popular = (np.arange(items) + max(_HEAD * items, 1.0)) ** -_FALL
    most, least = float(_most(people)), min(2.0, float(_most(people)), ratings / items)
    low, high = 0.0, ratings / popular[-1]  # what popularity is multiplied with; what is too much goes to the others
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(middle * popular, least, most).sum() < ratings else (low, middle)
    whole: npt.NDArray[np.int64] = np.clip(np.floor(np.clip(high * popular, least, most)), 0, most).astype(np.int64)
    short = ratings - int(whole.sum())
    while short:  # fewer than one for each film, to the most popular ones that have room, or from those that have any
        open_ = np.flatnonzero(whole < most if short > 0 else whole > 0)[: abs(short)]
        whole[open_] += np.sign(short)
        short = ratings - int(whole.sum())
    return whole


def _sample(
    activity: npt.NDArray[Any], reach: npt.NDArray[Any], size: int, source: Randomness
) -> npt.NDArray[np.int32]:
    """Exactly so many different people, the more active ones more often, ascending.

    Args:
        activity: (people,) how often each is drawn.
        reach: (people,) its running sum, ending in 1.
        size: at most half of the people.
        source: a generator.
    """
    found = np.zeros(0, dtype=np.int32)
    total = float(activity.sum())
    for _ in range(_ROUNDS):
        missing = size - len(found)
        if missing <= 0:
            break
        fresh = max(1 - float(activity[found].sum()) / total, 0.02)  # the chance that a draw is of somebody new
        # Sorted draws are looked up in order, which the processor's cache likes.
        drawn = np.searchsorted(reach, np.sort(source.uniform(int(1.1 * missing / fresh) + 1)), side="right")
        found = np.unique(np.concatenate((found, np.minimum(drawn, len(reach) - 1).astype(np.int32))))
    if len(found) < size:  # hardly ever: whoever is left, by exponential clocks (Efraimidis and Spirakis, 2006)
        left = np.setdiff1d(np.arange(len(reach), dtype=np.int32), found, assume_unique=True)
        clocks = -np.log1p(-source.uniform(len(left))) / activity[left]
        found = np.sort(np.concatenate((found, left[np.argsort(clocks, kind="stable")[: size - len(found)]])))
    if len(found) == size:
        return found
    return found[np.sort(source.permutation(len(found))[:size])]


def _rough_normal(source: Randomness, size: int) -> npt.NDArray[np.float64]:
    """Sums of the eight bytes of a word, centred and scaled: near enough to normal for a film's ratings, and cheap."""
    halves = source.bits(size).view(np.uint8).reshape(size, 8).sum(axis=1, dtype=np.int32)
    found: npt.NDArray[np.float64] = (halves - 8 * 127.5) / (np.sqrt(8) * 73.9)
    return found
