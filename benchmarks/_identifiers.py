"""Made-up identity numbers with right check digits, as python-stdnum says, and columns that only look like them.

A template's characters: # a digit, 1 a digit from 1 on, @ a capital, ^ a letter or digit, Y M D a date of birth (years
of two or four digits), anything else itself. Values are drawn until python-stdnum, which shares no code with
reticent's check digits, calls them valid.
"""

from __future__ import annotations

import importlib
import string
from collections.abc import Callable

import numpy as np

LETTERS = np.array(list(string.ascii_uppercase))

# kind: templates, and the module of python-stdnum that knows what is valid
NUMBERS: dict[str, tuple[tuple[str, ...], str]] = {
    "payment card number": (("4###############", "4### #### #### ####", "51##############", "37#############"), "luhn"),
    "IBAN": (
        (
            "DE####################",
            "GB##LOYD##############",
            "FR#########################",
            "NL##ABNA##########",
        ),
        "iban",
    ),
    "IMEI": (("35#############",), "imei"),
    "US provider number (NPI)": (("1#########",), "npi"),
    "US DEA number": (("A@#######", "B@#######"), "dea"),
    "UK NHS number": (("##########", "### ### ####"), "gb.nhs"),
    "French NIR": (("1YYMM75######89", "2YYMM1#########"), "fr.nir"),
    "German tax number (Steuer-ID)": (("1##########",), "de.idnr"),
    "Spanish DNI": (("########@",), "es.dni"),
    "Spanish NIE": (("X#######@", "Y#######@"), "es.nie"),
    "Italian codice fiscale": (("@@@@@@YYADDF205@", "@@@@@@YYSDDH501@"), "it.codicefiscale"),
    "Dutch BSN": (("1########",), "nl.bsn"),
    "Polish PESEL": (("YYMMDD#####",), "pl.pesel"),
    "Belgian national number": (("YYMMDD#####",), "be.nn"),
    "Swedish personnummer": (("YYMMDD-####", "YYYYMMDD####"), "se.personnummer"),
    "Finnish HETU": (("DDMMYY-###^", "DDMMYYA###^"), "fi.hetu"),
    "Norwegian fodselsnummer": (("DDMMYY#####",), "no.fodselsnummer"),
    "Czech or Slovak birth number": (("YYMMDD/####",), "cz.rc"),
    "Bulgarian EGN": (("YYMMDD####",), "bg.egn"),
    "Romanian CNP": (("1YYMMDD12####",), "ro.cnp"),
    "Croatian OIB": (("###########",), "hr.oib"),
    "Estonian or Lithuanian code": (("3YYMMDD####", "4YYMMDD####"), "ee.ik"),
    "Greek AMKA": (("DDMMYY#####",), "gr.amka"),
    "Portuguese NIF": (("2########",), "pt.nif"),
    "Irish PPS number": (("#######@",), "ie.pps"),
    "Swiss AHV number": (("756.####.####.##", "756##########"), "ch.ssn"),
    "Turkish identity number": (("1##########",), "tr.tckimlik"),
    "Canadian SIN": (("1########", "1## ### ###"), "ca.sin"),
    "Australian tax file number": (("1########",), "au.tfn"),
    "Brazilian CPF": (("###########", "###.###.###-##"), "br.cpf"),
    "Chilean RUT": (("########-^", "##.###.###-^"), "cl.rut"),
    "Argentine CUIT or CUIL": (("20#########", "27-########-#"), "ar.cuit"),
    "Mexican CURP": (("@@@@YYMMDDHDF@@@##",), "mx.curp"),
    "Indian Aadhaar": (("2###########", "5### #### ####"), "in_.aadhaar"),
    "Chinese identity number": (("110101YYYYMMDD####",), "cn.ric"),
    "Korean RRN": (("YYMMDD-1######",), "kr.rrn"),
    "Thai identity number": (("1############",), "th.pin"),
    "South African identity number": (("YYMMDD####0##",), "za.idnr"),
    "vehicle identification number": (("1HGCM826^3A######", "5YJ3E1EA^JF######"), "vin"),
}


def _vin(text: str) -> bool:
    """The check digit of 49 CFR 565.15, one character at a time."""
    values = dict(zip("ABCDEFGH", range(1, 9), strict=True)) | dict(zip("JKLMN", range(1, 6), strict=True))
    values |= {"P": 7, "R": 9} | dict(zip("STUVWXYZ", range(2, 10), strict=True)) | {str(one): one for one in range(10)}
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    if len(text) != 17 or any(one not in values for one in text):
        return False
    return "0123456789X"[sum(values[one] * weight for one, weight in zip(text, weights, strict=True)) % 11] == text[8]


def _dea(text: str) -> bool:
    digits = [int(one) for one in text[2:]]
    return (digits[0] + digits[2] + digits[4] + 2 * (digits[1] + digits[3] + digits[5])) % 10 == digits[6]


