"""Whether a column that was dropped is still there: can the rest predict it?

Promise: each dropped column that had better go is predicted from what is left (the label among it) by a model that
never saw the rows it is judged on; the figure stands beside that of guessing, and beside what all other columns would
give. Where its interval lies above guessing, dropping the column hides little of it, and a warning says so. Where it
does not, this model could not tell; another might.

How: histogram gradient boosting; for texts and yes or no, how often the right one of two rows is picked (the area under
the curve, one value against the rest, averaged over the values that enough rows have; 50 % is guessing); for numbers
and dates, r2 (0 is guessing). Intervals as in `utility`.

Example:
    >>> import numpy as np
    >>> from reticent.data.minimisation.proxies import proxy
    >>> from reticent.data.tables import Table
    >>> sex = np.array(["f", "m"])[np.arange(2000) % 2]
    >>> name = np.where(np.arange(2000) % 20 < 2, "x", sex)
    >>> table = Table.of({"sex": sex, "name": name, "day": np.arange(2000) % 31})
    >>> found = proxy(table["sex"], table.without(["sex"]), table.without(["sex"]), np.arange(2000) % 3 == 0, seed=1)
    >>> found.details["warning"], found.estimates["right one of two, from what is left"].value > 0.9
    (True, True)
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.minimisation.judging import seed_of
from reticent.data.minimisation.learning import Task, trainer_of
from reticent.data.minimisation.utility import by_owner, influences, narrowest
from reticent.data.tables import Column, Table
from reticent.evidence import Estimate, Finding, Status

__all__ = ["proxy"]

Array = npt.NDArray[Any]

_ATTACK: Final = "prediction of a dropped column"
_VALUES: Final = 20
_LEAST: Final = 10
_WORDS: Final = {"auc": "right one of two", "r2": "r2"}


def proxy(
    column: Column,
    left: Table,
    others: Table,
    tested: Array,
    *,
    seed: int,
    owners: Array | None = None,
    confidence: float = 0.95,
) -> Finding:
    """Predict a dropped column.

    Args:
        column: which.
        left: what is left of the other columns, the label among them.
        others: all other columns, the label among them, as they were.
        tested: (rows,) which rows judge; the others are learned from.
        seed: of the models.
        owners: (rows,) whose row it is.
        confidence: of the intervals.

    Returns:
        A finding named for the column, with `details["warning"]`.
    """
    there = ~column.missing
    metric, task, truth = _target(column, tested)
    if task is None or (there & tested).sum() < 2 * _LEAST or (there & ~tested).sum() < 2 * _LEAST:
        reason = "too few rows have one of two values of it"
        return _open(column.name, Status.NOT_RUN, reason)
    learn, judge = there & ~tested, there & tested
    found = {}
    for words, table in (("from what is left", left), ("from all other columns", others)):
        answer = trainer_of(None, task).train(table.take(learn), truth[learn], seed_of(seed, "proxy", column.name))
        scores = np.asarray(answer(table.take(judge)))
        people = None if owners is None else owners[judge]
        estimate = _figure(metric, truth[judge], scores, people, confidence)
        if estimate is None:
            reason = "fewer than two values of it are frequent enough among the rows that judge"
            return _open(column.name, Status.INCONCLUSIVE, reason)
        found[f"{_WORDS[metric]}, {words}"] = estimate
    guess = 0.5 if metric == "auc" else 0.0
    first = next(iter(found.values()))
    baseline = Estimate(guess, guess, guess, confidence, first.n, "guessing, which is known")
    details = {"column": column.name, "warning": first.low > guess, "metric": metric}
    return Finding(
        _ATTACK,
        _target_of(column.name),
        "the columns that are left",
        found,
        {_WORDS[metric]: baseline},
        details=details,
    )


def _target_of(name: str) -> str:
    return f"column {name!r}, which was dropped"


def _open(name: str, status: Status, reason: str) -> Finding:
    details = {"column": name, "warning": False, "metric": ""}
    return Finding(
        _ATTACK, _target_of(name), "the columns that are left", status=status, reason=reason, details=details
    )


def _target(column: Column, tested: Array) -> tuple[str, Task | None, Array]:
    """What is predicted: numbers, or the frequent values and one for the rest."""
    if column.kind in ("number", "date") and len(column.values) > 2:
        numbers = column.numbers()
        seen = numbers[~tested & ~column.missing]
        return "r2", Task("numbers") if len(seen) and seen.std() > 0 else None, numbers
    counts = column.take(~tested).counts()
    order = [k for k in np.argsort(-counts, kind="stable")[:_VALUES] if counts[k] >= _LEAST]
    places = np.full(len(counts) + 1, len(order))
    places[order] = np.arange(len(order))
    codes = places[column.codes]
    classes = len(order) + int((codes[~column.missing] == len(order)).any())
    return "auc", Task("classes", tuple(map(str, range(classes)))) if classes > 1 else None, codes


def _figure(metric: str, truth: Array, scores: Array, owners: Array | None, confidence: float) -> Estimate | None:
    if metric == "r2":
        if truth.std() == 0:
            return None
        value, influence = influences("r2", truth, scores)
        smallest = len(truth)
    else:
        sizes = np.bincount(truth, minlength=scores.shape[1])
        judged = np.flatnonzero((sizes >= _LEAST) & (sizes <= len(truth) - _LEAST))
        if not len(judged):
            return None
        each = [influences("auc", (truth == k).astype(int), scores[:, k]) for k in judged]
        value, influence = float(np.mean([one[0] for one in each])), np.mean([one[1] for one in each], axis=0)
        smallest = int(np.minimum(sizes[judged], len(truth) - sizes[judged]).min())
    from scipy.stats import t

    summed = by_owner(influence, owners)
    people = len(summed)
    if people < 2:
        return None
    error = float(np.sqrt((summed**2).sum() / (people - 1) / people))
    reach = max(float(t.ppf((1 + confidence) / 2, people - 1)) * error, narrowest(min(smallest, people), confidence))
    low, high = value - reach, min(value + reach, 1.0)
    method = f"{_WORDS[metric]}; influences of {'rows' if owners is None else 'people'}, Student's interval"
    return Estimate(value, max(low, 0.0) if metric == "auc" else low, high, confidence, people, method)
