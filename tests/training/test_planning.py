"""From arguments to a plan: never both, never neither, never for another number of units."""

from __future__ import annotations

import pytest

import reticent as rt
from reticent.errors import UsageError
from reticent.privacy import FixedSize, Relation, Unit
from reticent.training.planning import Wanted, plan_for, refuse_unclear

READY = rt.Plan(1.0, dataset_size=100, batch_size=10, steps=5, delta=1e-3)


def test_a_plan_is_taken_as_it_is():
    assert plan_for(READY, Wanted(), units=100, batch_size=7) is READY


def test_one_is_calibrated_to_what_was_asked():
    wanted = Wanted(target_epsilon=2.0, target_delta=1e-3, epochs=3, unit=Unit.PERSON, rows_per_unit=2)
    plan = plan_for(None, wanted, units=100, batch_size=10)
    assert 1.99 <= plan.guarantee().epsilon(1e-3) <= 2.0
    assert (plan.unit, plan.rows_per_unit, plan.steps, plan.l2_clip_norm) == (Unit.PERSON, 2, 30, 1.0)
    assert plan_for(None, wanted, units=5, batch_size=None).batch_size == 5


def test_a_sampler_brings_the_relation_that_it_needs():
    wanted = Wanted(target_epsilon=2.0, target_delta=1e-3, epochs=3, sampling=FixedSize())
    assert plan_for(None, wanted, units=100, batch_size=10).relation is Relation.REPLACE_ONE
    with pytest.raises(UsageError, match="REPLACE_ONE with FixedSize"):
        plan_for(None, wanted._replace(relation=Relation.ADD_OR_REMOVE_ONE), units=100, batch_size=10)


@pytest.mark.parametrize(
    ("plan", "wanted", "text"),
    [
        (READY, Wanted(epochs=3), "either a plan, or what it is to be calibrated to, got a plan and epochs"),
        (READY, Wanted(epochs=3, sampling=FixedSize()), "a plan and epochs and sampling"),
        (None, Wanted(), "got no target_epsilon and no target_delta and no epochs"),
        (None, Wanted(target_epsilon=1.0, epochs=2), "got no target_delta"),
    ],
)
def test_both_and_neither_are_refused(plan, wanted, text):
    with pytest.raises(UsageError, match=text):
        plan_for(plan, wanted, units=100, batch_size=10)


def test_a_plan_for_other_data_is_refused():
    with pytest.raises(UsageError, match="a plan for this data set of 90 records, got one for 100"):
        plan_for(READY, Wanted(), units=90, batch_size=10)


def test_steps_that_somebody_else_decides_on():
    wanted = Wanted(target_epsilon=2.0, target_delta=1e-3)
    assert plan_for(None, wanted, units=100, batch_size=30, steps=7).steps == 7
    assert plan_for(READY, Wanted(), units=100, batch_size=30, steps=5) is READY
    with pytest.raises(UsageError, match="a plan for the 6 steps of this trainer, got one for 5"):
        plan_for(READY, Wanted(), units=100, batch_size=30, steps=6)
    with pytest.raises(UsageError, match="either epochs or steps"):
        plan_for(None, wanted._replace(epochs=2), units=100, batch_size=30, steps=7)


def test_what_is_unclear_is_refused_before_the_data_are_known():
    refuse_unclear(READY, Wanted(), steps_are_known=True)
    refuse_unclear(None, Wanted(target_epsilon=2.0, target_delta=1e-3), steps_are_known=True)
    with pytest.raises(UsageError, match=r"Expected target_epsilon and target_delta, got no target_delta\."):
        refuse_unclear(None, Wanted(target_epsilon=2.0), steps_are_known=True)
    with pytest.raises(UsageError, match=r"target_epsilon, target_delta and epochs, got no epochs\."):
        refuse_unclear(None, Wanted(target_epsilon=2.0, target_delta=1e-3), steps_are_known=False)
