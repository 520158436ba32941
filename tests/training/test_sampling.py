"""Batches follow the law that the accountant assumes; a shuffle does not pass for it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom, chi2, norm

from reticent.randomness import Randomness
from reticent.training import poisson_batches, shuffled_batches

SIZE, RATE, STEPS = 200, 0.1, 3000
ALPHA = 1e-6  # probability of a false alarm, of each test


def drawn(seed, steps=STEPS, size=SIZE, rate=RATE):
    batches = poisson_batches(size, sample_rate=rate, steps=steps, randomness=Randomness.simulated(seed))
    return incidence(batches, size)


def incidence(batches, size=SIZE):
    """(steps, records) which record is in which batch."""
    rows = []
    for batch in batches:
        row = np.zeros(size, dtype=bool)
        row[batch] = True
        assert row.sum() == len(batch), "a record occurs twice in a batch"
        rows.append(row)
    return np.stack(rows)


def size_variance_fits(table):
    """Whether the batch sizes vary as n q (1-q) says: chi-square on the sum of squared deviations from n q."""
    expected = SIZE * RATE * (1 - RATE)
    statistic = ((table.sum(1) - SIZE * RATE) ** 2).sum() / expected
    # The binomial's small excess kurtosis (-0.01 here) is far below what widens the bounds.
    return chi2.ppf(ALPHA / 2, len(table)) <= statistic <= chi2.isf(ALPHA / 2, len(table))


def steps_are_independent(table):
    """Whether a record's presence in one step says nothing about the next: pairs of steps that both hold it."""
    both = int((table[1:] & table[:-1]).sum())
    pairs = table[1:].size
    # Neighbouring pairs share a coin: variance n [q2 (1-q2) + 2 (q3 - q4)] with powers of q.
    variance = pairs * (RATE**2 * (1 - RATE**2) + 2 * (RATE**3 - RATE**4))
    return abs(both - pairs * RATE**2) <= norm.isf(ALPHA / 2) * variance**0.5


def shuffled(seed):
    """The planted mistake: epochs of a shuffle, cut into batches of exactly n q."""
    source = Randomness.simulated(seed)
    passes = (shuffled_batches(SIZE, batch_size=int(SIZE * RATE), randomness=source) for _ in range(STEPS // 10))
    return incidence(itertools.chain.from_iterable(passes))


def test_every_record_takes_part_with_the_same_probability():
    """Exact binomial bounds, split over the records: false alarm below 1e-6."""
    counts = drawn(1).sum(0)
    tail = ALPHA / (2 * SIZE)
    assert counts.min() >= binom.ppf(tail, STEPS, RATE)
    assert counts.max() <= binom.isf(tail, STEPS, RATE)


def test_batch_sizes_vary_as_poisson_samples_do():
    assert size_variance_fits(drawn(2))


def test_steps_are_independent():
    assert steps_are_independent(drawn(3))


def test_records_are_independent_of_each_other():
    """Neighbouring records meet as often as chance says; the same counting as for neighbouring steps."""
    assert steps_are_independent(np.ascontiguousarray(drawn(4).T))


def test_the_planted_shuffle_is_rejected():
    table = shuffled(5)
    assert len(table) == STEPS
    assert not size_variance_fits(table)
    assert not steps_are_independent(table)


def test_exactly_as_many_batches_as_steps_empty_ones_included():
    """With n q = 0.5, P(empty) = 0.605; 400 steps give fewer than 180 empties with probability below 1e-9."""
    batches = list(poisson_batches(10, sample_rate=0.05, steps=400, randomness=Randomness.simulated(6)))
    assert len(batches) == 400
    assert sum(len(batch) == 0 for batch in batches) > 180


def test_batches_are_sorted_row_numbers():
    for batch in poisson_batches(50, sample_rate=0.3, steps=20, randomness=Randomness.simulated(7)):
        assert batch.dtype == np.int64
        assert (np.diff(batch) > 0).all()


def test_extreme_rates():
    everything = drawn(8, steps=3, rate=1.0)
    nothing = drawn(9, steps=3, rate=0.0)
    assert everything.all()
    assert not nothing.any()
    assert list(poisson_batches(5, sample_rate=0.5, steps=0, randomness=Randomness.secure())) == []


def test_repeats_under_a_seed_and_only_then():
    assert np.array_equal(drawn(10, steps=20), drawn(10, steps=20))
    assert not np.array_equal(drawn(10, steps=20), drawn(11, steps=20))
    secure = [
        incidence(poisson_batches(SIZE, sample_rate=0.5, steps=5, randomness=Randomness.secure())) for _ in range(2)
    ]
    assert not np.array_equal(*secure)


def test_a_shuffle_visits_every_record_once():
    batches = list(shuffled_batches(23, batch_size=5, randomness=Randomness.simulated(12)))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 3]
    assert sorted(np.concatenate(batches)) == list(range(23))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"size": 0}, "size >= 1"),
        ({"sample_rate": 1.5}, "0 <= sample_rate <= 1"),
        ({"sample_rate": float("nan")}, "0 <= sample_rate <= 1"),
        ({"steps": -1}, "steps >= 0"),
        ({"randomness": 7}, "Expected a Randomness"),
    ],
)
def test_bad_values_are_refused(values, text):
    known = {"size": 10, "sample_rate": 0.5, "steps": 2, "randomness": Randomness.secure(), **values}
    with pytest.raises(ValueError, match=text):
        list(poisson_batches(known.pop("size"), **known))


def test_a_shuffle_refuses_empty_batches():
    with pytest.raises(ValueError, match="batch_size >= 1"):
        list(shuffled_batches(10, batch_size=0, randomness=Randomness.secure()))
