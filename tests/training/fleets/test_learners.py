"""Functions, recipes and estimators train as one kind of thing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from reticent.data import Records
from reticent.errors import UsageError
from reticent.randomness import Randomness
from reticent.training.fleets.learners import SklearnTrainer, answers_of, as_trainer, sklearn_trainer, train_one


def states(model):
    return {name: value for name, value in model.get_params().items() if name.endswith("random_state")}


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(3),
        make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=300, tol=1.0)),
        BaggingClassifier(DecisionTreeClassifier(max_features=1), 3),
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2),
    ],
)
def test_every_random_state_comes_from_the_stream(estimator, table):
    trainer = as_trainer(estimator)
    first, again, other = (trainer(table, Randomness.simulated(seed)).estimator for seed in (1, 1, 2))
    assert states(first) == states(again)
    drawn = list(states(first).values())
    assert len(drawn) >= 1
    assert all(isinstance(value, int) for value in drawn)
    assert len({*drawn, *states(other).values()}) == 2 * len(drawn)
    assert set(states(estimator).values()) == {None}, "the estimator itself is left alone"
    x = table.features
    np.testing.assert_array_equal(first.predict_proba(x), again.predict_proba(x))


def test_a_class_that_a_part_lacks_has_its_column(table):
    part = table.take(table.labels != 1)
    model = sklearn_trainer(LogisticRegression())(part, Randomness.simulated(0))
    found = model.ask(table.features)
    assert found.shape == (60, 3)
    assert (found[:, 1] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (answers_of(model, 3, table.features)[:, 1] < -600).all()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("estimator", [RidgeClassifier(), LinearSVC(), Perceptron()])
def test_decision_functions_are_taken_for_logits(estimator, classes, table):
    pool = Records(table.features, table.labels % classes)
    model = sklearn_trainer(estimator)(pool, Randomness.simulated(0))
    logs = answers_of(model, classes, pool.features)
    decision = model.estimator.decision_function(pool.features)
    if classes == 2:
        np.testing.assert_allclose(logs[:, 1] - logs[:, 0], decision, rtol=1e-4, atol=1e-5)
    else:
        np.testing.assert_allclose(logs[:, 1:] - logs[:, :1], decision[:, 1:] - decision[:, :1], rtol=1e-4, atol=1e-5)


def test_images_are_flattened(images):
    logs = train_one(sklearn_trainer(DecisionTreeClassifier()), images, np.arange(40) % 2 == 0, Randomness.simulated(0))
    assert (logs.shape, logs.dtype) == ((40, 3), np.float32)


class Guess:
    """An estimator that predicts labels and nothing else."""

    def get_params(self, deep=True):
        return {}

    def set_params(self, **values):
        return self

    def __sklearn_clone__(self):
        return Guess()

    def fit(self, x, y):
        return self


def test_what_only_predicts_labels_is_refused(table):
    with pytest.raises(UsageError, match="predict_proba or decision_function"):
        sklearn_trainer(Guess())(table, Randomness.simulated(0))


def test_functions_and_recipes_are_taken_as_they_are(recipe):
    made = recipe()
    assert as_trainer(made) is made
    assert as_trainer(train_one) is train_one
    assert isinstance(as_trainer(LogisticRegression()), SklearnTrainer)
    for wrong in ("fit", 3, made.build()):
        with pytest.raises(UsageError, match="a trainer that can be called"):
            as_trainer(wrong)
    for wrong in (LogisticRegression, train_one):
        with pytest.raises(UsageError, match="scikit-learn estimator"):
            sklearn_trainer(wrong)


def test_a_wrong_call_is_told_from_an_error_inside(table):
    def inside(records, randomness):
        return None + 1

    everything = np.ones(60, dtype=bool)
    with pytest.raises(UsageError, match=r"trainer\(records, randomness\), but: .* takes 1"):
        train_one(lambda records: None, table, everything, Randomness.simulated(0))
    with pytest.raises(TypeError, match="unsupported operand"):
        train_one(inside, table, everything, Randomness.simulated(0))


def test_a_trainer_that_returns_no_model_is_named(table):
    def forgetful(records, randomness):
        DecisionTreeClassifier().fit(records.features, records.labels)

    half = np.arange(len(table)) % 2 == 0
    for trainer, shown in ((forgetful, "None"), (lambda records, randomness: 0.9, "0.9"), (lambda *_: [1], "a list")):
        with pytest.raises(
            UsageError, match=rf"trained model, got .*\(records, randomness\)={shown}\. Let .* end with"
        ):
            train_one(trainer, table, half, Randomness.simulated(0))
    with pytest.raises(UsageError, match="forgetful"):
        train_one(forgetful, table, half, Randomness.simulated(0))
