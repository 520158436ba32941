"""Rows of the release that are rows of somebody's data, or nearly.

Promise: `copies` says of each row how often the release holds it exactly, and in how many columns it differs from the
release's row most like it. `description` gives distances to the closest record (DCR) and their ratios (NNDR) as what
they are: descriptions. They test no privacy: a release can keep its distance from every row and give all of them away
(each cell moved by a known step), and hold many rows exactly that anybody could have written down.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.synthetic import Encoded, copies
    >>> def rows(*codes):
    ...     return Encoded(np.zeros((len(codes), 0)), np.array(codes, np.int32), np.array([9, 9]))
    >>> found = copies(rows((1, 2), (1, 3)), release=rows((1, 2), (1, 2), (5, 5)))
    >>> found.exact.tolist(), found.differences.tolist()
    ([2, 0], [0, 1])
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.attacks.synthetic.distances import fewest_differences, nearest
from reticent.attacks.synthetic.encoding import Encoded

__all__ = ["Copies", "copies", "description"]

_QUANTILES = (0.05, 0.5, 0.95)


class Copies(NamedTuple):
    """What the release holds of each row.

    Attributes:
        exact: (rows,) how many rows of the release are equal to it.
        differences: (rows,) columns in which the row most like it differs, numbers counting as equal within a hundredth
            of a deviation.
    """

    exact: npt.NDArray[np.int64]
    differences: npt.NDArray[np.int64]


def copies(rows: Encoded, *, release: Encoded) -> Copies:
    """What the release holds of each row."""
    both = np.column_stack(
        [np.concatenate([release.numbers, rows.numbers]) + 0.0, np.concatenate([release.codes, rows.codes])]
    )
    keys = np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(keys[: len(release)], minlength=int(keys.max()) + 1)
    return Copies(sizes[keys[len(release) :]].astype(np.int64), fewest_differences(rows, release))


def description(release: Encoded, rows: Encoded) -> dict[str, list[float]]:
    """Distances from the release's rows to the closest and second closest row, described.

    Returns:
        "closest": their 5th, 50th and 95th percentile; "ratio": the same of closest over second closest, where two rows
        at distance zero count as one.
    """
    near = nearest(release, rows, min(2, len(rows)))
    ratio = np.divide(near[:, 0], near[:, -1], out=np.ones(len(near)), where=near[:, -1] > 0)
    return {
        "closest": [float(value) for value in np.quantile(near[:, 0], _QUANTILES)],
        "ratio": [float(value) for value in np.quantile(ratio, _QUANTILES)],
    }
