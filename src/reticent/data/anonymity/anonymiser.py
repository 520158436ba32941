"""Saying less of people until a table reaches a goal: the settings, fitting, and what it cost.

Promise: with `method="lattice"` the cheapest of all combinations of levels is found (see `lattice`); with "mondrian" no
row is left out (see `mondrian`). The cost is that of the table which was fitted.

Example:
    >>> from reticent.data.anonymity import Anonymiser, Prefixes
    >>> people = {"zip": ["02139", "02138", "02139", "10001", "10002", "10001"]}
    >>> fitted, cost = Anonymiser(quasi=["zip"], k=3, hierarchies={"zip": Prefixes((4, 3))}).fit_with_cost(people)
    >>> fitted.transform(people).table["zip"].values.tolist(), cost.levels["zip"], round(cost.total, 2)
    (['0213*', '1000*'], (1, 3), 0.48)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.anonymity.categories import Tree
from reticent.data.anonymity.counting import Floats, Ints
from reticent.data.anonymity.generalisation import Generalisation
from reticent.data.anonymity.goals import Cells, Goal, cells_of
from reticent.data.anonymity.hierarchies import automatic, groups_of, levels_of
from reticent.data.anonymity.ladders import Hierarchy
from reticent.data.anonymity.lattice import search
from reticent.data.anonymity.losses import Axis
from reticent.data.anonymity.mappings import FullDomain, partition_of, ranked
from reticent.data.anonymity.measures import roles
from reticent.data.anonymity.mondrian import Cuts, partition, regions
from reticent.data.tables import Column, Table
from reticent.errors import UsageError

__all__ = ["METHODS", "Anonymiser", "Cost"]

METHODS: Final = ("lattice", "mondrian")
Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Cost:
    """What generalising took away.

    Attributes:
        entropy: column to the share of its entropy that was lost in the rows that are kept.
        span: column to the mean share of its values that a kept cell now stands for.
        total: mean entropy lost over columns, rows that are left out counting as having lost everything.
        suppressed: rows that were left out.
        rows: of the table.
        average_class: mean size of the classes that are left.
        discernability: sum over rows of the size of their class; rows left out count as of one class with all rows.
        levels: column to its level and the coarsest one; empty for Mondrian.
        evaluated: combinations of levels that were tried.
        combinations: that there are; 0 for Mondrian.
    """

    entropy: Mapping[str, float]
    span: Mapping[str, float]
    total: float
    suppressed: int
    rows: int
    average_class: float
    discernability: float
    levels: Mapping[str, tuple[int, int]]
    evaluated: int
    combinations: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        found = dataclasses.asdict(self)
        return {**found, "levels": {name: list(one) for name, one in self.levels.items()}}


@dataclasses.dataclass(frozen=True)
class Anonymiser:
    """What is asked, in the manner of a transformer: `fit`, then `transform` of the result.

    Args:
        quasi: columns that somebody may know of people; they are generalised.
        sensitive: columns that nobody should learn; l and t are about them. They are untouched.
        k: rows (or people) that every class has at least.
        l: diversity of sensitive values that every class has at least; None for none asked.
        diversity: "distinct", "entropy" or "recursive" (with `c`).
        c: of recursive diversity.
        t: distance from everybody's sensitive values that every class has at most; None for none asked.
        method: "lattice": one level per column, at least cost; "mondrian": parts, each generalised for itself.
        suppression: share of rows that may be left out, at most (lattice; Mondrian leaves none out).
        hierarchies: column to its hierarchy; by default `automatic`. Mondrian only uses trees.
        weights: column to how much its loss counts; 1 by default (lattice).
        person: the column that says whose row it is; k then counts people, and the column is not given out.
        drop: columns that are not given out: names, numbers, addresses.
        missing: what a missing sensitive value is: "left out" or "value".
        ordered: for a sensitive column whether its values are ordered; by default numbers and dates are.
    """

    quasi: Sequence[str]
    sensitive: Sequence[str] = ()
    k: int = 5
    l: float | None = None  # noqa: E741 (the symbol of the literature)
    diversity: str = "distinct"
    c: float | None = None
    t: float | None = None
    method: str = "lattice"
    suppression: float = 0.05
    hierarchies: Mapping[str, Hierarchy] = dataclasses.field(default_factory=dict)
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    person: str | None = None
    drop: Sequence[str] = ()
    missing: str = "left out"
    ordered: Mapping[str, bool] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _checks.one_of(METHODS, method=self.method)
        _checks.fraction(suppression=self.suppression)
        for name in (*self.hierarchies, *self.weights):
            _checks.one_of(self.quasi, quasi=name)
        for weight in self.weights.values():
            _checks.non_negative(weight=weight)
        if self.weights and not sum(self.weights.get(name, 1.0) for name in self.quasi):
            raise UsageError("Expected a column whose loss counts, got weights of zero.", "Leave one out.")
        if set(self.drop) & {*self.quasi, *self.sensitive}:
            raise UsageError("Expected columns to drop that have no other part.", "Name each column once.")
        if (self.l is not None or self.t is not None) and not self.sensitive:
            raise UsageError("Expected a sensitive column for l or t, got none.", "Name one.")
        self.goal  # noqa: B018 (checked here)

    @property
    def goal(self) -> Goal:
        """What every class is to reach."""
        return Goal(self.k, self.l, self.diversity, self.c, self.t)

    def fit(self, table: Any, *, progress: Progress | None = None) -> Generalisation:
        """Decide how columns are said, so that the table reaches the goal.

        Raises:
            UsageError: a column is not there or has two parts.
            DataError: a hierarchy does not fit its column, or there are no rows.
            NotEnoughEvidence: nothing reaches the goal.
        """
        return self.fit_with_cost(table, progress=progress)[0]

    def fit_with_cost(self, table: Any, *, progress: Progress | None = None) -> tuple[Generalisation, Cost]:
        """The same, and what it costs this table."""
        rows = Table.of(table)
        roles(rows, self.quasi, self.sensitive, self.person)
        rows.require(self.drop)
        columns = {name: rows[name].compacted() for name in self.quasi}
        return (self._lattice if self.method == "lattice" else self._mondrian)(rows, columns, progress)

    def _generalisation(self, mapping: Any) -> Generalisation:
        return Generalisation(
            mapping,
            self.goal,
            tuple(self.sensitive),
            self.person,
            tuple(self.drop),
            self.missing,
            dict(self.ordered),
        )

    def _cells(self, rows: Table, of: Ints, classes: int, *, fixed: bool = False) -> Cells:
        return cells_of(
            rows,
            of,
            classes,
            goal=self.goal,
            sensitive=self.sensitive,
            person=self.person,
            missing=self.missing,
            ordered=self.ordered,
            fixed=fixed,
        )

    def _lattice(
        self, rows: Table, columns: Mapping[str, Column], progress: Progress | None
    ) -> tuple[Generalisation, Cost]:
        ladders = {name: self.hierarchies.get(name) or automatic(column) for name, column in columns.items()}
        ladders = {name: ladder.fitted(columns[name]) for name, ladder in ladders.items()}
        axes, codes = [], []
        for name, column in columns.items():
            code = np.where(column.codes < 0, len(column.values), column.codes).astype(np.int64)
            axes.append(Axis.of(np.bincount(code, minlength=len(column.values) + 1), groups_of(column, ladders[name])))
            codes.append(code)
        classes = rows.classes(list(columns))
        base = self._cells(rows, classes.of_rows, len(classes.sizes))
        found = search(
            axes,
            np.stack([code[classes.first] for code in codes], axis=1),
            base,
            self.goal,
            limit=math.floor(self.suppression * rows.rows + 1e-9),
            weights=[self.weights.get(name, 1.0) for name in columns],
            progress=progress,
        )
        gone = found.out[found.of][classes.of_rows]
        sizes = np.bincount(found.of, weights=classes.sizes)[~found.out]
        cells = {}
        for name, axis, code, level in zip(columns, axes, codes, found.node, strict=True):
            cells[name] = _spread_of(axis, code, level, ~gone)
        mapping = FullDomain(tuple(columns), tuple(ladders.values()), found.node)
        top = {name: (level, levels_of(ladders[name]) - 1) for name, level in zip(columns, found.node, strict=True)}
        cost = Cost(
            {name: one[0] for name, one in cells.items()},
            {name: one[1] for name, one in cells.items()},
            found.cost,
            found.suppressed,
            rows.rows,
            float(sizes.mean()),
            float((sizes**2).sum() + found.suppressed * rows.rows),
            top,
            found.evaluated,
            found.nodes,
        )
        return self._generalisation(mapping), cost

    def _mondrian(
        self, rows: Table, columns: Mapping[str, Column], progress: Progress | None
    ) -> tuple[Generalisation, Cost]:
        trees = [one if isinstance(one := self.hierarchies.get(name), Tree) else None for name in columns]
        others = [name for name, one in self.hierarchies.items() if not isinstance(one, Tree)]
        if others:
            raise UsageError(f"Expected trees only with method='mondrian', got others for {others}.", "Leave them out.")
        ranks, places, orders = zip(
            *(ranked(column, tree) for column, tree in zip(columns.values(), trees, strict=True)), strict=True
        )
        stacked = np.stack(ranks, axis=1)
        cuts = partition(
            stacked,
            lambda of, classes: self._cells(rows, of, classes, fixed=True),
            self.goal,
            places=places,
            progress=progress,
        )
        mapping, _ = partition_of(columns, list(orders), list(trees), cuts)
        entropy, span = _region_losses(cuts, stacked, list(columns))
        sizes = np.bincount(cuts.part)
        sizes = sizes[sizes > 0].astype(float)
        cost = Cost(
            entropy,
            span,
            float(np.average(list(entropy.values()), weights=[self.weights.get(name, 1.0) for name in columns])),
            0,
            rows.rows,
            float(sizes.mean()),
            float((sizes**2).sum()),
            {},
            0,
            0,
        )
        return self._generalisation(mapping), cost


def _spread_of(axis: Axis, code: Ints, level: int, kept: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The entropy and the span that a column lost in the rows that are kept, as shares of what those could lose."""
    counts = np.bincount(code, minlength=len(axis.everybody))
    used = counts > 0
    values = np.bincount(axis.groups[level], weights=used)[axis.groups[level]]
    span: Floats = (values - 1) / max(int(used.sum()) - 1, 1)
    inside = code[kept]
    most = float(axis.everybody[inside].sum())
    lost = float(axis.cells[level][inside].sum())
    return (lost / most if most else 0.0), float(span[inside].mean())


def _region_losses(cuts: Cuts, ranks: Ints, names: Sequence[str]) -> tuple[dict[str, float], dict[str, float]]:
    entropy, span = {}, {}
    boxes = regions(cuts, len(names))
    for j, name in enumerate(names):
        rows = np.bincount(ranks[:, j])
        before = np.append(0, np.cumsum(rows))
        seen = np.append(0, np.cumsum(rows > 0))
        size, values = np.zeros(len(cuts.column)), np.zeros(len(cuts.column))
        for leaf, box in boxes.items():
            low, high = box[j][0] + 1, len(rows) if box[j][1] is None else int(box[j][1] or 0) + 1
            size[leaf], values[leaf] = before[high] - before[low], seen[high] - seen[low]
        own = rows[ranks[:, j]]
        most = float(np.log2(len(ranks) / own).sum())
        entropy[name] = float(np.log2(size[cuts.part] / own).sum()) / most if most else 0.0
        span[name] = float((values[cuts.part] - 1).mean()) / max(int((rows > 0).sum()) - 1, 1)
    return entropy, span
