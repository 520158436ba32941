"""The parts of an audit's page beyond its attack: people, groups, base rates, exposures, epsilon.

Promise: pure functions of a record's body. A part appears only if something was measured for it; what was asked for and
could not be answered says so.

Example:
    >>> from reticent.reports.parts import about_epsilon
    >>> about_epsilon({"training": {"what": "the training", "bound": None, "verdict": None, "reason": "none trained"},
    ...                "model": {"what": "the given model", "bound": None, "verdict": None, "reason": "no coins"}})
    []
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import markupsafe

from reticent._numbers import confidence, percentage, points, shown
from reticent.privacy.rounding import round_down
from reticent.privacy.units import Relation, Unit
from reticent.reports import disparity as groups
from reticent.reports.exposures import exposure_plot
from reticent.reports.removal import about_removal, removal_table
from reticent.reports.tables import (
    WIDE,
    Table,
    about_groups,
    about_risks,
    group_table,
    html,
    names_of,
    person_table,
    predictive_table,
    risk_table,
    spread_table,
)
from reticent.reports.words import estimate, rate_name, round_up

__all__ = ["Part", "about_epsilon", "epsilon_table", "further", "not_run", "parts_of", "sentences_about", "who"]

Values = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a page: heading, sentences, and tables and plots as HTML."""

    title: str
    sentences: tuple[str, ...] = ()
    figures: tuple[markupsafe.Markup, ...] = ()


def sentences_about(body: Values) -> list[str]:
    """What an audit found about people, groups and epsilon, in sentences; those with nothing to say are left out."""
    found = []
    if body["at_risk"] is not None:
        found.append(about_risks(body["at_risk"]))
    found += about_removal(body)
    if body["people"] is not None:
        people = body["people"]
        best = people["ways"][people["chosen"]]
        found.append(
            "By all their records together: shown one of the people used and one other, "
            f"an attacker picks the right one {estimate(best['auc'])} of the time."
        )
    found += [f"Groups by {name}: {about_groups(values)}" for name, values in body["disparities"].items()]
    return found + about_epsilon(body["epsilon"])


def further(body: Values) -> str:
    """What the further attacks reached, each in a few words; empty where none was run."""
    told = [
        f"“{one['attack']}” {estimate(one['estimates']['auc'])}"
        f"{'' if one['status'] == 'executed' else ', inconclusive'}"
        for one in body["others"]
        if "auc" in one["estimates"]
    ]
    if not told:
        return ""
    return f"Further attacks on the one {body.get('noun', 'model')}, right one of two: {'; '.join(told)}."


def who(body: Values) -> str:
    """The surest of the records at risk by name, and how rows are counted; empty where nobody is listed."""
    risks = body["at_risk"]
    if risks is None or not risks["listed"]:
        return ""
    return f"At risk, the surest first: {names_of(risks)}. {_rows(body)}".strip()


def _rows(body: Values) -> str:
    """How rows are counted, and where; older records do not say."""
    return str(body.get("rows", {}).get("text", ""))


def not_run(body: Values) -> list[str]:
    """What was asked for and not run, or not asked for, each with its reason."""
    open_still = set(body["not_tested"].values())
    others = [one for one in body["others"] if one["status"] == "not_run" and one["reason"] not in open_still]
    found = [f"{one['attack']}: {one['reason']}" for one in others]
    found += [f"groups by {name}: {why}" for name, why in body["not_compared"].items()]
    return found + [f"{question}: {why}" for question, why in body["not_tested"].items()]


def about_epsilon(claims: Values) -> list[str]:
    """Verdicts and bounds in sentences."""
    found = []
    for claim in claims.values():
        if claim["verdict"] is not None:
            found.append(f"Epsilon from outside, {claim['what']}: {' '.join(claim['verdict']['sentences'])}")
        elif claim["bound"] is not None and claim["reason"]:
            found.append(
                f"The promise was not tested on {claim['what']}: {claim['reason']}. What was measured: "
                f"{_bound(claim['bound'])}."
            )
        elif claim["bound"] is not None:
            nothing = (
                "That is no sign that nothing is given away."
                if claim["bound"]["epsilon"] == 0
                else "A lower bound is no promise: the truth may be anything above it."
            )
            found.append(f"Epsilon from outside, {claim['what']}: {_bound(claim['bound'])}. {nothing}")
    return found


