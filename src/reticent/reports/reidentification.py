"""The page of a re-identification: whose row is found, who is alone, who is singled out.

Promise: a pure function of the record's body; every share stands with its interval and beside what guessing gives; what
was not run says so, and no cell's contents are on the page.

Example:
    >>> from reticent.reports.reidentification import rare
    >>> rare(1 / 943)
    'one in 943'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import markupsafe

from reticent.evidence import Record
from reticent.evidence.intervals import clopper_pearson
from reticent.reports.curves import lines, rows_of
from reticent.reports.frame import Tone, template
from reticent.reports.parts import Part
from reticent.reports.plots import intervals
from reticent.reports.tables import Table, html
from reticent.reports.words import estimate, number, percent

__all__ = ["about_power", "by_knowledge", "figure", "found_beyond_guessing", "markup", "page", "rare", "sentences"]

Values = Mapping[str, Any]

_FOUND, _ABSENT, _ALONE, _SINGLED = "re-identified", "named though absent", "alone", "singled out"
_GROUP = "own group found"
_TITLES = {
    "ratings": "Whose row is this?",
    "unicity": "Who is alone with a few points?",
    "singling out": "Is somebody singled out?",
}
_SOURCES = {
    "ratings": "Scoreboard-RH and its thresholds: Narayanan and Shmatikov (2008). Thresholds: conformal (Vovk et al., "
    "2005). Shares: Clopper-Pearson intervals; differences: two of them that share the error. Groups: after Samarati "
    "and Sweeney (1998); k^m-anonymity: Terrovitis, Mamoulis and Kalnis (2008).",
    "unicity": "Unicity: de Montjoye, Hidalgo, Verleysen and Blondel (2013). Shares: Clopper-Pearson intervals.",
    "singling out": "Predicate singling out: Cohen and Nissim (2020). Shares and weights: Clopper-Pearson intervals, "
    "the upper ends of weights for all of them together (Bonferroni).",
}


def page(record: Record) -> str:
    """The record as one self-contained page."""
    body = record.body
    question = body["question"]
    makers = {"ratings": _ratings_parts, "unicity": _unicity_parts, "singling out": _singling_parts}
    return template("reidentification.html").render(
        record=record,
        body=body,
        title=_TITLES[question],
        verdict=sentences(body),
        tone=_TONES[question](body),
        parts=makers[question](body),
        sources=_SOURCES[question],
    )


def found_beyond_guessing(rows: Sequence[Values]) -> Tone:
    """Shown if in one release somebody was re-identified more often than guessing does, all intervals together."""
    error = (1 - rows[0]["finding"]["estimates"][_FOUND]["confidence"]) / len(rows)
    for row in rows:
        found, guess = row["finding"]["estimates"][_FOUND], row["finding"]["baseline"][_FOUND]["value"]
        if clopper_pearson(round(found["value"] * found["n"]), found["n"], 1 - error)[0] > guess:
            return "shown"
    return "not shown"


def _singled_out(body: Values) -> Tone:
    if body["finding"]["status"] != "executed":
        return "undecided"
    found, without = body["finding"]["estimates"][_SINGLED], body["finding"]["baseline"][_SINGLED]
    return "shown" if found["low"] > without["high"] else "not shown"


_TONES: Mapping[str, Callable[[Values], Tone]] = {
    "ratings": lambda body: found_beyond_guessing(body["rows"]),
    "unicity": lambda _: "told",
    "singling out": _singled_out,
}


def sentences(body: Values) -> list[str]:
    """What was found, in sentences."""
    return {"ratings": _about_ratings, "unicity": _about_unicity, "singling out": _about_singling}[body["question"]](
        body
    )


def _about_ratings(body: Values) -> list[str]:
    first = [row for row in body["rows"] if row["release"] == body["releases"][0]["name"]]
    best = max(first, key=lambda row: row["finding"]["estimates"][_FOUND]["value"])
    guess = best["finding"]["baseline"][_FOUND]["value"]
    said = [
        f"In “{best['release']}”, {estimate(best['finding']['estimates'][_FOUND])} of the people were re-identified by "
        f"an attacker who knows {best['knowledge']['text']}; picking anybody finds {rare(guess)}. Of people who are "
        f"not in it, such an attacker names somebody for {estimate(best['finding']['estimates'][_ABSENT])}."
    ]
    others = [
        row for row in body["rows"] if row["knowledge"] == best["knowledge"] and row["release"] != best["release"]
    ]
    if others:
        least = min(others, key=lambda row: row["finding"]["estimates"][_FOUND]["value"])
        said.append(
            f"Of the {len(others)} other releases the same attacker finds fewest people in “{least['release']}”: "
            f"{estimate(least['finding']['estimates'][_FOUND])}. That is against these attacks; it is no promise."
        )
        said += [_about_groups(row) for row in others if _GROUP in row["finding"]["estimates"]]
    return [*said, about_power(body)]


def _about_groups(row: Values) -> str:
    found, guess = row["finding"]["estimates"][_GROUP], _guess(row["finding"], _GROUP)
    return (
        f"In “{row['release']}” rows are shared: the right group is found for {estimate(found)} of the people (picking "
        f"any row: {percent(guess)})."
    )


def _about_unicity(body: Values) -> list[str]:
    said = []
    for curve in body["curves"]:
        last = curve["findings"][-1]
        others = int(last["details"]["median crowd"]) - 1
        with_whom = f"at most {number(others)} other{'s' * (others != 1)}" if others else "nobody else"
        said.append(
            f"Seen “{curve['name']}”, {estimate(last['estimates'][_ALONE])} of the people are alone with "
            f"{last['details']['points']} of their points; half of them share these with "
            f"{with_whom}."
        )
    people = number(body["data"]["people"])
    said.append(f"Counted over all {people} people in the data; in more people fewer are alone.")
    return [*said, about_power(body)]


def _about_singling(body: Values) -> list[str]:
    finding, settings = body["finding"], body["settings"]
    if finding["status"] != "executed":
        return [f"Inconclusive: {finding['reason']}."]
    said = (
        f"Of the attempts that this release allows, {estimate(finding['estimates'][_SINGLED])} single out one of "
        f"{number(body['data']['people'])} people by something whose weight is at most {settings['weight']:.2g}. "
        f"Without the release, predicates of the same weights do so for at most "
        f"{percent(finding['baseline'][_SINGLED]['high'])} of the attempts."
    )
    return [said, about_power(body)]


def about_power(body: Values) -> str:
    """What so many targets can show, in a sentence."""
    power = body["power"]
    needed, within = number(power["needed"]["0.02"]), f"{power['half_width_at_most'] * 100:.1f}"
    return (
        f"{number(power['targets'])} were tried: shares are known to within {within} percentage points or better, and "
        f"what was never seen may still happen to {percent(power['least_share_excluded_by_none'])}. To know shares to "
        f"within 2 points, {needed} are needed."
    )


def _ratings_parts(body: Values) -> list[Part]:
    parts = []
    for label, rows in by_knowledge(body["rows"]).items():
        curves: dict[str, list[tuple[int, Values]]] = {}
        for row in rows:
            point = (row["knowledge"]["items"], row["finding"]["estimates"][_FOUND])
            curves.setdefault(row["release"], []).append(point)
        guess = rows[0]["finding"]["baseline"][_FOUND]["value"]
        svg = rows_of(curves, across=f"known items ({label})", up="share re-identified", guess=guess)
        parts.append(Part(f"Re-identified, {label}", (), (figure(svg), markup(_found_table(rows)))))
    return [*parts, _published_part(body), _release_part(body)]


def by_knowledge(rows: Sequence[Values]) -> dict[str, list[Values]]:
    """Rows by what is known beside the number of items."""
    found: dict[str, list[Values]] = {}
    for row in rows:
        label = row["knowledge"]["text"].partition(", ")[2] or "items alone"
        found.setdefault(label, []).append(row)
    return found


def _found_table(rows: Sequence[Values]) -> Table:
    names = (_FOUND, "named wrongly", _ABSENT, "best fit is right", "among the ten best")
    cells = tuple(
        (
            row["release"],
            str(row["knowledge"]["items"]),
            *(estimate(row["finding"]["estimates"][name]) for name in names),
            _group(row["finding"]),
            _points(row["differences"].get(_FOUND)),
            row["method"],
        )
        for row in rows
    )
    confidence = rows[0]["finding"]["estimates"][_FOUND]["confidence"]
    caption = (
        "Re-identified: the best fit is clear enough to be named, and right. Named though absent: the same attack on "
        "people whose row was taken out. Best fit: without any threshold. Differences are of the same people, in "
        f"percentage points. Every interval holds by itself ({confidence * 100:g} %)."
    )
    heads = ("Release", "Items", "Re-identified", "Named wrongly", "Named though absent", "Best fit right")
    return Table(caption, (*heads, "Among ten best", "Own group found", "Beside the first release", "Method"), cells)


def _published_part(body: Values) -> Part:
    rows = tuple(
        (
            row["release"],
            row["knowledge"]["text"],
            estimate(row["published"]["estimates"][_FOUND]),
            estimate(row["published"]["estimates"][_ABSENT]),
        )
        for row in body["rows"]
    )
    caption = "Scoreboard-RH with eccentricity 1.5, on the same targets with the same knowledge."
    table = Table(caption, ("Release", "Known", "Re-identified", "Named though absent"), rows)
    return Part("The attack as published", (), (markup(table),))


def _release_part(body: Values) -> Part:
    rows = tuple(
        (
            one["name"],
            number(one["ratings"]),
            number(one["people"]),
            number(one["items"]),
            one["meaning"],
            one["promise"],
        )
        for one in body["releases"]
    )
    caption = "What was done, and what it promises by itself, whatever was measured."
    heads = ("Release", "Ratings", "People", "Items", "What was done", "Promise")
    return Part("The releases", (), (markup(Table(caption, heads, rows)),))


def _unicity_parts(body: Values) -> list[Part]:
    curves = {
        curve["name"]: [(one["details"]["points"], one["estimates"][_ALONE]) for one in curve["findings"]]
        for curve in body["curves"]
    }
    rows = tuple(
        (
            curve["name"],
            str(one["details"]["points"]),
            estimate(one["estimates"][_ALONE]),
            number(one["estimates"][_ALONE]["n"]),
            number(one["details"]["people with fewer points"]),
            f"{one['details']['median crowd']:g}",
        )
        for curve in body["curves"]
        for one in curve["findings"]
    )
    caption = "Crowd: how many people in the data share the points, oneself included; the median over people."
    heads = ("Seen", "Points", "Alone", "People", "With fewer points", "Median crowd")
    svg = lines(curves, across="known points", up="share of people who are alone")
    return [Part("Who is alone", (), (figure(svg), markup(Table(caption, heads, rows))))]


def _singling_parts(body: Values) -> list[Part]:
    finding, settings = body["finding"], body["settings"]
    pairs = [(f"{name}: the release", one) for name, one in finding["estimates"].items()]
    pairs += [(f"{name}: without it", one) for name, one in finding["baseline"].items()]
    svg = intervals(pairs, quantity="share of attempts", marked=settings["trivial_at_weight"])
    rows = tuple((name, estimate(one), number(one["n"]), one["method"]) for name, one in pairs)
    attempts = body["attempts"]
    heaviest = max(one["weight_at_most"] for one in attempts)
    said = (
        f"{number(len(attempts))} attempts by {attempts[0]['kind']}; the largest upper end of a weight is "
        f"{heaviest:.2g}, and {settings['weight']:.2g} counts as small: at that weight a predicate isolates somebody "
        f"{percent(settings['trivial_at_weight'])} of the time without any release (the line), at its best "
        f"{percent(settings['trivial_at_most'])}. {number(body['power']['held_out'])} records were held out; a "
        f"predicate that holds for none of {number(body['power']['held_out_needed'])} counts."
    )
    table = Table("Every interval holds by itself.", ("What", "Share", "n", "Method"), rows)
    return [Part("With the release and without", (said,), (figure(svg), markup(table)))]


def _group(finding: Values) -> str:
    found = finding["estimates"].get(_GROUP)
    return "no groups" if found is None else f"{estimate(found)}; picking any row: {percent(_guess(finding, _GROUP))}"


def _guess(finding: Values, name: str) -> float:
    return float(finding["baseline"][name]["value"])


def rare(value: float) -> str:
    """A probability as one in so many."""
    return f"one in {number(round(1 / value))}" if 0 < value < 1 else percent(value)


def _points(values: Values | None) -> str:
    if values is None:
        return ""
    return f"{values['value'] * 100:+.1f} ({values['low'] * 100:+.1f} to {values['high'] * 100:+.1f})"


def figure(svg: str) -> markupsafe.Markup:
    """One of our plots, for a page."""
    return markupsafe.Markup(f"<figure>{svg}</figure>")  # noqa: S704 (our own SVG)


def markup(table: Table) -> markupsafe.Markup:
    """A table, for a page."""
    return markupsafe.Markup(html(table))  # noqa: S704 (every cell is escaped)
