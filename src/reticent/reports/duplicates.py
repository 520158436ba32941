"""Duplicates in sentences, tables and plots; from the plain values of `Duplicates.as_dict`.

Promise: counts stand with what they are of; leakage and the check of the search have intervals; what the search may
have missed is said beside what it found. No cell of any table is shown.

Example:
    >>> from reticent.reports.duplicates import sentences
    >>> none = {"groups": 0, "rows": 0, "surplus": 0, "largest": 1}
    >>> for line in sentences({"rows": 5, "against": None, "exact": none, "near": none, "leakage": {}, "check": {},
    ...                        "settings": {"near": False}}):
    ...     print(line)
    No two of 5 rows are equal.
    Near copies were not looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reticent.evidence import Record
from reticent.reports.plain import Section, plain_page
from reticent.reports.plots import _COLOURS, _SETTINGS, _percent, _svg
from reticent.reports.tables import Table
from reticent.reports.words import estimate, number, percent

__all__ = ["curve_plot", "page", "sentences"]

Values = Mapping[str, Any]

_MISSED = "rows with a twin that was missed"
_MEANINGS = {
    "text": "texts that share most runs of five characters",
    "cells": "rows that share most of their cells",
    "numbers": "rows whose numbers are close",
    "images": "pictures that are close",
}


def sentences(body: Values) -> list[str]:
    """What was found, in sentences that its figures carry."""
    exact, near, settings = body["exact"], body["near"], body["settings"]
    rows = number(body["rows"])
    if exact["surplus"]:
        said = [f"{number(exact['surplus'])} of {rows} rows are exact copies of another one that stays."]
    else:
        said = [f"No two of {rows} rows are equal."]
    if settings["near"]:
        more = near["surplus"] - exact["surplus"]
        said.append(
            f"{number(more)} more are near copies ({_MEANINGS[settings['way']]}): with them, {number(near['surplus'])} "
            f"rows ({percent(near['surplus'] / body['rows'])}) are too many, in {number(near['groups'])} groups, the "
            f"largest of {number(near['largest'])} rows."
        )
    else:
        said.append("Near copies were not looked for.")
    if "within persons" in near:
        said.append(
            f"Of the rows too many, {number(near['within persons'])} repeat another row of the same person and "
            f"{number(near['between persons'])} one of somebody else."
        )
    if near.get("groups of several classes"):
        said.append(f"{number(near['groups of several classes'])} groups hold rows of several classes.")
    for name, one in body["leakage"].items():
        said.append(f"Second set, {name}: {estimate(one)} of its {number(body['against'])} rows.")
    if _MISSED in body["check"]:
        one = body["check"][_MISSED]
        said.append(
            f"{number(one['n'])} rows drawn at random were compared with all others: {estimate(one)} have a twin that "
            "the search missed."
        )
    return said


def page(record: Record) -> str:
    """One self-contained page without scripts."""
    body = record.body
    second = "" if body["against"] is None else f", a second set of {number(body['against'])}"
    sections = [_counts(body), *([_search(body)] if body["settings"]["near"] else []), _advice()]
    return plain_page(
        record, "Rows that stand several times", f"{number(body['rows'])} rows{second}.", sentences(body), sections
    )


_HEADS = {
    "groups": "Groups",
    "rows": "Rows in groups",
    "surplus": "Rows too many",
    "largest": "Largest group",
    "within persons": "Too many within persons",
    "between persons": "Too many between persons",
    "groups of several classes": "Groups of several classes",
}


def _counts(body: Values) -> Section:
    kinds = [("exact", "exact")] + ([("exact or near", "near")] if body["settings"]["near"] else [])
    heads = [name for name in _HEADS if name in body["exact"]]
    rows = tuple((label, *(number(body[kind][name]) for name in heads)) for label, kind in kinds)
    caption = f"Copies among {number(body['rows'])} rows. “Too many”: all but one of each group."
    figures = [Table(caption, ("Copies", *(_HEADS[name] for name in heads)), rows)]
    if body["leakage"]:
        shown = tuple((name, estimate(one), number(one["n"]), one["method"]) for name, one in body["leakage"].items())
        caption = "The second set's rows that the first one gives away. Intervals are for the population behind it."
        figures.append(Table(caption, ("Rows of the second set", "Share", "n", "Counted"), shown))
    if body["sizes"]:
        sizes = sorted((int(size), count) for size, count in body["sizes"].items())[:20]
        rows = tuple((number(size), number(count)) for size, count in sizes)
        figures.append(Table("Groups by size, the twenty smallest sizes.", ("Rows", "Groups"), rows))
    return Section("What was found", (), tuple(figures))


def _search(body: Values) -> Section:
    settings = body["settings"]
    if settings["bands"] is None:
        return Section("How near copies were found", (_FOUND_ALL.format(**settings), _CHAINS), _checks(body))
    looked, near = number(settings["pairs looked at"]), number(settings["near pairs"])
    said = [
        f"Near means: {_MEANINGS[settings['way']]}; {settings['measure']} "
        f"{'at least' if settings['way'] in ('text', 'cells') else 'at most'} {settings['threshold']:g}. Pairs were "
        f"looked at if their sketches agree in one of {settings['bands']} bands of {settings['rows of a band']} "
        f"places: {looked} pairs, all of them compared exactly, {near} of them near.",
        _CHAINS,
    ]
    if settings["rows in crowded buckets"]:
        said.append(
            f"{number(settings['rows in crowded buckets'])} rows stood in buckets too full for every pair; for them "
            "the curve does not hold."
        )
    figures: tuple[Table | str, ...] = (curve_plot(settings), *_checks(body))
    return Section("How near copies were found, and how many were missed", tuple(said), figures)


_CHAINS = "Groups are chains: the two ends of one may be further apart than the threshold."
_FOUND_ALL = (
    "Near means: {measure} at most {threshold:g}. All pairs that are so near were found, by a search of the space."
)


def _checks(body: Values) -> tuple[Table, ...]:
    check = tuple((name, estimate(one), number(one["n"]), one["method"]) for name, one in body["check"].items())
    heads = ("Rows drawn", "Share", "n", "Counted")
    return (Table("The search, checked row by row against all others.", heads, check),) if check else ()


def curve_plot(settings: Values) -> str:
    """The probability that a pair is looked at, by how near its rows are."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        axes = figure.subplots()
        x, y = zip(*settings["curve"], strict=True)
        axes.plot(x, y, color=_COLOURS[2], linewidth=1.8, label="looked at")
        axes.axvline(settings["threshold"], color="#444444", linewidth=0.9, linestyle=(0, (4, 3)), label="threshold")
        axes.set(ylim=(-0.02, 1.04), xlabel=settings["measure"], ylabel="pairs that are looked at")
        axes.yaxis.set_major_formatter(_percent)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.legend(loc="center left", frameon=False)
        return _svg(figure, "curve", "The probability that a pair is looked at, by how near its rows are")


def _advice() -> Section:
    return Section(
        "What it means",
        (
            "A record that stands several times is learned several times, and more easily told from outside; a copy in "
            "the test set makes a model look better than it is. Removing copies is no protection by itself: a single "
            "one can be remembered too.",
        ),
    )
