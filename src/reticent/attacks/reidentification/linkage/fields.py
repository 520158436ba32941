"""Columns that a release and a register have in common, made comparable, and how each of them is to be compared.

Promise: texts are compared without regard to case, surplus blanks and Unicode forms; nothing else about a value is
guessed. The kind of a column is read off the values of both tables, row by row, and can be given instead; a name
counts only for whole numbers, which are codes if it says so (`identifiers`). Where the release is coarser than the
register, as a person who publishes it would have made it, the register is coarsened in the same way: `021**` and `021`
are prefixes, `30-39`, `[30, 40)`, `>=90` and `90+` are ranges, `1934` is the year of a date. Ranges or prefixes that
overlap (coarsened row by row) are asked whether the register's value fits in.
Not covered: values coarsened by a hierarchy of words (a city's region), and sets of values; they are compared as texts.

Kinds: "name" (Jaro-Winkler), "text" (long, edit distance), "date" (edit distance, days apart), "number" (difference in
deviations), "code" (letters and digits, or digits with leading zeros, of one width, that name a person, or of which the
column's name says so: edit distance), "category" (few values), "prefix" and "range".

Shapes: keys (rows,) int64, equal for equal values of either table, -1 where the value is missing.

Example:
    >>> from reticent.data.tables import Table
    >>> from reticent.attacks.reidentification.linkage import fields_of
    >>> release = Table.of({"zip": ["021**", "100**"], "age": ["30-39", "50-59"]})
    >>> register = Table.of({"zip": ["02139", "10001"], "age": [34, 51]})
    >>> [(field.name, field.kind, field.left[:-1]) for field in fields_of(release, register)]
    [('zip', 'prefix', ('021', '100')), ('age', 'range', ('30 to 39', '50 to 59'))]
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.reidentification.linkage.identifiers import counted, reads_as_code, shared_identifier
from reticent.data.tables import Column, Table, as_table
from reticent.errors import DataError, UsageError

__all__ = ["KINDS", "Field", "fields_of", "table_of"]

Texts = tuple[str | None, ...]

KINDS: Final = ("name", "text", "date", "number", "code", "category", "prefix", "range")
_MOST: Final = 0.9  # of the distinct values have to be written like that
_NUMBER: Final = r"[+-]?\d+(?:\.\d+)?"
_RANGE: Final = re.compile(rf"([\[(]?)\s*({_NUMBER})\s*(?:,|\.\.|-|\u2013|to)\s*({_NUMBER})\s*([\])]?)")
_OPEN: Final = re.compile(rf"(>=|≥|>|<=|≤|<)\s*({_NUMBER})|({_NUMBER})\s*\+")
_YEAR: Final = re.compile(r"(18|19|20|21)\d\d(-\d\d)?")
_CODE: Final = re.compile(r"(?=.*\d)[\w./ -]{3,20}")


@dataclasses.dataclass(frozen=True, eq=False)
class Field:
    """One thing that both tables know of a person.

    Attributes:
        name: of the column.
        kind: one of `KINDS`.
        left, right: the distinct values of the release and of the register as they are compared; None is missing.
        left_codes, right_codes: (rows,) places in them.
        fits: for ranges and prefixes that overlap: whether the register's value fits in, instead of being equal.
        numbers: distinct values as numbers (days for dates, the two ends of a range), where the kind has them.
        shared: the share of the release's values that the register has, if they look like an identifier of both.
    """

    name: str
    kind: str
    left: Texts
    right: Texts
    left_codes: npt.NDArray[np.int64]
    right_codes: npt.NDArray[np.int64]
    fits: bool = False
    numbers: tuple[Any, Any] | None = None
    shared: float | None = None

    def keys(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """What equal values have in common, for the release's rows and the register's."""
        known = {value: place for place, value in enumerate(sorted({*self.left, *self.right} - {None}))}  # type: ignore[type-var]
        sides = ((self.left, self.left_codes), (self.right, self.right_codes))
        first, second = (
            np.array([known.get(value, -1) for value in values], np.int64)[codes] for values, codes in sides
        )
        return first, second


def table_of(data: Any) -> Table:
    """The table, or that which `as_table` reads: a frame, a path, an address."""
    return data if isinstance(data, Table) else as_table(data)


def fields_of(
    release: Table,
    register: Table,
    *,
    columns: Sequence[str] | None = None,
    without: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
) -> tuple[Field, ...]:
    """The columns that both tables have, in the release's order.

    Args:
        release: without names, or with some.
        register: of named people.
        columns: only these; by default all that both have, by their names without blanks around them.
        without: not these, which one of the tables may lack.
        kinds: how to compare some of them, instead of what their values suggest.

    Raises:
        UsageError: a column that one of the tables does not have, one both named and left out, or an unknown kind.
        DataError: no column in common, or none with values.
    """
    mine, theirs = ({name.strip(): table[name] for name in table.names} for table in (release, register))
    shared = [name for name in mine if name in theirs]
    for name in columns or ():
        _checks.one_of(shared, column=name)
    for name in without:
        _checks.one_of((*mine, *(name for name in theirs if name not in mine)), without=name)
    if both := [name for name in columns or () if name in without]:
        raise UsageError(
            f"Expected columns to be compared or left out, got {', '.join(both)} for both.", "Name it once."
        )
    chosen = [name for name in (shared if columns is None else columns) if name not in without]
    for name in kinds or {}:
        _checks.one_of(chosen, column=name)
    found = [_field(name, mine[name], theirs[name], (kinds or {}).get(name)) for name in chosen]
    kept = tuple(
        field for field in found if _held(field.left, field.left_codes) and _held(field.right, field.right_codes)
    )
    if not kept:
        raise DataError(
            "Expected at least one column with values that release and register have in common, got none.",
            "Give the columns of both tables the same names.",
        )
    return kept


def _field(name: str, release: Column, register: Column, kind: str | None) -> Field:
    left, right = _tidied(release), _tidied(register)
    asked = None if kind is None else _checks.one_of(KINDS, kind=kind)
    for special, make in _SPECIAL.items():
        if asked in (None, special):
            field = make(name, release, register, left, right)
            if field is not None:
                return field
    if asked in _SPECIAL:
        raise DataError(
            f"Expected prefixes (021**) or ranges (30-39) in column {name!r} of the release.", "Name another kind."
        )
    counts = _counted(left, release), _counted(right, register)
    shared = shared_identifier(*counts)
    found = asked or _kind_of(name, *counts, len(register), single=shared is not None)
    numbers = None
    if found == "date":
        left, right = (tuple(_plain_date(value) for value in side) for side in (left, right))
        numbers = tuple(np.array([_day(value) for value in side]) for side in (left, right))
    elif found == "number":
        numbers = tuple(np.array([_float(value) for value in side]) for side in (left, right))
    return _made(
        name, found, left, right, release, register, numbers=numbers, shared=None if found == "date" else shared
    )


def _counted(texts: Texts, column: Column) -> Mapping[str, int]:
    """How many rows have each of the texts that values and, at the end, missing ones became."""
    return counted(texts, [*column.counts().tolist(), 0])


def _made(name: str, kind: str, left: Texts, right: Texts, release: Column, register: Column, **more: Any) -> Field:
    mine, theirs = (
        np.where(column.codes < 0, len(side) - 1, column.codes).astype(np.int64)
        for column, side in ((release, left), (register, right))
    )
    return Field(name, kind, left, right, mine, theirs, **more)


def _held(values: Texts, codes: npt.NDArray[np.int64]) -> bool:
    """Whether some row has a value."""
    return bool(np.array([value is not None for value in values])[codes].any())


def _tidied(column: Column) -> Texts:
    """Distinct values as texts for comparison, and None at the end, for missing ones."""
    if column.kind == "date":
        texts = [str(value) for value in column.values.astype("datetime64[D]")]
    elif column.kind == "number" and column.values.dtype.kind == "f":
        texts = [f"{value:.12g}" for value in column.values]
    else:
        texts = [str(value) for value in column.values]
    return (*(" ".join(unicodedata.normalize("NFKC", text).casefold().split()) or None for text in texts), None)


def _share(texts: Texts, holds: Callable[[str], object]) -> float:
    values = [text for text in texts if text is not None]
    return sum(bool(holds(value)) for value in values) / len(values) if values else 0.0


def _kind_of(name: str, left: Mapping[str, int], right: Mapping[str, int], rows: int, *, single: bool) -> str:
    """How most rows are written: of distinct values, typing errors are too many."""
    values = dict(left)
    for text, count in right.items():
        values[text] = values.get(text, 0) + count
    if not values:
        return "category"
    everything = sum(values.values())

    def most(holds: Callable[[str], object]) -> bool:
        return sum(count for text, count in values.items() if holds(text)) >= _MOST * everything

    if most(lambda text: not np.isnan(_day(text))):
        return "date"
    if most(lambda text: not np.isnan(_float(text))):
        return "code" if most(str.isdigit) and reads_as_code(name, values, single=single) else "number"
    length = float(np.median(np.repeat([len(text) for text in values], list(values.values()))))
    if most(_CODE.fullmatch) and length <= 15:
        return "code"
    if len(values) <= 60 and len(values) <= 0.05 * rows:
        return "category"
    return "text" if length > 40 else "name"


def _float(text: str | None) -> float:
    return float(text) if text is not None and re.fullmatch(_NUMBER, text) else np.nan


def _day(text: str | None) -> float:
    """Days since 1970 of a date written as 1934-01-31 or 19340131, NaN for anything else."""
    found = re.fullmatch(r"(1[89]\d\d|20\d\d|21\d\d)(-?)(\d\d)\2(\d\d)", text or "")
    if not found:
        return np.nan
    try:
        return float(np.datetime64(f"{found[1]}-{found[3]}-{found[4]}", "D").astype(np.int64))
    except ValueError:  # the 30th of February
        return np.nan


def _plain_date(text: str | None) -> str | None:
    """A date without its dashes: one way of writing for both tables."""
    return text if text is None or np.isnan(_day(text)) else text.replace("-", "")


def _prefix(name: str, release: Column, register: Column, left: Texts, right: Texts) -> Field | None:
    """The release holds beginnings of the register's values: masked by stars, or cut at one length."""
    masked = _share(left, lambda text: text.endswith("*")) >= 0.5
    cut = tuple(None if text is None else text.rstrip("*") or None for text in left)
    lengths = {len(text) for text in cut if text is not None}
    if masked:
        if len(lengths) > 1:
            return _made(name, "prefix", cut, right, release, register, fits=True)
    elif not _is_cut(left, right, register):
        return None
    if not lengths:
        return None
    (length,) = lengths
    dashed = any(text is not None and "-" in text for text in cut) or not _are_dates(right)
    whole = right if dashed else tuple(text and text.replace("-", "") for text in right)
    return _made(name, "prefix", cut, tuple(text and text[:length] for text in whole), release, register)


