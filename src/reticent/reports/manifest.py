"""A manifest in sentences, tables and a time line; from the plain values of `reticent.data.manifests.overview`.

Promise: what is declared is called declared, what was counted counted; objections are counted and nobody is named. The
page is one of a day: it says which, and how many days are left. A loading stands with the roots against which its
proofs are checked, and with those who objected and matched nobody.

Example:
    >>> from reticent.reports.manifest import sentences
    >>> some = {"name": "visits", "version": "1.0.0", "allowed": ["research"], "prohibited": [], "until": "2027-01-01"}
    >>> for line in sentences({"manifest": some, "date": "2026-12-22", "days left": 10, "lacking": [],
    ...                        "objections": None, "loadings": []}):
    ...     print(line)
    On 2026-12-22 “visits” may be used for research, until 2027-01-01: 10 days are left.
    No list of objections belongs to it.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from reticent._numbers import counted
from reticent.evidence import Record
from reticent.reports.frame import Tone
from reticent.reports.plain import Section, plain_page
from reticent.reports.plots import COLOURS, SETTINGS, svg_of
from reticent.reports.tables import Table
from reticent.reports.words import number

__all__ = ["page", "sentences", "time_line"]

Values = Mapping[str, Any]

_DIGITS = 16  # of a hash, in a table; the record has all of them


def sentences(body: Values) -> list[str]:
    """What matters most of a manifest on a day, in sentences."""
    return [*_state(body), *_objecting(body), *_unmatched(body)]


def _state(body: Values) -> list[str]:
    manifest, left = body["manifest"], body["days left"]
    name, until = f"“{manifest['name']}”", manifest["until"]
    if left is not None and left < 0:
        days = counted(-left, "day")
        return [
            f"Expired: {name} was to be used until {until}, {days} before {body['date']}. Loading it is refused; "
            "delete the data, or have the date looked at."
        ]
    if body["lacking"]:
        return [f"Incomplete: of {name} it is not declared: {', '.join(body['lacking'])}. Loading it is refused."]
    said = f"On {body['date']} {name} may be used for {', '.join(manifest['allowed'])}, until {until}: "
    said += f"{counted(left, 'day')} {'is' if left == 1 else 'are'} left."
    if manifest["prohibited"]:
        said += f" Prohibited, whatever allows it: {', '.join(manifest['prohibited'])}."
    return [said]


def _objecting(body: Values) -> list[str]:
    found = body["objections"]
    if found is None:
        return ["No list of objections belongs to it."]
    if found["counted"] is None:
        return [f"Objections stand in {found['list']}, which was not at hand: they are not counted here."]
    people = found["counted"]["people"]
    return [
        f"{counted(people, 'person', 'people')} {'objects' if people == 1 else 'object'} to some use or all; "
        f"the list names {'nobody without its key' if found['kind'] == 'keyed' else 'them'}."
    ]


def _unmatched(body: Values) -> list[str]:
    bad = [one for one in body["loadings"] if (one["objections"] or {}).get("unmatched")]
    return [
        f"In the loading for {one['purpose']} on {one['date']}, {one['objections']['unmatched']} of "
        f"{counted(one['objections']['people'], 'person', 'people')} who object matched nobody in the file, as spelt "
        "in the list."
        for one in bad
    ]


def page(record: Record) -> str:
    """One self-contained page without scripts."""
    body = record.body
    manifest = body["manifest"]
    bad = bool(body["lacking"]) or bool(_unmatched(body)) or (body["days left"] or 0) < 0
    sections = [_declared(body), _retention(body), _files(manifest), _objections(body), _loadings(body), _meaning()]
    about = f"Version {manifest['version']}. {manifest['description']}".strip()
    tone: Tone = "undecided" if bad else "told"
    word = "Not to be used as it is" if bad else ""
    title = f"Manifest: {manifest['name']}"
    return plain_page(record, title, about, sentences(body), sections, tone=tone, word=word)


def _declared(body: Values) -> Section:
    manifest = body["manifest"]
    people, basis = manifest["people"], manifest["basis"]
    rows = [
        ("Whose data", "not declared" if people is None else _whose(people)),
        ("Legal basis", "not declared" if basis is None else f"{basis['kind']} {basis['about']}".strip()),
        ("Licence", manifest["licence"] or "none named"),
        ("Made by", manifest["creator"] or "nobody named"),
        ("Recipients", ", ".join(manifest["recipients"]) or "nobody named, and nobody checked"),
        ("Further conditions, which nothing checks", manifest["use"] or "none"),
    ]
    purposes = tuple(
        (one["name"], "allowed" if one["allowed"] else "prohibited", one["identifier"]) for one in body["purposes"]
    )
    sources = tuple(
        (one["name"], one.get("collected") or "not said", one.get("url") or "not said", one["how"] or "not said")
        for one in manifest["sources"]
    )
    figures = [Table("As declared; only the number of people was counted.", ("What", "Declared"), tuple(rows))]
    if purposes:
        caption = "Purposes. A broader one allows the narrower; what overlaps a prohibited one is refused."
        figures.append(Table(caption, ("Purpose", "Is", "Identifier"), purposes))
    if sources:
        caption = "Where the data come from, as declared."
        figures.append(Table(caption, ("Source", "Collected", "Address", "How"), sources))
    return Section("What is declared", () if sources else ("No source is declared.",), tuple(figures))


def _whose(people: Values) -> str:
    if people["unit"] == "nobody":
        return "nobody's: no row is about a person"
    count = "" if people.get("count") is None else f", {number(people['count'])} of them"
    where = f", named in column {people['owner']}" if people.get("owner") else ", another one in each row"
    return f"a {people['unit']}'s{where}{count}"


def _retention(body: Values) -> Section:
    if body["days left"] is None:
        return Section("How long", ("No last day is declared.",))
    left = body["days left"]
    said = (
        f"Seen on {body['date']}: {counted(left, 'day')} left."
        if left >= 0
        else f"Seen on {body['date']}: expired {counted(-left, 'day')} ago."
    )
    until = body["manifest"]["until"]
    loads = [one["date"] for one in body["loadings"]]
    return Section("How long", (said,), (time_line(body["date"], until, loads),))


def time_line(today: str, until: str, loads: Sequence[str]) -> str:
    """Days of loadings, the day on which the page was made, and the last day of use."""
    import matplotlib
    import matplotlib.dates
    from matplotlib.figure import Figure

    dates: Any = matplotlib.dates  # it has no types

    def place(text: str) -> float:
        return float(dates.date2num(datetime.date.fromisoformat(text)))

    now, last = place(today), place(until)
    before = min([now, last, *map(place, loads)])
    margin = max(5.0, 0.04 * (max(now, last) - before))
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 1.7), layout="constrained")
        axes = figure.subplots()
        axes.axvspan(before - margin, last, color=COLOURS[2], alpha=0.12, linewidth=0, label="may be used")
        axes.axvline(now, color="#000000", linewidth=1.4, linestyle=(0, (4, 3)), label=f"seen {today}")
        axes.axvline(last, color=COLOURS[0], linewidth=2, label=f"last day {until}")
        if loads:
            axes.plot([*map(place, loads)], [0.5] * len(loads), "o", color=COLOURS[2], markersize=7, label="loaded")
        axes.set(ylim=(0, 1), xlim=(before - margin, max(now, last) + margin), yticks=[])
        axes.spines["left"].set_visible(False)
        locator = dates.AutoDateLocator(minticks=3, maxticks=8)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
        return svg_of(figure, "timeline", f"Loadings, {today}, and the last day of use, {until}")


def _files(manifest: Values) -> Section:
    rows = tuple(
        (one["name"], number(one["bytes"]), str(len(one["columns"])), f"{one['sha256'][:_DIGITS]}…")
        for one in manifest["files"]
    )
    table = Table("Files, and the first digits of their SHA-256.", ("File", "Bytes", "Columns", "SHA-256"), rows)
    return Section("Which files", () if rows else ("No file is named.",), (table,) if rows else ())


def _objections(body: Values) -> Section:
    found = body["objections"]
    if found is None or found["counted"] is None:
        return Section("Objections", tuple(_objecting(body)))
    counts = found["counted"]
    rows = [
        ("people who object", number(counts["people"])),
        ("objections noted", number(counts["noted"])),
        ("of these valid on this day", number(counts["valid"])),
        ("taken back", number(counts["taken back"])),
        *((f"valid, against {name}", number(count)) for name, count in counts["by purpose"].items()),
    ]
    caption = f"Counted on {body['date']}; one objection may be against several purposes."
    return Section("Objections", (), (Table(caption, ("What", "How many"), tuple(rows)),))


def _loadings(body: Values) -> Section:
    if not body["loadings"]:
        return Section("Loadings", ("No record of a loading was given (`manifest show --loading RECORD` adds them).",))
    rows, roots = [], []
    for one in body["loadings"]:
        people, objections = one["people"], one["objections"] or {}
        rows.append(
            (
                one["date"],
                one["purpose"],
                _of(one["rows"]),
                "not counted" if people is None else _of(people),
                number(objections.get("people", 0)),
                number(objections.get("unmatched", 0)),
                "this one" if one["this manifest"] else "another state",
            )
        )
        held, out = one["commitment"], one["left out"]
        roots.append((one["date"], f"{one['record'][:_DIGITS]}…", _root(held), _root(out)))
    heads = ("Day", "For", "Rows kept", "People kept", "Who object", "Match nobody", "Manifest")
    caption = "What was loaded. “Match nobody”: people who object and were not in the file as spelt in the list."
    proofs = "What proofs about one person are checked against; the records have all digits."
    return Section(
        "Loadings, and what their proofs hold to",
        (),
        (
            Table(caption, heads, tuple(rows)),
            Table(proofs, ("Day", "Record", "Root of those kept", "Root of those left out"), tuple(roots)),
        ),
    )


def _of(values: Values) -> str:
    return f"{number(values['after'])} of {number(values['before'])}"


def _root(commitment: Values | None) -> str:
    if commitment is None:
        return "none: no owners"
    return f"{commitment['root'][:_DIGITS]}… ({counted(commitment['people'], 'person', 'people')})"


def _meaning() -> Section:
    return Section(
        "What it means",
        (
            "Legal basis, sources, purposes and recipients are as somebody declared them; nothing here says that they "
            "are true, or that a use is lawful. Files, columns and people were counted from the files.",
            "A proof shows that one spelling of an identifier was kept, left out, or not in the file at all. It does "
            "not show that a training used these rows and no others.",
        ),
    )
