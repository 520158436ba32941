"""The page of a re-identification in a release that somebody else made.

Promise: a pure function of the record's body; every share stands with its interval and beside what guessing gives, or
what happens to people who are not there; what was not run says so, and no cell's contents are on the page. Without a
truth it speaks of people who were named, and never of people who were found.

Example:
    >>> from reticent.reports.released import sentences
    >>> share = {"value": 0.5, "low": 0.4, "high": 0.6, "confidence": 0.95, "n": 100}
    >>> none = {**share, "value": 0.0, "low": 0.0, "high": 0.1}
    >>> finding = {"estimates": {"named": share, "named though absent": none}}
    >>> row = {"knowledge": {"text": "8 items"}, "finding": finding}
    >>> power = {"targets": 100, "needed": {"0.02": 2449}, "half_width_at_most": 0.1}
    >>> body = {"truth": "unknown", "rows": [row], "release": {"meaning": "Read from a file."},
    ...         "power": {**power, "least_share_excluded_by_none": 0.04}}
    >>> sentences(body)[0].startswith("Truth unknown: nobody said whose row is whose")
    True
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reticent.evidence import Record
from reticent.reports.curves import lines
from reticent.reports.frame import template
from reticent.reports.parts import Part
from reticent.reports.reidentification import (
    about_power,
    by_knowledge,
    figure,
    found_beyond_guessing,
    markup,
    rare,
)
from reticent.reports.tables import Table
from reticent.reports.words import estimate, number, percent

__all__ = ["page", "sentences"]

Values = Mapping[str, Any]

_FOUND, _NAMED, _ABSENT = "re-identified", "named", "named though absent"
_SOURCES = (
    "Scoreboard-RH and eccentricity: Narayanan and Shmatikov (2008). Thresholds: conformal (Vovk et al., 2005). "
    "Shares: Clopper-Pearson intervals."
)


def page(record: Record) -> str:
    """The record as one self-contained page."""
    body = record.body
    known = body["truth"] != "unknown"
    return template("reidentification.html").render(
        record=record,
        body=body,
        title="Whose row is this?" if known else "Whose row could this be?",
        verdict=sentences(body),
        tone=found_beyond_guessing(body["rows"]) if known else "undecided",
        parts=[*_shares(body, known), *([_published(body)] if known else []), _release(body)],
        sources=_SOURCES,
    )


def sentences(body: Values) -> list[str]:
    """What was found, in sentences."""
    known = body["truth"] != "unknown"
    name = _FOUND if known else _NAMED
    best = max(body["rows"], key=lambda row: row["finding"]["estimates"][name]["value"])
    estimates, knows = best["finding"]["estimates"], best["knowledge"]["text"]
    if known:
        guess = best["finding"]["baseline"][_FOUND]["value"]
        said = [
            f"{estimate(estimates[_FOUND])} of the people who are in the release were re-identified by an attacker who "
            f"knows {knows}; picking anybody finds {rare(guess)}. With their row taken out, such an attacker names "
            f"somebody for {estimate(estimates[_ABSENT])} of them."
        ]
        outside = best["outside"]
        said += [
            "Nobody is known not to be in the release, so that nobody was tried who really is not."
            if outside is None
            else f"For people who really are not in the release, somebody is named for {estimate(outside)} "
            f"({number(outside['n'])} people)."
        ]
    else:
        said = [
            "Truth unknown: nobody said whose row is whose, so no share re-identified is stated. The best fit stands "
            f"out enough to be named for {estimate(estimates[_NAMED])} of the people, if an attacker knows {knows}; of "
            f"people whose row is not there (stand-ins: rows of the release, taken out) it does for "
            f"{estimate(estimates[_ABSENT])}.",
            "What is named more often than for stand-ins points to people who are in the release and stand out. How "
            "many of the names are right, only a truth tells.",
        ]
    return [*said, body["release"]["meaning"], about_power(body)]


def _shares(body: Values, known: bool) -> list[Part]:
    names = (_FOUND, "named wrongly", _ABSENT, "best fit is right") if known else (_NAMED, _ABSENT)
    heads = ("Items", *(name.capitalize() for name in names), *(("Really not in it",) if known else ()), "Method")
    parts = []
    for label, rows in by_knowledge(body["rows"]).items():
        curves = {
            name: [(row["knowledge"]["items"], row["finding"]["estimates"][name]) for row in rows]
            for name in (names[0], _ABSENT)
        }
        guess = rows[0]["finding"]["baseline"][_FOUND]["value"] if known else None
        svg = lines(curves, across=f"known items ({label})", up="share of people", guess=guess)
        cells = tuple(
            (
                str(row["knowledge"]["items"]),
                *(estimate(row["finding"]["estimates"][name]) for name in names),
                *((_outside(row),) if known else ()),
                row["method"],
            )
            for row in rows
        )
        caption = "Re-identified: the best fit is clear enough to be named, and right. " if known else ""
        caption += "Named though absent: the same attack on people whose row was taken out. "
        confidence = rows[0]["finding"]["estimates"][_ABSENT]["confidence"]
        caption += f"Every interval holds by itself ({confidence * 100:g} %)."
        title = "Re-identified" if known else "Named, rightly or not"
        parts.append(Part(f"{title}, {label}", (), (figure(svg), markup(Table(caption, heads, cells)))))
    return parts


def _outside(row: Values) -> str:
    found = row["outside"]
    return "not run" if found is None else f"{estimate(found)} named, of {number(found['n'])}"


def _published(body: Values) -> Part:
    rows = tuple(
        (
            row["knowledge"]["text"],
            estimate(row["published"]["estimates"][_FOUND]),
            estimate(row["published"]["estimates"][_ABSENT]),
        )
        for row in body["rows"]
    )
    caption = "Scoreboard-RH with eccentricity 1.5, on the same targets with the same knowledge."
    return Part("The attack as published", (), (markup(Table(caption, ("Known", "Re-identified", _ABSENT), rows)),))


def _release(body: Values) -> Part:
    data, blur = body["data"], body["release"]["blur"]
    rows = tuple((name.capitalize(), number(count)) for name, count in data.items())
    assumed = (
        f"An attacker was taken to know that a date stands for {number(blur['period'])} days and was moved by up to "
        f"{number(blur['days'])}, that {percent(blur['moved'])} of the values were moved to a neighbour, and that "
        f"{percent(blur['kept'])} of a person's ratings are in it."
    )
    table = Table("What was read. Strangers: rows of people whom the original does not have.", ("What", "n"), rows)
    return Part("How the release was understood", (body["release"]["meaning"], assumed), (markup(table),))
