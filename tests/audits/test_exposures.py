"""What exposures are worth: equal to separate audits, with differences that are paired."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom

from reticent.attacks.membership import DEFAULT
from reticent.audits.case import prepare
from reticent.audits.exposures import EXPOSURES, exposure_effect, exposure_effect_on
from reticent.audits.pooled import pooled_curve
from reticent.audits.statistics import auc
from reticent.data import Records
from reticent.errors import UsageError
from reticent.evidence import Estimate
from reticent.models import Exposure, Fleet
from reticent.randomness import Randomness

CHANCE = {"nobody": Estimate(0.5, 0.4, 0.6, 0.95, 100, "made up")}


def fleet(seed, models=12, records=80, leak=1.0, classes=3):
    source = Randomness.simulated(seed)
    membership = source.bernoulli(0.5, models * records).reshape(models, records)
    logits = source.normal((models, records, classes)) + 2 * source.normal((records, classes))
    logits[:, :, 0] += 2 + leak * membership
    answers = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    return Fleet.of(answers, np.zeros(records, dtype=np.int64), membership)


@pytest.mark.slow
def test_each_exposure_is_an_audit_of_its_own():
    """The same figures, and the same intervals from the same draws, as of `pooled_curve` under that exposure."""
    models = fleet(0, records=120)
    effect = exposure_effect(models, randomness=Randomness.simulated(1), replicates=100)
    assert [row.exposure for row in effect.rows] == list(EXPOSURES)
    for row in effect.rows:
        view = models.under(Exposure.of(row.exposure))
        curve = pooled_curve(
            DEFAULT.leave_one_out(view.signals, view.membership),
            view.membership,
            rates=(0.1,),
            randomness=Randomness.simulated(1),
            replicates=100,
        )
        for one, other in (
            (row.estimates["auc"], curve.auc),
            (row.estimates["true_positive_rate_at_0.1"], curve.at[0.1]),
        ):
            assert one.as_dict() == pytest.approx(other.as_dict())
        assert set(row.estimates) == {"auc", "true_positive_rate_at_0.1"}
        assert row.meaning == Exposure.of(row.exposure).meaning


@pytest.mark.slow
def test_differences_are_paired():
    """Far narrower than if each exposure had its own draws, and right: labels hide what logits show."""
    effect = exposure_effect(
        fleet(2, models=24), ["logits", "scores:3 digits", "label"], randomness=Randomness.simulated(3)
    )
    logits, rounded, label = effect.rows
    assert logits.differences == {}
    difference = label.differences["auc"]
    assert difference.value == pytest.approx(label.estimates["auc"].value - logits.estimates["auc"].value)
    assert difference.high < 0
    assert "paired bootstrap over 24 models and 80 records" in difference.method
    width = logits.estimates["auc"].high - logits.estimates["auc"].low
    assert rounded.differences["auc"].high - rounded.differences["auc"].low < width / 2
    assert rounded.differences["auc"].contains(0.0)


def test_exposures_that_show_the_same_are_not_called_the_same_for_sure():
    effect = exposure_effect(fleet(4), ["scores", "scores:top 3"], randomness=Randomness.simulated(5))
    same = effect.rows[1].differences["auc"]
    assert same.value == 0
    assert 0.1 < same.high == -same.low < 0.3  # as much as twelve models without a difference allow


@pytest.mark.slow
def test_intervals_cover():
    """On trainings that learn nothing the areas are one half, and so is every difference zero."""
    runs, missed, wrong = 150, 0, 0
    for seed in range(runs):
        effect = exposure_effect(
            fleet(seed, models=8, records=40, leak=0.0),
            ["logits", "label"],
            randomness=Randomness.simulated(seed),
            confidence=0.8,
            replicates=100,
        )
        missed += not effect.rows[0].estimates["auc"].contains(0.5)
        wrong += not effect.rows[1].differences["auc"].contains(0.0)
    assert missed <= binom.ppf(1 - 1e-6, runs, 0.2)
    assert wrong <= binom.ppf(1 - 1e-6, runs, 0.2)
    leaks = exposure_effect(fleet(0), ["logits", "label"], randomness=Randomness.simulated(1), confidence=0.999)
    assert leaks.rows[0].estimates["auc"].low > 0.5


def a_case(seed=0, size=100, model=None, exposure=Exposure.LOGITS):
    source = Randomness.simulated(seed)
    x = source.normal((2 * size, 2)).astype(np.float32)
    records = Records(x, np.arange(2 * size) % 2)
    known = {row.tobytes() for row in x[:size]}

    def sure(features):
        """Always right, and surer of what it knows; the first column makes answers differ."""
        strength = [2 + 0.5 * row[0] + (row.tobytes() in known) for row in features]
        labels = np.array([row.tobytes() in even for row in features])
        return np.where(labels, strength, np.negative(strength))[:, None] * [[1.0, -1.0]]

    even = {row.tobytes() for row in x[::2]}
    return prepare(
        model or sure,
        records.take(range(size)),
        records.take(range(size, 2 * size)),
        exposure=exposure,
        confidence=0.95,
        randomness=source,
        name="a model",
        blind=CHANCE,
    )


def test_one_model_without_shadow_models():
    case = a_case()
    effect = exposure_effect_on(case, ["logits", "scores:1 digit", "label"])
    logits, rounded, label = effect.rows
    assert (effect.attack, effect.target) == ("confidence of the true label", "a model")
    assert logits.estimates["auc"].value == pytest.approx(auc(case.signal[case.truth], case.signal[~case.truth]).value)
    assert logits.estimates["auc"].low > 0.6
    assert (label.estimates["auc"].value, rounded.differences["auc"].high < 0) == (0.5, True)
    assert logits.estimates["auc"].method == "bootstrap over 200 records, 400 draws"
    assert logits.estimates["auc"].threshold is None
    assert logits.estimates["true_positive_rate_at_0.1"].threshold == "set anew in every bootstrap draw"


def test_one_model_with_shadow_models():
    case = a_case(size=40)
    models = fleet(6, records=80, classes=2)
    effect = exposure_effect_on(case, ["logits", "label"], fleet=models)
    expected = DEFAULT.score(case.signals, models.signals, models.membership)
    assert effect.attack == "likelihood ratio"
    assert effect.rows[0].estimates["auc"].value == pytest.approx(
        auc(expected[case.truth], expected[~case.truth]).value
    )


def test_owners_are_drawn_together():
    models = fleet(7, records=80)
    owners = np.arange(80) // 8
    alone, together = (
        exposure_effect(models, ["logits"], randomness=Randomness.simulated(0), owners=who).rows[0].estimates["auc"]
        for who in (None, owners)
    )
    assert together.method == "bootstrap over 12 models and the 10 owners of 80 records, 400 draws"
    assert alone.value == together.value


def test_labels_have_nothing_to_be_compared_with():
    def labels_only():
        class Model:
            def predict(self, features):
                return (features[:, 0] > 0).astype(int)

        return Model()

    case = a_case(model=labels_only(), exposure=Exposure.LABEL)
    assert [row.exposure for row in exposure_effect_on(case).rows] == ["label"]


def test_what_was_not_seen_is_not_compared():
    case = a_case(exposure=Exposure.of("scores:2 digits"))
    with pytest.raises(
        UsageError, match=r"no more than scores:2 digits, as a model did, got logits, scores:3 digits\."
    ):
        exposure_effect_on(case, ["logits", "scores:3 digits", "scores:1 digit"])
    shown = [row.exposure for row in exposure_effect_on(case).rows]
    assert shown == ["scores:2 digits", "scores:1 digit", "label"]
    assert [row.exposure for row in exposure_effect_on(a_case()).rows] == list(EXPOSURES)


@pytest.mark.parametrize("exposures", [[], ["label", "label"], ["logits", Exposure.LOGITS], ["logit"]])
def test_exposures_that_cannot_be_compared(exposures):
    with pytest.raises(UsageError, match="Expected"):
        exposure_effect(fleet(8), exposures, randomness=Randomness.simulated(0))


def test_plain_values():
    effect = exposure_effect(fleet(9), ["logits", "label"], randomness=Randomness.simulated(0), replicates=50)
    values = json.loads(json.dumps(effect.as_dict()))
    assert [row["exposure"] for row in values["rows"]] == ["logits", "label"]
    assert Estimate.from_dict(values["rows"][1]["differences"]["auc"]) == effect.rows[1].differences["auc"]
