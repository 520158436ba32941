"""Values that say less: judged by what they still say."""

from __future__ import annotations

import datetime as dt
from hashlib import blake2s

import pytest

import reticent as rt
from reticent.data.anonymity import Prefixes
from reticent.data.scan import scan
from reticent.data.scan.generalised import over_89, year_of
from reticent.data.scan.rules import restricted_zip3
from reticent.randomness import Randomness

YEAR = dt.datetime.now(dt.UTC).year


def judged(column: str, *values: object) -> set[tuple[str, str, int]]:
    """Kind, letters and cells of each finding."""
    found = scan({column: [str(value) for value in values], "n": ["1"] * len(values)}).found
    return {(one.kind, one.safe_harbor, one.cells) for one in found if one.column == column}


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("DOB", (1967, 1981, 1990), {("year in place of a date of birth", "", 3)}),
        ("DOB", ("*", "*"), set()),
        ("DOB", ("1967", "*"), {("year in place of a date of birth", "", 1)}),
        ("DOB", ("[1960, 1970)", "196*"), {("year in place of a date of birth", "", 2)}),
        ("DOB", (YEAR - 95, 1990), {("year in place of a date of birth", "", 2), ("birth over 89 years ago", "C", 1)}),
        ("DOB", (f"{YEAR - 95}-02-03", "1990-01-02"), {("date of birth", "C", 2), ("birth over 89 years ago", "C", 1)}),
        ("birth year", (YEAR - 95, 1990), {("year of birth", "", 2), ("birth over 89 years ago", "C", 1)}),
        ("DOB", ("(1965-07-05, 1970-06-16]",) * 3, {("range of dates, a year or wider", "", 3)}),
        ("Admit Date", ("2023-11", "2023-12"), {("month or quarter", "C", 2)}),
        ("Admit Date", ("11/2023", "12/2023"), {("month or quarter", "C", 2)}),
        ("Admit Date", (2023, 2022), set()),
        ("x", ("2023-11",) * 9, {("month or quarter", "C", 9)}),
        ("x", ("Nov 2023", "2023-Q4"), {("month or quarter", "C", 2)}),
        ("Admit Date", ("> 2023-10-11", "(2023-01-01, 2023-02-01]"), {("range of dates", "C", 2)}),
        ("ZIP", ("021**", "606*", "100"), {("US ZIP code, first three digits", "", 3)}),
        ("ZIP", ("021", "*"), {("US ZIP code, first three digits", "", 1)}),
        ("ZIP", ("0213*", "6061*"), {("part of a US ZIP code, or a range", "B", 2)}),
        ("ZIP", ("02138-0270 .. 02138-9917", "02141 .. 02142"), {("part of a US ZIP code, or a range", "B", 2)}),
        ("ZIP", ("02139", "60614"), {("US ZIP code", "B", 2)}),
        ("age", ("34", "[90, 95)"), {("age", "", 1), ("age over 89", "C", 1)}),
    ],
)  # fmt: skip
def test_each_form(column: str, values: tuple[object, ...], expected: set[tuple[str, str, int]]) -> None:
    assert judged(column, *values) == expected


@pytest.mark.parametrize("cut", ["", "*", "**", "xx"])
def test_areas_with_few_people(cut: str) -> None:
    few = [f"{area}{cut}" for area in restricted_zip3()]
    small = "US ZIP code, three digits of a small area"
    assert (small, "B", len(few)) in judged("zip3", *few, f"021{cut}", f"606{cut}")
    assert not any(kind == small for kind, _, _ in judged("ZIP", f"021{cut}", f"606{cut}"))
    (one,) = (one for one in scan({"zip": few}).found if one.kind == small)
    assert "2000 and 2010" in one.note


def test_zeros_that_a_number_lost() -> None:
    assert ("US ZIP code, three digits of a small area", "B", 2) in judged("zip3", 36, 59, 606)


def test_years_and_who_is_over_89() -> None:
    today = dt.date(2026, 11, 22)
    assert [year_of(one, today) for one in ("29.05.1931", "5/29/31", "5/29/19", "29 May 1931", "none")] == [
        1931, 1931, 2019, 1931, None,
    ]  # fmt: skip
    assert [over_89(year, today) for year in (1900, 1936, 1937)] == [True, True, False]


def test_what_our_own_anonymise_writes() -> None:
    rows = 400
    draws = Randomness.simulated(5)
    days = [dt.date(1950, 1, 1) + dt.timedelta(int(day)) for day in draws.integers(18_000, rows)]
    zips = [f"{('021', '606', '941')[one % 3]}{one % 97:02}" for one in range(rows)]
    people = {"MRN": [f"MRN{one}" for one in range(rows)], "ZIP": zips, "DOB": [day.isoformat() for day in days]}
    less = rt.anonymise(
        people, quasi=["ZIP", "DOB"], k=8, drop=["MRN"], hierarchies={"ZIP": Prefixes((3,))}, suppression=0.05
    )
    found = {one.column: (one.kind, one.safe_harbor) for one in scan(less.table).found}
    assert found.get("ZIP") in (None, ("US ZIP code, first three digits", ""))
    assert found.get("DOB") in (None, ("year in place of a date of birth", ""), ("month or quarter", "C"))
    coded = [blake2s(str(one).encode(), digest_size=16, key=b"k").hexdigest() for one in range(3000)]
    named = scan({"MRN": coded, "x": coded})
    assert {(one.column, one.kind, one.safe_harbor) for one in named.direct} == {
        ("MRN", "digest", "R"),
        ("x", "digest", "R"),
    }
