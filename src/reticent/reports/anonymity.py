"""The pages about tables: what somebody can be found by, before and after it was said less exactly.

Promise: pure functions of a record's body ("disclosure", "generalisation"). Every risk stands with the attacker it is
about and with what an attacker without the columns achieves; estimates stand with their intervals; what was not
measured is listed as open. No cell of the table is shown. Nothing is called anonymous.

Example:
    >>> from reticent.reports.anonymity import risk_words
    >>> risk_words(0.2), risk_words(0.0005), risk_words(None)
    ('20.0 % (1 in 5)', '1 in 2000', 'not measured')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import escape

from reticent.evidence import Record
from reticent.reports.frame import framed, verdict
from reticent.reports.plots import COLOURS, SETTINGS, label_of, percent_of, svg_of
from reticent.reports.tables import Table, html
from reticent.reports.words import estimate, number, percent

__all__ = ["KINDS", "page", "risk_plot", "risk_words", "sentences"]

Values = Mapping[str, Any]
KINDS: Final = ("disclosure", "generalisation")
_SMALL, _HALF = 0.01, 0.5
_MODELS = {"zayatz": "Zayatz", "snb": "shifted negative binomial", "pitman": "Pitman"}


def risk_words(value: float | None) -> str:
    """A chance in per cent and as one in so many."""
    if value is None:
        return "not measured"
    if 0 < value < _SMALL:
        return f"1 in {round(1 / value)}"
    return f"{percent(value)} (1 in {round(1 / value)})" if _SMALL <= value <= _HALF else percent(value)


def sentences(record: Record) -> list[str]:
    """What the record says, in sentences."""
    body = record.body
    if record.kind == "disclosure":
        return [*_about(body), _caveat(record)]
    cost, goal, before, after = body["cost"], body["goal"], body["before"], body["after"]
    asked = [f"at least {goal['k']} {'people' if after['measures']['person'] else 'rows'} in every class"]
    asked += [f"{goal['diversity']} diversity of at least {goal['l']:g}"] if goal["l"] is not None else []
    asked += [f"a distance of at most {goal['t']:g}"] if goal["t"] is not None else []
    found = [
        f"The table was said less exactly until it reached {' and '.join(asked)}, and was measured again.",
        f"{number(cost['suppressed'])} of {number(cost['rows'])} rows were left out; {percent(cost['total'])} of what "
        "the quasi-identifiers tell apart was lost.",
    ]
    for one, then in zip(before["attackers"], after["attackers"], strict=True):
        found.append(
            f"An attacker who {_who(one)} and knows that a person is in the table finds the row of the most exposed "
            f"one with chance {risk_words(then['prosecutor_highest'])}, before {risk_words(one['prosecutor_highest'])}"
            f"; on average {risk_words(then['prosecutor_average'])}, before {risk_words(one['prosecutor_average'])}."
        )
    found += [one if one.endswith(".") else f"{one}." for one in body.get("notes", ())]
    return [*found, _caveat(record)]


def _caveat(record: Record) -> str:
    body = record.body["after"] if record.kind == "generalisation" else record.body
    left = [name for name in body["unmeasured"] if name not in record.body.get("pseudonyms", ())]
    return (f"Columns in no part, untouched and unmeasured: {', '.join(left)}. " if left else "") + (
        f"Measured on {record.created[:10]} against the attackers named here, on this table alone. It is not shown "
        "that nobody can be found: columns that were not named, other sources and other releases were not looked at."
    )


def _who(risk: Values) -> str:
    known = ", ".join(risk["knows"])
    return f"knows {known}" if risk["attacker"].startswith("knows ") else f"knows {known} ({risk['attacker']})"


def _guessing(risk: Values) -> float:
    """What a prosecutor who knows no column achieves; older records have one figure for all attackers."""
    return float(risk.get("prosecutor_baseline", risk["baseline"]))


def _unit(body: Values) -> str:
    words = ("person", "people") if body["measures"]["person"] is not None else ("row", "rows")
    return words[body["measures"]["k"] != 1]


def _about(body: Values) -> list[str]:
    measured = body["measures"]
    found = [
        f"{number(measured['uniques'])} of {number(measured['rows'])} rows are the only ones of their kind in "
        f"{', '.join(measured['quasi'])}; the smallest class has {number(measured['k'])} {_unit(body)}."
    ]
    found += [
        f"An attacker who {_who(risk)} and knows that a person is in the table finds the row of the most exposed one "
        f"with chance {risk_words(risk['prosecutor_highest'])}, on average {risk_words(risk['prosecutor_average'])}; "
        f"knowing none of it, {risk_words(_guessing(risk))}. {percent(risk['prosecutor_at_risk'])} of the rows are "
        f"above {percent(risk['threshold'])}."
        for risk in body["attackers"]
    ]
    for name, one in body["uniqueness"].items():
        spread = [each["value"] for each in one["models"].values()]
        spread += [body["copula"][name]["value"]] if name in body["copula"] else []
        found.append(
            f"Of {number(one['population'])} people, {estimate(one['estimate'])} are estimated to be unique in this "
            f"({_MODELS.get(one['chosen'], one['chosen'])}, as the rule of Dankar et al. has it; the interval holds if "
            f"that model does); all models together: {percent(min(spread))} to {percent(max(spread))}. A match "
            f"with a row that is unique here is right with an estimated chance of {estimate(one['match'])}."
        )
    found += [
        f"There is a class in which everybody whose {one['name']} is known has the same: who is known to be in it is "
        "known to have it, without a row being found."
        for one in measured["sensitive"]
        if one["alpha"] >= 1
    ]
    return found


def risk_plot(before: Sequence[Values], after: Sequence[Values] = ()) -> str:
    """Average and highest risk of each attacker, on a logarithmic axis; before, and after if it is given."""
    import matplotlib
    from matplotlib.figure import Figure

    rows = [*before, *after]
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 1.5 + 0.55 * len(before)), layout="constrained")
        axes = figure.subplots()
        shift = 0.14 if after else 0.0
        for place, risk in enumerate(before):
            shown = [(risk, -shift, COLOURS[0], "before")] if after else [(risk, 0.0, COLOURS[2], "this table")]
            shown += [(after[place], shift, COLOURS[2], "after")] if after else []
            for one, dy, colour, name in shown:
                ends = (one["prosecutor_average"], one["prosecutor_highest"])
                label = f"{name}: average to highest" if not place else None
                axes.plot(ends, [place + dy] * 2, color=colour, linewidth=1.4, label=label)
                axes.plot(ends[:1], [place + dy], "o", color=colour, markersize=6)
                axes.plot(ends[1:], [place + dy], "|", color=colour, markersize=11)
            axes.plot([_guessing(risk)], [place], "x", color="#444444", label="knows no column" if not place else None)
        low = min(min(_guessing(one), one["prosecutor_average"]) for one in rows)
        axes.set(xscale="log", xlim=(low / 2, 1.3), ylim=(len(before) - 0.5, -0.5))
        axes.set_xlabel("chance that the attacker finds a person's row")
        axes.set_yticks(range(len(before)), [label_of(one["attacker"]) for one in before])
        axes.xaxis.set_major_formatter(percent_of)
        axes.grid(axis="x", alpha=0.25, linewidth=0.6)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        return svg_of(
            figure, "risks", "Risk from each attacker, average to highest, beside an attacker who knows nothing"
        )


def _attackers(risks: Sequence[Values], caption: str) -> Table:
    heads = ("Attacker", "Knows", "Highest", "Average", "Rows at risk", "Register: highest", "Right if all are matched")
    rows = tuple(
        (
            one["attacker"],
            ", ".join(one["knows"]),
            risk_words(one["prosecutor_highest"]),
            risk_words(one["prosecutor_average"]),
            f"{percent(one['prosecutor_at_risk'])} above {percent(one['threshold'])}",
            risk_words(one["journalist_highest"]),
            f"{percent(one['marketer'])}, against {risk_words(one['baseline'])}",
        )
        for one in risks
    )
    return Table(caption, heads, rows)


def _measures(named: Mapping[str, Values]) -> Table:
    first = (
        "",
        "Smallest class",
        "Classes",
        "Rows alone",
        "Sensitive",
        "Largest share",
        "Diversity: distinct, entropy",
    )
    heads = (*first, "Distance t", "Gain beta", "Log ratio delta")
    rows = []
    for name, one in named.items():
        start = (name, f"{number(one['k'])}", number(one["classes"]), number(one["uniques"]))
        rows += [(*start, "none named", "", "", "", "", "")] if not one["sensitive"] else []
        for each in one["sensitive"]:
            delta = "infinite" if each["delta"] is None else f"{each['delta']:.3g}"
            rows.append(
                (
                    *start,
                    each["name"],
                    percent(each["alpha"]),
                    f"{each['distinct_l']}, {each['entropy_l']:.2f}",
                    f"{each['t']:.3f} ({'ordered' if each['ordered'] else 'equal steps'})",
                    f"{each['beta']:.3g}",
                    delta,
                )
            )
    caption = "Of the worst class each; exact for the table. Missing sensitive values are not counted as values."
    return Table(caption, heads, tuple(rows))


def _uniqueness(body: Values) -> Table | None:
    if not body["uniqueness"]:
        return None
    rows = []
    for attacker, one in body["uniqueness"].items():
        for name, label in _MODELS.items():
            said = estimate(one["models"][name]) if name in one["models"] else f"no answer: {one['reasons'].get(name)}"
            rows.append((attacker, label + (", chosen" if name == one["chosen"] else ""), said))
        if attacker in body["copula"]:
            rows.append((attacker, "Gaussian copula", estimate(body["copula"][attacker])))
        rows.append((attacker, "a match with a unique row is right", estimate(one["match"])))
    caption = (
        "Estimates of the share of the population that is unique in what the attacker knows, if the rows are a random "
        "sample of it. Intervals cover the sample, not a model that is wrong: how far the models are apart says more."
    )
    return Table(caption, ("Attacker", "Model", "Estimate"), tuple(rows))


def _stand_out(body: Values) -> Table | None:
    found = body["stand_out"]
    if found is None or not found["rows_with"]:
        return None
    rows = sorted(found["columns"].items(), key=lambda item: -item[1]["share"])
    caption = (
        f"{number(found['rows_with'])} of {number(found['rows'])} rows are alone in some set of at most "
        f"{found['largest']} columns. Which columns these sets are made of; shares of SUDA's score, where small sets "
        "count most."
    )
    cells = tuple((name, number(one["rows"]), percent(one["share"])) for name, one in rows)
    return Table(caption, ("Column", "Rows that stand out with it", "Share of the score"), cells)


def _cost(body: Values) -> Table:
    cost = body["cost"]
    rows = tuple(
        (
            name,
            "part by part" if name not in cost["levels"] else "{} of {}".format(*cost["levels"][name]),
            percent(lost),
            percent(cost["span"][name]),
        )
        for name, lost in cost["entropy"].items()
    )
    caption = (
        f"By {body['method']}. Level 0 is the value as it was, the last one is the same for everybody. Lost: of what "
        "the column told rows apart by; spread: the mean share of the column's values that a cell now stands for. "
        f"Untouched: {', '.join(body['untouched']) or 'no column'}. Not given out: "
        f"{', '.join(body['dropped']) or 'no column'}. Exchanged for pseudonyms: "
        f"{', '.join(body.get('pseudonyms', ())) or 'no column'}. "
        f"Classes have {cost['average_class']:.1f} rows on average."
    )
    return Table(caption, ("Column", "Level", "Lost", "Spread"), rows)


def page(record: Record) -> str:
    """The page for a disclosure measurement or a generalisation."""
    body = record.body
    made = record.kind == "generalisation"
    now = body["after"] if made else body
    parts: list[tuple[str, list[str]]] = []
    plot = risk_plot(body["before"]["attackers"], body["after"]["attackers"]) if made else risk_plot(body["attackers"])
    risks = [f"<figure>{plot}</figure>", html(_attackers(now["attackers"], "This table." if not made else "After."))]
    risks += [html(_attackers(body["before"]["attackers"], "Before."))] if made else []
    parts.append(("Who finds whom", risks))
    parts += [("What it cost", [html(_cost(body))])] if made else []
    named = {"before": body["before"]["measures"], "after": now["measures"]} if made else {"": now["measures"]}
    parts.append(("What classes give away", [html(_measures(named))]))
    for title, make in (("Unique in the population", _uniqueness), ("What makes rows stand out", _stand_out)):
        made_tables = [table for table in (make(now),) if table is not None]
        if made_tables:
            parts.append((title, [html(made_tables[0])]))
    open_questions = tuple((name, "open", why) for name, why in now["not_measured"].items())
    parts.append(("What was not measured", [html(Table("", ("Question", "Status", "Why"), open_questions))]))
    title = "A table said less exactly: what is left to find" if made else "Whom this table gives away"
    return _shell(record, title, parts)


def _shell(record: Record, title: str, parts: Sequence[tuple[str, Sequence[str]]]) -> str:
    inner = "".join(f"<h2>{escape(heading)}</h2>\n{''.join(figures)}\n" for heading, figures in parts)
    software = ", ".join(f"{name} {version}" for name, version in record.body["software"].items())
    return framed(
        f"{title}: {record.body['data']}",
        f'<header class="top">\n<h1>{escape(title)}</h1>\n<div class="soft">{escape(record.body["data"])}. '
        f"Made {escape(record.created)}.</div>\n</header>\n{verdict(sentences(record), 'told')}{inner}"
        f'<details><summary>Where this comes from</summary><p class="soft">Record {record.id}; {escape(software)}. '
        "This page holds counts of the table, without noise: do not publish it with the table.</p></details>\n",
    )
