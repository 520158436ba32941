"""What every way of scoring has in common: the same three arguments, and one number per record.

Promise: `score` reads the target's and the references' signals and the references' own memberships, never the target's;
larger means more likely a member. `leave_one_out` gives what the loop over references would, each in turn the target
of the others, from one pass over them. Scores of a method rank the records of one model; whether they can be compared
between models is said in its `meaning`.

A record that no reference model was trained with (or without) gets a score like any other. How is each method's own
affair and stands on its page.

Shapes: signals are (models, records), membership is (models, records) booleans, scores are (records,) float64.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.membership import METHODS
    >>> from reticent.models import Signals
    >>> odds = np.array([[1.0, 4.0], [4.0, 1.0], [1.2, 3.9]])
    >>> signals = Signals(odds, -np.log1p(np.exp(-odds)), odds > 0)
    >>> inside = np.array([[False, True], [True, False], [False, True]])
    >>> METHODS["student"].score(signals.model(2), signals.take([0, 1]), inside[:2]).round(1).tolist()
    [-2.7, 2.9]
    >>> METHODS["rmia"].leave_one_out(signals, inside).shape
    (3, 2)
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from reticent.errors import UsageError
from reticent.models import Signals

__all__ = ["Method", "Learned", "checked_references", "checked_target"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


class Learned(Protocol):
    """What a method keeps of reference models."""

    def without(self, model: int, row: Floats, inside: Booleans) -> Any:
        """The same without one of them: its number, its (records,) values and its (records,) membership."""


@dataclasses.dataclass(frozen=True)
class Method(abc.ABC):
    """A way of telling members from what models answer.

    Attributes:
        name: under which it stands in `METHODS`.
        meaning: what a score says, in a sentence.
        source: who published it.
        signal: which of the `Signals` it reads.
        needs: "in-models" if references trained with records are needed, "out-models" for those without; neither
            is needed of every record.
    """

    name: ClassVar[str]
    meaning: ClassVar[str]
    source: ClassVar[str]
    signal: ClassVar[str] = "odds"
    needs: ClassVar[frozenset[str]] = frozenset()

    @property
    def parameters(self) -> dict[str, Any]:
        """What was chosen about it."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.repr}

    def __str__(self) -> str:
        chosen = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.name}({chosen})" if chosen else self.name

    def score(self, target: Signals, references: Signals, membership: Booleans) -> Floats:
        """(records,) scores, larger for members.

        Args:
            target: the attacked model's signals, of one model.
            references: reference models' signals for the same records.
            membership: (models, records) whether the record was in that reference model's training data.

        Raises:
            UsageError: shapes that do not fit, no reference model, or none of a kind that is needed.
        """
        checked_references(references, membership)
        checked_target(target, references)
        values = self._read(references)
        self._check_sides(int(membership.sum()), membership.size)
        return self._score(self._read(target)[0], self._learn(values, membership))

    def leave_one_out(self, references: Signals, membership: Booleans) -> Floats:
        """(models, records) scores when each reference model in turn is the target and the others are its references.

        Raises:
            UsageError: fewer than two reference models, or none of a kind that is needed when one is left out.
        """
        checked_references(references, membership, least=2)
        values = self._read(references)
        learned = self._learn(values, membership)
        result = np.empty(values.shape)
        members = int(membership.sum())
        for model, (row, inside) in enumerate(zip(values, membership, strict=True)):
            self._check_sides(members - int(inside.sum()), membership.size - len(row))
            result[model] = self._score(row, learned.without(model, row, inside))
        return result

    def _read(self, signals: Signals) -> Floats:
        return np.asarray(getattr(signals, self.signal), dtype=np.float64)

    def _check_sides(self, members: int, pairs: int) -> None:
        sides = [("with", "in-models", members), ("without", "out-models", pairs - members)]
        needed = [(word, count) for word, kind, count in sides if kind in self.needs]
        if not all(count for _, count in needed):
            kinds = " and ".join(word for word, _ in needed)
            got = "one kind" if len(needed) > 1 else "the other kind"
            raise UsageError(
                f"Expected reference models trained {kinds} the records, got only {got}.",
                "Draw each reference model's training records at random, about half of them.",
            )

    @abc.abstractmethod
    def _learn(self, values: Floats, membership: Booleans) -> Learned:
        """What is kept of the references' (models, records) values."""

    @abc.abstractmethod
    def _score(self, values: Floats, learned: Any) -> Floats:
        """(records,) scores of a target's (records,) values."""


def checked_references(references: Signals, membership: Booleans, *, least: int = 1) -> None:
    """Refuse references that do not fit their memberships.

    Raises:
        UsageError: shapes that do not fit, memberships that are not booleans, or fewer models than needed.
    """
    if membership.shape != references.odds.shape:
        raise UsageError(
            f"Expected scores and membership of one shape (models, records), got {references.odds.shape} "
            f"and {membership.shape}.",
            "Score every reference model on every record.",
        )
    if membership.dtype != bool:
        raise UsageError(
            f"Expected membership as True and False, got {membership.dtype}.", "Convert it with .astype(bool)."
        )
    if len(references) < least:
        raise UsageError(
            f"Expected at least {least} reference model{'s' if least > 1 else ''}, got {len(references)}.",
            "Train more of them.",
        )
    if not references.records:
        raise UsageError("Expected at least one record, got none.", "Score the models on some records.")


def checked_target(target: Signals, references: Signals) -> None:
    """Refuse a target that does not fit its references.

    Raises:
        UsageError: not one model, or other records.
    """
    if len(target) != 1 or target.records != references.records:
        raise UsageError(
            f"Expected one target score per record, got {target.odds.shape} for {references.records} records.",
            "Score one target on the same records as the reference models.",
        )
