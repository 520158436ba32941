"""Votes on disk: the same when they are read again, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reticent.errors import IntegrityError, UsageError
from reticent.privacy.voting import Answers
from reticent.training import votes_kept
from reticent.training.votes_kept import KeptVotes

PARTS, OWNERS = np.array([2, 0, 1, 1]), np.array([0, 2, 1, 1])
WHO = {"questions": ["abc", [3, 2]], "randomness": "Randomness.secure()"}


def opened(path: Path) -> KeptVotes:
    with KeptVotes(path, WHO, PARTS, OWNERS) as kept:
        return kept


def test_what_is_read_is_what_was_written(tmp_path: Path):
    path = tmp_path / "votes.state"
    with KeptVotes(path, WHO, PARTS, OWNERS):
        pass  # no votes yet
    with KeptVotes(path, WHO, PARTS, OWNERS) as kept:
        assert kept.missing(3) == [0, 1, 2]
        kept.add(2, np.array([4, -1, 0]), None)
        kept.add(0, np.array([-1, -1, -1]), "ValueError: why")
    with KeptVotes(path, WHO, np.zeros(4, dtype=np.int64), OWNERS) as again:
        assert again.teacher.tolist() == PARTS.tolist()  # the file's parts, not the new ones
        assert {number: votes.tolist() for number, votes in again.votes.items()} == {0: [-1, -1, -1], 2: [4, -1, 0]}
        assert (again.failures, again.answers, again.missing(4)) == ({0: "ValueError: why"}, None, [1, 3])
        again.publish(Answers(np.array([4, -1, 4]), 2))
    answers = opened(path).answers
    assert answers is not None
    assert (answers.labels.tolist(), answers.asked) == ([4, -1, 4], 2)


def test_votes_are_written_every_few_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, now = tmp_path / "votes.state", [0.0]
    monkeypatch.setattr(votes_kept.time, "monotonic", lambda: now[0])
    with KeptVotes(path, WHO, PARTS, OWNERS) as kept:
        kept.add(0, np.zeros(3), None)
        assert not path.exists()
        now[0] = 3.0
        kept.add(1, np.zeros(3), None)
        assert path.exists()


def test_one_at_a_time(tmp_path: Path):
    path = tmp_path / "votes.state"
    with KeptVotes(path, WHO, PARTS, OWNERS), pytest.raises(UsageError, match="another process has it"):
        KeptVotes(path, WHO, PARTS, OWNERS)
    assert opened(path).missing(2) == [0, 1]
    with pytest.raises(UsageError, match="Expected to write to"):
        KeptVotes(tmp_path / "nowhere" / "votes.state", WHO, PARTS, OWNERS)


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with KeptVotes(None, WHO, PARTS, OWNERS) as kept:
        kept.publish(Answers(np.array([1]), 1))
    assert list(tmp_path.iterdir()) == []


def test_damage_and_other_teachings_are_refused(tmp_path: Path):
    path = tmp_path / "votes.state"
    with KeptVotes(path, WHO, PARTS, OWNERS) as kept:
        kept.publish(Answers(np.array([1]), 1))
    with pytest.raises(UsageError, match="its questions differ"):
        KeptVotes(path, {**WHO, "questions": ["abd", [3, 2]]}, PARTS, OWNERS)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError):
        KeptVotes(path, WHO, PARTS, OWNERS)


def test_rows_in_another_order_are_refused(tmp_path: Path):
    path = tmp_path / "votes.state"
    with KeptVotes(path, WHO, PARTS, OWNERS):
        pass
    for other in (OWNERS[::-1], OWNERS[[0, 2, 1, 3]], OWNERS[:3], np.arange(4)):
        with pytest.raises(UsageError, match="Expected the same records in the same order"):
            KeptVotes(path, WHO, PARTS, other)
    with KeptVotes(tmp_path / "split.state", WHO, np.array([2, 0, 1, 0]), OWNERS):  # the last owner has two teachers
        pass
    with pytest.raises(IntegrityError, match="one teacher for each owner"):
        KeptVotes(tmp_path / "split.state", WHO, PARTS, OWNERS)


def test_only_teachers_of_several_runs_need_the_same_records(tmp_path: Path):
    path = tmp_path / "votes.state"
    said = []
    for number in (None, 0, None, 1, None):
        with KeptVotes(path, WHO, PARTS, OWNERS) as kept:
            if number is not None:
                kept.add(number, np.zeros(3, dtype=np.int64), None)
            said.append(len(kept.assumptions))
    assert said == [0, 0, 0, 1, 1]
    assert "in the same order" in kept.assumptions[0]
