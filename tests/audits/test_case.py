"""What is known before shadow models: checked records, the model's answers, and what the records alone betray."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from reticent.audits.case import checked_sides, describe, prepare
from reticent.data import Records
from reticent.errors import DataError, NotEnoughEvidence
from reticent.evidence import Estimate
from reticent.models import Exposure
from reticent.privacy import Unit
from reticent.randomness import Randomness


def records(size, seed=0, columns=3, **more):
    return Records(Randomness.simulated(seed).normal((size, columns)), np.arange(size) % 2, **more)


def case_of(inside, outside, **more):
    return prepare(
        lambda x: np.stack([x[:, 0], -x[:, 0]], axis=1),
        inside,
        outside,
        exposure=Exposure.LOGITS,
        confidence=0.9,
        randomness=Randomness.simulated(1),
        name="a line",
        **more,
    )


def test_ten_of_each_kind_are_needed():
    assert [len(side) for side in checked_sides(records(10), records(11))] == [10, 11]
    for few in ((records(9), records(30)), (records(30), records(9))):
        with pytest.raises(NotEnoughEvidence, match="at least 10 members and 10 non-members"):
            checked_sides(*few)


def test_the_pool_is_members_then_others_and_the_model_answers_for_both():
    inside, outside = records(12), records(20, seed=1)
    case = case_of(inside, outside)
    np.testing.assert_array_equal(case.pool.features, np.concatenate([inside.features, outside.features]))
    np.testing.assert_array_equal(case.truth, [True] * 12 + [False] * 20)
    sign = np.where(case.pool.labels == 0, 1, -1)
    np.testing.assert_allclose(case.signal, 2 * sign * case.pool.features[:, 0])
    np.testing.assert_array_equal(case.correct, sign * case.pool.features[:, 0] > 0)
    assert case.shared == 0
    assert set(case.blind) == {"boosted trees", "logistic regression"}


def test_a_blind_baseline_that_is_known_is_not_measured_again():
    known = {"known": Estimate(0.5, 0.4, 0.6, 0.9, 32, "before")}
    assert case_of(records(12), records(20, seed=1), blind=known).blind == known


def test_shadow_models_see_as_large_a_share_as_the_model_but_never_all_or_none():
    assert case_of(records(12), records(20, seed=1)).inclusion == 12 / 32
    assert case_of(records(200), records(10, seed=1)).inclusion == 0.9
    assert case_of(records(10), records(200, seed=1)).inclusion == 0.1


def test_one_class_and_two_shapes_are_refused():
    same = Records(np.zeros((12, 3)) + np.arange(12)[:, None], np.zeros(12), classes=2)
    with pytest.raises(DataError, match="at least two classes"):
        case_of(same, same)
    with pytest.raises(DataError, match="one shape"):
        case_of(records(12), records(12, columns=4))


def test_the_description_counts_people_not_rows():
    inside = records(12, unit=Unit.PERSON, owners=np.repeat(np.arange(6), 2), name="wards")
    found = describe(inside, np.arange(12) < 4)
    assert (found["records"], found["owners"], found["members"], found["nonmembers"]) == (12, 6, 4, 8)
    assert found["digest"] == inside.digest()
    assert found["largest_class"] == 0.5


def test_a_classifiers_own_words_have_to_be_in_the_same_order():
    source = Randomness.simulated(0)
    x = source.normal((80, 2))
    y = (x[:, 0] > 0).astype(int)
    model = DecisionTreeClassifier(random_state=0).fit(x[:40], np.array(["<=50K", ">50K"])[y[:40]])

    def prepared(words):
        inside, outside = (Records(x[part], y[part], class_names=words) for part in (slice(40), slice(40, 80)))
        return prepare(model, inside, outside, exposure=Exposure.SCORES, confidence=0.95, randomness=source, name="a")

    case = prepared(["<=50K", ">50K"])
    assert case.correct[:40].all()
    assert case.target.noun == "model"
    assert prepared(None).pool.class_names is None  # nothing is known of its words: columns as they come
    with pytest.raises(DataError, match=r"order of the model's answers, \['<=50K', '>50K'\], got classes=\['>50K'"):
        prepared([">50K", "<=50K"])
