"""Private batches: a fresh Poisson sample each, counted, none passed over; empty ones keep their shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.oracles.batches import batches_of
from torch.utils.data import DataLoader, TensorDataset

import reticent as rt
from reticent.errors import BudgetExhausted, UsageError
from reticent.training import PrivateLoader

N = 40
DATA = TensorDataset(torch.arange(N), torch.randn(N, 2, 3))


def loader_of(batch_size=8, steps=20, seed=0, data=DATA, **options):
    plan = rt.Plan(1.0, N, batch_size, steps, delta=1e-3)
    return PrivateLoader(DataLoader(data, **options), plan, rt.Randomness.simulated(seed))


def drawn(loader):
    """The batches of one epoch, each stepped on."""
    found = []
    for batch in loader:
        found.append(batch)
        loader.stepped()
    return found


def test_the_batches_are_the_samplers_in_order():
    loader = loader_of()
    found = [batch for _ in range(4) for batch in drawn(loader)]
    expected = batches_of(N, N // 5, 20, rt.Randomness.simulated(0))
    for (rows, values), wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(rows, wanted)
        assert torch.equal(values, DATA.tensors[1][wanted])


def test_every_epoch_has_its_share_of_steps_and_then_no_more_are_given():
    loader = loader_of(batch_size=15, steps=8)  # 40 / 15 = 2.67 steps an epoch
    lengths = []
    for _ in range(3):
        lengths.append(len(loader))
        drawn(loader)
    assert lengths == [3, 3, 2]
    assert loader.drawn == 8
    with pytest.raises(BudgetExhausted, match="at most 8 steps"):
        next(iter(loader))


def test_an_empty_batch_has_the_shape_and_type_of_the_others():
    empty = next(batch for batch in drawn(loader_of(batch_size=1, steps=40)) if len(batch[0]) == 0)
    assert empty[0].shape == (0,)
    assert empty[0].dtype == torch.int64
    assert empty[1].shape == (0, 2, 3)


def test_a_batch_passed_over_is_refused_and_counted():
    loader = loader_of()
    with pytest.raises(UsageError, match="the loop went on without"):
        list(loader)
    assert loader.drawn == 1


def test_worker_processes_give_the_same_batches():
    alone, helped = drawn(loader_of()), drawn(loader_of(num_workers=2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(alone, helped, strict=True))


def test_leaving_a_batch_by_a_break_is_refused_at_the_next():
    """Which batches are stepped on must not depend on what is in them."""
    loader = loader_of()
    next(iter(loader))
    with pytest.raises(UsageError, match="the loop went on without"):
        next(iter(loader))
    assert loader.drawn == 1
    loader.stepped()
    next(iter(loader))
    assert loader.drawn == 2


def test_two_iterators_cannot_pass_a_batch_over_either():
    loader = loader_of()
    first, second = iter(loader), iter(loader)
    next(first)
    with pytest.raises(UsageError, match="the loop went on without"):
        next(second)
