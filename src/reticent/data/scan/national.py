"""Numbers that states give to people: one detector per kind, with its check digits where it has them.

Promise: check digits are those that python-stdnum documents; `chance` is the share of random numbers of a pattern that
pass (measured in the tests). A kind without check digits is found by its pattern where that is written as only this
kind is (123-45-6789), and by its digits alone only in a column whose name says so.

Sources: python-stdnum 2.2 and what it cites; SSA (areas that are not given out); HMRC (prefixes of NINO); CMS (MBI).

Example:
    >>> from reticent.data.scan.national import NATIONAL
    >>> next(one.safe_harbor for one in NATIONAL if one.name == "US social security number")
    'G'
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reticent.data.scan import checksums as sums
from reticent.data.scan.detector import Detector, Shape
from reticent.data.scan.hints import Hints
from reticent.errors import MissingExtra

__all__ = ["NATIONAL", "WRITTEN_AS_SSN", "stdnum"]

Array = npt.NDArray[Any]

_MM: Final = "(0[1-9]|1[0-2])"
_DD: Final = "(0[1-9]|[12][0-9]|3[01])"
_LOST: Final = 3
WRITTEN_AS_SSN: Final = "[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} [0-9]{2} [0-9]{4}"
_NUMBER_WORDS: Final = (
    "id number",
    "national id",
    "nationalid",
    "personal number",
    "identity number",
    "national number",
)


def stdnum(name: str) -> Callable[[str], bool]:
    """A check of python-stdnum, imported when it is first used."""

    def check(text: str) -> bool:
        try:
            module = importlib.import_module(f"stdnum.{name}")
        except ImportError as error:
            raise MissingExtra("python-stdnum", "data", "Checking identity numbers") from error
        return bool(module.is_valid(text))

    return check


def _of(
    name: str, low: int, high: int, pattern: str, hints: tuple[str, ...], *,
    check: sums.Check | None = None, chance: float = 0.0, letters: tuple[int, int] = (0, 0), **more: Any,
) -> Detector:  # fmt: skip
    """A number of so many digits, with separators."""
    shape = Shape(digits=(low, high), letters=letters, spaces=(0, 6), separators=(0, 5))
    more = {"group": "direct", "safe_harbor": "R", **more}
    if more.get("pad"):  # read as whole numbers, some have lost up to three zeros
        more["hinted_shape"] = dataclasses.replace(shape, digits=(low - _LOST, high))
        more["hinted_pattern"] = more.get("hinted_pattern", f"^({pattern})$")
    return Detector(name, shape=shape, pattern=f"^({pattern})$", hints=Hints(hints), check=check, chance=chance, **more)


def _ssn(digits: Array) -> npt.NDArray[np.bool_]:
    area, group, serial = sums.number(digits[:, :3]), sums.number(digits[:, 3:5]), sums.number(digits[:, 5:])
    right: npt.NDArray[np.bool_] = (area > 0) & (area != 666) & (area < 900) & (group > 0) & (serial > 0)
    return right


def _itin(digits: Array) -> npt.NDArray[np.bool_]:
    group = sums.number(digits[:, 3:5])
    right: npt.NDArray[np.bool_] = (digits[:, 0] == 9) & (group >= 50) & (group != 89) & (group != 93)
    return right


def _hetu(text: str) -> bool:
    return stdnum("fi.hetu")(text if len(text) == 11 else f"{text[:6]}-{text[6:]}")  # the hyphen has been taken out


def _nino(text: str) -> bool:
    return text[:2] not in {"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"}


def _idnr(digits: Array) -> npt.NDArray[np.bool_]:
    counts = np.stack([(digits[:, :10] == one).sum(axis=1) for one in range(10)], axis=1)
    most, repeated = counts.max(axis=1), (counts > 1).sum(axis=1)
    right: npt.NDArray[np.bool_] = (repeated == 1) & ((most == 2) | (most == 3)) & sums.mod_11_10(digits)
    return right


def _nir(digits: Array) -> npt.NDArray[np.bool_]:
    plain = digits.copy()
    for letter, stands_for in ((17, 9), (18, 8)):  # Corsica: 2A counts as 19, 2B as 18
        rows = digits[:, 6] == letter
        plain[rows, 5], plain[rows, 6] = 1, stands_for
    right: npt.NDArray[np.bool_] = 97 - sums.number(plain[:, :13]) % 97 == sums.number(plain[:, 13:])
    return right


def _belgian(digits: Array) -> npt.NDArray[np.bool_]:
    value, last = sums.number(digits[:, :9]), sums.number(digits[:, 9:])
    right: npt.NDArray[np.bool_] = (97 - value % 97 == last) | (97 - (value + 2_000_000_000) % 97 == last)
    return right


def _czech(digits: Array) -> npt.NDArray[np.bool_]:
    value = sums.number(digits)
    right: npt.NDArray[np.bool_] = (value % 11 == 0) | ((value // 10 % 11 == 10) & (value % 10 == 0))
    return right


def _last_ten(check: sums.Check) -> sums.Check:
    return lambda digits: check(digits[:, -10:])


def _tfn(digits: Array) -> npt.NDArray[np.bool_]:
    right: npt.NDArray[np.bool_] = digits @ np.array([1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 == 0
    return right


def _eleven_less(weights: tuple[int, ...]) -> sums.Check:
    factors = np.array(weights)

    def check(digits: Array) -> npt.NDArray[np.bool_]:
        right: npt.NDArray[np.bool_] = (11 - digits[:, :-1] @ factors % 11) % 10 == digits[:, -1]
        return right

    return check


def _dea(characters: Array) -> npt.NDArray[np.bool_]:
    digits = characters[:, 2:]
    total = digits[:, 0] + digits[:, 2] + digits[:, 4] + 2 * (digits[:, 1] + digits[:, 3] + digits[:, 5])
    right: npt.NDArray[np.bool_] = total % 10 == digits[:, 6]
    return right


_NINE: Final = Shape(digits=(9, 9), spaces=(0, 2), separators=(0, 2), length=(11, 11))
_LOOSE_NINE: Final = Shape(digits=(6, 9), spaces=(0, 2), separators=(0, 2))
_A: Final = "[AC-HJKMNP-RT-Y]"
_AN: Final = "[0-9AC-HJKMNP-RT-Y]"
_EGN_MM: Final = "(0[1-9]|1[0-2]|2[1-9]|3[0-2]|4[1-9]|5[0-2])"
_PESEL_MM: Final = "([02468][1-9]|[13579][0-2])"

NATIONAL: Final = (
    Detector(
        "US social security number", "direct", _NINE, raw=f"^({WRITTEN_AS_SSN})$", check=_ssn,
        hints=Hints(("ssn", "social security", "social security number", "soc sec", "ss number")), pad=9,
        hinted_shape=_LOOSE_NINE, hinted_pattern="^[0-9]{9}$", safe_harbor="G",
    ),
    Detector(
        "US taxpayer number (ITIN)", "direct", _NINE,
        raw="^(9[0-9]{2}-[0-9]{2}-[0-9]{4}|9[0-9]{2} [0-9]{2} [0-9]{4})$", check=_itin,
        hints=Hints(("itin", "taxpayer id", "taxpayer identification")), hinted_shape=_LOOSE_NINE, pad=9,
        hinted_pattern="^[0-9]{9}$", safe_harbor="R",
    ),
    _of("US provider number (NPI)", 10, 10, "[12][0-9]{9}", ("npi", "provider id", "provider npi"),
        check=sums.npi, chance=0.1, safe_harbor="K"),
    _of("US DEA number", 7, 8, "[ABFGMPRX][A-Z9][0-9]{7}", ("dea", "dea number", "dea no"), check=_dea, chance=0.1,
        letters=(1, 2), safe_harbor="K"),
    _of("US Medicare number (MBI)", 4, 8, f"[1-9]{_A}{_AN}[0-9]{_A}{_AN}[0-9]{_A}{{2}}[0-9]{{2}}",
        ("mbi", "medicare number", "medicare beneficiary"), letters=(4, 7), safe_harbor="I"),
    _of("UK NHS number", 10, 10, "[0-9]{10}", ("nhs", "nhs number", "nhs no"), check=sums.nhs, chance=1 / 11,
        pad=10, safe_harbor="I"),
    _of("UK national insurance number", 6, 6, "[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]",
        ("nino", "ni number", "national insurance", "national insurance number"), each=_nino, letters=(3, 3)),
    _of("French NIR", 13, 15, f"[1-478][0-9]{{2}}({_MM}|[2-9][0-9])([0-9]{{2}}|2[AB])[0-9]{{8}}",
        ("nir", "numero securite sociale", "num secu", "securite sociale", "insee"), check=_nir, chance=1 / 97,
        letters=(0, 1), alpha=0.05),
    _of("German tax number (Steuer-ID)", 11, 11, "[1-9][0-9]{10}",
        ("steuer id", "steueridentifikationsnummer", "steuernummer", "idnr", "tin"), check=_idnr, chance=0.06),
    _of("German health insurance number", 9, 9, "[A-Z][0-9]{9}", ("kvnr", "krankenversichertennummer",
        "krankenversicherungsnummer", "versichertennummer"), letters=(1, 1), needs_hint=True, safe_harbor="I"),
    _of("Spanish DNI", 8, 8, "[0-9]{8}[A-Z]", ("dni", "nif", "documento identidad"), each=stdnum("es.dni"),
        chance=1 / 23, letters=(1, 1)),
    _of("Spanish NIE", 7, 7, "[XYZ][0-9]{7}[A-Z]", ("nie",), each=stdnum("es.nie"), chance=1 / 23, letters=(2, 2)),
    _of("Italian codice fiscale", 2, 7, "[A-Z]{6}[0-9L-NP-V]{2}[A-EHLMPR-T][0-9L-NP-V]{2}[A-Z][0-9L-NP-V]{3}[A-Z]",
        ("codice fiscale", "cod fiscale", "codicefiscale"), each=stdnum("it.codicefiscale"), chance=1 / 26,
        letters=(9, 14), alpha=0.05),
    _of("Dutch BSN", 9, 9, "[0-9]{9}", ("bsn", "burgerservicenummer", "sofinummer"),
        check=sums.weighted((9, 8, 7, 6, 5, 4, 3, 2), 11), chance=1 / 11, pad=9),
    _of("Polish PESEL", 11, 11, f"[0-9]{{2}}{_PESEL_MM}{_DD}[0-9]{{5}}", ("pesel",),
        check=sums.weighted((1, 3, 7, 9, 1, 3, 7, 9, 1, 3), 10, minus=True), chance=0.1, pad=11),
    _of("Belgian national number", 11, 11, f"[0-9]{{2}}{_MM}{_DD}[0-9]{{5}}",
        ("rijksregisternummer", "registre national", "niss", "insz", "national register"), check=_belgian,
        chance=2 / 97, pad=11, alpha=1e-3),
    _of("Swedish personnummer", 10, 12, f"(19|20)?[0-9]{{2}}{_MM}({_DD}|[678][0-9]|9[01])[+]?[0-9]{{4}}",
        ("personnummer", "pnr", "personnr"), check=_last_ten(sums.luhn), chance=0.1),
    _of("Finnish HETU", 8, 10, f"{_DD}{_MM}[0-9]{{2}}[0-9+A-FU-Y]?[0-9]{{3}}[0-9A-FHJ-NPR-Y]",
        ("hetu", "henkilotunnus"), raw=f"^{_DD}{_MM}[0-9]{{2}}[-+A-FU-Y][0-9]{{3}}[0-9A-FHJ-NPR-Y]$", letters=(0, 2),
        each=_hetu, chance=1 / 31, alpha=0.05),
    _of("Danish CPR", 10, 10, "[0-9]{10}", ("cpr", "cpr nummer", "cprnr"), raw=f"^{_DD}{_MM}[0-9]{{2}}-[0-9]{{4}}$",
        least=0.05, hinted_pattern=f"^{_DD}{_MM}[0-9]{{6}}$", pad=10,
        means="has had no check digits since 2007"),
    _of("Norwegian fodselsnummer", 11, 11, "[0-7][0-9][0156][0-9][0-9]{7}",
        ("fodselsnummer", "fnr", "personnummer", "fodselsnr"), check=sums.fodselsnummer, chance=1 / 100,
        pad=11, alpha=1e-3),
    _of("Czech or Slovak birth number", 10, 10,
        f"[0-9]{{2}}(0[1-9]|1[0-2]|2[1-9]|3[0-2]|5[1-9]|6[0-2]|7[1-9]|8[0-2]){_DD}[0-9]{{4}}",
        ("rodne cislo", "rc"), check=_czech, chance=1 / 10),
    _of("Bulgarian EGN", 10, 10, f"[0-9]{{2}}{_EGN_MM}{_DD}[0-9]{{4}}", ("egn",),
        check=sums.weighted((2, 4, 8, 5, 10, 9, 7, 3, 6), 11, ten=0), chance=0.1, pad=10),
    _of("Romanian CNP", 13, 13, f"[1-9][0-9]{{2}}{_MM}{_DD}[0-9]{{6}}", ("cnp", "cod numeric personal"),
        check=sums.weighted((2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9), 11, ten=1), chance=0.1),
    _of("Croatian OIB", 11, 11, "[0-9]{11}", ("oib",), check=sums.mod_11_10, chance=0.1, pad=11,
        behind="German tax number (Steuer-ID)"),
    _of("Estonian or Lithuanian code", 11, 11, f"[1-8][0-9]{{2}}{_MM}{_DD}[0-9]{{4}}",
        ("isikukood", "asmens kodas"), check=sums.isikukood, chance=0.1),
    _of("Greek AMKA", 11, 11, f"{_DD}{_MM}[0-9]{{7}}", ("amka",), check=sums.luhn, chance=0.1, pad=11),
    _of("Portuguese NIF", 9, 9, "([1-3][0-9]{8}|45[0-9]{7})", ("nif", "contribuinte"),
        check=sums.weighted((9, 8, 7, 6, 5, 4, 3, 2), 11, minus=True, ten=0), chance=0.1),
    _of("Irish PPS number", 7, 7, "[0-9]{7}[A-W][ABHWTX]?", ("pps", "ppsn", "pps number"), each=stdnum("ie.pps"),
        chance=1 / 23, letters=(1, 2)),
    _of("Swiss AHV number", 13, 13, "756[0-9]{10}", ("ahv", "avs", "ahv nummer", "sozialversicherungsnummer"),
        check=sums.weighted((1, 3) * 6, 10, minus=True), chance=0.1, alpha=1e-3),
    _of("Turkish identity number", 11, 11, "[1-9][0-9]{10}", ("tckn", "tc kimlik", "kimlik no"), check=sums.tckimlik,
        chance=0.01, alpha=1e-3),
    _of("Israeli identity number", 9, 9, "[0-9]{9}", ("teudat zehut", "israeli id", "tz"), check=sums.luhn,
        chance=0.1, pad=9, needs_hint=True),
    _of("Canadian SIN", 9, 9, "[1-79][0-9]{8}", ("sin", "social insurance", "social insurance number"),
        check=sums.luhn, chance=0.1),
    _of("Australian tax file number", 9, 9, "[0-9]{9}", ("tfn", "tax file number"), check=_tfn, chance=1 / 11, pad=9),
    _of("Brazilian CPF", 11, 11, "[0-9]{11}", ("cpf",), check=sums.cpf, chance=0.01, pad=11, alpha=1e-3),
    _of("Chilean RUT", 7, 9, "[0-9]{7,8}[0-9K]", ("rut", "run", "rol unico"), each=stdnum("cl.rut"), chance=1 / 11,
        letters=(0, 1), raw=r"^[0-9]{1,2}[.]?[0-9]{3}[.]?[0-9]{3}-[0-9kK]$"),
    _of("Argentine CUIT or CUIL", 11, 11, "(20|23|24|27)[0-9]{9}", ("cuit", "cuil"),
        check=sums.weighted((5, 4, 3, 2, 7, 6, 5, 4, 3, 2), 11, minus=True, ten=9), chance=0.1),
    _of("Mexican CURP", 7, 9, f"[A-Z]{{4}}[0-9]{{2}}{_MM}{_DD}[HMX][A-Z]{{5}}[0-9A-Z][0-9]", ("curp",),
        each=stdnum("mx.curp"), chance=0.1, letters=(9, 11), alpha=0.15),
    _of("Indian Aadhaar", 12, 12, "[2-9][0-9]{11}", ("aadhaar", "aadhar", "uidai"), check=sums.aadhaar, chance=0.1),
    _of("Indian PAN", 4, 4, "[A-Z]{3}P[A-Z][0-9]{4}[A-Z]", ("pan", "pan number", "pan card"), letters=(6, 6),
        least=0.01),
    _of("Chinese identity number", 17, 18, f"[1-9][0-9]{{5}}(19|20)[0-9]{{2}}{_MM}{_DD}[0-9]{{3}}[0-9X]",
        ("shenfenzheng", "resident identity", "chinese id"), check=sums.mod_11_2, chance=1 / 11,
        letters=(0, 1), alpha=1e-2),
    _of("Korean RRN", 13, 13, f"[0-9]{{2}}{_MM}{_DD}[1-8][0-9]{{6}}", ("rrn", "resident registration", "jumin"),
        check=_eleven_less((2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)), chance=0.1,
        means="numbers given since October 2020 have no check digit"),
    _of("Thai identity number", 13, 13, "[1-8][0-9]{12}", ("thai id",),
        check=_eleven_less((13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)), chance=0.1),
    _of("South African identity number", 13, 13, f"[0-9]{{2}}{_MM}{_DD}[0-9]{{4}}[01][0-9]{{2}}",
        ("sa id", "rsa id", "said number"), check=sums.luhn, chance=0.1, pad=13),
    Detector(
        "passport number", "direct", hints=Hints(("passport", "passport number", "passport no", "reisepass",
        "passeport", "pasaporte", "passaporto", "paspoort", "reisepassnummer"), against=("country", "type", "expiry",
        "issued", "date")), needs_hint=True, hinted_raw="^[A-Za-z0-9]{6,10}$",
        hinted_shape=Shape(digits=(2, 10), letters=(0, 4)), safe_harbor="K", loose=True,
    ),
    Detector(
        "other national number", "direct", hints=Hints((*_NUMBER_WORDS, "personal id", "tax id", "personalausweis",
        "ausweisnummer", "carte identite", "cedula", "dni number", "government id", "citizen id", "id card"),
        against=("type", "country")), needs_hint=True, hinted_raw="^[A-Za-z0-9./ -]{5,24}$",
        hinted_shape=Shape(digits=(4, 20), letters=(0, 8), spaces=(0, 4), separators=(0, 5)), safe_harbor="R",
        behind="any", loose=True,
    ),
)  # fmt: skip
"""Every kind, in no order."""