def parts_of(body: Values) -> list[Part]:
    """The parts of one audit's page, in order."""
    makers = (_at_risk, _removal, _predictive, _groups, _people, _exposures, _epsilon, _others, _trainings, _beforehand)
    return [part for part in (make(body) for make in makers) if part is not None]


def epsilon_table(named: Mapping[str, Values]) -> Table:
    """Bounds and verdicts beside what was promised.

    Args:
        named: name of a training to the claims of its audit.
    """
    rows = []
    for name, claims in named.items():
        for claim in claims.values():
            verdict, bound = claim["verdict"], claim["bound"]
            claimed = "nothing" if verdict is None else _claimed(verdict)
            said = claim["reason"] if verdict is None else verdict["conclusion"]
            rows.append(
                (name, claim["what"], claimed, "not run" if bound is None else _bound(bound), said or "no claim")
            )
    caption = (
        "Lower bounds on epsilon from one or several trainings, each record (or owner) included by a fair coin. A "
        "claim is tested by its whole trade-off curve. “Consistent” and “inconclusive” prove nothing."
    )
    return Table(caption, ("Training", "What was attacked", "Claimed", "At least", "Verdict"), tuple(rows))


def _claimed(verdict: Values) -> str:
    value = verdict["claimed"]
    return "no finite epsilon" if value is None else f"epsilon {shown(round_up(value, 3))}"


def _bound(bound: Values) -> str:
    """A lower bound in words; of one that says nothing, that it does not."""
    epsilon, delta = shown(round_down(bound["epsilon"], 3)), shown(round_down(bound["delta"], 3))
    least = f"epsilon is at least {epsilon}" if bound["epsilon"] > 0 else "no lower bound on epsilon above 0 was found"
    return (
        f"{least} at delta {delta}, with {confidence(bound['confidence'])} confidence, for {_neighbours(bound)} "
        f"({bound['method']})"
    )


def _neighbours(bound: Values) -> str:
    return Relation(bound["relation"]).of(Unit(bound["unit"]))


def _table(table: Table) -> markupsafe.Markup:
    return markupsafe.Markup(html(table))  # noqa: S704 (every cell is escaped)


def _plot(svg: str) -> markupsafe.Markup:
    return markupsafe.Markup(f"<figure>{svg}</figure>")  # noqa: S704 (our own SVG)


def _at_risk(body: Values) -> Part | None:
    risks = body["at_risk"]
    if risks is None:
        return Part("Who is at risk, and why", (f"Not run: {body['not_listed']}.",)) if body["not_listed"] else None
    figures = (_table(risk_table(risks, body["reasons"])),) if risks["listed"] else ()
    said = (about_risks(risks), *((_rows(body), WIDE) if risks["listed"] else ()))
    return Part("Who is at risk, and why", tuple(one for one in said if one), figures)


def _removal(body: Values) -> Part | None:
    said = about_removal(body)
    figures = () if body["removal"] is None else (_table(removal_table(body)),)
    return Part("If those at risk were taken out", tuple(said), figures) if said else None


def _predictive(body: Values) -> Part | None:
    figures = [_table(predictive_table(body["thresholds"]))] if body["thresholds"] else []
    if body["predictive"]:
        rates = [one["base_rate"] for one in next(iter(body["predictive"].values()))]
        rows = tuple(
            (
                f"{rate_name(f'at_{asked}')} false alarms",
                *("nobody named" if one["value"] is None else estimate(one["value"]) for one in found),
            )
            for asked, found in body["predictive"].items()
        )
        caption = "Of those whom the attacker names, how many were members: over all repeated trainings."
        heads = ("Named at", *(f"if {percentage(one)} of those asked about were members" for one in rates))
        figures.append(_table(Table(caption, heads, rows)))
    if not figures:
        return None
    return Part(
        "What a name is worth",
        (
            "An attacker who asks about many people of whom few were members is often wrong, however good the attack: "
            "how many of those named were members depends on the base rate.",
        ),
        tuple(figures),
    )


