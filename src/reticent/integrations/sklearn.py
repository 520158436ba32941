"""A scikit-learn classifier that is trained with differential privacy.

Promise: after `fit`, the network and everything computed from it (`predict`, `predict_proba`) satisfy `guarantee_`.
Features are clipped to `bounds` and scaled by them, so no statistic of the data is used: bounds are yours to declare,
from what the features mean, and nothing is fitted when they are missing. `random_state=None` is secure; a whole number
is a simulation, and the guarantee says so.

The promise is to rows, or, with `fit(X, y, groups=...)`, to whoever owns the rows of a group: then delta, batches and
epochs count people, and `rows_per_unit` rows of a drawn person are used at a time.

Not covered, and listed by the guarantee: what other steps of a pipeline compute from the data (the means of a
`StandardScaler` are a release of their own; declare bounds instead), scores of cross-validation and `score` on training
records, and choices made by them (`GridSearchCV`): each fit spends epsilon anew, and the best of many is none of them.
The set of labels is taken as public: pass `classes`, or it is read off the data and stands among the assumptions.

Example:
    >>> import numpy as np
    >>> from sklearn.model_selection import train_test_split
    >>> from reticent.data import load
    >>> from reticent.integrations.sklearn import PrivateClassifier
    >>> records = load("diabetes")
    >>> seen, unseen, y, _ = train_test_split(records.features, records.labels, random_state=0)
    >>> model = PrivateClassifier(epsilon=2.0, delta=1e-3, bounds=(-3.0, 3.0), classes=[0, 1]).fit(seen, y)
    >>> model.predict_proba(unseen).shape, model.guarantee_.epsilon(1e-3) <= 2.0
    ((111, 2), True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import DataError, MissingExtra, UsageError
from reticent.privacy import Guarantee, Plan, Relation, Sampler, Unit
from reticent.randomness import Randomness

try:
    import torch
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError as error:
    raise MissingExtra(str(error.name), "lab", "reticent.integrations.sklearn") from error

from reticent.data import Records
from reticent.training import train
from reticent.training.owning import units_in
from reticent.training.planning import Wanted, plan_for
from reticent.training.seeding import seeded

__all__ = ["PrivateClassifier"]

_FACTS = (
    "the bounds of the features were chosen without looking at the data",
    "not covered: preprocessing that was fitted to these data, such as a StandardScaler in a pipeline",
    "not covered: scores on these data, also of cross-validation, and other fits to them",
)
_ROWS = 4096  # at once, when predicting


class PrivateClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A linear classifier, or a small neural network, trained by DP-SGD.

    Args:
        epsilon: of the promise for one `fit`.
        delta: below 1/n; by default the largest power of ten at or below 1/(2n). n counts rows, or groups.
        bounds: (low, high), numbers or one for each feature; what lies outside is moved to the nearer bound.
        classes: all labels that there may be; by default those of the data, which then count as public.
        epochs: passes over the data, in expectation.
        batch_size: expected batch size, in records or groups; all of them if there are fewer.
        l2_clip_norm: the longest gradient that one record (or group) may contribute.
        sampling: how batches are drawn, if not by Poisson: see `reticent.privacy.samplers`.
        relation: which data sets are neighbours; `Relation.ADD_OR_REMOVE_ONE` by default, or what the sampler needs.
        rows_per_unit: over how many records of a drawn group, chosen at random, its gradient is averaged before it is
            clipped.
        example_level: that the promise may be to single records although some groups have several.
        hidden_layer_sizes: widths of hidden layers; none for a linear classifier.
        module: a function (features, classes) to a torch module, instead of `hidden_layer_sizes`; it is given features
            scaled to [-1, 1] and gives logits.
        learning_rate: of Adam.
        random_state: None is secure; a whole number makes the fit repeatable, and the guarantee a simulation.

    Attributes:
        classes_: the labels, sorted.
        n_features_in_: number of features.
        guarantee_: what the fit promises.
        plan_: noise, steps and batch size that were executed.
        module_: the trained network.
    """

    def __init__(
        self,
        *,
        epsilon: float = 1.0,
        delta: float | None = None,
        bounds: tuple[Any, Any] | None = None,
        classes: Sequence[Any] | None = None,
        epochs: float = 30,
        batch_size: int = 256,
        l2_clip_norm: float = 1.0,
        sampling: Sampler | None = None,
        relation: Relation | None = None,
        rows_per_unit: int = 1,
        example_level: bool = False,
        hidden_layer_sizes: Sequence[int] = (),
        module: Callable[[int, int], torch.nn.Module] | None = None,
        learning_rate: float = 0.02,
        random_state: int | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
        self.bounds = bounds
        self.classes = classes
        self.epochs = epochs
        self.batch_size = batch_size
        self.l2_clip_norm = l2_clip_norm
        self.sampling = sampling
        self.relation = relation
        self.rows_per_unit = rows_per_unit
        self.example_level = example_level
        self.hidden_layer_sizes = hidden_layer_sizes
        self.module = module
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> PrivateClassifier:  # noqa: N803
        """Train anew on records X (n, features) with labels y (n,).

        Args:
            X: features.
            y: labels.
            groups: (n,) whose record each is. The promise is then to all records of a group together, unless
                `example_level` says otherwise.

        Raises:
            UsageError: no bounds, or other parameters that promise nothing.
            DataError: labels that are not among `classes`; a single class; not one group for each record.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)  # noqa: N806
        check_classification_targets(y)
        low, high = _bounds(self.bounds, X.shape[1])
        labels, said = self._labels(y)
        if groups is not None and np.asarray(groups).dtype == object:  # texts, as pandas holds them
            groups = np.asarray(np.asarray(groups).tolist())
        unit = Unit.EXAMPLE if groups is None or self.example_level else Unit.PERSON
        plan = self._planned(len(X), unit, groups)
        rate = _checks.positive(learning_rate=self.learning_rate)
        source = _source(self.random_state)
        with seeded(source.spawn("weights")):
            module = self._built(X.shape[1], len(self.classes_))
        records = Records(
            _scaled(X, low, high),
            labels,
            owners=groups,
            unit=unit,
            classes=len(self.classes_),
            public_facts=(*said, *_FACTS),
        )
        run = train(
            module,
            records,
            plan=plan,
            optimizer=lambda parameters: torch.optim.Adam(parameters, lr=rate),
            randomness=source,
            example_level=self.example_level,
        )
        self.module_, self.plan_, self._low, self._high = run.model, plan, low, high
        self.guarantee_: Guarantee | None = run.guarantee
        return self

    def _planned(self, rows: int, unit: Unit, groups: Any) -> Plan:
        units = units_in(unit, self.sampling, groups, rows)
        wanted = Wanted(
            target_epsilon=self.epsilon,
            target_delta=_checks.suggested_delta(units) if self.delta is None else self.delta,
            epochs=self.epochs,
            l2_clip_norm=self.l2_clip_norm,
            unit=unit,
            sampling=self.sampling,
            relation=self.relation,
            rows_per_unit=self.rows_per_unit,
        )
        return plan_for(None, wanted, units=units, batch_size=_checks.at_least(1, batch_size=self.batch_size))

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:  # noqa: N803
        """(n, classes) probabilities, in the order of `classes_`."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)  # noqa: N806
        inputs = torch.from_numpy(_scaled(X, self._low, self._high))
        self.module_.eval()
        with torch.no_grad():
            logits = torch.cat([self.module_(rows) for rows in inputs.split(_ROWS)])
        found: npt.NDArray[np.float64] = torch.softmax(logits.double(), dim=1).numpy()
        return found

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """(n,) the most likely labels."""
        places = self.predict_proba(X).argmax(axis=1)
        found: npt.NDArray[Any] = self.classes_[places]
        return found

    def _labels(self, y: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        """Labels as places in `classes_`, which is set, and what was taken as public for that."""
        said: tuple[str, ...] = ()
        if self.classes is None:
            self.classes_ = np.unique(y)
            said = ("the set of labels, which was read off the data, is public",)
        else:
            self.classes_ = np.unique(np.asarray(self.classes))
        if len(self.classes_) < 2:
            raise DataError(
                f"Expected at least two classes, got {len(self.classes_)} class.", "Pass all labels as classes=[...]."
            )
        places = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        if not (self.classes_[places] == y).all():
            raise DataError(
                "Expected labels among classes, got others.", "Pass all labels that there may be as classes=[...]."
            )
        return places.astype(np.int64), said

    def _built(self, features: int, classes: int) -> torch.nn.Module:
        if self.module is not None:
            made = self.module(features, classes)
            if not isinstance(made, torch.nn.Module):
                raise UsageError(
                    f"Expected module(features, classes) to give a torch module, got {type(made).__name__}.",
                    "Return the network.",
                )
            return made
        layers: list[torch.nn.Module] = []
        for width in self.hidden_layer_sizes:
            layers += [torch.nn.Linear(features, _checks.at_least(1, hidden_layer_sizes=width)), torch.nn.Tanh()]
            features = int(width)
        return torch.nn.Sequential(*layers, torch.nn.Linear(features, classes))


def _bounds(bounds: Any, features: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if bounds is None:
        raise UsageError(
            "Expected bounds of the features, got none: ranges, means and deviations of the data would be a release of "
            "their own.",
            "Pass bounds=(low, high), or (lows, highs) with one number for each feature, from what they mean.",
        )
    try:
        low, high = (np.broadcast_to(np.asarray(end, dtype=np.float64), (features,)).copy() for end in bounds)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"Expected bounds=(low, high), numbers or one for each of {features} features, got {bounds!r}.",
            "Pass a pair.",
        ) from error
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise UsageError(
            f"Expected finite bounds with low < high for every feature, got {bounds!r}.", "Leave constant features out."
        )
    return low, high


def _scaled(
    features: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Clipped to the bounds, and scaled by them to [-1, 1]."""
    found: npt.NDArray[np.float32] = (2.0 * (np.clip(features, low, high) - low) / (high - low) - 1.0).astype(
        np.float32
    )
    return found


def _source(random_state: Any) -> Randomness:
    if random_state is None:
        return Randomness.secure()
    if isinstance(random_state, bool) or not isinstance(random_state, Integral):
        raise UsageError(
            f"Expected random_state to be None or a whole number, got {type(random_state).__name__}.",
            "None is secure; a number makes a simulation.",
        )
    return Randomness.simulated(int(random_state))
