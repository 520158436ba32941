"""The journal of one training, whichever states it is saved to.

Promise: a training that is taken up from any of its states goes on from one count of the batches that it has begun.
Every training has a journal of its own, made at the first save and named in each state; a state whose journal is
missing, or is another training's by now, is refused.

Simulated trainings repeat to the bit, and have none. Of several processes the first one keeps it: it writes before it
adds its part to a sum, and without that part nothing leaves the others.

Example:
    >>> import tempfile, torch, reticent as rt
    >>> from reticent.training.accounts import Account
    >>> from reticent.training.resuming import Identity
    >>> model, plan = torch.nn.Linear(2, 2), rt.Plan(1.0, dataset_size=60, batch_size=10, steps=12, delta=1e-3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Account(Identity(model, plan, rt.Randomness.secure())) as account:
    ...         account.open(f"{folder}/run.state")
    ...         account.begin(7)
    ...         noted = account.noted(f"{folder}/run.state")
    ...     with Account(Identity(model, plan, rt.Randomness.secure())) as again:
    ...         again.take_up(noted, f"{folder}/run.state")
    ...         again.begun
    8
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from reticent.errors import UsageError
from reticent.training.journal import Journal, begun_in, journal_path
from reticent.training.ranks import Ranks

if TYPE_CHECKING:
    from reticent.training.resuming import Identity

__all__ = ["Account"]


class Account:
    """One training's journal.

    Args:
        who: which training it is.
        ranks: the processes that train together; this one alone by default.
    """

    def __init__(self, who: Identity, ranks: Ranks | None = None) -> None:
        self._ranks = Ranks() if ranks is None else ranks
        self._kept = who.plan is not None and who.randomness.is_secure and self._ranks.rank == 0
        self._journal: Journal | None = None
        self._place = Path()
        self._run = ""

    @property
    def begun(self) -> int:
        """How many batches have been begun; 0 where nothing is kept."""
        return 0 if self._journal is None else self._journal.begun

    def refuse_left_over(self, path: str | Path) -> None:
        """Raise `UsageError` if there is a journal beside a state that is not there: something was begun."""
        if self._kept and (begun := begun_in(journal_path(path))):
            raise UsageError(
                f"Expected the state of this training at {path}, got its journal only, with {begun} steps.",
                "Bring the state back; or delete the journal to start anew, and add up what both promise.",
            )

    def open(self, path: str | Path) -> None:
        """Begin a journal beside a state that is about to be saved, unless there is one already."""
        if self._kept and self._journal is None:
            self._run, self._place = os.urandom(16).hex(), journal_path(path).resolve()
            self._journal = Journal.anew(self._place, self._run)

    def noted(self, path: str | Path) -> dict[str, str] | None:
        """What a state that is saved here says about the journal."""
        if self._journal is None:
            return None
        return {"file": os.path.relpath(self._place, Path(path).resolve().parent), "run": self._run}

    def take_up(self, noted: dict[str, Any] | None, path: str | Path) -> None:
        """Go on with the journal that a state names.

        Raises:
            UsageError: it is not there, or belongs to a later training.
        """
        if not self._kept:
            return
        place = None if noted is None else (Path(path).resolve().parent / noted["file"]).resolve()
        if noted is None or place is None or not place.exists():
            raise UsageError(
                f"Expected the journal of this training at {place or journal_path(path)}, got none: how many batches "
                "were begun after the state was saved is not known.",
                "Bring the journal along with the state; or start anew, and add up what both promise (compose).",
            )
        self._run, self._place = noted["run"], place
        self._journal = Journal(place, self._run)

    def begin(self, number: int) -> None:
        """Note that batch `number` is about to be used."""
        if self._journal is not None:
            self._journal.begin(number)

    def close(self) -> None:
        """Close the journal; the file stays."""
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
