"""Counts per class, against loops over the rows."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.anonymity import counting

rows = st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 6)), min_size=1, max_size=60)


def by_class(given_rows: list[tuple[int, int]]) -> dict[int, Counter[int]]:
    found: dict[int, Counter[int]] = {}
    for of, value in given_rows:
        if value >= 0:
            found.setdefault(of, Counter())[value] += 1
    return found


@settings(deadline=None)
@given(rows)
def test_every_figure_is_that_of_a_loop(given_rows: list[tuple[int, int]]) -> None:
    of, value = (np.array(part) for part in zip(*given_rows, strict=True))
    pairs = counting.paired(of, value)
    loop = by_class(given_rows)
    classes, values = 6, 7
    everybody = Counter(v for v in value.tolist() if v >= 0)
    total = sum(everybody.values())
    if not total:
        return
    overall = np.array([everybody[v] / total for v in range(values)])
    for l in (1, 2, 3):  # noqa: E741
        ratios = counting.recursive(pairs, classes, l)
        for c in range(classes):
            falling = sorted(loop.get(c, Counter()).values(), reverse=True)
            tail = sum(falling[l - 1 :])
            expected = 0.0 if not falling else (falling[0] / tail if tail else math.inf)
            assert ratios[c] == pytest.approx(expected)
    for c in range(classes):
        inside = loop.get(c, Counter())
        n = sum(inside.values())
        assert counting.totals(pairs, classes)[c] == n
        assert counting.distinct(pairs, classes)[c] == len(inside)
        shares = [inside[v] / n for v in range(values)] if n else [0.0] * values
        entropy = -sum(q * math.log(q) for q in shares if q)
        assert counting.entropies(pairs, classes)[c] == pytest.approx(entropy, abs=1e-12)
        assert counting.largest(pairs, classes)[c] == pytest.approx(max(shares))
        equal = 0.5 * sum(abs(q - p) for q, p in zip(shares, overall, strict=True)) if n else 0.0
        walk, moved = 0.0, 0.0
        for q, p in zip(shares, overall, strict=True):
            walk += q - p
            moved += abs(walk)
        ordered = moved / (values - 1) if n else 0.0
        assert counting.distances(pairs, classes, overall, ordered=False)[c] == pytest.approx(equal, abs=1e-12)
        assert counting.distances(pairs, classes, overall, ordered=True)[c] == pytest.approx(ordered, abs=1e-12)
    for one, v, gain, ratio in zip(
        pairs.of,
        pairs.value,
        counting.gains(pairs, classes, overall),
        counting.log_ratios(pairs, classes, overall),
        strict=True,
    ):
        q = loop[int(one)][int(v)] / sum(loop[int(one)].values())
        assert gain == pytest.approx((q - overall[v]) / overall[v])
        assert ratio == pytest.approx(abs(math.log(q / overall[v])), abs=1e-12)


@settings(deadline=None)
@given(rows, st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_merging_is_counting_again(given_rows: list[tuple[int, int]], into: list[int]) -> None:
    of, value = (np.array(part) for part in zip(*given_rows, strict=True))
    merged = counting.regrouped(counting.paired(of, value), np.array(into))
    again = counting.paired(np.array(into)[of], value)
    for one, other in zip(merged, again, strict=True):
        assert one.tolist() == other.tolist()


def test_nothing_known_gives_no_pairs() -> None:
    pairs = counting.paired([0, 1], [-1, -1])
    assert [len(part) for part in pairs] == [0, 0, 0]
    assert counting.recursive(pairs, 2, 2).tolist() == [0.0, 0.0]
    assert counting.distances(pairs, 2, np.array([0.5, 0.5]), ordered=True).tolist() == [0.0, 0.0]
    weighted = counting.paired([0, 1], [-1, -1], [3, 4])
    assert [len(part) for part in weighted] == [0, 0, 0]
