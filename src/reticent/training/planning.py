"""From the arguments of a front door to a plan.

Promise: a plan is taken as it is, or calibrated to what was asked for; never both, and never for another number of
units than the data have.

Example:
    >>> from reticent.training.planning import Wanted, plan_for
    >>> plan_for(None, Wanted(target_epsilon=3.0, target_delta=1e-3, epochs=2), units=500, batch_size=50).steps
    20
"""

from __future__ import annotations

from typing import NamedTuple

from reticent import _checks
from reticent.errors import UsageError
from reticent.privacy import Clipping, Plan, Relation, Sampler, Unit

__all__ = ["Wanted", "plan_for", "refuse_unclear"]


class Wanted(NamedTuple):
    """What a plan is to be calibrated to; None where nothing was said."""

    target_epsilon: float | None = None
    target_delta: float | None = None
    epochs: float | None = None
    l2_clip_norm: float | None = None
    unit: Unit | None = None
    clipping: Clipping | None = None
    sampling: Sampler | None = None
    relation: Relation | None = None
    rows_per_unit: int | None = None


def plan_for(
    plan: Plan | None, wanted: Wanted, *, units: int, batch_size: int | None, steps: int | None = None
) -> Plan:
    """The given plan, or a calibrated one.

    Args:
        plan: a ready plan.
        wanted: or what is asked of one.
        units: how many units the data have: rows, or people.
        batch_size: expected number of units in a batch.
        steps: how many steps will be taken, where another library's loop decides on it; then `wanted` has no epochs.

    Raises:
        UsageError: both or neither; the plan is for another number of units, or for fewer steps.
    """
    refuse_unclear(plan, wanted, steps_are_known=steps is not None, units=units)
    if plan is None:
        return _calibrated(wanted, units, batch_size, steps)
    if plan.dataset_size != units:
        whose = "records" if plan.unit is Unit.EXAMPLE else f"{plan.unit.value} units"
        raise UsageError(
            f"Expected a plan for this data set of {units} {whose}, got one for {plan.dataset_size}.",
            "Calibrate the plan with dataset_size=len(dataset), or for people with the number of people.",
        )
    if steps is not None and plan.steps < steps:
        raise UsageError(
            f"Expected a plan for the {steps} steps of this trainer, got one for {plan.steps}.",
            "Plan more steps, or train for fewer.",
        )
    return plan


def refuse_unclear(plan: Plan | None, wanted: Wanted, *, steps_are_known: bool, units: int | None = None) -> None:
    """Refuse a plan beside targets, and neither; as early as the arguments are there.

    Args:
        plan: a ready plan.
        wanted: or what is asked of one.
        steps_are_known: whether somebody else says how many steps there are.
        units: how many units the data have, if that is known yet.

    Raises:
        UsageError: both or neither.
    """
    given = [name for name, value in wanted._asdict().items() if value is not None]
    if plan is not None and given:
        raise UsageError(
            f"Expected either a plan, or what it is to be calibrated to, got a plan and {' and '.join(given)}.",
            "Say it in the plan, or leave the plan out.",
        )
    needed = ["target_epsilon", "target_delta", *(() if steps_are_known else ("epochs",))]
    missing = [name for name in needed if name not in given]
    if plan is None and missing:
        delta = 1e-5 if units is None else _checks.suggested_delta(units)
        example = f"target_epsilon=3.0, target_delta={delta:.0g}{'' if steps_are_known else ', epochs=20'}"
        raise UsageError(
            f"Expected {' and '.join(', '.join(needed).rsplit(', ', 1))}, got no {' and no '.join(missing)}.",
            f"Pass them, for instance {example}; or a plan.",
        )


def _calibrated(wanted: Wanted, units: int, batch_size: int | None, steps: int | None) -> Plan:
    assert wanted.target_epsilon is not None and wanted.target_delta is not None  # noqa: S101, PT018
    return Plan.calibrate(
        epsilon=wanted.target_epsilon,
        delta=wanted.target_delta,
        dataset_size=units,
        batch_size=min(batch_size or units, units),
        epochs=wanted.epochs,
        steps=steps,
        l2_clip_norm=1.0 if wanted.l2_clip_norm is None else wanted.l2_clip_norm,
        unit=Unit.EXAMPLE if wanted.unit is None else wanted.unit,
        relation=_relation(wanted),
        clipping=wanted.clipping,
        sampling=wanted.sampling,
        rows_per_unit=1 if wanted.rows_per_unit is None else wanted.rows_per_unit,
    )


def _relation(wanted: Wanted) -> Relation:
    """The one that was asked for; otherwise the sampler's, where it has one only."""
    if wanted.relation is not None:
        return wanted.relation
    return Relation.ADD_OR_REMOVE_ONE if wanted.sampling is None else wanted.sampling.relations[0]
