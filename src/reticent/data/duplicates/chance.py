"""How many near pairs there would be if nobody were copied: tables shuffled among alike rows, and a bar.

Promise: a control has the rows of a table with columns shuffled among about `LEAF` rows that are alike. Columns that
say much about each other (`tied`) move together among rows that are alike in all columns, and then each on its own
among rows that are alike in these columns. So a control keeps what each column holds, and nearly all that columns say
about each other, while hardly any of its rows is a copy of another (two rows that were one record stand together in it
again with a chance of about 1 / LEAF per column).
`bar` is the least score at which the pairs of controls are at most a given share of those found; if there is none,
nothing found stands out from chance.
Not covered: rules that hold within some twenty alike rows are lost; tables full of such rules have more near pairs by
chance than controls show. Where the second set differs from the first one, controls mix the two. Copies of one record
that fill a whole leaf survive in it; then controls show too many.

How: rows are split at the median of their first principal component, again and again (a principal component tree;
Verma, Kpotufe and Dasgupta, 2009). The bar is that of target-decoy searches (Elias and Gygi, 2007).

Shapes: points (rows, dimensions); orders (columns, rows): where each cell comes from.

Example:
    >>> import numpy as np
    >>> from reticent.data.duplicates.chance import bar
    >>> found, controls = np.array([3.0, 4.0, 20.0, 30.0]), np.array([2.0, 3.5, 4.5])
    >>> bar(found, controls, 1, 0.1), bar(found, controls, 1, 0.5), bar(found[:2], controls, 1, 0.1)
    (20.0, 3.0, inf)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.data.duplicates.groups import components
from reticent.randomness import Randomness

__all__ = ["LEAF", "Shuffled", "bar", "leaves", "orders", "runs_for", "tied"]

Ints = npt.NDArray[np.int64]

LEAF = 24
"""The most rows among which cells are shuffled."""
TIED = 0.25
"""The least share of a column's information that another one gives if the two are shuffled together."""
_STEPS = 4  # of the power iteration: any direction that nearly has the largest spread will do


class Shuffled(NamedTuple):
    """How a table is shuffled.

    Attributes:
        whole: (rows,) leaves of rows that are alike in all columns.
        cluster: (columns,) numbers from 0, equal for columns that are tied.
        own: by cluster of several columns, leaves of rows that are alike in these.
    """

    whole: Ints
    cluster: Ints
    own: dict[int, Ints]

    @classmethod
    def of(cls, cluster: Ints, sketch: Callable[[Ints], npt.NDArray[np.float32]], randomness: Randomness) -> Shuffled:
        """The leaves.

        Args:
            cluster: (columns,) what is tied.
            sketch: (rows, dimensions) points of rows by the columns of these places.
            randomness: for equal rows.
        """
        own = {}
        for one in range(int(cluster.max(initial=-1)) + 1):
            members = np.flatnonzero(cluster == one)
            if len(members) > 1:
                own[one] = leaves(sketch(members), randomness)
        return cls(leaves(sketch(np.arange(len(cluster))), randomness), cluster, own)

    def orders(self, randomness: Randomness) -> Ints:
        """(columns, rows) where each cell of a control comes from."""
        together = orders(self.whole, int(self.cluster.max(initial=-1)) + 1, randomness)
        found = together[self.cluster]
        for one, leaf in self.own.items():
            members = np.flatnonzero(self.cluster == one)
            found[members] = orders(leaf, len(members), randomness)[:, together[one]]
        return found


def tied(shares: npt.NDArray[np.float64]) -> Ints:
    """(columns,) numbers that are equal for columns that say much about each other, directly or by others.

    Args:
        shares: (columns, columns) how much of one's information the other gives, in [0, 1].
    """
    size = len(shares)
    pairs = np.argwhere(np.maximum(shares, shares.T) >= TIED).reshape(-1, 2)
    return components(size, pairs[pairs[:, 0] != pairs[:, 1]])


def runs_for(rows: int) -> int:
    """How many controls are worth their time."""
    return 5 if rows <= 20_000 else 2 if rows <= 200_000 else 1


def leaves(points: npt.NDArray[np.float32], randomness: Randomness) -> Ints:
    """(rows,) numbers that are equal for at most `LEAF` rows that are alike, and for at least half as many."""
    rows, dimensions = points.shape
    leaf = np.zeros(rows, np.int64)
    shaken = points + 1e-4 * randomness.normal(points.shape).astype(np.float32)  # equal rows are divided, too
    starts = randomness.normal((64, dimensions)).astype(np.float32)
    waiting, number = [np.arange(rows)], 0
    while waiting:
        mine = waiting.pop()
        if len(mine) <= LEAF:
            leaf[mine], number = number, number + 1
            continue
        own = shaken[mine]
        own = own - own.mean(axis=0)
        direction = starts[number % 64]
        for _ in range(_STEPS):
            direction = own.T @ (own @ direction)
            direction = direction / max(float(np.linalg.norm(direction)), 1e-30)
        order = np.argpartition(own @ direction, len(mine) // 2)
        waiting += [mine[order[: len(mine) // 2]], mine[order[len(mine) // 2 :]]]
    return leaf


def orders(leaf: Ints, columns: int, randomness: Randomness) -> Ints:
    """(columns, rows) orders, each of them random within every leaf."""
    places = np.argsort(leaf, kind="stable")
    found = np.empty((columns, len(leaf)), np.int64)
    for column in range(columns):
        found[column, places] = np.lexsort((randomness.uniform(len(leaf)), leaf))
    return found


def bar(found: npt.NDArray[np.float64], controls: npt.NDArray[np.float64], runs: int, share: float) -> float:
    """The least score found at which controls have at most a share of the pairs found; infinite if there is none.

    Args:
        found: scores of pairs, larger ones are nearer.
        controls: those of all controls together.
        runs: how many controls there were.
        share: the largest share of the pairs at or above the bar that chance may explain.
    """
    scores = np.unique(found)
    more = len(found) - np.searchsorted(np.sort(found), scores, side="left")
    chance = (len(controls) - np.searchsorted(np.sort(controls), scores, side="left")) / runs
    fine = np.flatnonzero(chance <= share * more)
    return float(scores[fine[0]]) if len(fine) else math.inf
