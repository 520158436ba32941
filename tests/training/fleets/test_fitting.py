"""A fleet is the same however it is trained: order, workers, stacks, stored parts; and larger ones go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from reticent.data import Records
from reticent.errors import UsageError
from reticent.models import Exposure
from reticent.randomness import Randomness
from reticent.training.fleets import Store, Way, fit_many
from reticent.training.fleets.fitting import shares
from reticent.training.fleets.learners import train_one

SOURCE = Randomness.simulated(11)


class Watched:
    """Counts trainings and answers with noise of its own."""

    fingerprint = "watched"

    def __init__(self):
        self.seen = []

    def __call__(self, records, randomness):
        own = randomness.normal((1, records.classes))
        self.seen.append(len(records))
        return lambda x: np.repeat(own + len(records) / 100, len(x), axis=0)


def test_answers_are_those_of_every_model_by_itself(recipe, table, masks):
    made = recipe()
    fleet = fit_many(made, table, masks, randomness=SOURCE, jobs=1, ways="stacked")
    for k, mask in enumerate(masks):
        own = train_one(made, table, mask, SOURCE.spawn(f"model {k}"))
        np.testing.assert_allclose(fleet.answers[k], own, rtol=0, atol=2e-6)
    assert fleet.answers.dtype == np.float32
    np.testing.assert_array_equal(fleet.membership, masks)
    np.testing.assert_array_equal(fleet.labels, table.labels)


def test_a_model_does_not_depend_on_the_others(recipe, table, masks):
    """The first three of six are the three of three; a mask of another model changes nothing."""
    for options in ({"ways": "one by one"}, {"ways": "stacked"}):
        six, three = (
            fit_many(recipe(), table, some, randomness=SOURCE, jobs=1, **options) for some in (masks, masks[:3])
        )
        np.testing.assert_allclose(six.answers[:3], three.answers, rtol=0, atol=2e-6)
        changed = fit_many(recipe(), table, masks[[0, 5, 2, 3, 4, 1]], randomness=SOURCE, jobs=1, **options)
        np.testing.assert_allclose(changed.answers[[0, 2, 3, 4]], six.answers[[0, 2, 3, 4]], rtol=0, atol=2e-6)
        assert np.abs(changed.answers[1] - six.answers[1]).max() > 1e-3


@pytest.mark.slow
def test_workers_change_nothing(recipe, table, masks):
    one = fit_many(recipe(), table, masks, randomness=SOURCE, jobs=1, ways="one by one")
    for options in ({"jobs": 2, "ways": "stacked"}, {"jobs": 2, "ways": "one by one"}):
        other = fit_many(recipe(), table, masks, randomness=SOURCE, **options)
        np.testing.assert_allclose(other.answers, one.answers, rtol=0, atol=2e-6)


def test_an_estimator_is_taken_as_it_is(table, masks):
    first, again = (
        fit_many(DecisionTreeClassifier(max_features=1), table, masks, randomness=SOURCE, jobs=1) for _ in "ab"
    )
    np.testing.assert_array_equal(first.answers, again.answers)
    assert first.correct[masks].mean() > first.correct[~masks].mean() + 0.2


def test_exposure_labels_and_progress(table, masks):
    told = []
    fleet = fit_many(
        Watched(), table, masks, randomness=SOURCE, jobs=1,
        labels=1 - table.labels % 2, exposure=Exposure.LABEL, progress=lambda *more: told.append(more),
    )  # fmt: skip
    assert set(np.unique(fleet.scores)) <= {-1.0, 1.0}
    np.testing.assert_array_equal(fleet.labels, 1 - table.labels % 2)
    assert told == [(k, 6) for k in range(1, 7)]


@pytest.mark.parametrize(
    ("wrong", "options", "text"),
    [
        (np.ones((2, 59), dtype=bool), {}, r"of shape \(models, 60\), got bool of shape \(2, 59\)"),
        (np.ones((2, 60)), {}, "float64"),
        (np.ones(60, dtype=bool), {}, r"\(60,\)"),
        (np.ones((0, 60), dtype=bool), {}, r"\(0, 60\)"),
        (np.ones((2, 60), dtype=bool), {"jobs": 0}, "jobs >= 1"),
        (np.ones((2, 60), dtype=bool), {"jobs": 1, "ways": "fast"}, "ways"),
        (np.ones((2, 60), dtype=bool), {"executor": "nowhere"}, "Expected an Executor"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, options, text, table):
    with pytest.raises(UsageError, match=text):
        fit_many(Watched(), table, wrong, randomness=SOURCE, **options)


def test_models_with_different_numbers_of_classes_are_refused(table, masks):
    sizes = iter([3, 4, 3, 3, 3, 3])

    def trainer(records, randomness):
        size = next(sizes)
        return lambda x: np.zeros((len(x), size))

    with pytest.raises(UsageError, match="answers of one shape"):
        fit_many(trainer, table, masks, randomness=SOURCE, jobs=1)


# Shares ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("models", [1, 5, 64, 100])
@pytest.mark.parametrize("workers", [1, 2, 7, 200])
@pytest.mark.parametrize("way", [Way("one by one"), Way("by hand", 16), Way("vmap", 128)])
def test_shares_hold_every_model_once_and_every_worker_has_one(models, workers, way):
    parts = shares(list(range(10, 10 + models)), workers, way)
    assert [model for part in parts for model in part] == list(range(10, 10 + models))
    assert len(parts) >= min(workers, models) * 0.5
    assert max(map(len, parts)) <= max(1, -(-models // workers))
    if way.is_stacked:
        assert max(map(len, parts)) <= way.together


# The store ------------------------------------------------------------------------------------------------------------


def test_a_larger_fleet_trains_what_is_new(tmp_path, table, masks):
    trainer, told = Watched(), []
    first = fit_many(trainer, table, masks[:4], randomness=SOURCE, jobs=1, store=tmp_path)
    assert len(trainer.seen) == 4
    whole = fit_many(
        trainer, table, masks, randomness=SOURCE, jobs=1, store=tmp_path, progress=lambda *more: told.append(more)
    )
    assert len(trainer.seen) == 6
    assert told == [(k, 6) for k in range(1, 7)]
    np.testing.assert_array_equal(whole.answers[:4], first.answers)
    np.testing.assert_array_equal(whole.answers, fit_many(Watched(), table, masks, randomness=SOURCE, jobs=1).answers)
    again = fit_many(trainer, table, masks, randomness=SOURCE, jobs=1, store=Store(tmp_path))
    assert len(trainer.seen) == 6
    np.testing.assert_array_equal(whole.answers, again.answers)


@pytest.mark.parametrize("change", ["seed", "mask", "records", "trainer"])
def test_whatever_changes_is_trained_again(change, tmp_path, table, masks):
    fit_many(Watched(), table, masks, randomness=SOURCE, jobs=1, store=tmp_path)
    trainer, source, pool, masks = Watched(), SOURCE, table, masks.copy()
    if change == "seed":
        source = Randomness.simulated(12)
    elif change == "mask":
        masks[2, 7] ^= True
    elif change == "records":
        pool = Records(table.features + (np.arange(60) == 59)[:, None] * 1e-9, table.labels)
    else:
        trainer.fingerprint = "another"
    fit_many(trainer, pool, masks, randomness=source, jobs=1, store=tmp_path)
    assert len(trainer.seen) == (1 if change == "mask" else 6)


def test_stacked_models_are_stored_and_mixed_with_new_ones(tmp_path, recipe, table, masks):
    made = recipe()
    fit_many(made, table, masks[:3], randomness=SOURCE, jobs=1, store=tmp_path, ways="stacked")
    assert len(list(tmp_path.glob("*.npz"))) == 3
    mixed = fit_many(recipe(), table, masks, randomness=SOURCE, jobs=1, store=tmp_path)
    fresh = fit_many(made, table, masks, randomness=SOURCE, jobs=1)
    np.testing.assert_allclose(mixed.answers, fresh.answers, rtol=0, atol=2e-6)


def test_a_damaged_answer_is_trained_again(tmp_path, table, masks):
    first = fit_many(Watched(), table, masks, randomness=SOURCE, jobs=1, store=tmp_path)
    victim = sorted(tmp_path.glob("*.npz"))[2]
    victim.write_bytes(victim.read_bytes()[:-40])
    trainer = Watched()
    again = fit_many(trainer, table, masks, randomness=SOURCE, jobs=1, store=tmp_path)
    assert len(trainer.seen) == 1
    np.testing.assert_array_equal(first.answers, again.answers)


def test_a_trainer_that_cannot_be_told_apart_is_refused_before_training(tmp_path, table, masks):
    import threading

    lock = threading.Lock()
    with pytest.raises(UsageError, match="attribute `fingerprint`"):
        fit_many(lambda r, s: lock, table, masks, randomness=SOURCE, jobs=1, store=tmp_path)


SCRIPT = """
import os, signal, sys, numpy as np
from reticent.data import Records
from reticent.randomness import Randomness
from reticent.training.fleets import fit_many

