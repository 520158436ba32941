"""Distances to the decision boundary: of planes and spheres they are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from tests.models.serving import serving

from reticent.attacks.membership.boundary import BoundarySearch, boundary_distance
from reticent.errors import UsageError
from reticent.models import Endpoint, Target
from reticent.randomness import Randomness


def plane(columns, records=150, seed=0, shape=None):
    """Records, a plane that is no axis, labels on its sides, and the exact distances in deviations."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(records, columns)) * np.exp(draw.normal(size=columns))
    normal = draw.normal(size=columns)
    side = x @ normal
    deviations = x.std(axis=0) if shape is None else np.full(columns, x.std())
    exact = np.abs(side) / np.linalg.norm(normal * deviations)
    shaped = x if shape is None else x.reshape(-1, *shape)
    target = Target(
        lambda z: np.column_stack([-(z.reshape(len(z), -1) @ normal), z.reshape(len(z), -1) @ normal]),
        classes=2,
        exposure="label",
    )
    return shaped, target, (side > 0).astype(int), exact


@pytest.mark.parametrize(("columns", "slack"), [(2, 1.02), (10, 1.1), (50, 1.45)])
def test_distances_to_a_plane(columns, slack):
    x, target, labels, exact = plane(columns)
    found = boundary_distance(target, x, labels, randomness=Randomness.simulated(1))
    assert (found >= exact * (1 - 1e-9)).all()
    assert np.median(found / exact) < slack
    assert spearmanr(found, exact).statistic > 0.99


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(0, 3), st.integers(1, 20))
def test_no_distance_is_below_the_true_one_and_no_query_too_many(seed, columns, iterations, directions):
    x, target, labels, exact = plane(columns, records=30, seed=seed)
    search = BoundarySearch(iterations=iterations, directions=directions, bisections=5, steps=3)
    found = boundary_distance(target, x, labels, randomness=Randomness.simulated(seed), search=search)
    assert (found >= exact * (1 - 1e-9)).all()
    assert target.queries <= 30 * search.queries


def test_more_work_finds_shorter_ways():
    x, target, labels, _ = plane(20)
    found = [
        boundary_distance(target, x, labels, randomness=Randomness.simulated(1), search=BoundarySearch(iterations=n))
        for n in (0, 1, 4, 10)
    ]
    medians = [np.median(one) for one in found]
    assert medians == sorted(medians, reverse=True)
    assert medians[-1] < 0.5 * medians[0]


def test_distances_to_a_sphere():
    x = np.random.default_rng(2).normal(size=(200, 3))
    x /= x.std(axis=0)
    radius = np.linalg.norm(x, axis=1)
    target = Target(lambda z: np.column_stack([np.full(len(z), 1.5), np.linalg.norm(z, axis=1)]), classes=2)
    found = boundary_distance(target, x, (radius > 1.5).astype(int), randomness=Randomness.simulated(2))
    exact = np.abs(radius - 1.5)
    assert (found >= exact * (1 - 1e-9)).all()
    assert np.median(found / exact) < 1.1


def test_images_have_one_deviation():
    x, target, labels, exact = plane(12, shape=(1, 3, 4))
    found = boundary_distance(target, x, labels, randomness=Randomness.simulated(3))
    assert (found >= exact * (1 - 1e-9)).all()
    assert np.median(found / exact) < 1.2


def test_wrong_answers_are_at_distance_zero_and_are_not_searched():
    x, target, labels, exact = plane(3)
    wrong = np.random.default_rng(4).random(150) < 0.5
    found = boundary_distance(target, x, np.where(wrong, 1 - labels, labels), randomness=Randomness.simulated(4))
    assert (found[wrong] == 0).all()
    assert (found[~wrong] >= exact[~wrong] * (1 - 1e-9)).all()
    assert target.queries <= 150 + (~wrong).sum() * (BoundarySearch().queries - 1)


def test_where_all_labels_are_alike_there_is_no_boundary():
    target = Target(lambda z: np.column_stack([z[:, 0] * 0, z[:, 0] * 0 - 1]), classes=2)
    x = np.random.default_rng(5).normal(size=(20, 2))
    found = boundary_distance(target, x, np.arange(20) % 2, randomness=Randomness.simulated(5))
    np.testing.assert_array_equal(found, np.where(np.arange(20) % 2, 0, np.inf))


def test_columns_that_never_change_are_not_moved():
    x, plain, labels, exact = plane(3)
    seen = []

    def model(z):
        seen.append(set(z[:, 3]))
        return plain.model(z[:, :3])

    target = Target(model, classes=2)
    with_constant = np.column_stack([x, np.full(150, 4.0)])
    found = boundary_distance(target, with_constant, labels, randomness=Randomness.simulated(1))
    assert set().union(*seen) == {4.0}
    assert (found >= exact * (1 - 1e-9)).all()


def test_what_it_finds_does_not_depend_on_how_much_fits_into_memory(monkeypatch):
    import reticent.attacks.membership.boundary as module

    x, target, labels, exact = plane(4)
    monkeypatch.setattr(module, "_AT_ONCE", 32 * 4 * 7)
    found = boundary_distance(target, x, labels, randomness=Randomness.simulated(1))
    assert (found >= exact * (1 - 1e-9)).all()
    assert np.median(found / exact) < 1.05


@pytest.mark.slow
def test_a_budget_is_looked_at_first():
    x, target, labels, _ = plane(2, records=10)
    with serving(lambda body: {"label": target.predicted(np.array(body["inputs"])).tolist()}) as served:
        there = Endpoint(served.url, budget=1000, batch=4096)
        asked = Target(there, classes=2, exposure="label")
        with pytest.raises(UsageError, match=r"1890 more queries, got 1000 left"):
            boundary_distance(asked, x, labels, randomness=Randomness.simulated(6))
        assert served.bodies == []
        there.budget = 1890
        found = boundary_distance(asked, x, labels, randomness=Randomness.simulated(6))
        expected = boundary_distance(target, x, labels, randomness=Randomness.simulated(6))
        np.testing.assert_array_equal(found, expected)
        assert there.queries == sum(len(body["inputs"]) for body in served.bodies) <= 1890


def test_token_ids_have_no_way_between_them():
    x, target, labels, _ = plane(2)
    with pytest.raises(UsageError, match="token ids"):
        boundary_distance(target, x.astype(int), labels, randomness=Randomness.simulated(0))


@pytest.mark.parametrize(
    "options", [{"directions": 0}, {"steps": 0}, {"bisections": 0}, {"iterations": -1}, {"radius": 0}]
)
def test_settings_that_cannot_be(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        BoundarySearch(**options)
