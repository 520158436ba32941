"""The pooled curve is the textbook curve, and its intervals cover when trials share models and records.

Seeds are fixed, so a pass stays a pass; the error rate of each simulation stands with it.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from reticent.audits.pooled import pooled_curve
from reticent.audits.statistics import auc
from reticent.errors import NotEnoughEvidence
from reticent.randomness import Randomness


def fleet(seed, models=8, records=60, gap=1.0, levels=None):
    draw = np.random.default_rng(seed)
    membership = draw.random((models, records)) < 0.5
    scores = draw.normal(size=(models, records)) + gap * membership
    return (scores if levels is None else np.round(scores * levels)), membership


def curve_of(scores, membership, *, rates=(0.1, 0.25), replicates=100, **options):
    return pooled_curve(
        scores, membership, rates=rates, randomness=Randomness.simulated(1), replicates=replicates, **options
    )


@pytest.mark.parametrize("levels", [None, 1, 3])
def test_pooled_curve_is_scikit_learns_curve_of_all_trials(levels):
    scores, membership = fleet(3, levels=levels)
    found = curve_of(scores, membership)
    truth, flat = membership.reshape(-1), scores.reshape(-1)
    assert found.auc.value == pytest.approx(roc_auc_score(truth, flat), abs=1e-12)
    fpr, tpr, _ = roc_curve(truth, flat, drop_intermediate=False)
    for x, y in zip(found.false_positive_rates, found.true_positive_rates, strict=True):
        expected = tpr[fpr == x].max() if (fpr == x).any() else np.interp(x, fpr, tpr)
        assert y == pytest.approx(expected, abs=1e-9)


def test_the_grid_holds_the_asked_rates_and_intervals_hold_the_values():
    scores, membership = fleet(4)
    found = curve_of(scores, membership, correct=scores > 0)
    assert found.false_positive_rates[-1] == 1.0
    assert (np.diff(found.false_positive_rates) > 0).all()
    assert (np.diff(found.true_positive_rates) >= -1e-12).all()
    assert ((found.low <= found.true_positive_rates) & (found.true_positive_rates <= found.high)).all()
    for asked, estimate in found.at.items():
        where = found.false_positive_rates == asked
        assert estimate.value == found.true_positive_rates[where].item()
        assert estimate.low == found.low[where].item()
    assert list(found.at) == [0.1, 0.25]
    assert found.auc.n == scores.size
    assert found.accuracy.value == pytest.approx((scores > 0)[~membership].mean())
    assert curve_of(scores, membership).accuracy is None


def test_rates_that_cannot_be_resolved_are_left_out():
    scores, membership = fleet(5, models=4, records=50)
    assert list(curve_of(scores, membership, rates=(0.001, 0.2)).at) == [0.2]


def test_perfect_and_constant_scores():
    _, membership = fleet(6)
    perfect, constant = curve_of(membership * 1.0, membership), curve_of(membership * 0.0, membership)
    assert perfect.auc.value == 1
    assert (perfect.true_positive_rates == 1).all()
    # Every bootstrap draw agrees; eight perfect models still leave room for the ninth (0.05 / 2) ** (1 / 8).
    assert perfect.auc.low == perfect.at[0.1].low == pytest.approx(0.025 ** (1 / 8))
    assert (perfect.low[:-1] <= 0.631).all()
    assert perfect.low[-1] == perfect.false_positive_rates[-1] == 1
    assert constant.auc.value == pytest.approx(0.5)
    np.testing.assert_allclose(constant.true_positive_rates, constant.false_positive_rates, atol=1e-9)


def shared_effects(source, models=12, records=60):
    """A null in which trials are far from independent: records, and models, have effects and habits of their own."""
    often, busy = source.choice([0.1, 0.9], records), source.choice([-0.08, 0.08], models)
    membership = source.random((models, records)) < often + busy[:, None]
    scores = 2 * source.normal(size=records) + source.normal(size=(models, 1)) + source.normal(size=(models, records))
    return scores, membership


def null_coverage(interval, repeats):
    source = np.random.default_rng(7)
    hits = 0
    for _ in range(repeats):
        low, high = interval(*shared_effects(source))
        hits += low <= 0.5 <= high
    return hits / repeats


def pooled_interval(scores, membership):
    found = curve_of(scores, membership, rates=(), replicates=200).auc
    return found.low, found.high


def naive_interval(scores, membership):
    """The planted mistake: every trial counted as independent."""
    found = auc(scores[membership], scores[~membership])
    return found.low, found.high


@pytest.mark.slow
def test_pooled_intervals_cover_when_trials_share_records_and_models():
    """150 fleets: an honest 95 % interval falls below 90 % with probability 0.5 %."""
    assert null_coverage(pooled_interval, 150) >= 0.90


def test_intervals_that_ignore_what_trials_share_would_not():
    assert null_coverage(naive_interval, 150) < 0.75


def test_pooled_curve_repeats():
    scores, membership = fleet(9)
    first, second = curve_of(scores, membership), curve_of(scores, membership)
    assert first.auc == second.auc
    np.testing.assert_array_equal(first.low, second.low)


def test_rows_of_one_owner_are_drawn_together():
    """Ten owners of twelve rows each, all rows of an owner alike: only ten records' worth of evidence."""
    draw = np.random.default_rng(4)
    owners = np.repeat(np.arange(10), 12)
    membership = (draw.random((8, 10)) < 0.5)[:, owners]
    scores = (draw.normal(size=(8, 10)) + 2 * draw.normal(size=10))[:, owners] + 0.01 * draw.normal(size=(8, 120))
    apart, together = curve_of(scores, membership).auc, curve_of(scores, membership, owners=owners).auc
    assert apart.value == together.value
    assert together.high - together.low > 1.25 * (apart.high - apart.low)
    assert "the 10 owners of 120 records" in together.method


@pytest.mark.parametrize("kind", [True, False])
def test_trials_of_one_kind_are_refused(kind):
    with pytest.raises(NotEnoughEvidence, match="one kind only"):
        curve_of(np.zeros((4, 5)), np.full((4, 5), kind))
