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
