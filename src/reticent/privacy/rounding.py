"""Rounding for print that never makes a promise look better, or a leak larger, than it is.

Promise: `round_up(x)` is at or above x, `round_down(x)` at or below it, and both are x itself if x already has so few
digits. Upper bounds on what is given away are rounded up, lower bounds down.

Example:
    >>> from reticent.privacy.rounding import round_down, round_up
    >>> round_up(2.99961), round_up(0.5), round_up(0.0)
    (3.0, 0.5, 0.0)
    >>> round_down(2.99961), round_down(0.5), round_down(0.0)
    (2.999, 0.5, 0.0)
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

__all__ = ["round_down", "round_up"]

_DIGITS = Context(prec=400)


def round_up(value: float, digits: int = 4) -> float:
    """A number of so many significant digits at or above the value."""
    return _rounded(value, digits, ROUND_CEILING)


def round_down(value: float, digits: int = 4) -> float:
    """A number of so many significant digits at or below the value."""
    return _rounded(value, digits, ROUND_FLOOR)


def _rounded(value: float, digits: int, way: str) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    exact = Decimal(repr(float(value)))  # the decimal digits that name this float, and no other
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), way, _DIGITS))
