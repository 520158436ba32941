"""What stands in notes about patients behind a word that says what it is: names, births, numbers, diagnoses.

Promise: lines of notes and forms are read as people write them ("Patient: MEYER, HANS", "DOB 05/29/1967", "Member ID:
W123456789", "Dx J44.1"). What follows a word is of the kind that the word says, whatever else it looks like: nine
digits behind "Insurance no." are no telephone number. Ages over 89, and births so long ago on the day of the scan,
are found beside ages and dates (`BESIDE`), as HIPAA's Safe Harbor counts them. What is found of notes in many styles
is measured in the tests.

Not covered: a value in the line below its label; diagnoses in words that no list has and no word announces.

Sources: 45 CFR 164.514(b)(2)(i)(C); WHO ICD-10.

Example:
    >>> from reticent.data.scan.text import entities
    >>> text = "Pt: MEYER, HANS  Insurance no. 811553906  Dx J44.1"
    >>> [(one.kind, text[one.start : one.end]) for one in entities(text)]
    [('name', 'MEYER, HANS'), ('health-plan number', '811553906'), ('ICD-10 code', 'J44.1')]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from reticent.data.scan.entity import Kind, announced, compiled
from reticent.data.scan.generalised import over_89, year_of
from reticent.data.scan.names import fold
from reticent.data.scan.persons import DATE
from reticent.data.scan.rules import little_words, name_words
from reticent.data.scan.sensitive import DISEASES
from reticent.data.tables.dates import MONTHS

__all__ = ["BESIDE", "NOTES", "SPOKEN"]

_PEOPLE: Final = (
    r"patient(?:'s)?(?: full)?(?: name)?|pt(?: name)?|(?:full |last |first |middle |maiden |family |given |sur)?name|"
    r"name of (?:the )?patient|attending(?: (?:physician|md|doctor))?|physician|provider|referring(?: \w+)?|"
    r"referred by|surgeon|anesthesiologist|pcp|primary care(?: \w+)?|consultant|resident|nurse|rn|dictated by|"
    r"transcribed by|(?:electronically |e-)?signed(?: by)?|signature|seen by|reviewed by|prepared by|entered by|author|"
    r"next of kin|nok|emergency contact|contact(?: person)?|guardian|spouse|mother|father|daughter|son|wife|husband|"
    r"informant|cc|re|patientin|versicherte[rn]?|arzt|ärztin|vorname|nachname|nom|prénom|nombre|apellidos?|paciente"
)
_WORD: Final = r"[^\W\d_a-z](?:[^\W\d_]|['’.-](?=[^\W\d_]))*\.?"  # noqa: RUF001 (an apostrophe that people type)
_PARTICLE: Final = "(?:van|von|der|den|de|del|da|di|la|le|el|bin|ibn|al)"
_NAMED: Final = rf"{_WORD}(?:(?: |, ?)(?:{_PARTICLE} )*{_WORD}){{0,4}}"
_LABELLED: Final = (
    rf"(?<![^\W_])(?i:{_PEOPLE})(?:\s?[:=#][ \t]*|[ \t]+-[ \t]+|,[ \t]+(?=(?i:dr|mr|mrs|ms|prof)\b))({_NAMED})"
)
_GATE: Final = rf"(?i)(?:{_PEOPLE})(?:\s?[:=#]|[ \t]+-|,)[ \t]*\pL"
_NO_NAMES: Final = name_words("behind labels, no names")
_TITLED: Final = name_words("titles")

_ENTIRE_DATE: Final = DATE.replace("(st|nd|rd|th)?", "(?:st|nd|rd|th)?")
_BIRTH: Final = (
    r"\bd\.? ?o\.? ?b\.?|\b(?:date|day|year) of birth|\bbirth ?(?:date|day|year)?|\bborn|\byob|\bgeb(?:oren)?\b\.?|"
    r"\bgeburts(?:datum|jahr|tag)|\bnée? le|\bnacid[oa]|\bfecha de nacimiento|\bb\.d\.|\bbd"
)
_BORN: Final = rf"(?i:{_BIRTH})(?:[^\w\n]|\b(?:on|is|in|was|the|am|el|le|:)\b){{0,12}}"
_CODE: Final = r"[A-TV-Z]\d[0-9AB](?:\.?[0-9A-TV-Z]{1,4})?"
_DIAGNOSED: Final = r"\bdx|\bicd(?:-?10)?(?:-?cm)?(?: codes?)?|diagnos[ei]s|\bdiag|codes?|\bimpression|\bassessment"
_HISTORY: Final = (
    r"(?i:\b(?:dx|diagnos[ei]s|diagnosed with|pmh|pmhx|hx(?: of)?|history of|h/o|c/o|chief complaint|cc|allergies|"
    r"allergic to|medications?|meds|rx|prescribed|treated (?:for|with)|suffers from|complains of|s/p))\s*[:=]?\s*"
)
_NO_ILLNESS: Final = r"(?!(?i:none|no|nkda|nil|unknown|n/a|negative|deferred|the|his|her|a|and|in|of|to)\b)"


def _names(text: str) -> Iterator[tuple[int, int]]:
    """Where names stand behind words that announce them."""
    for match in compiled(_LABELLED).finditer(text):
        start, end = match.span(1)
        kept: list[re.Match[str]] = []
        for word in re.finditer(r"[^\s,]+", text[start:end]):
            plain = fold(word.group()).rstrip(".")
            if plain in _NO_NAMES or text[start + word.end() : start + word.end() + 2].lstrip(" \t")[:1] in (":", "="):
                break
            if kept or plain not in _TITLED:
                kept.append(word)
        words = [fold(word.group()).rstrip(".") for word in kept]
        if not words or words[0] in little_words() or len("".join(words)) < 2 or set(words) & _THINGS:
            continue
        yield start + kept[0].start(), start + kept[-1].end()


_THINGS: Final = name_words("organisations, places and things") - {"street", "house", "park", "bush", "page", "price"}


def _is_old(text: str) -> bool:
    return int(text) > 89 and int(text) < 130


def _born_long_ago(text: str) -> bool:
    year = year_of(text)
    return year is not None and over_89(year)


_NO_CODE: Final = rf"(?!{_CODE}\b|(?i:codes?)\b)"
_HEALTH: Final = rf"{_HISTORY}{_NO_ILLNESS}{_NO_CODE}([^\W\d_][\w'/-]{{2,}}(?: {_NO_CODE}[\w'/-]+){{0,3}})"
_ILLNESS: Final = r"(?i:\b(?:" + "|".join(sorted(map(re.escape, DISEASES), key=len, reverse=True)) + r")\b)"

NOTES: Final = (
    Kind("name", "direct", _GATE, "", find=_names, safe_harbor="A", named=True),
    Kind("date", "quasi", "", rf"{_BORN}((?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))\b", safe_harbor="C",
         named=True),
    Kind("date", "quasi", r"[0-9]{1,2}/[0-9]{1,2}",
         r"\b(?i:on|since|from|until|till|dated?:?|admitted|discharged|seen|dos:?)\s+(\d{1,2}/\d{1,2})(?![\d/.%])",
         lambda text: all(0 < int(part) <= most for part, most in zip(text.split("/"), (31, 31), strict=True)),
         safe_harbor="C", named=True),
    Kind("month or quarter", "quasi", r"(19|20)[0-9]{2}",
         rf"(?<![\w/.-])((?i:(?:{MONTHS})[a-z]*\.?,? (?:of )?)(?:19|20)\d\d|(?:0?[1-9]|1[0-2])/(?:19|20)\d\d|"
         r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])|(?:19|20)\d\d[ -]?Q[1-4]|Q[1-4][ /-](?:19|20)\d\d)(?![\w/-])",
         safe_harbor="C"),
    announced("medical record number", "direct",
              r"mrn|m\.r\.n\.|mr#|medical record|(?:hospital|chart|unit|case|patient|pt|visit|encounter) "
              r"(?:id|number|num|no|nr|#)\.?|patienten(?:nummer|-id|-nr\.?)|fallnummer",
              r"[A-Z]{0,4}[ -]?\d[\d-]{3,12}\d", "H"),
    announced("health-plan number", "direct",
              r"insurance|insurer|member(?:ship)?|policy|subscriber|beneficiary|medicare|medicaid|mbi|hicn|"
              r"health ?plan|group|versicherten(?:nummer|-?nr\.?)|versicherungs(?:nummer|-?nr\.?)|krankenkasse",
              r"[A-Z]{0,4}[ -]?\d[A-Z0-9-]{4,17}", "I", check=lambda text: sum(map(str.isdigit, text)) >= 5),
    announced("account number", "direct", r"account|acct\.?|a/c|konto(?:nummer|nr\.?)?|invoice|claim",
              r"[A-Z]{0,3}-?\d[\d-]{4,17}\d", "J"),
    announced("licence or certificate number", "direct",
              r"licen[cs]e|passport|driver'?s licen[cs]e|permit|dea|certificate", r"[A-Z]{0,3}\d{5,12}[A-Z]?", "K"),
    announced("device number", "direct", r"serial|s/n|sn|implant|lot|device", r"[A-Z]{0,4}-?\d[A-Z0-9-]{4,16}", "M",
              check=lambda text: sum(map(str.isdigit, text)) >= 5),
    Kind("ICD-10 code", "sensitive", r"[A-TV-Z][0-9][0-9AB]",
         rf"(?:(?i:{_DIAGNOSED})[^\w\n]{{1,3}}(?:(?i:is|code)\s?:?\s?)?({_CODE})\b)", special="health", named=True),
    Kind("ICD-10 code", "sensitive", r"\b[A-TV-Z][0-9][0-9AB]\.[0-9A-TV-Z]",
         r"(?<![\w.-])([A-TV-Z]\d[0-9AB]\.[0-9A-TV-Z]{1,4})(?![\w-]|\.\d)", special="health"),
    Kind("health", "sensitive", "", _ILLNESS, special="health"),
    Kind("health", "sensitive", r"(?i)\b(dx|diagnos|pmhx?|hx|history of|h/o|c/o|complain|cc|allerg|med|rx|prescribed|"
         r"treated|suffers|s/p)", _HEALTH, special="health", named=True),
)  # fmt: skip
"""Kinds that words announce, and what notes hold besides."""

_AGES: Final = (
    r"(?i:\bage[d]?(?: of| is|:|=)? ?|\b(?:I'm|I am|he's|she's|he is|she is|turn(?:ed|s|ing)) )(\d{2,3})\b"
    r"(?! ?(?:%|days?\b|weeks?\b|months?\b|hours?\b|kg|cm|minutes))",
    r"\b(\d{2,3})(?:[- ]?(?i:years?|yrs?|y/?o|yo[mf]?|j\.|jahre)\b[- ]?(?i:old)?|[ -](?i:year-old))",
)
_LONG_AGO: Final = rf"{_BORN}((?:{_ENTIRE_DATE})|(?:18|19)\d\d(?:\d{{4}})?)\b"

BESIDE: Final = (
    *(Kind("age over 89", "quasi", r"9[0-9]|1[0-2][0-9]", pattern, _is_old, safe_harbor="C") for pattern in _AGES),
    Kind("age over 89", "quasi", rf"(?i){_BIRTH}", _LONG_AGO, _born_long_ago, safe_harbor="C"),
    Kind("date of birth", "quasi", rf"(?i){_BIRTH}",
         rf"{_BORN}((?:{_ENTIRE_DATE})|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))\b", safe_harbor="C"),
)  # fmt: skip
"""What is said of pieces besides their kind: of dates that they are births, of ages and births that they are old."""

SPOKEN: Final = (
    rf"(?i)\b({_PEOPLE}|mrn|ssn|member|insurance|account|acct|policy|medicare|medicaid|phone|tel|fax|mobile|address|"
    rf"dx|diagnosis|icd|age|license|licence)\.?(\s(id|no|nr|number|name))?\.?\s?[:#=]\s*\S|{_BIRTH}|"
    r"\b(dr|mr|mrs|ms|prof)\.? \pL|\b[0-9]{1,3}[ -]?(y/?o|years?[ -]old)\b|"
    r"\b(aged|dx|mrn|account number|member id|insurance no\.?) \S"
)
"""RE2: short cells that are read as texts wherever they stand."""
