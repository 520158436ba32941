"""Expected bounds are those of simulated audits; probabilities of detection are reached; both are quick."""

from __future__ import annotations

import time

import numpy as np
import pytest

from reticent.audits.bounds import (
    Budgets,
    canaries_needed,
    detection_probability,
    expected_bound,
    one_run,
    several_runs,
    test_claim,
)
from reticent.audits.bounds.curves import mu_of
from reticent.errors import UsageError
from reticent.privacy import Guarantee, SampledGaussian

DELTA = 1e-5


def audits(seed, canaries, epsilon, runs, repeats, **settings):
    draw = np.random.default_rng(seed)
    mu = mu_of(epsilon, DELTA) if epsilon else 0.0
    for _ in range(repeats):
        included = [draw.random(canaries) < 0.5 for _ in range(runs)]
        scores = [draw.normal(size=canaries) + mu * coins for coins in included]
        yield several_runs(scores, included, delta=DELTA, **settings).epsilon


@pytest.mark.slow
@pytest.mark.parametrize(
    ("canaries", "epsilon", "runs", "settings"),
    [
        (200, 8.0, 1, {}),
        (1000, 0.0, 1, {}),
        (1000, 4.0, 1, {"guesses": 190}),
        (1000, 4.0, 1, {"method": "steinke"}),
        (300, 2.0, 4, {"method": "f-dp-any"}),
        (1000, 4.0, 1, {"guesses": Budgets.even(1000), "confidence": 0.9}),
    ],
)
def test_expected_bounds_are_those_of_simulated_audits(canaries, epsilon, runs, settings):
    found = np.array(list(audits(0, canaries, epsilon, runs, 60, **settings)))
    power = expected_bound(canaries, epsilon, delta=DELTA, runs=runs, **settings)
    assert abs(power.mean - found.mean()) <= 5 * found.std() / np.sqrt(60) + 0.01
    # 60 of which each is below with probability 0.1: between 0 and 17 but for 1e-5.
    assert (found < power.low - 1e-9).sum() <= 17
    assert (found > power.high + 1e-9).sum() <= 17
    assert power.low <= power.median <= power.high


def test_the_same_question_has_the_same_answer_within_a_second():
    start = time.process_time()
    one = expected_bound(100_000, 8.0, delta=DELTA, guesses=Budgets.even(100_000))
    assert time.process_time() - start < 1.0
    assert expected_bound(100_000, 8.0, delta=DELTA, guesses=Budgets.even(100_000)) == one
    assert "to expect" in str(one)
    start = time.process_time()
    canaries_needed(1.0, 2.0, delta=DELTA)
    canaries_needed(Guarantee((SampledGaussian(noise_multiplier=2.0),)), 8.0, delta=DELTA)
    assert time.process_time() - start < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("method", ["f-dp", "f-dp-any", "steinke"])
def test_a_detection_is_as_probable_as_it_says(method):
    """At least so many: fewer than 0.8 n - 5 deviations has probability below 1e-6."""
    claim, truth = 1.5, 5.0
    canaries = canaries_needed(claim, truth, delta=DELTA, method=method)
    assert canaries is not None
    probable = detection_probability(canaries, truth, claim, delta=DELTA, method=method)
    assert 0.8 <= probable <= 1.0
    found = np.array(list(audits(1, canaries, truth, 1, 60, method=method))) > claim
    assert found.sum() >= 60 * probable - 5 * np.sqrt(60 * 0.16)
    assert detection_probability(canaries // 2, truth, claim, delta=DELTA, method=method) < probable


@pytest.mark.slow
def test_a_claimed_curve_is_refuted_as_probably_as_it_says():
    claim = Guarantee((SampledGaussian(noise_multiplier=2.0),))
    canaries = canaries_needed(claim, 5.0, delta=DELTA)
    probable = detection_probability(canaries, 5.0, claim, delta=DELTA)
    draw = np.random.default_rng(2)
    found = 0
    for _ in range(40):
        included = draw.random(canaries) < 0.5
        found += test_claim(draw.normal(size=canaries) + mu_of(5.0, DELTA) * included, included, claim) < 0.05
    assert found >= 40 * probable - 5 * np.sqrt(40 * 0.16)


def test_what_is_not_there_is_not_found():
    assert canaries_needed(4.0, 4.0, delta=DELTA) is None
    assert detection_probability(1000, 0.0, 1.0, delta=DELTA) < 0.05
    assert detection_probability(10, 8.0, 8.0, delta=DELTA) < 0.05


def test_more_runs_need_fewer_canaries_each():
    few, many = (canaries_needed(2.0, 4.0, delta=DELTA, runs=runs) for runs in (1, 10))
    assert many < few < 20 * many


def test_arguments_that_mean_nothing_are_refused():
    with pytest.raises(UsageError, match="method to be one of"):
        expected_bound(100, 1.0, delta=DELTA, method="best")
    with pytest.raises(UsageError, match="canaries >= 2"):
        expected_bound(1, 1.0, delta=DELTA)
    with pytest.raises(UsageError, match="0 < power < 1"):
        canaries_needed(1.0, 2.0, delta=DELTA, power=80)
    with pytest.raises(UsageError, match="claim >= 0"):
        detection_probability(100, 1.0, -1.0, delta=DELTA)


def test_one_run_takes_what_was_planned():
    planned = Budgets.weighted(500)
    included = np.arange(500) % 2 == 0
    assert one_run(np.zeros(500), included, delta=DELTA, guesses=planned) == one_run(
        np.zeros(500), included, delta=DELTA
    )
