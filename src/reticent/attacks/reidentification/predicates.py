"""Predicates about a person's record, read out of a release: what an attacker says to single somebody out.

Promise: a `Predicate` is a conjunction of conditions on columns; `mask` says which rows of a table of raw records it
holds for. `conditions_of` reads released cells in the ways in which they are commonly written, or as the caller's
hierarchies explain them, and refuses what it cannot read.

Released cells: a value as it is; `*` or nothing: any; `[a, b)`, `[a, b]`, `(a, b]`, `(a, b)`, `a-b` or `a..b` (both
ends in) for numbers; `<a`, `<=a`, `>a`, `>=a`; `{a, b, c}`: one of them; `021**`: begins with 021.

Example:
    >>> from reticent.attacks.reidentification.predicates import predicates_of
    >>> from reticent.data.tables import Table
    >>> released = Table.of({"age": ["30-39", "*"], "zip": ["021**", "10001"]})
    >>> raw = Table.of({"age": [34, 51, 34], "zip": ["02139", "10001", "10001"]})
    >>> [one.mask(raw).tolist() for one in predicates_of(released, raw)]
    [[True, False, False], [False, True, True]]
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.tables import Column, Table
from reticent.errors import DataError

__all__ = ["Condition", "Hashed", "Predicate", "conditions_of", "predicates_of"]

Array = npt.NDArray[Any]
Hierarchies = Mapping[str, Mapping[str, Collection[Any]]]

_NUMBER: Final = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE: Final = re.compile(rf"([\[(])\s*({_NUMBER}|-?inf)\s*,\s*({_NUMBER}|\+?inf)\s*([\])])")
_DASH: Final = re.compile(rf"({_NUMBER})\s*(?:-|\.\.)\s*({_NUMBER})")
_SIDE: Final = re.compile(rf"(<=|>=|<|>|≤|≥)\s*({_NUMBER})")


@dataclasses.dataclass(frozen=True, eq=False)
class Condition:
    """On one column: which of its raw values pass.

    Args:
        column: its name.
        low: the least number, or None.
        high: the largest number, or None.
        open_low: whether `low` itself does not pass.
        open_high: whether `high` itself does not pass.
        among: the texts (`str` of a value) that pass, or None.
        begins: what texts begin with.
        missing: whether a missing cell passes.
    """

    column: str
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    among: frozenset[str] | None = None
    begins: str = ""
    missing: bool = False

    def passes(self, column: Column) -> npt.NDArray[np.bool_]:
        """(distinct,) which values of the raw column pass."""
        passed = np.ones(len(column.values), dtype=bool)
        if self.among is not None or self.begins:
            texts = [str(value) for value in column.values.tolist()]
            if self.among is not None:
                passed &= np.array([text in self.among for text in texts], dtype=bool)
            passed &= np.array([text.startswith(self.begins) for text in texts], dtype=bool)
        if self.low is not None or self.high is not None:
            numbers = Column(column.name, np.arange(len(column.values), dtype=np.int32), column.values).numbers()
            if self.low is not None:
                passed &= numbers > self.low if self.open_low else numbers >= self.low
            if self.high is not None:
                passed &= numbers < self.high if self.open_high else numbers <= self.high
        return passed


@dataclasses.dataclass(frozen=True)
class Hashed:
    """A pseudorandom share of all possible records, chosen by a key: a predicate that knows nothing of the data."""

    key: bytes
    share: float

    def mask(self, table: Table) -> npt.NDArray[np.bool_]:
        """(rows,) which rows are in the share; equal rows are in it together."""
        mixed = np.zeros(table.rows, dtype=np.uint64)
        for column in (each.compacted() for each in table.columns):
            words = np.array(
                [_word(self.key, column.name, str(value)) for value in column.values.tolist()]
                + [_word(self.key, column.name, None)],
                dtype=np.uint64,
            )
            mixed = _stirred(mixed ^ words[column.codes])
        return mixed < np.uint64(min(int(self.share * 2.0**64), 2**64 - 1))


@dataclasses.dataclass(frozen=True, eq=False)
class Predicate:
    """A conjunction.

    Args:
        conditions: all of them hold.
        hashed: and the record is in this share.
    """

    conditions: tuple[Condition, ...]
    hashed: Hashed | None = None

    def mask(self, table: Table) -> npt.NDArray[np.bool_]:
        """(rows,) for which rows of raw records it holds; a missing cell passes only what says so."""
        held = np.ones(table.rows, dtype=bool)
        for condition in self.conditions:
            column = table[condition.column]
            held &= np.append(condition.passes(column), condition.missing)[column.codes]
        if self.hashed is not None and held.any():
            where = np.flatnonzero(held)
            held[where] = self.hashed.mask(table.take(where))
        return held


def predicates_of(released: Table, raw: Table, hierarchies: Hierarchies | None = None) -> list[Predicate]:
    """What each row of a release says about a record; columns that the raw records do not have are left out.

    Args:
        released: as it was given away.
        raw: records with the same columns, for the kinds of their values.
        hierarchies: by column, what a released label means: the raw values that it stands for; None for a missing one.

    Raises:
        DataError: no column in common, or a cell that cannot be read.
    """
    shared = [name for name in released.names if name in raw]
    if not shared:
        raise DataError("Expected columns that the release shares with the records, got none.", "Name them alike.")
    by_value = {
        name: [*conditions_of(released[name], raw[name], (hierarchies or {}).get(name)), None] for name in shared
    }
    cells = {name: released[name].codes.tolist() for name in shared}
    found = []
    for row in range(released.rows):
        chosen = [by_value[name][cells[name][row]] for name in shared]
        found.append(Predicate(tuple(one for one in chosen if one is not None)))
    return found


def conditions_of(
    released: Column, raw: Column, meanings: Mapping[str, Collection[Any]] | None = None
) -> list[Condition | None]:
    """(distinct,) what each released value of a column says about the raw one; None if it says nothing.

    Args:
        released: the column as it was given away.
        raw: the column of raw records.
        meanings: what a label stands for; labels that are not in it are read as they are written.

    Raises:
        DataError: a cell that cannot be read; it is not shown.
    """
    known = {str(label): values for label, values in (meanings or {}).items()}
    own = {str(value) for value in raw.values.tolist()}
    return [_condition(_spelled(value, known), released, raw, own, known) for value in released.values.tolist()]


def _spelled(value: Any, known: Mapping[str, Collection[Any]]) -> str:
    """A released value as a label has it, if one does: 30.0 may be "30", and a day at midnight the day."""
    text = str(value)
    others = [text.removesuffix(".0"), text.removesuffix(" 00:00:00")]
    return next((one for one in (text, *others) if one in known), text)


def _condition(
    text: str, released: Column, raw: Column, own: set[str], known: Mapping[str, Collection[Any]]
) -> Condition | None:
    name, text = raw.name, text.strip()
    if text in known:
        stands = known[text]
        return Condition(name, among=frozenset(str(one) for one in stands if one is not None), missing=None in stands)
    if text in ("*", ""):
        return None
    if text in own:
        return Condition(name, among=frozenset((text,)))
    if raw.kind == "number" and (found := _numeric(name, text)) is not None:
        return found
    if text.startswith("{") and text.endswith("}"):
        return Condition(name, among=frozenset(part.strip() for part in text[1:-1].split(",")))
    if text.endswith("*") and "*" not in (stem := text.rstrip("*")):
        return Condition(name, begins=stem)
    if released.kind == raw.kind and not set("*[](){}<>") & set(text):
        return Condition(name, among=frozenset((text,)))  # a value that no raw record has
    raise DataError(
        f"Expected released cells of column {name!r} in a form that can be read, got another.",
        "Say what its labels stand for: by what `reticent anonymise --save` wrote (--fit), or in hierarchies.",
    )


def _numeric(name: str, text: str) -> Condition | None:
    if found := _RANGE.fullmatch(text):
        low, high = float(found[2]), float(found[3])
        return Condition(name, low=low, high=high, open_low=found[1] == "(", open_high=found[4] == ")")
    if found := _DASH.fullmatch(text):
        return Condition(name, low=float(found[1]), high=float(found[2]))
    if found := _SIDE.fullmatch(text):
        end = float(found[2])
        if found[1] in ("<", "<=", "≤"):
            return Condition(name, high=end, open_high=found[1] == "<")
        return Condition(name, low=end, open_low=found[1] == ">")
    if re.fullmatch(_NUMBER, text):
        return Condition(name, low=float(text), high=float(text))
    return None


def _word(key: bytes, column: str, text: str | None) -> int:
    said = b"" if text is None else b"=" + text.encode()
    digest = hashlib.blake2b(column.encode() + b"\0" + said, key=key, digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _stirred(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix the bits (the finaliser of splitmix64), so that the order of columns counts."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
