"""Bands of columns: what they find against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reticent.data.duplicates import blocking
from reticent.data.duplicates.blocking import EVERY, candidates, planned
from reticent.data.duplicates.cells import Cells
from reticent.data.tables import Table
from reticent.randomness import Randomness


def table(rows: int, columns: int, values: int, generator: np.random.Generator) -> np.ndarray:
    return generator.integers(0, values, size=(rows, columns))


def cells_of(values: np.ndarray) -> Cells:
    return Cells.of_table(Table.of({f"c{at}": [f"v{one}" for one in values[:, at]] for at in range(values.shape[1])}))


@pytest.mark.parametrize(("columns", "changed"), [(5, 1), (12, 1), (12, 3)])
def test_changed_rows_are_looked_at_as_often_as_promised(columns: int, changed: int) -> None:
    """2,000 pairs; 99 % are asked for; fewer than 98 % at that rate has a probability below 1e-4."""
    generator = np.random.default_rng(columns + changed)
    values = table(6000, columns, 60, generator)
    values[4000:] = values[:2000]
    for row in range(4000, 6000):
        values[row, generator.choice(columns, changed, replace=False)] = 99
    cells = cells_of(values)
    plan = planned(cells, changed, 0.99, Randomness.simulated(1))
    assert plan is not None
    assert plan.chance(changed) >= 0.99
    assert plan.chance(0) == 1
    made = candidates(cells, plan, Randomness.simulated(2))
    looked = {tuple(pair) for pair in made.pairs.tolist()}
    hit = np.mean([(row, row + 4000) in looked for row in range(2000)])
    assert hit > 0.98
    assert len(looked) < 0.05 * 6000 * 5999 / 2


def test_a_small_set_is_compared_wholly() -> None:
    cells = cells_of(table(50, 4, 5, np.random.default_rng(0)))
    assert planned(cells, 1, 0.99, Randomness.simulated(0)) is None
    assert len(candidates(cells, None, Randomness.simulated(0)).pairs) == 50 * 49 // 2


def test_columns_that_tell_nothing_apart_are_no_band(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "_PAIRS", 0)
    plan = planned(cells_of(table(EVERY + 500, 3, 2, np.random.default_rng(0))), 1, 0.99, Randomness.simulated(0))
    assert plan is not None
    assert plan.bands == ()
    assert plan.dropped > 0
    assert plan.chance(0) == 0


def test_the_chance_is_that_of_drawing_columns() -> None:
    plan = blocking.Plan(6, (blocking.Band((0, 1), False),), 0)
    assert plan.chance(2) == pytest.approx(math.comb(4, 2) / math.comb(6, 2))
