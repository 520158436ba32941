"""A piece of personal data in a text, and a kind of such pieces.

Promise: a kind says by what pattern its pieces are found, which texts need not be searched for them, and what a piece
is for the lists of the law. Patterns are of Python's `re`; gates are of RE2, which answers for many texts at once.

Example:
    >>> from reticent.data.scan.entity import announced
    >>> ward = announced("ward", "quasi", "ward", "[A-Z]", "")
    >>> [(one.kind, one.start, one.end) for one in ward.search("Ward no. B")]
    [('ward', 9, 10)]
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final, NamedTuple

__all__ = ["GAP", "Entity", "Kind", "announced", "compiled"]

GAP: Final = r"[\s:#=.-]{1,4}(?:(?i:is|are|no|number|num|nr|n°|id|to|on|at|with)\b[\s:#=.]{0,4}){0,3}"
"""Between a word and what it announces."""


class Entity(NamedTuple):
    """A piece of personal data in a text.

    Attributes:
        kind: what it is, by the name of its detector.
        start, end: where, in characters.
        sure: confirmed by check digits.
        named: a word before it says what it is.
    """

    kind: str
    start: int
    end: int
    sure: bool = False
    named: bool = False


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is looked for in texts.

    Args:
        name: of the kind.
        group: direct, quasi or sensitive.
        gate: RE2; texts without it are not searched; empty: the pattern itself.
        pattern: Python's; the first group is the entity, if there is one.
        check: whether a piece that fits is one.
        sure: pieces are confirmed by check digits.
        safe_harbor: letters of 45 CFR 164.514(b)(2)(i).
        find: where pieces are, in place of a pattern.
        special: which special category it is (`reticent.data.scan.rules`).
        named: pieces are announced by a word.
    """

    name: str
    group: str
    gate: str
    pattern: str
    check: Callable[[str], bool] | None = None
    sure: bool = False
    safe_harbor: str = ""
    find: Callable[[str], Iterable[tuple[int, int]]] | None = None
    special: str = ""
    named: bool = False

    def search(self, text: str) -> Iterable[Entity]:
        """Its pieces in a text, in order."""
        if self.find is not None:
            yield from (Entity(self.name, start, end, self.sure, self.named) for start, end in self.find(text))
            return
        for match in compiled(self.pattern).finditer(text):
            place = 1 if match.re.groups else 0
            if match.group(place) and (self.check is None or self.check(match.group(place))):
                yield Entity(self.name, match.start(place), match.end(place), self.sure, self.named)


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern, made once."""
    return re.compile(pattern)


def announced(
    name: str, group: str, words: str, value: str, safe_harbor: str, *, special: str = "",
    check: Callable[[str], bool] | None = None,
) -> Kind:  # fmt: skip
    """A kind whose pieces stand behind one of some words."""
    pattern = rf"\b(?i:{words}){GAP}({value})\b"
    return Kind(name, group, "", pattern, check, safe_harbor=safe_harbor, special=special, named=True)
