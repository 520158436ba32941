"""Values that say less than they did: years in place of dates, months, ranges, first digits of ZIP codes.

Promise: a column of such values is judged by what they still say. A year of birth is no date of birth, three digits of
a ZIP code are no ZIP code, as HIPAA's Safe Harbor has it: years are allowed unless they show an age over 89 on the day
of the scan, first three digits are allowed unless few people live there. Months, quarters, weeks, and ranges of days
that are narrower than a year or open say more than a year, so they count as dates; four digits of a ZIP code and
ranges of ZIP codes say more than three. What `reticent.data.anonymity` and `reticent.data.minimisation` write is read
like this.

Not covered: ranges of places, and codes of other countries that were cut short: these stay postcodes.

Sources: 45 CFR 164.514(b)(2)(i)(B) and (C).

Example:
    >>> from reticent.data.scan import scan
    >>> table = {"DOB": ["1967", "1981"], "ZIP": ["021**", "036*"], "admit date": ["2023-11", "2023-12"]}
    >>> [(one.column, one.kind, one.cells, one.safe_harbor) for one in scan(table).quasi][:2]
    [('DOB', 'year in place of a date of birth', 2, ''), ('ZIP', 'US ZIP code, first three digits', 2, '')]
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from reticent.data.scan.detector import Detector, Shape
from reticent.data.scan.hints import Hints
from reticent.data.scan.persons import BIRTHS, DATE, DATES, ZIPS
from reticent.data.scan.rules import restricted_zip3
from reticent.data.tables.dates import MONTHS

__all__ = ["GENERALISED", "over_89", "year_of"]

_OLDEST: Final = 89
_AROUND: Final = Shape(
    digits=(2, 40), letters=(0, 24), spaces=(0, 8), separators=(0, 14), others=(0, 6), foreign=(0, 6), length=(2, 70)
)
_OF_MONTHS: Final = Shape(digits=(4, 6), letters=(0, 9), spaces=(0, 1), separators=(0, 2), length=(6, 15))
_YEAR: Final = "(18|19|20)[0-9]{2}"
_MONTH: Final = (
    rf"({_YEAR}-(0[1-9]|1[0-2])|(?i:({MONTHS})[a-z]*[ .-]+{_YEAR}|{_YEAR}[- ]({MONTHS})[a-z]*)|"
    rf"{_YEAR}[- ]?[QqWw][0-9]{{1,2}}|[Qq][1-4][ /-]{_YEAR})"
)
_ALSO_MONTH: Final = rf"({_MONTH}|{_YEAR}[/.](0?[1-9]|1[0-2])|(0?[1-9]|1[0-2])[-/.]{_YEAR})"
_BORDER: Final = rf"({DATE}([T ][0-9:.]+)?)"
_RANGE: Final = (
    rf"^(missing or )?([<>]=? ?{_BORDER}|[\[(]?{_BORDER}(, ?| ?\.\. ?| to | - ?){_BORDER}[\])]?|"
    rf"[\[(]?-?inf, ?{_BORDER}[\])]?|[\[(]?{_BORDER}, ?inf[\])]?)$"
)
_YEARS: Final = (
    rf"^({_YEAR}|(18|19|20)[0-9][*xX]|(18|19|20)[0-9]0s|[<>]=? ?{_YEAR}|"
    rf"[\[(]?{_YEAR}(, ?| ?\.\. ?| to | ?- ?){_YEAR}[\])]?)$"
)
_THREE: Final = r"^[0-9]{2,3}(\*{0,2}|[xX]{0,2}|-)$"
_ZIP: Final = "[0-9]{4,5}(-[0-9]{4})?"
_ZIP_RANGE: Final = (
    rf"^(missing or )?([0-9]{{4}}[*xX]|[0-9]{{5}}-?[*xX]{{4}}|[<>]=? ?{_ZIP}|{_ZIP} ?\.\. ?{_ZIP})$|^missing or {_ZIP}$"
)
_ALLOWED: Final = (
    "to be written as 000: few people live there (censuses of 2000 and 2010; the one of 2020 is not covered)"
)


def over_89(year: int, today: dt.date | None = None) -> bool:
    """Whether somebody who was born in a year can be over 89 on a day; the day of the scan, if none is given.

    Example:
        >>> [over_89(year, dt.date(2026, 11, 22)) for year in (1935, 1936, 1937)]
        [True, True, False]
    """
    now = today or dt.datetime.now(dt.UTC).date()
    return now.year - year > _OLDEST


def year_of(text: str, today: dt.date | None = None) -> int | None:
    """The year of a date as it is written; of two digits the last such year that is not to come.

    Example:
        >>> [year_of(one, dt.date(2026, 1, 1)) for one in ("05/29/1931", "1931-05-29", "19310529", "5/29/31", "x")]
        [1931, 1931, 1931, 1931, None]
    """
    found = re.search(r"(?<!\d)((?:18|19|20)\d\d)(?:\d{4})?(?!\d)", text)
    if found is not None:
        return int(found.group(1))
    short = re.search(r"[-/. ](\d\d)$", text)
    if short is None:
        return None
    now = (today or dt.datetime.now(dt.UTC).date()).year
    year = now - now % 100 + int(short.group(1))
    return year if year <= now else year - 100


def _old(text: str) -> bool:
    year = year_of(text)
    return year is not None and over_89(year)


def _days(text: str) -> list[dt.date]:
    """The days in a text, as good as they can be told: of two readings the first."""
    days = []
    for found in re.finditer(r"(\d{4})-(\d\d?)-(\d\d?)|(\d\d?)[/.-](\d\d?)[/.-](\d{4})", text):
        year, first, second = (found.group(one) for one in ((1, 2, 3) if found.group(1) else (6, 4, 5)))
        month, day = int(first), int(second)
        month, day = (day, month) if month > 12 else (month, day)
        try:
            days.append(dt.date(int(year), month, day))
        except ValueError:
            continue
    return days


def _wide(text: str) -> bool:
    """Whether a range of days is a year or wider."""
    days = _days(text)
    return len(days) == 2 and abs((days[1] - days[0]).days) >= 365


def _kind(name: str, hints: Hints, raw: str, shape: Shape = _AROUND, **more: object) -> Detector:
    """Values that say less, in a column that is called after what they were."""
    return Detector(name, "quasi", shape, raw=raw, hints=hints, needs_hint=True, named=False, **more)  # type: ignore[arg-type]


_ANY_DATE: Final = Hints((*BIRTHS.names, *DATES.names), against=BIRTHS.against)

GENERALISED: Final = (
    _kind("year in place of a date of birth", BIRTHS, _YEARS,
          means="allowed by Safe Harbor, unless it shows an age over 89"),
    Detector(
        "birth over 89 years ago", "quasi", _AROUND,
        raw=r"^(.*[^0-9])?(18[0-9]{2}|19[0-4][0-9])([0-9]{4})?([^0-9].*)?$|^[0-9]{1,2}[-/. ].*[-/. ][0-9]{2}$",
        whole=_old, hints=Hints((*BIRTHS.names, "birth year", "year of birth", "year born", "yob", "geburtsjahr")),
        needs_hint=True, named=False, safe_harbor="C",
        means="born so long ago: over 89 on the day of this scan, or later in that year",
    ),
    Detector("month or quarter", "quasi", _OF_MONTHS, hinted_shape=_AROUND, raw=f"^({_MONTH})$",
        hinted_raw=f"^({_ALSO_MONTH})$", least=0.5,
             hints=Hints((*_ANY_DATE.names, "month"), against=BIRTHS.against), named=False, safe_harbor="C",
             means="more than the year"),
    Detector("range of dates", "quasi", _AROUND, raw=_RANGE, whole=lambda text: not _wide(text),
        needs_hint=True, hints=_ANY_DATE,
             named=False, safe_harbor="C", means="an open range, or one narrower than a year"),
    Detector("range of dates, a year or wider", "quasi", _AROUND, raw=_RANGE, whole=_wide, needs_hint=True,
        hints=_ANY_DATE, named=False),
    _kind("US ZIP code, first three digits", ZIPS, _THREE, means="allowed by Safe Harbor, but for small areas"),
    _kind("US ZIP code, three digits of a small area", ZIPS, _THREE, pad=3, safe_harbor="B", means=_ALLOWED,
          pattern=rf"^({'|'.join(restricted_zip3())})([*X]*)$"),
    _kind("part of a US ZIP code, or a range", ZIPS, _ZIP_RANGE, safe_harbor="B", means="more than three digits"),
)  # fmt: skip
"""Every kind, in no order."""
