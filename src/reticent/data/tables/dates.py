"""Texts read as dates, however they are written, as long as that can be told.

Promise: a text becomes a date only if it is one: 2023-02-30 is none. Ways of writing that can be read in one way only
may be mixed in a column: the year first (2023-04-01, 2023/4/1), a month by its English name (1 Apr 2023, April 1,
2023), with or without a time of day. Where day and month could change places (04/05/2023), the rest of the column
decides, for each separator by itself: the day comes first if some cells can only be read so, none can only be read the
other way, and they are not few beside those that could be either (`_EVIDENCE`). With points, the day comes first
unless cells speak against it. What cannot be told is left unread and counted. Whoever knows better says so in formats;
then nothing is inferred from other cells, and a text is read in the same way wherever it stands.

Formats are those of strptime: %Y %y %m %d %b (or %B, English) %H %I %M %S %f %p %z, all else as it stands. Two digits
of a year are never guessed: %y means 1969 to 2068, as POSIX has it. A time of day may follow any date. Times with a
zone become UTC.

Shapes: texts (n,), counts (n,) how many cells have each; moments (n,) datetime64[us], NaT where there is none.

Example:
    >>> from reticent.data.tables.dates import dates_in
    >>> found = dates_in(["2023-04-01", "13/04/2023", "04/05/2023", "1 Apr 2023", "n/a"])
    >>> found.moments.astype("datetime64[D]").astype(str).tolist()
    ['2023-04-01', '2023-04-13', '2023-05-04', '2023-04-01', 'NaT']
    >>> found.formats, found.settled
    (('%d/%m/%Y', '%Y-%m-%d', '%d %b %Y'), (Settled(format='%d/%m/%Y', cells=1, evidence=1),))
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from reticent.errors import UsageError

__all__ = ["LOOKS", "MONTHS", "TIME", "Dates", "Settled", "check_format", "dates_in"]

Moments = npt.NDArray[np.datetime64]
Mask = npt.NDArray[np.bool_]

MONTHS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
LOOKS: Final = (
    r"((1[89]|20)[0-9]{2}[-/.](0?[1-9]|1[0-2])[-/.](0?[1-9]|[12][0-9]|3[01])|"
    r"(0?[1-9]|[12][0-9]|3[01])[-/.](0?[1-9]|[12][0-9]|3[01])[-/.](1[89]|20)[0-9]{2}|"
    r"(0[1-9]|[12][0-9]|3[01])[.](0[1-9]|1[0-2])[.][0-9]{2}|"  # not 1.2.30, which is a version
    r"(0?[1-9]|[12][0-9]|3[01])[-/](0?[1-9]|[12][0-9]|3[01])[-/][0-9]{2}|"
    rf"(?i:[0-9]{{1,2}}(st|nd|rd|th)?[ -]({MONTHS})[a-z]*[ ,.-]+[0-9]{{2,4}}|"
    rf"({MONTHS})[a-z]*[ .]+[0-9]{{1,2}},? [0-9]{{4}}))"
)
"""What looks like a date, whether it is one or not (RE2)."""
TIME: Final = r"([T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?[AaPp][Mm])?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
"""A time of day that may follow it."""

_LONGEST: Final = 40
_EVIDENCE: Final = 0.05
_SEPARATORS: Final = ("/", "-", ".")
_SURE: Final = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
)
_LOOSER: Final = {  # how people write these, beyond the letter of the format
    "%d %b %Y": r"(?P<d>[0-9]{1,2})(?:st|nd|rd|th|\.)? +(?:of +)?(?P<b>[A-Za-z]{3,9})[.,]? +(?P<Y>[0-9]{4})",
    "%b %d, %Y": r"(?P<b>[A-Za-z]{3,9})\.? +(?P<d>[0-9]{1,2})(?:st|nd|rd|th)?,? +(?P<Y>[0-9]{4})",
}
_TIMES: Final = (
    r"(?:[T ] *(?P<H>[0-9]{1,2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?"
    r"(?: ?(?P<p>[AaPp])\.?[Mm]\.?)?(?: ?(?P<z>Z|[+-][0-9]{2}:?[0-9]{2}))?)?"
)
_FIELDS: Final = {
    "Y": r"(?P<Y>[0-9]{4})", "y": r"(?P<y>[0-9]{2})", "b": r"(?P<b>[A-Za-z]{3,9})", "B": r"(?P<b>[A-Za-z]{3,9})",
    "f": r"(?P<f>[0-9]{1,9})", "p": r"(?P<p>[AaPp])\.?[Mm]\.?", "z": r"(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})",
}  # fmt: skip
_SHORT: Final = "mdHIMS"  # fields of two digits, or of one where something stands around it
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip


class Settled(NamedTuple):
    """An order of day and month that the column's own cells decided.

    Attributes:
        format: that they decided for.
        cells: that could have been read either way.
        evidence: cells that could be read in this way only; 0 where the way is a custom (points).
    """

    format: str
    cells: int
    evidence: int


class Dates(NamedTuple):
    """What was read.

    Attributes:
        moments: (n,) NaT where a text is no date, or it cannot be told which.
        looks: (n,) which texts look like dates.
        formats: that were met, the most frequent first.
        settled: orders of day and month that cells decided.
        either: cells of which it cannot be told whether day or month comes first.
    """

    moments: Moments
    looks: Mask
    formats: tuple[str, ...]
    settled: tuple[Settled, ...]
    either: int


def check_format(text: str) -> str:
    """The format, if it can be read, and says a day.

    Raises:
        UsageError: a directive that is not known, or no year, month and day.
    """
    _pattern(text)
    return text


def dates_in(
    texts: Sequence[str] | npt.NDArray[Any], counts: npt.NDArray[Any] | None = None, formats: Sequence[str] = ()
) -> Dates:
    """Read texts as dates.

    Args:
        texts: different ones; none is missing.
        counts: how many cells have each; one, by default.
        formats: in which they are written. With them, nothing is inferred from other texts: beside them only what can
            be read in one way is read.

    Raises:
        UsageError: a format that cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    count = len(texts)
    weights = np.ones(count, np.int64) if counts is None else np.asarray(counts)
    moments = np.full(count, np.datetime64("NaT", "us"))
    used: dict[str, int] = {}
    trimmed = pc.utf8_trim_whitespace(pa.array(texts, pa.string()))
    there = pc.and_(pc.match_substring_regex(trimmed, "[0-9]"), pc.less_equal(pc.utf8_length(trimmed), _LONGEST))
    rest = np.flatnonzero(there.to_numpy(zero_copy_only=False))
    looks = np.zeros(count, dtype=bool)
    own = trimmed.take(pa.array(rest))
    looks[rest] = pc.match_substring_regex(own, f"^{LOOKS}{TIME}$").to_numpy(zero_copy_only=False)
    customs = () if any(_separator(one) == "." for one in formats) else ("%d.%m.%Y",)
    for one in (*formats, *_SURE, *(customs if formats else ())):
        if not len(rest):
            break
        found = _read(trimmed.take(pa.array(rest)), one)
        good = ~np.isnat(found)
        moments[rest[good]] = found[good]
        if good.any():
            used[one] = used.get(one, 0) + int(weights[rest[good]].sum())
        rest = rest[~good]
    settled, either = [], 0
    for separator in _SEPARATORS if not formats and len(rest) else ():
        rest, way, open_cells = _ordered(trimmed, rest, weights, separator, moments, used)
        settled += way
        either += open_cells
    looks |= ~np.isnat(moments)
    return Dates(moments, looks, tuple(sorted(used, key=lambda one: -used[one])), tuple(settled), either)


