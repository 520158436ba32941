"""Pages: whole by themselves, safe against the names in them, and with nothing left out or made up."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reticent.errors import UsageError
from reticent.evidence import Record
from reticent.reports import render, save

NAMES = (
    "comparison",
    "secure comparison",
    "hostile comparison",
    "audit",
    "audit without trainer",
    "hostile audit",
)
VOID = {"meta", "link", "br", "hr", "img", "input", "col", "base", "area", "embed", "source", "track", "wbr"}
ADDRESSES = {"src", "href", "xlink:href", "data", "action", "formaction", "poster", "srcset", "background", "cite"}


class Page(HTMLParser):
    """Reads a page and keeps what it is made of; fails on an element that is closed wrongly or not at all."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute stands twice in <{tag}>"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.styles if self.open and self.open[-1] == "style" else self.words).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def pages(records: dict[str, Record]) -> dict[str, str]:
    return {name: render(record) for name, record in records.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_needs_nothing_else_and_runs_nothing(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    kinds = {tag for tag, _ in page.elements}
    assert not kinds & {"script", "iframe", "object", "embed", "link", "base", "form", "img", "foreignobject"}
    for tag, attributes in page.elements:
        for key, value in attributes.items():
            assert not key.startswith("on"), f"<{tag} {key}>"
            if key in ADDRESSES:
                assert (value or "").startswith("#"), f"<{tag} {key}={value}>"
            for inside in re.findall(r"url\((.*?)\)", value or ""):
                assert inside.startswith("#")
    for style in page.styles:
        assert "url(" not in style
        assert "@import" not in style
    assert len(pages[name].encode()) < 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_its_policy_forbids_scripts_and_the_network(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    policies = [
        attributes["content"]
        for tag, attributes in page.elements
        if tag == "meta" and (attributes.get("http-equiv") or "").lower() == "content-security-policy"
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    # The policy governs what stands below it, so it stands before every style.
    order = [tag for tag, _ in page.elements]
    assert order.index("meta") < order.index("style")


@pytest.mark.parametrize("name", ["hostile comparison", "hostile audit"])
def test_a_hostile_name_stays_a_name(pages: dict[str, str], name: str) -> None:
    assert "<img" not in pages[name]
    assert "&lt;img src=x onerror=alert(1)&gt;" in pages[name]
    assert "<img src=x onerror=alert(1)>" in Page(pages[name]).text


@pytest.mark.parametrize("name", NAMES)
def test_no_number_is_missing_or_infinite(pages: dict[str, str], name: str) -> None:
    text = Page(pages[name]).text
    assert not re.search(r"\b(nan|None|inf|Infinity|undefined|NaN|True|False)\b", text)
    assert not re.search(r"\{\{|\}\}|\{%", pages[name])


@pytest.mark.parametrize("name", NAMES)
def test_what_was_not_tested_is_listed_as_not_run(pages: dict[str, str], records: dict[str, Record], name: str) -> None:
    text = Page(pages[name]).text
    questions = records[name].body["not_tested"]
    assert len(questions) >= 5
    for question, why in questions.items():
        assert f"{question} not run {why}" in text
    assert "A question that was not tested is open" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_page_names_its_record_and_data(pages: dict[str, str], records: dict[str, Record], name: str) -> None:
    text = Page(pages[name]).text
    assert records[name].id in text
    assert records[name].body["data"]["digest"] in text


def test_an_audit_without_a_trainer_says_what_is_missing(pages: dict[str, str]) -> None:
    text = Page(pages["audit without trainer"]).text
    assert "Shadow models: not run (no trainer was given" in text
    assert "Records exposed" not in text
    assert "The records most at risk" not in text
    assert "<svg" not in pages["audit without trainer"]


def test_a_simulation_says_so_wherever_it_could_be_taken_for_a_promise(pages: dict[str, str]) -> None:
    text = Page(pages["comparison"]).text
    assert "simulated noise: no promise" in text
    assert "SIMULATION, no promise" in text
    assert "its networks promise nothing" in text
    assert "had its noise been secure" in text
    assert "Those bounds are the promise, also against attacks" not in text
    for name in ("comparison", "audit", "audit without trainer"):
        assert "a seeded generator (a repeatable simulation)" in Page(pages[name]).text


def test_a_secure_comparison_promises(pages: dict[str, str]) -> None:
    text = Page(pages["secure comparison"]).text
    assert "Those bounds are the promise, also against attacks" in text
    assert "secure randomness" in text
    assert "SIMULATION" not in text
    assert "simulated noise" not in text


def test_every_arm_stands_in_every_table(pages: dict[str, str], records: dict[str, Record]) -> None:
    text = Page(pages["comparison"]).text
    for arm in records["comparison"].body["arms"]:
        assert text.count(arm["name"]) >= 3
        assert arm["meaning"] in text
    assert "epsilon 0.5" in text
    assert "at delta 0.001, per example" in text


@pytest.mark.parametrize("name", ["comparison", "audit", "audit without trainer"])
def test_the_same_record_gives_the_same_bytes(records: dict[str, Record], pages: dict[str, str], name: str) -> None:
    assert render(Record.from_json(records[name].to_json())) == pages[name]


@pytest.mark.parametrize("name", NAMES)
def test_no_identifier_stands_twice(pages: dict[str, str], name: str) -> None:
    found = [attributes["id"] for _, attributes in Page(pages[name]).elements if "id" in attributes]
    assert sorted(found) == sorted(set(found))


def test_the_promise_of_an_arm_is_shown_rounded_up(records: dict[str, Record]) -> None:
    record = records["comparison"]
    body: dict[str, Any] = record.body
    arms = [dict(arm) for arm in body["arms"]]
    arms[2] = {**arms[2], "promise": {**arms[2]["promise"], "epsilon": 0.50001}}
    text = Page(render(Record("comparison", {**body, "arms": arms}, created=record.created))).text
    assert "epsilon 0.501" in text


def test_saving_follows_the_ending(records: dict[str, Record], tmp_path: Path) -> None:
    record = records["audit without trainer"]
    assert save(record, tmp_path / "a.html").read_text("utf-8") == render(record)
    assert save(record, tmp_path / "a.json").read_bytes() == record.to_json()
    other = Record("training", {}, created=record.created)
    with pytest.raises(UsageError, match="audit, comparison"):
        save(other, tmp_path / "b.html")
    with pytest.raises(UsageError, match=r"ends in \.html or \.json"):
        save(record, tmp_path / "c.md")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "a.json"]
