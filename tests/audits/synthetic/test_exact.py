"""Exact tests against enumeration, their false alarms by simulation, and intervals that cover."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom, fisher_exact, mannwhitneyu

from reticent.audits.synthetic.exact import area_test, gain_test, mean_gain, more_gained, top_test
from reticent.errors import NotEnoughEvidence, UsageError


def test_gains_against_all_choices_of_members() -> None:
    everything = ([1, 1, -1, 0, 0, 1, -1, 0], [1] * 8, [0] * 8, [-1] * 8, [1, 0, 0, 0, 0, 0, 0, 0], [-1, 1] * 4)
    for values, members in itertools.product(map(np.array, everything), ([0, 1, 3], [2, 6, 4], [0, 1, 5], [7, 3, 4])):
        controls = [i for i in range(8) if i not in members]
        sums = [values[list(some)].sum() for some in itertools.combinations(range(8), 3)]
        observed = values[members].sum()
        found = gain_test(values[members], values[controls])
        assert found.more == pytest.approx(np.mean([one >= observed for one in sums]))
        assert found.less == pytest.approx(np.mean([one <= observed for one in sums]))


def test_successes_alone_are_fishers_test() -> None:
    members, controls = np.repeat([1, 0], [9, 21]), np.repeat([1, 0], [4, 46])
    table = [[9, 21], [4, 46]]
    assert gain_test(members, controls).more == pytest.approx(fisher_exact(table, "greater").pvalue)
    assert gain_test(members, controls).less == pytest.approx(fisher_exact(table, "less").pvalue)


def test_areas_are_mann_and_whitneys() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        one, other = rng.integers(0, 20, 60).astype(float), rng.integers(2, 22, 90).astype(float)
        asked = {"method": "asymptotic", "use_continuity": False}
        assert area_test(one, other).more == pytest.approx(
            mannwhitneyu(one, other, alternative="greater", **asked).pvalue
        )
        assert area_test(one, other).less == pytest.approx(mannwhitneyu(one, other, alternative="less", **asked).pvalue)
    assert area_test(np.ones(20), np.ones(20)) == (1.0, 1.0)


def test_the_top_against_all_choices_of_members() -> None:
    scores = np.array([5.0, 4.0, 4.0, 3.0, 2.0, 1.0])  # a tie at the border: the top third holds three
    members = [0, 1]
    counts = [np.isin(list(some), [0, 1, 2]).sum() for some in itertools.combinations(range(6), 2)]
    found = top_test(scores[members], np.delete(scores, members), 0.34)
    assert found.more == pytest.approx(np.mean([one >= 2 for one in counts]))
    assert found.less == pytest.approx(1.0)


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_the_level_says_and_leaks_are_found() -> None:
    """Heavy ties, skew, unequal sides; a test that accused too often would fail with a chance of 1 - 1e-6."""
    rng = np.random.default_rng(1)
    trials, level = 1200, 0.05
    alarms = dict.fromkeys(("gains", "areas", "top"), 0)
    for _ in range(trials):
        gains = rng.choice([-1, 0, 1], 200, p=[0.1, 0.7, 0.2])
        scores = np.exp(rng.normal(size=200).round(1))
        alarms["gains"] += gain_test(gains[:120], gains[120:]).more <= level
        alarms["areas"] += area_test(scores[:120], scores[120:]).more <= level
        alarms["top"] += top_test(scores[:120], scores[120:], 0.1).more <= level
    for name, count in alarms.items():
        most = level * (1.1 if name == "areas" else 1.0)  # the areas' is a normal approximation
        assert binom.sf(count - 1, trials, most) > 1e-6, (name, count)
    planted = rng.choice([-1, 0, 1], 2000, p=[0.1, 0.5, 0.4])
    assert gain_test(planted, rng.choice([-1, 0, 1], 2000, p=[0.1, 0.7, 0.2])).more < 1e-9


def test_intervals_cover() -> None:
    rng = np.random.default_rng(2)
    missed = {"mean": 0, "difference": 0}
    p, q = np.array([0.05, 0.6, 0.35]), np.array([0.02, 0.95, 0.03])
    truth = {"mean": 0.3, "difference": 0.29}
    for _ in range(1200):
        one, other = rng.choice([-1, 0, 1], 60, p=p), rng.choice([-1, 0, 1], 80, p=q)
        missed["mean"] += not mean_gain(one).contains(truth["mean"])
        missed["difference"] += not more_gained(one, other).contains(truth["difference"])
    for name, count in missed.items():
        assert binom.sf(count - 1, 1200, 0.05) > 1e-6, (name, count)
        assert count > 0, name  # it is no interval that always covers


def test_a_control_that_does_better_keeps_its_sign() -> None:
    found = more_gained(np.zeros(50, int), np.ones(50, int))
    assert found.value == -1.0
    assert found.high < 0
    assert gain_test(np.zeros(50, int), np.ones(50, int)).less < 1e-20


def test_other_gains_and_empty_sides_are_refused() -> None:
    with pytest.raises(UsageError, match="gains of -1, 0 and 1"):
        gain_test(np.array([2]), np.array([0]))
    with pytest.raises(NotEnoughEvidence, match="got 0 and 1"):
        gain_test(np.zeros(0, int), np.zeros(1, int))
