"""A detector: how one kind of personal data is told from everything else in a column.

Promise: a detector answers for distinct values, first by what their characters are, then by a pattern, then by check
digits or a rule; each step looks only at what the step before left. What a column's name says is asked separately.
Detectors do not look at what is not theirs: a value that fits is a candidate, one that passes is a hit, and how many
random candidates would pass is `chance`, so that hits can be told from luck (`reticent.data.scan.judging`).

Example:
    >>> import pyarrow as pa
    >>> from reticent.data.scan.detector import Detector, Shape
    >>> from reticent.data.scan.values import Keys, Values
    >>> from reticent.randomness import Randomness
    >>> found = Values.of(pa.array(["a@b.org", "b@c", "c"]), 0, Keys(Randomness.simulated(1)))
    >>> shape = Shape(letters=(3, 99), ats=(1, 1), separators=(1, 9))
    >>> email = Detector("e-mail address", "direct", shape, raw=r"^[^@]+@[^@]+\\.[a-z]+$")
    >>> email.hits(found, hinted=False).passed.tolist()
    [0]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.data.scan.checksums import Check, matrix
from reticent.data.scan.hints import Hints
from reticent.data.scan.values import SHORT, Values

__all__ = ["GROUPS", "LISTED", "Detector", "Hits", "Shape"]

GROUPS: Final = ("direct", "quasi", "sensitive", "other")
"""Direct identifiers, quasi-identifiers, sensitive data, and what is said without being one of them."""

LISTED: Final = 0.4
"""The least share of a column's different values that a list has to know."""

Range = tuple[int, int]
_NONE: Final = (0, 0)
_ANY: Final = (0, 255)


class Hits(NamedTuple):
    """Places of distinct values.

    Attributes:
        fitted: of those that have the kind's pattern.
        passed: of those among them that pass its check.
    """

    fitted: npt.NDArray[np.int64]
    passed: npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Shape:
    """How many characters of each class a value may have; what is not named may not occur."""

    digits: Range = _NONE
    letters: Range = _NONE
    foreign: Range = _NONE
    spaces: Range = _NONE
    ats: Range = _NONE
    colons: Range = _NONE
    separators: Range = _NONE
    others: Range = _NONE
    length: Range = (1, SHORT)

    def of(self, values: Values) -> npt.NDArray[np.int64]:
        """Places of the short values of this shape."""
        found = values.short & (values.lengths >= self.length[0]) & (values.lengths <= self.length[1])
        for name in ("digits", "ats", "letters", "colons", "others", "separators", "spaces", "foreign"):
            low, high = getattr(self, name)
            if (low, high) == _ANY:
                continue
            counts = values.count_of(name)
            found &= (counts == low) if low == high else (counts >= low) & (counts <= high)
            if not found.any():
                break
        return np.flatnonzero(found)

    @classmethod
    def any(cls) -> Shape:
        """Every short value."""
        return cls(*(_ANY,) * 8)


