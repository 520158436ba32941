"""Whatever a network keeps of a batch is found, wherever it hides it."""

from __future__ import annotations

import collections
import types

import numpy as np
import pytest
import torch
from torch import nn

from reticent.errors import ModelError
from reticent.training import PerExampleModel
from reticent.training.keeping import Kept


class Holder:
    __slots__ = ("value",)

    def __init__(self):
        self.value = None


class Network(nn.Module):
    shared = []  # noqa: RUF012

    def __init__(self, way):
        super().__init__()
        self.a, self.way = nn.Linear(3, 2), way
        self.q = nn.Parameter(torch.zeros(3))
        self.register_buffer("buffer", torch.zeros(3))
        self.listed, self.table, self.queue, self.chosen = [], {}, collections.deque(), set()
        self.space, self.holder, self.array = types.SimpleNamespace(deep={"x": [0]}), Holder(), np.zeros(3)
        self.number, self.plain = 0, torch.zeros(3)

    def forward(self, x):
        total = x.detach().sum(0)
        WAYS[self.way](self, total)
        return self.a(x)


def through_numpy(self, total):
    self.buffer.numpy()[:] = total.numpy()


WAYS = {
    "buffer": lambda self, total: self.buffer.add_(total),
    "buffer through data": lambda self, total: self.buffer.data.mul_(0.9).add_(total, alpha=0.1),
    "buffer through detach": lambda self, total: self.buffer.detach().copy_(total),
    "buffer through numpy": through_numpy,
    "buffer exchanged": lambda self, total: setattr(self, "buffer", total),
    "parameter through data": lambda self, total: self.q.data.add_(total),
    "parameter's data exchanged": lambda self, total: setattr(self.q, "data", total.clone()),
    "attribute": lambda self, total: setattr(self, "plain", total),
    "attribute in place": lambda self, total: self.plain.add_(total),
    "number": lambda self, total: setattr(self, "number", self.number + 1),
    "list": lambda self, total: self.listed.append(total),
    "dictionary": lambda self, total: self.table.update(x=total),
    "deque": lambda self, total: self.queue.append(total),
    "set": lambda self, total: self.chosen.add(len(self.chosen)),
    "namespace": lambda self, total: self.space.deep["x"].append(total),
    "object with slots": lambda self, total: setattr(self.holder, "value", total),
    "array": lambda self, total: self.array.__setitem__(0, self.array[0] + 1),
    "class attribute": lambda self, total: type(self).shared.append(total),
    "new attribute": lambda self, total: setattr(self, "late", total),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("loop", [False, True])
def test_it_is_refused(way, loop):
    model = Network(way)
    private = PerExampleModel(model)
    private._must_loop = loop or None
    with pytest.raises(ModelError, match="keeps nothing of the batch, but its forward pass changed"):
        private(torch.randn(4, 3))


def test_what_stays_is_fine_also_if_it_refers_to_itself():
    WAYS["nothing"] = lambda self, total: None
    model = Network("nothing")
    model.space.deep["self"] = model.space
    model.listed.append(model.listed)
    model.nan = float("nan")
    model.buffer[0] = torch.nan
    before = Kept(model)
    assert before.changed() is None
    private = PerExampleModel(model)
    private(torch.randn(4, 3)).sum().backward()
    assert private.gradients()["a.weight"].shape == (4, 2, 3)


def test_the_place_is_named():
    model = nn.Sequential(nn.Linear(3, 3), Network("deque"))
    with pytest.raises(ModelError, match=r"changed 1\.queue"):
        PerExampleModel(model)(torch.randn(4, 3))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 2)
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, x):
        self.seen = self.seen + 1.0
        return self.lin(x)


class Named(nn.Module):
    """A part whose name is that of its class."""

    def __init__(self):
        super().__init__()
        self.Block = Block()

    def forward(self, x):
        return self.Block(x)


def test_a_part_named_like_its_class_is_watched():
    with pytest.raises(ModelError, match=r"changed Block\.seen"):
        PerExampleModel(Named())(torch.randn(4, 3))


def test_classes_of_the_same_name_are_watched_apart():
    def make():
        class Layer(nn.Module):
            cache = []  # noqa: RUF012

            def forward(self, x):
                return x

        return Layer

    one, other = make(), make()
    model = nn.Sequential(one(), nn.Linear(3, 2), other())
    before = Kept(model)
    one.cache.append(1)
    assert before.changed() == "Layer.cache"


def test_what_belongs_to_the_library_that_trains_is_left_out():
    """A Lightning trainer hangs on its module, and changes all the time; to exchange it is still noticed."""
    trainer = type("Trainer", (), {"__module__": "lightning.pytorch.trainer.trainer"})
    own = type("Own", (trainer,), {"__module__": "script"})
    model = nn.Linear(2, 1)
    for kind in (trainer, own):
        model.watched = kind()
        before = Kept(model)
        model.watched.steps = 3
        assert before.changed() is None
        model.watched = kind()
        assert before.changed() == "watched"
