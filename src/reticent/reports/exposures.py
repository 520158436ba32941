"""What showing less is worth, as a table and as a plot; from the plain values of `ExposureEffect.as_dict`.

Promise: every figure stands with its interval, and the table's last line says what the intervals are.

Example:
    >>> from reticent.reports.exposures import exposure_table
    >>> def one(value):
    ...     return {"value": value, "low": value - 0.02, "high": value + 0.02, "confidence": 0.95, "n": 900,
    ...             "method": "bootstrap over 900 records, 400 draws", "threshold": None}
    >>> print(exposure_table({"attack": "likelihood ratio", "target": "a network", "rows": [
    ...     {"exposure": "logits", "meaning": "", "estimates": {"auc": one(0.74)}, "differences": {}},
    ...     {"exposure": "label", "meaning": "", "estimates": {"auc": one(0.6)}, "differences": {"auc": one(-0.14)}},
    ... ]}))
    likelihood ratio on a network: what each exposure shows
    exposure  area under the ROC curve  more than logits
    logits    74.0 % (72.0 to 76.0)
    label     60.0 % (58.0 to 62.0)     -14.0 % (-16.0 to -12.0)
    95 % intervals, each by itself: bootstrap over 900 records, 400 draws
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reticent.reports.plots import intervals
from reticent.reports.words import confidence, estimate, rate_name, rate_of

__all__ = ["exposure_plot", "exposure_table"]

_AUC = "auc"


def exposure_table(effect: Mapping[str, Any], quantity: str = _AUC) -> str:
    """A table in plain text: one line for each exposure.

    Args:
        effect: plain values of an `ExposureEffect`.
        quantity: "auc", or a name such as "true_positive_rate_at_0.01".
    """
    rows = effect["rows"]
    first = rows[0]
    lines = [("exposure", _named(quantity), f"more than {first['exposure']}")]
    for row in rows:
        apart = row["differences"].get(quantity)
        lines.append(
            (row["exposure"], estimate(row["estimates"].get(quantity)), "" if apart is None else estimate(apart))
        )
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    known = first["estimates"][_AUC]
    said = f"{confidence(known['confidence'])} intervals, each by itself: {known['method']}"
    return "\n".join([f"{effect['attack']} on {effect['target']}: what each exposure shows", *table, said])


def exposure_plot(effect: Mapping[str, Any], quantity: str = _AUC) -> str:
    """The same as an SVG; exposures for which the quantity could not be resolved are left out."""
    rows = [(row["exposure"], row["estimates"][quantity]) for row in effect["rows"] if quantity in row["estimates"]]
    return intervals(rows, quantity=f"{_named(quantity)} ({effect['attack']})", marked=_guessing(quantity))


def _named(quantity: str) -> str:
    return "area under the ROC curve" if quantity == _AUC else f"members named at {rate_name(quantity)} false alarms"


def _guessing(quantity: str) -> float:
    return 0.5 if quantity == _AUC else rate_of(quantity)
