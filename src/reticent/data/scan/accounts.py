"""Numbers and codes of accounts, devices, vehicles and records: one detector per kind.

Promise: kinds with check digits are found by them; codes without a form of their own (records, accounts, licences) need
the column's name. Digests and random identifiers are found by how they are written: they are pseudonyms. A digest of a
telephone number or of a name is undone by trying all of them, so it does not protect.

Sources: ISO/IEC 7812 and the ranges of card issuers; ISO 13616; 3GPP TS 23.003 (IMEI); 49 CFR 565 (VIN); RFC 9562.

Example:
    >>> from reticent.data.scan.accounts import ACCOUNTS, IBAN_LENGTHS
    >>> len(IBAN_LENGTHS), next(one.safe_harbor for one in ACCOUNTS if one.name == "IMEI")
    (84, 'M')
"""

from __future__ import annotations

from typing import Final

from reticent.data.scan import checksums as sums
from reticent.data.scan.detector import Detector, Shape
from reticent.data.scan.hints import Hints

__all__ = ["ACCOUNTS", "CARDS", "IBAN_LENGTHS"]

IBAN_LENGTHS: Final = {
    country: length
    for length, countries in (
        (15, "NO"), (16, "BE"), (18, "DK FO FI GL NL"), (19, "MK SI"), (20, "AT BA EE KZ LT LU XK"),
        (21, "CH HR LI LV"), (22, "BG BH CR DE GB GE IE ME RS VA"), (23, "AE GI IL IQ TL OM"),
        (24, "AD CZ ES MD PK RO SA SE SK TN VG"), (25, "LY PT ST"), (26, "IS TR"), (27, "BI FR GR IT MC MR SM DJ"),
        (28, "AL AZ BY CY DO GT HU LB NI PL SV"), (29, "BR EG PS QA UA"), (30, "JO KW MU YE"), (31, "MT SC"),
        (32, "LC"), (33, "RU"),
    )
    for country in countries.split()
}  # fmt: skip
CARDS: Final = (
    "(4[0-9]{12}([0-9]{3})?([0-9]{3})?|(5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}|"
    "3[47][0-9]{13}|3(0[0-5]|[689][0-9])[0-9]{11}|6(011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}|"
    "35(2[89]|[3-8][0-9])[0-9]{12}|62[0-9]{14})"
)
_IBAN: Final = "|".join(f"{country}[0-9]{{2}}[A-Z0-9]{{{length - 4}}}" for country, length in IBAN_LENGTHS.items())
_CODE: Final = Shape(digits=(1, 40), letters=(0, 40), spaces=(0, 4), separators=(0, 8), colons=(0, 8), others=(0, 4))


def _code(name: str, safe_harbor: str, hints: tuple[str, ...], *against: str, means: str = "") -> Detector:
    """A code without a form of its own."""
    return Detector(
        name, "direct", _CODE, raw=r"^[A-Za-z0-9][A-Za-z0-9 \-./:_#]{2,39}$", needs_hint=True, loose=True,
        safe_harbor=safe_harbor,
        hints=Hints(hints, against=("type", "status", "state", "balance", "date", *against)), means=means,
        behind="digest",
    )  # fmt: skip


