"""Minimisation as a step of scikit-learn: fit, transform, clone, pipelines.

Promise: `fit` searches and confirms as `minimise` does, and keeps a map only if less than the tolerance is lost (it
raises `NotEnoughEvidence` otherwise, with the outcome in `outcome_`); `transform` does what the map says to any table,
as `Generalisation.apply` does. The map is saved and loaded as JSON. What comes in as a pandas frame or an array goes
out as one; all else is a `Table`.

Not covered: labels that a pipeline has changed before. `fit` holds out some of the rows it is given, so a pipeline that
is cross-validated does this in each fold.

Example:
    >>> import numpy as np
    >>> from reticent.data.minimisation.transform import Minimiser
    >>> x = np.stack([np.arange(4000) % 90, np.arange(4000) % 7], axis=1)
    >>> less = Minimiser(random_state=1).fit(x, x[:, 0] >= 50)
    >>> less.get_feature_names_out().tolist(), less.transform(x[:3]).shape
    (['x0'], (3, 1))
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.data.minimisation.mapping import Generalisation
from reticent.data.minimisation.minimising import minimise
from reticent.data.minimisation.outcome import Minimisation
from reticent.data.tables import Column, Table
from reticent.errors import DataError, MissingExtra, NotEnoughEvidence, UsageError
from reticent.randomness import Randomness

try:
    from sklearn.base import BaseEstimator, TransformerMixin
except ModuleNotFoundError as error:
    raise MissingExtra("scikit-learn", "data", "reticent.data.minimisation.transform") from error

__all__ = ["Minimiser"]

_LABEL = "label"


class Minimiser(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer that drops and coarsens what a model can do without.

    Args:
        model: as in `minimise`.
        metric: as in `minimise`.
        tolerance: as in `minimise`.
        confidence: as in `minimise`.
        prefer_dropping: as in `minimise`.
        keep: as in `minimise`.
        coarsen: as in `minimise`.
        test: as in `minimise`.
        folds: as in `minimise`.
        seconds: as in `minimise`.
        jobs: as in `minimise`.
        random_state: a whole number for a repeatable fit; None for secure randomness.

    Attributes:
        map_: what to keep, a `Generalisation`.
        outcome_: the evidence, a `Minimisation`; None if the map was loaded.
        feature_names_in_: columns that were given.
        n_features_in_: how many.
    """

    map_: Generalisation
    outcome_: Minimisation | None

    def __init__(
        self,
        model: Any = None,
        *,
        metric: str | None = None,
        tolerance: float = 0.01,
        confidence: float = 0.95,
        prefer_dropping: Any = (),
        keep: Any = (),
        coarsen: bool = True,
        test: float = 0.3,
        folds: int = 3,
        seconds: float | None = None,
        jobs: int = 1,
        random_state: int | None = None,
    ) -> None:
        self.model = model
        self.metric = metric
        self.tolerance = tolerance
        self.confidence = confidence
        self.prefer_dropping = prefer_dropping
        self.keep = keep
        self.coarsen = coarsen
        self.test = test
        self.folds = folds
        self.seconds = seconds
        self.jobs = jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Minimiser:  # noqa: N803 (scikit-learn's names)
        """Search and confirm.

        Args:
            X: a frame, an array, a `Table` or a dictionary of columns.
            y: (rows,) labels.
            groups: (rows,) whose row it is.

        Raises:
            NotEnoughEvidence: the loss could not be shown to be below the tolerance; `outcome_` has what was found.
        """
        table = _table(X)
        more = {"label": Column.of(_free(_LABEL, table), np.asarray(y))}
        if groups is not None:
            more["person"] = Column.of(_free("person", table), np.asarray(groups))
        if any(len(column) != table.rows for column in more.values()):
            raise DataError(f"Expected a label for each of {table.rows} rows, got others.", "Pass as many.")
        settings = self.get_params(deep=False)
        seed = settings.pop("random_state")
        found = minimise(
            table.replaced(more.values()),
            more["label"].name,
            person=more["person"].name if groups is not None else None,
            randomness=Randomness.secure() if seed is None else Randomness.simulated(seed),
            **settings,
        )
        self.outcome_ = found
        self.feature_names_in_ = np.array(table.names, dtype=object)
        self.n_features_in_ = len(table.names)
        if found.status not in ("confirmed", "needed"):
            raise NotEnoughEvidence(
                f"Expected a loss that is shown to be below {self.tolerance:g}, got {found.status!r}.",
                "Bring more rows, or accept a larger tolerance; outcome_ says more.",
            )
        self.map_ = _only(found.map, table.names)
        return self

    def transform(self, X: Any) -> Any:  # noqa: N803
        """What is kept of these rows; columns that are dropped may be missing (of arrays they may not)."""
        self._require()
        table, _ = self.map_.apply(_table(X, self.n_features_in_))
        if isinstance(X, np.ndarray):
            return _array(table)
        return _frame(table, X.index) if _is_pandas(X) else table

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[Any]:
        """Names of the columns that are kept."""
        self._require()
        return np.array([one.name for one in self.map_.kept], dtype=object)

    def save(self, path: str | Path) -> Path:
        """Write the map as JSON."""
        self._require()
        return self.map_.save(path)

    @classmethod
    def load(cls, path: str | Path) -> Minimiser:
        """A fitted transformer of a map that was saved; its settings are the defaults."""
        return cls.of(Generalisation.load(path))

    @classmethod
    def of(cls, less: Generalisation) -> Minimiser:
        """A fitted transformer of a map."""
        made = cls()
        made.map_ = _only(less, [one.name for one in less.columns])
        made.outcome_ = None
        made.feature_names_in_ = np.array([one.name for one in made.map_.columns], dtype=object)
        made.n_features_in_ = len(made.map_.columns)
        return made

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "map_")

    def _require(self) -> None:
        if not hasattr(self, "map_"):
            raise UsageError("Expected a fitted Minimiser, got one that is not.", "Call fit, or load a map.")


def _only(less: Generalisation, names: Any) -> Generalisation:
    """The map without the label, which a transformer never sees."""
    return Generalisation(tuple(one for one in less.columns if one.name in names))


def _free(name: str, table: Table) -> str:
    while name in table:
        name += "_"
    return name


def _is_pandas(values: Any) -> bool:
    return type(values).__module__.partition(".")[0] == "pandas"


def _table(values: Any, columns: int | None = None) -> Table:
    if not isinstance(values, np.ndarray):
        return Table.of({str(k): v for k, v in values.items()} if isinstance(values, Mapping) else values)
    if values.ndim != 2 or columns not in (None, values.shape[1]):
        wanted = "two dimensions" if columns is None else f"{columns} columns"
        raise DataError(f"Expected an array of {wanted}, got shape {values.shape}.", "Pass the columns of fit.")
    return Table(Column.of(f"x{k}", one.tolist() if one.dtype == object else one) for k, one in enumerate(values.T))


def _array(table: Table) -> npt.NDArray[Any]:
    """Numbers as float64; with a text among them, objects."""
    if all(column.kind in ("number", "yes or no") for column in table.columns):
        return np.stack([column.numbers() for column in table.columns], axis=1)
    found = np.empty((table.rows, len(table.columns)), dtype=object)
    for place, column in enumerate(table.columns):
        found[:, place] = column.cells()
    return found


def _frame(table: Table, index: Any) -> Any:
    frame = table.to_arrow().to_pandas()
    frame.index = index
    return frame
