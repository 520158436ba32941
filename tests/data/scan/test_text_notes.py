"""Notes about patients, in many styles: what is found of them, line by line, by kind."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from reticent.data.scan import scan
from reticent.data.scan.tally import Tally
from reticent.data.scan.text import entities, examples_in, found_in
from reticent.data.scan.values import Values
from reticent.evidence.intervals import clopper_pearson

GIVEN = (
    "Hans",
    "Anna",
    "Émile",
    "Wei",
    "Thandiwe",
    "Ingrid",
    "Paulo",
    "Mei-Ling",
    "Béatrice",
    "Sven",
    "Ioana",
    "Aoife",
)
FAMILY = (
    "Meyer",
    "Fernández",
    "O'Neill",
    "Nguyen",
    "Okonkwo",
    "Núñez",
    "Berg",
    "Kowalska",
    "Smith-Jones",
    "Quispe",
    "Tāne",
    "Zhu",
)
CODES = ("J44.1", "I50.9", "E11.9", "S72.001A", "C50.919", "N18.3", "K35.80")

NAMES = (
    "Patient: {f} {l}", "Patient Name: {l}, {f}", "PATIENT: {L}, {F}", "Pt: {f} {l}", "Name: {l}, {f} A.",
    "Patient: {l}, {f}   MRN: {mrn}", "NAME: {L}, {F}  DOB: {us}", "Signed, Dr. {l}",
    "Electronically signed by: {f} {l}, MD",
    "Attending: Dr. {l}", "Attending Physician: {f} {l}", "Dictated by: {f} {l}", "PCP: {f} {l}", "Referring MD: {l}",
    "Surgeon: {L}, {F}", "Next of kin: {f} {l}", "Emergency contact: {f} {l}", "cc: Dr. {f} {l}", "Re: {f} {l}",
    "Provider - {f} {l}", "Last name: {l}", "First Name: {f}", "Nurse: {f} {l}, RN", "Patientin: {f} {l}",
)  # fmt: skip
BIRTHS = (
    "DOB: {us}", "DOB {us}", "D.O.B.: {us}", "Date of Birth: {iso}", "DATE OF BIRTH {us}", "Born {long}",
    "born {de} in Boston", "Birthdate: {iso}", "Birth date - {us}", "DOB={us}", "dob: {short}",
    "DOB: {month} {day}, {year}", "Geburtsdatum: {de}",
    "geb. {de}", "DOB: {compact}", "M, DOB {us}, seen today", "Sex: F  DOB: {us}",
)  # fmt: skip
RECORDS = ("MRN: {mrn}", "MRN {num}", "MRN# {num}", "Medical Record Number: {num}", "Medical record #: {num}",
           "Patient ID: {mrn}", "Hospital no. {num}", "Chart #: {num}", "Case number: {num}",
           "Encounter ID: {num}")  # fmt: skip
PLANS = ("Member ID: W{num}", "Insurance no. {num}", "Insurance number: {num}", "Policy #: {num}", "Medicare: {num}A",
         "Medicaid ID {num}", "Subscriber ID: XYZ{num}", "Group No: {num}", "Health plan: {num}")  # fmt: skip
ACCOUNTS = ("Account number {num}", "Acct: {num}", "Account #: {num}", "Acct. no. {num}", "Claim number: {num}")
DIAGNOSES = ("Dx {icd}.", "Dx: {icd}", "Diagnosis: {icd} exacerbation", "Discharge diagnosis: {icd}", "ICD-10: {icd}",
             "({icd})", "1. {icd} - stable", "Assessment: {icd}", "Primary dx code {icd}")  # fmt: skip
STYLES = {
    "name": NAMES, "date": BIRTHS, "date of birth": BIRTHS, "medical record number": RECORDS,
    "health-plan number": PLANS, "account number": ACCOUNTS, "ICD-10 code": DIAGNOSES,
}  # fmt: skip
LEAST = {"name": 0.9, "date": 0.95, "date of birth": 0.95, "medical record number": 0.9, "health-plan number": 0.9,
         "account number": 0.9, "ICD-10 code": 0.95}  # fmt: skip
HARMLESS = (
    "Patient: stable, no complaints", "Signed consent obtained", "Nurse: no concerns", "Name: ___",
    "Stable. Discharged home.",
    "Plan: follow up in 2 weeks", "Room: 12", "Vitals: BP 120/80, HR 72, Temp 98.6", "Provider: none",
    "Age group: adult", "Contact: none", "Version 10.2 of the form", "Weight 72 kg, height 180 cm",
    "The unit was closed on Monday",
)  # fmt: skip


def lines(kind: str, rows: int, seed: int) -> list[str]:
    """Lines of notes in all styles of a kind, about different people."""
    rng = np.random.default_rng(seed)
    made = []
    for row in range(rows):
        given, family = rng.choice(GIVEN), rng.choice(FAMILY)
        born = dt.date(1940, 1, 1) + dt.timedelta(int(rng.integers(0, 29_000)))
        number = str(rng.integers(10**7, 10**9))
        made.append(STYLES[kind][row % len(STYLES[kind])].format(
            f=given, l=family, F=given.upper(), L=family.upper(), mrn=f"MRN{number}", num=number, icd=rng.choice(CODES),
            us=born.strftime("%m/%d/%Y"), iso=born.isoformat(), de=born.strftime("%d.%m.%Y"),
            long=born.strftime("%d %B %Y"),
            short=f"{born.month}/{born.day}/{born:%y}", compact=born.strftime("%Y%m%d"), month=born.strftime("%B"),
            day=born.day, year=born.year,
        ))  # fmt: skip
    return made


def recall(kind: str, texts: list[str], searched: list[bool] | None = None) -> float:
    """The lower end of the 99.9 % interval of the share of lines in which the kind was found."""
    found = set(found_in(pa.array(texts)).get(kind, []))
    if searched is not None:
        found = {place for place in found if searched[place]}
    return clopper_pearson(len(found), len(texts), 0.999)[0]


@pytest.mark.parametrize("kind", STYLES)
def test_lines_of_notes_are_found_by_kind(kind: str) -> None:
    rows = 15 * len(STYLES[kind])
    assert recall(kind, lines(kind, rows, 3)) > LEAST[kind] - 0.02
    for style in range(len(STYLES[kind])):  # and in each style in most lines
        own = lines(kind, rows, 4)[style :: len(STYLES[kind])]
        assert len(found_in(pa.array(own)).get(kind, [])) >= 0.6 * len(own), STYLES[kind][style]


def test_a_planted_fault_shows(randomness_keys) -> None:
    """Short lines that are not searched, as texts of fewer than four words were not: the measure sees it."""
    for kind in ("name", "date of birth", "account number"):
        texts = lines(kind, 12 * len(STYLES[kind]), 5)
        values = Values.of(pa.array(texts), 0, randomness_keys)
        wordy = dict(zip(values.texts.to_pylist(), values.wordy.tolist(), strict=True))
        assert recall(kind, texts, [wordy[text] for text in texts]) < 0.6 < recall(kind, texts)


@pytest.fixture
def randomness_keys():
    from reticent.data.scan.values import Keys
    from reticent.randomness import Randomness

    return Keys(Randomness.simulated(1))


def test_harmless_lines_name_nobody() -> None:
    found = found_in(pa.array(HARMLESS))
    assert not set(found) & {"name", "date of birth", "medical record number", "health-plan number", "account number"}
    assert "telephone number" not in found


def test_what_a_word_announces_is_that() -> None:
    text = "Insurance no. 811553906"
    assert [(one.kind, text[one.start : one.end]) for one in entities(text)] == [("health-plan number", "811553906")]
    assert examples_in("Patient: MEYER, HANS DOB: 01/02/1950", "name") == ["MEYER, HANS"]
    assert examples_in("Patient: Berg, Anna   MRN: 12345678", "name") == ["Berg, Anna"]


def test_ages_over_89_and_births_long_ago() -> None:
    year = dt.datetime.now(dt.UTC).year
    old = ["Pt is a 94 y/o woman.", "Aged 97, was admitted.", "This 92-year-old man fell.", f"DOB: 05/29/{year - 92}",
           f"Born in {year - 95}.", f"born {year - 90}-12-31", "She is 101 years old."]  # fmt: skip
    young = ["Pt is a 49 y/o woman.", f"DOB: 05/29/{year - 60}", "took 92 mg", "room 94", f"Born {year - 89}-01-01",
             "aged 97 days", f"built in {year - 120}"]  # fmt: skip
    assert found_in(pa.array(old))["age over 89"] == list(range(len(old)))
    assert "age over 89" not in found_in(pa.array(young))
    (harbor,) = (row for row in scan({"note": old}).safe_harbor if row["letter"] == "C")
    assert (harbor["status"], harbor["hits"]) == ("found", len(old))


def test_months_and_days_without_a_year_are_elements_of_dates() -> None:
    texts = [
        "seen in May 2023 again",
        "admitted on 5/29 at night",
        "due 2023-11, then",
        "in the year 2023",
        "BP was 120/80",
    ]
    found = found_in(pa.array(texts))
    assert (found["month or quarter"], found["date"]) == ([0, 2], [1])


def test_short_cells_are_read_where_they_read_like_a_form(randomness_keys) -> None:
    column = Tally("x")
    column.add(
        Values.of(pa.array(["DOB: 05/29/1967", "blue car", "Patient: Hans Meyer"] + ["a b"] * 9), 0, randomness_keys)
    )
    assert (column.searched, column.unsearched) == (0, 2)
    assert column.looked_at("C") == (10, 2)
    found = scan({"x": ["DOB: 05/29/1967", "blue car", "Patient: Hans Meyer", *["a b"] * 9]})
    assert {"name", "date of birth"} <= {one.kind for one in found.found}


def test_texts_that_nobody_searched_are_told() -> None:
    found = scan({"note": ["DOB: 05/29/1967", "Patient was seen on 05/29/1967"], "n": [1, 2]}, texts="none")
    rows = {row["letter"]: row for row in found.safe_harbor}
    assert (rows["C"]["cells"], rows["C"]["not_searched"], rows["C"]["status"]) == (
        2,
        2,
        "not found; texts not searched",
    )
    assert found.sources[0].columns[0].unsearched == 2
    from reticent.reports.scan import sentences

    assert any("NOT SEARCHED: 2 cells" in one for one in sentences(found.record()))