ACCOUNTS: Final = (
    Detector(
        "payment card number", "direct", Shape(digits=(13, 19), spaces=(0, 6), separators=(0, 5)),
        pattern=f"^{CARDS}$", check=sums.luhn, chance=0.1, safe_harbor="J",
        hints=Hints(("credit card", "card number", "cc number", "ccn", "card no", "pan", "kreditkarte",
            "kreditkartennummer", "tarjeta", "numero carte", "carta credito", "creditcard", "debit card")),
    ),
    Detector(
        "IBAN", "direct", Shape(digits=(6, 34), letters=(2, 30), spaces=(0, 11), separators=(0, 8), colons=(0, 1),
            length=(15, 50)), prefix="^IBAN:?",
        pattern=f"^({_IBAN})$", check=sums.iban, chance=1 / 97, alpha=0.05, safe_harbor="J",
        hints=Hints(("iban", "bank account", "bankverbindung", "kontoverbindung")),
    ),
    Detector(
        "IMEI", "direct", Shape(digits=(15, 15), spaces=(0, 4), separators=(0, 4)), pattern="^[0-9]{15}$",
        check=sums.luhn, chance=0.1, hints=Hints(("imei", "device imei")), pad=15,
        hinted_shape=Shape(digits=(13, 15), spaces=(0, 4), separators=(0, 4)),
        hinted_pattern="^[0-9]{15}$", safe_harbor="M",
    ),
    Detector(
        "vehicle identification number", "direct", Shape(digits=(3, 16), letters=(1, 14), length=(17, 17)),
        pattern="^[A-HJ-NPR-Z0-9]{17}$", check=sums.vin, chance=1 / 11, safe_harbor="L",
        hints=Hints(("vin", "vehicle identification", "chassis", "chassis number", "fahrgestellnummer", "fin")),
        means="only North American numbers have a check digit",
    ),
    Detector(
        "cryptocurrency address", "direct", Shape(digits=(2, 60), letters=(10, 62), length=(26, 62)),
        raw="^(bc1[02-9ac-hj-np-z]{25,59}|[13][A-HJ-NP-Za-km-z1-9]{25,34})$", least=0.01, safe_harbor="J",
        behind="digest",
        hints=Hints(("wallet", "bitcoin", "btc address", "wallet address")),
    ),
    Detector(
        "digest", "direct", Shape(digits=(4, 128), letters=(1, 128), length=(32, 128)),
        raw="^([0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}|[0-9A-F]{32}|"
        "[0-9A-F]{40}|[0-9A-F]{64})$", least=0.01, safe_harbor="R",
        hints=Hints(("hash", "md 5", "sha 1", "sha 256", "hashed", "hashed id", "hashed email", "pseudonym")),
        means="a pseudonym, not protection: digests of what can be listed are undone by trying",
    ),
    Detector(
        "random identifier (UUID)",
        "direct", Shape(digits=(1, 32), letters=(0, 31), separators=(4, 4), length=(36, 36)),
        raw="(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", least=0.01, safe_harbor="R",
        hints=Hints(("uuid", "guid", "idfa", "gaid", "advertising id")), named=False,
        means="a pseudonym: it links rows to whoever holds its list",
    ),
    _code("medical record number", "H", ("mrn", "medical record", "medical record number", "patient id",
        "patient number", "patient no", "hospital number", "hospital id", "chart number", "case number", "fallnummer",
        "patientennummer", "patientenid", "numero paciente", "historia clinica", "dossier", "ipp", "subject id",
        "subject", "participant id", "participant", "study id"), "matter", "line"),
    _code("health-plan number", "I", ("member id", "policy number", "policy id", "insurance id", "insurance number",
        "beneficiary id", "subscriber id", "health plan", "medicaid", "medicare", "health insurance number",
        "carte vitale", "tarjeta sanitaria"), "name", "company"),
    _code("account number", "J", ("account number", "account no", "account id", "acct", "account", "kontonummer",
        "numero cuenta", "numero de cuenta", "numero compte", "numero conto", "rekeningnummer", "bank account number",
        "routing number", "bic", "sort code", "loyalty number", "customer account"), "name", "manager", "created"),
    _code("licence or certificate number", "K", ("license", "licence", "license number", "licence number",
        "driver license", "drivers license", "driving licence", "driver licence", "us driver license", "dl number",
        "fuehrerscheinnummer", "fuehrerschein", "permis conduire", "patente", "rijbewijs", "certificate number",
        "licencia"), "plate", "software", "class"),
    _code("vehicle plate", "L", ("license plate", "licence plate", "plate", "plate number", "number plate",
        "registration plate", "kennzeichen", "matricula", "immatriculation", "targa", "kenteken")),
    _code("device number", "M", ("device id", "device identifier", "serial number", "serial no", "serial", "imsi",
        "iccid", "meid", "android id", "udid", "seriennummer", "geraetenummer", "numero serie", "device serial",
        "implant id"), "model"),
    _code("number of a person or record", "R", ("customer id", "user id", "client id", "person id", "employee id",
        "employee number", "personnel number", "personalnummer", "kundennummer", "mitarbeiternummer", "student id",
        "matrikelnummer", "voter id", "member number", "membership number", "numero cliente", "numero client",
        "klantnummer", "id cliente", "soc sec id", "rec id", "uid", "cookie", "cookie id", "session id", "visitor id",
        "respondent id", "householdid", "household id", "kunden id", "person nr", "staff id", "applicant id"),
        means="a pseudonym: it links rows to whoever holds its list"),
    Detector(
        "password or secret", "direct", Shape.any(), raw=r"^\S{3,}$", needs_hint=True, loose=True, safe_harbor="R",
        hints=Hints(("password", "passwd", "pwd", "passwort", "kennwort", "contrasena", "mot de passe", "secret",
            "api key", "access token", "private key", "pin code", "cvv", "cvv 2", "cvc", "security answer",
            "mothers maiden", "mothers maiden name"), against=("changed", "expiry", "reset", "date", "length")),
        means="besides whom it points at: whoever reads it can log in",
    ),
)  # fmt: skip
"""Every kind, in no order."""
