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

__all__ = ["Wanted", "plan_for"]


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


def plan_for(plan: Plan | None, wanted: Wanted, *, units: int, batch_size: int | None) -> Plan:
    """The given plan, or a calibrated one.

    Args:
        plan: a ready plan.
        wanted: or what is asked of one.
        units: how many units the data have: rows, or people.
        batch_size: expected number of units in a batch.

    Raises:
        UsageError: both or neither; the plan is for another number of units.
    """
    if plan is None:
        return _calibrated(wanted, units, batch_size)
    both = [name for name, value in wanted._asdict().items() if value is not None]
    if both:
        raise UsageError(
            f"Expected either a plan, or what it is to be calibrated to, got a plan and {' and '.join(both)}.",
            "Say it in the plan, or leave the plan out.",
        )
    if plan.dataset_size != units:
        raise UsageError(
            f"Expected a plan for this data set of {units} records, got one for {plan.dataset_size}.",
            "Calibrate the plan with dataset_size=len(dataset), or for people with the number of people.",
        )
    return plan


def _calibrated(wanted: Wanted, units: int, batch_size: int | None) -> Plan:
    epsilon, delta, epochs = wanted.target_epsilon, wanted.target_delta, wanted.epochs
    if epsilon is None or delta is None or epochs is None:
        missing = [
            name
            for name, value in (("target_epsilon", epsilon), ("target_delta", delta), ("epochs", epochs))
            if value is None
        ]
        raise UsageError(
            f"Expected target_epsilon, target_delta and epochs, got no {' and no '.join(missing)}.",
            f"Pass them, for instance target_epsilon=3.0, target_delta={_checks.suggested_delta(units):.0g}, "
            "epochs=20; or a plan.",
        )
    return Plan.calibrate(
        epsilon=epsilon,
        delta=delta,
        dataset_size=units,
        batch_size=min(batch_size or units, units),
        epochs=epochs,
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