def _ordered(
    texts: Any, rest: npt.NDArray[np.int64], weights: Any, separator: str, moments: Moments, used: dict[str, int]
) -> tuple[npt.NDArray[np.int64], list[Settled], int]:
    """Read what has this separator and its year behind; what is left, what was settled, and what cannot be."""
    import pyarrow as pa

    ways = (f"%d{separator}%m{separator}%Y", f"%m{separator}%d{separator}%Y")
    part = texts.take(pa.array(rest))
    first, second = (_read(part, one) for one in ways)
    days, months = ~np.isnat(first), ~np.isnat(second)
    either = days & months & (first != second)
    size = weights[rest]
    for_days, for_months, open_cells = (int(size[one].sum()) for one in (days & ~months, months & ~days, either))
    chosen, evidence = None, 0
    if for_days and not for_months and for_days >= _EVIDENCE * open_cells:
        chosen, evidence = 0, for_days
    elif for_months and not for_days and for_months >= _EVIDENCE * open_cells:
        chosen, evidence = 1, for_months
    elif separator == "." and not for_months:
        chosen = 0
    found = np.where(days, first, second)
    found[either] = (first, second)[chosen][either] if chosen is not None else np.datetime64("NaT", "us")
    good = ~np.isnat(found)
    moments[rest[good]] = found[good]
    for way, mine in zip(ways, (days, months), strict=True):
        held = good & mine & ~(either & (chosen != ways.index(way)))
        if way == ways[1]:
            held &= ~days | (chosen == 1)
        elif chosen == 1:
            held &= ~months
        if held.any():
            used[way] = used.get(way, 0) + int(size[held].sum())
    settled = [] if chosen is None or not open_cells else [Settled(ways[chosen], open_cells, evidence)]
    return rest[~(days | months)], settled, open_cells if chosen is None else 0


def _separator(text: str) -> str:
    """What stands between day and month of a format whose year comes last; "" for others."""
    found = re.match(r"%[dm](.)%[dm]\1%[Yy]", text)
    return found[1] if found else ""


