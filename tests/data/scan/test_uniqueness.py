"""Rows that are alone are those that a loop finds alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.data import fetch
from reticent.data.scan import scan
from reticent.data.scan.uniqueness import Held, alone, singled_out


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_alone_is_counted(rows: list[tuple[int, int]]) -> None:
    keys = np.array(rows, dtype=np.uint64).T
    counts = Counter(rows)
    assert alone(keys).tolist() == [counts[row] == 1 for row in rows]


def test_held_rows_are_bounded_and_say_so() -> None:
    held = Held(("a", "b"), limit=8)
    held.add([np.array([1, 2, 0], np.uint64), np.array([5, 5, 5], np.uint64)])
    assert (held.rows, held.whole, held.distinct(0), held.distinct(1)) == (3, True, 2, 1)
    held.add([np.array([3, 4], np.uint64), np.array([6, 7], np.uint64)])
    assert (held.rows, held.whole, held.distinct(0)) == (4, False, 3)
    assert all(not one.whole and one.of == 4 for one in singled_out(held, ["a", "b"]))
    assert singled_out(Held(()), []) == []


def test_sets_are_counted_over_all_rows() -> None:
    rng = np.random.default_rng(1)
    columns = {name: rng.integers(0, 40, 40_000) for name in "xyz"}
    (source,) = scan({name: [f"v{one}" for one in values] for name, values in columns.items()}).sources
    expected = sum(count == 1 for count in Counter(zip(*columns.values(), strict=True)).values())
    (whole,) = (one for one in source.singled_out if len(one.columns) == 3)
    assert (whole.rows, whole.of, whole.whole) == (expected, 40_000, True)


@pytest.mark.fetched
def test_movielens_users_are_nearly_all_alone(tmp_path) -> None:
    """929 of 943 are unique by age, gender, occupation and ZIP code."""
    path = next(fetch("movielens-100k").rglob("ml-100k.user"))
    lines = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    names = ("id", "age", "gender", "occupation", "zip")
    (source,) = scan(dict(zip(names, map(list, zip(*lines, strict=True)), strict=True))).sources
    found = {frozenset(one.columns): one.rows for one in source.singled_out}
    assert found[frozenset(names[1:])] == 929
