"""What an audit of a privacy claim found: a lower bound on epsilon, and what follows from it.

Promise: a `LowerBound` is finite, carries its confidence, delta, method, number of trials, whose data it is about, and
every assumption it rests on; it is rounded down when it is shown. A `Verdict` never says that something is private: the
most that an audit can say is that it found nothing although it would have found a leak of a stated size.

What a bound means: if the algorithm, run with this distribution of canaries, were (epsilon', delta)-differentially
private for some epsilon' below `epsilon`, a result like this would have come about with probability at most
1 - confidence. It says nothing about other canaries, other data or other models.

Example:
    >>> from reticent.evidence.bounds import LowerBound
    >>> bound = LowerBound(1.2399, delta=1e-5, confidence=0.95, method="f-DP in one run", trials=1000)
    >>> print(bound)
    epsilon >= 1.239 at delta 1e-05 (95 %, f-DP in one run, n=1000; one example added or removed)
    >>> LowerBound.from_dict(bound.as_dict()) == bound
    True
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from reticent import _checks
from reticent._numbers import confidence, shown
from reticent.errors import UsageError
from reticent.privacy.rounding import round_down
from reticent.privacy.units import Relation, Unit, check_kinds

__all__ = ["Conclusion", "LowerBound", "Verdict"]


@dataclasses.dataclass(frozen=True)
class LowerBound:
    """A lower bound on the epsilon of an algorithm; see the module's page for what it means.

    Args:
        epsilon: the bound, finite and not negative; 0 says nothing.
        delta: at which delta.
        confidence: how often such a bound is at or below the truth, in (0, 1).
        method: how it was made.
        trials: how many canaries or independent runs are behind it.
        unit: whose inclusion the canaries stood for.
        relation: how the data sets that were told apart differ.
        assumptions: what else must hold, a sentence each.
        mu: the bound as that of a Gaussian mechanism (Dong, Roth and Su, 2022), where the method gives one.
        details: further plain values: canaries, guesses, counts, thresholds.
    """

    epsilon: float
    delta: float
    confidence: float
    method: str
    trials: int
    unit: Unit = Unit.EXAMPLE
    relation: Relation = Relation.ADD_OR_REMOVE_ONE
    assumptions: tuple[str, ...] = ()
    mu: float | None = None
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "epsilon": _checks.non_negative(epsilon=self.epsilon),
            "delta": _checks.fraction(delta=self.delta),
            "confidence": _checks.open_fraction(confidence=self.confidence),
            "trials": _checks.at_least(1, trials=self.trials),
            "assumptions": tuple(self.assumptions),
            "details": MappingProxyType(dict(self.details)),
        }
        if self.mu is not None:
            checked["mu"] = _checks.non_negative(mu=self.mu)
        if not self.method:
            raise UsageError("Expected the method of the bound, got none.", "Name it.")
        check_kinds(self.unit, self.relation)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        return (
            f"epsilon >= {shown(round_down(self.epsilon), 4)} at delta {shown(round_down(self.delta, 3))} "
            f"({confidence(self.confidence)}, {self.method}, n={self.trials}; {self.relation.of(self.unit)})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (LowerBound.from_dict, (self.as_dict(),))  # a read-only view cannot be pickled or copied

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
            "unit": self.unit.value,
            "relation": self.relation.value,
            "assumptions": list(self.assumptions),
            "details": dict(self.details),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LowerBound:
        """The bound that `as_dict` wrote.

        Raises:
            UsageError: a field is missing, unknown or not what it should be.
        """
        _check_fields(cls, values)
        try:
            return cls(**{**values, "unit": Unit(values["unit"]), "relation": Relation(values["relation"])})
        except (TypeError, ValueError) as error:
            raise UsageError(f"Expected a bound as written by as_dict(), got {error}.", "Save it again.") from error


class Conclusion(enum.Enum):
    """What a lower bound says about a claim."""

    VIOLATION = "violation"
    CONSISTENT = "consistent"
    INCONCLUSIVE = "inconclusive"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a lower bound says about a claim, in words.

    Args:
        conclusion: see `Conclusion`.
        sentences: the verdict in words, with its confidence and what it does not say.
        bound: the lower bound.
        claimed: the epsilon that is claimed at the bound's delta; infinite where no noise was added.
        p_value: how probable so many correct guesses are at most if the whole claimed curve holds; None if not tested.
        power: how probable it was that a leak of `factor` times the claim would be found; None if not known.
        factor: by which a mechanism must leak more than claimed for `power`.
    """

    conclusion: Conclusion
    sentences: tuple[str, ...]
    bound: LowerBound
    claimed: float
    p_value: float | None = None
    power: float | None = None
    factor: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentences", tuple(self.sentences))
        if not isinstance(self.conclusion, Conclusion) or not self.sentences:
            raise UsageError("Expected a conclusion and its words, got none.", "Use reticent.audits.bounds.judge.")
        object.__setattr__(self, "claimed", _checks.non_negative(claimed=self.claimed, or_infinite=True))

    def __str__(self) -> str:
        return " ".join(self.sentences)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; an infinite claim becomes None."""
        return {
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
            "conclusion": self.conclusion.value,
            "sentences": list(self.sentences),
            "bound": self.bound.as_dict(),
            "claimed": self.claimed if math.isfinite(self.claimed) else None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Verdict:
        """The verdict that `as_dict` wrote.

        Raises:
            UsageError: a field is missing, unknown or not what it should be.
        """
        _check_fields(cls, values)
        claimed = math.inf if values["claimed"] is None else values["claimed"]
        try:
            kept = {"conclusion": Conclusion(values["conclusion"]), "bound": LowerBound.from_dict(values["bound"])}
            return cls(**{**values, **kept, "claimed": claimed})
        except (TypeError, ValueError) as error:
            raise UsageError(f"Expected a verdict as written by as_dict(), got {error}.", "Save it again.") from error


def _check_fields(cls: type[Any], values: Any) -> None:
    if not isinstance(values, Mapping) or set(values) != {field.name for field in dataclasses.fields(cls)}:
        found = sorted(values) if isinstance(values, Mapping) else values
        raise UsageError(f"Expected the fields of {cls.__name__}, got {found}.", "Write them as saved.")
