"""Rounding for print that never makes a promise look better than it is.

Promise: `round_up(x)` is at or above x, and is x itself if x already has so few digits.

Example:
    >>> from reticent.privacy.rounding import round_up
    >>> round_up(2.99961), round_up(0.5), round_up(0.0)
    (3.0, 0.5, 0.0)
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Context, Decimal

__all__ = ["round_up"]

_DIGITS = Context(prec=400)


def round_up(value: float, digits: int = 4) -> float:
    """A number of so many significant digits at or above the value."""
    if value == 0 or not math.isfinite(value):
        return value
    exact = Decimal(repr(float(value)))  # the decimal digits that name this float, and no other
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), ROUND_CEILING, _DIGITS))
