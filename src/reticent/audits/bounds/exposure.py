"""A lower bound on epsilon from the exposure of canaries: how far up a random secret ranks among all others.

Promise: the bound is at or below the algorithm's true epsilon with at least the stated confidence, if each exposure
comes from an independent training run with one canary, drawn uniformly from a space that was fixed before.

How (exposure: Carlini et al., 2019): a canary whose secret is the r-th likeliest of |R| candidates has the exposure
log2 |R| - log2 r. A model that never saw it knows nothing of which candidate it is, so its exposure is x or more with
probability at most 2^-x: the false-positive rate, known and not estimated. The true-positive rate is the share of
trained-in canaries with exposure x or more, bounded from below by Clopper and Pearson (1934):

    epsilon >= ln((TPR - delta) / 2^-x)

The same holds for a rank among a sample: 1 + the number of n other candidates that are as likely or likelier, out of
n + 1. `exposure_of` computes that, ties against the canary.

Example:
    >>> import numpy as np
    >>> from reticent.audits.bounds import exposure_bound, exposure_of
    >>> float(exposure_of(5.0, np.arange(5)))  # first of six, as 5 > 4
    2.584962500721156
    >>> bound = exposure_bound(np.full(50, 9.9), at=[5.0], delta=1e-5)
    >>> round(bound.epsilon, 3)
    3.406
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.audits.bounds.many_runs import rate_at_least
from reticent.errors import DataError, UsageError
from reticent.evidence import LowerBound
from reticent.privacy import Relation, Unit

__all__ = ["exposure_bound", "exposure_of"]

Array = npt.NDArray[np.float64]

_ASSUMPTIONS = (
    "each exposure comes from an independent training run with one canary of its own",
    "each canary's secret was drawn uniformly from the candidates it is ranked among, before the training",
    "the exposures that count as found were fixed before they were seen",
)


def exposure_of(score: Any, references: Any) -> Array:
    """The exposure of canaries, in bits, by their ranks among other candidates; ties count against them.

    Args:
        score: one score or (n,) of them, larger meaning likelier.
        references: (k,) scores of candidates that were not trained on, or (n, k).

    Raises:
        DataError: no reference, or NaN.
    """
    scores, others = np.asarray(score, dtype=np.float64), np.asarray(references, dtype=np.float64)
    if others.ndim == 0 or others.shape[-1] == 0 or np.isnan(others).any() or np.isnan(scores).any():
        raise DataError(f"Expected scores of other candidates, got shape {others.shape}.", "Score some, without NaN.")
    ranks = 1 + (others >= scores[..., None]).sum(axis=-1)
    found: Array = np.log2(others.shape[-1] + 1) - np.log2(ranks)
    return found


def exposure_bound(
    exposures: Any,
    *,
    at: Sequence[float],
    delta: float,
    confidence: float = 0.95,
    unit: Unit = Unit.EXAMPLE,
    relation: Relation = Relation.ADD_OR_REMOVE_ONE,
) -> LowerBound:
    """A lower bound on epsilon from the exposures of trained-in canaries.

    Args:
        exposures: (n,) in bits, one of each of n independent runs.
        at: which exposures count as found, fixed in advance; each has an equal share of the error probability.
        delta: at which delta, in (0, 1).
        confidence: how often such a bound is at or below the truth.
        unit: what a canary is.
        relation: whether a run without the canary has none, or (REPLACE_ONE) another in its place.

    Raises:
        DataError: exposures that cannot be used.
        UsageError: an argument that cannot mean anything.
    """
    values, places = np.asarray(exposures, dtype=np.float64), np.asarray(at, dtype=np.float64)
    if values.ndim != 1 or not len(values) or np.isnan(values).any():
        raise DataError(f"Expected exposures of one or more canaries, got shape {values.shape}.", "Give one for each.")
    if places.ndim != 1 or not len(places) or not (np.isfinite(places) & (places > 0)).all():
        raise UsageError(f"Expected exposures above 0, got at={at!r}.", "Pass for instance at=[4.0, 8.0].")
    _checks.delta(delta=delta)
    chance = (1.0 - _checks.open_fraction(confidence=confidence)) / len(places)
    found = np.array([(values >= place).sum() for place in places])
    rates = np.maximum(rate_at_least(found, len(values), chance) - delta, 0.0)
    with np.errstate(divide="ignore"):
        bounds = np.log(rates) + places * math.log(2.0)
    chosen = int(np.argmax(bounds))
    return LowerBound(
        epsilon=max(0.0, float(bounds[chosen])),
        delta=delta,
        confidence=confidence,
        method="exposure of canaries",
        trials=len(values),
        unit=unit,
        relation=relation,
        assumptions=_ASSUMPTIONS,
        details={"at": [float(x) for x in places], "found": [int(one) for one in found], "chosen": chosen},
    )
