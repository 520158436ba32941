"""Which rows of the source a synthetic table gives away: row by row, with p-values and a false discovery rate.

Promise: a row is listed only by its own p-value, adjusted for all rows that were judged (Benjamini and Hochberg, 1995):
of the rows of such a list at most the stated share is expected to be no more exposed than somebody who was left out.
Nothing is listed unless it is asked for, and rows are named by their numbers in the source, from 0, never by cells. A
row that is not listed is not safe: `fewest` says how short a list can be at all.

Two lists, of the same score (`calibrated_distance`: how much nearer the release has a row than the reference does):

* "this release": each judged row against all controls. Its p-value is the share of controls that score as high, itself
  counted in: valid if a row that the release does not expose scores as controls do, which random controls do. All rows
  share the controls; such p-values depend on each other positively, and the adjustment allows for that (Bates, Candes,
  Lei, Romano and Sesia, 2023, theorem 2). It is never below 1/(controls + 1), so that a single row among many cannot be
  listed without thousands of controls.
* "releases of the generator": each target against itself: its scores in shadow releases with it and without it, by the
  exact rank-sum test over its own coins (Wilcoxon, 1945; ties at their mean rank). The coins were drawn here, so
  this needs no control, and it finds one row among hundreds. Coins of rows that make no difference are independent.

Not covered: rows that are told by a pattern other than nearness (a rare combination whose count is published), and
whether somebody other than the auditor could tell which rows these are.

Example:
    >>> import numpy as np
    >>> from reticent.audits.synthetic.exposed import against_controls
    >>> found = against_controls(np.array([0.9, 0.1, 0.8]), np.linspace(-0.5, 0.5, 99), np.array([7, 8, 9]), 0.1)
    >>> [(one.row, one.p) for one in found.rows], found.fewest
    ([(7, 0.01), (9, 0.01)], 1)
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from reticent import _checks
from reticent.attacks.synthetic import calibrated_distance
from reticent.audits.multiplicity import benjamini_hochberg
from reticent.audits.synthetic.preparing import Prepared

__all__ = ["Exposed", "RowsAtRisk", "against_controls", "against_coins", "coin_p_values", "in_release"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

HERE: Final = "this release"
ANEW: Final = "releases of the generator"
_SHOWN: Final = 10


@dataclasses.dataclass(frozen=True)
class Exposed:
    """A row of the source.

    Attributes:
        row: its number in the source, from 0.
        p: that a row which is not exposed looks so exposed.
        p_adjusted: the false discovery rate at which it is still listed.
    """

    row: int
    p: float
    p_adjusted: float


@dataclasses.dataclass(frozen=True)
class RowsAtRisk:
    """A list of rows.

    Attributes:
        where: "this release" or "releases of the generator".
        level: the share of the list that may be there by chance, on average.
        judged: rows of the source that were judged.
        against: controls, or shadow releases.
        fewest: no shorter list can come out, from so many controls or releases (0: none can).
        rows: those at risk, the most exposed first.
        reason: why there is no list, if there is none.
    """

    where: str
    level: float
    judged: int
    against: int
    fewest: int
    rows: tuple[Exposed, ...]
    reason: str = ""

    @property
    def sentence(self) -> str:
        """It in words, with the numbers of the first rows."""
        if self.reason:
            return f"No rows at risk can be listed from {self.where}: {self.reason}."
        some = ", ".join(str(one.row) for one in self.rows[:_SHOWN]) + (", ..." if len(self.rows) > _SHOWN else "")
        shortest = (
            "none can come out with so few of them"
            if not self.fewest
            else f"a list of fewer than {self.fewest} cannot come out"
        )
        kind = "controls" if self.where == HERE else "shadow releases"
        return (
            f"Rows at risk in {self.where}: {len(self.rows)} of {self.judged} rows of the source"
            + (f" ({some}, counted from 0)" if self.rows else "")
            + f", held against {self.against} {kind}; of such a list at most {self.level * 100:g} % are there by "
            f"chance, on average; {shortest}, and a row that is not in it is not safe."
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **dataclasses.asdict(self),
            "rows": [dataclasses.asdict(one) for one in self.rows],
            "sentence": self.sentence,
        }


def in_release(ready: Prepared, level: float, *, fair: bool) -> RowsAtRisk:
    """The judged rows of the source that the release exposes.

    Args:
        ready: the tables.
        level: the false discovery rate.
        fair: whether source and control could not be told apart without the release; if not, there is no list.
    """
    members, controls = ready.members, ready.controls
    if not fair:
        reason = "source and control can be told apart without it"
        return RowsAtRisk(HERE, level, len(members), len(controls), 0, (), reason)
    scores = [
        calibrated_distance(rows, release=ready.release, reference=ready.reference) for rows in (members, controls)
    ]
    return against_controls(scores[0], scores[1], ready.source_rows, level)


def against_controls(members: Floats, controls: Floats, rows: Ints, level: float) -> RowsAtRisk:
    """Rows whose scores lie above those of controls.

    Args:
        members: (members,) scores, larger for more exposed.
        controls: (controls,) scores.
        rows: (members,) their numbers.
        level: the false discovery rate.
    """
    above = len(controls) - np.searchsorted(np.sort(controls), members, side="left")
    return _listed(HERE, (above + 1) / (len(controls) + 1), 1 / (len(controls) + 1), len(controls), rows, level)


def against_coins(scores: Floats, membership: Booleans, rows: Ints, level: float) -> RowsAtRisk:
    """Rows whose scores are higher in the releases that they were in.

    Args:
        scores: (releases, rows) larger for more exposed.
        membership: (releases, rows) by fair coins.
        rows: (rows,) their numbers.
        level: the false discovery rate.
    """
    count = len(scores)
    least = 1 / math.comb(count, count // 2)
    return _listed(ANEW, coin_p_values(scores, membership), least, count, rows, level)


def coin_p_values(scores: Floats, membership: Booleans) -> Floats:
    """(rows,) exact one-sided p-values of the rank-sum test, given in how many releases each row was."""
    doubled = np.rint(2 * rankdata(scores, axis=0)).astype(np.int64)  # whole numbers, also where ranks are tied
    return np.array(
        [
            _tail(tuple(sorted(ranks.tolist())), int(inside.sum()))[int(ranks[inside].sum())]
            for ranks, inside in zip(doubled.T, membership.T, strict=True)
        ]
    )


@functools.lru_cache(maxsize=1024)
def _tail(ranks: tuple[int, ...], drawn: int) -> Floats:
    """(sums,) the chance that so many ranks, drawn without replacement, have at least this sum."""
    total = sum(ranks)
    ways = np.zeros((drawn + 1, total + 1))
    ways[0, 0] = 1.0
    for rank in ranks:
        ways[1:, rank:] = ways[1:, rank:] + ways[:-1, : total + 1 - rank]
    found: Floats = np.cumsum(ways[drawn, ::-1])[::-1] / ways[drawn].sum()
    return np.minimum(found, 1.0)


def _listed(where: str, p: Floats, least: float, against: int, rows: Ints, level: float) -> RowsAtRisk:
    _checks.open_fraction(level=level)
    adjusted = benjamini_hochberg(p) if len(p) else p
    order = np.lexsort((rows, p))
    kept = [Exposed(int(rows[i]), float(p[i]), float(adjusted[i])) for i in order if adjusted[i] <= level]
    fewest = math.ceil(least * len(p) / level - 1e-9)
    return RowsAtRisk(where, level, len(p), against, fewest if fewest <= len(p) else 0, tuple(kept))
