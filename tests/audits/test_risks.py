"""The list of records at risk has the false discovery rate that it states, and finds what was planted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom

from reticent.audits.risks import record_risks
from reticent.errors import UsageError
from reticent.models import Fleet, Signals
from reticent.randomness import Randomness


def fleet_of(scores, membership):
    return Fleet(Signals(scores, scores, scores > 0), membership)


def fleet(source, models=24, records=60, planted=0, gap=4.0):
    """Records with means of their own in trainings with habits of their own; the first few are remembered."""
    membership = source.random((models, records)) < 0.5
    scores = 2 * source.normal(size=records) + source.normal(size=(models, 1)) + source.normal(size=(models, records))
    scores[:, :planted] += gap * membership[:, :planted]
    return fleet_of(scores, membership)


def risks_of(fleet, seed=0, **options):
    return record_risks(fleet, randomness=Randomness.simulated(seed), **options)


@pytest.mark.slow
def test_a_training_that_learns_nothing_lists_and_exposes_hardly_ever_anybody():
    """1,000 fleets: more than 87 with anybody on the list have probability 1e-6 at a true rate of 5 %."""
    source = np.random.default_rng(1)
    found = [risks_of(fleet(source)) for _ in range(1000)]
    limit = binom.isf(1e-6, 1000, 0.05)
    assert sum(one.count > 0 for one in found) <= limit
    assert sum(one.exposed > 0 for one in found) <= limit
    # A list of all with p <= 5 % would hold somebody nearly always.
    assert sum(any(risk.p <= 0.05 for risk in one.risks) for one in found) > 600


@pytest.mark.slow
def test_with_planted_records_the_share_of_false_ones_stays_below_the_level():
    """300 fleets, 15 of 60 remembered, level 20 %: three quarters are untouched, so the true rate is at most 15 %.
    The mean of 300 shares, each with deviation below 0.11, is above 18.5 % with probability 1e-7."""
    source = np.random.default_rng(2)
    false, found, careless = [], [], []
    for _ in range(300):
        one = risks_of(fleet(source, planted=15, gap=2.0), level=0.2)
        rows = [risk.row for risk in one.listed]
        false.append(sum(row >= 15 for row in rows) / max(len(rows), 1))
        found.append(sum(row < 15 for row in rows) / 15)
        rows = [risk.row for risk in one.risks if risk.p <= 0.2]
        careless.append(sum(row >= 15 for row in rows) / max(len(rows), 1))
    assert np.mean(false) <= 0.185
    assert np.mean(found) > 0.9
    assert np.mean(careless) > 0.25  # what a list without a correction would hold


def test_records_that_are_remembered_are_listed_first_with_their_effect():
    found = risks_of(fleet(np.random.default_rng(3), models=48, planted=4, gap=9.0))
    assert {risk.row for risk in found.risks[:4]} == {0, 1, 2, 3}
    assert found.count == found.exposed == 4
    for risk in found.listed:
        assert risk.effect.value > 0.99
        assert risk.effect.low > 0.5
        assert "for a list of 4 of 60" in risk.effect.method
        assert risk.listed_at <= risk.exposed_at
    assert "for all 60 at once" in found.risks[-1].effect.method
    assert [risk.p for risk in found.risks] == sorted(risk.p for risk in found.risks)


def test_intervals_cover_for_all_records_and_for_the_list():
    """200 fleets of 20 records, all of the same true effect of 92 %, at 80 %: more than 68 with a miss have probability
    1e-6 at a true rate of 20 %."""
    source = np.random.default_rng(4)
    truth, bad = 0.9213503964748575, 0  # Phi(2 / sqrt(2))
    for _ in range(200):
        found = risks_of(fleet(source, records=20, planted=20, gap=2.0), confidence=0.8)
        bad += np.mean([not risk.effect.contains(truth) for risk in found.listed] or [0]) > 0
    assert bad <= binom.isf(1e-6, 200, 0.2)


def test_too_few_trainings_say_that_they_cannot_tell():
    source = np.random.default_rng(5)
    four = risks_of(fleet_of(np.zeros((4, 9)), source.random((4, 9)) < 0.5))
    assert (four.count, four.exposed) == (None, None)  # 1/6 at best
    eight = risks_of(fleet(source, models=8, planted=60, gap=50.0))
    assert eight.count > 50  # 1/70 each: a list of nearly all is possible, one of a few is not
    assert eight.exposed is None


def test_names_positions_and_truth():
    truth = np.array([True, False, True, False, False])
    found = risks_of(fleet(np.random.default_rng(6), records=5), truth=truth)
    names = {risk.row: risk.name for risk in found.risks}
    assert names == {0: "member 0", 1: "other 0", 2: "member 1", 3: "other 1", 4: "other 2"}
    assert {risk.row for risk in found.risks if risk.member} == {0, 2}


def test_owners_are_tested_as_a_whole():
    source = np.random.default_rng(7)
    owners = np.array([1, 0, 1, 2, 2, 2])
    membership = (source.random((40, 3)) < 0.5)[:, owners]
    scores = source.normal(size=(40, 6)) + 5 * membership * (owners == 2)
    found = risks_of(fleet_of(scores, membership), owners=owners)
    assert (len(found), found.count) == (3, 1)
    assert (found.listed[0].row, found.listed[0].rows) == (3, 3)
    assert found.listed[0].name == "the owner of member 3 (3 rows)"
    assert found.flags(owners).tolist() == [False, False, False, True, True, True]


def test_the_dictionary_is_plain_and_short():
    found = risks_of(fleet(np.random.default_rng(8), planted=30, gap=9.0))
    plain = json.loads(json.dumps(found.as_dict(5)))
    assert (plain["tested"], plain["count"], plain["exposed"], len(plain["listed"])) == (60, 30, 30, 5)
    assert plain["listed"][0]["name"] == found.listed[0].name
    assert str(found.listed[0]).startswith("member")


def test_values_out_of_range_are_refused():
    one = fleet(np.random.default_rng(9), records=5)
    with pytest.raises(UsageError, match="level"):
        risks_of(one, level=0.0)
    with pytest.raises(UsageError, match="confidence"):
        risks_of(one, confidence=1.0)
