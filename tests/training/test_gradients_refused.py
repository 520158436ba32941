"""`PerExampleModel` refuses what has no gradient of its own for each example."""

from __future__ import annotations

import collections

import pytest
import torch
from tests.training.engine.cases import Fn
from torch import nn

from reticent.errors import ModelError
from reticent.training import PerExampleModel


class Counting(nn.Module):
    """Keeps a mean of its inputs, changed in place or replaced."""

    def __init__(self, replace):
        super().__init__()
        self.a = nn.Linear(5, 2)
        self.register_buffer("seen", torch.zeros(()))
        self.replace = replace

    def forward(self, x):
        if self.replace:
            self.seen = self.seen + x.detach().mean()
        else:
            self.seen += x.detach().mean()
        return self.a(x)


@pytest.mark.parametrize("replace", [False, True])
def test_a_network_that_keeps_something_of_the_batch_is_refused(replace):
    with pytest.raises(ValueError, match="forward pass changed seen"):
        PerExampleModel(Counting(replace))(torch.ones(3, 5))


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (nn.BatchNorm1d(5), r"inner \(BatchNorm1d\) mixes them.*GroupNorm"),
        (nn.BatchNorm2d(5, track_running_stats=False), r"inner \(BatchNorm2d\) mixes them"),
        (nn.SyncBatchNorm(5), r"inner \(SyncBatchNorm\) mixes them"),
        (nn.LazyBatchNorm1d(), r"inner \(LazyBatchNorm1d\) mixes them"),
        (nn.InstanceNorm1d(5, track_running_stats=True), r"inner \(InstanceNorm1d\) keeps them"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_mixing_modules_are_refused_by_name(part, text):
    model = nn.Sequential(collections.OrderedDict(first=nn.Linear(5, 5), inner=part))
    with pytest.raises(ValueError, match=text):
        PerExampleModel(model)


def test_uninitialised_networks_are_refused():
    with pytest.raises(ValueError, match=r"weight has no shape yet.*Pass one batch"):
        PerExampleModel(nn.LazyLinear(3))


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_embeddings_that_rescale_the_rows_they_see_are_refused(kind):
    with pytest.raises(ValueError, match=r"rescales the rows.*without max_norm"):
        PerExampleModel(kind(5, 2, max_norm=1.0))


def test_a_forward_pass_that_changes_parameters_is_refused():
    model = Fn(lambda self, ids: nn.functional.embedding(ids, self.w, max_norm=0.1), w=nn.Parameter(torch.ones(5, 2)))
    with pytest.raises(ValueError, match="forward pass changed w"):
        PerExampleModel(model)(torch.tensor([[1, 2], [3, 4]]))


def test_nothing_to_train_is_refused():
    with pytest.raises(ValueError, match="trainable parameters, got none"):
        PerExampleModel(nn.Linear(5, 2).requires_grad_(False))


def test_second_forward_is_refused_until_the_first_is_forgotten():
    private, x = PerExampleModel(nn.Linear(5, 2)), torch.ones(3, 5)
    private(x)
    with pytest.raises(ValueError, match="got a second one before"):
        private(x)
    private.forget()
    assert private.pending is None
    private(x)
    assert private.pending == 3


def test_gradients_before_a_forward_are_refused():
    with pytest.raises(ValueError, match="got none"):
        PerExampleModel(nn.Linear(5, 2)).gradients()


@pytest.mark.parametrize(
    "inputs",
    [
        (torch.zeros(3, 5), torch.zeros(4, 5)),
        (torch.zeros(3, 5), torch.tensor(2.0)),
        (1.0,),
        (torch.zeros(3, 5), {"mask": torch.zeros(3, 5)}),
        (torch.zeros(3, 5), [torch.zeros(3, 5)]),
        (torch.zeros(3, 5), (1, torch.zeros(3, 5))),
        (torch.zeros(3, 5), torch.zeros(3, 5).numpy()),
    ],
)
def test_inputs_that_cannot_be_split_by_example_are_refused(inputs):
    """A tensor inside a container would reach every example whole: each gradient would depend on the others."""
    model = Fn(lambda self, x, *_: self.a(x), a=nn.Linear(5, 2))
    with pytest.raises(ValueError, match="batch as first dimension"):
        PerExampleModel(model)(*inputs)


@pytest.mark.parametrize("loop", [False, True])
def test_outputs_without_the_batch_in_front_are_refused(loop):
    def forward(self, x):
        if loop:
            x.sum().item()
        return self.a(x).transpose(0, 1)

    with pytest.raises(ValueError, match="outputs with the batch as first dimension"):
        PerExampleModel(Fn(forward, a=nn.Linear(5, 2)))(torch.zeros(3, 4, 5))


def test_other_outputs_are_refused():
    with pytest.raises(ValueError, match="Expected tensors as outputs, got str"):
        PerExampleModel(Fn(lambda self, x: "x", a=nn.Linear(5, 2)))(torch.zeros(3, 5))


class Remembers(nn.Module):
    """Keeps something of the batch where no buffer shows it."""

    def __init__(self, how):
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.kept = torch.zeros(3) if how == "tensor" else []
        self.count = 0
        self.how = how

    def forward(self, x):
        h = self.linear(x)
        if self.how == "tensor":
            self.kept = h.detach().mean(0)
        elif self.how == "list":
            self.kept.append(float(h.detach().sum()))
        elif self.how == "number":
            self.count += 1
        return h


@pytest.mark.parametrize(("how", "name"), [("tensor", "kept"), ("list", "kept"), ("number", "count")])
def test_what_is_kept_in_a_plain_attribute_is_refused(how, name):
    model = PerExampleModel(nn.Sequential(Remembers(how), nn.Linear(3, 2)))
    with pytest.raises(ModelError, match=rf"keeps nothing of the batch.*changed 0\.{name}"):
        model(torch.ones(2, 3))


def test_attributes_that_stay_are_fine():
    model = PerExampleModel(nn.Sequential(Remembers("nothing"), nn.LSTM(3, 2, batch_first=True)))
    model(torch.ones(2, 4, 3))
