"""What a column holds in one piece of a table: its distinct values, how often each comes, and of which characters.

Promise: work on cells is done once for each distinct value of a piece, in vectors; counts are of rows. Missing cells
are those that are null, blank, suppressed (`*`), or written as a word for missing; values are trimmed. What programs do
to values on the way is undone: a whole number that became 2139.0 (of a column with gaps) is 2139 again, no-break spaces
are spaces, and typographic hyphens are hyphens. Nothing here prints a value.

How it works: the characters of all values lie one after the other in memory; each byte is looked up in a table that
gives 1 in one of eight 8-bit fields of a 64-bit number, and the sums of these numbers over each value are its numbers
of digits, letters, and so on. A value's key is a multilinear hash with random multipliers (Lemire and Kaser, 2014),
mixed: two values have the same key with probability below 2^-56.

Shapes: texts, counts, firsts, keys (distinct,); codes (rows,) places in texts, -1 where missing. Values longer than
`SHORT` bytes have no counts of characters: they are read as text.

Example:
    >>> import pyarrow as pa
    >>> from reticent.data.scan.values import Keys, Values
    >>> from reticent.randomness import Randomness
    >>> found = Values.of(pa.array(["a1", None, "a1 ", "N/A"]), 0, Keys(Randomness.simulated(1)))
    >>> found.counts.tolist(), found.cells, found.rows, found.digits.tolist(), found.codes.tolist()
    ([2], 2, 4, [1], [0, -1, 0, -1])
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.randomness import Randomness

__all__ = ["MISSING", "SHORT", "Keys", "Values", "texts_of"]

Array = npt.NDArray[Any]

MISSING: Final = frozenset(
    ("na", "n/a", "nan", "null", "none", "nil", "-", "--", "?", ".", "#n/a", "unknown", "missing",
     "*", "**", "***", "****", "*****", "redacted", "suppressed")
)  # fmt: skip
SHORT: Final = 128
_EXACT: Final = 2.0**53
_SPACES: Final = "[\u00a0\u2000-\u200a\u202f\u205f\u3000]"
_HYPHENS: Final = "[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
_NOTHING: Final = "[\u00ad\u200b-\u200f\u2060\ufeff]"
_AROUND: Final = r"@.*[;|,<>()\":\s]|[;|,<>()\":\s].*@"
_AT_ONCE: Final = 1 << 21  # bytes whose 64-bit sums are made at once
_CLASSES: Final = ("digits", "letters", "foreign", "spaces", "ats", "colons", "separators", "others")


def _classes() -> npt.NDArray[np.uint64]:
    place = np.full(256, _CLASSES.index("others"))
    place[np.frombuffer(b"0123456789", np.uint8)] = _CLASSES.index("digits")
    place[np.r_[65:91, 97:123]] = _CLASSES.index("letters")
    place[128:] = _CLASSES.index("foreign")
    place[np.frombuffer(b" \t\r\n", np.uint8)] = _CLASSES.index("spaces")
    place[ord("@")] = _CLASSES.index("ats")
    place[ord(":")] = _CLASSES.index("colons")
    place[np.frombuffer(b"-./,+()", np.uint8)] = _CLASSES.index("separators")
    return np.uint64(1) << (place.astype(np.uint64) * np.uint64(8))


_TABLE: Final = _classes()


class Keys:
    """The random multipliers of the keys of one scan."""

    def __init__(self, randomness: Randomness) -> None:
        self.multipliers = randomness.spawn("keys of values").bits(1 << 16) | np.uint64(1)


def texts_of(array: Any) -> Any:
    """An arrow array of any single type as one array of texts; None for types that are no texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = texts_of(array.values)
        if inner is None:
            return None
        whole = pa.ListArray.from_arrays(array.offsets.cast(pa.int32()), inner)
        return pc.if_else(pc.is_valid(array), pc.binary_join(whole, "\n"), pa.scalar(None, pa.string()))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return None
    if pa.types.is_string(kind):
        return array
    if pa.types.is_timestamp(kind):
        array = array.cast(pa.timestamp("s"), safe=False)
    if pa.types.is_floating(kind):
        return _of_floats(array)
    return array.cast(pa.string())


