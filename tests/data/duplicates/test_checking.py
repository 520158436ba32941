"""The check of a search by the rule of the search."""

from __future__ import annotations

import dataclasses

import numpy as np

from reticent.data.duplicates.cells import Cells
from reticent.data.duplicates.checking import check
from reticent.data.duplicates.searching import cells_found
from reticent.data.tables import Table
from reticent.randomness import Randomness


def test_pairs_that_were_missed_are_seen() -> None:
    """The planted fault: every second pair is forgotten."""
    values = np.random.default_rng(0).normal(size=(400, 5)).round(3)
    values[200:] = values[:200]
    values[200:, 0] += 3
    cells = Cells.of_table(Table.of({f"c{place}": values[:, place] for place in range(5)}))
    found = cells_found(cells, 1, Randomness.simulated(0), recall=0.99, chance=0.001)
    assert len(found.pairs) == 200
    said = check(cells, found, 1, 400, Randomness.simulated(1), 0.95)
    assert said["rows near another one"].value == 1
    assert said["rows near one that was missed"].value == 0
    half = dataclasses.replace(found, pairs=found.pairs[::2])
    said = check(cells, half, 1, 400, Randomness.simulated(1), 0.95)
    assert said["rows near one that was missed"].value == 0.5
    assert said["rows of which none was missed"].value == 0.5
    nothing = dataclasses.replace(found, bars=np.full(4, np.inf))
    assert check(cells, nothing, 1, 400, Randomness.simulated(1), 0.95) == {}
    assert check(cells, found, 1, 0, Randomness.simulated(1), 0.95) == {}
