"""The audit of a synthetic table in sentences, tables and plots; from the plain values of `SyntheticAudit.as_dict`.

Promise: every figure stands with its interval and beside its baseline; differences keep their sign; p-values stand as
they are and adjusted for all tests. Distances are shown as descriptions. No cell of any table is shown.

Example:
    >>> from reticent.reports.synthetic import sentences
    >>> for line in sentences({"name": "a release", "findings": [], "tests": [], "found": [], "reversed": [],
    ...     "fair": True, "level": 0.05, "power": {"sentence": "Power."}, "repeatable": False,
    ...     "rows": {"members": 500, "controls": 500}, "controls_equal_to_a_member": 0}):
    ...     print(line)
    No leak about the source was found in “a release” by 0 tests that share an error rate of 5 %. That is no proof \
that there is none.
    Power.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from reticent.evidence import Record
from reticent.reports.frame import Tone, framed, verdict
from reticent.reports.plots import intervals
from reticent.reports.tables import Table, html, p_value
from reticent.reports.words import estimate, number, percent

__all__ = ["lines", "page", "sentences"]

Values = Mapping[str, Any]

GAIN = "members' gain minus controls' gain"
_DIFFERENCES = (GAIN, "members' share minus controls'")
_GUESSES = "attribute inference of "
SHOWN = 12
"""So many guessed columns are shown before the others are folded."""


def sentences(body: Values) -> list[str]:
    """What the audit found, in sentences that its figures carry."""
    tests, level = len(body["tests"]), f"{body['level'] * 100:g} %"
    said = []
    found, reversed_ = (_listed(_grouped(body[name])) for name in ("found", "reversed"))
    if not body["fair"]:
        said.append(
            f"Nothing can be said about “{body['name']}” from this control: rows of the source and of the control are "
            "told apart without the release, so a difference between them is no evidence. Take a control that was "
            "drawn like the source."
        )
    if body["found"]:
        said.append(
            f"“{body['name']}” gives away rows that it was made from, found by: {found} ({tests} "
            f"tests that share an error rate of {level})."
        )
    elif body["fair"]:
        said.append(
            f"No leak about the source was found in “{body['name']}” by {tests} tests that share an error rate of "
            f"{level}. That is no proof that there is none."
        )
    said += [_strongest(body)] if body["found"] else []
    if body["reversed"]:
        said.append(
            f"Beyond chance, {reversed_} did better on controls than on members. That is no negative "
            "risk: it says that source and control differ."
        )
    if body["controls_equal_to_a_member"]:
        said.append(
            f"{number(body['controls_equal_to_a_member'])} of {number(body['rows']['controls'])} controls equal a "
            "judged member in every column; where these are the same people, attacks look weaker than they are."
        )
    said += [one["sentence"] for one in body.get("at_risk", ())]
    said.append(body["power"]["sentence"])
    if body["repeatable"]:
        said.append("Seeded run: whoever knows the seed knows the draws.")
    return said


def lines(body: Values) -> list[tuple[str, str, str, str]]:
    """One line for each attack: its name, its main figure, what to hold it against, its smallest adjusted p-value.

    Of many guessed columns those with the smallest p-values have lines, and the others one together.
    """
    found = []
    told, others = _told(body)
    for one in body["findings"]:
        if one["attack"] in others:
            continue
        p = [test["p_adjusted"] for test in body["tests"] if test["attack"] == one["attack"]]
        estimates, baseline = one["estimates"], one["baseline"]
        if not estimates:
            found.append((one["attack"], one["status"].replace("_", " "), one["reason"], ""))
            continue
        first = next(iter(estimates))
        against = next(iter(baseline))
        shown = (f"{estimate(estimates[first])} {_short(first)}", f"{estimate(baseline[against])} {_short(against)}")
        found.append((one["attack"], *shown, p_value(min(p)) if p else ""))
        if one["attack"] == told:
            found.append((f"{_GUESSES}{len(others)} other columns", "", "", f"{p_value(min(others.values()))} or more"))
    return found


def _told(body: Values) -> tuple[str, dict[str, float]]:
    """Of the guessed columns: the last one that has a line of its own, and the p-values of those that have none."""
    guessed = _by_p(body, [one for one in body["findings"] if one["attack"].startswith(_GUESSES) and one["estimates"]])
    p, kept = _smallest(body), {one["attack"] for one in guessed[:SHOWN]}
    others = {one["attack"]: p.get(one["attack"], 1.0) for one in guessed[SHOWN:]}
    last = [one["attack"] for one in body["findings"] if one["attack"] in kept]
    return (last[-1] if others else "", others)


def _smallest(body: Values) -> dict[str, float]:
    """The smallest adjusted p-value of each attack."""
    found: dict[str, float] = {}
    for one in body["tests"]:
        found[one["attack"]] = min(found.get(one["attack"], 1.0), one["p_adjusted"])
    return found


def _by_p(body: Values, findings: list[Any]) -> list[Any]:
    """By p-value, then by what members gain: the most telling first."""
    p = _smallest(body)
    return sorted(findings, key=lambda one: (p.get(one["attack"], 1.0), -one["estimates"].get(GAIN, _NOTHING)["value"]))


_NOTHING = {"value": 0.0}


def _short(name: str) -> str:
    return "right one of two" if name == "auc" else name.removeprefix("auc ")


def page(record: Record) -> str:
    """One self-contained page without scripts."""
    body = record.body
    tone: Tone = "shown" if body["found"] else "not shown" if body["fair"] else "undecided"
    parts = "".join(
        part for part in (_scores(body), _successes(body), _isolated(body), _exposed(body), _tests(body), _rest(body))
    )
    rows = body["rows"]
    sizes = f"{number(rows['release'])} rows, made from {number(rows['source'])}"
    return framed(
        f"What the synthetic table gives away: {body['name']}",
        '<header class="top">\n'
        "<h1>What this synthetic table gives away about the rows it was made from</h1>\n"
        f'<div class="soft">Release: {escape(body["name"])}, {sizes}. Made {escape(record.created)} with reticent '
        f"{escape(body['software']['reticent'])}. Judged: {number(rows['members'])} members and "
        f"{number(rows['controls'])} controls; the attacker has {number(rows['reference'])} other rows.</div>\n"
        f"</header>\n{verdict(sentences(body), tone)}"
        f"{parts}",
    )


def _scores(body: Values) -> str:
    found = [one for one in body["findings"] if "auc" in one["estimates"]]
    if not found:
        return ""
    columns = ("Attack", "Sees", "Right one of two", "Members named", "Controls named", "Without the release")
    rows = []
    for one in found:
        named = [_at(one, "true_positive_rate_at_"), _at(one, "false_positive_rate_at_")]
        blind = "; ".join(estimate(value) for value in one["baseline"].values())
        rows.append((one["attack"], one["exposure"], estimate(one["estimates"]["auc"]), *named, blind))
    caption = (
        "Shown one row of the source and one of the control, how often an attacker picks the right one; guessing gives "
        "50 %. Rows of shadow releases had their own coin, drawn here. Thresholds come from controls set aside. "
        "Without the release: what classifiers that see rows alone reach, and what the density ratio does with half of "
        "the source in the release's place, on rows of the other half."
    )
    svg = intervals(
        [(one["attack"], one["estimates"]["auc"]) for one in found], quantity="right one of two", marked=0.5
    )
    return _part("Was this row in the source?", _figure(svg), html(Table(caption, columns, tuple(rows))))


def _at(finding: Values, prefix: str) -> str:
    found = [name for name in finding["estimates"] if name.startswith(prefix)]
    return "; ".join(
        f"{estimate(finding['estimates'][name])} at {float(name.removeprefix(prefix)) * 100:g} %" for name in found
    )


def _successes(body: Values) -> str:
    found = _by_p(body, [one for one in body["findings"] if GAIN in one["estimates"]])
    if not found:
        return ""
    columns = ("Attack", "Members: with, without", "Controls: with, without", "Gain of members minus gain of controls")
    rows = []
    for one in found:
        sides = [
            f"{estimate(one['estimates'][f'{side}, with the release'])}; "
            f"{estimate(one['baseline'][f'{side}, without the release'])}"
            for side in ("members", "controls")
        ]
        rows.append((one["attack"], *sides, _points(one["estimates"][GAIN])))
    caption = (
        "How often the attack succeeds with the release, and with as many real rows of the reference in its place. "
        "What controls gain too is knowledge about the population; only what members gain beyond it is about them. "
        "Signs are kept. Intervals hold each by itself. The smallest p-values come first."
    )
    svg = intervals(
        [(one["attack"], one["estimates"][GAIN]) for one in found[:SHOWN]],
        quantity="what members gain from the release beyond controls",
        marked=0.0,
    )
    return _part("Secrets and links", _figure(svg), *_folded(caption, columns, rows))


def _isolated(body: Values) -> str:
    parts = []
    for one in body["findings"]:
        if one["attack"] not in ("singling out", "copies") or not one["estimates"]:
            continue
        rows = [(name, "release", _shown(name, value)) for name, value in one["estimates"].items()]
        rows += [(name, "baseline", _shown(name, value)) for name, value in one["baseline"].items()]
        parts.append(html(Table(_CAPTIONS[one["attack"]], ("What", "", "Share"), tuple(rows))))
        parts.append(f'<p class="soft">{escape(_details(one))}</p>\n')
    return _part("Singling out, and copies", *parts) if parts else ""


_CAPTIONS = {
    "singling out": "Descriptions made from the release that fit exactly one of so many rows. A description that knows "
    "nothing can isolate somebody in up to 36.8 % of draws, if its weight is one over the number of rows; these weigh "
    "a tenth of that or less by the release's own shares.",
    "copies": "Rows that stand in the release exactly, or but for one column (numbers within a hundredth of a "
    "deviation).",
}


def _details(finding: Values) -> str:
    kept = {key: value for key, value in finding["details"].items() if not isinstance(value, list | dict)}
    return "; ".join(f"{key}: {f'{value:.3g}' if isinstance(value, float) else value}" for key, value in kept.items())


def _exposed(body: Values) -> str:
    """The rows at risk, by number."""
    parts = []
    for one in body.get("at_risk", ()):
        if one["rows"]:
            rows = tuple((number(row["row"]), p_value(row["p"]), p_value(row["p_adjusted"])) for row in one["rows"])
            caption = (
                f"By {one['where']}. Numbers of rows of the source, from 0; adjusted after Benjamini and Hochberg, so "
                f"that on average at most {one['level'] * 100:g} % of the list are there by chance."
            )
            parts.append(html(Table(caption, ("Row", "p", "p, adjusted"), rows)))
    note = '<p class="soft">This list says of people that they are in the source: keep it as you keep the source.</p>\n'
    return _part("Rows at risk", *parts, note) if parts else ""


def _tests(body: Values) -> str:
    rows = tuple(
        (
            one["attack"],
            one["name"],
            p_value(one["p"]),
            p_value(one["p_adjusted"]),
            p_value(one["p_reverse_adjusted"]),
        )
        for one in sorted(body["tests"], key=lambda one: (one["p_adjusted"], one["p"]))
    )
    caption = (
        "One-sided p-values; adjusted after Holm, so that the chance of any false finding among all of them is at most "
        f"{body['level'] * 100:g} % where source and control are drawn alike. Reverse: controls do better."
    )
    heads = ("Attack", "Tested", "p", "p, adjusted", "reverse p, adjusted")
    return _part("All tests", *_folded(caption, heads, rows))


def _rest(body: Values) -> str:
    described = body["description"]
    rows = tuple(
        (where, *(", ".join(f"{one:.3g}" for one in described[where][what]) for what in ("closest", "ratio")))
        for where in ("to the source", "to the control")
    )
    heads = ("Distance", "closest record (DCR), 5th, 50th and 95th percentile", "over the second closest (NNDR)")
    not_run = [
        (one["attack"], one["reason"]) for one in body["findings"] if one["status"] != "executed" and one["reason"]
    ]
    untested = (*not_run, *body["not_tested"].items())
    return (
        _part("Distances, described", html(Table(described["note"], heads, rows)))
        + _part(
            "What was not tested, or is inconclusive",
            html(Table("", ("What", "Why"), tuple((str(what), str(why)) for what, why in untested))),
        )
        + "<p><strong>This page is about real people's rows.</strong> Its figures are computed from the source without "
        "noise; it shows no cell of it.</p>\n"
    )


def _strongest(body: Values) -> str:
    """The most telling figures of those found: of scores the best, of copies how many; else of the first attack."""
    found = [one for one in body["findings"] if one["attack"] in body["found"]]
    scores = [one for one in found if "auc" in one["estimates"]]
    told = []
    if scores:
        best = max(scores, key=lambda one: float(one["estimates"]["auc"]["low"]))
        told.append(
            f"Shown one row that it was made from and one that it was not, the attacker picks the right one "
            f"{estimate(best['estimates']['auc'])} of the time ({best['attack']}); guessing gives 50 %."
        )
    others = [one for one in found if one["attack"] == "copies" or not scores]
    for one in others[:1]:
        differences = [key for key in one["estimates"] if key.endswith(_DIFFERENCES)]
        name = max(differences, key=lambda key: float(one["estimates"][key]["low"]))
        told.append(f"{one['attack'].capitalize()}: {name} is {_points(one['estimates'][name])}.")
    return " ".join(told)


def _shown(name: str, value: Values) -> str:
    return _points(value) if name.endswith(_DIFFERENCES) else estimate(value)


def _points(values: Values) -> str:
    """A signed difference of shares, in percentage points."""
    return (
        f"{values['value'] * 100:+.1f} points ({values['low'] * 100:+.1f} to {values['high'] * 100:+.1f}, "
        f"{percent(values['confidence'])} interval)"
    )


def _figure(svg: str) -> str:
    return f"<figure>{svg}</figure>\n"


def _folded(caption: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A table; behind a fold what is beyond its first rows."""
    first, others = tuple(rows[:SHOWN]), tuple(rows[SHOWN:])
    parts = [html(Table(caption, heads, first))]
    if others:
        rest = html(Table("", heads, others))
        parts.append(f"<details><summary>{len(others)} more rows</summary>\n{rest}</details>\n")
    return parts


def _part(title: str, *content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{Markup('').join(Markup(one) for one in content)}\n"  # noqa: S704 (escaped above)


def _grouped(attacks: list[str]) -> list[str]:
    """The attacks' names, the columns of attribute inference in one of them."""
    columns = [one.removeprefix(_GUESSES) for one in attacks if one.startswith(_GUESSES)]
    merged = [f"attribute inference ({', '.join(columns)})" if one.startswith(_GUESSES) else one for one in attacks]
    return list(dict.fromkeys(merged))


def _listed(parts: list[str]) -> str:
    return "".join(parts) if len(parts) < 2 else f"{', '.join(parts[:-1])} and {parts[-1]}"
