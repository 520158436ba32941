"""One column of a table, as codes into its distinct values.

Promise: a column holds what the source held: values of one type, missing ones apart, and nothing that looks like a
number but is a name: "02139", "+4915112345678" and "12e5" stay text. Values that differ stay different: numbers that
double precision cannot tell apart, or whole ones that it would change, stay text, decimals included. Distinct
values are sorted, so codes of numbers, dates and words keep their order. Work that is the same for equal cells is done
once for each distinct value, which is what makes large tables cheap. Its `repr` shows sizes only, never a value.

Times are kept to the microsecond, finer parts are cut off; those with a zone are kept in UTC, without it.

Shapes: codes (rows,) int32, -1 where the value is missing; values (distinct,), sorted, without duplicates: int64,
float64, bool, datetime64[us], or text (object).

Example:
    >>> from reticent.data.tables import Column
    >>> zips = Column.of("zip", ["02139", None, "02139", "10001"])
    >>> zips, zips.codes.tolist(), zips.counts().tolist()
    (Column('zip': 4 rows, 2 distinct, 1 missing, text), [0, -1, 0, 1], [2, 1])
    >>> Column.inferred("age", ["30", "", "7"]).values.tolist()
    [7, 30]
"""

from __future__ import annotations

import dataclasses
import decimal
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.errors import DataError, MissingExtra

__all__ = ["KINDS", "Column", "arrow"]

Array = npt.NDArray[Any]

KINDS: Final = ("number", "date", "yes or no", "text")
_WHOLE: Final = r"^[+-]?(0|[1-9][0-9]{0,17})$"
_REAL: Final = r"^[+-]?(0|[1-9][0-9]{0,17})?(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?$"
_NAMES: Final = r"^\+[0-9]{7,}$|^[0-9]+[eE][0-9]+$"  # numbers of telephones, and what may be hexadecimal
_AMOUNTS: Final = r"\.|-|[eE]\+"  # which neither of them has
_EXACT: Final = 2.0**53  # beyond it, double precision no longer has every whole number
_DAY: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_MOMENT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$"


def arrow() -> Any:
    """The module pyarrow.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", "Reading tables") from error
    return pyarrow


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Column:
    """A column.

    Args:
        name: of the column.
        codes: (rows,) places in `values`, -1 where the value is missing.
        values: (distinct,) sorted.
    """

    name: str
    codes: npt.NDArray[np.int32]
    values: Array

    def __repr__(self) -> str:
        missing = int((self.codes < 0).sum())
        about = f"{len(self)} rows, {len(self.values)} distinct"
        return f"Column({self.name!r}: {about}{f', {missing} missing' if missing else ''}, {self.kind})"

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return {"i": "number", "f": "number", "M": "date", "b": "yes or no"}.get(self.values.dtype.kind, "text")

    @classmethod
    def of(cls, name: str, values: Any) -> Column:
        """The column of these values, as they are typed: a list, a numpy array, an arrow array or chunked array.

        Raises:
            DataError: lists, records or other values that are no single ones, or of several types.
        """
        pa = arrow()
        if not isinstance(values, pa.Array | pa.ChunkedArray):
            try:
                values = pa.array(values, from_pandas=True)
            except (pa.ArrowException, TypeError, OverflowError, UnicodeEncodeError):
                raise DataError(
                    f"Expected values of one type in column {name!r}, and single ones.",
                    "Make all of them text, or numbers, or dates.",
                ) from None  # whose text may show a cell
        codes, found = _encoded(name, values)
        return _sorted(name, codes, found)

    @classmethod
    def inferred(cls, name: str, texts: Any, *, missing: Collection[str] = ("",)) -> Column:
        """The column of these texts, as numbers or dates if all of them are written like that.

        Whole numbers have no leading zeros and at most 18 digits; dates are written as ISO 8601 has them. Else the
        values stay text, and so do numbers of telephones ("+4915112345678") and what may be hexadecimal ("12e5") where
        no other value is written as an amount.

        Args:
            name: of the column.
            texts: a sequence of texts or an arrow array of them; None is missing.
            missing: texts that mean a missing value.
        """
        import pyarrow.compute as pc

        pa = arrow()
        if not isinstance(texts, pa.Array | pa.ChunkedArray):
            texts = pa.array(texts, pa.string())
        codes, found = _encoded(name, texts)
        return typed(_without(_sorted(name, codes, found), missing), pc)

    def counts(self) -> npt.NDArray[np.int64]:
        """(distinct,) how many rows have each value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values)).astype(np.int64)

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """(rows,) where the value is missing."""
        return self.codes < 0

    def take(self, rows: Array) -> Column:
        """Some rows; the distinct values stay as they are."""
        return Column(self.name, self.codes[rows], self.values)

    def renamed(self, name: str) -> Column:
        """The same values under another name."""
        return Column(name, self.codes, self.values)

    def mapped(self, images: Sequence[Any] | Array, name: str | None = None) -> Column:
        """The column in which each distinct value is replaced by its image; an image of None is missing."""
        own = Column.of(name or self.name, images)
        whole = np.append(own.codes, np.int32(-1))
        return Column(name or self.name, whole[self.codes], own.values)

    def compacted(self) -> Column:
        """The same rows without values that no row has."""
        used = self.counts() > 0
        places = np.append(np.cumsum(used) - 1, -1).astype(np.int32)
        return Column(self.name, places[self.codes], self.values[used])

    def cells(self) -> Array:
        """(rows,) the values themselves, None where missing (object)."""
        whole = np.empty(len(self.values) + 1, dtype=object)
        whole[:-1] = self.values.astype(object)
        whole[-1] = None
        found: Array = whole[self.codes]
        return found

    def numbers(self) -> npt.NDArray[np.float64]:
        """(rows,) float64, NaN where missing; dates as days since 1970.

        Raises:
            DataError: the column is text.
        """
        if self.kind == "text":
            raise DataError(f"Expected numbers or dates in column {self.name!r}, got text.", "Name another column.")
        values = self.values
        if self.kind == "date":
            values = values.astype("datetime64[us]").astype(np.int64) / 86_400e6
        found: npt.NDArray[np.float64] = np.append(values.astype(np.float64), np.nan)[self.codes]
        return found

    def to_arrow(self) -> Any:
        """An arrow array of the rows."""
        pa = arrow()
        codes = pa.array(self.codes, mask=self.missing)
        values = pa.array(self.values, pa.string() if self.kind == "text" else None)
        return pa.DictionaryArray.from_arrays(codes, values).dictionary_decode()


