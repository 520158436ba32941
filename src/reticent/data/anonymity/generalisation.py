"""A generalisation that was fitted to a table: applied to other rows, saved and loaded.

Promise: `transform` says what is left of new rows when their quasi-identifiers are said in the fitted way, and leaves
out rows with values that the mapping does not know, and rows of classes that miss the goal in the new table by itself;
both are counted. Columns that were exchanged for pseudonyms are exchanged again, under the same key, or nothing is
given out; columns that the fitted table did not have are left out, and named. Dates are read in the ways in which they
were written then. Saved and loaded it does the same.

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
from reticent.data.anonymity.pseudonyms import Exchange, Key
from reticent.data.tables import Table, as_table
from reticent.data.tables.kinds import as_kind
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.evidence import canonical_json, parse, write_whole

__all__ = ["Generalisation", "Transformed"]

_FORMAT: Final = "reticent-generalisation/2"
Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, eq=False)
class Transformed:
    """A table said less exactly.

    Attributes:
        table: what is left, in its order, without the columns that are dropped.
        kept: (rows,) which rows of the given table these are.
        unknown: rows left out for a value that the mapping does not know.
        short: rows left out because their class misses the goal.
        unnamed: columns left out, because the table that was fitted did not have them.
        notes: what whoever gets the table should know of its pseudonyms.
    """

    table: Table
    kept: Mask
    unknown: int
    short: int
    unnamed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
        kinds: quasi-identifier to what its values were, one of `reticent.data.tables.KINDS`.
        dates: quasi-identifier to the formats in which its dates were written, if they were texts.
        untouched: columns that are given out as they are.
        pseudonyms: which columns are exchanged, and for the pseudonyms of which key; None for none.
        suppression: the share of rows that may be left out, as it was asked.
    """

    mapping: Mapping = dataclasses.field(repr=False)  # it may hold values of the table
    goal: Goal
    sensitive: tuple[str, ...] = ()
    person: str | None = None
    drop: tuple[str, ...] = ()
    missing: str = "left out"
    ordered: Dictionary[str, bool] = dataclasses.field(default_factory=dict)
    kinds: Dictionary[str, str] = dataclasses.field(default_factory=dict)
    dates: Dictionary[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    untouched: tuple[str, ...] = ()
    pseudonyms: Exchange | None = None
    suppression: float = 0.05

    @property
    def quasi(self) -> tuple[str, ...]:
        """The columns that are generalised."""
        return self.mapping.names

    def transform(self, table: Any, *, check: bool = True, key: Key | None = None) -> Transformed:
        """Say a table less exactly.

        Args:
            table: with the columns of the one it was fitted to; what `reticent.data.tables.as_table` takes.
            check: leave out classes that miss the goal in this table. Without it, only the mapping is applied: for a
                population table, never for what is given out; no key is needed.
            key: of the pseudonyms, if there are some.

        Raises:
            UsageError: a column is not there, or the key is not, or it is another one.
            DataError: a column is of another type.
            NotEnoughEvidence: no row is left.
        """
        rows = self.read(table)
        rows.require([*self.quasi, *self.sensitive, *([self.person] if self.person else [])])
        notes: tuple[str, ...] = ()
        if check and self.pseudonyms is not None:
            exchanged = self.pseudonyms.apply(rows, key)
            rows, notes = exchanged.table, exchanged.notes
        rows, unread = self.as_fitted(rows)
        said, unknown = self.mapping.apply(rows)
        unknown |= unread
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
        unnamed = tuple(name for name in rows.names if name not in self._named)
        gone = [name for name in rows.names if name in (*self.drop, *unnamed) or name == self.person]
        table_kept = said.take(kept)
        left = Table(column.compacted() for column in (table_kept.without(gone) if gone else table_kept).columns)
        return Transformed(left, kept, int(unknown.sum()), int(short.sum()), unnamed, notes)

    @property
    def _named(self) -> set[str]:
        """Columns that the fitted table had."""
        hidden = [] if self.pseudonyms is None else [*self.pseudonyms.domains]
        person = [] if self.person is None else [self.person]
        return {*self.quasi, *self.sensitive, *self.untouched, *self.drop, *hidden, *person}

    def read(self, table: Any, **how: Any) -> Table:
        """The table; dates stay texts until they are read as they were when this was fitted.

        Args:
            table: what `as_table` takes.
            how: what `reticent.data.tables.read` takes.
        """
        written = {name: "text" for name, kind in self.kinds.items() if kind == "date"}
        return table if isinstance(table, Table) else as_table(table, kinds=written, **how)

    def meanings(self, *tables: Table) -> dict[str, dict[str, list[Any]]]:
        """By column, what a released label stands for: the values of these tables of raw records (None: missing)."""
        found: dict[str, dict[str, list[Any]]] = {}
        for table in tables:
            for name in self.quasi:
                if name in table:
                    own = found.setdefault(name, {})
                    for label, values in self.mapping.meanings(table[name].compacted()).items():
                        own.setdefault(label, []).extend(values)
        return found

    def as_fitted(self, rows: Table) -> tuple[Table, Mask]:
        """The table with its quasi-identifiers of the kinds that they had, and rows with cells that cannot be so."""
        unread, made = np.zeros(rows.rows, dtype=bool), []
        for name, kind in self.kinds.items():
            if name in rows and (column := rows[name]).kind != kind and len(column.values):
                found, _ = as_kind(column, kind, self.dates.get(name) or ("%d.%m.%Y",))
                unread |= found.missing & ~column.missing
                made.append(found)
        return (rows.replaced(made) if made else rows), unread

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
            "kinds": dict(self.kinds),
            "dates": {name: list(formats) for name, formats in self.dates.items()},
            "untouched": list(self.untouched),
            "pseudonyms": None if self.pseudonyms is None else self.pseudonyms.as_dict(),
            "suppression": self.suppression,
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
                dict(values["kinds"]),
                {name: tuple(formats) for name, formats in values["dates"].items()},
                tuple(values["untouched"]),
                None if values["pseudonyms"] is None else Exchange(**values["pseudonyms"]),
                float(values["suppression"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
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
