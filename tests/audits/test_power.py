"""What is announced before the training is what audits then can and cannot say."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reticent.audits.power import power
from reticent.audits.risks import record_risks
from reticent.audits.statistics import auc, clopper_pearson, resolvable
from reticent.errors import UsageError
from reticent.models import Fleet, Signals
from reticent.randomness import Randomness


@given(
    members=st.integers(1, 10**5),
    nonmembers=st.integers(1, 10**5),
    shadows=st.integers(0, 256),
    rates=st.lists(st.floats(1e-4, 0.5), min_size=1, max_size=4),
)
def test_a_rate_is_resolved_exactly_where_audits_resolve_it(members, nonmembers, shadows, rates):
    plan = power(members, nonmembers, shadows=shadows, rates=tuple(rates))
    assert [one.rate for one in plan.rates] == sorted(set(rates), reverse=True)
    for one in plan.rates:
        judged = nonmembers if shadows else nonmembers // 2  # half sets the threshold when nothing else can
        assert one.on_model == resolvable(one.rate, judged)
        assert (nonmembers >= one.nonmembers_needed) == one.on_model
        assert shadows or not one.on_trainings
        for low, high in (one.model_interval, one.chance_interval, *one.training_intervals):
            assert 0 <= low <= high <= 1
    said = " ".join(plan.sentences)
    assert said.count("not be reported") == sum(
        (not one.on_model) + (shadows > 0 and not one.on_trainings) for one in plan.rates
    )


def test_the_models_needed_are_enough_and_one_less_is_not():
    one = power(100, 100, shadows=8, rates=(0.001,)).rates[0]
    assert one.models_needed == 100
    for models in (99, 100):
        assert power(100, 100, shadows=models, rates=(0.001,)).rates[0].on_trainings == (models == 100)


def test_the_sentence_says_what_it_takes():
    plan = power(1200, 1200, shadows=64, pilot_seconds=2.5, jobs=2)
    assert "0.1 % false alarms need 10\u202f000 non-members: there are 1\u202f200." in " ".join(plan.sentences)
    assert plan.seconds == 80
    assert "about 80 seconds" in plan.sentences[-1]
    assert power(1200, 1200, shadows=64).seconds is None


def test_widths_are_those_that_an_audit_without_a_leak_finds():
    plan = power(400, 600, shadows=16, rates=(0.1,))
    source = np.random.default_rng(1)
    found = auc(source.normal(size=400), source.normal(size=600))
    assert plan.auc_half_width == pytest.approx((found.high - found.low) / 2, rel=0.05)
    assert plan.rates[0].model_interval == clopper_pearson(60, 600, 0.95)
    assert plan.rates[0].chance_interval == clopper_pearson(40, 400, 0.95)
    narrow, wide = plan.rates[0].training_intervals
    assert narrow == clopper_pearson(960, 9600, 0.95)
    assert wide == clopper_pearson(100, 1000, 0.95)


def known(models, records, exposed):
    """Half of the models have each record; the first few are always recognised."""
    source = np.random.default_rng(2)
    membership = np.stack([source.permutation(np.arange(models) % 2 == 0) for _ in range(records)], axis=1)
    scores = source.normal(size=(models, records))
    # the rest are answered with less confidence when they are in, so that none comes onto the list by luck
    scores += np.where(np.arange(records) < exposed, 100.0, -100.0) * membership
    return Fleet(Signals(scores, scores, membership), membership)


@pytest.mark.parametrize("models", [8, 10, 12])
def test_the_smallest_share_is_listed_and_one_record_less_is_not(models):
    plan = power(150, 150, shadows=models)
    few = math.ceil(plan.smallest_share * 300 - 1e-9)
    assert few > 1
    for exposed, count in ((few, few), (few - 1, 0)):
        assert record_risks(known(models, 300, exposed), randomness=Randomness.simulated(0)).count == count


def test_the_models_for_a_single_record_are_enough_and_one_less_is_not():
    needed = power(150, 150, shadows=4).alone_needs
    for models, count in ((needed, 1), (needed - 1, 0)):
        assert record_risks(known(models, 300, 1), randomness=Randomness.simulated(0)).count == count
    assert "A single one of the 300 records" in " ".join(power(150, 150, shadows=needed).sentences)


def test_too_few_trainings_say_so():
    assert power(100, 100, shadows=4).smallest_share is None
    assert "too few to list any" in power(100, 100, shadows=4).sentences[-1]
    assert "Without repeated trainings" in power(100, 100, shadows=0).sentences[-1]


def test_people_with_many_rows_count_once_in_the_widths():
    rows, people = power(500, 500, shadows=16), power(500, 500, shadows=16, people=100)
    assert people.auc_half_width > 2.5 * rows.auc_half_width
    assert people.rates[0].model_interval == clopper_pearson(5, 50, 0.95)
    assert people.smallest_share >= 1 / 100
    assert any("people" in sentence for sentence in people.sentences)


def test_the_dictionary_is_plain():
    plain = json.loads(json.dumps(power(100, 100, shadows=16).as_dict()))
    assert plain["rates"][0]["rate"] == 0.1
    assert plain["sentences"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nonmembers": 0}, "nonmembers"),
        ({"shadows": -1}, "shadows"),
        ({"rates": (0.0,)}, "rate"),
        ({"people": 201}, "people"),
        ({"pilot_seconds": 0.0}, "pilot_seconds"),
        ({"pilot_seconds": 1.0, "jobs": 0}, "jobs"),
        ({"inclusion": 1.0}, "inclusion"),
    ],
)
def test_values_out_of_range_are_refused(change, says):
    with pytest.raises(UsageError, match=says):
        power(**{"members": 100, "nonmembers": 100, "shadows": 8, **change})
