"""Which method, and how clear a match must be: decided on targets on whom nothing is reported.

Promise: `calibrated` gives a threshold that a match of an absent person exceeds with probability at most `level`, on
average over calibrations, if the targets it was made from and the new one are drawn alike (a conformal bound, for any
scores); it says so if there are too few of them. With several draws of what is known of each target it is the same
bound if draws of one person are independent or all alike, and in no case more than `level` + 1/(targets + 1).

One calibration is above or below: its threshold's own rate is random. From one draw of each of 300 targets, at 1 %, it
is the third of 300 scores, whose rate lies between 0.2 and 2.4 % in 95 % of calibrations. Ten draws of each are nearly
as good as ten times as many targets: whether an absent person is named depends on what happens to be known of them far
more than on who they are.

An absent person is a target whose row gave way to one that fits nothing, so that fits which are equally clear to people
who really are not in the release have the same score, and none of them is clearer than a threshold that one of them
made. Sums of the same numbers in another order differ by rounding: `beyond_ties` puts the threshold above those.

`choose` takes the method that names most present targets rightly at its threshold; of equal ones the one that finds
most groups (where people share a row), then the one whose best fit is right most often. The method that wins is more
often than not one whose threshold came out low by luck, so it is calibrated again, on draws of knowledge that the
choice has not seen (`again`). Both look at calibration targets alone; whoever reports on them reports too much.

Sources: Vovk, Gammerman and Shafer (2005); several draws of each target: Lee, Barber and Willett (2023), theorem 1,
whose correction for draws that are neither independent nor alike is the 1/(targets + 1).

Example:
    >>> from reticent.attacks.reidentification.choosing import calibrated
    >>> calibrated([0.1, 0.5, 0.2, 0.9, 0.3, 0.4, 0.8, 0.7, 0.6], level=0.2)
    0.8
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.attacks.reidentification.knowledge import Knowledge, Known
from reticent.attacks.reidentification.matching import match
from reticent.attacks.reidentification.methods import CANDIDATES, Method
from reticent.data.ratings import Release
from reticent.errors import NotEnoughEvidence
from reticent.randomness import Randomness, required

__all__ = ["Chosen", "beyond_ties", "calibrated", "choose"]

ROUNDING: Final = 1e-5
"""Scores are sums of a few float32, whose rounding is a hundredth of this; what differs by less is a tie."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A method with its threshold.

    Attributes:
        method: how people are scored.
        threshold: a match must be clearer than this.
        level: the share of absent people whom it was made to name at most, on average over calibrations.
        named: method by method, the share of calibration targets named rightly, each at the threshold from the draw
            that the choice was made on.
    """

    method: Method
    threshold: float
    level: float
    named: dict[str, float]


def calibrated(absent: Sequence[float] | npt.NDArray[Any], *, level: float) -> float:
    """The threshold that at most a share `level` of absent people exceeds (Vovk et al. 2005: conformal).

    Args:
        absent: (targets,) how clear the matches of absent calibration targets were; (targets, draws) if what is known
            of each was drawn several times.
        level: in (0, 1).

    Raises:
        NotEnoughEvidence: fewer than 1/level - 1 targets.
    """
    level = _checks.open_fraction(level=level)
    clear = np.asarray(absent, dtype=np.float64)
    targets, draws = len(clear), clear.shape[1] if clear.ndim > 1 else 1
    place = math.ceil((1 - level) * (targets + 1) - 1e-9)
    if place > targets:
        raise NotEnoughEvidence(
            f"Expected at least {math.ceil(1 / level - 1 - 1e-9)} calibration targets for a wrong-match rate of "
            f"{level:g}, got {targets}.",
            "Take more of them, or allow more wrong matches.",
        )
    # The place that is right for independent draws, but above the copies of one target if its draws were all alike.
    place = max(math.ceil((1 - level) * (targets * draws + 1) - 1e-9), (place - 1) * draws + 1)
    return float(np.sort(clear, axis=None)[place - 1])


def beyond_ties(absent: Sequence[float] | npt.NDArray[Any], *, level: float) -> float:
    """The calibrated threshold, and a hair more: a fit that is as clear but for rounding does not exceed it.

    Args:
        absent: as for `calibrated`.
        level: in (0, 1).

    Raises:
        NotEnoughEvidence: fewer than 1/level - 1 targets.
    """
    threshold = calibrated(absent, level=level)
    return threshold + ROUNDING * max(abs(threshold), 1.0) if math.isfinite(threshold) else threshold


def choose(
    release: Release,
    targets: npt.NDArray[Any],
    known: Known,
    knowledge: Knowledge,
    randomness: Randomness,
    *,
    level: float = 0.01,
    methods: Sequence[Method] = CANDIDATES,
    again: Sequence[Known] = (),
) -> Chosen:
    """The method that names most of these targets rightly, each at its own calibrated threshold.

    Ties are broken as the page says. With `again` the threshold that is given comes from those draws alone.

    Args:
        release: what was given away.
        targets: calibration targets.
        known: what is known of them.
        knowledge: how it was drawn.
        randomness: a generator, for ties.
        level: the share of absent people that may be named.
        methods: to choose from; of equal ones the first.
        again: further draws of what is known of the same targets, on which the choice does not depend. Without them the
            threshold is the one that the choice was made with, which is a little too low: on MovieLens-100K it names up
            to 1.2 % where 1 % was asked for.

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
        threshold = beyond_ties(absent.clear, level=level)
        present = match(release, targets, known, knowledge, method, label.spawn("present"))
        first = present.place == 1
        right = float(((present.clear > threshold) & first).mean())
        named[method.name] = right
        reached = (right, float(present.own_group.mean()), float(first.mean()))
        if reached > most:
            most, best = reached, Chosen(method, threshold, level, named)
    assert best is not None, "there is at least one method"  # noqa: S101
    if not again:
        return best
    label = source.spawn(f"again {best.method.name}")
    drawn = [
        match(release, targets, one, knowledge, best.method, label.spawn(f"{place}"), absent=True).clear
        for place, one in enumerate(again)
    ]
    return dataclasses.replace(best, threshold=beyond_ties(np.stack(drawn, axis=1), level=level))
