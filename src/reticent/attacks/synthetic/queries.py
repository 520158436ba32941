"""The attack that knows the generator: shadow releases tell how a release answers when a row is in, and when it is not.

Promise: the attack is learned on releases of known memberships and scores others; what it scores never enters what it
learned. Scores are larger for rows that were in the source.

How: a release is asked counting queries: how many of its rows agree with the target in a random set of columns (numbers
by tenths of the reference). Beside the counts stand the distance to the nearest row and the log density. Each target's
features are centred by its own mean over the shadow releases, and one ridge logistic regression for all targets says
which deviations mean "in". With few shadow releases, one regression for all learns more than one for each target.

Sources: Houssiau et al. (2022, TAPAS) for targets in and out of shadow releases; Houssiau et al. (2022, Querybased) for
counting queries; one release for many targets, each in by its own coin: as in fleets (Carlini et al., 2022).

Shapes: features are (releases, targets, features); membership is (releases, targets) booleans; scores as membership.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.synthetic import Encoded, Queries
    >>> from reticent.randomness import Randomness
    >>> rows = Encoded(np.zeros((3, 0)), np.array([[0, 1], [0, 2], [1, 2]], np.int32), np.array([2, 3]))
    >>> queries = Queries.drawn(rows, Randomness.simulated(1), count=3)
    >>> queries.columns, queries.counts(rows.take(np.array([0])), rows).tolist()
    (((0,), (1,), (0, 1)), [[2, 1, 1]])
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.synthetic.densities import Kernel
from reticent.attacks.synthetic.distances import nearest
from reticent.attacks.synthetic.encoding import Encoded
from reticent.errors import MissingExtra, UsageError
from reticent.randomness import Randomness

__all__ = ["Learned", "Queries", "learned"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

_PARTS = 10  # of a number column
_STRENGTH = 0.1  # inverse of the ridge penalty


@dataclasses.dataclass(frozen=True, eq=False)
class Queries:
    """Counting queries: the sets of columns, and where numbers are cut.

    Attributes:
        columns: for each query the columns it looks at, numbers first.
        cuts: for each number column, the tenths of the reference.
    """

    columns: tuple[tuple[int, ...], ...]
    cuts: tuple[Floats, ...]

    @classmethod
    def drawn(cls, reference: Encoded, randomness: Randomness, *, count: int = 60) -> Queries:
        """Every single column, all columns, and random sets of columns up to so many queries.

        Args:
            reference: where numbers are cut, by its own tenths.
            randomness: source of the sets.
            count: how many queries there are at most.
        """
        total = reference.numbers.shape[1] + reference.codes.shape[1]
        _checks.at_least(1, count=count)
        kept = {(column,): None for column in range(total)} | {tuple(range(total)): None}
        for _ in range(20 * count):
            if len(kept) >= count:
                break
            size = 2 + int(randomness.integers(max(total - 1, 1), 1)[0])
            kept[tuple(sorted(randomness.permutation(total)[:size].tolist()))] = None
        shares = np.arange(1, _PARTS) / _PARTS
        cuts = tuple(np.unique(np.quantile(column, shares)) for column in reference.numbers.T)
        return cls(tuple(kept), cuts)

    def counts(self, targets: Encoded, release: Encoded) -> npt.NDArray[np.int64]:
        """(targets, queries) how many rows of the release agree with the target in the query's columns."""
        asked, there = self._cells(targets), self._cells(release)
        found = np.empty((len(targets), len(self.columns)), dtype=np.int64)
        for place, columns in enumerate(self.columns):
            both = np.concatenate([there[:, list(columns)], asked[:, list(columns)]])
            keys = _keys(both)
            sizes = np.bincount(keys[: len(there)], minlength=int(keys.max()) + 1)
            found[:, place] = sizes[keys[len(there) :]]
        return found

    def features(self, targets: Encoded, release: Encoded, kernel: Kernel) -> Floats:
        """(targets, features) what the attack sees of a release about each target."""
        shares = np.log((self.counts(targets, release) + 0.5) / (len(release) + 1))
        distance = -np.log(nearest(targets, release)[:, 0] + 0.01)
        density = kernel.log_density(targets, release)
        return np.column_stack([shares, distance, density])

    def _cells(self, rows: Encoded) -> npt.NDArray[np.int64]:
        numbers = [np.searchsorted(cuts, column) for cuts, column in zip(self.cuts, rows.numbers.T, strict=True)]
        return np.column_stack([*numbers, rows.codes]).astype(np.int64)


def _keys(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(rows,) equal numbers for equal rows, from 0; renumbered after each column, so that they never overflow."""
    keys = np.zeros(len(cells), dtype=np.int64)
    for column in cells.T:
        keys = np.unique(keys * (int(column.max()) + 1) + column, return_inverse=True)[1].reshape(-1)
    return keys


@dataclasses.dataclass(frozen=True, eq=False)
class Learned:
    """What was learned from shadow releases; `learned` makes one.

    Attributes:
        centres: (targets, features) each target's means.
        scale: (features,) deviations over all shadow releases.
        weights: (features,) of the regression.
    """

    centres: Floats
    scale: Floats
    weights: Floats

    def scores(self, features: Floats) -> Floats:
        """(..., targets) scores of the same targets from features (..., targets, features)."""
        return np.asarray(((features - self.centres) / self.scale) @ self.weights)


def learned(features: Floats, membership: Booleans) -> Learned:
    """The attack learned from shadow releases.

    Args:
        features: (releases, targets, features) of `Queries.features`.
        membership: (releases, targets) who was in.

    Raises:
        UsageError: shapes that do not fit, or only one side.
        MissingExtra: scikit-learn is not installed.
    """
    if features.shape[:2] != membership.shape or membership.all() or not membership.any():
        raise UsageError(
            f"Expected features and memberships of the same releases and targets, and some of them in and some out, "
            f"got {features.shape[:2]} and {membership.shape}.",
            "Draw each target's memberships by coin flips.",
        )
    try:
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtra("scikit-learn", "data", "The attack with shadow releases") from error
    centres = features.mean(axis=0)
    apart = features - centres
    scale = apart.std(axis=(0, 1))
    scale[scale == 0] = 1.0
    flat = (apart / scale).reshape(-1, features.shape[2])
    with threadpool_limits(1):
        model = LogisticRegression(C=_STRENGTH, max_iter=300).fit(flat, membership.reshape(-1))
    return Learned(centres, scale, np.asarray(model.coef_[0], dtype=np.float64))
