"""Each record's test is exact: it is the count of all ways in which its coins could have fallen.

Seeds are fixed, so a pass stays a pass; the error rate of each simulation stands with it.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom, fisher_exact, mannwhitneyu, norm

from reticent.attacks.membership import leave_one_out
from reticent.audits.randomisation import column_tests, effect_interval, rank_sum_tails, smallest_p
from reticent.audits.statistics import auc
from reticent.errors import UsageError
from reticent.randomness import Randomness


def verdicts(scores, membership, seed=0, **options):
    return column_tests(scores, membership, randomness=Randomness.simulated(seed), **options)


def coins(seed, models, records):
    return np.random.default_rng(seed).random((models, records)) < 0.5


def by_counting(column, members):
    """Share of all choices of as many models whose rank sum is at least as large."""
    ranks = column.argsort().argsort()
    choices = [ranks[list(some)].sum() for some in itertools.combinations(range(len(column)), members.sum())]
    return np.mean(np.array(choices) >= ranks[members].sum())


def test_p_values_count_all_choices():
    membership = coins(1, 9, 40)
    scores = np.random.default_rng(2).normal(size=(9, 40)) + membership
    found = verdicts(scores, membership)
    for i in range(40):
        assert found.p[i] == pytest.approx(by_counting(scores[:, i], membership[:, i]), rel=1e-12)


@pytest.mark.parametrize("models", [5, 32, 65])
def test_p_values_and_effects_are_those_of_mann_and_whitney(models):
    membership = coins(3, models, 30)
    scores = np.random.default_rng(4).normal(size=(models, 30)) + 0.8 * membership
    found = verdicts(scores, membership)
    for i in range(30):
        inside, outside = scores[membership[:, i], i], scores[~membership[:, i], i]
        if len(inside) and len(outside):
            exact = mannwhitneyu(inside, outside, alternative="greater", method="exact")
            assert found.p[i] == pytest.approx(exact.pvalue, rel=1e-9)
            assert found.effect[i] == pytest.approx(auc(inside, outside).value, abs=1e-12)


def test_two_valued_scores_get_fishers_test():
    membership = coins(5, 20, 30)
    scores = np.where(np.random.default_rng(6).random((20, 30)) < 0.3 + 0.5 * membership, 1.0, -1.0)
    found = verdicts(scores, membership)
    for i in range(30):
        side = scores[:, i] > 0
        table = [[(side & membership[:, i]).sum(), (~side & membership[:, i]).sum()],
                 [(side & ~membership[:, i]).sum(), (~side & ~membership[:, i]).sum()]]  # fmt: skip
        assert found.p[i] == pytest.approx(fisher_exact(table, alternative="greater").pvalue, rel=1e-9)


def test_nothing_is_concluded_from_one_kind_of_model_or_from_constant_scores():
    membership = np.array([[True, False, True], [True, False, False], [True, False, True], [True, False, False]])
    found = verdicts(np.zeros((4, 3)), membership)
    assert found.p.tolist() == [1.0, 1.0, 1.0]
    assert found.effect.tolist() == [0.5, 0.5, 0.5]
    low, high = found.interval(np.arange(3), 0.95)
    assert low[:2].tolist() == [0.0, 0.0]
    assert high[:2].tolist() == [1.0, 1.0]


def untouched(source, models=20, records=25, levels=None):
    """Trainings with habits of their own, and answers that go together, on which no record has any influence."""
    scores = source.standard_t(2, size=(models, 1)) * source.normal(size=records)
    scores = scores + 3 * source.normal(size=records) + source.exponential(size=(models, records))
    return scores if levels is None else np.round(levels * scores)


def false_alarms(level, tests, levels=None, repeats=1000):
    source = np.random.default_rng(11)
    alarms = 0
    for seed in range(repeats):
        membership = source.random((20, 25)) < 0.5
        alarms += (tests(untouched(source, levels=levels), membership, seed) <= level).sum()
    return alarms, repeats * 25


@pytest.mark.parametrize("levels", [None, 0.3])
@pytest.mark.parametrize("level", [0.05, 0.001])
def test_false_alarms_are_as_rare_as_promised(level, levels):
    """25,000 tests over 1,000 fleets; given the trainings they are independent, so the count is below a binomial one:
    above the limit with probability 1e-6."""
    alarms, trials = false_alarms(level, lambda s, m, seed: verdicts(s, m, seed).p, levels)
    assert alarms <= binom.isf(1e-6, trials, level)
    assert alarms >= 0.5 * level * trials  # and not for want of trying


def test_scores_that_know_the_coins_would_break_it():
    """The planted fault: scores against references that include the coins that are tested."""
    alarms, trials = false_alarms(0.05, lambda s, m, seed: verdicts(-leave_one_out(s, m), m, seed).p, repeats=200)
    assert alarms > binom.isf(1e-6, trials, 0.05)


def test_p_values_of_untouched_records_do_not_go_together_though_their_scores_do():
    """Two records with the same answers, 4,000 times: a correlation above 0.08 has probability 4e-7."""
    source = np.random.default_rng(12)
    pairs = []
    for _ in range(4000):
        column = source.normal(size=(16, 1))
        pairs.append(verdicts(np.concatenate([column, column], axis=1), source.random((16, 2)) < 0.5).p)
    assert abs(np.corrcoef(np.array(pairs).T)[0, 1]) < 0.08


@pytest.mark.parametrize("gap", [0.0, 1.5])
@pytest.mark.parametrize("confidence", [0.8, 0.99])
def test_intervals_of_effects_cover(gap, confidence):
    """2,000 records, exponential noise on one side: misses above the limit have probability 1e-6."""
    source = np.random.default_rng(13)
    membership = source.random((24, 2000)) < 0.5
    scores = source.normal(size=(24, 2000)) + np.where(membership, gap, 0)
    truth = norm.cdf(gap / math.sqrt(2))
    found = verdicts(scores, membership)
    low, high = found.interval(np.arange(2000), confidence)
    assert ((low > truth) | (high < truth)).sum() <= binom.isf(1e-6, 2000, 1 - confidence)
    assert ((low <= found.effect) & (found.effect <= high)).all()
    # as if every pair were independent evidence
    low, high = effect_interval(found.effect, found.inside * (24 - found.inside), confidence)
    assert ((low > truth) | (high < truth)).sum() > binom.isf(1e-6, 2000, 1 - confidence)


def test_a_perfect_effects_interval_is_that_of_so_many_successes():
    low, high = effect_interval(np.array([1.0, 0.0, 0.5]), np.array([32, 32, 0]), 0.95)
    assert low[0] == pytest.approx(0.025 ** (1 / 32))
    assert high[1] == pytest.approx(1 - 0.025 ** (1 / 32))
    assert (high[0], low[1], low[2], high[2]) == (1, 0, 0, 1)


def test_the_smallest_p_value_is_reached_and_is_tiny():
    assert smallest_p(64) == pytest.approx(1 / math.comb(64, 32))
    assert rank_sum_tails(np.array([1024.0]), np.array([32]), 64)[0] == pytest.approx(smallest_p(64), rel=1e-9)
    assert rank_sum_tails(np.array([15.0]), np.array([5]), 8)[0] == pytest.approx(smallest_p(8, 5))


def test_with_very_many_models_a_bound_takes_over():
    membership = coins(7, 320, 50)
    scores = np.random.default_rng(8).normal(size=(320, 50)) + 0.4 * membership
    found = verdicts(scores, membership)
    for i in range(50):
        exact = mannwhitneyu(scores[membership[:, i], i], scores[~membership[:, i], i], alternative="greater").pvalue
        assert exact < found.p[i] <= 1
    assert found.p.min() < 1e-3
    assert smallest_p(320) == 0.5**160


def test_rows_of_one_owner_are_one_test():
    """Four rows of each owner, each a little higher when the owner is in: together they tell what none tells alone."""
    source = np.random.default_rng(9)
    owners = np.repeat(np.arange(10), 4)[source.permutation(40)]
    membership = (source.random((48, 10)) < 0.5)[:, owners]
    scores = source.normal(size=(48, 40)) * 10.0 ** source.integers(-2, 3, 40)  # rows on very different scales
    scores += 0.9 * scores.std(axis=0) * membership
    together, apart = verdicts(scores, membership, owners=owners), verdicts(scores, membership)
    assert len(together.p) == 10
    assert together.effect.mean() > apart.effect.mean() + 0.1
    first = np.unique(owners, return_index=True)[1]
    np.testing.assert_array_equal(together.inside, membership[:, first].sum(axis=0))


def test_owners_of_one_row_each_are_records_in_another_order():
    membership = coins(10, 16, 12)
    scores, owners = np.random.default_rng(10).normal(size=(16, 12)), np.random.default_rng(1).permutation(12)
    np.testing.assert_array_equal(verdicts(scores, membership, owners=owners).p[owners], verdicts(scores, membership).p)


def test_ties_repeat_with_the_generator():
    membership = coins(14, 20, 30)
    scores = np.round(np.random.default_rng(15).normal(size=(20, 30)))
    np.testing.assert_array_equal(verdicts(scores, membership, 3).p, verdicts(scores, membership, 3).p)
    assert (verdicts(scores, membership, 3).p != verdicts(scores, membership, 4).p).any()


@pytest.mark.parametrize(
    ("scores", "membership", "owners", "says"),
    [
        (np.zeros((4, 3)), np.zeros((4, 2), bool), None, "one shape"),
        (np.zeros((4, 3)), np.zeros((4, 3)), None, "float64 of shape"),
        (np.full((4, 3), np.nan), np.zeros((4, 3), bool), None, "finite"),
        (np.zeros((4, 3)), np.zeros((4, 3), bool), np.zeros(2, int), "one owner for each of 3"),
        (np.zeros((4, 2)), np.eye(4, 2, dtype=bool), np.zeros(2, int), "in the same models"),
    ],
)
def test_what_cannot_be_tested_is_refused(scores, membership, owners, says):
    with pytest.raises(UsageError, match=says):
        verdicts(scores, membership, owners=owners)
