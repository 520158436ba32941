"""Exposures as a table and as a plot."""

from __future__ import annotations

from xml.etree import ElementTree as Tree

from reticent.reports.exposures import exposure_plot, exposure_table


def estimate(value: float) -> dict[str, object]:
    spread = {"value": value, "low": value - 0.01, "high": value + 0.02}
    return {**spread, "confidence": 0.9, "n": 50, "method": "bootstrap", "threshold": None}


RATE = "true_positive_rate_at_0.01"
EFFECT = {
    "attack": "likelihood ratio",
    "target": "a <network>",
    "rows": [
        {"exposure": "logits", "estimates": {"auc": estimate(0.8), RATE: estimate(0.3)}, "differences": {}},
        {"exposure": "scores:top 1", "estimates": {"auc": estimate(0.7)}, "differences": {"auc": estimate(-0.1)}},
    ],
}


def test_the_table_has_every_figure_with_its_interval() -> None:
    lines = exposure_table(EFFECT).splitlines()
    assert lines[2].split("  ")[:1] == ["logits"]
    assert "80.0 % (79.0 to 82.0)" in lines[2]
    assert "70.0 % (69.0 to 72.0)" in lines[3]
    assert "-10.0 % (-11.0 to -8.0)" in lines[3]
    assert lines[-1] == "90 % intervals, each by itself: bootstrap"
    assert "not resolvable" in exposure_table(EFFECT, RATE)


def test_the_plot_is_valid_and_names_every_exposure() -> None:
    svg = exposure_plot(EFFECT)
    words = [text for element in Tree.fromstring(svg).iter() for text in element.itertext()]
    for name in ("logits", "scores:top 1", "area under the ROC curve"):
        assert any(name in word for word in words), name
    assert svg == exposure_plot(EFFECT)
    only = [text for element in Tree.fromstring(exposure_plot(EFFECT, RATE)).iter() for text in element.itertext()]
    assert not any("top 1" in word for word in only)
    assert any("members named at 1 % false alarms" in word for word in only)
