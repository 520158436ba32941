"""Record linkage in sentences, tables and plots; from the plain values of `Linkage.as_dict` and `Effects.as_dict`.

Promise: every share stands with its interval, beside what guessing and exact joins achieve; what the model expects of
itself is called that; without truth nothing is called a re-identification. No cell of any table is shown.

Example:
    >>> from reticent.reports.linkage import reliability_plot
    >>> row = {"expected": 0.9, "observed": 0.85, "low": 0.7, "high": 0.95}
    >>> reliability_plot([row]).startswith("<svg")
    True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reticent.evidence import Record
from reticent.reports.frame import Tone
from reticent.reports.plain import Section, plain_page
from reticent.reports.plots import COLOURS, SETTINGS, intervals, percent_of, svg_of
from reticent.reports.tables import Table
from reticent.reports.words import estimate, number, percent, shown

__all__ = ["page", "reliability_plot", "sentences"]

Values = Mapping[str, Any]

_SMALL = 1e-3
_LARGEST = 1e9
_NAMED = "people re-identified"
_ALL = f"{_NAMED}, everybody linked"
_REACHED = "of them among the candidate pairs"
_BEST = f"best exact join: {_NAMED}"
_GUESS = f"guessing: {_NAMED}"


def sentences(record: Record) -> list[str]:
    """What was found, in sentences that its figures carry."""
    return _of_effects(record.body) if record.kind == "linkage effects" else _of_linkage(record.body)


def page(record: Record) -> str:
    """One self-contained page without scripts."""
    body = record.body
    if record.kind == "linkage effects":
        first = body["forms"][0]
        about = f"{number(body['people'])} people, {len(body['forms'])} forms of the release."
        shown = [Section("Forms of the release", (_FORMS,), _effect_figures(body))]
        held = first["linkage"]
        if held is not None:
            shown += _parts(held)
        return plain_page(
            record,
            "Who is found again in each form of the release",
            about,
            sentences(record),
            shown,
        )
    rows = body["rows"]
    about = f"{number(rows['release'])} released rows, {number(rows['register'])} rows of a register."
    return plain_page(
        record,
        f"Who is found again in {body['finding']['target']}",
        about,
        sentences(record),
        _parts(body),
        tone=_tone(body),
    )


def _tone(body: Values) -> Tone:
    if body["finding"]["status"] != "executed":
        return "undecided"
    found, guess = body["finding"]["estimates"].get(_NAMED), body["finding"]["baseline"].get(_GUESS)
    if found is None or guess is None:
        return "undecided"
    return "shown" if found["low"] > guess["high"] else "not shown"


_FORMS = (
    "Each form was attacked in the same way, with the register coarsened as the release was. Shares are of all people "
    "of the plain release: who was left out of a form counts as not found in it. A small share is what this attack "
    "found, with these columns; it is no promise about others."
)


def _of_linkage(body: Values) -> list[str]:
    finding = body["finding"]
    details, name = finding["details"], finding["target"]
    expected = details["expected"]
    if finding["status"] != "executed":
        share = finding["estimates"]["rows re-identified, expected"]
        believed = (
            f" The model expects {_expected(expected)} of the links to be right, which would be "
            f"{percent(share['value'])} of the rows; nobody checked it."
        )
        return [
            f"{number(body['links'])} of {number(body['rows']['release'])} rows of {name} were linked to a row of the "
            f"register.{believed if body['links'] else ''}",
            *_nobody(details),
            *_identifiers(details),
            f"Inconclusive: {finding['reason']}.",
        ]
    found, base = finding["estimates"], finding["baseline"]
    said = [
        f"{estimate(found[_NAMED])} of the people in {name} were found again in the register by what both tables know "
        f"of them. Guessing finds {percent(base[_GUESS]['value'])}"
        + (f", the best exact join {estimate(base[_BEST])}." if _BEST in base else ".")
    ]
    said.append(
        "An attacker who links everybody to the likeliest row, and does not mind being wrong, finds "
        f"{estimate(found[_ALL])}."
    )
    if "precision" in found:
        said.append(
            f"Of {number(body['links'])} links, {estimate(found['precision'])} are right; the model, which saw no "
            f"label, expected {_expected(expected)}."
        )
    said += _nobody(details)
    said += _identifiers(details)
    if "f1" in found:
        said.append(
            f"Recall is {estimate(found['recall'])}, F1 {estimate(found['f1'])}, at a threshold of "
            f"{shown(details['threshold'])} from {details['threshold from']}."
        )
    return said


def _expected(expected: Values) -> str:
    """A share with its band."""
    if "precision, low" not in expected:
        return percent(expected["precision"])
    low, high = (percent(expected[f"precision, {end}"]) for end in ("low", "high"))
    return f"{percent(expected['precision'])} ({low} to {high})"


def _nobody(details: Values) -> list[str]:
    """That there is no evidence of anybody in both, if so."""
    if details.get("enough evidence", True):
        return []
    return [
        "There is not enough evidence here that anybody is in both tables: their rows are hardly more alike than "
        "strangers within one of them. Other columns, or more rows, may give some."
    ]


def _identifiers(details: Values) -> list[str]:
    """That the linkage used what makes a linkage needless, if so."""
    return [
        f"Column “{name}” looks like an identifier that both tables share ({percent(share)} of the release's values "
        "stand in the register, and nearly every row has a value of its own). An attacker who has it needs no linkage; "
        f"one who has not finds fewer than this says: leave it out (--without {name}) to see how many."
        for name, share in details.get("shared identifiers", {}).items()
    ]


def _of_effects(body: Values) -> list[str]:
    said = []
    plain = body["forms"][0]["linkage"]
    for one in body["forms"]:
        if one["linkage"] is None:
            said.append(f"“{one['name']}” was not attacked: {one['reason']}")
        else:
            said.append(
                f"“{one['name']}” ({number(one['released'])} rows): {estimate(one['named'])} of all people were found "
                f"again, {estimate(one['linkage']['finding']['estimates'][_ALL])} if everybody in it is linked."
            )
    return said + ([] if plain is None else _identifiers(plain["finding"]["details"]))


def _effect_figures(body: Values) -> tuple[Table | str, ...]:
    ran = [one for one in body["forms"] if one["linkage"] is not None]
    rows = []
    for one in body["forms"]:
        if one["linkage"] is None:
            rows.append((one["name"], number(one["released"]), f"not run: {one['reason']}", "", "", "", ""))
            continue
        finding = one["linkage"]["finding"]
        rows.append(
            (
                one["name"],
                number(one["released"]),
                estimate(one["named"]),
                estimate(finding["estimates"].get("precision")),
                estimate(finding["estimates"][_ALL]),
                estimate(finding["baseline"].get(_BEST)),
                percent(finding["baseline"][_GUESS]["value"]),
            )
        )
    heads = (
        "Form",
        "Rows",
        "All people found",
        "Links that are right",
        "Found if everybody is linked",
        "Best exact join finds",
        "Guessing finds",
    )
    caption = (
        "Everybody linked, exact joins and guessing: of the people who are in the form. 95 % intervals, each by itself."
    )
    figures: list[Table | str] = [Table(caption, heads, tuple(rows))]
    if ran:
        figures.insert(0, intervals([(one["name"], one["named"]) for one in ran], quantity="people found", marked=0.0))
    return tuple(figures)


def _parts(body: Values) -> list[Section]:
    return [part for part in (_beside(body), _calibration(body), _weights(body), _how(body)) if part is not None]


def _beside(body: Values) -> Section | None:
    finding = body["finding"]
    if not finding["baseline"]:
        return None
    figures = [
        (_named(name), estimate(one), str(one["n"]), one["method"]) for name, one in finding["estimates"].items()
    ]
    figures += [
        (_named(name), estimate(one), str(one["n"]), one["method"]) for name, one in finding["baseline"].items()
    ]
    on = ", ".join(finding["details"].get("best exact join", []))
    said = (
        (f"The best exact join is on {on}: of all fields and pairs, the one that joins most rows uniquely.",)
        if on
        else ()
    )
    table = Table("The attack, and what is possible without it.", ("Figure", "Share", "n", "Counted"), tuple(figures))
    return Section("Beside guessing and exact joins", said, (table,))


def _named(name: str) -> str:
    return "F1" if name == "f1" else name.replace(": f1", ": F1")


def _calibration(body: Values) -> Section | None:
    rows = body["reliability"]
    source = body["finding"]["details"].get("probabilities from", "the model, which takes columns to be independent")
    if not rows:
        return None
    shown = tuple(
        (
            f"{one['from']:g} to {one['to']:g}",
            percent(one["expected"]),
            estimate({"value": one["observed"], "low": one["low"], "high": one["high"]}),
            number(one["n"]),
        )
        for one in rows
    )
    caption = (
        "The likeliest register row of each released row, by its probability: how many were expected to be right, and "
        "how many were. Clopper-Pearson intervals, each by itself."
    )
    said = (
        f"No label was used to make the probabilities. They come from {source}. Points below the line are too sure, "
        "above it too unsure.",
    )
    table = Table(caption, ("Probability", "Expected right", "Right", "Rows"), shown)
    return Section("Are the probabilities right?", said, (reliability_plot(rows), table))


def reliability_plot(rows: Sequence[Values]) -> str:
    """Expected against observed shares, with intervals; on the line, probabilities are right."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 4.6), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#444444", linewidth=0.8, label="right probabilities")
        for one in rows:
            axes.errorbar(
                one["expected"],
                one["observed"],
                yerr=[[one["observed"] - one["low"]], [one["high"] - one["observed"]]],
                fmt="o",
                color=COLOURS[2],
                capsize=3,
                markersize=6,
                linewidth=1.2,
            )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="expected to be right", ylabel="right")
        axes.xaxis.set_major_formatter(percent_of)
        axes.yaxis.set_major_formatter(percent_of)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.legend(loc="upper left", frameon=False)
        return svg_of(figure, "reliability", "Expected against observed shares of right links, with intervals")


