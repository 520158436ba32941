"""An audit's scores held against what was promised: a lower bound on epsilon, and a verdict beside the guarantee.

Promise: nothing is said unless membership was decided by independent fair coins, one for each owner; then the bound
holds with its confidence whatever the attack, and `test_claim` tests the guarantee's whole trade-off curve. What could
not be said carries the reason.

Two questions are told apart. *The given model*: its members were drawn by coins, and its scores come from other models.
*Its training*: half of the shadow models are attacked with the other half. Their coins are nobody else's, the runs are
independent, and none of the attacked ones serves as a reference (if it did, guesses would see coins of other guesses,
and the theorem would not hold).

Owners with several rows are one canary each: the sum of their rows' scores.

Example:
    >>> from reticent.attacks.membership import DEFAULT
    >>> from reticent.audits.claims import Terms, claim_about_training
    >>> from reticent.models import Fleet, Signals
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> membership = source.bernoulli(0.5, 16 * 200).reshape(16, 200)
    >>> odds = source.normal((16, 200)) + 2 * membership
    >>> fleet = Fleet(Signals(odds, -1 / (1 + abs(odds)), odds > 0), membership)
    >>> found = claim_about_training(fleet, DEFAULT, Terms(delta=1e-5), inclusion=0.5)
    >>> found.bound.epsilon > 1, found.verdict is None, found.what
    (True, True, 'the training, 8 runs attacked with 8 others')
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent._numbers import shown
from reticent.attacks.membership import Method
from reticent.audits.bounds import judge, several_runs, test_claim
from reticent.audits.persons import combined
from reticent.errors import ReticentError
from reticent.evidence.bounds import LowerBound, Verdict
from reticent.models import Fleet
from reticent.privacy import Guarantee, Relation, Unit

__all__ = ["Claim", "Terms", "claim_about_model", "claim_about_training", "unfair"]

_FEWEST = 8  # shadow models; half of them are attacked
_FAIR = 0.5
_UNLIKELY = 1e-6

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Terms:
    """What claims about one set of records have in common.

    Attributes:
        delta: of the bounds.
        owners: (records,) whole numbers from 0, equal for rows of one owner; each row its own by default.
        unit: whose inclusion a coin decided.
        guarantee: what was promised.
        confidence: of bound and verdict.
        doubt: why the coins were not independent (`unfair`); then nothing is said.
    """

    delta: float
    owners: npt.NDArray[np.int64] | None = None
    unit: Unit = Unit.EXAMPLE
    guarantee: Guarantee | None = None
    confidence: float = 0.95
    doubt: str = ""


@dataclasses.dataclass(frozen=True)
class Claim:
    """What an audit says about epsilon.

    Attributes:
        what: the model or the training.
        bound: the lower bound; None if nothing can be said.
        verdict: the bound beside the guarantee, where one was given that is about the same thing.
        reason: why there is no bound, or no verdict.
    """

    what: str
    bound: LowerBound | None = None
    verdict: Verdict | None = None
    reason: str = ""

    def __str__(self) -> str:
        if self.verdict is not None:
            return f"{self.what}: {self.verdict}"
        return f"{self.what}: {self.bound or 'not run'}{f' ({self.reason})' if self.reason else ''}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "what": self.what,
            "bound": None if self.bound is None else self.bound.as_dict(),
            "verdict": None if self.verdict is None else self.verdict.as_dict(),
            "reason": self.reason,
        }


def unfair(labels: npt.NDArray[np.int64], owners: npt.NDArray[np.int64]) -> str:
    """Why coins cannot be called independent; empty if they can.

    A draw that holds one class only is drawn again (`rt.split`, `draw_membership`). That it was not one is knowledge
    about all coins together, unless such draws hardly ever come.
    """
    counts = np.bincount(labels)
    others = len(np.unique(owners[labels != int(counts.argmax())]))
    if 2.0**-others <= _UNLIKELY:
        return ""
    return f"only {others} owners have records outside the largest class, so draws without any were drawn again"


def claim_about_model(scores: Floats, truth: npt.NDArray[np.bool_], terms: Terms, *, coins: bool) -> Claim:
    """A lower bound from the one given model.

    Args:
        scores: (records,) larger for "member"; made without knowing who was one.
        truth: (records,) who was one.
        terms: delta, owners, confidence, and what was promised.
        coins: whether members were drawn by independent fair coins, one for each owner.
    """
    what = "the given model"
    if not coins:
        return Claim(what, reason="it is not known that members were drawn by independent fair coins")
    if terms.doubt:
        return Claim(what, reason=terms.doubt)
    return _claim(what, scores[None], truth[None], terms)


def claim_about_training(fleet: Fleet, method: Method, terms: Terms, *, inclusion: float) -> Claim:
    """A lower bound from the shadow models: the second half of them is attacked with the first.

    Args:
        fleet: models trained on parts that were drawn by coins.
        method: of scoring.
        terms: delta, owners, confidence, and what was promised.
        inclusion: with which probability a coin included an owner.
    """
    half = len(fleet) // 2
    what = f"the training, {len(fleet) - half} runs attacked with {half} others"
    if len(fleet) < _FEWEST:
        return Claim("the training", reason=f"it takes {_FEWEST} shadow models, half of them to be attacked")
    if inclusion != _FAIR:
        return Claim("the training", reason=f"shadow models saw a record with probability {shown(inclusion)}, not 1/2")
    if terms.doubt:
        return Claim("the training", reason=terms.doubt)
    references, targets = fleet.take(slice(0, half)), fleet.take(slice(half, None))
    scores = np.stack(
        [method.score(targets.signals.model(k), references.signals, references.membership) for k in range(len(targets))]
    )
    return _claim(what, scores, targets.membership, terms)


def _claim(what: str, scores: Floats, truth: npt.NDArray[np.bool_], terms: Terms) -> Claim:
    owners, unit, guarantee = terms.owners, terms.unit, terms.guarantee
    if owners is not None and len(np.unique(owners)) < len(owners):
        first = np.unique(owners, return_index=True)[1]
        scores, truth, unit = combined(scores, owners, "sum"), truth[:, first], Unit.PERSON
    included = list(truth)
    try:
        bound = several_runs(
            list(scores),
            included,
            delta=terms.delta,
            confidence=terms.confidence,
            method="f-dp-any",  # nothing is known of how a training's outputs are distributed
            unit=unit,
            relation=Relation.ADD_OR_REMOVE_ONE,
        )
    except ReticentError as error:
        return Claim(what, reason=f"{error.what}")
    if guarantee is None:
        return Claim(what, bound)
    if (guarantee.unit, guarantee.relation) != (bound.unit, bound.relation) or guarantee.only:
        reason = (
            f"the guarantee is about {guarantee.relation.of(guarantee.unit)}, the coins were about "
            f"{bound.relation.of(bound.unit)}"
        )
        return Claim(what, bound, reason=reason)
    p_value = test_claim(list(scores), included, guarantee)
    return Claim(what, bound, judge(bound, guarantee, p_value=p_value))
