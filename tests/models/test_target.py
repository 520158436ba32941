"""What a model shows: the same answers, however the model speaks, and no more than its exposure."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from reticent.errors import ModelError
from reticent.models import Exposure, Target

DRAW = np.random.default_rng(3)
X = DRAW.normal(size=(50, 3))
LOGITS = 3 * DRAW.normal(size=(50, 4))
LABELS = DRAW.integers(0, 4, 50)


def answers(values):
    """A model that answers row i, named by the first feature, with values[i]."""
    return lambda features: values[features[:, 0].astype(int)]


ROWS = np.arange(50.0)[:, None]


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def by_definition(logits, labels):
    """log p(label) - log(1 - p(label)), from sums of exponentials."""
    p = softmax(logits)[np.arange(len(labels)), labels]
    return np.log(p) - np.log(1 - p)


def test_log_odds_are_what_their_name_says():
    found = Target(answers(LOGITS), classes=4).log_odds(ROWS, LABELS)
    np.testing.assert_allclose(found, by_definition(LOGITS, LABELS), rtol=1e-9)


def test_logits_and_probabilities_agree():
    one = Target(answers(LOGITS), classes=4)
    other = Target(answers(softmax(LOGITS)), classes=4)
    np.testing.assert_allclose(one.log_probabilities(ROWS), np.log(softmax(LOGITS)), rtol=1e-12)
    np.testing.assert_allclose(other.log_probabilities(ROWS), np.log(softmax(LOGITS)), rtol=1e-12)
    np.testing.assert_allclose(other.log_odds(ROWS, LABELS), one.log_odds(ROWS, LABELS), rtol=1e-9)


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("probability", [False, True])
def test_one_number_for_two_classes(column, probability):
    logit = LOGITS[:, 0]
    single = 1 / (1 + np.exp(-logit)) if probability else logit
    labels = LABELS % 2
    target = Target(answers(single[:, None] if column else single), classes=2)
    np.testing.assert_allclose(target.log_odds(ROWS, labels), np.where(labels == 1, logit, -logit), rtol=1e-9)


def test_a_part_of_the_records_does_not_change_the_meaning_of_the_rest():
    """More records than are asked at once, and one part whose logits happen to lie in [0, 1]."""
    logit = np.concatenate([np.full(4096, 0.5), np.full(4096, -3.0), [0.25]])
    target = Target(answers(logit), classes=2)
    found = target.log_odds(np.arange(len(logit), dtype=float)[:, None], np.ones(len(logit), dtype=int))
    np.testing.assert_allclose(found, logit, rtol=1e-9)


def test_scikit_learn_torch_and_functions_agree():
    labels = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int)
    fitted = LogisticRegression().fit(X, labels)
    network = nn.Linear(3, 1).double()
    with torch.no_grad():
        network.weight.copy_(torch.from_numpy(fitted.coef_))
        network.bias.copy_(torch.from_numpy(fitted.intercept_))
    found = [
        Target(model, classes=2).log_odds(X, labels)
        for model in (fitted, network, fitted.decision_function, lambda x: torch.from_numpy(fitted.predict_proba(x)))
    ]
    for one in found:
        np.testing.assert_allclose(one, found[0], rtol=1e-7)
    np.testing.assert_array_equal(Target(network, classes=2).correct(X, labels), fitted.predict(X) == labels)


def test_exposures_show_less_and_less():
    labels = LABELS
    logits, scores, label = (
        Target(answers(LOGITS), classes=4, exposure=exposure).log_odds(ROWS, labels)
        for exposure in (Exposure.LOGITS, Exposure.SCORES, Exposure.LABEL)
    )
    np.testing.assert_allclose(scores, logits, rtol=1e-9)
    np.testing.assert_array_equal(label, np.where(LOGITS.argmax(axis=1) == labels, 1.0, -1.0))
    shifted = Target(answers(LOGITS + 1e3), classes=4).log_odds(ROWS, labels)
    np.testing.assert_allclose(shifted, logits, rtol=1e-9, atol=1e-9)


def test_scores_stop_where_probabilities_do():
    extreme = np.array([[2000.0, 0.0], [3000.0, 0.0]])
    found = Target(answers(extreme), classes=2, exposure=Exposure.SCORES).log_odds(ROWS[:2], np.zeros(2, dtype=int))
    np.testing.assert_allclose(found, -np.log(1e-300))


@pytest.mark.parametrize("size", [1e-3, 1.0, 40.0, 700.0, 1e5, 1e150])
def test_log_odds_are_exact_at_any_confidence(size):
    """Where 1 - p rounds to zero they neither saturate nor tie."""
    gaps = size * np.array([1.0, 1.000001, -1.0, 2.0])
    logits = np.stack([gaps, np.zeros(4)], axis=1)
    found = Target(answers(logits), classes=2).log_odds(ROWS[:4], np.zeros(4, dtype=int))
    np.testing.assert_allclose(found, gaps, rtol=1e-12)
    assert len(np.unique(found)) == 4


def test_log_odds_with_many_classes_at_extreme_confidence():
    logits = np.array([[900.0, 0.0, 0.0, -50.0]])
    found = Target(answers(logits), classes=4).log_odds(ROWS[:1], np.array([0]))
    np.testing.assert_allclose(found, 900 - np.log(2 + np.exp(-50)), rtol=1e-14)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_answers_that_are_not_finite_are_refused(bad):
    values = LOGITS.copy()
    values[[4, 9], 2] = bad
    with pytest.raises(ValueError, match="from my model, got NaN or infinity for 2 of 50 records"):
        Target(answers(values), classes=4, name="my model").log_probabilities(ROWS)


@pytest.mark.parametrize(
    ("answer", "classes"),
    [
        (np.zeros((50, 3)), 4),
        (np.zeros((49, 4)), 4),
        (np.zeros((50, 4, 1)), 4),
        (np.zeros(50), 3),
        (np.zeros((50, 1)), 3),
        (np.float64(1.0), 2),
    ],
)
def test_wrong_shapes_are_refused(answer, classes):
    with pytest.raises(ValueError, match="to answer 50 records with shape"):
        Target(lambda features: answer, classes=classes).log_probabilities(ROWS)


@pytest.mark.parametrize("model", [None, 3.0, "model", np.zeros(3)])
def test_what_cannot_be_asked_is_refused(model):
    with pytest.raises(ValueError, match="can be called or has predict_proba"):
        Target(model, classes=2)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="classes >= 2"):
        Target(answers(LOGITS), classes=1)


class Watched(nn.Linear):
    def forward(self, x):
        self.seen = (self.training, torch.is_grad_enabled(), x.dtype)
        return super().forward(x)


@pytest.mark.parametrize("training", [True, False])
def test_networks_are_asked_in_evaluation_mode_and_left_as_they_were(training):
    """Also a network of which one part is frozen in evaluation mode while the rest trains."""
    model = nn.Sequential(Watched(3, 2), nn.Dropout(0.9), nn.BatchNorm1d(2))
    model.train(training)
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    target = Target(model, classes=2)
    first = target.log_probabilities(X)
    assert model[0].seen == (False, False, torch.float32)
    np.testing.assert_array_equal(target.log_probabilities(X), first)
    assert [model.training, *(part.training for part in model)] == [training, training, training, False]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_mode_is_restored_after_an_error():
    model = nn.Linear(3, 2)
    with pytest.raises(ModelError, match=r"records of shape \(4,\).*shapes cannot be multiplied"):
        Target(model, classes=2).log_probabilities(np.zeros((5, 4)))
    assert model.training


def test_whole_numbers_stay_whole():
    model = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(8, 2))
    assert Target(model, classes=2).log_probabilities(np.zeros((5, 2), dtype=np.int64)).shape == (5, 2)


def test_many_records_are_asked_in_parts():
    sizes = []

    def model(features):
        sizes.append(len(features))
        return np.stack([features[:, 0], -features[:, 0]], axis=1)

    x = np.linspace(-1, 1, 10_000)[:, None]
    found = Target(model, classes=2).log_odds(x, np.zeros(10_000, dtype=int))
    np.testing.assert_allclose(found, 2 * x[:, 0], atol=1e-14)
    assert sum(sizes) == 10_000
    assert max(sizes) <= 4096


def test_no_records_have_no_answers():
    target = Target(answers(LOGITS), classes=4)
    assert target.log_probabilities(ROWS[:0]).shape == (0, 4)
    assert target.log_odds(ROWS[:0], LABELS[:0]).shape == (0,)


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_rounded_probabilities_are_not_taken_for_logits(digits):
    """Recognised as logits, the softmax of a softmax would be attacked; most of what the model gives away is lost."""
    rounded = softmax(LOGITS).round(digits)
    assert not np.allclose(rounded.sum(axis=1), 1, atol=1e-4)
    if digits > 1:
        with pytest.raises(ModelError, match=r"may be rounded probabilities.*answers='probabilities'"):
            Target(answers(rounded), classes=4).log_probabilities(ROWS)
    found = Target(answers(rounded), classes=4, answers="probabilities").log_probabilities(ROWS)
    np.testing.assert_allclose(np.exp(found), rounded, atol=1e-12)


def test_what_is_said_is_believed():
    """Probabilities that are said to be logits, and one row of logits that looks like probabilities."""
    p = softmax(LOGITS)
    found = Target(answers(p), classes=4, answers="logits").log_probabilities(ROWS)
    np.testing.assert_allclose(found, np.log(softmax(p)), atol=1e-12)
    single = np.full(50, 0.5)
    as_logit = Target(answers(single), classes=2, answers="logits").log_odds(ROWS, np.ones(50, dtype=int))
    np.testing.assert_allclose(as_logit, 0.5)


@pytest.mark.parametrize(
    ("values", "said", "message"),
    [
        (100 * softmax(LOGITS).round(3), None, "may be percentages"),
        (100 * softmax(LOGITS), "probabilities", "no percentages"),
        (LOGITS, "probabilities", "sum to one"),
        (1 / (1 + np.exp(-LOGITS)), "probabilities", "sum to one"),
        (np.zeros((50, 4)) + 2, "probabilities", "values from 2 to 2"),
    ],
)
def test_doubtful_and_impossible_answers_are_refused(values, said, message):
    with pytest.raises(ModelError, match=message):
        Target(answers(values), classes=4, answers=said).log_probabilities(ROWS)


def test_small_logits_are_still_logits():
    """As of a network that has hardly been trained."""
    small = DRAW.uniform(0, 1, (50, 4))
    np.testing.assert_allclose(
        Target(answers(small), classes=4).log_probabilities(ROWS), np.log(softmax(small)), atol=1e-12
    )


def test_labels_show_the_class_and_nothing_else():
    labels = np.argmax(LOGITS, axis=1)
    target = Target(answers(labels), classes=4, exposure="label", answers="labels")
    np.testing.assert_array_equal(target.predicted(ROWS), labels)
    np.testing.assert_array_equal(target.correct(ROWS, LABELS), labels == LABELS)
    for exposure in ("scores", "logits", "scores:top 1"):
        with pytest.raises(ModelError, match=r"labels only.*exposure='label'"):
            Target(answers(labels), classes=4, exposure=exposure, answers="labels")


@pytest.mark.parametrize("values", [np.full(50, 4), np.full(50, -1), np.full(50, 0.5), np.zeros((50, 4))])
def test_what_is_no_label(values):
    target = Target(answers(values), classes=4, exposure="label", answers="labels")
    with pytest.raises(ModelError, match="one label from 0 to 3 per record"):
        target.log_probabilities(ROWS)


def test_queries_are_counted():
    target = Target(answers(LOGITS), classes=4)
    target.log_odds(ROWS, LABELS)
    target.predicted(ROWS[:7])
    assert target.queries == 57
    target.require_queries(10**9)  # there is no budget in this process


def test_an_answer_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="answers to be one of logits, probabilities, labels"):
        Target(answers(LOGITS), classes=4, answers="scores")


@pytest.mark.parametrize("column", [False, True])
def test_what_answers_are_is_decided_once(column):
    """A few more records, whose logits happen to lie in [0, 1], or to sum to one, do not change what they mean."""
    logit = np.linspace(-3, 3, 50)
    both = np.stack([logit, 1 - logit], axis=1)
    target = Target(answers(logit if column else both), classes=2)
    whole = target.log_probabilities(ROWS)
    few = np.flatnonzero((logit > 0) & (logit < 1))
    np.testing.assert_array_equal(target.log_probabilities(ROWS[few]), whole[few])
    fresh = Target(answers(logit if column else both), classes=2)
    assert not np.allclose(
        fresh.log_probabilities(ROWS[few[:9]]), whole[few[:9]]
    )  # nine say little, and decide nothing
    np.testing.assert_array_equal(fresh.log_probabilities(ROWS), whole)
