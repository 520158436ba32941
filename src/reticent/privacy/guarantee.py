"""What is promised: a whole trade-off curve, whose it is, and on which assumptions.

Promise: no attacker, whatever else they know and however they compute, does better at telling two neighbouring data
sets apart from the output than the bounds given here, provided the assumptions listed by the guarantee hold. Every
number is an upper bound: discretisation is rounded towards less privacy.

A guarantee is never a bare epsilon. It carries the unit, the neighbouring relation, the mechanisms as executed (from
which epsilon(delta), delta(epsilon) and the bound on any attack's true-positive rate are computed with privacy-loss
distributions; Sommer et al., 2019; Koskela et al., 2020), and the assumptions.

Edge cases:
    nothing released (no mechanism, no step, rate 0)    epsilon 0, delta 0, true-positive rate = false-positive rate
    no noise                                            epsilon infinite, delta 1, true-positive rate 1
    delta outside (0, 1), or >= 1/n for a known n       UsageError
    epsilon below 0                                     UsageError

Example:
    >>> from reticent.privacy import Guarantee, SampledGaussian
    >>> promise = Guarantee((SampledGaussian(noise_multiplier=1.0, sample_rate=0.01, count=1000),))
    >>> round(promise.epsilon(1e-5), 3)
    1.828
    >>> round(promise.true_positive_rate(0.01), 4)  # whatever the attack, at 1 % false alarms
    0.0291
    >>> promise.compose(promise).epsilon(1e-5) < 2 * promise.epsilon(1e-5)
    True
"""

from __future__ import annotations

import dataclasses
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import accounting
from reticent.privacy.mechanisms import Mechanism, mechanism_from_dict, mechanism_to_dict
from reticent.privacy.rounding import round_up
from reticent.privacy.units import Relation, Unit, check_kinds

__all__ = ["Guarantee"]


