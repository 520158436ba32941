"""Plots of shares against small whole numbers."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np

from reticent.reports.curves import lines, rows_of


def one(share: float) -> dict[str, Any]:
    return {"value": share, "low": max(0.0, share - 0.05), "high": min(1.0, share + 0.05), "confidence": 0.95, "n": 100}


def test_lines_are_drawn_the_same_twice_and_can_be_many() -> None:
    curves = {f"release {i}": [(2, one(0.1 + i / 20)), (4, one(0.2 + i / 20))] for i in range(12)}
    svg = lines(curves, across="items", up="share", guess=0.1)
    assert svg == lines(curves, across="items", up="share", guess=0.1)
    ElementTree.fromstring(svg)
    assert "release 11" in svg
    assert "guessing" in svg
    assert "guessing" not in lines({"one": [(1, one(0.5))]}, across="items", up="share")


def test_many_releases_have_a_row_each_that_tells_them_apart() -> None:
    """As many intervals as releases and knowledge, in rows of their own and in one colour: nothing is told by it."""
    names = [f"release {i}" for i in range(13)]
    curves = {name: [(items, one(float(items > 2))) for items in (2, 4, 8)] for name in names}
    svg = rows_of(curves, across="items", up="share", guess=0.1)
    assert svg == rows_of(curves, across="items", up="share", guess=0.1)
    tree = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    marks = [
        (float(use.attrib["x"]), float(use.attrib["y"]))
        for use in tree.iter(f"{space}use")
        if "#0072b2" in use.attrib.get("style", "").lower()
    ]
    rows = {round(y) for _, y in marks}
    assert len(rows) == 13
    assert min(np.diff(sorted(rows))) > 10
    assert all(f"release {i}<" in svg for i in range(13))
    assert "guessing" not in rows_of({"one": [(1, one(0.5))]}, across="items", up="share")
