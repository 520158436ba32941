"""Which method, and how clear a match must be: decided on targets on whom nothing is reported.

Promise: `calibrated` gives a threshold that a match of an absent person exceeds with probability at most `level`, if
the targets it was made from and the new one are drawn alike (a conformal bound, for any scores); it says so if there
are too few of them. `choose` takes the method that names most present targets rightly at such a threshold; of equal
ones the one that finds most groups (where people share a row), then the one whose best fit is right most often. Both
look at calibration targets alone; whoever reports on them reports too much.

Example:
    >>> from reticent.attacks.reidentification.choosing import calibrated
    >>> calibrated([0.1, 0.5, 0.2, 0.9, 0.3, 0.4, 0.8, 0.7, 0.6], level=0.2)
    0.8
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.reidentification.knowledge import Knowledge, Known
from reticent.attacks.reidentification.matching import match
from reticent.attacks.reidentification.methods import CANDIDATES, Method
from reticent.data.ratings import Release
from reticent.errors import NotEnoughEvidence
from reticent.randomness import Randomness, required

__all__ = ["Chosen", "calibrated", "choose"]


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A method with its threshold.

    Attributes:
        method: how people are scored.
        threshold: a match must be clearer than this.
        level: the share of absent people whom it was made to name at most.
        named: method by method, the share of calibration targets named rightly.
    """

    method: Method
    threshold: float
    level: float
    named: dict[str, float]


def calibrated(absent: Sequence[float] | npt.NDArray[Any], *, level: float) -> float:
    """The threshold that at most a share `level` of absent people exceeds (Vovk et al. 2005: conformal).

    Args:
        absent: how clear the matches of absent calibration targets were.
        level: in (0, 1).

    Raises:
        NotEnoughEvidence: fewer than 1/level - 1 targets.
    """
    level = _checks.open_fraction(level=level)
    place = math.ceil((1 - level) * (len(absent) + 1) - 1e-9)
    if place > len(absent):
        raise NotEnoughEvidence(
            f"Expected at least {math.ceil(1 / level - 1 - 1e-9)} calibration targets for a wrong-match rate of "
            f"{level:g}, got {len(absent)}.",
            "Take more of them, or allow more wrong matches.",
        )
    return float(np.sort(np.asarray(absent, dtype=np.float64))[place - 1])


def choose(
    release: Release,
    targets: npt.NDArray[Any],
    known: Known,
    knowledge: Knowledge,
    randomness: Randomness,
    *,
    level: float = 0.01,
    methods: Sequence[Method] = CANDIDATES,
) -> Chosen:
    """The method that names most of these targets rightly, each at its own calibrated threshold.

    Ties are broken as the page says.

    Args:
        release: what was given away.
        targets: calibration targets.
        known: what is known of them.
        knowledge: how it was drawn.
        randomness: a generator, for ties.
        level: the share of absent people that may be named.
        methods: to choose from; of equal ones the first.

    Raises:
        NotEnoughEvidence: too few targets for the level.
    """
    source = required(randomness)
    best: Chosen | None = None
    named = {}
    most = (-1.0, -1.0, -1.0)
    for method in methods:
        label = source.spawn(method.name)
        absent = match(release, targets, known, knowledge, method, label.spawn("absent"), absent=True)
        threshold = calibrated(absent.clear, level=level)
        present = match(release, targets, known, knowledge, method, label.spawn("present"))
        first = present.place == 1
        right = float(((present.clear > threshold) & first).mean())
        named[method.name] = right
        reached = (right, float(present.own_group.mean()), float(first.mean()))
        if reached > most:
            most, best = reached, Chosen(method, threshold, level, named)
    assert best is not None, "there is at least one method"  # noqa: S101
    return best
