"""Risks of named attackers, against loops and pandas."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.data.anonymity import risks
from reticent.data.anonymity.risks import in_population
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError

PEOPLE = Table.of({"age": [30, 30, 40, 40, 40, 50], "zip": ["a", "a", "a", "b", "b", None]})


def test_prosecutor_by_hand() -> None:
    found = risks(PEOPLE, ["age", "zip"], attacker="colleague", threshold=0.5)
    assert (found.classes, found.smallest, found.prosecutor_highest) == (4, 1, 1.0)
    assert found.prosecutor_average == pytest.approx(4 / 6)  # classes/rows
    assert (found.prosecutor_at_risk, found.unique_share) == (pytest.approx(2 / 6), pytest.approx(2 / 6))
    assert (found.baseline, found.marketer, found.journalist_highest) == (
        pytest.approx(1 / 6),
        found.prosecutor_average,
        None,
    )
    assert risks(PEOPLE, ["age"]).prosecutor_average == pytest.approx(3 / 6)


def test_journalist_and_marketer_are_loops_over_a_register() -> None:
    rng = np.random.default_rng(3)
    register = Table.of({"age": rng.integers(0, 6, 400), "zip": rng.choice(["a", "b", "c"], 400)})
    chosen = rng.permutation(400)[:60]
    sample = register.take(chosen)
    found = risks(sample, ["age", "zip"], population=register, threshold=0.05)
    keys = list(zip(register["age"].cells(), register["zip"].cells(), strict=True))
    there = np.array([keys.count(keys[i]) for i in chosen])
    assert found.journalist_highest == pytest.approx(1 / there.min())
    assert found.journalist_at_risk == pytest.approx((1 / there > 0.05).mean())
    inside = {key: sum(keys[j] == key for j in chosen) for key in set(keys)}
    expected = sum(count / keys.count(key) for key, count in inside.items()) / 60  # (1/n) sum f/F
    assert found.marketer == pytest.approx(expected)
    assert (found.population, found.not_in_population, found.baseline) == (400, 0, pytest.approx(1 / 400))


def test_a_register_that_lacks_people_is_pointed_out() -> None:
    register = Table.of({"age": [30.0, 60.0], "zip": ["a", "zz"]})
    assert in_population(PEOPLE, register, ["age", "zip"]).tolist() == [1, 1, 0, 0, 0, 0]
    found = risks(PEOPLE, ["age", "zip"], population=register)
    assert (found.not_in_population, found.journalist_highest) == (6, 1.0)  # one listed for a class of two is too few
    with pytest.raises(DataError, match="columns"):
        risks(PEOPLE, ["age", "zip"], population=register.select(["age"]))
    with pytest.raises(DataError, match="one kind"):
        risks(PEOPLE, ["age"], population=Table.of({"age": ["x"]}))
    empty = Table.of({"age": [None, None]})
    assert in_population(empty, Table.of({"age": [None]}), ["age"]).tolist() == [1, 1]


def test_people_count_not_rows() -> None:
    visits = PEOPLE.replaced([Table.of({"who": ["x", "x", "y", "z", "z", "z"]})["who"]])
    assert risks(visits, ["zip"], person="who").prosecutor_average == pytest.approx((3 / 2 + 2 + 1) / 6)
    with pytest.raises(UsageError, match="threshold"):
        risks(PEOPLE, ["age"], threshold=2)


def test_many_rows_of_one_person_hide_nobody() -> None:
    """Ten rows of Ann are one person: a register that lists one person like her finds her for certain."""
    visits = Table.of({"who": ["ann"] * 10 + ["bob"] * 5, "zip": ["x"] * 10 + ["y"] * 5})
    register = Table.of({"zip": ["x", "y", "y", "y"]})
    found = risks(visits, ["zip"], person="who", population=register, threshold=0.5)
    assert (found.journalist_highest, found.not_in_population) == (1.0, 0)
    assert found.journalist_at_risk == pytest.approx(10 / 15)
    assert found.marketer == pytest.approx((10 * 1 + 5 / 3) / 15)
    # both are the only person of their kind, though no row is; and guessing is among two people, or the register's four
    assert (found.unique_share, found.prosecutor_baseline, found.baseline) == (1.0, 0.5, 0.25)
    assert risks(visits, ["zip"], population=register).journalist_highest == pytest.approx(1 / 5)  # rows, as if people
    listed = Table.of({"who": ["ann", "ann", "bob", "cem"], "zip": ["x", "x", "y", "y"]})
    assert in_population(visits, listed, ["zip"], person="who").tolist() == [1] * 10 + [2] * 5
    assert in_population(visits, listed, ["zip"]).tolist() == [2] * 15
    named = risks(visits, ["zip"], person="who", population=listed)
    assert (named.journalist_highest, named.baseline) == (1.0, pytest.approx(1 / 3))
    assert (
        risks(
            visits.take(range(14)).replaced([Table.of({"who": ["ann", None] * 7})["who"]]), ["zip"], person="who"
        ).prosecutor_baseline
        == 0.5
    )  # whoever has no name counts as one person, not as none


def test_a_prosecutor_guesses_among_the_table_and_a_journalist_among_the_register() -> None:
    register = Table.of({"age": [30, 40, 50] * 20, "zip": ["a", "b", None] * 20})
    found = risks(PEOPLE, ["age", "zip"], population=register)
    assert (found.prosecutor_baseline, found.baseline) == (pytest.approx(1 / 6), pytest.approx(1 / 60))
