"""Figures of groups are those that a loop over the groups finds, and differences that are not there are not found."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from reticent.audits.groups import disparity
from reticent.audits.statistics import clopper_pearson
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.randomness import Randomness


def trials(source, models=16, records=240, gap=1.0):
    """Records with effects of their own, in trainings with habits of their own."""
    membership = source.random((models, records)) < 0.5
    scores = source.normal(size=(models, records)) + 0.5 * source.normal(size=records)
    return scores + (gap + 0.3 * source.normal(size=(models, 1))) * membership, membership


def found_in(scores, membership, groups, replicates=100, **options):
    return disparity(scores, membership, groups, randomness=Randomness.simulated(1), replicates=replicates, **options)


@pytest.mark.parametrize("levels", [None, 2])
def test_figures_are_those_of_a_loop(levels):
    source = np.random.default_rng(1)
    scores, membership = trials(source)
    scores = scores if levels is None else np.round(scores * levels)
    groups = source.integers(0, 3, 240)
    found = found_in(scores, membership, groups, rates=(0.1,))
    assert [one.name for one in found.groups] == ["0", "1", "2"]
    others = np.sort(scores[~membership])[::-1]
    for number, one in enumerate(found.groups):
        own, apart = one.figures["auc"].value, one.difference["auc"].value.value
        for some, value in ((groups == number, own), (groups != number, own - apart)):
            area = roc_auc_score(membership[:, some].reshape(-1), scores[:, some].reshape(-1))
            assert value == pytest.approx(area, abs=1e-12)
        if levels is None:  # without ties the threshold lies between two scores, or in one of them
            cut = others[int(0.1 * len(others))]
            inside = membership[:, groups == number]
            named = (scores[:, groups == number] > cut)[inside].mean()
            assert one.figures["true_positive_rate_at_0.1"].value == pytest.approx(named, abs=2 / inside.sum())
        assert (one.people, one.records) == ((groups == number).sum(),) * 2
    rates = [one.figures["false_positive_rate_at_0.1"].value for one in found.groups]
    sizes = [(~membership[:, groups == number]).sum() for number in range(3)]
    assert np.average(rates, weights=sizes) == pytest.approx(0.1, abs=1e-12)


@pytest.mark.slow
def test_differences_that_are_not_there_are_hardly_ever_found():
    """150 audits of four groups at 90 %: above the limit with probability 1e-6. Comparing trials as if they were
    independent finds differences far more often."""
    source, alarms, careless = np.random.default_rng(2), 0, 0
    for seed in range(150):
        scores, membership = trials(source, models=12, records=120)
        scores += 1.5 * source.normal(size=120)  # records differ a lot: a group of them is few records
        groups = np.arange(120) % 4
        found = disparity(
            scores,
            membership,
            groups,
            randomness=Randomness.simulated(seed),
            replicates=60,
            confidence=0.9,
            rates=(0.1,),
        )
        alarms += bool(found.differing() or found.differing("true_positive_rate_at_0.1"))
        named = scores > np.quantile(scores[~membership], 0.9)
        rates = [(named & membership)[:, groups == g].sum() / membership[:, groups == g].sum() for g in (0, 1)]
        spread = np.sqrt(sum(r * (1 - r) / membership[:, groups == g].sum() for g, r in enumerate(rates)))
        careless += abs(rates[0] - rates[1]) > norm.isf(0.05 / 4) * spread
    assert alarms <= binom.isf(1e-6, 150, 0.2)  # two figures, each at 10 %
    assert careless > binom.isf(1e-6, 150, 0.05)


@pytest.mark.slow
def test_intervals_hold_for_all_groups_at_once():
    """100 audits at 90 %: misses above the limit have probability 1e-6."""
    source, missed = np.random.default_rng(3), 0
    gaps = np.array([0.5, 1.0, 1.5])
    truth = norm.cdf(gaps / np.sqrt(2))
    for seed in range(100):
        groups = np.arange(180) % 3
        membership = source.random((12, 180)) < 0.5
        scores = source.normal(size=(12, 180)) + gaps[groups] * membership
        found = disparity(
            scores, membership, groups, randomness=Randomness.simulated(seed), replicates=60, confidence=0.9, rates=()
        )
        missed += not all(one.figures["auc"].contains(t) for one, t in zip(found.groups, truth, strict=True))
    assert missed <= binom.isf(1e-6, 100, 0.1)


def test_a_group_that_is_given_away_is_found():
    source = np.random.default_rng(4)
    scores, membership = trials(source)
    groups = np.where(np.arange(240) < 60, "marked", "other")
    scores[:, :60] += 2 * membership[:, :60]
    found = found_in(scores, membership, groups, at_risk=np.arange(240) < 30)
    assert [one.name for one in found.differing()] == ["marked", "other"]
    marked = found.groups[0]
    assert marked.difference["auc"].value.low > 0.05
    assert marked.difference["true_positive_rate_at_0.1"].adjusted < 0.01
    assert marked.figures["at_risk"].value == 0.5
    assert marked.difference["at_risk"].adjusted < 1e-6
    assert marked.difference["at_risk"].value.low > 0.25
    low, high = clopper_pearson(30, 60, 0.975)
    assert (marked.figures["at_risk"].low, marked.figures["at_risk"].high) == (low, high)


def test_perfectly_known_groups_do_not_make_it_certain():
    membership = np.random.default_rng(5).random((8, 60)) < 0.5
    found = found_in(membership * 1.0, membership, np.arange(60) % 2)
    for one in found.groups:
        assert one.figures["auc"].value == 1
        assert one.figures["auc"].low == pytest.approx(0.0125 ** (1 / 8))
        assert one.difference["auc"].p == one.difference["auc"].adjusted == 1


def test_owners_count_once_and_are_drawn_together():
    source = np.random.default_rng(6)
    owners = np.repeat(np.arange(60), 4)
    membership = (source.random((12, 60)) < 0.5)[:, owners]
    scores = (source.normal(size=(12, 60)) + 2 * source.normal(size=60))[:, owners] + membership
    groups = (owners < 30).astype(int)
    rows, people = (found_in(scores, membership, groups, owners=one) for one in (None, owners))
    assert people.groups[0].people == 30
    assert people.groups[0].records == 120

    def width(found):
        return found.groups[0].difference["auc"].value.high - found.groups[0].difference["auc"].value.low

    assert width(people) > 1.15 * width(rows)
    owners = np.arange(240) % 30  # 15 people in each group
    with pytest.raises(NotEnoughEvidence, match="20 people"):
        found_in(scores, membership, (owners < 15).astype(int), owners=owners)


def test_small_groups_are_refused_by_name():
    scores, membership = trials(np.random.default_rng(7), records=100)
    groups = np.array(["a"] * 40 + ["b"] * 41 + ["c"] * 19)
    found = found_in(scores, membership, groups, rates=(0.1, 0.0001))
    assert [one.name for one in found.groups] == ["a", "b"]
    assert found.refused == ("c",)
    assert "true_positive_rate_at_0.0001" not in found.groups[0].figures
    plain = json.loads(json.dumps(found.as_dict()))
    assert (plain["refused"], plain["groups"][0]["people"]) == (["c"], 40)
    # those who are refused still count among the rest
    everybody = roc_auc_score(membership[:, 40:].reshape(-1), scores[:, 40:].reshape(-1))
    assert found.groups[0].figures["auc"].value - found.groups[0].difference["auc"].value.value == pytest.approx(
        everybody, abs=1e-12
    )
    with pytest.raises(NotEnoughEvidence, match="two groups"):
        found_in(scores, membership, np.zeros(100, int))


def test_what_does_not_fit_is_refused():
    scores, membership = trials(np.random.default_rng(8), records=60)
    with pytest.raises(UsageError, match="one shape"):
        found_in(scores, membership * 1.0, np.arange(60) % 2)
    with pytest.raises(UsageError, match="one group for each of 60"):
        found_in(scores, membership, np.arange(59) % 2)
