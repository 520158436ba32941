"""What rows are compared by: sets of shingles, or points; short sketches of them, and exact comparisons.

Promise: `Sets.nearness` is the Jaccard similarity |A and B| / |A or B| and `Points.nearness` the distance, both exact
(shingles are known by 32-bit hashes: two different ones of a pair of texts are taken for one with probability below
one in a hundred thousand). Sketches are drawn anew with each call, so nobody can prepare rows that avoid each other.

* Texts: composed (NFKC), case folded, runs of blanks made one; shingles are all runs of `SHINGLE` characters, the end
  of the text included, so that every text that is not empty has one.
* Points: numbers in robust deviations of their column (the distance of its quarters / 1.349; where that is nought, the
  deviation); the distance is the root mean square over columns. Missing numbers stand at the mean. Images are averaged
  to at most 16 x 16 places, and each is brought to mean 0 and deviation 1 first, so brightness and contrast do not
  matter.

MinHash: each place of a sketch is the least value of a random map of 32-bit numbers over a row's set; two sets agree in
it with probability J up to the map's imperfection (tested). Points: rounded random projections floor((a x + b) / w);
with Gaussian a and distance c they agree with probability 1 - 2 Phi(-w/c) - (2c / sqrt(2 pi) w)(1 - exp(-w^2 / 2c^2)).

Sources: Broder (1997); Dietzfelbinger et al. (1997) for the maps; Datar et al. (2004), section 3.2.

Shapes: `items` (total,) uint32, row after row, sorted and distinct within each; `starts` (rows + 1,) int64; points
(rows, dimensions) float32; keys (rows, bands) uint64, for rows that are not empty.

Example:
    >>> import numpy as np
    >>> from reticent.data.duplicates.sketches import Points, Sets
    >>> texts = Sets.of_texts(["the cat sat", "the cat sits", ""])
    >>> np.diff(texts.starts).tolist(), texts.nearness(np.array([[0, 1]])).round(2).tolist()
    ([11, 12, 0], [0.28])
    >>> Points(np.array([[0.0, 0.0], [3.0, 3.0]], np.float32)).nearness(np.array([[0, 1]])).tolist()
    [3.0]
"""

from __future__ import annotations

import dataclasses
import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.special import ndtr

from reticent.data.duplicates.bands import Bands, few_enough
from reticent.randomness import Randomness

__all__ = ["SHINGLE", "Points", "Sets", "mixed", "tidied"]

SHINGLE = 5
"""Characters of a shingle."""

Ints = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]
_TEXTS_AT_ONCE = 20_000
_ITEMS_AT_ONCE = 1 << 16
_PAIRS_AT_ONCE = 1 << 14
_SIDE = 16
_STEP = 4.0


