"""Tables of what audits found about single records, groups and trainings: plain values to words, and words to HTML.

Promise: every figure stands with its interval, every list with its error rate and how many were tested, and what was
refused or could not be resolved says so; no record's contents are shown. Text from outside (names of groups) is
escaped.

Example:
    >>> from reticent.reports.tables import Table, html
    >>> print(html(Table("Two figures", ("name", "value"), (("a <b>", "50.0 %"),))))
    <div class="scroll"><table>
    <caption>Two figures</caption>
    <thead><tr><th scope="col">name</th><th scope="col">value</th></tr></thead>
    <tbody>
    <tr><td>a &lt;b&gt;</td><td>50.0 %</td></tr>
    </tbody>
    </table></div>
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import escape

from reticent._numbers import confidence, level, p_value, percent, percentage, points
from reticent.reports.words import estimate, number

__all__ = [
    "Table",
    "about_groups",
    "about_risks",
    "group_table",
    "html",
    "names_of",
    "p_value",
    "person_table",
    "predictive_table",
    "risk_table",
    "spread_table",
]

Values = Mapping[str, Any]

_WORD = 20  # a cell of one word, such as 1.7e-09, is not broken into lines
_NAMES = {"auc": "Right one of two", "at_risk": "Listed as at risk"}
_WAYS = {
    "sum": "sum of the rows' evidence",
    "mean": "mean of the rows' evidence",
    "largest": "the row with most evidence",
    "fisher": "Fisher's sum of the rows' p-values",
}


@dataclasses.dataclass(frozen=True)
class Table:
    """A table in words.

    Attributes:
        caption: what it shows, and what its figures hold for.
        columns: the heads.
        rows: the cells, as many in each row as there are heads.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def html(table: Table) -> str:
    """The table as HTML for the page's style sheet; every text is escaped."""
    heads = "".join(f'<th scope="col">{escape(one)}</th>' for one in table.columns)
    rows = "".join(f"<tr>{''.join(_cell(one) for one in row)}</tr>\n" for row in table.rows)
    return (
        f'<div class="scroll"><table>\n<caption>{escape(table.caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table></div>"
    )


def _cell(text: str) -> str:
    whole = ' class="whole"' if len(text) <= _WORD and " " not in text else ""
    return f"<td{whole}>{escape(text)}</td>"


def about_risks(risks: Values) -> str:
    """The list of records at risk (`RiskList.as_dict`) in a sentence."""
    tested, models = number(risks["tested"]), number(risks["models"])
    if risks["count"] is None:
        return f"With {models} trainings nobody could be listed as at risk, whatever they showed: more are needed."
    exact = (
        "; so few trainings could not show anything about one of them with confidence for all at once"
        if risks["exposed"] is None
        else f"; {number(risks['exposed'])} with {confidence(risks['confidence'])} confidence for all of them at once"
    )
    if risks["count"] == 0:
        return (
            f"Not one of {tested} is listed as at risk from {models} trainings{exact}. Who is not listed is not "
            "thereby safe."
        )
    return (
        f"{number(risks['count'])} of {tested} are listed as at risk from {models} trainings: on average at most "
        f"{level(risks['level'])} of such a list are records that the trainings do not depend on{exact}."
    )


def names_of(risks: Values, most: int = 5) -> str:
    """The surest of the records at risk, by name."""
    names = [one["name"] for one in risks["listed"][:most]]
    more = (risks["count"] or 0) - len(names)
    return f"{', '.join(names)}{f' and {number(more)} more' if more > 0 else ''}"


WIDE = (
    "A small p beside a wide interval is no contradiction: p says how sure it is that trainings depend on the record "
    "at all, the interval how strongly they do; with few trainings, and nothing assumed about the answers, the second "
    "takes far more evidence than the first."
)
"""Why a record with a small p-value may have a wide interval."""


def risk_table(risks: Values, explained: Sequence[Values] = ()) -> Table:
    """The records at risk with the reasons found.

    Args:
        risks: `RiskList.as_dict`.
        explained: `Explained.as_dict` of some of them, in any order.
    """
    why = {one["row"]: "; ".join(reason["text"] for reason in one["reasons"]) or "none found" for one in explained}
    rows = tuple(
        (one["name"], estimate(one["effect"]), p_value(one["p"]), why.get(one["row"], "not looked for"))
        for one in risks["listed"]
    )
    shown, count = len(rows), risks["count"] or 0
    some = f"The {number(shown)} surest of {number(count)}" if shown < count else f"All {number(count)}"
    caption = (
        f"{some} records (or owners of records) at risk, of {number(risks['tested'])} tested; false discovery rate "
        f"{level(risks['level'])}. Right one of two: shown one training with the record and one without, how "
        "often the more confident answer is from the one that had it; its intervals hold for the list. p: of the "
        "record's own exact test. A reason is what usually goes with being remembered, not a proven cause."
    )
    return Table(caption, ("Record", _NAMES["auc"], "p", "Reasons found"), rows)


