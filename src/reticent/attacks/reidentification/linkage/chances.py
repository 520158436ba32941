"""The probability of each candidate pair: weights, set right by strangers, under one-to-one.

Promise: no label is used. Where pairs within the tables can be compared as pairs of both are (no ranges or prefixes
that overlap), `strangers` say what a weight is worth and `matching.marginals` what follows from one-to-one. If they
give no evidence that anybody is in both tables, nobody is `claimed`, whatever the weights say. Otherwise Fellegi and
Sunter's weights stand as they are, and `source` says so: they are too sure where columns depend on each other.
`expected` gives a band with the number of right links: chance in who is right, and in the counts that the odds were
learned from.
Not covered: what the model gets wrong; a band is no confidence interval for the truth.

Example:
    >>> from reticent.attacks.reidentification.linkage.chances import ENOUGH
    >>> ENOUGH
    4.0
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from reticent.attacks.reidentification.linkage import matching
from reticent.attacks.reidentification.linkage.fellegi_sunter import Candidates
from reticent.attacks.reidentification.linkage.strangers import Worth, worth
from reticent.randomness import Randomness

__all__ = ["ENOUGH", "Chances", "chances"]

Floats = npt.NDArray[np.float64]

ENOUGH: Final = 4.0
"""Twice the gain in log likelihood from which on somebody is taken to be in both tables."""


@dataclasses.dataclass(frozen=True, eq=False)
class Chances:
    """How likely pairs are.

    Attributes:
        probability: (pairs,).
        share: of release rows whose person is in the register.
        claimed: whether there is evidence that anybody is.
        source: what the probabilities come from.
        worth: what weights are worth; None if they stand as they are.
    """

    probability: Floats
    share: float
    claimed: bool
    source: str
    worth: Worth | None

    def expected(self, kept: npt.NDArray[np.int64], log_factor: Floats) -> tuple[float, float, float]:
        """How many of some pairs are right, with a band of two standard deviations to either side."""
        found = self.probability[kept]
        right, variance = float(found.sum()), float((found * (1 - found)).sum())
        if self.worth is not None and len(kept) and self.worth.drawn:
            base = logit(np.clip(found, 1e-12, 1 - 1e-12)) - self.worth.log_odds(log_factor[kept])
            variance += float(np.var([expit(base + one.log_odds(log_factor[kept])).sum() for one in self.worth.drawn]))
        spread = 2 * float(np.sqrt(variance))
        return right, max(0.0, right - spread), min(float(len(kept)), right + spread)


def chances(
    pairs: Candidates, rows: tuple[int, int], randomness: Randomness, *, present: float | None, one_to_one: bool
) -> Chances:
    """The probability of each pair.

    Args:
        pairs: with or without strangers.
        rows: of release and register.
        randomness: for the band.
        present: the share of release rows whose person is in the register, if it is known.
        one_to_one: whether a register row is of at most one release row.
    """
    value = worth(pairs.log_factor, pairs.strangers, rows=rows, randomness=randomness) if pairs.strangers else None
    enough = value is not None and value.evidence >= ENOUGH
    if value is None or (present is not None and not enough):
        found, share = matching.probabilities(
            pairs.release, pairs.register, pairs.log_factor, rows=rows, present=present
        )
        why = "overlapping ranges or prefixes" if value is None else "no evidence from them that anybody is in both"
        return Chances(
            found, share, True, f"the model, which takes columns to be independent; no strangers: {why}", None
        )
    log_odds = value.log_odds(pairs.log_factor)
    estimated = min(value.matches / rows[0], 1.0)
    share = estimated if present is None else present
    if present is not None:
        log_odds = log_odds + np.log(present / estimated)
    found = matching.marginals(pairs.release, pairs.register, log_odds, rows=rows, share=share, one_to_one=one_to_one)
    return Chances(found, share, enough, "pairs of strangers within the tables", value)
