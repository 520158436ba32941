"""What a weight of evidence is worth, learned from pairs that are surely of two people: those within one table.

Promise: no label is used. If nobody has two rows in a table, every pair of its rows is a pair of strangers, with all
that strangers share: households, twins, towns that follow from postcodes. They are compared as pairs of both tables
are. So many strangers are expected at each weight s among the pairs of both tables; what is found above that number,
E(s), is matches: found = E(s) (1 + o(s)), where o(s) is the odds that a pair of that weight is of one person. log o(s)
is a rising broken line, fitted by a penalised binomial likelihood; where strangers say nothing it rises as Fellegi and
Sunter say (by one for each unit of s). E(s) is the geometric mean of what the two tables say: typing errors of one of
them cost a pair of both half of what they cost a pair within it, and people who stand twice in one table hardly count.
`evidence` is twice the gain in log likelihood over "nobody is in both". Pairs come in clusters (a household of four
makes six), so each counts for less than one: likelihoods are divided by twice the dispersion of pairs in drawn rows.
Not covered: people with several rows in both tables (probabilities are then too low); households of which a release
holds single persons on purpose (too low as well).

Sources: Efron (2004), the empirical null and local false discovery rates; Fellegi and Sunter (1969).

Shapes: log_factor (pairs,), natural logarithms.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.reidentification.linkage.strangers import Strangers, worth
    >>> apart = Strangers(np.arange(400) % 40, np.linspace(-4, 4, 400), 40, 39)
    >>> matches = np.full(20, 9.0)
    >>> found = worth(np.concatenate([apart.log_factor, matches]), (apart, apart), rows=(40, 40))
    >>> odds = np.exp(found.log_odds(np.array([2.0, 9.0])))
    >>> bool(odds[0] < 0.1), bool(odds[1] > 10), found.evidence > 10
    (True, True, True)
    >>> bool(worth(apart.log_factor, (apart, apart), rows=(40, 40)).evidence < 4)
    True
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from reticent.randomness import Randomness

__all__ = ["Strangers", "Worth", "worth"]

Floats = npt.NDArray[np.float64]

_WIDTH: Final = 1.0  # of a class of weights
_LEAST: Final = -5.0  # below, no pair is of one person with a probability that counts
_UNSEEN: Final = 0.1  # strangers assumed in a class where none were seen
_PAIRED: Final = 2.0  # each pair stands in two rows
_SLOPES: Final = (0.02, 2.0)
_PARTS: Final = 8
_CROWD: Final = 10  # strangers for each release row


class Strangers(NamedTuple):
    """Pairs of rows of one table, compared as pairs of both are: they are of two people.

    Attributes:
        row: (pairs,) which of the drawn rows stands in it.
        log_factor: (pairs,) as for pairs of both tables.
        rows: how many rows were drawn.
        others: with how many others each was compared; pairs that no rule makes count, but do not stand here.
    """

    row: npt.NDArray[np.int64]
    log_factor: Floats
    rows: int
    others: int


@dataclasses.dataclass(frozen=True, eq=False)
class Worth:
    """The odds that a pair is of one person, by its weight.

    Attributes:
        knots: (parts + 1,) weights, rising.
        values: (parts + 1,) logarithms of the odds there.
        evidence: that anybody is in both tables (see above); large if somebody is.
        matches: how many pairs of one person are expected among those looked at.
        drawn: the same from counts drawn anew, pairs in clusters: how much the fit is due to chance.
    """

    knots: Floats
    values: Floats
    evidence: float
    matches: float
    drawn: tuple[Worth, ...] = ()

    def log_odds(self, log_factor: Floats) -> Floats:
        """The logarithm of the odds of each pair."""
        low, high = self.knots[0], self.knots[-1]
        inside: Floats = np.interp(log_factor, self.knots, self.values)
        found: Floats = inside + np.minimum(log_factor - low, 0) + np.maximum(log_factor - high, 0)
        return found


def worth(
    log_factor: Floats,
    strangers: Sequence[Strangers],
    *,
    rows: tuple[int, int],
    randomness: Randomness | None = None,
    draws: int = 20,
) -> Worth:
    """What weights are worth.

    Args:
        log_factor: of the pairs of both tables.
        strangers: of each table, or of one of them.
        rows: of release and register.
        randomness: for counts drawn anew; None for none of them.
        draws: how many.
    """
    scale = [rows[0] * rows[1] / (one.rows * one.others) for one in strangers]
    top = max([float(side.max(initial=0.0)) for side in (log_factor, *(one.log_factor for one in strangers))])
    edges = np.arange(np.floor(top) + 1, _LEAST - _WIDTH, -_WIDTH)[::-1]
    counts = [_counted(log_factor, edges), *(_counted(one.log_factor, edges) for one in strangers)]
    first = _countable(counts, scale, rows)
    middle = (edges[:-1] + edges[1:])[first:] / 2
    counts = [one[first:] for one in counts]
    clustered = max(
        _clustered(one, factor, rows, float(edges[first])) for one, factor in zip(strangers, scale, strict=True)
    )
    fitted = _fitted(middle, counts, scale, clustered)
    chance = expit(fitted.log_odds(log_factor))
    drawn: list[Worth] = []
    if randomness is not None:
        for place in range(draws):
            source = randomness.spawn(f"draw {place}")
            again = [_again(one, clustered, source.spawn(str(at))) for at, one in enumerate(counts)]
            drawn.append(_fitted(middle, again, scale, clustered))
    return dataclasses.replace(fitted, matches=float(chance.sum()), drawn=tuple(drawn))


def _expected(seen: Sequence[Floats], scale: Sequence[float]) -> Floats:
    """How many strangers there are in each class: the geometric mean of what the tables say."""
    each = [np.log(factor * (one + _UNSEEN)) for factor, one in zip(scale, seen, strict=True)]
    found: Floats = np.exp(np.mean(each, axis=0))
    return found


def _countable(counts: Sequence[Floats], scale: Sequence[float], rows: tuple[int, int]) -> int:
    """The first class that is looked at: below it, strangers are too many for matches among them to be counted."""
    above = np.cumsum(_expected(counts[1:], scale)[::-1])[::-1]
    return min(int((above > _CROWD * rows[0]).sum()), len(above) - 2)


def _clustered(one: Strangers, factor: float, rows: tuple[int, int], low: float) -> float:
    """How much more the number of alike pairs varies than if each came by itself.

    Of the likest strangers, one for two rows of the release, and not below `low`.
    """
    wanted = max(1, int(0.5 * rows[0] / factor))
    if len(one.row) > wanted:
        low = max(low, float(np.partition(one.log_factor, -wanted)[-wanted]))
    each = np.bincount(one.row[one.log_factor >= low], minlength=one.rows)
    mean = float(each.mean())
    return _PAIRED * max(1.0, float(each.var()) / mean if mean else 1.0)


def _again(counts: Floats, clustered: float, randomness: Randomness) -> Floats:
    """Counts as they might have been: sums of clusters of pairs."""
    centre = counts / clustered
    noise = randomness.normal(counts.shape[0]) * np.sqrt(centre)
    found: Floats = np.maximum(0.0, counts + clustered * noise)
    return found


def _counted(values: Floats, edges: Floats) -> Floats:
    counts: Floats = np.histogram(values, edges)[0].astype(np.float64)
    return counts


def _fitted(middle: Floats, counts: Sequence[Floats], scale: Sequence[float], clustered: float) -> Worth:
    """The broken line of the largest penalised likelihood: of pairs in a class, how many are of both tables."""
    found, expected = counts[0], _expected(counts[1:], scale)
    weight = float(np.exp(np.mean(np.log(scale))))
    parts = max(1, min(_PARTS, len(middle) // 2))
    knots = np.linspace(middle[0], middle[-1], parts + 1)
    width = knots[1] - knots[0]
    reach = np.clip((middle[:, None] - knots[:-1]) / width, 0, 1) * width  # (classes, parts)

    def lost(values: Floats) -> tuple[float, Floats]:
        log_odds = values[0] + reach @ values[1:]
        both = np.logaddexp(0, log_odds)  # log(1 + odds)
        whole = np.logaddexp(both, -np.log(weight))
        gain = found * (both - whole) - expected / weight * (whole + np.log(weight))
        slope = (found - (found + expected / weight) * np.exp(both - whole)) * np.exp(log_odds - both)
        free = values[1:] - 1
        loss = -gain.sum() / clustered + 2 * (free**2).sum()
        steep = np.concatenate([[slope.sum()], slope @ reach])
        return float(loss), -steep / clustered + np.concatenate([[0.0], 4 * free])

    nobody = np.concatenate([[-60.0 - middle[-1] + middle[0]], np.ones(parts)])
    bounds = [(nobody[0], 10.0), *[_SLOPES] * parts]
    # Even odds may lie at any knot: the likelihood is flat where nobody matches, so every one of them is tried.
    tries = [np.concatenate([[knots[0] - knot], np.ones(parts)]) for knot in knots]
    fits = [minimize(lost, one, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}) for one in tries]
    best = min(fits, key=lambda fit: float(fit.fun))
    values = np.concatenate([[best.x[0]], best.x[0] + np.cumsum(best.x[1:]) * width])
    return Worth(knots, values, max(0.0, 2 * (lost(nobody)[0] - float(best.fun))), 0.0)
