r"""What an audit will be able to say, before anything is trained.

Promise: `power` says of every false-positive rate whether it will be resolved on the given model and on the repeated
trainings, and if not, what it would take; how wide intervals will be at least; and which records could come onto the
list of those at risk. It is arithmetic on sizes: nothing of the model or the records is looked at, so looking at it
first costs nothing and spoils nothing. A rate that cannot be resolved is not reported by any audit (`resolvable`).

How: a rate is resolved where ten false positives are expected (the relative error of the rate is then about a third).
Widths on the given model are those of Clopper and Pearson (1934). On repeated trainings trials share records and
models, so the width lies between that of as many independent trials and that of as many independent people; both are
given. A record's own test has 1 / (models choose half) as its smallest p-value (`reticent.audits.randomisation`), and
a list with false discovery rate q that holds a share s of all records holds p-values up to q * s.

Example:
    >>> from reticent.audits.power import power
    >>> plan = power(1200, 1200, shadows=64, pilot_seconds=2.0)
    >>> print(plan.sentences[1].replace("\N{NARROW NO-BREAK SPACE}", ","))
    On the given model, 0.1 % false alarms need 10,000 non-members: there are 1,200. They will not be reported.
    >>> plan.rates[1].on_model, plan.rates[2].on_trainings, plan.seconds
    (True, True, 128.0)
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from scipy.stats import norm

from reticent import _checks
from reticent._numbers import confidence as in_percent
from reticent._numbers import count, percentage, shown
from reticent.audits.randomisation import smallest_p
from reticent.audits.statistics import clopper_pearson, resolvable
from reticent.errors import UsageError

__all__ = ["Power", "RatePower", "power"]

_EXPECTED = 10
_MOST_MODELS = 4096


@dataclasses.dataclass(frozen=True)
class RatePower:
    """What will be known at one false-positive rate.

    Attributes:
        rate: the false-positive rate.
        on_model: whether it is resolved on the given model.
        nonmembers_needed: non-members that the given model needs for it.
        on_trainings: whether it is resolved on the repeated trainings.
        models_needed: repeated trainings that it needs with these records.
        model_interval: the interval of the false-positive rate on the given model when it is as asked.
        chance_interval: the interval of the true-positive rate there if the attack names members no more often.
        training_intervals: the narrowest and the widest interval of that true-positive rate on repeated trainings.
    """

    rate: float
    on_model: bool
    nonmembers_needed: int
    on_trainings: bool
    models_needed: int
    model_interval: tuple[float, float]
    chance_interval: tuple[float, float]
    training_intervals: tuple[tuple[float, float], tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Power:
    """What an audit will be able to say.

    Attributes:
        members: records that the given model was trained on.
        nonmembers: other records.
        people: owners of all of them; as many as records when each has one.
        shadows: repeated trainings.
        confidence: of the intervals.
        level: false discovery rate of the list of records at risk.
        rates: one for each false-positive rate, largest first.
        auc_half_width: by how much the given model's area under the curve will be uncertain if there is no leak.
        smallest_share: the smallest share of records at risk that can come onto the list; None if nobody can.
        alone_needs: trainings that a single record at risk, the only one of all, needs to be listed.
        seconds: expected time of all trainings, if a pilot was timed.
    """

    members: int
    nonmembers: int
    people: int
    shadows: int
    confidence: float
    level: float
    rates: tuple[RatePower, ...]
    auc_half_width: float
    smallest_share: float | None
    alone_needs: int
    seconds: float | None

    @property
    def sentences(self) -> tuple[str, ...]:
        """The same in words."""
        said = []
        for one in self.rates:
            name = f"{percentage(one.rate)} false alarms"
            if not one.on_model:
                said.append(
                    f"On the given model, {name} need {count(one.nonmembers_needed)} non-members: there are "
                    f"{count(self.nonmembers)}. They will not be reported."
                )
            if self.shadows and not one.on_trainings:
                said.append(
                    f"On repeated trainings, {name} need {count(one.models_needed)} trainings with these records: "
                    f"there are {count(self.shadows)}. They will not be reported."
                )
        kept = [percentage(one.rate) for one in self.rates if one.on_model]
        said.insert(0, f"On the given model, {', '.join(kept)} false alarms can be resolved." if kept else _NONE)
        said.append(
            f"If there is no leak, the given model's right one of two (AUC) will be known to within "
            f"{shown(100 * self.auc_half_width, 2)} percentage points, at {in_percent(self.confidence)} confidence."
        )
        if self.shadows:
            said.append(self._about_records())
        else:
            said.append("Without repeated trainings nothing can be said about single records.")
        if self.seconds is not None:
            said.append(f"The trainings will take about {count(math.ceil(self.seconds))} seconds.")
        return tuple(said)

    def _about_records(self) -> str:
        who = "records" if self.people == self.members + self.nonmembers else "people"
        if self.smallest_share is None:
            return (
                f"{self.shadows} trainings are too few to list any of the {who} as at risk, even if all "
                f"of them were; to list a single one takes {self.alone_needs}."
            )
        few = math.ceil(self.smallest_share * self.people - 1e-9)
        if few <= 1:
            return f"A single one of the {count(self.people)} {who}, always recognised, would be listed as at risk."
        return (
            f"With {self.shadows} trainings, {who} that are always recognised can be listed as at risk only if there "
            f"are at least {count(few)} of them ({percentage(self.smallest_share, 2)}); a single one needs "
            f"{self.alone_needs} trainings."
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, and the sentences."""
        return {**dataclasses.asdict(self), "sentences": list(self.sentences)}


