"""Duplicates in sentences, tables and plots; from the plain values of `Duplicates.as_dict`.

Promise: counts stand with what they are of, and beside what chance gives where that is known; leakage and the check of
the search have intervals; what the search may have missed, and what its rule cannot find, is said beside what it found.
No cell of any table is shown.

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
from reticent.reports.frame import Tone
from reticent.reports.plain import Section, plain_page
from reticent.reports.plots import COLOURS, SETTINGS, percent_of, svg_of
from reticent.reports.tables import Table
from reticent.reports.words import estimate, number, percent, shown

__all__ = ["curve_plot", "page", "sentences", "wary"]

Values = Mapping[str, Any]

_MISSED = "rows near one that was missed"
_MEANINGS = {
    "text": "texts that share most runs of five characters",
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
    said += _equal_by_chance(body)
    if settings["near"]:
        more = near["surplus"] - exact["surplus"]
        said.append(
            f"{number(more)} more are near copies ({_meaning(settings)}): with them, {number(near['surplus'])} "
            f"rows ({percent(near['surplus'] / body['rows'])}) are too many, in {number(near['groups'])} groups, the "
            f"largest of {number(near['largest'])} rows."
        )
        said += _near_by_chance(settings)
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
            f"{number(one['n'])} rows drawn at random were compared with all others by the same rule: {estimate(one)} "
            "are near one that the search missed. What the rule does not call near, this does not see."
        )
    return said


def wary(body: Values) -> bool:
    """Whether copies are largely, or cannot be told from, what chance gives."""
    settings = body["settings"]
    equal = body.get("chance", {}).get("rows equal to another one")
    return bool(equal and _doubtful(equal)) or bool(settings["near"] and (_doubt(settings) or _reach(settings)))


def _tone(body: Values) -> Tone:
    if wary(body):
        return "undecided"
    kind = "near" if body["settings"]["near"] else "exact"
    return "shown" if body[kind]["surplus"] or any(one["low"] > 0 for one in body["leakage"].values()) else "not shown"


def _meaning(settings: Values) -> str:
    """What near means, in words."""
    if settings["way"] == "cells":
        most, cells = settings["differ"], settings["cells"]
        return (
            f"rows that differ in at most {number(most)} of {number(cells)} cells, close numbers and texts with a slip "
            f"being no difference{'' if settings['chance'] == 1 else ', and agree in more than chance explains'}"
        )
    if settings["threshold"] is None:
        return _MEANINGS[settings["way"]]
    most = "at least" if settings["way"] == "text" else "at most"
    return f"{_MEANINGS[settings['way']]}: {settings['measure']} {most} {shown(settings['threshold'], 3)}"


def _equal_by_chance(body: Values) -> list[str]:
    one = body.get("chance", {}).get("rows equal to another one")
    if not one or not one["found"]:
        return []
    said = f"{percent(one['found'])} of the rows are equal to another one; chance alone would make it "
    said += f"{estimate(one['by chance'])}."
    return [said + (" So equal rows say little about copies here." if _doubtful(one) else "")]


def _doubtful(one: Values) -> bool:
    return bool(one["found"] and one["by chance"]["value"] >= one["found"] / 2)


def _near_by_chance(settings: Values) -> list[str]:
    """What chance gives, beside what was found; a warning if that is much the same."""
    chance = settings["by chance"]
    if chance is None:
        return ["How many near pairs chance gives is not known for texts and pictures.", *_reach(settings)]
    found, loose = settings["near pairs"], settings["pairs before calibration"]
    tables = f"{number(chance['tables'])} {'tables' if chance['tables'] > 1 else 'table'} shuffled among alike rows"
    said = [f"Near pairs: {number(found)}; by chance about {_some(chance['near pairs'])} (in {tables})."]
    if settings["chance"] < 1 and loose > found:
        said.append(
            f"{number(loose - found)} other pairs are as near, but no nearer than chance explains, and are not called "
            f"copies (as near are {number(loose)} pairs; by chance about {_some(chance['pairs before calibration'])})."
        )
    return [*said, *_doubt(settings), *_reach(settings)]


def _doubt(settings: Values) -> list[str]:
    chance = settings["by chance"]
    if chance is None:
        return []
    if settings["chance"] < 1 and not settings["near pairs"] and settings["pairs before calibration"]:
        return ["No near pair stands out from chance: these columns cannot tell a near copy from somebody alike."]
    if settings["near pairs"] and chance["near pairs"] >= settings["near pairs"] / 2:
        return ["Warning: chance alone gives at least half of these near pairs; do not take them for copies."]
    return []


def _reach(settings: Values) -> list[str]:
    """What the rule cannot find, whatever is there."""
    if settings["way"] == "cells" and settings["cells"] < 2:
        return ["Warning: fewer than two compared columns vary, so no cell may differ: near copies cannot be found."]
    if settings["way"] == "cells" and settings["bands"] is not None:
        chance = dict(map(tuple, settings["curve"]))[settings["differ"]]
        if chance < settings["recall"]:
            return [
                f"Warning: the columns tell rows apart so badly that a pair that differs in "
                f"{number(settings['differ'])} cells was looked at with a probability of {percent(chance)} only."
            ]
    short = settings.get("short texts") or 0.0
    if settings["way"] == "text" and short > _FEW:
        return [
            f"Warning: {percent(short)} of the texts are so short that one changed letter makes them differ by more "
            "than the threshold: ask for a lower one to find such copies."
        ]
    return []


def _some(value: float) -> str:
    return number(round(value)) if value >= _LARGE else f"{value:.2g}"


def page(record: Record) -> str:
    """One self-contained page without scripts."""
    body = record.body
    second = "" if body["against"] is None else f", a second set of {number(body['against'])}"
    sections = [_counts(body), *([_search(body)] if body["settings"]["near"] else []), _advice()]
    return plain_page(
        record,
        "Rows that stand several times",
        f"{number(body['rows'])} rows{second}.",
        sentences(body),
        sections,
        tone=_tone(body),
        word={"shown": "Copies found", "not shown": "No copies found"}.get(_tone(body), ""),
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
    if body.get("chance"):
        shown_rows = tuple(
            (name, percent(one["found"]), number(one["of"]), estimate(one["by chance"]))
            for name, one in body["chance"].items()
        )
        caption = "What was found beside what chance gives, in tables whose columns were shuffled among alike rows."
        figures.append(Table(caption, ("Share of", "Found", "Of", "By chance"), shown_rows))
    if body["sizes"]:
        sizes = sorted(((int(size), count) for size, count in body["sizes"].items()), reverse=True)
        rows = tuple((number(size), number(count)) for size, count in sizes[:20])
        shown_of = "" if len(sizes) <= 20 else ", the twenty largest sizes"
        figures.append(Table(f"Groups by size{shown_of}.", ("Rows", "Groups"), rows))
    return Section("What was found", (), tuple(figures))


def _search(body: Values) -> Section:
    settings = body["settings"]
    looked, near = number(settings["pairs looked at"]), number(settings["near pairs"])
    said = [f"Near means: {_meaning(settings)}.", _GROUPS]
    if settings["way"] == "cells":
        said += _bars(settings)
    if settings["bands"] is None:
        return Section("How near copies were found", (*said, _ALL), _checks(body))
    places = f" of {settings['rows of a band']} places" if settings["rows of a band"] else ", each of some columns,"
    said.append(
        f"Pairs were looked at if they agree in one of {settings['bands']} bands{places}: {looked} pairs, all of them "
        f"compared exactly, {near} of them near."
    )
    if settings["rows in crowded buckets"]:
        said.append(
            f"{number(settings['rows in crowded buckets'])} rows stood in buckets too full for every pair; for them "
            "the curve does not hold."
        )
    figures: tuple[Table | str, ...] = (_curve(settings), *_checks(body))
    return Section("How near copies were found, and how many were missed", tuple(said), figures)


_ALL = "All pairs were compared, or found by a search of the space: none was missed."
_GROUPS = "A group is one row and those near it; two of those may be further apart."
_FEW, _LARGE = 0.01, 10


def _bars(settings: Values) -> list[str]:
    """The bars of pairs that differ in 0, 1, 2 and more cells."""
    if settings["chance"] == 1:
        return ["Whatever differs in so few cells is called near, also where chance gives as much."]
    bars = []
    for place, bits in enumerate(settings["bits"]):
        which = f"{place} cells" if place != 1 else "one cell"
        bars.append(f"{which}: {'none stand out' if bits is None else f'{bits:.1f} bits'}")
    return [
        f"Pairs count if what they agree in is rarer than chance explains (at most {percent(settings['chance'])} of "
        f"them); the bar for pairs that differ in {'; '.join(bars)}."
    ]


def _curve(settings: Values) -> Table | str:
    if settings["way"] != "cells":
        return curve_plot(settings)
    rows = tuple((number(int(place)), percent(chance)) for place, chance in settings["curve"])
    return Table("How probable it is that a pair is looked at.", ("Cells that differ, the rest equal", "Chance"), rows)


def _checks(body: Values) -> tuple[Table, ...]:
    check = tuple((name, estimate(one), number(one["n"]), one["method"]) for name, one in body["check"].items())
    heads = ("Rows drawn", "Share", "n", "Counted")
    return (Table("The search, checked row by row against all others.", heads, check),) if check else ()


def curve_plot(settings: Values) -> str:
    """The probability that a pair is looked at, by how near its rows are."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        axes = figure.subplots()
        x, y = zip(*settings["curve"], strict=True)
        axes.plot(x, y, color=COLOURS[2], linewidth=1.8, label="looked at")
        bar = settings["threshold"] or settings["asked"]
        axes.axvline(bar, color="#444444", linewidth=0.9, linestyle=(0, (4, 3)), label="threshold")
        axes.set(ylim=(-0.02, 1.04), xlabel=settings["measure"], ylabel="pairs that are looked at")
        axes.yaxis.set_major_formatter(percent_of)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.legend(loc="center left", frameon=False)
        return svg_of(figure, "curve", "The probability that a pair is looked at, by how near its rows are")


def _advice() -> Section:
    return Section(
        "What it means",
        (
            "A record that stands several times is learned several times, and more easily told from outside; a copy in "
            "the test set makes a model look better than it is. Removing copies is no protection by itself: a single "
            "one can be remembered too.",
        ),
    )
