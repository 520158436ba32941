"""The power of audits that have been done: as simulated, low where the design is hopeless; and verdicts from it."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from scipy.stats import beta, binom, norm

from reticent.audits.bounds import judge, many_runs, one_run, per_step
from reticent.audits.bounds.curves import epsilon_of, mu_of
from reticent.audits.bounds.detecting import _found, _multiplier, detection
from reticent.evidence.bounds import Conclusion, LowerBound
from reticent.privacy import Guarantee, SampledGaussian
from reticent.randomness import Randomness

DELTA = 1e-5
STEPS = {"steps": 400, "sample_rate": 0.05}
NOISE = 1.2
TRAINING = Guarantee((SampledGaussian(noise_multiplier=NOISE, sample_rate=0.05, count=400),))


def runs(seed, epsilon, *, size, method="clopper-pearson", threshold=None):
    """An audit by many runs of a Gaussian mechanism; the threshold is found on halves unless it is given."""
    draw = np.random.default_rng(seed)
    inside, outside = draw.normal(mu_of(epsilon, DELTA) if epsilon else 0.0, 1, size), draw.normal(size=size)
    place = Randomness.simulated(seed) if threshold is None else threshold
    return many_runs(inside, outside, delta=DELTA, method=method, threshold=place)


def steps(seed, noise, *, size, known):
    """An audit by single steps of a training with this much noise."""
    draw = np.random.default_rng(seed)
    there = draw.random(size) < (1.0 if known else 0.05)
    return per_step(
        there + noise * draw.normal(size=size),
        noise * draw.normal(size=size),
        delta=DELTA,
        thresholds=(0.5, 0.5 + 2 * NOISE),
        inserted=there if known else None,
        **STEPS,
    )


# As simulated -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 60])
def test_the_probability_is_that_of_all_pairs_of_counts(size):
    """The oracle: every pair of counts, bounded by scipy's beta quantiles."""
    tail, (true, false) = 0.025, (0.7, 0.2)
    total = 0.0
    for named in range(size + 1):
        low = beta.ppf(tail, named, size - named + 1) if named else 0.0
        for wrong in range(2 * size + 1):
            high = beta.ppf(1 - tail, wrong + 1, 2 * size - wrong) if wrong < 2 * size else 1.0
            within = high + 0.1 < low < 0.9
            total += within * binom.pmf(named, size, true) * binom.pmf(wrong, 2 * size, false)

    def needs(high):
        return np.clip(high + 0.1, 0, 1), np.full(len(high), 0.9)

    assert _found((size, 2 * size), (true, false), tail, needs) == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize(
    ("method", "claim", "threshold", "size"),
    [
        ("gaussian", 2.0, None, 100),
        ("gaussian", 2.0, 1.5, 60),
        ("clopper-pearson", 0.5, None, 120),
        ("clopper-pearson", 0.5, 1.5, 70),
    ],
)
def test_runs_are_refuted_as_often_as_said(method, claim, threshold, size):
    """Halves, and a fixed threshold: 400 audits, five deviations, and 3 % for estimating where the threshold lies."""
    found = [runs(seed, 6.0, size=size, method=method, threshold=threshold) for seed in range(400)]
    share = np.mean([one.epsilon > claim for one in found])
    power = float(np.mean([detection(one, claim, 6.0).power for one in (found[:100] if threshold else found[:1])]))
    assert 0.2 < power < 0.8
    assert abs(share - power) < 5 * np.sqrt(power * (1 - power) / 400) + 0.03


@pytest.mark.slow
@pytest.mark.parametrize(("known", "size"), [(True, 1000), (False, 200_000)])
def test_steps_are_refuted_as_often_as_said(known, size):
    """The best threshold's probability, up to five deviations; what the other one adds is less than 15 %."""
    claim = TRAINING.epsilon(DELTA)
    noise = _multiplier(1.5 * claim, 400, 0.05, DELTA)
    found = [steps(seed, noise, size=size, known=known) for seed in range(200)]
    share = np.mean([one.epsilon > claim for one in found])
    power = detection(found[0], claim, 1.5 * claim).power
    assert 0.2 < power < 0.8
    assert -5 * np.sqrt(power * (1 - power) / 200) < share - power < 5 * np.sqrt(power * (1 - power) / 200) + 0.15


def test_the_noise_of_a_leak_is_that_of_the_accountant():
    claim = TRAINING.epsilon(DELTA)
    assert _multiplier(claim, 400, 0.05, DELTA) == pytest.approx(NOISE, rel=2e-3)


