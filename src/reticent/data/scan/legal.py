"""A scan held against two lists: the eighteen identifiers of HIPAA's Safe Harbor, and the GDPR's special categories.

Promise: every row says by what it was looked for, in how many cells, and what was found; a row for which no detector
looks at values says so, and so does one whose detectors wait for a column's name that no column has, or whose texts
were not searched. A row
without hits is no proof: detectors miss. This is neither a determination under 45 CFR 164.514 nor an assessment under
the GDPR.

Example:
    >>> from reticent.data.scan.legal import safe_harbor_table
    >>> rows = safe_harbor_table([], {"A": (0, 0), "C": (0, 7), "F": (10, 0)}, text_names="")
    >>> [(row["letter"], row["cells"], row["status"]) for row in rows if row["letter"] in "ACF"]
    [('A', 0, 'no column is called so'), ('C', 0, 'not searched'), ('F', 10, 'not found')]
    >>> {row["letter"]: row["status"] for row in rows}["P"]
    "looked for by columns' names only"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reticent.data.scan.detector import Detector
from reticent.data.scan.judging import Found
from reticent.data.scan.names import installed
from reticent.data.scan.rules import safe_harbor, special_categories
from reticent.data.scan.tally import DETECTORS
from reticent.data.scan.text import KINDS

__all__ = ["basis", "safe_harbor_table", "special_table"]


def basis(detector: Detector) -> str:
    """What a detector goes by."""
    if not detector.has_pattern:
        return "column's name"
    if detector.among is not None and installed():
        return "lists of names and column's name"
    if detector.loose:
        return "column's name"
    ways = ["checksum"] if detector.has_checksum else ["list of values" if detector.listed else "pattern"]
    return " and ".join([*ways, *(["column's name"] if detector.needs_hint else [])])


def safe_harbor_table(
    found: Sequence[Found],
    cells: Mapping[str, tuple[int, int]],
    *,
    text_names: str,
    called: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """The eighteen rows, A to R.

    Args:
        found: every finding.
        cells: of each letter, how many cells its detectors looked at, and how many texts nobody searched for it.
        text_names: what finds names in texts.
        called: what sources are called where things were found, if not by their names.
    """
    rows = []
    for letter, title in safe_harbor()["rows"]:
        own = [one for one in DETECTORS if letter in one.safe_harbor]
        inside = sorted({kind.name for kind in KINDS if letter in kind.safe_harbor})
        hits = [one for one in found if letter in one.safe_harbor]
        looks = any(one.has_pattern for one in own) or bool(inside)
        seen, unsearched = cells.get(letter, (0, 0))
        listed = [f"{one.name} ({basis(one)})" for one in own]
        if inside:
            listed.append(
                f"in texts: {', '.join(inside)}" + (f" ({text_names})" if letter == "A" and text_names else "")
            )
        rows.append({
            "letter": letter,
            "title": title,
            "detectors": listed,
            "cells": seen,
            "not_searched": unsearched,
            "hits": _cells(hits),
            "where": _where(hits, called),
            "status": "found" if hits else _status(seen, unsearched, looks=looks, named=bool(own)),
        })  # fmt: skip
    return rows


def _status(seen: int, unsearched: int, *, looks: bool, named: bool) -> str:
    if not looks:
        return "looked for by columns' names only" if named else "no detector"
    if not seen:
        return "not searched" if unsearched else "no column is called so"
    return "not found; texts not searched" if unsearched else "not found"


def _cells(hits: Sequence[Found]) -> int:
    """In how many cells there is something, at most: of one column no more than it has, and births are dates."""
    columns: dict[tuple[str, str], list[Found]] = {}
    for one in hits:
        columns.setdefault((one.source, one.column), []).append(one)
    found = 0
    for own in columns.values():
        dated = any(one.in_text and one.kind == "date" for one in own)
        counted = [one for one in own if not (dated and one.in_text and one.kind == "date of birth")]
        found += min(sum(one.cells for one in counted), max(one.share.n or 0 for one in own))
    return found


def _where(hits: Sequence[Found], called: Mapping[str, str] | None) -> list[str]:
    return sorted({f"{(called or {}).get(one.source, one.source)}: {one.column} ({one.kind})" for one in hits})


def special_table(found: Sequence[Found], called: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The GDPR's special categories and what is treated like them, and where they were found."""
    rows = []
    for special, article, title in special_categories()["rows"]:
        own = [one for one in DETECTORS if one.special == special]
        hits = [one for one in found if one.special == special]
        looks = any(one.has_pattern for one in own)
        rows.append({
            "special": special,
            "article": article,
            "title": title,
            "detectors": [f"{one.name} ({basis(one)})" for one in own],
            "hits": _cells(hits),
            "where": _where(hits, called),
            "status": "found" if hits else ("not found" if looks else "names of columns only"),
        })  # fmt: skip
    return rows
