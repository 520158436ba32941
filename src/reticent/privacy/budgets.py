"""Budgets for work that is decided on the way: a filter that says no, and an odometer that says how much is spent.

Promise: whatever is released under a `Budget` is (epsilon, delta)-private, even if what is done next, and with how much
noise, depends on everything that was released before. What an `Odometer` reads is, with probability 1 - delta, never
below the privacy loss so far, whenever and however often it is read.

A `Guarantee` is for a composition that was fixed beforehand, and then promises more for the same noise. To add up its
epsilons while choosing mechanisms by their results is a mistake that both of these rule out.

How: Renyi divergences of one order, chosen beforehand, may be added up until they reach what the order allows for
(epsilon, delta), also if they are chosen adaptively (Feldman and Zrnic, 2021, theorem 4.3). The odometer is a ladder of
such filters with delta shared out among them (Rogers, Roth, Ullman and Vadhan, 2016; Lecuyer, 2021).

Covered: several threads. Not covered: what is released without asking first.

Example:
    >>> from reticent.privacy import Budget, SampledGaussian
    >>> budget = Budget(epsilon=3.0, delta=1e-5)
    >>> budget.spend(SampledGaussian(noise_multiplier=4.0))
    >>> round(budget.share_left, 2)
    0.86
    >>> budget.allows(SampledGaussian(noise_multiplier=1.0))
    False
    >>> budget.guarantee().epsilon(1e-5) <= 3.0
    True
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from reticent import _checks
from reticent.errors import BudgetExhausted, UsageError
from reticent.privacy.guarantee import Guarantee
from reticent.privacy.mechanisms import EpsilonDelta, Mechanism, mechanism_from_dict, mechanism_to_dict
from reticent.privacy.renyi import ORDERS
from reticent.privacy.units import Relation, Unit, check_kinds

__all__ = ["Budget", "Odometer", "made_of"]

B = TypeVar("B")

_RUNGS = 2.0 ** (np.arange(-24, 41) / 4)  # epsilons that an odometer can read: from 1/64 to 1024
_SLACK = 1e-12  # for sums that are equal but for rounding


class Budget:
    """A privacy filter: mechanisms may be spent until the next one could break the promise.

    Args:
        epsilon: promised in the end, whatever is spent.
        delta: at this delta.
        order: Renyi order of the account, at least that of one of `renyi.ORDERS`; by default the one that leaves most
            room for Gaussian sums. It cannot be changed later: choosing it by what was spent would void the promise.
        unit: whose privacy is promised.
        relation: which data sets are neighbours.
    """

    def __init__(
        self,
        *,
        epsilon: float,
        delta: float,
        order: float | None = None,
        unit: Unit = Unit.EXAMPLE,
        relation: Relation = Relation.ADD_OR_REMOVE_ONE,
    ) -> None:
        check_kinds(unit, relation)
        self.epsilon, self.delta = _checks.positive(epsilon=epsilon), _checks.delta(delta=delta)
        self.unit, self.relation = unit, relation
        room = _room(self.epsilon, self.delta)
        self._place = int(np.argmax(room / ORDERS)) if order is None else _place_of(order)
        self._room = float(room[self._place])
        if self._room <= 0:
            raise UsageError(
                f"Expected an order that leaves room at epsilon={epsilon} and delta={delta}, got order={self.order:g}.",
                "Leave the order out, or pass a larger epsilon.",
            )
        self._used = 0.0
        self._spent: list[Mechanism] = []
        self._lock = threading.Lock()

    @property
    def order(self) -> float:
        """Renyi order of the account."""
        return float(ORDERS[self._place])

    @property
    def share_left(self) -> float:
        """The share of the budget that is left, in [0, 1]."""
        return max(0.0, 1.0 - self._used / self._room)

    @property
    def spent(self) -> tuple[Mechanism, ...]:
        """What has been spent, in order."""
        return tuple(self._spent)

    def allows(self, mechanism: Mechanism) -> bool:
        """Whether the mechanism may be used next."""
        return self._used + self._cost(mechanism) <= self._room * (1 + _SLACK)

    def spend(self, mechanism: Mechanism) -> None:
        """Charge a mechanism; call it before the mechanism is used.

        Raises:
            BudgetExhausted: it could break the promise. Nothing is charged then, and it must not be used.
        """
        cost = self._cost(mechanism)
        with self._lock:
            if self._used + cost > self._room * (1 + _SLACK):
                raise BudgetExhausted(
                    f"Expected room for {mechanism.text()}, but {self.share_left:.1%} of the budget of epsilon = "
                    f"{self.epsilon:g} at delta = {self.delta:g} is left.",
                    "Use more noise or fewer steps, or stop here: what has been released keeps its promise.",
                )
            self._used += cost
            self._spent.append(mechanism)

    def guarantee(self) -> Guarantee:
        """What is promised for everything that has been and will be spent: (epsilon, delta), as one mechanism."""
        return Guarantee(
            (EpsilonDelta(self.epsilon, self.delta),),
            self.unit,
            self.relation,
            ("everything that was released was charged to the budget first",),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values from which `from_dict` makes the same budget, with what was spent."""
        return {
            "epsilon": self.epsilon,
            "delta": self.delta,
            "order": self.order,
            "unit": self.unit.value,
            "relation": self.relation.value,
            "spent": [mechanism_to_dict(mechanism) for mechanism in self._spent],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Budget:
        """The budget that `as_dict` wrote.

        Raises:
            UsageError: a field is missing or unknown, or more was spent than allowed.
        """
        budget, spent = made_of(cls, values)
        for mechanism in spent:
            budget.spend(mechanism)
        return budget

    def _cost(self, mechanism: Mechanism) -> float:
        return float(_cost(mechanism, self.relation)[self._place])


def made_of(kind: Callable[..., B], values: dict[str, Any]) -> tuple[B, list[Mechanism]]:
    """A budget of some kind from what its `as_dict` wrote, and what is to be spent on it again.

    Raises:
        UsageError: a field is missing or unknown.
    """
    try:
        fields = dict(values)
        spent = [mechanism_from_dict(mechanism) for mechanism in fields.pop("spent")]
        kinds: dict[str, Any] = {"unit": Unit(fields.pop("unit")), "relation": Relation(fields.pop("relation"))}
        return kind(**fields, **kinds), spent
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"Expected a budget as written by as_dict(), got {error}.", "Save it again.") from error


