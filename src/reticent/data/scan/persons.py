"""Who somebody is, where, when and since when: names, places, dates, ages and the traits that single people out.

Promise: names are found by the names of columns, and, where the lists of the extra `names` are installed, in other
columns of whose different values those lists know enough (`reticent.data.scan.names`). Dates and full postcodes of
several countries are found by how they are written; ages, places
and traits by the names of columns, sexes and states of the US also by their values.

Sources: Sweeney 2000 (date of birth, sex and ZIP code single out most people in the US); 45 CFR 164.514(b)(2)(i)(A) to
(C).

Example:
    >>> from reticent.data.scan.persons import PERSONS
    >>> [one.name for one in PERSONS if "C" in one.safe_harbor]
    ['date of birth', 'date', 'age over 89']
"""

from __future__ import annotations

from typing import Final

from reticent.data.scan.detector import Detector, Shape
from reticent.data.scan.hints import Hints
from reticent.data.scan.names import names_among
from reticent.data.scan.rules import name_words
from reticent.data.tables.dates import LOOKS, MONTHS, TIME

__all__ = ["BIRTHS", "DATE", "DATES", "PERSONS", "ZIPS"]

DATE: Final = LOOKS
_TIME: Final = TIME
_DATES: Final = Shape(digits=(3, 24), letters=(0, 12), spaces=(0, 4), separators=(0, 5), colons=(0, 3), length=(6, 35))
_HINTED_DATE: Final = rf"^({DATE}{_TIME}|(19|20)[0-9]{{6}})$"
_COMPACT_DATE: Final = "(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
"""Four of a thousand random numbers of eight digits from 1900 to 2099 are written like this."""
_CUT: Final = 3
_NO_YEARS: Final = ("months", "month", "weeks", "week", "days", "day", "hours")
_NAME: Final = Shape(
    letters=(1, 60), foreign=(0, 60), spaces=(0, 5), separators=(0, 5), others=(0, 3), digits=(0, 0), length=(1, 80)
)
_WORDS: Final = Shape(
    letters=(1, 90), foreign=(0, 90), spaces=(0, 8), separators=(0, 6), others=(0, 4), digits=(0, 6), length=(1, 100)
)
_STATES: Final = frozenset((
    "al", "ak", "az", "ar", "ca", "co", "ct", "de", "fl", "ga", "hi", "id", "il", "in", "ia", "ks", "ky", "la", "me",
    "md", "ma", "mi", "mn", "ms", "mo", "mt", "ne", "nv", "nh", "nj", "nm", "ny", "nc", "nd", "oh", "ok", "or", "pa",
    "ri", "sc", "sd", "tn", "tx", "ut", "vt", "va", "wa", "wv", "wi", "wy", "dc", "pr",
))  # fmt: skip
_SEXES: Final = frozenset((
    "m", "f", "male", "female", "man", "woman", "männlich", "weiblich", "homme", "femme", "hombre", "mujer", "maschio",
    "femmina", "mężczyzna", "kobieta", "vrouw", "nonbinary", "non-binary", "divers",
))  # fmt: skip


def _longer_than_three(texts: list[str]) -> float:
    """The share of postcodes of more than three characters: a column of ZIP codes that were cut to three has none."""
    return sum(len(text) > _CUT for text in texts) / len(texts) if texts else 0.0


def _trait(name: str, *hints: str, against: tuple[str, ...] = (), **more: object) -> Detector:
    """What a column's name says of people who are alike in it."""
    return Detector(name, "quasi", hints=Hints(hints, against=against), needs_hint=True, **more)  # type: ignore[arg-type]


BIRTHS: Final = Hints(
    (
        "date of birth",
        "dob",
        "birth date",
        "birthdate",
        "birthday",
        "geburtsdatum",
        "geburtstag",
        "fecha nacimiento",
        "fecha de nacimiento",
        "date naissance",
        "date de naissance",
        "data nascita",
        "data di nascita",
        "data nascimento",
        "data de nascimento",
        "geboortedatum",
        "data urodzenia",
        "fodelsedatum",
        "fodselsdato",
        "syntymaaika",
        "born",
        "born on",
        "bday",
        "birth dt",
        "date birth",
    ),
    against=("year", "yr"),
)
DATES: Final = Hints(
    (
        "date",
        "datum",
        "fecha",
        "data",
        "admission",
        "discharge",
        "timestamp",
        "created at",
        "death",
        "visit",
        "paivamaara",
        "aufnahmedatum",
        "entlassdatum",
    )
)
ZIPS: Final = Hints(("zip", "zip code", "zipcode", "postal code zip", "zip 3"))
_Y: Final = "(18|19|20)[0-9]{2}"
_LESS_THAN_A_DATE: Final = (
    rf"(?i)^({_Y}|(18|19|20)[0-9][*x]|(18|19|20)[0-9]0s|{_Y}[-/. ]?q?[0-9]{{1,2}}|[0-9]{{1,2}}[-/.]{_Y}|"
    rf"({MONTHS})[a-z]*[ .-]+{_Y}|"
    r"(missing or )?[<>=(\[].*|.* \.\. .*)$"
)
_LESS_THAN_A_ZIP: Final = (
    r"(?i)^(missing or )?([<>]=? ?)?([0-9]{2,3}|[0-9]{1,5}-?[*x]+|[0-9]{4,5}(-[0-9]{4})? ?\.\. ?[0-9-]+)$"
)
"""What generalised values look like (`reticent.data.scan.generalised`)."""

