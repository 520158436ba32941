"""Membership without any reference model: how confident is the model about records like this one that it never saw?

Promise: `quantile_scores` says how far above the answers to non-members with its features a record's lies, in standard
deviations of a normal distribution; `quantile_p_values` is the share of held-out non-members that lie as far above
theirs. What is expected of a record is never learned from the record itself: all records are dealt into folds, whoever
they are, and those of a fold are compared with models fitted on the non-members of the other folds. So a model without
any leak gives members and non-members the same. Fitting on all non-members and then counting false alarms on them is
a fault that this attack is met with (docs/head_to_head.md).

Two ways to learn what is expected, both with gradient-boosted trees of scikit-learn: "gaussian", a mean and the
logarithm of a squared deviation (of scores that the mean was not fitted on), and "quantile", a regression for each of
`LEVELS`, made monotone, with straight lines between them, and beyond them one of the slope of all together.

Sources: Bertran et al. 2023 (both forms). The p-values are those of split conformal prediction (Vovk et al. 2005), with
folds: uniform for non-members up to what the folds' models differ in, and never below 1 / (non-members + 1).

Shapes: (records,) scores, larger meaning more confident; (records, ...) features. Needs no reference models; needs
known non-members, at least `LEAST` of them.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership import quantile_p_values
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(0)
    >>> features = source.normal((600, 2))
    >>> member = source.bernoulli(0.5, 600)
    >>> scores = 3 * features[:, 0] + 2 * member + source.normal(600)
    >>> found = quantile_p_values(scores, features, ~member, randomness=source)
    >>> bool(np.median(found[member]) < 0.2), bool(0.4 < np.median(found[~member]) < 0.6)
    (True, True)
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from reticent import _checks
from reticent.errors import MissingExtra, UsageError
from reticent.randomness import Randomness

__all__ = ["LEAST", "LEVELS", "quantile_p_values", "quantile_scores"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Kind = Literal["gaussian", "quantile"]

LEAST = 100
"""Fewest non-members that anything is learned from."""
LEVELS = (0.75, 0.5, 0.25, 0.1, 0.05, 0.02)
"""Upper tails whose quantiles "quantile" learns."""

_FOLDS = 5
_LEAST_SHARE = 1e-6  # of the variance: what keeps a constant score from dividing by zero
_LEAST_UNIT = 0.01  # of the deviation: what a score beyond the learned quantiles is measured in at least
_LOG_CHI_SQUARED = 1.2704  # minus the mean of the logarithm of a squared standard normal
_SETTINGS = {"max_iter": 60, "max_leaf_nodes": 15, "min_samples_leaf": 20, "learning_rate": 0.1}


def quantile_scores(
    scores: Floats,
    features: npt.NDArray[Any],
    nonmember: Booleans,
    *,
    kind: Kind = "gaussian",
    folds: int = _FOLDS,
    owners: npt.NDArray[np.int64] | None = None,
    randomness: Randomness,
) -> Floats:
    """(records,) how far above what is expected of non-members, in standard deviations; larger for members.

    Args:
        scores: (records,) the model's log-odds of the true labels, or any other confidence.
        features: (records, ...) what may be expected to matter: inputs, labels, both.
        nonmember: (records,) records that are known not to have been in the training data.
        kind: "gaussian" or "quantile"; see the module's page.
        folds: into how many parts the records are dealt.
        owners: (records,) whole numbers from 0, equal for rows of one owner, which are dealt together; each row by
            itself by default.
        randomness: source of the folds.

    Raises:
        UsageError: shapes that do not fit, or too few non-members.
        MissingExtra: scikit-learn is not installed.
    """
    _checks.one_of(get_args(Kind), kind=kind)
    folds = _checks.at_least(2, folds=folds)
    _check(scores, features, nonmember)
    try:
        import sklearn  # noqa: F401
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtra("scikit-learn", "lab", "Quantile regression") from error
    count = len(scores)
    table = np.asarray(features, dtype=np.float64).reshape(count, -1)
    dealt = np.arange(count) if owners is None else owners
    people = int(dealt.max()) + 1
    fold = np.empty(people, dtype=np.int64)
    fold[randomness.permutation(people)] = np.arange(people) % folds
    fold = fold[dealt]
    learned = _gaussian if kind == "gaussian" else _by_levels
    result = np.empty(count)
    with threadpool_limits(1):  # threads that wait for each other cost more than they save on tables this small
        for one in range(folds):
            own = fold == one
            others = np.flatnonzero(nonmember & ~own)
            result[own] = learned(scores[others], table[others], scores[own], table[own])
    return result


def quantile_p_values(
    scores: Floats,
    features: npt.NDArray[Any],
    nonmember: Booleans,
    *,
    kind: Kind = "gaussian",
    folds: int = _FOLDS,
    owners: npt.NDArray[np.int64] | None = None,
    randomness: Randomness,
) -> Floats:
    """(records,) one-sided p-values of "the record was not in the training data": ranks of `quantile_scores`.

    Arguments and errors are those of `quantile_scores`.
    """
    found = quantile_scores(scores, features, nonmember, kind=kind, folds=folds, owners=owners, randomness=randomness)
    known = np.sort(found[nonmember])
    as_large = len(known) - np.searchsorted(known, found, "left")
    # A record counts itself: non-members are among the known ones already, others are added.
    return np.asarray(np.where(nonmember, as_large / len(known), (as_large + 1) / (len(known) + 1)))


def _check(scores: Floats, features: npt.NDArray[Any], nonmember: Booleans) -> None:
    count = len(scores)
    if scores.shape != (count,) or nonmember.shape != (count,) or nonmember.dtype != bool or len(features) != count:
        raise UsageError(
            f"Expected a score, features and True or False for each record, got {scores.shape}, {features.shape} and "
            f"{nonmember.dtype} of shape {nonmember.shape}.",
            "Pass all three for the same records.",
        )
    if not np.isfinite(scores).all():
        raise UsageError("Expected finite scores, got NaN or infinity.", "Look for a training that diverged.")
    if int(nonmember.sum()) < LEAST:
        raise UsageError(
            f"Expected at least {LEAST} known non-members, got {int(nonmember.sum())}.",
            "Add records from the same source that the model was not trained on.",
        )


def _trees(x: Floats, y: Floats, **more: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(**_SETTINGS, early_stopping=False, random_state=0, **more).fit(x, y)


def _gaussian(y: Floats, x: Floats, scores: Floats, table: Floats) -> Floats:
    """Deviations from the mean in standard deviations, both learned from (y, x)."""
    away = np.empty(len(y))
    half = np.arange(len(y)) % 2 == 0
    for part in (half, ~half):  # an in-sample deviation would be too small
        away[part] = y[part] - _trees(x[~part], y[~part]).predict(x[part])
    least = _LEAST_SHARE * float(np.square(away).mean()) or 1.0
    # The logarithm of a squared normal deviation is low by a constant on average.
    spread = _trees(x, np.log(np.square(away) + least)).predict(table) + _LOG_CHI_SQUARED
    return np.asarray((scores - _trees(x, y).predict(table)) / np.exp(spread / 2))


def _by_levels(y: Floats, x: Floats, scores: Floats, table: Floats) -> Floats:
    """The normal quantile of the level at which a score lies, on lines through the learned quantiles."""
    limits = np.stack([_trees(x, y, loss="quantile", quantile=1 - level).predict(table) for level in LEVELS])
    limits = np.maximum.accumulate(limits, axis=0)
    normal = norm.isf(LEVELS)
    # Neighbouring quantiles may lie anyhow close: beyond the last ones, what counts is the distance of all.
    unit = np.maximum((limits[-1] - limits[0]) / (normal[-1] - normal[0]), _LEAST_UNIT * float(y.std()) or 1.0)
    place = np.clip((scores >= limits).sum(axis=0) - 1, 0, len(LEVELS) - 2)
    low, high = (np.take_along_axis(limits, row[None], axis=0)[0] for row in (place, place + 1))
    share = (np.clip(scores, low, high) - low) / np.maximum(high - low, np.finfo(float).tiny)
    inner = normal[place] + share * (normal[place + 1] - normal[place])
    beyond = np.maximum(scores - limits[-1], 0.0) + np.minimum(scores - limits[0], 0.0)
    return np.asarray(inner + beyond / unit)
