"""`compare`: the same network trained ordinarily and privately, audited in the same way.

Promise: every arm is trained on the same members and audited with shadow models that saw the same random halves, so
arms differ in their training only. The controls belong to the story: an ordinary training that stops as early as the
private ones separates what noise and clipping do from what less training does.

Example:
    >>> import reticent as rt
    >>> from reticent.audits import split, standard_arms
    >>> from reticent.data import load
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(3)
    >>> members, nonmembers = split(load("diabetes"), source)
    >>> arms = standard_arms(members, epsilons=(1.0,), delta=1e-3)
    >>> [arm.name for arm in arms]
    ['ordinary', 'stopped early', 'private, epsilon 1']
    >>> comparison = rt.compare(members, nonmembers, arms[1:], shadows=8, jobs=1, randomness=source)
    >>> comparison.audits["private, epsilon 1"].repeated.status.value
    'executed'
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reticent import _checks
from reticent.audits.blind import blind_auc
from reticent.audits.bodies import NOT_TESTED, promise_as_dict
from reticent.audits.case import checked_sides, describe, inclusion_of, prepare
from reticent.audits.concluding import conclude
from reticent.audits.outcome import Audit, Wishes
from reticent.audits.paired import accuracy_difference
from reticent.audits.shadows import draw_membership, train_shadows
from reticent.data import Records
from reticent.errors import UsageError
from reticent.evidence import Estimate, Record, now, software
from reticent.models import Exposure
from reticent.privacy import Plan, Unit
from reticent.randomness import Randomness, required
from reticent.training import Recipe, Run

__all__ = ["Arm", "Comparison", "compare", "split", "standard_arms"]

_HIDDEN = 64
_UPDATES = 2100  # of the ordinary training: enough to reach every training record of a few hundred


@dataclasses.dataclass(frozen=True)
class Arm:
    """One way of training.

    Attributes:
        name: short, as it stands in tables.
        recipe: the training.
        kind: "ordinary", "control" or "private".
        meaning: one sentence for the report.
    """

    name: str
    recipe: Recipe
    kind: str
    meaning: str

    def __post_init__(self) -> None:
        if not isinstance(self.recipe, Recipe):
            raise UsageError(
                f"Expected a Recipe, got {type(self.recipe).__name__} for {self.name!r}.",
                "Wrap the training in a reticent.Recipe; rt.audit takes any function as a trainer.",
            )
        _checks.one_of(("ordinary", "control", "private"), kind=self.kind)
        if (self.recipe.plan is not None) != (self.kind == "private"):
            raise UsageError(
                f"Expected a plan in private arms and in no other, got kind={self.kind!r} for {self.name!r}.",
                "Give the recipe a plan, or call the arm ordinary.",
            )


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The result of `compare`.

    Attributes:
        arms: what was compared, in order.
        runs: name of the arm to its training on the members.
        audits: name of the arm to its audit.
        record: all of it as a record.
    """

    arms: tuple[Arm, ...]
    runs: dict[str, Run]
    audits: dict[str, Audit]
    record: Record

    def save(self, path: str | Path) -> Path:
        """Write the report: `.html` for a self-contained page, `.json` for the record.

        Raises:
            UsageError: another ending, or a place that cannot be written; nothing is left half-written.
        """
        from reticent.reports import save

        return save(self.record, path)


def split(records: Records, randomness: Randomness, *, inclusion: float = 0.5) -> tuple[Records, Records]:
    """Members and non-members by one independent coin per person (per row if no owners are known)."""
    mask = draw_membership(records, 1, inclusion, required(randomness).spawn("split"))[0]
    return records.take(mask), records.take(~mask)


