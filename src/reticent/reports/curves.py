"""Shares with their intervals against a small whole number: as lines, or as rows where there are many of them.

Promise: every share is drawn with its interval, and guessing stands beside them where it was given.

Example:
    >>> from reticent.reports.curves import lines
    >>> point = {"value": 0.5, "low": 0.4, "high": 0.6}
    >>> svg = lines({"names removed": [(2, point), (4, point)]}, across="known items", up="share found")
    >>> svg.startswith("<svg"), "names removed" in svg, "<script" in svg
    (True, True, False)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from reticent.reports.plots import COLOURS, MARKERS, SETTINGS, STYLES, label_of, percent_of, svg_of

__all__ = ["lines", "rows_of"]

Values = Mapping[str, Any]


def lines(
    curves: Mapping[str, Sequence[tuple[int, Values]]], *, across: str, up: str, guess: float | None = None
) -> str:
    """Shares with their intervals against a small whole number, a line for each name.

    Args:
        curves: name to its points.
        across: what the number counts.
        up: what the share is of.
        guess: what guessing gives: a dashed line; None for no line.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 4.4 + 0.14 * len(curves)), layout="constrained")
        axes = figure.subplots()
        places = sorted({x for points in curves.values() for x, _ in points})
        step = min((b - a for a, b in itertools.pairwise(places)), default=1)
        for i, (name, points) in enumerate(curves.items()):
            # Side by side, so that intervals which are alike can be told apart.
            shift = (i - (len(curves) - 1) / 2) * 0.3 * step / max(len(curves), 1)
            spread = [[y["value"] - y["low"] for _, y in points], [y["high"] - y["value"] for _, y in points]]
            axes.errorbar(
                [x + shift for x, _ in points],
                [y["value"] for _, y in points],
                yerr=spread,
                color=COLOURS[i % len(COLOURS)],
                linestyle=STYLES[(i + i // len(COLOURS)) % len(STYLES)],
                marker=MARKERS[(i + i // len(COLOURS)) % len(MARKERS)],
                capsize=2,
                markersize=5,
                linewidth=1.3,
                label=label_of(name),
            )
        if guess is not None:
            axes.axhline(guess, color="#444444", linewidth=0.9, linestyle=(0, (4, 3)), label="guessing")
        axes.set(xticks=places, ylim=(-0.02, 1.02), xlabel=across, ylabel=up)
        axes.yaxis.set_major_formatter(percent_of)
        axes.grid(alpha=0.25, linewidth=0.6)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        return svg_of(figure, "lines", f"{up}, against {across}, a line for each of several")


def rows_of(
    curves: Mapping[str, Sequence[tuple[int, Values]]], *, across: str, up: str, guess: float | None = None
) -> str:
    """Shares with their intervals, a row for each name and a panel for each small whole number: for many names.

    Args:
        curves: name to its points.
        across: what the number counts.
        up: what the share is of.
        guess: what guessing gives: a line; None for no line.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        places = sorted({x for points in curves.values() for x, _ in points})
        figure = Figure(figsize=(max(7.2, 2.4 + 1.6 * len(places)), 1.3 + 0.3 * len(curves)), layout="constrained")
        panels = figure.subplots(1, len(places), sharey=True, squeeze=False)[0]
        for panel, place in zip(panels, places, strict=True):
            for level, points in enumerate(curves.values()):
                for one in (y for x, y in points if x == place):
                    spread = [[one["value"] - one["low"]], [one["high"] - one["value"]]]
                    style: Any = {"fmt": "o", "capsize": 3, "markersize": 5, "linewidth": 1.3, "clip_on": False}
                    panel.errorbar(one["value"], level, xerr=spread, color=COLOURS[2], **style)
                if level % 2:
                    panel.axhspan(level - 0.5, level + 0.5, color="#7F7F7F", alpha=0.1, linewidth=0)
            if guess is not None:
                panel.axvline(guess, color="#444444", linewidth=0.9, linestyle=(0, (4, 3)))
            panel.set(xlim=(-0.02, 1.02), ylim=(len(curves) - 0.5, -0.5), xticks=(0, 0.5, 1))
            panel.set_title(str(place), fontsize=10)
            panel.xaxis.set_major_formatter(percent_of)
            panel.grid(axis="x", alpha=0.25, linewidth=0.6)
            panel.tick_params(axis="y", length=0)
        panels[0].set_yticks(range(len(curves)), [label_of(name) for name in curves])
        figure.suptitle(across, fontsize=10)
        figure.supxlabel(f"{up} (dashed: guessing)" if guess is not None else up, fontsize=10)
        return svg_of(figure, "rows", f"{up}, a row for each of several, by {across}")