def validity(kind: str) -> Callable[[str], bool]:
    """What says whether a value is a valid number of this kind."""
    name = NUMBERS[kind][1]
    if name == "vin":
        return _vin
    if name == "dea":
        return _dea
    if name == "npi":
        luhn = importlib.import_module("stdnum.luhn")
        return lambda text: bool(luhn.is_valid("80840" + text))
    module = importlib.import_module(f"stdnum.{name}")
    if name == "iban":
        return lambda text: bool(module.is_valid(text, check_country=False))
    if name == "luhn":
        return lambda text: bool(module.is_valid(text.replace(" ", "")))
    return lambda text: bool(module.is_valid(text))


def filled(template: str, rng: np.random.Generator) -> str:
    """A template with its places filled at random."""
    year, month, day = rng.integers(1935, 1999), rng.integers(1, 13), rng.integers(1, 29)
    text = template.replace("YYYY", f"{year:04}").replace("YY", f"{year % 100:02}")
    text = text.replace("MM", f"{month:02}").replace("DD", f"{day:02}")
    draws = {"#": string.digits, "@": string.ascii_uppercase, "^": string.digits + "ABCDEFHJKLMNPRSTUVWXY"}
    start = "1HGCM" if template.startswith("1HGCM") else ""
    drawn = [rng.choice(list(draws[one])) if one in draws else one for one in text.removeprefix(start)]
    return start + "".join(drawn)


def numbers(kind: str, count: int, rng: np.random.Generator) -> list[str]:
    """So many valid numbers of a kind."""
    valid = validity(kind)
    templates = NUMBERS[kind][0]
    found: list[str] = []
    while len(found) < count:
        text = filled(templates[len(found) % len(templates)], rng)
        if kind == "IBAN":
            text = text[:2] + importlib.import_module("stdnum.iban").calc_check_digits(text) + text[4:]
        place = next((place for place in range(len(text) - 1, -1, -1) if text[place].isdigit()), len(text) - 1)
        tries = [text, *(text[:place] + digit + text[place + 1 :] for digit in string.digits)]
        if (good := next((one for one in tries if valid(one)), None)) is not None:
            found.append(good)
    return found


def digits(count: int, length: int, rng: np.random.Generator) -> list[str]:
    """Random numbers of one length that begin with no zero."""
    return [
        "".join(map(str, row))
        for row in np.hstack([rng.integers(1, 10, (count, 1)), rng.integers(0, 10, (count, length - 1))])
    ]


def decoys(count: int, rng: np.random.Generator) -> dict[str, list[str]]:
    """Columns that hold no personal data: order numbers, times, codes, measurements."""
    start = 1_700_000_000
    times = start + np.sort(rng.integers(0, 30_000_000, count))
    hexadecimal = np.array(list("0123456789abcdef"))
    words = np.array(["red", "blue", "green", "black", "white", "small", "large", "open", "closed", "north", "south"])

    def article() -> str:
        text = "400" + "".join(map(str, rng.integers(0, 10, 9)))
        total = sum(int(one) * (3 if place % 2 else 1) for place, one in enumerate(text))
        return text + str(-total % 10)

    found = {f"random_{length}": digits(count, length, rng) for length in (6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18)}
    return found | {
        "order_sequence": [str(4_000_000_000_000_000 + place) for place in range(count)],
        "order_code": [
            f"ORD-{year}-{one:06}"
            for year, one in zip(rng.integers(2019, 2026, count), rng.integers(0, 10**6, count), strict=True)
        ],
        "epoch_seconds": [str(one) for one in times],
        "epoch_milliseconds": [
            str(one * 1000 + int(extra)) for one, extra in zip(times, rng.integers(0, 1000, count), strict=True)
        ],
        "epoch_microseconds": [
            str(one * 10**6 + int(extra)) for one, extra in zip(times, rng.integers(0, 10**6, count), strict=True)
        ],
        "article": [article() for _ in range(count)],
        "lot": ["".join(rng.choice(LETTERS, 2)) + "".join(map(str, rng.integers(0, 10, 7))) for _ in range(count)],
        "part": ["".join(map(str, rng.integers(0, 10, 8))) + str(rng.choice(LETTERS)) for _ in range(count)],
        "short_hash": ["".join(rng.choice(hexadecimal, 10)) for _ in range(count)],
        "version": [".".join(map(str, rng.integers(0, 30, 3))) for _ in range(count)],
        "amount": [f"{one:.2f}" for one in rng.gamma(2, 50, count)],
        "measurement": [f"{one:.6f}" for one in rng.normal(0, 1, count)],
        "colour": [str(one) for one in rng.choice(words, count)],
        "seats": [str(one) for one in rng.integers(1, 400, count)],
    }
