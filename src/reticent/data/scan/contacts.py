"""How a person can be reached, in the world and on networks: one detector per kind.

Promise: e-mail and network addresses are found by how they are written, whatever their column is called. Telephone
numbers are found by their writing in columns that are called so, elsewhere only if the numbering plans of phonenumbers
know at least half more of the first candidates than of random digits written in the same way: plans are generous, and
order numbers, parts and ranges of numbers pass many of them. Street addresses need the column's name, or a street word
and a house number.

Sources: RFC 5321, RFC 4291; the numbering plans in phonenumbers (Google's libphonenumber).

Example:
    >>> from reticent.data.scan.contacts import CONTACTS, known_numbers
    >>> [one.name for one in CONTACTS][:2], known_numbers(["+44 20 7946 0958", "+1 999 999 9999"])
    (['e-mail address', 'web address'], 0.5)
"""

from __future__ import annotations

import ipaddress
import math
import re
from typing import Final

from reticent.data.scan.detector import Detector, Shape
from reticent.data.scan.hints import Hints
from reticent.data.scan.judging import excess
from reticent.data.scan.national import WRITTEN_AS_SSN
from reticent.errors import MissingExtra
from reticent.randomness import Randomness

__all__ = ["CONTACTS", "REGIONS", "STREETS", "known_numbers"]

REGIONS: Final = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "BR", "IN")
"""Whose numbering plans are asked about numbers without a country code, one plan at a time."""

_TRUNK: Final = frozenset(("GB", "DE", "FR", "NL"))
"""Where a number without a country code begins with 0."""

_WRITTEN: Final = {
    region: re.compile(written)
    for region, written in {
        "US": r"1?[ \-.]?\(?[0-9]{3}\)?[ \-./]{0,3}[0-9]{3}[ \-./]?[0-9]{4}",
        "IN": r"\(?0[0-9]{2,4}\)?[ -]?[0-9]{6,8}|[6-9][0-9]{4}[ -]?[0-9]{5}",
        "BR": r"\(?0?[1-9]{2}\)?[ -]?9?[ ]?[0-9]{4}[ -]?[0-9]{4}",
        "IT": r"(0[0-9]{1,3}|3[0-9]{2})[ \-./]{1,3}[0-9]{3,4}[ ]?[0-9]{2,4}",
        "ES": r"[6-9]([ .-]?[0-9]){2}[ .-]?[0-9]{2,3}[ .-]?[0-9]{2,3}[ .-]?[0-9]{0,2}",
        "PL": r"\(?[0-9]{2,3}\)?[ -]?[0-9]{3}[ -]?([0-9]{3}|[0-9]{2}[ -]?[0-9]{2})",
    }.items()
}
"""How a number without a country code is grouped, where that is always so."""

_ASKED: Final = 200
_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
STREETS: Final = (
    "street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|square|sq|terrace|highway|hwy|parkway|pkwy|"
    "place|pl|way|crescent|close|p\\.?o\\.? box"
)
_BEFORE: Final = (
    "rue|avenue|av|bd|boulevard|calle|c/|via|viale|piazza|rua|avenida|ulica|ul|plaza|paseo|chemin|"
    "place|quai|largo|postfach"
)
_WITHIN: Final = "strasse|straße|str|gasse|weg|allee|platz|straat|laan|gracht|plein|gatan|vagen|vägen|gade|vej|katu|tie"
_ADDRESS: Final = (
    rf"(?i)(^[0-9]+[a-z]?,? (.*\b({STREETS})|({_BEFORE}))\b|^({_BEFORE})\.? .*[0-9]|"
    rf"^[^0-9]*({_WITHIN})\.? ?[0-9]+|\bp\.?o\.? box [0-9])"
)
_TELEPHONE: Final = (
    "phone", "telephone", "phone number", "tel", "mobile", "mobile number", "cell", "cellphone", "telefon",
    "telefonnummer", "handy", "handynummer", "rufnummer", "telefono", "movil", "celular", "portable", "telephone fixe",
    "cellulare", "telefoon", "telefoonnummer", "mobiel", "telefone", "telemovel", "komorka", "puhelin", "puhelinnumero",
    "mobil", "msisdn", "contact number", "whatsapp",
)  # fmt: skip
_PLAIN: Final = Shape(digits=(7, 15), letters=(0, 1), spaces=(0, 6), separators=(0, 8))


