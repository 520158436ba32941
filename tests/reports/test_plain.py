"""A plain page: escaped, alone, in the house's style."""

from __future__ import annotations

from html.parser import HTMLParser

from reticent.evidence import Record
from reticent.reports.plain import Section, plain_page
from reticent.reports.tables import Table


def test_everything_is_escaped_and_nothing_is_fetched() -> None:
    record = Record("duplicates", {"software": {"reticent": "<1>"}}, created="2026-01-01T00:00:00Z")
    table = Table("cap & tion", ("<h>",), (("<td>",),))
    page = plain_page(
        record, "<t>", "<a>", ["<v>"], [Section("<s>", ("<p1>",), (table, "<svg id='x'></svg>"))], tone="undecided"
    )
    for text in ("<t>", "<a>", "<v>", "<s>", "<p1>", "<h>", "<1>"):
        assert text not in page
        assert text.replace("<", "&lt;").replace(">", "&gt;") in page
    assert "<figure><svg id='x'></svg></figure>" in page
    assert 'class="verdict undecided"' in page
    assert record.id in page
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            found.append(tag)
            assert not {name for name, _ in attributes} & {"src", "href", "onload"}

    Reader().feed(page)
    assert not {"script", "link", "img", "iframe"} & set(found)
