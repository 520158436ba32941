"""What users hold, as rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reticent.data.duplicates.rows import joined, rows_of, table_of
from reticent.data.duplicates.sketches import Points, Sets
from reticent.data.records import Records
from reticent.data.tables import Column, Table
from reticent.errors import DataError, UsageError


def test_two_tables_joined_are_what_pandas_makes_of_them() -> None:
    one = pd.DataFrame({"a": ["x", None, "y"], "b": [1.0, 2.0, np.nan], "c": [1, 2, 3]})
    other = pd.DataFrame({"c": [3, 9], "b": [2.0, 5.0], "a": ["y", "w"]})
    both = joined(Table.of(one), Table.of(other))
    wanted = pd.concat([one, other], ignore_index=True)
    for name in wanted:
        cells = [None if pd.isna(cell) else cell for cell in wanted[name]]
        assert both[name].cells().tolist() == cells
        assert (np.diff(both[name].values.argsort()) > 0).all()


def test_columns_of_two_kinds_are_compared_as_texts_and_empty_ones_are_missing() -> None:
    numbers, texts = Table.of({"a": [1, 2]}), Table.of({"a": ["2", "x"]})
    assert joined(numbers, texts)["a"].cells().tolist() == ["1", "2", "2", "x"]
    empty = Table([Column.of("a", [None, None])])
    assert joined(numbers, empty)["a"].cells().tolist() == [1, 2, None, None]
    assert joined(empty, numbers)["a"].cells().tolist() == [None, None, 1, 2]


def test_the_way_follows_from_the_columns() -> None:
    ways = {
        "text": Table.of({"a": ["x", "y"]}),
        "cells": Table.of({"a": ["x", "y"], "b": [1, 2]}),
    }
    for way, table in ways.items():
        assert rows_of(table).way == way
    assert isinstance(rows_of(ways["text"]).compared(np.arange(2)), Sets)
    numbers = Table.of({"a": [1, 2], "b": [0.5, 1.0]})
    assert rows_of(numbers).way == "cells"
    assert isinstance(rows_of(numbers, way="numbers").compared(np.arange(2)), Points)
    wide = Records(np.random.default_rng(0).normal(size=(4, 201)), [0, 1, 0, 1])
    assert (rows_of(wide).way, rows_of(wide).has_cells) == ("numbers", False)
    narrow = rows_of(Records(np.eye(4), [0, 1, 0, 1]))
    assert (narrow.way, narrow.table(np.array([1])).names[3]) == ("cells", "feature 3")
    with pytest.raises(UsageError, match="Choose numbers"):
        rows_of(wide, way="cells")
    images = Records(np.zeros((4, 8, 8)), [0, 1, 0, 1])
    assert rows_of(images).way == "images"
    assert rows_of(Records(np.eye(4), [0, 1, 0, 1]), Records(np.eye(4)[:2], [0, 1])).exact.tolist() == [
        0,
        1,
        2,
        3,
        0,
        1,
    ]


def test_a_path_is_read(tmp_path: Path) -> None:
    file = Table.of({"a": [1, 2]}).save(tmp_path / "t.csv")
    assert table_of(str(file))["a"].cells().tolist() == [1, 2]


def test_owners_are_known_across_sets() -> None:
    train = Table.of({"a": [1, 1], "who": ["p", "q"]})
    test = Table.of({"a": [1], "who": ["q"]})
    rows = rows_of(train, test, owner="who")
    assert rows.owners is not None
    assert rows.owners.tolist() == [0, 1, 1]
    assert rows.exact.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "text"),
    [
        ([Table.of({"a": ["x"]})], {"way": "numbers"}, UsageError, "Choose cells"),
        ([Table.of({"a": ["x"]})], {"way": "images"}, UsageError, "Choose cells"),
        ([Table.of({"a": ["x"]})], {"way": "words"}, UsageError, "way"),
        ([Table.of({"a": ["x"]})], {"columns": ["b"]}, UsageError, "column"),
        ([Table.of({"a": ["x", None]})], {"owner": "a"}, DataError, "owner for every row"),
        ([Table.of({"a": ["x"]}), Table.of({"b": ["x"]})], {}, DataError, "lacks 'a'"),
        ([Records(np.eye(2), [0, 1])], {"owner": "a"}, UsageError, "for tables only"),
        ([Records(np.eye(2), [0, 1])], {"way": "text"}, UsageError, "Choose numbers"),
        ([Records(np.eye(2), [0, 1]), Table.of({"a": [1]})], {}, UsageError, "one kind"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    arguments: list[object], settings: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        rows_of(*arguments, **settings)  # type: ignore[arg-type]


def test_no_rows_are_refused() -> None:
    with pytest.raises(DataError, match="at least one row"):
        rows_of(Table.of({"a": ["x"]}).take(np.zeros(0, int)))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ([34.0, 34.5], ["34", "n/a"]),
        ([np.datetime64("2020-01-01", "us"), np.datetime64("2020-01-02", "us")], ["2020-01-01", "n/a"]),
        ([np.datetime64("2020-01-01T10:00", "us"), np.datetime64("2020-01-02", "us")], ["2020-01-01T10:00:00", "n/a"]),
        ([True, False], ["true", "n/a"]),
        ([2**53 + 1, 2**53], [0.5, 2.0**53]),
    ],
)
def test_equal_cells_are_equal_whatever_types_the_two_files_have(mine: list[object], theirs: list[object]) -> None:
    both = joined(Table.of({"a": mine}), Table.of({"a": theirs}))["a"]
    mixed = isinstance(theirs[0], str)
    assert both.codes[2 if mixed else 3] == both.codes[0 if mixed else 1]
    assert len(set(both.codes.tolist())) == 3


def test_infinite_numbers_are_no_points() -> None:
    table = Table.of({"a": [1.0, float("inf"), float("inf")], "b": [1.0, 2.0, 2.0]})
    assert rows_of(table).way == "cells"
    assert rows_of(table).exact.tolist() == [0, 1, 1]
    with pytest.raises(UsageError, match="way"):
        rows_of(table, way="numbers")
