"""Bounds from one run hold as often as they say, for mechanisms that use up all that they may, whatever the guesses.

A mechanism is tight if its true epsilon is exactly what is held against the bound. A bound above it is a false
violation; at 95 % confidence at most 5 % are allowed. A method whose rate were 5 % would exceed what `allowed` says
with probability 2e-5. The same count rejects the planted mistake: the largest of the budgets' bounds without a
correction. Seeds are fixed, so a pass stays a pass.
"""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy.stats import binom, norm

from reticent.audits.bounds import Budgets, expected_bound, one_run, several_runs, test_claim
from reticent.audits.bounds.counting import largest_parameters, least_chances, steinke_p_value
from reticent.audits.bounds.curves import GAUSSIAN, Curve, approximate, epsilon_of, mu_of
from reticent.audits.bounds.guessing import correct_guesses
from reticent.errors import DataError, UsageError
from reticent.privacy import Guarantee, Relation, SampledGaussian, Unit
from reticent.randomness import Randomness

DELTA = 1e-5


def allowed(trials):
    return int(binom.isf(2e-5, trials, 0.05))


def response(draw, canaries, epsilon):
    """Randomised response; how sure it seems of an answer means nothing."""
    included = draw.random(canaries) < 0.5
    truthful = draw.random(canaries) < 1 / (1 + math.exp(-epsilon))
    return np.where(included == truthful, 1.0, -1.0) * draw.random(canaries), included


def gaussian(draw, canaries, epsilon):
    included = draw.random(canaries) < 0.5
    mu = mu_of(epsilon, DELTA) if epsilon else 0.0
    return draw.normal(size=canaries) + mu * included, included


def refutations(kind, method, epsilon, budgets, trials, canaries=1000):
    """How often the true epsilon is refuted, from counts: the same p-values that `one_run` inverts."""
    draw = np.random.default_rng(int(100 * epsilon) + trials)
    counts = np.array([correct_guesses(*kind(draw, canaries, epsilon), budgets.each) for _ in range(trials)], float)
    made = 2.0 * np.array(budgets.each)
    if method == "steinke":
        known = {}
        values = np.empty(counts.shape)
        for place, right in np.ndenumerate(counts):
            key = (made[place[1]], right)
            if key not in known:
                known[key] = steinke_p_value(canaries, int(key[0]), int(right), epsilon, DELTA)
            values[place] = known[key]
    else:
        curve = GAUSSIAN if method == "f-dp" else approximate(DELTA)
        at = mu_of(epsilon, DELTA) if epsilon and method == "f-dp" else epsilon
        values = least_chances(curve, at, canaries, made, counts)
    return int((values < 0.05 * np.array(budgets.weights)).any(axis=1).sum())


SETTINGS = [(response, "steinke"), (response, "f-dp-any"), (gaussian, "f-dp")]


@pytest.mark.parametrize(("kind", "method"), SETTINGS)
@pytest.mark.parametrize("epsilon", [0.0, 1.0, 4.0, 8.0])
def test_bounds_cover(kind, method, epsilon):
    assert refutations(kind, method, epsilon, Budgets.weighted(1000), 100) <= allowed(100)


