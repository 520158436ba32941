"""Claims: right about mechanisms whose epsilon is known, and nothing said without coins."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from reticent.attacks.membership import DEFAULT
from reticent.audits.claims import Terms, claim_about_model, claim_about_training, unfair
from reticent.evidence.bounds import Conclusion
from reticent.models import Fleet, Signals
from reticent.privacy import Guarantee, Relation, SampledGaussian, Unit
from reticent.randomness import Randomness

DELTA = 1e-5


def gaussian(seed, *, mu, models=16, records=300, owners=None):
    """Models that answer each record with Gaussian noise of deviation 1 around mu, if they were trained on it, or 0."""
    source = Randomness.simulated(seed)
    owner = np.arange(records) if owners is None else owners
    membership = source.bernoulli(0.5, models * (int(owner.max()) + 1)).reshape(models, -1)[:, owner]
    odds = source.normal((models, records)) + mu * membership + 3 * source.spawn("ease").normal(records)
    return Fleet(Signals(odds, -np.logaddexp(0, -odds), odds > 0), membership)


def claim(noise, **more):
    return Guarantee((SampledGaussian(noise_multiplier=noise),), **more)


def judged(seed, mu, guarantee=None, **more):
    terms = Terms(DELTA, guarantee=guarantee, **more)
    return claim_about_training(gaussian(seed, mu=mu), DEFAULT, terms, inclusion=0.5)


@pytest.mark.slow
def test_right_claims_are_seldom_accused_and_wrong_ones_found():
    """A tight claim at 95 %: more than 9 accusations in 40 would happen once in 1e5."""
    accused = found = above = 0
    for seed in range(40):
        right = judged(seed, 1.0, claim(1.0))
        accused += right.verdict.conclusion is Conclusion.VIOLATION
        above += right.bound.epsilon > claim(1.0).epsilon(DELTA)
        found += judged(seed, 1.0, claim(4.0)).verdict.conclusion is Conclusion.VIOLATION
    assert max(accused, above) <= binom.ppf(1 - 1e-5, 40, 0.05)
    assert found == 40


def test_one_model_against_its_references():
    fleet = gaussian(1, mu=3.0, models=33, records=2000)
    scores = DEFAULT.score(fleet.signals.model(0), fleet.take(slice(1, None)).signals, fleet.membership[1:])
    found = claim_about_model(scores, fleet.membership[0], Terms(DELTA, guarantee=claim(2.0)), coins=True)
    assert found.bound.epsilon > 1
    assert found.verdict.conclusion is Conclusion.VIOLATION
    assert "the given model" in str(found)


def test_without_fair_coins_nothing_is_said():
    fleet = gaussian(2, mu=3.0)
    unknown = claim_about_model(fleet.scores[0], fleet.membership[0], Terms(DELTA, guarantee=claim(2.0)), coins=False)
    unfair = claim_about_training(fleet, DEFAULT, Terms(DELTA), inclusion=0.4)
    few = claim_about_training(fleet.take(slice(0, 7)), DEFAULT, Terms(DELTA), inclusion=0.5)
    impossible = claim_about_model(np.arange(300.0), np.ones(300, dtype=bool), Terms(DELTA), coins=True)
    for one, why in (
        (unknown, "not known that members were drawn"),
        (unfair, "probability 0.4, not 1/2"),
        (few, "8 shadow models"),
        (impossible, "fair"),
    ):
        assert one.bound is one.verdict is None
        assert why in one.reason
        assert one.as_dict()["bound"] is None


def test_draws_that_were_drawn_again_are_no_coins():
    owners = np.arange(100)
    assert unfair(np.arange(100) % 2, owners) == ""
    rare = (np.arange(100) < 5).astype(np.int64)
    assert "only 5 owners" in unfair(rare, owners)
    assert "only 1 owners" in unfair(np.arange(100) % 2, np.where(owners % 2, 0, owners))
    fleet = gaussian(7, mu=1.0)
    for one in (
        claim_about_training(fleet, DEFAULT, Terms(DELTA, doubt="rare"), inclusion=0.5),
        claim_about_model(fleet.scores[0], fleet.membership[0], Terms(DELTA, doubt="rare"), coins=True),
    ):
        assert one.bound is None
        assert one.reason == "rare"


def test_attacked_models_are_no_references():
    """Whatever the other attacked models' memberships are, a model's guesses stay: the theorem needs that."""
    fleet = gaussian(3, mu=2.0)
    flipped = fleet.membership.copy()
    flipped[9:] = ~flipped[9:]
    seen = []

    class Watched(type(DEFAULT)):
        def score(self, target, references, membership):
            seen.append(membership.copy())
            return super().score(target, references, membership)

    for membership in (fleet.membership, flipped):
        claim_about_training(Fleet(fleet.signals, membership), Watched(), Terms(DELTA), inclusion=0.5)
    assert all(len(one) == 8 for one in seen)
    assert all(np.array_equal(one, fleet.membership[:8]) for one in seen)


def test_people_are_canaries_with_all_their_rows():
    owners = np.repeat(np.arange(150), 2)
    fleet = gaussian(4, mu=1.0, owners=owners)
    found = claim_about_training(fleet, DEFAULT, Terms(DELTA, owners, guarantee=claim(8.0)), inclusion=0.5)
    assert found.bound.unit is Unit.PERSON
    assert found.bound.trials == 8 * 150
    assert found.verdict is None
    assert "about one example added or removed, the coins were about one person" in found.reason
    person = claim_about_training(
        fleet, DEFAULT, Terms(DELTA, owners, guarantee=claim(8.0, unit=Unit.PERSON)), inclusion=0.5
    )
    assert person.verdict.conclusion is Conclusion.VIOLATION


def test_a_claim_about_exchanged_records_is_not_judged():
    found = judged(5, 1.0, Guarantee((SampledGaussian(noise_multiplier=1.0),), relation=Relation.REPLACE_ONE))
    assert found.bound is not None
    assert found.verdict is None
    assert "about one example exchanged for another" in found.reason


@pytest.mark.parametrize("mu", [0.0, 1.5])
def test_plain_values(mu):
    values = judged(6, mu).as_dict()
    assert set(values) == {"what", "bound", "verdict", "reason"}
    assert values["bound"]["epsilon"] >= 0