@dataclasses.dataclass(frozen=True)
class Detector:
    """One kind of personal data.

    Args:
        name: of the kind, in words.
        group: one of `GROUPS`.
        shape: of values without a hint; of all values if there is no `hinted_shape`.
        raw: a pattern (RE2) of the whole value.
        unlike: a pattern of values that are something else; not asked where the name gives a hint.
        prefix: a pattern of what may stand before the value without spaces and separators, and is no part of it.
        pattern: a pattern of the value without spaces and separators, in capitals.
        check: of the values without separators, as a matrix of bytes less 48, lengths apart.
        each: of one value without separators, where no matrix is of use.
        chance: the share of random values of that pattern that pass.
        alpha: hits that luck explains with more than this probability are not taken for hits.
        least: the share of cells that must hit where the name gives no hint.
        hints: names of columns that hold this kind.
        needs_hint: values alone say nothing.
        hinted_shape, hinted_raw, hinted_pattern: what a value may look like where the name gives a hint.
        named: a name alone is a finding.
        loose: most values have its pattern, so that a finding rests on the name.
        pad: digits that a number has, of which leading zeros may be lost.
        sampled: judged by this share of the first candidates (a function of them) being at least a half.
        sampled_always: that too where the name gives a hint.
        listed: values, in small letters; a hit is one of them. At least two different ones, if there is no hint.
        whole: of one value as it is written, where no pattern is enough.
        less: a pattern of values that say less than this kind: no cells of it, where only the column's name speaks.
        less_if: names of columns for which that holds; all, if not given.
        among: how many of some different values are in a list of all such values that are known; None if there is no
            list. Without a hint, a column is of this kind if at least `LISTED` of its different values are in it, with
            the lower end of the interval of 95 %.
        not_in: words of a column's name that speak against it where the list alone decides.
        safe_harbor: letters of 45 CFR 164.514(b)(2)(i).
        special: which special category it is (`reticent.data.scan.rules`).
        means: what else there is to say of a finding.
        rivals: kinds of one form that this one's values may have too where the name gives a hint; see `judging`.
        behind: a kind that says more; where that is found in most cells, this one is left out ("any": any other kind).
    """

    name: str
    group: str
    shape: Shape = dataclasses.field(default_factory=Shape.any)
    raw: str | None = None
    unlike: str | None = None
    prefix: str | None = None
    pattern: str | None = None
    check: Check | None = None
    each: Callable[[str], bool] | None = None
    whole: Callable[[str], bool] | None = None
    less: str = ""
    less_if: Hints | None = None
    chance: float = 0.0
    alpha: float = 1e-4
    least: float = 0.0
    hints: Hints = dataclasses.field(default_factory=Hints)
    needs_hint: bool = False
    hinted_shape: Shape | None = None
    hinted_raw: str | None = None
    hinted_pattern: str | None = None
    named: bool = True
    loose: bool = False
    pad: int = 0
    sampled: Callable[[list[str]], float] | None = None
    sampled_always: bool = False
    listed: frozenset[str] = frozenset()
    among: Callable[[list[str]], int | None] | None = None
    not_in: frozenset[str] = frozenset()
    safe_harbor: str = ""
    special: str = ""
    means: str = ""
    behind: str = ""
    rivals: tuple[str, ...] = ()

    @property
    def has_checksum(self) -> bool:
        """Whether hits are confirmed by check digits."""
        return self.chance > 0

    @property
    def has_pattern(self) -> bool:
        """Whether it looks at values at all."""
        return any((self.raw, self.pattern, self.listed, self.hinted_raw, self.hinted_pattern))

    def hits(self, values: Values, *, hinted: bool) -> Hits:
        """Which distinct values of a piece fit and pass."""
        empty = np.zeros(0, dtype=np.int64)
        if not self.has_pattern or (self.needs_hint and not hinted and self.among is None):
            return Hits(empty, empty)
        shape = self.hinted_shape if hinted and self.hinted_shape is not None else self.shape
        places = shape.of(values)
        if not len(places):
            return Hits(empty, empty)
        import pyarrow as pa

        texts = values.texts.take(pa.array(places))
        if self.listed:
            return self._among(texts, places)
        looser = hinted and (self.hinted_raw is not None or self.hinted_pattern is not None)
        raw, pattern = (self.hinted_raw, self.hinted_pattern) if looser else (self.raw, self.pattern)
        if raw is not None:
            texts, places = _matching(texts, places, raw)
        if self.unlike is not None and not hinted:
            texts, places = _matching(texts, places, self.unlike, inside=False)
        if self.whole is not None and len(texts):
            right = np.array([self.whole(text) for text in texts.to_pylist()], dtype=bool)
            texts, places = texts.filter(pa.array(right)), places[right]
        if pattern is not None or self.check is not None or self.each is not None:
            texts = _compact(texts, self.pad if hinted else 0, self.prefix)
        if pattern is not None:
            texts, places = _matching(texts, places, pattern)
        return Hits(places, places[self._passing(texts)] if len(places) else places)

    def less_than(self, values: Values, column: str) -> int:
        """How many cells of a piece say less than this kind."""
        if not self.less or not (self.less_if is None or self.less_if.fit(column)):
            return 0
        import pyarrow.compute as pc

        right = pc.match_substring_regex(values.texts, self.less).to_numpy(zero_copy_only=False)
        return int(values.counts[right].sum())

    def _among(self, texts: Any, places: npt.NDArray[np.int64]) -> Hits:
        import pyarrow as pa
        import pyarrow.compute as pc

        within = pc.is_in(pc.utf8_lower(texts), pa.array(sorted(self.listed))).to_numpy(zero_copy_only=False)
        return Hits(places[within], places[within])

    def _passing(self, texts: Any) -> npt.NDArray[np.bool_]:
        import pyarrow as pa
        import pyarrow.compute as pc

        found = np.ones(len(texts), dtype=bool)
        if self.check is not None:
            lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
            for length in np.unique(lengths):
                alike = np.flatnonzero(lengths == length)
                found[alike] = self.check(matrix(texts.take(pa.array(alike))))
        if self.each is not None:
            found &= np.array([self.each(text) for text in texts.to_pylist()], dtype=bool)
        return found


def _matching(
    texts: Any, places: npt.NDArray[np.int64], pattern: str, *, inside: bool = True
) -> tuple[Any, npt.NDArray[np.int64]]:
    import pyarrow.compute as pc

    right = pc.match_substring_regex(texts, pattern)
    right = right if inside else pc.invert(right)
    return texts.filter(right), places[right.to_numpy(zero_copy_only=False)]


def _compact(texts: Any, pad: int, prefix: str | None) -> Any:
    """Without spaces, separators and what may stand before, in capitals, filled up with zeros."""
    import pyarrow.compute as pc

    texts = pc.utf8_upper(pc.replace_substring_regex(texts, r"[ \-./()]", ""))
    if prefix is not None:
        texts = pc.replace_substring_regex(texts, prefix, "")
    return pc.utf8_lpad(texts, pad, "0") if pad else texts