class Odometer:
    """Reads how much privacy has been spent on mechanisms that were chosen on the way.

    Args:
        delta: probability with which some reading may be too low.
        relation: which data sets are neighbours.
    """

    def __init__(self, *, delta: float, relation: Relation = Relation.ADD_OR_REMOVE_ONE) -> None:
        check_kinds(Unit.EXAMPLE, relation)
        self.delta, self.relation = _checks.delta(delta=delta), relation
        shares = delta / len(_RUNGS)
        # The loss exceeds epsilon with probability e^((order - 1) (divergence - epsilon)) at most (Markov).
        self._rooms = _RUNGS[:, None] + math.log(shares) / (ORDERS - 1)[None, :]
        self._places = np.argmax(self._rooms / ORDERS, axis=1)
        self._used = np.zeros(len(ORDERS))
        self._lock = threading.Lock()

    def spend(self, mechanism: Mechanism) -> None:
        """Note a mechanism that is about to be used."""
        cost = _cost(mechanism, self.relation)
        with self._lock:
            self._used = self._used + cost

    @property
    def epsilon(self) -> float:
        """The reading: the privacy loss so far is at most this, but for the probability delta; infinity above 1024."""
        if not self._used.any():
            return 0.0
        rooms = self._rooms[np.arange(len(_RUNGS)), self._places]
        fits = np.flatnonzero(self._used[self._places] <= rooms)
        return float(_RUNGS[fits[0]]) if len(fits) else math.inf


def _room(epsilon: float, delta: float) -> Any:
    """The divergence at each order that implies (epsilon, delta); see `renyi.epsilon_of`."""
    return epsilon - np.log1p(-1 / ORDERS) + (math.log(delta) + np.log(ORDERS)) / (ORDERS - 1)


def _place_of(order: float) -> int:
    wanted = _checks.positive(order=order)
    place = int(np.argmin(np.abs(ORDERS - wanted)))
    if not math.isclose(ORDERS[place], wanted, rel_tol=1e-9):
        raise UsageError(f"Expected one of renyi.ORDERS, got order={order!r}.", f"The nearest is {ORDERS[place]:g}.")
    return place


def _cost(mechanism: Mechanism, relation: Relation) -> Any:
    """Divergences at `ORDERS`."""
    if not isinstance(mechanism, Mechanism):
        raise UsageError(f"Expected a mechanism, got {mechanism!r}.", "Pass for instance SampledGaussian(...).")
    return np.zeros_like(ORDERS) if mechanism.is_free else mechanism.count * mechanism.renyi(relation)
