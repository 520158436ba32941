"""Columns as people find them: what spreadsheets and programs did to identifiers, and what only looks like one."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from benchmarks._identifiers import digits, numbers

from reticent.data.scan import scan
from reticent.data.scan.contacts import known_numbers
from reticent.randomness import Randomness

N = 300


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def kinds(**columns: object) -> dict[str, list[tuple[str, int]]]:
    """Column to what was found in it, and in how many cells."""
    found: dict[str, list[tuple[str, int]]] = {name: [] for name in columns}
    for one in scan(columns).found:
        found[one.column].append((one.kind, one.cells))
    return found


def social(count: int, rng: np.random.Generator) -> list[str]:
    areas, groups, serials = rng.integers(1, 666, count), rng.integers(1, 100, count), rng.integers(1, 10_000, count)
    return [f"{a:03d}-{g:02d}-{s:04d}" for a, g, s in zip(areas, groups, serials, strict=True)]


def american(count: int, rng: np.random.Generator) -> list[str]:
    return [
        f"{a}-{x:03d}-{n:04d}"
        for a, x, n in zip(
            rng.choice([212, 415, 617], count), rng.integers(220, 990, count), rng.integers(0, 10_000, count),
            strict=True,
        )
    ]  # fmt: skip


def test_numbers_of_a_column_with_gaps_are_read_back(tmp_path) -> None:
    """pandas writes 9434765919 as 9434765919.0 if a cell of its column is empty; that has eleven digits."""
    rng = drawn(1)
    nhs, cards = numbers("UK NHS number", N, rng), numbers("payment card number", N, rng)
    nhs = [one.replace(" ", "").replace("-", "") for one in nhs]
    cards = [one.replace(" ", "").replace("-", "") for one in cards]
    gaps = [place % 7 == 0 for place in range(N)]
    table = pd.DataFrame({
        "nhs": [None if gap else int(one) for gap, one in zip(gaps, nhs, strict=True)],
        "c": [None if gap or len(one) > 16 else int(one) for gap, one in zip(gaps, cards, strict=True)],
    })  # fmt: skip
    table["x"] = table["nhs"]
    table.to_csv(tmp_path / "gaps.csv", index=False)
    assert ".0" in (tmp_path / "gaps.csv").read_text()
    for source in (table, str(tmp_path / "gaps.csv")):
        found = {one.column: one for one in scan(source).direct}
        assert {name: one.kind for name, one in found.items()} == {
            "nhs": "UK NHS number", "x": "UK NHS number", "c": "payment card number",
        }  # fmt: skip
        assert found["nhs"].cells == sum(not gap for gap in gaps)  # those that lost leading zeros among them
        assert found["x"].cells > 0.85 * found["nhs"].cells
        assert found["c"].cells == table["c"].notna().sum()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [("UK NHS number", "nhs"), ("Brazilian CPF", "cpf")])
def test_zeros_that_were_lost_are_no_loss_where_the_name_says_what_it_is(kind: str, name: str) -> None:
    whole = [int("".join(one for one in text if one.isdigit())) for text in numbers(kind, 2000, drawn(2))]
    assert len({len(str(one)) for one in whole}) > 1
    assert kinds(**{name: whole}) == {name: [(kind, 2000)]}


def test_a_number_is_a_telephone_or_a_social_security_number() -> None:
    ssn, calls = social(N, drawn(3)), american(N, drawn(4))
    half = [two if place % 2 else one for place, (one, two) in enumerate(zip(ssn, calls, strict=True))]
    spaced = [one.replace("-", " ") for one in ssn]
    us, tel = "US social security number", "telephone number"
    assert kinds(a=ssn, b=calls, c=half, d=spaced, ssn=ssn, cell=calls) == {
        "a": [(us, N)], "b": [(tel, N)], "c": [(tel, N // 2), (us, N // 2)], "d": [(us, N)], "ssn": [(us, N)],
        "cell": [(tel, N)],
    }  # fmt: skip


def test_where_name_and_form_differ_the_evidence_decides() -> None:
    rng = drawn(5)
    other = [f"{a:03d}-{b:02d}-{c:04d}" for a, b, c in rng.integers(0, [1000, 100, 10_000], (N, 3))]
    (one,) = scan({"phone": social(N, rng)}).direct
    assert (one.kind, one.alternative, one.cells) == ("US social security number", "telephone number", N)
    (two,) = scan({"phone": other}).direct  # a twelfth breaks the rules of social security numbers
    assert (two.kind, two.alternative, two.cells) == ("telephone number", "US social security number", N)
    both = scan({"phone": [*social(100, rng), *american(200, rng)]})
    assert {one.kind: one.cells for one in both.direct} == {"US social security number": 100, "telephone number": 200}
    assert "US social security number, or telephone number, direct" in str(scan({"phone": social(N, rng)}))


def test_what_is_grouped_like_a_telephone_number_is_none() -> None:
    rng = drawn(6)
    four, six = rng.integers(0, 10_000, N), rng.integers(0, 1_000_000, N)
    decoys = {
        "zip+4": [f"{a:05d}-{b:04d}" for a, b in zip(rng.integers(501, 99_950, N), four, strict=True)],
        "range": [f"{a}-{a + 10_000}" for a in (rng.integers(10, 90, N) * 1000).tolist()],
        "order": [f"2023-{one:06d}" for one in six],
        "part": [f"{a:03d}-{b:03d}-{c:03d}" for a, b, c in rng.integers(0, 1000, (N, 3))],
        "measure": (rng.random(N) * 90).tolist(),
        "written": [str(one) for one in rng.random(N) * 1000],
    }
    for name, column in decoys.items():
        assert not scan({name: column}).direct, name
    berlin = [f"030 {one:07d}" for one in rng.integers(2_000_000, 9_000_000, N)]
    assert [one.kind for one in scan({"x": berlin}).direct] == ["telephone number"]
    assert known_numbers(american(50, rng)) > 0.9
    assert known_numbers([]) == 0


def test_ibans_as_banks_and_people_write_them() -> None:
    plain = [one.replace(" ", "") for one in numbers("IBAN", 60, drawn(7))]
    groups = [" ".join(one[at : at + 4] for at in range(0, len(one), 4)) for one in plain]
    found = kinds(
        a=groups, b=[one.replace(" ", "\u00a0") for one in groups], c=[f"IBAN {one}" for one in groups],
        d=[f"IBAN: {one.lower()}" for one in plain],
    )  # fmt: skip
    assert set(map(tuple, found.values())) == {(("IBAN", 60),)}


def test_addresses_beside_names() -> None:
    found = scan({"x": [f"Ann Lee <ann{place}@example.org>" for place in range(60)],
                  "y": [f"mailto:a{place}@example.org" for place in range(60)]})  # fmt: skip
    assert {(one.column, one.kind, one.cells) for one in found.direct} - {("x", "name", 60)} == {  # names: with lists
        ("x", "e-mail address", 60), ("y", "e-mail address", 60),
    }  # fmt: skip


def test_dates_without_hyphens_and_years() -> None:
    days = [dt.date(1930, 1, 1) + dt.timedelta(int(one)) for one in drawn(8).integers(0, 30_000, N)]
    found = kinds(x=[int(day.strftime("%Y%m%d")) for day in days], yr_born=[day.year for day in days],
                  birth_dt=[day.isoformat() for day in days])  # fmt: skip
    old = sum(dt.datetime.now(dt.UTC).year - day.year > 89 for day in days)
    assert found == {
        "x": [("date", N)],
        "yr_born": [("year of birth", N), ("birth over 89 years ago", old)],
        "birth_dt": [("date of birth", N), ("birth over 89 years ago", old)],
    }
    # one random number in thirty of these is a date, as luck would
    assert not any("date" in one.kind for one in scan({"x": drawn(9).integers(19_000_000, 20_999_999, N)}).found)


def test_zip_codes_that_were_cut_are_not_whole_ones() -> None:
    codes = [f"{one:05d}" for one in drawn(10).integers(10_000, 99_950, N)]
    for name in ("zip", "zip3", "postal_code"):
        found = scan({name: [code[:3] for code in codes]}).found
        assert not [one for one in found if one.kind in ("US ZIP code", "postcode")], name
    assert kinds(zip=codes)["zip"] == [("US ZIP code", N)]
    lost = [int(one) for one in [*codes[: N - 3], "02139", "00501", "01002"]]
    assert kinds(zip=lost)["zip"][0] == ("US ZIP code", N)


def test_months_are_no_years_of_age_and_digests_no_wallets() -> None:
    assert [kind for kind, _ in kinds(age_months=list(range(200)))["age_months"]] == ["age"]
    assert kinds(x=[f"{one:032x}" for one in range(10**37, 10**37 + 60)])["x"] == [("digest", 60)]


@pytest.mark.parametrize("name", ["is_pregnant", "has_diabetes", "hiv_flag", "heart_rate", "depression_score"])
def test_a_yes_or_a_score_about_health_is_health(name: str) -> None:
    assert [one.special for one in scan({name: [1, 0, 1]}).found] == ["health"]


def test_a_word_of_the_name_itself_does_not_speak_against_it() -> None:
    assert [kind for kind, _ in kinds(credit_score=[1, 2])["credit_score"]] == ["income or wealth"]
    assert kinds(vaccination_consent=[1, 0])["vaccination_consent"] == []


@pytest.mark.slow
def test_the_bound_of_a_sample_holds_where_hits_were_too_few_for_a_finding() -> None:
    """80 samples of a column of which 5.5 % are telephone numbers: where fewer than 5 % of the sample are, they are no
    finding, and a bound from zero hits would lie far below. At most 5 % of bounds may: more than 16 of 80 has
    probability 1e-6.
    """
    rng = drawn(11)
    calls = american(4000, rng)
    column = [call if one < 0.055 else "none of them" for call, one in zip(calls, rng.random(4000), strict=True)]
    truth = sum(one != "none of them" for one in column) / len(column)
    below = without = 0
    for seed in range(80):
        found = scan({"x": column}, sample=300, randomness=Randomness.simulated(seed))
        missed = found.sources[0].columns[0].missed_at_most
        without += missed is not None
        below += missed is not None and missed < truth
    assert without > 16
    assert below <= 16
    assert scan({"x": column}).direct  # all rows are enough for a finding


def test_candidates_that_luck_explains_count_for_the_bound() -> None:
    random = ["4" + one for one in digits(1000, 15, drawn(12))]
    found = scan({"c": random}, sample=500, randomness=Randomness.simulated(1))
    assert not found.direct
    assert 0.05 < (found.sources[0].columns[0].missed_at_most or 0) < 0.2
