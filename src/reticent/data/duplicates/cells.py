"""Rows compared cell by cell: in how many cells two rows differ, and how much of a coincidence the rest would be.

Promise: of a pair, `Cells.judged` gives two figures, both exact.

* How many cells differ. Cells are alike if they are equal; if both are missing; numbers and dates also if they are
  close (apart by at most a tenth of the column's spread; or numbers by a twentieth of themselves, if at most a tenth of
  the rows are as close); texts also if they share at least half of their runs of three characters, as at most one
  in a thousand pairs of rows do, and one of the two is rare, as a slip of the pen is. Case, composition and runs of
  blanks in texts do not matter. The spread is the one between the quarters of the rows, so that a few large values do
  not stretch it.
* The weight of what is alike, in bits: of equal cells -log2 of the share of rows that have this value; of close numbers
  -log2 of twice the share of rows from one to the other; of similar texts the similarity times the bits of the more
  frequent one, at most -log2 of the share of pairs that are as similar; of missing cells nothing. If columns had
  nothing to do with each other, a pair of that weight would have about a chance of 2^-bits. They have, so what weight
  is a coincidence is measured (`chance`), not assumed.

Columns that are one cell in many columns (`onehot`) are one; columns of a single value are left out.

Sources: Newcombe et al. (1959) and Fellegi and Sunter (1969): agreement on rare values weighs more; Gower (1971), mixed
columns.

Shapes: codes (columns, rows) int32, -1 missing; pairs (pairs, 2) int64.

Example:
    >>> import numpy as np
    >>> from reticent.data.duplicates.cells import Cells
    >>> from reticent.data.tables import Table
    >>> names = ["Anna Kowalska", "Jan Nowak", "Anna Kowalsky", "Ewa Lis"]
    >>> cells = Cells.of_table(Table.of({"name": names, "age": [34, 51, 34, 70], "sex": ["f", "m", "m", "f"]}))
    >>> kept, differing, bits = cells.judged(np.array([[0, 2], [0, 1]]), 1)
    >>> kept.tolist(), differing.tolist(), bits.round(1).tolist()
    ([0], [1], [2.2])
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.data.duplicates.chance import tied
from reticent.data.duplicates.onehot import merged, runs
from reticent.data.duplicates.sketches import Sets, tidied
from reticent.data.tables import Column, Table
from reticent.randomness import Randomness

__all__ = ["SIMILAR", "Cells", "Judged"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SIMILAR = 0.5
"""The least share of runs of three characters that two texts with a slip have in common."""
_RUN = 3
_SPREADS = 0.1  # close numbers are apart by at most so much of the spread,
_PARTS = 0.05  # or of themselves,
_ROWS = 0.1  # and at most so many rows are as close
_RARE, _USUAL = 1e-3, 1e-3
_PAIRS = 4_000  # of which the usual similarity of texts is taken
_STEPS = 8  # coarse steps of a column of numbers
_AT_ONCE = 1 << 18
_TOLD = 2_000  # rows that show what columns say about each other


class Judged(NamedTuple):
    """Pairs that differ in few enough cells: which, in how many cells, and the bits of the rest."""

    kept: Ints
    differing: Ints
    bits: Floats


@dataclasses.dataclass(frozen=True, eq=False)
class _Feature:
    """What is known of a compared column; arrays by code end with what belongs to a missing value (code -1)."""

    name: str
    weight: Floats
    """(values + 1,) bits that two equal cells weigh."""
    counts: Ints
    values: Floats | None = None
    spread: float = 0.0
    relative: bool = False
    texts: Sets | None = None
    usual: Floats = dataclasses.field(default_factory=lambda: np.zeros(0))
    """Similarities of texts of some pairs of rows, sorted."""

    def compared(self, one: npt.NDArray[np.int32], other: npt.NDArray[np.int32]) -> tuple[Bools, Floats]:
        """Whether cells are alike, and what that weighs."""
        alike = one == other
        bits = np.where(alike, self.weight[one], 0.0)
        rest = np.flatnonzero(~alike & (one >= 0) & (other >= 0))
        if len(rest) and self.values is not None:
            near, weight = self._close(self.values, np.minimum(one, other)[rest], np.maximum(one, other)[rest])
        elif len(rest) and self.texts is not None:
            near, weight = self._similar(self.texts, np.stack([one[rest], other[rest]], axis=1).astype(np.int64))
        else:
            return alike, bits
        alike[rest[near]] = True
        bits[rest[near]] = weight[near]
        return alike, bits

    def _close(self, values: Floats, low: npt.NDArray[np.int32], high: npt.NDArray[np.int32]) -> tuple[Bools, Floats]:
        below = np.concatenate([[0], np.cumsum(self.counts[:-1])])
        share = 2 * (below[high + 1] - below[low]) / self.counts.sum()
        apart = values[high] - values[low]
        near = apart <= _SPREADS * self.spread
        if self.relative:  # of a year or a temperature a twentieth is much: few rows must be as close
            near |= (share <= _ROWS) & (apart <= _PARTS * np.maximum(np.abs(values[low]), np.abs(values[high])))
        return near, -np.log2(np.minimum(share, 1))

    def _similar(self, texts: Sets, pairs: Ints) -> tuple[Bools, Floats]:
        near, weight = np.zeros(len(pairs), bool), np.zeros(len(pairs))
        rare = np.flatnonzero(self.counts[pairs].min(axis=1) <= max(2, _RARE * self.counts.sum()))
        if len(rare):
            low, high = pairs[rare].min(axis=1), pairs[rare].max(axis=1)
            distinct, back = np.unique(low * len(self.counts) + high, return_inverse=True)
            shared = texts.nearness(np.stack(np.divmod(distinct, len(self.counts)), axis=1))[back.reshape(-1)]
            # one more than there are, so that what was never seen in a few pairs is not impossible
            usual = len(self.usual) - np.searchsorted(self.usual, shared)
            near[rare] = (shared >= SIMILAR) & (usual <= max(2, _USUAL * len(self.usual)))
            share = (usual + 1) / (len(self.usual) + 1)
            weight[rare] = np.minimum(shared * self.weight[pairs[rare]].min(axis=1), -np.log2(share))
        return near, weight

    def buckets(self, randomness: Randomness, *, coarse: bool) -> npt.NDArray[np.uint64]:
        """(values + 1,) by code: numbers that are equal for equal values and, if coarse, for most that are alike."""
        codes = np.arange(len(self.counts), dtype=np.uint64)
        if coarse and self.values is not None:
            middle = (np.cumsum(self.counts) - self.counts / 2) / self.counts.sum()
            codes[:-1] = np.floor(middle[:-1] * _STEPS + randomness.uniform(1)[0]).astype(np.uint64)
        elif coarse and self.texts is not None:
            codes[self.texts.filled] = self.texts.least(randomness)
        return codes


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """Rows as cells.

    Attributes:
        codes: (columns, rows).
        features: what is known of each column.
        cluster: (columns,) equal for columns that say much about each other.
    """

    codes: npt.NDArray[np.int32]
    features: tuple[_Feature, ...]
    cluster: Ints

    def __len__(self) -> int:
        return int(self.codes.shape[1])

    @classmethod
    def of_table(cls, table: Table) -> Cells:
        """The cells of a table."""
        columns = [merged(table, names) for names in runs(table)]
        made = [_feature(column) for column in columns]
        kept = [place for place, (_, feature) in enumerate(made) if (feature.counts > 0).sum() > 1]
        if not kept:
            return cls.none(len(table))
        codes = np.stack([made[place][0] for place in kept])
        return cls(codes, tuple(made[place][1] for place in kept), _tied([columns[place] for place in kept]))

    @classmethod
    def none(cls, rows: int) -> Cells:
        """Rows without a cell."""
        return cls(np.zeros((0, rows), np.int32), (), np.zeros(0, np.int64))

    @property
    def columns(self) -> int:
        """How many cells a row has."""
        return len(self.features)

    def take(self, rows: Ints) -> Cells:
        """Some rows; what a value weighs stays as it is."""
        return dataclasses.replace(self, codes=self.codes[:, rows])

    def shuffled(self, orders: Ints) -> Cells:
        """Each column in an order of its own, (columns, rows)."""
        return dataclasses.replace(self, codes=np.take_along_axis(self.codes, orders, axis=1))

    def judged(self, pairs: Ints, most: int) -> Judged:
        """The pairs that differ in at most so many cells."""
        parts = [self._judged(pairs[first : first + _AT_ONCE], most) for first in range(0, len(pairs), _AT_ONCE)]
        if not parts:
            return Judged(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        kept = np.concatenate([part.kept + place * _AT_ONCE for place, part in enumerate(parts)])
        return Judged(
            kept, np.concatenate([one.differing for one in parts]), np.concatenate([one.bits for one in parts])
        )

    def _judged(self, pairs: Ints, most: int) -> Judged:
        alive = np.arange(len(pairs))
        differing, bits = np.zeros(len(pairs), np.int64), np.zeros(len(pairs))
        # what is cheap and tells most apart comes first; texts come last
        order = sorted(
            range(self.columns), key=lambda at: (self.features[at].texts is not None, -len(self.features[at].counts))
        )
        for at in order:
            ends = self.codes[at][pairs[alive]]
            alike, weight = self.features[at].compared(ends[:, 0], ends[:, 1])
            differing += ~alike
            bits += weight
            if not alike.all():
                still = differing <= most
                alive, differing, bits = alive[still], differing[still], bits[still]
        return Judged(alive, differing, bits)

    def sketches(self, dimensions: int, columns: Ints, randomness: Randomness) -> npt.NDArray[np.float32]:
        """(rows, dimensions) random projections: rows that are alike in these columns are near each other.

        Numbers count by their ranks, values of few by a random point each; texts of which nearly each is another say
        nothing here.
        """
        found = np.zeros((len(self), dimensions), np.float32)
        for at in columns.tolist():
            feature = self.features[at]
            size = len(feature.counts)
            drawn = randomness.normal((1 if feature.values is not None else size, dimensions))
            if feature.values is not None:
                middle = (np.cumsum(feature.counts) - feature.counts / 2) / feature.counts.sum()
                place = np.append(middle[:-1] - 0.5, 0.0)[:, None] * np.sqrt(12) * drawn
            elif (feature.counts > 0).sum() > 0.5 * feature.counts.sum():
                continue
            else:
                place = drawn
            found += place.astype(np.float32)[self.codes[at]]
        return found


def _tied(columns: list[Column]) -> Ints:
    """(columns,) equal for those that say much about each other, as some of the rows show."""
    from reticent.data.minimisation.duplicates import told

    rows = np.unique(np.linspace(0, len(columns[0]) - 1, _TOLD).astype(np.int64))
    shares = np.zeros((len(columns), len(columns)))
    names = [f"{place}" for place in range(len(columns))]
    found = told(Table(column.take(rows).renamed(name) for name, column in zip(names, columns, strict=True)))
    for (one, other), share in found.items():
        shares[int(one), int(other)] = share
    return tied(shares)


def _feature(column: Column) -> tuple[npt.NDArray[np.int32], _Feature]:
    codes, texts, values = column.codes, None, None
    spread, relative = 0.0, False
    size = len(column.values)
    if column.kind == "text":
        plain = [tidied(str(value)) for value in column.values]
        listed, place = np.unique(np.array([*plain, ""], dtype=object), return_inverse=True)
        codes = np.append(place[:-1], -1).astype(np.int32)[codes]
        size = len(listed)
        texts = Sets.of_texts([str(text) for text in listed], size=_RUN)
    elif column.kind in ("number", "date") and size:
        values = _numbers(column)
        relative = column.kind == "number"
    counts = np.bincount(np.where(codes < 0, size, codes), minlength=size + 1).astype(np.int64)
    if values is not None:
        spread = _spread(np.repeat(values, counts[:-1]))
    with np.errstate(divide="ignore"):
        weight = -np.log2(np.where(counts > 0, counts, len(codes)) / max(1, len(codes)))
    weight[-1] = 0.0
    usual = np.zeros(0) if texts is None else _usual(codes, texts)
    return codes, _Feature(column.name, weight, counts, values, spread, relative, texts, usual)


def _usual(codes: npt.NDArray[np.int32], texts: Sets) -> Floats:
    """Similarities of the texts of pairs of rows, sorted; equal texts are left out."""
    known = codes[codes >= 0].astype(np.int64)
    known = known[Randomness.simulated(0).permutation(len(known))]
    pairs = np.stack([known, np.roll(known, 1)], axis=1)[:_PAIRS]
    return np.sort(texts.nearness(pairs[pairs[:, 0] != pairs[:, 1]]))


def _numbers(column: Column) -> Floats:
    if column.kind == "date":
        return column.values.astype("datetime64[us]").astype(np.int64).astype(np.float64)
    largest = np.finfo(np.float64).max / 4  # infinite ones too, so that differences stay finite
    return np.clip(np.asarray(column.values, np.float64), -largest, largest)


def _spread(ordered: Floats) -> float:
    """From the first quarter to the third; if half of the rows are equal, from nearly the first to nearly the last."""
    for tail in (0.25, 0.05, 0.0):
        low, high = (ordered[int(place * (len(ordered) - 1))] for place in (tail, 1 - tail)) if len(ordered) else (0, 0)
        if high > low:
            return float(high - low)
    return 0.0
