"""The legal lists that a scan is held against, each from a data file with its version, source and date.

Promise: what a page says of a rule is what stands in `rules/`; a list that was not to be had is named there as not
covered. The lists are for finding; they are no legal advice, and finding nothing under them proves nothing.

Example:
    >>> from reticent.data.scan.rules import safe_harbor, special_categories
    >>> len(safe_harbor()["rows"]), safe_harbor()["version"], len(special_categories()["rows"])
    (18, '2026-11-22', 10)
"""

from __future__ import annotations

import importlib.resources
import json
from functools import cache
from typing import Any

__all__ = ["little_words", "name_words", "not_names", "restricted_zip3", "safe_harbor", "special_categories"]


@cache
def _read(name: str) -> Any:
    return json.loads(importlib.resources.files("reticent.data.scan").joinpath("rules", name).read_text("utf-8"))


def safe_harbor() -> dict[str, Any]:
    """The rows of HIPAA's Safe Harbor, the oldest age, and the areas of ZIP codes with few people."""
    found: dict[str, Any] = _read("safe_harbor.json")
    return found


def special_categories() -> dict[str, Any]:
    """The special categories of the GDPR, and what is treated like them."""
    found: dict[str, Any] = _read("special_categories.json")
    return found


def restricted_zip3() -> tuple[str, ...]:
    """First three digits of ZIP codes that some census found at most 20,000 people under."""
    return tuple(sorted({prefix for one in safe_harbor()["zip3"]["lists"] for prefix in one["prefixes"]}))


@cache
def _groups(name: str) -> dict[str, frozenset[str]]:
    """Groups of words of a file; a line "= group" begins one."""
    found: dict[str, set[str]] = {}
    text = importlib.resources.files("reticent.data.scan").joinpath("rules", name).read_text("utf-8")
    words: set[str] = set()
    for line in text.splitlines():
        if line.startswith("= "):
            words = found.setdefault(line[2:], set())
        elif not line.startswith("#"):
            words.update(line.split())
    return {group: frozenset(words) for group, words in found.items()}


@cache
def not_names() -> frozenset[str]:
    """Words that are names of people and have another common meaning, in small letters without accents."""
    return frozenset().union(*_groups("not_names.txt").values())


@cache
def little_words() -> frozenset[str]:
    """Those of them that sentences are made of."""
    return _groups("not_names.txt")["little words"]


@cache
def name_words(group: str) -> frozenset[str]:
    """Words around and within names of people, and in the names of columns, by their group."""
    return _groups("name_words.txt")[group]
