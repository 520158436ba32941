"""Plots: valid, the same every time, told apart, and readable to those who do not see them."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as Tree

import matplotlib
import pytest

from reticent.reports import plots
from reticent.reports.plots import Line, Point, frontier, intervals, roc

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("ordinary", "stopped early", "epsilon 1", "epsilon 3", "epsilon 10")


def a_line(name: str, height: float = 0.0, bound: bool = False) -> Line:
    x = [0.01, 0.1, 1.0]
    curve = {
        "false_positive_rates": x,
        "true_positive_rates": [0.02 + height, 0.2 + height, 1.0],
        "low": [0.01, 0.1, 1.0],
        "high": [0.05 + height, 0.4 + height, 1.0],
    }
    return Line(name, curve, {"false_positive_rates": x, "true_positive_rates": [0.03, 0.3, 1.0]} if bound else None)


def a_point(name: str, height: float = 0.0) -> Point:
    accuracy = {"value": 0.7 + height, "low": 0.65, "high": 0.8 + height}
    return Point(name, "ordinary", accuracy, {"value": 0.6, "low": 0.55, "high": 0.66})


def a_roc(*names: str) -> str:
    return roc([a_line(name, i / 100, bound=i > 0) for i, name in enumerate(names)])


def a_frontier(*names: str) -> str:
    return frontier([a_point(name, i / 100) for i, name in enumerate(names)])


def parsed(text: str) -> Tree.Element:
    return Tree.fromstring(text)


def some_intervals(*names: str) -> str:
    rows = [(name, {"value": 0.6 + i / 100, "low": 0.55, "high": 0.7}) for i, name in enumerate(names)]
    return intervals(rows, quantity="area under the curve", marked=0.5)


both = pytest.mark.parametrize("draw", [a_roc, a_frontier, some_intervals])


@both
def test_a_plot_is_valid_and_read_aloud(draw: Callable[..., str]) -> None:
    svg = parsed(draw(*NAMES))
    assert svg.tag == f"{SVG}svg"
    assert svg.get("role") == "img"
    assert len(svg.get("aria-label") or "") > 30
    assert svg.get("viewBox")
    assert svg.get("width") is svg.get("height") is None
    words = [text for element in svg.iter(f"{SVG}text") for text in element.itertext()]
    for name in NAMES:
        assert any(name in word for word in words)


@both
def test_a_plot_holds_no_script_date_or_address(draw: Callable[..., str]) -> None:
    text = draw(*NAMES)
    svg = parsed(text)
    assert not {element.tag.removeprefix(SVG) for element in svg.iter()} & {"script", "image", "metadata", "a"}
    for element in svg.iter():
        for key, value in element.attrib.items():
            assert not key.startswith("on")
            assert "http" not in value
    assert "<?xml" not in text
    assert "<!DOCTYPE" not in text


@both
def test_the_same_values_give_the_same_bytes(draw: Callable[..., str]) -> None:
    assert draw(*NAMES) == draw(*NAMES)


@both
@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "a & b", "$", r"$\frac$", "_hidden", "100 % of $x$", '"quoted"', "a\tb"]
)
def test_a_name_is_shown_as_it_is(draw: Callable[..., str], name: str) -> None:
    svg = parsed(draw(name, "other"))
    words = {"".join(element.itertext()).strip("\u200b") for element in svg.iter(f"{SVG}text")}
    assert name in words or name.replace("\t", " ") in words


@both
def test_a_name_in_another_script_is_no_reason_to_warn(draw: Callable[..., str]) -> None:
    assert "模型" in draw("模型", "другая")


@both
def test_drawing_leaves_the_users_settings_alone(draw: Callable[..., str]) -> None:
    before = {key: matplotlib.rcParams._get(key) for key in matplotlib.rcParams}  # type: ignore[attr-defined]
    draw(*NAMES)
    after = {key: matplotlib.rcParams._get(key) for key in matplotlib.rcParams}  # type: ignore[attr-defined]
    assert before == after


@pytest.mark.slow
def test_colours_and_markers_are_told_apart() -> None:
    assert len(set(plots.COLOURS)) == len(plots.COLOURS)
    assert len(set(plots.MARKERS)) == len(plots.MARKERS) == len(plots.COLOURS) == len(plots.STYLES)
    text = a_roc(*NAMES).lower()
    for colour in plots.COLOURS[: len(NAMES)]:
        assert colour.lower() in text
    assert plots.COLOURS[len(NAMES)].lower() not in text


def test_a_bound_is_named_only_when_there_is_one() -> None:
    assert "what the guarantee allows" in a_roc("one", "two")
    assert "what the guarantee allows" not in a_roc("one")


@both
def test_a_plot_of_one_works(draw: Callable[..., str]) -> None:
    parsed(draw("only"))
