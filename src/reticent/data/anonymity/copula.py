"""How likely a given person is the only one like that in the population, by a Gaussian copula fitted to a sample.

Promise: a chance for each row, and nothing claimed beyond the model: columns keep the shares of values that the sample
has, and depend on each other as cuts of a Gaussian vector do. That is wrong for values which the sample never shows and
for dependence of three columns that pairs do not show; where columns depend on each other otherwise, the
chances of real rows come out too high (on Adult their mean is up to twice the truth, which is why the share of a
population is taken over people drawn from the model; that one is within 3 points there).

How: for each pair of columns, the correlation under which two cut Gaussians share as much information as the two
columns do (at most 16 groups each, less the bias of a plug-in estimate); the matrix is moved to the nearest with
eigenvalues that are not negative. A cell's probability p is an integral over a box, by Genz's separation of variables
on a lattice of points. Among N people drawn alike, a row is the only one of its kind with probability (1 - p)^(N - 1),
and a match with it is right with probability (1 - (1 - p)^N) / (N p).

Source: Rocher, Hendrickx and de Montjoye (2019), Nature Communications 10:3069, methods; Genz (1992). They fit
parametric marginals too; here the sample's own shares are used.

Shapes: rows, columns; probabilities (rows,) float64.

Example:
    >>> from reticent.data.tables import Table
    >>> from reticent.data.anonymity.copula import Copula
    >>> people = Table.of({"age": [30, 30, 30, 40], "sex": ["f", "m", "f", "m"]})
    >>> model = Copula.fit(people, ["age", "sex"])
    >>> [round(float(one), 2) for one in model.alone(people, population=10)]
    [0.01, 0.01, 0.01, 0.3]
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from scipy import optimize, special, stats

from reticent import _checks
from reticent.data.anonymity.counting import Floats, Ints
from reticent.data.anonymity.measures import roles
from reticent.data.tables import Column, Table
from reticent.errors import DataError
from reticent.evidence import Estimate
from reticent.randomness import Randomness, required

__all__ = ["Copula", "copula_uniqueness", "rectangle"]

_GROUPS: Final = 16
_MOST: Final = 0.98
_POINTS: Final = 128
_CHUNK: Final = 4096
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_PRIMES: Final = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71)


@dataclasses.dataclass(frozen=True, eq=False)
class Copula:
    """Columns as cuts of a Gaussian vector.

    Attributes:
        names: of the columns.
        values: for each column the distinct values of the sample; missing ones come first, as a category of their own.
        cuts: for each column (categories + 1,) where the Gaussian is cut, from minus to plus infinity.
        correlation: (columns, columns).
    """

    names: tuple[str, ...]
    values: tuple[Any, ...]
    cuts: tuple[Floats, ...]
    correlation: Floats

    @classmethod
    def fit(cls, table: Table, names: Sequence[str]) -> Copula:
        """Fit shares and correlations.

        Raises:
            UsageError: a column is not there, or more than 20 are named.
        """
        roles(table, names)
        _checks.at_least(len(names), most=len(_PRIMES))
        columns = [table[name].compacted() for name in names]
        coded = [column.codes.astype(np.int64) + 1 for column in columns]
        cuts = []
        for column, codes in zip(columns, coded, strict=True):
            shares = np.bincount(codes, minlength=len(column.values) + 1) / table.rows
            cuts.append(special.ndtri(np.append(0.0, np.minimum(np.cumsum(shares), 1.0))))
            cuts[-1][-1] = np.inf
        found = np.eye(len(names))
        for i in range(len(names)):
            for j in range(i):
                found[i, j] = found[j, i] = _correlation(coded[i], coded[j], cuts[i], cuts[j])
        return cls(tuple(names), tuple(column.values for column in columns), tuple(cuts), _nearest(found))

    def probabilities(self, table: Table) -> Floats:
        """(rows,) the probability of a row's cell.

        Raises:
            DataError: a row has a value that the sample did not have.
        """
        lows, highs = [], []
        for name, values, cuts in zip(self.names, self.values, self.cuts, strict=True):
            codes = _codes(table[name], values)
            lows.append(cuts[codes])
            highs.append(cuts[codes + 1])
        return rectangle(np.stack(lows, 1), np.stack(highs, 1), self.correlation)

    def alone(self, table: Table, *, population: int) -> Floats:
        """(rows,) the chance that nobody else in the population is like this row."""
        _checks.at_least(1, population=population)
        found: Floats = np.exp((population - 1) * np.log1p(-np.minimum(self.probabilities(table), 1 - 1e-16)))
        return found

    def right(self, table: Table, *, population: int) -> Floats:
        """(rows,) the chance that somebody in the population who is like this row is its person."""
        p = np.clip(self.probabilities(table), 1e-300, 1 - 1e-16)
        found: Floats = -np.expm1(_checks.at_least(1, population=population) * np.log1p(-p)) / (population * p)
        return np.asarray(np.minimum(found, 1.0))


def copula_uniqueness(
    table: Table,
    names: Sequence[str],
    *,
    population: int,
    randomness: Randomness,
    draws: int = 2_000,
    confidence: float = 0.95,
) -> Estimate:
    """Share of a population that is unique: the mean chance to be alone of people who are drawn from the model.

    People drawn from the model, not the rows: rows lie in cells that the model takes for rarer than they are wherever
    columns depend on each other in another way, so their mean chance is too high.

    Args:
        table: a random sample of the population.
        names: columns that an attacker knows.
        population: how many people it was drawn from.
        randomness: for the people that are drawn.
        draws: how many of them.
        confidence: of the interval, which covers the drawing of people and not the model.
    """
    required(randomness)
    _checks.open_fraction(confidence=confidence)
    _checks.at_least(1, population=population)
    model = Copula.fit(table, names)
    drawn = randomness.normal((_checks.at_least(2, draws=draws), len(names))) @ np.linalg.cholesky(model.correlation).T
    lows, highs = np.empty_like(drawn), np.empty_like(drawn)
    for j, cuts in enumerate(model.cuts):
        cell = np.clip(np.searchsorted(cuts, drawn[:, j], side="right") - 1, 0, len(cuts) - 2)
        lows[:, j], highs[:, j] = cuts[cell], cuts[cell + 1]
    p = rectangle(lows, highs, model.correlation)
    alone = np.exp((population - 1) * np.log1p(-np.minimum(p, 1 - 1e-16)))
    value = float(alone.mean())
    margin = float(stats.norm.ppf((1 + confidence) / 2)) * float(alone.std()) / math.sqrt(len(alone))
    return Estimate(
        value,
        max(value - margin, 0.0),
        min(value + margin, 1.0),
        confidence,
        table.rows,
        f"Gaussian copula, mean over {draws} people drawn from it; normal interval for those, the model taken as right",
    )


def rectangle(low: Any, high: Any, correlation: Any, *, points: int = _POINTS) -> Floats:
    """(n,) probabilities of boxes under a centred Gaussian vector (Genz, 1992).

    Args:
        low: (n, d) lower corners.
        high: (n, d) upper corners.
        correlation: (d, d), with ones on its diagonal.
        points: of the lattice.
    """
    lows, highs = np.atleast_2d(np.asarray(low, float)), np.atleast_2d(np.asarray(high, float))
    count, width = lows.shape
    factor = np.linalg.cholesky(np.asarray(correlation, float))
    steps = np.sqrt(np.array(_PRIMES[: max(width - 1, 1)], float))
    lattice = np.abs(2 * np.mod(np.arange(1, points + 1)[:, None] * steps[None], 1) - 1)
    found = np.empty(count)
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        found[part] = _box(lows[part], highs[part], factor, lattice)
    return found


def _box(low: Floats, high: Floats, factor: Floats, lattice: Floats) -> Floats:
    count, width = low.shape
    total = np.ones((count, len(lattice)))
    drawn: list[Floats] = []
    for i in range(width):
        shift = sum((factor[i, j] * drawn[j] for j in range(i)), np.zeros((count, 1)))
        a = special.ndtr((low[:, i, None] - shift) / factor[i, i])
        b = special.ndtr((high[:, i, None] - shift) / factor[i, i])
        total = total * (b - a)
        if i < width - 1:
            inside = a + lattice[None, :, i] * (b - a)
            drawn.append(special.ndtri(np.clip(inside, 1e-300, 1 - 1e-16)))
    found: Floats = total.mean(axis=1)
    return found


def _codes(column: Column, values: Any) -> Ints:
    places = np.zeros(len(column.values) + 1, dtype=np.int64)
    if len(column.values):
        at = np.minimum(np.searchsorted(values, column.values), max(len(values) - 1, 0))
        known = values[at] == column.values if len(values) else np.zeros(len(column.values), bool)
        if not known[np.unique(column.codes[column.codes >= 0])].all():
            raise DataError(
                f"Expected only values of column {column.name!r} that the sample has, got others.",
                "Fit the model to a table that has them.",
            )
        places[:-1] = at + 1
    return places[column.codes]


def _correlation(one: Ints, other: Ints, cuts: Floats, more_cuts: Floats) -> float:
    a, edges = _grouped(one, cuts)
    b, more_edges = _grouped(other, more_cuts)
    table = np.zeros((len(edges) - 1, len(more_edges) - 1))
    np.add.at(table, (a, b), 1.0)
    bias = (table.shape[0] - 1) * (table.shape[1] - 1) / (2 * len(one))
    shared = _information(table / len(one)) - bias
    if min(table.shape) < 2 or shared <= 0:
        return 0.0

    def excess(rho: float) -> float:
        return _information(_cells(edges, more_edges, rho)) - shared

    size = _MOST if excess(_MOST) < 0 else float(optimize.brentq(excess, 0.0, _MOST, xtol=1e-4))
    a_rank, b_rank = stats.rankdata(one), stats.rankdata(other)
    spread = a_rank.std() * b_rank.std()
    return -size if spread and ((a_rank - a_rank.mean()) * (b_rank - b_rank.mean())).mean() < 0 else size


def _grouped(codes: Ints, cuts: Floats) -> tuple[Ints, Floats]:
    """Codes in at most 16 groups of neighbouring categories of about the same size, and where those are cut."""
    ends = special.ndtr(cuts[1:])
    group = np.minimum((_GROUPS * (ends - 1e-12)).astype(np.int64), _GROUPS - 1)
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    return number[codes], np.append(cuts[first], np.inf)


def _information(joint: Floats) -> float:
    """Mutual information of a table of shares, in natural units."""
    rows, columns = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
    inside = joint > 0
    return float((joint[inside] * np.log((joint / np.where(inside, rows * columns, 1))[inside])).sum())


def _cells(edges: Floats, more_edges: Floats, rho: float) -> Floats:
    """Shares of the cells of a cut bivariate Gaussian, by Plackett's integral over the correlation."""
    x = np.clip(edges, -9, 9)[:, None, None]
    y = np.clip(more_edges, -9, 9)[None, :, None]
    at = rho * (_NODES + 1) / 2
    rest = 1 - at * at
    density = np.exp(-(x * x - 2 * at * x * y + y * y) / (2 * rest)) / (2 * np.pi * np.sqrt(rest))
    below = special.ndtr(x[..., 0]) * special.ndtr(y[..., 0]) + density @ (_WEIGHTS * rho / 2)
    found: Floats = np.maximum(np.diff(np.diff(below, axis=0), axis=1), 0.0)
    return found


def _nearest(matrix: Floats) -> Floats:
    """The matrix with its eigenvalues raised to at least a thousandth, and ones on its diagonal."""
    values, vectors = np.linalg.eigh(matrix)
    if values.min() >= 1e-3:
        return matrix
    raised = (vectors * np.maximum(values, 1e-3)) @ vectors.T
    scale = np.sqrt(np.diag(raised))
    found: Floats = raised / scale[:, None] / scale[None, :]
    return found
