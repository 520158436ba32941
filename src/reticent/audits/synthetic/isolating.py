"""Singling out, and copies: how many rows of the source, and how many of the control, the release points at.

Promise: source and control are looked at with the same predicates and the same measure of a copy, as many rows of each
for predicates. Success on the control is what the population gives away by itself: the baseline. Beside it stands what
luck alone could do (a predicate of weight 1/n isolates one of n rows in about 37 % of draws).

Sources: Cohen and Nissim (2020, predicate singling out).

Example:
    >>> from reticent.audits.synthetic.isolating import TRIVIAL
    >>> round(TRIVIAL, 3)
    0.368
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from reticent.attacks.synthetic import copies, description, predicates
from reticent.audits.statistics import rate
from reticent.audits.synthetic.exact import area_test, gain_test, more_gained
from reticent.audits.synthetic.outcome import Result
from reticent.audits.synthetic.preparing import Prepared
from reticent.evidence import Estimate, Finding, Status

__all__ = ["TRIVIAL", "copied", "described", "singled_out"]

TRIVIAL = math.exp(-1)
"""How often a predicate of the luckiest weight isolates somebody in a large table that it knows nothing about."""

_WEIGHT = 0.1  # expected rows that a predicate fits by luck
_LEAST = 50
_ONLY = "the release alone"


def singled_out(ready: Prepared, count: int) -> Result:
    """Predicates from the release, tried on as many rows of source and control.

    Args:
        ready: the tables.
        count: predicates that are drawn.
    """
    attack, rows = "singling out", min(len(ready.members), len(ready.controls))
    source = ready.randomness.spawn(attack)
    drawn = predicates(ready.release, source, count=count, weight=_WEIGHT / rows)
    if len(drawn) < _LEAST:
        reason = f"the release gives {len(drawn)} predicates of so small a weight; {_LEAST} are needed"
        return Result(Finding.not_run(attack, "the release", _ONLY, reason=reason))
    members, controls, reference = (
        drawn.matches(one.take(source.permutation(len(one))[:rows]))
        for one in (ready.members, ready.controls, ready.reference)
    )
    isolated = {side: found.sum(axis=1) == 1 for side, found in (("members", members), ("controls", controls))}
    # Predicates share rows, so it is rows that are counted: those that some predicate isolates among all rows.
    alone = (members.sum(axis=1) + controls.sum(axis=1)) == 1
    hit = [found[alone].any(axis=0).astype(np.int64) for found in (members, controls)]
    both = isolated["members"].astype(np.int64) - isolated["controls"]
    return Result(
        Finding(
            attack,
            "the release",
            _ONLY,
            estimates={
                "isolate a member": _rate(isolated["members"], "share of independently drawn predicates", ready),
                "rows isolated, members' share minus controls'": more_gained(*hit, confidence=ready.confidence),
            },
            baseline={
                "isolate a control": _rate(isolated["controls"], "share of independently drawn predicates", ready),
                "true of a row of the reference": _rate(
                    np.asarray(reference.any(axis=1)),
                    f"share of predicates true of any of {reference.shape[1]} reference rows",
                    ready,
                ),
            },
            details={
                "predicates": len(drawn),
                "rows": rows,
                "weight": _WEIGHT / rows,
                "trivial": TRIVIAL,
                "isolate a member and no control": int((both == 1).sum()),
                "isolate a control and no member": int((both == -1).sum()),
            },
        ),
        {"rows isolated": gain_test(*hit)},
    )


def copied(ready: Prepared) -> Result:
    """Exact and near copies of source rows in the release, against those of control rows."""
    members, controls = (copies(rows, release=ready.release) for rows in (ready.members, ready.controls))
    exact = [(one.exact > 0).astype(np.int64) for one in (members, controls)]
    near = [(one.differences <= 1).astype(np.int64) for one in (members, controls)]
    estimates: dict[str, Estimate] = {}
    baseline: dict[str, Estimate] = {}
    for name, pair in (("copied exactly", exact), ("copied but for one column", near)):
        for side, hits, kept in zip(("members", "controls"), pair, (estimates, baseline), strict=True):
            kept[f"{side} {name}"] = _rate(hits == 1, "share of rows", ready)
        estimates[f"{name}, members' share minus controls'"] = more_gained(*pair, confidence=ready.confidence)
    tests = {
        "copied exactly": gain_test(*exact),
        "copied but for one column": gain_test(*near),
        "how often copied": area_test(members.exact.astype(np.float64), controls.exact.astype(np.float64)),
    }
    details = {
        "copies of members": int(members.exact.sum()),
        "copies of controls": int(controls.exact.sum()),
        "most copies of one member": int(members.exact.max()),
        "most copies of one control": int(controls.exact.max()),
        "columns": len(ready.tables["release"].names),
    }
    # With one or two columns a row that differs in one of them is no copy of anything.
    if len(ready.tables["release"].names) < 3:
        estimates = {name: one for name, one in estimates.items() if "one column" not in name}
        baseline = {name: one for name, one in baseline.items() if "one column" not in name}
        del tests["copied but for one column"]
    finding = Finding("copies", "the release", _ONLY, estimates, baseline, Status.EXECUTED, details=details)
    return Result(finding, tests)


def _rate(successes: npt.NDArray[np.bool_], method: str, ready: Prepared) -> Estimate:
    return rate(int(successes.sum()), len(successes), method=method, confidence=ready.confidence)


def described(ready: Prepared) -> dict[str, object]:
    """Distances to the closest record and their ratios, as descriptions."""
    rows = min(len(ready.members), len(ready.controls))
    return {
        "note": "Descriptions. They are no test of privacy: releases at a safe-looking distance can give everybody "
        "away, and close ones nobody.",
        "percentiles": [5, 50, 95],
        "to the source": description(ready.release, ready.members.take(np.arange(rows))),
        "to the control": description(ready.release, ready.controls.take(np.arange(rows))),
    }