def _weights(body: Values) -> Section:
    kinds = body["finding"]["details"]["fields"]
    rows = tuple(
        (one["field"], kinds[one["field"]], one["says"], _often(one["m"]), _often(one["u"]), _ratio(one))
        for one in body["levels"]
    )
    assumed = body["finding"]["details"]["fields with assumed m"]
    caption = (
        "How fields compare, among rows of one person (m) and among others (u). Agreement on a rare value counts for "
        "more than the ratio says, on a common one for less."
    )
    said = (f"Assumed, not learned, for matches: {', '.join(assumed)}.",) if assumed else ()
    heads = ("Field", "Compared as", "Level", "m", "u", "m / u")
    return Section("What each field is worth", said, (Table(caption, heads, rows),))


def _often(share: float) -> str:
    """A share in per cent; a small one as one in so many."""
    if share >= _SMALL or share <= 0:
        return percent(share) if share > 0 else "never"
    return f"1 in {_many(1 / share)}"


def _many(value: float) -> str:
    """A large number in two or three digits, and no larger than can be meant."""
    if value >= _LARGEST:
        return f"more than {number(int(_LARGEST))}"
    return number(int(float(f"{value:.3g}"))) if value >= 1000 else shown(value)


def _ratio(level: Values) -> str:
    if not level["u"]:
        return "not bounded"
    value = level["m"] / level["u"]
    return _many(value) if value >= _SMALL else f"less than {shown(_SMALL)}"


