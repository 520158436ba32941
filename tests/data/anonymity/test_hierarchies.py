"""Hierarchies: nested, saved and read back, and what they say of values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.anonymity.anonymiser import Anonymiser
from reticent.data.anonymity.categories import Dates, Fixed, Frequent, Prefixes, Rare, Tree
from reticent.data.anonymity.hierarchies import (
    automatic,
    groups_of,
    hierarchy_from,
    hierarchy_in_words,
    images_at,
    levels_of,
    saved,
)
from reticent.data.anonymity.numbers import Intervals, Quantiles, Rounding, TopBottom, Widths
from reticent.data.tables import Column
from reticent.errors import DataError, UsageError

JOBS = Tree({"nurse": ("health", "public"), "doctor": ("health", "public"), "clerk": ("office", "public")})
ALL: list[tuple[Any, list[Any]]] = [
    (Widths((5, 10, 20), low=18, high=90), [3, 17, 18, 30, 34, 89, 90, 101]),
    (Widths((0.1, 0.5), origin=0.05), [0.05, 0.1, 0.3, 0.55, -2.0]),
    (Intervals(((1, 5, 9), (5,))), [0, 1, 4, 5, 9, 12]),
    (Quantiles((8, 4, 2)), list(range(50))),
    (Rounding((5, 10)), [1, 2.5, 7, 22.5, -3]),
    (TopBottom(low=18, high=90), [3, 40, 95]),
    (
        Dates(("day", "month", "quarter", "year", "decade")),
        list(np.array(["2023-04-01", "2023-06-30", "1999-12-31"], "M8[us]")),
    ),
    (Prefixes((4, 3, 1)), ["02139", "02138", "021", "9"]),
    (Rare((2, 3)), ["a", "a", "b", "c", "c", "c"]),
    (JOBS, ["nurse", "doctor", "clerk"]),
    (Fixed(), ["x", "y"]),
]


@pytest.mark.parametrize(("hierarchy", "values"), ALL)
def test_nested_and_the_same_after_saving(hierarchy: Any, values: list[Any]) -> None:
    column = Column.of("c", [*values, None])
    fitted = hierarchy.fitted(column)
    groups = groups_of(column, fitted)  # raises if a step splits what the one before had joined
    assert len(groups) == levels_of(fitted)
    if not isinstance(fitted, Fixed):
        assert set(groups[-1].tolist()) == {0}
        assert all(one[-1] not in one[:-1] for one in groups[:-1])  # a missing value is nobody else's group
    again = hierarchy_from(json.loads(json.dumps(saved(fitted))))
    assert again == fitted
    for level in range(levels_of(fitted)):
        assert images_at(again, column.values, level) == images_at(fitted, column.values, level)


def test_what_is_said() -> None:
    assert Widths((5, 10), low=18, high=90).images([3, 18, 34, 89.5, 90], 1) == [
        "< 18", "[15, 20)", "[30, 35)", "[85, 90)", ">= 90"
    ]  # fmt: skip
    assert Intervals(((1, 5), (5,))).images([0, 1, 5], 1) == ["< 1", "[1, 5)", ">= 5"]
    assert Intervals(((1, 5), (5,))).images([0, 7], 2) == ["< 5", ">= 5"]
    assert Rounding((5, 10)).images([22, 23, 27.5], 1) == [20, 25, 30]
    assert Rounding((5, 10)).images([22, 23, 25], 2) == [20, 30, 30]
    assert Rounding((0.5,)).images([0.74], 1) == [0.5]
    days = np.array(["2023-04-01", "1999-12-31"], "M8[us]")
    dates = Dates(("day", "month", "quarter", "year", "decade"))
    assert [dates.images(days, step)[0] for step in range(1, 6)] == [
        "2023-04-01",
        "2023-04",
        "2023 Q2",
        "2023",
        "2020s",
    ]
    assert dates.images(days, 5)[1] == "1990s"
    assert Prefixes((3,)).images(["02139", "021", "02"], 1) == ["021*", "021", "02"]
    assert Frequent((("a",),)).images(["a", "new"], 1) == ["a", "other"]
    assert JOBS.images(["nurse", "poet"], 1) == ["health", None]
    assert TopBottom(high=90).images([89, 90], 1) == ["89", ">= 90"]


@settings(deadline=None)
@given(st.lists(st.integers(-(10**6), 10**6), min_size=5, max_size=60))
def test_the_default_is_nested_whatever_the_numbers(values: list[int]) -> None:
    column = Column.of("c", values)
    groups_of(column, automatic(column))


def test_the_default_by_kind() -> None:
    assert isinstance(automatic(Column.of("c", [1, 2, 2, 3])), Rounding)
    assert isinstance(automatic(Column.of("c", list(range(100)))), Widths)
    assert isinstance(automatic(Column.of("c", [0] * 90 + list(range(1, 11)))), Rounding | Intervals)
    assert isinstance(automatic(Column.of("c", [*range(200), 10**6])), Intervals)
    assert isinstance(automatic(Column.of("c", np.arange("2020-01", "2021-01", dtype="M8[M]").astype("M8[us]"))), Dates)
    assert automatic(Column.of("c", ["02139", "02138", "10001", "10002", "94501"])) == Prefixes((4, 3, 2, 1))
    words = automatic(Column.of("c", ["a"] * 500 + ["b"] * 300 + ["c"] * 3 + ["d"] * 2 + ["e"] * 200))
    assert isinstance(words, Frequent)
    assert set(words.kept[-1]) == {"a", "b", "e"}


def test_in_a_word() -> None:
    assert hierarchy_in_words("widths:5,10") == Widths((5.0, 10.0))
    assert hierarchy_in_words("prefixes:4,3") == Prefixes((4, 3))
    assert hierarchy_in_words("dates:month,year") == Dates(("month", "year"))
    assert hierarchy_in_words("top:90") == TopBottom(high=90.0)
    assert hierarchy_in_words("bottom:18") == TopBottom(low=18.0)
    assert hierarchy_in_words("rare:5,10") == Rare((5, 10))
    assert hierarchy_in_words("quantiles:4,2") == Quantiles((4, 2))
    assert hierarchy_in_words("rounding:10") == Rounding((10.0,))
    assert hierarchy_in_words("fixed") == Fixed()
    for wrong in ("width:5", "widths:x", "top:1,2", "prefixes:", "prefixes:1,2", "quantiles:6,4", "dates:year,month"):
        with pytest.raises(UsageError):
            hierarchy_in_words(wrong)


def test_what_is_refused() -> None:
    for wrong in (
        lambda: Widths((5, 12)),
        lambda: Widths((10, 5)),
        lambda: Widths(()),
        lambda: Intervals(((1, 5), (3,))),
        lambda: Intervals(((5, 1),)),
        TopBottom,
        lambda: Rare((0,)),
        lambda: Tree({"a": ("x",), "b": ("x", "y")}),
        lambda: Tree({"a": ("x", "1"), "b": ("x", "2")}),
        lambda: hierarchy_from({"kind": "Widths"}),
        lambda: Quantiles().images([1], 1),
        lambda: Rare((2,)).images(["a"], 1),
    ):
        with pytest.raises(UsageError):
            wrong()
    with pytest.raises(DataError, match="numbers"):
        Widths((5,)).images(["a"], 1)
    with pytest.raises(DataError, match="dates"):
        Dates().images([1], 1)
    with pytest.raises(DataError, match="tree"):
        JOBS.fitted(Column.of("c", ["poet"]))

    crossing = Rounding((5, 7))  # 7 is no multiple of 5, but each step rounds what the one before gave
    groups_of(Column.of("c", list(range(40))), crossing)
    fake = type(
        "Fake", (), {"steps": 2, "images": lambda self, values, step: [int(v) // (2, 3)[step - 1] for v in values]}
    )
    with pytest.raises(UsageError, match="nested"):
        groups_of(Column.of("c", list(range(12))), fake())


def test_infinite_numbers_are_known_only_where_they_have_a_place() -> None:
    """They ended in an OverflowError, at fitting and in new rows."""
    inf = float("inf")
    for hierarchy in (Widths((5, 10)), Rounding((1, 5))):
        assert hierarchy.images([3.0, inf, -inf], 1)[1:] == [None, None]
        with pytest.raises(DataError, match=r"column 'c', got 1 that it does not"):
            groups_of(Column.of("c", [1.0, 2.0, inf]), hierarchy)
    assert Widths((5,), high=90).images([inf], 1) == [">= 90"]
    assert TopBottom(low=0, high=9).images([inf, -inf], 1) == [">= 9", "< 0"]
    assert isinstance(automatic(Column.of("c", [*map(float, range(200)), inf])), Intervals)


def test_new_rows_with_an_infinite_number_are_left_out_and_counted() -> None:
    fitted = Anonymiser(quasi=["c"], k=2, hierarchies={"c": Widths((5, 10))}).fit({"c": [1.0, 1.5, 2.0, 2.5, 3.0]})
    found = fitted.transform({"c": [1.0, 2.0, float("inf")]})
    assert (found.kept.tolist(), found.unknown) == ([True, True, False], 1)
