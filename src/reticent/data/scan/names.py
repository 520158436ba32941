"""Lists of people's names, and whether a value is a name by them.

Promise: nothing is downloaded and no list ships with reticent: the lists come with two packages of the extra `names`.
Without them `lists` gives None, and names are found by the names of columns and by the words before them only. Which
lists were used, and of what size, stands in every scan. A word with another common meaning ("May", "Rose", "Jordan")
is no name by itself. Most names of the world are in no list: what is not found may be a name.

Sources: first names and surnames of the US census of 1990, by the package names 0.3.0 (MIT; data of the US government,
2013); first and last names of 86 languages and countries in Faker (MIT). names-dataset was not taken: its names are
those of people in a leak of 533 million accounts. gender-guesser (GPL) and nomquamgender (first names only, 722,000
of them, most rare) were not taken either. The words that are no names were written by hand (`rules/not_names.txt`).

Example:
    >>> from reticent.data.scan.names import fold, initials
    >>> fold("Łukasz"), fold("Þórir O'Neil"), initials("J.R.")
    ('lukasz', "thorir o'neil", True)
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import importlib.resources
import importlib.resources.abc
import importlib.util
import pkgutil
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Final

from reticent.data.scan.rules import name_words, not_names

__all__ = ["Lists", "fold", "initials", "installed", "is_name", "lists", "names_among"]

_LETTERS: Final = str.maketrans({
    "ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "ð": "d", "đ": "d", "þ": "th", "ı": "i", "ə": "e", "’": "'",  # noqa: RUF001
})  # fmt: skip
_PARTICLES: Final = name_words("within names")
_TITLES: Final = name_words("beside names")
_LONGEST: Final = 6


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """In small letters, without accents; letters that are no accented ones by their nearest."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def initials(word: str) -> bool:
    """Whether a word is one or several initials."""
    return re.fullmatch(r"(?:[^\W\d_]\.){1,3}|[^\W\d_]", word) is not None


@dataclasses.dataclass(frozen=True, repr=False)
class Lists:
    """Names that some list has, folded.

    Attributes:
        given: first names.
        family: last names.
        source: which lists they are, in words.
    """

    given: frozenset[str]
    family: frozenset[str]
    source: str

    def has_family(self, word: str) -> bool:
        """Whether a folded word is a listed last name, or the form of one that Slavic women bear."""
        if word in self.family:
            return True
        if word.endswith(("ska", "cka")):
            return f"{word[:-1]}i" in self.family
        return word.endswith(("ova", "eva", "ina")) and (word[:-1] in self.family or word[:-3] in self.family)

    def __repr__(self) -> str:
        return f"Lists({len(self.given)} first names, {len(self.family)} last names)"


@cache
def installed() -> bool:
    """Whether there are lists; they are not read for that."""
    return all(importlib.util.find_spec(name) is not None for name in ("names", "faker"))


@cache
def lists() -> Lists | None:
    """The lists of names that are installed; None if the extra `names` is not."""
    if not installed():
        return None
    census = importlib.resources.files("names")
    faker = importlib.import_module("faker.providers.person")
    given = {line for file in ("dist.male.first", "dist.female.first") for line in _census(census, file)}
    family = set(_census(census, "dist.all.last"))
    for locale in pkgutil.iter_modules(faker.__path__):
        provider = importlib.import_module(f"{faker.__name__}.{locale.name}").Provider
        given |= set(_listed(provider, "first_name"))
        family |= set(_listed(provider, "last_name"))
    versions = " and ".join(f"{name} {importlib.metadata.version(name)}" for name in ("names", "faker"))
    return Lists(
        frozenset(given), frozenset(family),
        f"lists of {len(given):,} first and {len(family):,} last names ({versions})",
    )  # fmt: skip


def _census(folder: importlib.resources.abc.Traversable, file: str) -> Iterator[str]:
    lines = folder.joinpath(file).read_text("utf-8").splitlines()
    return (line.split()[0].lower() for line in lines if len(line.split()[0]) > 1)


def _listed(provider: type, start: str) -> Iterator[str]:
    for attribute in dir(provider):
        names = getattr(provider, attribute)
        if attribute.startswith(start) and isinstance(names, tuple | list | dict):
            yield from (fold(name) for name in names if isinstance(name, str) and len(name) > 1 and " " not in name)


def names_among(values: Iterable[str]) -> int | None:
    """How many values are names by the lists; None if there are no lists."""
    known = lists()
    return None if known is None else sum(is_name(value, known) for value in values)


def is_name(value: str, known: Lists) -> bool:
    """Whether a whole value is the name of a person by the lists: one name, or several of which the lists know enough.

    Of several words the first must be a first name or initials and the last no word with another meaning, or both
    must be last names; "Last, First" is turned round.
    """
    if value.count(",") == 1:
        value = " ".join(reversed(value.split(",")))
    words = [fold(word) for word in value.split()]
    words = [word for word in words if word.rstrip(".") not in _TITLES and word not in _PARTICLES]
    if not words or len(words) > _LONGEST:
        return False
    if len(words) == 1:
        return any(_listed_alone(part, known) for part in (words[0], *words[0].split("-")))
    first, last = words[0], words[-1]
    if initials(last):
        first, last = last, first
    others = not_names()
    if last in others and first in others:
        return False
    if initials(first):
        return known.has_family(last) and last not in others
    begins = any(part in known.given for part in (first, first.split("-")[0]))
    ends = any(known.has_family(part) or part in known.given for part in (last, *last.split("-")))
    return (begins and ends) or (begins and last not in others and first not in others)


def _listed_alone(word: str, known: Lists) -> bool:
    return len(word) > 2 and word not in not_names() and (word in known.given or known.has_family(word))
