"""What happens to the others if the records at risk are taken out? An audit of the training that is left.

Promise: this measures, and recommends nothing. Who is exposed depends on who else is there: taking out the most exposed
records makes others the most exposed (the privacy onion effect: Carlini et al., 2022b), and those who were taken out
may be given away by having been. So the result is never "safe now"; it is how many of those who stayed are at risk now
who were not listed before, with an interval, beside a control.

The control is needed because a second audit lists somebody new in any case: records that just missed the first list,
and a training with fewer records. It takes out equally many records (or owners) at random, none of them at risk, and
audits again. The figures are about the same records in both: those that stayed in both. "Newly listed" is a share of
those. A list with a false discovery rate takes in more doubtful records the more sure ones it holds, and the control
still holds those at risk: so the share errs towards the control, and the mean effect, which does not, stands beside it.

Lists of two sets of trainings differ by more than their records would, because all records share the trainings (a test
that counts records, such as McNemar's, called 11 to 27 % of equal trainings different in simulations at 5 %). So
intervals and the p-value come from a jackknife that leaves out an eighth of the models at a time (Quenouille, 1956),
and are Student's; where that is narrower than Clopper and Pearson's interval (1934), the latter's ends are taken.

Shapes: rows are of the pool that was handed in.

Example:
    >>> import torch, reticent as rt
    >>> from reticent.audits.removal import audit_after_removal
    >>> from reticent.audits.risks import record_risks
    >>> from reticent.audits.shadows import train_shadows
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> data, source = load("diabetes"), Randomness.simulated(0)
    >>> fit = rt.Recipe(lambda: torch.nn.Linear(10, 2), lambda p: torch.optim.Adam(p, lr=0.1), epochs=1, batch_size=64)
    >>> fleet = train_shadows(fit, data, count=8, randomness=source, jobs=1)
    >>> before = record_risks(fleet, randomness=source, level=0.5)
    >>> after = audit_after_removal(fit, data, before, shadows=8, rows=[3, 5], randomness=source, jobs=1)
    >>> after.removed, after.stayed
    (2, 438)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from scipy.stats import t as student

from reticent import _checks
from reticent._numbers import confidence as in_percent
from reticent._numbers import p_value, percent, points, span
from reticent.attacks.membership import DEFAULT, Method
from reticent.audits.multiplicity import benjamini_hochberg
from reticent.audits.pooled import pooled_curve
from reticent.audits.randomisation import column_tests, smallest_p
from reticent.audits.risks import RiskList, record_risks
from reticent.audits.shadows import Trainer, train_shadows
from reticent.audits.statistics import clopper_pearson
from reticent.data import Records
from reticent.errors import NotEnoughEvidence
from reticent.evidence import Estimate
from reticent.models import Exposure, Fleet
from reticent.randomness import Randomness, required

__all__ = ["Removal", "audit_after_removal"]

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_FEWEST = 20
_GROUPS = 8


@dataclasses.dataclass(frozen=True)
class Removal:
    """Audits before and after records at risk were taken out.

    Attributes:
        removed: records (or owners) that were taken out.
        asked: how many were to be taken out; more than `removed` where too few others would have been left.
        stayed: records (or owners) that stayed, in the control too: what the shares are about.
        newly_listed: share of those that are on the list now and were not before.
        control: the same where equally many others were taken out at random.
        difference: the first share minus the second.
        p: one-sided p-value of more being new than in the control.
        effect_difference: by how much the mean effect (`RecordRisk.effect`) of those who stayed is above the control's.
        auc: area under the attack's curve for the training that is left.
        control_auc: the same for the control.
        after: the list of the training that is left; its rows are those of the smaller pool.
        control_after: the same for the control.
        new_rows: rows (first rows of owners) of the whole pool that are newly listed.
    """

    removed: int
    asked: int
    stayed: int
    newly_listed: Estimate
    control: Estimate
    difference: Estimate
    p: float
    effect_difference: Estimate
    auc: Estimate
    control_auc: Estimate
    after: RiskList
    control_after: RiskList
    new_rows: tuple[int, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found, and what follows from it."""
        confidence = in_percent(self.newly_listed.confidence)
        who = f"{self.removed}" if self.removed == self.asked else f"the {self.removed} surest of {self.asked} at risk"
        found = (
            f"After {who} were taken out, {_share(self.newly_listed)} of the {self.stayed} who stayed are "
            f"listed as at risk who were not before; after as many others were taken out at random, "
            f"{_share(self.control)} ({confidence} confidence each)."
        )
        if self.p <= 1 - self.newly_listed.confidence:
            read = f"Taking out those at risk put others in their place (p = {p_value(self.p)})."
        else:
            told = f"(p = {p_value(self.p)})"
            read = f"That others take their place, more than by chance and by a smaller training, was not seen {told}."
        gap = self.effect_difference
        average = (
            "Less the control's, the mean effect (how often trainings with and without the record are told apart) on "
            f"those who stayed is {points(gap.value, gap.low, gap.high)}; this does not depend on how long the lists "
            "are."
        )
        return (
            found,
            read,
            average,
            "Taking records out protects nobody reliably: who is exposed depends on who else is there (the privacy "
            "onion: Carlini et al., 2022), and this audit says nothing about those who were taken out. Training with "
            "differential privacy bounds everybody's risk.",
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, and the sentences."""
        return {
            "removed": self.removed,
            "asked": self.asked,
            "stayed": self.stayed,
            "newly_listed": self.newly_listed.as_dict(),
            "control": self.control.as_dict(),
            "difference": self.difference.as_dict(),
            "p": self.p,
            "effect_difference": self.effect_difference.as_dict(),
            "auc": self.auc.as_dict(),
            "control_auc": self.control_auc.as_dict(),
            "after": self.after.as_dict(),
            "control_after": self.control_after.as_dict(),
            "new_rows": list(self.new_rows),
            "sentences": list(self.sentences),
        }


def audit_after_removal(
    trainer: Trainer,
    pool: Records,
    before: RiskList,
    *,
    shadows: int,
    randomness: Randomness,
    rows: Sequence[int] | None = None,
    exposure: Exposure = Exposure.LOGITS,
    inclusion: float = 0.5,
    method: Method = DEFAULT,
    answers: str | None = None,
    jobs: int | None = None,
    executor: Executor | str | None = None,
    store: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Removal:
    """Take the records at risk out, train again, audit again; and once more with others taken out at random.

    Args:
        trainer: the training, as in `train_shadows`.
        pool: all records of the first audit.
        before: its list, for the owners of the pool if it has any.
        shadows: trainings for each of the two audits; as many as the first had makes the lists comparable.
        randomness: source of every draw.
        rows: what to take out (with all other rows of the same owners); the listed records by default, or the surest
            of them: half as many as are not listed, at most, so that as many others can leave and as many stay.
        exposure: what of the models is used.
        inclusion: probability that a record is in a model's training data.
        method: of scoring, for the areas under the curve; lists are made by exact tests, whatever it is.
        answers: as in `train_shadows`.
        jobs: as in `train_shadows`.
        executor: as in `train_shadows`.
        store: as in `train_shadows`.
        progress: called as progress(models_done, models) over both audits.

    Raises:
        NotEnoughEvidence: nobody to take out, or too few would be left.
    """
    source = required(randomness).spawn("removal")
    _checks.at_least(4, shadows=shadows)
    owner = pool.owner_index()
    listed = np.array([risk.row for risk in before.listed], dtype=np.int64)
    asked = np.unique(owner[listed if rows is None else np.asarray(rows, dtype=np.int64)])
    others = np.setdiff1d(np.arange(int(owner.max()) + 1), np.concatenate([asked, owner[listed]]))
    at_risk = np.setdiff1d(np.arange(int(owner.max()) + 1), others)
    # Lists begin with the surest.
    out = asked if rows is not None else np.unique(owner[listed[: max(_FEWEST, len(others) // 2)]])
    if not len(out) or len(others) < len(out) + _FEWEST:
        raise NotEnoughEvidence(
            f"Expected somebody to take out and as many others, and {_FEWEST} more to stay, got {len(out)} and "
            f"{len(others)}.",
            "Nobody is listed: there is nothing to take out." if not len(out) else "Take out fewer.",
        )
    drawn = others[source.spawn("control").permutation(len(others))[: len(out)]]
    gone = np.zeros(int(owner.max()) + 1, dtype=bool)
    gone[at_risk] = gone[drawn] = True
    stayed = np.flatnonzero(~gone)
    arms = []
    for turn, (label, without) in enumerate((("removed", out), ("control", drawn))):
        kept = np.flatnonzero(~np.isin(owner, without))

        def tell(done: int, count: int, first: int = turn) -> None:
            if progress is not None:
                progress(first * count + done, 2 * count)

        left, own = pool.take(kept), source.spawn(label)
        fleet = train_shadows(
            trainer,
            left,
            count=shadows,
            randomness=own,
            exposure=exposure,
            inclusion=inclusion,
            answers=answers,
            jobs=jobs,
            executor=executor,
            store=store,
            progress=tell,
        )
        arms.append(_audited(fleet, left, np.searchsorted(np.unique(owner[kept]), stayed), before, method, own))
    first = np.unique(owner, return_index=True)[1]
    return _compared(
        arms, (len(out), len(asked)), tuple(int(row) for row in first[stayed[arms[0].listed]]), before.confidence
    )


@dataclasses.dataclass(frozen=True)
class _Arm:
    """One audit: its list, its area under the curve, who of those who stayed is listed, and figures with deviations."""

    risks: RiskList
    auc: Estimate
    listed: Flags
    figures: Floats  # (2,) share listed and mean effect of those who stayed
    deviations: Floats
    groups: int


def _audited(fleet: Fleet, left: Records, stayed: Counts, before: RiskList, method: Method, source: Randomness) -> _Arm:
    owners = left.owner_index()
    risks = record_risks(
        fleet, randomness=source.spawn("risks"), owners=owners, level=before.level, confidence=before.confidence
    )
    curve = pooled_curve(
        method.leave_one_out(fleet.signals, fleet.membership),
        fleet.membership,
        rates=(),
        randomness=source.spawn("bootstrap"),
        owners=owners,
        confidence=before.confidence,
    )
    flags = np.zeros(len(risks), dtype=bool)
    flags[owners[[risk.row for risk in risks.listed]]] = True
    ties = source.spawn("jackknife")
    groups = min(_GROUPS, len(fleet))
    turn = np.arange(len(fleet)) % groups
    parts = np.array([_figures(fleet.take(turn != g), owners, stayed, before.level, ties) for g in range(groups)])
    deviations = np.sqrt((groups - 1) / groups * ((parts - parts.mean(axis=0)) ** 2).sum(axis=0))
    left_models = len(fleet) - math.ceil(len(fleet) / groups)
    if smallest_p(left_models) * len(risks) > before.level * int(flags.sum()) > 0:
        deviations[0] = math.inf  # none of the parts could list as few as the whole does
    whole = np.array(_figures(fleet, owners, stayed, before.level, source.spawn("risks")))
    return _Arm(risks, curve.auc, flags[stayed], whole, deviations, groups)


def _figures(fleet: Fleet, owners: Counts, stayed: Counts, level: float, source: Randomness) -> tuple[float, float]:
    tests = column_tests(fleet.scores, fleet.membership, randomness=source, owners=owners)
    listed = benjamini_hochberg(tests.p) <= level
    return float(listed[stayed].mean()), float(tests.effect[stayed].mean())


def _compared(arms: list[_Arm], removed: tuple[int, int], new_rows: tuple[int, ...], confidence: float) -> Removal:
    freedom = min(arm.groups for arm in arms) - 1
    factor = float(student.ppf(0.5 + confidence / 2, freedom))
    method = f"jackknife over {freedom + 1} groups of models, Student's interval"
    shares, deviations, stayed = [], [], len(arms[0].listed)
    for arm in arms:
        count = int(arm.listed.sum())
        ends = clopper_pearson(count, stayed, confidence)
        half = factor * float(arm.deviations[0])
        low, high = max(0.0, min(ends[0], count / stayed - half)), min(1.0, max(ends[1], count / stayed + half))
        shares.append(Estimate(count / stayed, low, high, confidence, stayed, method))
        least = (ends[1] - ends[0]) / (2 * norm.ppf(0.5 + confidence / 2))  # parts that agree are no certainty
        deviations.append([max(float(arm.deviations[0]), float(least)), float(arm.deviations[1])])
    gaps = arms[0].figures - arms[1].figures
    deviation = np.hypot(np.array(deviations[0]), np.array(deviations[1]))
    apart = [
        Estimate(float(gap), max(-1.0, gap - factor * one), min(1.0, gap + factor * one), confidence, stayed, method)
        for gap, one in zip(gaps.tolist(), deviation.tolist(), strict=True)
    ]
    t = float(gaps[0] / deviation[0])
    return Removal(
        removed=removed[0],
        asked=removed[1],
        stayed=stayed,
        newly_listed=shares[0],
        control=shares[1],
        difference=apart[0],
        p=float(student.sf(t, freedom)),
        effect_difference=apart[1],
        auc=arms[0].auc,
        control_auc=arms[1].auc,
        after=arms[0].risks,
        control_after=arms[1].risks,
        new_rows=new_rows,
    )


def _share(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} ({span(estimate.low, estimate.high)})"