def standard_arms(
    members: Records, *, epsilons: Iterable[float] = (1.0, 3.0, 10.0), delta: float | None = None
) -> tuple[Arm, ...]:
    """A 64-unit network for the given records: ordinary, stopped early, and private at each epsilon.

    Settings are the same for every data set: Adam until the training records are learned; 20 passes of SGD for the
    private ones and for the control. They were picked after trying four of them on the diabetes set, so there the
    promise does not cover how they were chosen.

    Args:
        members: the training records.
        epsilons: one private arm each.
        delta: below 1/n; the largest power of ten at or below 1/(2n) by default.

    Raises:
        UsageError: an epsilon or delta that cannot be promised.
    """
    size = members.owner_count
    delta = _checks.suggested_delta(size) if delta is None else delta
    build = functools.partial(_network, members.features[0].size, members.classes)
    batch = min(size, max(64, math.ceil(size / 4)))
    epochs = math.ceil(_UPDATES * 32 / len(members))
    each = round(len(members) / size)
    unit = Unit.PERSON if each > 1 and members.unit is Unit.EXAMPLE else members.unit
    arms = [
        Arm(
            "ordinary",
            Recipe(build, functools.partial(torch.optim.Adam, lr=0.01), epochs=epochs, batch_size=32),
            "ordinary",
            f"Trained as usual for {epochs} passes with Adam, until it knows its training records.",
        ),
        Arm(
            "stopped early",
            Recipe(build, functools.partial(torch.optim.SGD, lr=0.5), epochs=20, batch_size=batch * each),
            "control",
            "Trained for the 20 passes that the private networks get, without clipping or noise. It promises nothing.",
        ),
    ]
    for epsilon in epsilons:
        plan = Plan.calibrate(
            epsilon=epsilon,
            delta=delta,
            dataset_size=size,
            batch_size=batch,
            epochs=20,
            unit=unit,
            rows_per_unit=each if unit is not Unit.EXAMPLE else 1,
        )
        arms.append(
            Arm(
                f"private, epsilon {epsilon:g}",
                Recipe(build, functools.partial(torch.optim.SGD, lr=0.5), plan=plan),
                "private",
                f"DP-SGD, {plan.steps} steps, noise multiplier {plan.noise_multiplier:.2f}, "
                f"clipping norm {plan.l2_clip_norm:g}.",
            )
        )
    return tuple(arms)


