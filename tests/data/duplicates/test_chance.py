"""Controls keep what columns say about each other, and no copies; the bar against a loop."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.duplicates.chance import LEAF, bar, leaves, orders, runs_for
from reticent.randomness import Randomness


def test_leaves_are_small_and_of_alike_rows() -> None:
    points = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    leaf = leaves(points, Randomness.simulated(0))
    sizes = np.bincount(leaf)
    assert sizes.max() <= LEAF
    assert sizes.min() >= LEAF // 2
    spread = np.mean([points[leaf == one].std(axis=0).mean() for one in range(len(sizes))])
    assert spread < 0.45  # of 1: the cube root of 1 / 125 is 0.2, and tails are long
    equal = leaves(np.zeros((500, 3), np.float32), Randomness.simulated(0))
    assert np.bincount(equal).max() <= LEAF


def test_orders_shuffle_within_leaves_alone_and_columns_apart() -> None:
    leaf = np.random.default_rng(1).integers(0, 9, 200)
    found = orders(leaf, 3, Randomness.simulated(0))
    for order in found:
        assert sorted(order.tolist()) == list(range(200))
        assert (leaf[order] == leaf).all()
    assert (found[0] != found[1]).mean() > 0.8


def test_shuffled_rows_keep_a_dependence_and_lose_copies() -> None:
    """A copy stands together again with a chance of about 1 / LEAF a column; the planted fault is no leaves at all."""
    generator = np.random.default_rng(2)
    level = generator.normal(size=2000)
    values = np.stack([level + generator.normal(0, 0.1, 2000) for _ in range(4)], axis=1)
    values[1000:] = values[:1000]
    leaf = leaves(values.astype(np.float32), Randomness.simulated(0))
    shuffled = np.take_along_axis(values, orders(leaf, 4, Randomness.simulated(1)).T, axis=0)
    assert np.corrcoef(shuffled.T).min() > 0.97
    assert len(np.unique(shuffled, axis=0)) > 1990
    alone = np.take_along_axis(values, orders(np.zeros(2000, int), 4, Randomness.simulated(1)).T, axis=0)
    assert np.corrcoef(alone.T)[0, 1:].max() < 0.2


SCORES = st.lists(st.integers(0, 12).map(float), max_size=20)


@settings(deadline=None)
@given(SCORES, SCORES, st.integers(1, 5), st.floats(0.01, 0.9))
def test_the_bar_is_the_least_that_keeps_the_share(
    found: list[float], controls: list[float], runs: int, share: float
) -> None:
    fine = [
        one
        for one in found
        if sum(other >= one for other in controls) / runs <= share * sum(other >= one for other in found)
    ]
    assert bar(np.array(found), np.array(controls), runs, share) == min(fine, default=math.inf)


def test_large_tables_have_fewer_controls() -> None:
    assert [runs_for(rows) for rows in (10, 20_001, 200_001)] == [5, 2, 1]
