"""Many alike files of a folder, as one: how much of what, in how many of them, and in which most.

Promise: files of one folder, one kind and the same columns are summed up where there are `ALIKE` of them; cells are
sums, and "in 139 of 150 files" counts files. The worst files are named as the scan names them
(`reticent.data.scan.files`). Nothing is left out: every finding of a file stands in the record too.

Example:
    >>> from reticent.data.scan.alike import alike
    >>> alike([], [])
    []
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

from reticent.data.scan.detector import GROUPS
from reticent.data.scan.files import ALIKE, NAMES_OF_FILES
from reticent.data.scan.judging import Found
from reticent.data.scan.outcome import ScannedSource

__all__ = ["alike"]

_WORST: Final = 3


def alike(sources: Sequence[ScannedSource], found: Sequence[Found]) -> list[dict[str, Any]]:
    """The groups, as plain values; files that are in none are left out."""
    families: dict[tuple[Any, ...], list[ScannedSource]] = defaultdict(list)
    for one in sources:
        if one.name != NAMES_OF_FILES and one.kind not in ("frame", "table"):
            folder = one.name.rpartition("/")[0]
            families[folder, one.kind, tuple(column.name for column in one.columns)].append(one)
    groups = [(folder, kind, own) for (folder, kind, _), own in families.items() if len(own) >= ALIKE]
    return [_group(folder, kind, own, found) for folder, kind, own in groups]


def _group(folder: str, kind: str, own: Sequence[ScannedSource], found: Sequence[Found]) -> dict[str, Any]:
    members = [one.name for one in own]
    inside = set(members)
    kinds: dict[tuple[Any, ...], list[Found]] = defaultdict(list)
    for one in found:
        if one.source in inside:
            kinds[one.column, one.kind, one.group, one.in_text].append(one)
    problems: Counter[str] = Counter()
    for source in own:
        for problem in source.problems:
            problems[problem["what"]] += problem["count"]
    return {
        "name": f"{folder}/: {len(own)} {kind} files" if folder else f"{len(own)} {kind} files",
        "files": len(own),
        "members": members,
        "kind": kind,
        "rows": sum(one.rows for one in own),
        "looked_at": sum(one.looked_at for one in own),
        "columns": [_column(own, place) for place in range(len(own[0].columns))],
        "found": [_sum(key, kinds[key]) for key in sorted(kinds, key=lambda key: (GROUPS.index(key[2]), key))],
        "problems": [{"what": what, "count": count} for what, count in problems.items()],
    }


def _column(own: Sequence[ScannedSource], place: int) -> dict[str, Any]:
    columns = [one.columns[place] for one in own]
    bounds = [one.missed_at_most for one in columns if one.missed_at_most is not None]
    return {
        "name": columns[0].name,
        "cells": sum(one.cells for one in columns),
        "text": sum(one.text for one in columns),
        "unsearched": sum(one.unsearched for one in columns),
        "kinds": list(dict.fromkeys(kind for one in columns for kind in one.kinds)),
        "missed_at_most": max(bounds, default=None),
        "skipped": next((one.skipped for one in columns if one.skipped), ""),
    }


def _sum(key: tuple[Any, ...], each: Sequence[Found]) -> dict[str, Any]:
    column, kind, group, in_text = key
    worst = sorted(each, key=lambda one: -one.cells)[:_WORST]
    return {
        "column": column,
        "kind": kind,
        "group": group,
        "in_text": in_text,
        "confidence": each[0].confidence if len({one.confidence for one in each}) == 1 else "pattern",
        "named": all(one.named for one in each),
        "cells": sum(one.cells for one in each),
        "files": len(each),
        "most": [{"source": one.source, "cells": one.cells} for one in worst],
        "examples": [example for one in worst for example in one.examples],
    }
