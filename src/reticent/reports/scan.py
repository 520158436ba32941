"""The page of a scan: what was found where, what singles people out, HIPAA's and the GDPR's lists, what is not covered.

Promise: a pure function of the record's body. Every share stands with how many cells were counted, a sample's with its
interval; what no detector looks for says so; no value is shown unless the scan was asked for examples.

Example:
    >>> from reticent.reports.scan import bars
    >>> svg = bars([("zip, dob", 0.87), ("sex", 0.0)])
    >>> svg.startswith("<svg"), "87.0 %" in svg, "<script" in svg
    (True, True, False)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import escape

from reticent._numbers import counted
from reticent.evidence import Record
from reticent.reports.frame import Tone, framed, verdict
from reticent.reports.tables import Table, html
from reticent.reports.words import number, percent, span

__all__ = ["bars", "page", "sentences"]

Values = Mapping[str, Any]

_GROUPS = {
    "direct": "Direct identifiers",
    "quasi": "Quasi-identifiers",
    "sensitive": "Sensitive data",
    "other": "Text and other things",
}
_BASIS = {"checksum": "check digits", "pattern": "pattern", "name only": "column's name only"}
_MOST_PROBLEMS = 50
_NAMES = "names"
_NAMES_OF_FILES = "names of files"


_WORDS: Mapping[Tone, str] = {
    "shown": "Personal data found",
    "undecided": "Not decided",
    "not shown": "Nothing found, which proves nothing",
}


def page(record: Record) -> str:
    """The page for a scan's record."""
    body = record.body
    tone: Tone = "shown" if body["found"] else "undecided" if body["unclear"] else "not shown"
    parts = [*_findings(body), *_single(body), *_lists(body), *_columns(body), *_limits(body)]
    software = ", ".join(f"{escape(name)} {escape(version)}" for name, version in body["software"].items())
    sources = counted(len(body["sources"]), "source")
    return framed(
        "What in the data is about people",
        '<header class="top">\n<h1>What in the data is about people</h1>\n'
        f'<div class="soft">{sources}. Made {escape(record.created)}.</div>\n</header>\n'
        f"{verdict(sentences(record), tone, _WORDS[tone])}"
        f"{''.join(parts)}"
        f'<details><summary>Where this comes from</summary>\n<p class="soft">Record {record.id} · '
        f"software: {software}. "
        "Intervals of samples: Clopper and Pearson (1934).</p></details>\n",
        images=False,
    )


def sentences(record: Record) -> list[str]:
    """What the scan says, in sentences."""
    body = record.body
    read = [source for source in body["sources"] if source["kind"] != _NAMES]
    rows = sum(source["rows"] for source in read)
    seen = sum(source["looked_at"] for source in read)
    columns = sum(len(source["columns"]) for source in read)
    looked = (
        f"all {number(rows)} rows" if rows == seen else f"a uniform sample of {number(seen)} of {number(rows)} rows"
    )
    said = [f"{counted(len(read), 'source')} with {counted(columns, 'column')}; {looked} were looked at."]
    if left := body.get("not_read"):
        why = "; ".join(f"{number(one['count'])} {one['why']} ({one['which']})" for one in left)
        said.insert(0, f"NOT READ: {counted(sum(one['count'] for one in left), 'file')}: {why}.")
    unsearched = sum(column.get("unsearched", 0) for source in read for column in source["columns"])
    if unsearched:
        said.append(f"NOT SEARCHED: {counted(unsearched, 'cell')} of text: nothing is known of what stands in them.")
    for group in ("direct", "quasi", "sensitive"):
        own = _of(body, group)
        places = {(one["source"], one["column"]) for one in own if one["source"] != _NAMES_OF_FILES}
        also = _NAMES_OF_FILES if len(places) < len({(one["source"], one["column"]) for one in own}) else ""
        where = " and in ".join(filter(None, (counted(len(places), "column") if places else "", also)))
        kinds = list(dict.fromkeys(one["kind"] for one in own))
        shown = ", ".join(kinds[:6]) + (f" and {counted(len(kinds) - 6, 'more kind')}" if len(kinds) > 6 else "")
        said.append(f"{_GROUPS[group]}: " + (f"{shown}, in {where}." if own else "none found."))
    worst = [one for source in body["sources"] for one in source["singled_out"] if len(one["columns"]) <= 3]
    if worst:
        one = max(worst, key=lambda each: (each["share"], -len(each["columns"])))
        said.append(
            f"{', '.join(one['columns'])} together single out {percent(one['share'])} of {number(one['of'])} rows"
            + ("." if one["whole"] else " (not all rows: among all of them it may be fewer).")
        )
    ways = body["settings"].get("names_by", "names of columns")
    said.append(f"What was not found may still be there: detectors miss. Names of people are found by {ways}.")
    return said


def _of(body: Values, group: str) -> list[Values]:
    return [one for one in body["found"] if one["group"] == group]


def _share(one: Values) -> str:
    share = one["share"]
    value = percent(share["value"])
    return value if share["low"] == share["high"] else f"{value} ({span(share)})"


def _heading(title: str) -> str:
    return f"<h2>{escape(title)}</h2>\n"


