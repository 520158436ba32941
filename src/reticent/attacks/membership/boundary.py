"""How far is it from the record to where the model changes its mind? Found by asking for labels only.

Promise: every distance is that of a point that the model was asked about and gave another class to (or, if no search
helped, of another record), so it is never below the distance to the boundary. Records that the model is wrong about
have distance 0. No more queries are made than `BoundarySearch.queries` for each record; they are made for many records
at once. Memberships are not used.

How (Chen, Jordan and Wainwright, 2020, HopSkipJump; Choquette-Choo et al., 2021, section 4.3, for membership): start at
the nearest other record of another predicted class; bisect the way to it down to the boundary; estimate the boundary's
direction there from the labels of points around it; step outwards along it, and bisect again. Training makes room
around the records that it sees, so members are farther from the boundary.

Units: Euclidean, in standard deviations of each column for tables, and of all pixels together for images. With the
usual settings each record takes 189 queries at most; in 2, 20 and 100 dimensions the distances to a plane come out 0.3,
12 and 56 % too long in the median, in almost the right order, at 0.3 ms a record without the model's own time. Memory:
some 64 MB.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership.boundary import boundary_distance
    >>> from reticent.models import Target
    >>> from reticent.randomness import Randomness
    >>> x = Randomness.simulated(0).normal((200, 2))
    >>> line = Target(lambda x: np.column_stack([-x[:, 0], x[:, 0]]), classes=2, exposure="label")
    >>> found = boundary_distance(line, x, (x[:, 0] > 0).astype(int), randomness=Randomness.simulated(1))
    >>> exact = np.abs(x[:, 0]) / x[:, 0].std()
    >>> bool((found >= exact).all()), bool(np.median(found / exact) < 1.05)
    (True, True)
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.models import Target
from reticent.randomness import Randomness, required

__all__ = ["BoundarySearch", "boundary_distance"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_AT_ONCE = 2_000_000  # numbers: 16 MB
_CANDIDATES = 2000  # other records among which the nearest is looked for


@dataclasses.dataclass(frozen=True)
class BoundarySearch:
    """How hard to look.

    Args:
        iterations: how often the direction is estimated.
        directions: points asked about for each estimate.
        bisections: halvings of the way to the boundary, each time.
        steps: tries for the length of a step, each half of the last.
        radius: of the points around the boundary, in distances from the record.
    """

    iterations: int = 4
    directions: int = 32
    bisections: int = 8
    steps: int = 5
    radius: float = 0.1

    def __post_init__(self) -> None:
        for name in ("directions", "bisections", "steps"):
            _checks.at_least(1, **{name: getattr(self, name)})
        _checks.at_least(0, iterations=self.iterations)
        _checks.positive(radius=self.radius)

    @property
    def queries(self) -> int:
        """The most queries for one record, the one about itself included."""
        return 1 + self.bisections + self.iterations * (self.directions + self.steps + self.bisections)


def boundary_distance(
    target: Target,
    features: npt.NDArray[Any],
    labels: npt.NDArray[np.int64],
    *,
    randomness: Randomness,
    search: BoundarySearch | None = None,
) -> Floats:
    """(n,) distances to the nearest point found that the model gives another class; 0 where it is wrong already.

    Infinite where the model gives the same class to every record: there is nowhere to start.

    Args:
        target: the model; only its predicted classes are used.
        features: (n, ...) the records, of which each is another's way to the boundary.
        labels: their true classes.
        randomness: source of the directions.
        search: how hard to look.

    Raises:
        UsageError: whole numbers, such as token ids, between which there is no way; or a budget that is too small.
    """
    source, search = required(randomness), search or BoundarySearch()
    if features.dtype.kind != "f":
        raise UsageError(
            f"Expected features that change gradually, got {features.dtype} such as token ids.",
            "Attack token ids by agreement, with perturbations of your own.",
        )
    target.require_queries(search.queries * len(features))
    predicted = target.predicted(features)
    distances = np.where(predicted == labels, np.inf, 0.0)
    flat = features.reshape(len(features), -1).astype(np.float64)
    deviations = flat.std(axis=0) if features.ndim == 2 else np.full(flat.shape[1], flat.std())
    start = _nearest_other(flat, deviations, predicted, source.spawn("candidates"))
    rows = np.flatnonzero((predicted == labels) & (start >= 0))
    at_once = max(1, _AT_ONCE // (search.directions * flat.shape[1]))
    for first in range(0, len(rows), at_once):
        part = rows[first : first + at_once]
        oracle = _Oracle(target, flat[part], deviations, labels[part], features.shape[1:], features.dtype)
        way = _ratio(flat[start[part]] - flat[part], deviations)
        distances[part] = _searched(oracle, way, search, source.spawn(f"directions from {first}"))
    return distances


class _Oracle:
    """Whether the model gives another class than the record's own to points at some way from records."""

    def __init__(
        self,
        target: Target,
        records: Floats,
        deviations: Floats,
        labels: npt.NDArray[np.int64],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        self._target, self._records, self._deviations = target, records, deviations
        self._labels, self._shape, self._dtype = labels, shape, dtype

    def other(self, rows: npt.NDArray[np.int64], ways: Floats) -> Flags:
        """(rows, ...) for (rows, ..., columns) ways."""
        extra = ways.ndim - 2
        records = self._records[rows].reshape(len(rows), *[1] * extra, -1)
        points = (records + self._deviations * ways).astype(self._dtype).reshape(-1, *self._shape)
        found = self._target.predicted(points).reshape(ways.shape[:-1])
        return np.asarray(found != self._labels[rows].reshape(-1, *[1] * extra))


def _searched(oracle: _Oracle, way: Floats, search: BoundarySearch, randomness: Randomness) -> Floats:
    """The shortest length of a way that leads to another class, for each record."""
    way = _bisected(oracle, way, search.bisections)
    best = _length(way)
    everyone = np.arange(len(way))
    for iteration in range(search.iterations):
        length = _length(way)
        around = randomness.normal((len(way), search.directions, way.shape[1]))
        around /= np.maximum(_length(around), 1e-300)[..., None]
        said = oracle.other(everyone, way[:, None] + search.radius * length[:, None, None] * around)
        signs = np.where(said, 1.0, -1.0)
        middle = signs.mean(axis=1, keepdims=True)
        # less their mean, which lowers the variance (equation 16); where all agree, there is no contrast to use
        signs -= np.where(np.abs(middle) < 1, middle, 0.0)
        outwards = np.einsum("rd,rdc->rc", signs, around)
        outwards /= np.maximum(_length(outwards), 1e-300)[:, None]
        step = length / np.sqrt(iteration + 1)
        stepped, waiting = way.copy(), everyone
        for _ in range(search.steps):
            tried = way[waiting] + step[waiting, None] * outwards[waiting]
            arrived = oracle.other(waiting, tried)
            stepped[waiting[arrived]] = tried[arrived]
            waiting = waiting[~arrived]
            step /= 2
            if not len(waiting):
                break
        way = _bisected(oracle, stepped, search.bisections)
        best = np.minimum(best, _length(way))
    return best


def _bisected(oracle: _Oracle, way: Floats, bisections: int) -> Floats:
    """The ways, cut as short as another class allows."""
    near, far = np.zeros(len(way)), np.ones(len(way))
    everyone = np.arange(len(way))
    for _ in range(bisections):
        middle = (near + far) / 2
        there = oracle.other(everyone, middle[:, None] * way)
        far, near = np.where(there, middle, far), np.where(there, near, middle)
    return far[:, None] * way


def _nearest_other(
    flat: Floats, deviations: Floats, predicted: npt.NDArray[np.int64], randomness: Randomness
) -> npt.NDArray[np.int64]:
    """(n,) the nearest record of another predicted class, among some; -1 where there is none."""
    candidates = np.sort(randomness.permutation(len(flat))[:_CANDIDATES])
    scaled = _ratio(flat - flat.mean(axis=0), deviations)
    squares = (scaled**2).sum(axis=1)
    nearest = np.empty(len(flat), dtype=np.int64)
    for first in range(0, len(flat), 1000):
        part = slice(first, first + 1000)
        apart = squares[part, None] + squares[candidates] - 2 * scaled[part] @ scaled[candidates].T
        apart[predicted[part, None] == predicted[candidates]] = np.inf
        nearest[part] = np.where(np.isinf(apart.min(axis=1)), -1, candidates[apart.argmin(axis=1)])
    return nearest


def _ratio(values: Floats, deviations: Floats) -> Floats:
    """In deviations; a column that is always the same is never moved."""
    return np.divide(values, deviations, out=np.zeros_like(values), where=deviations > 0)


def _length(ways: Floats) -> Floats:
    return np.asarray(np.sqrt((ways**2).sum(axis=-1)))
