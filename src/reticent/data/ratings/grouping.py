"""k-anonymity of sparse data by groups: similar people get one profile that all of them share.

Promise: in what `grouped` gives, the rows of a group are equal, and a group has at least k people; so no attacker can
tell the rows of a group apart, whatever they know. Not promised: that the group cannot be found, and then what its
profile says is told of each of its members. An item needs `share` of the group; with half of it, who is alone in rating
something is not in the profile; with the union (`share=0`) they are, and the group is found far more often.

How: people are placed by the main directions of what they rated (rare items weigh more, 1/log of their support), and
the set is halved at the median of its widest direction until a half would have fewer than k people, as Mondrian does
with columns. A profile has the items that at least `share` of the group rated; value and date are the means over those
who rated it, rounded.

Sources: k-anonymity, Samarati and Sweeney (1998); splitting at medians, LeFevre, DeWitt and Ramakrishnan (2006); a
group's mean for its members, Domingo-Ferrer and Mateo-Sanz (2002); directions, Halko, Martinsson and Tropp (2011).

Example:
    >>> from reticent.data.ratings import simulated_ratings
    >>> from reticent.data.ratings.grouping import grouped
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> release = grouped(simulated_ratings(500, 200, 20_000, source), 5, source)
    >>> release.as_dict()["smallest_group"]
    7
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.ratings.releases import Release
from reticent.data.ratings.store import Block, Ratings, assembled
from reticent.errors import UsageError
from reticent.randomness import Randomness, required

__all__ = ["groups_of", "grouped"]

Array = npt.NDArray[Any]

_DIRECTIONS: Final = 16


def groups_of(ratings: Ratings, k: int, randomness: Randomness) -> npt.NDArray[np.int32]:
    """(people,) numbers of groups of at least k and fewer than 2k people who rated similar items.

    Raises:
        UsageError: fewer than k people.
    """
    if _checks.at_least(2, k=k) > ratings.count:
        raise UsageError(f"Expected k <= {ratings.count} people, got k={k}.", "Ask for smaller groups.")
    places = _placed(ratings, required(randomness))
    found = np.empty(ratings.count, dtype=np.int32)
    waiting, number = [np.arange(ratings.count)], 0
    while waiting:
        part = waiting.pop()
        if len(part) < 2 * k:
            found[part] = number
            number += 1
            continue
        inside = places[part]
        widest = int(np.argmax(inside.var(axis=0)))
        order = part[np.argsort(inside[:, widest], kind="stable")]
        waiting += [order[: len(order) // 2], order[len(order) // 2 :]]
    return found


def grouped(ratings: Ratings, k: int, randomness: Randomness, *, share: float = 0.5) -> Release:
    """Give every person the profile of a group of at least k similar people.

    Args:
        ratings: what is to be released.
        k: the least size of a group.
        randomness: a generator, for the projections.
        share: of the group that must have rated an item for it to be in the profile; 0 for the union.

    Raises:
        UsageError: fewer than k people, or no item that so many of a group rated.
    """
    share = _checks.fraction(share=share)
    groups = groups_of(ratings, k, randomness)
    members = np.bincount(groups)
    keys = groups[ratings.people].astype(np.int64) * ratings.item_count + ratings.items_of_ratings()
    cells, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    of_group, items = cells // ratings.item_count, (cells % ratings.item_count).astype(np.int32)
    kept = counts >= np.maximum(share * members[of_group], 1)
    if not kept.any():
        raise UsageError(f"Expected items that {share:.0%} of a group share, got none.", "Ask for a smaller share.")
    scores, days = ratings.scores, ratings.days
    if scores is not None:
        scores = _nearest(ratings.values, _means(ratings.values[scores], inverse, counts)[kept])
    if days is not None:
        days = np.round(_means(days, inverse, counts)[kept]).astype(np.uint16)
    rows = np.repeat(np.arange(int(kept.sum())), members[of_group[kept]])
    order = np.argsort(groups, kind="stable")
    starts = np.cumsum(members) - members
    ahead = np.arange(len(rows)) - np.repeat(np.cumsum(members[of_group[kept]]), members[of_group[kept]])
    ahead += members[of_group[kept]][rows]
    people = order[starts[of_group[kept]][rows] + ahead]
    block = Block(
        people.astype(np.int32),
        items[kept][rows],
        None if scores is None else scores[rows],
        None if days is None else days[rows],
    )
    made = assembled(
        [block],
        values=ratings.values,
        first_day=ratings.first_day,
        count=ratings.count,
        items=ratings.item_count,
    )
    return Release(
        f"groups of {k}{'' if share else ', union'}",
        made,
        f"People were put into groups of at least {k} that rated similar items; each row is the group's: items that "
        f"{f'{share:.0%} of it' if share else 'any of it'} rated, with mean value and date.",
        f"The rows of a group are equal, so nobody can be told from {k - 1} others; the group itself may be found, and "
        "what its profile says is told of each of them.",
        groups=groups,
    )


def _placed(ratings: Ratings, source: Randomness) -> npt.NDArray[np.float64]:
    """(people, directions) where each one is, by a randomised singular value decomposition (Halko et al. 2011)."""
    weights = 1 / np.log(np.maximum(ratings.supports, 2))
    lengths = 1 / np.sqrt(np.maximum(ratings.sizes, 1))

    def of_people(items: Array) -> npt.NDArray[np.float64]:
        found = np.empty((ratings.count, _DIRECTIONS))
        for one in range(_DIRECTIONS):
            each = np.repeat(items[:, one] * weights, ratings.supports)
            found[:, one] = np.bincount(ratings.people, weights=each, minlength=ratings.count)
        return found * lengths[:, None]

    def of_items(people: Array) -> npt.NDArray[np.float64]:
        found = np.zeros((ratings.item_count, _DIRECTIONS))
        used = np.flatnonzero(ratings.supports)
        for one in range(_DIRECTIONS):
            each = (people[:, one] * lengths)[ratings.people]
            found[used, one] = np.add.reduceat(each, ratings.starts[:-1][used])
        return found * weights[:, None]

    signs = source.bernoulli(0.5, ratings.item_count * _DIRECTIONS).reshape(-1, _DIRECTIONS)
    places = of_people(np.where(signs, 1.0, -1.0))
    for _ in range(2):
        places = of_people(of_items(np.linalg.qr(places)[0]))
    return places


def _means(numbers: Array, inverse: Array, counts: Array) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.bincount(inverse.ravel(), weights=numbers, minlength=len(counts)) / counts
    return found


def _nearest(values: Array, means: Array) -> npt.NDArray[np.uint8]:
    above = np.clip(np.searchsorted(values, means), 0, len(values) - 1)
    below = np.maximum(above - 1, 0)
    return np.where(means - values[below] <= values[above] - means, below, above).astype(np.uint8)
