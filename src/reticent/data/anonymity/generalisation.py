"""A generalisation that was fitted to a table: applied to other rows, saved and loaded.

Promise: `transform` says what is left of new rows when their quasi-identifiers are said in the fitted way, and leaves
out rows with values that the mapping does not know, and rows of classes that miss the goal in the new table by itself;
both are counted. Saved and loaded it does the same.

Not covered: new rows beside the rows it was fitted to. Two tables that each reach k give away more than one of them if
a person is in both: release one or the other.

Example:
    >>> from reticent.data.anonymity import Anonymiser, Generalisation, Widths
    >>> ages = {"age": [31, 33, 38, 52, 55, 57]}
    >>> fitted = Anonymiser(quasi=["age"], k=3, hierarchies={"age": Widths((5, 10))}).fit(ages)
    >>> again = Generalisation.from_dict(fitted.as_dict()).transform({"age": [30, 34, 39, 70]})
    >>> again.table["age"].values.tolist(), again.kept.tolist(), again.short
    (['[30, 40)'], [True, True, True, False], 1)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping as Dictionary
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.anonymity.goals import Goal, cells_of
from reticent.data.anonymity.mappings import Mapping, mapping_from
from reticent.data.tables import Table
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.evidence import canonical_json, parse, write_whole

__all__ = ["Generalisation", "Transformed"]

_FORMAT: Final = "reticent-generalisation/1"
Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, eq=False)
class Transformed:
    """A table said less exactly.

    Attributes:
        table: what is left, in its order, without the columns that are dropped.
        kept: (rows,) which rows of the given table these are.
        unknown: rows left out for a value that the mapping does not know.
        short: rows left out because their class misses the goal.
    """

    table: Table
    kept: Mask
    unknown: int
    short: int


@dataclasses.dataclass(frozen=True, eq=False)
class Generalisation:
    """What was decided, and for which goal.

    Attributes:
        mapping: how columns are said.
        goal: what every class is to reach.
        sensitive: the columns that the goal is about.
        person: the column that says whose row it is; it is never given out.
        drop: columns that are never given out.
        missing: what a missing sensitive value is.
        ordered: for a sensitive column whether its values are ordered.
    """

    mapping: Mapping = dataclasses.field(repr=False)  # it may hold values of the table
    goal: Goal
    sensitive: tuple[str, ...] = ()
    person: str | None = None
    drop: tuple[str, ...] = ()
    missing: str = "left out"
    ordered: Dictionary[str, bool] = dataclasses.field(default_factory=dict)

    @property
    def quasi(self) -> tuple[str, ...]:
        """The columns that are generalised."""
        return self.mapping.names

    def transform(self, table: Any, *, check: bool = True) -> Transformed:
        """Say a table less exactly.

        Args:
            table: with the columns of the one it was fitted to.
            check: leave out classes that miss the goal in this table. Without it, only the mapping is applied: for a
                population table, never for what is given out.

        Raises:
            UsageError: a column is not there.
            DataError: a column is of another type.
            NotEnoughEvidence: no row is left.
        """
        rows = Table.of(table)
        rows.require([*self.quasi, *self.sensitive, *([self.person] if self.person else [])])
        said, unknown = self.mapping.apply(rows)
        kept = ~unknown
        short = np.zeros(rows.rows, dtype=bool)
        if check and kept.any():
            short[kept] = self._short(said.take(kept))
        kept &= ~short
        if not kept.any():
            raise NotEnoughEvidence(
                f"Expected rows that reach {self.goal}, but none of {rows.rows} does: {int(unknown.sum())} have values "
                f"that the generalisation does not know, {int(short.sum())} are in classes that miss the goal.",
                "Transform more rows at once, or fit to them.",
            )
        gone = [name for name in rows.names if name in self.drop or name == self.person]
        table_kept = said.take(kept)
        left = Table(column.compacted() for column in (table_kept.without(gone) if gone else table_kept).columns)
        return Transformed(left, kept, int(unknown.sum()), int(short.sum()))

    def _short(self, said: Table) -> Mask:
        classes = said.classes(list(self.quasi))
        cells = cells_of(
            said,
            classes.of_rows,
            len(classes.sizes),
            goal=self.goal,
            sensitive=self.sensitive,
            person=self.person,
            missing=self.missing,
            ordered=self.ordered,
        )
        found: Mask = self.goal.violating(cells)[classes.of_rows]
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "format": _FORMAT,
            "mapping": self.mapping.as_dict(),
            "goal": dataclasses.asdict(self.goal),
            "sensitive": list(self.sensitive),
            "person": self.person,
            "drop": list(self.drop),
            "missing": self.missing,
            "ordered": dict(self.ordered),
        }

    @classmethod
    def from_dict(cls, values: object) -> Generalisation:
        """The generalisation that `as_dict` wrote.

        Raises:
            UsageError: not one.
        """
        if not isinstance(values, dict) or values.get("format") != _FORMAT:
            raise UsageError(f"Expected a generalisation of format {_FORMAT}, got something else.", "Save it again.")
        try:
            return cls(
                mapping_from(values["mapping"]),
                Goal(**values["goal"]),
                tuple(values["sensitive"]),
                values["person"],
                tuple(values["drop"]),
                values["missing"],
                dict(values["ordered"]),
            )
        except (KeyError, TypeError) as error:
            raise UsageError(f"Expected a whole generalisation, but it lacks {error}.", "Save it again.") from error

    def save(self, path: str | Path) -> Path:
        """Write it as JSON that only its owner can read: it may hold values of the table (see `mappings`)."""
        target = Path(path)
        if target.suffix.lower() != ".json":
            raise UsageError(f"Expected a path that ends in .json, got {str(path)!r}.", "Choose another name.")
        return write_whole(target, canonical_json(self.as_dict()), for_owner_only=True)

    @classmethod
    def load(cls, path: str | Path) -> Generalisation:
        """Read what `save` wrote.

        Raises:
            UsageError: not a generalisation, or no such file.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise UsageError(f"Expected to read {path}, but: {error.strerror}.", "Check the path.") from error
        return cls.from_dict(parse(content))
