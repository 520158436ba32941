"""The journals of a training in another library's loop: one in every folder that its checkpoints are written to.

Promise: from the first checkpoint on, how many batches have been begun is on the disk before each of them is used
(`reticent.training.journal`), so a training that goes on from any of its checkpoints is charged for everything that was
begun after it. Each training has files of its own, `private-<name>.spent`, and its checkpoints hold the name: another
training in the same folder cannot set them back. A checkpoint without its journal is refused.

Simulated runs repeat to the bit, and have none. Not covered: a journal that was copied and gone on with twice.
"""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from reticent.errors import UsageError
from reticent.randomness import Randomness
from reticent.training.accounts import Account
from reticent.training.journal import Journal, journal_path
from reticent.training.resuming import Identity

__all__ = ["Journals", "lost_text", "pass_over"]


class Journals:
    """See the page.

    Args:
        who: which training it is.
        optimizer: its optimizer.
        opened: journals that are written to before each batch; this adds to them.
    """

    def __init__(self, who: Identity, optimizer: torch.optim.Optimizer, opened: list[Journal | Account]) -> None:
        self._who, self._optimizer, self._opened = who, optimizer, opened
        self._name: str | None = None
        self._kept: dict[Path, Journal] = {}

    def keep(self, folders: Iterable[str | Path], begun: int) -> str | None:
        """From now on, write to a journal in each of these folders; gives the name, or None for a simulation."""
        if not self._who.randomness.is_secure:
            return None
        if self._name is None:
            self._name = f"{int(Randomness.secure().bits(1)[0]):016x}"
        for folder in folders:
            if _is_remote(folder):
                raise UsageError(
                    f"Expected a local folder for the journal of a private training, got {folder}.",
                    "Write checkpoints to a local folder, and copy them from there together with the journal.",
                )
            journal = self._open(Path(folder))
            if begun:
                journal.begin(begun - 1)
        return self._name

    def take_up(self, name: str | None, folders: Iterable[str | Path], begun: int) -> int:
        """How many batches have been begun by the training of this name, of which a checkpoint knows `begun`.

        Raises:
            UsageError: none of the folders has its journal.
        """
        if not self._who.randomness.is_secure:
            return begun
        places = list(dict.fromkeys(Path(folder).absolute() for folder in folders if not _is_remote(folder)))
        found = [folder for folder in places if name is not None and _file(folder, name).exists()]
        if not found:
            wanted = "a journal" if name is None else _file(Path(), name).name
            raise UsageError(
                f"Expected {wanted} beside the checkpoint, in {' or '.join(map(str, places))}, got none: what was "
                "begun after the checkpoint would not be charged.",
                "Bring the journal along with the checkpoint; or start anew, and add up what both promise (compose).",
            )
        self._name = name
        return max(begun, *(self._open(folder).begun for folder in found))

    def _open(self, folder: Path) -> Journal:
        folder = folder.absolute()
        if folder not in self._kept:
            assert self._name is not None  # noqa: S101
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"Expected to write to {folder}, got {error}.", "Pass another folder.") from error
            who = json.dumps(self._who.as_dict(self._optimizer), sort_keys=True)
            journal = self._kept[folder] = Journal(_file(folder, self._name), who)
            self._opened.append(journal)
        return self._kept[folder]


def lost_text(lost: int, number: int) -> str:
    """What to tell whoever resumes a run whose last steps are lost."""
    return (
        f"{lost} steps were begun after this checkpoint; what they did is lost, but they are charged. "
        f"The training goes on after step {number}, and ends where it was planned to."
    )


def pass_over(scheduler: Any, steps: int) -> None:
    """Bring a learning-rate schedule to where it would be after so many steps more; one that follows metrics stays."""
    if scheduler is None or "metrics" in inspect.signature(scheduler.step).parameters:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")  # those steps were taken
        for _ in range(steps):
            scheduler.step()


def _is_remote(folder: str | Path) -> bool:
    return "://" in str(folder)


def _file(folder: Path, name: str) -> Path:
    return journal_path(folder / f"private-{name}")