PERSONS: Final = (
    Detector(
        "name", "direct", _NAME, raw=r"^\pL.*$", needs_hint=True, loose=True, safe_harbor="A",
        among=names_among, not_in=name_words("columns of other things"),
        hints=Hints((
            "name", "first name", "firstname", "given name", "forename", "fname", "last name", "lastname", "surname",
            "family name", "lname", "full name", "fullname", "middle name", "middle initial", "maiden name",
            "birth name",
            "patient name", "customer name", "person name", "contact name", "vorname", "nachname", "familienname",
            "geburtsname",
            "prenom", "nom", "nom de famille", "nombre", "apellido", "apellidos", "primer apellido", "nome", "cognome",
            "sobrenome", "apelido", "voornaam", "achternaam", "naam", "imie", "nazwisko", "etunimi", "sukunimi",
            "fornamn", "efternamn", "fornavn", "etternavn", "efternavn", "doctor", "physician", "next of kin",
            "guardian",
            "emergency contact", "mother", "father", "spouse", "namn", "navn", "nimi", "author", "employee name",
        ), against=(
            "file", "product", "company", "org", "organization", "organisation", "brand", "item", "table", "column",
            "host", "domain", "user", "city", "country", "state", "street", "event", "school", "hospital", "drug",
            "department", "project", "model", "category", "class", "dataset", "server", "app", "job", "device", "set",
            "education", "occupation", "work", "age", "income", "language", "id", "code", "type", "nick", "login",
            "course", "team", "group", "store", "shop", "movie", "film", "title", "book", "test", "method", "function",
        )),
    ),
    Detector(
        "date of birth", "quasi", _DATES, raw=_HINTED_DATE, needs_hint=True, safe_harbor="C",
        hints=BIRTHS, less=_LESS_THAN_A_DATE,
    ),
    Detector(
        "date", "quasi", _DATES, raw=f"^({DATE}{_TIME}|{_COMPACT_DATE})$", least=0.2, named=False, safe_harbor="C",
        hinted_raw=_HINTED_DATE, hinted_shape=_DATES,
        hints=DATES,
        means="of a birth, a stay, a death and the like: more than the year", behind="date of birth",
    ),
    _trait("year of birth", "birth year", "year of birth", "year born", "yr born", "yob", "geburtsjahr",
        "annee naissance", "ano nacimiento", "anno nascita", "geboortejaar",
        shape=Shape(digits=(2, 4)), raw="^((18|19|20)?[0-9]{2})$"),
    _trait("age", "age", "alter", "edad", "eta", "idade", "leeftijd", "wiek", "alder", "ika", "age years",
        "age at admission", "age group", against=("stage", "gap"), shape=Shape(digits=(1, 8), letters=(0, 6),
        spaces=(0, 2), separators=(0, 2), others=(0, 2)), raw=r"^[<>]?=?[0-9]{1,3}([.][0-9]+)?( ?[-+]|$| )"),
    _trait("age over 89", "age", "alter", "edad", "eta", "idade", "leeftijd", "wiek", "alder", "ika", "age years",
        "age at admission", against=_NO_YEARS, shape=Shape(digits=(2, 6), separators=(0, 3), spaces=(0, 2),
        others=(0, 2)), named=False, safe_harbor="C",
        raw=r"^(9[0-9]|1[0-2][0-9])([.][0-9]+)?$|^[\[(]?(9[0-9]|1[0-2][0-9])(, ?| ?- ?| ?\.\. ?)[0-9]{2,3}[\])]?$",
        means="ages over 89 are to be written as 90 or older"),
    Detector(
        "US ZIP code", "quasi", Shape(digits=(9, 9), separators=(1, 1)), raw="^[0-9]{5}-[0-9]{4}$", least=0.05,
        hinted_shape=Shape(digits=(3, 9), separators=(0, 1)), hinted_pattern="^[0-9]{5}([0-9]{4})?$", pad=5,
        sampled=_longer_than_three, sampled_always=True,
        hints=Hints((*ZIPS.names, "zip 5", "zip 4", "zipcode plus 4"), against=("3",)), named=False, safe_harbor="B",
        means="more than its first three digits",
    ),
    Detector(
        "postcode", "quasi", Shape(digits=(1, 8), letters=(0, 6), spaces=(0, 1), separators=(0, 1), length=(5, 9)),
        raw="^([A-Z]{1,2}[0-9][A-Z0-9]? [0-9][A-Z]{2}|[A-Z][0-9][A-Z] [0-9][A-Z][0-9]|[1-9][0-9]{3} [A-Z]{2})$",
        least=0.05, hinted_shape=Shape(digits=(2, 9), letters=(0, 6), spaces=(0, 2), separators=(0, 1)),
        hinted_raw="^[A-Za-z0-9][A-Za-z0-9 -]{2,9}$", safe_harbor="B",
        hints=Hints(("postcode", "post code", "postal code", "postal", "plz", "postleitzahl", "code postal",
            "codigo postal", "cap", "cep", "postnummer", "postinumero", "kod pocztowy", "zip", "zip code",
            "zipcode"), against=("3",)), behind="US ZIP code", less=_LESS_THAN_A_ZIP, less_if=ZIPS,
        sampled=_longer_than_three, sampled_always=True,
    ),
    Detector(
        "coordinates", "quasi", Shape(digits=(6, 34), spaces=(0, 3), separators=(3, 7), others=(0, 1)),
        raw=r"^\(?[-+]?[0-9]{1,2}[.][0-9]{3,}[,; ] ?[-+]?[0-9]{1,3}[.][0-9]{3,}\)?$", least=0.05, safe_harbor="B",
        hinted_raw=r"^[-+]?[0-9]{1,3}[.][0-9]+$", hinted_shape=Shape(digits=(2, 20), separators=(1, 2)),
        hints=Hints(("latitude", "longitude", "lat", "lon", "lng", "gps", "coordinates", "geo point", "breitengrad",
            "laengengrad", "latitud", "longitud", "geolocation")),
    ),
    Detector(
        "place below a state", "quasi", _WORDS, raw=r"^\pL.*$", needs_hint=True, loose=True, safe_harbor="B",
        hints=Hints(("city", "town", "county", "district", "village", "municipality", "suburb", "neighborhood",
            "neighbourhood", "precinct", "borough", "parish", "stadt", "ort", "wohnort", "gemeinde", "ciudad",
            "localidad",
            "municipio", "ville", "commune", "comune", "citta", "cidade", "stad", "gemeente", "woonplaats", "miasto",
            "kaupunki", "place of birth", "birthplace", "birth place", "geburtsort", "census tract", "block group",
            "location"), against=("type", "id")),
    ),
    Detector(
        "state or province", "quasi", Shape(letters=(2, 2)), listed=_STATES, least=0.9, named=True,
        hints=Hints(("state", "province", "region", "bundesland", "provincia", "estado", "departement", "regione",
            "wojewodztwo", "kanton", "canton", "state abbr"), against=("marital", "machine", "order", "task")),
    ),
    Detector(
        "sex or gender", "quasi", Shape(letters=(1, 12), foreign=(0, 6), separators=(0, 1)), listed=_SEXES, least=0.9,
        hints=Hints(("sex", "gender", "geschlecht", "sexe", "sexo", "genero", "sesso", "genere", "geslacht", "plec",
            "kon", "kjonn", "sukupuoli")),
    ),
    _trait("country", "country", "nation", "land", "pais", "pays", "paese", "kraj", "country code", "country of birth",
        "native country", against=("code phone",)),
    _trait("nationality", "nationality", "citizenship", "staatsangehoerigkeit", "nacionalidad", "nationalite",
        "cittadinanza", "nationaliteit", "nation woman", "obywatelstwo"),
    _trait("marital status", "marital", "marital status", "familienstand", "estado civil", "etat civil", "stato civile",
        "burgerlijke staat", "civil status"),
    _trait("occupation", "occupation", "job", "job title", "profession", "employer", "beruf", "profesion", "ocupacion",
        "metier", "professione", "beroep", "zawod", "workclass", "company", "industry", against=("id", "status",
        "run")),
    _trait("education", "education", "degree", "school", "university", "bildung", "abschluss", "educacion", "estudios",
        "istruzione", "opleiding", "qualification", "education num", "educational attainment"),
    _trait("income or wealth", "income", "salary", "wage", "net worth", "gehalt", "einkommen", "ingresos", "salario",
        "revenu", "salaire", "reddito", "stipendio", "inkomen", "credit limit", "credit score"),
    _trait("household", "household size", "family size", "number of children", "dependents", "kinderzahl",
    "relationship"),
    _trait("language", "language", "mother tongue", "native language", "muttersprache", "idioma", "langue", "lingua"),
    _trait("body", "height", "weight", "eye color", "hair color", "shoe size", "groesse", "gewicht", "eye colour",
        against=("sample", "class", "image", "width", "loss", "final")),
)  # fmt: skip
"""Every kind, in no order."""