def _encoded(name: str, values: Any) -> tuple[npt.NDArray[np.int32], Any]:
    """Codes, and the distinct values as an arrow array without nulls."""
    pa = arrow()
    import pyarrow.compute as pc

    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(array, pa.ChunkedArray):  # pyarrow keeps what does not fit into one array
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _recoded(name, array)
    if pa.types.is_decimal(kind):
        return _recoded(name, array.dictionary_encode())
    array = _single(name, array, pc)
    encoded = array.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return codes, encoded.dictionary


def _single(name: str, array: Any, pc: Any) -> Any:
    """The array in one of the types that columns have.

    Raises:
        DataError: values that have parts, bytes, or times beyond what can be kept.
    """
    pa = arrow()
    types, kind = pa.types, array.type
    if types.is_run_end_encoded(kind):
        return _single(name, pc.run_end_decode(array), pc)
    bytes_too = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    if types.is_nested(kind) or bytes_too or types.is_binary_view(kind):
        raise DataError(
            f"Expected single values in column {name!r}, got {kind}.", "Leave it out, or make columns of its parts."
        )
    if types.is_null(kind) or types.is_string_view(kind) or types.is_large_string(kind):
        return array.cast(pa.string())
    if types.is_floating(kind):
        array = pc.add(array.cast(pa.float64()), 0.0)  # -0.0 is 0.0
        return pc.if_else(pc.is_nan(array), pa.scalar(None, pa.float64()), array)
    if types.is_integer(kind):
        try:
            return array.cast(pa.int64())
        except pa.ArrowInvalid:  # without a sign, and beyond 64 bits with one
            return array.cast(pa.string())
    if types.is_date(kind) or types.is_timestamp(kind):
        try:
            # Nanoseconds are cut off; what is beyond the range of microseconds must not become another day.
            fine = types.is_timestamp(kind) and kind.unit == "ns"
            return array.cast(pa.timestamp("us"), safe=not fine)
        except pa.ArrowInvalid:
            raise DataError(
                f"Expected dates of the years 1 to 9999 in column {name!r}, got others.", "Leave it out, or correct it."
            ) from None
    return array.cast(pa.string()) if types.is_temporal(kind) else array


