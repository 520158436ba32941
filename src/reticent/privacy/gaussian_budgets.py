"""A budget for Gaussian mechanisms that are decided on the way, at the price of a composition fixed beforehand.

Promise: whatever is released under a `GaussianBudget` keeps the whole trade-off curve of one Gaussian mechanism with
its separation (so it is (epsilon, delta)-private at the asked numbers, and at all others on that curve), even if what
is done next, and with how much noise, depends on everything that was released before.

How: a mechanism that two neighbouring data sets move by m standard deviations is charged m^2; the filter stops before
the sum exceeds the square of its own separation (Smith and Thakurta, 2022, "Fully adaptive composition for Gaussian
differential privacy"; Koskela, Tobaben and Honkela, 2023). Why that is all: let what is left in the end be spent on
noise that is thrown away. Each step's privacy loss is normal given the past, with variance m^2 and mean m^2 / 2; where
the m^2 always add up to the same number, E[e^(t L)] is what it is for one normal loss, for every t. Other kinds of
mechanisms have no such filter by their loss distributions, and are refused here: they go to `Budget`, by Renyi
divergences.

The separation that has been used is no promise of its own where it depends on what came out (how many questions were
answered, say): only that of the filter is. Covered: several threads. Not covered: what is released without asking.

Example:
    >>> from reticent.privacy import GaussianBudget, GNMax, SampledGaussian
    >>> budget = GaussianBudget(epsilon=3.0, delta=1e-5)
    >>> budget.spend(GNMax(noise=20.0, count=100))
    >>> round(budget.share_left, 2)
    0.03
    >>> budget.allows(SampledGaussian(noise_multiplier=4.0))
    False
    >>> budget.guarantee().epsilon(1e-5) <= 3.0
    True
"""

from __future__ import annotations

import math
import threading
from typing import Any

from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr

from reticent import _checks
from reticent.errors import BudgetExhausted, UsageError
from reticent.privacy.accounting import epsilon_at, merged
from reticent.privacy.budgets import made_of
from reticent.privacy.guarantee import Guarantee
from reticent.privacy.mechanisms import GaussianFilter, Mechanism, mechanism_to_dict
from reticent.privacy.mechanisms.sums import SampledGaussian
from reticent.privacy.mechanisms.votes import GaussianVote
from reticent.privacy.units import Relation, Unit, check_kinds

__all__ = ["CHARGED_FIRST", "GaussianBudget", "separation_for", "separation_of"]

CHARGED_FIRST = "everything that was released was charged to the budget first"
_SLACK = 1e-12  # for sums that are equal but for rounding
_LARGEST, _SMALLEST = 300.0, 1e-9  # separations
_STEP = 1e-5


def separation_for(epsilon: float, delta: float) -> float:
    """The largest separation whose Gaussian mechanism is (epsilon, delta)-private (Balle and Wang, 2018, theorem 8).

    Never too large for the accountant either: `Guarantee((GaussianFilter(it),)).epsilon(delta) <= epsilon`.
    """
    asked, allowed = _checks.positive(epsilon=epsilon), _checks.delta(delta=delta)

    def excess(log_separation: float) -> float:
        m = math.exp(log_separation)
        lost = math.exp(min(asked + float(log_ndtr(-asked / m - m / 2)), 0.0))
        return float(ndtr(-asked / m + m / 2)) - lost - allowed

    if excess(math.log(_SMALLEST)) > 0 or excess(math.log(_LARGEST)) < 0:
        raise UsageError(
            f"Expected an epsilon and a delta that a Gaussian mechanism can have, got epsilon={epsilon!r} and "
            f"delta={delta!r}.",
            "Pass for instance epsilon=3 and delta=1e-5.",
        )
    found = math.exp(brentq(excess, math.log(_SMALLEST), math.log(_LARGEST), xtol=1e-12))
    while epsilon_at((GaussianFilter(found),), Relation.ADD_OR_REMOVE_ONE, allowed) > asked:
        found *= 1 - _STEP
    return found


