"""A scikit-learn estimator like others, whose fit is a private training and nothing beside it."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import reticent as rt
from reticent.data import Records
from reticent.errors import DataError, UsageError
from reticent.integrations.sklearn import PrivateClassifier
from reticent.privacy import FixedSize, PoissonRows, Relation, Unit
from reticent.randomness import Randomness
from reticent.training.seeding import seeded

DRAW = np.random.default_rng(8)
N = 300
X = DRAW.uniform(0, 20, (N, 3))
Y = np.where(X[:, 0] > X[:, 1], "ill", "well")
OPTIONS = {"epsilon": 3.0, "delta": 1e-3, "bounds": (0, 20), "classes": ["well", "ill"], "epochs": 10, "batch_size": 60}


def classifier(**options):
    return PrivateClassifier(**{**OPTIONS, **options})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")  # pandas, array API: not installed
def test_the_checks_of_scikit_learn():
    """With little noise, since some of them ask for accuracy; none is expected to fail."""
    answers = check_estimator(PrivateClassifier(epsilon=50, bounds=(-3, 3), random_state=0), on_fail=None)
    assert len(answers) > 45
    failed = {answer["check_name"]: answer["exception"] for answer in answers if answer["status"] == "failed"}
    assert failed == {}
    skipped = {answer["check_name"] for answer in answers if answer["status"] == "skipped"}
    assert skipped <= {"check_array_api_input", "check_classifier_data_not_an_array"}


def test_a_fit_is_rt_train_on_features_scaled_by_their_bounds():
    found = classifier(bounds=([0, 0, 5], [10, 20, 15]), random_state=3).fit(X, Y)
    plan = rt.Plan.calibrate(epsilon=3.0, delta=1e-3, dataset_size=N, batch_size=60, epochs=10)
    source = Randomness.simulated(3)
    with seeded(source.spawn("weights")):
        model = torch.nn.Sequential(torch.nn.Linear(3, 2))
    low, high = np.array([0.0, 0, 5]), np.array([10.0, 20, 15])
    scaled = (2 * (np.clip(X, low, high) - low) / (high - low) - 1).astype(np.float32)
    assert np.abs(scaled).max() == 1.0
    run = rt.train(
        model,
        Records(scaled, (Y == "well").astype(np.int64)),
        plan=plan,
        optimizer=lambda p: torch.optim.Adam(p, lr=0.02),
        randomness=source,
    )
    assert found.plan_ == plan
    assert found.guarantee_.mechanisms == run.guarantee.mechanisms
    assert found.classes_.tolist() == ["ill", "well"]
    for one, other in zip(found.module_.parameters(), run.model.parameters(), strict=True):
        assert torch.equal(one, other)
    with torch.no_grad():
        expected = torch.softmax(run.model(torch.from_numpy(scaled)).double(), 1).numpy()
    np.testing.assert_allclose(found.predict_proba(X), expected, rtol=1e-12)
    assert (found.predict(X) == found.classes_[expected.argmax(1)]).all()


def test_no_statistic_of_the_data_is_used():
    """One record moved far beyond the bounds: the same fit as at the bound, to the bit."""
    moved = [X.copy(), X.copy()]
    moved[0][7], moved[1][7] = 1e9, 20.0
    first, second = (classifier(random_state=1).fit(features, Y) for features in moved)
    assert all(map(torch.equal, first.module_.parameters(), second.module_.parameters()))


@pytest.mark.slow
def test_it_learns_and_says_what_it_promises():
    found = classifier(epochs=40).fit(X, Y)
    assert found.score(X, Y) > 0.8
    text = found.guarantee_.text(1e-3)
    assert found.guarantee_.epsilon(1e-3) <= 3.0
    for part in ("chosen without looking at the data", "such as a StandardScaler", "also of cross-validation"):
        assert part in text
    assert "SIMULATION" not in text
    assert "read off the data" not in text
    inferred = classifier(classes=None, random_state=0).fit(X, Y).guarantee_.text(1e-3)
    assert inferred.startswith("SIMULATION, no promise")
    assert "the set of labels, which was read off the data, is public" in inferred


def test_labels_that_are_declared_need_not_occur():
    found = classifier(classes=["ill", "maybe", "well"]).fit(X, Y)
    assert found.predict_proba(X).shape == (N, 3)
    assert found.classes_.tolist() == ["ill", "maybe", "well"]


def test_the_default_delta_follows_the_number_of_records():
    found = classifier(delta=None).fit(X, Y)
    assert found.plan_.delta == 1e-3
    assert found.guarantee_.dataset_size == N


@pytest.mark.slow
def test_repeats_under_a_number_and_never_without():
    first, second, other = (classifier(random_state=seed).fit(X, Y).predict_proba(X) for seed in (4, 4, 5))
    assert (first == second).all()
    assert not (first == other).all()
    assert not (classifier().fit(X, Y).predict_proba(X) == classifier().fit(X, Y).predict_proba(X)).all()


GROUPS = np.array([*range(100), *np.repeat(np.arange(100, 150), 4)])  # a hundred with one row, fifty with four


def test_groups_are_people_who_are_promised_something():
    found = classifier(rows_per_unit=4, random_state=3).fit(X, Y, groups=GROUPS)
    plan = rt.Plan.calibrate(
        epsilon=3.0, delta=1e-3, dataset_size=150, batch_size=60, epochs=10, unit=Unit.PERSON, rows_per_unit=4
    )
    assert found.plan_ == plan
    source = Randomness.simulated(3)
    with seeded(source.spawn("weights")):
        model = torch.nn.Sequential(torch.nn.Linear(3, 2))
    run = rt.train(
        model,
        Records((X / 10 - 1).astype(np.float32), (Y == "well").astype(np.int64), owners=GROUPS, unit=Unit.PERSON),
        plan=plan,
        optimizer=lambda p: torch.optim.Adam(p, lr=0.02),
        randomness=source,
    )
    for one, other in zip(found.module_.parameters(), run.model.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    text = found.guarantee_.text(1e-3)
    assert "unit: person" in text
    assert "n = 150" in text
    texts = np.array([f"p{name}" for name in GROUPS], dtype=object)  # as pandas holds them
    assert classifier(rows_per_unit=4, random_state=3).fit(X, Y, groups=texts).plan_ == plan


@pytest.mark.slow
def test_groups_whose_rows_alone_are_promised_something():
    found = classifier(example_level=True).fit(X, Y, groups=GROUPS)
    assert found.plan_ == classifier().fit(X, Y).plan_
    assert "the promise is to single rows: some people own up to 4" in found.guarantee_.text(1e-3)
    assert classifier(delta=None).fit(X, Y, groups=np.arange(N) // 20).plan_.delta == 1e-2  # of 15 people
    rows = classifier(sampling=PoissonRows(4)).fit(X, Y, groups=GROUPS)
    assert (rows.plan_.dataset_size, rows.plan_.unit) == (N, Unit.PERSON)


@pytest.mark.slow
def test_samplers_and_relations():
    found = classifier(sampling=FixedSize()).fit(X, Y)
    assert (found.plan_.sampling, found.plan_.relation) == (FixedSize(), Relation.REPLACE_ONE)
    assert clone(found).get_params() == found.get_params()
    assert classifier(relation=Relation.REPLACE_ONE).fit(X, Y).guarantee_.relation is Relation.REPLACE_ONE
    for options, groups, text in (
        ({"sampling": FixedSize(), "relation": Relation.ADD_OR_REMOVE_ONE}, None, "REPLACE_ONE with FixedSize"),
        ({"rows_per_unit": 3}, None, "unit=example, rows_per_unit=3"),
        ({}, GROUPS[:7], "one owner per record"),
        ({"sampling": PoissonRows(3)}, GROUPS, "at most 3 rows for each person, got one with 4"),
    ):
        with pytest.raises(ValueError, match=text):
            classifier(**options).fit(X, Y, groups=groups)


def test_hidden_layers_and_networks_of_ones_own():
    found = classifier(hidden_layer_sizes=(5, 4)).fit(X, Y)
    assert [tuple(p.shape) for p in found.module_.parameters()] == [(5, 3), (5,), (4, 5), (4,), (2, 4), (2,)]

    def build(features, classes):
        return torch.nn.Sequential(torch.nn.LayerNorm(features), torch.nn.Linear(features, classes))

    assert type(classifier(module=build).fit(X, Y).module_[0]) is torch.nn.LayerNorm
    with pytest.raises(ValueError, match="BatchNorm1d"):
        classifier(module=lambda f, c: torch.nn.Sequential(torch.nn.BatchNorm1d(f), torch.nn.Linear(f, c))).fit(X, Y)


@pytest.mark.slow
def test_pipelines_clones_pickles_and_cross_validation():
    model = classifier(random_state=2)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(epsilon=2.0).epsilon == 2.0
    assert len(cross_val_score(model, X, Y, cv=3)) == 3
    search = GridSearchCV(model, {"learning_rate": [0.01, 0.05]}, cv=2).fit(X, Y)
    assert search.best_estimator_.guarantee_.simulated
    piped = make_pipeline(StandardScaler(), classifier(bounds=(-3, 3))).fit(X, Y)
    assert "not covered: preprocessing that was fitted" in piped[-1].guarantee_.text(1e-3)
    fitted = model.fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    assert again.guarantee_ == fitted.guarantee_


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"bounds": None}, UsageError, "Expected bounds of the features, got none"),
        ({"bounds": (0, 0)}, UsageError, "low < high"),
        ({"bounds": (0, float("inf"))}, UsageError, "finite bounds"),
        ({"bounds": ([0, 0], [1, 1])}, UsageError, "one for each of 3 features"),
        ({"bounds": 3}, UsageError, "one for each of 3 features"),
        ({"bounds": "ab"}, UsageError, "one for each of 3 features"),
        ({"classes": ["ill"]}, DataError, "at least two classes, got 1 class"),
        ({"classes": ["ill", "else"]}, DataError, "labels among classes, got others"),
        ({"classes": [0, 1]}, DataError, "labels among classes, got others"),
        ({"epsilon": 0}, UsageError, "epsilon > 0"),
        ({"delta": 0.1}, UsageError, "delta < 1/n"),
        ({"epochs": 0}, UsageError, "epochs > 0"),
        ({"batch_size": 0}, UsageError, "batch_size >= 1"),
        ({"learning_rate": -1.0}, UsageError, "learning_rate > 0"),
        ({"hidden_layer_sizes": (0,)}, UsageError, "hidden_layer_sizes >= 1"),
        ({"random_state": np.random.RandomState(0)}, UsageError, "None or a whole number, got RandomState"),
        ({"module": lambda features, classes: None}, UsageError, "to give a torch module, got NoneType"),
    ],
)
def test_what_promises_nothing_is_refused(options, kind, text):
    with pytest.raises(kind, match=text):
        classifier(**options).fit(X, Y)


@pytest.mark.slow
def test_without_scikit_learn_it_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None; import reticent.integrations.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "pip install 'reticent[lab]'" in done.stderr