def known_numbers(texts: list[str]) -> float:
    """The share of texts that are telephone numbers: by their country code, or else by the one region's plan that knows
    most of them beyond what it knows of random digits.

    Args:
        texts: as they are written; the first 200 are asked about.

    Raises:
        MissingExtra: phonenumbers is not installed.
    """
    try:
        import phonenumbers
    except ImportError as error:
        raise MissingExtra("phonenumbers", "data", "Recognising telephone numbers") from error

    def known(text: str, region: str | None) -> bool:
        try:
            return bool(phonenumbers.is_valid_number(phonenumbers.parse(text, region)))
        except phonenumbers.NumberParseException:
            return False

    def beyond_luck(region: str) -> float:
        own = [
            text
            for text in others
            if (region not in _TRUNK or text.lstrip("( ").startswith("0"))
            and (region not in _WRITTEN or _WRITTEN[region].fullmatch(text))
        ]
        passed = sum(known(text, region) for text in own)
        if passed * 2 < len(others):
            return 0.0
        random = _with_other_digits(own * math.ceil(_ASKED / len(own)))
        lucky = sum(known(text, region) for text in random) / len(random)
        return excess(passed, len(own), lucky) * len(own) if lucky < 1 else 0.0

    texts = texts[:_ASKED]
    abroad = [text for text in texts if text.startswith("+")]
    others = [text for text in texts if not text.startswith("+")]
    best = max((beyond_luck(region) for region in REGIONS), default=0.0) if others else 0.0
    return (sum(known(text, None) for text in abroad) + best) / len(texts) if texts else 0.0


def _with_other_digits(texts: list[str]) -> list[str]:
    """Texts with random digits in the places of theirs, but for a 0 at the beginning; always the same ones."""
    drawn = Randomness.simulated(0).integers(10, sum(map(len, texts)))
    digits = iter(drawn.tolist())
    found = []
    for text in texts:
        first = next((place for place, one in enumerate(text) if one.isdigit()), 0)
        kept = first + 1 if text[first : first + 1] == "0" else first
        found.append(text[:kept] + "".join(str(next(digits)) if one.isdigit() else one for one in text[kept:]))
    return found


def _is_address_of_version_6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


