"""Steps fitted to rows: how many values are left, and that nothing rare is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.minimisation.rules import Banded, Grouped, Truncated, applied
from reticent.data.minimisation.steps import DROP, KEEP, LEAST, Step, fitted, ladders, roundest
from reticent.data.tables import Column

NO_EFFECT = np.zeros((1000, 1))


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_the_roundest_number_is_inside(low: float, width: float) -> None:
    found = roundest(low, low + width)
    assert low < found <= low + width
    assert len(f"{found:.12g}") <= len(f"{low + width:.12g}") + 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 4, 8, 32]), st.sampled_from(["bands", "cuts"]))
def test_bands_are_few_frequent_and_ordered(seed: int, bands: int, kind: str) -> None:
    draw = np.random.default_rng(seed)
    raw = [draw.normal(size=1000), draw.exponential(9, 1000) * (draw.random(1000) < 0.2), draw.integers(0, 9, 1000)]
    values = raw[seed % 3]
    column = Column.of("x", values)
    rule = fitted(Step(kind, bands), column, draw.normal(size=(1000, 1)))
    assert isinstance(rule, Banded)
    assert 1 <= len(rule.values) <= bands
    after = applied(rule, column)
    assert (after.counts() >= LEAST).all()
    assert (np.diff(after.numbers()[np.argsort(values, kind="stable")]) >= 0).all()  # order is kept
    inside = np.searchsorted(rule.edges, rule.values, side="right")
    assert inside.tolist() == list(range(len(rule.values)))  # each band's number lies in it


def test_a_frequent_value_has_its_own_band() -> None:
    values = np.where(np.arange(1000) < 700, 0, np.arange(1000))
    rule = fitted(Step("bands", 8), Column.of("gain", values), NO_EFFECT)
    assert isinstance(rule, Banded)
    assert rule.values[0] == 0
    assert 0 < rule.edges[0] <= 706
    assert len(rule.values) == 8


def test_cuts_follow_the_labels() -> None:
    values = np.arange(1000) % 90
    effects = ((values >= 18) & (values < 65)).astype(float)[:, None]
    rule = fitted(Step("cuts", 3), Column.of("age", values), effects)
    assert isinstance(rule, Banded)
    assert rule.edges == pytest.approx((18, 65), abs=1)


def test_groups_follow_the_labels() -> None:
    names = np.array([f"c{k}" for k in range(12)])[np.arange(1200) % 12]
    effects = np.isin(names, ["c0", "c5", "c7"]).astype(float)[:, None]
    rule = fitted(Step("groups", 2), Column.of("x", names), effects)
    assert isinstance(rule, Grouped)
    of = {group: {name for name, one in rule.groups.items() if one == group} for group in rule.groups.values()}
    assert {"c0", "c5", "c7"} in of.values()
    assert len(of) == 2


@pytest.mark.parametrize("step", [Step("frequent"), Step("groups", 4)])
def test_no_rare_category_is_named(step: Step) -> None:
    names = ["rare"] * (LEAST - 1) + ["secret"] + ["a"] * 400 + ["b"] * 590
    rule = fitted(step, Column.of("x", names), NO_EFFECT)
    assert isinstance(rule, Grouped)
    assert set(rule.groups) == {"a", "b"}


def test_many_categories_are_grouped_in_reasonable_time() -> None:
    names = [f"n{k % 900}" for k in range(20_000)]
    rule = fitted(Step("groups", 4), Column.of("x", names), np.random.default_rng(0).normal(size=(20_000, 2)))
    assert isinstance(rule, Grouped)
    assert len(set(rule.groups.values())) == 4
    assert len(rule.groups) == 256


def test_ladders_fit_their_columns() -> None:
    assert ladders(Column.of("x", [True, False, None])) == ()
    assert [step.level for step in ladders(Column.of("x", range(7)))[0]] == [4, 2]
    zips = Column.of("zip", [f"{k:05d}" for k in range(1000)])
    assert [step.level for step in ladders(zips)[0]] == [4, 3, 2, 1]
    assert len(ladders(Column.of("city", [f"city {'x' * (k % 9)}{k}" for k in range(100)]))) == 1
    days = Column.of("born", np.datetime64("1990-01-01") + np.arange(3000))
    assert [fitted(step, days, np.zeros((3000, 1))) for step in ladders(days)[0]] == [
        Truncated("month"),
        Truncated("quarter"),
        Truncated("year"),
        Truncated("decade"),
    ]


@pytest.mark.parametrize("cells", [[None, None, None], [1.0, None, 1.0], [5.0] * 3])
def test_columns_with_next_to_nothing(cells: list[float | None]) -> None:
    column = Column.of("x", np.array(cells, dtype=float))
    for step in (KEEP, DROP, Step("bands", 4), Step("cuts", 4)):
        assert len(applied(fitted(step, column, np.zeros((3, 1))), column)) == 3
