"""k^m-anonymity of sparse data by leaving items out.

Promise: in what `suppressed` gives, any at most m items that one person rated were rated by at least k people. So who
knows of somebody no more than m items that were kept, and nothing else, finds at least k people that fit.

Not promised, and worth measuring: values and dates that are published beside the items tell the k people apart, unless
they are left out too (`items_alone=True`); who knows m + 1 items may find one person; who knows an item that somebody
did NOT rate may, too; and all k may share what the attacker wants to know.

How: combinations that fewer than k people share are found level by level, m = 1, 2, 3. Leaving out an item for
everybody changes no other combination's count, so each bad combination must lose one of its items: a hitting set,
greedily of the item with most bad combinations for each rating that it costs. It is not the least loss possible: that
is NP-hard. Terrovitis et al. generalise items by a taxonomy instead; items such as films have none, hence suppression,
as in Xu et al.

Sources: k^m-anonymity, Terrovitis, Mamoulis and Kalnis (2008), definition 1; suppression of items for sparse data, Xu,
Wang, Fu and Yu (2008).

Example:
    >>> from reticent.data.ratings import simulated_ratings
    >>> from reticent.data.ratings.suppression import rarest_combination, suppressed
    >>> from reticent.randomness import Randomness
    >>> made = simulated_ratings(300, 60, 3_000, Randomness.simulated(1))
    >>> release = suppressed(made, k=5, m=2)
    >>> rarest_combination(made, 2), rarest_combination(release.ratings, 2) >= 5
    (1, True)
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.ratings.releases import Release
from reticent.data.ratings.store import Ratings
from reticent.errors import UsageError

__all__ = ["rarest_combination", "suppressed"]

Array = npt.NDArray[Any]

_LARGEST: Final = 3
_WORK: Final = 4e9  # pairs of items of a person, over all people: minutes
_EDGES: Final = 40_000_000


def suppressed(ratings: Ratings, *, k: int, m: int, items_alone: bool = False) -> Release:
    """Leave out items until any m of them that somebody rated were rated by k people.

    Args:
        ratings: what is to be released.
        k: how many people must share a combination.
        m: how many items an attacker knows at most: 1, 2 or 3.
        items_alone: whether values and dates are left out too, without which the promise is about items only.

    Raises:
        UsageError: m beyond 3, too many ratings for pairs to be counted, or nothing would be left.
    """
    _checks.at_least(1, k=k)
    if _checks.at_least(1, m=m) > _LARGEST:
        raise UsageError(f"Expected m <= {_LARGEST}, got m={m}.", "Larger combinations take too long to count.")
    _affordable(ratings, m)
    kept = ratings.supports >= k
    for size in range(2, m + 1):
        edges = _rare(ratings, kept, k, size)
        kept &= ~_hitting(edges, ratings.supports, ratings.item_count)
    if not kept.any():
        raise UsageError(f"Expected items to be left, got none at k={k}, m={m}.", "Ask for less.")
    left = ratings.keeping(np.repeat(kept, ratings.supports))
    if items_alone:
        left = dataclasses.replace(left, scores=None, days=None, values=np.zeros(0))
    return Release(
        f"{k}^{m}-anonymity{', items alone' if items_alone else ''}",
        left,
        f"{int((~kept & (ratings.supports > 0)).sum())} items were left out, so that any {m} of the others that one "
        f"person rated were rated by {k}{'; values and dates were left out' if items_alone else ''}.",
        f"Whoever knows at most {m} of a person's items in it, and neither values nor dates nor what the person did "
        f"not rate, finds at least {k} people.",
    )


def rarest_combination(ratings: Ratings, m: int) -> int:
    """The least number of people who share some m items that one of them rated; 0 if nobody rated as many.

    Raises:
        UsageError: m beyond 3, or too many ratings.
    """
    if _checks.at_least(1, m=m) > _LARGEST:
        raise UsageError(f"Expected m <= {_LARGEST}, got m={m}.", "Larger combinations take too long to count.")
    _affordable(ratings, m)
    if m == 1:
        used = ratings.supports[ratings.supports > 0]
        return int(used.min()) if len(used) else 0
    every = np.ones(ratings.item_count, dtype=bool)
    least = [int(counts.min()) for _, counts in _combinations(ratings, every, m) if len(counts)]
    return min(least, default=0)


def _affordable(ratings: Ratings, m: int) -> None:
    work = float((ratings.sizes.astype(np.float64) ** max(m, 2)).sum()) if m > 1 else 0.0
    limit = _WORK * (1 if m < _LARGEST else 25)
    if work > limit:
        raise UsageError(
            f"Expected at most {limit:.0e} combinations of {m} items, got {work:.1e}.",
            "Take a sample of the people, fewer items, or a smaller m.",
        )


def _combinations(ratings: Ratings, kept: npt.NDArray[np.bool_], size: int) -> Any:
    """Combinations of kept items that somebody rated, in parts: (combinations, size) items and how many people."""
    from scipy.sparse import coo_array

    numbers = np.flatnonzero(kept)
    place = np.full(ratings.item_count, -1)
    place[numbers] = np.arange(len(numbers))
    items = place[ratings.items_of_ratings()]
    held = items >= 0
    cells = (np.ones(int(held.sum()), dtype=np.int32), (ratings.people[held], items[held]))
    table = coo_array(cells, shape=(ratings.count, len(numbers))).tocsr()

    def pairs(part: Any) -> tuple[Array, Array]:
        shared = (part.T @ part).tocoo()
        upper = shared.row < shared.col
        return np.stack((shared.row[upper], shared.col[upper]), axis=1), shared.data[upper]

    if size == 2:
        two, counts = pairs(table)
        yield numbers[two], counts
        return
    by_item = table.tocsc()
    for item in range(len(numbers)):
        who = by_item.indices[by_item.indptr[item] : by_item.indptr[item + 1]]
        two, counts = pairs(table[who][:, item + 1 :])
        three = np.concatenate((np.full((len(two), 1), item), two + item + 1), axis=1)
        yield numbers[three], counts


def _rare(ratings: Ratings, kept: npt.NDArray[np.bool_], k: int, size: int) -> Array:
    found, total = [np.zeros((0, size), dtype=np.int32)], 0
    for combinations, counts in _combinations(ratings, kept, size):
        bad = combinations[counts < k].astype(np.int32)
        total += len(bad)
        if total > _EDGES:
            raise UsageError(
                f"Expected at most {_EDGES} combinations that too few people share, got more (of {size} items).",
                "Ask for a smaller k or m, or leave out rare items first.",
            )
        found.append(bad)
    return np.concatenate(found)


def _hitting(edges: Array, supports: Array, items: int) -> npt.NDArray[np.bool_]:
    """Items such that each combination has one of them: greedily, most combinations for each rating that is lost."""
    gone = np.zeros(items, dtype=bool)
    if not len(edges):
        return gone
    flat = edges.ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.concatenate(([0], np.cumsum(np.bincount(flat, minlength=items))))
    edge_of = order // edges.shape[1]
    open_edges = np.ones(len(edges), dtype=bool)
    counts = np.bincount(flat, minlength=items).astype(np.float64)
    cost = np.maximum(supports, 1).astype(np.float64)
    while open_edges.any():
        worst = int(np.argmax(counts / cost))
        gone[worst] = True
        mine = edge_of[starts[worst] : starts[worst + 1]]
        mine = mine[open_edges[mine]]
        open_edges[mine] = False
        counts -= np.bincount(edges[mine].ravel(), minlength=items)
    return gone
