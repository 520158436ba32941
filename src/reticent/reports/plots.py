"""Plots as SVG text that goes straight into a page: no script, no fonts of their own, the same bytes every time.

Example:
    >>> from reticent.reports.plots import Line, roc
    >>> curve = {"false_positive_rates": [0.01, 0.1, 1], "true_positive_rates": [0.02, 0.2, 1],
    ...          "low": [0.01, 0.1, 1], "high": [0.03, 0.3, 1]}
    >>> svg = roc([Line("ordinary", curve, None)])
    >>> svg.startswith("<svg"), "ordinary" in svg, "<script" in svg
    (True, True, False)
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "COLOURS",
    "MARKERS",
    "SETTINGS",
    "STYLES",
    "Line",
    "Point",
    "frontier",
    "intervals",
    "label_of",
    "percent_of",
    "roc",
    "svg_of",
]

# Okabe and Ito (2008): told apart with any colour vision; styles and markers differ too.
COLOURS = ("#D55E00", "#7F7F7F", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
STYLES = ("-", (0, (9, 2)), (0, (6, 2)), (0, (4, 2, 1, 2)), "-", (0, (2, 2)), (0, (6, 2)), "-")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "reticent",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclasses.dataclass(frozen=True)
class Line:
    """A ROC curve: its name, its points with pointwise bands, and the bound of its guarantee if it has one."""

    name: str
    curve: Mapping[str, Sequence[float]]
    bound: Mapping[str, Sequence[float]] | None


@dataclasses.dataclass(frozen=True)
class Point:
    """A way of training on the frontier: accuracy on unseen records, and the attack's area under the curve."""

    name: str
    kind: str
    accuracy: Mapping[str, Any]
    auc: Mapping[str, Any]


def roc(lines: Sequence[Line]) -> str:
    """ROC curves on logarithmic axes with confidence bands; thin dashed lines are the guarantees' bounds."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 5.4), layout="constrained")
        axes = figure.subplots()
        start = min(line.curve["false_positive_rates"][0] for line in lines)
        for i, line in enumerate(lines):
            colour, x = COLOURS[i % len(COLOURS)], line.curve["false_positive_rates"]
            axes.fill_between(x, line.curve["low"], line.curve["high"], color=colour, alpha=0.18, linewidth=0)
            axes.plot(
                x,
                line.curve["true_positive_rates"],
                color=colour,
                linestyle=STYLES[i % len(STYLES)],
                linewidth=1.8,
                label=label_of(line.name),
            )
            if line.bound is not None:
                axes.plot(
                    line.bound["false_positive_rates"],
                    line.bound["true_positive_rates"],
                    color=colour,
                    linestyle=(0, (1, 3)),
                    linewidth=1.2,
                )
        axes.plot([start, 1], [start, 1], color="#444444", linewidth=0.8, label="guessing")
        axes.set(
            xscale="log",
            yscale="log",
            xlim=(start, 1),
            ylim=(start, 1.05),
            xlabel="false-positive rate: share of others wrongly named",
            ylabel="true-positive rate: share of training records named",
        )
        axes.xaxis.set_major_formatter(percent_of)
        axes.yaxis.set_major_formatter(percent_of)
        axes.grid(alpha=0.25, linewidth=0.6)
        if any(line.bound is not None for line in lines):
            axes.plot([], [], color="#444444", linestyle=(0, (1, 3)), linewidth=1.2, label="what the guarantee allows")
        axes.legend(loc="lower right", frameon=False)
        return svg_of(
            figure, "roc", "ROC curves of the membership attack on logarithmic axes, one line per way of training"
        )


def frontier(points: Sequence[Point]) -> str:
    """What each way of training can do (accuracy) and what it gives away (the attack), with intervals."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0.5, color="#444444", linewidth=0.8)
        for i, point in enumerate(points):
            x, y = point.auc, point.accuracy
            axes.errorbar(
                x["value"],
                y["value"],
                xerr=[[x["value"] - x["low"]], [x["high"] - x["value"]]],
                yerr=[[y["value"] - y["low"]], [y["high"] - y["value"]]],
                fmt=MARKERS[i % len(MARKERS)],
                color=COLOURS[i % len(COLOURS)],
                capsize=3,
                markersize=7,
                linewidth=1.2,
                label=label_of(point.name),
            )
        left = min(0.48, *(point.auc["low"] - 0.01 for point in points))
        axes.set(
            xlim=(left, max(0.6, *(point.auc["high"] + 0.02 for point in points))),
            xlabel="what it gives away: area under the attack's ROC curve (guessing: 50 %)",
            ylabel="what it can do:\naccuracy on unseen records",
        )
        axes.xaxis.set_major_formatter(percent_of)
        axes.yaxis.set_major_formatter(percent_of)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        return svg_of(
            figure, "frontier", "Privacy-utility frontier: accuracy on unseen records against the attack's success"
        )


def intervals(rows: Sequence[tuple[str, Mapping[str, Any]]], *, quantity: str, marked: float) -> str:
    """Estimates of one quantity with their intervals, one below the other; a line marks what guessing achieves."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 1.2 + 0.42 * len(rows)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(marked, color="#444444", linewidth=0.8)
        for place, (_, one) in enumerate(rows):
            spread = [[one["value"] - one["low"]], [one["high"] - one["value"]]]
            axes.errorbar(
                one["value"], place, xerr=spread, fmt="o", color=COLOURS[2], capsize=3, markersize=6, linewidth=1.2
            )
        axes.set_yticks(range(len(rows)), [label_of(name) for name, _ in rows])
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=quantity)
        axes.xaxis.set_major_formatter(percent_of)
        axes.grid(axis="x", alpha=0.25, linewidth=0.6)
        return svg_of(
            figure, "intervals", "Estimates with their intervals, one below the other, and what guessing achieves"
        )


def label_of(name: str) -> str:
    """A name as it is: no mathematics between dollars, and no hidden line behind an underscore."""
    return "\u200b" + " ".join(name.split()).replace("$", r"\$")


def percent_of(value: float, _position: float) -> str:
    """A share as a tick of an axis."""
    return f"{value * 100:g} %"


def svg_of(figure: Any, name: str, title: str) -> str:
    """The figure as an `<svg>` element that scales with the page and carries its title for screen readers."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # The viewer's own fonts show a name in another script; matplotlib only needs a width to lay it out.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r"(\d+\.\d{2})\d+", r"\1", text)  # hundredths of a point are finer than any screen
    mark = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"  # two plots on a page share no identifier
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{mark}-", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
