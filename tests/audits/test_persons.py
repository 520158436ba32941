"""People are judged by all their rows, each once, and the best way of combining claims nothing extra."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom, norm

from reticent.audits.persons import WAYS, by_person, combined
from reticent.audits.pooled import pooled_curve
from reticent.errors import UsageError
from reticent.randomness import Randomness


def several_rows(source, models=12, people=40, gap=0.0):
    owners = np.repeat(np.arange(people), source.integers(1, 6, people))
    whole = source.random((models, people)) < 0.5
    scores = source.normal(size=(models, len(owners))) + gap * (whole[:, owners] - 0.5)
    return scores, whole[:, owners], owners


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_combined_as_a_loop_does(way):
    source = np.random.default_rng(1)
    owners = np.array([2, 0, 1, 0, 2, 2])
    scores = source.random((3, 6))
    make = {"sum": np.sum, "mean": np.mean, "largest": np.max, "fisher": lambda x: -np.log(x).sum()}[way]
    expected = [[make(row[owners == person]) for person in range(3)] for row in scores]
    np.testing.assert_allclose(combined(scores, owners, way), expected, rtol=1e-12)


def test_a_p_value_of_zero_stays_finite():
    assert np.isfinite(combined(np.zeros((1, 2)), np.array([0, 0]), "fisher")).all()


def test_together_rows_tell_more_than_each():
    source = np.random.default_rng(2)
    scores, membership, owners = several_rows(source, people=80, gap=1.0)
    p = norm.sf(scores)
    found = by_person(scores, membership, owners, randomness=Randomness.simulated(1), p_values=p, replicates=60)
    rows = pooled_curve(scores, membership, rates=(), randomness=Randomness.simulated(1), replicates=60)
    assert found.curve.auc.value > rows.auc.value + 0.05
    assert set(found.curves) == set(WAYS)
    assert found.scores.shape == found.membership.shape == (12, 80)
    assert found.curve.auc.n == 12 * 80
    assert "80 records" in found.curve.auc.method  # one trial for each person and training
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["ways"][found.chosen]["auc"]["value"] == found.curve.auc.value
    assert {way["auc"]["confidence"] for way in plain["ways"].values()} == {0.9875}


def test_one_row_that_is_remembered_gives_a_person_away():
    source = np.random.default_rng(3)
    owners = np.repeat(np.arange(80), 20)
    membership = (source.random((12, 80)) < 0.5)[:, owners]
    scores = source.normal(size=(12, 1600))
    scores[:, ::20] += 10 * (membership[:, ::20] - 0.5)
    found = by_person(scores, membership, owners, randomness=Randomness.simulated(1), replicates=30)
    assert found.chosen == "largest"


@pytest.mark.slow
def test_taking_the_best_way_claims_nothing_that_is_not_there():
    """150 null audits at 90 %, the best of three ways: more than 35 above one half have probability 1e-6."""
    source, wrong = np.random.default_rng(4), 0
    for seed in range(150):
        scores, membership, owners = several_rows(source, models=10, people=30)
        found = by_person(
            scores,
            membership,
            owners,
            randomness=Randomness.simulated(seed),
            confidence=0.9,
            replicates=60,
            rates=(),
        )
        wrong += found.curve.auc.low > 0.5
    assert wrong <= binom.isf(1e-6, 150, 0.1)


def test_what_does_not_fit_is_refused():
    scores, membership, owners = several_rows(np.random.default_rng(5))
    with pytest.raises(UsageError, match="same models"):
        by_person(scores, membership, np.arange(len(owners)) // 9, randomness=Randomness.simulated(1))
    with pytest.raises(UsageError, match="an owner for each record"):
        by_person(scores, membership, owners[:-1], randomness=Randomness.simulated(1))
    with pytest.raises(UsageError, match="way"):
        combined(scores, owners, "median")
