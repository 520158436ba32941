"""Quantile regression: honest for a model without a leak, with the fault of fitting on what is judged planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, kstest, norm
from sklearn.ensemble import HistGradientBoostingRegressor

from reticent.attacks.membership import quantile_p_values, quantile_scores
from reticent.randomness import Randomness

KINDS = ["gaussian", "quantile"]


def world(seed, records=1200, gap=0.0):
    """Scores whose mean and deviation depend on two of five features."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(records, 5))
    member = draw.random(records) < 0.5
    noise = np.exp(0.7 * features[:, 1]) * draw.normal(size=records)
    return 3 * features[:, 0] + gap * member + noise, features, member


def p_of(seed, kind, gap=0.0, records=1200):
    scores, features, member = world(seed, records, gap)
    found = quantile_p_values(scores, features, ~member, kind=kind, folds=3, randomness=Randomness.simulated(seed))
    return found, member


def too_many(count, trials, level):
    return count > binom.isf(1e-6, trials, level)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_without_a_leak_gives_members_and_nonmembers_the_same(kind):
    """Members at each level no more often than chance gives once in a million; 10 and 1 per cent of 600 and more."""
    found, member = p_of(0, kind)
    for level in (0.1, 0.01):
        assert not too_many(int((found[member] <= level).sum()), int(member.sum()), level * 1.3)
    assert kstest(found[member], found[~member]).pvalue > 1e-6


def test_fitting_on_what_is_judged_is_seen_by_that_test():
    """The planted fault: quantiles of all non-members, false alarms counted on the same, none held out."""
    scores, features, member = world(0)
    trees = HistGradientBoostingRegressor(loss="quantile", quantile=0.9, max_iter=200, random_state=0)
    limit = trees.fit(features[~member], scores[~member]).predict(features)
    alarms = int((scores[member] > limit[member]).sum())
    assert too_many(alarms, int(member.sum()), 0.1 * 1.3)
    assert (scores[~member] > limit[~member]).mean() < alarms / member.sum() - 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_members_of_a_model_that_leaks_are_found(kind):
    found, member = p_of(1, kind, gap=4.0)
    assert (found[member] <= 0.1).mean() > 0.6
    assert 0.05 < (found[~member] <= 0.1).mean() < 0.15


def test_a_record_is_never_compared_with_itself():
    """A non-member's own score moves its own score, and the expectation for nobody of its fold."""
    scores, features, member = world(2, 400)
    one = int(np.flatnonzero(~member)[0])
    changed = scores.copy()
    changed[one] += 1000.0
    rows = [
        quantile_scores(values, features, ~member, folds=2, randomness=Randomness.simulated(5))
        for values in (scores, changed)
    ]
    same = np.isclose(*rows)
    fold = np.empty(400, dtype=int)
    fold[Randomness.simulated(5).permutation(400)] = np.arange(400) % 2
    assert same[(fold == fold[one]) & (np.arange(400) != one)].all()
    assert not same[fold != fold[one]].all()


@pytest.mark.slow
def test_scores_are_in_standard_deviations():
    draw = np.random.default_rng(3)
    features = draw.normal(size=(2000, 1))
    values = 2.0 + 3.0 * draw.normal(size=2000)
    everyone = np.ones(2000, dtype=bool)
    for kind in KINDS:
        found = quantile_scores(values, features, everyone, kind=kind, folds=2, randomness=Randomness.simulated(0))
        assert np.corrcoef(found, values)[0, 1] > 0.9
        assert np.std(found) == pytest.approx(1.0, abs=0.25)
        assert (found > norm.isf(0.1)).mean() == pytest.approx(0.1, abs=0.04)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_that_are_all_equal(kind):
    draw = np.random.default_rng(4)
    found = quantile_p_values(
        np.ones(300),
        draw.normal(size=(300, 2)),
        np.arange(300) < 200,
        kind=kind,
        folds=2,
        randomness=Randomness.simulated(0),
    )
    assert (found == 1.0).all()


def test_refusals():
    scores, features, member = world(5, 300)
    source = Randomness.simulated(0)
    with pytest.raises(ValueError, match="at least 100 known non-members, got 50"):
        quantile_p_values(scores, features, np.arange(300) < 50, randomness=source)
    with pytest.raises(ValueError, match="for each record"):
        quantile_p_values(scores, features[:200], ~member, randomness=source)
    with pytest.raises(ValueError, match="for each record"):
        quantile_p_values(scores, features, (~member).astype(int), randomness=source)
    with pytest.raises(ValueError, match="finite scores"):
        quantile_p_values(np.where(member, np.nan, scores), features, ~member, randomness=source)
    with pytest.raises(ValueError, match="kind"):
        quantile_p_values(scores, features, ~member, kind="linear", randomness=source)
