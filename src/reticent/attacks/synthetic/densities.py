"""How dense some rows lie around another: a kernel for rows of numbers and codes.

Promise: a density of the rows that are given and of nothing else; its two widths are chosen on the reference alone, by
the likelihood of each of its rows under the others, so the choice cannot look at members. The same kernel serves for
the release and the reference: what its shape gets wrong, it gets wrong for both.

How: numbers have a Gaussian kernel of width h; a code keeps its value with probability 1 - w + w/c and becomes each
other one of its c values with probability w/c (Aitchison and Aitken, 1976). A density below that which one in a hundred
rows of the reference has among the others counts as that one: far from everything, a ratio says nothing.

Sources: Parzen (1962); Aitchison and Aitken (1976); likelihood cross-validation: Habbema, Hermans and van den Broek
(1974).

Example:
    >>> import numpy as np
    >>> from reticent.attacks.synthetic import Encoded, Kernel
    >>> rows = Encoded(np.array([[0.0], [0.1], [5.0]]), np.zeros((3, 0), np.int32), np.zeros(0, np.int64))
    >>> Kernel(width=1.0, change=0.1).log_density(rows, rows).round(2).tolist()
    [-1.33, -1.33, -2.02]
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.synthetic.distances import blocks, squared_distances, weighted_mismatches
from reticent.attacks.synthetic.encoding import Encoded

__all__ = ["Kernel"]

Floats = npt.NDArray[np.float64]

_WIDTHS = (0.05, 0.1, 0.2, 0.4, 0.8)
_CHANGES = (0.01, 0.05, 0.2, 0.5)
_TRIED = 400  # rows of the reference on which the widths are compared
_RARE = 0.01


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel with its widths.

    Args:
        width: of the Gaussian over numbers, in robust deviations.
        change: with what probability a code is drawn anew, in (0, 1].
        floor: the least log density that is told from none.
    """

    width: float
    change: float
    floor: float = -math.inf

    def __post_init__(self) -> None:
        _checks.positive(width=self.width)
        _checks.positive(change=_checks.fraction(change=self.change))

    @classmethod
    def chosen(cls, reference: Encoded) -> Kernel:
        """The kernel under which rows of the reference are most likely, given the others of them."""
        tried = np.unique(np.linspace(0, len(reference) - 1, min(_TRIED, len(reference))).astype(np.int64))
        best, most = None, -math.inf
        for width in _WIDTHS if reference.numbers.shape[1] else _WIDTHS[:1]:
            for change in _CHANGES if reference.codes.shape[1] else _CHANGES[:1]:
                kernel = cls(width, change)
                found = kernel._among_others(reference, tried)
                score = float(np.clip(found, -1e6, None).mean())
                if best is None or score > most:
                    best, most = dataclasses.replace(kernel, floor=float(np.quantile(found, _RARE))), score
        assert best is not None  # noqa: S101 (the grids are not empty)
        return best

    def log_density(self, queries: Encoded, rows: Encoded) -> Floats:
        """(queries,) logarithm of the mean kernel over the rows, at least the floor."""
        found = np.empty(len(queries))
        for part in blocks(len(queries), len(rows)):
            found[part] = _log_sum(self.log_kernel(queries.take(np.arange(part.start, part.stop)), rows))
        return np.maximum(found - math.log(len(rows)), self.floor)

    def log_kernel(self, queries: Encoded, rows: Encoded) -> Floats:
        """(queries, rows) logarithms of the kernel, which integrates (and sums) to one over the queries."""
        keep = np.log(1 - self.change + self.change / queries.sizes)
        move = np.log(self.change / queries.sizes)
        numbers = queries.numbers.shape[1]
        constant = float(keep.sum()) - numbers * math.log(self.width * math.sqrt(2 * math.pi))
        found = squared_distances(queries, rows)
        found *= -0.5 / self.width**2
        found -= weighted_mismatches(queries, rows, keep - move)
        return np.asarray(found + constant)

    def _among_others(self, reference: Encoded, tried: npt.NDArray[np.int64]) -> Floats:
        """Log densities of some rows under all others."""
        found = np.empty(len(tried))
        for part in blocks(len(tried), len(reference)):
            kernel = self.log_kernel(reference.take(tried[part]), reference)
            kernel[np.arange(len(kernel)), tried[part]] = -np.inf
            found[part] = _log_sum(kernel)
        return found - math.log(max(len(reference) - 1, 1))


def _log_sum(values: Floats) -> Floats:
    top = values.max(axis=1)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(values - safe[:, None]).sum(axis=1)) + safe)
