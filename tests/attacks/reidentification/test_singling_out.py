"""Attempts isolate as often as theory says, and no more often than that where the release says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.attacks.reidentification.singling_out import attempts_on, isolates, trivial
from reticent.data.tables import Table
from reticent.errors import DataError, UsageError
from reticent.randomness import Randomness


def test_the_trivial_rate_is_the_binomial_one() -> None:
    draw = np.random.default_rng(1)
    for weight, people in ((0.01, 100), (0.002, 300), (0.2, 5)):
        alone = (draw.binomial(people, weight, 40_000) == 1).mean()
        assert abs(alone - trivial(weight, people)) < 6 * np.sqrt(0.25 / 40_000)
    assert trivial(1 / 1000, 1000) == pytest.approx(np.exp(-1), rel=1e-3)


def test_classes_of_one_are_singled_out_for_certain() -> None:
    raw = Table.of({"age": [31, 34, 52, 57], "illness": ["a", "b", "a", "a"]})
    released = Table.of({"age": ["30-39", "30-39", "50-59", "50-59"], "illness": ["a", "b", "a", "a"]})
    said = attempts_on(released, raw, 10, Randomness.simulated(1))
    assert [(one.kind, one.size) for one in said] == [("cells", 1)] * 2
    assert isolates([one.predicate for one in said], raw).all()


def test_counts_are_read_as_people() -> None:
    raw = Table.of({"age": [31, 34, 52], "sex": ["f", "f", "m"]})
    table = Table.of({"age": ["30-39", "50-59", "60-69"], "sex": ["f", "m", "m"], "n": [2, 1, 0]})
    said = attempts_on(table, raw, 10, Randomness.simulated(1), counts="n")
    assert [(one.kind, one.size) for one in said] == [("cells", 1)]
    assert isolates([one.predicate for one in said], raw).tolist() == [True]
    with pytest.raises(DataError, match="class with people"):
        attempts_on(Table.of({"age": ["30-39"], "n": [0]}), raw, 3, Randomness.simulated(1), counts="n")


def test_a_coin_isolates_one_of_a_class_as_often_as_theory_says() -> None:
    """400 classes of 5 different records: a share of 1/5 holds for exactly one with probability (4/5)^4 = 0.41."""
    draw = np.random.default_rng(2)
    raw = Table.of({"class": np.repeat(np.arange(400), 5), "x": draw.integers(0, 10**9, 2000)})
    released = Table.of({"class": np.repeat(np.arange(400), 5), "x": ["*"] * 2000})
    said = attempts_on(released, raw, 400, Randomness.simulated(3))
    assert {(one.kind, one.size) for one in said} == {("cells and a coin", 5)}
    share = isolates([one.predicate for one in said], raw).mean()
    # 400 coins: 6 deviations are 0.15
    assert abs(share - 0.8**4) < 0.15


def test_some_columns_of_a_synthetic_table() -> None:
    draw = np.random.default_rng(3)
    table = Table.of({f"c{i}": draw.integers(0, 6, 200) for i in range(8)})
    said = attempts_on(table, table, 30, Randomness.simulated(1), columns=4)
    assert len(said) == 30
    assert {len(one.predicate.conditions) for one in said} == {4}
    assert isolates([one.predicate for one in said], table).all()
    with pytest.raises(UsageError, match="columns <= 8"):
        attempts_on(table, table, 3, Randomness.simulated(1), columns=9)
    with pytest.raises(DataError, match="alone in 1 columns"):
        attempts_on(table, table, 3, Randomness.simulated(1), columns=1)
    with pytest.raises(DataError, match="got none"):
        attempts_on(Table.of({"z": [1]}), table, 3, Randomness.simulated(1))