def separation_of(mechanism: Mechanism, relation: Relation) -> float:
    """How far two neighbouring data sets move all uses of a Gaussian mechanism together, in standard deviations.

    Raises:
        UsageError: the mechanism is not Gaussian.
    """
    if not isinstance(mechanism, Mechanism):
        raise UsageError(f"Expected a mechanism, got {mechanism!r}.", "Pass for instance GNMax(...).")
    if mechanism.is_free:
        return 0.0
    if isinstance(mechanism, GaussianVote | GaussianFilter):
        return mechanism.separation * math.sqrt(mechanism.count)
    if isinstance(mechanism, SampledGaussian) and mechanism.sample_rate == 1.0:
        moved = 2.0 if relation is Relation.REPLACE_ONE else 1.0
        one = moved / mechanism.noise_multiplier if mechanism.noise_multiplier else math.inf
        return one * math.sqrt(mechanism.count)
    raise UsageError(
        f"Expected a Gaussian mechanism, got {mechanism.text()}.", "Charge other mechanisms to a Budget instead."
    )


class GaussianBudget:
    """A privacy filter for Gaussian mechanisms: they may be spent until the next one could break the promise.

    Args:
        epsilon: promised in the end, whatever is spent.
        delta: at this delta.
        unit: whose privacy is promised.
        relation: which data sets are neighbours.
    """

    def __init__(
        self,
        *,
        epsilon: float,
        delta: float,
        unit: Unit = Unit.EXAMPLE,
        relation: Relation = Relation.ADD_OR_REMOVE_ONE,
    ) -> None:
        check_kinds(unit, relation)
        self.separation = separation_for(epsilon, delta)
        self.epsilon, self.delta = float(epsilon), float(delta)
        self.unit, self.relation = unit, relation
        self._used = 0.0
        self._spent: tuple[Mechanism, ...] = ()
        self._lock = threading.Lock()

    @property
    def share_left(self) -> float:
        """The share of the budget that is left, in [0, 1]."""
        return max(0.0, 1.0 - self._used / self.separation**2)

    @property
    def spent(self) -> tuple[Mechanism, ...]:
        """What has been spent; equal mechanisms as one with their count."""
        return self._spent

    def allows(self, *mechanisms: Mechanism) -> bool:
        """Whether the mechanisms may be used next, all of them."""
        cost = sum(separation_of(mechanism, self.relation) ** 2 for mechanism in mechanisms)
        return self._used + cost <= self.separation**2 * (1 + _SLACK)

    def spend(self, *mechanisms: Mechanism) -> None:
        """Charge mechanisms; call it before they are used.

        Raises:
            BudgetExhausted: they could break the promise. Nothing is charged then, and none of them must be used.
            UsageError: not a Gaussian mechanism.
        """
        cost = sum(separation_of(mechanism, self.relation) ** 2 for mechanism in mechanisms)
        with self._lock:
            if self._used + cost > self.separation**2 * (1 + _SLACK):
                wanted = "; ".join(mechanism.text() for mechanism in mechanisms)
                raise BudgetExhausted(
                    f"Expected room for {wanted}, but {self.share_left:.1%} of the budget of epsilon = "
                    f"{self.epsilon:g} at delta = {self.delta:g} is left.",
                    "Use more noise or ask less, or stop here: what has been released keeps its promise.",
                )
            self._used += cost
            self._spent = merged((*self._spent, *(one for one in mechanisms if not one.is_free)))

    def guarantee(self) -> Guarantee:
        """What is promised for everything that has been and will be spent: the curve of the whole filter."""
        return Guarantee((GaussianFilter(self.separation),), self.unit, self.relation, (CHARGED_FIRST,))

    def as_dict(self) -> dict[str, Any]:
        """Plain values from which `from_dict` makes the same budget, with what was spent."""
        return {
            "epsilon": self.epsilon,
            "delta": self.delta,
            "unit": self.unit.value,
            "relation": self.relation.value,
            "spent": [mechanism_to_dict(mechanism) for mechanism in self._spent],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GaussianBudget:
        """The budget that `as_dict` wrote.

        Raises:
            UsageError: a field is missing or unknown, or more was spent than allowed.
        """
        budget, spent = made_of(cls, values)
        try:
            budget.spend(*spent)
        except BudgetExhausted as error:
            raise UsageError(f"Expected a budget as written by as_dict(), got {error}.", "Save it again.") from error
        return budget
