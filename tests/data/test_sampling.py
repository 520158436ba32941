"""Parts of packaged sets: whole people, as many as asked, each as likely as any other."""

from __future__ import annotations

import numpy as np

from reticent.data import Records, load
from reticent.data.sampling import ready_set, sampled
from reticent.randomness import Randomness


def test_rows_in_order_and_repeatable():
    everyone = Records(np.arange(50.0)[:, None], np.arange(50) % 2)
    part = sampled(everyone, 20, Randomness.simulated(1))
    assert len(part) == 20
    assert (np.diff(part.features[:, 0]) > 0).all()
    assert np.array_equal(sampled(everyone, 20, Randomness.simulated(1)).features, part.features)
    assert sampled(everyone, 50, Randomness.simulated(1)) is everyone


def test_people_come_whole():
    owners = np.repeat(np.arange(20), [1, 3] * 10)
    everyone = Records(np.arange(40.0)[:, None], np.arange(40) % 2, owners=owners)
    for seed in range(20):
        part = sampled(everyone, 25, Randomness.simulated(seed))
        assert 22 < len(part) <= 25
        people, counts = np.unique(part.owners, return_counts=True)
        assert np.array_equal(counts, np.array([1, 3] * 10)[people])


def test_every_row_is_as_likely():
    """2,000 draws of 10 of 40: each row's count within 4.5 deviations of 500 (one miss in 4,000; seeds are fixed)."""
    everyone = Records(np.arange(40.0)[:, None], np.arange(40) % 2)
    counts = np.zeros(40)
    for seed in range(2000):
        counts[sampled(everyone, 10, Randomness.simulated(seed)).features[:, 0].astype(int)] += 1
    assert np.abs(counts - 500).max() < 4.5 * np.sqrt(2000 * 0.25 * 0.75)


def test_only_what_has_no_public_range_is_scaled():
    source = Randomness.simulated(0)
    assert np.array_equal(ready_set("diabetes", source).features, load("diabetes").features)
    wine = ready_set("wine", source, most=90)
    assert len(wine) == 90
    assert np.abs(wine.features.mean(axis=0)).max() < 1e-5
    assert "90 records" in wine.public_facts[-1]
