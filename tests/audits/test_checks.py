"""Checks hold what they say about their false alarms, on traces drawn from the law by numpy, and see planted faults."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import binom, kstest

import reticent as rt
from reticent.audits.checks import CHECKS, Check, checked
from reticent.audits.probes import Trace
from reticent.privacy import (
    Cyclic,
    FixedSize,
    RandomAllocation,
    Relation,
    Schedule,
    Shuffled,
    TruncatedPoisson,
)

DRAW = np.random.default_rng(11)
PLAN = rt.Plan(0.8, dataset_size=300, batch_size=30, steps=40, delta=1e-3)
EXCHANGE = dataclasses.replace(PLAN, relation=Relation.REPLACE_ONE)
M, K = 150, 32


@pytest.fixture(autouse=True)
def the_same_draws(monkeypatch):
    """Whatever ran before: each test draws what it always draws."""
    monkeypatch.setitem(globals(), "DRAW", np.random.default_rng(11))


def poisson(plan):
    return DRAW.random((plan.steps, plan.dataset_size)) < plan.sample_rate


def fixed_size(plan):
    return np.argsort(DRAW.random((plan.steps, plan.dataset_size)), axis=1) < plan.batch_size


def trace_of(plan=PLAN, taking_part=poisson, noise=1.0, size=1.0, silent=None):
    """A trace by the law: who takes part, canaries' length, noise in units of the planned one."""
    included = DRAW.random(M) < 0.5
    present = taking_part(plan)
    deviations = np.array([plan.noise_multiplier_at(step) for step in range(len(present))])[:, None] * noise
    out = 0.0 if plan.relation is Relation.ADD_OR_REMOVE_ONE else -size
    canaries = present[:, :M] * np.where(included, size, out) + DRAW.normal(size=(len(present), M)) * deviations
    fillers = present[:, M:].sum(axis=1) + DRAW.normal(size=len(present)) * deviations[:, 0]
    quiet = DRAW.normal(size=(len(present), K)) * deviations if silent is None else silent
    return Trace(canaries, included, fillers, quiet)


def p_values(make, plan=PLAN, repeats=300):
    found = {name: [] for name in CHECKS}
    for _ in range(repeats):
        for check in checked([make(), make()], plan, level=0.01):
            found[check.name].append(check.p_value)
    return found


def failed(traces, plan=PLAN, level=1e-4):
    return {check.name for check in checked(traces, plan, level=level) if not check.passed}


@pytest.mark.parametrize(
    ("plan", "law"),
    [
        (PLAN, poisson),
        (dataclasses.replace(PLAN, noise_schedule=Schedule(((20, 1.5), (20, 0.7)))), poisson),
        (dataclasses.replace(EXCHANGE, sampling=FixedSize()), fixed_size),
    ],
    ids=["poisson", "schedule", "fixed size"],
)
@pytest.mark.slow
def test_false_alarms_are_as_rare_as_stated(plan, law):
    """Every share of p-values below x is at most x, but for 1e-6 (binomial)."""
    found = p_values(lambda: trace_of(plan, law), plan)
    for name, values in found.items():
        for level in (0.01, 0.05, 0.2):
            below = sum(value < level for value in values)
            assert binom.sf(below - 1, len(values), level) > 1e-6, (name, level, below)
    # What is a single exact test is uniform; of sums of thousands of terms, too.
    for name in ("noise scale", "contribution") if plan.relation is Relation.ADD_OR_REMOVE_ONE else ("noise scale",):
        assert kstest(found[name], "uniform").pvalue > 1e-6, name


def test_a_right_training_passes():
    assert failed([trace_of(), trace_of()], level=1e-6) == set()


# Planted faults ---------------------------------------------------------------------------------------------------


def all_of_them(plan):
    return np.ones((plan.steps, plan.dataset_size), dtype=bool)


def at_half_the_rate(plan):
    return DRAW.random((plan.steps, plan.dataset_size)) < plan.sample_rate / 2


def the_same_epoch_again(plan):
    each = plan.dataset_size // plan.batch_size
    place = DRAW.permutation(plan.dataset_size) // plan.batch_size
    return np.stack([place == step % each for step in range(plan.steps)])


def one_step_short(plan):
    return poisson(plan)[:-1]


