"""The plot shows every group with its interval, and the same values give the same bytes."""

from __future__ import annotations

from xml.etree import ElementTree

from reticent.reports.disparity import Bar, bars_of, disparity

BARS = [Bar("young", 0.6, 0.55, 0.65), Bar("old_$x$", 0.7, 0.62, 0.8, differs=True)]


def test_every_group_is_named_and_nothing_runs() -> None:
    svg = disparity(BARS, label="area under the curve")
    assert svg.startswith("<svg")
    assert "2 groups compared" in svg
    for text in ("young", "old_$x$", "area under the curve", "differs from everybody else", "guessing"):
        assert text in svg, text
    assert "<script" not in svg
    ElementTree.fromstring(svg)
    plain = disparity(BARS[:1], label="area", guess=None)
    assert "guessing" not in plain
    assert "differs from everybody else" not in plain


def test_the_same_values_give_the_same_bytes() -> None:
    assert disparity(BARS, label="x") == disparity(list(reversed(BARS)), label="x")


def test_only_the_largest_forty_are_drawn() -> None:
    many = [Bar(f"group {i:03}", i / 100, i / 200, i / 50) for i in range(50)]
    svg = disparity(many, label="x")
    assert "group 049" in svg
    assert "group 009" not in svg


def test_bars_come_from_the_dictionary() -> None:
    def one(name: str, adjusted: float) -> dict[str, object]:
        figure = {"value": 0.6, "low": 0.5, "high": 0.7}
        return {"name": name, "figures": {"auc": figure}, "difference": {"auc": {"adjusted": adjusted}}}

    values = {"confidence": 0.95, "groups": [one("a", 0.05), one("b", 0.06)]}
    assert bars_of(values) == (Bar("a", 0.6, 0.5, 0.7, True), Bar("b", 0.6, 0.5, 0.7))
    assert bars_of(values, "at_risk") == ()
