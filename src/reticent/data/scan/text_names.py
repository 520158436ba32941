"""Names of people in English text, by lists of names and the words around them.

Promise: `names_in` says where names stand. With the lists of the extra `names` a name is a run of words with capitals
of which the lists know enough; without them only words that announce it (a title, "my name is", "said") tell. No model
and no network. Organisations, places and common words that are also names are left out where a word nearby gives them
away. Names in other languages' sentences are found by titles and lists only. What it finds and misses is measured in
`benchmarks/scan.py`; a spaCy model finds other names (`reticent.data.scan.presidio`).

How it works: words with capitals that follow one another are a run. Each run gets points: for a first word that is a
listed first name, for a last word that is a listed last name, for words before and after that speak of people, and
against it for those that speak of places and organisations; `_ENOUGH` points make a name.

Example:
    >>> from reticent.data.scan.text_names import names_in
    >>> text = "Dear Ms. Example, please ask Prof. Ångström about the bill."
    >>> [text[start:end] for start, end in names_in(text, None)]
    ['Example', 'Ångström']
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from reticent.data.scan.names import Lists, fold
from reticent.data.scan.rules import little_words, name_words, not_names

__all__ = ["GATE", "TITLES", "names_in", "speaks_of_no_person"]

TITLES: Final = name_words("titles")
_ENOUGH: Final = 2.0
_LONGEST: Final = 5
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")  # noqa: RUF001 (an apostrophe that people type)
_CAPITALISED: Final = re.compile(r"(?<![^\W\d_])[^\W\d_a-z][^\W\d_]*")
_POSSESSIVE: Final = re.compile(r"['’]s?$")  # noqa: RUF001
_PARTICLES: Final = name_words("within names")
_SURE_TITLES: Final = TITLES - name_words("titles that are also words")
_ANNOUNCED: Final = re.compile(
    r"(?i)(?:\bnames?(?:'s| is| are|:|\?| was)?|\bnamed(?: (?:him|her|them))?|\bcalls me|\bthis is|\bdear|\bregards,?|"
    r"\bsincerely,?|\bcall(?:ed)? (?:him|her|me)|\bhi|\bhello|\bhey|\bsigned:?|\bcheers,?|\bpatient:?|\bcontact:|"
    r"\battn:?|\bI'm|\bI am)\s+$"
)
_WEAKLY: Final = re.compile(r"(?i)(?:\bI'm|\bI am|\bthis is|\bcontact:|\bnames?|\bpatient)\s+$")
_AFTER: Final = name_words("after a name")
_AFTER_WEAKLY: Final = name_words("after a name or a thing")
_BEFORE: Final = name_words("before a name")
_BEFORE_WEAKLY: Final = name_words("before a name or a thing")
GATE: Final = (
    rf"[^\pL\n]\p{{Lu}}[\pL.]|\n\p{{Lu}}|"
    rf"^\PL*\p{{Lu}}[\pL'’-]*(,|:|\.|\n|['’]|$| ({'|'.join(sorted(_AFTER | _AFTER_WEAKLY))})\b)"  # noqa: RUF001
)
"""RE2: texts without it hold no name: a capital within, or at the beginning before what makes a name of a word."""
_PLACED: Final = name_words("before a place")
_NO_PEOPLE: Final = name_words("organisations, places and things")
_FAMILY: Final = re.compile(
    r"(?:ss?on|sen|d[oó]ttir|ov[aá]?|ev[aá]?|ski|ska|cki|ić|ič|vic|escu|enko|inen|yan|idze|ez|berg|mann|elli|etti)$"
)
_NOT_BEFORE: Final = re.compile(
    r"(?i)(?:\b(?:the|rue|calle|via|viale|piazza|rua|avenida|plaza|chemin|ul\.)|[&\d],?)\s+$"
)
_NOT_AFTER: Final = re.compile(
    r"(?i)(?:,? ?\d|,? (?:street|st|avenue|ave|road|rd|lane|ln|drive|inc|ltd|llc|gmbh|corp)\b|"
    r"['’]?s? (?:&|and (?:sons?|co|company|brothers|partners|associates)\b))"  # noqa: RUF001
)
_CAMEL: Final = re.compile(r"(?<!\bMc)(?<!\bMac)(?<!\bFitz)(?<!\b[DL][aei])(?<!\bVan)(?<=[a-z])[A-Z]")  # no PyTorch
_ADJECTIVE: Final = re.compile(r"(?:ish|ese|ian|ans?|ean|nder)$")


class _Word(NamedTuple):
    text: str
    plain: str
    start: int
    end: int


def names_in(text: str, known: Lists | None) -> list[tuple[int, int]]:
    """Where names of people begin and end.

    Args:
        text: of any language; the words around names are English ones.
        known: the lists, if they are installed.
    """
    if all(word.lower() in little_words() for word in _CAPITALISED.findall(text)):
        return []
    found, others = [], []
    parts: set[str] = set()
    for before, run in _runs(text):
        words, titled = _without_title(run, before)
        while words and not titled and _begins_a_sentence(words, known):
            words = words[1:]
        if not words or len(words) > _LONGEST:
            continue
        if titled or _points(text, words, known) >= _ENOUGH:
            found.append((words[0].start, words[-1].end))
            parts |= {word.plain for word in words if len(word.plain) > 2} if len(words) > 1 else set()
        elif len(words) == 1:
            others.append(words[0])
    parts -= not_names()
    return sorted(found + [(word.start, word.end) for word in others if word.plain in parts])


def speaks_of_no_person(name: str) -> bool:
    """Whether one of a name's words, or a digit in it, says that it is no person's."""
    words = {fold(word).rstrip(".,") for word in name.split()}
    return bool(words & _NO_PEOPLE) or words <= not_names() or any(letter.isdigit() for letter in name)


def _runs(text: str) -> Iterator[tuple[str, list[_Word]]]:
    """Runs of words with capitals, each with the word before it."""
    run: list[_Word] = []
    before = last = ""
    end = 0
    for match in _WORD.finditer(text):
        raw = match.group()
        if not run and raw[0].islower():
            last, end = fold(raw.rstrip(".")), match.end()
            continue
        word = _word(raw, match.start())
        gap = text[end : match.start()]
        near = gap in (" ", "") or (gap == ". " and last in TITLES)
        capital = word.text[0].isupper() and (word.text[1:] in ("", ".") or not word.text.isupper())
        if run and not (near and (capital or word.plain in _PARTICLES)):
            yield before, _trimmed(run)
            run = []
        if capital or (run and word.plain in _PARTICLES):
            if not run:
                before = last if gap.strip() in ("", ".") else ""
            run.append(word)
        if run and word.end < match.end() and len(word.text) > 1 and word.plain not in TITLES:  # a full stop, or 's
            yield before, _trimmed(run)
            run = []
        last, end = word.plain, match.end()
    if run:
        yield before, _trimmed(run)


def _word(raw: str, start: int) -> _Word:
    """A word without "'s" and full stop; initials keep theirs."""
    plain = raw if len(raw) == 2 and raw[1] == "." else _POSSESSIVE.sub("", raw.rstrip("."))
    return _Word(plain, fold(plain), start, start + len(plain))


def _trimmed(run: list[_Word]) -> list[_Word]:
    while len(run) > 1 and not run[-1].text[0].isupper():
        run = run[:-1]
    return run


def _without_title(run: list[_Word], before: str) -> tuple[list[_Word], bool]:
    """The run behind its last title, and whether it has one; titles may be written small before it."""
    for place in range(len(run) - 1, -1, -1):
        if run[place].plain.rstrip(".") in TITLES:
            rest = run[place + 1 :]
            return rest, bool(rest) and rest[0].plain not in little_words()
    sure = before in _SURE_TITLES and run[0].plain not in little_words()
    return run, sure


def _begins_a_sentence(words: Sequence[_Word], known: Lists | None) -> bool:
    """Whether the first word is no part of a name: a little word, with no last name behind it."""
    if words[0].plain not in little_words():
        return False
    if known is None or len(words) == 1:
        return True
    return words[0].plain not in known.given or words[1].plain not in known.family or words[1].plain in not_names()


def _points(text: str, words: Sequence[_Word], known: Lists | None) -> float:
    """How much speaks for a name."""
    if any(word.plain.rstrip(".") in _NO_PEOPLE or _CAMEL.search(word.text) for word in words):
        return 0.0
    head = text[max(0, words[0].start - 30) : words[0].start]
    tail = text[words[-1].end : words[-1].end + 16]
    if _NOT_BEFORE.search(head) or _NOT_AFTER.match(tail):
        return 0.0
    return _listed(words, known) + _around(head, tail, words)


def _listed(words: Sequence[_Word], known: Lists | None) -> float:
    """Points of the words themselves."""
    first, last = words[0].plain, words[-1].plain
    others = not_names()
    points = 0.0
    if known is not None:
        given = any(part in known.given for part in (first, first.split("-")[0]))
        family = any(known.has_family(part) for part in (last, *last.split("-")))
        points += (2.0 if first not in others else 0.5) if given else 0.0
        if len(words) > 1:
            points += (1.0 if last not in others else 0.3) if family else 0.0
            points += 0.5 if not given and last in known.given and last not in others else 0.0
        elif not given:
            points += 1.0 if family and first not in others else 0.0
        points -= 0.5 if len(words) == 1 and first in others else 0.0
    if len(words) > 1:
        common = [word.plain in others and word.text[0].isupper() for word in words]
        points += 0.0 if any(common) else 1.0
        points -= 1.0 if common[-1] and (known is None or last not in known.family) else 0.0
        points -= 2.0 if any(common[1:-1]) or sum(common) > 1 else 0.0
    points += 0.5 if any(not word.text.isascii() for word in words) else 0.0
    points += 0.5 if _FAMILY.search(last) else 0.0
    return points


def _around(head: str, tail: str, words: Sequence[_Word]) -> float:
    """Points of what stands before and after."""
    before = re.findall(r"[^\W\d_]+", head)
    near = bool(before) and head.rstrip(" \"'")[-1:].isalpha()
    word = before[-1].lower() if near else ""
    points = 0.0
    if _ANNOUNCED.search(head) is not None:
        points += 1.0 if _WEAKLY.search(head) or _ADJECTIVE.search(words[0].plain) else 2.0
    elif word in _BEFORE:
        points += 1.0
    elif word in _BEFORE_WEAKLY:
        points += 0.5
    elif word in _PLACED:
        points -= 1.0
    points -= 1.0 if len(words) == 1 and re.match(r"['’]s [A-Z]", tail) else 0.0  # noqa: RUF001 (a shop's name)
    after = re.match(r",? ([a-z]+)", tail)
    if after is not None and after.group(1) in _AFTER:
        points += 1.0
    elif re.match(r"['’]s ", tail) or (after is not None and after.group(1) in _AFTER_WEAKLY):  # noqa: RUF001
        points += 0.5
    if len(words) == 1 and not near and points <= 0 and not tail.startswith((":", "\n", ",")):
        points -= 0.5
    return points
