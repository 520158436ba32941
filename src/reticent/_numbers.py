r"""Numbers as they are printed, in one way everywhere.

Promise: so many digits, written out (330, not 3.3e+02) unless the number is minute; what is not quite 1, or not quite
everybody, is never shown as it. Promises and bounds are rounded to their safe side before they come here
(`reticent.privacy.rounding`).

Example:
    >>> from reticent._numbers import count, percent, percentage, shown
    >>> shown(331.4, 2), shown(0.0314, 2), shown(5.4e-19, 2), shown(0.999999), shown(12345.6)
    ('330', '0.031', '5.4e-19', '>0.999', '12300')
    >>> percentage(0.95), percentage(1 - 0.05 / 3), percentage(0.9999999)
    ('95 %', '98.33 %', '>99.99 %')
    >>> count(12345) == "12\N{NARROW NO-BREAK SPACE}345"
    True
    >>> percent(0.0714), percent(0.00412), percent(0.999999)
    ('7.1 %', '0.41 %', '100.0 %')
"""

from __future__ import annotations

import math
from decimal import Decimal

__all__ = ["count", "percent", "percentage", "shown"]

_MINUTE = 1e-4  # below it, places are hard to count


def count(value: int) -> str:
    """A whole number with narrow spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def shown(value: float, digits: int = 3) -> str:
    """The number in so many significant digits, without an exponent unless it is below a ten-thousandth.

    What lies between 0 and 1 is never shown as 1: 0.9999 becomes ">0.999".
    """
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("infinite" if value > 0 else "minus infinite")
    rounded = f"{value:.{digits}g}"
    if 0 < value < 1 and float(rounded) == 1:
        return f">0.{'9' * digits}"
    return rounded if 0 < abs(value) < _MINUTE else f"{Decimal(rounded):f}"


def percent(share: float) -> str:
    """A measured share in per cent, with as many digits as small shares need. An interval stands beside it."""
    value = share * 100
    return f"{value:.2f} %" if 0 < abs(value) < 1 else f"{value:.1f} %"


def percentage(share: float, digits: int = 4) -> str:
    """A share in per cent, in so many digits: a confidence, a level, a false-positive rate.

    What lies below everybody is never shown as 100 %.
    """
    value = share * 100
    if value < 100 and float(f"{value:.{digits}g}") == 100:
        return f">99.{'9' * (digits - 2)} %"
    return f"{shown(value, digits)} %" if value else "0 %"
