"""Addresses are understood; whatever the workers, results are those of this process, also when some are killed."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness
from reticent.training.fleets import fit_many
from reticent.training.fleets.workers import workers_at

SOURCE = Randomness.simulated(3)


def lean(records, randomness):
    """A model that answers alike for all records: how many it saw, and a number of its own."""
    logits = np.array([len(records) / 60, float(randomness.normal(1)[0]), 0.0])
    return lambda features: np.tile(logits, (len(features), 1))


class Killed:
    """Trains as `lean`; the first time that it sees the file, it kills the process that it is in."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)
        self.parent = os.getpid()

    def __call__(self, records, randomness):
        model = lean(records, randomness)
        if len(records) > 30 and os.path.exists(self.file) and os.getpid() != self.parent:
            os.unlink(self.file)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return model


def failing(records, randomness):
    raise DataError("Expected a working trainer, got this one.", "Mend it.")


class Fussy(Exception):
    """Cannot be made again from its arguments, as pickle tries."""

    def __init__(self, what, where):
        super().__init__(f"{what} in {where}")


def fussy(records, randomness):
    raise Fussy("too many rows", "the cellar")


@pytest.fixture
def masks12(table):
    return np.random.default_rng(6).random((12, 60)) < 0.5


@pytest.fixture
def expected(table, masks12):
    return fit_many(lean, table, masks12, randomness=SOURCE, jobs=1).answers


@pytest.mark.parametrize("wrong", ["slurm:here", "dask:", "ray", 3, ""])
def test_other_addresses_are_refused(wrong):
    with pytest.raises(UsageError, match="Expected an Executor"):
        workers_at(wrong, None)


def test_workers_are_counted():
    assert workers_at(None, None).count == os.cpu_count()
    assert workers_at(None, 5).count == 5
    with ThreadPoolExecutor(3) as executor:
        assert workers_at(executor, None).count == 3
        assert workers_at(executor, 7).count == 7
    with pytest.raises(UsageError, match="jobs >= 1"):
        workers_at(None, 0)
    with pytest.raises(UsageError, match="workers that were started"):
        workers_at(None, 1).submit(len, ())


def test_what_counts_as_a_loss():
    workers = workers_at(None, 2)
    assert workers.renewable
    assert workers.is_loss(BrokenProcessPool())
    assert not workers.is_loss(ValueError())


def test_threads_take_turns(table, masks12, expected):
    """torch's generator is one for all of them."""
    with ThreadPoolExecutor(3) as executor:
        found = fit_many(lean, table, masks12, randomness=SOURCE, executor=executor)
    np.testing.assert_array_equal(found.answers, expected)


@pytest.mark.slow
def test_processes_of_the_standard_library(table, masks12, expected):
    import multiprocessing

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        shift = 0.0  # what plain pickle would not carry
        found = fit_many(
            lambda records, randomness: lambda x: lean(records, randomness)(x) + shift,
            table, masks12[:4], randomness=SOURCE, executor=executor,
        )  # fmt: skip
        np.testing.assert_array_equal(found.answers, np.array(expected[:4]))
        with pytest.raises(DataError, match="Expected a working trainer"):
            fit_many(failing, table, masks12, randomness=SOURCE, executor=executor)


@pytest.mark.slow
def test_local_processes_one_of_which_is_killed(table, masks12, expected, tmp_path):
    done = []
    (tmp_path / "kill").write_text("", "utf-8")
    found = fit_many(
        Killed(tmp_path / "kill"), table, masks12, randomness=SOURCE, jobs=2, progress=lambda *told: done.append(told)
    )
    assert not (tmp_path / "kill").exists()
    np.testing.assert_array_equal(found.answers, expected)
    assert done == [(k, 12) for k in range(1, 13)]
    with pytest.raises(DataError, match="Expected a working trainer"):
        fit_many(failing, table, masks12, randomness=SOURCE, jobs=2)


@pytest.mark.slow
def test_dask_workers_one_of_which_is_killed(table, masks12, expected, tmp_path):
    distributed = pytest.importorskip("distributed")
    import logging

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=logging.CRITICAL
    ) as cluster:
        address = f"dask:{cluster.scheduler_address}"
        (tmp_path / "kill").write_text("", "utf-8")
        found = fit_many(Killed(tmp_path / "kill"), table, masks12, randomness=SOURCE, executor=address)
        assert not (tmp_path / "kill").exists()
        np.testing.assert_array_equal(found.answers, expected)
        with pytest.raises(DataError, match="Expected a working trainer"):
            fit_many(failing, table, masks12, randomness=SOURCE, executor=address)


@pytest.mark.slow
def test_ray_workers_one_of_which_is_killed(table, masks12, expected, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("HOME", str(tmp_path))  # where ray leaves its token
    short = tempfile.mkdtemp(prefix="ray")  # paths of sockets must be short
    monkeypatch.setenv("RAY_TMPDIR", short)
    (tmp_path / "kill").write_text("", "utf-8")
    found = fit_many(Killed(tmp_path / "kill"), table, masks12, randomness=SOURCE, jobs=2, executor="ray:local")
    assert not ray.is_initialized()
    assert not (tmp_path / "kill").exists()
    np.testing.assert_array_equal(found.answers, expected)
    shutil.rmtree(short, ignore_errors=True)


class Lost(ThreadPoolExecutor):
    """Its workers die whenever they are asked."""

    def submit(self, *_, **__):
        future: Future = Future()
        future.set_exception(BrokenProcessPool("gone"))
        return future


def test_workers_of_others_that_die_are_reported(table, masks12):
    from reticent.errors import PeerError

    with Lost(2) as executor, pytest.raises(PeerError, match="12 models are missing"):
        fit_many(lean, table, masks12, randomness=SOURCE, executor=executor)


def test_local_workers_that_always_die_are_reported(table, masks12, monkeypatch):
    from reticent.errors import PeerError
    from reticent.training.fleets import workers

    renewed = []

    def renew(self):
        renewed.append(self)
        self._executor = Lost(1)
        return self._cargo

    monkeypatch.setattr(workers._Local, "renew", renew)
    with pytest.raises(PeerError, match=r"some died 4 times.*use fewer jobs"):
        fit_many(lean, table, masks12, randomness=SOURCE, jobs=2)
    assert len(renewed) == 4
    folder = Path(renewed[0]._cargo.folder)
    assert not folder.exists(), "what the workers read is gone"


@pytest.mark.slow
def test_an_exception_that_cannot_be_brought_back_is_quoted(table, masks12):
    from reticent.errors import PeerError

    start = time.monotonic()
    with pytest.raises(PeerError, match="raised Fussy: too many rows in the cellar") as caught:
        fit_many(fussy, table, masks12, randomness=SOURCE, jobs=2)
    assert "in fussy" in "".join(caught.value.__notes__)
    assert time.monotonic() - start < 30
    with pytest.raises(Fussy):
        fit_many(fussy, table, masks12, randomness=SOURCE, jobs=1)
