"""Columns that say the same."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from reticent.data.minimisation.duplicates import duplicates, told, told_by
from reticent.data.tables import Column, Table


def test_the_share_is_theils_for_categories() -> None:
    draw = np.random.default_rng(0)
    one = draw.integers(0, 4, 5000)
    two = np.where(draw.random(5000) < 0.5, one, draw.integers(0, 4, 5000))
    names = np.array(list("abcd"))
    own = mutual_info_score(one, one)
    expected = mutual_info_score(one, two) / own
    assert told_by(Column.of("x", names[one]), Column.of("y", names[two])) == pytest.approx(expected, abs=0.002)


def test_what_is_independent_tells_nothing_even_with_many_values() -> None:
    draw = np.random.default_rng(1)
    table = Table.of(
        {"a": draw.normal(size=2000), "b": draw.integers(0, 30, 2000), "c": draw.integers(0, 900, 2000).astype(str)}
    )
    assert max(told(table).values()) < 0.05


def test_groups_of_duplicates() -> None:
    draw = np.random.default_rng(2)
    cm, level = draw.normal(175, 9, 3000), draw.integers(0, 12, 3000)
    table = Table.of(
        {
            "cm": cm,
            "level": level,
            "noise": draw.normal(size=3000),
            "inches": np.round(cm / 2.54, 1),
            "word": np.array([f"w{k}" for k in range(12)])[level],
            "high": level > 5,
            "gaps": [None if k < 1500 else cm[k] for k in range(3000)],
        }
    )
    assert duplicates(table) == [("cm", "inches"), ("level", "word")]
    assert told_by(table["high"], table["level"]) > 0.99
    assert told_by(table["level"], table["high"]) < 0.5


def test_a_constant_is_told_nothing() -> None:
    assert told(Table.of({"a": [1, 1, 1], "b": [1, 2, 3]}))["a", "b"] == 0
