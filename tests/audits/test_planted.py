"""One training with canaries: models that remember are found out, models that do not are not accused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import reticent as rt
from reticent.audits._worlds import KernelMachine, NearestRecord, clusters
from reticent.audits.bounds import f_dp
from reticent.audits.canaries import blank, coins, mislabelled
from reticent.audits.planted import audit_by_canaries
from reticent.errors import NotEnoughEvidence, UsageError
from reticent.evidence.bounds import Conclusion
from reticent.models import Exposure
from reticent.privacy import Relation, SampledGaussian
from reticent.randomness import Randomness

SOURCE = Randomness.simulated(6)
DATA, SPARE = clusters(200, SOURCE), clusters(400, SOURCE)
CANARIES = mislabelled(SPARE, 400, SOURCE)
CLAIM = rt.Guarantee((SampledGaussian(noise_multiplier=2.0),))  # epsilon 2.0 at 1e-4


def audited(trainer, **options):
    return audit_by_canaries(
        trainer, DATA, options.pop("canaries", CANARIES), **{"delta": 1e-4, "randomness": SOURCE, **options}
    )


@pytest.mark.parametrize("exposure", [Exposure.LOGITS, Exposure.SCORES])
def test_a_model_that_knows_records_by_heart_is_as_bad_as_can_be_shown(exposure):
    audit = audited(NearestRecord(), exposure=exposure, guarantee=CLAIM)
    assert audit.auc.value == 1.0
    assert audit.bound.epsilon > 2.5
    assert audit.verdict is not None
    assert audit.verdict.conclusion is Conclusion.VIOLATION


def test_a_model_that_learns_nothing_shows_nothing():
    audit = audited(lambda records, randomness: lambda x: x[:, :2] * 1.0, guarantee=CLAIM)
    assert audit.bound.epsilon == 0
    assert audit.verdict is not None
    assert audit.verdict.conclusion is not Conclusion.VIOLATION


def test_false_alarms_are_rare():
    """A model of other records: scores and coins are independent, and a bound above 0 is a false alarm (5 %)."""
    other = KernelMachine()(clusters(200, SOURCE), SOURCE)
    alarms = 0
    for number in range(60):
        draw = Randomness.simulated(number)
        found = audit_by_canaries(lambda *_: other, DATA, CANARIES, delta=1e-4, reference=False, randomness=draw)
        alarms += found.bound.epsilon > 0
    assert alarms <= 13  # with rate 0.05, more than 13 of 60 have probability 1e-6


def test_the_reference_takes_off_what_every_model_finds_easy():
    """Answers that differ from record to record by much more than by whether a record was seen."""

    def fit(records, randomness):
        known = NearestRecord()(records, randomness)
        return lambda x: known(x) * 0.2 + np.stack([10.0 * x[:, 0], -10.0 * x[:, 0]], axis=1)

    with_one, without = (audited(fit, reference=one) for one in (True, False))
    assert with_one.auc.value == pytest.approx(1.0)
    assert without.auc.value < 0.7
    assert with_one.reference
    assert not without.reference


def test_coins_are_tossed_before_and_scores_do_not_know_them():
    seen = []

    def fit(records, randomness):
        seen.append(len(records))
        return KernelMachine()(records, randomness)

    audit = audited(fit)
    assert seen == [200 + int(audit.included.sum()), 200]
    again = audited(fit)
    np.testing.assert_array_equal(audit.included, again.included)
    np.testing.assert_array_equal(audit.included, coins(400, SOURCE.spawn("coins")))


def recipe(**more):
    return rt.Recipe(lambda: torch.nn.Linear(20, 2), lambda p: torch.optim.SGD(p, lr=0.5), **more)


def test_a_recipe_with_a_plan_brings_its_guarantee():
    plan = rt.Plan(1.0, dataset_size=200, batch_size=40, steps=20, delta=1e-4)
    audit = audited(recipe(plan=plan), delta=None)
    assert audit.claimed == pytest.approx(plan.guarantee().epsilon(1e-4), rel=0.05)  # the rate follows the size
    assert audit.verdict is not None
    assert audit.verdict.conclusion is not Conclusion.VIOLATION
    assert audit.bound.delta == 1e-4
    plain = audit.as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert "scores" not in plain


def test_under_exchange_the_number_of_records_stays():
    plan = rt.Plan(1.0, dataset_size=600, batch_size=60, steps=5, delta=1e-4, relation=Relation.REPLACE_ONE)
    audit = audited(recipe(plan=plan))
    assert audit.bound.relation is Relation.REPLACE_ONE
    assert audit.claimed == plan.guarantee().epsilon(1e-4)


def test_nothing_promised_is_nothing_broken():
    audit = audited(recipe(epochs=2, batch_size=50))
    assert audit.verdict is None
    assert audit.claimed is None
    assert "nothing was promised" in str(audit)
    endless = rt.Guarantee((SampledGaussian(noise_multiplier=0.0),))
    verdict = audited(recipe(epochs=2, batch_size=50), guarantee=endless).verdict
    assert verdict is not None
    assert verdict.conclusion is Conclusion.INCONCLUSIVE


def test_a_promise_about_labels_is_tested_by_labels():
    only = rt.Guarantee(CLAIM.mechanisms, relation=Relation.REPLACE_ONE, only=("label",))
    audit = audited(NearestRecord(), guarantee=only)
    assert audit.verdict is not None
    assert audit.verdict.conclusion is Conclusion.VIOLATION
    with pytest.raises(UsageError, match="what is protected alone"):
        audited(NearestRecord(), guarantee=only, canaries=blank(SPARE, 100, SOURCE))


def test_the_ceiling_is_that_of_perfect_guesses():
    audit = audited(NearestRecord())
    guesses = audit.bound.details["guesses"]
    ceiling = max(f_dp(400, count, count, delta=1e-4, curve="any") for count in guesses)
    assert audit.bound.epsilon <= ceiling


def test_misuse_is_refused():
    with pytest.raises(UsageError, match="Expected delta"):
        audited(NearestRecord(), delta=None)
    with pytest.raises(NotEnoughEvidence, match="20 canaries"):
        audited(NearestRecord(), canaries=mislabelled(SPARE, 10, SOURCE))
