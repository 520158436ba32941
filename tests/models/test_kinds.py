"""Models of each kind: the right method is asked, and columns stand where their class numbers say."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from torch import nn

from reticent.errors import ModelError
from reticent.models import Target
from reticent.models.kinds import adapter_of

DRAW = np.random.default_rng(9)
Y = np.arange(90) % 3
X = DRAW.normal(size=(90, 4)) + np.eye(3, 4)[Y] * 2


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0)),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_classifiers_with_probabilities(model):
    model.fit(X, Y)
    target = Target(model, classes=3)
    assert target.adapter.answers == "probabilities"
    np.testing.assert_allclose(
        np.exp(target.log_probabilities(X)), np.maximum(model.predict_proba(X), 1e-300), rtol=1e-9
    )


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "model",
    [LinearSVC(), RidgeClassifier(), make_pipeline(StandardScaler(), LinearSVC())],
    ids=lambda model: type(model).__name__,
)
def test_classifiers_with_margins_only(model, classes):
    model.fit(X, Y % classes)
    target = Target(model, classes=classes)
    margins = model.decision_function(X)
    assert target.adapter.answers == "logits"
    found = target.log_odds(X, np.zeros(90, dtype=int))
    expected = -margins if classes == 2 else margins[:, 0] - np.log(np.exp(margins[:, 1:]).sum(axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_array_equal(target.predicted(X), model.predict(X))


def test_margins_that_all_lie_between_zero_and_one_stay_margins():
    class Margins:
        def decision_function(self, features):
            return np.linspace(0.1, 0.9, len(features))

    found = Target(Margins(), classes=2).log_odds(X, np.ones(90, dtype=int))
    np.testing.assert_allclose(found, np.linspace(0.1, 0.9, 90))


def test_classifiers_with_labels_only():
    class Labels:
        def predict(self, features):
            return NearestCentroid().fit(X, Y).predict(features)

    target = Target(Labels(), classes=3, exposure="label")
    np.testing.assert_array_equal(target.predicted(X), NearestCentroid().fit(X, Y).predict(X))
    with pytest.raises(ModelError, match="labels only"):
        Target(Labels(), classes=3)


def test_columns_stand_where_their_class_numbers_say():
    """A classifier that saw no record of class 1, and one that counts from 1."""
    partly = LogisticRegression().fit(X[Y != 1], Y[Y != 1])
    shares = np.exp(Target(partly, classes=3).log_probabilities(X))
    np.testing.assert_allclose(shares[:, [0, 2]], partly.predict_proba(X), rtol=1e-9)
    assert shares[:, 1].max() < 1e-200
    from_one = LogisticRegression().fit(X, Y + 1)
    shares = np.exp(Target(from_one, classes=4).log_probabilities(X))
    np.testing.assert_allclose(shares[:, 1:], from_one.predict_proba(X), rtol=1e-9)
    with pytest.raises(ModelError, match=r"knows the classes 0 to 2, got one trained on \[0, 2\]"):
        Target(RidgeClassifier().fit(X[Y != 1], Y[Y != 1]), classes=3).log_probabilities(X)


def test_one_column_for_each_pair_of_classes_is_refused():
    pairs = SVC(decision_function_shape="ovo").fit(X, np.arange(90) % 4)
    with pytest.raises(ModelError, match="decision_function_shape='ovr'"):
        Target(pairs, classes=4).log_probabilities(X)


def test_classes_with_names_are_taken_in_order():
    named = LogisticRegression().fit(X, np.array(["a", "b", "c"])[Y])
    np.testing.assert_allclose(np.exp(Target(named, classes=3).log_probabilities(X)), named.predict_proba(X), rtol=1e-9)


def test_networks_that_wrap_their_logits():
    class Wrapping(nn.Linear):
        def forward(self, x):
            return SimpleNamespace(logits=super().forward(x))

    network = Wrapping(4, 3)
    plain = nn.Linear(4, 3)
    plain.load_state_dict(network.state_dict())
    np.testing.assert_array_equal(
        Target(network, classes=3).log_probabilities(X), Target(plain, classes=3).log_probabilities(X)
    )


@pytest.mark.parametrize("model", [None, 3.0, "model", np.zeros(3), object(), {}])
def test_what_cannot_be_asked_is_refused(model):
    with pytest.raises(ModelError, match=r"ONNX file.*Endpoint"):
        adapter_of(model, classes=2)


def test_only_what_is_known_to_be_a_network_is_called_one() -> None:
    assert Target(nn.Linear(3, 2), classes=2).noun == "network"
    for other in (LinearSVC(), lambda x: x):
        assert Target(other, classes=2).noun == "model"