def _of_floats(array: Any) -> Any:
    """Whole numbers without a point or an exponent: a card's number in a column with gaps is read as 4.1e15."""
    import pyarrow as pa
    import pyarrow.compute as pc

    floats = array.cast(pa.float64())
    whole = pc.and_(pc.equal(floats, pc.floor(floats)), pc.less(pc.abs(floats), _EXACT))
    numbers = pc.if_else(whole, floats, pa.scalar(None, pa.float64())).cast(pa.int64())
    return pc.coalesce(numbers.cast(pa.string()), array.cast(pa.string()))


def _as_typed(texts: Any) -> Any:
    """Trimmed texts without what programs did to them."""
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(texts)
    if pc.sum(pc.binary_length(texts)).as_py() != pc.sum(pc.utf8_length(texts)).as_py():
        for pattern, plain in ((_SPACES, " "), (_HYPHENS, "-"), (_NOTHING, "")):
            texts = pc.replace_substring_regex(texts, pattern, plain)
        texts = pc.utf8_trim_whitespace(texts)
    if pc.any(pc.ends_with(texts, ".0")).as_py():
        texts = pc.replace_substring_regex(texts, r"^([-+]?[0-9]+)\.0$", r"\1")
    return texts


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Values:
    """The distinct values of one column in one piece.

    Args:
        texts: an arrow array of them: trimmed, none empty or missing.
        counts: how many rows have each.
        firsts: the number of the first row of each.
        codes: of the rows.
        keys: of the values.
    """

    texts: Any
    counts: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    keys: npt.NDArray[np.uint64]

    def __repr__(self) -> str:
        return f"Values({self.rows} rows, {len(self.texts)} distinct)"

    @classmethod
    def of(cls, array: Any, first: int, keys: Keys) -> Values:
        """The values of an arrow array of texts whose first row has the number `first`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        encoded = array.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
        trimmed = _as_typed(encoded.dictionary)
        lengths = pc.binary_length(trimmed).to_numpy(zero_copy_only=False)
        if lengths.sum() < (pc.sum(pc.binary_length(encoded.dictionary)).as_py() or 0):  # "a" and "a " may be one now
            again = trimmed.dictionary_encode()
            codes = np.append(again.indices.to_numpy().astype(np.int32), np.int32(-1))[codes]
            trimmed, lengths = again.dictionary, pc.binary_length(again.dictionary).to_numpy(zero_copy_only=False)
        gone = lengths == 0
        brief = np.flatnonzero(lengths <= max(map(len, MISSING)))
        if len(brief):
            words = pc.utf8_lower(trimmed.take(pa.array(brief)))
            gone[brief] |= pc.is_in(words, pa.array(sorted(MISSING))).to_numpy(zero_copy_only=False)
        places = np.append(np.where(gone, -1, np.cumsum(~gone) - 1), -1).astype(np.int32)
        codes = places[codes]
        texts = trimmed.filter(pa.array(~gone))
        counts = np.bincount(codes[codes >= 0], minlength=len(texts)).astype(np.int64)
        firsts = np.zeros(len(texts), dtype=np.int64)
        rows = np.flatnonzero(codes >= 0)[::-1]
        firsts[codes[rows]] = rows + first
        return cls(texts, counts, firsts, codes, _keys(texts, keys))

    @property
    def rows(self) -> int:
        """How many rows the piece has."""
        return len(self.codes)

    @cached_property
    def cells(self) -> int:
        """How many of them have a value."""
        return int(self.counts.sum())

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(distinct,) in bytes."""
        return _bytes(self.texts)[1]

    @cached_property
    def short(self) -> npt.NDArray[np.bool_]:
        """(distinct,) which values are at most `SHORT` bytes long."""
        found: npt.NDArray[np.bool_] = self.lengths <= SHORT
        return found

    @cached_property
    def _sums(self) -> npt.NDArray[np.uint8]:
        data, lengths = _bytes(self.texts)
        sums = _summed(data, lengths, lambda part, _places: _TABLE[part])
        sums[~self.short] = 0
        return sums.view(np.uint8).reshape(-1, 8)

    def count_of(self, kind: str) -> npt.NDArray[np.uint8]:
        """(distinct,) how many characters of one class each short value has; 0 for long ones."""
        return self._sums[:, _CLASSES.index(kind)]

    @property
    def digits(self) -> npt.NDArray[np.uint8]:
        """(distinct,) how many digits each short value has."""
        return self.count_of("digits")

    @cached_property
    def wordy(self) -> npt.NDArray[np.bool_]:
        """(distinct,) which values are text: long ones, and those of four words or more."""
        found: npt.NDArray[np.bool_] = ~self.short | (
            (self.count_of("spaces") >= 3) & (self.count_of("letters") + self.count_of("foreign") >= 10)
        )
        return found

    @cached_property
    def spaced(self) -> npt.NDArray[np.bool_]:
        """(distinct,) which values have letters, and spaces or a colon between: they may be short texts."""
        letters = self.count_of("letters").astype(np.int64) + self.count_of("foreign")
        found: npt.NDArray[np.bool_] = (letters > 1) & ((self.count_of("spaces") > 0) | (self.count_of("colons") > 0))
        return found

    def like(self, form: str, among: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(distinct,) which of some values a pattern (RE2) is in."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found = np.zeros(len(self.texts), dtype=bool)
        found[among] = pc.match_substring_regex(self.texts.filter(pa.array(among)), form).to_numpy(zero_copy_only=False)
        return found

    @cached_property
    def listed(self) -> npt.NDArray[np.bool_]:
        """(distinct,) which values may hold several things: lists and records as JSON, addresses beside more."""
        import pyarrow.compute as pc

        json, several = (pc.match_substring_regex(self.texts, form) for form in (r"^\s*[\[{]", _AROUND))
        found: npt.NDArray[np.bool_] = pc.or_(json, several).to_numpy(zero_copy_only=False)
        return found


def _bytes(texts: Any) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The bytes of an arrow array of texts without nulls, and the length of each."""
    if not len(texts):
        return np.zeros(0, np.uint8), np.zeros(0, np.int64)
    _, where, data = texts.buffers()
    offsets = np.frombuffer(where, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    whole = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]] if data is not None else np.zeros(0, np.uint8)
    return whole, np.diff(offsets)


def _summed(data: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int64], numbers: Any) -> npt.NDArray[np.uint64]:
    """(texts,) sums over each text of numbers made of its bytes and their places; texts are not empty."""
    ends = np.cumsum(lengths)
    found = np.empty(len(lengths), dtype=np.uint64)
    done = 0
    while done < len(lengths):
        start = int(ends[done] - lengths[done])
        upto = max(done + 1, int(np.searchsorted(ends, start + _AT_ONCE, side="right")))
        starts = ends[done:upto] - lengths[done:upto] - start
        part = data[start : int(ends[upto - 1])]
        places = np.arange(len(part)) - np.repeat(starts, lengths[done:upto])
        found[done:upto] = np.add.reduceat(numbers(part, places), starts)
        done = upto
    return found


def _keys(texts: Any, keys: Keys) -> npt.NDArray[np.uint64]:
    data, lengths = _bytes(texts)
    table, mask = keys.multipliers, len(keys.multipliers) - 1
    sums = _summed(data, lengths, lambda part, places: table[places & mask] * (part.astype(np.uint64) + np.uint64(1)))
    return mixed(sums)


def mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Numbers whose bits all depend on all bits, one to one (the finaliser of splitmix64; Steele et al., 2014)."""
    found = numbers.copy()
    found ^= found >> np.uint64(30)
    found *= np.uint64(0xBF58476D1CE4E5B9)
    found ^= found >> np.uint64(27)
    found *= np.uint64(0x94D049BB133111EB)
    found ^= found >> np.uint64(31)
    return found
