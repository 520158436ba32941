"""Choices that last for several batches; their laws are tested with those of all samplers, in test_samplers.py."""

from __future__ import annotations

import pytest
from tests.oracles.batches import batches_of

from reticent.privacy import Cyclic, Poisson, RandomAllocation, Relation, Shuffled, Streamed
from reticent.randomness import Randomness


@pytest.mark.parametrize(
    ("sampler", "length"),
    [(Poisson(), 1), (Shuffled(), 15), (RandomAllocation(), 15), (RandomAllocation(uses=3), 43), (Cyclic(4), None)],
    ids=repr,
)
def test_how_long_a_turn_is(sampler, length):
    """100 units in batches of 7: 14 and a rest; three uses of each in 42.9 batches."""
    assert sampler.turn(100, 7) == length


@pytest.mark.parametrize(("steps", "passes"), [(1, 1), (15, 1), (16, 2), (30, 2), (31, 3)])
def test_what_was_begun_is_charged_whole(steps, passes):
    (shuffled,) = Shuffled().mechanisms(1.0, 100, 7, steps)
    (allocated,) = RandomAllocation().mechanisms(1.0, 100, 7, steps)
    assert (shuffled.count, allocated.count) == (passes, passes)


def test_a_stream_is_used_in_order_and_costs_one_sum_a_pass():
    batches = batches_of(23, 5, 10, Randomness.secure(), Streamed())
    assert [batch.tolist() for batch in batches[:5]] == [list(range(k, min(k + 5, 23))) for k in range(0, 23, 5)]
    assert [batch.tolist() for batch in batches[5:]] == [batch.tolist() for batch in batches[:5]]
    for steps in (1, 5, 6, 10, 11):
        assert Streamed().mechanisms(1.0, 23, 5, steps) == Shuffled().mechanisms(1.0, 23, 5, steps)
    assert Streamed().relations == (Relation.REPLACE_ONE,)


def test_only_an_allocation_has_to_stay_unknown():
    assert not RandomAllocation().is_public
    assert Shuffled().is_public
    assert Cyclic(3).is_public