def tidied(text: str) -> str:
    """A text as it is compared: composed, case folded, runs of blanks made one."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@dataclasses.dataclass(frozen=True, eq=False)
class Sets:
    """Rows as sets of hashed items."""

    items: npt.NDArray[np.uint32]
    starts: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of_texts(cls, texts: Sequence[str], progress: Progress | None = None, size: int = SHINGLE) -> Sets:
        """The shingles of texts, of so many characters each."""
        parts, sizes = [], [np.zeros(1, np.int64)]
        for first in range(0, len(texts), _TEXTS_AT_ONCE):
            items, counts = _shingles([tidied(text) for text in texts[first : first + _TEXTS_AT_ONCE]], size)
            parts.append(items)
            sizes.append(counts)
            if progress is not None:
                progress(min(first + _TEXTS_AT_ONCE, len(texts)), len(texts))
        items = np.concatenate(parts) if parts else np.zeros(0, np.uint32)
        return cls(items, np.cumsum(np.concatenate(sizes)))

    @property
    def filled(self) -> Ints:
        """The rows that are not empty."""
        return np.flatnonzero(np.diff(self.starts))

    def agreement(self, similarity: float) -> float:
        """How often sketches of rows with this similarity agree in one place."""
        return similarity

    def keys(
        self, bands: Bands, randomness: Randomness, bar: float, progress: Progress | None = None
    ) -> npt.NDArray[np.uint64]:
        """(filled rows, bands) what sketches have in each band; the bar does not matter here."""
        drawn = randomness.bits(bands.places)
        factor, shift = (drawn >> np.uint64(32)).astype(np.uint32) | np.uint32(1), drawn.astype(np.uint32)
        starts = self.starts[np.append(self.filled, len(self))]
        found = np.zeros((len(starts) - 1, bands.bands), np.uint64)
        for low, high in _blocks(starts):
            items, places = self.items[starts[low] : starts[high]], starts[low:high] - starts[low]
            mapped = np.empty_like(items)
            for place in range(bands.places):
                np.multiply(items, factor[place], out=mapped)
                mapped += shift[place]
                # The upper half is mixed into the lower one, and once more multiplied: a linear map alone is biased.
                mapped ^= mapped >> np.uint32(15)
                mapped *= np.uint32(0x2C1B3C6D)
                least = np.minimum.reduceat(mapped, places).astype(np.uint64)
                column = found[low:high, place // bands.rows]
                column += mixed(least + (np.uint64(place % bands.rows + 1) << np.uint64(32)))
            if progress is not None:
                progress(high, len(found))
        return found

    def least(self, randomness: Randomness) -> npt.NDArray[np.uint64]:
        """(filled rows,) one place of a sketch: equal for two rows with their similarity as the probability."""
        drawn = randomness.bits(1)[0]
        places = self.starts[:-1][np.diff(self.starts) > 0]
        return np.minimum.reduceat(mixed(self.items.astype(np.uint64) ^ drawn), places)

    def nearness(self, pairs: Ints) -> npt.NDArray[np.float64]:
        """(pairs,) Jaccard similarities."""
        sizes = np.diff(self.starts)
        found = np.zeros(len(pairs))
        for first in range(0, len(pairs), _PAIRS_AT_ONCE):
            part = pairs[first : first + _PAIRS_AT_ONCE]
            ends = part.reshape(-1)
            items = self.items[_ragged(self.starts[ends], sizes[ends])].astype(np.uint64)
            pair = np.repeat(np.repeat(np.arange(len(part), dtype=np.uint64), 2), sizes[ends])
            keys = np.sort((pair << np.uint64(32)) | items)
            both = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
            shared = np.bincount(both.astype(np.int64), minlength=len(part))
            found[first : first + len(part)] = shared / np.maximum(1, sizes[part].sum(axis=1) - shared)
        return found

    def near(self, nearness: Any, bar: float) -> Any:
        """Whether a similarity is large enough."""
        return nearness >= bar

    def neighbours(self, rows: Ints, bar: float) -> Ints:
        """All pairs (row of these, other row) that are near, found without sketches.

        A set A and another of similarity J have at least J |A| items in common, so the other one holds at least three
        of any |A| - ceil(J |A|) + 3 items of A (fewer, if J |A| is less); the rarest ones are looked up.
        """
        frequent = np.bincount(self.items >> np.uint32(8), minlength=1 << 24)
        wanted, least = [np.zeros((0, 2), np.int64)], np.zeros(len(rows), np.int64)
        for place, row in enumerate(rows):
            items = self.items[self.starts[row] : self.starts[row + 1]]
            common = math.ceil(bar * len(items) - 1e-9)
            least[place] = min(3, common)
            kept = len(items) - common + int(least[place])
            rare = items[np.argsort(frequent[items >> np.uint32(8)], kind="stable")[:kept]].astype(np.int64)
            wanted.append(np.stack([rare, np.full(len(rare), place)], axis=1))
        index = np.concatenate(wanted)
        index = index[np.argsort(index[:, 0], kind="stable")]
        found = [np.zeros(0, np.int64)]
        for low, high in _blocks(self.starts, _ITEMS_AT_ONCE << 5):
            items = self.items[self.starts[low] : self.starts[high]].astype(np.int64)
            of_items = np.repeat(np.arange(low, high), np.diff(self.starts[low : high + 1]))
            begin, end = (np.searchsorted(index[:, 0], items, side=side) for side in ("left", "right"))
            hit = np.flatnonzero(end > begin)
            counts = (end - begin)[hit]
            sample = index[_ragged(begin[hit], counts), 1]
            both, shared = np.unique(sample * len(self) + np.repeat(of_items[hit], counts), return_counts=True)
            found.append(both[shared >= least[both // len(self)]])
        sample, other = np.divmod(np.concatenate(found), len(self))
        pairs = np.stack([rows[sample], other], axis=1)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        near: Ints = pairs[self.near(self.nearness(pairs), bar)]
        return near


@dataclasses.dataclass(frozen=True, eq=False)
class Points:
    """Rows as points; their distance is the root mean square of the differences."""

    values: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of_columns(cls, values: npt.NDArray[Any]) -> Points:
        """Numbers in robust deviations of their column; constant columns are left out."""
        wide = np.asarray(values, np.float64).reshape(len(values), -1)
        points = [
            np.where(np.isnan(one), 0, one - np.nanmean(one)) / spread for one in wide.T if (spread := _deviation(one))
        ]
        return cls(np.stack(points, axis=1).astype(np.float32) if points else np.zeros((len(wide), 1), np.float32))

    @classmethod
    def of_images(cls, images: npt.NDArray[Any]) -> Points:
        """Small pictures of pictures, (rows, height, width) or (rows, height, width, channels)."""
        grey = np.array(images, np.float32)
        if grey.ndim == 4:  # channels are few: first or last
            grey = grey.mean(axis=1 if grey.shape[1] <= 4 < grey.shape[3] else 3)
        for axis in (1, 2):
            size = grey.shape[axis]
            if size > _SIDE:
                edges = np.linspace(0, size, _SIDE + 1).astype(int)
                sums = np.add.reduceat(grey, edges[:-1], axis=axis)
                shape = [1, 1, 1]
                shape[axis] = _SIDE
                grey = (sums / np.diff(edges).reshape(shape)).astype(np.float32)
        flat = grey.reshape(len(grey), -1)
        flat -= flat.mean(axis=1, keepdims=True)
        spread = flat.std(axis=1, keepdims=True)
        return cls((flat / np.where(spread > 0, spread, 1)).astype(np.float32))

    @property
    def filled(self) -> Ints:
        """All rows."""
        return np.arange(len(self))

    def agreement(self, distance: float) -> float:
        """How often sketches of rows agree in one place, at so many times the distance that their bar is."""
        if distance == 0:
            return 1.0
        ratio = _STEP / distance
        return float(1 - 2 * ndtr(-ratio) - 2 / (math.sqrt(2 * math.pi) * ratio) * (1 - math.exp(-(ratio**2) / 2)))

    def keys(
        self, bands: Bands, randomness: Randomness, bar: float, progress: Progress | None = None
    ) -> npt.NDArray[np.uint64]:
        """(rows, bands) what sketches have in each band; steps of the rounding are four times the distance `bar`."""
        dimensions = self.values.shape[1]
        step = _STEP * bar * math.sqrt(dimensions)
        direction = randomness.normal((dimensions, bands.places)).astype(np.float32)
        shift = randomness.uniform(bands.places)
        found = np.zeros((len(self), bands.bands), np.uint64)
        for low in range(0, len(self), 1 << 14):
            high = min(low + (1 << 14), len(self))
            placed = np.floor((self.values[low:high] @ direction).astype(np.float64) / step + shift).astype(np.int64)
            salted = mixed(placed.astype(np.uint64) + (np.arange(bands.places, dtype=np.uint64) << np.uint64(48)))
            found[low:high] = salted.reshape(high - low, bands.bands, bands.rows).sum(axis=2)
            if progress is not None:
                progress(high, len(self))
        return found

    def nearness(self, pairs: Ints) -> npt.NDArray[np.float64]:
        """(pairs,) distances."""
        found = np.zeros(len(pairs))
        for first in range(0, len(pairs), _PAIRS_AT_ONCE):
            part = pairs[first : first + _PAIRS_AT_ONCE]
            away = (self.values[part[:, 0]] - self.values[part[:, 1]]).astype(np.float64)
            found[first : first + len(part)] = np.sqrt((away**2).mean(axis=1))
        return found

    def all_pairs(self, bar: float) -> Ints:
        """All pairs that are near, from a tree of the space: for a few dimensions, nothing is missed.

        Raises:
            DataError: more than `bands.MOST` pairs.
        """
        tree = cKDTree(self.values)
        reach = bar * math.sqrt(self.values.shape[1])
        few_enough((int(tree.count_neighbors(tree, reach)) - len(self)) // 2)
        # The tree and `nearness` round differently: what is near by either is asked once more.
        pairs = tree.query_pairs(reach * (1 + 1e-5), output_type="ndarray").astype(np.int64)
        near: Ints = pairs[self.near(self.nearness(pairs), bar)]
        return near

    def near(self, nearness: Any, bar: float) -> Any:
        """Whether a distance is small enough."""
        return nearness <= bar

    def neighbours(self, rows: Ints, bar: float) -> Ints:
        """All pairs (row of these, other row) that are near, found without sketches."""
        squares = np.einsum("ij,ij->i", self.values, self.values, dtype=np.float64)
        dimensions, found = self.values.shape[1], []
        for first in range(0, len(rows), 256):
            part = rows[first : first + 256]
            for low in range(0, len(self), 1 << 15):
                other = self.values[low : low + (1 << 15)]
                rough = squares[part][:, None] + squares[low : low + len(other)] - 2.0 * (self.values[part] @ other.T)
                # float32 products are rounded: look closer at what may be near
                slack = 1e-5 * (squares[part][:, None] + squares[low : low + len(other)]) + 1e-9
                at, place = np.nonzero(rough <= dimensions * bar**2 + slack)
                found.append(np.stack([part[at], place + low], axis=1))
        pairs = np.concatenate(found) if found else np.zeros((0, 2), np.int64)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        near: Ints = pairs[self.near(self.nearness(pairs), bar)]
        return near


def _deviation(values: npt.NDArray[np.float64]) -> float:
    """From the first quarter to the third, as a Gaussian's deviation; where these are equal, the deviation.

    A few large values stretch the deviation so much that all others seem close.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0
    low, high = np.quantile(known, [0.25, 0.75])
    return float(high - low) / 1.349 or float(known.std())