@dataclasses.dataclass(frozen=True)
class Guarantee:
    """A differential-privacy guarantee; see the module's page for what it promises.

    Args:
        mechanisms: what was executed on the data, in any order; composition is adaptive.
        unit: whose privacy is protected.
        relation: which data sets are neighbours.
        assumptions: what else must hold, in words, or "not covered: ..." for what the guarantee leaves out; shown
            wherever the guarantee is shown.
        dataset_size: number of units, if it is public; then a delta at or above 1/n is refused.
        simulated: the noise came from a seeded generator. The numbers then say what the same run with secure noise
            would promise, and `text()` says that this run promises nothing.
        only: the attributes of a unit that are protected ("label", names of columns); everything else about it is then
            taken as known to everybody. Empty: all of it is protected.
    """

    mechanisms: tuple[Mechanism, ...] = ()
    unit: Unit = Unit.EXAMPLE
    relation: Relation = Relation.ADD_OR_REMOVE_ONE
    assumptions: tuple[str, ...] = ()
    dataset_size: int | None = None
    simulated: bool = False
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "mechanisms", tuple(self.mechanisms))
        object.__setattr__(self, "assumptions", tuple(self.assumptions))
        if isinstance(self.only, str) or not all(isinstance(name, str) for name in self.only):
            raise UsageError(f"Expected names of attributes, got only={self.only!r}.", 'Pass for instance ("label",).')
        object.__setattr__(self, "only", tuple(self.only))
        check_kinds(self.unit, self.relation)
        if not all(isinstance(mechanism, Mechanism) for mechanism in self.mechanisms):
            raise UsageError(
                f"Expected mechanisms, got {self.mechanisms!r}.", "Pass for instance SampledGaussian(...)."
            )
        if self.dataset_size is not None:
            _checks.at_least(1, dataset_size=self.dataset_size)

    def epsilon(self, delta: float) -> float:
        """The smallest epsilon for which the output is (epsilon, delta)-differentially private."""
        _checks.delta(delta=delta, dataset_size=self.dataset_size)
        return accounting.epsilon_at(self.mechanisms, self.relation, delta)

    def renyi_epsilon(self, delta: float) -> float:
        """A second opinion on `epsilon(delta)` from Renyi divergences: never smaller, infinite where there are none."""
        _checks.delta(delta=delta, dataset_size=self.dataset_size)
        return accounting.renyi_epsilon_at(self.mechanisms, self.relation, delta)

    def delta(self, epsilon: float) -> float:
        """The smallest delta for which the output is (epsilon, delta)-differentially private."""
        _checks.non_negative(epsilon=epsilon, or_infinite=True)
        return accounting.delta_at(self.mechanisms, self.relation, epsilon)

    @overload
    def true_positive_rate(self, false_positive_rate: float) -> float: ...
    @overload
    def true_positive_rate(self, false_positive_rate: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]: ...
    def true_positive_rate(self, false_positive_rate: Any) -> Any:
        """The highest share of members that any attack can name at this share of false alarms (Dong et al., 2022).

        Args:
            false_positive_rate: one rate or an array of rates, each in [0, 1].

        Returns:
            A bound in [false_positive_rate, 1], of the same shape.
        """
        rates = np.asarray(false_positive_rate, dtype=np.float64)
        if rates.size and not (rates.min() >= 0 and rates.max() <= 1):
            raise UsageError(
                f"Expected 0 <= false_positive_rate <= 1, got {false_positive_rate!r}.",
                "Pass fractions, not percentages.",
            )
        bound = accounting.true_positive_rates(self.mechanisms, self.relation, rates)
        return float(bound) if rates.ndim == 0 else bound

    def advantage(self) -> float:
        """The largest possible gap between true- and false-positive rate of any attack: delta at epsilon 0."""
        return self.delta(0.0)

    def compose(self, *others: Guarantee) -> Guarantee:
        """The guarantee for somebody who sees all these outputs, when they were computed from the same data.

        Raises:
            UsageError: units, neighbouring relations or protected attributes differ; such promises cannot be added up.
        """
        for other in others:
            if (other.unit, other.relation, other.only) != (self.unit, self.relation, self.only):
                raise UsageError(
                    f"Expected guarantees for one unit and relation, got {self._whose()} and {other._whose()}.",
                    "State both for the same unit and relation first.",
                )
        everyone = (self, *others)
        sizes = [g.dataset_size for g in everyone if g.dataset_size is not None]
        return Guarantee(
            mechanisms=accounting.merged(mechanism for g in everyone for mechanism in g.mechanisms),
            unit=self.unit,
            relation=self.relation,
            assumptions=tuple(dict.fromkeys(text for g in everyone for text in g.assumptions)),
            dataset_size=max(sizes) if sizes else None,
            simulated=any(g.simulated for g in everyone),
            only=self.only,
        )

    def text(self, delta: float) -> str:
        """The guarantee in words: numbers, unit, relation, mechanisms, accountant and every assumption."""
        only = ", ".join(self.only)
        what = f"differential privacy of the {only} only" if only else "differential privacy"
        meaning = f"({self.unit.meaning})" if not only else f"(of one, only: {only}; all else is taken as known)"
        attack = f"any attack on the {only}" if only else "any attack"
        lines = [
            f"(epsilon = {round_up(self.epsilon(delta)):.4g}, delta = {round_up(delta, 3):.3g})-{what}",
            f"unit: {self.unit.value} {meaning}",
            f"neighbouring relation: {self.relation.value} ({self.relation.meaning})",
            "mechanisms: " + ("; ".join(m.text() for m in self.mechanisms) or "none: nothing was released"),
            "accountant: privacy-loss distributions, rounded up",
            f"{attack}, at 1 % false positives: at most {round_up(self.true_positive_rate(0.01)):.4g} true positives",
        ]
        lines += [
            assumption if assumption.startswith("not covered: ") else f"assumes: {assumption}"
            for assumption in self.assumptions
        ]
        if self.simulated:
            lines.insert(
                0, "SIMULATION, no promise: the noise came from a seeded generator. With secure noise it would be:"
            )
        return "\n".join(lines)

    def __str__(self) -> str:
        kind = "simulation, no promise" if self.simulated else "differential privacy"
        mechanisms = "; ".join(m.text() for m in self.mechanisms) or "nothing was released"
        return f"Guarantee({kind}, {self._whose(', ')}: {mechanisms})"

    def _whose(self, between: str = "/") -> str:
        return between.join((*(f"{name} only" for name in self.only), self.unit.value, self.relation.value))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for records and files; `from_dict` makes an equal guarantee of them."""
        return {
            "mechanisms": [mechanism_to_dict(mechanism) for mechanism in self.mechanisms],
            "unit": self.unit.value,
            "relation": self.relation.value,
            "assumptions": list(self.assumptions),
            "dataset_size": self.dataset_size,
            "simulated": self.simulated,
            "only": list(self.only),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Guarantee:
        """The guarantee that `as_dict` wrote.

        Raises:
            UsageError: a field is missing or unknown.
        """
        if not isinstance(values, dict) or set(values) != {field.name for field in dataclasses.fields(cls)}:
            raise UsageError(f"Expected the fields of a guarantee, got {list(values)}.", "Write them as saved.")
        try:
            return cls(
                mechanisms=tuple(mechanism_from_dict(m) for m in values["mechanisms"]),
                unit=Unit(values["unit"]),
                relation=Relation(values["relation"]),
                assumptions=tuple(values["assumptions"]),
                dataset_size=values["dataset_size"],
                simulated=values["simulated"],
                only=tuple(values["only"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"Expected a guarantee as written by as_dict(), got {error}.", "Save it again.") from error
