"""Norms of gradients: those of plain autograd, one record after the other, whatever the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from reticent.attacks.membership import gradient_norm as scores
from reticent.attacks.membership.white_box import gradient_norms, layer_gradient_norms
from reticent.errors import ModelError
from reticent.models import TextClassifier

DRAW = np.random.default_rng(6)
X = DRAW.normal(size=(30, 5)).astype(np.float32)
Y = DRAW.integers(0, 3, 30)


def by_backward(model, x, y, call=None):
    """The oracle: backward() for each record alone."""
    model = model.double().eval()
    rows = []
    for one, label in zip(torch.from_numpy(x), torch.from_numpy(y), strict=True):
        model.zero_grad()
        inputs = one[None].double() if one.is_floating_point() else one[None]
        logits = model(inputs) if call is None else call(model, inputs)
        if logits.shape[-1] == 1:
            nn.functional.binary_cross_entropy_with_logits(logits.reshape(()), label.double()).backward()
        else:
            nn.functional.cross_entropy(logits, label[None]).backward()
        gradients = [torch.zeros(()) if p.grad is None else p.grad for p in model.parameters() if p.requires_grad]
        rows.append([float(g.norm()) for g in gradients])
    model.zero_grad(set_to_none=True)
    return np.array(rows)


class Deciding(nn.Module):
    """Decides in Python by what it sees: vmap cannot."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(5, 3), nn.Linear(5, 3)

    def forward(self, x):
        return self.one(x) if float(x.detach().sum()) > 0 else self.other(x)


def convolution():
    return nn.Sequential(nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.Flatten(), nn.Linear(12, 3))


def tied():
    model = nn.Sequential(nn.Linear(5, 5, bias=False), nn.Tanh(), nn.Linear(5, 5, bias=False), nn.Linear(5, 3))
    model[2].weight = model[0].weight
    return model


def frozen():
    model = nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.9), nn.Linear(4, 3))
    model[0].requires_grad_(False)
    return model


@pytest.mark.parametrize(
    "make", [lambda: nn.Linear(5, 3), convolution, tied, frozen, Deciding, lambda: nn.Linear(5, 1)]
)
def test_norms_are_those_of_backward(make):
    torch.manual_seed(1)
    model = make()
    y = Y % 2 if isinstance(model, nn.Linear) and model.out_features == 1 else Y
    found = layer_gradient_norms(model, X, y)
    total, minus = gradient_norms(model, X, y), scores(model, X, y)
    expected = by_backward(model, X, y)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert list(found) == trained
    np.testing.assert_allclose(np.stack(list(found.values()), axis=1), expected, rtol=2e-4, atol=1e-7)
    np.testing.assert_allclose(total, np.linalg.norm(expected, axis=1), rtol=2e-4)
    np.testing.assert_array_equal(minus, -total)


def test_parts_and_vmap_change_nothing(monkeypatch):
    import reticent.attacks.membership.white_box as module

    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    whole = gradient_norms(model, X, Y)
    monkeypatch.setattr(module, "_AT_ONCE", 7 * 4 * 75)
    np.testing.assert_allclose(gradient_norms(model, X, Y), whole, rtol=1e-6)
    monkeypatch.setattr(module, "_vectorised", module._looped)
    np.testing.assert_allclose(gradient_norms(model, X, Y), whole, rtol=1e-5)


def test_the_model_stays_as_it_was():
    model = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 3))
    model[3].weight.grad = torch.ones_like(model[3].weight)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradient_norms(model, X, Y)
    assert model.training
    assert model[1].training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(model[3].weight.grad, torch.ones_like(model[3].weight))
    assert model[0].weight.grad is None


def test_sure_answers_keep_their_digits():
    """Where 1 - p rounds to zero in single precision, gradients still differ."""
    model = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0], [1.0]]))
    x = np.array([[20.0], [25.0], [40.0], [60.0]], dtype=np.float32)
    found = gradient_norms(model, x, np.ones(4, dtype=np.int64))
    np.testing.assert_allclose(found, np.sqrt(2) * x[:, 0] / (1 + np.exp(x[:, 0].astype(float))), rtol=1e-5)


@pytest.mark.slow
def test_text_classifiers():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=6,
        num_labels=3,
    )
    model = transformers.BertForSequenceClassification(config)
    ids = DRAW.integers(1, 20, (5, 6))
    mask = (np.arange(6) < DRAW.integers(1, 7, (5, 1))).astype(np.int64)
    features = np.stack([ids * mask, mask], axis=1)
    found = gradient_norms(TextClassifier(model), features, Y[:5])
    call = lambda model, one: model(input_ids=one[:, 0], attention_mask=one[:, 1]).logits  # noqa: E731
    expected = np.linalg.norm(by_backward(model, features, Y[:5], call), axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_what_cannot_be_looked_into():
    with pytest.raises(ModelError, match="torch module"):
        gradient_norms(lambda x: x, X, Y)
    with pytest.raises(ModelError, match="none that require gradients"):
        gradient_norms(nn.Linear(5, 3).requires_grad_(False), X, Y)
    model = nn.Linear(5, 3)
    with torch.no_grad():
        model.weight.fill_(torch.nan)
    with pytest.raises(ModelError, match="NaN or infinity for 30 of 30"):
        gradient_norms(model, X, Y)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        gradient_norms(nn.Linear(4, 3), X, Y)
