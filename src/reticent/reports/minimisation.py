"""The page about what a table can do without.

Promise: pure functions of a record's body. Every figure stands with its interval; the one claim is told apart from what
only describes; names of columns are escaped, and no cell is shown.

Example:
    >>> from reticent.reports.minimisation import points
    >>> points({"value": -0.0012, "low": -0.0041, "high": 0.0017})
    '-0.12 (-0.41 to +0.17)'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import markupsafe

from reticent._numbers import count, percentage, shown
from reticent.evidence import Record
from reticent.reports.frame import template
from reticent.reports.plots import COLOURS, SETTINGS, label_of, svg_of
from reticent.reports.tables import Table, html

__all__ = ["column_table", "page", "points", "row_table", "sentences"]

Values = Mapping[str, Any]

_METRICS = {"accuracy": "accuracy", "auc": "area under the curve", "r2": "R squared"}
_NEEDED = {"dropped": "no", "coarser": "in part", "kept": "kept", "not used": "not used"}
_MOST = 60
_POINT = 0.01
_LEFT, _OTHERS = "from what is left", "from all other columns"
_MUCH = {"auc": 0.8, "r2": 0.5}  # from here on, a column that was left out is as good as there


def points(values: Values) -> str:
    """A difference in percentage points (hundredths of R squared), with its interval."""
    return f"{values['value'] * 100:+.2f} ({values['low'] * 100:+.2f} to {values['high'] * 100:+.2f})"


def sentences(body: Values) -> list[str]:
    """What was found, in the words that the page begins with."""
    columns = body["columns"]
    counts = {kind: sum(one["decision"] == kind for one in columns) for kind in _NEEDED}
    used = len(columns) - counts["not used"]
    metric = _METRICS[body["metric"]]
    found = (
        f"Of {count(used)} columns that predict {body['label']!r}, {counts['dropped']} were left out and "
        f"{counts['coarser']} more held less precisely; {counts['kept']} stay as they are."
    )
    told = [found if counts["dropped"] or counts["coarser"] else f"Nothing of {count(used)} columns was left out.", ""]
    limit = f"{shown(body['tolerance'] * 100)} {'point' if body['tolerance'] == _POINT else 'points'}"
    if body["difference"] is not None:
        what = f"{metric} changes by {points(body['difference'])} points"
        sure = (
            f"{percentage(body['difference']['confidence'])} interval, {count(body['difference']['n'])} held-out "
            f"{_people(body)} that the search never saw"
        )
        told[1] = {
            "confirmed": f"Confirmed: {what} ({sure}), so less than {limit} is lost.",
            "not confirmed": (
                f"Not confirmed: {what} ({sure}); a loss of {limit} cannot be excluded. Bring more rows, or accept "
                "more."
            ),
            "refuted": f"Refuted: {what} ({sure}); more than {limit} is lost. Do not use this map.",
        }[body["status"]]
    else:
        told[1] = _nothing(body, limit)
    told[1:1] = _identifiers(body)
    return told + _learned(body) + _more(body)


def _identifiers(body: Values) -> list[str]:
    """Columns that say who somebody is."""

    def named(kinds: Mapping[str, str]) -> str:
        return ", ".join(f"{name!r} ({kind})" for name, kind in kinds.items())

    data, told = body["data"], []
    if hidden := data.get("identifiers"):
        told.append(
            f"Dropped before any model was trained, because they say who somebody is: {named(hidden)}. A model that "
            "needs one of them is to be asked for by its name (keep)."
        )
    if kept := data.get("identifiers_kept"):
        told.append(f"Warning: kept by request, though they say who somebody is: {named(kept)}.")
    decisions = {one["name"]: one["decision"] for one in body["columns"]}
    if alone := [name for name in data.get("nearly_unique", ()) if decisions[name] == "kept"]:
        told.append(
            f"Warning: {', '.join(map(repr, alone))} stays, though nearly no two rows share a value: if it is a number "
            "of somebody, and no measurement, ignore it."
        )
    return told


def _learned(body: Values) -> list[str]:
    """Whether the model learned anything at all."""
    learned = body.get("learned")
    if learned is None or learned["low"] > 0:
        return []
    full, without = (_figure(body[name], body["metric"]) for name in ("full", "without_columns"))
    guess = {"accuracy": "always naming the most frequent class", "auc": "no order at all", "r2": "the mean"}
    return [
        f"Warning: no column is shown to help. With all columns the model reaches {_METRICS[body['metric']]} {full}; "
        f"{guess[body['metric']]}, without any column, reaches {without}: a difference of {points(learned)} points, "
        "which may be none. So it cannot be told which columns are needed: what was kept was not shown to be, and what "
        "was dropped cost nothing that there was. Ask for another metric (auc), another model, or bring more rows."
    ]


def _nothing(body: Values, limit: str) -> str:
    search = body["search"]
    if body["status"] == "needed":
        return f"Every step that was tried loses more than {limit} on the rows that were searched."
    needed = search["people_needed"]
    return (
        f"Not resolvable: some step may cost less than {limit}, which so few {_people(body)} cannot show; about "
        f"{'many more' if needed is None else count(needed)} would be needed."
    )


def _more(body: Values) -> list[str]:
    told = []
    planned, confirmed = (body["search"].get(name, 0) for name in ("looks_planned", "looks_confirmed"))
    if 0 < confirmed < planned:
        told.append(
            f"The search went further. Held-out {_people(body)} were looked at in the order of its path, and look "
            f"{count(confirmed + 1)} of {count(planned)} did not confirm: the map stops before it. That takes nothing "
            "from the claim; the ends of its interval are those of a single look."
        )
    if body["rows"]["claimed"] and body["rows"]["used"] < 1 and body["difference"] is not None:
        told.append(f"The claim includes training on {count(body['rows']['used_rows'])} rows only.")
    told += [
        f"{one['name']!r} was left out; {one['stand_in']!r} stands for it."
        for one in body["columns"]
        if one["stand_in"] is not None
    ]
    for one in body["proxies"]:
        if one["details"].get("warning"):
            name, value = _proxy(one, _LEFT)
            guess = next(iter(one["baseline"].values()))["value"]
            much = "little" if value["value"] >= _MUCH[one["details"]["metric"]] else "a part of it only"
            told.append(
                f"Warning: {one['details']['column']!r} was left out, and the rest tells of it ({name}: "
                f"{_share(value, one)}; guessing: {_plain(guess, one)}). Leaving it out hides {much}."
            )
    if body["search"]["stopped"]:
        told.append(f"The search stopped at “{body['search']['stopped']}”: its time was up. More may be possible.")
    if body["data"]["repeated"]:
        told.append(
            f"{count(body['data']['repeated'])} of {count(body['data']['tested'])} held-out rows have a searched row "
            "that is the same in all columns, which favours the whole table."
        )
    return told


def _people(body: Values) -> str:
    return "rows" if body["data"]["people"] is None else "people"


def _proxy(finding: Values, suffix: str) -> tuple[str, Values]:
    """The figure of a kind, by its name: a record sorts names."""
    return next((name, value) for name, value in finding["estimates"].items() if name.endswith(suffix))


def _plain(value: float, finding: Values) -> str:
    return f"{value:.2f}" if finding["details"]["metric"] == "r2" else f"{value * 100:.0f} %"


def _share(values: Values, finding: Values) -> str:
    if finding["details"]["metric"] == "r2":
        return f"{values['value']:.2f} ({values['low']:.2f} to {values['high']:.2f})"
    return f"{values['value'] * 100:.1f} % ({values['low'] * 100:.1f} to {values['high'] * 100:.1f})"


def column_table(body: Values, date: str) -> Table:
    """Each column: needed or not, what is kept of it, and the evidence."""
    rows = []
    for one in body["columns"]:
        gain = one["gain"]
        change = "" if one["after"] == one["before"] else f"{count(one['before'])} to "
        kept = one["what"] + (f" ({change}{count(one['after'])} values)" if one["after"] else "")
        rows.append(
            (
                one["name"] + (f" (had better go: {shown(one['weight'])})" if one["weight"] else ""),
                _NEEDED[one["decision"]],
                kept,
                "not measured" if gain is None else points(gain),
                "" if one["precision"] is None else points(one["precision"]),
                "" if gain is None else count(gain["n"]),
                one["why"],
            )
        )
    unit = "hundredths of R squared" if body["metric"] == "r2" else f"points of {_METRICS[body['metric']]}"
    caption = (
        f"What each column adds to the table that is left (all of it, beside nothing of it), in {unit}, with intervals "
        "that hold one by one, on held-out rows. They describe; the claim is the one above. "
        f"Measured {date[:10]} with {body['model']}."
    )
    heads = ("Column", "Needed", "Kept of it", "Adds", "Full precision adds", "n", "Why")
    return Table(caption, heads, tuple(rows))


def row_table(body: Values) -> Table:
    """What fewer training rows cost."""
    rows = tuple(
        (count(one["rows"]), f"{one['share'] * 100:.3g} %", points(one["change"])) for one in body["rows"]["curve"]
    )
    caption = (
        "The minimised table with fewer training rows, beside the whole table with all of them; cross-fitted on the "
        "rows that were searched, after the search. It describes"
        + (", but for the share that the claim includes." if body["rows"]["claimed"] else ", and is part of no claim.")
    )
    return Table(caption, ("Training rows", "Share", "Change"), rows)


def proxy_table(body: Values) -> Table:
    """Whether what was dropped can be told from the rest."""
    rows = []
    for one in body["proxies"]:
        if not one["estimates"]:
            rows.append((one["details"]["column"], one["status"].replace("_", " ") + f": {one['reason']}", "", ""))
            continue
        left, others = _proxy(one, _LEFT), _proxy(one, _OTHERS)
        guess = next(iter(one["baseline"].values()))["value"]
        rows.append((one["details"]["column"], _share(left[1], one), _share(others[1], one), _plain(guess, one)))
    caption = (
        "Columns that had better go and were left out: how well they can be told from what is left, the label among "
        "it (how often the right one of two rows is picked; for numbers R squared). Where that is better than "
        "guessing, leaving the column out does not hide all of it."
    )
    return Table(caption, ("Column", "Told from what is left", "From all other columns", "Guessing"), tuple(rows))


def page(record: Record) -> str:
    """The record as one self-contained page."""
    body = record.body
    measured = [one for one in body["columns"] if one["gain"] is not None]
    return template("minimisation.html").render(
        record=record,
        body=body,
        sentences=sentences(body),
        made_by=f"reticent minimisation of {body['label']!r} on {body['data']['name']!r}",
        metric=_METRICS[body["metric"]],
        figures=[(name, _figure(body[key], body["metric"])) for name, key in _FIGURES],
        columns=_safe(html(column_table(body, record.created))),
        rows=_safe(html(row_table(body))) if body["rows"]["curve"] else "",
        proxies=_safe(html(proxy_table(body))) if body["proxies"] else "",
        gains=_safe(gain_plot(measured, body)) if measured else "",
        curve=_safe(curve_plot(body)) if len(body["rows"]["curve"]) > 1 else "",
        confidence=percentage(body["full"]["confidence"]),
    )


_FIGURES = (("all columns", "full"), ("what is left", "minimised"), ("no column at all", "without_columns"))


def _figure(values: Values, metric: str) -> str:
    if metric == "r2":
        return f"{values['value']:.3f} ({values['low']:.3f} to {values['high']:.3f})"
    return f"{values['value'] * 100:.2f} % ({values['low'] * 100:.2f} to {values['high'] * 100:.2f})"


def _safe(text: str) -> markupsafe.Markup:
    return markupsafe.Markup(text)  # noqa: S704 (our own SVG, and tables whose cells are escaped)


def gain_plot(columns: Sequence[Values], body: Values) -> str:
    """What each column adds, one below the other; at most 60 of them, those that add most."""
    import matplotlib
    from matplotlib.figure import Figure

    shown_ones = sorted(columns, key=lambda one: (one["gain"]["value"], one["name"]))[-_MOST:]
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 1.5 + 0.34 * len(shown_ones)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color="#444444", linewidth=0.8)
        for place, one in enumerate(shown_ones):
            low, value, high = (100 * one["gain"][name] for name in ("low", "value", "high"))
            colour, marker = _MARKS[one["decision"]]
            axes.errorbar(
                value, place, xerr=[[value - low], [high - value]], fmt=marker, color=colour, capsize=3,
                markersize=6, linewidth=1.3,
            )  # fmt: skip
        for name, (colour, marker) in _MARKS.items():
            if any(one["decision"] == name for one in shown_ones):
                axes.plot([], [], marker=marker, linestyle="", color=colour, label=_MEANING[name])
        axes.set_yticks(range(len(shown_ones)), [label_of(one["name"]) for one in shown_ones])
        axes.set(ylim=(-0.7, len(shown_ones) - 0.3), xlabel=f"adds so many points of {_METRICS[body['metric']]}")
        axes.grid(axis="x", alpha=0.25, linewidth=0.6)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        return svg_of(figure, "gains", "What each column adds to the table that is left, with intervals")


_MARKS = {"kept": (COLOURS[2], "o"), "coarser": (COLOURS[3], "D"), "dropped": (COLOURS[1], "s")}
_MEANING = {"kept": "kept", "coarser": "held less precisely", "dropped": "left out"}


def curve_plot(body: Values) -> str:
    """What fewer training rows cost, with intervals."""
    import matplotlib
    from matplotlib.figure import Figure

    curve = body["rows"]["curve"]
    x = [one["rows"] for one in curve]
    low, value, high = ([100 * one["change"][name] for one in curve] for name in ("low", "value", "high"))
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.axhline(0, color="#444444", linewidth=0.8)
        axes.axhline(-100 * body["tolerance"], color="#444444", linewidth=0.9, linestyle=(0, (4, 3)), label="tolerance")
        axes.fill_between(x, low, high, color=COLOURS[2], alpha=0.18, linewidth=0)
        axes.plot(x, value, color=COLOURS[2], marker="o", markersize=5, linewidth=1.6, label="minimised table")
        axes.set(xscale="log", xlabel="training rows", ylabel=f"change, points of\n{_METRICS[body['metric']]}")
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.legend(loc="lower right", frameon=False)
        return svg_of(figure, "rows", "Change of the figure with fewer training rows, with intervals")
