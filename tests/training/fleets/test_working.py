"""A share is trained alike wherever it is, side by side or not, from a file or from bytes."""

from __future__ import annotations

import os
import pathlib
import pickle
import shutil
import stat
import threading

import numpy as np
import pytest
import torch
from torch import nn

from reticent.data import Records
from reticent.errors import DataError, ModelError, PeerError
from reticent.training.fleets import working
from reticent.training.fleets.learners import answers_of, train_one
from reticent.training.fleets.stacks import Way
from reticent.training.fleets.working import Failed, Packed, Spooled, _read, trained, work
from reticent.training.recipe import Recipe


def expected(made, table, masks, streams):
    return np.stack([train_one(made, table, mask, stream) for mask, stream in zip(masks, streams, strict=True)])


@pytest.mark.parametrize("way", [Way("by hand", 4), Way("vmap", 6), Way("by hand", 1), Way("one by one")])
def test_answers_are_those_of_each_model_in_its_place(way, recipe, table, masks, streams):
    made = recipe()
    found = list(trained(made, table, masks, streams, way))
    assert [place for place, _ in found] == list(range(6))
    np.testing.assert_allclose(
        np.stack([answers for _, answers in found]), expected(made, table, masks, streams), rtol=0, atol=2e-6
    )


@pytest.mark.parametrize("outputs", ["one", "probabilities", "more"])
def test_outputs_are_read_as_those_of_a_single_model(outputs, recipe, table, masks, streams):
    """One logit for two classes, rows that sum to one, and more columns than classes."""
    pool = Records(table.features, table.labels % 2)
    last = {
        "one": lambda: nn.Linear(4, 1),
        "probabilities": lambda: nn.Sequential(nn.Linear(4, 2), nn.Softmax(-1)),
        "more": lambda: nn.Linear(4, 5),
    }
    loss = nn.functional.cross_entropy
    if outputs == "one":
        loss = lambda out, y: nn.functional.binary_cross_entropy_with_logits(out[:, 0], y.to(out))  # noqa: E731
    made = recipe(lambda: nn.Sequential(nn.Linear(5, 4), last[outputs]()).double(), loss=loss)
    found = work(Packed.of(made, pool), masks, streams, Way("vmap", 6))
    assert found.shape == (6, 60, 5 if outputs == "more" else 2)
    np.testing.assert_allclose(found, expected(made, pool, masks, streams), rtol=0, atol=2e-6)


def test_a_model_that_diverged_is_refused_as_a_single_one_is(recipe, table, masks, streams):
    made = recipe(optimizer=lambda p: torch.optim.SGD(p, lr=1e300))
    for way in (Way("by hand", 6), Way("one by one")):
        with pytest.raises(ModelError, match="Expected finite answers from a shadow model"):
            list(trained(made, table, masks, streams, way))


def test_models_of_another_form_are_trained_one_by_one(recipe, table, masks, streams):
    sizes = iter([4, 4, 6, 4, 4, 4, *[4, 4, 6, 4, 4, 4]])
    built = []

    def build():
        built.append(nn.Sequential(nn.Linear(5, next(sizes, 4)), nn.Flatten()))
        return nn.Sequential(built[-1], nn.Linear(built[-1][0].out_features, 3)).double()

    found = list(trained(recipe(build), table, masks, streams, Way("by hand", 6)))
    assert [place for place, _ in found] == list(range(6))
    assert len(built) == 12


@pytest.mark.parametrize("kind", [Packed, Spooled])
def test_cargo_carries_functions_of_this_file_and_every_record(kind, table, masks, streams):
    shift = 0.5

    def trainer(records, randomness):
        return lambda x: np.stack([x[:, 0], x[:, 1] + shift, np.full(len(x), float(len(records)))], axis=1)

    cargo = kind.of(trainer, table)
    working._last.clear()
    try:
        carried, pool = cargo.unpacked()
        assert pool.digest() == table.digest()
        assert (pool.name, pool.classes, pool.unit) == (table.name, table.classes, table.unit)
        assert cargo.unpacked()[1] is pool, "a worker keeps what it read last"
        np.testing.assert_array_equal(
            work(cargo, masks, streams, Way("one by one")), expected(trainer, table, masks, streams)
        )
        assert carried is not trainer
        assert len(table.features) == 60, "the pool itself is left whole"
    finally:
        working._last.clear()
        if kind is Spooled:
            assert stat.S_IMODE(os.stat(cargo.folder).st_mode) == 0o700
            assert {path.name for path in pathlib.Path(cargo.folder).iterdir()} == {"features.npy", "trainer"}
            shutil.rmtree(cargo.folder)


def test_no_models_no_answers(recipe, table, masks):
    assert work(Packed.of(recipe(), table), masks[:0], [], Way("one by one")).shape == (0, 60, 3)


class Fussy(Exception):
    def __init__(self, what, where):
        super().__init__(f"{what} in {where}")
        self.held = threading.Lock()  # which nothing can send


@pytest.mark.parametrize("error", [ValueError("no"), DataError("Expected a, got b.", "Mend it.")])
def test_exceptions_come_back_as_they_were(error):
    found = pickle.loads(pickle.dumps(Failed.of(error))).error()  # noqa: S301
    assert type(found) is type(error)
    assert found.args == error.args
    assert "In the worker" in found.__notes__[0]


def test_one_that_cannot_is_quoted():
    failed = pickle.loads(pickle.dumps(Failed.of(Fussy("a", "b"))))  # noqa: S301
    with pytest.raises(PeerError, match="raised Fussy: a in b"):
        raise failed.error()


def test_what_a_share_raises_is_returned(table, masks, streams):
    def trainer(records, randomness):
        raise Fussy("a", "b")

    found = work(Packed.of(trainer, table), masks, streams, Way("one by one"))
    assert isinstance(found, Failed)
    assert "in trainer" in found.trace


def test_a_model_that_the_trial_did_not_see_is_trained_alone(table, masks, streams):
    """Its optimizer is another one: the stack is given up, not the fleet."""
    made = []

    def optimizer(parameters):
        made.append(1)
        return torch.optim.SGD(parameters, lr=0.1 if len(made) < 3 else 0.2)

    recipe = Recipe(lambda: nn.Linear(5, 3).double(), optimizer, epochs=1, batch_size=16)
    found = list(trained(recipe, table, masks, streams, Way("by hand", together=6)))
    assert [place for place, _ in found] == list(range(6))


@pytest.mark.parametrize("kind", ["logits", "more columns", "probabilities", "positive", "one column"])
def test_outputs_are_read_as_those_of_a_model_that_is_asked_by_itself(kind):
    pool, drawn = Records(np.zeros((40, 2)), np.arange(40) % 2), np.random.default_rng(3).normal(size=(40, 5)) * 30
    said = {
        "logits": drawn[:, :2],
        "more columns": drawn,
        "probabilities": np.abs(drawn[:, :2]) / np.abs(drawn[:, :2]).sum(1, keepdims=True),
        "positive": drawn[:, :2] - drawn.min(),
        "one column": drawn[:, :1],
    }[kind].astype(np.float32)
    expected = answers_of(lambda rows: said[rows], 2, np.arange(40))
    np.testing.assert_allclose(_read(said, pool), expected, rtol=1e-6, atol=1e-6)
    assert _read(said, pool).dtype == np.float32


def test_outputs_that_are_not_finite_are_refused():
    with pytest.raises(ModelError, match="finite"):
        _read(np.array([[-1.0, np.nan]] * 12, np.float32), Records(np.zeros((12, 2)), np.arange(12) % 2))
