"""Minimal sample uniques, against a loop over rows and sets."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from reticent.data.anonymity import minimal_uniques
from reticent.data.tables import Table
from reticent.errors import UsageError


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("largest", [1, 2, 3, 4])
def test_equal_to_a_loop(seed: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    names = ["a", "b", "c", "d"]
    cells = {name: rng.integers(0, 4, 40) for name in names}
    found = minimal_uniques(Table.of(cells), names, largest=largest)
    rows_of = {name: set() for name in names}
    counts = dict.fromkeys(range(1, largest + 1), 0)
    for row in range(40):
        minimal: list[tuple[str, ...]] = []
        for size in range(1, largest + 1):
            for chosen in itertools.combinations(names, size):
                alone = all(any(cells[c][i] != cells[c][row] for c in chosen) for i in range(40) if i != row)
                if alone and not any(set(less) < set(chosen) for less in minimal):
                    minimal.append(chosen)
        score = sum(math.prod(4 - i for i in range(len(one), largest + 1) if i < 4) for one in minimal)
        assert found.scores[row] == score
        assert found.smallest[row] == min(map(len, minimal), default=0)
        for one in minimal:
            counts[len(one)] += 1
            for name in one:
                rows_of[name].add(row)
    assert found.sets == counts
    assert {name: one.rows for name, one in found.columns.items()} == {name: len(one) for name, one in rows_of.items()}
    assert found.rows_with == int((found.smallest > 0).sum())


def test_counts_only_and_no_more_sets_than_can_be_looked_at() -> None:
    wide = Table.of({f"c{i}": [1, 1] for i in range(40)})
    with pytest.raises(UsageError, match="sets"):
        minimal_uniques(wide, list(wide.names))
    found = minimal_uniques(wide, list(wide.names), largest=1)
    assert found.rows_with == 0
    assert set(found.as_dict()) == {"rows", "largest", "rows_with", "sets", "columns"}
    assert found.as_dict()["columns"]["c0"] == {"rows": 0, "share": 0.0}