CONTACTS: Final = (
    Detector(
        "e-mail address", "direct",
        Shape(digits=(0, 60), letters=(2, 120), foreign=(0, 120), ats=(1, 1), separators=(0, 30), others=(0, 30)),
        raw=r"^[^\s@<>,;:\"]+@[^\s@<>,;:\"/]+\.[^\s@<>,;:\"/.0-9]{2,}$", safe_harbor="F",
        hints=Hints(("email", "e mail", "mail", "email address", "mail address", "correo", "correo electronico",
            "courriel", "adresse mail", "posta elettronica", "sahkoposti", "epost", "eposta", "emailadresse")),
    ),
    Detector(
        "web address", "quasi",
        Shape(digits=(0, 100), letters=(5, 128), foreign=(0, 99), ats=(0, 2), colons=(0, 3), separators=(1, 60),
            others=(0, 60)),
        raw=r"(?i)^((https?|ftp)://\S+\.\S+|www\.\S+\.\S+)$", safe_harbor="N",
        hints=Hints(("url", "website", "homepage", "web page", "profile url", "linkedin", "domain", "link", "webseite",
            "sitio web", "site web"), against=("image", "icon", "logo")),
        means="points at a person if the page is about one",
    ),
    Detector(
        "IP address", "direct", Shape(digits=(4, 17), separators=(3, 3), colons=(0, 1)),
        raw=rf"^{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}(:[0-9]+)?$", least=0.05, safe_harbor="O",
        hints=Hints(("ip", "ip address", "ip addr", "client ip", "remote addr", "ipv 4", "ipv 6", "ipadresse",
            "direccion ip", "adresse ip"), against=("version",)),
    ),
    Detector(
        "IP address (version 6)", "direct",
        Shape(digits=(0, 39), letters=(0, 32), colons=(2, 8), length=(3, 39)),
        raw="^[0-9A-Fa-f:]+$", each=_is_address_of_version_6, least=0.01, named=False, safe_harbor="O",
        hints=Hints(("ip", "ip address", "ipv 6")),
    ),
    Detector(
        "MAC address", "direct",
        Shape(digits=(0, 12), letters=(0, 12), colons=(0, 5), separators=(0, 5), length=(14, 17)),
        raw="(?i)^([0-9a-f]{2}(:[0-9a-f]{2}){5}|[0-9a-f]{2}(-[0-9a-f]{2}){5}|[0-9a-f]{4}([.][0-9a-f]{4}){2})$",
        safe_harbor="M", hints=Hints(("mac", "mac address", "mac addr", "bssid", "ethernet address")),
    ),
    Detector(
        "telephone number", "direct", Shape(digits=(9, 15), spaces=(0, 6), separators=(0, 8), length=(10, 25)),
        raw=r"^(\+[0-9][0-9 \-().]{7,22}|\(?0?[0-9]{2,5}\)?[ \-./][0-9]{2,5}([ \-./]?[0-9]{2,5}){1,4})$",
        unlike=rf"^({WRITTEN_AS_SSN}|[0-9]+[.][0-9]+)$", least=0.05, sampled=known_numbers, hinted_shape=_PLAIN,
        rivals=("US social security number", "US taxpayer number (ITIN)"),
        hinted_raw=r"^[+(0-9][0-9 \-./()]{5,24}([ ]?[xX][0-9]{1,6})?$", safe_harbor="D",
        hints=Hints(_TELEPHONE, against=("model", "type", "brand", "os", "plan", "fax", "code", "country")),
    ),
    Detector(
        "fax number", "direct", _PLAIN, raw=r"^[+(0-9][0-9 \-./()]{5,24}$", needs_hint=True, safe_harbor="E",
        hints=Hints(("fax", "fax number", "telefax", "faxnummer", "telecopie")),
    ),
    Detector(
        "street address", "direct",
        Shape(digits=(1, 12), letters=(4, 90), foreign=(0, 60), spaces=(1, 14), separators=(0, 10), others=(0, 4)),
        raw=_ADDRESS, least=0.05, safe_harbor="B",
        hinted_raw=r"^.*\pL.*$", hinted_shape=Shape(digits=(0, 20), letters=(2, 100), foreign=(0, 90), spaces=(0, 20),
            separators=(0, 12), others=(0, 8)),
        hints=Hints(("address", "street", "street address", "address line", "home address", "addr", "adresse",
            "anschrift", "strasse", "hausnummer", "house number", "direccion", "domicilio", "calle", "indirizzo", "via",
            "adres", "straat", "endereco", "rua", "morada", "ulica", "osoite", "gata", "rue", "building number",
            "secondary address", "apartment"),
            against=("ip", "mac", "email", "mail", "web", "memory", "wallet", "bitcoin", "type", "id", "e")),
    ),
    Detector(
        "user name", "direct", Shape(digits=(0, 20), letters=(1, 40), separators=(0, 4), others=(0, 4), ats=(1, 1)),
        raw=r"^@[A-Za-z0-9_.]{2,40}$", least=0.05, safe_harbor="R",
        hinted_raw=r"^\S{2,64}$", hinted_shape=Shape.any(),
        hints=Hints(("username", "user name", "login", "login name", "nickname", "nick", "screen name", "twitter",
            "handle", "benutzername", "nutzername", "usuario", "utilisateur", "nome utente", "gebruikersnaam", "skype",
            "telegram", "instagram", "facebook", "github"), against=("time", "date", "last", "type", "at", "id")),
    ),
)  # fmt: skip
"""Every kind, in no order."""
