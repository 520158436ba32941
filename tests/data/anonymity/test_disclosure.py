"""One look at a table: everything that was asked for, and what was not measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reticent.data.anonymity import disclosure_risk
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness

RNG = np.random.default_rng(2)
PEOPLE = Table.of(
    {
        "age": RNG.integers(20, 60, 200),
        "zip": RNG.choice(["02139", "10001", "94501"], 200),
        "illness": RNG.choice(["flu", "cold"], 200),
        "shoe": RNG.integers(36, 46, 200),
    }
)


@pytest.mark.slow
def test_each_attacker_has_a_risk_of_his_own() -> None:
    found = disclosure_risk(
        PEOPLE,
        quasi=["age", "zip"],
        sensitive=["illness"],
        attackers={"neighbour": ["age"], "register": ["age", "zip"]},
        population=5_000,
        randomness=Randomness.simulated(1),
    )
    assert [one.attacker for one in found.attackers] == ["neighbour", "register"]
    assert found.attackers[0].prosecutor_average <= found.attackers[1].prosecutor_average
    assert "register" in found.uniqueness
    assert found.stand_out is not None
    assert found.unmeasured == ("shoe",)
    open_questions = found.as_dict()["not_measured"]
    assert "shoe" in open_questions["attackers who know other columns"]
    assert set(open_questions) >= {
        "journalist risk",
        "several rows of one person",
        "several releases of the same people",
    }
    assert "uniqueness in the population" not in open_questions


def test_the_record_has_counts_only_and_is_saved(tmp_path: Path) -> None:
    found = disclosure_risk(PEOPLE, quasi=["age", "zip"], sensitive=["illness"], data="people.csv")
    text = json.dumps(found.record().body)
    assert all(value not in text for value in ("02139", "94501", '"flu"'))
    page = found.save(tmp_path / "page.html").read_text()
    assert "people.csv" in page
    assert found.save(tmp_path / "record.json").read_bytes().startswith(b"{")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_estimates() -> None:
    one, two = (
        disclosure_risk(PEOPLE, quasi=["age", "zip"], population=5_000, randomness=Randomness.simulated(4)).as_dict()
        for _ in range(2)
    )
    assert one == two


def test_large_tables_get_smaller_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    from reticent.data.anonymity import disclosure

    monkeypatch.setattr(disclosure, "_WORK", 500)
    found = disclosure_risk(PEOPLE, quasi=["age", "zip"])
    assert found.stand_out is not None
    assert found.stand_out.largest == 1
    assert disclosure_risk(PEOPLE, quasi=["age"], largest=0).stand_out is None


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match="neighbour"):
        disclosure_risk(PEOPLE, quasi=["age"], attackers={"neighbour": ["zip"]})
    with pytest.raises(DataError, match="population"):
        disclosure_risk(PEOPLE, quasi=["age"], population=10)
    with pytest.raises(UsageError, match="one row per person"):
        disclosure_risk(PEOPLE, quasi=["age"], population=5_000, person="shoe")


def test_a_person_with_many_rows_can_be_the_only_one_of_their_kind() -> None:
    """No row is alone here and everybody is: the record must not say that nobody is alone in the population."""
    visits = Table.of({"who": ["ann", "ann", "bob", "bob"], "zip": ["x", "x", "y", "y"]})
    found = disclosure_risk(visits, quasi=["zip"], person="who")
    assert "no row is alone" not in found.as_dict()["not_measured"]["uniqueness in the population"]
    assert found.attackers[0].unique_share == 1.0
    by_row = disclosure_risk(visits, quasi=["zip"])
    assert "no row is alone" in by_row.as_dict()["not_measured"]["uniqueness in the population"]
