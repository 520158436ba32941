"""A stack trains every model as the recipe does by itself: same numbers, same batches, same number of steps."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from reticent.data import Records
from reticent.errors import DataError
from reticent.randomness import Randomness
from reticent.training.fleets.layers import NoLayer
from reticent.training.fleets.stacks import Stack, Unlike, Way, built, inputs_for


def trained(recipe, pool, masks, streams, name="by hand", reduction="mean"):
    models = [built(recipe, stream) for stream in streams]
    stack = Stack(recipe, pool, models, Way(name, len(models), reduction=reduction))
    stack.train(masks, streams)
    return stack.answers()


OPTIMIZERS = {
    "adam": functools.partial(torch.optim.Adam, lr=0.02),
    "momentum": functools.partial(torch.optim.SGD, lr=0.05, momentum=0.9, weight_decay=0.01),
    "rmsprop": functools.partial(torch.optim.RMSprop, lr=0.01),
}


@pytest.mark.parametrize("name", ["by hand", "vmap"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_in_double_precision_answers_are_those_of_each_model_alone(
    name, optimizer, recipe, table, masks, streams, one_by_one
):
    made = recipe(optimizer=OPTIMIZERS[optimizer])
    expected = one_by_one(made, table, masks, streams)
    found = trained(made, table, masks, streams, name)
    assert np.abs(found - expected).max() < 1e-9
    assert np.abs(expected - expected[:1]).max() > 0.01  # the models do differ


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_by_formula_too(optimizer, recipe, table, masks, streams, one_by_one):
    def network():
        return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 40, bias=False), nn.ReLU(), nn.Linear(40, 3))

    made = recipe(lambda: network().double(), OPTIMIZERS[optimizer])
    expected = one_by_one(made, table, masks, streams)
    assert np.abs(trained(made, table, masks, streams, "by formula") - expected).max() < 1e-9


@pytest.mark.parametrize("name", ["by formula", "by hand", "vmap"])
def test_images_too(name, recipe, images, streams, one_by_one):
    def network():
        between = nn.Identity() if name == "by formula" else nn.GroupNorm(2, 4)
        return nn.Sequential(
            nn.Conv2d(2, 4, 3), between, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3)
        ).double()

    made = recipe(network, epochs=3, batch_size=7)
    masks = np.random.default_rng(1).random((6, len(images))) < 0.5
    assert np.abs(trained(made, images, masks, streams, name) - one_by_one(made, images, masks, streams)).max() < 1e-9


@pytest.mark.parametrize("name", ["by formula", "by hand"])
@pytest.mark.parametrize("batch_size", [1, 11, 25, 1000])
def test_whatever_the_batch_size(batch_size, name, recipe, table, masks, streams, one_by_one):
    """Larger than some parts, than all parts, and one row."""
    made = recipe(lambda: nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double(), batch_size=batch_size)
    found = trained(made, table, masks, streams, name)
    assert np.abs(found - one_by_one(made, table, masks, streams)).max() < 1e-9


def test_a_formula_for_cross_entropy_only(recipe, table, streams):
    made = recipe(lambda: nn.Linear(5, 3), loss=functools.partial(nn.functional.cross_entropy, label_smoothing=0.1))
    with pytest.raises(NoLayer, match="plain cross-entropy"):
        Stack(made, table, [built(made, streams[0])], Way("by formula"))


def test_single_precision_drifts_by_rounding_only(recipe, table, masks, streams, one_by_one):
    made = recipe(lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)))
    assert np.abs(trained(made, table, masks, streams) - one_by_one(made, table, masks, streams)).max() < 1e-4


def test_frozen_parts_constants_and_shared_weights(recipe, table, masks, streams, one_by_one):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)
            self.second.weight = self.first.weight
            self.frozen, self.last = nn.Linear(5, 4).requires_grad_(False), nn.Linear(4, 3)
            self.register_buffer("shift", torch.rand(5))
            self.unused = nn.Parameter(torch.ones(2))

        def forward(self, x):
            return self.last(torch.sin(self.frozen(self.second(torch.relu(self.first(x + self.shift))))))

    made = recipe(lambda: Network().double())
    found = trained(made, table, masks, streams, "vmap")
    assert np.abs(found - one_by_one(made, table, masks, streams)).max() < 1e-9


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_other_reductions(reduction, recipe, table, masks, streams, one_by_one):
    loss = functools.partial(nn.functional.cross_entropy, reduction=reduction)
    made = recipe(loss=loss, optimizer=OPTIMIZERS["momentum"], epochs=1)
    found = trained(made, table, masks, streams, reduction=reduction)
    assert np.abs(found - one_by_one(made, table, masks, streams)).max() < 1e-9


def test_whole_numbers_go_through_a_table(recipe, streams, one_by_one):
    pool = Records(np.random.default_rng(2).integers(0, 9, (30, 4)), np.arange(30) % 2)
    made = recipe(lambda: nn.Sequential(nn.Embedding(9, 3), nn.Flatten(), nn.Linear(12, 2)).double(), epochs=2)
    masks = np.random.default_rng(3).random((6, 30)) < 0.5
    found = trained(made, pool, masks, streams, "vmap")
    assert np.abs(found - one_by_one(made, pool, masks, streams)).max() < 1e-9


def test_a_part_with_one_class_is_refused_in_the_records_own_words(recipe, table, masks, streams):
    one_class = np.arange(60) % 3 == 0
    for wrong in (one_class, np.zeros(60, dtype=bool)):
        with pytest.raises(DataError, match="at least two classes"):
            trained(recipe(), table, np.stack([masks[0], wrong]), streams[:2])


def test_networks_of_different_forms_are_refused(recipe, table, streams):
    for forms in (
        [lambda: nn.Linear(5, 3), lambda: nn.Linear(5, 4)],
        [lambda: nn.Sequential(nn.Linear(5, 3), nn.ReLU()), lambda: nn.Sequential(nn.Linear(5, 3), nn.Tanh())],
        [lambda: nn.Linear(5, 3), lambda: nn.Linear(5, 3).double()],
        [lambda: nn.Linear(5, 3), lambda: nn.Linear(5, 3).requires_grad_(False)],
    ):
        kinds = iter(forms)
        made = recipe(lambda kinds=kinds: next(kinds)())
        models = [built(made, stream) for stream in streams[:2]]
        with pytest.raises(Unlike, match="different forms"):
            Stack(made, table, models, Way("vmap", 2))


def test_inputs_are_those_of_the_loop(table):
    x, y = inputs_for(table, nn.Linear(5, 3))
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    tokens = Records(np.arange(6)[:, None], [0, 1] * 3)
    assert inputs_for(tokens, nn.Linear(5, 3))[0].dtype == torch.int64


@pytest.mark.parametrize("name", ["by formula", "by hand"])
def test_a_planted_fault_would_be_found(name, recipe, table, masks, streams, one_by_one, monkeypatch):
    """Batches that are not filled up but cut to the shortest change the answers by far more than 1e-9."""
    from reticent.training.fleets import stacks

    original = stacks.side_by_side

    def faulty(batches, steps):
        rows, lengths = original(batches, steps)
        return rows, np.minimum(lengths, lengths.min(axis=1, keepdims=True))

    monkeypatch.setattr(stacks, "side_by_side", faulty)
    made = recipe(lambda: nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double())
    found = trained(made, table, masks, streams, name)
    assert np.abs(found - one_by_one(made, table, masks, streams)).max() > 1e-3


def test_a_model_that_diverges_leaves_the_others_alone(recipe, table, masks, streams, one_by_one):
    features = table.features.copy()
    features[[0, 3]] = [[1e307], [-1e307]]  # of one class: a linear network is wrong about one of them
    pool, masks = Records(features, table.labels), masks.copy()
    masks[:, [0, 3]] = np.arange(6)[:, None] == 0
    made = recipe(lambda: nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3)).double(), OPTIMIZERS["momentum"])
    found, expected = trained(made, pool, masks, streams), one_by_one(made, pool, masks, streams)
    others = np.setdiff1d(np.arange(60), [0, 3])
    assert not np.isfinite(expected[0, others]).all()
    assert np.abs(found[1:, others] - expected[1:, others]).max() < 1e-9


def test_streams_are_not_used_up(recipe, streams):
    first, second = built(recipe(), streams[0]), built(recipe(), streams[0])
    assert torch.equal(first[0].weight, second[0].weight)
    assert not torch.equal(first[0].weight, built(recipe(), Randomness.simulated(1))[0].weight)
