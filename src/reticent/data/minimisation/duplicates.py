"""Columns that say the same: how much of one column's information another gives.

Promise: 0 for columns that have nothing to do with each other (up to noise), 1 if one follows from the other; numbers
in bands, so a small error in a number is no difference. It is a description, not a test.

How: the uncertainty coefficient 1 - H(A|B)/H(A) (Theil, 1970) of values, bands or frequent categories, less what a
shuffled B gives (as the adjusted mutual information has it; Vinh, Epps and Bailey, 2010); for two numbers or dates the
squared rank correlation (Spearman) if that is larger.

Example:
    >>> import numpy as np
    >>> from reticent.data.minimisation.duplicates import duplicates, told_by
    >>> from reticent.data.tables import Table
    >>> cm = np.arange(1000) * 7 % 60 + 140
    >>> table = Table.of({"cm": cm, "inches": cm / 2.54, "tall": cm > 170, "day": np.arange(1000) % 31})
    >>> duplicates(table)
    [('cm', 'inches')]
    >>> told_by(table["tall"], table["cm"]) > 0.9, told_by(table["cm"], table["tall"]) < 0.5
    (True, True)
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.tables import Column, Table
from reticent.randomness import Randomness

__all__ = ["SAME", "duplicates", "told", "told_by"]

Array = npt.NDArray[Any]

SAME: Final = 0.9
_BANDS: Final = 32
_SIZE: Final = _BANDS + 2  # bands, one for the rest, one for missing values
_ROWS: Final = 20_000


def told_by(column: Column, other: Column) -> float:
    """The share of the column's information that the other gives, in [0, 1]."""
    return float(_told(_sketch(column), _sketch(other)))


def told(table: Table) -> dict[tuple[str, str], float]:
    """(column, other) to the share of the column's information that the other gives."""
    step = max(1, table.rows // _ROWS)
    sketches = {column.name: _sketch(column.take(np.arange(0, table.rows, step))) for column in table.columns}
    return {(one, two): _told(sketches[one], sketches[two]) for one in sketches for two in sketches if one != two}


def duplicates(table: Table, shares: dict[tuple[str, str], float] | None = None) -> list[tuple[str, ...]]:
    """Groups of columns of which each gives nearly all information of another and the other way round."""
    shares = told(table) if shares is None else shares
    found: list[list[str]] = []
    for name in table.names:
        for group in found:
            if any(min(shares[name, one], shares[one, name]) >= SAME for one in group):
                group.append(name)
                break
        else:
            found.append([name])
    return [tuple(group) for group in found if len(group) > 1]


_Sketch = tuple[Array, Array | None]


def _sketch(column: Column) -> _Sketch:
    """Codes of bands or frequent categories, missing values among them; and ranks, if there is an order."""
    codes, counts = column.codes.astype(np.int64), column.counts()
    if len(counts) <= _BANDS:
        places = np.arange(len(counts))
    elif column.kind == "text":
        places = np.full(len(counts), _BANDS)
        order = np.argsort(-counts, kind="stable")[:_BANDS]
        places[order] = np.arange(len(order))
    else:
        middle = np.cumsum(counts) - counts / 2
        places = np.minimum((middle / max(counts.sum(), 1) * _BANDS).astype(np.int64), _BANDS - 1)
    ranks = None
    if column.kind in ("number", "date"):
        ranks = np.append(np.cumsum(counts) - (counts - 1) / 2, np.nan)[codes]
    return np.append(places, _BANDS + 1)[codes], ranks


def _told(first: _Sketch, second: _Sketch) -> float:
    rows = len(first[0])
    own = _entropy(first[0], rows)
    if own <= 0:
        return 0.0
    # few rows in many cells look as if one told the other: what is left when there is nothing to tell is chance
    chance = _mutual(first[0], second[0][Randomness.simulated(0).permutation(rows)], rows)
    mutual = _mutual(first[0], second[0], rows)
    share = (mutual - chance) / (own - chance) if own - chance > 1e-9 else 0.0
    if first[1] is not None and second[1] is not None:
        there = ~(np.isnan(first[1]) | np.isnan(second[1]))
        x, y = first[1][there], second[1][there]
        if len(x) > 2 and x.std() and y.std():
            share = max(share, float(np.corrcoef(x, y)[0, 1]) ** 2 * float(there.mean()))
    return float(min(max(share, 0.0), 1.0))


def _mutual(first: Array, second: Array, rows: int) -> float:
    return _entropy(first, rows) + _entropy(second, rows) - _entropy(first * _SIZE + second, rows)


def _entropy(codes: Array, rows: int) -> float:
    counts = np.bincount(codes)
    shares = counts[counts > 0] / rows
    return float(-(shares * np.log(shares)).sum())
