"""Cells that differ, and what the rest weighs, against plain loops."""

from __future__ import annotations

import datetime
import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.duplicates.cells import Cells
from reticent.data.tables import Table
from reticent.randomness import Randomness

PAIR = np.array([[0, 1]])


def every_pair(count: int) -> np.ndarray:
    return np.array(list(itertools.combinations(range(count), 2)), np.int64).reshape(-1, 2)


def one_pair(values: list[object], most: int = 1) -> tuple[int, float]:
    """The first two rows of a column."""
    judged = Cells.of_table(Table.of({"a": values})).judged(PAIR, most)
    return int(judged.differing[0]), float(judged.bits[0])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(*[st.sampled_from(["ab", "cd", "ef", None])] * 3), min_size=2, max_size=12), st.integers(0, 3)
)
def test_categories_against_a_loop(rows: list[tuple[str | None, ...]], most: int) -> None:
    table = Table.of({f"c{place}": [row[place] for row in rows] for place in range(3)})
    kept = [place for place in range(3) if len({row[place] for row in rows}) > 1]  # constant columns say nothing
    counts = [Counter(row[place] for row in rows) for place in range(3)]
    cells, pairs = Cells.of_table(table), every_pair(len(rows))
    assert cells.columns == len(kept)
    judged = cells.judged(pairs, most)
    wanted = []
    for at, (a, b) in enumerate(pairs):
        same = [place for place in kept if rows[a][place] == rows[b][place]]
        if len(kept) - len(same) <= most:
            bits = sum(-math.log2(counts[place][rows[a][place]] / len(rows)) for place in same if rows[a][place])
            wanted.append((at, len(kept) - len(same), pytest.approx(bits)))
    assert list(zip(judged.kept.tolist(), judged.differing.tolist(), judged.bits.tolist(), strict=True)) == wanted


def test_close_numbers_are_alike_on_a_scale_that_large_values_do_not_stretch() -> None:
    usual = np.linspace(0, 100, 998).tolist()
    assert one_pair([50.0, 50.5, *usual])[0] == 0
    assert one_pair([50.0, 56.0, *usual])[0] == 1  # more than a tenth of the quarters' distance
    assert one_pair([2.0, 9.0, *usual[:-50], *[1e7] * 50])[0] == 1
    assert one_pair([1000.0, 1040.0, *usual])[0] == 0  # a twentieth of itself
    assert one_pair([1000.0, 1100.0, *usual])[0] == 1
    assert one_pair([36.8, 36.82, *[36.6, 36.7, 36.8, 36.9, 37.0, 37.2, 36.3] * 100])[0] == 0  # many rows are as close
    assert one_pair([2000, 2003, *range(1980, 2020)] * 5)[0] == 1  # years are close by their spread, not by themselves
    bits = one_pair([50.0, 50.5, *usual])[1]
    between = 2 + sum(50.0 <= one <= 50.5 for one in usual)
    assert bits == pytest.approx(-math.log2(2 * between / 1000))
    assert one_pair([1, 2, *[0, 1, 2, 3] * 200])[0] == 1  # neighbours on a short scale are not close


def test_dates_are_close_by_days_and_not_by_their_number() -> None:
    days = np.arange("2020-01-01", "2022-09-27", dtype="datetime64[D]").tolist()
    date = datetime.date.fromisoformat
    assert one_pair([date("2021-01-01"), date("2021-01-05"), *days])[0] == 0
    assert one_pair([date("2021-01-01"), date("2021-06-01"), *days])[0] == 1


def test_slips_are_alike_and_words_in_common_use_are_not() -> None:
    generator = np.random.default_rng(0)
    names = ["".join(generator.choice(list("abcdefghijklmnop "), 12)) for _ in range(50)]
    differing, bits = one_pair(["Anna Kowalska", "Anna Kowalske", *names])
    assert differing == 0
    assert 0 < bits < math.log2(52)
    assert one_pair(["Anna Kowalska", "ANNA  kowalska", *names])[0] == 0
    assert one_pair(["Anna Kowalska", "Jan Nowak", *names])[0] == 1
    assert one_pair(["male", "female", *["male", "female"] * 40])[0] == 1
    template = [f"The patient was seen on day {day} by nurse {nurse}" for day in range(30) for nurse in range(30)]
    assert one_pair([template[31], template[777], *template])[0] == 1  # as similar as any two are


def test_infinite_numbers_and_gaps_are_compared() -> None:
    cells = Cells.of_table(Table.of({"a": [math.inf, math.inf, -math.inf, None, None], "b": [1, 2, 3, 4, 5]}))
    judged = cells.judged(every_pair(5), 1)
    assert judged.kept.tolist() == [0, 9]  # both infinite, and both missing
    assert judged.bits[0] == pytest.approx(math.log2(5 / 2))
    assert judged.bits[1] == 0


def test_buckets_are_equal_for_equal_values_and_mostly_for_close_ones() -> None:
    values = np.arange(1000) / 10
    cells = Cells.of_table(Table.of({"n": values, "t": [f"some words {place * 7919}" for place in range(1000)]}))
    number, text = cells.features
    coarse = [number.buckets(Randomness.simulated(seed), coarse=True)[cells.codes[0]] for seed in range(300)]
    close = np.mean([(one[:-20] == one[20:]).mean() for one in coarse])  # 2 % of the rows apart, steps of an eighth
    assert abs(close - (1 - 0.02 * 8)) < 0.02
    assert len(np.unique(number.buckets(Randomness.simulated(0), coarse=False)[cells.codes[0]])) == 1000
    assert len(np.unique(text.buckets(Randomness.simulated(0), coarse=False)[cells.codes[1]])) == 1000


def test_shuffled_columns_keep_their_cells() -> None:
    table = Table.of({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    cells = Cells.of_table(table)
    moved = cells.shuffled(np.array([[2, 0, 1], [0, 1, 2]]))
    assert moved.codes.tolist() == [[2, 0, 1], cells.codes[1].tolist()]
    assert cells.take(np.array([2])).codes.tolist() == cells.codes[:, [2]].tolist()
