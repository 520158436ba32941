"""Membership inference on one release: from scores to a finding.

Promise: thresholds come from half of the controls, rates from the other half; the baseline is a classifier that sees
the rows and not the release. One release is one draw of its generator: the intervals are over rows alone, and say
nothing of another release.

Example:
    >>> import numpy as np
    >>> from reticent.audits.synthetic.scoring import against_controls
    >>> found = against_controls(np.arange(50.0) + 25, np.arange(50.0))
    >>> sorted(found), found["right one of two"].more < 1e-6
    (['members among the top 1 %', 'right one of two'], True)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from reticent.attacks.synthetic import calibrated_distance, density_ratio
from reticent.audits.statistics import auc, rate, resolvable, threshold_at
from reticent.audits.synthetic.exact import PValues, area_test, top_test
from reticent.audits.synthetic.outcome import Result
from reticent.audits.synthetic.preparing import Prepared
from reticent.evidence import Estimate, Finding
from reticent.randomness import Randomness

__all__ = ["estimates_of", "memberships", "scored", "against_controls"]

Floats = npt.NDArray[np.float64]

_RATES = (0.01, 0.1)
_TOP = 0.01
EXPOSURE = "the release and a reference"


def memberships(ready: Prepared, baseline: Mapping[str, Estimate]) -> list[Result]:
    """Density ratio and calibrated distance on the release."""
    members, controls, reference, release = ready.members, ready.controls, ready.reference, ready.release
    density = [
        density_ratio(rows, release=release, reference=reference, kernel=ready.kernel) for rows in (members, controls)
    ]
    distance = [calibrated_distance(rows, release=release, reference=reference) for rows in (members, controls)]
    return [
        scored("membership by density ratio", EXPOSURE, density[0], density[1], ready, baseline),
        scored("membership by calibrated distance", EXPOSURE, distance[0], distance[1], ready, baseline),
    ]


def scored(
    attack: str, exposure: str, members: Floats, controls: Floats, ready: Prepared, baseline: Mapping[str, Estimate]
) -> Result:
    """The finding of scores of members and controls."""
    return Result(
        Finding(
            attack,
            "the release",
            exposure,
            estimates=estimates_of(members, controls, ready.randomness.spawn(attack), ready.confidence),
            baseline={f"auc of {name} without the release": one for name, one in baseline.items()},
            details={"members": len(members), "controls": len(controls)},
        ),
        against_controls(members, controls),
    )


def against_controls(members: Floats, controls: Floats) -> dict[str, PValues]:
    """The tests of scores: of their ranks, and of who is among the highest."""
    return {
        "right one of two": area_test(members, controls),
        f"members among the top {_TOP * 100:g} %": top_test(members, controls, _TOP),
    }


def estimates_of(members: Floats, controls: Floats, randomness: Randomness, confidence: float) -> dict[str, Estimate]:
    """Area under the ROC curve, and the rates that so many controls resolve."""
    found = {"auc": auc(members, controls, confidence=confidence)}
    order = randomness.permutation(len(controls))
    aside, judged = (controls[part] for part in np.array_split(order, 2))
    for asked in _RATES:
        if not resolvable(asked, len(aside)):
            continue
        threshold, where = threshold_at(asked, aside), f"from {len(aside)} controls set aside"
        for name, scores in (("true_positive_rate_at_", members), ("false_positive_rate_at_", judged)):
            found[f"{name}{asked:g}"] = rate(
                int((scores > threshold).sum()),
                len(scores),
                method="share above the threshold",
                confidence=confidence,
                threshold=where,
            )
    return found
