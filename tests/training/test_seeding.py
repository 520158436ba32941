"""torch's generator is set for a block and put back, whatever happens inside."""

from __future__ import annotations

import pytest
import torch

from reticent.randomness import Randomness
from reticent.training.ranks import Ranks
from reticent.training.seeding import generator_states, seeded, set_apart, set_generators, unchanged_modes


def test_repeats_under_a_simulation():
    draws = []
    for seed in (3, 3, 4):
        with seeded(Randomness.simulated(seed)):
            draws.append(torch.rand(5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_never_repeats_when_secure():
    draws = []
    for _ in range(2):
        with seeded(Randomness.secure()):
            draws.append(torch.rand(5))
    assert not torch.equal(*draws)


def test_two_blocks_from_one_stream_differ():
    source, draws = Randomness.simulated(3), []
    for _ in range(2):
        with seeded(source):
            draws.append(torch.rand(5))
    assert not torch.equal(*draws)


def test_the_state_outside_is_untouched():
    before = torch.get_rng_state()
    with seeded(Randomness.secure()):
        torch.rand(100)
    assert torch.equal(torch.get_rng_state(), before)


def fail_inside():
    with seeded(Randomness.secure()):
        torch.rand(100)
        raise RuntimeError("inside")


def test_the_state_is_put_back_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert torch.equal(torch.get_rng_state(), before)


def test_blocks_nest():
    with seeded(Randomness.simulated(1)):
        first = torch.rand(3), torch.rand(3)
    with seeded(Randomness.simulated(1)):
        one = torch.rand(3)
        with seeded(Randomness.simulated(2)):
            torch.rand(50)
        two = torch.rand(3)
    assert torch.equal(first[0], one)
    assert torch.equal(first[1], two)


def test_generators_go_back_to_where_they_were():
    states = generator_states()
    before = torch.rand(3)
    set_generators(states)
    assert torch.equal(torch.rand(3), before)


def test_one_process_keeps_its_generators():
    states = generator_states()
    set_apart(Ranks(), Randomness.simulated(0))
    assert all(map(torch.equal, generator_states(), states))


def test_parts_that_are_in_another_mode_stay_there():
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Sequential(torch.nn.Dropout()))
    model[1].eval()
    with pytest.raises(KeyError), unchanged_modes(model):
        model.eval()
        raise KeyError
    assert [module.training for module in model.modules()] == [True, True, False, False]
