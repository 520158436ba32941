"""What a model shows of its answer.

Promise: an exposure is one of few, and says in words what it lets through.

Example:
    >>> from reticent.models import Exposure
    >>> Exposure.of("label").meaning
    'the predicted class only'
"""

from __future__ import annotations

import enum

from reticent import _checks

__all__ = ["Exposure"]


class Exposure(enum.Enum):
    """What a model shows of its answer."""

    LABEL = "label"
    SCORES = "scores"
    LOGITS = "logits"

    @classmethod
    def of(cls, exposure: Exposure | str) -> Exposure:
        """The exposure, or the one of that name.

        Raises:
            UsageError: no exposure has that name.
        """
        if isinstance(exposure, Exposure):
            return exposure
        return cls(_checks.one_of([one.value for one in cls], exposure=exposure))

    @property
    def meaning(self) -> str:
        """The exposure in words, as it stands in reports."""
        return {
            Exposure.LABEL: "the predicted class only",
            Exposure.SCORES: "the probability of every class",
            Exposure.LOGITS: "the unrounded outputs of the last layer",
        }[self]
