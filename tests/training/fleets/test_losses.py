"""Terms, weighted, are what the loss of each model's batch is."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch.nn import functional

from reticent.training.fleets.losses import Terms

LOSSES = {
    "cross entropy": (functional.cross_entropy, "mean"),
    "its class": (torch.nn.CrossEntropyLoss(), "mean"),
    "smoothed": (torch.nn.CrossEntropyLoss(label_smoothing=0.2), "mean"),
    "smoothed by a partial": (functools.partial(functional.cross_entropy, label_smoothing=0.1), "mean"),
    "summed": (functools.partial(functional.cross_entropy, reduction="sum"), "sum"),
    "summed, its class": (torch.nn.CrossEntropyLoss(reduction="sum"), "sum"),
    "listed": (functools.partial(functional.cross_entropy, reduction="none"), "none"),
    "weighted by hand": (
        lambda out, y: (torch.tensor([1.0, 2.0, 5.0])[y] * functional.cross_entropy(out, y, reduction="none")).mean(),
        "mean",
    ),
    "in two parts": (lambda out, y: functional.nll_loss(functional.log_softmax(out, 1), y), "mean"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_terms_add_up_to_the_loss_and_its_derivative(name):
    """Of batches of 6 and 4 rows; the mean over whatever the loss gives is what the loop takes."""
    loss, reduction = LOSSES[name]
    torch.random.manual_seed(3)
    outputs = torch.randn(2, 6, 3, dtype=torch.double, requires_grad=True)
    labels = torch.randint(3, (2, 6))
    lengths = np.array([6, 4])
    terms = Terms(loss, reduction)
    weights = terms.weight(lengths)[:, None] * (np.arange(6) < lengths[:, None])
    found = terms(outputs, labels)
    assert found.shape == (2, 6)
    found.backward(torch.from_numpy(weights))
    for k, length in enumerate(lengths):
        one = outputs[k, :length].detach().requires_grad_()
        own = loss(one, labels[k, :length]).mean()
        own.backward()
        assert float((found[k].detach() * torch.from_numpy(weights[k])).sum()) == pytest.approx(
            float(own.detach()), rel=1e-7
        )
        torch.testing.assert_close(outputs.grad[k, :length], one.grad, rtol=1e-6, atol=1e-9)
        assert (outputs.grad[k, length:] == 0).all()
