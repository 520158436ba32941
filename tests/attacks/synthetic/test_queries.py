"""Counting queries against pandas, and what is learned from shadow releases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reticent.attacks.synthetic import Encoded, Kernel, Queries, learned
from reticent.errors import UsageError
from reticent.randomness import Randomness


def rows(rng: np.random.Generator, count: int) -> Encoded:
    return Encoded(
        rng.normal(size=(count, 2)), rng.integers(0, 3, (count, 3)).astype(np.int32), np.full(3, 3, dtype=np.int64)
    )


def test_counts_against_pandas() -> None:
    rng = np.random.default_rng(0)
    release, targets = rows(rng, 300), rows(rng, 12)
    queries = Queries.drawn(release, Randomness.simulated(1), count=20)
    assert len(queries.columns) == len(set(queries.columns)) == 20
    found = queries.counts(targets, release)
    cut = [np.searchsorted(cuts, release.numbers[:, i]) for i, cuts in enumerate(queries.cuts)]
    asked = [np.searchsorted(cuts, targets.numbers[:, i]) for i, cuts in enumerate(queries.cuts)]
    frame = pd.DataFrame(np.column_stack([*cut, release.codes]))
    wanted = np.column_stack([*asked, targets.codes])
    for place, columns in enumerate(queries.columns):
        for row in range(12):
            alike = (frame[list(columns)] == wanted[row, list(columns)]).all(axis=1).sum()
            assert found[row, place] == alike


def test_there_are_no_more_queries_than_sets_of_columns() -> None:
    one = Encoded(np.zeros((5, 0)), np.zeros((5, 2), np.int32), np.array([2, 2]))
    assert Queries.drawn(one, Randomness.simulated(1), count=50).columns == ((0,), (1,), (0, 1))


def test_it_learns_which_feature_gives_membership_away() -> None:
    rng = np.random.default_rng(1)
    inside = rng.random((20, 50)) < 0.5
    features = rng.normal(size=(20, 50, 4)) + 100 * rng.normal(size=(1, 50, 4))  # each target has its own level
    features[:, :, 2] += 1.5 * inside
    attack = learned(features[:10], inside[:10])
    assert np.abs(attack.weights).argmax() == 2
    scores = attack.scores(features[10:])
    assert scores.shape == (10, 50)
    assert scores[inside[10:]].mean() > scores[~inside[10:]].mean() + 1


def test_features_are_finite_for_targets_far_away() -> None:
    rng = np.random.default_rng(2)
    release = rows(rng, 40)
    far = Encoded(np.full((1, 2), 1e6), np.zeros((1, 3), np.int32), release.sizes)
    queries = Queries.drawn(release, Randomness.simulated(1))
    assert np.isfinite(queries.features(far, release, Kernel.chosen(release))).all()


def test_one_side_only_is_refused() -> None:
    with pytest.raises(UsageError, match="some of them in and some out"):
        learned(np.zeros((4, 3, 2)), np.ones((4, 3), bool))
    with pytest.raises(UsageError, match="same releases and targets"):
        learned(np.zeros((4, 3, 2)), np.ones((3, 3), bool))
