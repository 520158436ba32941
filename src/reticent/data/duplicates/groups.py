"""Groups of rows from near pairs: around one row each, or everything that is connected.

Promise: in `stars` every member of a group is near its first row, so nothing is joined by a chain of others; each row
is in one group. `components` joins whatever is connected: what must not be divided.

Shapes: pairs (pairs, 2) int64; numbers (size,) from 0, in order of first appearance.

Example:
    >>> import numpy as np
    >>> from reticent.data.duplicates.groups import components, stars
    >>> chain = np.array([[0, 1], [1, 2], [2, 3]])
    >>> stars(4, chain).tolist(), components(4, chain).tolist()
    ([0, 0, 1, 1], [0, 0, 0, 0])
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

__all__ = ["among", "components", "stars"]

Ints = npt.NDArray[np.int64]


def stars(size: int, pairs: Ints) -> Ints:
    """(size,) groups: the first row that is in none, with those near it that are in none, and so on."""
    both = np.sort(pairs, axis=1)
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    centre = np.full(size, -1, np.int64)
    starts = np.append(np.flatnonzero(np.diff(both[:, 0], prepend=-1)), len(both))
    for low, high in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        one = both[low, 0]
        if centre[one] < 0:  # else it is a member, and no centre
            others = both[low:high, 1]
            centre[others[centre[others] < 0]] = one
            centre[one] = one
    centre = np.where(centre < 0, np.arange(size), centre)
    numbered: Ints = np.unique(centre, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return numbered


def components(size: int, pairs: Ints) -> Ints:
    """(size,) numbers that are equal for what pairs connect, in order of first appearance."""
    graph = coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    _, found = connected_components(graph, directed=False)
    first = np.unique(found, return_index=True)[1]
    place = np.empty(len(first), np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(first))
    numbered: Ints = place[found]
    return numbered


def among(wanted: Ints, pairs: Ints) -> tuple[Ints, Ints]:
    """Each of the wanted numbers with each of its partners: the place in `wanted`, and the partner.

    Example:
        >>> [part.tolist() for part in among(np.array([5, 7, 5]), np.array([[5, 6], [4, 5]]))]
        [[0, 0, 2, 2], [6, 4, 6, 4]]
    """
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    low, high = (np.searchsorted(both[:, 0], wanted, side=side) for side in ("left", "right"))
    sizes = high - low
    place = np.repeat(np.arange(len(wanted)), sizes)
    begin = np.repeat(low - (np.cumsum(sizes) - sizes), sizes)
    return place, both[begin + np.arange(int(sizes.sum())), 1]
