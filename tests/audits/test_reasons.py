"""Planted reasons are found, with the number behind them; records without one are given none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from reticent.audits.reasons import KINDS, reasons
from reticent.data import Records
from reticent.errors import UsageError
from reticent.models import Fleet, Signals
from reticent.randomness import Randomness

PLANTED = {"label doubted": 3, "outlier": 7, "rare class": 11, "copied": 20, "nearly copied": 25}


def pool_of(records=400, seed=1, planted=True):
    """Three clouds, one a class; the fourth class is a handful of records. Answers come from the distance to clouds."""
    source = np.random.default_rng(seed)
    labels = np.arange(records) % 3
    middles = np.array([[4.0, 0, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0], [0, 0, 0, 4]])
    features = middles[labels] + source.normal(size=(records, 4))
    if planted:
        labels = labels.copy()
        labels[11:15] = 3
        features[11:15] = middles[3] + source.normal(size=(4, 4))
        labels[3] = (labels[3] + 1) % 3
        features[7] = 30.0
        features[20] = features[21]
        features[25] = features[26] + 0.01
    kernel = -((features[:, None] - middles[None, : 4 if planted else 3]) ** 2).sum(axis=-1) / 2
    answers = (
        kernel
        - np.log(np.exp(kernel - kernel.max(1, keepdims=True)).sum(1, keepdims=True))
        - kernel.max(1, keepdims=True)
    )
    membership = source.random((12, records)) < 0.5
    stack = np.repeat(answers[None], 12, axis=0)
    stack[:, 3] = np.where(  # remembered: those that were trained with it say its label
        membership[:, 3, None], np.log(np.eye(4)[labels[3]] * 0.9 + 0.025) if planted else stack[:, 3], stack[:, 3]
    )
    pool = Records(features, labels)
    return pool, Fleet.of(stack, pool.labels, membership)


def explained(pool, fleet, rows, **options):
    return reasons(pool, fleet, rows, randomness=Randomness.simulated(1), **options)


def test_what_was_planted_is_found_and_nothing_else():
    pool, fleet = pool_of()
    rows = list(PLANTED.values())
    found = explained(pool, fleet, rows)
    assert [one.row for one in found] == rows
    for kind, one in zip(PLANTED, found, strict=True):
        assert kind in [reason.kind for reason in one.reasons], (kind, str(one))
    assert str(found[0]).startswith("label doubted: 100 % of the")
    assert "4 of 400 records" in str(found[2])
    assert "1 other rows have the same features" in str(found[3])


def test_ordinary_records_are_given_no_reason():
    """400 records of three clouds: by the rules' own limits hardly any is far away, and none is rare or copied."""
    pool, fleet = pool_of(seed=2, planted=False)
    found = explained(pool, fleet, range(400))
    kinds = [reason.kind for one in found for reason in one.reasons]
    assert len(kinds) <= 0.05 * 400
    assert set(kinds) <= {"outlier", "label doubted"}
    assert sum(str(one) == "none found" for one in found) >= 380


def test_numbers_stand_behind_the_rules():
    pool, fleet = pool_of()
    for one in explained(pool, fleet, list(PLANTED.values())):
        for reason in one.reasons:
            below = reason.kind in ("rare class", "nearly copied")
            assert reason.value <= reason.limit if below else reason.value >= reason.limit
            assert reason.kind in KINDS
            assert json.loads(json.dumps(reason.as_dict()))["text"] == reason.text


def test_doubt_comes_from_models_without_the_record():
    pool, fleet = pool_of()
    everybody = Fleet.of(fleet.answers, fleet.labels, np.ones_like(fleet.membership))
    assert "label doubted" in str(explained(pool, fleet, [3])[0])
    assert "label doubted" not in str(explained(pool, everybody, [3])[0])


def test_without_answers_only_the_records_speak():
    pool, fleet = pool_of()
    silent = Fleet(Signals(fleet.scores, fleet.scores, fleet.correct), fleet.membership)
    found = explained(pool, silent, [3, 7])
    assert str(found[0]) == "none found"
    assert "by its features" in str(found[1])
    assert "answers" not in str(found[1])


def test_distances_are_those_of_a_loop():
    pool, fleet = pool_of()
    reason = next(one for one in explained(pool, fleet, [7])[0].reasons if "features" in one.text)
    scaled = (pool.features - pool.features.mean(axis=0)) / pool.features.std(axis=0)
    means = []
    for row in scaled:
        apart = np.sort(np.sqrt(((scaled - row) ** 2).sum(axis=1)))[1:6]
        means.append(apart.mean())
    assert reason.value == pytest.approx(means[7] / np.median(means), rel=1e-4)
    assert reason.limit == pytest.approx(max(1.5, np.quantile(means, 0.99) / np.median(means)), rel=1e-4)


def test_tokens_are_compared_place_by_place():
    source = np.random.default_rng(3)
    words = source.integers(0, 10, (120, 16))
    words[:, :8] = words[0, :8]  # texts share their beginning
    words[5] = source.integers(10, 20, 16)
    words[9] = words[8]
    pool = Records(words, np.arange(120) % 2)
    scores = source.normal(size=(8, 120))
    fleet = Fleet(Signals(scores, scores, scores > 0), scores > 0)
    found = explained(pool, fleet, [5, 9, 30])
    assert "outlier" in str(found[0])
    assert str(found[1]).startswith("copied: 1 other")
    assert str(found[2]) == "none found"


def test_copies_with_another_label_are_counted_and_minus_zero_is_zero():
    features = np.random.default_rng(4).normal(size=(50, 3))
    features[1] = features[2] = features[0]
    features[0, 0], features[1, 0], features[2, 0] = 0.0, -0.0, 0.0
    labels = np.arange(50) % 2
    scores = np.zeros((4, 50))
    fleet = Fleet(Signals(scores, scores, scores > 0), scores > 0)
    assert "2 other rows have the same features, 1 of them with another label" in str(
        explained(Records(features, labels), fleet, [0])[0]
    )


def test_groups_that_are_rare_are_named_by_grouping_not_by_value():
    pool, fleet = pool_of()
    group = np.where(np.arange(400) < 6, "secret", "usual")
    found = explained(pool, fleet, [0, 100], groups={"region": group})
    assert "rare group: 6 of 400 records have its region" in str(found[0])
    assert "secret" not in str(found[0])
    assert "rare" not in str(found[1])


def test_no_contents_are_shown():
    pool, fleet = pool_of()
    marked = Records(np.where(pool.features == 30.0, 7341.8125, pool.features), pool.labels)
    assert "7341" not in json.dumps([one.as_dict() for one in explained(marked, fleet, range(30))])


def test_nobody_asked_about_is_nobody():
    assert explained(*pool_of(), []) == ()


@pytest.mark.parametrize(
    ("rows", "groups", "says"),
    [([400], None, "rows below 400"), ([-1], None, "rows below 400"), ([0], {"a": np.zeros(3)}, "groups 'a' of 400")],
)
def test_what_does_not_fit_is_refused(rows, groups, says):
    pool, fleet = pool_of()
    with pytest.raises(UsageError, match=says):
        explained(pool, fleet, rows, groups=groups)
    with pytest.raises(UsageError, match="a fleet of 399"):
        explained(pool.take(range(399)), fleet, [0])
