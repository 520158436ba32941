"""Calibrated searches: what stands out, what does not, and figures of chance that are another control's."""

from __future__ import annotations

import numpy as np
import pytest

from reticent.data.duplicates.cells import Cells
from reticent.data.duplicates.searching import Scored, cells_found, exact_by_chance, points_found
from reticent.data.duplicates.sketches import Points
from reticent.data.tables import Table
from reticent.randomness import Randomness


def points(rows: int, dimensions: int, copies: int, away: float, seed: int) -> Points:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, dimensions))
    values[rows - copies :] = values[:copies] + away * generator.normal(size=(copies, dimensions))
    return Points.of_columns(values)


@pytest.mark.parametrize("dimensions", [4, 20])
def test_points_that_stand_out_are_found_and_others_are_not(dimensions: int) -> None:
    found = points_found(
        points(1500, dimensions, 40, 0.004, 1), 0.1, Randomness.simulated(0), recall=0.999, chance=0.05
    )
    planted = {(row, 1460 + row) for row in range(40)}
    pairs = {tuple(sorted(pair)) for pair in found.pairs.tolist()}
    assert len(pairs & planted) >= 38
    assert len(pairs - planted) <= 4
    none = points_found(points(1500, 4, 0, 0, 2), 0.1, Randomness.simulated(0), recall=0.999, chance=0.05)
    assert none.loose > 30
    assert len(none.pairs) <= 4
    assert none.limit is None or none.limit < 0.05


def test_without_a_control_all_is_near_and_nothing_is_known_of_chance() -> None:
    some = points(300, 3, 10, 0.001, 3)
    loose = points_found(some, 0.1, Randomness.simulated(0), recall=0.99, chance=1)
    bare = points_found(some, 0.1, Randomness.simulated(0), recall=0.99, chance=1, control=False)
    assert loose.pairs.tolist() == bare.pairs.tolist()
    assert bare.by_chance is None
    assert loose.by_chance is not None
    assert (loose.limit, bare.limit) == (0.1, 0.1)


def test_equal_rows_of_few_values_are_chance_and_copies_of_many_are_not() -> None:
    generator = np.random.default_rng(4)
    second = np.arange(1000) >= 800
    few = Cells.of_table(Table.of({"a": generator.integers(0, 3, 1000), "b": generator.integers(0, 4, 1000)}))
    chance = exact_by_chance(few, second, Randomness.simulated(0))
    assert (chance.near, chance.rows, chance.across, chance.second) == (4000, 4000, 1000, 1000)
    values = generator.normal(size=(1000, 4))
    values[500:] = values[:500]
    many = Cells.of_table(Table.of({f"c{place}": values[:, place] for place in range(4)}))
    chance = exact_by_chance(many, None, Randomness.simulated(0))
    assert chance.near <= 10  # of 5,000, all of which are equal to another one
    assert chance.second == 0


def test_pairs_across_sets_are_counted_apart() -> None:
    generator = np.random.default_rng(5)
    table = Table.of(
        {"a": generator.integers(0, 40, 900), "b": generator.integers(0, 40, 900), "c": generator.permutation(900)}
    )
    second = np.arange(900) >= 600
    found = cells_found(Cells.of_table(table), 1, Randomness.simulated(0), recall=0.99, chance=1, second=second)
    across = found.pairs[second[found.pairs].sum(axis=1) == 1]
    hit = len(np.unique(across[second[across]])) / 300
    assert found.by_chance is not None
    assert found.by_chance.second <= 1500
    assert abs(found.by_chance.across / found.by_chance.second - hit) < 0.12


def test_strata_have_bars_of_their_own() -> None:
    scored = Scored(np.zeros((4, 2), np.int64), np.array([1.0, 5, 1, 5]), np.array([0, 0, 1, 7]), 0, 0)
    assert scored.strata(4).tolist() == [0, 0, 1, 3]
    assert scored.above(np.array([2.0, 0.0, 9.0, 9.0])).scores.tolist() == [5, 1]
