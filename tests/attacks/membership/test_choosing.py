"""The choice is made on reference models, by what it says, and is the right one where one is clearly right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from reticent.attacks.membership import CANDIDATES, METHODS, choose
from reticent.attacks.membership.relative import RelativeOffline
from reticent.attacks.membership.simple import Loss
from reticent.models import Signals


def signals_of(odds):
    return Signals(odds, -np.logaddexp(0, -odds), odds > 0)


def world(seed, models, records=500, gap=2.0, spread=3.0):
    draw = np.random.default_rng(seed)
    membership = draw.random((models, records)) < 0.5
    odds = spread * draw.normal(size=records) + gap * membership + draw.normal(size=(models, records))
    return signals_of(odds), membership


@pytest.mark.parametrize("models", [3, 8])
def test_the_table_is_the_mean_over_references_and_its_best_is_taken(models):
    signals, membership = world(models, models)
    found = choose(signals, membership)
    assert len(found.table) == len(CANDIDATES)
    assert found.method is found.table[0].method
    values = [row.value for row in found.table]
    assert values == sorted(values, reverse=True)
    for row in found.table[::7]:
        scores = row.method.leave_one_out(signals, membership)
        each = [
            mannwhitneyu(s[m], s[~m]).statistic / (m.sum() * (~m).sum())
            for s, m in zip(scores, membership, strict=True)
        ]
        assert row.value == pytest.approx(np.mean(each))
        assert row.error == pytest.approx(np.std(each, ddof=1) / np.sqrt(models))


def test_records_that_differ_call_for_references_and_records_that_do_not_call_for_none():
    differ, alike = world(0, 6, gap=2.0), world(1, 4, gap=1.0, spread=0.0)
    names = {choose(*differ).method.name, choose(*differ, criterion="tpr", rate=0.05).method.name}
    assert not names & {"loss", "population"}
    simple = choose(*alike, methods=[METHODS["lira_record"], METHODS["loss"]])
    assert simple.method.name == "loss"


def test_the_true_positive_rate_counts_above_the_threshold():
    """Ten non-members of which one may be exceeded at 10 %: members above the second largest of them."""
    odds = np.tile(np.concatenate([np.arange(10.0), [8.5, 20.0, 7.5, 9.0, 30.0]]), (3, 1))
    membership = np.tile(np.arange(15) >= 10, (3, 1))
    found = choose(signals_of(odds), membership, methods=[Loss()], criterion="tpr", rate=0.1)
    assert found.table[0].value == pytest.approx(4 / 5)
    assert "rate 0.1" in found.criterion


def test_the_first_of_equals_is_taken_and_each_parameter_is_a_candidate():
    signals, membership = world(2, 5)
    same = [RelativeOffline(0.4), RelativeOffline(0.4), Loss("odds"), Loss("logs")]
    found = choose(signals, membership, methods=same)
    assert found.method is same[0]
    assert [row.method for row in found.table[2:]] == same[2:]  # a monotone function of each other
    assert "rmia_offline(alpha=0.4)" in str(found)


def test_models_of_one_kind_of_record_are_not_judged():
    signals, membership = world(3, 5)
    membership[0], membership[1] = True, False
    assert "mean over 3 reference models" in choose(signals, membership, methods=[Loss()]).criterion
    with pytest.raises(ValueError, match="members and non-members among the records"):
        choose(signals.take([0, 1, 1]), membership[[0, 1, 1]])


def test_refusals():
    signals, membership = world(4, 4)
    with pytest.raises(ValueError, match="at least 3 reference models, got 2"):
        choose(signals.take([0, 1]), membership[:2])
    with pytest.raises(ValueError, match="at least one method"):
        choose(signals, membership, methods=[])
    with pytest.raises(ValueError, match="criterion"):
        choose(signals, membership, criterion="accuracy")
    with pytest.raises(ValueError, match="rate"):
        choose(signals, membership, criterion="tpr", rate=0.0)
