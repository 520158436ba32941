"""Risks count right guesses; their lower bounds hold for all records at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from reticent.attacks.membership import leave_one_out
from reticent.audits.risks import exposed, record_risks
from reticent.models import Fleet, Signals


def risks_of(reference, membership, inclusion=0.5, confidence=0.95):
    fleet = Fleet(Signals(reference, reference, membership), membership)
    truth = np.arange(membership.shape[1]) % 2 == 0
    return record_risks(fleet, reference, truth, inclusion=inclusion, confidence=confidence)


def coins(seed, models, records, inclusion=0.5):
    return np.random.default_rng(seed).random((models, records)) < inclusion


def test_right_guesses_are_counted_one_by_one():
    source = np.random.default_rng(1)
    membership, reference = coins(2, 24, 10), source.normal(size=(24, 10))
    for risk in risks_of(reference, membership):
        right = sum((reference[m, risk.row] > 0) == membership[m, risk.row] for m in range(24))
        assert risk.right == right
        assert risk.share.value == right / 24
        assert risk.member == (risk.row % 2 == 0)
        assert risk.share.high == 1  # leaving the target out pushes shares down: there is no upper bound
        # the lower end is where the count would be as surprising as one of ten records may be
        tail = 0.05 / 10 / 2
        if 0 < right < 24:
            assert binom.sf(right - 1, 24, risk.share.low) == pytest.approx(tail)


def test_the_most_surely_known_come_first():
    shares = [risk.share.value for risk in risks_of(np.random.default_rng(3).normal(size=(30, 40)), coins(4, 30, 40))]
    assert shares == sorted(shares, reverse=True)


def test_chance_is_the_larger_group_and_the_guess_knows_the_prior():
    membership = coins(5, 200, 4, inclusion=0.8)
    risks = risks_of(np.zeros((200, 4)), membership, inclusion=0.8)
    assert {risk.chance for risk in risks} == {0.8}
    assert [risk.right for risk in risks] == sorted(membership.sum(axis=0), reverse=True)  # it always guesses "member"
    assert exposed(risks) == 0


def test_too_few_trainings_cannot_expose_anybody_and_say_so():
    membership = coins(6, 8, 100)
    assert exposed(risks_of(membership - 0.5, membership)) is None
    membership = coins(6, 32, 100)
    assert exposed(risks_of(membership - 0.5, membership)) == 100
    assert exposed(()) is None


def test_training_that_learns_nothing_exposes_nobody():
    """200 audits of 60 records: at a true rate of 5 % more than 20 false exposures have probability 0.2 %."""
    source = np.random.default_rng(7)
    wrong = 0
    for seed in range(200):
        membership = coins(seed, 32, 60)
        scores = 2 * source.normal(size=60) + source.normal(size=(32, 60))
        wrong += (exposed(risks_of(leave_one_out(scores, membership), membership)) or 0) > 0
    assert wrong <= 20
