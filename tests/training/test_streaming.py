"""Data that can only be read in order: each record once in a pass, and charged so."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, IterableDataset

import reticent as rt
from reticent.errors import DataError, UsageError
from reticent.privacy import Relation, SampledGaussian, Streamed
from reticent.training.streaming import Stream, streaming_loader

N = 23


class Numbers(IterableDataset):
    """Records that count how often each was given."""

    def __init__(self, size=N):
        self.size, self.given = size, [0] * size

    def __iter__(self):
        for place in range(self.size):
            self.given[place] += 1
            yield torch.full((3,), float(place)), place % 2


def plan_of(steps=10, **changes):
    values = {"dataset_size": N, "batch_size": 5, "steps": steps, "delta": 1e-3, "relation": Relation.REPLACE_ONE}
    return rt.Plan(1.0, **{**values, "sampling": Streamed(), **changes})


def private_of(data, plan, **more):
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return rt.make_private(model, optimizer, DataLoader(data, batch_size=5), plan=plan, loss=cross_entropy, **more)


def seen_in(private):
    seen = []
    while private.loader.drawn < private.plan.steps:
        for x, y in private.loader:
            seen.append(x[:, 0].long().tolist())
            private.optimizer.zero_grad()
            cross_entropy(private.model(x), y).backward()
            private.optimizer.step()
    return seen


def test_every_record_once_in_a_pass_in_order():
    data = Numbers()
    private = private_of(data, plan_of())
    batches = [list(range(k, min(k + 5, N))) for k in range(0, N, 5)]
    assert seen_in(private) == batches * 2
    assert private.guarantee.mechanisms == (SampledGaussian(1.0, 1.0, 2),)
    assert "none twice in a pass" in private.guarantee.text(1e-3)
    assert max(data.given) <= 2  # what was tried before the first batch was not read again


def test_in_parts_too():
    private = private_of(Numbers(), plan_of(5), physical_batch_size=2)
    assert [row for part in seen_in(private) for row in part] == list(range(N))


def test_it_goes_on_where_it_was(tmp_path):
    first = private_of(Numbers(), plan_of(5), randomness=rt.Randomness.simulated(1))
    for step, (x, y) in enumerate(first.loader):
        cross_entropy(first.model(x), y).backward()
        first.optimizer.step()
        if step == 1:
            first.save(tmp_path / "state")
            break
    second = private_of(Numbers(), plan_of(5), randomness=rt.Randomness.simulated(1))
    second.restore(tmp_path / "state")
    assert seen_in(second) == [list(range(10, 15)), list(range(15, 20)), list(range(20, 23))]


def test_a_stream_that_is_too_short_is_not_used_again():
    with pytest.raises(DataError, match="Expected 23 records in each pass of the stream, got 12"):
        private_of(Numbers(12), plan_of())
    later = private_of(Numbers(280), plan_of(6, dataset_size=290, batch_size=50))  # 256 are looked at first
    with pytest.raises(DataError, match="Expected 290 records in each pass of the stream, got 280"):
        seen_in(later)


def test_memory_holds_no_more_than_a_batch():
    stream = Stream(Numbers(), N)
    assert (len(stream), float(stream[3][0][0])) == (N, 3.0)
    stream.forget(3)
    assert float(stream[4][0][0]) == 4.0
    assert sorted(stream._kept) == [3, 4]
    with pytest.raises(UsageError, match="a record from place 3 on, got 2"):
        stream[2]
    stream.forget(20)  # as after a stop: those between are read, and dropped
    assert float(stream[21][0][0]) == 21.0
    assert sorted(stream._kept) == [20, 21]
    stream.forget(0)
    assert float(stream[0][0][0]) == 0.0


@pytest.mark.parametrize(
    ("loader", "plan", "views", "text"),
    [
        (DataLoader(Numbers(), batch_size=5), None, 1, "got a stream: its records come in an order"),
        (
            DataLoader(Numbers(), batch_size=5),
            rt.Plan(1.0, dataset_size=N, batch_size=5, steps=3, delta=1e-3),
            1,
            r"sampling=Streamed\(\)",
        ),
        (DataLoader(Numbers(), batch_size=5, num_workers=2), plan_of(), 1, "num_workers=2: every worker"),
        (DataLoader(Numbers(), batch_size=5), plan_of(), 2, "a record comes once"),
    ],
)
def test_what_does_not_fit_a_stream(loader, plan, views, text):
    with pytest.raises(UsageError, match=text):
        streaming_loader(loader, plan, views)


def test_records_can_be_used_in_order_too():
    x, y = torch.randn(N, 3), torch.arange(N) % 2
    run = rt.train(torch.nn.Linear(3, 2), (x, y), plan=plan_of(6))
    assert run.guarantee.mechanisms == (SampledGaussian(1.0, 1.0, 2),)