@functools.cache
def _pattern(text: str) -> str:
    """What texts of a format look like (RE2)."""
    if text in _LOOSER:
        return f"^{_LOOSER[text]}{_TIMES}$"
    parts: list[str] = []
    fields: list[str] = []
    at = 0
    while at < len(text):
        letter = text[at]
        if letter != "%":
            parts.append(" +" if letter == " " else re.escape(letter))
            at += 1
            continue
        field = text[at + 1 : at + 2]
        if field not in (*_FIELDS, *_SHORT) or field in fields or (field in "bBm" and {*"bBm"} & {*fields}):
            raise UsageError(
                f"Expected a format of dates such as %d.%m.%Y, got {text!r}.",
                "Use %Y %y %m %d %b %H %I %M %S %f %p %z, each once.",
            )
        fields.append(field)
        lone = (at == 0 or text[at - 2 : at - 1] != "%") and text[at + 2 : at + 3] != "%"
        parts.append(_FIELDS.get(field, f"(?P<{field}>[0-9]{{{'1,2' if lone else '2'}}})"))
        at += 2
    if not ({*"Yy"} & {*fields} and {*"bBm"} & {*fields} and "d" in fields):
        raise UsageError(f"Expected a format with year, month and day, got {text!r}.", "Write it as %d.%m.%Y.")
    times = "" if {*"HIMSfpz"} & {*fields} else _TIMES
    return f"^{''.join(parts)}{times}$"


def _read(texts: Any, one: str) -> Moments:
    """(n,) the moments of texts that are written in a format."""
    import pyarrow.compute as pc

    found = pc.extract_regex(texts, _pattern(one))
    good = np.flatnonzero(pc.is_valid(found).to_numpy(zero_copy_only=False))
    moments = np.full(len(texts), np.datetime64("NaT", "us"))
    if not len(good):
        return moments
    import pyarrow as pa

    found = found.take(pa.array(good))
    names = [found.type.field(place).name for place in range(found.type.num_fields)]
    fields = {name: pc.struct_field(found, name) for name in names if name}

    def number(name: str) -> npt.NDArray[np.int64]:
        if name not in fields:
            return np.zeros(len(good), np.int64)
        cells = pc.if_else(pc.equal(fields[name], ""), "0", fields[name])
        whole: npt.NDArray[np.int64] = cells.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return whole

    short = number("y")
    years = number("Y") if "Y" in fields else np.where(short < 69, 2000, 1900) + short
    months = _months(fields["b"]) if "b" in fields else number("m")
    days = number("d")
    hours, wrong = _hours(fields, number)
    minutes, seconds = number("M"), number("S")
    wrong |= (months < 1) | (months > 12) | (days < 1) | (years < 1) | (minutes > 59) | (seconds > 59)
    at = ((years - 1970) * 12 + np.where(wrong, 1, months) - 1).astype("datetime64[M]")
    dates = at.astype("datetime64[D]") + (days - 1)
    wrong |= dates.astype("datetime64[M]") != at
    of_day = ((hours * 60 + minutes - _offsets(fields, len(good))) * 60 + seconds) * 1_000_000
    whole = dates.astype("datetime64[us]") + (of_day + _fractions(fields, len(good))).astype("timedelta64[us]")
    whole[wrong] = np.datetime64("NaT", "us")
    moments[good] = whole
    return moments


def _months(names: Any) -> npt.NDArray[np.int64]:
    """Numbers of months by their names; 0 for other words."""
    known = {full: place + 1 for place, full in enumerate(_MONTHS)}
    known |= {full[:3]: place + 1 for place, full in enumerate(_MONTHS)} | {"sept": 9}
    encoded = names.dictionary_encode()
    numbers = [known.get(word.lower(), 0) for word in encoded.dictionary.to_pylist()]
    found: npt.NDArray[np.int64] = np.array(numbers, np.int64)[encoded.indices.to_numpy(zero_copy_only=False)]
    return found


def _hours(fields: dict[str, Any], number: Any) -> tuple[npt.NDArray[np.int64], Mask]:
    """Hours of the day, and which are none."""
    import pyarrow.compute as pc

    hours = number("I") if "I" in fields else number("H")
    if "p" not in fields:
        return hours, hours > 23
    half = pc.utf8_lower(fields["p"]).to_numpy(zero_copy_only=False)
    twelve = half != ""
    wrong = np.where(twelve, (hours < 1) | (hours > 12), hours > 23)
    return np.where(twelve, hours % 12 + np.where(half == "p", 12, 0), hours), wrong.astype(bool)


def _offsets(fields: dict[str, Any], count: int) -> npt.NDArray[np.int64]:
    """Minutes by which clocks of a text's zone are before UTC."""
    if "z" not in fields:
        return np.zeros(count, np.int64)
    encoded = fields["z"].dictionary_encode()
    minutes = [_minutes(word) for word in encoded.dictionary.to_pylist()]
    found: npt.NDArray[np.int64] = np.array(minutes, np.int64)[encoded.indices.to_numpy(zero_copy_only=False)]
    return found


def _minutes(zone: str) -> int:
    if zone in ("", "Z"):
        return 0
    digits = zone[1:].replace(":", "")
    return (-1 if zone[0] == "-" else 1) * (int(digits[:2]) * 60 + int(digits[2:]))


def _fractions(fields: dict[str, Any], count: int) -> npt.NDArray[np.int64]:
    """Millionths of a second."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "f" not in fields:
        return np.zeros(count, np.int64)
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(fields["f"], 6, "0"), 0, 6)
    found: npt.NDArray[np.int64] = digits.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return found
