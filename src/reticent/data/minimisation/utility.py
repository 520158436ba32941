"""How good a model's answers are, and by how much two models' answers to the same rows differ.

Promise: every figure is an `Estimate` with a two-sided interval. Differences are paired: both models answered the same
rows, and the interval knows it. An interval never shrinks to a point because few rows were seen and none differed.

* accuracy: single figures by Clopper and Pearson (1934), differences by the score interval for paired proportions
  (Tango, 1998, section 2), which keeps its error near the nominal one where few answers differ.
* auc (two classes, ties half): DeLong, DeLong and Clarke-Pearson (1988), as sums of one influence per row.
* r2: 1 - SSE/SST. Differences by their influences, the wider of Student's interval and a percentile bootstrap.
* Where people own several rows, influences are added up within each person, and n counts people.

Intervals of auc and r2 reach at least z^2/(n + z^2) to either side, the width of Tango's interval when none of n
answers differ (n: rows, people, or the smaller class). They are for large samples otherwise.

Not covered: how much a model varies from one training to the next; an interval holds for the models that were trained.

Shapes: truth (rows,): class codes, or numbers for r2. Answers (rows,): predicted class (accuracy), score of class 1
(auc), predicted number (r2). Owners (rows,) whole numbers. Differences are second minus first.

Example:
    >>> import numpy as np
    >>> from reticent.data.minimisation.utility import difference
    >>> truth = np.zeros(50, int)
    >>> full, less = np.arange(50) >= 48, np.arange(50) < 12
    >>> print(difference("accuracy", truth, full.astype(int), less.astype(int)))
    -0.200 [-0.345, -0.061] (95 %, n=50)
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.errors import DataError
from reticent.evidence import Estimate
from reticent.evidence.intervals import clopper_pearson
from reticent.randomness import Randomness

__all__ = ["METRICS", "difference", "influences", "least_rows", "narrowest", "tango", "utility"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

METRICS: Final = ("accuracy", "auc", "r2")
_DRAWS: Final = 2000
_AT_ONCE: Final = 4_000_000


def utility(
    metric: str, truth: Array, answers: Array, *, owners: Array | None = None, confidence: float = 0.95
) -> Estimate:
    """One model's figure with its interval."""
    value, influence = influences(metric, truth, answers)
    if metric == "accuracy" and owners is None:
        right = int((answers == truth).sum())
        low, high = clopper_pearson(right, len(truth), confidence)
        return Estimate(value, low, high, confidence, len(truth), "share of right answers; Clopper-Pearson interval")
    low, high, count = _student(value, influence, owners, _smallest(metric, truth), confidence)
    top = 1.0
    bottom = -math.inf if metric == "r2" else 0.0
    method = f"{metric}; influences of {'rows' if owners is None else 'people'}, Student's interval"
    return Estimate(value, max(low, bottom), min(high, top), confidence, count, method)


def difference(
    metric: str,
    truth: Array,
    first: Array,
    second: Array,
    *,
    owners: Array | None = None,
    confidence: float = 0.95,
    randomness: Randomness | None = None,
) -> Estimate:
    """The second model's figure minus the first's, with a paired interval.

    Args:
        metric: one of `METRICS`.
        truth: of the rows that both answered.
        first: the first model's answers.
        second: the second's.
        owners: whose row it is, if people own several.
        confidence: of the interval.
        randomness: for the bootstrap of r2; without it there is Student's interval alone.

    Returns:
        The difference.
    """
    if metric == "accuracy" and owners is None:
        won = int(((second == truth) & (first != truth)).sum())
        lost = int(((second != truth) & (first == truth)).sum())
        low, high = tango(won, lost, len(truth), confidence)
        method = "paired difference of accuracy; score interval (Tango, 1998)"
        return Estimate((won - lost) / len(truth), low, high, confidence, len(truth), method)
    one, of_first = influences(metric, truth, first)
    two, of_second = influences(metric, truth, second)
    value = two - one
    low, high, count = _student(value, of_second - of_first, owners, _smallest(metric, truth), confidence)
    method = (
        f"paired difference of {metric}; influences of {'rows' if owners is None else 'people'}, Student's interval"
    )
    if metric == "r2" and randomness is not None:
        drawn = _bootstrap(truth, first, second, owners, confidence, randomness)
        low, high = min(low, drawn[0]), max(high, drawn[1])
        method += ", or the bootstrap's where that is wider"
    return Estimate(value, min(low, value), max(high, value), confidence, count, method)