def _how(body: Values) -> Section:
    details = body["finding"]["details"]
    rules = "; ".join(
        f"{' and '.join(one['on']) or 'every pair'} ({number(one['pairs'])})" for one in details["blocking rules"]
    )
    rows: list[tuple[str, str]] = [
        ("Pairs that agree on", rules),
        ("Pairs compared", number(details["candidate pairs"])),
        (
            "m learned on pairs that agree on",
            "; ".join(" and ".join(one) for one in details["trained on pairs that agree on"]) or "none",
        ),
        (
            f"Released rows whose person is in the register, {details['that share is']}",
            percent(details["share of release rows in the register"]),
        ),
        ("Probabilities from", details.get("probabilities from", "the model, which takes columns to be independent")),
        ("Columns left out", ", ".join(details.get("columns left out", [])) or "none"),
        ("At most one row each", "yes" if details["one to one"] else "no"),
        ("Random draws", "a seeded generator (repeatable)" if body["repeatable"] else "secure randomness"),
    ]
    if _REACHED in details:
        rows.insert(
            2,
            (
                "Released rows of people in the register; with their pair among those compared",
                "; ".join(number(details[name]) for name in ("release rows in the register", _REACHED)),
            ),
        )
    said = (
        "Not covered: attackers who know more columns, or who look by hand. A linkage that fails says nothing about "
        "them.",
    )
    return Section("How it was done", said, (Table("The linkage.", ("What", "How"), tuple(rows)),))
