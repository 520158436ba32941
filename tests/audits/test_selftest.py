"""The self-test passes on tools that work, and says what it means where one does not."""

from __future__ import annotations

import json

import numpy as np
import pytest

import reticent as rt
from reticent.audits import selftest as module
from reticent.audits._worlds import KernelMachine, NearestRecord, clusters, noisy_coins
from reticent.audits.bugs import BUGS
from reticent.audits.engines import by_steps
from reticent.audits.selftest import ITEMS, Item, selftest
from reticent.errors import UsageError
from reticent.models import Target

BY_NAME = {item.name: item for item in ITEMS}
SOURCE = rt.Randomness.simulated(8)
QUICK_ONES = [
    "null model",
    "null model, shadow models",
    "memoriser",
    "planted records",
    "known epsilon 1, steinke",
    "right engine, its parts",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK_ONES)
def test_items_pass(name):
    passed, seen = BY_NAME[name].run(SOURCE.spawn(name), True)
    assert passed, seen


@pytest.mark.slow
def test_the_whole_quick_self_test_passes():
    done = []
    found = selftest(randomness=SOURCE, quick=True, progress=lambda *of: done.append(of))
    assert found.passed, str(found)
    assert done[-1] == ("self-test", len(ITEMS), len(ITEMS))
    assert [outcome.name for outcome in found.outcomes] == [item.name for item in ITEMS]
    assert {f"bug: {bug.name}" for bug in BUGS} <= set(BY_NAME)
    plain = found.as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["repeatable"]
    assert plain["quick"]
    assert plain["passed"]


# Broken tools -----------------------------------------------------------------------------------------------------


def outcome_of(name):
    return BY_NAME[name].run(SOURCE.spawn(name), True)


@pytest.mark.slow
def test_an_attack_that_sees_members_everywhere_fails(monkeypatch):
    real = module.auc
    monkeypatch.setattr(module, "auc", lambda members, others: real(members + 0.3 * members.std(), others))
    assert not outcome_of("null model")[0]
    assert not outcome_of("null model, shadow models")[0]


def test_a_threshold_that_is_too_low_fails(monkeypatch):
    real = module.threshold_at
    monkeypatch.setattr(module, "threshold_at", lambda rate, others: real(2 * rate, others))
    assert not outcome_of("null model")[0]


def test_a_blind_attack_fails(monkeypatch):
    class Blind:
        def score(self, target, references, membership):
            return -target.odds[0]

        def leave_one_out(self, references, membership):
            return -references.odds

    monkeypatch.setattr(module, "METHODS", {**module.METHODS, "blind": Blind()})
    passed, seen = outcome_of("memoriser")
    assert not passed
    assert "(blind)" in seen


def test_a_ranking_by_chance_fails(monkeypatch):
    class Reversed:
        def __init__(self, risks):
            self.risks = risks.risks[::-1]

    real = module.record_risks
    monkeypatch.setattr(module, "record_risks", lambda *args, **options: Reversed(real(*args, **options)))
    assert not outcome_of("planted records")[0]


@pytest.mark.parametrize("factor", [1.5, 0.1])
def test_bounds_that_are_wrong_or_say_nothing_fail(monkeypatch, factor):
    real = module.one_run

    class Found:
        def __init__(self, epsilon):
            self.epsilon = epsilon

    monkeypatch.setattr(module, "one_run", lambda *args, **options: Found(real(*args, **options).epsilon * factor))
    assert not outcome_of("known epsilon 1, steinke")[0]


@pytest.mark.slow
def test_a_bug_that_is_not_found_and_an_engine_that_is_accused_fail(monkeypatch):
    real = module.audit_training
    monkeypatch.setattr(module, "audit_training", lambda training, *args, **more: real(by_steps, *args, **more))
    assert outcome_of("bug: no noise") == (False, "nothing found")
    monkeypatch.setattr(module, "audit_training", lambda training, *args, **more: real(BUGS[0], *args, **more))
    passed, seen = outcome_of("right engine, its parts")
    assert not passed
    assert seen.startswith("first try: noise scale")
    assert "second try: noise scale" in seen


def test_what_failed_says_what_it_means(monkeypatch):
    def raising(randomness, quick):
        raise UsageError("Expected this.", "Do that.")

    items = (
        Item("good", "yes", "No.", lambda randomness, quick: (True, "yes")),
        Item("bad", "yes", "Nothing works.", lambda randomness, quick: (False, "no")),
        Item("worse", "yes", "Nothing runs.", raising),
    )
    monkeypatch.setattr(module, "ITEMS", items)
    found = selftest()
    assert not found.passed
    assert not found.repeatable
    assert [outcome.name for outcome in found.failed] == ["bad", "worse"]
    text = str(found)
    assert "FAILED  bad: expected yes; saw no. Nothing works." in text
    assert "an error: Expected this. Do that." in text
    assert text.endswith("1 of 3 items passed")


# Worlds -----------------------------------------------------------------------------------------------------------


def test_draws_of_clusters_are_of_one_population():
    one, other = (clusters(4000, rt.Randomness.simulated(seed)) for seed in (1, 2))
    for label in (0, 1):
        means = [records.features[records.labels == label].mean(axis=0) for records in (one, other)]
        assert np.abs(means[0] - means[1]).max() < 0.2  # 6 deviations of a difference of means over 2,000


def test_the_nearest_record_knows_its_own_and_no_other():
    pool = clusters(50, SOURCE)
    answers = NearestRecord()(pool.take(range(25)), SOURCE)(pool.features)
    odds = answers[np.arange(50), pool.labels] - answers[np.arange(50), 1 - pool.labels]
    assert odds[:25].min() > 9
    assert abs(odds[25:]).max() < 1


def test_a_kernel_machine_follows_its_records():
    pool = clusters(60, SOURCE)
    model = Target(KernelMachine(0.01)(pool, SOURCE), classes=2)
    assert model.correct(pool.features, pool.labels).all()


def test_randomised_response_tells_the_truth_as_often_as_it_says():
    truth = SOURCE.spawn("coins").bernoulli(0.5, 20_000)
    right = (noisy_coins(truth, 1.0, SOURCE.spawn("answers")) > 0) == truth
    assert abs(right.mean() - np.e / (1 + np.e)) < 5 * 0.5 / np.sqrt(20_000)
