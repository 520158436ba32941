"""What was decided about columns, as something that can be saved and applied to other rows.

Promise: the same value is said in the same way in every table that a mapping is applied to, and saving and loading
changes nothing. Rows with a value that the mapping does not know are pointed out, never guessed.

Not covered: whether other rows, said in this way, reach a goal together. `Generalisation.transform` looks.

A saved mapping holds what it learned: edges, frequent values, and for texts that were cut by their order the list of
all of them. Keep it like the table.

Example:
    >>> from reticent.data.anonymity.mappings import FullDomain
    >>> from reticent.data.anonymity.numbers import Widths
    >>> from reticent.data.tables import Table
    >>> mapping = FullDomain(("age",), (Widths((10,)),), (1,))
    >>> said, unknown = mapping.apply(Table.of({"age": [34, None, 51]}))
    >>> said["age"].cells().tolist(), unknown.tolist()
    (['[30, 40)', None, '[50, 60)'], [False, False, False])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping as Dictionary
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data.anonymity.categories import Tree
from reticent.data.anonymity.hierarchies import hierarchy_from, images_at, levels_of, saved
from reticent.data.anonymity.ladders import EVERYBODY, Hierarchy, plain, shown
from reticent.data.anonymity.mondrian import Cuts, down, regions
from reticent.data.tables import Column, Table
from reticent.errors import DataError, UsageError

__all__ = ["FullDomain", "Mapping", "Partition", "mapping_from", "ranked"]

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
_LISTED: Final = 8


class Mapping(Protocol):
    """A way to say columns less exactly."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""

    def apply(self, table: Table) -> tuple[Table, Mask]:
        """The table with its columns said in this way, and (rows,) which rows have a value that is not known."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""


@dataclasses.dataclass(frozen=True)
class FullDomain:
    """One level for each column.

    Args:
        names: of the columns.
        hierarchies: of each, fitted.
        levels: of each: 0 as it is, the last one for `*`.
    """

    names: tuple[str, ...]
    hierarchies: tuple[Hierarchy, ...] = dataclasses.field(repr=False)  # they may hold values
    levels: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.hierarchies) == len(self.levels):
            raise UsageError("Expected a hierarchy and a level for each column.", "Write them as saved.")
        for level, hierarchy in zip(self.levels, self.hierarchies, strict=True):
            if not 0 <= level < levels_of(hierarchy):
                raise UsageError(
                    f"Expected a level below {levels_of(hierarchy)}, got level={level}.", "Write them as saved."
                )

    def apply(self, table: Table) -> tuple[Table, Mask]:
        """The table with its columns at their levels; unknown to a tree are values that it does not have."""
        unknown, columns = np.zeros(table.rows, dtype=bool), []
        for name, hierarchy, level in zip(self.names, self.hierarchies, self.levels, strict=True):
            column = table[name]
            if level == 0:
                columns.append(column)
                continue
            if level == levels_of(hierarchy) - 1:
                columns.append(_constant(name, table.rows))
                continue
            images = images_at(hierarchy, column.values, level)
            lacking = np.append([one is None for one in images], False).astype(bool)
            unknown |= lacking[column.codes]
            columns.append(column.mapped(images) if images else column)
        return table.replaced(columns), unknown

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "method": "lattice",
            "names": list(self.names),
            "hierarchies": [saved(one) for one in self.hierarchies],
            "levels": list(self.levels),
        }


def _constant(name: str, rows: int) -> Column:
    values = np.array([EVERYBODY], dtype=object)
    return Column(name, np.zeros(rows, dtype=np.int32), values)


@dataclasses.dataclass(frozen=True, eq=False)
class Partition:
    """Parts of a table that was cut column by column.

    Args:
        names: of the columns.
        kinds: of each: "number", "date", "yes or no" or "text".
        orders: for each the values (of texts) or the values at which it was cut (of the others), in order.
        trees: for each its tree, or None.
        with_missing: for each whether a missing value has a place.
        cuts: the tree of cuts; ranks are 0 for missing, else 1 + the number of entries of the order that are smaller.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    orders: tuple[tuple[Any, ...], ...] = dataclasses.field(repr=False)
    trees: tuple[Tree | None, ...] = dataclasses.field(repr=False)
    with_missing: tuple[bool, ...]
    cuts: Cuts

    def ranks(self, table: Table) -> Ints:
        """(rows, columns) the places of a table's values; -1 where there is none."""
        found = np.empty((table.rows, len(self.names)), dtype=np.int64)
        for j, (name, kind, order) in enumerate(zip(self.names, self.kinds, self.orders, strict=True)):
            column = table[name]
            if self.trees[j] is None and column.kind != kind and len(column.values):
                raise DataError(
                    f"Expected column {name!r} to be {kind}, got {column.kind}.", "Read the table as the first one was."
                )
            if kind == "text":
                place = {value: i + 1 for i, value in enumerate(order)}
                own: list[Any] = [place.get(plain(value), -1) for value in column.values]
            else:
                values = column.values.astype("datetime64[us]") if kind == "date" else column.values
                own = list(1 + np.searchsorted(_edges(order, kind), values, side="left"))
            own.append(0 if self.with_missing[j] else -1)
            found[:, j] = np.array(own, dtype=np.int64)[column.codes]
        return found

    def apply(self, table: Table) -> tuple[Table, Mask]:
        """The table with what is said of each row's part; unknown are texts, and missing values, without a place."""
        part = down(self.ranks(table), self.cuts)
        boxes = regions(self.cuts, len(self.names))
        columns = []
        for j, name in enumerate(self.names):
            images: list[Any] = [None] * (len(self.cuts.column) + 1)
            for leaf, box in boxes.items():
                images[leaf] = self._label(j, *box[j])
            columns.append(Column(name, part.astype(np.int32), np.arange(len(images))).mapped(images))
        return table.replaced(columns), part < 0

    def _label(self, j: int, low: int, high: int | None) -> str | None:
        """What is said of the ranks above `low` up to `high`; None for missing."""
        order, missing = self.orders[j], self.with_missing[j]
        also = "missing or " if missing and low < 0 else ""
        if high == 0:
            return None
        if high is None and (low < 0 or (low == 0 and not missing)):
            return EVERYBODY
        if self.kinds[j] == "text":
            return also + _texts(order[max(low, 0) : high], self.trees[j])
        above = _said(order[low - 1]) if low > 0 else None
        up_to = _said(order[high - 1]) if high is not None else None
        if above is None and up_to is None:
            return "not missing"
        if above is None:
            return f"{also}<= {up_to}"
        return f"> {above}" if up_to is None else f"({above}, {up_to}]"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "method": "mondrian",
            "names": list(self.names),
            "kinds": list(self.kinds),
            "orders": [list(one) for one in self.orders],
            "trees": [None if one is None else saved(one) for one in self.trees],
            "with_missing": list(self.with_missing),
            "column": self.cuts.column.tolist(),
            "cut": self.cuts.cut.tolist(),
            "left": self.cuts.left.tolist(),
        }


