"""What a model shows of its answer: labels, scores, logits, and scores that are rounded or cut to the best few classes.

Promise: an exposure says in words what it lets through, and its text names it exactly: `Exposure.of(one.value) == one`.
Three have names, `Exposure.LABEL`, `Exposure.SCORES` and `Exposure.LOGITS`, and these are what one gets by iterating
over the class. The others restrict scores: "scores:2 digits", "scores:top 1", "scores:top 3, 2 digits". An interface
that shows any scores is taken to show the predicted class too, so rounding leaves no doubt about it.

Example:
    >>> from reticent.models import Exposure
    >>> Exposure.of("label").meaning
    'the predicted class only'
    >>> Exposure.of("scores:top 3, 2 digits").meaning
    'the 3 most likely classes and their probabilities, rounded to 2 digits'
    >>> [one.value for one in Exposure]
    ['label', 'scores', 'logits']
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from reticent import _checks
from reticent.errors import UsageError

__all__ = ["Exposure"]

_MOST_DIGITS = 15  # what a double holds
_RESTRICTED = re.compile(r"scores:(?:top (\d{1,9}))?(?:(?:(?<=\d), )?(\d{1,2}) digits?)?")


class _Named(type):
    """Iterating over the class gives the exposures that have names, as an enumeration would."""

    def __iter__(cls) -> Iterator[Exposure]:
        return iter((Exposure.LABEL, Exposure.SCORES, Exposure.LOGITS))


@dataclasses.dataclass(frozen=True, repr=False)
class Exposure(metaclass=_Named):
    """What a model shows of its answer.

    Args:
        shows: "label", "scores" or "logits".
        digits: to how many decimals scores are rounded; None: not at all.
        top: of how many of the most likely classes the scores are shown; None: of all.

    Raises:
        UsageError: no such exposure; only scores are rounded or cut.
    """

    shows: str
    digits: int | None = None
    top: int | None = None

    LABEL: ClassVar[Exposure]
    SCORES: ClassVar[Exposure]
    LOGITS: ClassVar[Exposure]

    def __post_init__(self) -> None:
        _checks.one_of(("label", "scores", "logits"), exposure=self.shows)
        if self.shows != "scores" and (self.digits, self.top) != (None, None):
            raise UsageError(
                f"Expected digits and top with scores only, got them with {self.shows}.",
                "Pass Exposure('scores', digits=...), or leave them out.",
            )
        if self.digits is not None and _checks.at_least(1, digits=self.digits) > _MOST_DIGITS:
            raise UsageError(f"Expected digits <= {_MOST_DIGITS}, got digits={self.digits}.", "Leave digits out.")
        if self.top is not None:
            _checks.at_least(1, top=self.top)

    @classmethod
    def of(cls, exposure: Exposure | str) -> Exposure:
        """The exposure, or the one of that text.

        Raises:
            UsageError: no exposure has that text.
        """
        if isinstance(exposure, Exposure):
            return exposure
        for one in Exposure:
            if one.shows == exposure:
                return one
        found = _RESTRICTED.fullmatch(exposure) if isinstance(exposure, str) else None
        if found is None or found.groups() == (None, None):
            examples = ("label", "scores", "logits", "scores:2 digits", "scores:top 1")
            _checks.one_of(examples, exposure=exposure)
        top, digits = (None if part is None else int(part) for part in ((None, None) if not found else found.groups()))
        return cls("scores", digits, top)

    @property
    def value(self) -> str:
        """Its text."""
        parts = [] if self.top is None else [f"top {self.top}"]
        parts += [] if self.digits is None else [f"{self.digits} digit{'s' * (self.digits > 1)}"]
        return f"{self.shows}:{', '.join(parts)}" if parts else self.shows

    @property
    def meaning(self) -> str:
        """The exposure in words, as it stands in reports."""
        if self.shows == "label":
            return "the predicted class only"
        if self.shows == "logits":
            return "the unrounded outputs of the last layer"
        places = "" if self.digits is None else f" rounded to {self.digits} digit{'s' * (self.digits > 1)}"
        if self.top is None:
            return f"the predicted class, and the probability of every class{places}" if places else _EVERY
        if self.top == 1:
            return f"the predicted class and its probability{places and ',' + places}"
        return f"the {self.top} most likely classes and their probabilities{places and ',' + places}"

    def within(self, other: Exposure) -> bool:
        """Whether it shows nothing that the other does not show.

        Example:
            >>> Exposure.of("scores:top 1").within(Exposure.SCORES), Exposure.LOGITS.within(Exposure.SCORES)
            (True, False)
        """
        order = ("label", "scores", "logits")
        if self.shows != "scores" or other.shows != "scores":
            return order.index(self.shows) <= order.index(other.shows)
        limits = ((self.digits, other.digits), (self.top, other.top))
        return all(theirs is None or (mine is not None and mine <= theirs) for mine, theirs in limits)

    def __repr__(self) -> str:
        return f"Exposure.of({self.value!r})"

    def __str__(self) -> str:
        return self.value

    def __reduce__(self) -> tuple[Any, ...]:
        return (Exposure.of, (self.value,))  # so a copy of Exposure.LABEL is Exposure.LABEL


_EVERY = "the probability of every class"
Exposure.LABEL = Exposure("label")
Exposure.SCORES = Exposure("scores")
Exposure.LOGITS = Exposure("logits")
