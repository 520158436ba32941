"""What training draws: the plan's own batches, and shuffled passes without a promise."""

from __future__ import annotations

import numpy as np
import pytest

import reticent as rt
from reticent.privacy import Batches, FixedSize, Relation
from reticent.randomness import Randomness
from reticent.training import planned_batches, shuffled_batches


def test_planned_batches_are_those_of_the_plans_sampler():
    plan = rt.Plan(
        1.0, dataset_size=40, batch_size=7, steps=9, delta=1e-3, relation=Relation.REPLACE_ONE, sampling=FixedSize()
    )
    planned = planned_batches(plan, Randomness.simulated(3))
    own = Batches(FixedSize(), 40, 7, Randomness.simulated(3))
    for number in range(9):
        batch = planned[number]
        assert len(batch) == 7
        np.testing.assert_array_equal(batch, own[number])


def test_a_shuffle_visits_every_record_once():
    batches = list(shuffled_batches(23, batch_size=5, randomness=Randomness.simulated(12)))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 3]
    assert sorted(np.concatenate(batches)) == list(range(23))


def test_a_shuffle_refuses_empty_batches():
    with pytest.raises(ValueError, match="batch_size >= 1"):
        list(shuffled_batches(10, batch_size=0, randomness=Randomness.secure()))
