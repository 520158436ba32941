"""Networks sharded by FSDP2: whole where the gradient engine looks, shards everywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.training import processes, processes_at_work
from tests.training.processes import fit, network, parameters_of, private_of
from tests.training.worlds import World
from torch import nn

from reticent.training.ranks import Ranks
from reticent.training.sharding import Sharding, is_sharded, is_spread, local, plain_network, sharded_like, whole


def assert_close(found: dict[str, Any], expected: dict[str, Any], tolerance: float = 2e-5) -> None:
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert np.allclose(value, expected[name], rtol=0, atol=tolerance), name


@pytest.mark.slow
def test_parameters_may_be_sharded_along_any_dimension(world: Callable[[int], World]) -> None:
    private = private_of(network(8))
    fit(private)
    for found in world(2).run(processes_at_work.along_other_dimensions):
        assert_close(found, parameters_of(private.model.module))


@pytest.mark.slow
def test_modules_may_be_sharded_in_one_group(world: Callable[[int], World]) -> None:
    private = private_of(network())
    fit(private)
    for found in world(2).run(processes_at_work.in_one_group):
        assert_close(found, parameters_of(private.model.module))


@pytest.mark.slow
def test_a_loop_may_pass_over_empty_batches(world: Callable[[int], World]) -> None:
    expected = processes_at_work.passing_over_empty_batches("plain")
    for found in (*world(2).run(processes_at_work.passing_over_empty_batches, "fsdp"),):
        assert_close(found, expected)


@pytest.mark.slow
def test_a_look_at_the_network_between_forward_and_backward_changes_nothing(world: Callable[[int], World]) -> None:
    for found in world(2).run(processes_at_work.evaluated_in_between):
        assert_close(found, processes_at_work.plainly())


@pytest.mark.slow
def test_a_mixed_precision_policy_is_followed(world: Callable[[int], World]) -> None:
    """Against autocast, which casts the same products: equal up to the rounding of bfloat16, 2^-9 of a step."""
    expected = processes_at_work.in_half_precision("plain")
    start = parameters_of(network())
    for found in world(2).run(processes_at_work.in_half_precision, "fsdp"):
        assert_close(found, expected, 4e-3)
        assert any(np.abs(found[name] - start[name]).max() > 0.1 for name in found)
        assert any(np.abs(found[name] - expected[name]).max() > 1e-6 for name in found)  # it was in half precision


def test_a_network_of_one_process_is_left_alone() -> None:
    model = nn.Linear(2, 1)
    sharding = Sharding(model)
    before = list(model.parameters())
    with sharding.held():
        sharding.open()
        assert list(map(id, model.parameters())) == list(map(id, before))
    assert not sharding.active
    assert not is_spread(model)
    assert plain_network(model, Ranks()) is model
    value = torch.ones(3)
    assert not is_sharded(value)
    assert local(value) is value
    assert whole(value) is value
    assert sharded_like(value, model.weight) is value


@pytest.mark.slow
def test_rt_train_takes_networks_of_each_kind(world: Callable[[int], World], tmp_path: Any) -> None:
    alone, steps, assumptions = processes_at_work.trained("plain")
    for size, kind in ((2, "ddp"), (4, "fsdp"), (2, "plain")):
        for found, done, also in world(size).run(
            processes_at_work.trained, kind, 3, str(tmp_path / f"{size} {kind}.state")
        ):
            assert_close(found, alone)
            assert done == steps
            assert set(assumptions) < set(also)
    first, second = world(2).run(processes_at_work.trained, "fsdp", None)
    assert all(np.array_equal(first[0][name], second[0][name]) for name in first[0])
    assert_is_other = [not np.allclose(first[0][name], alone[name], atol=1e-3) for name in alone]
    assert any(assert_is_other)


@pytest.mark.slow
def test_each_process_may_train_by_itself(world: Callable[[int], World]) -> None:
    assert world(2).run(processes_at_work.by_itself) == [10 + processes.N] * 2
    assert world(2).run(processes_at_work.recipe) == [4, 4]


@pytest.mark.slow
def test_whole_parameters_are_held_and_whole_sums_are_not(world: Callable[[int], World]) -> None:
    """What the module's page says of memory, in units of the network: twelve equal layers, four processes."""
    for forward_and_backward, adding_up, kept in world(4).run(processes_at_work.memory_of_sums, "fsdp"):
        assert 0.9 < forward_and_backward < 1.3
        assert kept == 0.25
        assert adding_up < 0.25 + 3 / 12
