"""What stands around every page: one file without script, network or fonts of its own.

Promise: the content-security policy is written once, in `templates/frame.html`, and forbids scripts, forms, fonts and
requests; titles are escaped. Pages with a layout of their own are templates that extend the frame (`template`); the
others give their inner part as markup (`framed`). What a page found stands first (`verdict`), with a word for it.

Example:
    >>> from reticent.reports.frame import framed
    >>> page = framed("Rows <found>", "<h1>Two</h1>")
    >>> "<title>Rows &lt;found&gt;</title>" in page, "default-src 'none'" in page
    (True, True)
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping, Sequence
from typing import Literal

import jinja2
import markupsafe

from reticent.reports import words

__all__ = ["Tone", "framed", "template", "verdict"]

Tone = Literal["shown", "undecided", "not shown", "told"]
"""What a page's first sentences amount to; "told" where they measure and neither accuse nor acquit."""
_WORDS: Mapping[Tone, str] = {
    "shown": "A leak was shown",
    "undecided": "Not decided",
    "not shown": "No leak was shown, which proves nothing",
    "told": "",
}


@functools.cache
def _environment() -> jinja2.Environment:
    source = importlib.resources.files("reticent.reports").joinpath("templates")
    found = {file.name: file.read_text("utf-8") for file in source.iterdir() if file.name.endswith((".html", ".css"))}
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(found),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "estimate": words.estimate,
        "percent": words.percent,
        "span": words.span,
        "at_most": words.at_most,
        "exposed": words.exposed,
        "number": words.number,
        "confidence": words.confidence,
        "rate_name": words.rate_name,
    }
    environment.globals |= {"made_by": "", "images": True, "verdict_box": verdict}
    return environment


def template(name: str) -> jinja2.Template:
    """A template of the house, with strict names and everything escaped."""
    return _environment().get_template(name)


def verdict(sentences: Sequence[str], tone: Tone, word: str = "") -> markupsafe.Markup:
    """The box that a page begins with: a word, which the colour repeats, and what was found in sentences."""
    said_first = markupsafe.escape(word or _WORDS[tone])
    first = f'<p class="word">{said_first}</p>\n' if said_first else ""
    said = "".join(f"<p>{markupsafe.escape(one)}</p>\n" for one in sentences)
    name = tone.replace(" ", "-")
    return markupsafe.Markup(f'<section class="verdict {name}">\n{first}{said}</section>\n')  # noqa: S704 (escaped)


def framed(title: str, inner: str, *, images: bool = True) -> str:
    """A page around what is markup already.

    Args:
        title: of the page; escaped.
        inner: what stands in it, escaped by the caller.
        images: whether it may show images that it holds itself.
    """
    return template("frame.html").render(title=title, inner=markupsafe.Markup(inner), images=images)  # noqa: S704
