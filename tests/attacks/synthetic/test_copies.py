"""Copies are counted as pandas counts them; distances are described, and do not tell a leak from none."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from reticent.attacks.synthetic import Encoded, copies, description, nearest


def rows(numbers: np.ndarray, codes: np.ndarray) -> Encoded:
    return Encoded(numbers, codes.astype(np.int32), np.full(codes.shape[1], 9, dtype=np.int64))


def test_against_pandas() -> None:
    rng = np.random.default_rng(0)
    release = rows(rng.integers(0, 3, (200, 1)) + 0.0, rng.integers(0, 3, (200, 2)))
    asked = rows(rng.integers(0, 4, (30, 1)) + 0.0, rng.integers(0, 4, (30, 2)))
    found = copies(asked, release=release)
    frame = pd.DataFrame(np.column_stack([release.numbers, release.codes]))
    for i in range(30):
        differing = (frame != np.concatenate([asked.numbers[i], asked.codes[i]])).sum(axis=1)
        assert found.exact[i] == (differing == 0).sum()
        assert found.differences[i] == differing.min()


def test_the_description_is_percentiles_of_distances() -> None:
    rng = np.random.default_rng(1)
    none = np.zeros((80, 0))
    release, real = rows(rng.normal(size=(80, 2)), none), rows(rng.normal(size=(80, 2)), none)
    near = np.sort(cdist(release.numbers, real.numbers), axis=1)
    found = description(release, real)
    assert np.allclose(found["closest"], np.quantile(near[:, 0], [0.05, 0.5, 0.95]))
    assert np.allclose(found["ratio"], np.quantile(near[:, 0] / near[:, 1], [0.05, 0.5, 0.95]))


def test_distance_to_the_closest_record_is_no_test() -> None:
    """Every row of the source, moved by the same known step: the distance looks safe, and gives everybody away."""
    rng = np.random.default_rng(2)
    none = np.zeros((400, 0))
    source = rng.normal(size=(400, 2))
    release = rows(source + 4.0, none)
    fresh = rows(rng.normal(size=(400, 2)), none)
    assert description(release, rows(source, none))["closest"][1] > description(fresh, rows(source, none))["closest"][1]
    assert (nearest(rows(source + 4.0, none), release)[:, 0] == 0).all()