def tango(won: int, lost: int, rows: int, confidence: float) -> tuple[float, float]:
    """The score interval for (won - lost)/rows, the difference of two paired proportions (Tango, 1998).

    Args:
        won: rows that only the second got right.
        lost: rows that only the first got right.
        rows: all of them.
        confidence: of the interval.
    """
    from scipy.optimize import brentq

    z = _z(confidence)

    def score(delta: float) -> float:
        # the probability of `lost` under the constraint that the difference is delta, by maximum likelihood
        linear = (2 * rows - won + lost) * delta - won - lost
        constant = -lost * delta * (1 - delta)
        chance = (math.sqrt(max(linear * linear - 8 * rows * constant, 0.0)) - linear) / (4 * rows)
        variance = rows * (2 * chance + delta * (1 - delta))
        gap = won - lost - rows * delta
        return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap) if gap else 0.0

    value, edge = (won - lost) / rows, 1 - 1e-12
    low = -1.0 if value <= -edge or score(-edge) <= z else float(brentq(lambda d: _finite(score(d) - z), -edge, value))
    high = 1.0 if value >= edge or score(edge) >= -z else float(brentq(lambda d: _finite(score(d) + z), value, edge))
    return low, high


def influences(metric: str, truth: Array, answers: Array) -> tuple[float, Floats]:
    """The figure, and (rows,) by how much each row moves it: the figure's error is their mean, to first order.

    Raises:
        DataError: one class only (auc), or numbers that are all the same (r2).
    """
    if metric == "accuracy":
        right = (answers == truth).astype(np.float64)
        return float(right.mean()), right - right.mean()
    if metric == "auc":
        return _auc(truth, np.asarray(answers, dtype=np.float64))
    spread = (truth - truth.mean()) ** 2
    variance = float(spread.mean())
    if not variance:
        raise DataError("Expected numbers to predict that differ, got one number only.", "Choose another column.")
    errors = (truth - answers) ** 2
    unexplained = float(errors.mean()) / variance
    return 1 - unexplained, (unexplained * spread - errors) / variance


def narrowest(rows: int, confidence: float) -> float:
    """How far an interval reaches at least, when no answer of so many differs (Tango, 1998)."""
    squared = _z(confidence) ** 2
    return squared / (rows + squared)


def least_rows(tolerance: float, confidence: float) -> int:
    """How many rows it takes to show that less than the tolerance is lost, if no answer differs."""
    return math.floor(_z(confidence) ** 2 * (1 - tolerance) / tolerance) + 1


def by_owner(influence: Floats, owners: Array | None) -> Floats:
    """Influences added up within each person, so that their mean over people is the mean over rows."""
    if owners is None:
        return influence
    _, places = np.unique(owners, return_inverse=True)
    sums = np.bincount(places, weights=influence).astype(np.float64)
    sums *= len(sums) / len(influence)
    return sums


def _student(
    value: float, influence: Floats, owners: Array | None, smallest: int, confidence: float
) -> tuple[float, float, int]:
    from scipy.stats import t

    each = by_owner(influence, owners)
    count = len(each)
    if count < 2:
        raise DataError("Expected at least two people to estimate from, got one.", "Take more rows.")
    error = float(np.sqrt((each**2).sum() / (count - 1) / count))
    reach = max(float(t.ppf((1 + confidence) / 2, count - 1)) * error, narrowest(min(smallest, count), confidence))
    return value - reach, value + reach, count


def _smallest(metric: str, truth: Array) -> int:
    if metric != "auc":
        return len(truth)
    positive = int((truth == 1).sum())
    return min(positive, len(truth) - positive)


def _auc(truth: Array, scores: Floats) -> tuple[float, Floats]:
    from scipy.stats import rankdata

    positive = truth == 1
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs:
        raise DataError("Expected both classes among the rows that are judged, got one.", "Take more rows.")
    ranks = rankdata(scores)
    above = np.empty(len(truth))
    above[positive] = (ranks[positive] - rankdata(scores[positive])) / downs
    above[~positive] = 1 - (ranks[~positive] - rankdata(scores[~positive])) / ups
    value = float(above[positive].mean())
    share = np.where(positive, ups, downs) / len(truth)
    return value, (above - value) / share


def _bootstrap(
    truth: Array, first: Array, second: Array, owners: Array | None, confidence: float, randomness: Randomness
) -> tuple[float, float]:
    """Percentiles of the difference of r2 when people (rows) are drawn again."""
    places = np.arange(len(truth)) if owners is None else np.unique(owners, return_inverse=True)[1]
    people = int(places.max()) + 1
    gain = (truth - first) ** 2 - (truth - second) ** 2
    of = np.stack(
        [np.bincount(places, weights=w, minlength=people) for w in (gain, truth, truth**2, np.ones(len(truth)))]
    )
    found = []
    for start in range(0, _DRAWS, max(1, _AT_ONCE // people)):
        draws = min(max(1, _AT_ONCE // people), _DRAWS - start)
        chosen = randomness.integers(people, draws * people).reshape(draws, people)
        total, ones, twos, rows = (one[chosen].sum(axis=1) for one in of)
        spread = twos - ones**2 / rows
        found.append(np.where(spread > 0, total / np.where(spread > 0, spread, 1.0), 0.0))
    low, high = np.quantile(np.concatenate(found), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _finite(value: float) -> float:
    return max(min(value, 1e9), -1e9)


def _z(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + confidence) / 2))
