"""Verdicts: the rule at its edges, words that never promise privacy, and claims that are about something else."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest

from reticent.audits.bounds import judge, one_run, test_claim
from reticent.audits.bounds.curves import epsilon_of, gaussian_above, mu_of
from reticent.errors import UsageError
from reticent.evidence import canonical_json, parse
from reticent.evidence.bounds import Conclusion, LowerBound, Verdict
from reticent.privacy import Guarantee, RandomisedResponse, Relation, SampledGaussian, Unit

DELTA = 1e-5
NEVER = re.compile(r"certif|anonym|complian|is private|proves|guarantees that|safe", re.IGNORECASE)


def audit(epsilon, canaries, seed=0):
    draw = np.random.default_rng(seed)
    included = draw.random(canaries) < 0.5
    return draw.normal(size=canaries) + mu_of(epsilon, DELTA) * included, included


def bound(epsilon):
    return LowerBound(epsilon, delta=DELTA, confidence=0.95, method="made up", trials=10)


@pytest.mark.parametrize(
    ("epsilon", "claim", "settings", "conclusion"),
    [
        (2.001, 2.0, {}, Conclusion.VIOLATION),
        (2.0, 2.0, {}, Conclusion.INCONCLUSIVE),  # nothing is known of the power
        (2.0, 2.0, {"power": 0.8}, Conclusion.CONSISTENT),
        (2.0, 2.0, {"power": 0.799}, Conclusion.INCONCLUSIVE),
        (0.0, 0.0, {"power": 1.0}, Conclusion.CONSISTENT),
        (0.1, 0.0, {"power": 1.0}, Conclusion.VIOLATION),
        (9.0, math.inf, {"power": 1.0}, Conclusion.INCONCLUSIVE),
    ],
)
def test_the_rule_at_its_edges(epsilon, claim, settings, conclusion):
    verdict = judge(bound(epsilon), claim, **settings)
    assert verdict.conclusion is conclusion
    assert not NEVER.search(str(verdict))
    assert Verdict.from_dict(parse(canonical_json(verdict.as_dict()))) == verdict


def test_a_p_value_of_the_curve_decides_alone():
    claim = Guarantee((SampledGaussian(noise_multiplier=1.0),))  # epsilon 4.377
    for epsilon, p_value, violated in ((1.0, 0.04, True), (1.0, 0.06, False), (9.0, 0.06, False)):
        verdict = judge(bound(epsilon), claim, p_value=p_value, power=0.9)
        assert (verdict.conclusion is Conclusion.VIOLATION) == violated
        assert verdict.claimed == claim.epsilon(DELTA)
    assert "probability 0.04" in judge(bound(1.0), claim, p_value=0.04).sentences[0]


def test_audits_of_true_and_of_broken_claims():
    broken = one_run(*audit(8.0, 2000), delta=DELTA)
    verdict = judge(broken, 2.0)
    assert verdict.conclusion is Conclusion.VIOLATION
    assert "assumptions" in verdict.sentences[1]
    true = one_run(*audit(2.0, 20_000), delta=DELTA)
    verdict = judge(true, 2.0)
    assert verdict.conclusion is Conclusion.CONSISTENT
    assert verdict.power > 0.8
    assert "does not show" in verdict.sentences[-1]
    few = one_run(*audit(2.0, 100), delta=DELTA)
    verdict = judge(few, 2.0)
    assert verdict.conclusion is Conclusion.INCONCLUSIVE
    assert re.search(r"takes about \d+ canaries", str(verdict))
    assert "Ten million" in str(judge(few, 500.0))


def test_audits_of_whole_curves():
    claim = Guarantee((SampledGaussian(noise_multiplier=1 / mu_of(2.0, DELTA)),))
    for epsilon, conclusion in ((8.0, Conclusion.VIOLATION), (2.0, Conclusion.CONSISTENT)):
        scores, included = audit(epsilon, 5000)
        p_value = test_claim(scores, included, claim)
        verdict = judge(one_run(scores, included, delta=DELTA), claim, p_value=p_value)
        assert verdict.conclusion is conclusion
        # The test of a curve needs no assumption about its shape.
        assert conclusion is not Conclusion.VIOLATION or "Gaussian" not in verdict.sentences[1]


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [1.0, 2.0])
def test_a_claim_is_not_refuted_for_the_shape_of_its_curve(epsilon):
    """Randomised response that keeps its promise; read as a Gaussian mechanism its epsilon would be far larger."""
    claim = Guarantee((RandomisedResponse(epsilon, 2),), relation=Relation.REPLACE_ONE)
    draw = np.random.default_rng(3)
    larger = 0
    for _ in range(15):
        included = draw.random(1000) < 0.5
        truthful = draw.random(1000) < 1 / (1 + math.exp(-epsilon))
        scores = np.where(included == truthful, 1.0, -1.0) * draw.random(1000)
        found = one_run(scores, included, delta=DELTA, relation=Relation.REPLACE_ONE)
        larger += found.epsilon > epsilon
        assert judge(found, claim, power=0.5).conclusion is Conclusion.INCONCLUSIVE
    assert larger > 7


@pytest.mark.parametrize("name", ["mu", "epsilon"])
def test_bounds_on_mu_are_held_against_the_claims_curve(name):
    claim = Guarantee((SampledGaussian(noise_multiplier=1.0, sample_rate=0.01, count=1000),))
    mu = gaussian_above(claim)
    assert epsilon_of(mu, DELTA) > claim.epsilon(DELTA)
    for value, violated in ((mu * 0.999, False), (mu * 1.001, True)):
        one = dataclasses.replace(bound(epsilon_of(value, DELTA)), mu=value if name == "mu" else None)
        verdict = judge(one, claim, power=0.0)
        # An epsilon that nothing is assumed of decides by itself; it is above the claim in either case.
        assert (verdict.conclusion is Conclusion.VIOLATION) == (violated or name == "epsilon")
    assert "bound on mu" in judge(dataclasses.replace(one, mu=mu), claim).sentences[0] or name == "epsilon"


def test_claims_about_something_else_are_refused():
    mechanisms = (SampledGaussian(noise_multiplier=1.0),)
    for claim in (
        Guarantee(mechanisms, unit=Unit.PERSON),
        Guarantee(mechanisms, relation=Relation.REPLACE_ONE),
        Guarantee(mechanisms, only=("label",)),
    ):
        with pytest.raises(UsageError, match="Expected a claim about one example added or removed, got"):
            judge(bound(1.0), claim)


def test_arguments_that_mean_nothing_are_refused():
    with pytest.raises(UsageError, match="guarantee that the p-value is of"):
        judge(bound(1.0), 2.0, p_value=0.5)
    with pytest.raises(UsageError, match="factor > 1"):
        judge(bound(1.0), 2.0, factor=1.0)
    for settings in ({"power": 80}, {"p_value": 1.5}):
        with pytest.raises(UsageError, match="Pass a fraction"):
            judge(bound(1.0), Guarantee((SampledGaussian(noise_multiplier=1.0),)), **settings)
    with pytest.raises(UsageError, match="claim >= 0"):
        judge(bound(1.0), -1.0)
