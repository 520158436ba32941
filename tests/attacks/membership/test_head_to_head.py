"""Faults of membership audits, as formulas on scores whose truth is known, beside this library on the same scores.

Each fault is seen where it is planted, and not where it is not: the numbers of docs/head_to_head.md over many draws.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.ensemble import HistGradientBoostingRegressor

from reticent.attacks.membership import METHODS, quantile_p_values
from reticent.attacks.membership.moments import Moments
from reticent.audits.statistics import auc
from reticent.models import Signals
from reticent.randomness import Randomness


def area(scores, truth):
    return auc(scores[truth], scores[~truth]).value


# Ties ------------------------------------------------------------------------------------------------------------


def first_of_each_block(scores, truth):
    order = np.argsort(-scores, kind="stable")
    _, first = np.unique(-scores[order], return_index=True)
    true, false = np.cumsum(truth[order]) / truth.sum(), np.cumsum(~truth[order]) / (~truth).sum()
    return float(np.trapezoid(true[first], false[first]))


@pytest.mark.parametrize("zeros", [0.2, 0.6, 0.9])
def test_dropping_tied_blocks_loses_the_area_below_the_last(zeros):
    """(1 - zeros)^2 / 2 for a model that knows nothing; 20 000 records, five standard errors of 0.004."""
    draw = np.random.default_rng(int(10 * zeros))
    truth = draw.random(20_000) < 0.5
    scores = draw.random(20_000) * (draw.random(20_000) > zeros)
    assert first_of_each_block(scores, truth) == pytest.approx((1 - zeros) ** 2 / 2, abs=0.02)
    assert area(scores, truth) == pytest.approx(0.5, abs=0.02)


def test_without_ties_both_are_the_same():
    draw = np.random.default_rng(0)
    truth = draw.random(2000) < 0.5
    scores = draw.normal(size=2000) + truth
    assert first_of_each_block(scores, truth) == pytest.approx(area(scores, truth), abs=2e-3)


# Quantiles -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_quantiles_of_the_judged_find_members_where_there_is_no_leak():
    """Six worlds of about 500 members: at a true rate of 1 % more than 59 over it have a probability below 1e-6.

    Known non-members of other folds give 1.3 % at most on average; the allowance is for the folds' models.
    """
    in_sample, cross_fitted, members = 0, 0, 0
    for seed in range(6):
        draw = np.random.default_rng(seed)
        features, member = draw.normal(size=(1000, 5)), draw.random(1000) < 0.5
        scores = 3 * features[:, 0] + np.exp(0.7 * features[:, 1]) * draw.normal(size=1000)
        trees = HistGradientBoostingRegressor(loss="quantile", quantile=0.99, max_iter=200, random_state=0)
        over = scores - trees.fit(features[~member], scores[~member]).predict(features)
        limit = np.sort(over[~member])[::-1][int(0.01 * (~member).sum())]  # 1 % of the judged non-members
        found = quantile_p_values(scores, features, ~member, folds=3, randomness=Randomness.simulated(seed))
        in_sample += int((over[member] > limit).sum())
        cross_fitted += int((found[member] <= 0.01).sum())
        members += int(member.sum())
    assert in_sample > binom.isf(1e-6, members, 0.02)
    assert cross_fitted < binom.isf(1e-6, members, 0.013)


# The largest of many bounds --------------------------------------------------------------------------------------


def p_value(right, guesses, epsilon):
    return binom.sf(right - 1, guesses, 1 / (1 + np.exp(-epsilon)))


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0])
def test_the_largest_of_a_grid_of_bounds_is_no_bound(epsilon):
    """1000 audits of randomised response: at a true rate of 5 % more than 86 rejections have probability below 1e-6."""
    draw = np.random.default_rng(int(epsilon * 10))
    ks = np.arange(20, 401, 20)
    each, weights = np.array([24, 47, 95, 190, 379]), np.array([0.1, 0.15, 0.5, 0.15, 0.1])
    grid = fixed = 0
    for _ in range(1000):
        right = draw.random((2, 500)) < 1 / (1 + np.exp(-epsilon))
        top, bottom = np.cumsum(right, axis=1)
        grid += bool((p_value(top[ks - 1][:, None] + bottom[ks - 1], ks[:, None] + ks, epsilon) < 0.05).any())
        fixed += bool((p_value(top[each - 1] + bottom[each - 1], 2 * each, epsilon) < 0.05 * weights).any())
    assert fixed <= binom.isf(1e-6, 1000, 0.05)
    assert grid > 200


# LiRA ------------------------------------------------------------------------------------------------------------


def world(seed, models=8, records=2000):
    """Records that were trained on are answered more alike, and with less spread."""
    draw = np.random.default_rng(seed)
    membership = draw.random((models + 1, records)) < 0.5
    hardness = draw.normal(size=records)
    means, deviations = np.where(membership, 5 + hardness, 2 + 3 * hardness), np.where(membership, 0.8, 2.0)
    odds = means + deviations * draw.normal(size=membership.shape)
    signals = Signals(odds, -np.logaddexp(0, -odds), odds > 0)
    return signals.model(0), signals.take(slice(1, models + 1)), membership[1:], membership[0]


@pytest.mark.parametrize("seed", range(3))
def test_two_sided_offline_lira_names_those_that_are_known_least(seed):
    """Areas of 2000 records have a standard error of 0.011, and their difference, of the same records, less."""
    target, references, inside, truth = world(seed)
    kept = Moments.of(references.odds, inside)
    two_sided = -norm.logpdf(target.odds[0], kept.mean[1], np.sqrt(kept.within(1)))
    one_sided = METHODS["lira_offline"].score(target, references, inside)
    assert area(one_sided, truth) > area(two_sided, truth) + 0.06
    least = np.argsort(one_sided)[:20]  # known far less than models know them that never saw them
    assert np.median(np.argsort(np.argsort(two_sided))[least]) > 1000
    assert truth[least].mean() < 0.25


@pytest.mark.parametrize("seed", range(3))
def test_one_sides_deviation_for_both_loses_what_they_are_told_by(seed):
    target, references, inside, truth = world(10 + seed)
    kept = Moments.of(references.odds, inside)
    values = target.odds[0]
    swapped = references.odds[inside].std()  # the members' side, for both
    foil = norm.logpdf(values, kept.mean[0], swapped) - norm.logpdf(values, kept.mean[1], swapped)
    pooled, student = (area(METHODS[name].score(target, references, inside), truth) for name in ("lira", "student"))
    assert pooled > area(foil, truth) + 0.015
    assert student > area(foil, truth) + 0.02