def predictive_table(thresholds: Sequence[Values]) -> Table:
    """Who is named, at several base rates.

    Args:
        thresholds: `AtThreshold.as_dict` of each.
    """
    rates = [one["base_rate"] for one in thresholds[0]["predictive"]] if thresholds else []
    rows = tuple(
        (
            one["threshold"],
            estimate(one["true_positive_rate"]),
            estimate(one["false_positive_rate"]),
            estimate(one["advantage"]),
            *("nobody named" if each["value"] is None else estimate(each["value"]) for each in one["predictive"]),
        )
        for one in thresholds
    )
    caption = (
        "Of those whom the attacker names, how many were members? That depends on how many members there are among "
        "those asked about. Intervals of the last columns hold whichever of the two rates is off."
    )
    heads = ("Threshold from", "Members named", "Others named", "Difference")
    return Table(caption, (*heads, *(f"Right, if {percentage(rate)} are members" for rate in rates)), rows)


def spread_table(figures: Mapping[str, Values]) -> Table:
    """Figures over several trainings.

    Args:
        figures: name to `Spread.as_dict`.
    """
    rows = tuple(
        (
            _name(name),
            f"{estimate(one['median'])}, {confidence(one['median']['confidence'])} confidence",
            estimate(one["mean"]),
            f"{percent(min(one['values']))} to {percent(max(one['values']))}",
        )
        for name, one in figures.items()
    )
    models = len(next(iter(figures.values()))["values"]) if figures else 0
    caption = f"What {models} trainings give away, each attacked by itself. One model is one draw from these."
    return Table(caption, ("Figure", "Median over trainings", "Mean over trainings", "Seen"), rows)


def person_table(people: Values) -> Table:
    """Attacks on people by all their rows (`PersonAudit.as_dict`)."""
    ways = people["ways"]
    names = list(dict.fromkeys(name for one in ways.values() for name in one))
    rows = tuple(
        (
            _WAYS.get(way, way) + (" (chosen)" if way == people["chosen"] else ""),
            *(estimate(one.get(name)) for name in names),
        )
        for way, one in ways.items()
    )
    caption = (
        f"Naming {number(people['people'])} people by their {number(people['records'])} records together, one trial "
        "for each person and training. Intervals hold for all rows of a column at once, so the best may be read."
    )
    return Table(caption, ("Rows become a person by", *(_name(name) for name in names)), rows)


def group_table(disparity: Values) -> Table:
    """Groups beside one another (`Disparity.as_dict`)."""
    groups = disparity["groups"]
    names = list(groups[0]["figures"]) if groups else []
    rows = tuple(
        (
            one["name"],
            number(one["people"]),
            *(f"{estimate(one['figures'][name])}; {_signed(one['difference'][name])}" for name in names),
        )
        for one in groups
    )
    left_out = f" Too small to say anything about: {', '.join(disparity['refused'])}." if disparity["refused"] else ""
    caption = (
        "Each group, and its difference from everybody else in percentage points with its p-value, adjusted over the "
        "groups. "
        f"{confidence(disparity['confidence'])} intervals for all {len(groups)} groups at once, within each column."
        f"{left_out}"
    )
    return Table(caption, ("Group", "People", *(_name(name) for name in names)), rows)


def about_groups(disparity: Values) -> str:
    """Which groups are given away more or less than the rest, in a sentence."""
    level = 1 - disparity["confidence"] + 1e-12
    parts = []
    for one in disparity["groups"]:
        gap = one["difference"]["auc"]
        if gap["adjusted"] <= level:
            more = "more" if gap["value"]["value"] > 0 else "less"
            parts.append(f"“{one['name']}” is given away {more} than everybody else ({_signed(gap)})")
    if not parts:
        return (
            f"In how often the right one of two is picked, no difference between {len(disparity['groups'])} groups was "
            "seen, which is not proof that there is none: "
            "read the intervals."
        )
    return f"{'; '.join(parts)}."


def _signed(difference: Values) -> str:
    value = difference["value"]
    return f"{points(value['value'], value['low'], value['high'])}, p = {p_value(difference['adjusted'])}"


def _name(name: str) -> str:
    """A figure's name as a column head."""
    for start, words in (("true_positive_rate_at_", "Members named"), ("false_positive_rate_at_", "Others named")):
        if name.startswith(start):
            return f"{words} at {percentage(float(name.removeprefix(start)))} false alarms"
    return _NAMES.get(name, name)
