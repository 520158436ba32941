"""Personal data in free text, by patterns, check digits and the words before them.

Promise: `entities` gives where each found piece of personal data begins and ends, and of what kind it is; where two
overlap, the one with check digits stays, then the one that a word names ("Insurance no."), then the longer one.
Numbers of cards, accounts and states must pass their check digits. Names are found by lists of names, where the extra
`names` is installed, and by the words around them (`reticent.data.scan.text_names`); a spaCy model finds others
(`reticent.data.scan.model_names`). What is missed stands in the benchmark. Places, organisations and professions are
not looked for.

How it works: a cheap pattern over all texts at once (RE2) says which of them a kind can be in; only those are searched.

Example:
    >>> from reticent.data.scan.text import entities
    >>> [(one.kind, one.start, one.end) for one in entities("Mail a@b.org, card 4111 1111 1111 1111 or ...1112.")]
    [('e-mail address', 5, 12), ('payment card number', 19, 38)]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from reticent.data.scan.accounts import ACCOUNTS, IBAN_LENGTHS
from reticent.data.scan.contacts import REGIONS, STREETS
from reticent.data.scan.detector import Detector
from reticent.data.scan.entity import GAP, Entity, Kind, compiled
from reticent.data.scan.names import lists
from reticent.data.scan.national import NATIONAL
from reticent.data.scan.persons import DATE
from reticent.data.scan.text_names import GATE, names_in
from reticent.data.scan.text_notes import BESIDE, NOTES

__all__ = ["BESIDE", "Entity", "KINDS", "entities", "examples_in", "found_in"]

LONGEST: Final = 1 << 17  # characters of one text that are searched at a time


def _detector(name: str) -> Detector:
    return next(one for one in (*ACCOUNTS, *NATIONAL) if one.name == name)


def _passes(name: str) -> Callable[[str], bool]:
    """Whether a text passes the check of a detector of columns."""

    def check(text: str) -> bool:
        import pyarrow as pa

        detector = _detector(name)
        plain = re.sub(r"[ \-./()]", "", text).upper()
        if detector.pattern is not None and not compiled(detector.pattern).match(plain):
            return False
        return bool(detector._passing(pa.array([plain]))[0])

    return check


_NO_PHONE: Final = rf"^(?:{DATE}$|\(?\d{{4}}-\d\d-\d\d|\d{{4,5}}-\d{{3}}$|\d+\.\d+$|.*[ ]{{2}})"
"""Dates, postcodes, decimal numbers and columns of numbers."""


def _is_phone(text: str) -> bool:
    """Whether a number that nothing announces is one of the numbering plans."""
    import phonenumbers

    digits = sum(letter.isdigit() for letter in text)
    if not 7 <= digits <= 15 or compiled(_NO_PHONE).match(text):
        return False
    if digits >= 8 and compiled(r"^\(?0\d{1,4}\)?(?:[ /.-]\d{2,4}){2,4}$").match(text):
        return True  # nothing else begins with 0 and is written in groups
    for region in (None,) if text.startswith("+") else REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(text, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


def _is_announced_phone(text: str) -> bool:
    return 6 <= sum(letter.isdigit() for letter in text) <= 15


_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_DIGITS: Final = r"(\+?\(?\d[\d \-().]{4,20}\d(?:\s?(?:x|ext\.?)\s?\d{1,5})?)(?!\w)"
_CALLED: Final = (
    r"(?i:phone|telephone|tel|mobile|cell|call|calling|dial|fax|whatsapp|sms|text|telefon|handy|numero|reach (?:me|us)|"
    r"ring (?:me|us)|hotline|(?:my|new|our|his|her|their) number(?: is)?)"
)
_IBAN: Final = rf"\b((?:{'|'.join(IBAN_LENGTHS)})\d{{2}}(?:[ -]?[A-Z0-9]{{2,4}}){{3,8}}(?:[ -]?[A-Z0-9])?)\b"
_STREET_SUFFIX: Final = rf"(?:{STREETS})"
_CAPITAL: Final = r"[^\W\d_a-z][\w'’.-]*"  # noqa: RUF001
_TAIL: Final = (
    rf"(?:,? (?:Apt|Apartment|Suite|Unit|Flat|Floor|"
    rf"#)\.? ?\w+)?(?:,? {_CAPITAL}(?: {_CAPITAL}){{0,3}})?(?:,? [A-Z]{{2}})?(?:,? \d{{4,5}}(?:-\d{{4}})?)?"
)
_STREET_ENDS: Final = (
    r"strasse|straße|str\.|gasse|weg|allee|platz|straat|laan|gracht|gatan|gade|vej|vegen|vägen|katu|kuja"
)
_STREET_WORDS: Final = (
    rf"(?i)\b({STREETS}|rue|calle|via|viale|piazza|rua|avenida|chemin|plaza)\b|\bul\.|\bc/|{_STREET_ENDS}"
)
_ADDRESS: Final = (
    rf"(\b\d{{1,5}}[A-Za-z]?,? (?:{_CAPITAL} ){{1,4}}(?i:{_STREET_SUFFIX})\b\.?{_TAIL}|"
    rf"\b[^\W\d_a-z][\w-]*(?:{_STREET_ENDS}) ?\d{{1,4}}[a-z]?\b|"
    rf"\b\d{{1,4}} [^\W\d_a-z][\w-]*(?:{_STREET_ENDS})(?!\w)|"
    r"\b(?i:P\.? ?O\.? ?Box) \d+|"
    rf"\b(?:\d{{1,4}},? )?(?i:rue|avenue|boulevard|calle|c/|ul\.|via|viale|piazza|rua|avenida|chemin|plaza) (?:(?:de|"
    rf"del|della|des|du|la|las|los|el|da|do|di) )*{_CAPITAL}(?: (?:de |da |do |la )*{_CAPITAL}){{0,3}},? \d{{1,5}}|"
    rf"\b\d{{1,4}},? (?i:rue|avenue|boulevard|calle|via|rua|avenida|chemin) (?:(?:de|des|du|la|da|do) )*{_CAPITAL}"
    rf"(?: {_CAPITAL}){{0,3}})"
)
_LITTLE: Final = (
    "de|del|della|der|des|di|da|do|dos|du|la|las|los|le|el|nad|pod|am|an|im|u|en|van|von|veg|utca|gade|tér|"
    "kraj|megye|oblast|län"
)
_CAPITALS: Final = rf"{_CAPITAL}(?:[ -](?:{_LITTLE}|{_CAPITAL})){{0,5}}"
_POSTCODE: Final = r"(?:[A-Z]{1,2}-?)?(?:\d{3,5}(?:[ -]\d{2,4})?|\d\d-\d{3})(?: ?[A-Z]{2})?"
_WHOLE_ADDRESS: Final = (
    rf"((?:\b(?:ul\.|C/) )?\b{_CAPITALS} \d{{1,5}}[a-z]?\.?,\s{{1,2}}{_CAPITALS},?(?:\s{{1,2}}{_CAPITALS})?,?\s{{1,2}}"
    rf"{_POSTCODE}\b)"
)
"""A street and a number, a town and perhaps a region, and a postcode."""
_MONTHS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun"
_NUMBERED: Final = (
    rf"\d{{1,4}}[A-Za-z]? (?:ul\. )?(?!(?i:{_MONTHS}|million|billion|percent|euro|dollar))[^\W\d_a-z][^\W\d_]{{2,}}"
    rf"(?: {_CAPITAL}){{0,4}}"
)


_UNITS: Final = r"(?:%|euro|dollar|minutes|km|miles|pounds|hours|days|weeks|months|percent|m\b|kg|cm|feet|inches|th\b)"
_STATES: Final = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|"
    "Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|"
    "Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|"
    "Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|"
    "West Virginia|Wisconsin|Wyoming"
)


def _numbers() -> tuple[Kind, ...]:
    """Identity numbers that are written in a way of their own, confirmed by their check digits."""
    kinds = (
        ("French NIR", r"\b([1-478] ?\d\d ?(?:0[1-9]|1[0-2]) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d)\b"),
        ("Italian codice fiscale", r"\b([A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z])\b"),
        ("Spanish DNI", r"\b(\d{8}-?[A-Z])\b"),
        ("Spanish NIE", r"\b([XYZ]-?\d{7}-?[A-Z])\b"),
        ("Brazilian CPF", r"\b(\d{3}\.\d{3}\.\d{3}-\d\d)\b"),
        ("Finnish HETU", r"\b(\d{6}[-+A]\d{3}[0-9A-Y])\b"),
        ("Swedish personnummer", r"\b((?:19|20)?\d{6}[-+]\d{4})\b"),
        ("Swiss AHV number", r"\b(756\.\d{4}\.\d{4}\.\d\d)\b"),
        ("Belgian national number", r"\b(\d\d\.\d\d\.\d\d-\d{3}\.\d\d)\b"),
        ("Indian Aadhaar", r"\b([2-9]\d{3} \d{4} \d{4})\b"),
        ("Chilean RUT", r"\b(\d{1,2}\.\d{3}\.\d{3}-[\dkK])\b"),
        ("Mexican CURP", r"\b([A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d)\b"),
        ("Chinese identity number", r"\b(\d{6}(?:19|20)\d{9}[\dX])\b"),
    )
    called = (
        ("UK NHS number", r"(?i:nhs)", r"\d{3}[ -]?\d{3}[ -]?\d{4}"),
        ("German tax number (Steuer-ID)", r"(?i:steuer|tax)", r"\d{2} ?\d{3} ?\d{3} ?\d{3}"),
        ("Dutch BSN", r"(?i:bsn|burgerservice)", r"\d{9}"),
        ("Polish PESEL", r"(?i:pesel)", r"\d{11}"),
        ("US provider number (NPI)", r"(?i:npi)", r"\d{10}"),
        ("Canadian SIN", r"(?i:sin|social insurance)", r"\d{3}[ -]?\d{3}[ -]?\d{3}"),
        ("IMEI", r"(?i:imei)", r"\d{15}"),
        ("vehicle identification number", r"(?i:vin|chassis)", r"[A-HJ-NPR-Z0-9]{17}"),
    )
    return (
        *(Kind(name, "direct", "", pattern, _passes(name), True, _detector(name).safe_harbor)
          for name, pattern in kinds),
        *(Kind(name, "direct", "", rf"\b{word}\b\D{{0,20}}\b({value})\b", _passes(name), True,
                _detector(name).safe_harbor) for name, word, value in called),
    )  # fmt: skip


KINDS: Final = (
    Kind("e-mail address", "direct", "@", r"([\w.+%'-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,})", safe_harbor="F"),
    Kind("web address", "quasi", r"(?i)://|www\.", r"((?i:https?|ftp)://[^\s<>\"]+|\bwww\.[^\s<>\"]+)",
          safe_harbor="N"),
    Kind("IP address", "direct", r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
          rf"(?<![\d.])({_OCTET}(?:\.{_OCTET}){{3}})(?![\d.]*\d)", safe_harbor="O"),
    Kind("IP address (version 6)", "direct", ":[0-9a-fA-F]{0,4}:",
          r"(?<![\w:])((?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|"
          r"(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6})(?![\w:])",
          safe_harbor="O"),
    Kind("MAC address", "direct", "[0-9a-fA-F]{2}[:-][0-9a-fA-F]{2}[:-][0-9a-fA-F]{2}[:-]",
          r"\b([0-9a-fA-F]{2}(?:([:-])[0-9a-fA-F]{2})(?:\2[0-9a-fA-F]{2}){4})\b",
          safe_harbor="M"),
    Kind("payment card number", "direct", "[0-9]([ -]?[0-9]){12}", r"(?<![\w-])(\d(?:[ -]?\d){12,18})(?![\w-])",
          _passes("payment card number"), True, "J"),
    Kind("IBAN", "direct", "[A-Z]{2}[0-9]{2}([ -]?[A-Z0-9]){10}", _IBAN, _passes("IBAN"), True, "J"),
    Kind("US social security number", "direct", "[0-9]{2}[- ][0-9]{4}", r"(?<![\w-])(\d{3}-\d\d-\d{4})(?![\w-])",
          _passes("US social security number"), False, "G"),
    Kind("US social security number", "direct", r"(?i)ssn|social security",
          rf"(?i:ssn|social security(?: number)?){GAP}(\d{{3}}[ -]?\d\d[ -]?\d{{4}})(?!\w)",
          _passes("US social security number"), False, "G"),
    Kind("telephone number", "direct", r"[0-9][0-9 \-().]{5,}[0-9]",
          rf"(?<![\w.,/=-]){_DIGITS}", _is_phone, False, "D"),
    Kind("telephone number", "direct", rf"{_CALLED}\b[^0-9+(]{{0,30}}[0-9+(][0-9 \-().]{{4}}",
          rf"{_CALLED}\b[^\d+(]{{0,30}}{_DIGITS}",
          _is_announced_phone, False, "D", named=True),
    Kind("date", "quasi", DATE, rf"(?<![\w/.-])({DATE.replace('(st|nd|rd|th)?', '(?:st|nd|rd|th)?')})(?![\w/-])",
          safe_harbor="C"),
    Kind("age", "quasi", r"(?i)(\bage[d]?(?: of| is|:)?|\bI'm|I am|s?he'?s|s?he is|turn(?:ed|s|ing)?) [0-9]{1,3}\b",
          r"(?i:\bage[d]?(?: of| is|:)? |\b(?:I'm|I am|he's|she's|he is|she is|turn(?:ed|s|"
          rf"ing)?) (?=\d{{1,3}}\b(?! ?{_UNITS})))(\d{{1,3}})\b"),
    Kind("age", "quasi", "", r"\b(\d{1,3})[- ]?(?i:years?|yrs?|y/?o)\b[- ]?(?i:old)?"),
    Kind("age", "quasi", r"(?i)\bwhen (I|s?he|they) [a-z]+ [0-9]|birthday",
          r"\b(?i:when (?:I|s?he|they) (?:was|were|is|are|"
          rf"turn(?:s|ed)?|reached|reaches) )(\d{{1,3}})\b(?! ?{_UNITS})"),
    Kind("age", "quasi", "(?i)birthday", r"\b(\d{1,3})(?:st|nd|rd|th)(?= (?i:birthday)\b)"),
    Kind("street address", "direct", _STREET_WORDS, _ADDRESS, safe_harbor="B"),
    Kind("street address", "direct", r"[0-9][a-z]?\.?, +\pL.*[0-9]{3}", _WHOLE_ADDRESS, safe_harbor="B"),
    Kind("street address", "direct", r"(?i)\baddress|\b(is|are|lives?|living|located|lived) at [0-9]",
          r"(?i:\baddress(?:es)?(?: it)?(?: is)?:?|\b(?:is|are|lives?|living|located|lived) at)\s+"
          rf"({_NUMBERED}|{_CAPITALS} \d{{1,5}}[a-z]?\b)", safe_harbor="B"),
    Kind("street address", "direct", r"\n.*[0-9]{3}",
          rf"(?m:^\W{{0,4}})({_NUMBERED}(?: \d{{1,4}})?)\.?(?=\n(?:[^\n]*\n){{0,4}}[^\n]*(?:\d{{3}}|(?i:apt)))",
          safe_harbor="B"),
    Kind("US ZIP code", "quasi", r"(?i)\bzip|postal|[A-Z]{2},? [0-9]{5}",
          r"(?:\b[A-Z]{2},? |\b(?i:zip(?:[ -]?codes?)?|postal code)\b[^\d\n]{0,40})(\d{5}(?:-\d{4})?)\b",
          safe_harbor="B"),
    Kind("US ZIP code", "quasi", rf"(?:{_STATES}),? [0-9]{{5}}", rf"\b(?:{_STATES}),? (\d{{5}}(?:-\d{{4}})?)\b",
          safe_harbor="B"),
    Kind("postcode", "quasi", "", r"\b([A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})\b", safe_harbor="B"),
    Kind("name", "direct", GATE, "", find=lambda text: names_in(text, lists()), safe_harbor="A"),
    *NOTES,
    *_numbers(),
)  # fmt: skip
"""Every kind that is looked for in text."""


def entities(text: str, kinds: Sequence[Any] = KINDS) -> list[Entity]:
    """The pieces of personal data in one text, in order, without overlaps."""
    found = [entity for kind in kinds for entity in kind.search(text[:LONGEST])]
    found.sort(key=lambda one: (not one.sure, not one.named, one.start - one.end, one.start))
    kept: list[Entity] = []
    for one in found:
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def found_in(texts: Any) -> dict[str, list[int]]:
    """Which of many texts each kind is in: the kind to places in `texts`.

    Args:
        texts: an arrow array of them, without nulls.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    possible: list[list[Kind]] = [[] for _ in range(len(texts))]
    kinds = (*KINDS, *BESIDE)
    for gate in dict.fromkeys(kind.gate or kind.pattern for kind in kinds):
        inside = np.flatnonzero(pc.match_substring_regex(texts, gate).to_numpy(zero_copy_only=False)).tolist()
        alike = [kind for kind in kinds if (kind.gate or kind.pattern) == gate]
        for place in inside:
            possible[place] += alike
    places = [place for place, kinds in enumerate(possible) if kinds]
    found: dict[str, list[int]] = {}
    for place, text in zip(places, texts.take(pa.array(places, pa.int64())).to_pylist(), strict=True):
        pieces = (text[start : start + LONGEST] for start in range(0, len(text), LONGEST))
        for name in {one.kind for piece in pieces for one in _with_beside(piece, possible[place])}:
            found.setdefault(name, []).append(place)
    return found


def _with_beside(text: str, kinds: Sequence[Kind]) -> list[Entity]:
    """The entities, and what else is to be said of them (`BESIDE`)."""
    more = [one for kind in kinds if kind in BESIDE for one in kind.search(text)]
    return entities(text, [kind for kind in kinds if kind not in BESIDE]) + more


def examples_in(text: str, kind: str) -> list[str]:
    """The pieces of one kind in a text, as they are."""
    found = _with_beside(text[:LONGEST], (*KINDS, *BESIDE))
    return [text[one.start : one.end] for one in found if one.kind == kind]