def compare(
    members: Any,
    nonmembers: Any,
    arms: Sequence[Arm],
    *,
    shadows: int = 64,
    exposure: Exposure = Exposure.LOGITS,
    confidence: float = 0.95,
    coins: bool = False,
    jobs: int | None = None,
    randomness: Randomness | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Comparison:
    """Train and audit every arm on the same records.

    Args:
        members: training records.
        nonmembers: records from the same source that are not trained on.
        arms: what to compare, with different names.
        shadows: shadow models per arm.
        exposure: what the attacker sees of the answers.
        confidence: of every interval.
        coins: whether members were drawn by independent fair coins, as `split` does; see `audit`.
        jobs: processes; all cores by default.
        randomness: source of every draw; the operating system's by default. With `Randomness.simulated` the private
            arms are simulations, and say so.
        progress: called as progress(name of the arm, models_done, models).

    Raises:
        UsageError: no arms, or two of one name; otherwise as `audit`.
    """
    if not arms or len({arm.name for arm in arms}) < len(arms):
        raise UsageError(f"Expected arms of different names, got {[arm.name for arm in arms]}.", "Name each arm once.")
    _checks.open_fraction(confidence=confidence)
    if jobs is not None:
        _checks.at_least(1, jobs=jobs)
    source = Randomness.secure() if randomness is None else required(randomness)
    exposure = Exposure.of(exposure)
    inside, outside = checked_sides(members, nonmembers)
    pool = inside.joined(outside).require_two_classes()
    truth = np.arange(len(pool)) < len(inside)
    draws = draw_membership(
        pool, _checks.at_least(4, shadows=shadows), 0.5 if coins else inclusion_of(truth), source.spawn("membership")
    )
    blind = blind_auc(inside, outside, randomness=source.spawn("blind"), confidence=confidence)
    runs: dict[str, Run] = {}
    audits: dict[str, Audit] = {}
    right: dict[str, npt.NDArray[np.bool_]] = {}
    for arm in arms:
        own = source.spawn(arm.name)
        report = _Reporter(progress, arm.name, shadows + 1)
        runs[arm.name] = arm.recipe.run(inside, own.spawn("target"))
        report.trained()
        fleet = train_shadows(
            arm.recipe,
            pool,
            count=shadows,
            randomness=own,
            exposure=exposure,
            membership=draws,
            jobs=jobs,
            progress=report.shadow,
        )
        case = prepare(
            runs[arm.name].model,
            inside,
            outside,
            exposure=exposure,
            confidence=confidence,
            randomness=own,
            name=arm.name,
            blind=blind,
            coins=coins,
        )
        audits[arm.name] = conclude(case, fleet, runs[arm.name].guarantee, Wishes(coins=coins, exposures=False))
        right[arm.name] = fleet.correct
    costs = _costs(arms, right, draws, pool, source, confidence)
    body = {
        "data": describe(pool, truth),
        "arms": [_arm_as_dict(arm, runs[arm.name], audits[arm.name], costs.get(arm.name)) for arm in arms],
        "paired": _paired(arms, audits),
        "not_tested": NOT_TESTED,
        "shadows": shadows,
        "confidence": confidence,
        "repeatable": not source.is_secure,
        "software": software(),
    }
    parents = tuple(record.id for arm in arms for record in (runs[arm.name].record, audits[arm.name].record))
    return Comparison(tuple(arms), runs, audits, Record("comparison", body, created=now(), parents=parents))


def _network(inputs: int, classes: int) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(inputs, _HIDDEN), torch.nn.ReLU(), torch.nn.Linear(_HIDDEN, classes)
    )


@dataclasses.dataclass(frozen=True)
class _Reporter:
    """One arm's progress: its network first, then its shadow models."""

    tell: Callable[[str, int, int], None] | None
    name: str
    total: int

    def trained(self) -> None:
        if self.tell is not None:
            self.tell(self.name, 1, self.total)

    def shadow(self, done: int, _count: int) -> None:
        if self.tell is not None:
            self.tell(self.name, done + 1, self.total)


def _costs(
    arms: Sequence[Arm],
    right: dict[str, npt.NDArray[np.bool_]],
    draws: npt.NDArray[np.bool_],
    pool: Records,
    source: Randomness,
    confidence: float,
) -> dict[str, Estimate]:
    """Every other arm's accuracy on unseen records against the first one's, on the same draws."""
    return {
        arm.name: accuracy_difference(
            right[arm.name],
            right[arms[0].name],
            draws,
            randomness=source.spawn(arm.name).spawn("accuracy"),
            owners=pool.owner_index(),
            confidence=confidence,
        )
        for arm in arms[1:]
    }


def _arm_as_dict(arm: Arm, run: Run, audit: Audit, cost: Estimate | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": arm.name,
        "kind": arm.kind,
        "meaning": arm.meaning,
        "promise": None,
        "accuracy_difference": None if cost is None else cost.as_dict(),
        "audit": audit.record.body,
    }
    if run.guarantee is not None and run.plan is not None:
        values["promise"] = {**promise_as_dict(run.guarantee, run.plan.delta), "plan": run.plan.as_dict()}
    return values


def _paired(arms: Sequence[Arm], audits: dict[str, Audit]) -> list[dict[str, Any]]:
    """The records most at risk in the first arm, and how the same records fare in the others."""
    by_row = {arm.name: {risk.row: risk for risk in audits[arm.name].worst(10**9)} for arm in arms}
    return [
        {"row": risk.row, "name": risk.name, "arms": {arm.name: by_row[arm.name][risk.row].as_dict() for arm in arms}}
        for risk in audits[arms[0].name].worst(10)
    ]
