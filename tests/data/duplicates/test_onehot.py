"""Runs of columns that are one cell."""

from __future__ import annotations

import numpy as np

from reticent.data.duplicates.onehot import merged, runs
from reticent.data.tables import Table


def test_one_hot_columns_are_the_column_they_were_made_of() -> None:
    kinds = np.random.default_rng(0).integers(0, 5, 200)
    table = Table.of(
        {"age": kinds * 3, **{f"kind {one}": (kinds == one).astype(int) for one in (3, 0, 4, 1, 2)}, "new": kinds < 2}
    )
    assert runs(table) == [("age",), tuple(f"kind {one}" for one in (3, 0, 4, 1, 2)), ("new",)]
    assert merged(table, runs(table)[1]).cells().tolist() == [f"kind {one}" for one in kinds]
    assert merged(table, ("age",)) is table["age"]


def test_columns_that_merely_exclude_each_other_or_have_gaps_stay() -> None:
    for one, other in (
        ([1, 0, 0], [0, 1, 0]),
        ([1, 0, 1], [0, 1, 1]),
        ([1, 0, None], [0, 1, 1]),
        ([2, 0, 0], [0, 1, 1]),
    ):
        assert runs(Table.of({"a": one, "b": other})) == [("a",), ("b",)]
    assert runs(Table.of({"a": [True, False], "b": [False, True]})) == [("a", "b")]  # written twice
