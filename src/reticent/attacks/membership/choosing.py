"""Which method to attack with, found out on the reference models alone.

Promise: `choose` attacks each reference model with the others, by every candidate, and takes the candidate that tells
those references' members best. Nothing about the audited model is looked at: neither its answers nor who was in its
training data, so what is reported about it afterwards is not biased by the choice.

The criterion is the mean over reference models of the area under the ROC curve ("auc", the default), or of the
true-positive rate at a false-positive rate ("tpr"), each within one model. The uncertainty given is the standard error
of the mean over models; differences below it are no reason to prefer anything. Candidates are tried in order, and the
first of equals is taken. Each reference is attacked with one model fewer than the target will be, which favours methods
for few models a little where there are few.

By default the candidates are `student`, LiRA in its variance modes, RMIA online and offline with alpha = 0, 0.1, ... 1
(its authors' own recipe), and the simple ones. Restrict them by `methods` to what an attacker has.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership import choose
    >>> from reticent.models import Signals
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(0)
    >>> inside = source.bernoulli(0.5, 6 * 400).reshape(6, 400)
    >>> odds = 3 * source.normal(400) + inside + source.normal((6, 400))
    >>> choice = choose(Signals(odds, -np.logaddexp(0, -odds), odds > 0), inside)
    >>> choice.method.name, len(choice.table), choice.criterion
    ('student_offline', 26, 'mean over 6 reference models of the area under the ROC curve')
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from reticent import _checks
from reticent.attacks.membership.likelihood_ratio import LikelihoodRatio
from reticent.attacks.membership.method import Method, checked_references
from reticent.attacks.membership.methods import METHODS
from reticent.attacks.membership.relative import RelativeOffline
from reticent.errors import UsageError
from reticent.models import Signals

__all__ = ["CANDIDATES", "Candidate", "Choice", "choose"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Criterion = Literal["auc", "tpr"]

CANDIDATES: tuple[Method, ...] = (
    *(method for name, method in METHODS.items() if name != "rmia_offline"),
    LikelihoodRatio("pooled", shrunken=True),
    *(RelativeOffline(alpha=step / 10) for step in range(11)),
)
"""What `choose` tries by default."""

_LEAST_MODELS = 3


@dataclasses.dataclass(frozen=True)
class Candidate:
    """How a method did.

    Attributes:
        method: with its parameters.
        value: the criterion.
        error: its standard error over reference models.
        each: (models,) what it is the mean of.
    """

    method: Method
    value: float
    error: float
    each: tuple[float, ...] = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return f"{self.method}: {self.value:.4f} +- {self.error:.4f}"


@dataclasses.dataclass(frozen=True)
class Choice:
    """The method that did best on reference models, and all that were tried.

    Attributes:
        method: the choice.
        criterion: what was compared, in words.
        table: every candidate, best first.
    """

    method: Method
    criterion: str
    table: tuple[Candidate, ...]

    def __str__(self) -> str:
        return "\n".join([self.criterion, *(f"  {row}" for row in self.table)])


def choose(
    references: Signals,
    membership: Booleans,
    *,
    methods: Sequence[Method] = CANDIDATES,
    criterion: Criterion = "auc",
    rate: float = 0.01,
) -> Choice:
    """Take the method that attacks the reference models best, each with the others as its references.

    Args:
        references: reference models' signals.
        membership: (models, records) whether the record was in that reference model's training data.
        methods: what to try, in order of preference.
        criterion: "auc" or "tpr"; see the module's page.
        rate: the false-positive rate of "tpr".

    Raises:
        UsageError: fewer than three reference models, no method, or no reference model with both members and
            non-members.
    """
    checked_references(references, membership, least=_LEAST_MODELS)
    _checks.one_of(get_args(Criterion), criterion=criterion)
    rate = _checks.open_fraction(rate=rate)
    if not methods:
        raise UsageError("Expected at least one method to choose from, got none.", "Leave `methods` out for all.")
    judged = np.flatnonzero(membership.any(axis=1) & ~membership.all(axis=1))
    if not len(judged):
        raise UsageError(
            "Expected reference models with members and non-members among the records, got none.",
            "Score them on records of which each model was trained on some.",
        )
    rows = []
    for method in methods:
        scores = method.leave_one_out(references, membership)
        each = [
            _area(scores[m], membership[m]) if criterion == "auc" else _power(scores[m], membership[m], rate)
            for m in judged
        ]
        error = float(np.std(each, ddof=1) / np.sqrt(len(each))) if len(each) > 1 else float("inf")
        rows.append(Candidate(method, float(np.mean(each)), error, tuple(each)))
    what = "area under the ROC curve" if criterion == "auc" else f"true-positive rate at false-positive rate {rate:g}"
    rows.sort(key=lambda row: -row.value)  # keeps the order of equals
    return Choice(rows[0].method, f"mean over {len(judged)} reference models of the {what}", tuple(rows))


def _area(scores: Floats, truth: Booleans) -> float:
    members = int(truth.sum())
    ranks = float(rankdata(scores)[truth].sum())
    return (ranks - members * (members + 1) / 2) / (members * (len(truth) - members))


def _power(scores: Floats, truth: Booleans, rate: float) -> float:
    """Members above the smallest threshold that at most `rate` of the non-members exceed."""
    others = np.sort(scores[~truth])[::-1]
    return float((scores[truth] > others[int(rate * len(others))]).mean())
