r"""Numbers as they are printed, in one way everywhere.

Promise: so many digits, written out (330, not 3.3e+02) unless the number is minute; what is not quite 1, or not quite
everybody or nobody, is never shown as it. Nothing is made to claim more by rounding: intervals are rounded outwards,
p-values and levels up, confidences down. Promises and bounds are rounded to their safe side before they come here
(`reticent.privacy.rounding`).

Example:
    >>> from reticent._numbers import confidence, count, level, p_value, percent, percentage, points, shown, span
    >>> shown(331.4, 2), shown(0.0314, 2), shown(5.4e-19, 2), shown(0.999999), shown(12345.6)
    ('330', '0.031', '5.4e-19', '>0.999', '12300')
    >>> percentage(0.95), percentage(1 - 0.05 / 3), percentage(0.9999999)
    ('95 %', '98.33 %', '>99.99 %')
    >>> count(12345) == "12\N{NARROW NO-BREAK SPACE}345", counted(1, "row"), counted(0, "person", "people")
    (True, '1 row', '0 people')
    >>> percent(0.0714), percent(0.00412), percent(0.999999), percent(1.0)
    ('7.1 %', '0.41 %', '>99.9 %', '100.0 %')
    >>> span(0.5004, 0.7861), points(-0.0001, -0.0312, 0.03)
    ('50.0 to 78.7', '0.0 points (-3.2 to +3.0)')
    >>> p_value(0.0501), confidence(1 - 0.05 / 6), level(0.05 / 6)
    ('0.051', '99.16 %', '0.8334 %')
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

__all__ = [
    "confidence",
    "count",
    "counted",
    "level",
    "outwards",
    "p_value",
    "percent",
    "percentage",
    "points",
    "shown",
    "span",
]

_MINUTE = 1e-4  # below it, places are hard to count
_LEAST_P = 1e-300


def count(value: int) -> str:
    """A whole number with narrow spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def counted(value: int, one: str, many: str | None = None) -> str:
    """So many of something, in the right number: "1 source", "2 sources"; `many` where an s does not do."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


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
    value = float(f"{share * 100:.12g}")  # beyond lies rounding
    text = f"{value:.2f}" if 0 < abs(value) < 1 else f"{value:.1f}"
    if value < 100 and float(text) == 100:
        return ">99.9 %"
    if value > 0 and float(text) == 0:
        return "<0.01 %"
    return f"{text if float(text) else text.lstrip('-')} %"


def span(low: float, high: float, places: int = 1) -> str:
    """An interval of shares in per cent, without the sign, rounded outwards."""
    return " to ".join(outwards(low * 100, high * 100, places))


def outwards(low: float, high: float, places: int) -> tuple[str, str]:
    """The ends of an interval with so many decimals, which hold no less than it does."""
    ends = _placed(low, places, ROUND_FLOOR), _placed(high, places, ROUND_CEILING)
    return f"{ends[0]:.{places}f}", f"{ends[1]:.{places}f}"


def points(value: float, low: float, high: float) -> str:
    """A difference of shares in percentage points with its interval, which is rounded outwards."""
    ends = _placed(low * 100, 1, ROUND_FLOOR), _placed(high * 100, 1, ROUND_CEILING)
    middle, *sides = (f"{one:+.1f}" if one else "0.0" for one in (round(value * 100, 1), *ends))
    return f"{middle} points ({sides[0]} to {sides[1]})"


def p_value(value: float) -> str:
    """A p-value in two digits, rounded up and never to zero."""
    return f"<{_LEAST_P:g}" if value < _LEAST_P else shown(_figures(value, 2, ROUND_CEILING), 2)


def confidence(share: float) -> str:
    """A confidence in per cent, in four digits, rounded down."""
    return percentage(_figures(share, 4, ROUND_FLOOR))


def level(share: float) -> str:
    """An error rate that is not exceeded, in per cent, in four digits, rounded up."""
    return percentage(_figures(share, 4, ROUND_CEILING))


def _figures(value: float, digits: int, way: str) -> float:
    """So many significant digits."""
    return _placed(value, digits - 1 - math.floor(math.log10(value)), way)


def _placed(value: float, places: int, way: str) -> float:
    """So many decimals; the last digits of a float are no part of what it says."""
    return float(Decimal(f"{value:.12g}").quantize(Decimal(1).scaleb(-places), way))


def percentage(share: float, digits: int = 4) -> str:
    """A share in per cent, in so many digits: a confidence, a level, a false-positive rate.

    What lies below everybody is never shown as 100 %.
    """
    value = share * 100
    if value < 100 and float(f"{value:.{digits}g}") == 100:
        return f">99.{'9' * (digits - 2)}".rstrip(".") + " %"
    return f"{shown(value, digits)} %" if value else "0 %"