def _findings(body: Values) -> list[str]:
    parts = []
    for group, title in _GROUPS.items():
        together = _together(body)
        own = [one for one in _of(body, group) if one["source"] not in together]
        summed = [(each, one) for each in body.get("alike", ()) for one in each["found"] if one["group"] == group]
        if not own and not summed:
            continue
        shown = any(one["examples"] for one in (*own, *(one for _, one in summed)))
        rows = tuple(_summed(each, one, shown=shown) for each, one in summed) + tuple(
            (
                f"{one['source']}: {one['column']}",
                one["kind"] + (" (in text)" if one["in_text"] else ""),
                number(one["cells"]),
                _share(one),
                _basis(one),
                "" if one["first_row"] is None else number(one["first_row"]),
                "; ".join(filter(None, (one["note"], _luck(one)))),
                *(("; ".join(one["examples"]),) if shown else ()),
            )
            for one in own
        )
        heads = ("Where", "Kind", "Cells", "Share of cells with a value", "By", "First in row", "Note")
        caption = "Cells that hit; of findings by name only, cells that could be it."
        parts += [_heading(title), html(Table(caption, (*heads, *(("Examples",) if shown else ())), rows))]
    return parts


def _together(body: Values) -> dict[str, Values]:
    """Files that are shown as one, each with its group."""
    return {name: group for group in body.get("alike", ()) for name in group["members"]}


def _summed(group: Values, one: Values, *, shown: bool) -> tuple[str, ...]:
    """The row of one kind in many alike files."""
    most = ", ".join(f"{each['source']} ({number(each['cells'])})" for each in one["most"])
    return (
        f"{group['name']}: {one['column']}",
        one["kind"] + (" (in text)" if one["in_text"] else ""),
        number(one["cells"]),
        f"in {number(one['files'])} of {number(group['files'])} files",
        _basis(one),
        "",
        f"most in {most}" if one["most"][0]["cells"] > 1 else "",
        *(("; ".join(one["examples"]),) if shown else ()),
    )


def _basis(one: Values) -> str:
    basis = _BASIS[one["confidence"]]
    return f"{basis} and column's name" if one["named"] and one["confidence"] != "name only" else basis


def _luck(one: Values) -> str:
    return f"luck explains about {number(one['by_luck'])} of these cells" if one["by_luck"] else ""


def _single(body: Values) -> list[str]:
    parts = []
    for source in _worst_sources(body):
        sets = source["singled_out"]
        rows = tuple(
            (", ".join(one["columns"]), number(one["rows"]), percent(one["share"]), number(one["of"]), one["because"])
            for one in sets
        )
        whole = (
            "all rows" if sets[0]["whole"] else "some rows (the first, or a sample): among all rows fewer may be unique"
        )
        caption = f"{source['name']}: rows whose combination of values no other row has; of {whole}."
        drawn = [(", ".join(one["columns"]), one["share"]) for one in sets if len(one["columns"]) <= 3]
        parts += [
            _heading("Which few columns single people out"),
            f"<figure>{bars(drawn)}<figcaption>Share of rows that nobody shares all these values "
            f"with.</figcaption></figure>",
            html(Table(caption, ("Columns", "Unique rows", "Share", "Of rows", "Looked at because"), rows)),
        ]
    return parts


def _worst_sources(body: Values) -> list[Values]:
    """Sources with columns that single people out; of alike files the one that does so most."""
    together = _together(body)
    worst: dict[str, Values] = {}
    for source in body["sources"]:
        if source["singled_out"]:
            family = together[source["name"]]["name"] if source["name"] in together else source["name"]
            share = max(one["share"] for one in source["singled_out"])
            if family not in worst or share > max(one["share"] for one in worst[family]["singled_out"]):
                worst[family] = source
    return list(worst.values())


def bars(rows: Sequence[tuple[str, float]]) -> str:
    """Shares as horizontal bars, one below the other, as SVG."""
    height = 26 * len(rows) + 8
    drawn = []
    for place, (name, share) in enumerate(rows):
        top = 26 * place + 6
        text = name if len(name) <= 44 else f"{name[:43]}…"
        drawn.append(
            f'<text x="318" y="{top + 13}" text-anchor="end" font-size="13">{escape(text)}</text>'
            f'<rect x="326" y="{top}" width="{320 * share:.1f}" height="18" fill="#0072B2"/>'
            f'<text x="{332 + 320 * share:.1f}" y="{top + 13}" font-size="13">{escape(percent(share))}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="Shares of rows singled out" '
        f'viewBox="0 0 720 {height}" font-family="sans-serif">{"".join(drawn)}'
        f'<line x1="326" y1="0" x2="326" y2="{height}" stroke="#444444"/></svg>'
    )


