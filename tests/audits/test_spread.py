"""A model is one observation: intervals over trainings cover where intervals over trials do not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from reticent.audits.spread import spread
from reticent.audits.statistics import auc, threshold_at
from reticent.errors import NotEnoughEvidence, UsageError


def trainings(source, models=6, records=300, habit=0.3):
    """Models that remember more or less: the gap differs from training to training."""
    membership = source.random((models, records)) < 0.5
    gaps = 1 + habit * source.normal(size=(models, 1))
    return source.normal(size=(models, records)) + gaps * membership, membership


def test_figures_are_those_of_each_model():
    scores, membership = trainings(np.random.default_rng(1))
    found = spread(scores, membership, rates=(0.1, 0.001))
    areas = [roc_auc_score(inside, row) for inside, row in zip(membership, scores, strict=True)]
    assert found["auc"].values == pytest.approx(areas, abs=1e-12)
    assert found["auc"].mean.value == pytest.approx(np.mean(areas))
    assert (found["auc"].median.value, found["auc"].median.low, found["auc"].median.high) == pytest.approx(
        (np.median(areas), min(areas), max(areas))
    )
    assert found["auc"].median.confidence == 0.95
    assert sorted(found) == ["auc", "false_positive_rate_at_0.1", "true_positive_rate_at_0.1"]
    for model in range(6):
        rest = np.arange(6) != model
        threshold = threshold_at(0.1, scores[rest][~membership[rest]])
        named, inside = scores[model] > threshold, membership[model]
        assert found["true_positive_rate_at_0.1"].values[model] == named[inside].mean()
        assert found["false_positive_rate_at_0.1"].values[model] == named[~inside].mean()
    assert found["true_positive_rate_at_0.1"].mean.threshold == "the other models' non-members"
    assert json.loads(json.dumps(found["auc"].as_dict()))["values"] == list(found["auc"].values)


@pytest.mark.slow
@pytest.mark.parametrize("models", [5, 8])
def test_means_and_medians_over_trainings_are_covered(models):
    """600 audits: misses above the limits have probability 1e-6. Intervals over trials miss far more often."""
    source = np.random.default_rng(2)
    gaps = 1 + 0.3 * np.random.default_rng(3).normal(size=200_000)
    areas = norm.cdf(gaps / np.sqrt(2))
    mean, median = areas.mean(), norm.cdf(1 / np.sqrt(2))
    missed = dict.fromkeys(["mean", "median", "trials"], 0)
    for _ in range(600):
        scores, membership = trainings(source, models)
        found = spread(scores, membership, rates=())["auc"]
        missed["mean"] += not found.mean.contains(mean)
        missed["median"] += not found.median.contains(median)
        missed["trials"] += not auc(scores[membership], scores[~membership]).contains(mean)
    assert missed["mean"] <= binom.isf(1e-6, 600, 0.05)
    assert missed["median"] <= binom.isf(1e-6, 600, 0.0625 if models == 5 else 0.05)
    assert missed["trials"] > 150


@pytest.mark.parametrize("models", [5, 6, 8, 9, 20, 100])
def test_the_medians_interval_is_the_narrowest_that_order_statistics_allow(models):
    scores, membership = trainings(np.random.default_rng(6), models, records=40)
    found = spread(scores, membership, rates=())["auc"]
    ordered = sorted(found.values)
    # P(the median lies outside values j and models + 1 - j) = 2 P(fewer than j heads)
    enough = [j for j in range(1, models // 2 + 1) if 2 * binom.cdf(j - 1, models, 0.5) <= 0.05]
    j = max(enough, default=1)
    assert (found.median.low, found.median.high) == (ordered[j - 1], ordered[-j])
    assert found.median.confidence == (0.95 if enough else 0.9375)


def test_models_that_all_agree_do_not_make_it_certain():
    membership = np.random.default_rng(4).random((6, 300)) < 0.5
    found = spread(membership * 1.0, membership, rates=(0.1,))
    assert found["auc"].mean.low == pytest.approx(0.025 ** (1 / 6))
    assert found["false_positive_rate_at_0.1"].mean.high == pytest.approx(1 - 0.025 ** (1 / 6))


def test_what_says_nothing_about_trainings_is_refused():
    scores, membership = trainings(np.random.default_rng(5))
    with pytest.raises(NotEnoughEvidence, match="at least 5 target models"):
        spread(scores[:4], membership[:4])
    with pytest.raises(NotEnoughEvidence, match="members and non-members"):
        spread(scores, np.ones_like(membership))
    with pytest.raises(UsageError, match="one shape"):
        spread(scores, membership[:, :3])
