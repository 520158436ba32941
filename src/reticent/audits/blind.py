"""The attacker without the model: can members and non-members be told apart by their records alone?

Promise: `blind_auc` measures it on records that the classifier was not fitted on. If the interval lies above one half,
the members were not a random draw, and whatever an attack finds may be that difference instead of a leak.

Two classifiers try, boosted trees and logistic regression; the one that looks better on its own held-out folds is *not*
picked afterwards: both are reported, and the gate closes if either succeeds, at a confidence split between them.

Example:
    >>> import numpy as np
    >>> from reticent.audits.blind import blind_auc
    >>> from reticent.data import Records
    >>> from reticent.randomness import Randomness
    >>> x = Randomness.simulated(0).normal((400, 3))
    >>> same = Records(x, np.arange(400) % 2)
    >>> [estimate.contains(0.5) for estimate in blind_auc(same.take(range(200)), same.take(range(200, 400)),
    ...                                                   randomness=Randomness.simulated(1)).values()]
    [True, True]
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from reticent.audits.statistics import auc
from reticent.data import Records
from reticent.errors import MissingExtra
from reticent.evidence import Estimate
from reticent.randomness import Randomness

__all__ = ["blind_auc", "shared_rows"]

_FOLDS = 5
_MOST_ROWS = 20_000
_MOST_COLUMNS = 2_000


def blind_auc(
    members: Records, nonmembers: Records, *, randomness: Randomness, confidence: float = 0.95
) -> dict[str, Estimate]:
    """Area under the ROC curve of classifiers that see features and label, and never the model.

    Args:
        members: records that the model was trained on.
        nonmembers: records that it was not trained on.
        randomness: source of the folds.
        confidence: of both intervals together.

    Returns:
        Name of the classifier to its estimate, the mean over five held-out folds. Empty when there are fewer than ten
        members or non-members (or owners of them).
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtra("scikit-learn", "lab", "The blind baseline") from error
    if min(members.owner_count, nonmembers.owner_count) < 2 * _FOLDS:
        return {}
    x, truth, owners = _table(members, nonmembers, randomness)
    folds = _folds(truth, owners, randomness)
    seed = randomness.seed() % 2**32
    tries: dict[str, Any] = {
        "boosted trees": lambda: HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=seed),
        "logistic regression": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)),
    }
    each = 1 - (1 - confidence) / len(tries)
    # One thread: on tables this small, threads that wait for each other cost ten times what they save.
    with threadpool_limits(1):
        return {name: _cross_fitted(make, x, truth, folds, confidence, each) for name, make in tries.items()}


def shared_rows(members: Records, nonmembers: Records) -> int:
    """How many non-members are an exact copy (features and label) of some member."""
    known = {row.tobytes() for row in _comparable(members)}
    return sum(row.tobytes() in known for row in _comparable(nonmembers))


def _comparable(records: Records) -> npt.NDArray[np.float64]:
    return _flat(records).astype(np.float64) + 0.0  # equal numbers get equal bytes: -0.0 too


def _flat(records: Records) -> npt.NDArray[Any]:
    flat = records.features.reshape(len(records), -1)
    return np.ascontiguousarray(np.concatenate([flat, records.labels[:, None].astype(flat.dtype)], axis=1))


def _table(
    members: Records, nonmembers: Records, randomness: Randomness
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    parts, owners = [], []
    for records in (members, nonmembers):
        rows = np.sort(randomness.permutation(len(records))[: _MOST_ROWS // 2])
        parts.append(_flat(records.take(rows)).astype(np.float64))
        owners.append(records.owner_index()[rows])
    x = np.concatenate(parts)
    if x.shape[1] > _MOST_COLUMNS:
        x = x[:, np.sort(randomness.permutation(x.shape[1])[:_MOST_COLUMNS])]
    return x, np.repeat([True, False], [len(part) for part in parts]), np.concatenate(owners)


def _folds(
    truth: npt.NDArray[np.bool_], owners: npt.NDArray[np.int64], randomness: Randomness
) -> npt.NDArray[np.int64]:
    """(n,) fold of each record; every fold has its share of members, and all rows of an owner lie in one fold.

    Otherwise a classifier would know a person by their other rows, and the sides by the person.
    """
    folds = np.empty(len(truth), dtype=np.int64)
    for side in (True, False):
        people, place = np.unique(owners[truth == side], return_inverse=True)
        drawn = np.empty(len(people), dtype=np.int64)
        drawn[randomness.permutation(len(people))] = np.arange(len(people)) % _FOLDS
        folds[truth == side] = drawn[place.reshape(-1)]
    return folds


def _cross_fitted(
    make: Any,
    x: npt.NDArray[Any],
    truth: npt.NDArray[np.bool_],
    folds: npt.NDArray[np.int64],
    confidence: float,
    each: float,
) -> Estimate:
    values, variances = [], []
    z = float(norm.ppf(0.5 + each / 2))
    for fold in range(_FOLDS):
        test = folds == fold
        model = make().fit(x[~test], truth[~test])
        score = model.predict_proba(x[test])[:, 1]
        estimate = auc(score[truth[test]], score[~truth[test]], confidence=each)
        values.append(estimate.value)
        variances.append(((estimate.high - estimate.low) / (2 * z)) ** 2)
    value = float(np.mean(values))
    # Folds share training records, so their values are not independent, and the variance of their mean is not a fifth
    # of one fold's: Nadeau and Bengio (2003) add the ratio of test to training records. The spread between the folds
    # counts if it is larger.
    single = max(float(np.mean(variances)), float(np.var(values, ddof=1)))
    deviation = math.sqrt(single * (1 / _FOLDS + 1 / (_FOLDS - 1)))
    return Estimate(
        value,
        max(0.0, value - z * deviation),
        min(1.0, value + z * deviation),
        confidence,
        len(truth),
        f"mean over {_FOLDS} held-out folds, normal interval with Nadeau and Bengio's variance; confidence shared by "
        "the classifiers tried",
    )
