"""A page of headings, sentences, tables and plots, for records that need no layout of their own.

Promise: one file without script, network or fonts of its own (the content-security policy forbids them); every text is
escaped; figures are SVG that the caller drew.

Example:
    >>> from reticent.evidence import Record
    >>> from reticent.reports.plain import Section, plain_page
    >>> record = Record("duplicates", {"software": {"reticent": "0"}}, created="2026-01-01T00:00:00Z")
    >>> page = plain_page(record, "Copies <found>", "1 row", ["None."], [Section("More", ("Nothing.",))])
    >>> "Copies &lt;found&gt;" in page, "<script" in page
    (True, False)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from markupsafe import escape

from reticent.evidence import Record
from reticent.reports.frame import Tone, framed, verdict
from reticent.reports.tables import Table, html

__all__ = ["Section", "plain_page"]


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: its heading.
        sentences: paragraphs.
        figures: tables, and plots as SVG of our own.
    """

    title: str
    sentences: tuple[str, ...] = ()
    figures: tuple[Table | str, ...] = ()


def plain_page(
    record: Record,
    title: str,
    about: str,
    found: Sequence[str],
    sections: Sequence[Section],
    *,
    tone: Tone = "told",
    word: str = "",
) -> str:
    """The page.

    Args:
        record: what it shows; its body names the software.
        title: heading of the page.
        about: a line below it.
        found: in sentences.
        sections: the rest.
        tone: what they amount to.
        word: for it, if not the usual one.
    """
    software = ", ".join(f"{name} {version}" for name, version in record.body["software"].items())
    return framed(
        title,
        f'<header class="top">\n<h1>{escape(title)}</h1>\n'
        f'<div class="soft">{escape(about)} Made {escape(record.created)}.</div>\n</header>\n'
        f"{verdict(found, tone, word)}"
        f"{''.join(_section(one) for one in sections)}"
        "<details><summary>Where this comes from</summary>\n"
        f'<p class="soft">Record {escape(record.id)} · software: {escape(software)}.</p>\n</details>\n',
    )


def _section(section: Section) -> str:
    said = "".join(f"<p>{escape(one)}</p>\n" for one in section.sentences)
    figures = "".join(
        html(one) + "\n" if isinstance(one, Table) else f"<figure>{one}</figure>\n" for one in section.figures
    )
    return f"<h2>{escape(section.title)}</h2>\n{said}{figures}"
