"""Trials on a few records find what they should and change nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import reticent as rt
from reticent.errors import UsageError
from reticent.training import PerExampleModel, memory
from reticent.training.trials import fitting_on_trial, most_of, order_on_trial, reduction_on_trial

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


# The order of rows ------------------------------------------------------------------------------------------------

TEXTS = [{"ids": torch.arange(1, 2 + k % 7) * (k + 1), "label": k % 2} for k in range(80)]
TRIED = ("collation keeps the order of the rows (tried on some records)",)
UNKNOWN = ("collation keeps the order of the rows (not checked)",)


def padded(examples, side="right", longest=0):
    longest = max(longest, *(len(one["ids"]) for one in examples))
    ends = [(0, longest - len(one["ids"])) for one in examples]
    rows = [
        nn.functional.pad(one["ids"], end if side == "right" else end[::-1])
        for one, end in zip(examples, ends, strict=True)
    ]
    ids = torch.stack(rows)
    return {"ids": ids, "more": [(ids > 0).long(), torch.tensor([one["label"] for one in examples])]}


def masked(examples):
    batch = padded(examples)
    batch["ids"] = batch["ids"] * (torch.rand(batch["ids"].shape) < 0.5)
    return batch


def mixed(examples):
    batch = padded(examples)
    return {**batch, "ids": (batch["ids"] + batch["ids"].flip(0)) / 2}


def by_length(examples):
    return sorted(examples, key=lambda one: -len(one["ids"]))


def emptying(examples):
    return padded([{"ids": one.pop("ids"), "label": one["label"]} for one in examples])


def order_of(collate, data=TEXTS, rows=2):
    return order_on_trial(DataLoader(data, batch_size=20, collate_fn=collate), rows)


@pytest.mark.parametrize(
    ("collate", "found"),
    [
        (padded, TRIED),
        (lambda examples: padded(examples, "left"), TRIED),
        (lambda examples: padded(examples, longest=9), TRIED),
        (emptying, TRIED),
        (masked, UNKNOWN),
        (lambda examples: padded(examples)["ids"].T, UNKNOWN),  # the batch is not in front
        (lambda examples: 1 / 0, UNKNOWN),
        (lambda examples: [one["ids"] for one in examples], UNKNOWN),
    ],
)
def test_collations_that_keep_the_order(collate, found):
    state = torch.get_rng_state()
    assert order_of(collate) == found
    assert order_of(collate, rows=1) == ()
    assert torch.equal(torch.get_rng_state(), state)
    assert all("ids" in one for one in TEXTS)


@pytest.mark.parametrize(
    "collate",
    [
        lambda examples: padded(by_length(examples)),
        lambda examples: masked(by_length(examples)),  # what is not masked tells
        lambda examples: padded(sorted(examples, key=lambda one: one["label"])),
        lambda examples: padded([examples[i] for i in torch.randperm(len(examples))]),
        lambda examples: {**padded(examples), "ids": padded(by_length(examples))["ids"]},
        mixed,
    ],
)
@pytest.mark.parametrize("data", [TEXTS, by_length(TEXTS), by_length(TEXTS)[::-1]], ids=["mixed", "down", "up"])
def test_collations_that_do_not_are_refused(collate, data):
    with pytest.raises(UsageError, match="keeps the order of its examples"):
        order_of(collate, data)


def test_equal_records_may_change_places():
    assert order_on_trial(LOADER, 2) == TRIED
    few = TensorDataset(Y.double())
    assert order_on_trial(DataLoader(few, batch_size=20), 2) == TRIED  # two kinds of records
    assert order_on_trial(DataLoader(TensorDataset(torch.ones(9)), batch_size=3), 2) == UNKNOWN
    assert order_on_trial(DataLoader(TensorDataset(torch.ones(1)), batch_size=1), 2) == UNKNOWN
