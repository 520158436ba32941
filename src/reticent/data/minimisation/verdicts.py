"""From a search and its confirmation to what is said: the status, a verdict for each column, proxies, rows.

Promise: figures of columns come from held-out rows and choose nothing; each interval holds by itself. A column is
called needed only in the words of its figure.

Example:
    >>> from reticent.data.minimisation.verdicts import status_of
    >>> from reticent.evidence import Estimate
    >>> status_of(Estimate(-0.004, -0.009, 0.001, 0.95, 900, "paired"), None, 0.01)
    'confirmed'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri

from reticent.data.minimisation.confirming import HeldOut
from reticent.data.minimisation.duplicates import SAME
from reticent.data.minimisation.judging import Plan
from reticent.data.minimisation.outcome import ColumnVerdict
from reticent.data.minimisation.proxies import proxy
from reticent.data.minimisation.rules import Rule, applied
from reticent.data.minimisation.searching import Found, Judge, Judged, Progress
from reticent.data.minimisation.steps import DROP, KEEP
from reticent.data.tables import Column, Table
from reticent.evidence import Estimate, Finding

__all__ = ["column_verdicts", "proxies_of", "status_of", "told_rows"]


def status_of(claim: Estimate | None, found: Found | None, tolerance: float) -> str:
    """One of the words of `Minimisation.status`."""
    if claim is None:
        people = None if found is None or found.nearest is None else found.nearest[1].people
        return "needed" if people is None else "not resolvable"
    if claim.low > -tolerance:
        return "confirmed"
    return "refuted" if claim.high < -tolerance else "not confirmed"


def column_verdicts(
    whole: Table,
    label: str,
    held: HeldOut,
    found: Found,
    rules: Mapping[str, Rule],
    share: float,
    weights: Mapping[str, float],
    keep: Sequence[str],
    tell: Progress,
    identifiers: Mapping[str, str] | None = None,
) -> tuple[ColumnVerdict, ...]:
    """A verdict for each column but the label, in the table's order."""
    plan = found.plan
    names = held.table.names
    pairs: dict[str, tuple[Plan, Plan]] = {name: ({**plan, name: KEEP}, {**plan, name: DROP}) for name in names}
    tell("what each column adds", 0, 1)
    held.answers([one for pair in pairs.values() for one in pair], share)  # all at once, in several processes
    tell("what each column adds", 1, 1)
    kept = [name for name in names if rules[name].kind != "dropped"]
    verdicts = []
    for column in whole.columns:
        name = column.name
        if name == label:
            continue
        before = int((column.counts() > 0).sum())
        weight = float(weights.get(name, 0.0))
        if name not in names:
            verdicts.append(_unused(name, before, (identifiers or {}).get(name)))
            continue
        fuller, without = pairs[name]
        gain = held.difference(fuller, share, base=without, base_share=share)
        rule = rules[name]
        decision = {"dropped": "dropped", "kept": "kept"}.get(rule.kind, "coarser")
        precision = held.difference(fuller, share, base=plan, base_share=share) if decision == "coarser" else None
        stand_in, part = _stand_in(name, kept, found) if decision == "dropped" else (None, None)
        after = 0 if decision == "dropped" else int((applied(rule, column).counts() > 0).sum())
        why = _why(decision, gain, name in keep, stand_in, found.stopped)
        verdicts.append(
            ColumnVerdict(
                name, decision, rule.words, why, before, after, weight, name in keep, gain, precision, stand_in, part
            )
        )
    return tuple(verdicts)


def _unused(name: str, before: int, identifier: str | None) -> ColumnVerdict:
    why = "no model was given it" + (f": it says who somebody is ({identifier})" if identifier else "")
    return ColumnVerdict(name, "not used", "nothing", why, before, 0, 0.0, False, None, None, None, None)


def _stand_in(name: str, kept: Sequence[str], found: Found) -> tuple[str | None, float | None]:
    """The kept column that gives most of a column's information, if it gives nearly all."""
    best = max(kept, key=lambda other: found.shares[name, other], default=None)
    if best is None or found.shares[name, best] < SAME:
        return None, None
    return best, found.shares[name, best]


def _why(decision: str, gain: Estimate, pinned: bool, stand_in: str | None, stopped: str | None) -> str:
    if pinned:
        return "kept by request"
    if decision == "dropped":
        return f"{stand_in!r} stands for it" if stand_in else "the rest does without it"
    if gain.low > 0:
        return "the rest loses without it"
    if stopped:
        return "the time was up before more could be tried"
    return "not shown to be needed; without it the claim would have been in doubt"


def proxies_of(
    held: HeldOut, left: Table | None, label: Column, names: Sequence[str], tell: Progress
) -> tuple[Finding, ...]:
    """Whether dropped columns that had better go can be told from what is left."""
    found = []
    for done, name in enumerate(names):
        tell("proxies", done, len(names))
        rest = Table([label]) if left is None else left.replaced([label])
        others = held.table.replaced([label]).without([name])
        found.append(
            proxy(
                held.table[name], rest, others, held.tested, seed=held.seed, owners=held.owners,
                confidence=held.confidence,
            )
        )  # fmt: skip
    if names:
        tell("proxies", len(names), len(names))
    return tuple(found)


def told_rows(found: Found, held: HeldOut, judge: Judge, share: float, claimed: bool) -> dict[str, Any]:
    """What fewer training rows cost, beside the whole table with all rows; by cross-fitting on the searched rows."""
    folds = int(judge.bench.folds.max()) + 1
    trained = len(judge.bench.truth) * (folds - 1) / folds
    searched = int((~held.tested).sum())
    curve = [
        {"share": part, "rows": round(part * trained), "change": _estimate(one, judge).as_dict()}
        for part, one in found.curve
    ]
    return {
        "curve": curve,
        "enough": found.share,
        "enough_rows": round(found.share * trained),
        "claimed": claimed,
        "used": share,
        "used_rows": searched
        if share == 1
        else int((held.priorities[~held.tested] < share).sum())
        if held.priorities is not None
        else searched,
    }


def _estimate(judged: Judged, judge: Judge) -> Estimate:
    reach = float(ndtri((1 + judge.confidence) / 2)) * judged.error
    people = len(judge.bench.truth) if judge.owners is None else len(np.unique(judge.owners))
    method = "cross-fitted paired difference on the searched rows, after the search; normal interval"
    return Estimate(judged.change, judged.change - reach, judged.change + reach, judge.confidence, people, method)
