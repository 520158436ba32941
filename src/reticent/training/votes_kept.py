"""The votes of a teaching on disk: teachers are not trained twice, and no question is answered twice.

Promise: `add` writes what came in every few seconds. `publish` has written the answers down when it returns; from then
on everybody who opens the file is given the same ones. A file is taken up by the teaching that wrote it (same
questions, numbers of records, teachers, voting, promise and randomness; owners in the same places) or by none, and by
one process at a time: two would publish different answers. It appears whole or not at all.

Not covered: whether the records and the trainer are the same; a digest beside a promise would betray who is in. Kept is
which rows are of one owner, and how owners sort: so rows in another order are refused where owners are known. Teachers
that were trained in several runs rest on the records being the same, which `assumptions` says. The file holds votes
without noise: keep it as safe as the records.

Example:
    >>> import numpy as np, tempfile
    >>> from reticent.privacy.voting import Answers
    >>> from reticent.training.votes_kept import KeptVotes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path, who = f"{folder}/votes.state", {"teachers": 2}
    ...     parts, owners = np.array([0, 1, 1]), np.array([0, 1, 1])
    ...     with KeptVotes(path, who, parts, owners) as kept:
    ...         kept.add(0, np.array([3, 1]), None)
    ...     with KeptVotes(path, who, parts, owners) as kept:
    ...         kept.missing(2)
    [1]
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt
import torch

from reticent.errors import IntegrityError, UsageError
from reticent.evidence.ledger import take_alone
from reticent.privacy.voting import Answers
from reticent.training.state import load_state, save_state

__all__ = ["KeptVotes"]

_KIND = "teachers' votes 2"
_RESUMED = "the records are the same, in the same order, in every run that trained some of the teachers"
_EVERY = 2.0  # seconds


class KeptVotes:
    """Votes of teachers, in memory and, with a path, on disk.

    Args:
        path: the file, or None.
        who: plain values that have to be the same for the file to be taken up.
        teacher: (rows,) the teacher of each row; the file's own if there is one.
        owner: (rows,) whole numbers from 0, equal for rows of one owner, sorted as owners are.

    Attributes:
        teacher: the teacher of each row.
        votes: number of a teacher to its (questions,) votes.
        failures: number of a teacher that abstains to why.
        answers: what was published, or None.

    Raises:
        UsageError: the file belongs to another teaching or to rows in another order, is in use, or cannot be written.
        IntegrityError: the file is damaged or of another kind.
    """

    def __init__(
        self,
        path: str | Path | None,
        who: dict[str, Any],
        teacher: npt.NDArray[np.int64],
        owner: npt.NDArray[np.int64],
    ) -> None:
        self._path, self._who, self._saved = None if path is None else Path(path), who, time.monotonic()
        self.teacher, self._owner = teacher, owner
        self._taken_up = self._resumed = False
        self.votes: dict[int, npt.NDArray[np.int64]] = {}
        self.failures: dict[int, str] = {}
        self.answers: Answers | None = None
        self._lock: IO[bytes] | None = None
        if self._path is not None:
            self._lock = _locked(self._path)
            try:
                if self._path.exists():
                    self._load(self._path)
            except BaseException:
                self._lock.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Write everything down and let go of the file."""
        try:
            self.save()
        finally:
            if self._lock is not None:
                self._lock.close()

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What a promise assumes beside the rest: nothing, if one run has trained all teachers."""
        return (_RESUMED,) if self._resumed else ()

    def missing(self, count: int) -> list[int]:
        """Teachers that have not voted."""
        return [number for number in range(count) if number not in self.votes]

    def add(self, number: int, votes: npt.NDArray[np.int64], failure: str | None) -> None:
        """Note the votes of a teacher, and why it abstained if it did."""
        self.votes[number] = votes
        self._resumed = self._resumed or self._taken_up
        if failure is not None:
            self.failures[number] = failure
        if time.monotonic() - self._saved > _EVERY:
            self.save()

    def publish(self, answers: Answers) -> Answers:
        """Write answers down; they may be shown when this returns."""
        self.answers = answers
        self.save()
        return answers

    def save(self) -> None:
        """Write everything down now."""
        if self._path is None:
            return
        numbers = sorted(self.votes)
        save_state(
            self._path,
            {
                "kind": _KIND,
                "who": self._who,
                "teacher": torch.from_numpy(self.teacher),
                "owner": torch.from_numpy(self._owner),
                "resumed": self._resumed,
                "numbers": numbers,
                "votes": torch.from_numpy(np.stack([self.votes[n] for n in numbers]).astype(np.int32))
                if numbers
                else None,
                "failures": self.failures,
                "labels": None if self.answers is None else torch.from_numpy(self.answers.labels),
                "asked": None if self.answers is None else self.answers.asked,
            },
        )
        self._saved = time.monotonic()

    def _load(self, path: Path) -> None:
        state = load_state(path)
        if not isinstance(state, dict) or state.get("kind") != _KIND:
            raise IntegrityError(f"Expected the votes of a teaching, got another state at {path}.", "Pass its file.")
        theirs = state["who"]
        for what, mine in self._who.items():
            if theirs.get(what) != mine:
                raise UsageError(
                    f"Expected the votes of this teaching, but its {what} differ: {theirs.get(what)} were kept, {mine} "
                    "are asked for.",
                    "Answers under other settings are a release of their own: pass another file, and compose the "
                    "guarantees.",
                )
        self._take_assignment(state["teacher"].numpy(), state["owner"].numpy())
        self._resumed = state["resumed"]
        if state["votes"] is not None:
            votes = state["votes"].numpy().astype(np.int64)
            self.votes = dict(zip(state["numbers"], votes, strict=True))
            self._taken_up = True
        self.failures = state["failures"]
        if state["labels"] is not None:
            self.answers = Answers(state["labels"].numpy(), state["asked"])

    def _take_assignment(self, teacher: npt.NDArray[np.int64], owner: npt.NDArray[np.int64]) -> None:
        """Who has whose rows, if each owner then stands behind one teacher, as in the runs before."""
        if not (len(teacher) == len(owner) == len(self._owner) and (owner == self._owner).all()):
            raise UsageError(
                "Expected the same records in the same order, but their owners are not in the places where they were "
                "when the votes were kept: some would stand behind several teachers.",
                "Pass the records as they were, or another file to start anew, and compose the guarantees.",
            )
        pairs = np.unique(np.stack([owner, teacher]), axis=1)
        if len(pairs[0]) != len(np.unique(owner)):
            raise IntegrityError(
                f"Expected one teacher for each owner, got owners with several at {self._path}.", "Start anew."
            )
        self.teacher = teacher


def _locked(path: Path) -> IO[bytes]:
    """A file beside this one, which is replaced whenever it is written, so that it cannot be locked itself."""
    beside = path.with_name(f"{path.name}.lock")
    try:
        file = os.fdopen(os.open(beside, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    except OSError as error:
        raise UsageError(
            f"Expected to write to {beside}, but: {error.strerror or error}.", "Choose a folder that can be."
        ) from error
    try:
        take_alone(file, path)
    except BaseException:
        file.close()
        raise
    return file
