"""Guessing somebody's secret column from their other columns, with a table to learn from.

Promise: the same learner for the release and for the reference, on the same number of rows, so that a difference of
their successes is a difference of the tables. The learner sees the table it is given and the known columns of the
targets, never their secrets.

How: a forest of trees that are grown until their leaves are pure. Where the table holds the target's own row it falls
into that row's leaf, as a nearest neighbour would; where it does not, the forest imputes. A secret that is a number
with more than 20 values is guessed to the tenth of the reference in which it lies.

Not covered: secrets with more than 200 values that are not numbers (names, identifiers): `secret_of` refuses them.

Sources: attribute inference and why it needs imputation as its baseline: Jayaraman and Evans (2022); forests: Breiman
(2001).

Example:
    >>> import numpy as np
    >>> from reticent.attacks.synthetic import Encoded, guesses
    >>> known = Encoded(np.array([[0.0], [1.0], [9.0]]), np.zeros((3, 0), np.int32), np.zeros(0, np.int64))
    >>> guesses(known, np.array([0, 0, 1]), known.take(np.array([2, 0])), seed=1, trees=10).tolist()
    [1, 0]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.attacks.synthetic.encoding import Encoded
from reticent.data.tables import Table
from reticent.errors import DataError, MissingExtra

__all__ = ["Secret", "guesses", "secret_of"]

Codes = npt.NDArray[np.int64]

_FEW = 20
_MOST = 200
_PARTS = 10
_TREES = 40


@dataclasses.dataclass(frozen=True, eq=False)
class Secret:
    """A secret column as classes to guess.

    Attributes:
        name: of the column.
        cuts: where a number is cut, or None if its values themselves are guessed.
        values: the values, if they are guessed.
    """

    name: str
    cuts: npt.NDArray[np.float64] | None
    values: npt.NDArray[Any]

    def of(self, table: Table) -> Codes:
        """(rows,) the class of each row; a missing value is a class of its own."""
        column = table[self.name]
        if self.cuts is not None:
            numbers = column.numbers()
            return np.where(np.isnan(numbers), -1, np.searchsorted(self.cuts, numbers, side="right")).astype(np.int64)
        places = np.searchsorted(self.values, column.values.astype(str)).astype(np.int64)
        return np.append(places, -1)[column.codes]


def secret_of(name: str, basis: Sequence[Table], tables: Sequence[Table]) -> Secret:
    """How a column is guessed.

    Args:
        name: of the column.
        basis: the tables whose tenths cut numbers.
        tables: all tables; only which values there are is taken from them.

    Raises:
        DataError: too many values that are not numbers.
    """
    found = [table[name] for table in (*basis, *tables)]
    numbers = all(column.kind in ("number", "date") or not len(column.values) for column in found)
    values = np.unique(np.concatenate([column.values.astype(object) for column in found]).astype(str))
    if numbers and len(values) > _FEW:
        known = np.concatenate([table[name].numbers() for table in basis if len(table[name].values)])
        return Secret(name, np.unique(np.nanquantile(known, np.arange(1, _PARTS) / _PARTS)), values)
    if len(values) > _MOST:
        raise DataError(
            f"Expected a secret with at most {_MOST} values, got {len(values)} in column {name!r}.",
            "Name another column, or group its values.",
        )
    return Secret(name, None, values)


def guesses(known: Encoded, secret: Codes, targets: Encoded, *, seed: int, trees: int = _TREES) -> Codes:
    """(targets,) the guessed class of each target.

    Args:
        known: the table's rows without the secret.
        secret: (rows,) their secrets.
        targets: whose secrets are guessed, without them.
        seed: of the forest.
        trees: in the forest.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as error:
        raise MissingExtra("scikit-learn", "data", "Attribute inference") from error
    forest = RandomForestClassifier(n_estimators=trees, bootstrap=False, random_state=seed, n_jobs=1)
    forest.fit(_matrix(known), secret)
    return np.asarray(forest.predict(_matrix(targets)), dtype=np.int64)


def _matrix(rows: Encoded) -> npt.NDArray[np.float32]:
    return np.column_stack([rows.numbers, rows.codes]).astype(np.float32)
