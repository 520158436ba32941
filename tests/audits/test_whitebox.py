"""The audit of a training from inside: its score, what it says, and that right trainings of every kind pass."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import norm

import reticent as rt
from reticent.audits.bugs import BUGS
from reticent.audits.engines import by_make_private, by_steps, by_train
from reticent.audits.probes import Trace
from reticent.audits.whitebox import QUESTIONS, audit_training, score
from reticent.errors import UsageError
from reticent.evidence.bounds import Conclusion
from reticent.privacy import (
    Clipping,
    Cyclic,
    FixedSize,
    RandomAllocation,
    Relation,
    Schedule,
    Shuffled,
    TruncatedPoisson,
)

PLAN = rt.Plan(1.0, dataset_size=300, batch_size=30, steps=20, delta=1e-4)
RARE = 1 - 1e-6
NO_NOISE = BUGS[0]


@pytest.mark.parametrize("relation", list(Relation))
def test_the_score_is_the_likelihood_ratio(relation):
    plan = dataclasses.replace(PLAN, relation=relation, noise_schedule=Schedule(((10, 1.0), (10, 0.6))))
    draw = np.random.default_rng(0)
    trace = Trace(draw.normal(size=(20, 7)), np.ones(7, dtype=bool), np.zeros(20), np.zeros((20, 4)))
    out = 0.0 if relation is Relation.ADD_OR_REMOVE_ONE else -1.0
    expected = np.zeros(7)
    for step in range(20):
        deviation, rate = plan.noise_multiplier_at(step), plan.sample_rate
        for canary in range(7):
            value = trace.canaries[step, canary]
            quiet = norm.pdf(value, 0.0, deviation)
            inside = (1 - rate) * quiet + rate * norm.pdf(value, 1.0, deviation)
            outside = (1 - rate) * quiet + rate * norm.pdf(value, out, deviation)
            expected[canary] += np.log(inside / outside)
    np.testing.assert_allclose(score(trace, plan), expected, rtol=1e-9)


def test_the_score_of_full_batches():
    plan = dataclasses.replace(PLAN, batch_size=300)
    trace = Trace(np.full((20, 1), 2.0), np.ones(1, dtype=bool), np.zeros(20), np.zeros((20, 4)))
    assert score(trace, plan) == pytest.approx(20 * (2.0 - 0.5))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"relation": Relation.REPLACE_ONE},
        {"sampling": TruncatedPoisson(most=40)},
        {"sampling": RandomAllocation()},
        {"sampling": Cyclic(groups=2)},
        {"sampling": FixedSize(), "relation": Relation.REPLACE_ONE},
        {"sampling": Shuffled(), "relation": Relation.REPLACE_ONE},
        {"clipping": Clipping("layer")},
        {"clipping": Clipping(normalised=True)},
        {"grid": 2.0**-10},
        {"l2_clip_norm": 0.01, "noise_schedule": Schedule(((10, 2.0), (10, 0.7)))},
        {"clip_schedule": Schedule(((10, 1.0), (10, 0.2)))},
        {"batch_size": 300},
    ],
    ids=str,
)
def test_the_right_engine_is_not_accused(changed):
    plan = dataclasses.replace(PLAN, **changed)
    audit = audit_training(by_steps, plan, confidence=RARE, randomness=rt.Randomness.simulated(1))
    assert audit.passed, audit
    assert audit.bound.epsilon <= audit.claimed == plan.guarantee().epsilon(1e-4)
    assert [check.name for check in audit.checks] == list(QUESTIONS)


@pytest.mark.parametrize("training", [by_make_private, by_train])
def test_the_front_doors_are_not_accused_with_secure_randomness(training):
    assert audit_training(training, PLAN, runs=1, confidence=1 - 1e-7).passed


def test_a_bug_is_named_with_what_found_it():
    seen = []
    audit = audit_training(NO_NOISE, PLAN, randomness=rt.Randomness.simulated(1), progress=lambda *of: seen.append(of))
    assert seen == [(1, 2), (2, 2)]
    assert {"noise scale", "single steps"} <= {check.name for check in audit.failed}
    assert "does not do what its plan says: noise scale" in str(audit)
    assert audit.of_steps is not None
    assert audit.of_steps.epsilon > audit.claimed


def test_a_threshold_that_is_not_met_shows_in_single_steps_and_in_whole_runs():
    """Ten times the norm: ten times as far apart as the noise is for."""
    plan = dataclasses.replace(PLAN, noise_multiplier=3.0, batch_size=150)

    def loose(trial):
        from reticent.audits.engines import private_sum, released_by

        wide = dataclasses.replace(plan, l2_clip_norm=10.0, noise_multiplier=0.3)
        by_steps(trial, released=released_by(private_sum(trial, wide)))

    audit = audit_training(loose, plan, randomness=rt.Randomness.simulated(1))
    assert {"whole runs", "single steps", "sensitivity", "contribution"} <= {check.name for check in audit.failed}
    assert audit.verdict.conclusion is Conclusion.VIOLATION


def test_what_a_pass_is_worth_is_said():
    audit = audit_training(by_steps, PLAN, confidence=RARE, randomness=rt.Randomness.simulated(1))
    assert "that is no proof" in str(audit)
    assert audit.verdict.conclusion is not Conclusion.VIOLATION
    plain = audit.as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["passed"]
    assert len(plain["checks"]) == len(QUESTIONS)


def test_where_single_steps_have_no_bound_there_is_none():
    plan = dataclasses.replace(PLAN, sampling=RandomAllocation())
    audit = audit_training(by_steps, plan, confidence=RARE, randomness=rt.Randomness.simulated(1))
    assert audit.of_steps is None
    assert not audit.checks[-1].was_run
    assert audit.as_dict()["of_steps"] is None


def test_misuse_is_refused():
    with pytest.raises(UsageError, match="noise_multiplier"):
        audit_training(by_steps, dataclasses.replace(PLAN, noise_multiplier=0.0))
    with pytest.raises(UsageError, match="runs"):
        audit_training(by_steps, PLAN, runs=0)