def _edges(order: tuple[Any, ...], kind: str) -> npt.NDArray[Any]:
    kinds: dict[str, Any] = {"date": "datetime64[us]", "yes or no": bool}
    found: npt.NDArray[Any] = np.array(list(order), dtype=kinds.get(kind))
    return found


def _said(value: Any) -> str:
    if isinstance(value, str):  # a date
        return value.removesuffix("T00:00:00.000000")
    return str(value) if isinstance(value, bool) else shown(value)


def _texts(values: tuple[Any, ...], tree: Tree | None) -> str:
    if len(values) == 1:
        return str(values[0])
    if tree is not None:
        for step in range(1, tree.steps + 1):
            above = set(tree.images(np.array(values, dtype=object), step))
            if len(above) == 1:
                return str(above.pop())
        return EVERYBODY
    return " | ".join(map(str, values)) if len(values) <= _LISTED else f"{values[0]} .. {values[-1]}"


def ranked(column: Column, tree: Tree | None) -> tuple[Ints, npt.NDArray[np.float64], list[Any]]:
    """(rows,) ranks of a column's values, 0 for missing; (distinct + 1,) where the ranks lie; and the values in
    order."""
    used = column.compacted()
    count = len(used.values)
    order = np.arange(count)
    if tree is not None:
        tree.fitted(used)
        paths = [(*tree.parents[str(plain(value))][::-1], str(value)) for value in used.values]
        order = np.array(sorted(range(count), key=paths.__getitem__), dtype=np.int64)
    place = np.empty(count + 1, dtype=np.int64)
    place[order] = np.arange(1, count + 1)
    place[-1] = 0
    at = np.arange(count + 1, dtype=np.float64)
    if used.kind in ("number", "date") and tree is None and count:
        values = used.values.astype("datetime64[us]").astype(np.int64) if used.kind == "date" else used.values
        at[1:] = values.astype(np.float64)
        at[0] = at[1]  # a missing value is at the edge, and makes a part no wider
    return place[used.codes], at, [plain(used.values[i]) for i in order]