# Verdicts -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "claim", "factor", "size"), [("clopper-pearson", 0.5, 12.0, 600), ("gaussian", 2.0, 2.0, 1200)]
)
def test_verdicts_about_many_runs(method, claim, factor, size):
    """A mechanism that keeps its claim is seldom accused; one that leaks more is found as often as said."""

    def verdict(seed, epsilon, size):
        return judge(runs(seed, epsilon, size=size, method=method), claim, factor=factor)

    kept = [verdict(seed, claim, size) for seed in range(40)]
    assert sum(one.conclusion is Conclusion.VIOLATION for one in kept) <= binom.isf(1e-6, 40, 0.05)
    assert {one.conclusion for one in kept} <= {Conclusion.CONSISTENT, Conclusion.VIOLATION}
    power = max(one.power for one in kept if one.power is not None)
    assert power > 0.8
    broken = [verdict(seed, factor * claim, size) for seed in range(40)]
    assert sum(one.conclusion is Conclusion.VIOLATION for one in broken) >= binom.ppf(1e-6, 40, power)
    few = verdict(1, claim, 40)
    assert few.conclusion is Conclusion.INCONCLUSIVE
    assert few.power < 0.2
    needed = int(re.search(r"takes about (\d+) runs of either kind, half of them", str(few)).group(1))
    assert 40 < needed < size
    assert 0.75 < detection(runs(1, claim, size=needed, method=method), claim, factor * claim).power < 0.9


@pytest.mark.slow
def test_verdicts_about_single_steps():
    claim = TRAINING.epsilon(DELTA)
    verdicts = [judge(steps(seed, NOISE, size=3000, known=True), claim) for seed in range(30)]
    accused = sum(one.conclusion is Conclusion.VIOLATION for one in verdicts)
    assert accused <= binom.isf(1e-6, 30, 0.05)
    assert all(
        one.conclusion is Conclusion.CONSISTENT for one in verdicts if one.conclusion is not Conclusion.VIOLATION
    )
    assert "these steps leak epsilon" in str(next(one for one in verdicts if one.power is not None))
    leaking = _multiplier(2 * claim, 400, 0.05, DELTA)
    caught = sum(
        judge(steps(s, leaking, size=3000, known=True), TRAINING).conclusion is Conclusion.VIOLATION for s in range(20)
    )
    assert caught >= binom.ppf(1e-6, 20, 0.8)
    few = judge(steps(1, NOISE, size=20, known=True), claim)
    assert few.conclusion is Conclusion.INCONCLUSIVE
    needed = int(re.search(r"takes about (\d+) statistics of either kind", str(few)).group(1))
    assert 20 < needed < 3000
    hopeless = per_step(np.zeros(50), np.zeros(50), delta=DELTA, thresholds=(90.0,), inserted=[True] * 50, **STEPS)
    assert "Ten million statistics" in str(judge(hopeless, claim))


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [-9.0, 9.0])
def test_a_hopeless_threshold_is_never_called_consistent(threshold):
    """The planted fault would be to ask for the power at the best threshold, whatever was used."""
    verdict = judge(runs(3, 2.0, size=1000, threshold=threshold), 2.0)
    assert verdict.conclusion is Conclusion.INCONCLUSIVE
    assert verdict.power < 0.5
    sensible = judge(runs(3, 2.0, size=1000, threshold=1.5), 2.0)
    assert sensible.power > verdict.power
    assert "at a threshold with as many false alarms" in str(sensible)


@pytest.mark.slow
def test_the_largest_bound_that_runs_can_give_is_told():
    perfect = many_runs(np.ones(100), np.zeros(100), delta=DELTA, threshold=0.5)
    text = str(judge(many_runs(np.zeros(100), np.zeros(100), delta=DELTA, threshold=0.5), 5.0))
    assert f"can give is {np.ceil(perfect.epsilon * 100) / 100:.3g}" in text
    mu = 2 * norm.ppf(beta.ppf(0.025, 100, 1))
    gaussian = many_runs(np.zeros(100), np.zeros(100), delta=DELTA, threshold=0.5, method="gaussian")
    told = float(re.search(r"can give is ([\d.]+)\.", str(judge(gaussian, 50.0))).group(1))
    assert told == pytest.approx(epsilon_of(mu, DELTA), rel=0.01)


def test_power_does_not_depend_on_what_was_found():
    one, other = (runs(seed, leak, size=200) for seed, leak in ((1, 0.0), (2, 8.0)))
    assert detection(one, 2.0, 4.0).power == detection(other, 2.0, 4.0).power


def test_a_design_that_is_not_known_has_no_power():
    bound = runs(1, 2.0, size=100)
    less = {name: value for name, value in bound.details.items() if name != "tuned_on"}
    assert detection(dataclasses.replace(bound, details=less), 2.0, 4.0) is None
    assert detection(bound, TRAINING, 4.0) is None  # whole curves are tested on guesses about canaries
    assert detection(LowerBound(1.0, DELTA, 0.95, "made up", 10), 2.0, 4.0) is None
    draw = np.random.default_rng(1)
    canaries = one_run(draw.normal(size=500), draw.random(500) < 0.5, delta=DELTA)
    assert 0 < detection(canaries, 2.0, 8.0).power < 1
