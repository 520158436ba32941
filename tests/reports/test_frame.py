"""One frame for all pages."""

from __future__ import annotations

from pathlib import Path

import pytest

import reticent.reports
from reticent.reports.frame import framed, template, verdict

FOLDER = Path(reticent.reports.__file__).parent


def test_a_verdict_is_a_word_that_the_colour_repeats():
    shown = verdict(["<b>"], "shown")
    assert 'class="verdict shown"' in shown
    assert "A leak was shown" in shown
    assert "&lt;b&gt;" in shown
    assert "proves nothing" in verdict([], "not shown")
    assert 'class="word"' not in verdict(["Measured."], "told")
    style = (FOLDER / "templates" / "style.css").read_text()
    assert all(f".{name} " in style for name in ("shown", "undecided", "not-shown"))


def test_titles_are_escaped_and_the_inner_part_is_not():
    page = framed("<i>", "<b>x</b>")
    assert "<title>&lt;i&gt;</title>" in page
    assert "<b>x</b>" in page
    assert "generator" not in page


@pytest.mark.parametrize("images", [True, False])
def test_the_policy_forbids_all_but_style_and_own_images(images):
    policy = "default-src 'none'; style-src 'unsafe-inline'" + ("; img-src data:" if images else "")
    assert f'http-equiv="Content-Security-Policy" content="{policy}">' in framed("t", "", images=images)


def test_the_policy_is_written_once():
    files = [*FOLDER.rglob("*.py"), *FOLDER.rglob("*.html")]
    assert [file.name for file in files if "Content-Security-Policy" in file.read_text()] == ["frame.html"]
    pages = [file.name for file in FOLDER.rglob("*.html") if file.name != "frame.html"]
    assert pages
    assert all(template(name).blocks.keys() >= {"title", "main"} for name in pages)