def _groups(body: Values) -> Part | None:
    said, figures = [], []
    for name, values in body["disparities"].items():
        said.append(f"By {name}: {about_groups(values)}")
        figures.append(_plot(groups.disparity(groups.bars_of(values), label=f"right one of two, by {name}")))
        figures.append(_table(group_table(values)))
    said += [f"By {name}, not compared: {why}" for name, why in body["not_compared"].items()]
    return Part("Groups", tuple(said), tuple(figures)) if said else None


def _people(body: Values) -> Part | None:
    if body["people"] is None:
        return None
    return Part("People, by all their records", (), (_table(person_table(body["people"])),))


def _exposures(body: Values) -> Part | None:
    effect = body["exposures"]
    if effect is None:
        return None
    first = effect["rows"][0]
    rows = tuple(
        (
            row["exposure"],
            row["meaning"],
            estimate(row["estimates"]["auc"]),
            _points(row["differences"]["auc"]) if row["differences"] else "",
        )
        for row in effect["rows"]
    )
    caption = (
        f"The same attack on the same answers. Differences from “{first['exposure']}” are paired, in percentage "
        "points; each interval holds by itself."
    )
    table = Table(caption, ("Shown", "That is", "Right one of two", f"More than {first['exposure']}"), rows)
    said = (
        "Showing less helps against attackers who are held to it; who may ask about changed records sees more. Where a "
        "line that shows less comes out higher, only this attack prefers it: who sees more can leave digits away."
    )
    return Part("What showing less is worth", (said,), (_plot(exposure_plot(effect)), _table(table)))


def _points(values: Values) -> str:
    return points(values["value"], values["low"], values["high"]).replace(" points", "")


def _epsilon(body: Values) -> Part | None:
    claims = body["epsilon"]
    if all(claim["bound"] is None for claim in claims.values()):
        return None
    named = {body["finding"]["target"]: claims}
    assumed = next(claim["bound"]["assumptions"] for claim in claims.values() if claim["bound"] is not None)
    said = (*about_epsilon(claims), f"Assumed: {'; '.join(assumed)}.")
    return Part("Epsilon, from outside", said, (_table(epsilon_table(named)),))


def _others(body: Values) -> Part | None:
    if not body["others"]:
        return None
    rows = tuple(
        (
            one["attack"],
            one["exposure"],
            one["status"].replace("_", " ") + (f": {one['reason']}" if one["reason"] else ""),
            estimate(one["estimates"]["auc"]) if "auc" in one["estimates"] else "",
            str(one["details"].get("queries", "")),
        )
        for one in body["others"]
    )
    caption = "Further attacks on the one model. The confidence is shared by them, so the best may be read."
    table = Table(caption, ("Attack", "Sees", "Status", "Right one of two", "Queries"), rows)
    return Part("Further attacks", (), (_table(table),))


def _trainings(body: Values) -> Part | None:
    return Part("From training to training", (), (_table(spread_table(body["spread"])),)) if body["spread"] else None


def _beforehand(body: Values) -> Part | None:
    method = body["method"]
    said = list(body["power"]["sentences"])
    if method is not None:
        said.append(f"Scored by {method['name']}: {method['meaning']}")
        if method["chosen"] is not None:
            best = method["chosen"]["table"][0]
            said.append(
                f"Chosen among {len(method['chosen']['table'])} by the {method['chosen']['criterion']} "
                f"({shown(best['value'])}), on half of the shadow models, which do not judge it."
            )
    return Part("What could be known beforehand", tuple(said))
