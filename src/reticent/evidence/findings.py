"""What an attack found: a number with its interval, beside what could be had without the model.

Promise: an `Estimate` always carries an interval that contains it, the confidence of that interval, the number of
trials, and how the interval and any threshold came about. A `Finding` that was executed carries at least one estimate
and the no-access baseline; one that was not run carries the reason and no number, so "not run" never reads as zero.
Both hold plain values only, never tensors and never the contents of a record.

Example:
    >>> from reticent.evidence import Estimate, Finding, Status
    >>> chance = Estimate(0.51, 0.47, 0.55, confidence=0.95, n=442, method="bootstrap over records")
    >>> auc = Estimate(0.80, 0.76, 0.84, confidence=0.95, n=442, method="bootstrap over records")
    >>> print(auc)
    0.800 [0.760, 0.840] (95 %, n=442)
    >>> Finding("likelihood ratio", "a network", "logits", {"auc": auc}, baseline={"auc": chance}).status
    <Status.EXECUTED: 'executed'>
    >>> Finding.not_run("gradient inversion", "a network", "gradients", reason="no gradients are shared").reason
    'no gradients are shared'
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from numbers import Real
from types import MappingProxyType
from typing import Any

from reticent import _checks
from reticent._numbers import confidence, outwards
from reticent.errors import UsageError

__all__ = ["Estimate", "Finding", "Status"]


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A value with its interval.

    Args:
        value: the point estimate.
        low: lower end of the interval, at or below the value.
        high: upper end of the interval, at or above the value.
        confidence: how often such an interval contains the truth, in (0, 1).
        n: number of trials behind it.
        method: how the interval was made.
        threshold: where a decision threshold came from, for rates that depend on one.
    """

    value: float
    low: float
    high: float
    confidence: float
    n: int
    method: str
    threshold: str | None = None

    def __post_init__(self) -> None:
        _checks.open_fraction(confidence=self.confidence)
        _checks.at_least(1, n=self.n)
        numbers = (self.low, self.value, self.high)
        if not all(_is_finite(number) for number in numbers) or not self.low <= self.value <= self.high:
            raise UsageError(
                f"Expected low <= value <= high, all finite, got {self.low}, {self.value}, {self.high}.",
                "An estimate without its interval cannot be built.",
            )
        if not self.method:
            raise UsageError("Expected the method of the interval, got none.", "Name it.")
        for name in ("value", "low", "high", "confidence"):
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "n", int(self.n))

    def __str__(self) -> str:
        low, high = outwards(self.low, self.high, 3)
        return f"{self.value:.3f} [{low}, {high}] ({confidence(self.confidence)}, n={self.n})"

    def contains(self, value: float) -> bool:
        """Whether the interval contains the value."""
        return self.low <= value <= self.high

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Estimate:
        """The estimate that `as_dict` wrote."""
        return cls(**values)


def _is_finite(number: object) -> bool:
    return isinstance(number, Real) and not isinstance(number, bool) and math.isfinite(number)


class Status(enum.Enum):
    """Whether an attack was executed, was not run, or ran without an answer."""

    EXECUTED = "executed"
    NOT_RUN = "not_run"
    INCONCLUSIVE = "inconclusive"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One attack on one target.

    Args:
        attack: the attack's name.
        target: what was attacked, in words.
        exposure: what the attacker saw of the model (label, scores, logits, parameters ...).
        estimates: name to `Estimate`; must not be empty when executed, must be empty when not run.
        baseline: the same names, for an attacker without access to the model; at least one when executed.
        status: see `Status`.
        reason: why it was not run, or why it is inconclusive.
        details: further plain values (numbers of models, settings).
    """

    attack: str
    target: str
    exposure: str
    estimates: Mapping[str, Estimate] = dataclasses.field(default_factory=dict)
    baseline: Mapping[str, Estimate] = dataclasses.field(default_factory=dict)
    status: Status = Status.EXECUTED
    reason: str = ""
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status is Status.EXECUTED and not (self.estimates and self.baseline):
            raise UsageError(
                f"Expected estimates and a no-access baseline for the executed attack {self.attack!r}, got "
                f"{len(self.estimates)} and {len(self.baseline)}.",
                "Measure what an attacker without the model achieves, or mark the finding as not run.",
            )
        if self.status is not Status.EXECUTED and not self.reason:
            raise UsageError(f"Expected the reason why {self.attack!r} is {self.status.value}, got none.", "Say why.")
        if self.status is Status.NOT_RUN and (self.estimates or self.baseline):
            raise UsageError(f"Expected no numbers for {self.attack!r}, which was not run.", "Remove them.")
        for values in (self.estimates, self.baseline):
            if not all(isinstance(value, Estimate) for value in values.values()):
                raise UsageError(f"Expected every number of {self.attack!r} as an Estimate.", "Give each its interval.")
        for name in ("estimates", "baseline", "details"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __str__(self) -> str:
        lines = [f"{self.attack} on {self.target}: {self.status.value.replace('_', ' ')}"]
        lines += [f"  {self.reason}"] if self.reason else []
        lines += [f"  {name}: {estimate}" for name, estimate in (*self.estimates.items(), *self.baseline.items())]
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        # read-only views cannot be pickled or copied; their contents can
        return (Finding.from_dict, (self.as_dict(),))

    @classmethod
    def not_run(cls, attack: str, target: str, exposure: str, *, reason: str) -> Finding:
        """A finding that says that an attack was not run, and why."""
        return cls(attack, target, exposure, status=Status.NOT_RUN, reason=reason)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "attack": self.attack,
            "target": self.target,
            "exposure": self.exposure,
            "status": self.status.value,
            "reason": self.reason,
            "estimates": {name: estimate.as_dict() for name, estimate in self.estimates.items()},
            "baseline": {name: estimate.as_dict() for name, estimate in self.baseline.items()},
            "details": dict(self.details),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """The finding that `as_dict` wrote.

        Raises:
            UsageError: a field is missing or unknown.
        """
        if set(values) != {field.name for field in dataclasses.fields(cls)}:
            raise UsageError(f"Expected the fields of a finding, got {list(values)}.", "Write them as saved.")
        try:
            return cls(
                attack=values["attack"],
                target=values["target"],
                exposure=values["exposure"],
                estimates={name: Estimate.from_dict(item) for name, item in values["estimates"].items()},
                baseline={name: Estimate.from_dict(item) for name, item in values["baseline"].items()},
                status=Status(values["status"]),
                reason=values["reason"],
                details=values["details"],
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UsageError(f"Expected a finding as written by as_dict(), got {error}.", "Save it again.") from error
