"""Tallies are counts, made slowly here; curves from thinned bins are close to exact ones."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from reticent.audits.bootstrap import Tallies, area, binned, draws, interpolate
from reticent.randomness import Randomness


def trials(seed, models=6, records=40, levels=None):
    draw = np.random.default_rng(seed)
    membership = draw.random((models, records)) < 0.5
    scores = draw.normal(size=(models, records)) + membership
    return (scores if levels is None else np.round(scores * levels)), membership


@pytest.mark.parametrize("records", [None, [3, 4, 17]])
@pytest.mark.parametrize("levels", [None, 2])
def test_tallies_are_counts(levels, records):
    scores, membership = trials(1, levels=levels)
    owner = np.random.default_rng(2).integers(0, 15, 40)
    owner[:15] = np.arange(15)
    bins = binned(scores, membership)
    rows, columns = next(draws(6, 15, 3, Randomness.simulated(1)))
    found = Tallies(bins, membership, owner, None if records is None else np.array(records)).of(rows, columns)
    expected = np.zeros((2, 3, bins.count))
    values = sorted(set(scores.reshape(-1)), reverse=True)
    for k in range(6):
        for i in range(40) if records is None else records:
            expected[0 if membership[k, i] else 1, :, values.index(scores[k, i])] += rows[:, k] * columns[:, owner[i]]
    np.testing.assert_array_equal(found, expected)


def test_draws_are_with_replacement_and_do_not_depend_on_how_many_are_made_at_once():
    parts = list(draws(5, 30, 120, Randomness.simulated(3)))
    rows, columns = (np.concatenate(side) for side in zip(*parts, strict=True))
    assert rows.shape == (120, 5)
    assert (rows.sum(axis=1) == 5).all()
    assert (columns.sum(axis=1) == 30).all()
    first = next(draws(5, 30, 1, Randomness.simulated(3)))
    np.testing.assert_array_equal(rows[:1], first[0])
    np.testing.assert_array_equal(columns[:1], first[1])


@pytest.mark.parametrize("levels", [None, 2])
def test_the_area_is_scikit_learns(levels):
    scores, membership = trials(4, levels=levels)
    bins = binned(scores, membership)
    assert area(bins.members[None], bins.others[None])[0] == pytest.approx(
        roc_auc_score(membership.reshape(-1), scores.reshape(-1)), abs=1e-12
    )
    assert bins.members.sum() == membership.sum()


def test_thinned_bins_are_no_coarser_than_promised():
    scores, membership = trials(5, models=20, records=5000)
    fine, coarse = binned(scores, membership, exact=True), binned(scores, membership)
    assert fine.count == 100_000
    assert coarse.count < 6000
    for side in (coarse.members, coarse.others):
        allowed = np.maximum(np.minimum(side.sum() / 1000, 0.011 * np.cumsum(side)), 1) + 1
        assert (side <= allowed).all()
    # bins are runs of the scores: every score in one is above every score in the next
    lowest = [scores[coarse.index == one].min() for one in range(0, coarse.count, 97)]
    assert lowest == sorted(lowest, reverse=True)
    areas = [area(bins.members[None], bins.others[None])[0] for bins in (fine, coarse)]
    assert areas[0] == pytest.approx(areas[1], abs=5e-6)


def test_a_large_tie_stays_in_one_bin():
    scores, membership = trials(6, models=20, records=5000)
    scores[:, :2500] = 0.0
    bins = binned(scores, membership)
    assert len(set(bins.index[:, :2500].reshape(-1))) == 1


def test_between_points_a_curve_is_linear_and_at_a_rise_its_top():
    fpr, tpr, _ = roc_curve([1, 0, 1, 1, 0], [5, 4, 3, 2, 1])
    grid = np.array([0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(interpolate(grid, np.array([0, 0, 0.5, 0.5, 1.0]), np.array([0, 1 / 3, 1 / 3, 1, 1])),
                               [1 / 3, 1 / 3, 1, 1])  # fmt: skip
    assert interpolate(grid[-1:], fpr, tpr)[0] == 1