def _shingles(texts: Sequence[str], size: int) -> tuple[npt.NDArray[np.uint32], Ints]:
    lengths = np.array([len(text) for text in texts], np.int64)
    joined = ("\0" * (size - 1)).join([*texts, ""])
    letters = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    count = len(letters) - size + 1
    if count <= 0 or not lengths.any():
        return np.zeros(0, np.uint32), np.zeros(len(texts), np.int64)
    rolled = np.zeros(count, np.uint64)
    for place in range(size):
        rolled = rolled * np.uint64(0x9E3779B97F4A7C15) + letters[place : place + count]
    begin = np.cumsum(lengths + size - 1) - (lengths + size - 1)
    hashes = mixed(rolled[_ragged(begin, lengths)]) >> np.uint64(32)
    row = np.repeat(np.arange(len(texts), dtype=np.uint64), lengths)
    items, starts = _distinct(row, hashes, len(texts))
    return items, np.diff(starts)


def _distinct(
    row: npt.NDArray[np.uint64], hashes: npt.NDArray[np.uint64], rows: int
) -> tuple[npt.NDArray[np.uint32], Ints]:
    """Items, sorted and distinct within each row, and where rows begin."""
    keys = np.sort((row << np.uint64(32)) | hashes)
    fresh = np.ones(len(keys), bool)
    fresh[1:] = keys[1:] != keys[:-1]
    keys = keys[fresh]
    sizes = np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=rows)
    return keys.astype(np.uint32), np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A map of 64-bit numbers onto themselves after which no bit resembles another (splitmix64's)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return found


def _ragged(starts: Ints, sizes: Ints) -> Ints:
    """The places starts[i] .. starts[i] + sizes[i] - 1, one run after the other."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    found: Ints = np.arange(total) + np.repeat(starts - (ends - sizes), sizes)
    return found


def _blocks(starts: Ints, items: int = _ITEMS_AT_ONCE) -> Iterator[tuple[int, int]]:
    """Runs of rows with about so many items together, at least one row each."""
    low = 0
    while low < len(starts) - 1:
        high = int(np.searchsorted(starts, starts[low] + items, side="right")) - 1
        high = max(low + 1, high)
        yield low, high
        low = high
