"""Doubts are raised where an audit is no evidence, and rarely elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import reticent as rt
from reticent.attacks.membership import leave_one_out, likelihood_ratio
from reticent.audits import split
from reticent.audits.validity import doubts, trainer_doubts
from reticent.data import Records
from reticent.evidence import Estimate, Status
from reticent.models import Fleet, Signals

NONE = Estimate(0.5, 0.45, 0.55, 0.95, 400, "five folds")
ABOVE = Estimate(0.7, 0.6, 0.8, 0.95, 400, "five folds")
BELOW = Estimate(0.2, 0.1, 0.3, 0.95, 400, "five folds")


def people(seed, size=200):
    x = rt.Randomness.simulated(seed).normal((size, 8))
    return Records(x, (x[:, 0] + rt.Randomness.simulated(seed + 1).normal(size) > 0).astype(int))


def network(epochs):
    build = lambda: torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2)).double()  # noqa: E731
    return rt.Recipe(build, lambda p: torch.optim.Adam(p, lr=0.02), epochs=epochs, batch_size=50)


FIT = network(60)


def audit_of(model, members, others, trainer=FIT, seed=1):
    return rt.audit(
        model, members, others, trainer=trainer, shadows=12, jobs=1, randomness=rt.Randomness.simulated(seed)
    )


def test_groups_that_can_be_told_apart_are_doubted_either_way_round():
    assert doubts(blind={"a": NONE, "b": NONE}, copies=0, nonmembers=100) == ()
    for apart in (ABOVE, BELOW):
        (reason,) = doubts(blind={"a": NONE, "b": apart}, copies=0, nonmembers=100)
        assert "told apart without the model (b)" in reason


@pytest.mark.parametrize(("copies", "doubted"), [(0, False), (10, False), (11, True), (100, True)])
def test_many_copies_of_members_are_no_strangers(copies, doubted):
    assert bool(doubts(blind={"a": NONE}, copies=copies, nonmembers=100)) == doubted


def test_rows_of_one_owner_make_a_single_networks_intervals_too_narrow():
    (reason,) = doubts(blind={"a": NONE}, copies=0, nonmembers=100, several_rows=True)
    assert "count rows as if independent" in reason


def test_the_same_records_on_both_sides_are_no_clean_bill_of_health():
    members, _ = split(people(2), rt.Randomness.simulated(2))
    audit = rt.audit(FIT(members, rt.Randomness.simulated(3)), members, members, randomness=rt.Randomness.simulated(1))
    assert audit.finding.status is Status.INCONCLUSIVE
    assert "exact copies of members" in audit.finding.reason


@pytest.mark.slow
def test_sound_audits_are_rarely_doubted():
    """Ten audits; at a rate of 5 % more than two doubts have probability 1.2 %. Seeds are fixed."""
    found = 0
    for seed in range(10):
        members, others = split(people(seed), rt.Randomness.simulated(seed))
        model = FIT(members, rt.Randomness.simulated(100 + seed))
        found += audit_of(model, members, others, seed=seed).finding.status is not Status.EXECUTED
    assert found <= 2


@pytest.mark.slow
def test_a_model_that_never_saw_the_data_is_not_what_the_trainer_makes():
    members, others = split(people(4), rt.Randomness.simulated(4))
    audit = audit_of(torch.nn.Linear(8, 2).double(), members, others)
    assert audit.finding.status is Status.INCONCLUSIVE
    assert "does not repeat its training" in audit.finding.reason


@pytest.mark.slow
def test_a_trainer_that_returns_one_model_is_noticed():
    members, others = split(people(5), rt.Randomness.simulated(5))
    model = FIT(members, rt.Randomness.simulated(6))
    other = network(1)(members, rt.Randomness.simulated(7))
    audit = audit_of(model, members, others, trainer=lambda records, randomness: other)
    assert audit.finding.status is Status.INCONCLUSIVE
    assert "answer alike" in audit.finding.reason


@pytest.mark.slow
def test_false_alarms_far_from_what_was_set_are_noticed():
    members, others = split(people(8), rt.Randomness.simulated(8))
    overfit = network(400)(others, rt.Randomness.simulated(9))  # it knows the others, not the members
    audit = audit_of(overfit, members, others)
    assert audit.finding.status is Status.INCONCLUSIVE
    assert np.isfinite(audit.scores).all()


def test_models_that_differ_as_a_whole_are_not_held_against_the_trainer():
    """The given model is one of the fleet's kind; at a true rate of 3 % more than 6 of 60 have probability 0.4 %."""
    source = np.random.default_rng(11)
    doubted = 0
    for _ in range(60):
        membership = source.random((33, 300)) < 0.5
        own = source.normal(size=(33, 1))  # each model is more or less confident throughout
        scores = 1.5 * membership + own + source.normal(size=(33, 300)) + source.normal(size=300)
        right = source.random((33, 300)) < 0.7 + 0.1 * membership
        fleet = Fleet(Signals(scores[:-1], scores[:-1], right[:-1]), membership[:-1])
        attack = likelihood_ratio(scores[-1], fleet.scores, fleet.membership)
        found = trainer_doubts(
            fleet,
            membership[-1],
            right[-1],
            scores[-1],
            attack,
            leave_one_out(fleet.scores, fleet.membership),
            (0.1, 0.01),
        )
        doubted += bool(found)
    assert doubted <= 6