def _lists(body: Values) -> list[str]:
    rules = body["settings"]["safe_harbor"]
    harbor = tuple(
        (
            one["letter"],
            one["title"],
            "; ".join(one["detectors"]) or "none",
            number(one["cells"]),
            number(one.get("not_searched", 0)),
            number(one["hits"]),
            one["status"],
            "; ".join(one["where"]),
        )
        for one in body["safe_harbor"]
    )
    caption = (
        f"The eighteen identifiers of 45 CFR 164.514(b)(2)(i); list of {rules['version']}. ZIP codes: "
        f"{'; '.join(rules['zip3'])}. Not covered: {rules['not_covered']}. No determination: whoever relies on Safe "
        f"Harbor "
        "must also have no actual knowledge that somebody can be identified."
    )
    heads = (
        "",
        "Identifier",
        "Looked for by",
        "Cells looked at",
        "Texts not searched",
        "Cells found",
        "Status",
        "Where",
    )
    special = tuple(
        (one["article"], one["title"], "; ".join(one["detectors"]), one["status"], "; ".join(one["where"]))
        for one in body["special"]
    )
    source = body["settings"]["special"]
    return [
        _heading("HIPAA Safe Harbor, row by row"),
        html(Table(caption, heads, harbor)),
        _heading("Special categories of the GDPR"),
        html(Table(f"{source['source']}.", ("Article", "Category", "Looked for by", "Status", "Where"), special)),
    ]


def _columns(body: Values) -> list[str]:
    parts = [_heading("What was read"), *_not_read(body), *(_group(one) for one in body.get("alike", ()))]
    together = _together(body)
    for source in body["sources"]:
        if source["name"] in together:
            continue
        sampled = source["looked_at"] < source["rows"]
        rows = tuple(
            (
                one["name"],
                one["skipped"] or number(one["cells"]),
                number(one["distinct"]),
                _texts(one),
                ", ".join(one["kinds"]) or "nothing found",
                *(
                    (f"at most {percent(one['missed_at_most'])}" if one["missed_at_most"] is not None else "",)
                    if sampled
                    else ()
                ),
            )
            for one in source["columns"]
        )
        caption = (
            f"{source['name']} ({source['kind']}): {number(source['rows'])} rows, {number(source['looked_at'])} "
            f"looked at; "
            f"different values among {number(source['distinct_of'])} rows."
        )
        if sampled:
            caption += (
                f" Missed at most: upper {100 * body['settings']['confidence']:g} % bound, for each column by "
                f"itself, on the "
                "share of rows with something that the detectors would have recognised."
            )
        heads = (
            "Column",
            "Cells with a value",
            "Different values",
            "Searched as text",
            "Found",
            *(("Rows missed",) if sampled else ()),
        )
        parts.append(html(Table(caption, heads, rows)))
        if source["problems"]:
            found = tuple(
                (one["what"], one["where"], number(one["count"])) for one in source["problems"][:_MOST_PROBLEMS]
            )
            parts.append(
                html(Table(f"{source['name']}: what could not be read.", ("What", "Where", "How often"), found))
            )
    return parts


def _texts(one: Values) -> str:
    unsearched = one.get("unsearched", 0)
    return (
        f"{number(one['text'] - unsearched)}, {number(unsearched)} not searched" if unsearched else number(one["text"])
    )


def _not_read(body: Values) -> list[str]:
    rows = tuple((one["why"], number(one["count"]), one["which"]) for one in body.get("not_read", ()))
    caption = "Files of the folders that were not read; nothing is known of what they hold."
    return [html(Table(caption, ("Why", "Files", "Which"), rows))] if rows else []


def _group(group: Values) -> str:
    """What was read of many alike files."""
    rows = tuple(
        (one["name"], one["skipped"] or number(one["cells"]), _texts(one), ", ".join(one["kinds"]) or "nothing found",
         "" if one["missed_at_most"] is None else f"at most {percent(one['missed_at_most'])}")
        for one in group["columns"]
    )  # fmt: skip
    rows += tuple((one["what"], f"{number(one['count'])} times", "", "", "") for one in group["problems"])
    caption = (
        f"{group['name']}: {number(group['rows'])} rows, {number(group['looked_at'])} looked at. Each file by itself "
        "stands in the record."
    )
    return html(Table(caption, ("Column", "Cells with a value", "Searched as text", "Found", "Rows missed"), rows))


def _limits(body: Values) -> list[str]:
    parts = []
    if body["unclear"]:
        rows = tuple(
            (f"{one['source']}: {one['column']}", one["kind"], number(one["candidates"]), number(one["passed"]),
             f"{one['expected']:.1f}")
            for one in body["unclear"]
        )  # fmt: skip
        caption = "Different numbers that have a kind's form and pass its check digits, too few to tell from luck."
        heads = ("Where", "Would be", "Have its form", "Pass", "Would pass by luck")
        parts += [_heading("What could not be told from luck"), html(Table(caption, heads, rows))]
    items = (
        f"Texts: {body['settings']['texts']}.",
        f"Names: {body['settings'].get('names', 'by the names of columns and words that announce them')}.",
        "Images, sounds and attachments are not looked at; biometric data and photographs by the columns' names only.",
        "A digest or a random identifier in place of a name is a pseudonym: it still points at one person.",
        "Unique among these rows is not unique among all people, and not unique here is no protection either.",
    )
    listed = "".join(f"<li>{escape(item)}</li>\n" for item in items)
    return [*parts, _heading("How to read this"), f"<ul>\n{listed}</ul>\n"]
