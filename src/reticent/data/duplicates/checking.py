"""What the search missed, by a sample compared with everything; and what was found beside what chance gives.

Promise: `check` compares rows drawn at random with all others, without sketches, by the very rule of the search: so it
says what the search missed of what the rule calls near, and nothing about copies that the rule does not call near.
`shares` puts each share found beside the share among rows of shuffled tables; rows that stand in one table are not
quite independent, so the intervals are a little too short.

Example:
    >>> from reticent.data.duplicates import find_duplicates
    >>> from reticent.data.tables import Table
    >>> from reticent.randomness import Randomness
    >>> found = find_duplicates(Table.of({"a": [1, 2] * 40, "b": [3, 4] * 40}), Randomness.simulated(0), near=False)
    >>> one = found.chance["rows equal to another one"]
    >>> one["found"], one["by chance"].value  # nothing here says that equal rows are one person's
    (1.0, 1.0)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.duplicates.cells import Cells
from reticent.data.duplicates.rows import Rows
from reticent.data.duplicates.searching import Chance, Found, Scored
from reticent.data.duplicates.sketches import Points, Sets
from reticent.evidence import Estimate
from reticent.evidence.intervals import rate
from reticent.randomness import Randomness

__all__ = ["check", "shares"]

Ints = npt.NDArray[np.int64]
_PAIRS = 100_000_000  # the most that are compared cell by cell
_AT_ONCE = 1 << 20


def check(
    compared: Cells | Points | Sets,
    found: Found,
    most: int | None,
    wanted: int,
    randomness: Randomness,
    confidence: float,
) -> dict[str, Estimate]:
    """A sample of rows, without sketches: which are near another, and which of them near one that was missed."""
    size = len(compared)
    wanted = min(wanted, size, max(1, _PAIRS // max(1, size)))
    if not wanted or np.isposinf(found.bars).all():  # nothing is near
        return {}
    sample = np.sort(randomness.permutation(size)[:wanted])
    pairs = _neighbours(compared, found, most, sample)
    known = np.unique(_keys(found.pairs, size))
    missed_pairs = pairs[~np.isin(_keys(pairs, size), known)]
    twins, missed = len(np.unique(pairs[:, 0])), len(np.unique(missed_pairs[:, 0]))
    method = "distinct rows drawn at random and compared with all others"
    said = {
        "rows near another one": rate(twins, wanted, method=method, confidence=confidence),
        "rows near one that was missed": rate(missed, wanted, method=method, confidence=confidence),
    }
    if twins:
        method = "rows near another one among those drawn"
        said["rows of which none was missed"] = rate(twins - missed, twins, method=method, confidence=confidence)
    return said


def shares(
    found: Found | None, equal: Chance | None, rows: Rows, alone: Ints, confidence: float
) -> dict[str, dict[str, Any]]:
    """Shares found, of how many, and by chance, by name."""
    said: dict[str, dict[str, Any]] = {}
    if equal is not None:
        mine = np.bincount(rows.exact[: rows.first], minlength=len(alone))
        many = int(mine[mine > 1].sum())
        both = int((mine[rows.exact[rows.first :]] > 0).sum())
        said |= _beside("rows equal to another one", many, rows.first, equal.near, equal.rows, equal, confidence)
        second = len(rows) - rows.first
        name = "rows of the second set equal to one of the first"
        said |= _beside(name, both, second, equal.across, equal.second, equal, confidence)
    if found is not None and found.by_chance is not None:
        chance, theirs = found.by_chance, alone >= rows.first
        across = found.pairs[theirs[found.pairs].sum(axis=1) == 1]
        near = len(np.unique(found.pairs[~theirs[found.pairs].any(axis=1)]))
        hit = len(np.unique(across[theirs[across]]))
        name = "distinct rows near another one"
        said |= _beside(name, near, int((~theirs).sum()), chance.near, chance.rows, chance, confidence)
        name = "rows of the second set near one of the first, and equal to none"
        said |= _beside(name, hit, int(theirs.sum()), chance.across, chance.second, chance, confidence)
    return said


def _beside(
    name: str, found: int, of: int, hits: int, rows: int, chance: Chance, confidence: float
) -> dict[str, dict[str, Any]]:
    if not of or not rows:
        return {}
    method = f"rows of {len(chance.pairs)} tables shuffled among alike rows"
    return {name: {"found": found / of, "of": of, "by chance": rate(hits, rows, method=method, confidence=confidence)}}


def _neighbours(compared: Cells | Points | Sets, found: Found, most: int | None, sample: Ints) -> Ints:
    """All pairs (row of these, other row) that are near by the rule of the search."""
    if not isinstance(compared, Cells):
        return compared.neighbours(sample, found.limit or 0.0)
    near = [np.zeros((0, 2), np.int64)]
    step = max(1, _AT_ONCE // len(compared))
    for first in range(0, len(sample), step):
        part = sample[first : first + step]
        pairs = np.stack([np.repeat(part, len(compared)), np.tile(np.arange(len(compared)), len(part))], axis=1)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        judged = compared.judged(pairs, most or 0)
        scored = Scored(pairs[judged.kept], judged.bits, judged.differing, 0, 0)
        near.append(scored.above(found.bars).pairs)
    return np.concatenate(near)


def _keys(pairs: Ints, size: int) -> Ints:
    keys: Ints = pairs.min(axis=1) * size + pairs.max(axis=1)
    return keys
