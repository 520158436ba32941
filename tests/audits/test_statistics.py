"""Every interval covers as often as it says; the same tests reject one that is too narrow.

Coverage is judged on simulations: with 400 of them an honest 95 % interval falls below 92 % with probability 0.4 %
(binomial), an interval that covers 85 % passes with probability below 1e-4. Seeds are fixed, so a pass stays a pass.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from reticent.audits.statistics import auc, clopper_pearson, rate, resolvable, threshold_at
from reticent.errors import NotEnoughEvidence

REPEATS = 400
ENOUGH = 0.92


# Clopper and Pearson


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (1, 10), (17, 100), (99, 100), (100, 100), (3, 100_000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_clopper_pearson_is_the_binomial_test_inverted(successes, trials, confidence):
    low, high = clopper_pearson(successes, trials, confidence)
    tail = (1 - confidence) / 2
    assert low == 0 if successes == 0 else binom.sf(successes - 1, trials, low) == pytest.approx(tail)
    assert high == 1 if successes == trials else binom.cdf(successes, trials, high) == pytest.approx(tail)
    assert low <= successes / trials <= high


@pytest.mark.parametrize("trials", [5, 30, 200])
@pytest.mark.parametrize("truth", [0.001, 0.03, 0.2, 0.5, 0.97])
def test_clopper_pearson_covers_exactly(trials, truth):
    """No simulation: the probability of every outcome is known."""
    counts = np.arange(trials + 1)
    ends = np.array([clopper_pearson(int(k), trials, 0.95) for k in counts])
    covers = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    assert binom.pmf(counts, trials, truth)[covers].sum() >= 0.95


def test_a_rate_says_what_was_counted():
    estimate = rate(17, 100, method="share named", confidence=0.9, threshold="on other models")
    assert (estimate.value, estimate.n, estimate.confidence) == (0.17, 100, 0.9)
    assert (estimate.low, estimate.high) == clopper_pearson(17, 100, 0.9)
    assert (estimate.method, estimate.threshold) == ("share named; Clopper-Pearson interval", "on other models")
    with pytest.raises(ValueError, match="trials >= 1"):
        rate(0, 0, method="nothing")


# Area under the curve


def pairs(members, others):
    """The definition: all pairs, ties one half."""
    return float(np.mean([[(a > b) + 0.5 * (a == b) for b in others] for a in members]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [2, 5, None])
def test_auc_is_its_definition(seed, levels):
    draw = np.random.default_rng(seed)
    members, others = draw.normal(0.5, 1, 23), draw.normal(0, 2, 31)
    if levels is not None:
        members, others = np.round(members * levels / 4), np.round(others * levels / 4)
    estimate = auc(members, others)
    assert estimate.value == pytest.approx(pairs(members, others), abs=1e-12)
    truth = np.repeat([1, 0], [23, 31])
    assert estimate.value == pytest.approx(roc_auc_score(truth, np.concatenate([members, others])), abs=1e-12)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.n == 54


def test_auc_of_constant_and_of_separated_scores():
    constant, separated = auc(np.zeros(20), np.zeros(30)), auc(np.ones(20), np.zeros(30))
    assert constant.value == 0.5
    assert constant.contains(0.4)
    assert (separated.value, separated.high) == (1.0, 1.0)
    assert separated.low < 0.95, "twenty records cannot show that an attack is always right"
    reversed_ = auc(np.zeros(20), np.ones(30))
    assert (reversed_.value, reversed_.low) == (0.0, 0.0)
    assert reversed_.high == pytest.approx(1 - separated.low, abs=1e-9)


def test_auc_of_one_record_each_says_nothing():
    estimate = auc(np.ones(1), np.zeros(1))
    assert estimate.low < 0.5 <= estimate.value


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (0, 0)])
def test_auc_needs_both_kinds(sizes):
    with pytest.raises(NotEnoughEvidence, match=f"got {sizes[0]} and {sizes[1]}"):
        auc(np.zeros(sizes[0]), np.zeros(sizes[1]))


def gaussian(shift, spread=1.0, levels=None):
    """Scores of members and others, and the true area."""

    def draw(source, m, n):
        members, others = source.normal(shift, spread, m), source.normal(0, 1, n)
        return (members, others) if levels is None else (np.round(members * levels), np.round(others * levels))

    if levels is None:
        return draw, float(norm.cdf(shift / math.hypot(1, spread)))
    grid = np.arange(-40, 41)
    edges = [
        norm.cdf((grid + half) / levels, mean, sd) for mean, sd in ((shift, spread), (0, 1)) for half in (-0.5, 0.5)
    ]
    p, q = edges[1] - edges[0], edges[3] - edges[2]
    return draw, float((p * (np.cumsum(q) - q / 2)).sum())


def mixture(share):
    """A few members are given away entirely, the others not at all: skewed scores."""

    def draw(source, m, n):
        return np.where(source.random(m) < share, 10.0, 0.0) + source.normal(size=m), source.normal(size=n)

    return draw, share + (1 - share) / 2


SETTINGS = {
    "null": (gaussian(0.0), 40, 40),
    "null, large": (gaussian(0.0), 300, 300),
    "middling": (gaussian(1.0), 50, 50),
    "near one": (gaussian(4.0), 40, 40),
    "at the edge": (gaussian(6.0), 30, 30),
    "wide members": (gaussian(0.5, 3.0), 60, 60),
    "narrow members": (gaussian(0.5, 0.1), 60, 60),
    "unequal sizes": (gaussian(1.0), 15, 400),
    "unequal and wide": (gaussian(1.0, 4.0), 400, 15),
    "ties": (gaussian(0.7, 1.0, 1), 60, 60),
    "many ties": (gaussian(0.7, 1.0, 0.4), 80, 40),
    "given away": (mixture(0.1), 100, 100),
    "five each": (gaussian(0.0), 5, 5),
}


def coverage(setting, interval):
    (draw, truth), m, n = setting
    source = np.random.default_rng(1)
    hits = 0
    for _ in range(REPEATS):
        low, high = interval(*draw(source, m, n))
        hits += low <= truth <= high
    return hits / REPEATS


def ours(members, others):
    estimate = auc(members, others)
    return estimate.low, estimate.high


@pytest.mark.parametrize("name", SETTINGS)
def test_auc_intervals_cover(name):
    assert coverage(SETTINGS[name], ours) >= ENOUGH


@pytest.mark.parametrize("name", ["null", "middling", "wide members", "unequal sizes", "ties"])
def test_the_same_test_rejects_an_interval_that_is_too_narrow(name):
    """The planted mistake: a standard error that counts pairs of records as if they were independent."""

    def narrow(members, others):
        value = auc(members, others).value
        half = 1.96 * math.sqrt(max(value * (1 - value), 1e-9) / (len(members) * len(others)))
        return value - half, value + half

    assert coverage(SETTINGS[name], narrow) < 0.85


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spread", [0.1, 4.0])
def test_auc_intervals_hold_delongs(seed, spread):
    """DeLong's variance from its definition: how much each record's share of won pairs varies."""
    draw = np.random.default_rng(seed)
    members, others = draw.normal(0.5, spread, 20), draw.normal(0, 1, 90)
    won = (members[:, None] > others[None, :]).astype(float)
    deviation = math.sqrt(won.mean(axis=1).var(ddof=1) / 20 + won.mean(axis=0).var(ddof=1) / 90)
    estimate = auc(members, others)
    assert estimate.low <= max(0, won.mean() - 1.959 * deviation)
    assert estimate.high >= min(1, won.mean() + 1.959 * deviation)


def test_auc_intervals_follow_the_confidence():
    members, others = np.random.default_rng(0).normal(size=(2, 50))
    widths = [e.high - e.low for e in (auc(members, others, confidence=c) for c in (0.5, 0.9, 0.99))]
    assert widths == sorted(widths)


# Thresholds


@pytest.mark.parametrize("asked", [0.001, 0.01, 0.07, 0.1, 0.29, 0.5, 1.0])
@pytest.mark.parametrize("levels", [None, 1.0, 100.0])
def test_never_more_than_the_asked_share_lies_above_the_threshold(asked, levels):
    others = np.random.default_rng(2).normal(size=10_000)
    others = others if levels is None else np.round(others * levels) / levels
    threshold = threshold_at(asked, others)
    assert (others > threshold).mean() <= asked
    below = others[others < threshold]
    if len(below):  # the next smaller one would be too small
        assert (others > below.max()).mean() > asked - 1 / len(others) + 1e-12


def test_thresholds_that_cannot_be_resolved_are_refused():
    assert resolvable(0.01, 1000)
    assert not resolvable(0.01, 999)
    with pytest.raises(NotEnoughEvidence, match=r"Expected 10000 non-member scores .* of 0.001, got 9999"):
        threshold_at(0.001, np.zeros(9999))


def test_threshold_of_constant_scores_names_nobody():
    assert threshold_at(0.1, np.full(100, 3.0)) == 3.0