_NONE = "On the given model, none of the false-alarm rates asked for can be resolved."


def power(
    members: int,
    nonmembers: int,
    *,
    shadows: int,
    people: int | None = None,
    rates: tuple[float, ...] = (0.1, 0.01, 0.001),
    confidence: float = 0.95,
    level: float = 0.05,
    inclusion: float | None = None,
    pilot_seconds: float | None = None,
    jobs: int = 1,
) -> Power:
    """What an audit of these sizes will be able to say.

    Args:
        members: records that the given model was trained on.
        nonmembers: records that it was not trained on.
        shadows: repeated trainings; 0 for an audit without a trainer, which sets aside half of the non-members to
            find its thresholds.
        people: how many owners the records have; as many as records by default.
        rates: false-positive rates that are asked for.
        confidence: of the intervals.
        level: false discovery rate of the list of records at risk.
        inclusion: probability with which a repeated training sees a record; the share of members by default.
        pilot_seconds: how long one training took.
        jobs: trainings that run at the same time.

    Raises:
        UsageError: numbers out of range.
    """
    m, n = _checks.at_least(1, members=members), _checks.at_least(1, nonmembers=nonmembers)
    people = m + n if people is None else _checks.at_least(1, people=people)
    if people > m + n:
        raise UsageError(f"Expected people <= {m + n} records, got people={people}.", "Count each owner once.")
    _checks.at_least(0, shadows=shadows)
    _checks.open_fraction(confidence=confidence)
    _checks.open_fraction(level=level)
    inside = min(max(m / (m + n), 0.1), 0.9) if inclusion is None else _checks.open_fraction(inclusion=inclusion)
    asked = sorted({_checks.open_fraction(rate=rate) for rate in rates}, reverse=True)
    each = people / (m + n)
    judged = n if shadows else n // 2
    best = smallest_p(shadows, round(shadows * inside)) if shadows else 1.0
    seconds = None
    if pilot_seconds is not None:
        seconds = _checks.positive(pilot_seconds=pilot_seconds) * math.ceil(shadows / _checks.at_least(1, jobs=jobs))
    first, second = max(m * each, 1.0), max(judged * each, 1.0)
    deviation = math.sqrt((first + second + 1) / (12 * first * second))  # of a rank sum without effect
    return Power(
        m,
        n,
        people,
        shadows,
        confidence,
        level,
        tuple(_at(rate, m, judged, each, shadows, inside, confidence) for rate in asked),
        min(0.5, float(norm.ppf(0.5 + confidence / 2)) * deviation),
        max(best / level, 1 / people) if best <= level else None,
        _enough(level / people, inside),
        seconds,
    )


def _at(
    rate: float, members: int, judged: int, each: float, shadows: int, inside: float, confidence: float
) -> RatePower:
    others = (members + judged) * (1 - inside)  # non-member trials of one repeated training
    trials, people = max(1, round(shadows * others)), max(1, round((members + judged) * each))
    needed = math.ceil(_EXPECTED / rate - 1e-9)
    needed += not resolvable(rate, needed)  # the product may be rounded down
    return RatePower(
        rate,
        resolvable(rate, judged),
        needed if shadows else 2 * needed,
        bool(shadows) and resolvable(rate, trials),
        math.ceil(_EXPECTED / rate / others - 1e-9),
        _interval(rate, round(judged * each), confidence),
        _interval(rate, round(members * each), confidence),
        (_interval(rate, trials, confidence), _interval(rate, people, confidence)),
    )


def _interval(rate: float, trials: int, confidence: float) -> tuple[float, float]:
    trials = max(trials, 1)
    return clopper_pearson(round(rate * trials), trials, confidence)


def _enough(wanted: float, inside: float) -> int:
    """The smallest number of models whose best p-value is as small as wanted."""
    models = 2
    while models < _MOST_MODELS and smallest_p(models, max(1, round(models * inside))) > wanted:
        models += 1
    return models