@pytest.mark.slow
@pytest.mark.parametrize("design", [Budgets.weighted, Budgets.even])
@pytest.mark.parametrize(("kind", "method"), SETTINGS)
@pytest.mark.parametrize("epsilon", [0.0, 1.0, 4.0, 8.0])
def test_bounds_cover_in_a_thousand_audits(kind, method, epsilon, design):
    assert refutations(kind, method, epsilon, design(1000), 1000) <= 50


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
@pytest.mark.parametrize("trials", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_the_same_count_rejects_the_largest_bound_without_a_correction(epsilon, trials):
    planted = Budgets.single(1)
    object.__setattr__(planted, "each", tuple(range(5, 501, 5)))
    object.__setattr__(planted, "weights", (1.0,) * 100)
    assert refutations(response, "steinke", epsilon, planted, trials) > allowed(trials)


@pytest.mark.parametrize(("kind", "method"), SETTINGS)
@pytest.mark.parametrize("epsilon", [0.0, 1.0, 6.0])
def test_one_run_exceeds_an_epsilon_where_its_p_value_is_small(kind, method, epsilon):
    budgets = Budgets.weighted(400)
    for seed in range(6):
        scores, included = kind(np.random.default_rng(seed), 400, epsilon)
        bound = one_run(scores, included, delta=DELTA, method=method)
        right = correct_guesses(scores, included, budgets.each)
        if method == "steinke":
            for at in (bound.epsilon + 1e-4, max(0.0, bound.epsilon - 1e-4)):
                pairs = zip(budgets.each, right, budgets.weights, strict=True)
                small = [steinke_p_value(400, 2 * k, int(c), at, DELTA) < 0.05 * w for k, c, w in pairs]
                assert any(small) == (at < bound.epsilon)
        else:
            curve = GAUSSIAN if method == "f-dp" else approximate(DELTA)
            chances = 0.05 * np.array(budgets.weights)
            best = largest_parameters(curve, 400, 2.0 * np.array(budgets.each), right, chances).max()
            assert (bound.mu if method == "f-dp" else bound.epsilon) == best
            assert method != "f-dp" or bound.epsilon == epsilon_of(best, DELTA)


def test_bounds_hold_when_canaries_are_given_away_together():
    """A coin that all canaries share: one audit in twenty meets a mechanism that gives away far more.

    Its curve is the best mixture of two Gaussian ones, T(a) = max 0.05 T_4(b) + 0.95 T_0.3(c) over 0.05 b + 0.95 c = a;
    the best choice is a threshold on the likelihood ratio. Guesses then are far from independent.
    """
    share, strong, weak = 0.05, 4.0, 0.3
    logs = np.linspace(-30, 30, 20_001)

    def mixed(mean):
        return sum(p * norm.sf(logs / mu + mu / 2 - mu * mean) for p, mu in ((share, strong), (1 - share, weak)))

    false, true = mixed(0)[::-1], mixed(1)[::-1]
    curve = Curve(lambda rates, _: np.interp(rates, true, false), largest=0.0)
    draw = np.random.default_rng(5)
    budgets = Budgets.weighted(500)
    counts = []
    for _ in range(400):
        included = draw.random(500) < 0.5
        mu = strong if draw.random() < share else weak
        counts.append(correct_guesses(draw.normal(size=500) + mu * included, included, budgets.each))
    values = least_chances(curve, 0.0, 500, 2.0 * np.array(budgets.each), np.array(counts))
    small = (values < 0.05 * np.array(budgets.weights)).any(axis=1).sum()
    assert small <= allowed(400)
    # Each of the strong ones is as improbable as it is: a bound that were a little larger would be wrong.
    assert ((values < 0.06).any(axis=1)).mean() > 0.03


@pytest.mark.parametrize("method", ["steinke", "f-dp-any"])
@pytest.mark.parametrize("epsilon", [0.5, 3.0])
def test_bounds_hold_when_the_output_decides_how_many_guesses_are_made(method, epsilon):
    """Fewer guesses than were planned, where they would be bad: counted against the planned number."""
    draw = np.random.default_rng(8)
    false = tempting = 0
    for _ in range(300):
        included = draw.random(200) < 0.5
        truthful = draw.random(200) < 1 / (1 + math.exp(-epsilon))
        guessed = included == truthful
        # Only the output is looked at: abstain where neighbours disagree, and altogether if few are left.
        kept = (guessed == np.roll(guessed, 1)) & (np.arange(200) < 100)
        kept &= kept.sum() > 20
        right = int((kept & (guessed == included)).sum())
        if method == "steinke":
            false += steinke_p_value(200, 100, right, epsilon, DELTA) < 0.05
        else:
            false += bool(least_chances(approximate(DELTA), epsilon, 200, np.array([100]), np.array([right]))[0] < 0.05)
        tempting += steinke_p_value(200, max(right, 1), right, epsilon, DELTA) < 0.05
    assert false <= allowed(300)
    assert epsilon > 1 or tempting > allowed(300), "counting only what was right is refused by the same count"


@pytest.mark.slow
@pytest.mark.parametrize(("epsilon", "least"), [(1.0, 0.24), (2.0, 0.8), (4.0, 1.9), (8.0, 3.9)])
def test_bounds_are_as_large_as_they_should_be(epsilon, least):
    """The bar at epsilon 8 is 3.7. Ten even budgets gave .24, .87, 1.83, 3.89 in a study before this was written."""
    draw = np.random.default_rng(1)
    found = [one_run(*gaussian(draw, 1000, epsilon), delta=DELTA).epsilon for _ in range(30)]
    assert np.mean(found) > least
    expected = expected_bound(1000, epsilon, delta=DELTA)
    spread = np.std(found) / math.sqrt(30)
    assert abs(np.mean(found) - expected.mean) < 5 * spread


def test_a_bound_takes_less_than_a_second():
    scores, included = gaussian(np.random.default_rng(0), 5000, 4.0)
    for method in ("steinke", "f-dp", "f-dp-any"):
        start = time.process_time()
        one_run(scores, included, delta=DELTA, method=method)
        assert time.process_time() - start < 1.0


def test_a_single_budget_has_the_whole_error_probability():
    scores, included = gaussian(np.random.default_rng(3), 1000, 4.0)
    bound = one_run(scores, included, delta=DELTA, guesses=190)
    right = int(correct_guesses(scores, included, (95,))[0])
    assert bound.details["guesses"] == [190]
    assert bound.details["correct"] == [right]
    mu = largest_parameters(GAUSSIAN, 1000, np.array([190]), np.array([right]), np.array([0.05]))[0]
    assert bound.mu == pytest.approx(mu)


def test_ties_count_against_the_auditor_or_are_broken_at_random():
    included = Randomness.simulated(4).bernoulli(0.5, 600)
    scores = np.where(included, 1.0, 0.0)
    # The order of the arrays would give everything away here.
    order = np.argsort(included, kind="stable")
    assert one_run(np.zeros(600), included[order], delta=DELTA).epsilon == 0.0
    assert one_run(np.zeros(600), included[order], delta=DELTA, ties=Randomness.simulated(5)).epsilon < 0.5
    assert one_run(scores, included, delta=DELTA).epsilon > 3
    with pytest.raises(UsageError, match="Randomness"):
        one_run(scores, included, delta=DELTA, ties=7)


def test_a_bound_says_what_it_rests_on():
    scores, included = gaussian(np.random.default_rng(4), 300, 2.0)
    bound = one_run(scores, included, delta=DELTA, unit=Unit.PERSON, relation=Relation.REPLACE_ONE)
    assert (bound.unit, bound.relation, bound.trials) == (Unit.PERSON, Relation.REPLACE_ONE, 300)
    assert any("Gaussian" in text for text in bound.assumptions)
    free = one_run(scores, included, delta=DELTA, method="f-dp-any")
    assert free.mu is None
    assert not any("Gaussian" in text for text in free.assumptions)


# Several runs


def test_several_runs_are_one_with_all_their_canaries():
    draw = np.random.default_rng(6)
    runs = [gaussian(draw, 400, 4.0) for _ in range(5)]
    scores, included = [s for s, _ in runs], [i for _, i in runs]
    bound = several_runs(scores, included, delta=DELTA, guesses=40)
    right = sum(int(correct_guesses(*run, (20,))[0]) for run in runs)
    mu = largest_parameters(GAUSSIAN, 2000, np.array([200]), np.array([right]), np.array([0.05]))[0]
    assert (bound.mu, bound.trials, bound.details["runs"]) == (pytest.approx(mu), 2000, 5)
    assert any("independent" in text for text in bound.assumptions)
    # Scores of different runs are not compared: another scale changes nothing.
    moved = several_runs([s * 10**k + k for k, s in enumerate(scores)], included, delta=DELTA, guesses=40)
    assert moved.epsilon == bound.epsilon
    one = one_run(scores[0], included[0], delta=DELTA)
    assert several_runs(scores[:1], included[:1], delta=DELTA) == one
    with pytest.raises(UsageError, match="same runs, got 5 and 4"):
        several_runs(scores, included[:4], delta=DELTA)


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [0.0, 2.0])
def test_several_runs_cover_and_find_more_than_one(epsilon):
    draw = np.random.default_rng(7)
    false, found = 0, []
    for _ in range(50):
        runs = [gaussian(draw, 200, epsilon) for _ in range(4)]
        bound = several_runs([s for s, _ in runs], [i for _, i in runs], delta=DELTA)
        false += bound.epsilon > epsilon
        found.append(bound.epsilon)
    assert false <= allowed(50)
    assert epsilon == 0 or np.mean(found) > expected_bound(200, epsilon, delta=DELTA).mean


