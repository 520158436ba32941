"""Samples are uniform and their bounds hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2, hypergeom

from reticent.data.scan.sampling import missed_at_most, sample
from reticent.randomness import Randomness


def drawn(rows: int, size: int, seed: int, per_batch: int = 7) -> list[int]:
    table = pa.table({"x": np.arange(rows)})
    found, count = sample(table.to_batches(max_chunksize=per_batch), size, Randomness.simulated(seed))
    assert count == rows
    values: list[int] = found.column("x").to_pylist()
    return values


def uniform(counts: np.ndarray, expected: float) -> bool:
    """A chi-square test at 1e-6."""
    return float(((counts - expected) ** 2 / expected).sum()) < chi2.isf(1e-6, len(counts) - 1)


def test_every_row_is_drawn_equally_often_and_the_test_would_notice() -> None:
    counts = np.zeros(20)
    for seed in range(600):
        rows = drawn(20, 5, seed)
        assert len(set(rows)) == 5
        assert rows == sorted(rows)
        counts[rows] += 1
    assert uniform(counts, 150)
    counts[:5] += 60  # the first rows drawn a quarter more often
    assert not uniform(counts, counts.mean())


def test_fewer_rows_than_asked_for_are_all_of_them() -> None:
    assert drawn(3, 10, 1) == [0, 1, 2]
    assert sample([], 5, Randomness.simulated(1)) == (None, 0)


def test_the_bound_is_the_rule_and_covers() -> None:
    assert missed_at_most(0, 100, 0.95) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert missed_at_most(5, 5, 0.95) == 1
    # n of N rows hold something: the bound lies below that share in at most 5 % of samples, whatever n
    for held in (1, 10, 50, 200):
        chances = hypergeom(1000, held, 100).pmf(np.arange(101))
        below = [missed_at_most(hits, 100, 0.95) < held / 1000 for hits in range(101)]
        assert chances[below].sum() <= 0.05