def _recoded(name: str, array: Any) -> tuple[npt.NDArray[np.int32], Any]:
    """The same for what is encoded already: only its distinct values are looked at, and those that no row has go."""
    held = array.dictionary
    if arrow().types.is_decimal(held.type):
        texts = held.cast(arrow().string())
        whole = _whole(texts) if len(held) else held.cast(arrow().float64())
        real = _real(texts) if whole is None else whole
        held = texts if real is None else real
    codes, found = _encoded(name, held)
    codes = np.append(codes, np.int32(-1))[array.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    used = np.zeros(len(found) + 1, bool)
    used[codes] = True  # a missing value marks the last place
    used = used[:-1]
    if used.all():
        return codes, found
    places = np.append(np.cumsum(used) - 1, -1).astype(np.int32)
    return places[codes], found.filter(arrow().array(used))


def _sorted(name: str, codes: npt.NDArray[np.int32], found: Any) -> Column:
    pa = arrow()
    import pyarrow.compute as pc

    order = pc.sort_indices(found).to_numpy(zero_copy_only=False)
    places = np.empty(len(order) + 1, dtype=np.int32)
    places[order] = np.arange(len(order), dtype=np.int32)
    places[-1] = -1
    values = found.take(pa.array(order)).to_numpy(zero_copy_only=False)
    return Column(name, places[codes], values)


def _without(column: Column, missing: Collection[str]) -> Column:
    # One by one: an array of texts of one width would take as much for each as for the longest.
    gone = np.fromiter((value in missing for value in column.values), bool, len(column.values))
    if not gone.any():
        return column
    places = np.append(np.where(gone, -1, np.cumsum(~gone) - 1), -1).astype(np.int32)
    return Column(column.name, places[column.codes], column.values[~gone])


def typed(column: Column, pc: Any) -> Column:
    """A column of texts with its values as numbers or dates, if all of them are written like that."""
    pa = arrow()
    texts = pa.array(column.values, pa.string())
    if not len(texts) or (_some(texts, _NAMES) and not _some(texts, _AMOUNTS)):
        return column
    for read in (_whole, _real, _dates):
        if (values := read(texts)) is not None:
            return _merged(column, values)
    return column


def _like(texts: Any, pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())


def _some(texts: Any, pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())


def _whole(texts: Any) -> Any:
    """The texts as whole numbers, or None."""
    import pyarrow.compute as pc

    return pc.cast(pc.utf8_ltrim(texts, "+"), arrow().int64()) if _like(texts, _WHOLE) else None


def _real(texts: Any) -> Any:
    """The texts as numbers of double precision, or None if they are none, or if some would become another one's."""
    import pyarrow.compute as pc

    pa = arrow()
    if not _like(texts, _REAL):
        return None
    try:
        values = pc.cast(pc.utf8_ltrim(texts, "+"), pa.float64())
    except pa.ArrowInvalid:  # a lone "."
        return None
    numbers = values.to_numpy(zero_copy_only=False)
    if not np.isfinite(numbers).all():
        return None
    large = np.flatnonzero(np.abs(numbers) >= _EXACT)
    for written, number in zip(texts.take(pa.array(large)).to_pylist(), numbers[large].tolist(), strict=True):
        if not {"e", "E"} & set(written) and decimal.Decimal(written) != decimal.Decimal(number):
            return None
    order = np.argsort(numbers, kind="stable")
    same = np.flatnonzero(numbers[order][1:] == numbers[order][:-1])
    met = defaultdict(set)
    for place in np.unique(order[np.concatenate([same, same + 1])]).tolist():
        met[float(numbers[place])].add(decimal.Decimal(texts[place].as_py()))
    return None if any(len(one) > 1 for one in met.values()) else values


def _dates(texts: Any) -> Any:
    """The texts as moments, or None."""
    import pyarrow.compute as pc

    pa = arrow()
    if not _like(texts, _DAY) and not _like(texts, _MOMENT):
        return None
    try:
        values = pc.cast(texts, pa.timestamp("us"))
    except pa.ArrowInvalid:  # 2023-02-30
        return None
    return values if pc.min(pc.year(values)).as_py() > 0 else None


def _merged(column: Column, values: Any) -> Column:
    """The column with other values for its own; equal ones ("1.0", "1.00") become one."""
    codes, found = _encoded(column.name, values)
    own = _sorted(column.name, codes, found)
    return Column(column.name, np.append(own.codes, np.int32(-1))[column.codes], own.values)
