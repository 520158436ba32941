"""Gradients of a private step, and no others; how loops make such processes_at_work is in `test_private_misuse`."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reticent.errors import UsageError
from reticent.training.written import Written, optimized_names


def test_only_what_was_written_may_be_there() -> None:
    model = nn.Linear(2, 1)
    parameters = dict(model.named_parameters())
    written = Written(parameters)
    written.refuse_others(parameters)
    written.write(parameters, {"weight": torch.ones(1, 2, dtype=torch.float64), "bias": torch.zeros(1)})
    assert parameters["weight"].grad is not None
    assert parameters["weight"].grad.dtype == torch.float32
    written.refuse_others(parameters)
    parameters["weight"].grad += 1.0
    with pytest.raises(UsageError, match="weight has another one"):
        written.refuse_others(parameters)
    parameters["weight"].grad = torch.zeros(1, 2)
    written.refuse_others(parameters)  # nothing is lost
    written.write(parameters, {})
    assert parameters["weight"].grad is None


def test_what_is_not_trained_gets_no_gradient() -> None:
    model = nn.Linear(2, 1)
    parameters = dict(model.named_parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert optimized_names(model, optimizer) == ["weight", "bias"]
    model.bias.requires_grad_(False)
    assert optimized_names(model, optimizer) == ["weight"]
    written = Written(["weight"])
    model.bias.grad = torch.ones(1)
    written.drop_others(optimizer, parameters)
    assert model.bias.grad is None
    model.bias.requires_grad_(True)
    with pytest.raises(UsageError, match="trainable parameters that make_private saw"):
        written.drop_others(optimizer, parameters)
    with pytest.raises(UsageError, match="parameters of this model only"):
        optimized_names(nn.Linear(2, 1), optimizer)
