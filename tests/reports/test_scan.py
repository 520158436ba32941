"""The page of a scan."""

from __future__ import annotations

from xml.etree import ElementTree as Tree

from reticent.data.scan import scan
from reticent.randomness import Randomness
from reticent.reports import render, save
from reticent.reports.scan import bars, sentences

PEOPLE = {
    "<b>name": ["x"] * 40,
    "email": [f"u{place}@example.org" for place in range(40)],
    "zip": [f"{place + 10000}" for place in range(40)],
    "sex": ["F", "M"] * 20,
    "dob": [f"19{place + 10}-01-02" for place in range(40)],
    "points": [place % 3 for place in range(40)],
    "c": ["4111111111111111"] * 40,
}


def test_the_page_is_whole_and_shows_no_value(tmp_path) -> None:
    found = scan(PEOPLE)
    page = render(found.record())
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    assert "http://" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "&lt;b&gt;name" in page
    assert "<b>name" not in page
    assert "u7@example.org" not in page
    listed = ("HIPAA Safe Harbor", "names only", "Art. 9(1)", "Which few columns", "2020 census", "told from luck")
    for said in listed:
        assert said in page
    assert found.save(tmp_path / "scan.html").read_text().startswith("<!DOCTYPE html>")
    assert save(found.record(), tmp_path / "scan.json").stat().st_size > 100


def test_a_sample_has_intervals_bounds_and_examples() -> None:
    page = render(scan(PEOPLE, sample=20, show=1, randomness=Randomness.simulated(1)).record())
    assert "at most 13.9 %" in page
    assert "to 100.0)" in page
    assert "9@xxxxxxx.xxx" in page


def test_sentences_and_bars() -> None:
    said = sentences(scan({"n": [1, 1]}).record())
    assert "Direct identifiers: none found." in said
    assert "detectors miss" in said[-1]
    tree = Tree.fromstring(bars([("a" * 60, 0.5), ("<b>", 0.0)]))
    assert tree.tag.endswith("svg")
