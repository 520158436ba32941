"""What generalising costs: how much less is said of each cell.

Promise: two measures that hold for every way of generalising, from 0 (nothing changed) to 1 (nothing left). A cell
whose value v now stands for a group G of the column's values has lost

* entropy: log2(n_G / n_v), with n rows of the table before; divided by what the column loses when it is `*` for
  everybody (non-uniform entropy). Values that stand out cost much, common ones little.
* span: (distinct values in G - 1) / (distinct values - 1).

A row that is left out has lost all of it in every quasi-identifier. A missing cell is a value like others. Columns
weigh the same, unless weights say otherwise. Neither measure knows what the table is for; measure the model that is
trained.

Sources: de Waal and Willenborg (1999) and Gionis and Tassa (2009), non-uniform entropy; Iyengar (2002), span.

Example:
    >>> from reticent.data.anonymity.losses import Axis
    >>> axis = Axis.of([2, 2, 4], [[0, 1, 2], [0, 0, 1], [0, 0, 0]])
    >>> axis.entropy.round(3).tolist(), axis.span.tolist()
    ([0.0, 0.333, 1.0], [0.0, 0.25, 1.0])
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.anonymity.counting import Floats, Ints

__all__ = ["Axis", "cell_losses"]


@dataclasses.dataclass(frozen=True, eq=False)
class Axis:
    """What a column can lose, level by level.

    Attributes:
        groups: for each level (categories,) the group of each category.
        cells: for each level (categories,) the entropy lost by a row with this category, as a share of the whole
            column's loss at `*`.
        entropy: (levels,) of the whole column.
        span: (levels,) of the whole column.
        everybody: (categories,) the entropy lost at `*`, whether or not that is a level.
    """

    groups: tuple[Ints, ...]
    cells: tuple[Floats, ...]
    entropy: Floats
    span: Floats
    everybody: Floats

    @classmethod
    def of(cls, counts: Any, groups: Any) -> Axis:
        """From the rows of each category, and for each level the group of each category."""
        rows = np.asarray(counts, dtype=np.int64)
        levels = tuple(np.asarray(one, dtype=np.int64) for one in groups)
        lost = [cell_losses(rows, one) for one in levels]
        return cls(
            levels,
            tuple(entropy for entropy, _ in lost),
            np.array([float(rows @ entropy) for entropy, _ in lost]),
            np.array([float(rows @ span) / max(int(rows.sum()), 1) for _, span in lost]),
            cell_losses(rows, np.zeros(len(rows), dtype=np.int64))[0],
        )


def cell_losses(rows: Ints, group: Ints) -> tuple[Floats, Floats]:
    """What a row of each category loses when its group is all that is said.

    Args:
        rows: (categories,) rows of each.
        group: (categories,) its group.

    Returns:
        (categories,) entropy as a share of what the whole column loses at `*`; (categories,) span, in [0, 1].
    """
    used = rows > 0
    size = np.bincount(group, weights=rows)[group]
    whole = int(rows.sum())
    entropy, at_most = np.zeros(len(rows)), 0.0
    entropy[used] = np.log2(size[used] / rows[used])
    at_most = float(rows[used] @ np.log2(whole / rows[used]))
    values = np.bincount(group, weights=used)[group]
    distinct = int(used.sum())
    span: npt.NDArray[np.float64] = np.where(used, (values - 1) / max(distinct - 1, 1), 0.0)
    return (entropy / at_most if at_most > 0 else entropy), span
