"""Trials on a few records find what they should and change nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import reticent as rt
from reticent.training import PerExampleModel, memory
from reticent.training.trials import fitting_on_trial, most_of, reduction_on_trial

X, Y = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2
LOADER = DataLoader(TensorDataset(X, Y), batch_size=20)
PLAN = rt.Plan(1.0, 40, 20, 5, delta=1e-3)


def test_no_batch_is_larger_than_most():
    assert most_of(PLAN) == 40
    assert most_of(rt.Plan(1.0, 10**6, 10_000, 5, delta=1e-9)) == 10_800


def test_reductions():
    model = nn.Linear(6, 2)
    for reduction in ("mean", "sum", "none"):
        assert reduction_on_trial(nn.CrossEntropyLoss(reduction=reduction), model, LOADER) == reduction


@pytest.mark.parametrize("views", [1, 3])
def test_a_batch_is_cut_only_where_memory_is_short(monkeypatch, views):
    model = PerExampleModel(nn.Sequential(nn.Linear(6, 1000), nn.Dropout(0.5), nn.Linear(1000, 2)), views=views)
    state = torch.get_rng_state()
    assert fitting_on_trial(model, LOADER, PLAN, views) is None
    monkeypatch.setattr(memory, "available_bytes", lambda device: 500_000 * views)
    found = fitting_on_trial(model, LOADER, PLAN, views)
    assert found is not None
    assert 1 <= found < 40
    assert torch.equal(torch.get_rng_state(), state)
    assert model.pending is None
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_loop_that_calls_otherwise_gets_whole_batches(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda device: 500_000)
    loader = DataLoader([{"x": x} for x in X], batch_size=20)
    assert fitting_on_trial(PerExampleModel(nn.Linear(6, 2)), loader, PLAN, 1) is None
