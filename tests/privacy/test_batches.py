"""Batches by number: the same after a stop where they can be, and never against the sampler's law."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.errors import UsageError
from reticent.privacy import (
    Batches,
    Cyclic,
    FixedSize,
    Poisson,
    RandomAllocation,
    Shuffled,
    TruncatedPoisson,
    WithReplacement,
)
from reticent.randomness import Randomness

SAMPLERS = [
    Poisson(),
    TruncatedPoisson(7),
    FixedSize(),
    WithReplacement(),
    Shuffled(),
    RandomAllocation(),
    RandomAllocation(2),
    Cyclic(3),
]
SIZE, BATCH, STEPS = 40, 6, 30


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
@pytest.mark.parametrize("stop", [0, 1, 7, 13, 29])
def test_a_simulation_goes_on_to_the_bit(sampler, stop):
    whole = Batches(sampler, SIZE, BATCH, Randomness.simulated(2))
    batches = [whole[number].tolist() for number in range(STEPS)]
    before = Batches(sampler, SIZE, BATCH, Randomness.simulated(2))
    for number in range(stop):
        before[number]
    state = before.state(stop)
    after = Batches(sampler, SIZE, BATCH, Randomness.simulated(2))
    assert after.restored(state, stop, stop) == stop
    assert [after[number].tolist() for number in range(stop, STEPS)] == batches[stop:]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_secure_batches_are_fresh(sampler):
    one, other = (Batches(sampler, 500, 50, Randomness.secure()) for _ in range(2))
    assert [one[n].tolist() for n in range(4)] != [other[n].tolist() for n in range(4)]


def interrupted(sampler, stop, begun):
    """A secure run that saved before batch `stop`, begun up to `begun`, and was taken up again."""
    before = Batches(sampler, SIZE, BATCH, Randomness.secure())
    seen = {number: before[number].tolist() for number in range(stop)}
    state = before.state(stop)
    seen |= {number: before[number].tolist() for number in range(stop, begun)}
    after = Batches(sampler, SIZE, BATCH, Randomness.secure())
    number = after.restored(state, stop, begun)
    seen |= {one: after[one].tolist() for one in range(number, STEPS)}
    return seen, number


@pytest.mark.parametrize(("stop", "begun"), [(0, 0), (0, 3), (7, 7), (9, 12), (9, 16), (10, 11)])
def test_no_unit_is_in_a_pass_twice_though_it_was_interrupted(stop, begun):
    for _ in range(20):
        seen, _ = interrupted(Shuffled(), stop, begun)
        for turn in range(5):  # 7 batches a pass
            together = [unit for number, batch in seen.items() if number // 7 == turn for unit in batch]
            assert len(together) == len(set(together))


@pytest.mark.parametrize(("stop", "begun"), [(0, 0), (0, 3), (7, 7), (9, 12), (9, 16)])
def test_no_unit_is_allocated_twice_though_the_choices_are_not_kept(stop, begun):
    for _ in range(20):
        seen, number = interrupted(RandomAllocation(), stop, begun)
        assert number == -(-begun // 7) * 7  # the rest of a round is passed over
        for turn in range(5):
            together = [unit for number, batch in seen.items() if number // 7 == turn for unit in batch]
            assert len(together) == len(set(together))
    assert Batches(RandomAllocation(), SIZE, BATCH, Randomness.secure()).state(3) == {"choices": None}


@pytest.mark.parametrize(("stop", "begun"), [(0, 0), (0, 3), (9, 12)])
def test_groups_stay_for_the_whole_training(stop, begun):
    for _ in range(5):
        seen, number = interrupted(Cyclic(3), stop, begun)
        assert number == begun
        group = {unit: number % 3 for number, batch in seen.items() for unit in batch}
        assert all(group[unit] == number % 3 for number, batch in seen.items() for unit in batch)


def test_lost_groups_are_refused():
    after = Batches(Cyclic(3), SIZE, BATCH, Randomness.secure())
    with pytest.raises(UsageError, match="training by groups to have them"):
        after.restored({"choices": None}, 4, 5)


def test_what_is_over_is_not_drawn_again():
    batches = Batches(Shuffled(), SIZE, BATCH, Randomness.secure())
    batches[0], batches[8]
    batches.forget(8)
    with pytest.raises(UsageError, match="a turn that is over"):
        batches[1]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"dataset_size": 0}, "dataset_size >= 1"),
        ({"batch_size": 0}, "batch_size >= 1"),
        ({"batch_size": 11}, "batch_size <= 10"),
        ({"randomness": 7}, "Expected a Randomness"),
    ],
)
def test_bad_values_are_refused(values, text):
    known = {"sampler": Poisson(), "dataset_size": 10, "batch_size": 5, "randomness": Randomness.secure(), **values}
    with pytest.raises(ValueError, match=text):
        Batches(**known)


def test_batches_are_sorted_row_numbers():
    batches = Batches(Poisson(), 50, 15, Randomness.simulated(7))
    for number in range(20):
        assert batches[number].dtype == np.int64
        assert (np.diff(batches[number]) > 0).all()


def test_extreme_rates():
    everything = Batches(Poisson(), 5, 5, Randomness.secure())
    assert everything[0].tolist() == [0, 1, 2, 3, 4]
