"""Rules on columns: what they give, on values they never saw, and as plain values."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.data.minimisation.rules import (
    OTHER,
    UNITS,
    Banded,
    Dropped,
    Grouped,
    Kept,
    Prefixed,
    Rule,
    Truncated,
    applied,
    as_dict,
    as_kind,
    rule_from,
)
from reticent.data.tables import Column
from reticent.errors import UsageError

RULES: list[Rule] = [
    Kept(),
    Dropped(),
    Banded((1.0, 2.5), (0.0, 2.0, 3.0)),
    Truncated("month"),
    Prefixed(2),
    Grouped({"a": "x", "b": "x", "c": "c"}),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_a_rule_comes_back_from_its_plain_values(rule: Rule) -> None:
    assert rule_from(as_dict(rule)) == rule
    assert rule.words


@given(
    st.lists(st.one_of(st.none(), st.floats(-50, 50), st.just(np.inf)), min_size=1),
    st.lists(st.integers(-30, 30), unique=True, max_size=5),
)
def test_bands_are_those_of_a_loop(cells: list[float | None], edges: list[int]) -> None:
    cuts = tuple(sorted(float(edge) for edge in edges))
    rule = Banded(cuts, tuple(float(k) for k in range(len(cuts) + 1)))
    found = applied(rule, Column.of("x", cells)).cells().tolist()
    assert found == [None if cell is None else sum(cell >= edge for edge in cuts) for cell in cells]


@pytest.mark.parametrize("unit", UNITS)
def test_dates_are_truncated_as_pandas_does(unit: str) -> None:
    days = pd.date_range("1931-11-29", "2033-01-01", freq="37D") + pd.Timedelta(hours=13)
    found = applied(Truncated(unit), Column.of("born", list(days.to_pydatetime()))).cells()
    if unit == "decade":
        expected = [datetime.datetime(day.year // 10 * 10, 1, 1) for day in days]
    else:
        expected = [
            day.to_period({"day": "D", "month": "M", "quarter": "Q", "year": "Y"}[unit]).start_time for day in days
        ]
    assert [pd.Timestamp(one) for one in found] == [pd.Timestamp(one) for one in expected]


def test_unseen_and_missing_values() -> None:
    column = Column.of("x", ["a", "c", "new", None])
    assert applied(RULES[5], column).cells().tolist() == ["x", "c", OTHER, None]
    assert applied(Prefixed(1), column).cells().tolist() == ["a", "c", "n", None]
    assert applied(Dropped(), column).cells().tolist() == [None] * 4


def test_cells_of_another_type_are_read_or_missing() -> None:
    texts = Column.of("x", ["3", "4.5", "old", None, " 7 ", "1_000", "nan"])
    found, unreadable = as_kind(texts, "number")
    assert found.cells().tolist() == [3.0, 4.5, None, None, 7.0, None, None]
    assert unreadable == 3
    dates, unreadable = as_kind(Column.of("x", ["2020-02-29", "2020-02-30", "1999-01-02T03:04:05Z", "x"]), "date")
    assert [None if one is None else str(one)[:10] for one in dates.cells()] == ["2020-02-29", None, "1999-01-02", None]
    assert unreadable == 2
    assert as_kind(Column.of("x", [2139, 10001]), "text")[0].cells().tolist() == ["2139", "10001"]
    assert as_kind(Column.of("x", ["yes", "False", "0", "2"]), "yes or no")[0].cells().tolist() == [
        True,
        False,
        False,
        None,
    ]
    assert as_kind(Column.of("x", [1, 0, 3]), "yes or no")[0].cells().tolist() == [True, False, None]
    assert as_kind(Column.of("x", [1, 2]), "date")[1] == 2


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "banded", "edges": [2, 1], "values": [0, 1, 2]},
        {"kind": "banded", "edges": [1], "values": [0]},
        {"kind": "banded", "edges": [float("nan")], "values": [0, 1]},
        {"kind": "banded", "edges": ["1"], "values": [0, 1], "more": 1},
        {"kind": "banded", "edges": "x", "values": [0, 1]},
        {"kind": "truncated", "unit": "week"},
        {"kind": "prefixed", "length": 0},
        {"kind": "prefixed", "length": "2"},
        {"kind": "grouped", "groups": {"a": 1}},
        {"kind": "grouped", "groups": ["a"]},
        {"kind": "eval", "code": "1"},
        "kept",
    ],
)
def test_no_other_rules_are_read(values: object) -> None:
    with pytest.raises(UsageError):
        rule_from(values)
