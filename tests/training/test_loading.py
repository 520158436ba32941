"""Private batches: a fresh Poisson sample each, counted, none passed over; empty ones keep their shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.oracles.batches import batches_of
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import reticent as rt
from reticent.errors import BudgetExhausted, UsageError
from reticent.training import PrivateLoader
from reticent.training.loading import expected_batch_size, plain_loader
from reticent.training.ranks import Ranks

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


def test_a_distributed_sampler_is_taken_for_plain_shuffling():
    for rank in range(3):
        data = DataLoader(DATA, batch_size=4, sampler=DistributedSampler(DATA, num_replicas=3, rank=rank))
        assert plain_loader(data, Ranks(rank, 3)) == N
        assert expected_batch_size(data, Ranks(rank, 3)) == 12
        for other in (Ranks(), Ranks((rank + 1) % 3, 3), Ranks(0, 2)):
            with pytest.raises(UsageError, match=r"DistributedSampler of the .* processes.*Initialise"):
                plain_loader(data, other)
    assert expected_batch_size(DataLoader(DATA, batch_size=4, shuffle=True), Ranks(0, 3)) == 4


@pytest.mark.parametrize(
    ("sampler", "relation"),
    [
        (rt.privacy.Poisson(), "ADD_OR_REMOVE_ONE"),
        (rt.privacy.TruncatedPoisson(9), "ADD_OR_REMOVE_ONE"),
        (rt.privacy.RandomAllocation(2), "ADD_OR_REMOVE_ONE"),
        (rt.privacy.Cyclic(3), "ADD_OR_REMOVE_ONE"),
        (rt.privacy.FixedSize(), "REPLACE_ONE"),
        (rt.privacy.WithReplacement(), "REPLACE_ONE"),
        (rt.privacy.Shuffled(), "REPLACE_ONE"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
@pytest.mark.parametrize("secure", [False, True])
def test_processes_share_the_batches_of_any_sampler(sampler, relation, secure):
    """With a key that all hold, or simulated: the union of the shares is the batch that one process draws."""

    def source():
        return rt.Randomness.shared(bytes(range(32))) if secure else rt.Randomness.simulated(1)

    plan = rt.Plan(1.0, N, 6, 20, delta=1e-3, sampling=sampler, relation=rt.Relation[relation])
    expected = batches_of(N, 6, 20, source(), sampler)
    shares = []
    for rank in range(3):
        loader = PrivateLoader(DataLoader(DATA), plan, source(), ranks=Ranks(rank, 3))
        shares.append([rows.tolist() for _ in range(3) for rows, _ in drawn(loader)])
    for number, batch in enumerate(expected):
        assert sorted(row for rank in range(3) for row in shares[rank][number]) == sorted(batch.tolist())


@pytest.mark.parametrize(("size", "most"), [(1, 3), (2, None), (2, 1), (3, 2), (4, 2)])
def test_processes_cut_their_shares_into_equally_many_parts(size, most):
    plan = rt.Plan(1.0, N, 4, 30, delta=1e-3)
    found = []
    for rank in range(size):
        loader = PrivateLoader(
            DataLoader(DATA), plan, rt.Randomness.simulated(1), physical_batch_size=most, ranks=Ranks(rank, size)
        )
        parts = []
        while loader.drawn < plan.steps:
            for rows, _ in loader:
                parts.append((rows.tolist(), loader.waiting.last, loader.drawn, loader.waiting.batch))
                loader.stepped()
        found.append(parts)
    assert len({tuple((last, number, mark) for _, last, number, mark in parts) for parts in found}) == 1
    assert all(most is None or len(rows) <= most for parts in found for rows, *_ in parts)
    batches = batches_of(N, 4, 30, rt.Randomness.simulated(1))
    for number, batch in enumerate(batches, 1):
        union = [row for parts in found for rows, _, drawn, _ in parts if drawn == number for row in rows]
        assert sorted(union) == batch.tolist()
    if size > 1:
        assert len({mark for *_, mark in found[0]}) == len(batches)  # batches are told apart, empty ones too
