"""From scores to a decision: one person, or nobody; and the lineup behind it.

Promise: `match` tells for every target how far the best fit stands out, where the target's own row stands, and how much
remains unknown. Ties are broken by a coin, so a place is what an attacker would get. With `absent=True` the target's
row gives way to one that fits nothing (`reticent.attacks.reidentification.methods`), and whoever is matched is matched
wrongly, as clearly as for somebody who really is not in a release of so many people. What a person's data did to the
release before it was made (to a group's profile, say) stays in it.

How a best fit stands out:

* for similarities, the eccentricity: (best - second) / deviation of all scores (Narayanan and Shmatikov 2008, section
  4.2); they match if it is at least phi = 1.5;
* for likelihood ratios, the log-odds that it is the best one against everybody else and against the target's not being
  there, which is given as much prior weight as being there.

Lineup: probabilities proportional to exp(score / deviation), or to the likelihood ratio (their "entropic" output); its
entropy says how many bits the attacker still lacks.

Shapes: everything (targets,).

Example:
    >>> import numpy as np
    >>> from reticent.attacks.reidentification import Knowledge, ScoreboardRH, learned, match
    >>> from reticent.data.ratings import releases, simulated_ratings
    >>> from reticent.randomness import Randomness
    >>> source = Randomness.simulated(1)
    >>> made = simulated_ratings(500, 200, 20_000, source)
    >>> targets, knowledge = np.argsort(-made.sizes)[:50], Knowledge(8, days=14)
    >>> known = learned(made, targets, knowledge, source)
    >>> found = match(releases.as_it_is(made), targets, known, knowledge, ScoreboardRH(), source)
    >>> int((found.place == 1).sum()) >= 45
    True
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent.attacks.reidentification.knowledge import Knowledge, Known
from reticent.attacks.reidentification.methods import NOBODY, Method
from reticent.data.ratings import Release
from reticent.errors import UsageError
from reticent.randomness import Randomness, required

__all__ = ["Matches", "match"]

Array = npt.NDArray[Any]
Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Matches:
    """What an attacker got for each target.

    Attributes:
        clear: how far the best fit stands out; compared with a threshold.
        place: where the target's own row stands, from 1; 0 if it is not in the release.
        bits: entropy of the lineup.
        mass: probability of the target's own row in the lineup.
        own_group: whether the best fit is of the target's group, where the release has groups.
    """

    clear: npt.NDArray[np.float64]
    place: npt.NDArray[np.int64]
    bits: npt.NDArray[np.float64]
    mass: npt.NDArray[np.float64]
    own_group: npt.NDArray[np.bool_]


def match(
    release: Release,
    targets: Sequence[int] | Array,
    known: Known,
    knowledge: Knowledge,
    method: Method,
    randomness: Randomness,
    *,
    absent: bool = False,
    progress: Progress | None = None,
) -> Matches:
    """Look for each target in a release.

    Args:
        release: what was given away.
        targets: their numbers, with which the answers are scored and nothing else.
        known: what is known of them.
        knowledge: how it was drawn, as the attacker knows it.
        method: how people are scored.
        randomness: a generator, for ties.
        absent: as if each target were not in the release.
        progress: called with (done, in all).

    Raises:
        UsageError: nobody is in the release.
    """
    ratings = release.ratings
    inside = ratings.sizes > 0
    count = int(inside.sum())
    if count < 2:
        raise UsageError(f"Expected at least two people in the release, got {count}.", "There is nobody to mistake.")
    scorer = method.prepared(release, knowledge)
    coins = required(randomness).uniform(2 * len(targets)).reshape(-1, 2)
    outside = np.flatnonzero(~inside)
    found = np.zeros((len(targets), 5))
    for row, target in enumerate(np.asarray(targets).tolist()):
        without = target if absent else NOBODY
        days = None if known.days is None else known.days[row]
        scores = scorer.scores(known.items[row], known.scores[row], days, without=without)
        if method.exponent:
            scores[outside] = -np.inf
        there = bool(inside[target])
        judged = _by_odds if method.exponent else _by_eccentricity
        clear, weights, top = judged(scores, count, float(coins[row, 0]))
        found[row, 0] = clear
        found[row, 2] = _entropy(weights, scores, count, method.exponent)
        if there and not absent:
            found[row, 1] = _place(scores, target, inside, float(coins[row, 1]), top)
            found[row, 3] = float(weights[target] / _total(weights, count, scores, method.exponent))
        if release.groups is not None:
            found[row, 4] = release.groups[top] == release.groups[target]
        if progress is not None:
            progress(row + 1, len(targets))
    return Matches(found[:, 0], found[:, 1].astype(np.int64), found[:, 2], found[:, 3], found[:, 4] > 0)


def _top(scores: Array, coin: float) -> tuple[int, float, float]:
    """Who is best (by a coin among several), the best score and the second best."""
    top = int(np.argmax(scores))
    best = float(scores[top])
    alike = np.flatnonzero(scores == scores[top])
    if len(alike) > 1:
        return int(alike[int(coin * len(alike))]), best, best
    scores[top] = -np.inf
    second = float(scores.max())
    scores[top] = best
    return top, best, second


def _by_eccentricity(scores: Array, people: int, coin: float) -> tuple[float, Array, int]:
    top, best, second = _top(scores, coin)
    mean = float(scores.sum(dtype=np.float64)) / people  # whoever is not in the release has score 0
    spread = float(np.sqrt(max(float(np.square(scores, dtype=np.float64).sum()) / people - mean * mean, 0.0)))
    if spread == 0.0:
        return 0.0, np.ones_like(scores), top
    return (best - second) / spread, np.exp((scores - best) / spread), top


def _by_odds(scores: Array, people: int, coin: float) -> tuple[float, Array, int]:
    top, best, _ = _top(scores, coin)
    weights = np.exp(scores - best)
    others = float(weights.sum()) - 1.0 + people * np.exp(min(-best, 700.0))
    return -float(np.log(max(others, 1e-300))), weights, top


def _total(weights: Array, people: int, scores: Array, exponent: bool) -> float:
    """The sum of the weights of those who are in the release."""
    total = float(weights.sum(dtype=np.float64))
    if exponent:
        return total
    nobody = weights[int(np.argmin(scores))] if len(scores) > people else 0.0
    return total - (len(scores) - people) * float(nobody)


def _entropy(weights: Array, scores: Array, people: int, exponent: bool) -> float:
    total = _total(weights, people, scores, exponent)
    shares = weights.astype(np.float64) / total
    inner = np.log2(shares, out=np.zeros_like(shares), where=shares > 0) * shares
    found = -float(inner.sum())
    if not exponent and len(scores) > people:
        nobody = float(shares[int(np.argmin(scores))])
        found += (len(scores) - people) * nobody * (np.log2(nobody) if nobody > 0 else 0.0)
    return max(found, 0.0)


def _place(scores: Array, target: int, inside: Array, coin: float, top: int) -> int:
    """From 1; among equals by a coin, and first if it is the one that was picked."""
    if top == target:
        return 1
    own = scores[target]
    above = int(((scores > own) & inside).sum())
    alike = int(((scores == own) & inside).sum())
    if above == 0:  # the coin that picked the best one has spoken
        return 2 + int(coin * (alike - 1)) if alike > 1 else 1
    return above + 1 + int(coin * alike)
