"""What stands around every page: one file without script, network or fonts of its own.

Promise: the content-security policy is written once, in `templates/frame.html`, and forbids scripts, forms, fonts and
requests; titles are escaped. Pages with a layout of their own are templates that extend the frame (`template`); the
others give their inner part as markup (`framed`).

Example:
    >>> from reticent.reports.frame import framed
    >>> page = framed("Rows <found>", "<h1>Two</h1>")
    >>> "<title>Rows &lt;found&gt;</title>" in page, "default-src 'none'" in page
    (True, True)
"""

from __future__ import annotations

import functools
import importlib.resources

import jinja2
import markupsafe

from reticent.reports import words

__all__ = ["framed", "template"]


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
    environment.globals |= {"made_by": "", "images": True}
    return environment


def template(name: str) -> jinja2.Template:
    """A template of the house, with strict names and everything escaped."""
    return _environment().get_template(name)


def framed(title: str, inner: str, *, images: bool = True) -> str:
    """A page around what is markup already.

    Args:
        title: of the page; escaped.
        inner: what stands in it, escaped by the caller.
        images: whether it may show images that it holds itself.
    """
    return template("frame.html").render(title=title, inner=markupsafe.Markup(inner), images=images)  # noqa: S704