def test_faults_of_batches_are_seen():
    assert {"contribution", "batch sizes"} <= failed([trace_of(taking_part=all_of_them)])
    assert {"contribution", "batch sizes"} <= failed([trace_of(taking_part=at_half_the_rate) for _ in range(4)])
    assert "order" in failed([trace_of(taking_part=the_same_epoch_again)] * 2)
    assert failed([trace_of(taking_part=one_step_short), trace_of()]) == {"steps"}
    assert "batch sizes" in failed([trace_of(taking_part=fixed_size) for _ in range(6)])


@pytest.mark.parametrize("noise", [0.0, 0.5, 0.9, 1.1])
def test_faults_of_the_noise_are_seen(noise):
    assert "noise scale" in failed([trace_of(noise=noise), trace_of(noise=noise)])


def test_noise_that_is_missing_somewhere_is_seen():
    quiet = DRAW.normal(size=(PLAN.steps, K)) * 0.8
    one_step, one_place = quiet.copy(), quiet.copy()
    one_step[7] *= 3.0
    one_place[:, 5] = 0.0
    assert failed([trace_of(silent=quiet)]) == set()
    assert "noise everywhere" in failed([trace_of(silent=one_step)])
    assert "noise everywhere" in failed([trace_of(silent=one_place)])


def test_noise_that_comes_again_is_seen():
    quiet = DRAW.normal(size=(PLAN.steps, K)) * 0.8
    in_steps, in_places = quiet.copy(), quiet.copy()
    in_steps[30] = in_steps[4]
    in_places[:, 3] = -in_places[:, 9]
    assert failed([trace_of(silent=in_steps)]) == {"noise fresh"}
    assert failed([trace_of(silent=in_places)]) == {"noise fresh"}
    assert failed([trace_of(silent=quiet), trace_of(silent=quiet)]) == {"noise fresh"}
    nothing = next(c for c in checked([trace_of(noise=0.0)], PLAN, level=0.01) if c.name == "noise fresh")
    assert nothing.passed
    assert not nothing.was_run
    assert "not run" in str(nothing)


@pytest.mark.parametrize("plan", [PLAN, EXCHANGE], ids=["add", "replace"])
def test_canaries_that_weigh_too_much_are_seen(plan):
    assert {"sensitivity", "contribution"} <= failed([trace_of(plan, size=10.0)] * 2, plan)
    assert "contribution" in failed([trace_of(plan, size=2.0) for _ in range(2)], plan)


def test_what_cannot_be_tested_says_so():
    for sampler, names in (
        (RandomAllocation(), {"batch sizes", "order"}),
        (Cyclic(groups=2), {"batch sizes", "order"}),
        (TruncatedPoisson(most=60), {"batch sizes"}),
    ):
        plan = dataclasses.replace(PLAN, sampling=sampler)
        assert {c.name for c in checked([trace_of()], plan, level=0.01) if not c.was_run} == names
    plan = dataclasses.replace(EXCHANGE, sampling=Shuffled())
    assert "order" in {c.name for c in checked([trace_of(plan)], plan, level=0.01) if not c.was_run}
    outside = dataclasses.replace(trace_of(), included=np.zeros(M, dtype=bool))
    unknown = {c.name for c in checked([outside], PLAN, level=0.01) if not c.was_run}
    assert unknown == {"contribution", "order"}


def test_truncated_samples_are_expected_to_be_smaller():
    """At a largest batch of 25 where 30 are expected; beside draws of the sizes."""
    plan = dataclasses.replace(PLAN, sampling=TruncatedPoisson(most=25))
    sizes = np.minimum(DRAW.binomial(300, 0.1, 200_000), 25)
    seen = next(c for c in checked([trace_of(plan)], plan, level=0.01) if c.name == "contribution").expected
    expected = float(seen.removeprefix("a mean trace of ").split()[0])
    assert expected == pytest.approx(sizes.mean() / 300, rel=1e-3)


def test_a_check_in_words_and_plain_values():
    check = Check("noise scale", "this", "that", 1e-9, 0.01)
    assert str(check) == "noise scale: FAILED (p = 1e-09, level 0.01); expected this; saw that"
    assert check.as_dict() == {
        "name": "noise scale",
        "expected": "this",
        "seen": "that",
        "p_value": 1e-9,
        "level": 0.01,
        "passed": False,
        "was_run": True,
    }
