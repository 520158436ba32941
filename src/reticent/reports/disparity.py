"""How far groups differ in what is given away about them, as a plot.

Promise: every point has its interval, drawn to scale; the dashed line is everybody's figure or guessing, as named. The
same values give the same bytes.

Example:
    >>> from reticent.reports.disparity import Bar, disparity
    >>> svg = disparity([Bar("young", 0.6, 0.55, 0.65), Bar("old", 0.7, 0.6, 0.8)], label="area under the curve")
    >>> svg.startswith("<svg"), "young" in svg, "<script" in svg
    (True, True, False)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from reticent.reports.plots import COLOURS, SETTINGS, label_of, percent_of, svg_of

__all__ = ["Bar", "bars_of", "disparity"]

_MOST = 40


@dataclasses.dataclass(frozen=True)
class Bar:
    """One group: its figure with its interval, and whether it differs from the rest."""

    name: str
    value: float
    low: float
    high: float
    differs: bool = False


def bars_of(values: Mapping[str, Any], figure: str = "auc") -> tuple[Bar, ...]:
    """One bar for each group of `Disparity.as_dict`; a group differs if its adjusted p-value says so."""
    level = 1 - values["confidence"] + 1e-12
    return tuple(
        Bar(
            one["name"],
            one["figures"][figure]["value"],
            one["figures"][figure]["low"],
            one["figures"][figure]["high"],
            one["difference"][figure]["adjusted"] <= level,
        )
        for one in values["groups"]
        if figure in one["figures"]
    )


def disparity(bars: Sequence[Bar], *, label: str, guess: float | None = 0.5) -> str:
    """Groups below one another, the largest figure on top, at most 40 of them.

    Args:
        bars: the groups.
        label: what the figure is.
        guess: what guessing reaches: a dashed line; None for no line.
    """
    import matplotlib
    from matplotlib.figure import Figure

    shown = sorted(bars, key=lambda bar: (bar.value, bar.name))[-_MOST:]
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, 1.5 + 0.36 * len(shown)), layout="constrained")
        axes = figure.subplots()
        for place, bar in enumerate(shown):
            axes.errorbar(
                bar.value,
                place,
                xerr=[[bar.value - bar.low], [bar.high - bar.value]],
                fmt="D" if bar.differs else "o",
                color=COLOURS[0] if bar.differs else COLOURS[1],
                capsize=3,
                markersize=6,
                linewidth=1.4,
            )
        if guess is not None:
            axes.axvline(guess, color="#444444", linewidth=0.9, linestyle=(0, (4, 3)), label="guessing")
        if any(bar.differs for bar in shown):
            axes.plot([], [], marker="D", linestyle="", color=COLOURS[0], label="differs from everybody else")
        axes.set(yticks=range(len(shown)), ylim=(-0.7, len(shown) - 0.3), xlabel=label)
        axes.set_yticklabels([label_of(bar.name) for bar in shown])
        axes.xaxis.set_major_formatter(percent_of)
        axes.grid(axis="x", alpha=0.25, linewidth=0.6)
        if axes.get_legend_handles_labels()[1]:
            figure.legend(loc="outside lower center", ncols=2, frameon=False)
        return svg_of(figure, "disparity", f"{len(shown)} groups compared, with intervals")