draw = np.random.default_rng(0)
pool, masks = Records(draw.normal(size=(40, 3)), np.arange(40) % 2), draw.random((6, 40)) < 0.5

def train(records, randomness):
    own = randomness.normal((1, 2))
    return lambda x: np.repeat(own, len(x), axis=0)

train.fingerprint = "one"

def told(done, models):
    if done == 4 and sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)

fleet = fit_many(train, pool, masks, randomness=Randomness.simulated(0), jobs=1, store=sys.argv[1], progress=told)
print(fleet.answers[:, 0, 0].tolist())
"""


@pytest.mark.slow
def test_a_killed_fleet_goes_on_and_two_may_share_a_folder(tmp_path):
    def start(folder, how):
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path / folder), how], stdout=subprocess.PIPE, text=True
        )

    killed = start("a", "kill")
    assert (killed.communicate(timeout=100)[0], killed.returncode) == ("", -signal.SIGKILL)
    assert len(list((tmp_path / "a").glob("*.npz"))) == 4
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").glob("*.npz")}
    both = [start("a", "on"), start("a", "on")]
    said = [process.communicate(timeout=100)[0] for process in both]
    own = [Randomness.simulated(0).spawn(f"model {k}").normal((1, 2))[0] for k in range(6)]
    expected = [float(np.float32(pair[0] - np.logaddexp(*pair))) for pair in own]
    assert said[0] == said[1]
    np.testing.assert_allclose(json.loads(said[0]), expected, rtol=1e-6)
    files = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    assert len(files) == 6, "nothing half-written is left"
    assert before.items() <= files.items(), "what was done was not done again"


# Memory ---------------------------------------------------------------------------------------------------------------


def test_memory_is_a_few_times_the_answers():
    """64 models of 5000 records and 10 classes: 13 MB of answers, and as much again for what they show."""
    draw = np.random.default_rng(0)
    pool = Records(draw.normal(size=(5000, 4)).astype(np.float32), np.arange(5000) % 10)
    masks = draw.random((64, 5000)) < 0.5
    answers = draw.normal(size=(5000, 10)).astype(np.float32)
    tracemalloc.start()
    try:
        fleet = fit_many(lambda r, s: lambda x: answers[: len(x)], pool, masks, randomness=SOURCE, jobs=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fleet.answers.nbytes == 64 * 5000 * 10 * 4
    assert peak < 3 * fleet.answers.nbytes


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs resource")
def test_memory_of_stacked_models_is_a_few_times_the_answers():
    """In a process of its own: torch's memory is not traced."""
    script = """
import resource, numpy as np, torch
torch.set_num_threads(1)
from torch import nn
from reticent.data import Records
from reticent.randomness import Randomness
from reticent.training import Recipe
from reticent.training.fleets import fit_many
draw = np.random.default_rng(0)
recipe = Recipe(lambda: nn.Linear(4, 10), lambda p: torch.optim.SGD(p, lr=0.1), epochs=1, batch_size=1000)
def pool(size): return Records(draw.normal(size=(size, 4)).astype(np.float32), np.arange(size) % 10)
def go(size):
    masks = draw.random((64, size)) < 0.5
    return fit_many(recipe, pool(size), masks, randomness=Randomness.simulated(0), jobs=1, ways="stacked")
go(100)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fleet = go(20_000)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / fleet.answers.nbytes)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=200)
    assert float(done.stdout) < 3.5


def test_a_stack_of_networks_is_used_by_default_where_it_pays(recipe, table, masks, caplog):
    import logging

    small = recipe(lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)), epochs=30)
    with caplog.at_level(logging.INFO, "reticent.training.fleets"):
        fit_many(small, table, np.tile(masks, (5, 1)), randomness=SOURCE)
    assert "by formula" in caplog.text
