"""A loop that was made private, from outside; what it does is tested through `make_private`, in test_private*.py."""

from __future__ import annotations

import torch

import reticent as rt
from reticent.training.loops import MARK


def test_it_says_how_far_it_is():
    data = torch.utils.data.TensorDataset(torch.randn(60, 2), torch.arange(60) % 2)
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plan = rt.Plan(2.0, dataset_size=60, batch_size=10, steps=12, delta=1e-3)
    private = rt.make_private(model, optimizer, torch.utils.data.DataLoader(data, batch_size=10), plan=plan)
    assert repr(private) == "Private(step 0 of 12, epsilon 0 so far)"
    assert getattr(optimizer, MARK)
    for x, y in private.loader:
        torch.nn.functional.cross_entropy(private.model(x), y).backward()
        assert not private.between_batches
        optimizer.step()
        assert private.between_batches
    assert repr(private).startswith("Private(step 6 of 12, epsilon ")