def partition_of(
    columns: Dictionary[str, Column], orders: list[list[Any]], trees: list[Tree | None], cuts: Cuts
) -> tuple[Partition, Cuts]:
    """The mapping of a table's cuts: ranks among its values become places between the cut values, which is all that
    new rows need (texts keep their values).

    Returns:
        the mapping, and its cuts.
    """
    kept, cut = [], cuts.cut.copy()
    for j, (column, order) in enumerate(zip(columns.values(), orders, strict=True)):
        if column.kind == "text" or trees[j] is not None:
            kept.append(tuple(order))
            continue
        mine = cuts.column == j
        used = np.unique(cuts.cut[mine])
        used = used[used > 0]
        kept.append(tuple(order[rank - 1] for rank in used))
        cut[mine] = np.where(cuts.cut[mine] > 0, 1 + np.searchsorted(used, cuts.cut[mine]), 0)
    kinds = tuple(
        "text" if tree is not None else column.kind for column, tree in zip(columns.values(), trees, strict=True)
    )
    new = dataclasses.replace(cuts, cut=cut)
    missing = tuple(bool(column.missing.any()) for column in columns.values())
    return Partition(tuple(columns), kinds, tuple(kept), tuple(trees), missing, new), new


def mapping_from(values: object) -> Mapping:
    """The mapping that was saved.

    Raises:
        UsageError: not one.
    """
    fields = dict(values) if isinstance(values, dict) else {}
    _checks.one_of(("lattice", "mondrian"), method=fields.get("method"))
    try:
        names = tuple(fields["names"])
        if fields["method"] == "lattice":
            hierarchies = tuple(hierarchy_from(one) for one in fields["hierarchies"])
            return FullDomain(names, hierarchies, tuple(fields["levels"]))
        trees = tuple(None if one is None else hierarchy_from(one) for one in fields["trees"])
        tree = [np.array(fields[one], dtype=np.int64) for one in ("column", "cut", "left")]
        _grown(tree[0], tree[1], tree[2], width=len(names))
        return Partition(
            names,
            tuple(fields["kinds"]),
            tuple(tuple(one) for one in fields["orders"]),
            tuple(one if isinstance(one, Tree) else None for one in trees),
            tuple(fields["with_missing"]),
            Cuts(tree[0], tree[1], tree[2], np.zeros(0, np.int64)),
        )
    except (KeyError, TypeError) as error:
        raise UsageError(f"Expected a whole mapping, but it lacks {error}.", "Save it again.") from error


def _grown(column: Ints, cut: Ints, left: Ints, *, width: int) -> None:
    """Check that cuts form a tree whose branches lie behind them, so that going down ends."""
    inner = np.flatnonzero(column >= 0)
    fits = len(column) == len(cut) == len(left) > 0 and bool((column < width).all())
    if not fits or (left[inner] <= inner).any() or (left[inner] + 1 >= len(column)).any():
        raise UsageError("Expected a tree of cuts, got something else.", "Save it again.")
