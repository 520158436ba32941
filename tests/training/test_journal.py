"""The journal: never below what was begun, and never another training's."""

from __future__ import annotations

import os

import pytest

from reticent.errors import IntegrityError, UsageError
from reticent.training.journal import Journal, journal_path


def test_numbers_only_grow(tmp_path):
    path = journal_path(tmp_path / "run.state")
    assert path.name == "run.state.spent"
    with Journal(path, "a") as journal:
        assert journal.begun == 0
        for number in (0, 1, 5, 3):
            journal.begin(number)
        assert journal.begun == 6
        with Journal(path, "a") as other:  # on the disk already
            assert other.begun == 6
    with Journal(path, "a") as journal:
        assert journal.begun == 6


def test_it_is_on_the_disk_before_begin_returns(tmp_path):
    """A process that ends in the middle leaves the number behind."""
    if not (child := os.fork()):
        try:
            Journal(tmp_path / "j", "a").begin(41)
            os.kill(os.getpid(), 9)
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    with Journal(tmp_path / "j", "a") as journal:
        assert journal.begun == 42


@pytest.mark.parametrize("length", [0, 1, 10, 60, 84])
def test_one_that_was_never_finished_is_begun_anew(tmp_path, length):
    with Journal(tmp_path / "j", "a"):
        pass
    (tmp_path / "j").write_bytes((tmp_path / "j").read_bytes()[:length])
    with Journal(tmp_path / "j", "a") as journal:
        assert journal.begun == 0


def test_of_another_training_or_damaged(tmp_path):
    with Journal(tmp_path / "j", "a") as journal:
        journal.begin(7)
    with pytest.raises(UsageError, match="got another training's"):
        Journal(tmp_path / "j", "b")
    text = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(text[:-3])
    with pytest.raises(IntegrityError, match="Expected a number in"):
        Journal(tmp_path / "j", "a")
    (tmp_path / "j").write_bytes(b"x" * 200)
    with pytest.raises(IntegrityError, match="got another file"):
        Journal(tmp_path / "j", "a")
    with pytest.raises(UsageError, match="Expected to write to"):
        Journal(tmp_path / "no" / "folder", "a")
