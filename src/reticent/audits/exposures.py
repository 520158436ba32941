"""What is it worth to show less? The same attack on the same models, under several exposures.

Promise: every exposure is a view of answers that were stored once, so exposures differ in what the attacker sees and in
nothing else. The interval of a difference is that of a paired bootstrap: each draw of models and records gives the
attack's success under both exposures. Each interval has the stated confidence by itself; somebody who picks one of k
differences because it looks best asks for confidence 1 - (1 - c)/k.

`exposure_effect` is about a way of training: every shadow model in turn is the target of the others, as in
`rt.audit(trainer=...)`. `exposure_effect_on` is about one model: with shadow models by the likelihood ratio, without by
the answers alone; there the bootstrap draws records only.

A restriction helps against attackers who are held to it. One who may ask again and again about perturbed records sees
more than single answers (`reticent.audits.queried`).

Example:
    >>> import numpy as np
    >>> from reticent.audits.exposures import exposure_effect
    >>> from reticent.models import Fleet
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(0)
    >>> membership = source.bernoulli(0.5, 16 * 60).reshape(16, 60)
    >>> sure = 4 + 0.5 * membership + 0.5 * source.normal((16, 60))  # always right, and surer of its members
    >>> answers = np.stack([-np.log1p(np.exp(-sure)), -np.log1p(np.exp(sure))], axis=2)
    >>> fleet = Fleet.of(answers, np.zeros(60, dtype=np.int64), membership)
    >>> effect = exposure_effect(fleet, ["logits", "scores:1 digit", "label"], randomness=source)
    >>> [(row.exposure, row.estimates["auc"].low > 0.6) for row in effect.rows]
    [('logits', True), ('scores:1 digit', False), ('label', False)]
    >>> effect.rows[2].differences["auc"].high < -0.1
    True
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.membership import DEFAULT, Method
from reticent.audits.bootstrap import Tallies, binned, draws
from reticent.audits.case import Case
from reticent.audits.pooled import around, grid_of, measure
from reticent.audits.statistics import clopper_pearson, resolvable
from reticent.audits.thresholds import RATES
from reticent.errors import UsageError
from reticent.evidence import Estimate
from reticent.models import Exposure, Fleet, Signals
from reticent.randomness import Randomness, required

__all__ = ["EXPOSURES", "ExposureEffect", "ExposureRow", "exposure_effect", "exposure_effect_on", "no_more_than"]

Floats = npt.NDArray[np.float64]

EXPOSURES = ("logits", "scores", "scores:3 digits", "scores:1 digit", "scores:top 1", "label")
"""What is compared if nothing else is asked for; the first is what the others are compared with."""


@dataclasses.dataclass(frozen=True)
class ExposureRow:
    """One exposure.

    Attributes:
        exposure: its text.
        meaning: it in words.
        estimates: "auc" and the true-positive rates that can be resolved, as in findings.
        differences: the same names: how much more than under the first exposure; empty for the first itself.
    """

    exposure: str
    meaning: str
    estimates: dict[str, Estimate]
    differences: dict[str, Estimate]


@dataclasses.dataclass(frozen=True)
class ExposureEffect:
    """The same attack under several exposures.

    Attributes:
        attack: its name.
        target: what was attacked.
        rows: one for each exposure, in the order asked for.
    """

    attack: str
    target: str
    rows: tuple[ExposureRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "attack": self.attack,
            "target": self.target,
            "rows": [
                {
                    "exposure": row.exposure,
                    "meaning": row.meaning,
                    "estimates": {name: estimate.as_dict() for name, estimate in row.estimates.items()},
                    "differences": {name: estimate.as_dict() for name, estimate in row.differences.items()},
                }
                for row in self.rows
            ],
        }


def exposure_effect(
    fleet: Fleet,
    exposures: Iterable[Exposure | str] = EXPOSURES,
    *,
    randomness: Randomness,
    rates: tuple[float, ...] = RATES,
    owners: npt.NDArray[np.int64] | None = None,
    confidence: float = 0.95,
    replicates: int = 400,
    name: str = "the training",
    method: Method = DEFAULT,
) -> ExposureEffect:
    """What each exposure shows of a way of training.

    Args:
        fleet: shadow models that kept their answers.
        exposures: what to compare; the others are compared with the first.
        randomness: source of the bootstrap.
        rates: false-positive rates to report where they can be resolved.
        owners: (records,) whole numbers from 0, equal for rows of one owner: these are drawn together.
        confidence: of every interval, each by itself.
        replicates: bootstrap draws.
        name: what to call the training.
        method: of scoring, the same under all exposures.

    Raises:
        UsageError: no exposures, one twice, or a fleet that did not keep its answers.
    """
    chosen = _chosen(exposures)
    scores = [method.leave_one_out(fleet.under(one).signals, fleet.membership) for one in chosen]
    rows = _compared(chosen, scores, fleet.membership, rates, owners, confidence, replicates, randomness)
    return ExposureEffect("likelihood ratio, every training in turn", name, rows)


def exposure_effect_on(
    case: Case,
    exposures: Iterable[Exposure | str] | None = None,
    *,
    fleet: Fleet | None = None,
    rates: tuple[float, ...] = RATES,
    replicates: int = 400,
) -> ExposureEffect:
    """What each exposure shows of one model.

    Args:
        case: from `reticent.audits.case.prepare`.
        exposures: what to compare; the others are compared with the first. None may show more than the case's own. By
            default the case's own, and those of `EXPOSURES` that show less.
        fleet: shadow models that kept their answers, for the likelihood ratio.
        rates: false-positive rates to report where they can be resolved.
        replicates: bootstrap draws.

    Raises:
        UsageError: no exposures, one twice, or one that shows more than the model was seen to show.
    """
    own = case.target.exposure
    chosen = _chosen(no_more_than(own) if exposures is None else exposures)
    beyond = [one.value for one in chosen if not one.within(own)]
    if beyond:
        raise UsageError(
            f"Expected exposures that show no more than {own.value}, as {case.target.name} did, got "
            f"{', '.join(beyond)}.",
            "What was not seen cannot be restricted; leave them out.",
        )
    shown = [Signals.of(case.answers, case.pool.labels, one) for one in chosen]
    scores = [one.odds[0] for one in shown]
    if fleet is not None:
        views = [fleet.under(one).signals for one in chosen]
        scores = [DEFAULT.score(seen, view, fleet.membership) for seen, view in zip(shown, views, strict=True)]
    rows = _compared(
        chosen,
        [one[None] for one in scores],
        case.truth[None],
        rates,
        case.pool.owner_index(),
        case.confidence,
        replicates,
        case.source.spawn("exposures"),
    )
    return ExposureEffect(
        "confidence of the true label" if fleet is None else "likelihood ratio", case.target.name, rows
    )


def no_more_than(own: Exposure) -> list[Exposure]:
    """This exposure, and those of `EXPOSURES` that show less."""
    return [own, *(one for one in map(Exposure.of, EXPOSURES) if one != own and one.within(own))]


def _chosen(exposures: Iterable[Exposure | str]) -> list[Exposure]:
    chosen = [Exposure.of(one) for one in ([exposures] if isinstance(exposures, Exposure | str) else exposures)]
    if not chosen or len(set(chosen)) < len(chosen):
        raise UsageError(
            f"Expected exposures, each once, got {[one.value for one in chosen]}.", "List what is to be compared."
        )
    return chosen


def _compared(
    chosen: list[Exposure],
    scores: list[Floats],
    membership: npt.NDArray[np.bool_],
    rates: tuple[float, ...],
    owners: npt.NDArray[np.int64] | None,
    confidence: float,
    replicates: int,
    randomness: Randomness,
) -> tuple[ExposureRow, ...]:
    _checks.open_fraction(confidence=confidence)
    models, records = membership.shape
    owner = np.arange(records) if owners is None else owners
    people = int(owner.max()) + 1
    kept = [rate for rate in sorted(rates, reverse=True) if resolvable(rate, int((~membership).sum()))]
    grid = grid_of(int((~membership).sum()), tuple(kept))
    places = [len(grid), *(int(np.searchsorted(grid, rate)) for rate in kept)]
    names = ["auc", *(f"true_positive_rate_at_{rate:g}" for rate in kept)]

    def measured(members: Floats, others: Floats) -> Floats:
        """(names,)"""
        return measure(grid, members, others, None)[places]

    exact = [binned(one, membership, exact=True) for one in scores]
    values = np.array([measured(one.members, one.others) for one in exact])
    tallies = [Tallies(binned(one, membership), membership, owner) for one in scores]
    sample = []
    for rows, columns in draws(models, people, replicates, required(randomness)):
        each = [one.of(rows, columns) for one in tallies]  # the same draws for all exposures
        whole = each[0].any(axis=2).all(axis=0)  # almost every draw holds members and non-members
        sample += [[measured(*one[:, draw]) for one in each] for draw in np.flatnonzero(whole)]
    drawn_values = np.array(sample)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    units = min(models, people) if models > 1 else people
    least = clopper_pearson(units, units, confidence)[0]
    low, high = around(values, np.quantile(drawn_values, ends, axis=0), least)
    apart = values - values[0]
    changes = drawn_values - drawn_values[:, :1]
    bottom, top = np.quantile(changes, ends, axis=0)
    # where every draw says the same, a bootstrap would claim certainty
    slack = np.where((changes == apart).all(axis=0), 1 - least, 0.0)
    bottom, top = np.minimum(bottom, apart) - slack, np.maximum(top, apart) + slack
    drawn = f"{records} records" if people == records else f"the {people} owners of {records} records"
    method = f"bootstrap over {f'{models} models and ' * (models > 1)}{drawn}, {replicates} draws"

    def estimates(middle: Floats, lows: Floats, highs: Floats, how: str) -> dict[str, Estimate]:
        return {
            name: Estimate(middle[i], lows[i], highs[i], confidence, membership.size, how, _SET_ANEW if i else None)
            for i, name in enumerate(names)
        }

    return tuple(
        ExposureRow(
            one.value,
            one.meaning,
            estimates(values[i], low[i], high[i], method),
            estimates(apart[i], bottom[i], top[i], f"paired {method}") if i else {},
        )
        for i, one in enumerate(chosen)
    )


_SET_ANEW = "set anew in every bootstrap draw"
