"""What taking the records at risk out did to the others: the audits side by side, and the paired difference.

Promise: the figures never stand without the control, in which as many others were taken out, nor without the sentence
that says that taking records out protects nobody reliably. What was asked for and not run says why.

Example:
    >>> from reticent.reports.removal import about_removal
    >>> about_removal({"removal": None, "not_removed": "nobody is listed"})
    ['Taking out those at risk: not run (nobody is listed).']
    >>> about_removal({"removal": None, "not_removed": ""})
    []
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reticent._numbers import p_value, points
from reticent.reports.tables import Table
from reticent.reports.words import estimate, number

__all__ = ["about_removal", "removal_table"]

Values = Mapping[str, Any]


def about_removal(body: Values) -> list[str]:
    """What was found and what follows from it, in sentences; none if nobody asked.

    Args:
        body: of an audit's record.
    """
    if body["removal"] is not None:
        return list(body["removal"]["sentences"])
    return [f"Taking out those at risk: not run ({body['not_removed'].rstrip('.')})."] if body["not_removed"] else []


def removal_table(body: Values) -> Table:
    """The audits before and after, and the control.

    Args:
        body: of an audit's record, with a removal.
    """
    found = body["removal"]
    rows = (
        _row("everybody", body["at_risk"], body["repeated"]["estimates"]["auc"], "", ""),
        _row(
            "without those at risk",
            found["after"],
            found["auc"],
            estimate(found["newly_listed"]),
            _points(found["difference"], found["p"]),
        ),
        _row("without as many others", found["control_after"], found["control_auc"], estimate(found["control"]), ""),
    )
    caption = (
        f"The same training on fewer records: {number(found['removed'])} were taken out, the surest of those at risk "
        f"or, as the control, as many others at random. “Newly listed” and its paired difference are about the same "
        f"{number(found['stayed'])} who stayed in both; the other figures are about all who were left. Mean effect on "
        f"those who stayed, less the control's: {_points(found['effect_difference'])}."
    )
    heads = ("Training on", "Tested", "Listed as at risk", "Right one of two", "Newly listed", "More than the control")
    return Table(caption, heads, rows)


def _row(name: str, risks: Values, auc: Values, new: str, difference: str) -> tuple[str, ...]:
    listed = "not resolvable" if risks["count"] is None else number(risks["count"])
    return name, number(risks["tested"]), listed, estimate(auc), new, difference


def _points(values: Values, p: float | None = None) -> str:
    shown = points(values["value"], values["low"], values["high"])
    return shown if p is None else f"{shown}, p = {p_value(p)}"
