"""The cheapest generalisation of whole columns that reaches a goal: an exact search of the lattice of levels.

Promise: among all combinations of one level per column whose left-out rows stay within the limit, one of least cost is
found: the mean over columns of the entropy lost (`losses`), rows that are left out counting as having lost everything.
Nothing is sampled; where the lattice is too large to be held, it is refused.

How: the loss of the levels alone is a sum over columns, known without looking at a row, and never more than the cost.
So combinations are taken in the order of that sum, and none is looked at once the sum exceeds the best cost. A
combination whose rows in classes below k (or short of distinct values) exceed the limit shows that all finer ones do
too: they are crossed out (predictive tagging). To cross out many at once, chains from a combination up to the coarsest
are bisected. Entropy diversity, recursive diversity and t-closeness are not monotone once rows are left out; they
decide about a combination, and cross out nothing, unless no row may be left out.

Classes are formed of the distinct combinations of values, not of rows.

Sources: Samarati (2001); LeFevre et al. (2005); El Emam et al. (2009), OLA; Kohlmayer et al. (2012), Flash. The bound
and its order are ours: OLA minimises the loss of the levels alone, and leaves out of account what is left out.

Example:
    >>> import numpy as np
    >>> from reticent.data.anonymity.goals import Cells, Goal
    >>> from reticent.data.anonymity.lattice import search
    >>> from reticent.data.anonymity.losses import Axis
    >>> age = Axis.of([2, 1, 1], [[0, 1, 2], [0, 1, 1], [0, 0, 0]])
    >>> base = Cells(np.array([2, 1, 1]), None, ())
    >>> found = search([age], np.array([[0], [1], [2]]), base, Goal(k=2), limit=0)
    >>> found.node, found.suppressed, round(found.cost, 3)
    ((1,), 0, 0.333)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.anonymity.counting import Floats, Ints
from reticent.data.anonymity.goals import Cells, Goal
from reticent.data.anonymity.losses import Axis
from reticent.errors import NotEnoughEvidence, UsageError

__all__ = ["Found", "relabelled", "search"]

_MOST_NODES: Final = 4_000_000
_SLACK: Final = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """The best combination of levels.

    Attributes:
        node: the level of each column.
        cost: mean entropy lost, rows left out included.
        suppressed: rows that are left out.
        evaluated: combinations whose classes were formed.
        nodes: combinations that there are.
        of: (base,) the class of each base combination of values.
        out: (classes,) which classes are left out.
    """

    node: tuple[int, ...]
    cost: float
    suppressed: int
    evaluated: int
    nodes: int
    of: Ints
    out: npt.NDArray[np.bool_]


def search(
    axes: Sequence[Axis],
    codes: Ints,
    base: Cells,
    goal: Goal,
    *,
    limit: int,
    weights: Sequence[float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """Find the cheapest combination of levels that reaches the goal.

    Args:
        axes: for each column, its levels and what they cost.
        codes: (base, columns) the categories of each distinct combination of values.
        base: how many rows each has, and what the goal needs of them.
        goal: to reach.
        limit: rows that may be left out, at most.
        weights: for each column how much its loss counts; all the same if not given.
        progress: called with the number of combinations that are settled, and of all.

    Raises:
        UsageError: there are more than four million combinations.
        NotEnoughEvidence: not even the coarsest reaches the goal.
    """
    shape = tuple(len(axis.groups) for axis in axes)
    if math.prod(shape) > _MOST_NODES:
        raise UsageError(
            f"Expected at most {_MOST_NODES} combinations of levels, got {math.prod(shape)}.",
            "Name fewer columns, give them fewer levels, or choose method='mondrian'.",
        )
    given = np.ones(len(axes)) if weights is None else np.asarray(weights, float)
    return _Search(axes, codes, base, goal, limit, given / given.sum(), progress).run(shape)


class _Search:
    def __init__(
        self,
        axes: Sequence[Axis],
        codes: Ints,
        base: Cells,
        goal: Goal,
        limit: int,
        weights: Floats,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.axes, self.codes, self.base, self.goal, self.limit = axes, codes, base, goal, limit
        self.weights, self.progress = weights, progress
        self.tags_all = goal.always_monotone or limit == 0
        self.top = self._lost(tuple(len(axis.groups) - 1 for axis in axes), whole=True)
        self.best: Found | None = None
        self.evaluated = 0

    def run(self, shape: tuple[int, ...]) -> Found:
        losses = np.zeros(shape)
        for i, (axis, weight) in enumerate(zip(self.axes, self.weights, strict=True)):
            losses += (weight * axis.entropy).reshape([-1 if j == i else 1 for j in range(len(shape))])
        flat, failed, seen = losses.reshape(-1), np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        for number, place in enumerate(np.argsort(flat, kind="stable")):
            if self.best is not None and flat[place] >= self.best.cost - _SLACK:
                break
            node = tuple(int(i) for i in np.unravel_index(place, shape))
            if failed[node] or seen[node]:
                continue
            self._bisect(self._chain(node, losses), failed, seen)
            if not failed[node] and not seen[node]:
                self._evaluate(node, failed, seen)
            if self.progress is not None:
                self.progress(number + 1, losses.size)
        if self.best is None:
            raise NotEnoughEvidence(
                f"Expected a way to reach {self.goal} with at most {self.limit} rows left out, got none.",
                "Allow more rows to be left out, let fixed columns be generalised, or ask for less.",
            )
        if self.progress is not None:
            self.progress(losses.size, losses.size)
        return dataclasses.replace(self.best, evaluated=self.evaluated, nodes=losses.size)

    def _chain(self, node: tuple[int, ...], losses: Floats) -> list[tuple[int, ...]]:
        chain = [node]
        while True:
            above = [
                (*node[:i], level + 1, *node[i + 1 :]) for i, level in enumerate(node) if level + 1 < losses.shape[i]
            ]
            above = [one for one in above if self.best is None or losses[one] < self.best.cost - _SLACK]
            if not above:
                return chain
            node = min(above, key=lambda one: float(losses[one]))
            chain.append(node)

    def _bisect(self, chain: list[tuple[int, ...]], failed: npt.NDArray[np.bool_], seen: npt.NDArray[np.bool_]) -> None:
        low, high = 0, len(chain) - 1
        while low <= high:
            middle = (low + high) // 2
            node = chain[middle]
            if not failed[node] and not seen[node]:
                self._evaluate(node, failed, seen)
            if failed[node]:
                low = middle + 1
            else:
                high = middle - 1

    def _evaluate(self, node: tuple[int, ...], failed: npt.NDArray[np.bool_], seen: npt.NDArray[np.bool_]) -> None:
        seen[node] = True
        self.evaluated += 1
        of, classes = self._classes(node)
        cells = self.base.merged(of, classes)
        below = tuple(slice(0, level + 1) for level in node)
        if int(cells.rows[self.goal.basic(cells)].sum()) > self.limit:
            failed[below] = True
            return
        out = self.goal.violating(cells)
        left_out = int(cells.rows[out].sum())
        if left_out > self.limit or out.all():
            if self.tags_all:
                failed[below] = True
            return
        gone = out[of]
        lost = np.where(gone, self.top, self._lost(node))
        cost = float(lost @ self.base.rows)
        if self.best is None or cost < self.best.cost - _SLACK:
            self.best = Found(node, cost, left_out, 0, 0, of, out)

    def _classes(self, node: tuple[int, ...]) -> tuple[Ints, int]:
        keys, span = np.zeros(len(self.codes), dtype=np.int64), 1
        for i, (axis, level) in enumerate(zip(self.axes, node, strict=True)):
            groups = axis.groups[level]
            size = int(groups.max()) + 1
            if span * size >= 2**62:
                keys, span = relabelled(keys, span)
            keys, span = keys * size + groups[self.codes[:, i]], span * size
        return relabelled(keys, span)

    def _lost(self, node: tuple[int, ...], *, whole: bool = False) -> Floats:
        """(base,) what a row loses, as a share of all that can be lost; with `whole`, as if every column were `*`."""
        found = np.zeros(len(self.codes))
        for i, (axis, level, weight) in enumerate(zip(self.axes, node, self.weights, strict=True)):
            found += weight * (axis.everybody if whole else axis.cells[level])[self.codes[:, i]]
        return found


def relabelled(keys: Ints, span: int) -> tuple[Ints, int]:
    """The same classes with numbers from 0, and how many there are; `span` is above every key."""
    if span <= 4 * len(keys) + 65_536:
        used = np.zeros(span, dtype=bool)
        used[keys] = True
        places: Any = np.cumsum(used) - 1
        return places[keys], int(places[-1]) + 1
    names, places = np.unique(keys, return_inverse=True)
    return places.astype(np.int64), len(names)