# A whole curve


def subsampled(draw, canaries, noise, rate):
    """One step of subsampled noise, observed for each canary by itself: the tight attack on `SampledGaussian`."""
    included = draw.random(canaries) < 0.5
    taken = included & (draw.random(canaries) < rate)
    return taken / noise + draw.normal(size=canaries), included


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "rate", "fault"), [(1.0, 1.0, (0.4, 1.0)), (1.0, 0.3, (0.3, 1.0))])
def test_claims_that_hold_are_seldom_rejected_and_planted_faults_are_found(noise, rate, fault):
    """The faults: too little noise, and too little of it for units that take part in every step."""
    claim = Guarantee((SampledGaussian(noise_multiplier=noise, sample_rate=rate),))
    draw = np.random.default_rng(9)
    true = [test_claim(*subsampled(draw, 1000, noise, rate), claim) for _ in range(60)]
    broken = [test_claim(*subsampled(draw, 1000, *fault), claim) for _ in range(20)]
    assert sum(value <= 0.05 for value in true) <= allowed(60)
    assert max(true) <= 1.0
    assert sum(value < 0.05 for value in broken) >= 15


def test_a_gaussian_claim_is_tested_as_the_bound_tests_it():
    scores, included = gaussian(np.random.default_rng(10), 1000, 4.0)
    mu = one_run(scores, included, delta=DELTA).mu
    for factor, small in ((0.97, True), (1.03, False)):
        claim = Guarantee((SampledGaussian(noise_multiplier=1 / (factor * mu)),))
        assert (test_claim(scores, included, claim) < 0.05) == small
        assert test_claim([scores], [included], claim) == test_claim(scores, included, claim)


def test_a_claim_of_nothing_can_not_be_refuted_and_one_of_everything_is():
    scores, included = gaussian(np.random.default_rng(11), 1000, 8.0)
    assert test_claim(scores, included, Guarantee((SampledGaussian(noise_multiplier=0.0),))) == 1.0
    assert test_claim(scores, included, Guarantee()) < 1e-9


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"delta": 0.0}, UsageError, "0 < delta < 1"),
        ({"confidence": 95}, UsageError, "0 < confidence < 1"),
        ({"method": "best"}, UsageError, "method to be one of"),
        ({"guesses": 11}, UsageError, "even number"),
        ({"included": np.zeros(100, bool)}, DataError, "coins that were fair"),
        ({"scores": np.zeros((100, 2))}, DataError, "shapes"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(changed, error, text):
    fields = {"scores": np.arange(100.0), "included": np.arange(100) % 2 == 0, "delta": DELTA, **changed}
    with pytest.raises(error, match=text):
        one_run(fields.pop("scores"), fields.pop("included"), **fields)