def _are_dates(texts: Texts) -> bool:
    """Whether the values are dates."""
    return _share(texts, lambda value: not np.isnan(_day(value))) >= _MOST


def _is_cut(left: Texts, right: Texts, register: Column) -> bool:
    """Years or months of the register's dates, or codes of one length where the register's are all longer."""
    lengths = [{len(text) for text in side if text is not None} for side in (left, right)]
    if len(lengths[0]) != 1 or not lengths[1]:
        return False
    if _are_dates(right):
        return _share(left, _YEAR.fullmatch) == 1
    cut = {text[: min(lengths[0])] for text in right if text is not None}
    counts = _counted(right, register)
    return (
        min(lengths[1]) > max(lengths[0])
        and _kind_of(register.name, counts, counts, len(register), single=False) == "code"
        and _share(left, cut.__contains__) >= 0.5
    )


def _range(name: str, release: Column, register: Column, left: Texts, right: Texts) -> Field | None:
    """The release holds ranges of the register's numbers."""
    if _share(left, _ends) < 0.5 or _share(right, lambda value: not np.isnan(_float(value))) < _MOST:
        return None
    ends = np.array([(text and _ends(text)) or (_float(text), _float(text)) for text in left])
    values = np.array([_float(text) for text in right])
    named = tuple(None if np.isnan(low) else f"{low:g} to {high:g}" for low, high in ends)
    distinct = np.unique(ends[~np.isnan(ends[:, 0])], axis=0)
    if (distinct[1:, 0] <= distinct[:-1, 1]).any():  # they overlap
        return _made(name, "range", named, right, release, register, fits=True, numbers=(ends, values))
    place = np.searchsorted(distinct[:, 0], values, side="right") - 1
    inside = (place >= 0) & (values <= distinct[place, 1])
    known = tuple(
        f"{distinct[at, 0]:g} to {distinct[at, 1]:g}" if fits else (None if np.isnan(value) else "elsewhere")
        for at, fits, value in zip(place, inside, values, strict=True)
    )
    return _made(name, "range", named, known, release, register)


def _ends(text: str) -> tuple[float, float] | None:
    """The ends of a range, both within it; None for anything else."""
    if found := _RANGE.fullmatch(text):
        low, high = float(found[2]), float(found[3])
        if low > high:
            return None
        low = np.nextafter(low, np.inf) if found[1] == "(" else low
        return low, float(np.nextafter(high, -np.inf)) if found[4] == ")" else high
    if found := _OPEN.fullmatch(text):
        edge = float(found[2] or found[3])
        sign = found[1] or ">="
        if sign[0] in ">≥":
            return (float(np.nextafter(edge, np.inf)) if sign == ">" else edge), np.inf
        return -np.inf, (float(np.nextafter(edge, -np.inf)) if sign == "<" else edge)
    return None


_SPECIAL: Final = {"prefix": _prefix, "range": _range}
